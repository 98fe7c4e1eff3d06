"""Bodies: JSON types and settings on the wire, pictures behind their prefix, identities, parents and labels."""

import json
from dataclasses import replace

import pytest

from hanma.upload import body, catalogue, checking
from hanma.upload.problems import Place
from hanma.upload.record import Attachment, Row
from hanma.upload.site import Site
from host_tests.upload.shantou_world import NOW, PLATFORM, cells, check, golden, site

_TABLES = list(PLATFORM.tables)
_KINDS = {"string": str, "integer": int, "number": float, "array": list}


def _prepared(stem, table, profile=None, image=None, **changed):
    profile = profile or {}
    (record,) = check(table, cells(stem, **changed), **profile)
    return body.prepare(record, PLATFORM.tables[table], site(**profile), image)


def _full(table):
    return "worker_certificate_full" if table == "worker_certificate" else f"{table}_full"


def _mistyped(fields, values, before=""):
    """Return the paths of values that don't have their field's JSON type."""
    wrong = []
    for one in fields:
        value = values.get(one.name)
        if isinstance(value, list):
            wrong += [path for item in value for path in _mistyped(one.fields, item, f"{before}{one.name}.")]
        elif one.name in values and type(value) is not (Attachment if one.type == "image" else _KINDS[one.wire]):
            wrong.append(before + one.name)
    return wrong


@pytest.mark.parametrize("table", _TABLES)
def test_each_value_has_its_field_s_json_type(table):
    sent = _prepared(_full(table), table).body
    assert len(sent) >= 6
    assert _mistyped(PLATFORM.tables[table].fields, sent) == []


@pytest.mark.parametrize("table", _TABLES)
def test_the_keys_stand_in_the_table_s_order(table):
    sent = list(_prepared(_full(table), table).body)
    assert sent == [one.name for one in PLATFORM.tables[table].fields if one.name in sent]


def test_the_device_s_key_is_a_setting_and_only_one_key_leaves():
    assert "deviceCode" in _prepared("gate_minimal", "gate").body
    sent = _prepared("gate_minimal", "gate", {"settings": {"device_key": "devicecode"}}).body
    assert "devicecode" in sent and "deviceCode" not in sent


def test_amounts_leave_as_texts_of_two_places_where_the_site_says_so():
    sent = _prepared("worker_enter_full", "worker_enter", {"settings": {"decimals": "text"}}).body
    assert (sent["wage"], sent["probwage"]) == ("8000.00", "6500.50")
    exit_ = _prepared("team_exit_full", "team_exit", {"settings": {"decimals": "text"}}).body
    assert exit_["payrollDetails"][0]["unpaidAmount"] == "0.00"


def test_the_payday_leaves_as_the_example_has_it_where_the_site_says_so():
    sent = _prepared("worker_enter_full", "worker_enter", {"settings": {"payday": "day"}}, wpaymentdate="21").body
    assert sent["wpaymentdate"] == "21"


def test_no_bad_record_is_an_empty_list_or_nothing():
    assert _prepared("team_exit_minimal", "team_exit", badnessInfo=None).body["badnessInfo"] == []
    left_out = {"settings": {"no_badness": "left_out"}}
    assert "badnessInfo" not in _prepared("team_exit_minimal", "team_exit", left_out, badnessInfo=None).body


def test_another_number_of_the_platform_for_a_team_leaves_and_its_parent_keeps_ours():
    prepared = _prepared("team_work_minimal", "team_work", {"settings": {"team_numbers": {"BZ0001": "77001"}}})
    assert prepared.body["teamSysNo"] == "77001"
    assert prepared.parents == (("team", ("4405132026050001", "BZ0001")),)


@pytest.mark.parametrize(("number", "text"), [("0.005", "0.01"), ("35.125", "35.13"), ("-1.5", "-1.50"), ("7", "7.00")])
def test_measurements_leave_with_two_places_a_half_rounded_up(number, text):
    assert _prepared("dust_minimal", "dust", pm25=number).body["pm25"] == text


