"""Files become rows: CSV, Excel workbooks and JSON lines, each value with the type it had, each row with the number a person sees.

It guesses nothing: what can't be read for certain is a ReadingError (the whole file) or a problem of the row it stands in,
in the clerk's words. Rows are streamed; a line, a cell's text, a file's unpacked size are limited. Sizes are in bytes (_b).
"""

import codecs
import csv
import json
import math
import re
from collections import Counter
from itertools import chain, islice
from pathlib import Path

from openpyxl.utils import get_column_letter

from . import spreadsheet
from .flaws import (
    AMBIGUOUS,
    BROKEN,
    CSV_FORM,
    EMPTY,
    ENCODING,
    HEADINGS_MERGED,
    JSON_DOUBLED,
    JSON_FORM,
    JSON_TYPE,
    KIND,
    LINE_LONG,
    LOCK_FILE,
    MERGED,
    MISSING_FILE,
    OPEN_ELSEWHERE,
    PASSWORD,
    SHORT_LINE,
    STRAY,
    TEXT_LONG,
    XLS,
    ReadingError,
)
from .problems import Place, Problem
from .record import Row

# What Excel holds in one cell; a longer text was never typed by a person.
MOST_TEXT = 32_767
_MOST_LINE = 1 << 20
# A line of JSON may hold a picture as a data: text.
_MOST_JSON_LINE = 1 << 23
_CHUNK_B = 1 << 20
# Lines with a single cell above the headings are a title; no more than these are passed over.
_TITLE_LINES = 5
_MOST_NESTED = 10_000
_MOST_DEPTH = 4
_OLE = bytes.fromhex("d0cf11e0a1b11ae1")
_ENCRYPTED = "EncryptedPackage".encode("utf-16-le")
_DELIMITERS = ",;\t"
_CSV_SUFFIXES = (".csv", ".txt", ".tsv")
_JSON_SUFFIXES = (".jsonl", ".ndjson")
_BOMS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
# A lead byte of a UTF-8 sequence of three or four bytes: every Chinese character has one.
_WIDE = re.compile(rb"[\xe0-\xf4]")


def read(path, sheet=None):
    """Yield the Rows of a file; of a workbook the sheet of that name, or its first one. Raises ReadingError.

    A heading that stands there twice is given as `姓名` and `姓名#2`, so that neither value is lost."""
    path = Path(path)
    kind = _kind(path)
    if kind == "json":
        yield from _read_json_file(path)
        return
    place, lines = _lines(path, kind, sheet)
    head, lines = _head(lines, place)
    yield from _rows(head, lines, place, whole_lines=kind == "csv")


def headings(path, sheet=None):
    """Return a table's headings as they stand there, doubled ones included. None for JSON lines, where each row has its own."""
    path = Path(path)
    kind = _kind(path)
    if kind == "json":
        return None
    place, lines = _lines(path, kind, sheet)
    head, _ = _head(lines, place)
    return [str(value).strip() for value in head.values if not _blank(value)]


def sheets(path):
    """Return the names of the sheets of a workbook that are there to be read; [""] for any other file."""
    path = Path(path)
    return spreadsheet.names(path) if _kind(path) == "workbook" else [""]


def read_stream(lines, name=""):
    """Yield the Rows of JSON lines: an object a line, arrays as lists of objects, pictures by file name or as data: texts.

    A line that can't be read is a row without cells that carries the problem. ReadingError where they are no UTF-8."""
    try:
        for number, text in enumerate(lines, 1):
            if text.strip():
                yield _json_row(text, Place(file=name, row=number))
    except UnicodeDecodeError:
        raise ReadingError(Problem(ENCODING, Place(file=name))) from None


def _kind(path):
    """Return "workbook", "csv" or "json". ReadingError says what to do with any other."""
    place = Place(file=path.name)
    if path.name.startswith("~$"):
        raise ReadingError(Problem(LOCK_FILE, place))
    try:
        with path.open("rb") as file:
            start = file.read(8)
            if start == _OLE:
                raise ReadingError(Problem(PASSWORD if _ENCRYPTED in file.read(_CHUNK_B) else XLS, place))
    except PermissionError:
        raise ReadingError(Problem(OPEN_ELSEWHERE, place)) from None
    except OSError:
        raise ReadingError(Problem(MISSING_FILE, place)) from None
    suffix = path.suffix.lower()
    if start[:2] == b"PK":
        return "workbook"
    if suffix in (".xlsx", ".xlsm"):
        raise ReadingError(Problem(BROKEN if start else EMPTY, place))
    if suffix in _CSV_SUFFIXES:
        return "csv"
    if suffix in _JSON_SUFFIXES:
        return "json"
    raise ReadingError(Problem(KIND, place, words={"suffix": suffix or "-"}))


