"""The inside of an .xlsx: its sheets and their lines, each cell with the type it has there.

What a cell has lost (an error, a formula nobody reckoned, a place inside merged cells) is told as a flaw beside the values.
An archive that would unpack to too much is not opened. Nothing is kept between calls; sizes are in bytes (_b).
"""

import re
import warnings
import zipfile
import zlib
from contextlib import contextmanager
from datetime import time, timedelta
from typing import NamedTuple
from xml.etree.ElementTree import ParseError

import openpyxl
from openpyxl.utils import range_boundaries
from openpyxl.utils.exceptions import InvalidFileException

from .flaws import BROKEN, ERROR_CELL, MERGED, NO_RESULT, NO_SHEET, PASSWORD, TOO_LARGE, TOO_MANY_ROWS, ReadingError
from .problems import Place, Problem

# Sheets that `workbook` writes for people to read.
RULES_SHEET, PROBLEMS_SHEET = "填写说明", "问题"
# Excel's own last row.
_MOST_ROWS = 1_048_576
# A sheet of 100,000 rows unpacks to about 100 MB; the shared texts are held in memory.
_MOST_UNPACKED_B = 1_000_000_000
_MOST_TEXTS_B = 100_000_000
_MOST_PARTS = 5_000
_MOST_MERGES = 20_000
_CHUNK_B = 1 << 20
_ENCRYPTED_FLAG = 1
_ERRORS = frozenset(("#N/A", "#VALUE!", "#REF!", "#DIV/0!", "#NUM!", "#NAME?", "#NULL!", "#GETTING_DATA", "#SPILL!", "#CALC!"))
_DAMAGE = (
    zipfile.BadZipFile, zlib.error, ParseError, InvalidFileException, EOFError, KeyError, ValueError, IndexError, TypeError,
    AttributeError, OverflowError, NotImplementedError, OSError,
)  # fmt: skip
_MERGE = re.compile(rb'<(?:\w+:)?mergeCell\s[^>]*?ref="([A-Z]+\d+:[A-Z]+\d+)"')
_FORMULA = re.compile(rb"<(?:\w+:)?f[\s/>]")
_END_OF_DATA = re.compile(rb"</(?:\w+:)?sheetData>|<(?:\w+:)?sheetData/>")

# It warns of what it leaves out (drop-downs of newer versions, print marks); none of it is data.
warnings.filterwarnings("ignore", module="openpyxl")


class Line(NamedTuple):
    """One line of a table. number: as a person sees it, from 1. flaws: (column index, rule, words) of damaged cells."""

    number: int
    values: list
    flaws: tuple


def names(path):
    """Return the sheets a person filled in, in their order: not the hidden ones, not those that are there to be read."""
    with _opened(path) as book:
        return _to_be_read(book)


def first(path):
    """Return the name of the first sheet a person filled in."""
    return next(iter(names(path)), "")


def _to_be_read(book):
    visible = [one.title for one in book.worksheets if one.sheet_state == "visible"]
    return [one for one in visible if one not in (RULES_SHEET, PROBLEMS_SHEET)]


def lines(path, sheet):
    """Yield the Lines of a sheet, blank ones too. ReadingError when there is none of that name."""
    with _opened(path) as book:
        known = _to_be_read(book)
        if sheet not in known:
            raise ReadingError(Problem(NO_SHEET, Place(file=path.name), words={"sheet": sheet, "known": "、".join(known)}))
        merges, has_formulas = _survey(book[sheet], path)
        merged = _Merged(merges)
        if not has_formulas:
            yield from _walk(_values(book[sheet]), merged, path)
            return
        with _opened(path, formulas=True) as formulas:
            pairs = zip(_unsized(book[sheet]).iter_rows(), _values(formulas[sheet]), strict=True)
            yield from _walk((_results(*pair) for pair in pairs), merged, path)


@contextmanager
def _opened(path, formulas=False):
    """Give the open workbook; what goes wrong inside is told as a ReadingError."""
    book = None
    try:
        _check_archive(path)
        book = openpyxl.load_workbook(path, read_only=True, data_only=not formulas, keep_links=False)
        yield book
    except _DAMAGE:
        raise ReadingError(Problem(BROKEN, Place(file=path.name))) from None
    finally:
        if book is not None:
            book.close()


