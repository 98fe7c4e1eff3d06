"""From a cell as it was read to a field's value: codes by code or Chinese name, dates, amounts, texts, pictures, lists.

`coder` prepares a field once and gives a function to be called for each cell; nothing is kept between cells. Form is mended
with a note (full-width signs, a code's lost zero where one code fits); a value is never guessed: what can't be known is None
with a problem that says why. Dates and times are local ones of Asia/Shanghai, without a zone.
"""

import re
from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal, InvalidOperation

from .attachments import attachment, file_names, items
from .choices import Choices
from .misreadings import (
    CUT_TO_DAY,
    DATE_CELL,
    LONG_NUMBER,
    MIDNIGHT_CELL,
    NEEDS_OTHER,
    NOT_DATE,
    NOT_LIST,
    NOT_NUMBER,
    NOT_PICTURE,
    NOT_TIME,
    NOT_WHOLE,
    NUMBER_CELL,
    ONE_PICTURE,
    READ_AS,
    ROUNDED,
    SEVERAL_CODES,
    TIDIED,
    TOO_LONG,
    UNKNOWN_CODE,
    UNKNOWN_PART,
    WRONG_TYPE,
    ZERO_RESTORED,
    problem,
)
from .plain import BLANKS, HOUR, SIGNS, TEXT, day_text, moment, split_day, two_places

PERMANENT = "0000-00-00"
_EXACT_NUMBER = 10**15  # a spreadsheet keeps 15 digits and makes the rest zeros

_BETWEEN_HAN = re.compile(r"(?<=[\u4e00-\u9fff])\s+(?=[\u4e00-\u9fff])")
_SCIENTIFIC = re.compile(r"\d(\.\d+)?[eE]\+?\d+")
_THOUSANDS = re.compile(r"[+-]?\d{1,3}(,\d{3})+(\.\d+)?")
_SEVERAL_VALUES = re.compile(r"[、，,;；|\n]")
_MIDNIGHT = datetime.min.time()
_FOR_EVER = {"永久", "长期", "长期有效", "永久有效", "0000/00/00", "00000000"}
_KINDS = {bool: ("是/否", "a yes or no"), date: ("日期", "a date"), datetime: ("时间", "a time"), list: ("一组值", "a list")}


def decode(field, cell, platform, values=None):
    """Return (value, [Problem]) of a cell that isn't blank; value None when it can't be known. values: the row's so far."""
    found = []
    return coder(field, platform)(cell, values or {}, found), found


def coder(field, platform):
    """Return a function (cell, values so far, list for problems) → value or None, for a field as its settings make it."""
    read = _CODERS[field.type](field, platform)
    read = _several(field, read) if field.separator else read
    return _short_enough(field, read) if field.most_length else read


def _several(field, read):
    """One text that holds several values, each of which is read by itself."""

    def read_all(cell, values, found):
        parts = [part.strip() for part in _SEVERAL_VALUES.split(cell) if part.strip()] if isinstance(cell, str) else cell
        parts = [read(part, values, found) for part in (parts if isinstance(parts, list) else [parts])]
        return None if None in parts else field.separator.join(parts)

    return read_all


def _short_enough(field, read):
    def read_short(cell, values, found):
        text = read(cell, values, found)
        if text is not None and len(text) > field.most_length:
            found.append(problem(TOO_LONG, field, count=len(text), most=field.most_length))
            return None
        return text

    return read_short


def blank(cell):
    """Return whether a cell holds nothing."""
    return cell is None or cell == "" or cell == [] or (type(cell) is str and not cell.translate(BLANKS).strip())


# Texts


def _text(field, platform):
    tidy = SIGNS if field.form in ("code", "CODE") else TEXT
    tight, capitals = field.form in ("code", "CODE"), field.form == "CODE"
    is_name = field.concept == "person_name"

    def read(cell, values, found):
        if type(cell) is not str:
            cell = _number_as_text(field, cell, found)
            if cell is None:
                return None
        text = kept = cell.strip(" ")
        if not (tight and text.isascii()):
            text = text.translate(tidy).strip()
        if tight and " " in text:
            text = text.replace(" ", "")
        if capitals and not text.isupper():
            text = text.upper()
        if is_name and " " in text:
            text = _BETWEEN_HAN.sub("", text)
        if text != kept:
            found.append(problem(TIDIED, field))
        if tight and "+" in text and _SCIENTIFIC.fullmatch(text):
            found.append(problem(LONG_NUMBER, field))
            return None
        return text or None

    return read


