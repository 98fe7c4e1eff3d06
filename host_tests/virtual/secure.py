"""TLS in front of the small broker, in memory: the platform's side of the handshake in virtual time. MicroPython."""

import io

import tls

_STREAM_POLL = 3


class _Pipe(io.IOBase):
    """The stream mbedTLS reads and writes: bytes from the terminal, bytes for it."""

    def __init__(self):
        self.arrived = bytearray()
        self.leaving = bytearray()

    def readinto(self, buffer):
        """Hand over what has arrived; None when that is nothing."""
        count = min(len(buffer), len(self.arrived))
        if not count:
            return None
        buffer[:count] = self.arrived[:count]
        self.arrived[:count] = b""
        return count

    def write(self, data):
        """Take what is to leave."""
        self.leaving += data
        return len(data)

    def ioctl(self, request, argument):
        """Always ready: nobody waits here."""
        return argument if request == _STREAM_POLL else 0


class SecurePeer:
    """A broker's connection behind TLS, with the face of `broker_core.Connection`."""

    def __init__(self, context, connection):
        self._connection = connection
        self._pipe = _Pipe()
        self._tls = context.wrap_socket(self._pipe, server_side=True, do_handshake_on_connect=False)
        self._block = bytearray(512)
        self.wake = None
        connection.wake = self._woken

    @property
    def closed(self):
        """Whether the connection is to be closed."""
        return self._connection.closed

    def feed(self, now_ms, data):
        """Take bytes of the terminal's records."""
        self._pipe.arrived += data
        count = self._tls.readinto(self._block)
        while count:
            self._connection.feed(now_ms, bytes(memoryview(self._block)[:count]))
            count = self._tls.readinto(self._block)
        self._seal()

    def take(self):
        """Return the records for the terminal."""
        out = bytes(self._pipe.leaving)
        self._pipe.leaving[:] = b""
        return out

    def lost(self, now_ms):
        """The transport is gone."""
        self._connection.lost(now_ms)

    def _woken(self, now_ms):
        self._seal()
        if self.wake:
            self.wake(now_ms)

    def _seal(self):
        plain = self._connection.take()
        if plain:
            self._tls.write(plain)


def acceptor(accept, certificate, key):
    """Return an accept(now_ms) -> peer that puts TLS before the given one; certificate, key: paths of DER files."""
    context = tls.SSLContext(tls.PROTOCOL_TLS_SERVER)
    with open(certificate, "rb") as chain, open(key, "rb") as secret:
        context.load_cert_chain(chain.read(), secret.read())
    return lambda now_ms: SecurePeer(context, accept(now_ms))
