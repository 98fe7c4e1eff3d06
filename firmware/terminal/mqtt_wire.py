"""The in-memory wire that makes umqtt.simple a packet codec: its socket, and its socket module.

Owns no bytes: it reads from the session's receive buffer and writes into the buffer it is given. Asked for
more than is there it raises, which is how the codec comes back instead of waiting.
"""

from micropython import const

_MAX_COPY = const(256)  # headers and topics


class Starved(Exception):
    """The codec wants bytes that are not there: its packet is written, or the one it reads is broken."""


class Full(Exception):
    """The packet is longer than the buffer."""


class Wire:
    """rx: memoryview of the receive buffer."""

    def __init__(self, rx):
        self.length = 0  # bytes the codec has written since collect()
        self._rx = rx
        self._at = 0
        self._end = 0
        self._out = None

    # ---- the session's side ----

    def feed(self, start, end):
        """The codec may read rx[start:end]."""
        self._at = start
        self._end = end

    def is_read(self):
        """True when the codec has read all it was fed."""
        return self._at == self._end

    def collect(self, out):
        """What the codec writes goes into out (a memoryview) from its start."""
        self._out = out
        self.length = 0

    # ---- the codec's side ----

    def read(self, n):
        """Return the next n bytes: as bytes, which headers are compared with; a longer piece as a view."""
        start = self._at
        if not 0 <= n <= self._end - start:
            raise Starved()
        self._at += n
        piece = self._rx[start : self._at]
        return bytes(piece) if n <= _MAX_COPY else piece

    def write(self, data, n=None):
        """Take data, or its first n bytes."""
        n = len(data) if n is None else n
        if self.length + n > len(self._out):
            raise Full()
        self._out[self.length : self.length + n] = data if n == len(data) else data[:n]
        self.length += n

    def socket(self):
        """As the socket module: this is the socket."""
        return self

    def getaddrinfo(self, _host, _port):
        """As the socket module: nobody needs an address."""
        return ((None,),)

    def connect(self, _argument):
        """The stream is open already, and the session waits by itself."""

    settimeout = setblocking = connect

    def close(self):
        """The stream is closed by whoever opened it."""
