"""A welding sense by an analogue current sensor: loaded only where the board has one."""


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
