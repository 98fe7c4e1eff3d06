"""Replays a relay on pretended pins: every level a pin has shown, what a 74HC595 behind it puts out, what is
sensed.
"""

from terminal import switchgear


class Chip:
    """Pins that remember every level they have shown, with a shift register where the board has one."""

    def __init__(self, register):
        self.levels = {}
        self.inputs = {}
        self.pulls = {}
        self.held = {}
        self.edges = []
        self.outputs = []  # each state the register's outputs have shown, None while they are disabled
        self.register = register
        self._shifted = self._latched = 0

    def drive(self, number, level):
        before = self.levels.get(number)
        if before == level:
            return
        self.levels[number] = level
        self.edges.append([number, level])
        if self.register:
            self._register(number, level, rising=before == 0 and level == 1)

    def _register(self, number, level, rising):
        pins = self.register
        if number == pins["clock"] and rising:
            self._shifted = (self._shifted << 1 | self.levels[pins["data"]]) & ((1 << pins.get("outputs", 8)) - 1)
        elif number == pins["latch"] and rising:
            self._latched = self._shifted
        enable = pins.get("enable")
        shown = self._latched if enable is None or self.levels.get(enable) == 0 else None
        if not self.outputs or self.outputs[-1] != shown:
            self.outputs.append(shown)


def _pin_class(chip):
    class Pin:
        IN = 1
        OUT = 3
        PULL_DOWN = 1
        PULL_UP = 2

        def __init__(self, number, mode=None, pull=-1, value=None, hold=None):
            self.number = number
            if mode == Pin.IN:
                chip.pulls[number] = pull
            if hold is not None:
                chip.held[number] = False
            if value is not None:
                self.value(value)
            if hold is not None:
                chip.held[number] = hold

        def value(self, level=None):
            if level is None:
                return chip.inputs[self.number]
            if not chip.held.get(self.number):
                chip.drive(self.number, level)
            return None

    return Pin


class Hardware:
    """Stands for the module machine."""

    def __init__(self, chip):
        self.Pin = _pin_class(chip)
        self._chip = chip

    def ADC(self, pin, atten=0):
        self.range = atten
        self.read_u16 = lambda: self._chip.inputs[pin.number]
        return self


class Timer:
    """Stands for the module time."""

    now = 0

    def ticks_ms(self):
        return self.now % (1 << 30)

    def ticks_diff(self, later, earlier):
        return (later - earlier + (1 << 29)) % (1 << 30) - (1 << 29)


def run(case):
    """case: {"board", "powered", "inputs": {pin: level}, "steps": [["set", 0|1] | ["input", pin, level] |
    ["wait", ms]
    | ["contact"] | ["welding"] | ["other", output, level]]}; returns the edges, register states and readings.
    """
    data = case["board"]["relay"]
    chip = Chip(data if data["driver"] == "shift595" else None)
    for number in case.get("inputs", {}):
        chip.inputs[int(number)] = case["inputs"][number]
    timer = Timer()
    timer.now = (1 << 30) - 100
    hardware = Hardware(chip)
    switch = switchgear.make(case["board"], case["powered"], hardware, timer)
    readings = []
    for step in case["steps"]:
        _step(step, switch, chip, timer, readings)
    pulls = [[number, chip.pulls[number]] for number in sorted(chip.pulls)]
    held = [number for number in sorted(chip.held) if chip.held[number]]
    return {"edges": chip.edges, "outputs": chip.outputs, "readings": readings, "pulls": pulls, "held": held}


def _step(step, switch, chip, timer, readings):
    what = step[0]
    if what == "set":
        switch.set(step[1])
        readings.append(switch.powered)
    elif what == "input":
        chip.inputs[step[1]] = step[2]
    elif what == "wait":
        timer.now += step[1]
    elif what == "contact":
        readings.append(switch.contact())
    elif what == "welding":
        readings.append(switch.welding())
    else:
        try:
            switch.driver.other(step[1]).value(step[2])
        except ValueError:
            readings.append("refused")
