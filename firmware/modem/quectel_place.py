"""The Quectel dialect, while place or time are asked for. Borrowed.

Sources: GNSS application note of the BG95, measurements on an EG800K-CN, QuecLocator's guide. Times are in ms, degrees 1e-7.
"""

from micropython import const

from modem.borrow import borrow

LOCATE_SETUP = (  # without a token the service answers 10002
    (b'AT+QLBSCFG="token","%s"',),
    (b'AT+QLBSCFG="asynch",1',),
    (b'AT+QLBSCFG="latorder",1',),
    (b'AT+QLOCCFG="token","%s"',),
)
LOCATE_MS = 65000
LOCATE = (b"AT+QLBS", None, LOCATE_MS)  # where asynch is unknown, its result comes last
LOCATE_ELSE = (b"AT+QCELLLOC", None, LOCATE_MS)
GNSS_MS = 0
GNSS_ON = (b"AT+QGPS=1",)
GNSS_FIX = (b"AT+QGPSLOC=2", b"+QGPSLOC:")
GNSS_IS_ON = ("504",)  # it outlives a restart of the terminal
GNSS_IS_OFF = ("505",)
GNSS_SEARCHES = ("516", "not fixed now", "not_fixed")  # some firmware answers in words
CLOCK = (b"AT+QLTS=2", b"+QLTS:", 2000)
ASK_TIME = None

_UNKNOWN_PLACE = const(10000)  # QLBS: not found
_ACCURACY_M = const(1000)  # not told: a cell's reach where cells are far apart


def time_server(host):
    """Return the row that asks an NTP server; the URC `time_set` has the time."""
    return (b'AT+QNTP=1,"%s",123' % host.encode(),)


def server_ms(value):
    """Return ms since 1970 from the URC `time_set`, None when it has none. The time is UTC, whatever zone stands behind
    it: measured on an EG800K."""
    code, _, moment = value.partition(b",")
    return borrow("gsm").clock_ms(moment, False) if code.strip() == b"0" else None


def location(value):
    """Return (latitude, longitude in 1e-7 degrees, accuracy in m) from the URC `located`, or its error. QLBS says
    error[,…,…], QCELLLOC the two alone."""
    gsm = borrow("gsm")
    parts = gsm.fields(value)
    if len(parts) != 2:
        code = gsm.number(parts.pop(0), _UNKNOWN_PLACE)
        if code or len(parts) < 2:
            return code or _UNKNOWN_PLACE
    place = _in_order(gsm.e7(parts[0]), gsm.e7(parts[1]))
    return place + (_ACCURACY_M,) if place else _UNKNOWN_PLACE


def fix(value):
    """Return None without a fix, else (latitude, longitude in 1e-7 degrees, accuracy in dm, ms since 1970 or None, speed in
    cm/s). A place that was only assisted comes without satellites, and is none."""
    gsm = borrow("gsm")
    parts = gsm.fields(value)
    parts.extend([b""] * 11)
    dilution = gsm.e7(parts[3])
    place = _in_order(gsm.e7(parts[1]), gsm.e7(parts[2]))
    if not place or not dilution or dilution < 0 or gsm.number(parts[5], 0) < 2 or gsm.number(parts[10], 0) < 1:
        return None
    speed = gsm.e7(parts[7]) or 0
    return place + (dilution * 50 // 10000000, gsm.fix_ms(parts[9], parts[0]), speed * 250 // 90000000)


def _in_order(latitude, longitude):
    # What is nowhere in China has the longitude first.
    if not latitude or not longitude:
        return None
    return (longitude, latitude) if abs(latitude) > 600000000 else (latitude, longitude)
