"""Where the terminal is: satellites, else the cell, else the reason why not; and when that is worth a report.

Owns the last reported place. Times are seconds since boot; what a place is says `places`.
"""

import asyncio

from micropython import const

from terminal.borrow import borrow

_ROUND_MS = const(15000)  # how often the receiver is asked


class Position:
    """Looks for the place and reports it.

    modem: has gnss_fix() and cell_location(). failure: what they raise, with a `code`. clock: `terminal.clock.Clock`, told the
    time by the satellites while nobody else has. config: coordinates, position_period_s (a report at least so often),
    position_move_m (and whenever the terminal has moved further). moment: returns now as `protocol.stamped` takes it. report:
    takes the stamped content of an EF. lock: has powered, whether the welder has power; then the cell is not asked, since that
    may keep the modem from telling of an order to stop for half a minute.
    """

    def __init__(self, modem, failure, clock, config, moment, report, lock):
        self._modem = modem
        self._failure = failure
        self._clock = clock
        self._config = config
        self._moment = moment
        self._report = report
        self._lock = lock
        self._place = None  # as last reported
        self._due_s = 0

    async def run(self):
        """Optional task: look every quarter of a minute, for ever."""
        while True:
            await self.look()
            await asyncio.sleep_ms(_ROUND_MS)

    async def look(self):
        """Look once, report what is worth it. The cell costs traffic: it is asked when a report is due. While the welder has
        power a report without a fix waits until it has none."""
        fix, why = await self._ask(self._modem.gnss_fix)
        if fix and not borrow("places").is_fix(fix):
            fix, why = None, "pseudo_fix"
        cell = None
        is_due = self._clock.now_s() >= self._due_s and (fix or not self._lock.powered)
        if is_due and not fix:
            cell, no_cell = await self._ask(self._modem.cell_location)
            why = "gnss %s, cell %s" % (why or "no_fix", no_cell or "no_place")
        borrow("places").tell(self, fix, cell, why, is_due)

    async def _ask(self, what):
        """Return (what the modem says, None), or (None, the code of its refusal)."""
        try:
            return await what(), None
        except self._failure as failure:
            return None, failure.code
