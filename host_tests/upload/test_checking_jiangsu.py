"""Every field of Jiangsu's nine tables: missing, of a wrong type, with a wrong code; every entry of every enumeration."""

import json
import pathlib
from datetime import date, datetime, timedelta, timezone

import pytest

from hanma.upload import catalogue, checking
from hanma.upload.problems import Place
from hanma.upload.record import Row
from hanma.upload.site import Site

_GOLDEN = pathlib.Path(__file__).parent / "golden" / "jiangsu"
_NOW = datetime(2026, 11, 21, 12, 0, 0, tzinfo=timezone(timedelta(hours=8)))
_PLATFORM = catalogue.load("jiangsu")
_FIELDS = [(table, one) for table in _PLATFORM.tables.values() for one in table.fields]
_REQUIRED = [(table.key, one.name) for table, one in _FIELDS if one.required == "yes"]
_SPOILT = {
    "integer": ["三", "1.5"],
    "decimal": ["很多", "1,2,3.x"],
    "float": ["很多"],
    "date": ["昨天", "2026-13-01", "2026-02-30"],
    "datetime": ["昨天", "2026-11-20"],
    "enum": ["没有这一项", "99999", date(2026, 1, 1)],
    "image": [5, True],
    "file": [5, True],
    "string": [date(2026, 1, 1), ["a"]],
}


def _check(table, **changed):
    """Return the Record of a table's full golden row with some cells changed."""
    number = list(_PLATFORM.tables).index(table) + 1
    given = json.loads((_GOLDEN / f"{number:02}_full.json").read_text("utf-8"))["input"]
    site = Site(name="示范", platform="jiangsu", consent="stated")
    row = Row(Place("表.xlsx", "", 2), (given[0] if isinstance(given, list) else given) | changed)
    (record,) = checking.check([row], _PLATFORM.tables[table], site, _NOW)
    return record


def _grave(record, name):
    return [one.rule.name for one in record.problems if one.field.partition("[")[0] == name and one.grave]


@pytest.mark.parametrize("table", _PLATFORM.tables)
def test_a_full_row_of_every_table_is_sound(table):
    record = _check(table)
    assert record.sound and set(record.values) == {one.name for one in _PLATFORM.tables[table].fields}


@pytest.mark.parametrize(("table", "name"), _REQUIRED)
@pytest.mark.parametrize("nothing", [None, "", "\u3000"])
def test_each_required_field_that_is_missing_stops_the_record(table, name, nothing):
    record = _check(table, **{name: nothing})
    assert _grave(record, name) == ["missing"] and name not in record.values


def _spoilt():
    """Yield (table, field, a cell it can't be). A field of several values may be a list."""
    for table, one in _FIELDS:
        yield from ((table.key, one.name, cell) for cell in _SPOILT[one.type] if not (one.separator and isinstance(cell, list)))


@pytest.mark.parametrize(("table", "name", "cell"), list(_spoilt()))
def test_a_value_of_the_wrong_type_or_code_stops_the_record_at_its_field(table, name, cell):
    found = _grave(_check(table, **{name: cell}), name)
    assert len(found) == 1 and found != ["missing"]


@pytest.mark.parametrize(("table", "one"), [(t.key, one) for t, one in _FIELDS if one.type == "enum"], ids=str)
def test_every_entry_of_an_enumeration_is_taken_by_code_and_by_name(table, one):
    for code, name in _PLATFORM.choices(one).items():
        assert [_check(table, **{one.name: cell}).values[one.name] for cell in (code, name)] == [code, code]
