"""The modem's wires beside the UART: supply, power key, reset, DTR. Owns these pins; the board's data says which there are."""


class Power:
    """What `modem.modem.Modem` presses.

    pin_class: machine.Pin. data: the board's "modem" dict with "supply", "key", "reset" ({"pin", "active"} or None) and "dtr"
    ({"pin", "level"} or None). key, reset: callables that take whether to press, or None where there is no wire.
    """

    def __init__(self, pin_class, data):
        self.key = _button(pin_class, data.get("key"))
        self.reset = _button(pin_class, data.get("reset"))
        supply = data.get("supply")
        if supply:
            self._supply = pin_class(supply["pin"], pin_class.OUT, value=supply["active"])
        dtr = data.get("dtr")
        if dtr:
            self._dtr = pin_class(dtr["pin"], pin_class.OUT, value=dtr["level"])


def _button(pin_class, data):
    if not data:
        return None
    active = data["active"]
    pin = pin_class(data["pin"], pin_class.OUT, value=1 - active)
    return lambda on: pin.value(active if on else 1 - active)
