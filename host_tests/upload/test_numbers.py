"""Numbers that prove themselves, by the standards' own examples and by one sign changed."""

from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hanma.upload import numbers

_ID = "11010519491231002X"  # the example of GB 11643
_CREDIT = "91350100M000100Y43"  # the example of GB 32100


def test_the_standards_own_examples_are_right():
    assert numbers.citizen_id_fault(_ID) == ""
    assert numbers.credit_code_fault(_CREDIT) == ""


@given(st.integers(0, 16), st.integers(1, 9))
@settings(max_examples=100)
def test_one_wrong_digit_of_a_citizen_id_is_found(place, more):
    wrong = _ID[:place] + str((int(_ID[place]) + more) % 10) + _ID[place + 1 :]
    assert numbers.citizen_id_fault(wrong) in ("check", "birth")


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("110105491231002", "length"),
        ("11010519491231002x", "signs"),
        ("1101051949123100２X", "signs"),
        ("110105194902310021", "birth"),
        ("110105194912310021", "check"),
    ],
)
def test_what_is_wrong_with_a_citizen_id_is_told(text, fault):
    assert numbers.citizen_id_fault(text) == fault


@pytest.mark.parametrize(
    ("text", "fault"), [("12160101", "length"), ("91350100M000100I43", "signs"), ("91350100M000100Y44", "check")]
)
def test_what_is_wrong_with_a_credit_code_is_told(text, fault):
    assert numbers.credit_code_fault(text) == fault


def test_a_citizen_id_tells_birth_and_sex():
    assert numbers.birth(_ID) == date(1949, 12, 31)
    assert not numbers.male(_ID)
    assert numbers.male("440500199001010017")


@pytest.mark.parametrize("text", ["13412341234", "19900000000"])
def test_a_mobile_number_is_known(text):
    assert numbers.mobile_fault(text) == ""


@pytest.mark.parametrize("text", ["12412341234", "1341234123", "1341234123４", "0754-88888888"])
def test_what_is_no_mobile_number_is_told(text):
    assert numbers.mobile_fault(text) == "form"


@pytest.mark.parametrize("text", ["粤D12345", "粤DD12345", "粤D12345F", "粤Z1234港", "粤D1234挂", "京A0000学"])
def test_a_plate_is_known(text):
    assert numbers.plate_fault(text) == ""


@pytest.mark.parametrize("text", ["粤D1234", "D12345", "粤I12345", "粤D123O5", "粤D1234567"])
def test_what_is_no_plate_is_told(text):
    assert numbers.plate_fault(text) == "form"
