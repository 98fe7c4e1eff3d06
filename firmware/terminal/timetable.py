"""What time alone does to the interlock: one table of changes, and the search for what comes next. Pure.

Owns what is known of the session and of the timers' announcements. All times are whole seconds since boot. A timer is not
started or stopped: its end is reckoned from what the machine knows, so that it cannot disagree with it.
"""

from micropython import const

from terminal.records import Memory

_LOCKED = const("LOCKED")
_AUTHORISED = const("AUTHORISED")
_EMERGENCY = const("EMERGENCY")
_HANDOVER = const("HANDOVER")

# What time alone brings: a state to enter, else the cause of a lock; at one second the upper row wins. Rows 0 is for LOCKED,
# from 1 for AUTHORISED, from 3 for EMERGENCY, from 5 for HANDOVER: `_ends` has their timers. Announced a minute before as
# the phrase "<row>_soon", but for the outage in a hand-over, which is at once.
CHANGES = (
    _EMERGENCY,
    "authorised_max",
    "idle",
    "emergency_max",
    _HANDOVER,
    _EMERGENCY,
    "handover_end",
    "emergency_end",
)
_AT_ONCE = const(5)
_NOTICE_S = const(60)
_NEVER = const(0x3FFFFFFF)  # 34 years after boot, and still a small int
_CHANGE = const(0)  # what comes next: a row of CHANGES,
_FORGET = const(1)  # the session is stable,
_POWER = const(2)  # the switching interval is over,
_NOTICE = const(3)  # a row of CHANGES is announced

_CAP_S = const(14400)  # the doubled wait for fail-open ends at 4 h
_PULLED = const(4)  # a pulled SIM waits so many times as long


class Timetable(Memory):
    """The part of the interlock that reckons. `_next` is (second, what, row of CHANGES), (_NEVER, 0, 0) for nothing."""

    def _session(self, cause):
        """Take why the session is down, None while it is up; an outage runs on from one counting cause to the next."""
        if cause is None and self._cause is not None:
            self._up_since = self.now
        self._cause = cause
        is_outage = self._firmware_failed or cause in self._causes and not self.refused
        if is_outage and self._outage_since is None:
            self._outage_since = self.now
            self._sum_s += self.now - self._quiet_since
        elif not is_outage and self._outage_since is not None:
            self._outage_since = None
            self._quiet_since = self.now
        return self._end()

    def _reckon(self):
        """Find what comes next. At one second: changes first, then the session, powering, notices."""
        self._next = (_NEVER, 0, 0)
        row, ends = self._ends()
        for k, end in enumerate(ends):
            if self._said[k] != end:
                self._said[k] = None  # another end is another run of the timer
            if end is not None:
                self._offer(end, _CHANGE, row)
                if self._said[k] is None and row != _AT_ONCE:
                    self._offer(end - _NOTICE_S, _NOTICE, row)
            row += 1
        if self._over and self._cause is None:
            self._offer(self._up_since + self._stable_s, _FORGET, 0)
        if self._power_at is not None:
            self._offer(self._power_at, _POWER, 0)

    def _offer(self, at, deed, row):
        self._next = min(self._next, (max(at, self.now), deed, row))

    def _announced(self):
        """Return the rows of CHANGES that were announced, a bit each."""
        row, ends = self._ends()
        bits = 0
        for said in self._said[: len(ends)]:
            bits |= (said is not None) << row
            row += 1
        return bits

    def _ends(self):
        """Return (the state's first row of CHANGES, the seconds at which its timers end; None for one that does not run)."""
        if self.state == _LOCKED:
            return 0, (self._fail_open_end(),)
        if self.state == _AUTHORISED:
            return 1, (self._since + self._authorised_max_s, self._still_end(self._idle_lock_s))
        if self.state == _EMERGENCY:
            return 3, (self._emergency_since + self._emergency_max_s, self._handover_at())
        return 5, (
            None if self._outage_since is None else self.now,
            self._quiet_since + self._handover_max_s - self._sum_s,
            self._still_end(self._handover_idle_s),
        )

    def _fail_open_end(self):
        if self._outage_since is None or self.barred or self.refused or self.is_out_of_service:
            return None
        wait_s = min(self._fail_open_s << self._over, max(self._fail_open_s, _CAP_S))
        if self._cause == "sim_pulled":
            wait_s *= _PULLED
        return max(self._outage_since, self._since, self._obeyed_at) + wait_s

    def _still_end(self, idle_s):
        return None if self._still_since is None or not idle_s else max(self._since, self._still_since) + idle_s

    def _handover_at(self):
        if self._firmware_failed:
            return None
        if self.refused:
            return self.now
        return None if self._outage_since is not None else self._quiet_since + self._stable_s
