"""Virtual time: terminal, modem and broker in one MicroPython process, an hour of service in seconds.

    sys.path[:] = ["", PORT, ".frozen", "lib", ROOT]  # PORT: this directory, before the frozen modules
    import virtual
    world = virtual.World(start_ticks_ms=(1 << 30) - 60000)
    world.wire(1, modem_core)  # UART 1: feed(ms, bytes), take(), advance(ms), next_ms(ms)
    world.add(broker.next_ms, broker.tick)  # anything else that waits for times
    world.run(app(), 3600000)  # None, or why the chip was reset ("reset hard", "wdt")

State: the one clock, `World.ms` since its start; what is under way on the wires; calls to come. Nothing here
reads the host's time: the same story runs the same every time. asyncio's tasks and queues are Python's own
(`virtual_tasks`), because the C ones stamp tasks with the host's ticks.
"""

import asyncio
import io
import time

import hanma_port
import machine
import virtual_tasks

_PIECE = 64  # bytes that arrive together: what one look at the UART finds at 115200
_STREAM_POLL = 3
_POLLIN = 1
_POLLOUT = 4
_STEPS_MOST = 10000  # in one ms: more is a part that never finishes
_world = None


class Reset(BaseException):
    """The chip was reset; `reason` as the chip runner hears it."""

    def __init__(self, reason):
        super().__init__(reason)
        self.reason = reason


class Done(BaseException):
    """The time that was asked for is over."""


class _Lane:
    """One direction of a wire: bytes arrive in pieces, at the baud rate (whole ms, rounded up)."""

    def __init__(self):
        self._pieces = []  # [arrival ms, bytes]
        self._free_ms = 0

    def put(self, now_ms, data, baudrate):
        """Send data after what is under way."""
        for start in range(0, len(data), _PIECE):
            piece = bytes(data[start : start + _PIECE])
            began = max(now_ms, self._free_ms)
            self._free_ms = began + (len(piece) * 10000 + baudrate - 1) // baudrate
            self._pieces.append((self._free_ms, piece))

    def next_ms(self):
        """Return when the next piece arrives, or None."""
        return self._pieces[0][0] if self._pieces else None

    def take(self, now_ms):
        """Return the next piece that has arrived, or None."""
        if self._pieces and self._pieces[0][0] <= now_ms:
            return self._pieces.pop(0)[1]
        return None

    def clear(self):
        """Forget what is under way."""
        self._pieces.clear()


class _Wire:
    """A UART's two lanes and the modem's core at the far end."""

    def __init__(self, core):
        self.core = core
        self.to_core = _Lane()
        self.to_chip = _Lane()
        self.uart = None
        self.sent = 0  # bytes to the modem
        self.received = 0  # bytes to the terminal
        self.dropped = 0  # bytes for which rxbuf had no room

    def next_ms(self, now_ms):
        """Return when something happens here, or None."""
        return _earliest(self.to_core.next_ms(), self.to_chip.next_ms(), self.core.next_ms(now_ms))

    def advance(self, now_ms):
        """Deliver what has arrived at both ends."""
        piece = self.to_core.take(now_ms)
        while piece:
            self.core.feed(now_ms, piece)
            piece = self.to_core.take(now_ms)
        self.core.advance(now_ms)
        self.collect(now_ms)
        piece = self.to_chip.take(now_ms)
        while piece:
            self.received += len(piece)
            if self.uart:
                self.dropped += len(piece) - self.uart.arrived(piece)
            piece = self.to_chip.take(now_ms)

    def collect(self, now_ms):
        """Put on the wire what the core wants to send."""
        data = self.core.take()
        if data:
            self.to_chip.put(now_ms, data, self.uart.baudrate if self.uart else 115200)


class UART(io.IOBase):
    """machine.UART on a wire of the world; as silent as a cut cable on a number that has none."""

    INV_TX = machine.UART.INV_TX
    INV_RX = machine.UART.INV_RX
    RTS = machine.UART.RTS
    CTS = machine.UART.CTS

    def __init__(self, id, baudrate=115200, **settings):
        self._wire = _world.wires.get(id)
        self._rxbuf = 256
        self.baudrate = baudrate
        self._waiting = bytearray()
        self.init(baudrate, **settings)

    def init(self, baudrate=None, bits=8, parity=None, stop=1, **settings):
        """Configure; bytes that came before are gone."""
        self.baudrate = baudrate or self.baudrate
        self._rxbuf = settings.get("rxbuf", self._rxbuf)
        self._waiting = bytearray()
        if self._wire:
            self._wire.uart = self

    def deinit(self):
        """Let go of the wire."""
        if self._wire:
            self._wire.uart = None

    def arrived(self, piece):
        """Take bytes from the wire as far as there is room; return how many."""
        count = min(len(piece), self._rxbuf - len(self._waiting))
        self._waiting.extend(piece[:count])
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

    def readline(self):
        """Return bytes up to a line end or to what has arrived; None when nothing is there."""
        return self.read(self._waiting.find(b"\n") + 1 or -1)

    def write(self, data):
        """Write bytes and return how many."""
        if self._wire:
            self._wire.sent += len(data)
            self._wire.to_core.put(_world.ms, data, self.baudrate)
        return len(data)

    def flush(self):
        """Wait until all is sent; here the wire has it already."""

    def txdone(self):
        """Return whether all is sent."""
        return True

    def ioctl(self, request, argument):
        """Answer poll()."""
        if request == _STREAM_POLL:
            return argument & (_POLLOUT | (_POLLIN if self._waiting else 0))
        return -1


