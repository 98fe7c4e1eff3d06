"""A clerk's workbook: what is filled in comes back as it was typed, and what is wrong with it stands where it is wrong."""

import os
import signal
import stat
import subprocess
import sys
from dataclasses import replace
from datetime import date

import openpyxl
import pytest

from hanma.upload import gathering, marking, reading, workbook
from hanma.upload.flaws import ReadingError
from hanma.upload.problems import NOTE, WARNING, Place, Problem, Rule
from hanma.upload.record import Record, Row
from host_tests.upload.small import ENTER, EXIT, GATE, PLATFORM, TRADES, site

_TODAY = date(2024, 5, 1)
_BAD = Rule("bad", "姓名不对", "The name is wrong", "请改正", "Mend it")


def _template(tmp_path, tables=(ENTER,), **profile):
    path = tmp_path / "模板.xlsx"
    workbook.template(tables, PLATFORM, path, site(**profile), _TODAY)
    return openpyxl.load_workbook(path)


def _headings(sheet, row=1):
    return [cell.value for cell in sheet[row] if cell.value]


def _column(sheet, heading, row=1):
    return next(cell.column_letter for cell in sheet[row] if (cell.value or "").startswith(heading))


def _drop_down(book, sheet, heading):
    """Return the formula of a column's drop-down."""
    letter = _column(sheet, heading)
    return next((one.formula1 for one in sheet.data_validations.dataValidation if str(one.sqref).startswith(f"{letter}2:")), None)


def test_every_column_is_text_and_every_field_has_one(tmp_path):
    sheet = _template(tmp_path)["人员进场"]
    fields = [one for one in ENTER.fields if not one.epidemic]
    assert len(_headings(sheet)) == len(fields) + 2
    for cell in sheet[1]:
        assert sheet.column_dimensions[cell.column_letter].number_format == sheet[f"{cell.column_letter}2"].number_format == "@"


def test_required_columns_are_marked_and_every_column_has_a_note(tmp_path):
    sheet = _template(tmp_path)["人员进场"]
    assert {"身份证号*", "证书工种（条件必填）", "单位名称（owner）"} <= set(_headings(sheet))
    notes = {cell.value: cell.comment.text for cell in sheet[1]}
    assert all(notes.values())
    assert "证书类型为 1 特种作业 时必填" in notes["证书工种（条件必填）"] and "200 kB" in notes["人脸照片*"]


def test_drop_downs_show_code_and_name_and_long_ones_stand_on_a_hidden_sheet(tmp_path):
    book = _template(tmp_path)
    sheet = book["人员进场"]
    assert _drop_down(book, sheet, "性别") == '"0 男,1 女"'
    name = _drop_down(book, sheet, "工种")
    (title, cells), *_ = book.defined_names[name].destinations
    assert book[title].sheet_state == "hidden"
    assert [row[0].value for row in book[title][cells]] == [f"{code} {text}" for code, text in TRADES.items()]
    assert "010 砌筑工" in [row[0].value for row in book[title][cells]]


def test_a_list_that_hangs_on_another_column_has_a_range_for_each_of_its_codes(tmp_path):
    book = _template(tmp_path)
    sheet = book["人员进场"]
    formula = _drop_down(book, sheet, "证书工种")
    assert formula.startswith('INDIRECT("by_enter_certwork_"&LEFT($') and f"${_column(sheet, '证书类型')}2" in formula
    (title, cells), *_ = book.defined_names["by_enter_certwork_2"].destinations
    assert [row[0].value for row in book[title][cells]] == ["b 木工", "c 瓦工"]


def test_epidemic_columns_are_there_only_while_the_site_may_use_them(tmp_path):
    allowed = {"epidemic": {"basis": "某文件第一条", "until": date(2024, 5, 1)}}
    ended = {"epidemic": {"basis": "某文件第一条", "until": date(2024, 4, 30)}}
    present = [any("健康码" in one for one in _headings(_template(tmp_path, **more)["人员进场"])) for more in ({}, allowed, ended)]
    assert present == [False, True, False]


def test_what_the_profile_gives_stands_in_a_grey_line_and_needs_no_column(tmp_path):
    book = _template(tmp_path, values={"project_code": "P-01"})
    sheet = book["人员进场"]
    assert "项目编码 = P-01" in sheet["A1"].value and sheet["A1"].fill.fgColor.rgb.endswith("D9D9D9")
    assert "项目编码*" not in _headings(sheet, 2) and "身份证号*" in _headings(sheet, 2)


