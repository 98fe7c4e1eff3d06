"""Rows become records: what is missing, what the site gives, what can be reckoned, what came twice; every problem at once."""

from datetime import date

import pytest

from hanma.upload import catalogue, checking
from hanma.upload.problems import Place, Problem, Rule
from hanma.upload.record import Attachment, Row
from host_tests.upload.shantou_world import EMPTY, NOW, PLATFORM, cells, check, found, golden, notes, site

_EPIDEMIC = {"basis": "某市某年某号文", "until": date(2026, 12, 31)}
# A row of each table with every field filled.
_FULL = {key: f"{key}_full" for key in PLATFORM.tables}
_TOP = [(key, one) for key, table in PLATFORM.tables.items() for one in table.fields]
_REQUIRED = [(key, one.name) for key, one in _TOP if one.required == "yes"]
# What can be reckoned from another field, and so need not be typed.
_RECKONED = {
    ("gate", "kqdate"): date.fromisoformat(golden("gate_full")["input"]["kqdate"]),
    ("worker_enter", "birthdate"): date(1992, 3, 3),
    ("worker_enter", "sex"): "1",
    ("worker_certificate", "name"): "certificate.jpg",
}
_SPOILT = {
    "enum": ["没有这种", 2.5],
    "integer": ["许多", "1.5"],
    "decimal": ["许多", True],
    "float": ["许多", "inf"],
    "date": ["昨天", "2026-02-30"],
    "datetime": ["2026-11-20", "昨天"],
    "image": [5, True],
    "array": [5, "[{"],
    "string": [date(2026, 1, 1), ["a"]],
}
_PLACES = {"project_code": "P1", "project_name": "示范项目", "site_code": "G1", "site_name": "示范工地", "permit": "X1"}


def _row(table):
    given = golden(_FULL[table])["input"]
    return given | ({"badnessInfo": golden("team_work_full")["input"]["badnessInfo"]} if table == "team_work" else {})


def _inside():
    """Yield (table, list, field) of each required field inside a list at the top."""
    for key, one in _TOP:
        for inner in one.fields:
            if inner.required == "yes":
                yield key, one.name, inner.name


def _spoilt():
    for key, one in _TOP:
        for cell in _SPOILT[one.type]:
            yield key, one.name, cell


@pytest.mark.parametrize("table", PLATFORM.tables)
def test_a_full_row_is_sound(table):
    (record,) = check(table, _row(table), epidemic=_EPIDEMIC)
    assert record.sound and found(record) == set()
    assert set(record.values) == {one.name for one in PLATFORM.tables[table].fields}


@pytest.mark.parametrize(("table", "name"), _REQUIRED)
@pytest.mark.parametrize("nothing", [None, "", "  ", "\u3000", "\u200b"])
def test_each_required_field_that_is_missing_stops_the_record_unless_it_can_be_reckoned(table, name, nothing):
    (record,) = check(table, _row(table) | {name: nothing}, empty={})
    if (table, name) in _RECKONED:
        assert record.sound and record.values[name] == _RECKONED[table, name] and name in record.derived
    else:
        assert ("missing", name) in found(record) and not record.sound


@pytest.mark.parametrize(("table", "outer", "name"), list(_inside()))
def test_each_required_field_that_is_missing_inside_a_list_stops_the_record(table, outer, name):
    row = _row(table)
    row[outer] = [{key: cell for key, cell in item.items() if key != name} for item in row[outer]]
    (record,) = check(table, row, empty={})
    if name == "name":
        assert record.values[outer][0]["name"] == row[outer][0]["data"]["file"]
        assert f"{outer}.name" in record.derived and ("missing", f"{outer}[1].name") not in found(record)
    else:
        assert ("missing", f"{outer}[1].{name}") in found(record)


@pytest.mark.parametrize(("table", "name", "cell"), list(_spoilt()))
def test_a_value_of_the_wrong_type_stops_the_record_at_its_field_and_is_not_called_missing(table, name, cell):
    (record,) = check(table, _row(table) | {name: cell}, epidemic=_EPIDEMIC)
    about = [one for one in record.problems if one.field.partition("[")[0] == name and one.grave]
    assert len(about) == 1 and about[0].rule.name != "missing"
    assert not record.values.get(name) or record.values[name] == [{}]
    assert about[0].place == Place("表.xlsx", "", 2, PLATFORM.tables[table].field(name).label)


