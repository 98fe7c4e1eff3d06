"""The switch to the welder's mains, and the two senses beside it: contact read-back and welding current.

Owns the output pins of the relay and what was last written to them. "Powered" is what the welder gets,
whatever the coil and the contact need for it; polarity and contact kind come from the board's data (formats
at `switchgear.make`). Only the interlock's owner calls `set`.
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
        self._data = data
        self._pin = None
        self.write(level)

    def write(self, level):
        """Set the pin; a held pad takes a new level only when it is configured again."""
        hold = self._data.get("hold", False)
        if self._pin is not None and not hold:
            self._pin.value(level)
        else:
            # hold is always named: a pad held by an earlier release would stay so for ever
            pin_class = self._pin_class
            self._pin = pin_class(self._data["pin"], pin_class.OUT, value=level, hold=hold)


class Sense:
    """Whether a pin is at the level that means yes: counts only after it has stayed for 30 ms; None until then."""

    def __init__(self, pin, true_level, timer):
        self._pin = pin
        self._true_level = true_level
        self._timer = timer
        self._settled = None
        self._next = None
        self._since = 0

    def __call__(self):
        timer = self._timer
        now = self._pin.value() == self._true_level
        if now is not self._next:
            self._next = now
            self._since = timer.ticks_ms()
        elif timer.ticks_diff(timer.ticks_ms(), self._since) >= _STABLE_MS:
            self._settled = now
        return self._settled


class Relay:
    """Driver, polarity, contact and senses of one welder.

    powered: as last set. has_contact: whether there is a read-back. driver: the GpioDriver or ShiftDriver.
    contact(): True when the contact is read back as powered, False as unpowered. welding(): True while welding current
    flows, False while it does not. Both are None while it is not known, always so without the sense.
    """

    def __init__(self, driver, level_on, powered, contact, welding):
        self.driver = driver
        self.powered = bool(powered)
        self.has_contact = contact is not None
        self.contact = contact or _unknown
        self.welding = welding or _unknown
        self._level_on = level_on

    def set(self, powered):
        """Give the welder power, or take it away."""
        self.driver.write(self._level_on if powered else 1 - self._level_on)
        self.powered = bool(powered)


def _unknown():
    return None
