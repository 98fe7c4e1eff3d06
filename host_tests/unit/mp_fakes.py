"""A scripted modem on a fake UART, in virtual time, for tests that run under MicroPython.

Import this first: it puts its own `time` and `select` in the place of the built-in ones, so that asyncio and the
firmware wait in virtual time. Nothing here knows what a real modem would do: a test says what is answered.
"""

import io
import sys
import time as host_time


class VirtualTime:
    """Stands for the module time. Runs ahead of the host's ticks, which the task queue in C stamps `ready` with."""

    def __init__(self):
        self.now = host_time.ticks_ms() + 600000
        # attributes, not methods: `from time import ticks_ms` does not find a method everywhere
        self.ticks_ms = lambda: self.now
        self.ticks_diff = lambda later, earlier: later - earlier
        self.ticks_add = lambda ticks, delta: ticks + delta


class VirtualSelect:
    """Stands for the module select: poll() looks at the fake UARTs and moves the clock."""

    POLLIN = 1
    POLLOUT = 4

    def poll(self):
        return VirtualPoll()


class VirtualPoll:
    """A poll set that knows one stream."""

    def register(self, stream, flags):
        self.stream = stream

    def poll(self, timeout_ms):
        if not self.stream.ready():
            world.advance(timeout_ms)


class World:
    """The clock, what is scheduled on it, and asyncio's view of the streams."""

    def __init__(self):
        self.clock = VirtualTime()
        self.events = []  # (when, function), sorted
        self.map = {}  # streams waited for: id -> [reading task, writing task, stream]

    def after(self, delay_ms, function):
        self.events.append((self.clock.now + delay_ms, function))
        self.events.sort(key=lambda event: event[0])

    def advance(self, limit_ms):
        """Go on to the next event, at most limit_ms; run it."""
        due = self.clock.now + limit_ms if limit_ms >= 0 else None
        if self.events and (due is None or self.events[0][0] <= due):
            when, function = self.events.pop(0)
            self.clock.now = max(self.clock.now, when)
            function()
        elif due is None:
            raise RuntimeError("everything waits and nothing will happen")
        else:
            self.clock.now = due

    # asyncio's poller

    def _enqueue(self, stream, index):
        asyncio.core.cur_task.data = self
        self.map.setdefault(id(stream), [None, None, stream])[index] = asyncio.core.cur_task

    def queue_read(self, stream):
        self._enqueue(stream, 0)

    def queue_write(self, stream):
        self._enqueue(stream, 1)

    def remove(self, task):
        for key in list(self.map):
            if task in self.map[key][:2]:
                entry = self.map[key]
                entry[entry.index(task)] = None
                if entry[0] is entry[1] is None:
                    del self.map[key]

    def wait_io_event(self, dt):
        if not self._wake() and dt:
            self.advance(dt)
            self._wake()

    def _wake(self):
        woken = False
        for key in list(self.map):
            entry = self.map[key]
            for index, ready in ((0, entry[2].ready()), (1, entry[2].writable())):
                if ready and entry[index]:
                    asyncio.core._task_queue.push(entry[index])
                    entry[index] = None
                    woken = True
            if entry[0] is entry[1] is None:
                del self.map[key]
        return woken


world = World()
sys.modules["time"] = world.clock
sys.modules["select"] = VirtualSelect()

import asyncio  # noqa: E402  (it must find the virtual time)
import asyncio.core  # noqa: E402

asyncio.core._io_queue = world


class FakeUart(io.IOBase):
    """The terminal's end of the wire. Bytes in `inbox` can be read; what is written goes to the peer at once."""

    def __init__(self):
        self.inbox = bytearray()
        self.peer = None
        self.baudrate = 115200
        self.chunk = 4096  # the most one read gives
        self.takes = 4096  # the most one write takes

    def init(self, baudrate):
        self.baudrate = baudrate
        self.inbox = bytearray()

    def ready(self):
        return len(self.inbox) > 0

    def writable(self):
        return self.takes > 0

    def readinto(self, buffer):
        count = min(len(self.inbox), len(buffer), self.chunk)
        if not count:
            return None
        memoryview(buffer)[:count] = self.inbox[:count]
        self.inbox = self.inbox[count:]
        return count

    def write(self, data):
        count = min(len(data), self.takes)
        if not count:
            return None
        self.peer.hear(bytes(memoryview(data)[:count]))
        return count


class Peer:
    """Answers command lines from a table; everything it does not know gets ERROR. Test code may change all of it.

    answers: line -> bytes, or function(line) -> bytes or None; what starts with a key that ends in `*` matches too.
    """

    def __init__(self, uart, answers):
        self.uart = uart
        uart.peer = self
        self.answers = answers
        self.baudrate = 115200
        self.mute = False
        self.echo = False
        self.delay_ms = 2
        self.lines = []  # command lines heard
        self.sent = []  # payloads heard: (line, bytes)
        self._line = b""
        self._payload = None  # [line, bytes wanted, bytes so far, answer]

    def hear(self, data):
        if self.mute or self.uart.baudrate != self.baudrate:
            return
        for i in range(len(data)):
            if self._payload:
                self._take_payload(data[i : i + 1])
            elif data[i] == 13:
                line, self._line = self._line, b""
                self._obey(line)
            else:
                self._line += data[i : i + 1]

    def say(self, data, delay_ms=None):
        """Put bytes on the wire, after a while."""
        world.after(self.delay_ms if delay_ms is None else delay_ms, lambda: self._put(data))

    def prompt_for(self, line, count, answer, prompt=b"\r\n>"):
        """The next `count` bytes are a payload; `answer` follows them. Returns the prompt."""
        self._payload = [line, count, b"", answer]
        return prompt

    def _put(self, data):
        if self.uart.baudrate == self.baudrate:
            self.uart.inbox.extend(data)

    def _take_payload(self, byte):
        payload = self._payload
        payload[2] += byte
        if len(payload[2]) == payload[1]:
            self._payload = None
            self.sent.append((payload[0], payload[2]))
            self.say(payload[3](payload[2]) if callable(payload[3]) else payload[3])

    def _obey(self, line):
        self.lines.append(line)
        if len(self.lines) > 2000:
            del self.lines[:1000]
        answer = self._find(line)
        if callable(answer):
            answer = answer(line)
        if answer is not None:
            self.say((line + b"\r" if self.echo else b"") + answer)

    def _find(self, line):
        if line in self.answers:
            return self.answers[line]
        for key in self.answers:
            if key.endswith(b"*") and line.startswith(key[:-1]):
                return self.answers[key]
        return b"\r\nERROR\r\n"


async def until(condition, timeout_ms=600000):
    """Wait, in virtual time, until condition() is true."""
    end = world.clock.now + timeout_ms
    while not condition():
        if world.clock.now > end:
            raise AssertionError("it did not come about")
        await asyncio.sleep_ms(5)


def run_cases(cases):
    """Run each async function of the dict and print one line of JSON for each: its name, and its traceback or null."""
    import json

    for name in sorted(cases):
        world.events.clear()
        world.map.clear()
        asyncio.new_event_loop()
        asyncio.core._io_queue = world
        error = None
        try:
            asyncio.run(cases[name]())
        except Exception as problem:
            text = io.StringIO()
            sys.print_exception(problem, text)
            error = text.getvalue()
        print(json.dumps([name, error]))