def _lines(path, kind, sheet):
    """Return (the place of the table, its lines)."""
    if kind == "csv":
        place = Place(file=path.name)
        return place, _csv_lines(path, place)
    name = spreadsheet.first(path) if sheet is None else sheet
    return Place(file=path.name, sheet=name), spreadsheet.lines(path, name)


# From lines to rows.


def _blank(value):
    return value is None or (isinstance(value, str) and not value.strip())


def _head(lines, place):
    """Return (the line of headings, the lines after it)."""
    lines = (line for line in lines if line.flaws or not all(map(_blank, line.values)))
    first = list(islice(lines, _TITLE_LINES + 1))
    if not first:
        raise ReadingError(Problem(EMPTY, place))
    at = next((number for number, line in enumerate(first) if sum(not _blank(value) for value in line.values) > 1), 0)
    head = first[at]
    if any(rule is MERGED for _, rule, _ in head.flaws):
        raise ReadingError(Problem(HEADINGS_MERGED, Place(place.file, place.sheet, head.number)))
    return head, chain(first[at + 1 :], lines)


def _keys(head):
    """Return {column index: key}: a heading, numbered from its second time on."""
    keys, seen = {}, Counter()
    for index, value in enumerate(head.values):
        if _blank(value):
            continue
        name = str(value).strip()
        seen[name] += 1
        keys[index] = name if seen[name] == 1 else f"{name}#{seen[name]}"
    return keys


def _rows(head, lines, place, whole_lines):
    keys = _keys(head)
    wanted = max(keys) + 1
    for line in lines:
        here = Place(place.file, place.sheet, line.number)
        values = line.values
        problems = _flaws(line, keys, here)
        cells = {key: values[index] if index < len(values) else None for index, key in keys.items()}
        for key, value in cells.items():
            if isinstance(value, str):
                if len(value) > MOST_TEXT:
                    problems.append(Problem(TEXT_LONG, here.at(key), words={"most": MOST_TEXT}))
                    cells[key] = None
                elif not value.strip():
                    cells[key] = None
        if whole_lines and len(values) < wanted:
            problems.append(Problem(SHORT_LINE, here, words={"has": len(values), "wanted": wanted}))
        yield Row(here, cells, problems)


def _flaws(line, keys, here):
    """Return the problems of one line's cells: damaged ones, and values below no heading."""
    problems = [
        Problem(rule, here.at(keys.get(index, get_column_letter(index + 1))), words=words) for index, rule, words in line.flaws
    ]
    if len(line.values) > len(keys):
        for index, value in enumerate(line.values):
            if index not in keys and not _blank(value):
                letter = get_column_letter(index + 1)
                problems.append(Problem(STRAY, here.at(letter), words={"column": letter}))
    return problems


# CSV.


def _csv_lines(path, place):
    """Yield the Lines of a CSV file; the number is that which a spreadsheet program shows."""
    number = 0
    with path.open(encoding=_encoding(path, place), newline="") as file:
        text = _text_lines(file, place)
        first = list(islice(text, _TITLE_LINES + 1))
        declared = re.fullmatch(r"sep=([,;\t])\s*", first[0]) if first else None
        if declared:
            number, first = 1, first[1:]
        delimiter = declared[1] if declared else _delimiter(first)
        reader = csv.reader(chain(first, text), delimiter=delimiter, strict=True)
        while True:
            number += 1
            try:
                values = next(reader)
            except StopIteration:
                return
            except csv.Error:
                raise ReadingError(Problem(CSV_FORM, Place(place.file, "", number))) from None
            yield spreadsheet.Line(number, values, ())


def _text_lines(file, place, most=_MOST_LINE):
    number = 0
    while text := file.readline(most):
        number += 1
        if len(text) >= most:
            raise ReadingError(Problem(LINE_LONG, Place(place.file, "", number), words={"most": most}))
        yield text


