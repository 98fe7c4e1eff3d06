"""A file's tables: every sheet under its table, headings named, and what a second sheet holds joined to the row it belongs to.

A nested array stands in a sheet `<title>-<array label>` or `<table>.<array>` of the same workbook, or beside a CSV in a
file `<name>-<array label>.csv`; it carries the columns that say which row it belongs to. Nothing is kept between calls.
"""

import re
import unicodedata
from collections import Counter, defaultdict
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from pathlib import Path

from . import columns, reading
from .problems import WARNING, Place, Problem, Rule
from .record import Row

UNKNOWN_SHEET = Rule(
    "sheet_unknown",
    "工作表“{sheet}”不是任何一张表，没有读",
    "Sheet {sheet} is no known table: it was not read",
    "请改名为：{known}",
    "Name it: {known}",
    WARNING,
)
NO_TABLE = Rule(
    "table_unknown",
    "不知道“{name}”是哪张表",
    "It can't be known which table {name} is",
    "请指明表名，或把工作表改名为：{known}",
    "Name the table, or name the sheet: {known}",
)
NO_KEY = Rule(
    "nested_without_key",
    "“{sheet}”没有能说明属于哪一条的列",
    "{sheet} has no column that says which row it belongs to",
    "请加上其中的列：{columns}",
    "Add a column of: {columns}",
)
ORPHAN = Rule(
    "nested_orphan",
    "找不到这一行所属的记录",
    "The row it belongs to is not there",
    "请核对这些列与主表一致：{columns}",
    "Let these columns agree with the main table: {columns}",
)
UNSURE_PARENT = Rule(
    "nested_unsure",
    "主表有几行都是 {columns} 相同，附表的行分不清属于哪一行",
    "Several rows have the same {columns}: whose the nested rows are can't be known",
    "请在两张表里都写全：{all}",
    "Write all of these in both: {all}",
)
BOTH = Rule(
    "nested_twice",
    "{label}在主表的格子里和附表里都有",
    "{label} stands in the main table's cell and in a second sheet too",
    "请只留一处",
    "Leave only one of them",
)
_DAY = re.compile(r"(\d{4})[-/.年](\d{1,2})[-/.月](\d{1,2})日?(?:[ T]0?0:00(?::00)?)?")


@dataclass
class Part:
    """One table of a file. rows: cells by field name, to be gone through once; problems: of its headings: with a grave one
    nothing of it may go out."""

    table: object
    rows: object
    problems: list = field(default_factory=list)


def gather(path, platform, site, table=None):
    """Return the Parts of a file, in the order the tables are sent in. table: what it holds, where its name does not say.

    Raises reading.ReadingError. What stands in sheets of no table is told in the first part's problems."""
    path = Path(path)
    sheets = reading.sheets(path)
    if sheets == [""]:
        return [_single(path, platform, site, table or _by_name(path.stem, platform, path))]
    found, unknown = _sort(sheets, platform, table)
    if not any(array is None for _, array, _ in found):
        name = sheets[0] if sheets else path.name
        raise reading.ReadingError(_no_table(name, platform, path))
    parts = [_part(path, sheet, one, site, _sheets_of(found, one, path)) for one, array, sheet in found if array is None]
    parts.sort(key=lambda part: list(platform.tables).index(part.table.key))
    known = "、".join(columns.sheet_name(one) for one in platform.tables.values())
    parts[0].problems += [Problem(UNKNOWN_SHEET, Place(path.name, one), words={"sheet": one, "known": known}) for one in unknown]
    return parts


def named(rows, table, site):
    """Yield rows of JSON lines with their keys, nested ones too, as field names; an unknown key is the row's own problem."""
    matches = {}
    arrays = [one for one in table.fields if one.type == "array"]
    for row in rows:
        keys = tuple(row.cells)
        if keys not in matches:
            matches[keys] = columns.match(keys, table, site)
        found, problems = matches[keys]
        problems = row.problems + [replace(one, place=row.place.at(one.place.column)) for one in problems]
        renamed = _renamed(row, found, {name: key for key, name in found.items()}, problems)
        for array in arrays:
            if isinstance(renamed.cells.get(array.name), list):
                renamed.cells[array.name] = _named_list(renamed, array, table, site)
        yield renamed


def _named_list(row, array, table, site):
    """Return a list's items with their keys named; file names stay as they are."""
    inner = replace(table, fields=tuple(array.fields))
    rows = [Row(row.place, one) for one in row.cells[array.name] if isinstance(one, dict)]
    items = iter(list(named(rows, inner, site)))
    listed = [next(items) if isinstance(one, dict) else one for one in row.cells[array.name]]
    row.problems += [problem for one in listed if isinstance(one, Row) for problem in one.problems]
    return [one.cells if isinstance(one, Row) else one for one in listed]


def _by_name(name, platform, path):
    found = columns.table_of(name, platform)
    if found is None or found[1] is not None:
        raise reading.ReadingError(_no_table(name, platform, path))
    return found[0]


def _no_table(name, platform, path):
    words = {"name": name, "known": "、".join(columns.nearest_tables(name, platform))}
    return Problem(NO_TABLE, Place(file=path.name), words=words)


