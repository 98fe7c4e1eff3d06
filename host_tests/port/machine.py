"""The ESP32's `machine` on the host: pins, UART, watchdog, RTC, resets.

State: what each pin is set to (edges of outputs go to `pins.log`), and files in the chip's state directory:
`pin_<N>` and `adc_<N>` are inputs, `uart<N>` is a link to a pty, `rtc.json` and `hold.json` outlive a reset.
"""

import binascii
import io
import os
import select
import termios
import time

import hanma_port
import utime
from umachine import Signal, idle  # noqa: F401

PWRON_RESET = 1
HARD_RESET = 2
WDT_RESET = 3
DEEPSLEEP_RESET = 4
SOFT_RESET = 5

_RTC_MEMORY_MOST = 2048
_UART_FIFO = 128  # bytes the UART hardware holds before the driver's buffer
_STREAM_POLL = 3
_STREAM_GET_FILENO = 10
_TCSAFLUSH = 2
_VMIN = 6
_VTIME = 5


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
        text = (hanma_port.read_text("pin_" + str(self.number)) or "").strip()
        if not text:
            return 1 if self.pull == Pin.PULL_UP else 0
        if text[0] in "=!":
            followed = _pads.get(int(text[1:]))
            level = followed.level if followed and followed.level else 0
            return level if text[0] == "=" else 1 - level
        return int(text)


_pads = {}
_edges = None


def _log_edge(number, level):
    """Append one edge of an output, with the host's µs since 1970."""
    global _edges
    if not hanma_port.STATE:
        hanma_port.on_edge(number, level)
        return
    if _edges is None:
        _edges = open(hanma_port.STATE + "/pins.log", "ab")
    _edges.write('{"t_us":%d,"pin":%d,"level":%d}\n' % (hanma_port.host_us(), number, level))


def _save_holds():
    held = {str(pad.number): pad.level for pad in _pads.values() if pad.held}
    if held or hanma_port.read_text("hold.json"):
        hanma_port.write_json("hold.json", held)


def _pad(number):
    """Return the one pad of a pin, made at its first use."""
    pad = _pads.get(number)
    if pad is None:
        if not isinstance(number, int) or not 0 <= number <= 48:
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


def _speed(baudrate):
    """Return termios' code of a baud rate, or None where this port does not name it."""
    return {19200: 14, 38400: 15}.get(baudrate) or getattr(termios, "B" + str(baudrate), None)


