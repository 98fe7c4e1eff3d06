"""Which places are believed, how far apart they are, and when one is worth a report. Borrowed for each look.

The other half of `position`: it alone sets that room's private attributes from outside.
A place is (source, lat_e7, lng_e7, accuracy_m), source "gnss" or "cell". Coordinates are integers in 1e-7 degree, distances
whole metres.
"""

from micropython import const

from terminal import protocol
from terminal.borrow import borrow

_GRACE_S = const(150)  # a cold start needs 95 s to a fix: before that "none" is not worth saying
_RETRY_S = const(600)  # after a report without a place
_CIRCLE_E7 = const(3600000000)
_QUARTER_E7 = const(900000000)
_POOR_DM = const(5000)  # a fix this poor is none
_FAST_CM_S = const(10000)  # nothing with a welder on it is faster; a pseudo-fix may be
_COSINES = (1000, 985, 940, 866, 766, 643, 500, 342, 174, 0, 0)  # thousandths, every 10 degrees


def is_place(lat_e7, lng_e7):
    """Return whether this can be a place at all; receivers without a fix say 0 for either coordinate."""
    if not lat_e7 or not lng_e7:
        return False
    return abs(lat_e7) <= _QUARTER_E7 and abs(lng_e7) <= 2 * _QUARTER_E7


def is_fix(fix):
    """Return whether a fix of `modem.gnss_fix()` is to be believed."""
    lat_e7, lng_e7, accuracy_dm, _, speed_cm_s = fix
    return is_place(lat_e7, lng_e7) and 0 < accuracy_dm <= _POOR_DM and 0 <= speed_cm_s <= _FAST_CM_S


def is_beyond(here, there, metres):
    """Return whether two places, (lat_e7, lng_e7) each, lie more than so many metres apart; good to 1 %."""
    north_cm = (here[0] - there[0]) * 11132 // 10000  # 1e-7 degree of a meridian is 1.1132 cm
    east_e7 = (here[1] - there[1] + _CIRCLE_E7 // 2) % _CIRCLE_E7 - _CIRCLE_E7 // 2
    east_cm = east_e7 * _cosine(abs(here[0])) * 11132 // 10000000
    return north_cm * north_cm + east_cm * east_cm > 10000 * metres * metres


def _cosine(lat_e7):
    """Return the cosine of a latitude in thousandths, read between the lines of a table."""
    tens, rest = divmod(lat_e7, 100000000)
    upper = _COSINES[tens]
    return upper - (upper - _COSINES[tens + 1]) * (rest // 100000) // 1000


def is_worth(place, last, move_m):
    """Return whether a place has to be told before its time. last: what was told last, or None; move_m: how far is far."""
    if last is None or place[0] == "gnss" and last[0] == "cell":
        return True
    if place[0] == "cell" and last[0] == "gnss":
        return False  # what it adds to a satellite fix is its error
    metres = move_m if place[0] == "gnss" else max(move_m, place[3], last[3])
    return is_beyond(place[1:3], last[1:3], metres)


def tell(room, fix, cell, why, is_due):
    """Report what a look of a `position.Position` has found, if it is worth it.

    fix: of `modem.gnss_fix()` and believed, or None. cell: of `modem.cell_location()`, or None. why: text, the reason why there
    is neither. is_due: whether a report is due in any case.
    """
    clock = room._clock
    place = None
    if fix:
        place = ("gnss", fix[0], fix[1], (fix[2] + 9) // 10)
        if fix[3] is not None and not clock.known:
            clock.set_ms(fix[3], "gnss")
    elif cell and is_place(cell[0], cell[1]):
        place = ("cell",) + cell
    now_s = clock.now_s()
    if place is None and now_s < _GRACE_S:
        return
    config = room._config
    if not (is_due or place and is_worth(place, room._place, config["position_move_m"])):
        return
    room._place = place
    period_s = config["position_period_s"]
    room._due_s = now_s + (period_s if place else min(period_s, _RETRY_S))
    moment = room._moment()
    if fix and fix[3] is not None:
        moment = (fix[3],) + moment[1:]
    content = _content(place, why, config["coordinates"] == "gcj02")
    room._report(protocol.stamped(content, moment))


def _content(place, why, is_gcj02):
    """Return the content of an EF: of a place, or of the reason why there is none."""
    position = borrow("reports").position
    if place is None:
        return position("none", reason=why)
    source, lat_e7, lng_e7, accuracy_m = place
    system = "wgs84"
    if is_gcj02:
        system, lat_e7, lng_e7 = borrow("gcj02").convert(lat_e7, lng_e7)
    return position(source, lat_e7, lng_e7, system, accuracy_m)
