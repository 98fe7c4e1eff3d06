"""Builds a board's status lamp from its data. Borrowed at the boot."""

from terminal.led import Led


def make(board, hardware, driver):
    """Return the board's Led, dark.

    board: dict with "led": None, or "active" (level) and "pin" or, on a relay board's shift register, "output". hardware: the
    module machine. driver: the relay's, which owns that register.
    """
    data = board.get("led")
    if not data:
        return Led(None, 1)
    active = data.get("active", 1)
    if "output" in data:
        return Led(driver.other(data["output"]), active)
    return Led(hardware.Pin(data["pin"], hardware.Pin.OUT, value=1 - active), active)
