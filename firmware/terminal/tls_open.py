"""The TLS handshake: the other half of `tls`, borrowed for each connection.

mbedTLS reckons without a pause: a step of the handshake holds the loop (some hundred ms for a chain on the ESP32),
the waits between the steps do not. Times are ms.
"""

import asyncio
import gc
import ssl

from micropython import const

from terminal.tls import Tls, Untrusted

_ETIMEDOUT = const(110)
_ECONNRESET = const(104)
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


class _Watch:
    """Looks at what passes between mbedTLS and the socket's stream, and tells when the handshake is over.

    mbedTLS has no word for that which every MicroPython hands on. In TLS 1.2 the server's Finished is the record
    after its ChangeCipherSpec; in 1.3 all that follows is disguised as data, and our Finished is our first such.
    """

    def __init__(self, stream):
        self.is_over = False
        self._stream = stream
        self._inner = stream.readinto
        self._outer = stream.write
        self._at = 0  # bytes of the record header read
        self._left = 0  # bytes of the record still to come
        self._length = 0
        self._type = 0
        self._changed = False
        self._disguised = False
        # A method is looked up on the object first: the stream's own stand behind these until the end.
        stream.readinto = self._readinto
        stream.write = self._write

    def end(self):
        """From now on nothing of ours stands in the way of the data."""
        stream = self._stream
        if stream:
            # an object that lost an attribute keeps its value: ours would keep all of this module
            stream.readinto = stream.write = None
            del stream.readinto
            del stream.write
            self._stream = None

    def _readinto(self, buffer):
        n = self._inner(buffer)
        if n:
            self._follow(buffer, n)
        return n

    def _write(self, buffer):
        n = self._outer(buffer)
        if n and self._disguised and buffer[0] == _APPLICATION_DATA:
            self._over()
        return n

    def _over(self):
        self.is_over = True
        self.end()

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


async def wrap(sock, hostname, authorities, timeout_ms, secure=None):
    """Return a Tls over a connected Socket after a verified handshake.

    hostname: text, as in the certificate. authorities: bytes of the trusted CAs, PEM or DER; None: anybody is believed, for what
    is proved in another way. secure(stream, hostname): puts mbedTLS onto the socket's stream, where the caller has that other way.
    Raises Untrusted, OSError (ETIMEDOUT after timeout_ms) or what the socket raises; the socket stays the caller's.
    """
    gc.collect()  # mbedTLS wants 16 KiB in one piece
    stream = sock.stream
    tls = Tls(sock, secure(stream, hostname) if secure else _secured(stream, hostname, authorities))
    authorities = None  # mbedTLS has them
    watch = _Watch(stream)
    try:
        await asyncio.wait_for_ms(shake(tls, sock, watch), timeout_ms)
    except asyncio.TimeoutError:
        tls.free()
        raise OSError(_ETIMEDOUT) from None
    except BaseException:
        tls.free()
        raise
    finally:
        watch.end()
    return tls


def _secured(stream, hostname, authorities):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.verify_mode = ssl.CERT_NONE if authorities is None else ssl.CERT_REQUIRED
    try:
        if authorities is not None:
            context.load_verify_locations(cadata=authorities)
    except (ValueError, OSError):
        raise Untrusted("ca_broken") from None
    try:
        return context.wrap_socket(stream, server_hostname=hostname, do_handshake_on_connect=False)
    except ValueError as error:
        raise judged(error) from None


async def shake(tls, sock, watch):
    """Take the handshake to its end: mbedTLS moves on with each read, as far as the bytes go."""
    early = bytearray(1)
    while True:
        n = tls.step(False, early)
        await sock.flush()
        if n is not None:
            raise OSError(_ECONNRESET)  # the end, or a server that speaks before it is spoken to
        if watch.is_over:
            return
        await asyncio.sleep_ms(0)
        await sock.wait_readable(None)


def judged(error):
    """Return what mbedTLS's ValueError or OSError is: Untrusted where it is about the certificate."""
    if isinstance(error, ValueError):
        text = str(error)
        for words, code in _REASONS:
            if words in text:
                return Untrusted(code)
        return Untrusted("untrusted")
    number = error.errno
    if _X509_FIRST < number <= _X509_LAST or number in _CERTIFICATE:
        return Untrusted("untrusted", number)
    return error
