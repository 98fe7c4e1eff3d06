"""Shantou's twelve health fields: off until a site states basis and last day. Not asked for, not sent though filled in."""

import json
from datetime import date

import openpyxl
import pytest

from hanma.upload import body, workbook
from host_tests.upload.shantou_world import NOW, PLATFORM, cells, check, site

_TODAY = NOW.date()
_NAMES = {(table.key, one.name) for table in PLATFORM.tables.values() for one in table.fields if one.epidemic}
_STATED = {"basis": "某市某年某号文", "until": _TODAY}
_OFF = [None, {"basis": "某市某年某号文", "until": date(2026, 11, 20)}]


def _asked_for(tmp_path, epidemic):
    """Return (sheet's table, field's name) of each column of the template, as its note tells it."""
    path = tmp_path / "模板.xlsx"
    workbook.template(PLATFORM.tables.values(), PLATFORM, path, site(epidemic=epidemic), _TODAY)
    titles = {table.title: key for key, table in PLATFORM.tables.items()}
    return {
        (titles[sheet.title], cell.comment.text.rpartition("字段名 ")[2])
        for sheet in openpyxl.load_workbook(path)
        if sheet.title in titles
        for row in sheet.iter_rows(max_row=2)
        for cell in row
        if cell.comment
    }


def _sent(table, epidemic):
    """Return the keys that leave of a row with every field filled in."""
    (record,) = check(table, cells(f"{table}_full"), epidemic=epidemic)
    return set(json.loads(body.encode(body.prepare(record, PLATFORM.tables[table], site(epidemic=epidemic)).body)))


def test_there_are_twelve():
    assert len(_NAMES) == 12


@pytest.mark.parametrize("epidemic", _OFF)
def test_no_template_asks_for_them_while_they_are_off(tmp_path, epidemic):
    asked = _asked_for(tmp_path, epidemic)
    assert ("gate", "ryno") in asked and not asked & _NAMES


def test_the_templates_ask_for_them_while_the_site_states_its_basis(tmp_path):
    assert _asked_for(tmp_path, _STATED) >= _NAMES


@pytest.mark.parametrize("table", sorted({table for table, _ in _NAMES}))
@pytest.mark.parametrize("epidemic", _OFF)
def test_none_leaves_though_it_is_filled_in_while_they_are_off(table, epidemic):
    names = {name for key, name in _NAMES if key == table}
    assert cells(f"{table}_full").keys() >= names
    assert not _sent(table, epidemic) & names
    assert _sent(table, _STATED) >= names
