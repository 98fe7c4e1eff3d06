"""Cells become values: each dictionary whole, the two yes/no codings, dates, amounts, and what a spreadsheet destroys."""

import datetime as dt
from dataclasses import replace
from decimal import Decimal
from functools import lru_cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hanma.upload import catalogue, coding
from hanma.upload.catalogue import Field
from hanma.upload.record import Attachment
from host_tests.upload.shantou_world import PLATFORM, fields

_FIELDS = [(f"{key}.{path}", one) for key, table in PLATFORM.tables.items() for path, one in fields(table)]
_ENUMS = [(path, one) for path, one in _FIELDS if one.type == "enum" and not one.dictionary_by]
_YES_IS_NOUGHT = {
    *("team.isRealTeam", "team_exit.isSettledPayroll", "team_exit.isHasbadness", "team_work.isHasbadness"),
    "team_exit.payrollDetails.issettledPayroll",
}
_YES_IS_ONE = {f"worker_enter.{name}" for name in ("ismajormedicalhistory", "isnewlyarea", "isriskareahis", "isteamleader")}


def _field(path):
    return dict(_FIELDS)[path]


def _read(path, cell, **values):
    """Return (value, names of the rules that spoke)."""
    problems = []
    value = _coder(path)(cell, values, problems)
    return value, [one.rule.name for one in problems]


@lru_cache
def _coder(path):
    return coding.coder(_field(path), PLATFORM)


def _wide(text):
    return "".join(chr(ord(sign) + 0xFEE0) if "!" <= sign <= "~" else sign for sign in text)


# Dictionaries


@pytest.mark.parametrize(("path", "one"), _ENUMS, ids=[path for path, _ in _ENUMS])
def test_each_code_of_a_field_is_itself_and_each_name_is_its_code_or_asks_which(path, one):
    choices = PLATFORM.choices(one)
    assert choices
    for code, name in choices.items():
        assert _read(path, code)[0] == code
        value, problems = coding.decode(one, name, PLATFORM)
        if value is None:
            assert problems[0].rule.name == "several_codes" and code in problems[0].words["codes"]
        else:
            assert value == code
        assert _read(path, f"{code} {name}")[0] == code


@pytest.mark.parametrize("kind", PLATFORM.dictionaries["certificate_types"])
def test_the_work_types_of_a_certificate_hang_on_its_type(kind):
    path = "worker_certificate.workTypeNameCode"
    choices = PLATFORM.choices(_field(path), {"certificateType": kind})
    for code, name in choices.items():
        assert _read(path, code, certificateType=kind) == (code, [])
        assert _read(path, name, certificateType=kind) == (code, [])
    others = {code for table in PLATFORM.dictionaries.values() for code in table if len(code) == 6} - set(choices)
    for code in others:
        assert _read(path, code, certificateType=kind) == (None, ["unknown_code"])


def test_the_same_name_is_another_code_under_another_certificate():
    assert _read("worker_certificate.workTypeNameCode", "建筑电工", certificateType="070")[0] == "070011"
    assert _read("worker_certificate.workTypeNameCode", "建筑电工", certificateType="090")[0] == "130"


def test_without_the_certificate_s_type_its_work_type_can_t_be_known():
    assert _read("worker_certificate.workTypeNameCode", "270") == (None, ["needs_other"])


@pytest.mark.parametrize(("path", "one"), _ENUMS, ids=[path for path, _ in _ENUMS])
@pytest.mark.parametrize("cell", ["没有这种", "ZZ", "-1", "12345", 2.5, dt.date(2026, 1, 1), [1]])
def test_what_no_dictionary_has_is_refused(path, one, cell):
    value, rules = _read(path, cell)
    assert value is None
    assert rules and set(rules) <= {"unknown_code", "wrong_type"}


def test_a_name_that_fits_two_codes_asks_which_and_names_them():
    value, (one,) = coding.decode(_field("gate.worktype"), "其他", PLATFORM)
    assert value is None
    assert one.words["codes"] == "1000 其它、1099 其他"
    assert "请直接填其中一个编码" in one.remedy()


def test_an_unknown_name_is_told_what_is_near():
    _, (one,) = coding.decode(_field("gate.worktype"), "焊工", PLATFORM)
    assert "270 电焊工" in one.remedy()


@pytest.mark.parametrize(("text", "code"), [("异常清退", "007"), ("一键开闸（需要与闸机交互）", "008"), ("其它方式", "011")])
def test_a_name_is_known_without_its_brackets_or_with_another_s(text, code):
    assert _read("gate.attendtype", text) == (code, [])


