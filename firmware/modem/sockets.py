"""TCP sockets on the modem's own stack, in its buffered mode: the machine and its face for asyncio. UDP: `modem.udp`.

Owns the links (at most four), a receive ring for each (made at its first use, kept) and what a stream face has
collected and not sent. The modem is read when it says that data arrived, and by a timer, since that word can be lost;
never more is read than the ring has room for. What the network closed is drained before the end is told.

The machine is synchronous: URCs, results and ticks move it on. `Socket` awaits it; `modem.blocking` has the face
that is shaped like the module `socket` and drives the UART itself. Times in ms.
"""

import io
import time

from micropython import const

from modem.at import ModemError, numbers
from modem.channel import Command, Pending, wait_for

RING = const(1471)  # a whole read; with the byte that RingIO adds, whole blocks of the heap
_OUT = const(1024)  # a TLS handshake's flight, and nearly every report
_READ_MIN = const(512)  # wait for this much room: small reads cost a command each
_LOOK_FIRST_MS = const(2000)  # after a send an answer is likely, and so is a lost word of it

_OPENING = const(0)
_OPEN = const(1)
_ENDED = const(2)  # closed by the network; what it left is still read
_CLOSING = const(3)
_CLOSED = const(4)

_POLL = const(3)  # py/stream.h: MP_STREAM_POLL and its flags
_POLL_READ = const(1)
_POLL_WRITE = const(4)
_POLL_HANGUP = const(16)
_ECONNRESET = const(104)

_URCS = ("arrived", "closed", "opened", "released", "sent")


class Sockets:
    """The modem's links. Made by modem.fresh, which tells what they consist of."""

    def on_urc(self, name, value):
        """Take a URC; return whether it was about a socket."""
        if name not in _URCS:
            return False
        values = numbers(value)
        for sock in self._links:
            if sock and sock.link == values[0]:
                sock._on_urc(name, values)
                return True
        if name == "opened" and (values + [0])[1] == 0 and values[0] in range(len(self._links)):
            # a connection given up that came about after all; told again and again it is closed once
            self.channel.submit_once(self.dialect.close(values[0]))
        return True

    def on_tick(self, now):
        """Let time pass, ticks of ms: look for data whose arrival was not told."""
        for sock in self._links:
            if sock:
                sock._on_tick(now)

    def drop_all(self, error):
        """The modem has lost its links: every socket fails with this code, nothing is sent."""
        for sock in self._links:
            if sock:
                sock._lose(error)


