"""Zhejiang: the import file, and the findings on who worked, scanned and was qualified."""

from datetime import date, datetime

import pytest
import xlrd
import xlwt

from hanma.upload import catalogue, zhejiang
from hanma.upload.record import Record

UNIT = "汕头某某起重有限公司"
DAY = date(2026, 11, 20)
WORKER = "330100199001010019"
OTHER = "330100199202020027"


def record(table, **values):
    return Record("zhejiang", table, values)


def person(item="Q2", until=date(2027, 1, 1), who=WORKER, **more):
    return record("qualification", 身份证号=who, 姓名="张三", 项目代号=item, 有效期至=until, **more)


def device(code="D1", unit=UNIT, items="Q2", **more):
    return record("device", 设备代码=code, 使用单位=unit, 项目代号=items,
                  **{"需要配备作业人员": "是", "在用": "是", "需要设置安全管理机构": "是"} | more)


def work(code="D1", who=WORKER, job="", day=DAY):
    return record("work", 日期=day, 身份证号=who, 姓名="张三", 设备代码=code, 作业=job)


def scan(code="D1", who=WORKER, day=DAY):
    return record("scan", 时间=datetime(day.year, day.month, day.day, 8), 身份证号=who, 设备代码=code)


def names(people=(), devices=(), worked=(), scans=()):
    return [one.rule.name for one in zhejiang.reconcile(UNIT, people, devices, worked, scans)]


def test_who_is_qualified_and_scanned_in_is_not_mentioned():
    assert names([person()], [device()], [work()], [scan()]) == []


def test_who_never_scanned_is_named():
    assert names([person()], [device()], [work()], []) == ["never_scanned"]


def test_a_scan_of_another_day_or_device_does_not_count():
    other_day = scan(day=date(2026, 11, 19))
    assert names([person()], [device(), device("D2")], [work()], [other_day, scan("D2")]) == ["never_scanned"]


def test_a_qualification_for_another_item_does_not_count():
    assert names([person("N1")], [device()], [work()], [scan()]) == ["unqualified"]


def test_a_person_without_any_qualification_is_unqualified():
    assert names([], [device()], [work()], [scan()]) == ["unqualified"]


def test_a_qualification_counts_on_its_last_day_and_not_after():
    assert names([person(until=DAY)], [device()], [work()], [scan()]) == []
    assert names([person(until=date(2026, 11, 19))], [device()], [work()], [scan()]) == ["expired"]


def test_a_qualification_without_an_end_is_not_taken_for_valid():
    assert names([person(until=None)], [device()], [work()], [scan()]) == ["no_date"]


def test_one_of_several_items_is_enough():
    assert names([person("N2")], [device(items=["N1", "N2"])], [work()], [scan()]) == []


def test_elevator_repair_need_not_scan_but_must_be_qualified():
    assert names([person("T")], [device(items="T")], [work()], []) == ["exempt"]
    assert names([], [device(items="T")], [work()], []) == ["unqualified", "exempt"]


def test_a_safety_manager_is_exempt():
    assert names([person(None, None, 人员类型="安全管理员")], [device()], [work()], []) == ["exempt"]


def test_a_welder_is_not_covered_rather_than_unqualified():
    assert names([], [device()], [work(job="焊接")], []) == ["not_covered"]


@pytest.mark.parametrize("condition", ["需要配备作业人员", "在用", "需要设置安全管理机构"])
def test_each_condition_of_the_scope_must_hold(condition):
    assert names([], [device(**{condition: "否"})], [work()], []) == ["out_of_scope"]


def test_devices_of_others_are_outside_and_scanning_them_is_a_finding():
    assert names([person()], [device(unit="别家公司")], [work()], [scan()]) == ["out_of_scope", "foreign_device"]


def test_a_device_nobody_listed_is_told():
    assert names([person()], [], [work()], [scan()]) == ["unknown_device"]


def test_an_id_never_appears_whole_in_a_finding():
    unnamed = work()
    unnamed.values["姓名"] = None
    found = zhejiang.reconcile(UNIT, [], [device()], [unnamed], [])
    assert found and all(WORKER not in one.text("zh") + one.text("en") for one in found)


def roster(account=None):
    return record("roster", 姓名="张三", 身份证号=WORKER, 联系电话="13800000000", 是否添加账号=account)


def test_the_roster_is_written_as_text_and_no_account_is_opened_unasked(tmp_path):
    out = tmp_path / "导入.xls"
    assert zhejiang.write_roster([roster()], out) == 1
    sheet = xlrd.open_workbook(str(out)).sheet_by_index(0)
    assert sheet.row_values(0) == list(zhejiang.COLUMNS)
    assert sheet.row_values(1) == ["张三", WORKER, "13800000000", "否"]
    assert sheet.cell_type(1, 1) == xlrd.XL_CELL_TEXT


def test_the_platforms_own_template_keeps_its_sheet_and_order(tmp_path):
    template, out = tmp_path / "使用单位导入人员.xls", tmp_path / "out.xls"
    book = xlwt.Workbook()
    sheet = book.add_sheet("人员")
    for column, heading in enumerate(["身份证号", "姓名", "备注", "联系电话", "是否添加账号"]):
        sheet.write(0, column, heading)
    book.save(str(template))
    zhejiang.write_roster([roster("是")], out, template)
    filled = xlrd.open_workbook(str(out)).sheet_by_index(0)
    assert filled.name == "人员"
    assert filled.row_values(1) == [WORKER, "张三", "", "13800000000", "是"]


def test_a_template_without_a_column_is_refused(tmp_path):
    template = tmp_path / "t.xls"
    book = xlwt.Workbook()
    book.add_sheet("x").write(0, 0, "姓名")
    book.save(str(template))
    with pytest.raises(zhejiang.RosterError, match="身份证号"):
        zhejiang.write_roster([roster()], tmp_path / "o.xls", template)
    template.write_text("not a workbook")
    with pytest.raises(zhejiang.RosterError, match="打不开"):
        zhejiang.write_roster([roster()], tmp_path / "o.xls", template)


def test_asking_for_an_account_is_warned_of():
    assert [one.rule.name for one in zhejiang.account_warnings([roster("是"), roster("否"), roster()])] == ["account"]


def test_the_nine_items_are_the_documents():
    assert list(catalogue.load("zhejiang").dictionaries["items"]) == ["G1", "G2", "R1", "T", "Q2", "S2", "Y2", "N1", "N2"]
