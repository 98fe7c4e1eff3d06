"""Zhejiang: the roster for the platform's import, and who worked without scanning in or without a valid qualification.

The document is a manual without an interface: what leaves here is an import file and a list of findings, never a call.
Everything takes checked records (`checking.check`) of the tables roster, qualification, device, work and scan.
"""

from collections import defaultdict
from dataclasses import dataclass

import xlrd
import xlwt

from . import sheets
from .problems import NOTE, WARNING, Problem, Rule

COLUMNS = ("姓名", "身份证号", "联系电话", "是否添加账号")
_ELEVATOR_REPAIR = "T"
_WELDING = "焊接"

ACCOUNT = Rule(
    "account",
    "“是否添加账号”为“是”：账号是联系电话，密码默认为身份证后六位，并继承法人账号的权限",
    "an account will be opened: named by the phone number, its password the id's last six digits, with the legal person's rights",
    "确需开通的，开通后立即改密码；否则改为“否”",
    "Change the password at once, or put 否",
    WARNING,
)
UNQUALIFIED = Rule(
    "unqualified",
    "{day} {name} 操作设备 {device}，没有该设备要求的资格（{items}）",
    "{day} {name} worked at device {device} without a qualification it asks for ({items})",
    "停止其操作该设备，补录资格或换人",
    "Stop this person at that device; enter the qualification or send somebody else",
)
EXPIRED = Rule(
    "expired",
    "{day} {name} 操作设备 {device}，资格 {items} 已于 {until} 到期",
    "{day} {name} worked at device {device}; the qualification {items} ended on {until}",
    "停止其操作该设备，办理复审",
    "Stop this person at that device until it is renewed",
)
NEVER_SCANNED = Rule(
    "never_scanned",
    "{day} {name} 操作设备 {device}，没有扫码上岗",
    "{day} {name} worked at device {device} and never scanned in",
    "当日补扫；查明是否换了单位或未绑定",
    "Have them scan the same day; see whether they are bound to the unit",
)
FOREIGN_DEVICE = Rule(
    "foreign_device",
    "{day} {name} 扫了设备 {device}，不是本单位的设备",
    "{day} {name} scanned device {device}, which is not the unit's own",
    "设备必须是本单位的；核对二维码",
    "Only the unit's own devices count; check the code",
)
UNKNOWN_DEVICE = Rule(
    "unknown_device",
    "{day} {name} 的设备 {device} 不在设备表中，无法核对",
    "{day}: device {device} of {name} is not in the list of devices",
    "在设备表中补上这台设备",
    "Add the device to the list",
)
NO_DATE = Rule(
    "no_date",
    "{day} {name} 的资格 {items} 没有有效期，无法核对",
    "{day}: the qualification {items} of {name} has no end date",
    "补填有效期至",
    "Fill in 有效期至",
)
NOT_COVERED = Rule(
    "not_covered",
    "{day} {name} 从事焊接：扫码上岗的清单没有焊接作业，不在核对范围",
    "{day}: {name} was welding; the list of operations to scan for has no welding",
    severity=NOTE,
)
EXEMPT = Rule(
    "exempt",
    "{day} {name} 操作设备 {device}：{why}，不需扫码上岗",
    "{day} {name}, device {device}: need not scan in ({why})",
    severity=NOTE,
)
OUT_OF_SCOPE = Rule(
    "out_of_scope",
    "{day} 设备 {device} 不在扫码上岗范围：{why}",
    "{day}: device {device} is outside the measure ({why})",
    severity=NOTE,
)
_SCOPE = {
    "需要配备作业人员": "不需要配备作业人员",
    "在用": "不在用",
    "需要设置安全管理机构": "使用单位不需要设置安全管理机构",
}


class RosterError(Exception):
    """The platform's template is not the one documented; the text says what is wrong with it."""


@dataclass(frozen=True)
class _Person:
    manager: bool
    until: dict


def account_warnings(records):
    """Return a warning for each person for whom an account is asked."""
    return [
        Problem(ACCOUNT, one.place.at("是否添加账号"), "是否添加账号")
        for one in records
        if one.values.get("是否添加账号") == "是"
    ]


def write_roster(records, path, template=None):
    """Write the sound records into an .xls for the platform's import, and return how many.

    template: the file downloaded from the platform, whose sheet name and heading row are kept; without one the four
    documented columns are written. RosterError when a column is missing in it.
    """
    sheet_name, headings = _template(template) if template else ("Sheet1", list(COLUMNS))
    book = xlwt.Workbook(encoding="utf-8")
    sheet = book.add_sheet(sheet_name)
    text = xlwt.easyxf(num_format_str="@")
    for column, heading in enumerate(headings):
        sheet.write(0, column, heading)
        sheet.col(column).width = 256 * 22
    sound = [one for one in records if one.sound]
    for row, one in enumerate(sound, 1):
        for column, heading in enumerate(headings):
            sheet.write(row, column, _cell(one.values, heading), text)
    with sheets.replacing(path) as file:
        book.save(file)
    return len(sound)


