"""Where the terminal is: satellites, else the cell, else the reason why not; and when that is worth a report.

Owns the last reported place. Coordinates are integers in 1e-7 degree, distances whole metres, times seconds
since boot.
"""

import asyncio

from micropython import const

from terminal import protocol
from terminal.borrow import borrow

_ROUND_MS = const(15000)  # how often the receiver is asked
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


class Tracker:
    """Decides which place is worth a report.

    period_s: at least so often. move_m: and whenever the terminal has moved further than this.
    """

    def __init__(self, period_s, move_m):
        self._period_s = period_s
        self._move_m = move_m
        self._place = None  # (source, lat_e7, lng_e7, accuracy_m), as last reported
        self._due_s = 0

    def is_due(self, now_s):
        """Return whether a report is due, wherever the terminal is."""
        return now_s >= self._due_s

    def wants(self, now_s, place):
        """Return whether this place has to be reported: (source, lat_e7, lng_e7, accuracy_m), or None."""
        if self.is_due(now_s):
            return True
        if place is None:
            return False
        last = self._place
        if last is None or place[0] == "gnss" and last[0] == "cell":
            return True
        if place[0] == "cell" and last[0] == "gnss":
            return False  # what it adds to a satellite fix is its error
        metres = self._move_m if place[0] == "gnss" else max(self._move_m, place[3], last[3])
        return is_beyond(place[1:3], last[1:3], metres)

    def reported(self, now_s, place):
        """The place was reported."""
        self._place = place
        self._due_s = now_s + (self._period_s if place else min(self._period_s, _RETRY_S))


class Position:
    """Looks for the place and reports it.

    modem: has gnss_fix() and cell_location(). failure: what they raise, with a `code`. clock:
    `terminal.clock.Clock`, told the time by the satellites while nobody else has. config: coordinates,
    position_period_s, position_move_m. moment: returns now as `protocol.stamped` takes it. report: takes
    the stamped content of an EF.
    """

    def __init__(self, modem, failure, clock, config, moment, report):
        self._modem = modem
        self._failure = failure
        self._clock = clock
        self._is_gcj02 = config["coordinates"] == "gcj02"
        self._tracker = Tracker(config["position_period_s"], config["position_move_m"])
        self._moment = moment
        self._report = report
        self._fix_ms = None

    async def run(self):
        """Optional task: look every quarter of a minute, for ever."""
        while True:
            await self.look()
            await asyncio.sleep_ms(_ROUND_MS)

    async def look(self):
        """Look once, report what is worth it. The cell costs traffic: it is asked when a report is due."""
        place, reason = await self._satellites()
        if place is None and self._tracker.is_due(self._clock.now_s()):
            place, why = await self._cell()
            reason = "gnss " + reason + ", cell " + why
        now_s = self._clock.now_s()
        if place is None and now_s < _GRACE_S:
            return
        if self._tracker.wants(now_s, place):
            self._tracker.reported(now_s, place)
            self._report(self._content(place, reason))

    async def _satellites(self):
        try:
            fix = await self._modem.gnss_fix()
        except self._failure as failure:
            return None, failure.code
        if fix is None:
            return None, "no_fix"
        if not is_fix(fix):
            return None, "pseudo_fix"
        self._fix_ms = fix[3]
        if self._fix_ms is not None and not self._clock.known:
            self._clock.set_ms(self._fix_ms, "gnss")
        return ("gnss", fix[0], fix[1], (fix[2] + 9) // 10), ""

    async def _cell(self):
        try:
            lat_e7, lng_e7, accuracy_m = await self._modem.cell_location()
        except self._failure as failure:
            return None, failure.code
        if not is_place(lat_e7, lng_e7):
            return None, "no_place"
        return ("cell", lat_e7, lng_e7, accuracy_m), ""

    def _content(self, place, reason):
        moment = self._moment()
        if place is None:
            return protocol.stamped(protocol.position("none", reason=reason), moment)
        source, lat_e7, lng_e7, accuracy_m = place
        if source == "gnss" and self._fix_ms is not None:
            moment = (self._fix_ms,) + moment[1:]
        system = "wgs84"
        if self._is_gcj02:
            system, lat_e7, lng_e7 = borrow("gcj02").convert(lat_e7, lng_e7)
        return protocol.stamped(protocol.position(source, lat_e7, lng_e7, system, accuracy_m), moment)