class _Queue:
    """asyncio's queue of waits for streams: instead of sleeping it moves the world's clock."""

    def __init__(self):
        self.map = {}  # id(stream): [reader, writer, stream]

    def _enqueue(self, stream, index):
        entry = self.map.setdefault(id(stream), [None, None, stream])
        assert entry[index] is None
        entry[index] = asyncio.core.cur_task
        asyncio.core.cur_task.data = self

    def queue_read(self, stream):
        """Let the current task wait until stream can be read."""
        self._enqueue(stream, 0)

    def queue_write(self, stream):
        """Let the current task wait until stream can be written."""
        self._enqueue(stream, 1)

    def remove(self, task):
        """Forget what a cancelled task waits for."""
        for key, entry in list(self.map.items()):
            for index in (0, 1):
                if entry[index] is task:
                    entry[index] = None
            if entry[0] is None and entry[1] is None:
                del self.map[key]

    def _wake(self):
        """Schedule the tasks whose streams are ready; return whether there was one."""
        woken = False
        for key in list(self.map):
            entry = self.map[key]
            wanted = (_POLLIN if entry[0] else 0) | (_POLLOUT if entry[1] else 0)
            ready = entry[2].ioctl(_STREAM_POLL, wanted)
            for index, bit in ((0, ~_POLLOUT), (1, ~_POLLIN)):
                if ready & bit and entry[index]:
                    asyncio.core._task_queue.push(entry[index])
                    entry[index] = None
                    woken = True
            if entry[0] is None and entry[1] is None:
                del self.map[key]
        return woken

    def wait_io_event(self, dt):
        """Wait dt ms (for ever when negative), or less when a stream is ready before."""
        if self.map and self._wake() or dt == 0:
            return
        queue = asyncio.core._task_queue
        if dt > 0:
            _world.step(_world.ms + dt)  # the loop asks again for the rest
            self._wake()
        while queue.peek() is None:
            if _world.next_ms() is None:
                raise RuntimeError("nothing is left that could ever happen")
            _world.step(None)
            self._wake()


class World:
    """The clock and everything that waits for it. There is one in a process, made before the firmware is
    imported.

    start_ticks_ms: what ticks_ms() says at the start. on_edge: called with (ms, pin, level) at each edge of
    an output.
    """

    def __init__(self, start_ticks_ms=0, on_edge=None):
        global _world
        self.ms = 0
        self.wires = {}
        self._parts = []  # (next_ms, advance)
        self._calls = []  # [ms, call], sorted
        self._watchdog_ms = self._watchdog_due = None
        _world = self
        time._virtual(self)
        time._start_ms = start_ticks_ms
        machine.UART = UART
        hanma_port.tell = self._tell
        hanma_port.stop = self._stop
        hanma_port.on_edge = lambda pin, level: on_edge(self.ms, pin, level) if on_edge else None
        virtual_tasks.install(asyncio.core, time, _Queue)

    def set_file(self, name, text):
        """Set a state file that the stand-ins read, e.g. ("pin_22", "=21")."""
        hanma_port._memory[name] = text

    def wire(self, number, core):
        """Wire a modem's core to a UART; returns the wire with its byte counts."""
        wire = self.wires[number] = _Wire(core)
        self.add(wire.next_ms, wire.advance)
        return wire

    def add(self, next_ms, advance):
        """Let next_ms(now_ms) say when advance(now_ms) is to be called."""
        self._parts.append((next_ms, advance))

    def at(self, ms, call):
        """Call call() at that time."""
        self._calls.append((ms, call))
        self._calls.sort(key=lambda entry: entry[0])

    def run(self, coroutine, for_ms):
        """Run it for so long; return None, what it returned earlier, or why the chip was reset."""
        asyncio.new_event_loop()
        end = self.ms + for_ms
        self.at(end, self._end)
        try:
            return asyncio.run(coroutine)
        except Done:
            return None
        except Reset as reset:
            return reset.reason
        finally:
            self._calls = [entry for entry in self._calls if entry[1] != self._end]

    def _end(self):
        raise Done()

    # The clock

    def advance(self, ms):
        """Let ms pass, as a blocking call does: everything but the terminal goes on."""
        limit = self.ms + ms
        while self.ms < limit:
            self.step(limit)

    def step(self, limit):
        """Move the clock to the next thing that happens, at most to limit (or None), and let it happen."""
        target = self.next_ms()
        if target is None or limit is not None and target > limit:
            target = limit
        self.ms = max(self.ms, target)
        self._happen()

    def next_ms(self):
        """Return when the next thing happens, or None."""
        first = _earliest(self._watchdog_due, self._calls[0][0] if self._calls else None)
        for next_ms, _ in self._parts:
            first = _earliest(first, next_ms(self.ms))
        return first

    def _happen(self):
        """Let happen what is due now, also what that brings about now."""
        for _ in range(_STEPS_MOST):
            for next_ms, advance in self._parts:
                due = next_ms(self.ms)
                if due is not None and due <= self.ms:
                    advance(self.ms)
            for wire in self.wires.values():
                wire.collect(self.ms)
            while self._calls and self._calls[0][0] <= self.ms:
                self._calls.pop(0)[1]()
            if self._watchdog_due is not None and self._watchdog_due <= self.ms:
                raise Reset("wdt")
            due = self.next_ms()
            if due is None or due > self.ms:
                return
        raise RuntimeError("a part has something to do at %d ms again and again" % self.ms)

    # What the chip runner would hear

    def _tell(self, line):
        words = line.split()
        if words[0] == "wdt":
            self._watchdog_ms = int(words[1])
        if words[0] in ("wdt", "feed") and self._watchdog_ms is not None:
            self._watchdog_due = self.ms + self._watchdog_ms

    def _stop(self, line):
        raise Reset(line)


def _earliest(*times):
    """Return the smallest of those that are not None, or None."""
    first = None
    for at in times:
        if at is not None and (first is None or at < first):
            first = at
    return first
