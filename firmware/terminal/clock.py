"""Two clocks in one room: seconds since boot, and wall time once the network has told it.

Owns the count of ticks since boot (the tick counter wraps every 12.4 days; it is read at least once a minute)
and the wall time at boot in integer milliseconds since 1970. Whole numbers throughout: a single-precision
float cannot hold either. What a reading of the wall time is worth is decided in `wall`.
"""

from terminal.borrow import borrow

PLATFORM = "platform"  # told through a verified TLS session; any other source is the network's word


class Clock:
    """Counts the seconds since boot and keeps the wall time.

    timer: has ticks_ms and ticks_diff of MicroPython's `time`. set_rtc: called with machine.RTC().datetime's tuple
    (UTC) whenever the chip's clock has to follow, so that certificates verify; a record of RTC seconds must
    be renewed after that.
    """

    def __init__(self, timer, set_rtc=None):
        self.known = False
        self.source = None  # name of the source last believed
        self.disputed = False  # alarm "clock": a source differs from the platform's time, twice in a row
        self.refused = 0  # readings that were not believed
        self._timer = timer
        self._set_rtc = set_rtc
        self._last = timer.ticks_ms()
        self._seconds = 0
        self._part_ms = 0
        self._at_boot_ms = 0  # wall time when the count of seconds began
        self._doubt_ms = None  # the other time's distance from ours, as a source claimed it last
        self._by_platform = False  # who has to agree again before the dispute is over

    def now_s(self):
        """Return whole seconds since boot; to be called at least once a minute (six days is the end)."""
        timer = self._timer
        now = timer.ticks_ms()
        step_ms = timer.ticks_diff(now, self._last)
        self._last = now
        if step_ms > 0:
            step_ms += self._part_ms
            self._seconds += step_ms // 1000
            self._part_ms = step_ms % 1000
        return self._seconds

    def boot_ms(self):
        """Return milliseconds since boot."""
        return self.now_s() * 1000 + self._part_ms

    def wall_ms(self):
        """Return the wall time in ms since 1970, or None while it is unknown."""
        return self.boot_ms() + self._at_boot_ms if self.known else None

    def unix_s(self):
        """Return the wall time in whole seconds since 1970, or None while it is unknown."""
        return self.wall_ms() // 1000 if self.known else None

    def wall_ms_of(self, boot_s):
        """Return the wall time of a second of this boot in ms; None while the clock is unknown.

        The second may lie before the clock was set: a record gets its wall time when it is reported.
        """
        return self._at_boot_ms + boot_s * 1000 if self.known else None

    def set_ms(self, time_ms, source):
        """Take a reading of the wall time.

        time_ms: ms since 1970, UTC, as of now. source: PLATFORM for a time proved by TLS, else any name.
        Returns True when the clock follows it. A jump of more than 300 s must be claimed twice, and by the
        platform where its time is known. One that comes when the code for it cannot be had is not believed.
        """
        try:
            wall = borrow("wall")
        except (ImportError, OSError, MemoryError):
            self.refused += 1
            return False
        return wall.take(self, time_ms, source)
