"""The modem's sockets shaped like MicroPython's module `socket`, for code that knows no asyncio (`requests`).

Blocking: while it waits it drives the UART itself, each wait bounded by the socket's time-out. The asyncio loop
stands still meanwhile, so this is for the few named calls that may hold it. Holds a connection's state only.
"""

import io
import select
import time

from micropython import const

from modem.at import ModemError
from modem.borrow import borrow
from modem.channel import Command, Pending

_TIMEOUT_MS = const(20000)  # nobody feeds the watchdog meanwhile, which takes 30 s
_ERRNO = {"timeout": 110, "refused": 111, "dns": -2, "no_data_call": 113, "no_socket": 24, "busy": 16}
_ECONNRESET = const(104)
_PART = const(512)


def _fail(code):
    raise OSError(_ERRNO.get(code, _ECONNRESET))


class BlockingSocket(io.IOBase):
    """A TCP connection; raises OSError. TLS can be wrapped over it."""

    def __init__(self, modem):
        self._modem = modem
        self._sock = None
        self._timeout_ms = _TIMEOUT_MS

    def settimeout(self, seconds):
        """Limit each wait; None gives the default, for nothing here waits for ever."""
        self._timeout_ms = _TIMEOUT_MS if seconds is None else max(1, int(seconds * 1000))

    def connect(self, address):
        """Connect to (address or name, port)."""
        host = resolve(self._modem, address[0], self._timeout_ms)
        try:
            self._sock = borrow("dial").take(self._modem.sockets)
        except ModemError as problem:
            _fail(problem.code)
        self._stream = self._sock.stream
        try:
            rows = borrow(self._modem.dialect.NAME + "_open")
            self._wait(self._sock.start_open(rows.tcp(self._sock.link, host, address[1])), rows.ERRORS)
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
            except ModemError as problem:
                _fail(problem.code)
            self._wait(sent)
        return len(view)

    send = write
    sendall = write

    def readinto(self, buffer):
        """Read at least one byte into buffer; return how many, 0 at the end."""
        if not drive(self._modem.channel, self._sock.readable, self._timeout_ms):
            _fail("timeout")
        return self._stream.readinto(buffer)

    def recv(self, count):
        """Return up to count bytes, at least one but at the end."""
        buffer = bytearray(count)
        return bytes(memoryview(buffer)[: self.readinto(buffer)])

    def read(self, count=-1):
        """Return count bytes, or all until the end."""
        data = b""
        while count < 0 or len(data) < count:
            part = self.recv(_PART if count < 0 else min(_PART, count - len(data)))
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
        return self._stream.ioctl(request, flags)

    def makefile(self, *_):
        """Return itself: it is a stream."""
        return self

    def close(self):
        """Close the connection; waits until the link is free, bounded."""
        if self._sock:
            released = self._sock.start_close()
            drive(self._modem.channel, lambda: released.finished, self._modem.dialect.CLOSE_MS)

    def _wait(self, pending, errors=None):
        drive(self._modem.channel, lambda: pending.finished, self._timeout_ms)
        pending.finish(error="timeout")
        if pending.error:
            _fail(errors.get(pending.value, pending.error) if errors else pending.error)


def drive(channel, over, timeout_ms):
    """Keep the channel going without asyncio until over() is true; return that, False after timeout_ms."""
    start = time.ticks_ms()
    poller = select.poll()
    poller.register(channel._uart, select.POLLIN)
    while not over():
        left_ms = timeout_ms - time.ticks_diff(time.ticks_ms(), start)
        if left_ms <= 0:
            return False
        poller.poll(min(left_ms, 20))
        channel.pump()
        channel.push()
        channel.tick()
    return True


def resolve(modem, host, timeout_ms):
    """Return a name's address as text, waiting for it without asyncio; raises OSError."""
    if is_address(host):
        return host
    if not modem.dialect.LINKS:  # nobody knows yet what modem it is
        _fail("no_data_call")
    rows = borrow(modem.dialect.NAME + "_open")
    over = command = modem.channel.submit(Command(rows.resolve(host)))
    if rows.RESOLVE_MS:
        over = modem._waits["resolved"] = Pending("resolve")
    drive(modem.channel, lambda: over.finished or command.error, timeout_ms)
    modem._waits.pop("resolved", None)
    over.finish(None, command.error or "timeout")
    address = None if over.error else rows.address(over.value or b"")
    if not address:
        _fail("timeout" if over.error == "timeout" else "dns")
    return address


def is_address(host):
    """True for the four numbers of an IPv4 address."""
    return host.replace(".", "").isdigit()


class SocketModule:
    """Shaped like the module `socket`, over one modem: `requests.socket = SocketModule(modem)`."""

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
        address = resolve(self._modem, host, _TIMEOUT_MS)
        return [(self.AF_INET, self.SOCK_STREAM, self.IPPROTO_TCP, "", (address, port))]
