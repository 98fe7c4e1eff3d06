"""Wall time: whether the clock believes a reading of it, and dates. Borrowed when a reading comes.

The other half of `clock`: it alone sets that room's private attributes. Integer milliseconds since 1970, UTC.
"""

from micropython import const

from terminal.clock import PLATFORM

_FIRST_MS = 1704067200000  # 2024-01-01: before this firmware
_LAST_MS = 4102444800000  # 2100-01-01
_SMALL_MS = const(300000)  # a correction up to here is applied at once
_AGREE_MS = const(30000)  # two readings of another time belong together when they lie this close
_RTC_STEP_MS = const(2000)  # the chip's clock is set again only for more than this
_DAYS_TO_1970 = const(719468)  # from 0000-03-01
_DAYS_OF_ERA = const(146097)  # 400 years


def take(clock, time_ms, source):
    """Do what `Clock.set_ms` promises."""
    if not _FIRST_MS <= time_ms < _LAST_MS:
        clock.refused += 1
        return False
    if not clock.known:
        _follow(clock, time_ms, source)
        return True
    error_ms = time_ms - clock.wall_ms()
    if abs(error_ms) <= _SMALL_MS:
        _agree(clock, time_ms, error_ms, source)
        return True
    return _doubt(clock, time_ms, error_ms, source)


def _agree(clock, time_ms, error_ms, source):
    clock._doubt_ms = None
    if clock._by_platform == (source == PLATFORM):
        clock.disputed = False
    if clock.source == PLATFORM:
        source = PLATFORM  # what the platform has proved stays proved
    _follow(clock, time_ms, source, abs(error_ms) >= _RTC_STEP_MS)


def _doubt(clock, time_ms, error_ms, source):
    twice = clock._doubt_ms is not None and abs(error_ms - clock._doubt_ms) <= _AGREE_MS
    clock._doubt_ms = error_ms
    if twice and PLATFORM in (source, clock.source):
        clock.disputed = True
        clock._by_platform = source == clock.source
    if twice and (source == PLATFORM or clock.source != PLATFORM):
        clock._doubt_ms = None
        _follow(clock, time_ms, source)
        return True
    clock.refused += 1
    return False


def _follow(clock, time_ms, source, set_rtc=True):
    clock._at_boot_ms = time_ms - clock.boot_ms()
    clock.known = True
    clock.source = source
    if clock._set_rtc and set_rtc:
        year, month, day, hour, minute, second, ms, weekday = civil(time_ms)
        clock._set_rtc((year, month, day, weekday, hour, minute, second, ms * 1000))


# ---- dates


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