class Socket:
    """One connection. Made by dial.take(), which says what it owns; opened by Modem.connect()."""

    # --- the async face

    async def readinto(self, buffer, timeout_ms=None):
        """Read at least one byte into buffer; return how many, 0 at the end of the stream.

        Raises ModemError `timeout`, `closed` or what the socket failed with. May be cancelled.
        """
        await self.wait_readable(timeout_ms)
        return self.take_bytes(buffer)

    async def wait_readable(self, timeout_ms=None):
        """Return when there are bytes or the end of the stream; raises as readinto. May be cancelled."""
        while not self.readable():
            self._readable.clear()
            if not await wait_for(self._readable, timeout_ms):
                raise ModemError("timeout", "read")
        self._check(_ENDED)

    async def write(self, buffer):
        """Send all of buffer; returns when the modem's stack has it. Raises ModemError. A cancelled write leaves
        the stream with a hole: close it."""
        view = memoryview(buffer)
        size = self._dialect.PIECE
        async with self._lock:
            for start in range(0, len(view), size):
                await self._write_piece(view[start : start + size])

    async def flush(self):
        """Send what the stream face has collected. Raises ModemError. Cancelled it leaves a hole, as write()."""
        while self._out:
            out, self._out = self._out, b""
            await self.write(out)

    async def close(self):
        """Close the connection; returns when the link is free, or counts as free. Raises nothing of the
        modem's."""
        await self.start_close().wait()

    async def _write_piece(self, view, *peer):
        patience_ms = self._dialect.LINK_MS
        try:
            if self._under_way:  # of a write that was cancelled
                await self._under_way.wait(patience_ms)
            await self.start_send(view, *peer).wait(patience_ms)
            self._under_way = None
        except ModemError as problem:
            self._fail(problem.code)
            raise

    # --- the machine

    def readable(self):
        """True when a read would not wait: bytes, the end, or a failure."""
        return self.closed or self._ring.any() > 0

    def take_bytes(self, buffer):
        """Move bytes from the ring into buffer; return how many, 0 at the end, None when there are none yet."""
        if not self._ring.any():
            return 0 if self.closed else None
        count = self._ring.readinto(buffer)
        self._pull()
        return count

    def start_open(self, row):
        """Send the command that opens the link; return the Pending that ends with it. Its error is `failed` and its
        value a number when the modem told why."""
        self._channel.submit(Command(row, self._on_open_result))
        return self._under_way

    def start_send(self, view, *peer):
        """Send at most one piece, UDP's to its peer; return the Pending that ends when the modem's stack has it."""
        self._check(_OPEN)
        sending = self._under_way = Pending("write")
        self._look_soon(_LOOK_FIRST_MS)
        row = self._dialect.send(self.link, len(view), *peer)
        self._channel.submit(Command(row, self._on_send_result, view))
        return sending

    def start_close(self):
        """Give the link back to the modem; return the Pending that ends when it is free."""
        if self._state < _CLOSING:
            self._shut(_CLOSING)
            self._channel.submit(Command(self._dialect.close(self.link), self._on_close_result))
        return self._released

    def _check(self, last):
        if self._state > last:
            raise ModemError(self._code, "socket")

    def _look_soon(self, ms):
        self._look_ms = ms
        self._looked = time.ticks_ms()

    def _fail(self, code):
        if self._state < _CLOSING:
            self._code = code
            self.start_close()

    def _lose(self, code):
        # The link is gone, or free.
        if self._state < _CLOSING:
            self._code = code
        if self._state < _CLOSED:
            self._shut(_CLOSED)
            self._sockets._links[self.link] = None
            self._released.finish()

    def _shut(self, state):
        self._state = state
        self.closed = True
        self._end(self._code)
        self._out = b""
        self._readable.set()

    def _end(self, error):
        # Of the opening, or the send, that is under way.
        if self._under_way:
            self._under_way.finish(None, error)

    def _pull(self):
        room = RING - self._ring.any()
        if self._unread and not self._reading and self._state < _CLOSING and room >= _READ_MIN:
            self._reading = True
            self._again = False
            self._landed = 0
            row = self._dialect.read(self.link, min(self._dialect.PIECE, room))
            self._channel.submit(Command(row, self._on_read_result, None, self._ring, self._on_data), True)

    def _on_urc(self, name, values):
        if name == "released":
            self._lose("closed")
        elif name == "opened":
            self._on_opened(values)
        elif name == "sent":
            # A count other than the one asked for: the manual calls the socket unusable from then on.
            if len(values) < 3 or values[1] != values[2]:
                self._fail("closed")
            elif self._state:
                self._end(None)
        elif name == "closed" and self._state != _OPEN:
            if self._state == _OPENING:
                self._end("refused")
        else:
            if name == "closed":
                self._state = _ENDED
                self._end("closed")
            self._unread = self._again = True
            self._pull()

    def _on_data(self, count):
        if count < 0:
            self._fail("corrupt")
            return
        self._landed = count
        self._look_soon(self._sockets.look_ms)
        self._sockets.received += count
        self._readable.set()

    def _on_read_result(self, command):
        self._reading = False
        if command.error in ("timeout", "silent", "rebooted"):
            self._fail(command.error)  # part of the data may be lost
            return
        self._unread = self._again or self._landed and self._dialect.unread(command.value) > 0
        if self._state == _ENDED and not self._unread:
            self.closed = True
            self._readable.set()
        self._pull()

    def _on_open_result(self, command):
        if command.error and self._state == _OPENING:
            self._end(command.error)

    def _on_opened(self, values):
        opening = self._under_way
        if self._state == _OPENING and not opening.finished:
            if (values + [0])[1] == 0:
                while self._ring.any():  # what a read for the link's last socket still brought
                    self._ring.read(64)
                self._state = _OPEN
                opening.finish()
            else:
                opening.finish(values[-1], "failed")

    def _on_send_result(self, command):
        error = command.error
        if error == "full":
            self._refused = command  # the same bytes again, a little later
        elif error:
            self._fail("closed" if error == "error" else error)
        elif not self._dialect.SENT_BY_URC:
            values = numbers(command.value)
            if len(values) > 1 and values[1] != len(command._payload):  # link,taken
                self._fail("closed")
            self._end(None)

    def _on_close_result(self, command):
        if command.error or not self._dialect.SENT_BY_URC:  # an error: it was not open any more
            self._lose("closed")
        else:
            self._release_by = time.ticks_add(time.ticks_ms(), self._dialect.CLOSE_MS)

    def _on_tick(self, now):
        refused = self._refused
        if refused:
            self._refused = None
            if not self._under_way.finished:
                self._channel.submit(Command(refused._row, self._on_send_result, refused._payload))
        if self._release_by is not None:
            if time.ticks_diff(now, self._release_by) >= 0:
                self._lose("closed")
        elif self._state and time.ticks_diff(now, self._looked) >= min(self._look_ms, self._sockets.look_ms):
            self._look_soon(2 * self._look_ms)
            self._unread = True
            self._pull()


class Stream(io.IOBase):
    """A Socket's non-blocking stream face: reads from its ring, collects what flush() sends. `sock`: the Socket."""

    def readinto(self, buffer):
        """Return the bytes read, 0 at the end, None when there are none; raises OSError when the socket
        failed."""
        return self._alive(_ENDED).take_bytes(buffer)

    def write(self, buffer):
        """Return the bytes taken, None when enough is collected; Socket.flush() sends it. Raises OSError."""
        sock = self._alive(_OPEN)
        count = min(len(buffer), _OUT - len(sock._out))
        sock._out += memoryview(buffer)[:count]
        return count or None

    def ioctl(self, request, flags):
        """Answer a poll."""
        if request != _POLL:
            return 0
        sock = self.sock
        ready = _POLL_READ if sock.readable() else 0
        return flags & (ready | _POLL_WRITE) | (_POLL_HANGUP if sock.closed else 0)

    def _alive(self, last):
        if self.sock._state > last:
            raise OSError(_ECONNRESET)
        return self.sock
