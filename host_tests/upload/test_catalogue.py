"""Shantou's document as data: what it fixes is there, what is ours is consistent, and settings change what they say."""

import re

import pytest

from hanma.upload import catalogue
from hanma.upload.catalogue import PRIVACY, UNCERTAIN_RULES
from host_tests.upload.shantou_world import PLATFORM, fields

_TYPES = {"string", "integer", "decimal", "float", "date", "datetime", "enum", "image", "file", "array"}
_FIELDS = [(f"{key}.{path}", one) for key, table in PLATFORM.tables.items() for path, one in fields(table)]
# Of the document's chapters four to fourteen: fields at the top, and those inside lists.
_COUNTS = {
    "dust": (18, 0),
    "vehicle": (11, 0),
    "mixer_vehicle": (6, 0),
    "team": (17, 0),
    "worker_enter": (63, 0),
    "worker_certificate": (19, 0),
    "gate": (20, 0),
    "team_work": (8, 6),
    "worker_out": (9, 0),
    "team_exit": (13, 15),
    "team_payroll": (8, 2),
}
_CHOICES = [(name, choice) for name, one in PLATFORM.settings.items() for choice in one.get("choices", ())]
_EPIDEMIC = {
    *("isriskareahis", "riskarea", "cityhistory", "departureplace", "nucleinacidtime", "nucleinacidresult"),
    *("vaccinationstatus", "healthcodepic", "travelcardpic", "lmstatus", "hsxx", "ymzs"),
}


def test_the_eleven_tables_are_in_the_order_in_which_they_are_sent():
    assert list(PLATFORM.tables) == list(_COUNTS)


@pytest.mark.parametrize("key", _COUNTS)
def test_each_table_has_all_the_document_s_fields(key):
    table = PLATFORM.tables[key]
    inside = sum(1 for path, _ in fields(table) if "." in path)
    assert (len(table.fields), inside) == _COUNTS[key]


@pytest.mark.parametrize(("path", "one"), _FIELDS, ids=[path for path, _ in _FIELDS])
def test_each_field_is_whole(path, one):
    assert one.label and one.type in _TYPES
    assert one.wire == "array" or one.type != "array"
    assert one.required in ("yes", "no", "when") and bool(one.when) == (one.required == "when")
    assert one.privacy in (*PRIVACY, "")
    assert bool(one.most_b) == (one.type == "image")
    assert one.type != "enum" or one.dictionary_by or PLATFORM.choices(one)
    assert not one.empties or one.type in ("date", "string")


@pytest.mark.parametrize("key", _COUNTS)
def test_identity_parents_and_derivations_name_fields_that_are_there(key):
    table = PLATFORM.tables[key]
    names = {one.name for one in table.fields}
    assert table.identity and set(table.identity) <= names
    for parent, keys in table.parents:
        assert set(keys) <= set(PLATFORM.tables[parent].identity) and set(keys.values()) <= names
        assert list(PLATFORM.tables).index(parent) < list(PLATFORM.tables).index(key)
    for one in table.fields:
        source = re.fullmatch(r"\w+:(\w+)(=\w+)?", one.derived)
        assert not one.derived or source[1] in names


@pytest.mark.parametrize("key", _COUNTS)
def test_what_concerns_people_and_money_is_held_when_its_answer_was_not_heard(key):
    table = PLATFORM.tables[key]
    alone = key in ("dust", "vehicle", "mixer_vehicle")
    assert table.uncertain == ("resend" if alone else "hold") and table.uncertain in UNCERTAIN_RULES
    assert bool(table.parents) == (key not in ("dust", "vehicle", "mixer_vehicle", "team"))


@pytest.mark.parametrize("key", _COUNTS)
def test_each_endpoint_has_its_own_classes_of_codes(key):
    errors = PLATFORM.tables[key].errors
    token = "900010104" if key == "worker_out" else "900010103"
    assert [code for code, kind in errors.items() if kind == "token"] == [token]
    assert errors["0"] == "ok" and (errors.get("1") == "ok") == (key == "worker_out")


@pytest.mark.parametrize(
    ("path", "wire"),
    [
        ("worker_enter.homeadrress", "string"),
        ("worker_enter.grtype", "integer"),
        ("gate.rytype", "string"),
        ("gate.deviceCode", "string"),
        ("gate.dktype", "integer"),
        ("vehicle.iostatus", "string"),
        ("team.isRealTeam", "string"),
        ("team.teamJobClass", "integer"),
        ("team.unittype", "string"),
        ("team_exit.isSettledPayroll", "integer"),
        ("team_exit.payrollDetails.issettledPayroll", "integer"),
        ("team_work.corpCode", "string"),
        ("team_work.badnessInfo.badnessAttachments", "array"),
        ("team_payroll.materialAttach", "array"),
        ("worker_enter.wage", "number"),
        ("dust.pm25", "string"),
    ],
)
def test_spelling_case_and_wire_type_are_the_document_s(path, wire):
    assert dict(_FIELDS)[path].wire == wire


def test_the_twelve_epidemic_fields_are_marked():
    assert {one.name for _, one in _FIELDS if one.epidemic} == _EPIDEMIC


def test_only_what_does_not_differ_from_record_to_record_may_stand_in_a_profile():
    assert {one.concept for _, one in _FIELDS if not one.fact and one.name not in _INSIDE} == {
        *("project_code", "project_name", "site_code", "site_name", "permit", "bid_section_code", "bid_section_name"),
        *("device_code", "company_name", "company_code", "company_type", "plant_code", "team_code", "team_number"),
        *("place_id", "pass_way", "direction"),
    }


_INSIDE = {path.split(".")[-1] for path, _ in _FIELDS if path.count(".") > 1}


@pytest.mark.parametrize("name", PLATFORM.settings)
def test_each_setting_says_why_it_is_there_and_its_default_is_a_choice(name):
    one = PLATFORM.settings[name]
    assert len(one["why"]) > 10
    assert "choices" not in one or one["value"] in one["choices"]
    for choice, change in one.get("changes", {}).items():
        assert choice in one["choices"] and choice != one["value"]
        assert set(change) <= set(dict(_FIELDS))


@pytest.mark.parametrize(("name", "choice"), _CHOICES)
def test_a_setting_changes_the_fields_it_names_and_no_other(name, choice):
    named = PLATFORM.settings[name].get("changes", {}).get(choice, {})
    changed = {
        f"{key}.{path}"
        for key, table in PLATFORM.tables.items()
        for (path, ours), (_, theirs) in zip(fields(table), fields(table.settled({name: choice})), strict=True)
        if ours != theirs and not ours.fields
    }
    assert changed == {path for path in named if not dict(_FIELDS)[path].fields}


def test_a_value_that_is_no_choice_is_refused_and_the_choices_told():
    with pytest.raises(ValueError, match="deviceCode, devicecode"):
        PLATFORM.tables["gate"].settled({"device_key": "DeviceCode"})


def test_a_site_may_need_more_than_the_document_does():
    jiangsu = catalogue.load("jiangsu")
    assert jiangsu.tables["company"].field("address").required == "no"
    assert jiangsu.tables["company"].settled({"required": ["company.address"]}).field("address").required == "yes"


def test_an_unknown_platform_is_told_the_known_ones():
    with pytest.raises(KeyError, match="shantou"):
        catalogue.load("beijing")
