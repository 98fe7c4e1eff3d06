"""The SIMCom A76xx dialect, while place or time are asked for. Borrowed.

Sources: A76XX Series AT Command Manual V1.09, GNSS and LBS application notes. Times are in ms, degrees 1e-7.
"""

from micropython import const

from modem.borrow import borrow

LOCATE_SETUP = ()
LOCATE_ELSE = None
LOCATE_MS = 120000
GNSS_MS = 30000  # until the receiver takes commands
LOCATE = (b"AT+CLBS=1",)
GNSS_IS_ON = GNSS_IS_OFF = GNSS_SEARCHES = ()
GNSS_ON = (b"AT+CGNSSPWR=1",)
GNSS_FIX = (b"AT+CGNSSINFO", b"+CGNSSINFO:")
CLOCK = (b"AT+CCLK?", b"+CCLK:", 2000)
ASK_TIME = (b"AT+CNTP",)

_UNKNOWN_PLACE = const(110)  # LBS application note: other error


def time_server(host):
    """Return the row that names the NTP server and the zone the clock shall show, 32 quarters of an hour."""
    return (b'AT+CNTP="%s",32' % host.encode(),)


server_ms = None  # it sets the clock


def location(value):
    """Return (latitude, longitude in 1e-7 degrees, accuracy in m) from the URC `located`, or its error."""
    gsm = borrow("gsm")
    parts = gsm.fields(value)
    code = gsm.number(parts[0], _UNKNOWN_PLACE)
    if code or len(parts) < 4:
        return code or _UNKNOWN_PLACE
    latitude, longitude = gsm.e7(parts[1]), gsm.e7(parts[2])
    if not latitude or not longitude:
        return _UNKNOWN_PLACE
    if abs(latitude) > 600000000:  # nowhere in China: the firmware gave the longitude first
        latitude, longitude = longitude, latitude
    return latitude, longitude, gsm.number(parts[3], 0)


def fix(value):
    """Return None without a fix, else (latitude, longitude in 1e-7 degrees, accuracy in dm, ms since 1970 or
    None, speed in cm/s). Firmware differs in the fields ahead of the latitude: N or S is the anchor."""
    gsm = borrow("gsm")
    parts = gsm.fields(value)
    side = b"N" if b"N" in parts else b"S"
    if side not in parts or gsm.number(parts[0], 0) < 2:
        return None
    at = parts.index(side)
    parts.extend([b""] * 10)
    # Degrees, or degrees and minutes: only then has a latitude more than two digits before the point.
    angle = gsm.e7 if parts[at - 1].find(b".") < 3 else gsm.e7_from_minutes
    latitude, longitude = angle(parts[at - 1]), angle(parts[at + 1])
    if not latitude or not longitude:
        return None
    dilution = gsm.e7(parts[at + 9]) or 100000000
    return (
        -latitude if side == b"S" else latitude,
        -longitude if parts[at + 2] == b"W" else longitude,
        dilution * 50 // 10000000,  # 5 m for a dilution of one
        gsm.fix_ms(parts[at + 3], parts[at + 4]),
        (gsm.e7(parts[at + 6]) or 0) * 514444 // 100000000000,  # a knot is 51.4444 cm/s
    )
