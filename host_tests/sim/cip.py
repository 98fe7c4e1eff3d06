"""An A76xx's commands for data call and sockets, and what it says of them: NETOPEN, CIPOPEN, CIPSEND, … Pure.

Owns the data call and the modes of the sockets; the sockets themselves are in `links.py`. Handlers follow the
contract in `families.py`.
"""

from host_tests.sim.air import UP
from host_tests.sim.links import GONE, OPEN, Link
from host_tests.sim.text import number_in

_READ_LIMIT = 1500
_HEX_READ_LIMIT = 750
_SEND_LIMIT = 1500
_NOT_OPENED, _BAD_PARAMETER, _NOT_NOW = 2, 3, 4
_DEFER = "defer"
_ERROR = -1
_READ, _SET = 1, 3


class Cip:
    """The CIP family of commands."""

    prompt_text = b"\r\n>"
    QUOTES = (0x03,)  # ETX before a byte of a send without length takes that byte as it is

    def __init__(self, core):
        self._core = core
        self.links = core.links
        self._last = core.family.LINKS - 1
        self.reset()

    def reset(self):
        """What a boot begins with."""
        self._opening = None  # token of a NETOPEN under way
        self._buffered = False
        self._header = self._sender = True
        self._timeouts_ms = [120000, 120000, 120000]
        self._dns_set = False
        self._closed_since_drift = False

    @property
    def send_timeout_ms(self):
        """How long a prompt waits for its data."""
        return self._timeouts_ms[2]

    # --- said unasked -------------------------------------------------------------------------------------

    def is_buffered(self, link):
        """Whether received data are queued."""
        return self._buffered

    def opened(self, number, link, error):
        """An opening has ended."""
        self._core.urc("+CIPOPEN: %d,%d" % (number, error))
        if link.early:
            self._core.finish(None)

    def notify(self, number):
        """Data have come into an empty queue."""
        self._core.urc("+CIPRXGET: 1,%d" % number)

    def push(self, number, link, data, ip, port):
        """Data have come that are not queued."""
        head = ""
        if self._sender:
            head += "RECV FROM:%s:%d\r\n" % (ip or link.host, port or link.port)
        if self._header:
            head += "+IPD%d\r\n" % len(data)
        self._core.put(b"\r\n" + head.encode() + data)

    def closed(self, number, reason):
        """A peer has closed."""
        form = "+IPCLOSE %d,%d" if "ipclose_bare" in self._core.faults.active else "+IPCLOSE: %d,%d"
        self._core.urc(form % (number, reason))

    def bearer_lost(self):
        """The network takes the data call away; sockets die with it."""
        if self._opening is not None:
            self._core.cancel(self._opening)
            self._opening = None
            self._core.urc("+NETOPEN: 1")
        if not self.links.is_open:
            return
        self.links.is_open = False
        self.links.drop_all()
        self._core.event("netopen", False)
        self._core.urc("+CGEV: NW PDN DEACT 1")
        self._core.urc("+CIPEVENT: NETWORK CLOSED UNEXPECTEDLY")

    # --- data call ----------------------------------------------------------------------------------------

    def netopen(self, kind, arguments):
        """AT+NETOPEN."""
        core = self._core
        if kind == _READ:
            return ["+NETOPEN: %d" % self.links.is_open]
        if self.links.is_open:
            return ["+IP ERROR: Network is already opened"], "ERROR"
        if self._opening is not None:
            return _ERROR
        if core.faults.take("netopen_silent") is None:
            self._opening = core.later(core.delay("netopen"), self._netopened)
        return None

    def _netopened(self):
        self._opening = None
        core = self._core
        failed = core.faults.take("netopen_fails") is not None or not core.radio.takes_apn(core.general.apn)
        self.links.is_open = core.radio.has_bearer and not failed
        if self.links.is_open and self._closed_since_drift:
            core.faults.set("pdp_drift", False)
        self._core.event("netopen", self.links.is_open)
        self._core.urc("+NETOPEN: %d" % (not self.links.is_open))

    def netclose(self, kind, arguments):
        """AT+NETCLOSE."""
        if not self.links.is_open:
            return ["+NETCLOSE: 2"], "ERROR"
        self._core.later(self._core.delay("netclose"), self._netclosed)
        return None

    def _netclosed(self):
        for number in range(len(self.links.sockets)):
            link = self.links.sockets[number]
            if link and link.stage != GONE:
                self._core.urc("+CIPCLOSE: %d,0" % number)
            self.links.drop(number)
        self.links.is_open = False
        self._closed_since_drift = "pdp_drift" in self._core.faults.active
        self._core.event("netopen", False)
        self._core.urc("+NETCLOSE: 0")

    def ipaddr(self, kind, arguments):
        """AT+IPADDR."""
        if not self.links.is_open:
            return ["+IP ERROR: Network not opened"], "ERROR"
        return ["+IPADDR: " + self._core.settings["address"]]

    def ciptimeout(self, kind, arguments):
        """AT+CIPTIMEOUT: milliseconds for NETOPEN, CIPOPEN and CIPSEND, 3000..120000."""
        if kind == _READ:
            return ["+CIPTIMEOUT: %d,%d,%d" % tuple(self._timeouts_ms)]
        for index, text in enumerate(arguments[:3]):
            if text:
                value = number_in(text, 3000, 120000)
                if value is None:
                    return _ERROR
                self._timeouts_ms[index] = value
        return None

    def cdnsgip(self, kind, arguments):
        """AT+CDNSGIP: the answer comes before OK, the AT port waits."""
        if kind != _SET or not arguments:
            return _ERROR
        core = self._core
        host = arguments[0]
        address = self.links.resolve(host)
        wait_ms = core.delay("dns")
        if not (self.links.alive and core.radio.has_bearer):
            address, wait_ms = None, core.delay("dns_timeout")
        self.links.total.name(host)
        core.later(wait_ms, self._resolved, host, address)
        return _DEFER

    def _resolved(self, host, address):
        if address is None or ("dns_needs_server" in self._core.faults.active and not self._dns_set):
            self._core.finish((["+CDNSGIP: 0,10"], "ERROR"))
        else:
            self._core.finish(['+CDNSGIP: 1,"%s","%s"' % (host, address)])

    def cdnscfg(self, kind, arguments):
        """AT+CDNSCFG."""
        self._dns_set = True

    # --- opening and closing ------------------------------------------------------------------------------

    def cipopen(self, kind, arguments):
        """AT+CIPOPEN for TCP and UDP."""
        if kind == _READ:
            return [self._line(number) for number in range(len(self.links.sockets))]
        number = number_in(arguments[0], 0, self._last) if arguments else None
        if number is None or len(arguments) < 2:
            return _ERROR
        error = self._cannot_open(number, arguments)
        if error:
            return ["+CIPOPEN: %d,%d" % (number, error)], "ERROR"
        self.links.drop(number)  # a closed one whose data were left behind
        self.links.handles += 1
        port = number_in(arguments[3], 0, 65535) if len(arguments) > 3 and arguments[3] else 0
        link = Link(self.links.handles, arguments[1], arguments[2] if len(arguments) > 2 else "", port)
        self.links.sockets[number] = link
        if link.kind == "UDP":
            return self._open_udp(number, link, arguments)
        return self._open_tcp(number, link)

    def _line(self, number):
        link = self.links.sockets[number]
        if link is None or link.stage == GONE:
            return "+CIPOPEN: %d" % number
        return '+CIPOPEN: %d,"%s","%s",%d,-1' % (number, link.kind, link.host, link.port)

    def _cannot_open(self, number, arguments):
        if not self.links.is_open:
            return _NOT_OPENED
        if self.links.sockets[number] and self.links.sockets[number].stage != GONE:
            return _NOT_NOW
        if arguments[1] == "UDP":
            return (
                0 if len(arguments) > 4 and number_in(arguments[4], 0, 65535) is not None else _BAD_PARAMETER
            )
        if arguments[1] != "TCP" or len(arguments) < 4 or number_in(arguments[3], 1, 65535) is None:
            return _BAD_PARAMETER
        return 0

    def _open_udp(self, number, link, arguments):
        """UDP tells that it is open before OK."""
        link.stage = OPEN
        self.links.network.open(link.handle, "UDP", "", 0, int(arguments[4]))
        return ["+CIPOPEN: %d,0" % number]

    def _open_tcp(self, number, link):
        core = self._core
        if core.faults.take("open_silent") is not None:
            self.links.sockets[number] = None
            return None
        address = self.links.resolve(link.host)
        if address != link.host:
            self.links.total.name(link.host)
            if "open_name" in core.faults.active:
                address = None
        link.patience = core.later(self._timeouts_ms[1], self.links.open_timed_out, link.handle)
        if "open_at_once" in core.faults.active:
            link.early = True
            core.later(core.delay("open"), self.links.connect, link, address)
            return _DEFER
        core.later(core.delay("open"), self.links.connect, link, address)
        return None

    def cipclose(self, kind, arguments):
        """AT+CIPCLOSE: OK, then the URC; UDP the other way round."""
        if kind == _READ:
            flags = [link is not None and link.stage == OPEN for link in self.links.sockets]
            return ["+CIPCLOSE: " + ",".join(str(int(flag)) for flag in flags)]
        number = number_in(arguments[0], 0, self._last) if arguments else None
        if number is None:
            return _ERROR
        link = self.links.sockets[number]
        if link is None or link.stage == GONE:
            self.links.drop(number)
            return ["+CIPCLOSE: %d,%d" % (number, _NOT_NOW)], "ERROR"
        if link.kind == "UDP":
            self.links.drop(number)
            return ["+CIPCLOSE: %d,0" % number]
        if self._core.faults.take("close_silent") is None:
            self._core.later(self._core.delay("close"), self._close, link.handle)
        return None

    def _close(self, handle):
        number = self.links.find(handle)
        if number is not None:
            link = self.links.sockets[number]
            if self.links.alive and link.stage == OPEN:
                link.air.closed(UP)
            self.links.drop(number)
            self._core.urc("+CIPCLOSE: %d,0" % number)

    # --- sending ------------------------------------------------------------------------------------------

    def cipsend(self, kind, arguments):
        """AT+CIPSEND=n,[len][,"ip",port]."""
        if kind != _SET or not arguments:
            return _ERROR
        number = number_in(arguments[0], 0, self._last)
        need = None
        if len(arguments) > 1 and arguments[1]:
            need = number_in(arguments[1], 1, _SEND_LIMIT)
            if need is None:
                return ["+CIPERROR: %d" % _BAD_PARAMETER], "ERROR"
        link = self.links.sockets[number] if number is not None else None
        if link is None or link.stage != OPEN:
            return ["+CIPERROR: %d" % (_NOT_NOW if self.links.is_open else _NOT_OPENED)], "ERROR"
        to = (None, None)
        if link.kind == "UDP":
            if len(arguments) < 4 or number_in(arguments[3], 1, 65535) is None:
                return ["+CIPERROR: %d" % _BAD_PARAMETER], "ERROR"
            to = (self.links.resolve(arguments[2]), int(arguments[3]))
        return self._core.prompt(need, lambda data: self._send(number, link, to, data))

    def _send(self, number, link, to, data):
        core = self._core
        if data is None:
            core.finish(_ERROR)
            return
        words = core.faults.take("send_words")
        if core.faults.take("send_closed") is not None:
            self.links.peer_closed(link.handle)
        taken = self._transmit(link, to, data)
        if core.faults.take("send_silent") is None:
            core.later(core.delay("send"), core.urc, "+CIPSEND: %d,%d,%d" % (number, len(data), taken))
        core.finish([words.get("text", "DATA ACCEPT")] if words is not None else None)

    def _transmit(self, link, to, data):
        """Hand data to the network; return how many +CIPSEND confirms (-1: disconnected, 0: queue full)."""
        if link.stage != OPEN:
            return -1
        params = self._core.faults.take("send_confirmed")
        if params is not None:
            part = params.get("cnf", 0)
            if part > 0:
                self.links.transmit(link, to, data[:part])
            return part
        return self.links.transmit(link, to, data)

    def cipack(self, kind, arguments):
        """AT+CIPACK=n: bytes sent, acknowledged, received."""
        number = number_in(arguments[0], 0, self._last) if arguments else None
        link = self.links.sockets[number] if number is not None else None
        if link is None:
            return ["+IP ERROR: No data"], "ERROR"
        return ["+CIPACK: %d,%d,%d" % (link.sent, link.acked, link.received)]

    # --- receiving ----------------------------------------------------------------------------------------

    def ciprxget(self, kind, arguments):
        """AT+CIPRXGET in all its modes."""
        if kind == _READ:
            return ["+CIPRXGET: %d" % self._buffered]
        mode = number_in(arguments[0], 0, 5) if arguments else None
        if mode is None:
            return _ERROR
        if mode < 2:
            self._buffered = mode == 1
            return None
        number = number_in(arguments[1], 0, self._last) if len(arguments) > 1 else None
        if number is None or not self._buffered:
            return _ERROR
        link = self.links.sockets[number]
        if mode == 4:
            return ["+CIPRXGET: 4,%d,%d" % (number, link.waiting if link else 0)]
        if link is None or not link.waiting:
            return ["+IP ERROR: No data"], "ERROR"
        limit = _HEX_READ_LIMIT if mode == 3 else _READ_LIMIT
        wanted = number_in(arguments[2], 1, limit) if len(arguments) > 2 and arguments[2] else limit
        return _ERROR if wanted is None else self._read(mode, number, link, wanted)

    def _read(self, mode, number, link, wanted):
        data, sender = self.links.pull(link, wanted)
        head = "\r\n+CIPRXGET: %d,%d,%d,%d\r\n" % (mode, number, len(data), link.waiting)
        if mode == 5:
            head += "RECV FROM:%s:%d\r\n" % sender
        if mode == 3:
            data = "".join("%02X" % byte for byte in data).encode()
        return head.encode() + data + b"\r\nOK\r\n"

    def ciphead(self, kind, arguments):
        """AT+CIPHEAD: +IPD before pushed data."""
        return self._switch(kind, arguments, "_header")

    def cipsrip(self, kind, arguments):
        """AT+CIPSRIP: RECV FROM before pushed data."""
        return self._switch(kind, arguments, "_sender")

    def _switch(self, kind, arguments, name):
        value = number_in(arguments[0], 0, 1) if kind == _SET and arguments else None
        if value is None:
            return _ERROR
        setattr(self, name, value == 1)
        return None

    def cipmode(self, kind, arguments):
        """AT+CIPMODE: transparent mode is not simulated."""
        if kind == _READ:
            return ["+CIPMODE: 0"]
        return None if list(arguments) == ["0"] else _ERROR
