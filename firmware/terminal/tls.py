"""TLS on the device over a modem socket's non-blocking stream; certificate and name are always verified.

Owns one connection's mbedTLS context: about 37 KiB of RAM, given back by close(). `tls_open` makes it. Times are ms.
"""

import asyncio

from micropython import const

from terminal.borrow import borrow

_ECONNRESET = const(104)
_RETRY_MS = const(20)  # TLS wants something the stream cannot tell of


class Untrusted(Exception):
    """The peer cannot prove to be the platform.

    code: 'unknown_ca', 'wrong_name', 'expired', 'not_yet_valid', 'ca_broken' (our own file of authorities)
    or, where mbedTLS does not say, 'untrusted'.
    """

    def __init__(self, code, detail=""):
        super().__init__(code, detail)
        self.code = code


class Tls:
    """A connection with TLS on it; the async face of modem.sockets.Socket. Made by tls_open.wrap()."""

    def __init__(self, sock, secured):
        self._sock = sock
        self._secured = secured  # mbedTLS's stream over the socket's

    async def readinto(self, buffer, timeout_ms=None):
        """Read at least one byte into buffer; return how many, 0 at the end. As Socket.readinto()."""
        while True:
            n = self.step(False, buffer)
            if n is not None:
                return n
            await self._sock.wait_readable(timeout_ms)

    async def write(self, buffer):
        """Send all of buffer. Cancelled in the middle it leaves half a record behind: close then."""
        rest = memoryview(buffer)
        while rest:
            n = self.step(True, rest)
            await self._sock.flush()
            if n:
                rest = rest[n:]
            else:
                await asyncio.sleep_ms(_RETRY_MS)

    async def close(self):
        """Give mbedTLS's memory back and close the socket."""
        self.free()
        await self._sock.close()

    def free(self):
        """Give mbedTLS's memory back; the socket stays as it is."""
        if self._secured:
            self._secured.close()
            self._secured = None

    def step(self, writing, buffer):
        """Let mbedTLS write from the buffer, or read into it; return the bytes moved, None when it wants to wait."""
        secured = self._secured
        if secured is None:
            raise OSError(_ECONNRESET)
        try:
            return secured.write(buffer) if writing else secured.readinto(buffer)
        except (ValueError, OSError) as error:
            if isinstance(error, OSError) and (error.errno or 0) >= 0:
                raise  # the socket's own
            raise borrow("tls_open").judged(error) from None
