"""TCP and UDP sockets on the modem's own stack, in its buffered mode, with two faces on one machine.

Owns the links (at most four), a receive ring for each (made at its first use, kept) and a transmit buffer where a
stream face is used. The modem is read when it says that data arrived, and by a timer, since that word can be lost;
never more is read than the ring has room for. What the network closed is drained before the end is told.

The machine is synchronous: URCs, results and ticks move it on. `Socket` awaits it under asyncio, `SocketModule` is
shaped like MicroPython's `socket` and drives the UART itself (`requests.socket = SocketModule(modem)`). Times in ms.
"""

import asyncio
import io
import time

from micropython import RingIO, const

from modem import gsm
from modem.at import ModemError
from modem.channel import Command, Pending

_RING = const(2048)
_READ_MIN = const(512)  # wait for this much room: small reads cost a command each
_LOOK_FIRST_MS = const(2000)  # after a send an answer is likely, and so is a lost word of it
_LOOK_LAST_MS = const(32000)

_OPENING = const(0)
_OPEN = const(1)
_ENDED = const(2)  # closed by the network; what it left is still read
_CLOSING = const(3)
_CLOSED = const(4)

_POLL = const(3)  # py/stream.h: MP_STREAM_POLL and its flags
_POLL_READ = const(1)
_POLL_WRITE = const(4)
_POLL_HANGUP = const(16)

_ERRNO = {"timeout": 110, "refused": 111, "dns": -2, "no_data_call": 113, "no_socket": 24, "busy": 16}
_RESET = const(104)


class Sockets:
    """The modem's links."""

    def __init__(self, channel, dialect):
        self.channel = channel
        self.dialect = dialect
        self._links = [None] * dialect.LINKS  # the Socket on each
        self._rings = [RingIO(_RING)] + [None] * (dialect.LINKS - 1)
        self._outs = [None] * dialect.LINKS
        self._scratch = bytearray(64)
        self.received = 0  # bytes, ever: proof that a peer is there
        self._handlers = {
            "arrived": Socket._on_arrived,
            "closed": Socket._on_closed,
            "opened": Socket._on_opened,
            "released": Socket._on_released,
            "sent": Socket._on_sent,
        }

    def on_urc(self, name, value):
        """Take a URC; return whether it was about a socket."""
        handler = self._handlers.get(name)
        if handler is None:
            return False
        values = gsm.numbers(value)
        link = values[0]
        sock = self._links[link] if link is not None and 0 <= link < len(self._links) else None
        if sock:
            handler(sock, values)
        elif name == "opened" and values[1:] == [0]:  # a connection given up that came about after all
            self.channel.submit(Command(self.dialect.close(link)))
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

    def close_all(self):
        """Start closing every link."""
        for sock in self._links:
            if sock:
                sock._fail("closed")

    def take(self, udp=False):
        """Return a new Socket on a free link; raises ModemError `no_socket`."""
        for link, sock in enumerate(self._links):
            if sock is None:
                ring = self._rings[link] = self._rings[link] or RingIO(_RING)
                while ring.any():
                    ring.readinto(self._scratch)
                self._links[link] = Socket(self, link, ring, udp)
                return self._links[link]
        raise ModemError("no_socket", "open")

    def release(self, link):
        """The link is free for the next."""
        self._links[link] = None

    def out(self, link):
        """Return the link's transmit buffer, as large as one send."""
        self._outs[link] = self._outs[link] or bytearray(self.dialect.PIECE)
        return self._outs[link]

    async def connect(self, address, port, timeout_ms):
        """Open a TCP connection to an address and return its Socket. Raises ModemError; may be cancelled."""
        sock = self.take()
        return await sock._open(self.dialect.open_tcp(sock.link, address, port), timeout_ms)

    async def udp(self, local_port, timeout_ms):
        """Open a UDP socket on a local port and return it. Raises ModemError; may be cancelled."""
        sock = self.take(udp=True)
        return await sock._open(self.dialect.open_udp(sock.link, local_port), timeout_ms)


