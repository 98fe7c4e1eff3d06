"""The Luat dialect: what it reads, and whole conversations under MicroPython in virtual time; those cases are in
mp_luat.py."""

import pytest
from drivers import modem_parts as driver
from hypothesis import given, settings
from hypothesis import strategies as st

from host_tests.unit import mp_cases
from modem import luat_open, luat_place, luat_speech, luat_up, speech
from modem.luat import Luat

FIX = "1,1,20201110032427,31.820789,117.117390,78.500,{kmh},130.07,3,,{dilution},0.89,4.00,,12,11,,,34,,"


@pytest.mark.parametrize("name", mp_cases.names("mp_luat"))
def test_luat(name):
    mp_cases.check("mp_luat", name)


def read(name, value):
    """Return what the driver reads off a value."""
    return driver.run({"read": name, "value": value})


@pytest.mark.parametrize(
    ("reader", "value", "expected"),
    [
        ("luat_location", "0,034.7983328,114.3214505,2023/06/05,14:38:50", [347983328, 1143214505, 1000]),
        ("luat_location", "0,114.3214505,034.7983328,2023/06/05,14:38:50", [347983328, 1143214505, 1000]),
        ("luat_location", "0,000.0000000,000.0000000,2023/06/05,14:38:50", 404),
        ("luat_location", "0", 404),
        ("luat_location", "", 404),
        ("luat_location", "601", 601),
        ("luat_location", "65535", 65535),
        ("luat_fix", FIX.format(kmh="0.00", dilution="1.79"), [318207890, 1171173900, 89, None, 0]),
        (
            "luat_fix",
            FIX.format(kmh="36.00", dilution="").replace("2020", "2024"),
            [318207890, 1171173900, 500, 1731209067000, 1000],
        ),
        ("luat_fix", FIX.format(kmh="", dilution="1").replace("20201110032427", ""), [318207890, 1171173900, 50, None, 0]),
        ("luat_fix", FIX.format(kmh="0", dilution="1").replace("1,1,", "1,0,", 1), None),
        ("luat_fix", FIX.format(kmh="0", dilution="1").replace("1,1,", "0,1,", 1), None),
        ("luat_fix", FIX.format(kmh="0", dilution="1").replace(",3,", ",1,"), None),
        ("luat_fix", FIX.format(kmh="0", dilution="1").replace("31.820789", "0.000000"), None),
        ("luat_fix", "1,0,,,,,,,,,,,,,,,,,,,,", None),
        ("luat_fix", "1,1", None),
        ("luat_fix", "", None),
        ("luat_address", '1,"broker.example","10.1.2.3"', "10.1.2.3"),
        ("luat_address", "0,10", None),
        ("luat_address", "", None),
    ],
)
def test_values_are_read(micropython, reader, value, expected):
    assert read(reader, value) == expected
    assert micropython.call("modem_parts", {"read": reader, "value": value}) == expected


@settings(max_examples=100, deadline=None)
@given(
    st.sampled_from(["luat_fix", "luat_location", "luat_address"]),
    st.text(st.sampled_from('0123456789,.:/+-" x'), max_size=60),
)
def test_no_value_however_damaged_raises_and_both_interpreters_read_the_same(micropython, reader, value):
    assert micropython.call("modem_parts", {"read": reader, "value": value}) == read(reader, value)


def test_speech_is_ucs2():
    assert luat_speech.SPEAK % speech.ucs2("焊码A") == b'AT+CTTS=1,"710A78010041"'
    assert luat_speech.SPEAK % speech.ucs2("\U0001f525") == b'AT+CTTS=1,"003F"'


def test_only_an_address_makes_a_call():
    states = (b"IP INITIAL", b"IP START", b"IP CONFIG", b"IP GPRSACT", b"IP STATUS", b"IP PROCESSING", b"PDP DEACT", b"")
    assert [state for state in states if luat_up.stands(state)] == [b"IP STATUS", b"IP PROCESSING"]


def test_a_send_ends_in_a_line_feed_of_its_own():
    assert Luat().send(3, 5)[0] == b"AT+CIPSEND=3,5\r\n"


def test_a_dialect_has_every_name_that_another_has():
    from modem import simcom_open, simcom_place, simcom_speech, simcom_up
    from modem.simcom import Simcom

    for mine, other in (
        (Luat, Simcom),
        (luat_up, simcom_up),
        (luat_open, simcom_open),
        (luat_place, simcom_place),
        (luat_speech, simcom_speech),
    ):
        missing = {name for name in dir(other) if not name.startswith("_")} - set(dir(mine))
        assert missing <= {"time_server"}, (mine.__name__, missing)
    assert luat_place.ASK_TIME is None  # so nobody asks for the row that names a server
