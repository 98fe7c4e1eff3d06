"""What time alone does to the interlock: one table of changes, and the search for what comes next. Pure.

All times are whole seconds since boot. A timer is not started or stopped: its end is reckoned from what the
interlock knows, so that it cannot disagree with it. The interlock owns one Timetable and lets it read its
attributes.
"""

from micropython import const

from terminal.records import AUTHORISED, EMERGENCY, HANDOVER, LOCKED

NEVER = const(0x3FFFFFFF)  # 34 years after boot, and still a small int
CHANGE = const(0)  # kinds of deed: a row of CHANGES,
FORGET = const(1)  # the session is stable,
POWER = const(2)  # the switching interval is over,
NOTICE = const(3)  # a row of CHANGES is announced

_NOTICE_S = const(60)  # every change by time is announced a minute before


# Each returns the second at which its timer ends, or None while it does not run.


def _fail_open_due(lock):
    if lock.outage.since is None or lock.barred or lock.refused or lock.is_out_of_service:
        return None
    return max(lock.outage.since, lock.since, lock.obeyed_at) + lock.outage.wait_s()


def _authorised_max_due(lock):
    return lock.since + lock.settings["authorised_max_s"]


def _idle_due(lock):
    idle_s = lock.settings["idle_lock_s"]
    if lock.still_since is None or not idle_s:
        return None
    return max(lock.since, lock.still_since) + idle_s


def _emergency_max_due(lock):
    return lock.emergency_since + lock.settings["emergency_max_s"]


def _handover_due(lock):
    if lock.firmware_failed:
        return None
    if lock.refused:
        return lock.now
    return None if lock.outage.since is not None else lock.outage.quiet_since + lock.settings["link_stable_s"]


def _outage_due(lock):
    return None if lock.outage.since is None else lock.now


def _handover_max_due(lock):
    return lock.outage.quiet_since + lock.settings["handover_max_s"] - lock.outage.sum_s


def _handover_idle_due(lock):
    if lock.still_since is None:
        return None
    return max(lock.since, lock.still_since) + lock.settings["handover_idle_s"]


# (state, end of the timer, next state, cause of the off event, phrase a minute before);
# at one second the upper row wins
CHANGES = (
    (LOCKED, _fail_open_due, EMERGENCY, None, "emergency_soon"),
    (AUTHORISED, _authorised_max_due, LOCKED, "authorised_max", "authorised_max_soon"),
    (AUTHORISED, _idle_due, LOCKED, "idle", "idle_soon"),
    (EMERGENCY, _emergency_max_due, LOCKED, "emergency_max", "emergency_max_soon"),
    (EMERGENCY, _handover_due, HANDOVER, None, "handover_soon"),
    (HANDOVER, _outage_due, EMERGENCY, None, None),
    (HANDOVER, _handover_max_due, LOCKED, "handover_end", "handover_end_soon"),
    (HANDOVER, _handover_idle_due, LOCKED, "emergency_end", "emergency_end_soon"),
)


class Timetable:
    """What time does next: at the second `due` (NEVER for nothing) the deed `deed`, for `row` of CHANGES."""

    def __init__(self):
        self.due = NEVER
        self.deed = CHANGE
        self.row = 0
        self._ends = [None] * len(CHANGES)
        # the end that was announced; another end is another run of the timer
        self._said = [None] * len(CHANGES)

    def reckon(self, lock):
        """Find what comes next. At one second: changes first, then the session, powering, notices."""
        self.due = NEVER
        for k in range(len(CHANGES)):
            row = CHANGES[k]
            end = row[1](lock) if row[0] == lock.state else None
            self._ends[k] = end
            if self._said[k] != end:
                self._said[k] = None
            if end is not None:
                self._offer(lock.now, end, CHANGE, k)
        if lock.outage.over and lock.outage.is_up:
            self._offer(lock.now, lock.outage.up_since + lock.settings["link_stable_s"], FORGET, 0)
        if lock.power_at is not None:
            self._offer(lock.now, lock.power_at, POWER, 0)
        for k in range(len(CHANGES)):
            if self._ends[k] is not None and self._said[k] is None and CHANGES[k][4]:
                self._offer(lock.now, self._ends[k] - _NOTICE_S, NOTICE, k)

    def announced(self, k):
        """The row k was announced; not again in this run of its timer. Returns the phrase."""
        self._said[k] = self._ends[k]
        return CHANGES[k][4]

    def pack(self):
        """Return the rows that were announced, a bit each."""
        bits = 0
        for k in range(len(CHANGES)):
            if self._said[k] is not None:
                bits |= 1 << k
        return bits

    def restore(self, bits, lock):
        """Take the bits of pack() for the timers as they run now; that of the link begins anew with the boot."""
        for k in range(len(CHANGES)):
            if bits & (1 << k) and CHANGES[k][1] is not _handover_due:
                self._said[k] = CHANGES[k][1](lock)

    def _offer(self, now, at, deed, row):
        at = max(at, now)
        if at < self.due:
            self.due = at
            self.deed = deed
            self.row = row
