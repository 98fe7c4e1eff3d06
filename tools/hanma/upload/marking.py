"""A clerk's own rows given back with what is wrong marked in them, and lists of problems as workbooks.

Each faulty cell is red, or yellow for a warning, its text beside it as a comment; a sheet of its own has every problem. Nothing
is kept between calls.
"""

import re
from pathlib import Path

from openpyxl.utils import get_column_letter

from . import sheets
from .problems import ERROR, NOTE
from .spreadsheet import PROBLEMS_SHEET

# With more the workbook opens slowly; the sheet of problems has them all.
_MOST_COMMENTS = 10_000
_HEADS = {"zh": ("文件", "工作表", "行", "列", "程度", "问题", "规则", "怎么办"),
          "en": ("file", "sheet", "row", "column", "gravity", "problem", "rule", "what to do")}  # fmt: skip
_GRAVITY = {"zh": {"error": "错误", "warning": "提醒", "note": "说明"}, "en": {}}
_MORE = {"zh": "还有 {0} 条没有列出", "en": "{0} more are not listed"}


def mark(path, rows, records, lang="zh"):
    """Write the rows back with each faulty cell red (yellow for a warning) and its text as a comment, and a sheet of all problems.

    rows: as read or as named, a sheet for each of theirs; records: those checked from them, by their place."""
    found = {}
    for record in records:
        for problem in record.problems:
            found.setdefault(_row_key(record.place), []).append((record.place, problem))
    book = sheets.new_book()
    _write_problems(sheets.new_sheet(book, PROBLEMS_SHEET), found, lang)
    by_sheet = {}
    for row in rows:
        if row.cells:
            by_sheet.setdefault((row.place.file, row.place.sheet), []).append(row)
    marker = _Marker(book, found, lang)
    for (file, sheet), those in by_sheet.items():
        marker.write(sheet or Path(file).stem, those)
    sheets.save(book, path)


def list_problems(path, problems, lang="zh"):
    """Write a workbook that lists these problems and nothing else."""
    book = sheets.new_book()
    found = {number: [(one.place, one)] for number, one in enumerate(problems)}
    _write_problems(sheets.new_sheet(book, PROBLEMS_SHEET), found, lang)
    sheets.save(book, path)


def _row_key(place):
    return place.file, place.sheet, place.row


def _write_problems(sheet, found, lang):
    for letter, width in zip("ABCDEFGH", (20, 20, 8, 20, 8, 50, 22, 50), strict=True):
        sheet.column_dimensions[letter].width = width
    sheet.freeze_panes = "A2"
    sheet.append([sheets.cell(sheet, head, font=sheets.BOLD, fill=sheets.BLUE) for head in _HEADS[lang]])
    listed = [pair for pairs in found.values() for pair in pairs]
    room = sheets.MOST_ROWS - 2
    for place, problem in listed[:room]:
        where = problem.place if problem.place.row else place.at(problem.place.column)
        gravity = _GRAVITY[lang].get(_gravity(problem), _gravity(problem))
        values = (where.file, where.sheet, where.row, where.column or problem.field, gravity)
        words = (problem.text(lang), problem.rule.name, problem.remedy(lang))
        sheet.append([sheets.cell(sheet, value, alignment=sheets.WRAPPED) for value in values + words])
    if len(listed) > room:
        sheet.append([_MORE[lang].format(len(listed) - room)])


class _Marker:
    """Writes rows back with what was found on them."""

    def __init__(self, book, found, lang):
        self._book, self._found, self._lang = book, found, lang
        self._comments_left = _MOST_COMMENTS

    def write(self, name, rows):
        """Write the rows of one sheet; its columns are all that any of them has."""
        sheet = sheets.new_sheet(self._book, self._title(name))
        headings = {}
        for row in rows:
            headings |= {key: row.columns.get(key, key) for key in row.cells if key not in headings}
        for number in range(1, len(headings) + 1):
            sheet.column_dimensions[get_column_letter(number)].width = 20
        sheet.freeze_panes = "A2"
        sheet.append([sheets.cell(sheet, one, font=sheets.BOLD, fill=sheets.BLUE) for one in headings.values()])
        for row in rows:
            sheet.append(self._line(sheet, row, list(headings)))

    def _title(self, name):
        wanted = re.sub(r"[\[\]:*?/\\]", "", name)[:28] or "表"
        titles = (wanted, *(f"{wanted} {number}" for number in range(2, 1000)))
        return next(one for one in titles if one not in self._book.sheetnames)

    def _line(self, sheet, row, keys):
        """Return a row's cells. A problem that belongs to none of them stands at the first."""
        here = {}
        for _, problem in self._found.get(_row_key(row.place), ()):
            if _gravity(problem) != NOTE:
                here.setdefault(_key_of(problem, row, keys), []).append(problem)
        cells = {key: sheets.cell(sheet, row.cells.get(key)) for key in keys}
        for key, problems in here.items():
            cells[key].fill = sheets.RED if any(_gravity(one) == ERROR for one in problems) else sheets.YELLOW
            if self._comments_left:
                self._comments_left -= 1
                told = (f"{one.text(self._lang)} {one.remedy(self._lang)}".strip() for one in problems)
                cells[key].comment = sheets.comment("\n".join(told))
        return list(cells.values())


def _gravity(problem):
    return problem.severity or problem.rule.severity


def _key_of(problem, row, keys):
    """Return which of the row's keys a problem is about: by its column's heading, by its field, else the first."""
    written = {row.columns.get(key, key): key for key in keys}
    column, name = problem.place.column, problem.field.partition("[")[0]
    tries = (written.get(column), column, written.get(name), name)
    return next((one for one in tries if one in keys), keys[0])
