"""The ESP32's `time` on the host: epoch 2000, whole seconds, ticks that wrap at 2^30. The frozen asyncio
imports it too.

State: the speed of time and where it began. Real or accelerated (HANMA_TIME_FACTOR terminal seconds per host
second), or virtual: then `_virtual(clock)` gave an object that has `ms` and `advance(ms)`. HANMA_TICKS_START
is the tick count at boot, to see a wrap soon. The clock of the day is kept in `rtc.json`, so that it runs on
through every reset.
"""

import hanma_port
import utime

_MASK = (1 << 30) - 1
_HALF = 1 << 29
_UNIX_2000 = 946684800
_MONTH_STARTS = (0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334)

_factor = hanma_port.FACTOR
_start_ms = int(hanma_port.os.getenv("HANMA_TICKS_START") or 0)
_boot_host_ms = utime.ticks_ms()
_boot_host_us = hanma_port.host_us()
_clock = None  # the virtual clock
_day = None  # (clock in µs since 2000, host's µs when it read that)


def _virtual(clock):
    """Let time come from `clock`: `clock.ms` since the start, `clock.advance(ms)` moves it on."""
    global _clock, _day
    _clock = clock
    _day = (0, _source_us())


def _source_us():
    return _clock.ms * 1000 if _clock else hanma_port.host_us()


def ticks_ms():
    """Return ms since boot, wrapped at 2^30."""
    if _clock:
        return (_clock.ms + _start_ms) & _MASK
    return (utime.ticks_diff(utime.ticks_ms(), _boot_host_ms) * _factor + _start_ms) & _MASK


def ticks_us():
    """Return µs since boot, wrapped at 2^30 (18 minutes)."""
    if _clock:
        return _clock.ms * 1000 & _MASK
    return (hanma_port.host_us() - _boot_host_us) * _factor & _MASK


ticks_cpu = ticks_us

if utime.ticks_diff(0, _MASK) == 1:  # a port whose own ticks wrap at 2^30
    ticks_diff = utime.ticks_diff
    ticks_add = utime.ticks_add
else:

    def ticks_diff(later, earlier):
        """Return later - earlier on the ring of 2^30, -2^29 to 2^29-1."""
        return ((later - earlier + _HALF) & _MASK) - _HALF

    def ticks_add(ticks, delta):
        """Return ticks moved on by delta; raises OverflowError when |delta| is 2^29 or more."""
        if not -_HALF < delta < _HALF:
            raise OverflowError("ticks interval overflow")
        return (ticks + delta) & _MASK


def sleep_us(us):
    """Sleep (block) for us terminal µs."""
    if _clock:
        _clock.advance((us + 999) // 1000)
    else:
        utime.sleep_us(us // _factor)


def sleep_ms(ms):
    """Sleep (block) for ms terminal ms."""
    if _clock:
        _clock.advance(ms)
    else:
        utime.sleep_us(ms * 1000 // _factor)


def sleep(s):
    """Sleep (block) for s terminal seconds."""
    sleep_us(int(s * 1000000))


def _load_day():
    """Read the clock of the day, or start it at 2000-01-01 as after power-on."""
    global _day
    kept = hanma_port.read_json("rtc.json")
    if "clock_us" in kept:
        _day = (kept["clock_us"], kept["host_us"])
    else:
        _set_clock_us(0)


def _clock_us():
    """Return the clock of the day in µs since 2000."""
    if _day is None:
        _load_day()
    elapsed = _source_us() - _day[1]
    return _day[0] + (elapsed if _clock else elapsed * _factor)


def _set_clock_us(us):
    global _day
    _day = (us, _source_us())
    if not _clock:
        kept = hanma_port.read_json("rtc.json")
        kept["clock_us"], kept["host_us"] = _day
        hanma_port.write_json("rtc.json", kept)


def time():
    """Return whole seconds since 2000-01-01; counted from power-on until the clock is set."""
    return _clock_us() // 1000000


def time_ns():
    """Return ns since 2000-01-01, in steps of 1 µs."""
    return _clock_us() * 1000


def _leap(year):
    return year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)


def _days_before_year(year):
    """Return the days from 2000-01-01 to 1 January of year."""
    last = year - 1
    return year * 365 + last // 4 - last // 100 + last // 400 - 730484


def localtime(seconds=None):
    """Return (year, month, day, hour, minute, second, weekday 0 = Monday, day of the year), eight items."""
    seconds = time() if seconds is None else int(seconds)
    days, second = divmod(seconds, 86400)
    year = 2000 + days // 366
    while _days_before_year(year + 1) <= days:
        year += 1
    yearday = days - _days_before_year(year)
    month = 12
    while _month_start(year, month) > yearday:
        month -= 1
    day = yearday - _month_start(year, month) + 1
    clock = (second // 3600, second // 60 % 60, second % 60)
    return (year, month, day) + clock + ((days + 5) % 7, yearday + 1)


gmtime = localtime


def _month_start(year, month):
    return _MONTH_STARTS[month - 1] + (1 if month > 2 and _leap(year) else 0)


def mktime(when):
    """Return seconds since 2000-01-01 of (year, month, day, hour, minute, second, …)."""
    year, month, day, hour, minute, second = when[:6]
    year, month = year + (month - 1) // 12, (month - 1) % 12 + 1
    days = _days_before_year(year) + _month_start(year, month) + day - 1
    return days * 86400 + hour * 3600 + minute * 60 + second
