"""A Quectel modem's commands for sockets, and what it says of them: QIOPEN, QISEND, QIRD, QICLOSE, … Pure.

Owns the modes of the sockets; the sockets themselves are in `links.py`, the data contexts below them in
`quectel_contexts.py`. A socket that was closed, or could not be opened, keeps its number until QICLOSE.
"""

from host_tests.sim.air import UP
from host_tests.sim.links import FAILED, GONE, NO_NAME, OPEN, OPENING, REFUSED, TIMED_OUT, Link
from host_tests.sim.quectel_contexts import BAD_PARAMETER, NO_PDP, Contexts
from host_tests.sim.quectel_lookups import Lookups
from host_tests.sim.text import number_in, unhex

_READ, _SET = 1, 3
_ERROR = -1
_DEFER = "defer"
_READ_LIMIT = 1500
_SEND_LIMIT = 1460
_HEX_LIMIT = 512
_FIRST_LOCAL_PORT = 49152
_CLOSE_S = 10
_BUFFERED, _PUSHED = 0, 1
_UNSUPPORTED, _IN_USE, _CLOSED, _UNKNOWN = 555, 563, 567, 550
_OPEN_ERRORS = {0: 0, REFUSED: 566, FAILED: 566, TIMED_OUT: 566, NO_NAME: 565}
_STATES = {OPENING: 1, OPEN: 2, GONE: 4}
_KINDS = ("TCP", "UDP", "UDP SERVICE")


class QiLink(Link):
    """A socket with what QISTATE tells of it."""

    def __init__(self, handle, service, host, port, context, local_port, mode):
        super().__init__(handle, "TCP" if service == "TCP" else "UDP", host, port)
        self.service = service
        self.context = context
        self.local_port = local_port or _FIRST_LOCAL_PORT + handle
        self.mode = mode
        self.address = host


