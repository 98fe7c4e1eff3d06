"""Places and moments as all Cat1 modems write them (3GPP 27.007, NMEA). Borrowed.

Pure: bytes of an answer in, numbers out. Holds no state. Degrees are integers of 1e-7, times ms since 1970, UTC.
"""

from micropython import const

_DEGREE = const(10_000_000)
_FIRST_YEAR = const(24)  # an unset clock reads 70, 80, 04 or 14


def fields(value):
    """Split an answer's value at the commas outside quotes; return a list of bytes without quotes and blanks."""
    parts = []
    start = 0
    quoted = False
    for i in range(len(value) + 1):
        if i == len(value) or (value[i] == 44 and not quoted):
            parts.append(value[start:i].strip(b' "'))
            start = i + 1
        elif value[i] == 34:
            quoted = not quoted
    return parts


def number(text, otherwise=None):
    """Return the integer that bytes spell, or `otherwise`."""
    try:
        return int(text)
    except ValueError:
        return otherwise


def unix_ms(year, month, day, time, quarters=0):
    """Return UTC ms since 1970 of a moment, None when it is none or its clock was never set.

    year: since 2000; time: seconds of the day; quarters: of an hour that local time is ahead of UTC.
    """
    if not (_FIRST_YEAR <= year < 70 and 1 <= month <= 12 and 1 <= day <= 31 and 0 <= time <= 86400):
        return None
    if month < 3:
        year -= 1
        month += 12
    # 11016: 1970-01-01 to 2000-03-01, less what the term of the months gives March
    days = 365 * year + year // 4 + (153 * month - 457) // 5 + day + 11016
    return (86400 * days + time - 900 * quarters) * 1000


def clock_ms(value, zoned=True):
    """Return UTC ms since 1970 from the value of +CCLK, `"yy/MM/dd,hh:mm:ss+zz"` in local time with quarters of
    an hour, the year with two digits or four, whatever follows; None when the network has not set it, or when it cannot be
    read. zoned: False when the time is UTC in spite of its zone."""
    digits = value.strip(b' "')
    if digits[4:5] == b"/":
        digits = digits[2:]
    year, month, day, hour, minute, second = [number(digits[i : i + 2], -1) for i in range(0, 18, 3)]
    return unix_ms(year, month, day, hour * 3600 + minute * 60 + second, number(digits[17:20], 0) if zoned else 0)


def fix_ms(date, time):
    """Return UTC ms since 1970 from GNSS's `ddmmyy` and `hhmmss.ss`, None when they are no moment."""
    day, month, year = [number(date[i : i + 2], -1) for i in (0, 2, 4)]
    hour, minute, second = [number(time[i : i + 2], -100) for i in (0, 2, 4)]
    return unix_ms(year, month, day, hour * 3600 + minute * 60 + second)


def e7(decimal):
    """Return the integer of 1e-7 that decimal bytes such as b"106.638084" spell, None when they spell none."""
    whole, _, part = decimal.partition(b".")
    value = number(whole + (part + b"0000000")[:7])
    return None if value is None or not whole else value


def e7_from_minutes(angle):
    """Return 1e-7 degrees from NMEA's dddmm.mmmm as bytes, None when they are no number."""
    value = e7(angle)
    if value is None:
        return None
    degrees = value // (100 * _DEGREE)
    return degrees * _DEGREE + (value - degrees * 100 * _DEGREE) // 60
