"""The authority's lists: enterprise and terminals with the fields of its annex (part two, section one), from the batch record.

What the record does not know comes from the enterprise's file (TOML) with the field's own name; what neither knows stays blank and
is named. XLSX with text cells, and the same as CSV. State: none.

    ["企业"]                    ["终端"]                    ["终端 T-1"]
    "企业名称" = "…"             "设备分类" = "…"              "设备名称" = "…"
"""

import csv
import io
import pathlib
import sys

import openpyxl

from hanma.provision import whole
from hanma.provision.words import Trouble

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ENTERPRISE = (
    "企业名称", "统一社会信用代码", "企业类型", "企业规模", "企业负责人姓名", "企业负责人电话", "联系人姓名", "联系人电话",
    "行政区划", "人员密集场所子类", "电焊设备数量", "特种作业人员数量",
)  # fmt: skip
TERMINAL = ("设备编号", "设备名称", "所属企业", "所属行政区划", "安装时间", "设备分类", "设备状态", "工作状态")
_SETTABLE = ("设备名称", "设备分类", "设备状态", "工作状态")  # of a terminal; the record knows the others
_COMMON = "终端"
_OWN = "终端 "  # and the device id


def load(path):
    """Return (the enterprise's fields, those for all terminals, {device id: its own}), all text. Raises Trouble enterprise_bad."""
    try:
        found = tomllib.loads(pathlib.Path(path).read_text(encoding="utf-8-sig"))
    except (OSError, UnicodeError, tomllib.TOMLDecodeError) as error:
        raise Trouble("enterprise_bad", detail=f"{path}: {error}") from error
    wrong, own = [], {}
    enterprise = _table(found.pop("企业", {}), "企业", ENTERPRISE, wrong)
    common = _table(found.pop(_COMMON, {}), _COMMON, _SETTABLE, wrong)
    for name, table in found.items():
        if name.startswith(_OWN):
            own[name[len(_OWN) :]] = _table(table, name, _SETTABLE, wrong)
        else:
            wrong.append(f"[{name}]")
    if wrong:
        raise Trouble("enterprise_bad", detail=f"{path}: " + ", ".join(wrong))
    return enterprise, common, own


def _table(table, name, fields, wrong):
    """Return a table's values as text, and say what is not among the fields."""
    if not isinstance(table, dict):
        wrong.append(name)
        return {}
    unfit = (dict, list, bool, float)
    wrong += [f"[{name}] {key}" for key, value in table.items() if key not in fields or isinstance(value, unfit)]
    return {key: str(value).strip() for key, value in table.items()}


def make(record, settings):
    """Return ({field: text} of the enterprise, [{field: text}] of its terminals, what is missing as texts).

    settings: as load() returns them. A terminal belongs to the enterprise that its last passed test at the welder names; one
    without such a test is listed as not installed, one of another enterprise is not listed.
    """
    enterprise, common, own = settings
    name = enterprise.get("企业名称", "")
    installed = {one["device_id"]: one for one in record.acceptances() if one["verdict"] == "pass"}
    rows = []
    for known in record.terminals():
        test = installed.get(known["device_id"])
        if test and test["enterprise"] and test["enterprise"] != name:
            continue
        belongs = test and name and test["enterprise"] == name
        row = {**common, **own.get(known["device_id"], {}), "设备编号": known["device_id"]}
        row["所属企业"] = name if belongs else ""
        row["所属行政区划"] = enterprise.get("行政区划", "") if belongs else ""
        row["安装时间"] = test["time"][:10] if test else ""
        rows.append({field: row.get(field, "") for field in TERMINAL})
    filled = {field: enterprise.get(field, "") for field in ENTERPRISE}
    missing = [f"企业 {field}" for field, text in filled.items() if not text]
    missing += [f"{row['设备编号']} {field}" for row in rows for field, text in row.items() if not text]
    return filled, rows, missing


def save(directory, enterprise, terminals):
    """Write 企业.csv, 终端.csv and 名单.xlsx with both, each whole or not at all; return the paths."""
    directory = pathlib.Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    tables = {"企业": [ENTERPRISE, list(enterprise.values())], "终端": [TERMINAL, *(list(row.values()) for row in terminals)]}
    files = {f"{name}.csv": _csv(lines) for name, lines in tables.items()}
    files["名单.xlsx"] = _xlsx(tables)
    for name, data in files.items():
        whole.write(directory / name, data)
    return [directory / name for name in files]


def _csv(lines):
    room = io.StringIO(newline="")
    csv.writer(room).writerows(lines)
    return room.getvalue().encode("utf-8-sig")


def _xlsx(tables):
    book = openpyxl.Workbook()
    book.remove(book.active)
    for name, lines in tables.items():
        page = book.create_sheet(name)
        for row, line in enumerate(lines, 1):
            for column, text in enumerate(line, 1):
                cell = page.cell(row, column)
                cell.value, cell.data_type, cell.number_format = text or None, "s" if text else "n", "@"
    room = io.BytesIO()
    book.save(room)
    return room.getvalue()