@pytest.mark.parametrize(("text", "code"), [("焊工", "270"), ("瓦工", "010"), ("电焊工", "270")])
def test_a_work_type_of_a_certificate_is_known_by_its_other_names(text, code):
    assert _read("worker_certificate.workTypeNameCode", text, certificateType="010") == (code, [])


def test_the_six_dictionaries_that_no_field_uses_are_there_to_be_looked_up():
    used = {one.dictionary for _, one in _FIELDS}
    used |= {name for _, one in _FIELDS if one.dictionary_by for name in one.dictionary_by[1].values()}
    assert set(PLATFORM.facts["look_up_only"]) == set(PLATFORM.dictionaries) - used
    assert len(PLATFORM.facts["look_up_only"]) == 6
    assert sum(map(len, PLATFORM.dictionaries.values())) == 656


# The two yes/no codings


def test_the_two_codings_of_yes_and_no_are_told_apart():
    backward = {path for path, one in _FIELDS if one.choices == {"0": "是", "1": "否"}}
    forward = {path for path, one in _FIELDS if one.dictionary == "yes_no"}
    assert (backward, forward) == (_YES_IS_NOUGHT, _YES_IS_ONE)


@pytest.mark.parametrize("path", sorted(_YES_IS_NOUGHT))
def test_yes_is_nought_where_the_field_says_so(path):
    assert [_read(path, cell)[0] for cell in ("是", "否", True, False)] == ["0", "1", "0", "1"]
    assert _read(path, "1") == ("1", ["read_as"])


@pytest.mark.parametrize("path", sorted(_YES_IS_ONE))
def test_yes_is_one_where_the_dictionary_says_so(path):
    assert [_read(path, cell)[0] for cell in ("是", "否", True, False)] == ["1", "0", "1", "0"]
    assert _read(path, "1") == ("1", [])


# Lost zeros, full-width signs, numbers that were texts


@pytest.mark.parametrize("cell", ["1", 1, 1.0])
def test_a_lost_zero_comes_back_where_one_code_fits(cell):
    assert _read("worker_enter.qualifications", cell) == ("01", ["zero_restored"])


def test_a_lost_zero_stays_lost_where_no_code_fits_or_several_do():
    assert _read("worker_enter.qualifications", "21") == (None, ["unknown_code"])
    two = Field("x", "某项", type="enum", choices={"01": "甲", "001": "乙"})
    value, (one,) = coding.decode(two, "1", PLATFORM)
    assert value is None and one.rule.name == "several_codes"


@pytest.mark.parametrize("cell", [440500199001010017, 4.40500199001010017e17, "4.40500199001010E+17", 10**15])
def test_an_id_that_went_through_a_number_cell_is_refused_with_the_reason(cell):
    value, (one,) = coding.decode(_field("gate.ryno"), cell, PLATFORM)
    assert value is None and one.rule.name == "long_number" and one.grave
    assert "15 位" in one.text() and "文本格式" in one.remedy()


def test_a_code_in_a_number_cell_goes_on_with_a_warning():
    assert _read("gate.deviceCode", 12345.0) == ("12345", ["number_cell"])
    assert _read("worker_enter.mobilenumber", 13412341234) == ("13412341234", [])


@pytest.mark.parametrize("path", ["gate.deviceCode", "worker_enter.contractcode", "gate.name"])
@pytest.mark.parametrize(("cell", "rule"), [(dt.date(2026, 3, 1), "date_cell"), (True, "wrong_type"), (["a"], "wrong_type")])
def test_a_text_can_t_be_a_day_a_yes_or_a_list(path, cell, rule):
    assert _read(path, cell) == (None, [rule])


@given(st.sampled_from(["gate.ryno", "gate.deviceCode", "vehicle.voiturecode"]), st.text("0123456789ABX-", min_size=1, max_size=18))
@settings(max_examples=100)
def test_full_width_signs_of_a_code_become_plain_with_a_note(path, text):
    assert _read(path, _wide(text)) == (text, ["tidied"])


@pytest.mark.parametrize(
    ("path", "cell", "value"),
    [
        ("gate.ryno", "44050019920303018x", "44050019920303018X"),
        ("gate.ryno", "440500 19920303 018X", "44050019920303018X"),
        ("gate.name", "张　三", "张三"),
        ("gate.name", "\u200b张三\u00a0", "张三"),
        ("worker_enter.homeadrress", "示范镇１号（东）", "示范镇1号（东）"),
        ("dust.pm25", "３５．５", Decimal("35.5")),
        ("worker_enter.wage", "8,000.50元", Decimal("8000.50")),
    ],
)
def test_form_is_mended_with_a_note(path, cell, value):
    assert _read(path, cell) == (value, ["tidied"])


