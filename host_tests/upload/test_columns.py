"""Headings become fields, and sheets tables: by name, label or alias, never by a guess."""

import openpyxl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hanma.upload import columns, gathering, reading
from hanma.upload.flaws import ReadingError
from host_tests.upload.small import ENTER, EXIT, PLATFORM, site


def _rules(problems):
    return [one.rule.name for one in problems]


@pytest.mark.parametrize(
    ("heading", "name"),
    [
        ("idcard", "idcard"),
        ("IDCARD", "idcard"),
        ("身份证号", "idcard"),
        (" 身份证号 * ", "idcard"),
        ("身份证号（必填）", "idcard"),
        ("＊身份证号：", "idcard"),
        ("身份 证号", "idcard"),
        ("身份证号（idcard）", "idcard"),
        ("工人姓名", "labourername"),
        ("证件号", "idcard"),
        ("单位名称（owner）", "owner"),
        ("同意日期", "consent_date"),
    ],
)
def test_a_heading_is_known_by_name_label_or_alias_whatever_its_marks(heading, name):
    assert columns.match([heading], ENTER, site(aliases={"证件号": "idcard"})) == ({heading: name}, [])


@given(
    st.sampled_from([one for one in ENTER.fields if one.label != "单位名称"]),
    st.sampled_from(["", "*", "（必填）", " ", "　", "(选填)"]),
)
def test_every_label_is_found_with_any_mark_before_or_after(field, mark):
    for heading in (mark + field.label, field.label + mark):
        assert columns.match([heading], ENTER, site())[0] == {heading: field.name}


def test_an_unknown_heading_is_an_error_that_names_the_nearest():
    found, (problem,) = columns.match(["身份证号码", "姓名"], ENTER, site())
    assert found == {"姓名": "labourername"} and problem.grave and problem.place.column == "身份证号码"
    assert "身份证号" in problem.remedy() and "身份证号" in problem.remedy("en")


def test_a_site_may_let_its_own_columns_pass():
    assert columns.match(["备注"], ENTER, site(aliases={"备注": ""})) == ({}, [])
    assert [one.severity for one in columns.match(["备注"], ENTER, site(rules={"heading_unknown": "warning"}))[1]] == ["warning"]
    assert columns.match(["备注", "序号"], ENTER, site(rules={"heading_unknown": "off"})) == ({}, [])


def test_two_headings_for_one_field_are_an_error_that_names_both():
    found, (problem,) = columns.match(["身份证号", "idcard"], ENTER, site())
    assert found == {"身份证号": "idcard"} and problem.grave
    assert "身份证号" in problem.text() and "idcard" in problem.text()


def test_the_same_heading_twice_is_seen_through_the_number_reading_gives_it():
    assert _rules(columns.match(["姓名", "姓名#2"], ENTER, site())[1]) == ["heading_doubled"]


def test_a_label_of_two_fields_asks_which():
    found, (problem,) = columns.match(["单位名称"], ENTER, site())
    assert found == {} and problem.grave and "单位名称（owner）" in problem.text()


def test_a_sheet_is_known_by_title_or_key_and_its_array_by_either():
    details = EXIT.fields[3]
    names = ("班组退场", "team_exit", "班组退场-工资结清情况", "team_exit.payrollDetails", "别的")
    assert [columns.table_of(one, PLATFORM) for one in names] == [
        (EXIT, None),
        (EXIT, None),
        (EXIT, details),
        (EXIT, details),
        None,
    ]


def _book(path, **sheets):
    book = openpyxl.Workbook()
    book.remove(book.active)
    for name, rows in sheets.items():
        sheet = book.create_sheet(name.replace("_of_", "-"))
        for row in rows:
            sheet.append(row)
    book.save(path)
    return path


_PARENTS = [("班组编号", "退场日期", "退场附件"), ("01", "2024-05-01", "单一.jpg；夹/单二.jpg"), ("02", "2024/5/1", None)]


def test_a_second_sheet_is_joined_to_the_rows_it_belongs_to(tmp_path):
    children = [
        ("班组编号", "退场日期", "工人姓名", "金额"),
        ("02", "2024-05-01", "甲", 1.5),
        ("01", "2024年5月1日", "乙", 2),
        ("02", "2024-5-1", "丙", 3),
    ]
    path = _book(tmp_path / "a.xlsx", 班组退场=_PARENTS, 班组退场_of_工资结清情况=children)
    (part,) = gathering.gather(path, PLATFORM, site())
    first, second = part.rows
    assert part.problems == [] and first.problems == []
    assert first.cells["payrollDetails"] == [{"workerName": "乙", "paid": 2}]
    assert [one["workerName"] for one in second.cells["payrollDetails"]] == ["甲", "丙"]
    assert first.columns["teamSysNo"] == "班组编号"


def test_a_list_in_the_cell_and_in_a_second_sheet_too_is_an_error(tmp_path):
    path = _book(
        tmp_path / "a.xlsx", 班组退场=_PARENTS, 班组退场_of_退场附件=[("班组编号", "附件名称"), ("01", "单"), ("02", "单")]
    )
    (part,) = gathering.gather(path, PLATFORM, site())
    first, second = part.rows
    assert _rules(first.problems) == ["nested_twice"] and first.cells["exitAttachments"] == "单一.jpg；夹/单二.jpg"
    assert second.problems == [] and second.cells["exitAttachments"] == [{"name": "单"}]


