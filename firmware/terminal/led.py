"""The status lamp: one blinking pattern for each reason why the welder has, or has no, power.

Owns the lamp's pin. Patterns are milliseconds on, off, on, off, and so on; the flashes are counted by the
welder.
"""

import asyncio

# reason: pattern; an odd one out is a lamp that does not blink
PATTERNS = {
    "ok": (1000,),
    "not_scanned": (100, 1400),
    "no_network": (200, 200, 200, 1200),
    "no_sim": (200, 200, 200, 200, 200, 1200),
    "refused": (200, 200, 200, 200, 200, 200, 200, 1200),
    "out_of_service": (800, 200, 200, 800),
    "barred": (1000, 1000),
    "fault": (100, 100),
}


class Led:
    """Blinks a pin. pin: has value(level), or None where there is no lamp. active: the level of light."""

    def __init__(self, pin, active=1):
        self.reason = None
        self.pin = pin
        self._active = active
        self._pattern = PATTERNS["fault"]
        self._step = 0

    def show(self, reason):
        """Show why the welder has no power ("ok" when it has). KeyError for a reason without a pattern."""
        if reason != self.reason:
            self._pattern = PATTERNS[reason]
            self.reason = reason
            self._step = 0

    def step(self):
        """Set the lamp for the next piece of the pattern; return its length in ms."""
        step = self._step
        self._step = (step + 1) % len(self._pattern)
        if self.pin:
            self.pin.value(1 - self._active if step % 2 else self._active)
        return self._pattern[step]

    async def run(self):
        """Optional task: blink for ever. A new reason shows within 1.4 s."""
        while True:
            await asyncio.sleep_ms(self.step())
