"""The empty workbook that a clerk fills in: a sheet a table, its rules, its drop-downs.

Every column is text, so that no id or leading zero is lost. Nothing is kept between calls.
"""

import re
from datetime import datetime, timedelta, timezone

from openpyxl import Workbook
from openpyxl.utils import get_column_letter, quote_sheetname
from openpyxl.workbook.defined_name import DefinedName
from openpyxl.worksheet.datavalidation import DataValidation

from . import columns, sheets
from .spreadsheet import RULES_SHEET

# The column style covers the whole sheet; some programs forget it when rows are pasted, so these have it cell by cell.
_STYLED_ROWS = 100
_MOST_LIST = 255  # Excel's own limit of a list written out in a drop-down
_DICTIONARIES_SHEET = "字典"
_SHANGHAI = timezone(timedelta(hours=8))
_FORMS = {
    "integer": "整数",
    "decimal": "数，两位小数",
    "float": "数",
    "date": "日期，如 2024-05-01",
    "datetime": "时间，如 2024-05-01 08:30:00",
    "enum": "从下拉表选，或写代码、名称之一",
    "image": "照片的文件名，放在照片目录里",
    "file": "附件的文件名，放在照片目录里",
    "array": "附件的文件名，几个用分号隔开；文件放在照片目录里",
}
_GENERAL = (
    "一行一条记录；不要合并单元格，不要改标题行。",
    "所有列都是文本格式：身份证号、编码直接写，不会丢前面的 0，也不会变成 4.4E+17。",
    "带 * 的列必填；带（条件必填）的列，条件见该列的说明。",
    "下拉表的内容是“代码 名称”，只写代码或只写名称也可以。",
    "灰色的一行是工地配置已给出的内容，不用填。",
    "照片写文件名；人员照片也可按 身份证号.jpg、身份证号_正面.jpg、身份证号_反面.jpg 命名后放进照片目录，不写文件名。",
    "名称里带“-”的工作表是附表：每一行先照主表写明属于哪一条（与主表相同的几列），再写自己的内容。",
    "用 CSV 时，附表另存为“主表文件名-附表名.csv”，与主表放在一起。",
    "没有的内容请空着，不要编造。",
)


def template(tables, platform, path, site, today=None):
    """Write the workbook to fill in for these Tables (settled): a sheet each and for each nested array but lists of
    attachments, which are file names in one cell; the rules; the drop-downs.

    Fields that the site's profile gives stand in a grey line with their value; epidemic ones are there only while the
    site may use them. today: a date; now in Shanghai where none is given. ReadingError when the file is open elsewhere."""
    today = today or datetime.now(_SHANGHAI).date()
    book = Workbook()
    rules = book.active
    rules.title = RULES_SHEET
    lists = _Lists(book, platform)
    _write_rules_head(rules)
    for table in tables:
        _write_sheet(book, rules, table, lists, site, today)
        for array in table.fields:
            if _in_own_sheet(array) and (not array.epidemic or site.today_epidemic(today)):
                _write_sheet(book, rules, columns.nested(table, array), lists, site, today)
    lists.finish()
    sheets.save(book, path)


def _write_rules_head(sheet):
    for text in _GENERAL:
        sheet.append([text])
    sheet.append([])
    sheet.append(["表", "列", "必填", "写法", "说明"])
    for cell in sheet[sheet.max_row]:
        cell.font, cell.fill = sheets.BOLD, sheets.BLUE
    for letter, width in zip("ABCDE", (26, 30, 10, 34, 70), strict=True):
        sheet.column_dimensions[letter].width = width


def _write_sheet(book, rules, table, lists, site, today):
    """Write one table's sheet and its lines among the rules; none for a table that is off as a whole."""
    wanted = [
        one for one in columns.fields_of(table) if not (_in_own_sheet(one) or one.epidemic and not site.today_epidemic(today))
    ]
    if site.consent == "stated":
        wanted = [one for one in wanted if one not in columns.CONSENT]
    if not wanted:
        return
    sheet = book.create_sheet(columns.sheet_name(table))
    given = {one.name: _given(one, table, site) for one in wanted}
    blank = [one for one in wanted if given[one.name] is None]
    head = 1
    if len(blank) < len(wanted):
        head = 2
        told = "；".join(f"{one.label} = {given[one.name]}" for one in wanted if given[one.name] is not None)
        sheet.append([f"工地配置已给出，不用填：{told}"])
        sheet["A1"].fill, sheet["A1"].font, sheet["A1"].alignment = sheets.GREY, sheets.PALE, sheets.WRAPPED
        sheet.row_dimensions[1].height = 48
        sheet.merge_cells(start_row=1, end_row=1, start_column=1, end_column=max(2, len(blank)))
    letters = {one.name: get_column_letter(number) for number, one in enumerate(blank, 1)}
    by_device = {name for values in site.devices.values() for name in values}
    for one in blank:
        column = _Column(one, table, lists.platform, one.name in by_device)
        _write_column(sheet, letters[one.name], head, column)
        _offer(sheet, letters, head + 1, column, lists)
        rules.append([columns.sheet_name(table), column.heading, column.needed, column.form, column.note])
    sheet.freeze_panes = sheet.cell(head + 1, 1)


def _in_own_sheet(one):
    return one.type == "array" and not columns.is_attachments(one)


def _given(one, table, site):
    """Return the site's constant for a field, or None; a fact of each record is never one."""
    if one.fact or one.privacy:
        return None
    own = site.tables.get(table.key.split(".")[0], {})
    for values, name in ((own, one.name), (site.values, one.name), (site.values, one.concept)):
        if name and name in values:
            return values[name]
    return None


