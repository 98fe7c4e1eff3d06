"""A virtual world for months: the same firmware, fewer wake-ups. MicroPython.

Two things differ from `virtual.World`, both stated in the soak's output. Bytes on the UART arrive whole and at once. In quiet
times asyncio's timers are late by up to slack_ms: its clock moves from one multiple of slack_ms to the next, so that all
that is due in between wakes together; I/O is still answered to the millisecond. For some seconds after something moved
(`World.attend`: an output's edge, an order, a reset) the timers are exact. `time.ticks_ms()` is exact always.
"""

import asyncio
import io
import time

import machine
import virtual
import virtual_tasks

_STREAM_POLL = 3
_POLLIN = 1
_POLLOUT = 4
_STEPS_MOST = 10000
_MASK = (1 << 30) - 1
_world = None


class QuickWorld(virtual.World):
    """One clock, one modem's core at UART 1, one broker."""

    def __init__(self, slack_ms, on_edge):
        global _world
        super().__init__(0, on_edge)
        _world = self
        self.core = self.broker = None
        self.uart = None
        self.steps = 0
        self.dropped = 0  # bytes for which rxbuf had no room
        self.why = None  # what resets the chip, when that is not the firmware
        self.slack_ms = slack_ms
        self._loop_ms = 0  # asyncio's clock
        self._exact_until_ms = 0
        machine.UART = QuickUart
        virtual_tasks.install(asyncio.core, _LoopTime(self), _QuickQueue)

    def restart_ticks(self):
        """The chip starts: its ticks count from zero."""
        time._start_ms = -self.ms & _MASK
        self._loop_ms = self.ms

    def attend(self, for_ms):
        """Keep the timers exact for so long."""
        self._exact_until_ms = max(self._exact_until_ms, self.ms + for_ms)

    def sleep(self, dt):
        """Let asyncio wait dt of its ms, for ever when negative; something else may end the wait before."""
        due = None
        if dt >= 0:
            due = self._loop_ms + dt
            if self.ms >= self._exact_until_ms:
                due += -due % self.slack_ms
        target = self.next_ms()
        if target is None or due is not None and target > due:
            target = due
        self.steps += 1
        if target > self.ms:
            self.ms = target
        self._happen()
        if due is not None and self.ms >= due or self.ms < self._exact_until_ms:
            self._loop_ms = self.ms

    def step(self, limit):
        """Move the clock to the next thing that happens, at most to limit, for a call that blocks."""
        target = self.next_ms()
        if target is None or limit is not None and target > limit:
            target = limit
        self.ms = max(self.ms, target)
        self._happen()

    def next_ms(self):
        """Return when the next thing happens, or None."""
        first = self._watchdog_due
        if self._calls and (first is None or self._calls[0][0] < first):
            first = self._calls[0][0]
        for part in (self.core, self.broker):
            at = part.next_ms(self.ms)
            if at is not None and (first is None or at < first):
                first = at
        return first

    def _happen(self):
        now = self.ms
        for _ in range(_STEPS_MOST):
            self.core.advance(now)
            self.collect()
            due = self.broker.next_ms(now)
            if due is not None and due <= now:
                self.broker.tick(now)
            while self._calls and self._calls[0][0] <= now:
                self._calls.pop(0)[1]()
            if self._watchdog_due is not None and self._watchdog_due <= now:
                self.why = "wdt"
                raise virtual.Reset("wdt")
            due = self.next_ms()
            if due is None or due > now:
                return
        raise RuntimeError("a part has something to do at %d ms again and again" % now)

    def collect(self):
        """Give the UART what the modem has to say."""
        if self.core.has_output:
            data = self.core.take()
            if self.uart:
                self.dropped += len(data) - self.uart.arrived(data)

    def silence_watchdog(self):
        """The chip is reset: its watchdog is off until somebody starts it."""
        self._watchdog_ms = self._watchdog_due = None


class _LoopTime:
    """The clock of asyncio's tasks."""

    ticks_diff = staticmethod(time.ticks_diff)
    ticks_add = staticmethod(time.ticks_add)

    def __init__(self, world):
        self._world = world

    def ticks_ms(self):
        """Return the loop's ticks."""
        return (self._world._loop_ms + time._start_ms) & _MASK


