"""Where the terminal is: satellites, else the cell, else the reason why not; and when that is worth a report.

Owns the last reported place. Times are seconds since boot; what a place is says `places`.
"""

import asyncio

from micropython import const

from terminal.borrow import borrow

_ROUND_MS = const(15000)  # how often the receiver is asked
_GRACE_S = const(150)  # a cold start needs 95 s to a fix: before that "none" is not worth saying
_RETRY_S = const(600)  # after a report without a place


class Position:
    """Looks for the place and reports it.

    modem: has gnss_fix() and cell_location(). failure: what they raise, with a `code`. clock: `terminal.clock.Clock`, told the
    time by the satellites while nobody else has. config: coordinates, position_period_s (a report at least so often),
    position_move_m (and whenever the terminal has moved further). moment: returns now as `protocol.stamped` takes it. report:
    takes the stamped content of an EF.
    """

    def __init__(self, modem, failure, clock, config, moment, report):
        self._modem = modem
        self._failure = failure
        self._clock = clock
        self._config = config
        self._moment = moment
        self._report = report
        self._place = None  # as last reported
        self._due_s = 0

    async def run(self):
        """Optional task: look every quarter of a minute, for ever."""
        while True:
            await self.look()
            await asyncio.sleep_ms(_ROUND_MS)

    async def look(self):
        """Look once, report what is worth it. The cell costs traffic: it is asked when a report is due."""
        place = None
        fix, reason = await self._ask(self._modem.gnss_fix)
        places = borrow("places")
        if fix and not places.is_fix(fix):
            fix, reason = None, "pseudo_fix"
        if fix:
            place = ("gnss", fix[0], fix[1], (fix[2] + 9) // 10)
            if fix[3] is not None and not self._clock.known:
                self._clock.set_ms(fix[3], "gnss")
        elif self._clock.now_s() >= self._due_s:
            cell, why = await self._ask(self._modem.cell_location)
            if cell and places.is_place(cell[0], cell[1]):
                place = ("cell",) + cell
            reason = "gnss " + (reason or "no_fix") + ", cell " + (why or "no_place")
        now_s = self._clock.now_s()
        if place is None and now_s < _GRACE_S:
            return
        if now_s < self._due_s and not (place and places.is_worth(place, self._place, self._config["position_move_m"])):
            return
        self._place = place
        period_s = self._config["position_period_s"]
        self._due_s = now_s + (period_s if place else min(period_s, _RETRY_S))
        moment = self._moment()
        if fix and fix[3] is not None:
            moment = (fix[3],) + moment[1:]
        self._report(places.content(place, reason, moment, self._config["coordinates"] == "gcj02"))

    async def _ask(self, what):
        """Return (what the modem says, None), or (None, the code of its refusal)."""
        try:
            return await what(), None
        except self._failure as failure:
            return None, failure.code