def test_consent_is_asked_for_unless_the_site_states_it(tmp_path):
    asked = ["同意日期" in _headings(_template(tmp_path, consent=one)["人员进场"]) for one in ("columns", "stated")]
    assert asked == [True, False]


def test_lists_have_a_sheet_of_their_own_and_attachments_a_cell(tmp_path):
    book = _template(tmp_path, (EXIT,))
    assert _headings(book["班组退场"]) == ["项目编码*", "班组编号*", "退场日期*", "退场附件"]
    assert _headings(book["班组退场-工资结清情况"]) == ["项目编码*", "班组编号*", "退场日期*", "工人姓名*", "金额"]


def test_the_rules_stand_in_chinese_on_a_sheet_that_is_not_read(tmp_path):
    book = _template(tmp_path, (ENTER, EXIT))
    told = [[cell.value for cell in row] for row in book["填写说明"].iter_rows()]
    assert ["人员进场", "性别", "必填"] in [row[:3] for row in told]
    assert reading.sheets(tmp_path / "模板.xlsx") == ["人员进场", "班组退场", "班组退场-工资结清情况"]


@pytest.mark.parametrize("given", [{}, {"project_code": "P-01"}])
def test_a_filled_template_is_read_back_under_its_fields_exactly_as_typed(tmp_path, given):
    book = _template(tmp_path, (ENTER, EXIT), values=given)
    head = 2 if given else 1
    typed = {"身份证号": "440500199001011234", "工种": "010 砌筑工", "姓名": "=张三", "证书类型": "1 特种作业"}
    for heading, value in typed.items():
        cell = book["人员进场"][f"{_column(book['人员进场'], heading, head)}{head + 1}"]
        cell.value, cell.data_type = value, "s"
    for sheet, values in (("班组退场", ("01", "2024-05-01")), ("班组退场-工资结清情况", ("01", "2024-05-01", "李四"))):
        headings = ("班组编号", "退场日期", "工人姓名")
        for heading, value in zip(headings, values, strict=False):
            book[sheet][f"{_column(book[sheet], heading, head)}{head + 1}"] = value
    book.save(tmp_path / "模板.xlsx")
    enter, leave = gathering.gather(tmp_path / "模板.xlsx", PLATFORM, site(values=given))
    (row,), (left,) = enter.rows, leave.rows
    filled = {name: value for name, value in row.cells.items() if value is not None}
    assert filled == {"idcard": "440500199001011234", "worktype": "010 砌筑工", "labourername": "=张三", "cert": "1 特种作业"}
    assert row.place.row == head + 1 and enter.problems == row.problems == []
    assert [one["workerName"] for one in left.cells["payrollDetails"]] == ["李四"] and left.problems == []


def _marked(tmp_path, rows, problems, lang="zh"):
    """Return the workbook that gives these rows back. problems: row → its problems."""
    records = [Record("small", "enter", {}, row.place, problems=problems.get(row.place.row, [])) for row in rows]
    marking.mark(tmp_path / "有错.xlsx", rows, records, lang)
    return openpyxl.load_workbook(tmp_path / "有错.xlsx")


def _row(number, **cells):
    return Row(Place("表.csv", "", number), cells, columns={"labourername": "姓名"})


def test_faulty_cells_are_coloured_with_their_text_and_all_else_is_as_it_was(tmp_path):
    rows = [_row(2, labourername="甲", idcard="0123"), _row(3, labourername="乙", idcard=4.4e17)]
    place = rows[0].place
    problems = {
        2: [Problem(_BAD, place.at("姓名"), "labourername"), Problem(replace(_BAD, severity=NOTE), place, "idcard")],
        3: [Problem(_BAD, rows[1].place, "idcard", severity=WARNING)],
    }
    book = _marked(tmp_path, rows, problems)
    sheet = book["表"]
    assert [[cell.value for cell in row] for row in sheet] == [["姓名", "idcard"], ["甲", "0123"], ["乙", 4.4e17]]
    assert [cell.fill.fgColor.rgb[-6:] for cell in (sheet["A2"], sheet["B3"])] == ["FFC7CE", "FFEB9C"]
    assert sheet["A2"].comment.text == "姓名不对 请改正" and sheet["B2"].comment is None and sheet["B2"].fill.fill_type is None
    assert [cell.value for cell in book["问题"][2]] == ["表.csv", None, 2, "姓名", "错误", "姓名不对", "bad", "请改正"]
    assert book["问题"].max_row == 4