def test_a_nested_row_that_belongs_to_no_record_is_an_error_where_it_stands(tmp_path):
    path = _book(tmp_path / "a.xlsx", 班组退场=_PARENTS, 班组退场_of_工资结清情况=[("班组编号", "工人姓名"), ("03", "甲")])
    (part,) = gathering.gather(path, PLATFORM, site())
    *parents, orphan = part.rows
    assert [row.problems for row in parents] == [[], []]
    assert orphan.cells == {} and _rules(orphan.problems) == ["nested_orphan"] and orphan.problems[0].grave
    assert (orphan.place.sheet, orphan.place.row) == ("班组退场-工资结清情况", 2)


def test_nested_rows_are_given_to_none_of_two_records_that_both_fit(tmp_path):
    parents = [*_PARENTS, ("01", "2024-06-01", None)]
    path = _book(tmp_path / "a.xlsx", 班组退场=parents, 班组退场_of_工资结清情况=[("班组编号", "工人姓名"), ("01", "甲")])
    (part,) = gathering.gather(path, PLATFORM, site())
    rows = list(part.rows)
    assert [_rules(row.problems) for row in rows] == [["nested_unsure"], [], ["nested_unsure"]]
    assert not any("payrollDetails" in row.cells for row in rows)


def test_a_nested_sheet_without_a_column_to_join_by_is_an_error(tmp_path):
    path = _book(tmp_path / "a.xlsx", 班组退场=_PARENTS, 班组退场_of_工资结清情况=[("工人姓名", "金额"), ("甲", 1)])
    (part,) = gathering.gather(path, PLATFORM, site())
    assert _rules(part.problems) == ["nested_without_key"]


def test_damage_in_a_nested_row_stops_the_record_it_belongs_to(tmp_path):
    path = _book(tmp_path / "a.xlsx", 班组退场=_PARENTS, 班组退场_of_工资结清情况=[("班组编号", "工人姓名"), ("01", "#REF!")])
    (part,) = gathering.gather(path, PLATFORM, site())
    first, _ = part.rows
    assert _rules(first.problems) == ["cell_error"] and first.problems[0].field == "payrollDetails"
    assert first.problems[0].place.sheet == "班组退场-工资结清情况"


def test_a_csv_has_its_lists_in_a_second_file(tmp_path):
    (tmp_path / "退场.csv").write_text("班组编号,退场日期\n01,2024-05-01\n", "utf-8")
    (tmp_path / "退场-工资结清情况.csv").write_text("班组编号,工人姓名\n01,甲\n", "utf-8")
    (part,) = gathering.gather(tmp_path / "退场.csv", PLATFORM, site(), EXIT)
    assert [row.cells["payrollDetails"] for row in part.rows] == [[{"workerName": "甲"}]]


def test_tables_of_a_workbook_come_in_the_order_they_are_sent_in_and_foreign_sheets_are_told(tmp_path):
    path = _book(tmp_path / "a.xlsx", 班组退场=_PARENTS, 草稿=[("x", "y")], 人员进场=[("姓名", "性别"), ("甲", "男")])
    parts = gathering.gather(path, PLATFORM, site())
    assert [part.table.key for part in parts] == ["enter", "team_exit"]
    assert _rules(parts[0].problems) == ["sheet_unknown"] and not parts[0].problems[0].grave


def test_a_sheet_of_any_name_is_the_table_that_was_named(tmp_path):
    path = _book(tmp_path / "a.xlsx", Sheet1=[("姓名", "性别"), ("甲", "男")])
    assert [part.table.key for part in gathering.gather(path, PLATFORM, site(), ENTER)] == ["enter"]
    with pytest.raises(ReadingError, match="哪张表"):
        gathering.gather(path, PLATFORM, site())


def test_json_keys_are_named_too_and_an_unknown_one_is_its_row_s_own_error():
    lines = ['{"班组编号": "01", "工资结清情况": [{"工人姓名": "甲"}]}', '{"teamSysNo": "02", "x": 1}']
    first, second = gathering.named(reading.read_stream(lines), EXIT, site())
    assert first.cells == {"teamSysNo": "01", "payrollDetails": [{"workerName": "甲"}]} and first.problems == []
    assert _rules(second.problems) == ["heading_unknown"]
    assert second.problems[0].place.row == 2


def test_file_names_and_objects_may_stand_side_by_side_in_a_json_list():
    lines = ['{"退场附件": ["a.jpg", {"附件": "b.jpg"}, {"y": 1}]}']
    (row,) = gathering.named(reading.read_stream(lines), EXIT, site())
    assert row.cells == {"exitAttachments": ["a.jpg", {"data": "b.jpg"}, {}]} and _rules(row.problems) == ["heading_unknown"]


def test_damage_is_told_of_the_field_whose_cell_it_is(tmp_path):
    (part,) = gathering.gather(_book(tmp_path / "a.xlsx", 人员进场=[("姓名", "身份证号"), ("甲", "#N/A")]), PLATFORM, site())
    (row,) = part.rows
    assert [(one.field, one.place.column) for one in row.problems] == [("idcard", "身份证号")]
