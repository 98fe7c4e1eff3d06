"""The UART under the AT conversation: one command in flight, the rest queued, time-outs, and two ways to wait.

Owns the UART. Everything happens in `pump()` (bytes in), `_push()` (bytes out) and `tick()` (time-outs), which never
wait. Under asyncio three tasks call them; without a running loop `drive()` does, until something has ended. A command
that is in flight when a blocking caller comes is finished first; whoever awaited it finds its result.

After a time-out the channel finds its footing again before the next command: it asks something that was not asked
before and drops every result that comes ahead of the answer, so a late one is never taken for another command's.
A cancelled command keeps its place until its result is in. Times are in ms.
"""

import asyncio
import select
import time
from asyncio import core

from micropython import const

from modem import at, gsm
from modem.at import ModemError

_PIECE = const(256)  # bytes given to the UART at once: 22 ms at 115200 where its buffer is full
_ROUNDS = const(2)  # windows taken up before other tasks run
_PROBES = const(5)  # AT x 5, then the modem counts as dead
_BUSY_TICK_MS = const(200)
_IDLE_TICK_MS = const(1000)


class Pending:
    """Something that will end: then `finished` is set and `value` or `error`, a ModemError's code, says how."""

    def __init__(self, doing):
        self.doing = doing
        self.finished = False
        self.value = None
        self.error = None
        self._event = None  # made when somebody waits

    def finish(self, value=None, error=None):
        """End it; a second end changes nothing."""
        if not self.finished:
            self.finished = True
            self.value = value
            self.error = error
            if self._event:
                self._event.set()

    def result(self):
        """Return the value, or raise ModemError."""
        if self.error:
            raise ModemError(self.error, self.doing)
        return self.value

    async def wait(self, timeout_ms=None):
        """Wait for the end and return result(); after timeout_ms it ends with `timeout`. May be cancelled."""
        if not self.finished:
            self._event = self._event or asyncio.Event()
            if timeout_ms is None:
                await self._event.wait()
            else:
                try:
                    await asyncio.wait_for_ms(self._event.wait(), timeout_ms)
                except asyncio.TimeoutError:
                    self.finish(error="timeout")
        return self.result()


class Command(Pending):
    """A command line: a dialect's row, and what a send or a read needs beside it."""

    def __init__(self, row, payload=None, sink=None, on_data=None, on_end=None, careful=True,
                 strict=False):
        """payload: sent at the prompt; sink: takes counted data; on_data(count): it has, -1 when it was damaged;
        on_end(command): called when over; careful: after a time-out the channel finds its footing again; strict:
        results ahead of the answer are late ones of other commands."""
        self.text, self.answer, self.commas, self.timeout_ms = row
        super().__init__(self.text.decode())
        self.payload = payload
        self.sink = sink
        self.on_data = on_data
        self.on_end = on_end
        self.careful = careful
        self.strict = strict
        self.detail = b""  # what the modem said ahead of ERROR

    def finish(self, value=None, error=None):
        """End it and tell who asked."""
        if not self.finished:
            super().finish(value, error)
            if self.on_end:
                self.on_end(self)