def test_a_missing_bad_record_is_told_only_where_there_is_one():
    (record,) = check("team_exit", cells("team_exit_settled_with_bad_records", badnessInfo=None))
    assert ("missing", "badnessInfo") in found(record)
    (record,) = check("team_exit", cells("team_exit_minimal", badnessInfo=None))
    assert record.sound and record.values["badnessInfo"] == [] and "badnessInfo" in record.derived


def test_every_problem_of_every_row_is_told_at_once():
    first = cells("gate_minimal", temperature=None, photo=None, dktype="3", worktype="其它", dktime="2026-11-20")
    second = cells("gate_minimal", ryno=440500199001010017, nosuch="x")
    records = check("gate", first, second)
    assert found(records[0]) == {
        ("missing", "temperature"),
        ("missing", "photo"),
        ("unknown_code", "dktype"),
        ("several_codes", "worktype"),
        ("not_time", "dktime"),
    }
    assert found(records[1]) == {("long_number", "ryno"), ("unknown_field", "nosuch")}
    assert [record.place.row for record in records] == [2, 3]


# The first law


@pytest.mark.parametrize(
    ("table", "stem", "name"),
    [
        ("gate", "gate_minimal", "temperature"),
        ("gate", "gate_minimal", "photo"),
        ("team_exit", "team_exit_minimal", "unpaidPayroll"),
        ("worker_out", "worker_out_minimal", "outevaluate"),
    ],
)
def test_no_profile_can_give_a_fact_or_an_empty_value_where_the_document_has_no_room_for_one(table, stem, name):
    for value in ("", 0, "0", "36.5", "register.jpg"):
        for profile in ({"empty": {f"{table}.{name}": value}}, {"tables": {table: {name: value}}}, {"values": {name: value}}):
            (record,) = check(table, cells(stem, **{name: None}), **profile)
            assert not record.sound and ("missing", name) in found(record)
            assert found(record) & {("empty_refused", name), ("constant_fact", name)}


def test_an_empty_day_leaves_only_where_the_site_says_so():
    row = cells("team_exit_minimal")
    (record,) = check("team_exit", row, empty={})
    assert {name for rule, name in found(record) if rule == "missing"} == {
        "appointDate",
        "settleDate",
        "payrollDetails[1].appointDate",
    }
    assert "[empty]" in next(one for one in record.problems if one.rule.name == "missing").remedy()
    (record,) = check("team_exit", row, empty=EMPTY)
    assert record.sound and record.values["appointDate"] == "" and "appointDate" in record.given


def test_a_standing_photo_is_never_taken_for_one_at_the_gate(tmp_path):
    (tmp_path / "照片").mkdir()
    (tmp_path / "照片" / "440500199001010017.jpg").write_bytes(b"x")
    (record,) = check("gate", cells("gate_minimal", photo=None), directory=tmp_path)
    assert ("missing", "photo") in found(record)
    (record,) = check("worker_certificate", cells("worker_certificate_full", data=None), directory=tmp_path)
    assert ("missing", "data") in found(record)


def test_pictures_are_found_by_a_person_s_number(tmp_path):
    (tmp_path / "照片").mkdir()
    for end in ("", "_正面", "_反面"):
        (tmp_path / "照片" / f"440500199001010017{end}.jpg").write_bytes(b"x")
    row = cells("worker_enter_minimal", facephoto=None, idcardfacade=None, idcardback=None)
    (record,) = check("worker_enter", row, directory=tmp_path)
    assert record.sound and record.values["idcardback"] == Attachment(*["440500199001010017_反面.jpg"] * 2)
    assert {"facephoto", "idcardfacade", "idcardback"} <= record.given


# What the site gives


def _short_pass(**changed):
    row = cells("gate_minimal", projectcode=None, projectname=None, sitecode=None, sitename=None, sgxkzh=None)
    return {name: cell for name, cell in (row | changed).items() if cell is not None}


