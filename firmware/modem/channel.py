"""The UART under the AT conversation: one command in flight, the rest queued, time-outs, and two ways to wait.

Owns the UART. Everything happens in `pump()` (bytes in), `push()` (bytes out) and `tick()` (time-outs), which
never wait. Under asyncio three tasks call them; without a running loop `blocking.drive()` does, until something ends.
A command that is in flight when a blocking caller comes is finished first; whoever awaited it finds its result.

After a time-out the channel finds its footing again before the next command: it asks something that was not
asked before and drops every result that comes ahead of the answer, so a late one is never taken for another
command's. A cancelled command keeps its place until its result is in. Times are in ms.
"""

import asyncio
import time
from asyncio import core

from micropython import const

from modem.at import ModemError, text

_PIECE = const(256)  # bytes given to the UART at once: 22 ms at 115200 where its buffer is full
_ROUNDS = const(20)  # windows taken up before other tasks run
_LINES = const(8)  # lines, after which the rest of the rounds waits: rubbish in short lines is what costs most
_PROBES = const(5)  # AT x 5, then the modem counts as dead
_TICK_MS = const(250)
_ROW = (None, None, 9000, 0)  # a row's defaults; 9 s is the manual's for most commands

_LINE = const(1)  # what Conversation.next() returns
_FINAL = const(2)
_PROMPT = const(3)
_URC = const(4)
_DATA = const(5)


class Pending:
    """Something that will end: then `finished` is set and `value` or `error`, a ModemError's code, says how."""

    def __init__(self, doing):
        self.doing = doing
        self.finished = False
        self.value = None
        self.error = None
        self._event = None  # made when somebody waits
        self._on_end = None

    def finish(self, value=None, error=None):
        """End it and tell who asked; a second end changes nothing."""
        if not self.finished:
            self.finished = True
            self.value = value
            self.error = error
            if self._event:
                self._event.set()
            if self._on_end:
                self._on_end(self)

    async def wait(self, timeout_ms=None):
        """Return the value when it has ended, or raise ModemError; after timeout_ms it ends with `timeout`. May
        be cancelled."""
        if not self.finished:
            self._event = self._event or asyncio.Event()
            if not await wait_for(self._event, timeout_ms):
                self.finish(None, "timeout")
        if self.error:
            doing = self.doing
            if isinstance(doing, bytes):
                doing = doing.partition(b"=")[0]  # what follows may be a password
            raise ModemError(self.error, doing)
        return self.value


class Command(Pending):
    """A command line: a dialect's row, and what a send or a read needs beside it.

    on_end(command): called when over; payload: sent at the prompt; sink: takes counted data; on_data(count): it has, -1
    when it was damaged; careful: after a time-out the channel finds its footing again; strict: results ahead of the
    answer are late ones of other commands.
    """

    def __init__(self, row, on_end=None, payload=None, sink=None, on_data=None, careful=True, strict=False):
        super().__init__(row[0])
        self._row = row + _ROW[len(row) :]
        self._on_end = on_end
        self._payload = payload
        self._sink = sink
        self._on_data = on_data
        self._careful = careful
        self._strict = strict


