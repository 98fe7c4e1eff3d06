"""TLS on the device over a modem socket's non-blocking stream; certificate and name are always verified.

Owns one connection's mbedTLS context: about 37 KiB of RAM, given back by close(). Times are ms. mbedTLS
reckons without a pause: a step of the handshake holds the loop (some hundred ms for a chain on the ESP32),
the waits between the steps do not.
"""

import asyncio
import gc
import io
import ssl

from micropython import const

_ETIMEDOUT = const(110)
_ECONNRESET = const(104)
_RETRY_MS = const(20)  # TLS wants something the stream cannot tell of
_CHANGE_CIPHER_SPEC = const(20)  # record types, RFC 5246 6.2.1
_APPLICATION_DATA = const(23)
_HEADER = const(5)

# mbedTLS's words on a certificate (x509.h, MBEDTLS_X509_CRT_ERROR_INFO_LIST) -> our code. MicroPython raises
# ValueError with these words and no number. The gravest first: a stranger's may be anything else as well.
_REASONS = (
    ("trusted CA", "unknown_ca"),
    ("(CN)", "wrong_name"),
    ("in the future", "not_yet_valid"),
    ("expired", "expired"),
)
# Error numbers about the certificate: MBEDTLS_ERR_X509_*, and BAD_CERTIFICATE, CA_CHAIN_REQUIRED of ssl.h.
_X509_FIRST = const(-0x3000)
_X509_LAST = const(-0x2080)
_CERTIFICATE = (-0x7A00, -0x7680)


class Untrusted(Exception):
    """The peer cannot prove to be the platform.

    code: 'unknown_ca', 'wrong_name', 'expired', 'not_yet_valid', 'ca_broken' (our own file of authorities)
    or, where mbedTLS does not say, 'untrusted'.
    """

    def __init__(self, code, detail=""):
        super().__init__(code, detail)
        self.code = code


class _Watch(io.IOBase):
    """Passes bytes between mbedTLS and the socket's stream, and tells when the handshake is over.

    mbedTLS has no word for that which every MicroPython hands on. In TLS 1.2 the server's Finished is the record
    after its ChangeCipherSpec; in 1.3 all that follows is disguised as data, and our Finished is our first such.
    """

    def __init__(self, stream):
        self.is_over = False
        self._inner = stream.readinto
        self._outer = stream.write
        self._at = 0  # bytes of the record header read
        self._left = 0  # bytes of the record still to come
        self._length = 0
        self._type = 0
        self._changed = False
        self._disguised = False
        self.ioctl = stream.ioctl

    def readinto(self, buffer):
        n = self._inner(buffer)
        if n:
            self._follow(buffer, n)
        return n

    def write(self, buffer):
        n = self._outer(buffer)
        if n and self._disguised and buffer[0] == _APPLICATION_DATA:
            self._over()
        return n

    def _follow(self, buffer, n):
        i = 0
        while i < n:
            if self._left:
                step = min(self._left, n - i)
                self._left -= step
                i += step
            else:
                self._header(buffer[i])
                i += 1
            if not self._left and not self._at:
                self._record_over()

    def _header(self, byte):
        if self._at == 0:
            self._type = byte
        elif self._at >= 3:
            self._length = (self._length << 8 | byte) & 0xFFFF
        self._at += 1
        if self._at == _HEADER:
            self._at = 0
            self._left = self._length

    def _record_over(self):
        if self._type == _CHANGE_CIPHER_SPEC:
            self._changed = True
        elif self._type == _APPLICATION_DATA:
            self._disguised = True
        elif self._changed:
            self._over()

    def _over(self):
        self.is_over = True
        # Looked up on the object first: from now on nothing of ours stands in the way of the data.
        self.readinto = self._inner
        self.write = self._outer


class Tls:
    """A connection with TLS on it; the async face of modem.sockets.Socket. Made by wrap()."""

    def __init__(self, sock, hostname, authorities):
        self._sock = sock
        self._watch = _Watch(sock.stream)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.verify_mode = ssl.CERT_REQUIRED
        try:
            context.load_verify_locations(cadata=authorities)
        except (ValueError, OSError):
            raise Untrusted("ca_broken") from None
        try:
            self._ssl = context.wrap_socket(self._watch, server_hostname=hostname, do_handshake_on_connect=False)
        except ValueError as error:
            raise Untrusted(_reason(error)) from None

    async def readinto(self, buffer, timeout_ms=None):
        """Read at least one byte into buffer; return how many, 0 at the end. As Socket.readinto()."""
        while True:
            n = self._step(False, buffer)
            if n is not None:
                return n
            await self._sock.wait_readable(timeout_ms)

    async def write(self, buffer):
        """Send all of buffer. Cancelled in the middle it leaves half a record behind: close then."""
        rest = memoryview(buffer)
        while rest:
            n = self._step(True, rest)
            await self._sock.flush()
            if n:
                rest = rest[n:]
            else:
                await asyncio.sleep_ms(_RETRY_MS)

    async def close(self):
        """Give mbedTLS's memory back and close the socket."""
        self.free()
        await self._sock.close()

    @property
    def closed(self):
        """True when nothing can be read any more."""
        return self._ssl is None or self._sock.closed

    def free(self):
        """Give mbedTLS's memory back; the socket stays as it is."""
        if self._ssl:
            self._ssl.close()
            self._ssl = self._watch = None

    async def shake(self):
        """Take the handshake to its end: mbedTLS moves on with each read, as far as the bytes go."""
        early = bytearray(1)
        while True:
            n = self._step(False, early)
            await self._sock.flush()
            if n is not None:
                raise OSError(_ECONNRESET)  # the end, or a server that speaks before it is spoken to
            if self._watch.is_over:
                return
            await asyncio.sleep_ms(0)
            await self._sock.wait_readable(None)

    def _step(self, writing, buffer):
        if self._ssl is None:
            raise OSError(_ECONNRESET)
        try:
            return self._ssl.write(buffer) if writing else self._ssl.readinto(buffer)
        except ValueError as error:
            raise Untrusted(_reason(error)) from None
        except OSError as error:
            number = error.errno or 0
            if _X509_FIRST < number <= _X509_LAST or number in _CERTIFICATE:
                raise Untrusted("untrusted", number) from None
            raise


def _reason(error):
    text = str(error)
    for words, code in _REASONS:
        if words in text:
            return code
    return "untrusted"


async def wrap(sock, hostname, authorities, timeout_ms):
    """Return a Tls over a connected Socket after a verified handshake.

    hostname: text, as in the certificate. authorities: bytes of the trusted CAs, PEM or DER. Raises
    Untrusted, OSError (ETIMEDOUT after timeout_ms) or what the socket raises; the socket stays the caller's.
    """
    gc.collect()  # mbedTLS wants 16 KiB in one piece
    tls = Tls(sock, hostname, authorities)
    try:
        await asyncio.wait_for_ms(tls.shake(), timeout_ms)
    except asyncio.TimeoutError:
        tls.free()
        raise OSError(_ETIMEDOUT) from None
    except BaseException:
        tls.free()
        raise
    return tls
