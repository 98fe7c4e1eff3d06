"""The temperature of a chip that tells it in Fahrenheit. Loaded where it does."""

import esp32


def celsius():
    """Return whole degrees Celsius."""
    return (esp32.raw_temperature() - 32) * 5 // 9
