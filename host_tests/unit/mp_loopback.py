"""A real TCP connection in the shape of the modem's Socket, for MQTT and TLS under the host's MicroPython."""

import asyncio
import io
import socket
from asyncio import core

_PIECE = 1460


class LoopbackError(Exception):
    """What the modem's driver would raise: `code` 'timeout' or 'closed'."""

    def __init__(self, code):
        super().__init__(code)
        self.code = code


def _readable(sock):
    yield core._io_queue.queue_read(sock)


def _writable(sock):
    yield core._io_queue.queue_write(sock)


class Stream(io.IOBase):
    """Non-blocking face; `most` bytes at the most come out of one read."""

    def __init__(self, sock, most):
        self.out = bytearray()
        self._sock = sock
        self._most = most

    def readinto(self, buffer):
        return self._sock.readinto(memoryview(buffer)[: self._most])

    def write(self, buffer):
        n = min(len(buffer), _PIECE - len(self.out))
        self.out.extend(memoryview(buffer)[:n])
        return n or None

    def ioctl(self, request, flags):
        return 0


class Socket:
    """As modem.sockets.Socket: readinto, write, close, stream, wait_readable, flush."""

    def __init__(self, port, most=100000):
        self.pieces = []  # length of each write to the network
        self.closed = False
        self._sock = socket.socket()
        self._sock.connect(socket.getaddrinfo("127.0.0.1", port)[0][-1])
        self._sock.setblocking(False)
        self.stream = Stream(self._sock, most)

    async def wait_readable(self, timeout_ms=None):
        try:
            if timeout_ms is None:
                await _readable(self._sock)
            else:
                await asyncio.wait_for_ms(_readable(self._sock), timeout_ms)
        except asyncio.TimeoutError:
            raise LoopbackError("timeout") from None

    async def readinto(self, buffer, timeout_ms=None):
        await self.wait_readable(timeout_ms)
        return self._sock.readinto(buffer)

    async def write(self, buffer):
        rest = memoryview(buffer)
        self.pieces.append(len(rest))
        while rest:
            n = self._sock.write(rest)
            if n:
                rest = rest[n:]
            else:
                await _writable(self._sock)

    async def flush(self):
        out = bytes(self.stream.out)
        if out:
            self.stream.out = bytearray()
            await self.write(out)

    async def close(self):
        self.closed = True
        self._sock.close()
