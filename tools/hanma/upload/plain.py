"""Texts made plain: full-width signs and odd spaces, names for comparison, days and times out of what people write.

Tables are for str.translate. Days and times are local ones of Asia/Shanghai, without a zone, to the second.
"""

import re
from datetime import date, datetime, timedelta, timezone
from decimal import ROUND_HALF_UP, Decimal

_SHANGHAI = timezone(timedelta(hours=8))  # no summer time since 1991
_DAY = re.compile(r"(\d{4})(?:-|/|\.|年)(\d{1,2})(?:-|/|\.|月)(\d{1,2})日?|(\d{4})(\d\d)(\d\d)")
HOUR = re.compile(r"(\d{1,2}):(\d\d):(\d\d)(?:\.\d+)?(Z|[+-]\d\d:?\d\d)?")

BLANKS = dict.fromkeys(map(ord, "\u3000\u00a0\u2007\u202f\u2002\u2003\u2009\t\r\n"), " ") | dict.fromkeys(
    map(ord, "\u200b\u200c\u200d\u2060\ufeff\u00ad")
)
_WIDE = {
    code: chr(code - 0xFEE0) for first in (0xFF10, 0xFF21, 0xFF41) for code in range(first, first + (10 if first == 0xFF10 else 26))
}
TEXT = BLANKS | _WIDE
# In codes, numbers and dates every full-width sign is plain, and every dash is a hyphen.
SIGNS = BLANKS | {code: chr(code - 0xFEE0) for code in range(0xFF01, 0xFF5F)} | dict.fromkeys(map(ord, "‐‑‒–—−⁃"), "-")
SIGNS |= {ord("。"): ".", ord("￥"): "¥"}
FOLD = SIGNS | {ord("它"): "他", ord("."): None, ord(" "): None, ord("("): None, ord(")"): None}
FOLD |= dict.fromkeys(map(ord, "。（）［］，、,"))


def moment(cell):
    """Return a cell as a local time to the second, or None: a day alone or a time without seconds isn't one."""
    if isinstance(cell, datetime):
        local = cell.astimezone(_SHANGHAI).replace(tzinfo=None) if cell.tzinfo else cell
        return (local + timedelta(microseconds=500_000)).replace(microsecond=0)
    day, rest = split_day(day_text(cell))
    hour = HOUR.fullmatch(rest) if day else None
    if not hour:
        return None
    try:
        local = datetime(day.year, day.month, day.day, *map(int, hour.group(1, 2, 3)))
    except ValueError:
        return None
    return local if not hour[4] else datetime.fromisoformat(f"{local}{_zone(hour[4])}").astimezone(_SHANGHAI).replace(tzinfo=None)


def _zone(text):
    return "+00:00" if text == "Z" else text if ":" in text else f"{text[:3]}:{text[3:]}"


def day_text(cell):
    if isinstance(cell, (int, float)) and not isinstance(cell, bool) and 19000101 <= cell <= 99991231:
        return str(int(cell)) if cell == int(cell) else ""
    return cell.translate(SIGNS).strip() if isinstance(cell, str) else ""


def split_day(text):
    """Return (date or None, the text after it)."""
    match = _DAY.match(text)
    if not match:
        return None, text
    rest = text[match.end() :]
    if rest[:1].isdigit():
        return None, text
    try:
        return date(*map(int, match.group(1, 2, 3) if match[1] else match.group(4, 5, 6))), rest.removeprefix("T").strip()
    except ValueError:
        return None, text


def two_places(number):
    """Return a number as the documents want it told: "36.50", a half rounded up."""
    return str(Decimal(number).quantize(Decimal("0.01"), ROUND_HALF_UP))