class _Column:
    """What a clerk is told of one field. by_device: the site's profile gives it for some devices."""

    def __init__(self, one, table, platform, by_device):
        self.field, self.table = one, table
        self._platform, self._by_device = platform, by_device
        self.heading = columns.unique_heading(table, one)
        self.mark = {"yes": "*", "when": "（条件必填）"}.get(one.required, "")
        self.needed = {"yes": "必填", "when": "条件必填"}.get(one.required, "选填")
        if (one.derived and not one.derived.startswith("none:")) or by_device:
            self.needed, self.mark = "可不填", ""
        self.form = _FORMS.get(one.type, "文字") + ("；永久有效写 0000-00-00" if one.permanent else "")
        self.note = "".join(self._sentences())

    def _sentences(self):
        one = self.field
        for name, codes in one.when.items():
            yield f"{self._label(name)}为 {'、'.join(self._named(name, code) for code in codes)} 时必填。"
        if one.derived:
            yield self._reckoned()
        if self._by_device:
            yield "工地配置里写了的设备，空着时由配置给出。"
        if one.latest_now:
            yield "不能晚于现在。"
        if one.most_b:
            yield f"编码后不超过 {one.most_b // 1000} kB；照片会自动缩小。"
        if one.most_length:
            yield f"不超过 {one.most_length} 个字。"
        if one.separator:
            yield f"可写几个，用“{one.separator}”隔开。"
        yield one.note

    def _reckoned(self):
        """Say what stands in for an empty cell; "none:field=code" is an empty list."""
        kind, _, source = self.field.derived.partition(":")
        name, _, code = source.partition("=")
        if kind == "none":
            return f"{self._label(name)}为 {self._named(name, code)} 时没有。"
        return f"空着时由“{self._label(name)}”推出。"

    def _label(self, name):
        other = self.table.field(name)
        return other.label if other else name

    def _named(self, name, code):
        other = self.table.field(name)
        choices = (self._platform.choices(other) if other else None) or {}
        return f"{code} {choices[code]}" if code in choices else str(code)


def _write_column(sheet, letter, head, column):
    cell = sheet[f"{letter}{head}"]
    cell.value = column.heading + column.mark
    cell.font, cell.fill = sheets.BOLD, sheets.YELLOW if column.mark == "*" else sheets.BLUE
    cell.number_format = sheets.TEXT
    cell.comment = sheets.comment("\n".join(filter(None, (column.needed, column.form, column.note, f"字段名 {column.field.name}"))))
    sheet.column_dimensions[letter].width = max(12, min(40, 2 * len(column.heading) + 4))
    sheet.column_dimensions[letter].number_format = sheets.TEXT
    for row in range(head + 1, head + 1 + _STYLED_ROWS):
        sheet[f"{letter}{row}"].number_format = sheets.TEXT


def _offer(sheet, letters, first_row, column, lists):
    """Give a column its drop-down. It offers and does not bar: a code or a name alone is right too, and checking judges it."""
    formula = lists.formula(column.field, column.table, letters, first_row)
    if formula:
        choice = DataValidation(type="list", formula1=formula, allow_blank=True, showErrorMessage=False)
        choice.add(f"{letters[column.field.name]}{first_row}:{letters[column.field.name]}{sheets.MOST_ROWS}")
        sheet.add_data_validation(choice)


class _Lists:
    """The drop-downs: short ones written out, long ones as named ranges on a hidden sheet."""

    def __init__(self, book, platform):
        self.platform = platform
        self._book, self._sheet = book, None
        self._names = {}

    def formula(self, one, table, letters, first_row):
        """Return the formula of a field's drop-down, "" when it has none. letters: field name → its column."""
        if one.dictionary_by:
            return self._dependent(one, table, letters, first_row)
        choices = self.platform.choices(one)
        if not choices:
            return ""
        entries = _entries(choices)
        text = ",".join(entries)
        if len(text) <= _MOST_LIST and not any(mark in entry for entry in entries for mark in ',"'):
            return f'"{text}"'
        return self._name(f"list_{one.dictionary or f'{table.key}_{one.name}'}", entries)

    def _dependent(self, one, table, letters, first_row):
        """Return a formula that takes the list whose name ends with the code in the other column."""
        other, names = one.dictionary_by
        if other not in letters:
            return ""
        stem = _safe(f"by_{table.key}_{one.name}")
        for code, name in names.items():
            listed = self._name(f"list_{name}", _entries(self.platform.dictionaries[name]))
            self._define(_safe(f"{stem}_{code}"), self._names[listed])
        cell = f"${letters[other]}{first_row}"
        return f'INDIRECT("{stem}_"&LEFT({cell},FIND(" ",{cell}&" ")-1))'

    def _name(self, name, entries):
        """Write a list once and return the name of its range."""
        name = _safe(name)
        if name not in self._names:
            if self._sheet is None:
                self._sheet = self._book.create_sheet(_DICTIONARIES_SHEET)
            number = len(self._names) + 1
            for row, entry in enumerate((name, *entries), 1):
                self._sheet.cell(row, number, entry).number_format = sheets.TEXT
            letter = get_column_letter(number)
            target = f"{quote_sheetname(_DICTIONARIES_SHEET)}!${letter}$2:${letter}${len(entries) + 1}"
            self._define(name, target)
            self._names[name] = target
        return name

    def _define(self, name, target):
        self._book.defined_names[name] = DefinedName(name, attr_text=target)

    def finish(self):
        """Put the lists out of sight, behind all else."""
        if self._sheet is not None:
            self._book.move_sheet(self._sheet, len(self._book.sheetnames))
            self._sheet.sheet_state = "hidden"


def _entries(choices):
    return [f"{code} {name}" for code, name in choices.items()]


def _safe(name):
    return re.sub(r"[^A-Za-z0-9_]", "_", name)