def _ready(attachment, field):
    return replace(attachment, data=b"\xff\xd8\xff", media="image/jpeg")


def test_a_picture_leaves_as_base64_behind_its_prefix():
    sent = json.loads(body.encode(_prepared("gate_minimal", "gate", image=_ready).body))
    assert sent["photo"] == "data:image/jpeg;base64,/9j/"


@pytest.mark.parametrize(("table", "name"), [("vehicle", "voitureimg"), ("worker_certificate", "data")])
def test_the_prefix_is_dropped_only_where_the_document_leaves_it_open(table, name):
    dropped = {"settings": {"picture_prefix": "drop"}}
    assert json.loads(body.encode(_prepared(_full(table), table, dropped, _ready).body))[name] == "/9j/"
    gate = json.loads(body.encode(_prepared("gate_minimal", "gate", dropped, _ready).body))
    assert gate["photo"].startswith("data:image/jpeg;base64,")


def test_chinese_leaves_as_itself():
    assert '"name": "李四"' in body.encode(_prepared("gate_minimal", "gate").body)


def test_a_record_with_an_error_is_never_prepared():
    (record,) = check("gate", cells("gate_minimal", temperature=None))
    with pytest.raises(ValueError, match="error"):
        body.prepare(record, PLATFORM.tables["gate"], site())


def test_a_pass_through_the_gate_is_person_time_direction_and_device():
    given = golden("gate_minimal")["input"]
    prepared = _prepared("gate_minimal", "gate")
    assert prepared.identity == (given["projectcode"], given["ryno"], given["dktime"], "1", given["deviceCode"])
    assert prepared.label == "李* 440500199001****** ZJ440513001"


def test_a_pass_names_the_entry_it_rests_on_without_its_day_and_the_entry_is_known_so():
    entry = _prepared("worker_enter_minimal", "worker_enter")
    (parent,) = _prepared("gate_minimal", "gate").parents
    assert parent == ("worker_enter", (entry.identity[0], entry.identity[1], None))
    assert entry.known_as == (parent[1],)
    assert entry.parents == (("team", ("4405132026050001", "BZ0001")),)


@pytest.mark.parametrize("table", ["dust", "vehicle", "mixer_vehicle"])
def test_dust_and_vehicles_wait_for_nothing(table):
    assert _prepared(_full(table), table).parents == ()


def test_when_it_happened_is_told_in_milliseconds():
    prepared = _prepared("dust_minimal", "dust", jctime="2026-11-20 08:05:09")
    assert prepared.happened_ms == 1_795_133_109_000
    assert _prepared("worker_out_minimal", "worker_out", outdate="2026-11-20").happened_ms == 1_795_104_000_000
    assert _prepared("team_minimal", "team").happened_ms is None


@pytest.mark.parametrize(
    ("encoding", "told"),
    [
        ("data_uri", "data:application/pdf;base64,AAA="),
        ("base64", "AAA="),
        ("name_data", {"name": "图.pdf", "data": "AAA="}),
        ("name", "图.pdf"),
    ],
)
def test_a_document_leaves_as_the_site_says(encoding, told):
    table = catalogue.load("jiangsu").tables["regulation"]
    profile = Site(name="示范", platform="jiangsu", settings={"media_encoding": encoding})
    row = {"fileName": "制度", "fileAppendix": "图.pdf", "publisher": "张三", "uploadDate": "2026-11-20"}
    row |= {"ID": "ZD1", "updateDate": "2026-11-20"}
    (record,) = checking.check([Row(Place(), row)], table, profile, NOW)
    prepared = body.prepare(record, table, profile, lambda file, field: replace(file, data=b"\0\0", media="application/pdf"))
    assert json.loads(body.encode(prepared.body))["fileAppendix"] == told
