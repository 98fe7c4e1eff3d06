"""The stages of a Luat modem's data call, and what it says unasked about its sockets. Pure.

Owns the stage and what CIPMUX, CIPQSEND, CIPRXGET and CIPRXF have set; see `links.Links` for what is told here.
"""

from host_tests.sim.links import GONE, OPEN, OPENING
from host_tests.sim.luat_links import NUMBERS

PIECE_LIMIT = 1460  # of a send, a read and a pushed packet
OPEN_MS = 75000
_SEND_MS = 60000
_LINE_END = b"\r\n"

INITIAL, START, CONFIG = "IP INITIAL", "IP START", "IP CONFIG"
ACTIVE, STATUS, DEACTIVATED = "IP GPRSACT", "IP STATUS", "PDP DEACT"
_LINK_STATES = {OPENING: "CONNECTING", OPEN: "CONNECTED", GONE: "REMOTE CLOSING"}
_SINGLE_STATES = {OPENING: "TCP CONNECTING", OPEN: "CONNECT OK", GONE: "TCP CLOSED"}


class LuatCall:
    """The data call of one modem; `links.is_open` says that it stands."""

    prompt_text = b"\r\n> "
    send_timeout_ms = _SEND_MS

    def __init__(self, core):
        self._core = core
        self.reset()

    @property
    def links(self):
        """The sockets themselves."""
        return self._core.links

    def reset(self):
        """What a boot begins with."""
        self.many = False  # CIPMUX
        self.quick = False  # CIPQSEND
        self.buffered = False  # CIPRXGET=1 and 5
        self.each = False  # CIPRXGET=5
        self.bare = False  # CIPRXF: received data come without a line end
        self._shut_since_drift = False
        self._begin()

    def _begin(self):
        self.stage = INITIAL
        self.used = False  # a socket was asked for since the call came up

    def words(self, number, text):
        """Return a socket's line: with its number, unless there can be only one."""
        return "%d, %s" % (number, text) if self.many else text

    def call_state(self):
        """Return the text after 'STATE: '."""
        if self.stage != STATUS:
            return self.stage
        if self.many:
            return "IP PROCESSING" if self.used else STATUS
        link = self.links.sockets[0]
        return STATUS if link is None else _SINGLE_STATES[link.stage]

    def link_lines(self):
        """Return CIPSTATUS' line of each socket."""
        lines = []
        for number in range(NUMBERS):
            link = self.links.sockets[number]
            if link is None:
                lines.append('C: %d,,,"",,INITIAL' % number)
            else:
                lines.append('C: %d,0,%s,"%s",%d,%s' % (number, link.kind, link.host, link.port, _LINK_STATES[link.stage]))
        return lines

    # --- said unasked -------------------------------------------------------------------------------------

    @property
    def counts_line_end(self):
        """Whether the line end after received data is one of the data."""
        return not self.bare and "rxf_counted" in self._core.faults.active

    def line_end(self):
        """Return what follows received data without being counted."""
        return b"" if self.bare or self.counts_line_end else _LINE_END

    def is_buffered(self, link):
        """Whether received data are queued."""
        return self.buffered

    def opened(self, number, link, error):
        """An opening has ended."""
        if error and not self.many:
            self._core.urc("STATE: " + self.call_state())
        self._core.urc(self.words(number, "CONNECT FAIL" if error else "CONNECT OK"))

    def notify(self, number):
        """Data have come into a queue."""
        self._core.urc("+CIPRXGET: 1,%d" % number if self.many else "+CIPRXGET: 1")

    def push(self, number, link, data, ip, port):
        """Data have come that are not queued: they go on at once, in packets."""
        for start in range(0, len(data), PIECE_LIMIT):
            piece = bytes(data[start : start + PIECE_LIMIT])
            head = "\r\n+RECEIVE,%d,%d:\r\n" % (number, len(piece)) if self.many else "\r\n"
            self._core.put(head.encode() + piece + self.line_end())

    def closed(self, number, reason):
        """A peer has closed."""
        self._core.urc(self.words(number, "CLOSED"))

    def bearer_lost(self):
        """The network takes the data call away; sockets die with it, and CIPSHUT alone leads on."""
        if self.links.is_open:
            self.links.drop_all()
            self._down(DEACTIVATED)
            self._core.urc("+PDP: DEACT")

    # --- the stages ---------------------------------------------------------------------------------------

    def activated(self, up):
        """CIICR has ended."""
        self.stage = ACTIVE if up else DEACTIVATED
        self.links.is_open = up
        if up and self._shut_since_drift:
            self._core.faults.set("pdp_drift", False)
        self._core.event("netopen", up)

    def shut(self):
        """CIPSHUT: sockets are closed, everything begins anew."""
        for number in range(NUMBERS):
            self.links.drop(number)
        self._down(INITIAL)
        self._begin()
        self._shut_since_drift = True

    def _down(self, stage):
        self.stage = stage
        if self.links.is_open:
            self.links.is_open = False
            self._core.event("netopen", False)
