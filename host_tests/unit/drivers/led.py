"""Replays a lamp: what it shows at each step, and its task until it has slept so many times."""

import asyncio

from terminal import lamp, led


class _Pin:
    OUT = 3

    def __init__(self, number, mode, value=None):
        self.shown = [[number, mode, value]]

    def value(self, level):
        self.shown.append(level)


class _Hardware:
    Pin = _Pin


class _Driver:
    def __init__(self):
        self.pin = None

    def other(self, output):
        self.pin = _Pin(output, None)
        return self.pin


class _Enough(Exception):
    """The task has slept often enough."""


class _Sleeps:
    """Stands for asyncio in the room."""

    def __init__(self, lengths, count):
        self._lengths = lengths
        self._count = count

    async def sleep_ms(self, ms):
        self._lengths.append(ms)
        if len(self._lengths) >= self._count:
            raise _Enough()


def run(case):
    """case: {"led": the board's, "steps": [reason or None (a step on), ...], "sleeps": n of the task}."""
    driver = _Driver()
    light = lamp.make({"led": case["led"]}, _Hardware, driver)
    lengths = []
    for reason in case["steps"]:
        if reason is None:
            lengths.append(light.step())
        else:
            light.show(reason)
    if "sleeps" in case:
        led.asyncio = _Sleeps(lengths, case["sleeps"])
        try:
            asyncio.run(light.run())
        except _Enough:
            pass
        finally:
            led.asyncio = asyncio
    return {
        "lengths": lengths,
        "shown": light.pin.shown if light.pin else None,
        "driver": driver.pin is not None,
    }