def test_a_problem_of_no_column_stands_at_the_first_cell_and_speaks_the_language_asked_for(tmp_path):
    book = _marked(tmp_path, [_row(2, labourername="甲", idcard=None)], {2: [Problem(_BAD, words={})]}, "en")
    assert book["表"]["A2"].comment.text == "The name is wrong Mend it"
    assert [cell.value for cell in book["问题"][1]][:3] == ["file", "sheet", "row"]


def test_text_that_looks_like_a_formula_or_holds_control_characters_stays_text(tmp_path):
    book = _marked(tmp_path, [_row(2, labourername="=cmd|' /C calc'!A0", idcard="a\x07b", x="#N/A")], {})
    cells = book["表"][2]
    assert [(cell.value, cell.data_type) for cell in cells] == [("=cmd|' /C calc'!A0", "s"), ("ab", "s"), ("#N/A", "s")]


def test_rows_without_cells_are_told_among_the_problems_alone(tmp_path):
    rows = [Row(Place("-", "", 1), {}), Row(Place("-", "", 2), {"a": 1}), Row(Place("-", "", 3), {"b": [{"c": 1, "d": "x"}]})]
    book = _marked(tmp_path, rows, {1: [Problem(_BAD)]})
    assert book["问题"].max_row == 2
    assert [[cell.value for cell in row] for row in book["-"]] == [["a", "b"], [1, None], [None, "1 x"]]


def test_what_is_marked_can_be_mended_and_read_again(tmp_path):
    _marked(tmp_path, [_row(2, labourername="甲", idcard="0123")], {2: [Problem(_BAD)]})
    assert [row.cells for row in reading.read(tmp_path / "有错.xlsx")] == [{"姓名": "甲", "idcard": "0123"}]


@pytest.mark.skipif(os.name == "nt", reason="Windows has no modes")
def test_a_workbook_is_its_owner_s_alone_and_leaves_nothing_beside_it(tmp_path):
    _template(tmp_path)
    _marked(tmp_path, [_row(2, a=1)], {})
    assert sorted(one.name for one in tmp_path.iterdir()) == ["有错.xlsx", "模板.xlsx"]
    assert {stat.S_IMODE(one.stat().st_mode) for one in tmp_path.iterdir()} == {0o600}


@pytest.mark.skipif(os.name == "nt", reason="SIGKILL")
def test_a_killed_run_leaves_no_sheet_s_text_behind(tmp_path):
    for one in ("temporary", "out"):
        (tmp_path / one).mkdir()
    command = [sys.executable, "-m", "host_tests.upload.dying_marker", str(tmp_path / "out" / "有错.xlsx")]
    done = subprocess.run(command, env={**os.environ, "TMPDIR": str(tmp_path / "temporary")}, timeout=60)
    assert done.returncode == -signal.SIGKILL
    assert [one for one in tmp_path.rglob("*") if one.is_file()] == []


@pytest.mark.skipif(os.name == "nt", reason="SIGKILL")
def test_what_a_killed_run_had_half_written_goes_when_the_same_is_written_again(tmp_path):
    (tmp_path / "有错.xlsx.4711.part").write_bytes(b"PK half")
    (tmp_path / "有错.xlsx.notes").write_bytes(b"the clerk's own")
    _marked(tmp_path, [_row(2, a=1)], {})
    assert sorted(one.name for one in tmp_path.iterdir()) == ["有错.xlsx", "有错.xlsx.notes"]


def test_a_workbook_that_can_t_be_replaced_is_told_and_the_old_one_stays(tmp_path, monkeypatch):
    _template(tmp_path)
    before = (tmp_path / "模板.xlsx").read_bytes()

    def busy(*_):
        raise PermissionError

    monkeypatch.setattr(os, "replace", busy)
    with pytest.raises(ReadingError, match="占用"):
        workbook.template((GATE,), PLATFORM, tmp_path / "模板.xlsx", site(), _TODAY)
    assert (tmp_path / "模板.xlsx").read_bytes() == before
    assert [one.name for one in tmp_path.iterdir()] == ["模板.xlsx"]
