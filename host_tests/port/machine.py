"""The ESP32's `machine` on the host: pins, UART, watchdog, RTC, resets.

State: what each pin is set to (edges of outputs go to `pins.log`), and files in the chip's state directory:
`pin_<N>` and `adc_<N>` are inputs, `uart<N>` is a link to a pty, `rtc.json` and `hold.json` outlive a reset.
"""

import binascii
import os
import time

import hanma_port
from chip_uart import UART  # noqa: F401
from umachine import Signal, idle  # noqa: F401

PWRON_RESET = 1
HARD_RESET = 2
WDT_RESET = 3
DEEPSLEEP_RESET = 4
SOFT_RESET = 5

_RTC_MEMORY_MOST = 2048
_PADS = 49


def reset_cause():
    """Return why the chip started: a crash and machine.reset() are both HARD_RESET, as on the chip."""
    return hanma_port.RESET_CAUSE


def reset():
    """Reset the chip; never returns."""
    hanma_port.stop("reset hard")


def soft_reset():
    """Start Python afresh; never returns."""
    hanma_port.stop("reset soft")


def unique_id():
    """Return the chip's six bytes."""
    return binascii.unhexlify(os.getenv("HANMA_UNIQUE_ID") or "240ac4000001")


def freq(hz=None):
    """Return the CPU's clock in Hz."""
    return 160000000


class _Pad:
    """What the chip knows of one pin."""

    def __init__(self, number):
        self.number = number
        self.mode = None
        self.pull = None
        self.latch = 0  # the level last written
        self.level = None  # the level driven, None when the pin drives nothing
        self.held = False

    def drive(self):
        """Let the pad follow the latch, unless it is held; log the edge."""
        if self.mode != Pin.OUT and self.mode != Pin.OPEN_DRAIN or self.held:
            return
        if self.level != self.latch:
            self.level = self.latch
            _log_edge(self.number, self.level)

    def hold(self, on):
        """Hold the pad at its level through every reset but power-on, or let it go."""
        self.held = False
        self.drive()
        self.held = on and self.level is not None
        _save_holds()

    def read(self):
        """Return the level an input sees."""
        text = hanma_port.read_word("pin_" + str(self.number))
        if not text:
            return 1 if self.pull == Pin.PULL_UP else 0
        if text[0] in "=!":
            followed = _pads.get(int(text[1:]))
            level = followed.level if followed and followed.level else 0
            return level if text[0] == "=" else 1 - level
        return int(text)


_pads = {number: _Pad(number) for number in range(_PADS)}  # all made here: the chip's are in its ROM
_edges = None


def _log_edge(number, level):
    """Append one edge of an output, with the host's µs since 1970."""
    global _edges
    if not hanma_port.STATE:
        hanma_port.on_edge(number, level)
        return
    if _edges is None:
        _edges = hanma_port.open_host(hanma_port.STATE + "/pins.log", "ab")
    _edges.write('{"t_us":%d,"pin":%d,"level":%d}\n' % (hanma_port.host_us(), number, level))


def _save_holds():
    held = {str(pad.number): pad.level for pad in _pads.values() if pad.held}
    if held or hanma_port.read_text("hold.json"):
        hanma_port.write_json("hold.json", held)


def _pad(number):
    """Return the one pad of a pin."""
    pad = _pads.get(number)
    if pad is None:
        if not isinstance(number, int) or not 0 <= number < _PADS:
            raise ValueError("invalid pin")
        pad = _pads[number] = _Pad(number)
    return pad


