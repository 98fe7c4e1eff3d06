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


class LevelReader:
    """Whether a pin is at the level that means yes."""

    def __init__(self, pin, true_level):
        self._pin = pin
        self._true_level = true_level

    def __call__(self):
        return self._pin.value() == self._true_level
