"""The switch to the welder's mains, and the two senses beside it: contact read-back and welding current.

Owns the output pins of the relay and what was last written to them. "Powered" is what the welder gets,
whatever the coil and the contact need for it; polarity and contact kind come from the board's data (formats
at `make`). Only the interlock's owner calls `set`.
"""

from micropython import const

_STABLE_MS = const(30)  # contactors bounce for 5 to 15 ms


class GpioDriver:
    """One pin, one relay. The level is given with the direction, so that the pin never shows another one.

    With "hold" the pad keeps its level through a reset (machine_pin.c releases and renews the hold at each
    configuration).
    """

    def __init__(self, pin_class, data, level):
        self._pin_class = pin_class
        self._number = data["pin"]
        self._hold = data.get("hold", False)
        self._pin = self._configured(level)

    def write(self, level):
        """Set the pin; a held pad takes a new level only when it is configured again."""
        if self._hold:
            self._configured(level)
        else:
            self._pin.value(level)

    def _configured(self, level):
        # hold is always named: a pad held by an earlier release would stay so for ever
        return self._pin_class(self._number, self._pin_class.OUT, value=level, hold=self._hold)


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


class Debounced:
    """A reading that counts only after it has stayed the same for 30 ms; None until then.

    read: returns True, False or None (unknown).
    """

    def __init__(self, read, timer):
        self._read = read
        self._timer = timer
        self._settled = None
        self._next = None
        self._since = 0

    def __call__(self):
        now = self._read()
        if now is self._settled:
            self._next = now
        elif now is not self._next:
            self._next = now
            self._since = self._timer.ticks_ms()
        elif self._timer.ticks_diff(self._timer.ticks_ms(), self._since) >= _STABLE_MS:
            self._settled = now
        return self._settled


class AnalogSense:
    """Welding current in 16 bits: on at the threshold, off the hysteresis below it, None when implausible."""

    def __init__(self, adc, data):
        self._adc = adc
        self._on = data["threshold"]
        self._off = data["threshold"] - data["hysteresis"]
        self._lowest = data.get("lowest", 0)
        self._highest = data.get("highest", 65535)
        self._welding = None  # between the two thresholds nothing is known at first

    def __call__(self):
        raw = self._adc.read_u16()
        if not self._lowest <= raw <= self._highest:
            self._welding = None  # a torn or shorted wire: no proof that nobody welds
        elif raw >= self._on:
            self._welding = True
        elif raw < self._off:
            self._welding = False
        return self._welding


class Relay:
    """Driver, polarity, contact and senses of one welder.

    powered: as last set. has_contact: whether there is a read-back. driver: the GpioDriver or ShiftDriver.
    """

    def __init__(self, driver, level_on, powered, contact, welding):
        self.driver = driver
        self.powered = bool(powered)
        self.has_contact = contact is not None
        self._level_on = level_on
        self._contact = contact
        self._welding = welding

    def set(self, powered):
        """Give the welder power, or take it away."""
        self.powered = bool(powered)
        self.driver.write(self._level_on if powered else 1 - self._level_on)

    def contact(self):
        """Return True when the contact is read back as powered, False as unpowered, None while not known."""
        return self._contact() if self._contact else None

    def welding(self):
        """Return True while welding current flows, False while it does not, None when not known."""
        return self._welding() if self._welding else None


_DRIVERS = {"gpio": GpioDriver, "shift595": ShiftDriver}


def make(board, powered, hardware, timer):
    """Build the board's relay in the given state, without any other state in between.

    board: dict with three keys, pins by number and readings in 16 bits:
        "relay": "driver" "gpio" with "pin", "hold" (bool), or "shift595" with "data", "clock", "latch",
            "enable" (None or a pin, active low), "output" from 0, "outputs" (8), "rest" (bits of the others);
            both with "active" (level that energises the coil), "contact" ("normally_open" or "..._closed").
        "readback": None, or "pin", "powered" (level), "pull" ("up", "down", None).
        "welding": None, or "kind" "gpio" with "pin", "welding" (level), "pull", or "kind" "adc" with "pin",
            "threshold", "hysteresis", "lowest" and "highest" (beyond: sensor broken), "atten" (ADC.ATTN_..).
    hardware: the module machine. timer: the module time (ticks_ms, ticks_diff). Raises KeyError for a driver
    that is not known.
    """
    data = board["relay"]
    level_on = data.get("active", 1)
    if data.get("contact") == "normally_closed":
        level_on = 1 - level_on
    driver = _DRIVERS[data["driver"]](hardware.Pin, data, level_on if powered else 1 - level_on)
    contact = _contact(board.get("readback"), hardware, timer)
    return Relay(driver, level_on, powered, contact, _welding(board.get("welding"), hardware, timer))


def _contact(data, hardware, timer):
    if not data:
        return None
    return Debounced(_level_reader(hardware.Pin, data, data["powered"]), timer)


def _welding(data, hardware, timer):
    if not data:
        return None
    if data["kind"] == "adc":
        options = {"atten": data["atten"]} if "atten" in data else {}
        return AnalogSense(hardware.ADC(hardware.Pin(data["pin"]), **options), data)
    return Debounced(_level_reader(hardware.Pin, data, data["welding"]), timer)


def _level_reader(pin_class, data, true_level):
    pulls = {"up": pin_class.PULL_UP, "down": pin_class.PULL_DOWN}
    pin = pin_class(data["pin"], pin_class.IN, pulls.get(data.get("pull")))
    return lambda: pin.value() == true_level
