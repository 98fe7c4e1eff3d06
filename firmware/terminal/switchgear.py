"""Builds a board's relay and senses from its data. Borrowed at the boot."""

from terminal.relay import GpioDriver, Relay, Sense


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
    driver = _driver(data["driver"])(hardware.Pin, data, level_on if powered else 1 - level_on)
    contact = _contact(board.get("readback"), hardware, timer)
    return Relay(driver, level_on, powered, contact, _welding(board.get("welding"), hardware, timer))


def _driver(name):
    if name == "gpio":
        return GpioDriver
    if name == "shift595":
        from terminal.shift595 import ShiftDriver

        return ShiftDriver
    raise KeyError(name)


def _contact(data, hardware, timer):
    if not data:
        return None
    return _sense(hardware.Pin, data, data["powered"], timer)


def _welding(data, hardware, timer):
    if not data:
        return None
    if data["kind"] == "adc":
        from terminal.analog import AnalogSense

        options = {"atten": data["atten"]} if "atten" in data else {}
        return AnalogSense(hardware.ADC(hardware.Pin(data["pin"]), **options), data)
    return _sense(hardware.Pin, data, data["welding"], timer)


def _sense(pin_class, data, true_level, timer):
    pulls = {"up": pin_class.PULL_UP, "down": pin_class.PULL_DOWN}
    pin = pin_class(data["pin"], pin_class.IN, pulls.get(data.get("pull")))
    return Sense(pin, true_level, timer)
