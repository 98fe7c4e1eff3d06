"""Two clocks in one room: seconds since boot, and wall time once the network has told it.

Owns the count of ticks since boot (the tick counter wraps every 12.4 days; it is read at least once a minute)
and the wall time at boot in integer milliseconds since 1970. Whole numbers throughout: a single-precision
float cannot hold either.
"""

from micropython import const

_FIRST_MS = 1704067200000  # 2024-01-01: before this firmware
_LAST_MS = 4102444800000  # 2100-01-01
_SMALL_MS = const(300000)  # a correction up to here is applied at once
_AGREE_MS = const(30000)  # two readings of another time belong together when they lie this close
_RTC_STEP_MS = const(2000)  # the chip's clock is set again only for more than this
_DAYS_TO_1970 = const(719468)  # from 0000-03-01
_DAYS_OF_ERA = const(146097)  # 400 years

PLATFORM = "platform"  # told through a verified TLS session; any other source is the network's word


def unix_ms(year, month, day, hour=0, minute=0, second=0, ms=0):
    """Return milliseconds since 1970 of a UTC date and time (proleptic Gregorian)."""
    shifted = (month + 9) % 12  # March is 0: the leap day comes last
    year -= month <= 2
    era = year // 400
    of_era = year - era * 400
    days = of_era * 365 + of_era // 4 - of_era // 100 + (153 * shifted + 2) // 5 + day - 1
    days += era * _DAYS_OF_ERA - _DAYS_TO_1970
    return (((days * 24 + hour) * 60 + minute) * 60 + second) * 1000 + ms


def civil(time_ms):
    """Return (year, month, day, hour, minute, second, ms, weekday) in UTC; weekday 0 is Monday."""
    days, rest = divmod(time_ms, 86400000)
    weekday = (days + 3) % 7
    days += _DAYS_TO_1970
    era, of_era = divmod(days, _DAYS_OF_ERA)
    year = (of_era - of_era // 1460 + of_era // 36524 - of_era // 146096) // 365
    of_year = of_era - (365 * year + year // 4 - year // 100)
    shifted = (5 * of_year + 2) // 153
    day = of_year - (153 * shifted + 2) // 5 + 1
    month = (shifted + 2) % 12 + 1
    second, ms = divmod(rest, 1000)
    minute, second = divmod(second, 60)
    hour, minute = divmod(minute, 60)
    return (year + era * 400 + (month <= 2), month, day, hour, minute, second, ms, weekday)


class Clock:
    """Counts the seconds since boot and keeps the wall time.

    ticks_ms, ticks_diff: as in MicroPython's `time`. set_rtc: called with machine.RTC().datetime's tuple
    (UTC) whenever the chip's clock has to follow, so that certificates verify; a record of RTC seconds must
    be renewed after that.
    """

    def __init__(self, ticks_ms, ticks_diff, set_rtc=None):
        self.known = False
        self.source = None  # name of the source last believed
        self.disputed = False  # alarm "clock": a source differs from the platform's time, twice in a row
        self.refused = 0  # readings that were not believed
        self._ticks_ms = ticks_ms
        self._ticks_diff = ticks_diff
        self._set_rtc = set_rtc
        self._last = ticks_ms()
        self._seconds = 0
        self._part_ms = 0
        self._at_boot_ms = 0  # wall time when the count of seconds began
        self._doubt_ms = None  # the other time's distance from ours, as a source claimed it last
        self._by_platform = False  # who has to agree again before the dispute is over

    def now_s(self):
        """Return whole seconds since boot; to be called at least once a minute (six days is the end)."""
        now = self._ticks_ms()
        step = self._ticks_diff(now, self._last)
        self._last = now
        if step > 0:
            self._part_ms += step
            if self._part_ms >= 1000:
                self._seconds += self._part_ms // 1000
                self._part_ms %= 1000
        return self._seconds

    def boot_ms(self):
        """Return milliseconds since boot."""
        return self.now_s() * 1000 + self._part_ms

    def wall_ms(self):
        """Return the wall time in ms since 1970, or None while it is unknown."""
        return self._at_boot_ms + self.boot_ms() if self.known else None

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
        platform where its time is known.
        """
        if not _FIRST_MS <= time_ms < _LAST_MS:
            self.refused += 1
            return False
        if not self.known:
            self._follow(time_ms, source)
            return True
        error_ms = time_ms - self.wall_ms()
        if abs(error_ms) <= _SMALL_MS:
            self._agree(time_ms, error_ms, source)
            return True
        return self._doubt(time_ms, error_ms, source)

    def _agree(self, time_ms, error_ms, source):
        self._doubt_ms = None
        if self._by_platform == (source == PLATFORM):
            self.disputed = False
        if self.source == PLATFORM:
            source = PLATFORM  # what the platform has proved stays proved
        self._follow(time_ms, source, abs(error_ms) >= _RTC_STEP_MS)

    def _doubt(self, time_ms, error_ms, source):
        twice = self._doubt_ms is not None and abs(error_ms - self._doubt_ms) <= _AGREE_MS
        self._doubt_ms = error_ms
        if twice and PLATFORM in (source, self.source):
            self.disputed = True
            self._by_platform = source == self.source
        if twice and (source == PLATFORM or self.source != PLATFORM):
            self._doubt_ms = None
            self._follow(time_ms, source)
            return True
        self.refused += 1
        return False

    def _follow(self, time_ms, source, set_rtc=True):
        self._at_boot_ms = time_ms - self.boot_ms()
        self.known = True
        self.source = source
        if self._set_rtc and set_rtc:
            year, month, day, hour, minute, second, ms, weekday = civil(time_ms)
            self._set_rtc((year, month, day, weekday, hour, minute, second, ms * 1000))
