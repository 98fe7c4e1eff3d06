"""What all Cat1 modems say alike (3GPP 27.007), and the Chinese carriers' access point names.

Pure: bytes of an answer in, numbers out. Holds no state. Degrees are integers of 1e-7, times are ms since 1970, UTC.
"""

from micropython import const

_DEGREE = const(10_000_000)
_FIRST_YEAR = const(24)  # an unset clock reads 70, 80, 04 or 14
_DAY_MS = const(86_400_000)

# IMSI prefixes of a carrier, then its names: consumer, things. The SIM's home counts, not the network it visits.
_CARRIERS = (
    (("46000", "46002", "46004", "46007", "46008", "46013"), ("cmnet", "cmiot")),
    (("46001", "46006", "46009", "46010"), ("3gnet", "unim2m.njm2mapn")),
    (("46003", "46005", "46011", "46012"), ("ctnet", "ctiot")),
    (("46015", "46060"), ("cbnet", "cmnet")),
)


def access_points(imsi, configured=""):
    """Return the APNs to try in turn, as a list of text: the configured one, the network's own choice, the carrier's."""
    names = [configured] if configured else []
    names.append("")
    for prefixes, known in _CARRIERS:
        if imsi and imsi[:5] in prefixes:
            names.extend(name for name in known if name not in names)
    return names


def fields(value):
    """Split an answer's value at the commas outside quotes; return a list of bytes without quotes and blanks."""
    parts = []
    start = 0
    quoted = False
    for i in range(len(value)):
        if value[i] == 34:
            quoted = not quoted
        elif value[i] == 44 and not quoted:
            parts.append(value[start:i])
            start = i + 1
    parts.append(value[start:])
    return [part.strip(b' "') for part in parts]


def number(text, otherwise=None):
    """Return the integer that the bytes or text spell, or `otherwise`."""
    try:
        return int(text)
    except (TypeError, ValueError):
        return otherwise


def numbers(value):
    """Return the fields of a value as a list of integers, None where a field is no number."""
    return [number(field) for field in fields(value)]


def text(value):
    """Return an answer's bytes as text without quotes; what is not ASCII becomes a question mark."""
    return "".join(chr(byte) if 32 <= byte < 127 else "?" for byte in value.strip(b' "'))


def rssi_dbm(value):
    """Return dBm from the value of +CSQ (27.007 8.5), None when the modem does not know."""
    level = number(fields(value)[0], 99)
    return 2 * level - 113 if 0 <= level <= 31 else None


def rsrp_dbm(value):
    """Return dBm from the value of +CESQ (27.007 8.69), None when the modem does not know."""
    levels = numbers(value)
    if len(levels) < 6 or levels[5] is None or not 0 <= levels[5] <= 97:
        return None
    return levels[5] - 141


def days_since_1970(year, month, day):
    """Return the days from 1970-01-01 to a date of the Gregorian calendar."""
    if month < 3:
        year -= 1
        month += 12
    return 365 * year + year // 4 - year // 100 + year // 400 + (153 * month - 457) // 5 + day - 719469


def clock_ms(value):
    """Return UTC ms since 1970 from the value of +CCLK, `"yy/MM/dd,hh:mm:ss+zz"` in local time with quarters of an
    hour; None when the network has not set it, or when it cannot be read."""
    digits = value.strip(b' "')
    try:
        year, month, day, hour, minute, second = [int(digits[i : i + 2]) for i in range(0, 18, 3)]
        quarters = int(digits[17:]) if len(digits) > 17 else 0
    except ValueError:
        return None
    if not (_FIRST_YEAR <= year < 70 and 1 <= month <= 12 and 1 <= day <= 31 and hour < 24):
        return None
    seconds = hour * 3600 + minute * 60 + second - quarters * 900
    return days_since_1970(2000 + year, month, day) * _DAY_MS + seconds * 1000


def fix_ms(date, time):
    """Return UTC ms since 1970 from GNSS's `ddmmyy` and `hhmmss.ss`, None when they are no date."""
    day, month, year = number(date[0:2], 0), number(date[2:4], 0), number(date[4:6], 0)
    hour, minute, second = number(time[0:2], 99), number(time[2:4], 0), number(time[4:6], 0)
    if year < _FIRST_YEAR or not (1 <= month <= 12 and 1 <= day <= 31 and hour < 24):
        return None
    return days_since_1970(2000 + year, month, day) * _DAY_MS + (hour * 3600 + minute * 60 + second) * 1000


def e7(decimal):
    """Return the integer of 1e-7 that decimal bytes such as b"106.638084" spell, None when they spell none."""
    whole, _, part = decimal.partition(b".")
    negative = whole[:1] == b"-"
    units = number(whole.strip(b"+-") or b"0")
    rest = number((part + b"0000000")[:7])
    if units is None or rest is None or not decimal:
        return None
    value = units * _DEGREE + rest
    return -value if negative else value


def e7_from_minutes(angle):
    """Return 1e-7 degrees from NMEA's dddmm.mmmm as bytes, None when they are no number."""
    value = e7(angle)
    if value is None:
        return None
    degrees = value // (100 * _DEGREE)
    return degrees * _DEGREE + (value - degrees * 100 * _DEGREE) // 60