def test_spaces_inside_a_foreign_name_stay():
    assert _read("gate.name", "TEST WORKER") == ("TEST WORKER", [])


# Numbers


@pytest.mark.parametrize("cell", ["", "热", "36.5度", "1,2", "nan", "inf", "1_000", float("nan"), True, dt.date(2026, 1, 1), [1]])
@pytest.mark.parametrize("path", ["gate.temperature", "worker_enter.wage", "dust.pm25", "worker_enter.age"])
def test_what_is_no_number_is_refused(path, cell):
    value, rules = _read(path, cell)
    assert value is None and rules and set(rules) <= {"not_number", "wrong_type"}


def test_a_spreadsheet_s_noise_is_no_digit():
    assert _read("dust.pm25", 0.1 + 0.2) == (Decimal("0.3"), [])


def test_a_third_place_is_rounded_with_a_note_only_where_two_are_asked():
    assert _read("dust.pm25", "35.125") == (Decimal("35.125"), ["rounded"])
    assert _read("dust.pm25", "35.120") == (Decimal("35.120"), [])
    assert _read("worker_enter.wage", "35.125") == (Decimal("35.125"), [])


def test_half_a_year_is_no_age():
    assert _read("worker_enter.age", "34.5") == (None, ["not_whole"])
    assert _read("worker_enter.age", 34.0) == (34, [])


# Days and times


@pytest.mark.parametrize(
    "cell",
    [
        *("2026-01-05", "2026/1/5", "2026.1.5", "2026年1月5日", "20260105", "２０２６－０１－０５", 20260105),
        *("2026-01-05 00:00:00", "2026⁃01⁃05", dt.date(2026, 1, 5), dt.datetime(2026, 1, 5)),
    ],
)
def test_a_day_is_read_however_it_is_written(cell):
    assert _read("worker_enter.enterdate", cell) == (dt.date(2026, 1, 5), [])


@pytest.mark.parametrize("cell", ["昨天", "26-1-5", "3/4/2026", "2026-02-30", "2026-13-01", 46027, "46027", "0000-00-00", True])
def test_what_is_no_day_is_refused(cell):
    assert _read("worker_enter.enterdate", cell) == (None, ["not_date"])


def test_the_time_of_a_day_is_left_out_with_a_note():
    assert _read("worker_enter.enterdate", "2026-01-05 07:30:00") == (dt.date(2026, 1, 5), ["cut_to_day"])


@pytest.mark.parametrize("cell", ["0000-00-00", "永久", "长期", "长期有效"])
def test_for_ever_is_written_with_noughts_only_where_the_document_allows_it(cell):
    assert _read("worker_certificate.startDate", cell) == ("0000-00-00", [])
    assert _read("worker_certificate.expiryDate", cell) == ("0000-00-00", [])
    assert _read("worker_certificate.grantDate", cell) == (None, ["not_date"])


@pytest.mark.parametrize(
    "cell",
    [
        *("2026-01-05 07:03:04", "2026/1/5 7:03:04", "2026-01-05T07:03:04", "2026年1月5日 7:03:04", "2026-01-04T23:03:04Z"),
        *("2026-01-05 07:03:04+08:00", "2026-01-05 07:03:04.250", dt.datetime(2026, 1, 5, 7, 3, 3, 999_997)),
    ],
)
def test_a_time_is_read_to_the_second_in_chinese_time(cell):
    assert _read("gate.dktime", cell) == (dt.datetime(2026, 1, 5, 7, 3, 4), [])


@pytest.mark.parametrize("cell", ["2026-01-05", "2026-01-05 07:03", "07:03:04", "2026-01-05 25:00:00", dt.date(2026, 1, 5), 4.3])
def test_a_time_without_its_seconds_or_its_day_is_refused_and_not_filled_up(cell):
    assert _read("gate.dktime", cell) == (None, ["not_time"])


def test_a_cell_that_holds_a_day_alone_is_no_midnight():
    assert _read("gate.dktime", dt.datetime(2026, 1, 5)) == (None, ["midnight_cell"])
    assert _read("gate.dktime", "2026-01-05 00:00:00") == (dt.datetime(2026, 1, 5), [])


# Pictures and lists


def test_a_picture_is_a_file_s_name_or_its_bytes():
    assert _read("gate.photo", "照片\\a.jpg") == (Attachment("a.jpg", "照片\\a.jpg"), [])
    assert _read("gate.photo", {"file": "照片/a.jpg"}) == (Attachment("a.jpg", "照片/a.jpg"), [])
    assert _read("gate.photo", "data:image/jpeg;base64,AAEC") == (Attachment("", data=b"\0\1\2", media="image/jpeg"), [])