class QuickUart(io.IOBase):
    """machine.UART 1 of the world, without the time that bytes take."""

    INV_TX = INV_RX = RTS = CTS = 0

    def __init__(self, id, baudrate=115200, **settings):
        self._rxbuf = 256
        self._waiting = bytearray()
        self.init(baudrate, **settings)

    def init(self, baudrate=None, bits=8, parity=None, stop=1, **settings):
        """Configure; bytes that came before are gone."""
        self._rxbuf = settings.get("rxbuf", self._rxbuf)
        self._waiting = bytearray()
        _world.uart = self

    def deinit(self):
        """Let go of the wire."""
        _world.uart = None

    def arrived(self, data):
        """Take bytes as far as there is room; return how many."""
        count = min(len(data), self._rxbuf - len(self._waiting))
        self._waiting.extend(data if count == len(data) else data[:count])
        return count

    def any(self):
        """Return how many bytes are waiting."""
        return len(self._waiting)

    def readinto(self, buffer, size=None):
        """Read into buffer, at most size bytes; None when nothing is there."""
        count = min(len(buffer) if size is None else size, len(self._waiting))
        if not count:
            return None
        buffer[:count] = self._waiting[:count]
        self._waiting = self._waiting[count:]
        return count

    def read(self, size=-1):
        """Return bytes, all that wait or at most size; None when nothing is there."""
        block = bytearray(len(self._waiting) if size < 0 else size)
        count = self.readinto(block)
        return bytes(block[:count]) if count else None

    def write(self, data):
        """Write bytes and return how many."""
        _world.core.feed(_world.ms, bytes(data))
        _world.collect()
        return len(data)

    def flush(self):
        """Wait until all is sent; here the modem has it already."""

    def txdone(self):
        """Return whether all is sent."""
        return True

    def ioctl(self, request, argument):
        """Answer poll()."""
        if request == _STREAM_POLL:
            return argument & (_POLLOUT | (_POLLIN if self._waiting else 0))
        return -1


class _QuickQueue(virtual._Queue):
    """asyncio's queue of waits for streams: for the UART, the one stream there is."""

    _has_writer = False

    def queue_write(self, stream):
        """Let the current task wait until stream can be written: at the next look."""
        self._has_writer = True
        super().queue_write(stream)

    def wait_io_event(self, dt):
        """Wait dt ms (for ever when negative), or less when a stream is ready before."""
        uart = _world.uart
        if uart and (uart._waiting or self._has_writer):
            self._has_writer = False
            if self._wake():
                return
        if dt == 0:
            return
        _world.sleep(dt)


class Flash:
    """A flash of 4 KiB blocks for VfsLfs2, which lives in RAM and counts its erases."""

    SIZE = 4096

    def __init__(self, path, blocks):
        self.erases = 0
        self._path = path
        self._blocks = blocks
        try:
            with open(path, "rb") as file:
                self._data = bytearray(file.read())
            self.is_new = False
        except OSError:
            self._data = bytearray(b"\xff" * (self.SIZE * blocks))
            self.is_new = True

    def keep(self):
        """Write the image to its file: what is there when the power comes back."""
        with open(self._path, "wb") as file:
            file.write(self._data)

    def readblocks(self, block, buffer, offset=0):
        """As os.AbstractBlockDev."""
        start = block * self.SIZE + offset
        buffer[:] = memoryview(self._data)[start : start + len(buffer)]

    def writeblocks(self, block, buffer, offset=0):
        """As os.AbstractBlockDev; the block was erased before."""
        start = block * self.SIZE + offset
        self._data[start : start + len(buffer)] = buffer

    def ioctl(self, operation, argument):
        """As os.AbstractBlockDev: 4 blocks, 5 bytes in one, 6 erase."""
        if operation == 4:
            return self._blocks
        if operation == 5:
            return self.SIZE
        if operation == 6:
            self.erases += 1
            start = argument * self.SIZE
            self._data[start : start + self.SIZE] = b"\xff" * self.SIZE
        return 0