def _delimiter(lines):
    """Return the separator that parts the first line that is parted at all; a comma where none is."""
    for line in lines:
        counts = {one: re.sub(r'"[^"]*"', "", line).count(one) for one in _DELIMITERS}
        if any(counts.values()):
            return max(counts, key=counts.get)
    return ","


def _encoding(path, place):
    """Return the encoding of a text file: by its mark, UTF-8 or GB18030. ReadingError where neither or both make sense."""
    with path.open("rb") as file:
        start = file.read(4)
    for mark, encoding in _BOMS:
        if start.startswith(mark):
            if not _decodes(path, encoding):
                raise ReadingError(Problem(ENCODING, place))
            return encoding
    if _decodes(path, "utf-8"):
        # Two-byte sequences alone are no Chinese text in UTF-8, but may be some in GB18030 (`学校` reads as `ѧУ`).
        if _all_narrow(path) and _decodes(path, "gb18030"):
            raise ReadingError(Problem(AMBIGUOUS, place))
        return "utf-8"
    if _decodes(path, "gb18030"):
        return "gb18030"
    raise ReadingError(Problem(ENCODING, place))


def _chunks(path):
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_B):
            yield chunk


def _decodes(path, encoding):
    decoder = codecs.getincrementaldecoder(encoding)("strict")
    try:
        for chunk in _chunks(path):
            if "\0" in decoder.decode(chunk):
                return False
        decoder.decode(b"", True)
    except UnicodeDecodeError:
        return False
    return True


def _all_narrow(path):
    """Return whether a UTF-8 file has characters beyond ASCII, but none of three bytes or more."""
    beyond = False
    for chunk in _chunks(path):
        if _WIDE.search(chunk):
            return False
        beyond = beyond or not chunk.isascii()
    return beyond


# JSON lines.


class _Refused(Exception):
    def __init__(self, rule, **words):
        self.rule, self.words = rule, words


def _read_json_file(path):
    place = Place(file=path.name)
    with path.open(encoding=_encoding(path, place)) as file:
        yield from read_stream(_text_lines(file, place, _MOST_JSON_LINE), path.name)


def _json_row(text, place):
    try:
        if len(text) >= _MOST_JSON_LINE:
            raise _Refused(LINE_LONG, most=_MOST_JSON_LINE)
        cells = json.loads(text, object_pairs_hook=_pairs, parse_constant=_no_number, parse_float=_finite)
        if not isinstance(cells, dict):
            raise _Refused(JSON_TYPE, key="-")
        _check_object(cells, 1)
    except _Refused as refused:
        return Row(place, {}, [Problem(refused.rule, place, words=refused.words)])
    except (ValueError, RecursionError) as error:
        return Row(place, {}, [Problem(JSON_FORM, place, words={"at": getattr(error, "colno", "?")})])
    return Row(place, cells)


def _pairs(pairs):
    made = dict(pairs)
    if len(made) < len(pairs):
        doubled = next(key for key, times in Counter(key for key, _ in pairs).items() if times > 1)
        raise _Refused(JSON_DOUBLED, key=doubled)
    return made


def _no_number(name):
    raise _Refused(JSON_TYPE, key=name)


def _finite(text):
    number = float(text)
    if not math.isfinite(number):
        raise _Refused(JSON_TYPE, key=text[:20])
    return number


def _check_object(cells, depth):
    """Refuse what no field can hold: objects as values but {"file": name}, lists of other than texts and objects, too much."""
    for key, value in cells.items():
        if isinstance(value, list):
            if depth >= _MOST_DEPTH or len(value) > _MOST_NESTED:
                raise _Refused(JSON_TYPE, key=key)
            for one in value:
                if isinstance(one, dict):
                    _check_object(one, depth + 1)
                elif not isinstance(one, str):
                    raise _Refused(JSON_TYPE, key=key)
        elif isinstance(value, dict) and not (list(value) == ["file"] and isinstance(value["file"], str)):
            raise _Refused(JSON_TYPE, key=key)
        elif isinstance(value, str) and len(value) > MOST_TEXT and not value.startswith("data:"):
            raise _Refused(TEXT_LONG, most=MOST_TEXT)