def test_a_row_of_attendance_is_person_time_direction_device_and_photo():
    row = _short_pass(kqdate=None, placeid=None, attendtype=None, dktype=None)
    devices = {"ZJ440513001": {"dktype": "进场", "placeid": "CS1", "attendtype": "人脸识别"}, "ZJ2": {"dktype": "出场"}}
    (record,) = check("gate", row, values=_PLACES, devices=devices)
    assert record.sound and record.values["dktype"] == "1" and record.values["attendtype"] == "001"
    assert record.given == {*("projectcode", "projectname", "sitecode", "sitename", "sgxkzh"), "dktype", "placeid", "attendtype"}
    assert record.derived == {"kqdate"}


@pytest.mark.parametrize("cell", [" ZJ440513001", "ＺＪ440513001", None])
def test_a_device_is_known_however_it_is_written_and_where_it_is_the_only_one(cell):
    values = _PLACES if cell else {**_PLACES, "device_code": "ZJ440513001"}
    (record,) = check("gate", _short_pass(deviceCode=cell, dktype=None), values=values, devices={"ZJ440513001": {"dktype": "1"}})
    assert record.sound and record.values["dktype"] == "1"


def test_a_table_s_constant_goes_before_a_concept_s_and_the_row_before_both():
    profile = {"values": _PLACES, "tables": {"gate": {"sitecode": "G2"}}}
    records = check("gate", _short_pass(), _short_pass(sitecode="G3", dktime="2026-11-20 08:00:00"), **profile)
    assert [record.values["sitecode"] for record in records] == ["G2", "G3"]


def test_a_constant_of_no_field_is_told():
    (record,) = check("gate", cells("gate_minimal"), tables={"gate": {"sitecod": "G2"}})
    assert found(record) == {("constant_unknown", "")}


# The health fields


@pytest.mark.parametrize("table", ["gate", "worker_enter"])
@pytest.mark.parametrize("epidemic", [None, {"basis": "某市某年某号文", "until": date(2026, 11, 20)}])
def test_health_fields_stay_here_until_a_basis_is_stated_and_after_its_last_day(table, epidemic):
    names = {one.name for one in PLATFORM.tables[table].fields if one.epidemic}
    (record,) = check(table, _row(table), epidemic=epidemic)
    assert record.sound and not names & set(record.values)
    assert {name for rule, name in notes(record) if rule == "epidemic_off"} == names


def test_health_fields_that_are_off_are_not_even_read():
    (record,) = check("worker_enter", _row("worker_enter") | {"nucleinacidtime": "昨天"})
    assert record.sound


# Consent


@pytest.mark.parametrize("table", ["gate", "worker_enter"])
@pytest.mark.parametrize(
    ("given", "rule"),
    [
        ({}, ("no_consent", "consent")),
        ({"consent": "否", "consent_date": "2026-01-01"}, ("no_consent", "consent")),
        ({"consent": "是"}, ("no_consent_day", "consent_date")),
        ({"consent": "是", "consent_date": "2026-11-22"}, ("future", "consent_date")),
    ],
)
def test_a_picture_of_a_face_needs_the_person_s_consent_and_its_day(table, given, rule):
    (record,) = check(table, cells(f"{table}_minimal", **given), consent="columns")
    assert rule in found(record) and not record.sound


def test_consent_is_read_and_nobody_asks_for_it_where_there_is_no_face():
    (record,) = check("gate", cells("gate_minimal", consent="是", consent_date="2026-01-01"), consent="columns")
    assert record.sound
    (record,) = check("worker_out", cells("worker_out_minimal"), consent="columns")
    assert record.sound


# Rules beyond the document

