"""The Luat dialect, while place or time are asked for. Borrowed.

Source: openLuat's AT command manual. Times are in ms, degrees 1e-7.
"""

from micropython import const

from modem.borrow import borrow

LOCATE_SETUP = (  # refused where it is done already
    (b'AT+SAPBR=3,1,"CONTYPE","GPRS"',),
    (b'AT+SAPBR=3,1,"APN",""',),
    (b"AT+SAPBR=1,1", None, 30000),
)
LOCATE = (b"AT+CIPGSMLOC=1,1", None, 35000)  # the place comes ahead of the OK, within 30 s
LOCATE_ELSE = None
LOCATE_MS = 2000
GNSS_MS = 0
GNSS_IS_ON = GNSS_IS_OFF = GNSS_SEARCHES = ()
GNSS_ON = (b"AT+CGNSPWR=1",)  # Air780EG; the others refuse
GNSS_FIX = (b"AT+CGNSINF", b"+CGNSINF:")
CLOCK = (b"AT+CCLK?", b"+CCLK:", 2000)
ASK_TIME = time_server = server_ms = None  # only the network sets the clock

_UNKNOWN_PLACE = const(404)  # CIPGSMLOC: not found
_ACCURACY_M = const(1000)  # not told: a cell's reach where cells are far apart


def location(value):
    """Return (latitude, longitude in 1e-7 degrees, accuracy in m) from the URC `located`, or its error."""
    gsm = borrow("gsm")
    parts = gsm.fields(value)
    code = gsm.number(parts[0], _UNKNOWN_PLACE)
    if code or len(parts) < 3:
        return code or _UNKNOWN_PLACE
    latitude, longitude = gsm.e7(parts[1]), gsm.e7(parts[2])
    if not latitude or not longitude:
        return _UNKNOWN_PLACE
    if abs(latitude) > 600000000:  # nowhere in China: the longitude came first, as from other makers' modems
        latitude, longitude = longitude, latitude
    return latitude, longitude, _ACCURACY_M


def fix(value):
    """Return None without a fix, else (latitude, longitude in 1e-7 degrees, accuracy in dm, ms since 1970 or
    None, speed in cm/s).

    Fields: running, fixed, UTC as yyyymmddhhmmss, latitude, longitude, altitude, km/h, course, mode (2 or 3 with a fix), …,
    dilution at 10.
    """
    gsm = borrow("gsm")
    parts = gsm.fields(value)
    parts.extend([b""] * 11)
    latitude, longitude = gsm.e7(parts[3]), gsm.e7(parts[4])
    if parts[:2] != [b"1", b"1"] or gsm.number(parts[8], 2) < 2 or not latitude or not longitude:
        return None
    utc = parts[2]
    return (
        latitude,
        longitude,
        (gsm.e7(parts[10]) or 100000000) * 50 // 10000000,  # 5 m for a dilution of one
        gsm.fix_ms(utc[6:8] + utc[4:6] + utc[2:4], utc[8:14]),
        (gsm.e7(parts[6]) or 0) * 250 // 90000000,  # 1 km/h is 250/9 cm/s
    )
