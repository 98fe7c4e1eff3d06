"""The commands of a simulated Luat modem for data call and sockets: CSTT, CIICR, CIPSTART, CIPSEND, … Pure.

Owns nothing: the data call's stage and the switches are in `luat_call.py`, the sockets in `links.py`. Handlers follow
the contract in `families.py`; most final results are words of their own (SHUT OK; 0, SEND OK; a bare address), not OK.
"""

from host_tests.sim.air import UP
from host_tests.sim.links import GONE, OPEN, Link
from host_tests.sim.luat_call import ACTIVE, CONFIG, INITIAL, OPEN_MS, PIECE_LIMIT, START, STATUS, LuatCall
from host_tests.sim.luat_links import NUMBERS
from host_tests.sim.text import number_in

_READ, _SET = 1, 3
_DEFER = "defer"
_ERROR = -1
_NOT_NOW, _BAD_PARAMETER = 3, 53
_HEX_READ_LIMIT = 730
_DNS_UNKNOWN, _DNS_SILENT = 10, 11  # 10 to 15 exist; which means what is not known


class LuatSockets(LuatCall):
    """The CIP family of commands, as SIM800 had it, with many differences."""

    # --- settings -----------------------------------------------------------------------------------------

    def _choose(self, kind, arguments, name):
        """Read or set one of the switches."""
        if kind == _READ:
            return ["+%s: %d" % (name[0], getattr(self, name[1]))]
        value = number_in(arguments[0], 0, 1) if kind == _SET and arguments else None
        if value is None:
            return _BAD_PARAMETER
        setattr(self, name[1], value == 1)
        return None

    def cipmux(self, kind, arguments):
        """AT+CIPMUX: one socket or six; only before the data call is begun."""
        if kind == _SET and self.stage != INITIAL:
            return _NOT_NOW
        return self._choose(kind, arguments, ("CIPMUX", "many"))

    def cipqsend(self, kind, arguments):
        """AT+CIPQSEND: say DATA ACCEPT instead of SEND OK."""
        return self._choose(kind, arguments, ("CIPQSEND", "quick"))

    def ciprxf(self, kind, arguments):
        """AT+CIPRXF: 0 appends a line end to received data, 1 does not."""
        return self._choose(kind, arguments, ("CIPRXF", "bare"))

    # --- data call ----------------------------------------------------------------------------------------

    def cstt(self, kind, arguments):
        """AT+CSTT: the access point, before anything else."""
        core = self._core
        if kind == _READ:
            return ['+CSTT: "%s","",""' % core.general.apn]
        if self.stage != INITIAL:
            return _NOT_NOW
        core.general.context = ("IP", arguments[0] if arguments else "")
        core.event("apn", core.general.apn)
        self.stage = START
        return None

    def ciicr(self, kind, arguments):
        """AT+CIICR: bring the data call up; the port waits."""
        core = self._core
        if self.stage != START:
            return _NOT_NOW
        self.stage = CONFIG
        wait_ms = core.delay("ciicr" if self._is_let_in() else "ciicr_fails")
        core.later(wait_ms, self._activated)
        return _DEFER

    def _is_let_in(self):
        core = self._core
        return core.radio.has_bearer and core.radio.takes_apn(core.general.apn)

    def _activated(self):
        core = self._core
        up = self._is_let_in()
        self.activated(up)
        if up:
            core.finish(None)
        elif core.faults.take("ciicr_deact") is not None:
            core.finish(b"\r\n+PDP: DEACT\r\n")
        else:
            core.finish(([], "+CME ERROR: 65535"))

    def cifsr(self, kind, arguments):
        """AT+CIFSR: the bare address, without OK."""
        if self.stage not in (ACTIVE, STATUS):
            return _NOT_NOW
        self.stage = STATUS
        return [], self._core.settings["address"]

    def cipshut(self, kind, arguments):
        """AT+CIPSHUT: SHUT OK from any state."""
        self._core.later(self._core.delay("shut"), self._shut)
        return _DEFER

    def _shut(self):
        self.shut()
        self._core.finish(([], "SHUT OK"))

    def cdnsgip(self, kind, arguments):
        """AT+CDNSGIP: OK comes first."""
        core = self._core
        if kind != _SET or not arguments or not arguments[0]:
            return _BAD_PARAMETER
        if self.stage != STATUS:
            return _NOT_NOW
        self.links.total.name(arguments[0])
        alive = self.links.alive
        core.later(core.delay("dns" if alive else "dns_timeout"), self._tell_name, arguments[0], alive)
        return None

    def _tell_name(self, host, asked):
        core = self._core
        address = self.links.resolve(host)
        if not asked or not core.radio.has_bearer:
            core.urc("+CDNSGIP:0,%d" % _DNS_SILENT)
        elif address is None:
            core.urc("+CDNSGIP:0,%d" % _DNS_UNKNOWN)
        else:
            core.urc('+CDNSGIP: 1,"%s","%s"' % (host, address))

    def cipstatus(self, kind, arguments):
        """AT+CIPSTATUS: OK first, then the state of the call, then of each socket."""
        self._core.later(self._core.delay("simple"), self._tell_status)

    def _tell_status(self):
        self._core.urc("STATE: " + self.call_state())
        if self.many:
            self._core.urc("\r\n".join(self.link_lines()))

    # --- opening and closing ------------------------------------------------------------------------------

    def _numbered(self, arguments):
        """Return (socket number or None, the other arguments): without CIPMUX there is no number."""
        if not self.many:
            return 0, arguments
        return (number_in(arguments[0], 0, NUMBERS - 1) if arguments else None), arguments[1:]

    def cipstart(self, kind, arguments):
        """AT+CIPSTART for TCP and UDP: OK, then how it went."""
        core, links = self._core, self.links
        number, rest = self._numbered(arguments)
        port = number_in(rest[2], 1, 65535) if len(rest) == 3 else None
        if kind != _SET or number is None or port is None or rest[0] not in ("TCP", "UDP"):
            return _BAD_PARAMETER
        if self.stage != STATUS:
            return _NOT_NOW
        if links.sockets[number] and links.sockets[number].stage != GONE:
            core.later(0, core.urc, self.words(number, "ALREADY CONNECT"))
            return None
        links.drop(number)  # a closed one whose data were left behind
        self.used = True
        links.handles += 1
        link = Link(links.handles, rest[0], rest[1], port)
        links.sockets[number] = link
        return self._open_tcp(number, link) if link.kind == "TCP" else self._open_udp(number, link)

    def _open_tcp(self, number, link):
        core, links = self._core, self.links
        if core.faults.take("open_silent") is not None:
            links.sockets[number] = None
            return
        address = links.resolve(link.host)
        if address != link.host:
            links.total.name(link.host)
            if "open_name" in core.faults.active:
                address = None
        link.patience = core.later(OPEN_MS, links.open_timed_out, link.handle)
        core.later(core.delay("open"), links.connect, link, address)

    def _open_udp(self, number, link):
        link.stage = OPEN
        self.links.network.open(link.handle, "UDP", "", 0, 0)
        self._core.later(0, self.opened, number, link, 0)

    def cipclose(self, kind, arguments):
        """AT+CIPCLOSE=n[,1]: the port waits for CLOSE OK."""
        number, _ = self._numbered(arguments)
        if number is None:
            return _BAD_PARAMETER
        link = self.links.sockets[number]
        if link is None or link.stage == GONE:
            self.links.drop(number)
            return _NOT_NOW
        self._core.later(self._core.delay("close"), self._close_done, number, link)
        return _DEFER

    def _close_done(self, number, link):
        if self.links.sockets[number] is link:
            if self.links.alive and link.stage == OPEN:
                link.air.closed(UP)
            self.links.drop(number)
        self._core.finish(([], self.words(number, "CLOSE OK")))

    # --- sending ------------------------------------------------------------------------------------------

    def cipsend(self, kind, arguments):
        """AT+CIPSEND=[n,][len]: prompt, data, and words instead of OK."""
        if kind == _READ:
            lines = ["+CIPSEND: %d,%d" % (number, PIECE_LIMIT) for number in range(NUMBERS)]
            return lines if self.many else ["+CIPSEND: %d" % PIECE_LIMIT]
        number, rest = self._numbered(arguments)
        need = number_in(rest[0], 1, PIECE_LIMIT) if rest else None
        if number is None or (rest and need is None):
            return _BAD_PARAMETER
        link = self.links.sockets[number]
        if link is None or link.stage != OPEN:
            return _NOT_NOW
        to = (self.links.resolve(link.host), link.port) if link.kind == "UDP" else (None, None)
        return self._core.prompt(need, lambda data: self._send(number, link, to, data))

    def _send(self, number, link, to, data):
        core = self._core
        if data is None:
            core.finish(_ERROR)
            return
        if core.faults.take("send_closed") is not None:
            self.links.peer_closed(link.handle)
        failed = core.faults.take("send_fail") is not None or link.stage != OPEN
        failed = failed or self.links.transmit(link, to, data) <= 0
        silent = core.faults.take("send_silent") is not None
        core.finish(b"" if silent else ([], self._sent(number, len(data), failed)))

    def _sent(self, number, length, failed):
        if failed:
            return self.words(number, "SEND FAIL")
        if not self.quick:
            return self.words(number, "SEND OK")
        return "DATA ACCEPT:%d,%d" % (number, length) if self.many else "DATA ACCEPT:%d" % length

    def cipack(self, kind, arguments):
        """AT+CIPACK=n: bytes sent, acknowledged, not acknowledged."""
        number, _ = self._numbered(arguments)
        link = self.links.sockets[number] if number is not None else None
        if link is None:
            return _NOT_NOW
        return ["+CIPACK: %d,%d,%d" % (link.sent, link.acked, link.sent - link.acked)]

    # --- receiving ----------------------------------------------------------------------------------------

    def ciprxget(self, kind, arguments):
        """AT+CIPRXGET: 0 push, 1 and 5 buffer and tell once or each time, 2 and 3 read, 4 ask."""
        links = self.links
        if kind == _READ:
            return ["+CIPRXGET: %d" % (5 if self.each else self.buffered)]
        mode = number_in(arguments[0], 0, 5) if arguments else None
        if mode is None:
            return _BAD_PARAMETER
        if mode in (0, 1, 5):
            self.buffered, self.each = mode != 0, mode == 5
            return None
        number, rest = self._numbered(arguments[1:])
        limit = _HEX_READ_LIMIT if mode == 3 else PIECE_LIMIT
        wanted = number_in(rest[0], 1, limit) if rest and rest[0] else limit
        if number is None or wanted is None:
            return _BAD_PARAMETER
        link = links.sockets[number]
        if link is None or not self.buffered:
            return _NOT_NOW
        prefix = "+CIPRXGET: %d,%d," % (mode, number) if self.many else "+CIPRXGET: %d," % mode
        return [prefix + str(link.waiting)] if mode == 4 else self._read_out(mode, prefix, link, wanted)

    def _read_out(self, mode, prefix, link, wanted):
        """Return the whole answer of a read; the only socket's data follow their header at once."""
        data = self.links.pull(link, wanted)[0] if link.waiting else b""
        glued = not self.many or "read_glued" in self._core.faults.active
        head = "\r\n%s%d,%d" % (prefix, len(data), link.waiting)
        if mode == 3:
            data = "".join("%02X" % byte for byte in data).encode()
        if data:
            data += self.line_end()
        return head.encode() + (b"" if glued and data else b"\r\n") + data + b"\r\nOK\r\n"