def _check_archive(path):
    """Refuse an archive by what it declares: no part can unpack to more than its declared size."""
    place = Place(file=path.name)
    with zipfile.ZipFile(path) as archive:
        parts = archive.infolist()
        if any(part.flag_bits & _ENCRYPTED_FLAG for part in parts):
            raise ReadingError(Problem(PASSWORD, place))
        total_b = sum(part.file_size for part in parts if part.filename.endswith((".xml", ".rels")))
        texts_b = sum(part.file_size for part in parts if part.filename.lower().endswith("sharedstrings.xml"))
        if total_b > _MOST_UNPACKED_B or texts_b > _MOST_TEXTS_B or len(parts) > _MOST_PARTS:
            most_b = _MOST_TEXTS_B if texts_b > _MOST_TEXTS_B else _MOST_UNPACKED_B
            raise ReadingError(Problem(TOO_LARGE, place, words={"most": most_b // 1_000_000}))
        for part in parts:
            if part.filename.endswith((".xml", ".rels")):
                _check_part(archive, part)


def _check_part(archive, part):
    """Refuse a part with a document type: no workbook has one, and its entities can grow without bound."""
    with archive.open(part) as stream:
        if b"<!DOCTYPE" in stream.read(4096).replace(b"\0", b""):
            raise ValueError(part.filename)


def _survey(sheet, path):
    """Return (merged ranges, whether there are formulas) of a sheet, by one pass over its text: openpyxl's streaming reader
    tells neither."""
    merges, has_formulas, tail, after = [], False, b"", False
    with zipfile.ZipFile(path) as archive, archive.open(sheet._worksheet_path) as stream:
        while chunk := stream.read(_CHUNK_B):
            text = tail + chunk
            has_formulas = has_formulas or _FORMULA.search(text) is not None
            if not after and (end := _END_OF_DATA.search(text)):
                after, text = True, text[end.end() :]
            if after:
                found = list(_MERGE.finditer(text))
                merges += [range_boundaries(one[1].decode()) for one in found]
                text = text[found[-1].end() :] if found else text
            tail = text[-256:]
            if len(merges) > _MOST_MERGES:
                raise ValueError("merged cells")
    return merges, has_formulas


def _values(sheet):
    return _unsized(sheet).iter_rows(values_only=True)


def _unsized(sheet):
    # A sheet's own statement of its size is often wrong (A1:A1 by some writers).
    sheet.reset_dimensions()
    return sheet


def _results(cells, formulas):
    """Return a line's values, with NO_RESULT for a formula that has none. The result "" is one, and is typed "str"."""
    return [
        NO_RESULT if cell.value is None and formula is not None and cell.data_type != "str" else cell.value
        for cell, formula in zip(cells, formulas, strict=True)
    ]


def _walk(rows, merged, path):
    for number, values in enumerate(rows, 1):
        if number > _MOST_ROWS:
            raise ReadingError(Problem(TOO_MANY_ROWS, Place(file=path.name), words={"most": _MOST_ROWS}))
        values, flaws = _plain(values)
        flaws += merged.at(number, values)
        yield Line(number, values, tuple(flaws))


def _plain(values):
    """Return (values of the kinds a Row holds, the flaws of those that are none)."""
    plain, flaws = list(values), []
    for index, value in enumerate(plain):
        if value is None:
            continue
        if value is NO_RESULT:
            flaws.append((index, NO_RESULT, {}))
            plain[index] = None
        elif isinstance(value, str):
            if value in _ERRORS:
                flaws.append((index, ERROR_CELL, {"value": value}))
                plain[index] = None
        elif isinstance(value, (time, timedelta)):
            plain[index] = str(value)
    return plain, flaws


class _Merged:
    """Which cells of a line lie in merged cells. Lines are asked for in their order."""

    def __init__(self, ranges):
        self._coming = sorted(ranges, key=lambda one: one[1], reverse=True)
        self._open = []

    def at(self, number, values):
        """Return the flaws of that line; a blank one has none."""
        while self._coming and self._coming[-1][1] <= number:
            self._open.append(self._coming.pop())
        self._open = [one for one in self._open if one[3] >= number]
        if not any(value is not None for value in values):
            return []
        return [
            (column - 1, MERGED, {"range": _range_text(one)})
            for one in self._open
            for column in range(one[0], min(one[2], len(values)) + 1)
        ]


def _range_text(bounds):
    from_column, from_row, to_column, to_row = bounds
    letter = openpyxl.utils.get_column_letter
    return f"{letter(from_column)}{from_row}:{letter(to_column)}{to_row}"