def _number_as_text(field, cell, found):
    if isinstance(cell, date):
        found.append(problem(DATE_CELL, field))
    elif isinstance(cell, bool) or not isinstance(cell, (int, float)) or cell != cell:
        found.append(_wrong_type(field, cell, ("文字", "a text")))
    elif abs(cell) >= _EXACT_NUMBER:
        found.append(problem(LONG_NUMBER, field))
    else:
        if field.form == "code" and field.concept != "phone":
            found.append(problem(NUMBER_CELL, field))
        return str(int(cell)) if cell == int(cell) else repr(cell)
    return None


def _wrong_type(field, cell, wanted):
    kind, kind_en = _KINDS.get(type(cell), ("这种值", "such a value"))
    return problem(WRONG_TYPE, field, kind=kind, kind_en=kind_en, wanted=wanted[0], wanted_en=wanted[1])


# Codes


def _enum(field, platform):
    if field.dictionary_by:
        return _enum_by_other(field, platform)
    choices = Choices(platform.choices(field) or {}, platform.synonyms.get(field.dictionary, {}))

    def read(cell, values, found):
        sure = choices.sure.get(cell) if type(cell) is str else None
        return sure if sure is not None else _look_up(field, cell, choices, found)

    return read


def _enum_by_other(field, platform):
    other, names = field.dictionary_by
    label = next((one.label for table in platform.tables.values() for one in table.fields if one.name == other), other)
    by_dictionary = {name: Choices(platform.dictionaries[name], platform.synonyms.get(name, {})) for name in set(names.values())}

    def read(cell, values, found):
        choices = by_dictionary.get(platform.dictionary(field, values))
        if choices is None:
            found.append(problem(NEEDS_OTHER, field, other=label))
            return None
        return _look_up(field, cell, choices, found)

    return read


def _look_up(field, cell, choices, found):
    if isinstance(cell, bool):
        cell = "是" if cell else "否"
    elif isinstance(cell, int) or isinstance(cell, float) and cell.is_integer():
        cell = str(int(cell))
    if not isinstance(cell, str):
        found.append(_wrong_type(field, cell, ("编码或名称", "a code or a name")))
        return None
    text = cell.translate(SIGNS).strip()
    codes, zero = choices.candidates(text)
    if len(codes) != 1:
        rule = SEVERAL_CODES if codes else UNKNOWN_CODE
        found.append(problem(rule, field, text, codes=choices.told(codes), near=choices.near(text)))
        return None
    if zero:
        found.append(problem(ZERO_RESTORED, field, text, code=codes[0]))
    elif choices.backward and text in choices.names:
        found.append(problem(READ_AS, field, text, name=choices.names[text]))
    elif text != cell.strip() and text in choices.names:
        found.append(problem(TIDIED, field))
    return codes[0]


# Numbers


def _plain_number(field, cell, found):
    """Return a Decimal or None."""
    if isinstance(cell, bool) or not isinstance(cell, (str, int, float, Decimal)):
        found.append(_wrong_type(field, cell, ("数字", "a number")))
        return None
    text = cell if isinstance(cell, str) else f"{cell:.15g}" if isinstance(cell, float) else str(cell)
    plain = text.translate(SIGNS).strip().removeprefix("¥").removesuffix("元").strip()
    if _THOUSANDS.fullmatch(plain):
        plain = plain.replace(",", "")
    try:
        number = Decimal(plain)
    except InvalidOperation:
        number = None
    if number is None or not number.is_finite() or "_" in plain:
        found.append(problem(NOT_NUMBER, field, cell))
        return None
    if plain != text.strip(" "):
        found.append(problem(TIDIED, field))
    return number