class Channel:
    """One UART, open at `baudrate`, with one modem at its end. `on_urc(name, value)` is told what the modem says
    by itself, and `silent` when it answers nothing; `on_tick(now)` is called four times a second. Made by modem.fresh,
    which tells what it consists of."""

    # --- commands

    def submit(self, command, first=False):
        """Queue a command, ahead of the others if `first`; it goes out at once when nothing is in flight."""
        self._queue.insert(0 if first else len(self._queue), command)
        self._start_next()
        return command

    def submit_once(self, row):
        """Queue a row nobody waits for, unless it waits or is in flight already."""
        for command in self._queue + [self._current]:
            if command and command._row[0] == row[0]:
                return
        self.submit(Command(row))

    async def ask(self, row, careful=True, strict=False):
        """Send a dialect's row and return the value of its answer (bytes) or None; careful, strict: see Command.
        Raises ModemError: `timeout`, `error`, `cme_<n>`, `silent`, `rebooted`. May be cancelled."""
        command = self.submit(Command(row, None, None, None, None, careful, strict))
        try:
            return await command.wait()
        finally:
            if command in self._queue:
                self._queue.remove(command)

    def drop_all(self, error, urc=None):
        """End all commands with this code, the modem has forgotten them; the URC that says so is told first."""
        dropped = self._queue
        self._queue = []
        if self._current:
            dropped.append(self._current)
        self._probes_left = 0
        self._late = None
        self._stop()
        if urc:
            self._on_urc(urc, b"")
        for command in dropped:
            command.finish(None, error)

    def _start_next(self):
        if self._queue and not self._current and not self._probes_left:
            self._begin(self._queue.pop(0))

    def _begin(self, command):
        self._counts["commands"] += 1
        self._current = command
        line, answer, timeout_ms, commas = command._row
        self._deadline = time.ticks_add(time.ticks_ms(), timeout_ms)
        prompt = command._payload is not None or self._late is not None
        self._talk.begin(answer, commas, prompt, command._sink, command._strict)
        self._send(line if line.endswith(b"\n") else line + b"\r")

    def _stop(self):
        # Nothing is in flight any more, and nothing of it goes out or is half read.
        self._current = None
        self._out = b""
        self._talk.abandon()

    # --- bytes out

    def _send(self, data):
        # What still waits there is rare and short: a command line ahead of its payload.
        self._out = memoryview(bytes(self._out) + data if self._out else data)
        self.push()
        if self._out:
            self._out_more.set()

    def push(self):
        """Give the UART what it takes of what is to go out."""
        if self._out:
            self._out = self._out[self._uart.write(self._out[:_PIECE]) or 0 :]

    # --- bytes in

    def pump(self):
        """Take up what the UART has, at most 1 KiB or so many lines; return whether there was anything."""
        talk = self._talk
        last = talk.judged + _LINES
        for turn in range(_ROUNDS):
            count = self._uart.readinto(talk.window)
            if not count:
                return turn > 0
            talk.feed(count)
            kind = talk.next()
            while kind:
                self._take(kind)
                kind = talk.next()
            if talk.judged >= last:
                break
        return True

    def _take(self, kind):
        command = self._current
        if kind == _FINAL:
            self._on_final(command)
        elif kind == _PROMPT:
            payload = self._late if self._probes_left else command and command._payload
            self._late = None
            if payload is not None:
                self._send(payload)
        elif kind == _URC:
            name = self._talk.name
            if name == "boot":
                self.drop_all("rebooted", name)
            else:
                self._on_urc(name, self._talk.value())
        elif command:
            if kind == _LINE:
                if command.value is None:
                    command.value = self._talk.value()
            elif command._on_data:
                command._on_data(self._talk.count if kind == _DATA else -1)

    def _on_final(self, command):
        self._stop()
        if self._probes_left:
            self._probes_left = 0
            self._late = None
        elif command:
            error = None
            if not self._talk.ok:
                _, colon, code = self._talk.text().partition(b":")
                error = "cme_" + text(code) if colon else "full" if self._talk.text() == b"SEND FAIL" else "error"
            command.finish(command.value or self._talk.value(), error)
        self._start_next()

    # --- time

    def tick(self):
        """End what has timed out."""
        now = time.ticks_ms()
        self._counts["unknown_lines"] = self._talk.unknown
        self._counts["overlong"] = self._talk.overlong
        command = self._current
        if command and time.ticks_diff(now, self._deadline) >= 0:
            self._counts["timeouts"] += 1
            self._stop()
            if self._probes_left > 1:
                self._probes_left -= 1
                if self._late is not None:  # the prompt was lost, the modem waits for bytes: these end it
                    payload, self._late = self._late, None
                    self._send(payload)
                self._probe(command)
            elif self._probes_left:
                self.drop_all("silent", "silent")
            else:
                if command._careful:
                    self._probes_left = _PROBES
                    self._late = command._payload
                    self._probe(command)
                command.finish(None, "timeout")
                self._start_next()
        self._on_tick(now)

    def _probe(self, after):
        probes = self._dialect.PROBES
        row = probes[after._row[1] == probes[0][1]]
        self._begin(Command(row, None, None, None, None, True, True))

    # --- two ways to wait

    def tasks(self):
        """Return the coroutines that keep the channel going; each runs until cancelled."""
        return self._reader(), self._writer(), self._watch()

    async def _reader(self):
        while True:
            yield core._io_queue.queue_read(self._uart)  # asyncio's own way to wait until it can be read
            if not self.pump():
                await asyncio.sleep_ms(20)  # ready without a byte: a line that hung up must not spin the loop

    async def _writer(self):
        while True:
            await self._out_more.wait()
            self._out_more.clear()
            while self._out:
                yield core._io_queue.queue_write(self._uart)
                self.push()

    async def _watch(self):
        while True:
            await asyncio.sleep_ms(_TICK_MS)
            self.tick()


async def wait_for(event, timeout_ms):
    """Wait until the event is set; return False after timeout_ms, None waits on."""
    try:
        await (event.wait() if timeout_ms is None else asyncio.wait_for_ms(event.wait(), timeout_ms))
        return True
    except asyncio.TimeoutError:
        return False