class Pin:
    """A pin by its GPIO number. Two objects of one number are the same pin."""

    IN = 1
    OUT = 3
    OPEN_DRAIN = 7
    PULL_DOWN = 1
    PULL_UP = 2
    IRQ_RISING = 1
    IRQ_FALLING = 2
    DRIVE_0 = 0
    DRIVE_1 = 1
    DRIVE_2 = 2
    DRIVE_3 = 3

    def __init__(self, id, mode=None, pull=-1, *, value=None, drive=None, hold=None):
        self._pad = _pad(id._pad.number if isinstance(id, Pin) else id)
        self.init(mode, pull, value=value, drive=drive, hold=hold)

    def init(self, mode=None, pull=-1, *, value=None, drive=None, hold=None):
        """Configure the pin; what is not given stays. The value is set before the mode: no glitch."""
        pad = self._pad
        if value is not None:
            pad.latch = 1 if value else 0
        if mode is not None:
            pad.mode = mode
            if mode == Pin.IN and not pad.held:
                pad.level = None
        if pull != -1:
            pad.pull = pull
        if hold is None:
            pad.drive()
        else:
            pad.hold(bool(hold))

    def value(self, level=None):
        """Return the level, or set it."""
        pad = self._pad
        if level is None:
            if pad.level is not None:
                return pad.level
            return pad.read()
        pad.latch = 1 if level else 0
        pad.drive()

    __call__ = value

    def on(self):
        """Set the pin high."""
        self.value(1)

    def off(self):
        """Set the pin low."""
        self.value(0)

    def toggle(self):
        """Invert the pin."""
        self.value(1 - self._pad.latch)


def _restore_holds():
    """Take over the pads that were held through the reset."""
    for number, level in hanma_port.read_json("hold.json").items():
        pad = _pad(int(number))
        pad.level = pad.latch = level
        pad.held = True


_restore_holds()


class PWM:
    """Pulses on a pin; on the host only remembered."""

    def __init__(self, dest, *, freq=5000, duty=None, duty_u16=32768, duty_ns=None):
        self._freq = freq
        self._duty = duty_u16 if duty is None else duty * 64

    def freq(self, hz=None):
        """Return or set the frequency in Hz."""
        if hz is None:
            return self._freq
        self._freq = hz

    def duty_u16(self, duty=None):
        """Return or set the duty cycle, 0 to 65535."""
        if duty is None:
            return self._duty
        self._duty = duty

    def deinit(self):
        """Stop."""
        self._duty = 0


class ADC:
    """An analogue input; its raw value is the text of `adc_<N>`."""

    ATTN_0DB = 0
    ATTN_2_5DB = 1
    ATTN_6DB = 2
    ATTN_11DB = 3

    def __init__(self, pin, *, atten=ATTN_0DB):
        self._name = "adc_" + str(pin._pad.number if isinstance(pin, Pin) else pin)

    def atten(self, atten):
        """Set the range; no effect here."""

    def read_u16(self):
        """Return the raw value, 0 to 65535."""
        return int(hanma_port.read_text(self._name) or 0)

    def read_uv(self):
        """Return µV, taking full scale as 3.3 V."""
        return self.read_u16() * 3300000 // 65535


class RTC:
    """The clock of the day, and 2 KiB that last until power-off."""

    def __init__(self, id=0):
        pass

    def datetime(self, when=None):
        """Return or set (year, month, day, weekday, hour, minute, second, µs)."""
        if when is None:
            now = time._clock_us()
            year, month, day, hour, minute, second, weekday, _ = time.localtime(now // 1000000)
            return (year, month, day, weekday, hour, minute, second, now % 1000000)
        year, month, day, _, hour, minute, second, us = when
        time._set_clock_us(time.mktime((year, month, day, hour, minute, second)) * 1000000 + us)

    init = datetime

    def memory(self, data=None):
        """Return or set the bytes kept over resets; ValueError above 2048."""
        kept = hanma_port.read_json("rtc.json")
        if data is None:
            return binascii.unhexlify(kept.get("memory", ""))
        if len(data) > _RTC_MEMORY_MOST:
            raise ValueError("buffer too long")
        kept["memory"] = binascii.hexlify(data).decode()
        hanma_port.write_json("rtc.json", kept)


class WDT:
    """The watchdog: the chip runner kills the process when nobody feeds it. It cannot be stopped."""

    def __init__(self, id=0, timeout=5000):
        if timeout < 1:
            raise ValueError("WDT timeout too short")
        hanma_port.tell("wdt %d" % timeout)

    def feed(self):
        """Start the time-out anew."""
        hanma_port.tell("feed")
