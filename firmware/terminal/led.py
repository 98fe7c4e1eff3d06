"""The status lamp: one blinking pattern for each reason why the welder has, or has no, power.

Owns the lamp's pin. The flashes are counted by the welder.
"""

import asyncio

from micropython import const

_UNIT_MS = const(100)
# Each reason and its pattern: one hexadecimal digit says how many units it is on, off, on, off, and so on; an odd one out is a
# lamp that does not blink. One text takes less of the heap than a table.
PATTERNS = "ok a not_scanned 1e no_network 222c no_sim 22222c refused 2222222c out_of_service 8228 barred aa fault 11"


class Led:
    """Blinks a pin. pin: has value(level), or None where there is no lamp. active: the level of light."""

    def __init__(self, pin, active):
        self.pin = pin
        self._active = active
        self._pattern = "11"
        self._step = 0

    def show(self, reason):
        """Show why the welder has no power ("ok" when it has). ValueError for a reason without a pattern."""
        words = PATTERNS.split(" ")
        pattern = words[words.index(reason) + 1]
        if pattern != self._pattern:
            self._pattern = pattern
            self._step = 0

    def step(self):
        """Set the lamp for the next piece of the pattern; return its length in ms."""
        pattern = self._pattern
        step = self._step
        self._step = (step + 1) % len(pattern)
        if self.pin:
            self.pin.value(1 - self._active if step & 1 else self._active)
        return int(pattern[step], 16) * _UNIT_MS

    async def run(self):
        """Optional task: blink for ever. A new reason shows within 1.4 s."""
        while True:
            await asyncio.sleep_ms(self.step())