def _sort(sheets, platform, table):
    """Return ([(table, array or None, sheet)], [sheets of no table]). A lone sheet of any name is the table that was named."""
    found = [(*columns.table_of(one, platform), one) for one in sheets if columns.table_of(one, platform)]
    unknown = [one for one in sheets if columns.table_of(one, platform) is None]
    if table is not None:
        found = [one for one in found if one[0].key == table.key]
        if unknown and not any(array is None for _, array, _ in found):
            found.append((table, None, unknown.pop(0)))
    return found, unknown


def _sheets_of(found, table, path):
    return [(array, path, sheet) for one, array, sheet in found if array is not None and one.key == table.key]


def _single(path, platform, site, table):
    headings = reading.headings(path)
    if headings is None:
        return Part(table, named(reading.read(path), table, site))
    beside = {columns.plain(one.stem): one for one in path.parent.glob("*") if one.suffix.lower() == path.suffix.lower()}
    arrays = [one for one in table.fields if one.type == "array"]
    names = ((one, columns.plain(text)) for one in arrays for text in (f"{path.stem}-{one.label}", f"{path.stem}.{one.name}"))
    return _part(path, None, table, site, [(one, beside[name], None) for one, name in names if name in beside])


def _part(path, sheet, table, site, arrays):
    """Return one table's Part; arrays: (array field, file, sheet) of what belongs to its rows."""
    found, problems = _match(path, sheet, table, site)
    rows = _all_renamed(path, sheet, found)
    for array, file, inner in arrays:
        joint = _Joint(table, array, (path, sheet, found), (file, inner), site)
        problems += joint.problems
        rows = joint.join(rows)
    return Part(table, rows, problems)


def _match(path, sheet, table, site):
    keys = _numbered(reading.headings(path, sheet))
    found, problems = columns.match(keys, table, site)
    return found, [replace(one, place=Place(path.name, sheet or "", 0, one.place.column)) for one in problems]


def _numbered(headings):
    """Return the headings as the keys reading gives them."""
    seen = Counter()
    keys = []
    for one in headings:
        seen[one] += 1
        keys.append(one if seen[one] == 1 else f"{one}#{seen[one]}")
    return keys


def _renamed(row, found, written, problems):
    """Return a row with its cells by field name. found: heading → field name; written: the other way."""
    cells = {found[heading]: value for heading, value in row.cells.items() if heading in found}
    problems = [replace(one, field=one.field or found.get(one.place.column, "")) for one in problems]
    return Row(row.place, cells, problems, written)


def _all_renamed(path, sheet, found):
    written = {name: heading for heading, name in found.items()}
    return (_renamed(row, found, written, row.problems) for row in reading.read(path, sheet))


class _Joint:
    """The rows of one array, held until the row they belong to comes by."""

    def __init__(self, table, array, parents, children, site):
        self._table, self._array = table, array
        self._path, self._sheet, self._found = parents
        self.problems = []
        self._keys, self._children = self._read(*children, site)
        self._counts = self._count() if self._children else Counter()

    def _read(self, path, sheet, site):
        """Return (the identity fields both sides have, {their values: the array's rows})."""
        inner = columns.nested(self._table, self._array)
        found, self.problems = _match(path, sheet, inner, site)
        keys = [name for name in self._table.identity if name in found.values() and name in self._found.values()]
        if not keys:
            words = {"sheet": sheet or path.name, "columns": self._labels(self._table.identity)}
            self.problems.append(Problem(NO_KEY, Place(path.name, sheet or ""), words=words))
            return keys, {}
        children = defaultdict(list)
        for row in _all_renamed(path, sheet, found):
            children[_key(row, keys)].append(row)
        return keys, children

    def _count(self):
        return Counter(_key(row, self._keys) for row in _all_renamed(self._path, self._sheet, self._found))

    def _labels(self, names):
        return "、".join(one.label for one in self._table.fields if one.name in names)

    def join(self, rows):
        """Yield the rows with their lists; then a row without cells for each that belongs to none."""
        own = {one.name for one in self._array.fields}
        for row in rows:
            key = _key(row, self._keys)
            children = self._children.get(key, ())
            if children and self._counts[key] > 1:
                words = {"columns": self._labels(self._keys), "all": self._labels(self._table.identity)}
                row.problems.append(Problem(UNSURE_PARENT, row.place, self._array.name, words))
            elif children and row.cells.get(self._array.name):
                row.problems.append(Problem(BOTH, row.place, self._array.name, {"label": self._array.label}))
            elif children:
                listed = [{name: value for name, value in one.cells.items() if name in own} for one in children]
                row.cells[self._array.name] = listed
                row.problems += [replace(problem, field=self._array.name) for one in children for problem in one.problems]
            yield row
        orphans = (one for key, children in self._children.items() if not self._counts[key] for one in children)
        words = {"columns": self._labels(self._keys)}
        for one in orphans:
            yield Row(one.place, {}, [*one.problems, Problem(ORPHAN, one.place, self._array.name, words)])


def _key(row, names):
    return tuple(_comparable(row.cells.get(name)) for name in names)


def _comparable(value):
    """Return a value's text as two sheets may be expected to agree on it: dates alike, numbers and text alike."""
    if isinstance(value, datetime):
        return value.date().isoformat() if value == datetime(value.year, value.month, value.day) else value.isoformat(" ")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    text = unicodedata.normalize("NFKC", "" if value is None else str(value)).strip()
    day = _DAY.fullmatch(text)
    return f"{day[1]}-{int(day[2]):02}-{int(day[3]):02}" if day else text