class Socket:
    """One connection. Made by Modem.connect() and Modem.udp()."""

    def __init__(self, sockets, link, ring, udp):
        self._sockets = sockets
        self._channel = sockets.channel
        self._dialect = sockets.dialect
        self.link = link
        self._ring = ring
        self._udp = udp
        self._state = _OPENING
        self._error = None  # code, once it failed
        self._opened = Pending("open")
        self._released = Pending("close")
        self._release_by = None  # ticks by which the modem must have released the link
        self._sent = None  # Pending of the send under way
        self._lock = asyncio.Lock()
        self._readable = asyncio.Event()  # data, end or failure
        self._unread = False  # the modem has more for us, as far as we know
        self._reading = False  # a read command is queued or in flight
        self._again = False  # more arrived while it was
        self._landed = 0  # bytes it brought
        self._drained = False  # closed by the network and read to the end
        self._look_ms = _LOOK_FIRST_MS
        self._looked = time.ticks_ms()
        self._stream = None
        self.out_fill = 0  # bytes in the transmit buffer
        self.peer = None  # UDP: (address, port) last sent to

    # --- the async face

    @property
    def closed(self):
        """True when nothing can be sent any more: closed here, failed, or the network's end has been read."""
        return self._state > _ENDED or self._drained

    @property
    def rx_waiting(self):
        """Bytes that can be read without waiting."""
        return 0 if self._state > _ENDED else self._ring.any()

    @property
    def stream(self):
        """The non-blocking io.IOBase face, for TLS."""
        self._stream = self._stream or Stream(self)
        return self._stream

    async def readinto(self, buffer, timeout_ms=None):
        """Read at least one byte into buffer; return how many, 0 at the end of the stream.

        Raises ModemError `timeout`, `closed` or what the socket failed with. May be cancelled.
        """
        await self.wait_readable(timeout_ms)
        return self.take_bytes(buffer) or 0

    async def wait_readable(self, timeout_ms=None):
        """Return when there are bytes or the end of the stream; raises as readinto. May be cancelled."""
        while not self.readable():
            self._readable.clear()
            if timeout_ms is None:
                await self._readable.wait()
            else:
                try:
                    await asyncio.wait_for_ms(self._readable.wait(), timeout_ms)
                except asyncio.TimeoutError:
                    raise ModemError("timeout", "read") from None
        self._check("read", _ENDED)

    async def write(self, buffer):
        """Send all of buffer; returns when the modem's stack has it. Raises ModemError; a cancelled write leaves the
        stream with a hole: close it."""
        view = memoryview(buffer)
        async with self._lock:
            for start in range(0, len(view), self._dialect.PIECE):
                await self._write_piece(view[start : start + self._dialect.PIECE])

    async def flush(self):
        """Send what the stream face has collected. Raises ModemError."""
        async with self._lock:
            while self.out_fill:
                count = self.out_fill
                await self._write_piece(memoryview(self._sockets.out(self.link))[:count])
                self.sent_out(count)

    async def sendto(self, buffer, address, port):
        """UDP: send buffer as one datagram to an address. Raises ModemError."""
        async with self._lock:
            self.peer = (address, port)
            await self._write_piece(memoryview(buffer))

    async def recvfrom(self, buffer, timeout_ms=None):
        """UDP: read what is there; return (count, address, port), the peer being the one last sent to."""
        count = await self.readinto(buffer, timeout_ms)
        address, port = self.peer or (None, 0)
        return count, address, port

    async def close(self):
        """Close the connection; returns when the link is free, or counts as free. Raises nothing of the modem's."""
        self.start_close()
        await self._released.wait()

    async def _open(self, row, timeout_ms):
        try:
            await self.start_open(row).wait(timeout_ms)
        finally:
            if self._state != _OPEN:
                self.start_close()
        return self

    async def _write_piece(self, view):
        if self._sent:
            await self._sent.wait(self._dialect.SENT_MS)
        try:
            await self.start_send(view).wait(self._dialect.SENT_MS)
        except ModemError as problem:
            self._fail(problem.code)
            raise

    # --- the machine

    def readable(self):
        """True when a read would not wait: bytes, the end, or a failure."""
        return self._drained or self._state > _ENDED or self._ring.any() > 0

    def take_bytes(self, buffer):
        """Move bytes from the ring into buffer; return how many, 0 at the end, None when there are none yet."""
        self._check("read", _ENDED)
        if not self._ring.any():
            return 0 if self._drained else None
        count = self._ring.readinto(buffer)
        self._pull()
        return count

    def start_open(self, row):
        """Send the command that opens the link; return the Pending that ends with it."""
        self._channel.submit(Command(row, on_end=self._on_open_result))
        return self._opened

    def start_send(self, view):
        """Send at most one piece; return the Pending that ends when the modem's stack has it."""
        self._check("write", _OPEN)
        self._sent = Pending("write")
        row = self._dialect.send(self.link, len(view), *(self.peer or ()))
        self._look_ms = _LOOK_FIRST_MS
        self._looked = time.ticks_ms()
        self._channel.submit(Command(row, payload=view, on_end=self._on_send_result))
        return self._sent

    def start_close(self):
        """Give the link back to the modem; return the Pending that ends when it is free."""
        if self._state < _CLOSING:
            self._state = _CLOSING
            self._end_waits(self._error or "closed")
            self._channel.submit(Command(self._dialect.close(self.link), on_end=self._on_close_result))
        return self._released

    def sent_out(self, count):
        """The first `count` bytes of the transmit buffer are gone; the rest moves up."""
        self.out_fill -= count
        if self.out_fill:
            buffer = self._sockets.out(self.link)
            buffer[: self.out_fill] = memoryview(buffer)[count : count + self.out_fill]

    def _check(self, doing, last):
        if self._state > last:
            raise ModemError(self._error or "closed", doing)

    def _fail(self, code):
        self._error = self._error or code
        self.start_close()

    def _lose(self, code):
        self._error = self._error or code
        self._free()

    def _free(self):
        if self._state != _CLOSED:
            self._state = _CLOSED
            self._end_waits(self._error or "closed")
            self._sockets.release(self.link)
            self._released.finish()

    def _end_waits(self, code):
        self._opened.finish(error=code)
        if self._sent:
            self._sent.finish(error=code)
        self.out_fill = 0
        self._readable.set()

    def _pull(self):
        waiting = self._ring.any()
        if not self._unread or self._reading or self._state > _ENDED or _RING - waiting < _READ_MIN:
            return
        self._reading = True
        self._again = False
        self._landed = 0
        row = self._dialect.read(self.link, min(self._dialect.PIECE, _RING - waiting))
        read = Command(row, sink=self._ring, on_data=self._on_data, on_end=self._on_read_result)
        self._channel.submit(read, first=True)

    def _on_arrived(self, _):
        self._unread = self._again = True
        self._pull()

    def _on_data(self, count):
        if count < 0:
            self._fail("corrupt")
            return
        self._landed = count
        self._look_ms = _LOOK_LAST_MS
        self._looked = time.ticks_ms()
        self._sockets.received += count
        self._readable.set()

    def _on_read_result(self, command):
        self._reading = False
        if command.error in ("timeout", "silent", "rebooted"):
            self._fail(command.error)  # part of the data may be lost
            return
        more = self._landed and self._dialect.unread(command.value or b"") > 0
        self._unread = bool(more or self._again)
        if self._state == _ENDED and not self._unread:
            self._drained = True
            self._readable.set()
        self._pull()

    def _on_closed(self, _):
        if self._state == _OPENING:
            self._opened.finish(error="refused")
        elif self._state == _OPEN:
            self._state = _ENDED
            if self._sent:
                self._sent.finish(error="closed")
            self._on_arrived(None)

    def _on_open_result(self, command):
        if command.error:
            self._opened.finish(error=command.error)

    def _on_opened(self, values):
        code = values[1] if len(values) > 1 else None
        if self._state == _OPENING and not self._opened.finished:
            if code == 0:
                self._state = _OPEN
            self._opened.finish(error=None if code == 0 else self._dialect.OPEN_ERRORS.get(code, "failed"))

    def _on_send_result(self, command):
        if command.error:
            self._fail("closed" if command.error == "error" else command.error)
        elif not self._dialect.SENT_BY_URC:
            self._sent.finish()

    def _on_sent(self, values):
        # A count other than the one asked for: the manual calls the socket unusable from then on.
        if len(values) > 2 and values[1] == values[2]:
            if self._sent:
                self._sent.finish()
        else:
            self._fail("closed")

    def _on_close_result(self, command):
        if command.error:
            self._free()  # it was not open any more
        else:
            self._release_by = time.ticks_add(time.ticks_ms(), self._dialect.RELEASE_MS)

    def _on_released(self, _):
        if self._state == _CLOSING:
            self._free()
        else:
            self._lose("closed")

    def _on_tick(self, now):
        if self._state == _CLOSING and self._release_by is not None:
            if time.ticks_diff(now, self._release_by) >= 0:
                self._free()
        elif self._state in (_OPEN, _ENDED) and time.ticks_diff(now, self._looked) >= self._look_ms:
            self._looked = now
            self._look_ms = min(2 * self._look_ms, _LOOK_LAST_MS)
            self._unread = True
            self._pull()