class Qi(Lookups):
    """The QI family of commands."""

    prompt_text = b"\r\n> "
    QUOTES = ()

    def __init__(self, core):
        self._core = core
        self.links = core.links
        self.contexts = Contexts(core)
        self.reset()

    def reset(self):
        """What a boot begins with."""
        self.contexts.reset()
        self._closes_later = False
        self._input_s = 5

    @property
    def send_timeout_ms(self):
        """How long a prompt waits for its data."""
        return self._input_s * 1000 or 120000

    # --- said unasked -------------------------------------------------------------------------------------

    def is_buffered(self, link):
        """Whether received data are queued."""
        return link.mode == _BUFFERED

    def opened(self, number, link, error):
        """An opening has ended; one that failed keeps its number."""
        if error:
            link.stage = GONE
            self.links.sockets[number] = link
        code = _OPEN_ERRORS[error]
        if error == TIMED_OUT and "pdp_drift" in self._core.faults.active:
            code = _UNKNOWN
        self._core.urc("+QIOPEN: %d,%d" % (number, code))

    def notify(self, number):
        """Data have come into an empty queue."""
        self._core.urc('+QIURC: "recv",%d' % number)

    def push(self, number, link, data, ip, port):
        """Data have come that are not queued."""
        if self._core.urcs_here:
            sender = ',"%s",%d' % (ip, port) if link.service == "UDP SERVICE" else ""
            head = '\r\n+QIURC: "recv",%d,%d%s\r\n' % (number, len(data), sender)
            self._core.put(head.encode() + data + b"\r\n")

    def closed(self, number, reason):
        """A peer has closed."""
        self._core.urc('+QIURC: "closed",%d' % number)

    def bearer_lost(self):
        """The network has taken the data call away."""
        self.contexts.lost()

    def drop_context(self, cid):
        """A context is gone: so are its sockets, and nobody says so."""
        for number, link in enumerate(self.links.sockets):
            if link and link.context == cid:
                self.links.drop(number, False)

    # --- opening and closing ------------------------------------------------------------------------------

    def _number(self, arguments):
        return number_in(arguments[0], 0, len(self.links.sockets) - 1) if arguments else None

    def qiopen(self, kind, arguments):
        """AT+QIOPEN=context,id,service,host,port[,local port[,mode]]: OK, and the result as a URC."""
        number = self._number(arguments[1:]) if kind == _SET else None
        ports = [number_in(text or "0", 0, 65535) for text in arguments[4:6]] + [0]
        mode = number_in(arguments[6], 0, 1) if len(arguments) > 6 else _BUFFERED
        if number is None or len(arguments) < 5 or None in ports or mode is None:
            return self.contexts.fail(BAD_PARAMETER)
        if arguments[2] not in _KINDS:
            return self.contexts.fail(_UNSUPPORTED)
        error = self._cannot_open(number, arguments[0])
        if error:
            self._core.later(0, self._core.urc, "+QIOPEN: %d,%d" % (number, error))
            return None
        if self._core.faults.take("open_silent") is None:
            self.links.handles += 1
            link = QiLink(self.links.handles, arguments[2], arguments[3], ports[0], int(arguments[0]), ports[1], mode)
            self.links.sockets[number] = link
            self._begin(number, link)
        return None

    def _begin(self, number, link):
        faults = self._core.faults
        params = faults.take("open_fails")
        if "open_exhausted" in faults.active or params is not None:
            code = BAD_PARAMETER if params is None else params.get("code", 566)
            link.stage = GONE
            self._core.later(self._core.delay("open"), self._core.urc, "+QIOPEN: %d,%d" % (number, code))
        else:
            self._open(number, link)

    def _cannot_open(self, number, context):
        if self.links.sockets[number] is not None:
            return _IN_USE
        return 0 if number_in(context, 1, 7) in self.contexts.active else NO_PDP

    def _open(self, number, link):
        core = self._core
        if link.service == "UDP SERVICE":
            address = ""
        else:
            address = self.links.resolve(link.host)
            if address != link.host:
                self.links.total.name(link.host)
        link.address = address or link.host
        if link.kind == "UDP":
            core.later(0, self._open_udp, number, link, address)
            return
        drifted = "pdp_drift" in core.faults.active
        patience_ms = core.delay("open_drifted" if drifted else "open_timeout") or 30000
        link.patience = core.later(patience_ms, self.links.open_timed_out, link.handle)
        core.later(core.delay("open"), self.links.connect, link, address)

    def _open_udp(self, number, link, address):
        if self.links.sockets[number] is not link:
            return
        if address is None:
            self.opened(number, link, NO_NAME)
            return
        link.stage = OPEN
        self.links.network.open(link.handle, "UDP", "", 0, link.local_port if link.service == "UDP SERVICE" else 0)
        self._core.urc("+QIOPEN: %d,0" % number)

    def qiclose(self, kind, arguments):
        """AT+QICLOSE=id[,seconds]: the AT port waits for the peer, ten seconds unless told otherwise."""
        number = self._number(arguments)
        wait_s = number_in(arguments[1], 0, 65535) if len(arguments) > 1 else _CLOSE_S
        if number is None or wait_s is None:
            return self.contexts.fail(BAD_PARAMETER)
        link = self.links.sockets[number]
        if link is None or link.stage != OPEN or link.kind == "UDP":
            self.links.drop(number)
            return None
        answered = self.links.alive and not link.dead
        delay_ms = min(self._core.delay("close"), wait_s * 1000) if answered else wait_s * 1000
        self._core.later(delay_ms, self._close, number, link, self._closes_later)
        return None if self._closes_later else _DEFER

    def _close(self, number, link, told_later):
        if self.links.sockets[number] is link:
            if link.stage == OPEN and self.links.alive:
                link.air.closed(UP)
            self.links.drop(number)
        if told_later:
            self.closed(number, 0)
        else:
            self._core.finish(None)

    def qistate(self, kind, arguments):
        """AT+QISTATE? tells all sockets, =1,id one, =0,context those of a context."""
        by = number_in(arguments[0], 0, 1) if kind == _SET and len(arguments) > 1 else None
        if kind == _SET and by is None:
            return self.contexts.fail(BAD_PARAMETER)
        lines = []
        for number, link in enumerate(self.links.sockets):
            if link and (by is None or str((link.context, number)[by]) == arguments[1]):
                lines.append(self._state(number, link))
        return lines

    def _state(self, number, link):
        where = (number, link.service, link.address, link.port, link.local_port)
        return '+QISTATE: %d,"%s","%s",%d,%d,' % where + '%d,%d,0,%d,"uart1"' % (
            3 if link.service == "UDP SERVICE" else _STATES[link.stage],
            link.context,
            link.mode,
        )

    # --- sending ------------------------------------------------------------------------------------------

    def qisend(self, kind, arguments):
        """AT+QISEND=id[,length[,"ip",port]]; a length of 0 asks what was acknowledged."""
        number = self._number(arguments) if kind == _SET else None
        if number is None:
            return self.contexts.fail(BAD_PARAMETER)
        link = self.links.sockets[number]
        if link is None or (link.stage != OPEN and arguments[1:] != ["0"]):
            return self.contexts.fail(_CLOSED)
        need = None
        if len(arguments) > 1:
            need = number_in(arguments[1], 0, _SEND_LIMIT)
            if need is None:
                return self.contexts.fail(BAD_PARAMETER)
        if need == 0:
            return ["+QISEND: %d,%d,%d" % (link.sent, link.acked, link.sent - link.acked)]
        to = self._destination(link, arguments)
        if to is None:
            return self.contexts.fail(BAD_PARAMETER)
        return self._core.prompt(need, lambda data: self._core.finish(self._send(link, to, data)))

    def _destination(self, link, arguments):
        """Return (ip, port) of a datagram ((None, None) for TCP), or None for a wrong one."""
        if link.kind == "TCP":
            return None, None
        if link.service == "UDP":
            return link.address, link.port
        if len(arguments) < 4 or number_in(arguments[3], 1, 65535) is None:
            return None
        return self.links.resolve(arguments[2]), int(arguments[3])

    def _send(self, link, to, data):
        """Send; return the command's result."""
        faults = self._core.faults
        if data is None:
            return _ERROR
        if link.stage != OPEN:
            return self.contexts.fail(_CLOSED)
        taken = 0 if faults.take("send_fail") is not None else self.links.transmit(link, to, data)
        if faults.take("send_closed") is not None:
            self.links.peer_closed(link.handle)
        return [], "SEND OK" if taken else "SEND FAIL"

    def qisendex(self, kind, arguments):
        """AT+QISENDEX=id,"hex": without a prompt."""
        number = self._number(arguments) if kind == _SET else None
        link = self.links.sockets[number] if number is not None else None
        if link is None or link.kind != "TCP" or link.stage != OPEN:
            return self.contexts.fail(_CLOSED)
        try:
            data = unhex(arguments[1]) if len(arguments) > 1 else b""
        except ValueError:
            data = b""
        if not data or len(data) > _HEX_LIMIT:
            return self.contexts.fail(BAD_PARAMETER)
        return self._send(link, (None, None), data)

    def qisde(self, kind, arguments):
        """AT+QISDE: whether a send's data are echoed, whatever ATE says."""
        if kind == _READ:
            return ["+QISDE: %d" % self._core.data_echo]
        if list(arguments) not in (["0"], ["1"]):
            return _ERROR
        self._core.data_echo = arguments[0] == "1"
        return None

    # --- receiving ----------------------------------------------------------------------------------------

    def qird(self, kind, arguments):
        """AT+QIRD=id[,length]; a length of 0 asks what waits."""
        number = self._number(arguments) if kind == _SET else None
        wanted = number_in(arguments[1], 0, _READ_LIMIT) if len(arguments) > 1 else _READ_LIMIT
        if number is None or wanted is None:
            return self.contexts.fail(BAD_PARAMETER)
        link = self.links.sockets[number]
        if link is None or link.mode != _BUFFERED:
            return self.contexts.fail(_CLOSED)
        if wanted == 0 and link.kind == "TCP":
            return ["+QIRD: %d,%d,%d" % (link.received, link.received - link.waiting, link.waiting)]
        if not link.waiting:
            return ["+QIRD: 0"]
        return self._read(link, wanted)

    def _read(self, link, wanted):
        data, sender = self.links.pull(link, wanted if link.kind == "TCP" else link.waiting)
        head = "\r\n+QIRD: %d" % len(data)
        if link.service == "UDP SERVICE":
            head += ',"%s",%d' % sender
        return head.encode() + b"\r\n" + data + b"\r\n\r\nOK\r\n"

    # --- modes --------------------------------------------------------------------------------------------

    def qicfg(self, kind, arguments):
        """AT+QICFG: how QICLOSE answers, how long a prompt waits; the rest is taken as it comes."""
        if kind != _SET or not arguments:
            return _ERROR
        if arguments[0] == "close/mode" and len(arguments) > 1:
            self._closes_later = arguments[1] == "1"
        if arguments[0] == "qisend/timeout":
            if len(arguments) < 2:
                return ['+QICFG: "qisend/timeout",%d' % self._input_s]
            seconds = number_in(arguments[1], 0, 120)
            if seconds is None:
                return self.contexts.fail(BAD_PARAMETER)
            self._input_s = seconds
        return None