@pytest.mark.parametrize("cell", [5, True, "data:image/jpeg;base64,@", {"name": "a"}, dt.date(2026, 1, 1)])
def test_what_is_no_picture_is_refused(cell):
    assert _read("gate.photo", cell) == (None, ["not_picture"])


@pytest.mark.parametrize("cell", ["a.jpg;b.jpg", "a.jpg；b.jpg", ["a.jpg", "b.jpg"]])
def test_a_certificate_has_one_picture(cell):
    assert _read("worker_certificate.data", cell) == (None, ["one_picture"])


def test_file_names_alone_make_a_list_of_attachments():
    value, rules = _read("team_exit.exitAttachments", "a.jpg；b.jpg")
    assert [one["data"].path for one in value] == ["a.jpg", "b.jpg"] and rules == []


def test_a_list_is_read_from_json_and_by_chinese_names():
    text = '[{"工人姓名": "李四", "idCardType": "1", "totalPayAmount": 5}]'
    value, rules = _read("team_exit.payrollDetails", text)
    assert value == [{"workerName": "李四", "idCardType": "01", "totalPayAmount": Decimal(5)}]
    assert rules == ["zero_restored"]


def test_a_fault_inside_a_list_is_told_with_its_place():
    bad = [{"badnessType": "01", "badnessAttachments": ["a.jpg"]}, {"badnessType": "77", "badnessAttachments": [{"data": 5}]}]
    _, problems = coding.decode(_field("team_exit.badnessInfo"), bad, PLATFORM)
    assert [(one.rule.name, one.field) for one in problems] == [
        ("unknown_code", "badnessInfo[2].badnessType"),
        ("not_picture", "badnessInfo[2].badnessAttachments[1].data"),
    ]


@pytest.mark.parametrize("cell", ["李四 8800", 5, ["李四"], "[{", [[]]])
def test_what_is_no_list_of_records_is_refused(cell):
    assert _read("team_exit.payrollDetails", cell) == (None, ["not_list"])


def test_a_part_that_a_list_s_records_don_t_have_is_told():
    assert _read("team_exit.payrollDetails", [{"workername": "李四"}]) == ([{}], ["unknown_part"])


# Several values, lengths, privacy


def test_several_values_of_one_field_are_read_each_and_joined():
    jiangsu = catalogue.load("jiangsu")
    field = next(one for table in jiangsu.tables.values() for one in table.fields if one.name == "accidentType")
    assert coding.decode(field, "爆炸,泄漏", jiangsu) == ("爆炸、泄漏", [])
    value, problems = coding.decode(field, "爆炸、发呆", jiangsu)
    assert value is None and [one.rule.name for one in problems] == ["unknown_code"]


def test_a_text_over_its_length_is_refused():
    value, problems = coding.decode(Field("x", "某项", most_length=3), "一二三四", PLATFORM)
    assert value is None and [one.rule.name for one in problems] == ["too_long"]


@pytest.mark.parametrize("cell", ["440500199001010017", "4405001990", "张三"])
def test_a_private_cell_is_never_whole_in_a_problem(cell):
    field = replace(_field("worker_enter.birthdate"), label="生日")
    _, (one,) = coding.decode(field, cell, PLATFORM)
    assert cell not in one.text() + one.remedy() + one.text("en")


def test_an_id_in_the_wrong_column_is_masked_too():
    _, (one,) = coding.decode(_field("gate.worktype"), "440500199001010017", PLATFORM)
    assert "440500199001010017" not in one.text()


_CELLS = st.one_of(
    st.text(max_size=12),
    st.integers(),
    st.floats(),
    st.booleans(),
    st.dates(),
    st.datetimes(),
    st.lists(st.one_of(st.text(max_size=3), st.dictionaries(st.text(max_size=3), st.text(max_size=3))), max_size=2),
    st.dictionaries(st.sampled_from(["file", "name", "data"]), st.text(max_size=5)),
)


@given(st.sampled_from(_FIELDS), _CELLS)
@settings(max_examples=100)
def test_no_cell_whatever_breaks_the_reading_and_none_is_lost_in_silence(field, cell):
    value, problems = coding.decode(field[1], cell, PLATFORM)
    assert value is not None or any(one.grave for one in problems) or coding.blank(cell)
    for one in problems:
        assert one.text() and one.text("en") and isinstance(one.remedy("en"), str)