class Stream(io.IOBase):
    """A Socket's non-blocking stream face: reads from its ring, writes into its transmit buffer."""

    def __init__(self, sock):
        self._sock = sock

    def readinto(self, buffer):
        """Return the bytes read, 0 at the end, None when there are none; raises OSError when the socket failed."""
        try:
            return self._sock.take_bytes(buffer)
        except ModemError as problem:
            raise OSError(_ERRNO.get(problem.code, _RESET)) from None

    def write(self, buffer):
        """Return the bytes taken, None when the buffer is full; Socket.flush() sends them."""
        sock = self._sock
        if sock.closed:
            raise OSError(_RESET)
        out = sock._sockets.out(sock.link)
        fill = sock.out_fill
        count = min(len(buffer), len(out) - fill)
        if not count:
            return None
        out[fill : fill + count] = memoryview(buffer)[:count]
        sock.out_fill = fill + count
        return count

    def ioctl(self, request, flags):
        """Answer a poll."""
        if request != _POLL:
            return 0
        sock = self._sock
        ready = _POLL_HANGUP if sock.closed else 0
        if sock.readable():
            ready |= flags & _POLL_READ
        if not sock.out_fill:
            ready |= flags & _POLL_WRITE
        return ready


class BlockingSocket(io.IOBase):
    """Like MicroPython's socket: TCP, blocking, driving the UART itself; OSError instead of ModemError."""

    def __init__(self, modem):
        self._modem = modem
        self._sock = None
        self._timeout_ms = 30000

    def settimeout(self, seconds):
        """Limit each wait to whole seconds; None gives two minutes, for nothing here waits for ever."""
        self._timeout_ms = 120000 if seconds is None else max(1, int(seconds * 1000))

    def connect(self, address):
        """Connect to (address or name, port)."""
        host = resolve(self._modem, address[0], self._timeout_ms)
        try:
            self._sock = self._modem.sockets.take()
        except ModemError:
            raise OSError(_ERRNO["no_socket"]) from None
        row = self._modem.dialect.open_tcp(self._sock.link, host, address[1])
        try:
            self._wait(self._sock.start_open(row))
        except OSError:
            self.close()
            raise

    def write(self, buffer):
        """Send all of buffer and return its length."""
        view = memoryview(buffer)
        size = self._modem.dialect.PIECE
        for start in range(0, len(view), size):
            try:
                sent = self._sock.start_send(view[start : start + size])
            except ModemError:
                raise OSError(_RESET) from None
            self._wait(sent)
        return len(view)

    send = write
    sendall = write

    def readinto(self, buffer):
        """Read at least one byte into buffer; return how many, 0 at the end."""
        sock = self._sock
        if not self._modem.channel.drive(sock.readable, self._timeout_ms):
            raise OSError(_ERRNO["timeout"])
        return sock.stream.readinto(buffer)

    def recv(self, count):
        """Return up to count bytes, at least one but at the end."""
        buffer = bytearray(count)
        return bytes(memoryview(buffer)[: self.readinto(buffer)])

    def read(self, count=-1):
        """Return count bytes, or all until the end."""
        data = b""
        while count < 0 or len(data) < count:
            part = self.recv(512 if count < 0 else min(512, count - len(data)))
            if not part:
                break
            data += part
        return data

    def readline(self):
        """Return bytes up to and with the next line feed."""
        data = b""
        while data[-1:] != b"\n":
            part = self.recv(1)
            if not part:
                break
            data += part
        return data

    def ioctl(self, request, flags):
        """Answer a poll, and a close by a TLS stream on top."""
        if request == _POLL:
            return self._sock.stream.ioctl(request, flags) | flags & _POLL_WRITE
        return 0

    def makefile(self, *_):
        """Return itself: it is a stream."""
        return self

    def close(self):
        """Close the connection; waits until the link is free, bounded."""
        if self._sock:
            released = self._sock.start_close()
            self._modem.channel.drive(lambda: released.finished, self._modem.dialect.RELEASE_MS)

    def _wait(self, pending):
        self._modem.channel.drive(lambda: pending.finished, self._timeout_ms)
        pending.finish(error="timeout")
        if pending.error:
            raise OSError(_ERRNO.get(pending.error, _RESET))


