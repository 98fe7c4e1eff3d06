"""The recovery ladder: which rung to take after a failure, and when. A pure machine: facts and seconds in, a rung out.

It climbs one rung a failure and no further than needed; a link that held starts it at the bottom again. The first
three reboots come one after the other; after them at once, then after 10 min, 30 min, 1 h and hourly (Quectel TCP/IP
application note, p. 12). No more than thirty power or radio cycles in any 24 h: each wears the modem's flash
(EC200U release notes). `now_s` are seconds that never go backwards.
"""

from micropython import const

SOCKETS = 0  # close the sockets
CALL = 1  # close the data call and open it again
RADIO = 2  # CFUN=1,1: the modem restarts itself
POWER = 3  # the power key: off, on
RESET = 4  # the reset pin

_CYCLES_MAX = const(30)
_DAY_S = const(86400)
_FREE_REBOOTS = const(4)  # three, and one more at once
_WAITS_S = (600, 1800, 3600)


class Ladder:
    """Remembers the rung reached, the reboots since the link last held, and the cycles of the last 24 h."""

    def __init__(self):
        self._rung = -1
        self._reboots = 0
        self._last_s = 0  # of the last reboot
        self._cycles_s = [None] * _CYCLES_MAX  # when the last thirty cycles were, a ring
        self._next = 0  # the oldest of them

    def climb(self, now_s, lowest, rungs):
        """Choose the cure for a failure.

        lowest: the rung that can cure it at all; rungs: those that can be taken now (no key, no POWER; a deaf modem,
        no RADIO). Returns (rung, 0): taken, carry it out now; (None, seconds to wait before asking again), or
        (None, None) when there is nothing to take.
        """
        rung = self._choose(max(lowest, self._rung + 1), lowest, rungs)
        if rung is None:
            return None, None
        if rung >= RADIO:
            wait_s = self._wait_s(now_s)
            if wait_s > 0:
                return None, wait_s
            self._note_cycle(now_s)
        self._rung = rung
        return rung, 0

    def held(self):
        """The link has held: the next failure starts at the bottom."""
        self._rung = -1
        self._reboots = 0

    def _choose(self, first, lowest, rungs):
        above = [rung for rung in rungs if rung >= first]
        again = [rung for rung in rungs if rung >= max(lowest, RADIO)]  # past the top: the reboots in turn
        return min(above) if above else min(again) if again else None

    def _wait_s(self, now_s):
        due_s = now_s
        if self._reboots >= _FREE_REBOOTS:
            due_s = self._last_s + _WAITS_S[min(self._reboots - _FREE_REBOOTS, len(_WAITS_S) - 1)]
        oldest_s = self._cycles_s[self._next]
        if oldest_s is not None:
            due_s = max(due_s, oldest_s + _DAY_S)
        return due_s - now_s

    def _note_cycle(self, now_s):
        self._reboots += 1
        self._last_s = now_s
        self._cycles_s[self._next] = now_s
        self._next = (self._next + 1) % _CYCLES_MAX