def _cell(values, heading):
    default = "否" if heading == "是否添加账号" else ""
    return str(values.get(heading) or default)


def _template(path):
    try:
        sheet = xlrd.open_workbook(path).sheet_by_index(0)
    except (xlrd.XLRDError, OSError) as error:
        raise RosterError(f"{path}：打不开这个模板（{error}）；请从平台重新下载“使用单位导入人员.xls”") from None
    headings = [str(one).strip() for one in sheet.row_values(0)] if sheet.nrows else []
    missing = [one for one in COLUMNS if one not in headings]
    if missing:
        raise RosterError(f"{path}：模板没有“{'”“'.join(missing)}”列；平台可能换了模板，请核对")
    return sheet.name, headings


def reconcile(unit, people, devices, work, scans):
    """Return the findings, as Problems, on who worked at which device of that unit.

    people, devices, work and scans are records of the tables qualification, device, work and scan. A day's scan at a device
    counts for that person, day and device.
    """
    known = _people(people)
    machines = {one.values["设备代码"]: one.values for one in devices}
    seen = {(one.values["时间"].date(), one.values["身份证号"], one.values["设备代码"]) for one in scans}
    found = [problem for one in work for problem in _judge(one, unit, known, machines, seen)]
    return found + _foreign(unit, machines, scans)


def _people(records):
    """Return id → what is known of that person over all rows."""
    until, managers = defaultdict(dict), set()
    for one in records:
        values = one.values
        if values.get("人员类型") == "安全管理员":
            managers.add(values["身份证号"])
        if values.get("项目代号"):
            until[values["身份证号"]][values["项目代号"]] = values.get("有效期至")
    return {one: _Person(one in managers, until[one]) for one in set(until) | managers}


def _judge(record, unit, known, machines, seen):
    """Return what is found on one piece of work."""
    values = record.values
    day, person = values["日期"], known.get(values["身份证号"], _Person(False, {}))
    words = {"day": day, "device": values["设备代码"], "name": values.get("姓名") or values["身份证号"][:-6] + "******"}

    def say(rule, **more):
        return Problem(rule, record.place, words=words | more)

    if _WELDING in (values.get("作业") or ""):
        return [say(NOT_COVERED)]
    machine = machines.get(values["设备代码"])
    if machine is None:
        return [say(UNKNOWN_DEVICE)]
    why = _outside(machine, unit)
    if why:
        return [say(OUT_OF_SCOPE, why=why)]
    if person.manager:
        return [say(EXEMPT, why="安全管理员")]
    items = _items(machine)
    found = [say(rule, **more) for rule, more in _qualification(person, items, day)]
    if items == [_ELEVATOR_REPAIR]:
        return found + [say(EXEMPT, why="电梯修理以维保方式考核")]
    if (day, values["身份证号"], values["设备代码"]) not in seen:
        found.append(say(NEVER_SCANNED))
    return found


def _outside(machine, unit):
    """Return why the measure does not hold for that device, or None."""
    if machine["使用单位"] != unit:
        return "不是本单位的设备"
    return next((words for name, words in _SCOPE.items() if machine[name] != "是"), None)


def _items(machine):
    items = machine["项目代号"]
    return items if isinstance(items, list) else str(items).split("、")


def _qualification(person, items, day):
    """Return the rules broken by that person's qualifications, none when one of them holds on that day."""
    held = {item: person.until[item] for item in items if item in person.until}
    if not held:
        return [(UNQUALIFIED, {"items": "、".join(items)})]
    if any(until and until >= day for until in held.values()):
        return []
    item, until = max(held.items(), key=lambda one: str(one[1] or ""))
    return [(EXPIRED, {"items": item, "until": until}) if until else (NO_DATE, {"items": item})]


def _foreign(unit, machines, scans):
    """Return a finding for each scan of a device that is not the unit's own."""
    return [
        Problem(
            FOREIGN_DEVICE,
            one.place,
            words={
                "day": one.values["时间"].date(),
                "device": one.values["设备代码"],
                "name": one.values["身份证号"][:-6] + "******",
            },
        )
        for one in scans
        if machines.get(one.values["设备代码"], {"使用单位": unit})["使用单位"] != unit
    ]
