"""From a file to records: what reading lost stops the record, and is told where it stands."""

from datetime import datetime, timedelta, timezone

import openpyxl

from hanma.upload import catalogue, checking, gathering, reading, workbook
from hanma.upload.desk import Desk
from hanma.upload.site import Site

_NOW = datetime(2024, 5, 2, 12, tzinfo=timezone(timedelta(hours=8)))
_SITE = Site(name="site", platform="shantou", values={"project_code": "P-01"})
_SHANTOU = catalogue.load("shantou")


def _records(path, site=_SITE):
    parts = gathering.gather(path, _SHANTOU, site)
    assert [one for part in parts for one in part.problems] == []
    return {part.table.key: checking.check(part.rows, part.table, site, _NOW) for part in parts}


def _book(path, **sheets):
    book = openpyxl.Workbook()
    book.remove(book.active)
    for name, rows in sheets.items():
        for row in rows:
            (book[name] if name in book.sheetnames else book.create_sheet(name)).append(row)
    book.save(path)
    return path


def _told(record, rule):
    return [(one.place.sheet, one.place.row, one.place.column, one.grave) for one in record.problems if one.rule.name == rule]


def test_an_error_cell_of_an_optional_field_stops_its_record_where_it_stands(tmp_path):
    path = _book(tmp_path / "a.xlsx", dust=[("监测设备编号", "风速"), ("D1", "#REF!"), ("D1", 2.5)])
    broken, whole = _records(path)["dust"]
    assert _told(broken, "cell_error") == [("dust", 2, "风速", True)] and not broken.sound
    assert _told(whole, "cell_error") == []


def test_a_damaged_required_cell_is_told_once_and_not_as_missing_too(tmp_path):
    path = _book(tmp_path / "a.xlsx", dust=[("监测设备编号", "噪声"), ("D1", "#N/A")])
    (record,) = _records(path)["dust"]
    assert [one.rule.name for one in record.problems if one.field == "noise"] == ["cell_error"]


def test_a_problem_names_the_heading_the_clerk_wrote(tmp_path):
    path = _book(tmp_path / "a.xlsx", dust=[("监测设备编号", "噪声（必填）"), ("D1", "很吵")])
    (record,) = _records(path)["dust"]
    assert _told(record, "not_number") == [("dust", 2, "噪声（必填）", True)]


def test_a_row_that_could_not_be_read_is_a_record_with_that_problem_alone():
    table = _SHANTOU.tables["dust"]
    (record,) = checking.check(gathering.named(reading.read_stream(["{"]), table, _SITE), table, _SITE, _NOW)
    assert [one.rule.name for one in record.problems] == ["json_form"] and not record.sound


def test_the_template_of_every_table_is_known_again_by_its_sheets_and_headings(tmp_path):
    for platform in map(catalogue.load, catalogue.platforms()):
        site = Site(name="site", platform=platform.key, epidemic={"basis": "某文件第一条", "until": _NOW.date()})
        path = tmp_path / f"{platform.key}.xlsx"
        workbook.template(platform.tables.values(), platform, path, site, _NOW.date())
        parts = gathering.gather(path, platform, site)
        assert [part.table.key for part in parts] == list(platform.tables)
        assert [one for part in parts for one in part.problems] == [] and not any(list(part.rows) for part in parts)


def _validated(tmp_path, text):
    """Return the desk's Result of a CSV of that text."""
    (tmp_path / "dust.csv").write_text(text, "utf-8")
    with Desk(_SITE, clock=lambda: _NOW) as desk:
        return desk.validate([tmp_path / "dust.csv"])


def test_damage_further_down_a_file_leaves_the_rows_before_it_and_is_told(tmp_path):
    result = _validated(tmp_path, "监测设备编号,噪声\n" + "D1,50\n" * 20 + 'D1,"51\n')
    assert result.read == 20
    assert [(one.rule.name, one.place.row) for one in result.problems] == [("csv_form", 22)]


def test_what_reading_lost_is_told_once_by_the_desk(tmp_path):
    result = _validated(tmp_path, "监测设备编号,噪声\nD1\n")
    ((_, record),) = result.faulty
    assert [one.rule.name for one in record.problems].count("line_short") == 1