class UART(io.IOBase):
    """A UART on the pty that `uart<N>` links to; silent when there is none.

    asyncio waits for the pty itself (poll), so a byte wakes its task at once. What arrives while nobody reads
    is limited to rxbuf as in the chip's driver: the rest is dropped without a word.
    """

    INV_TX = 32
    INV_RX = 4
    RTS = 1
    CTS = 2
    IRQ_RXIDLE = 4096
    IRQ_RX = 1
    IRQ_BREAK = 128

    def __init__(self, id, baudrate=115200, **settings):
        if not 0 <= id <= 2:
            raise ValueError("UART(%d) does not exist" % id)
        self._id = id
        self._kept = b""  # taken from the pty, not yet read
        self._file = None
        self._rxbuf = 256
        self._timeout_ms = 0
        self._baudrate = baudrate
        self.init(baudrate, **settings)

    def init(self, baudrate=None, bits=8, parity=None, stop=1, **settings):
        """Configure; what is not given stays. Bytes that came before are gone."""
        self._baudrate = baudrate or self._baudrate
        self._rxbuf = settings.get("rxbuf", self._rxbuf)
        self._timeout_ms = settings.get("timeout", self._timeout_ms)
        if self._rxbuf <= _UART_FIFO:
            raise ValueError("rxbuf must be larger than the FIFO")
        if self._file is None:
            self._open()
        self._configure()
        self._kept = b""

    def deinit(self):
        """Let go of the pty."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _open(self):
        """Open the pty, or the pipe nobody writes to when no modem is wired to this UART."""
        base = hanma_port.STATE + "/"
        try:
            self._file = open(base + "uart" + str(self._id), "r+b", buffering=0)
            self._silent = False
        except OSError:
            self._file = open(base + "silence", "r+b", buffering=0)
            self._silent = True
        self._poll = select.poll()
        self._poll.register(self._file, select.POLLIN)
        self._emptied_ms = utime.ticks_ms()

    def _configure(self):
        """Set the pty raw, at this speed (the modem's side can read it there), with reads that never wait."""
        if self._silent:
            return
        fd = self._file.fileno()
        termios.setraw(fd)
        settings = termios.tcgetattr(fd)
        speed = _speed(self._baudrate)
        if speed is not None:
            settings[4] = settings[5] = speed
        settings[6][_VMIN] = settings[6][_VTIME] = 0
        termios.tcsetattr(fd, _TCSAFLUSH, settings)

    def _take(self, buffer):
        """Read what the pty has into buffer; 0 when nothing is there. A pty that hung up is opened anew."""
        if self._silent:
            return 0
        try:
            return self._file.readinto(buffer) or 0
        except OSError:
            self._file.close()
            self._open()
            self._configure()
            return 0

    def _overrun(self):
        """Return whether more than rxbuf can have arrived since the pty was last seen empty."""
        waited_ms = utime.ticks_diff(utime.ticks_ms(), self._emptied_ms) * hanma_port.FACTOR
        return waited_ms * self._baudrate > self._rxbuf * 10000

    def _gather(self):
        """Take all that is waiting, keep as much as the chip's driver would have kept."""
        room = self._rxbuf + _UART_FIFO
        block = bytearray(1024)
        while True:
            count = self._take(block)
            if not count:
                break
            self._kept += bytes(memoryview(block)[: min(count, room - len(self._kept))])
        self._emptied_ms = utime.ticks_ms()

    def any(self):
        """Return how many bytes are waiting."""
        self._gather()
        return len(self._kept)

    def _await_first(self):
        """Wait for a first byte as long as the timeout says."""
        if self._timeout_ms and not self._kept:
            self._poll.poll(self._timeout_ms // hanma_port.FACTOR)

    def readinto(self, buffer, size=None):
        """Read into buffer, at most size bytes; None when nothing is there."""
        self._await_first()
        view = memoryview(buffer)
        if size is not None:
            view = view[:size]
        if self._kept or self._overrun():
            return self._read_kept(view)
        count = self._take(view)
        if count < len(view):
            self._emptied_ms = utime.ticks_ms()
        return count or None

    def _read_kept(self, view):
        """Read from what was taken before, after taking what came since."""
        self._gather()
        count = min(len(view), len(self._kept))
        view[:count] = self._kept[:count]
        self._kept = self._kept[count:]
        return count or None

    def read(self, size=-1):
        """Return bytes, all that wait or at most size; None when nothing is there."""
        if size < 0:
            size = max(1, self.any())
        block = bytearray(size)
        count = self.readinto(block)
        return bytes(memoryview(block)[:count]) if count else None

    def readline(self):
        """Return bytes up to a line end or to what has arrived; None when nothing is there."""
        if not self.any():
            return None
        end = self._kept.find(b"\n")
        return self.read(end + 1 if end >= 0 else len(self._kept))

    def write(self, data):
        """Write bytes and return how many."""
        if self._silent:
            return len(data)
        try:
            return self._file.write(data)
        except OSError:
            return len(data)

    def flush(self):
        """Wait until all is sent; here it already is."""

    def txdone(self):
        """Return whether all is sent."""
        return True

    def ioctl(self, request, argument):
        """Give poll() the pty itself, or answer it from what was taken before."""
        if request == _STREAM_GET_FILENO:
            return -1 if self._kept else self._file.fileno()
        if request == _STREAM_POLL:
            return argument & (select.POLLOUT | (select.POLLIN if self._kept else 0))
        return 0
