"""Replays a clock's life: a list of steps, each ticked on by some ms; ticks wrap at 2^30 on either
interpreter.
"""

from terminal.clock import Clock
from terminal.wall import civil, unix_ms

_RING = 1 << 30


class Timer:
    """Stands for the module time; ticks: a list of the one count, which does not wrap."""

    def __init__(self, ticks):
        self._ticks = ticks

    def ticks_ms(self):
        return self._ticks[0] % _RING

    def ticks_diff(self, later, earlier):
        return (later - earlier + _RING // 2) % _RING - _RING // 2


def run(case):
    """case: {"civil": [ms, ...]} or {"start": ticks, "steps": [[ms, what, ...], ...]}; returns what was
    seen.
    """
    if "civil" in case:
        return [list(civil(ms)) + [unix_ms(*civil(ms)[:7])] for ms in case["civil"]]
    ticks = [case["start"]]
    rtc = []
    clock = Clock(Timer(ticks), rtc.append)
    seen = []
    for step in case["steps"]:
        ticks[0] += step[0]
        answer = clock.set_ms(step[1], step[2]) if len(step) > 1 else None
        seen.append([clock.now_s(), clock.boot_ms(), clock.wall_ms(), clock.unix_s(), answer, clock.disputed])
    return {
        "seen": seen,
        "rtc": [list(time) for time in rtc],
        "refused": clock.refused,
        "source": clock.source,
    }