_BEYOND = [
    ("gate", {"ryno": "440500199001010018"}, ("citizen_id", "ryno")),
    ("team", {"unitcode": "91440500MA0000015D"}, ("credit_code", "unitcode")),
    ("mixer_vehicle", {"tyshxydm": "121601019"}, ("credit_code", "tyshxydm")),
    ("team", {"phone": "12345"}, ("mobile", "phone")),
    ("vehicle", {"voiturecode": "粤D123"}, ("plate", "voiturecode")),
    ("worker_enter", {"birthdate": "1991-01-01"}, ("birth_differs", "birthdate")),
    ("worker_enter", {"sex": "女"}, ("sex_differs", "sex")),
    ("gate", {"kqdate": "2026-11-19"}, ("day_differs", "kqdate")),
    ("gate", {"dktime": "2026-11-21 12:00:01", "kqdate": None}, ("later_than_now", "dktime")),
    ("worker_out", {"outdate": "2026-11-22"}, ("later_than_now", "outdate")),
]


@pytest.mark.parametrize(("table", "changed", "told"), _BEYOND)
def test_what_no_document_asks_is_a_warning_that_a_site_makes_an_error_or_switches_off(table, changed, told):
    row = cells(f"{table}_minimal", **changed)
    (warned,) = check(table, row)
    (stopped,) = check(table, row, rules={told[0]: "error"})
    (silent,) = check(table, row, rules={told[0]: "off"})
    assert told in found(warned) and warned.sound
    assert told in found(stopped) and not stopped.sound
    assert told not in found(silent)


def test_a_site_can_t_switch_off_what_the_document_asks():
    (record,) = check("gate", cells("gate_minimal", temperature=None), rules={"missing": "off"})
    assert not record.sound


def test_a_number_is_proved_only_where_the_paper_is_a_citizen_s_id():
    passport = cells("team_payroll_minimal", idCardType="护照", idCardNumber="E00000000")
    citizen = cells("team_payroll_minimal", idCardType="01", idCardNumber="E00000000")
    records = check("team_payroll", passport, citizen)
    assert [("citizen_id", "idCardNumber") in found(record) for record in records] == [False, True]


def test_ids_inside_a_list_are_proved_too():
    row = cells("team_exit_full")
    row["payrollDetails"] = [row["payrollDetails"][0] | {"idCardNumber": "440500199001010018"}]
    (record,) = check("team_exit", row)
    assert ("citizen_id", "payrollDetails[1].idCardNumber") in found(record)


@pytest.mark.parametrize("number", ["440500199001010018", "440500199013010017", "E0000000"])
def test_birth_and_sex_are_not_reckoned_from_a_number_that_is_none(number):
    (record,) = check("worker_enter", cells("worker_enter_minimal", idcard=number, sex=None, birthdate=None))
    assert {("missing", "sex"), ("missing", "birthdate")} <= found(record)


def test_private_values_are_masked_in_every_problem():
    row = cells("worker_enter_minimal", idcard="440500199001010018", mobilenumber="1341234123", birthdate="1990/13/01")
    (record,) = check("worker_enter", row)
    told = " ".join(one.text(lang) + one.remedy(lang) for one in record.problems for lang in ("zh", "en"))
    assert "440500199001******" in told
    assert not any(text in told for text in ("440500199001010018", "1341234123", "1990/13/01"))


# Days


def test_an_entry_may_not_lie_in_the_future():
    records = [check("worker_enter", cells("worker_enter_minimal", enterdate=day))[0] for day in ("2026-11-21", "2026-11-22")]
    assert [record.sound for record in records] == [True, False]
    assert ("future", "enterdate") in found(records[1])


def test_what_was_lost_in_reading_is_told_once_and_isn_t_called_missing_too():
    lost = Problem(Rule("error_cell", "单元格是错误值", "an error cell"), Place("表.xlsx", "", 2, "体温"))
    row = Row(Place("表.xlsx", "", 2), cells("gate_minimal", temperature=None), [lost], {"temperature": "体温"})
    (record,) = checking.check([row], PLATFORM.tables["gate"], site(), NOW)
    assert [one.rule.name for one in record.problems] == ["error_cell"] and not record.sound


def test_consent_can_t_be_given_for_everybody_by_the_profile():
    profile = {"consent": "columns", "values": {"consent": "是"}}
    (record,) = check("gate", cells("gate_minimal", consent_date="2026-01-01"), **profile)
    assert {("constant_fact", "consent"), ("no_consent", "consent")} <= found(record)


