"""The chip's own temperature."""

import esp32


def celsius():
    """Return whole degrees Celsius, or None on a chip without a sensor."""
    if hasattr(esp32, "mcu_temperature"):
        return esp32.mcu_temperature()
    if hasattr(esp32, "raw_temperature"):
        return (esp32.raw_temperature() - 32) * 5 // 9
    return None
