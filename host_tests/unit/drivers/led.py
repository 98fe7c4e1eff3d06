"""Replays a lamp: what it shows at each step."""

from terminal import led


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


def run(case):
    """case: {"led": the board's, "steps": [reason or None, ...]}: None steps on; returns lengths and levels."""
    driver = _Driver()
    lamp = led.make({"led": case["led"]}, _Hardware, driver)
    lengths = []
    for reason in case["steps"]:
        if reason is None:
            lengths.append(lamp.step())
        else:
            lamp.show(reason)
    return {"lengths": lengths, "shown": lamp.pin.shown if lamp.pin else None, "driver": driver.pin is not None}