# What came before


def test_the_same_row_again_is_a_warning_and_other_content_of_the_same_record_an_error():
    first = cells("gate_minimal")
    records = check("gate", first, first, first | {"temperature": "36.6"}, first | {"dktype": "2"})
    assert [found(record) for record in records] == [set(), {("same_again", "")}, {("twice", "")}, set()]
    assert [record.sound for record in records] == [True, True, False, True]
    assert "第 2 行" in records[2].problems[0].text()


def test_the_same_list_again_is_known_too():
    row = cells("team_exit_full")
    assert [found(record) for record in check("team_exit", row, row)] == [set(), {("same_again", "")}]


class _Known:
    """A store that knows some records and their parents."""

    def __init__(self, **states):
        self._states = states
        self.asked = []

    def __call__(self, table, identity):
        self.asked.append((table, identity))
        return self._states.get(table)


def test_what_the_store_has_is_told_as_a_note():
    (record,) = check("gate", cells("gate_minimal"), known=_Known(gate="accepted", worker_enter="accepted"))
    assert record.sound and notes(record) == {("already", "")}


@pytest.mark.parametrize(("state", "rule"), [(None, "no_parent"), ("refused", "parent_refused")])
def test_a_record_whose_parent_is_missing_or_refused_is_warned_of(state, rule):
    known = _Known(worker_enter=state)
    records = check("gate", cells("gate_minimal"), cells("gate_minimal", dktype="2"), known=known)
    assert all(found(record) == {(rule, "")} and record.sound for record in records)
    person = ("worker_enter", ("4405132026050001", "440500199001010017", None))
    assert known.asked.count(person) == 1


def test_a_parent_that_is_on_its_way_is_no_matter():
    (record,) = check("gate", cells("gate_minimal"), known=_Known(worker_enter="queued"))
    assert found(record) == set()


# Settings


@pytest.mark.parametrize(("table", "name"), [("dust", "windspeed"), ("vehicle", "voituretype")])
def test_the_fields_whose_need_is_not_written_are_needed_where_the_site_says_so(table, name):
    row = cells(f"{table}_full", **{name: None})
    assert check(table, row)[0].sound
    assert ("missing", name) in found(check(table, row, settings={"blank_required": "yes"})[0])


def test_a_setting_that_is_no_choice_is_refused_before_any_row():
    with pytest.raises(ValueError, match="number, text"):
        check("gate", cells("gate_minimal"), settings={"decimals": "money"})


# Any authority


def test_every_table_of_every_platform_can_be_checked():
    for key in catalogue.platforms():
        for table in catalogue.load(key).tables.values():
            profile = site(platform=key, empty={})
            (record,) = checking.check([Row(Place(), {})], table, profile, NOW)
            wanted = {one.name for one in table.fields if one.required == "yes" and not one.epidemic and not one.derived}
            assert {one.field for one in record.problems if one.rule.name == "missing"} == wanted


def test_records_come_one_by_one_for_more_rows_than_memory_holds():
    rows = (Row(Place(row=at), cells("dust_minimal", jctime=f"2026-11-20 08:00:{at:02d}")) for at in range(3))
    records = checking.each(rows, PLATFORM.tables["dust"], site(), NOW)
    assert next(records).place.row == 0
    assert next(rows).place.row == 1


def test_problems_are_told_in_both_languages_with_what_to_do():
    spoilt = {one.name: _SPOILT[one.type][0] for one in PLATFORM.tables["worker_enter"].fields}
    (record,) = check("worker_enter", spoilt)
    assert len(record.problems) > 40
    for one in record.problems:
        assert one.text("zh") and one.text("en")
        assert not one.grave or (one.remedy("zh") and one.remedy("en"))


def test_what_hangs_on_a_missing_or_wrong_value_isn_t_called_missing_too():
    assert found(check("gate", cells("gate_minimal", kqdate=None, dktime="昨天"))[0]) == {("not_time", "dktime")}
    row = cells("worker_enter_minimal", idcard=None, birthdate=None, sex=None)
    assert found(check("worker_enter", row)[0]) == {("missing", "idcard")}
