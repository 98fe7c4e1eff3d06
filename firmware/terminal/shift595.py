"""Relays behind a 74HC595: loaded only where the board has one."""


class ShiftDriver:
    """One output of a 74HC595 on three pins; the others keep their state.

    The chip's latches hold through a reset of ours and are undefined after power-on, so they are filled
    before the outputs are enabled, and the enable pin is never used to switch.
    """

    def __init__(self, pin_class, data, level):
        out = pin_class.OUT
        self._data = pin_class(data["data"], out, value=0)
        self._clock = pin_class(data["clock"], out, value=0)
        self._latch = pin_class(data["latch"], out, value=0)
        self._mask = 1 << data["output"]
        self._count = data.get("outputs", 8)
        self._state = data.get("rest", 0)
        self.write(level)
        if data.get("enable") is not None:
            self._enable = pin_class(data["enable"], out, value=0)

    def write(self, level):
        """Set the relay's output."""
        self._change(self._mask, level)

    def other(self, output):
        """Return a pin-like object (`value(level)`) for another output, e.g. a lamp.

        Raises ValueError for the relay's own.
        """
        if 1 << output == self._mask:
            raise ValueError("the relay's own output")
        return _Output(self._change, 1 << output)

    def _change(self, mask, level):
        self._state = self._state | mask if level else self._state & ~mask
        bit = 1 << self._count
        while bit > 1:  # the last output is shifted in first
            bit >>= 1
            self._data.value(1 if self._state & bit else 0)
            self._clock.value(1)
            self._clock.value(0)
        self._latch.value(1)
        self._latch.value(0)


class _Output:
    """One output of the shift register, used as a pin."""

    def __init__(self, change, mask):
        self._change = change
        self._mask = mask

    def value(self, level):
        self._change(self._mask, level)
