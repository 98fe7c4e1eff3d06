"""What a clerk types leaves as the body that another hand typed from the document: keys, order, values, number against text."""

import json

import pytest

from hanma.upload import body
from host_tests.upload.shantou_world import GOLDEN, PLATFORM, check, found, golden, named, site

_STEMS = sorted(path.stem for path in GOLDEN.glob("*.json") if path.stem != "example_keys")


def _table(stem):
    return max((key for key in PLATFORM.tables if stem.startswith(key + "_")), key=len)


def _kinds(value):
    """Return a JSON value in which 36 and 36.0 are one number, no number is a text, and keys have an order."""
    if isinstance(value, dict):
        return [(name, _kinds(one)) for name, one in value.items()]
    if isinstance(value, list):
        return [_kinds(one) for one in value]
    return ("number", float(value)) if isinstance(value, (int, float)) else ("text", value)


def _prepared(stem):
    (record,) = check(_table(stem), golden(stem)["input"])
    assert found(record) == set()
    return body.prepare(record, PLATFORM.tables[_table(stem)], site())


@pytest.mark.parametrize("stem", _STEMS)
def test_the_body_is_the_golden_one(stem):
    left = json.loads(body.encode(named(_prepared(stem).body)))
    assert _kinds(left) == _kinds(golden(stem)["body"])


def test_whole_numbers_leave_without_a_point():
    sent = body.encode(named(_prepared("worker_enter_full").body))
    assert '"sex": 1, ' in sent and '"wagecalcdate": 25, ' in sent


@pytest.mark.parametrize(("table", "example"), golden("example_keys").items())
def test_the_keys_stand_in_the_order_of_the_document_s_example(table, example):
    ours = [one.name.lower() for one in PLATFORM.tables[table].fields]
    assert [name for name in ours if name in map(str.lower, example)] == [name.lower() for name in example]