class Channel:
    """One UART, open at `baudrate`, with one modem at its end. `on_urc(name, value)` is told what the modem says by itself, and `silent`
    when it answers nothing; `on_tick(now)` is called at least once a second."""

    def __init__(self, uart, dialect, baudrate, on_urc, on_tick):
        self._uart = uart
        self.baudrate = baudrate  # what the UART is set to, bit/s
        self._dialect = dialect
        self._on_urc = on_urc
        self._on_tick = on_tick
        self.conversation = at.Conversation(dialect)
        self._queue = []
        self._current = None
        self._deadline = 0
        self._probes_left = 0  # while finding the footing
        self._late = None  # a payload whose prompt may still come
        self._out = None  # memoryview of what the UART has not taken yet
        self._out_next = None  # what goes out after it
        self._out_more = asyncio.Event()
        self.commands = 0
        self.timeouts = 0
        self._reactions = {
            at.LINE: self._on_line,
            at.FINAL: self._on_final,
            at.PROMPT: self._on_prompt,
            at.URC: self._on_said,
            at.DATA: self._on_counted,
            at.CORRUPT: self._on_counted,
        }

    # --- commands

    def submit(self, command, first=False):
        """Queue a command, ahead of the others if `first`; it goes out at once when nothing is in flight."""
        if first:
            self._queue.insert(0, command)
        else:
            self._queue.append(command)
        self._start_next()
        return command

    async def ask(self, row, **extra):
        """Send a dialect's row and return the value of its answer (bytes) or None. Raises ModemError: `timeout`,
        `error`, `cme_<n>`, `silent`, `rebooted`. May be cancelled."""
        command = self.submit(Command(row, **extra))
        try:
            return await command.wait()
        except asyncio.CancelledError:
            if command in self._queue:
                self._queue.remove(command)
            raise

    async def knock(self, timeout_ms):
        """Send AT once and return whether OK came in time; a silent modem costs no more than that."""
        command = self.submit(Command(self._dialect.AT, careful=False))
        try:
            await command.wait(timeout_ms)
        except ModemError:
            if command is self._current:
                self._stop()
            elif command in self._queue:
                self._queue.remove(command)
            self._start_next()
            return False
        return True

    def set_baudrate(self, baudrate):
        """Change the UART's speed (bit/s); what was half read is lost."""
        if baudrate != self.baudrate:
            self.baudrate = baudrate
            self._uart.init(baudrate=baudrate)
            self.conversation.abandon()

    def drop_all(self, error):
        """End the command in flight and all queued ones with this code: the modem has forgotten them."""
        self._probes_left = 0
        self._late = None
        dropped = self._queue
        self._queue = []
        if self._current:
            dropped.insert(0, self._current)
        self._stop()
        for command in dropped:
            command.finish(error=error)

    def _start_next(self):
        if self._current is None and self._queue and not self._probes_left:
            self._begin(self._queue.pop(0))

    def _begin(self, command, prompt=False):
        self.commands += 1
        self._current = command
        self._deadline = time.ticks_add(time.ticks_ms(), command.timeout_ms)
        prompt = prompt or command.payload is not None
        self.conversation.begin(command.answer, command.commas, prompt, command.sink, command.strict)
        self._send(command.text + b"\r")

    def _stop(self):
        self._current = None
        self._out = self._out_next = None
        self.conversation.abandon()

    # --- bytes out

    def _send(self, data):
        if self._out:
            self._out_next = data
        else:
            self._out = memoryview(data)
            self._push()
        if self._out:
            self._out_more.set()

    def _push(self):
        if not self._out:
            return
        piece = self._out if len(self._out) <= _PIECE else self._out[:_PIECE]
        written = self._uart.write(piece) or 0
        if written < len(self._out):
            self._out = self._out[written:]
        else:
            self._out = memoryview(self._out_next) if self._out_next else None
            self._out_next = None

    # --- bytes in

    def pump(self):
        """Take up what the UART has, at most two windows of it; return whether there was anything."""
        conversation = self.conversation
        for turn in range(_ROUNDS):
            count = self._uart.readinto(conversation.window)
            if not count:
                return turn > 0
            conversation.feed(count)
            while True:
                kind = conversation.next()
                if not kind:
                    break
                self._reactions[kind](kind)
            if count < len(conversation.window):
                break
        return True

    def _on_line(self, _):
        command = self._current
        if command and command.value is None:
            command.value = self.conversation.value()

    def _on_final(self, _):
        command, self._current = self._current, None
        self._out = self._out_next = None
        error = None if self.conversation.ok else self._error_code()
        if self._probes_left:
            self._probes_left = 0
            self._late = None
        elif command:
            command.finish(command.value, error)
        self._start_next()

    def _error_code(self):
        text = self.conversation.text()
        return "error" if text == b"ERROR" else "cme_" + gsm.text(text[text.find(b":") + 1 :])

    def _on_prompt(self, _):
        payload = self._late if self._probes_left else self._current and self._current.payload
        self._late = None
        if payload is not None:
            self._send(payload)

    def _on_said(self, _):
        name, value = self.conversation.name, self.conversation.value()
        if name == "detail":
            if self._current:
                self._current.detail = value
            return
        if name == "boot":
            self.drop_all("rebooted")
        self._on_urc(name, value)

    def _on_counted(self, kind):
        if self._current and self._current.on_data:
            self._current.on_data(self.conversation.count if kind == at.DATA else -1)

    # --- time

    def tick(self):
        """End what has timed out; return ms until the next tick is due."""
        now = time.ticks_ms()
        if self._current and time.ticks_diff(now, self._deadline) >= 0:
            self._timed_out()
        self._on_tick(now)
        return _BUSY_TICK_MS if self._current else _IDLE_TICK_MS

    def _timed_out(self):
        command = self._current
        self.timeouts += 1
        self._stop()
        if self._probes_left:
            self._probes_left -= 1
            if not self._probes_left:
                self.drop_all("silent")
                self._on_urc("silent", b"")
                return
            if self._late is not None:  # the prompt was lost, the modem waits for bytes: these end it
                payload, self._late = self._late, None
                self._send(payload)
            self._probe(command)
        elif command.careful:
            self._probes_left = _PROBES
            self._late = command.payload
            self._probe(command)
            command.finish(error="timeout")
        else:
            command.finish(error="timeout")
            self._start_next()

    def _probe(self, after):
        probes = self._dialect.PROBES
        row = probes[1] if after.answer == probes[0][1] else probes[0]
        self._begin(Command(row, strict=True), prompt=self._late is not None)

    # --- two ways to wait

    def tasks(self):
        """Return the coroutines that keep the channel going; each runs until cancelled."""
        return self._reader(), self._writer(), self._watch()

    async def _reader(self):
        while True:
            await _until_ready(self._uart, False)
            if not self.pump():
                await asyncio.sleep_ms(20)  # ready without a byte: a line that hung up must not spin the loop

    async def _writer(self):
        while True:
            await self._out_more.wait()
            self._out_more.clear()
            while self._out:
                await _until_ready(self._uart, True)
                self._push()

    async def _watch(self):
        while True:
            await asyncio.sleep_ms(self.tick())

    def drive(self, over, timeout_ms):
        """Keep the channel going without asyncio until over() is true; return that, False after timeout_ms."""
        start = time.ticks_ms()
        poller = select.poll()
        poller.register(self._uart, select.POLLIN)
        while not over():
            left_ms = timeout_ms - time.ticks_diff(time.ticks_ms(), start)
            if left_ms <= 0:
                return False
            poller.poll(min(left_ms, 20))
            self.pump()
            self._push()
            self.tick()
        return True


def _until_ready(stream, for_write):
    # A generator that asyncio awaits: the task goes on when the stream can be read (written).
    queue = core._io_queue
    yield (queue.queue_write if for_write else queue.queue_read)(stream)
