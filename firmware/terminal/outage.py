"""Whether the platform is out of reach, since when, and how long fail-open waits for it. Pure; the interlock
owns one.

All times are whole seconds since boot, durations in seconds.
"""

from micropython import const

# every cause of being down but for NEVER_COUNT, which are no outage whatever the configuration says
OUTAGE_CAUSES = (
    "modem_dead",
    "no_sim",
    "sim_pulled",
    "no_signal",
    "no_registration",
    "no_data_call",
    "no_route",
    "untrusted",
    "clock_unknown",
    "no_answer",
)
NEVER_COUNT = ("refused", "taken_over")

_CAP_S = const(14400)  # the doubled wait ends at 4 h
_OVER_MAX = const(14)  # doublings that count: even 1 s doubled so often is past 4 h
_PULLED = const(4)  # a pulled SIM waits so many times as long


class Outage:
    """The session's history, as far as the interlock needs it.

    causes: names that count as an outage. wait_s: fail_open_after_s. firmware_failed: an outage runs whatever
    the session says. The session counts as down since now_s, because of the modem.
    """

    def __init__(self, causes, wait_s, now_s, firmware_failed=False):
        self.cause = "modem_dead"  # None while the session is up
        self.is_up = False
        self.up_since = now_s
        self.since = None  # the outage's start, None while there is none
        self.quiet_since = now_s  # the end of the last outage
        self.sum_s = 0  # without outage since the emergency began, not counting the time from quiet_since on
        self.over = 0  # emergencies ended by emergency_max since the last stable session
        self._causes = tuple(cause for cause in causes if cause not in NEVER_COUNT)
        self._wait_s = wait_s
        self._firmware_failed = firmware_failed

    def up(self, now_s):
        """The session is up."""
        if not self.is_up:
            self.is_up = True
            self.up_since = now_s
        self.cause = None
        self._weigh(now_s, False)

    def down(self, now_s, cause, refused):
        """The session is down for this cause. refused: the platform's verdict stands: no outage."""
        self.is_up = False
        self.cause = cause
        self._weigh(now_s, refused)

    def emergency_began(self):
        """The sum of the time without outage starts again."""
        self.sum_s = 0

    def emergency_over(self):
        """An emergency lasted as long as it may: the next wait is doubled."""
        self.over = min(self.over + 1, _OVER_MAX)

    def quiet_s(self, now_s):
        """Return the seconds without outage since the emergency began."""
        return self.sum_s + (now_s - self.quiet_since if self.since is None else 0)

    def wait_s(self):
        """Return how long fail-open waits now."""
        wait_s = min(self._wait_s << self.over, max(self._wait_s, _CAP_S))
        return wait_s * _PULLED if self.cause == "sim_pulled" else wait_s

    def _weigh(self, now_s, refused):
        counts = not self.is_up and not refused and self.cause in self._causes
        if counts or self._firmware_failed:
            if self.since is None:
                self.since = now_s
                self.sum_s += now_s - self.quiet_since
        elif self.since is not None:
            self.since = None
            self.quiet_since = now_s