def _decimal(field, platform):
    def read(cell, values, found):
        number = _plain_number(field, cell, found)
        if (
            number is not None
            and field.form == "0.00"
            and number.as_tuple().exponent < -2
            and number != Decimal(two_places(number))
        ):
            found.append(problem(ROUNDED, field, value=two_places(number)))
        return number

    return read


def _float(field, platform):
    def read(cell, values, found):
        if type(cell) is float and cell - cell == 0:
            return cell
        number = _plain_number(field, cell, found)
        return None if number is None else float(number)

    return read


def _integer(field, platform):
    def read(cell, values, found):
        number = _plain_number(field, cell, found)
        if number is not None and number != int(number):
            found.append(problem(NOT_WHOLE, field, cell))
            return None
        return None if number is None else int(number)

    return read


# Days and times


def _date(field, platform):
    def read(cell, values, found):
        if isinstance(cell, datetime):
            if cell.time().replace(microsecond=0) != _MIDNIGHT:
                found.append(problem(CUT_TO_DAY, field))
            return cell.date()
        if isinstance(cell, date):
            return cell
        text = day_text(cell)
        if field.permanent and (text == PERMANENT or text in _FOR_EVER):
            return PERMANENT
        day, rest = split_day(text)
        if day is None or (rest and not HOUR.fullmatch(rest)):
            found.append(problem(NOT_DATE, field, cell))
            return None
        if rest and not rest.startswith(("00:00:00", "0:00:00")):
            found.append(problem(CUT_TO_DAY, field))
        return day

    return read


def _datetime(field, platform):
    def read(cell, values, found):
        if type(cell) is str and len(cell) == 19 and cell[10] == " " and cell[4] == cell[7] == "-":
            try:
                return datetime.fromisoformat(cell)
            except ValueError:
                pass
        if isinstance(cell, datetime) and cell.time() == _MIDNIGHT and not cell.tzinfo:  # so a spreadsheet gives a day too
            found.append(problem(MIDNIGHT_CELL, field))
            return None
        time = moment(cell)
        if time is None:
            found.append(problem(NOT_TIME, field, cell))
        return time

    return read


# Pictures and lists


def _picture(field, platform):
    def read(cell, values, found):
        if type(cell) is str and not cell.startswith("data:"):
            cell = file_names(cell)
            cell = cell[0] if len(cell) == 1 else cell
        if isinstance(cell, list):
            found.append(problem(ONE_PICTURE, field, count=len(cell)))
            return None
        picture = attachment(cell)
        if picture is None:
            found.append(problem(NOT_PICTURE, field))
        return picture

    return read


def _array(field, platform):
    picture = next((one.name for one in field.fields if one.type == "image"), None)
    readers = {one.name: coder(one, platform) for one in field.fields}
    by_label = {one.label: one.name for one in field.fields}

    def item(cells, found):
        cells = {by_label.get(name, name): cell for name, cell in cells.items()}
        found += [problem(UNKNOWN_PART, field, part=name) for name in cells if name not in readers]
        values = {}
        for name, read in readers.items():
            if not blank(cells.get(name)):
                values[name] = read(cells[name], values, found)
        return {name: value for name, value in values.items() if value is not None}

    def read(cell, values, found):
        listed = items(cell, picture)
        if listed is None:
            found.append(problem(NOT_LIST, field))
            return None
        decoded = []
        for number, cells in enumerate(listed, 1):
            inner = []
            decoded.append(item(cells, inner))
            found += [within(one, field, number) for one in inner]
        return decoded

    return read


def within(one, field, number):
    """Return a problem of a list's item with its path in front: "details[2].name"."""
    inside = "" if one.field == field.name else f".{one.field}"
    return replace(one, field=f"{field.name}[{number}]{inside}")


_CODERS = {
    "string": _text,
    "enum": _enum,
    "integer": _integer,
    "decimal": _decimal,
    "float": _float,
    "date": _date,
    "datetime": _datetime,
    "image": _picture,
    "file": _picture,
    "array": _array,
}
