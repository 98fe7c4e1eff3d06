"""The far side of an upgrade in one process: a server of releases, the bearer to it, and the books of what went over it.

For MicroPython; stands in for `modem.connect` and for the TLS stream, which other tests cover. Owns the count of each answer's
bytes. The seconds that it takes go by on the clock that it is given. Sizes are bytes.
"""

_SILENCE_S = 5
FRESH = "fresh"  # a server's answer to its own range
CLOSED, GONE = "closed", "gone"  # how a range is cut: by the server; with the bearer
_AHEAD_B = 512  # what is on its way while a device hangs up


class Server:
    """One release at an address, served as `manner` says; see MANNERS.

    content: bytes. cut: (number of the request from 1, bytes of the answer before it, CLOSED or GONE) or None. piece_b: each answer
    ends after so many bytes of its body, None for whole ones. then: content from the second request on. asked, sent_b: requests,
    and bytes of bodies that the device has taken; greedy: how many answers it took more of than it may; lost: the bearer is gone.
    """

    def __init__(self, clock, content, cut=None, piece_b=None, manner=None, then=None):
        self._clock = clock
        self._content = content
        self._then = then
        self._cut = cut
        self._piece_b = piece_b
        self._manner = MANNERS[manner or FRESH]
        self.asked = self.sent_b = self.greedy = 0
        self.lost = False
        self.was_cut = False

    def content(self):
        """Return what the address has now."""
        return self._then if self._then and self.asked > 1 else self._content

    async def connect(self, host, port, timeout_ms):
        """As `modem.connect`."""
        self.asked += 1
        if self._cut and self._cut[0] == self.asked and self._cut[1] is None:
            self.was_cut = True
            self.lost = self._cut[2] == GONE
            raise OSError(110)
        return Stream(self)

    async def wrap(self, sock, host, authorities, timeout_ms):
        """As `terminal.tls_open.wrap`."""
        return sock

    def answer(self, begin, end):
        """Return (bytes of the head, a function (at, count) that gives body bytes)."""
        return self._manner(self.content(), begin, end)


class Stream:
    """A connection: one request, one answer. link: none that has a ring."""

    link = None

    def __init__(self, server):
        self._server = server
        self._at = 0
        self._hold = server._manner == _slow

    async def write(self, request):
        """Take the request."""
        head, _, _ = request.partition(b"\r\n\r\n")
        for line in head.split(b"\r\n"):
            if line.startswith(b"Range: bytes="):
                begin, _, last = line[13:].partition(b"-")
        begin, end = int(begin), int(last) + 1
        self._head, self._body = self._server.answer(begin, end)
        self._most_b = len(self._head) + _AHEAD_B + (end - begin if b" 206 " in self._head[:20] else end)

    async def readinto(self, buffer, timeout_ms):
        """Give the next bytes, 0 when it has ended; at most one in five seconds where the server is slow."""
        server = self._server
        room = len(buffer)
        if self._hold and self._at >= len(self._head):
            server._clock.pass_s(_SILENCE_S - 1)
            room = 1
        cut = server._cut
        if cut and cut[0] == server.asked:
            room = min(room, cut[1] - self._at)
            if room <= 0:
                return self._cut_off(cut[2])
        at = self._at - len(self._head)
        if at < 0:
            data = self._head[self._at :][:room]
        else:
            if server._piece_b is not None:
                room = min(room, server._piece_b - at)
            data = self._body(at, room) if room > 0 else b""
            server.sent_b += len(data)
        buffer[: len(data)] = data
        self._at += len(data)
        server.greedy += self._at > self._most_b
        return len(data)

    def _cut_off(self, manner):
        self._server.was_cut = True
        if manner == CLOSED:
            return 0
        self._server.lost = True
        raise OSError(104)

    async def close(self):
        """Nothing is kept."""


def _ranged(content, begin, end, size=None):
    size = len(content) if size is None else size
    end = min(end, size)
    head = "HTTP/1.1 206 Partial Content\r\nContent-Range: bytes %d-%d/%d\r\nContent-Length: %d\r\n\r\n" % (
        begin,
        end - 1,
        size,
        end - begin,
    )
    return head.encode(), lambda at, count: content[begin + at : min(end, begin + at + count)]


def _slow(content, begin, end):
    return _ranged(content, begin, end)


def _endless(content, begin, end):
    """No ranges, no length, no end: zeros for ever behind the content."""
    return b"HTTP/1.1 200 OK\r\n\r\n", lambda at, count: content[at : at + count] or bytes(count)


def _endless_rubbish(content, begin, end):
    return b"HTTP/1.1 200 OK\r\n\r\n", lambda at, count: b"\x55" * count


def _endless_head(content, begin, end):
    return b"HTTP/1.1 206 Partial Content\r\n" + b"X-More: and more\r\n" * 4000, lambda at, count: b""


def _beyond(content, begin, end):
    """The right range, and bytes without end behind it."""
    head, body = _ranged(content, begin, end)
    return head, lambda at, count: body(at, count) or b"\x55" * count


def _liar(content, begin, end):
    """The size of the whole is told; the last thousand bytes never come."""
    head, _ = _ranged(content, begin, end)
    return head, lambda at, count: content[begin + at : min(end, begin + at + count, len(content) - 1000)]


def _shorter(content, begin, end):
    return _ranged(content[:-1], begin, end)


def _longer(content, begin, end):
    return _ranged(content + b"x", begin, end)


def _elsewhere(content, begin, end):
    return b"HTTP/1.1 302 Found\r\nLocation: https://other.example/x\r\n\r\n", lambda at, count: b""


def _other_range(content, begin, end):
    return _ranged(content, begin + 1, end + 1)


MANNERS = {
    FRESH: _ranged,
    "slow": _slow,
    "endless": _endless,
    "endless rubbish": _endless_rubbish,
    "endless head": _endless_head,
    "beyond its range": _beyond,
    "cut short": _liar,
    "truncated": _shorter,
    "longer": _longer,
    "redirect": _elsewhere,
    "other range": _other_range,
}