def resolve(modem, host, timeout_ms):
    """Return a name's address as text, waiting for it without asyncio; raises OSError."""
    if is_address(host):
        return host
    command = modem.channel.submit(Command(modem.dialect.resolve(host)))
    modem.channel.drive(lambda: command.finished, timeout_ms)
    command.finish(error="timeout")
    address = modem.dialect.address(command.value) if command.value and not command.error else None
    if not address:
        raise OSError(_ERRNO["timeout" if command.error == "timeout" else "dns"])
    return address


def is_address(host):
    """True for the four numbers of an IPv4 address."""
    return host.count(".") == 3 and host.replace(".", "").isdigit()


class SocketModule:
    """Shaped like the module `socket`, over one modem."""

    AF_INET = 2
    SOCK_STREAM = 1
    SOCK_DGRAM = 2
    IPPROTO_TCP = 6

    def __init__(self, modem):
        self._modem = modem

    def socket(self, *_):
        """Return a BlockingSocket."""
        return BlockingSocket(self._modem)

    def getaddrinfo(self, host, port, *_):
        """Return one entry of socket.getaddrinfo's shape; raises OSError."""
        address = resolve(self._modem, host, 30000)
        return [(self.AF_INET, self.SOCK_STREAM, self.IPPROTO_TCP, "", (address, port))]
