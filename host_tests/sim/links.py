"""The simulated modem's sockets and the data call they stand on. Pure.

Owns ten links with their receive queues, what the dead network holds back, and the count of bytes on the air.
The network itself is an object given to the core:

    class Network:
        def open(self, handle, kind, ip, port, local_port): ...   # then net_opened(now, handle, error code)
        def send(self, handle, data, ip, port): return accepted   # bytes taken; ip and port are for UDP only
        def close(self, handle, orderly): ...                     # not orderly: the peer sees nothing
        def room(self, handle, room): ...                         # the modem can take `room` more bytes

and answers through core.links: net_opened, net_received, net_closed, net_acked. A handle is an integer that
is never used twice. A TCP peer may hand over as many bytes as `room(handle)` says and has to wait for more:
the modem's queue is 10 KiB a socket, then TCP's window is shut.
"""

from host_tests.sim.air import DOWN, Air

LINKS = 10
RX_LIMIT = 10240
TX_LIMIT = 10240
DATAGRAMS = 16
_REMOTE = 1  # reason in +IPCLOSE: closed by the peer
OPENING, OPEN, GONE = range(3)


class Link:
    """One socket: its queue stays readable after the peer has closed, until the number is used again."""

    def __init__(self, handle, kind, host, port):
        self.handle = handle
        self.kind = kind
        self.host = host
        self.port = port
        self.stage = OPENING
        self.rx = bytearray()
        self.datagrams = []
        self.held = bytearray()  # taken from the host, not let through by a dead network
        self.sent = self.acked = self.received = 0
        self.patience = None  # token of the opening's time-out
        self.early = False  # +CIPOPEN goes out before OK
        self.closing = False  # the peer's close waits behind a dead network
        self.air = Air()

    @property
    def waiting(self):
        """Bytes ready to be read."""
        return len(self.datagrams[0][0]) if self.kind == "UDP" and self.datagrams else len(self.rx)


class Links:
    """All sockets of one modem and the data call they stand on."""

    def __init__(self, core, network):
        self._core = core
        self.network = network
        self.handles = 0
        self.names = {}  # host -> address, None: unknown
        self.any_name = "127.0.0.1"
        self.alive = True  # False: the network beyond the modem is dead
        self.total = Air()  # what closed sockets and look-ups have cost
        self.sockets = [None] * LINKS
        self.reset()

    def reset(self):
        """The modem restarts: everything is gone."""
        for number in range(LINKS):
            self.drop(number, False)
        self.is_open = False
        self.opening = None
        self.buffered = False
        self.header = self.sender = True
        self.timeouts_ms = [120000, 120000, 120000]
        self.dns_set = False

    @property
    def send_timeout_ms(self):
        """How long a prompt waits for its data."""
        return self.timeouts_ms[2]

    def state(self):
        """Return the sockets in use and the sums, as JSON-able dicts."""
        total = Air()
        total.add(self.total)
        sockets = {}
        for number, link in enumerate(self.sockets):
            if link:
                link.air.settle(self._core.now)
                total.add(link.air)
                entry = link.air.state()
                entry.update(
                    kind=link.kind, host=link.host, port=link.port, waiting=link.waiting, held=len(link.held)
                )
                entry["stage"] = ("opening", "open", "closed")[link.stage]
                sockets[str(number)] = entry
        return {"open": self.is_open, "sockets": sockets, "total": total.state()}

    # --- the network's side -------------------------------------------------------------------------------

    def room(self, handle):
        """Return how many bytes the modem can take from this peer now."""
        number = self.find(handle)
        if number is None or not self.alive:
            return 0
        return RX_LIMIT - len(self.sockets[number].rx)

    def net_opened(self, now_ms, handle, error):
        """The network has opened a link (error 0) or failed to (a CIPOPEN error code)."""
        self._core.post(now_ms, self.opened, handle, error)

    def net_received(self, now_ms, handle, data, ip=None, port=None):
        """Data have come; ip and port tell a datagram's sender."""
        self._core.post(now_ms, self._received, handle, data, ip, port)

    def net_closed(self, now_ms, handle):
        """The peer has closed."""
        self._core.post(now_ms, self.peer_closed, handle)

    def net_acked(self, now_ms, handle, total):
        """The peer's TCP has acknowledged `total` bytes of this link so far."""
        self._core.post(now_ms, self._peer_acked, handle, total)

    def find(self, handle):
        for number, link in enumerate(self.sockets):
            if link and link.handle == handle and link.stage != GONE:
                return number
        return None

    def opened(self, handle, error):
        number = self.find(handle)
        if number is None or self.sockets[number].stage != OPENING:
            return
        if not self.alive:
            return  # the answer is lost on the way; the time-out will tell
        link = self.sockets[number]
        self._core.cancel(link.patience)
        if error:
            self.sockets[number] = None
        else:
            link.stage = OPEN
            if link.kind == "TCP":
                link.air.opened()
        self.tell_open(number, link, error)

    def tell_open(self, number, link, error):
        core = self._core
        core.event("open", [number, link.host, link.port, error])
        core.urc("+CIPOPEN: %d,%d" % (number, error))
        if link.early:
            core.finish(None)

    def _received(self, handle, data, ip, port):
        number = self.find(handle)
        if number is None:
            return
        link = self.sockets[number]
        first = link.waiting == 0
        link.received += len(data)
        if link.kind == "UDP":
            if not self.alive or len(link.datagrams) >= DATAGRAMS:
                return
            link.air.udp(DOWN, len(data))
        else:
            link.air.tcp(self._core.now, DOWN, len(data))
        if not self.buffered:
            self._push(link, data, ip, port)
            return
        if link.kind == "UDP":
            link.datagrams.append((bytes(data), ip, port))
        else:
            link.rx += data
        if self._core.faults.take("closed_first") is not None:
            self._core.later(0, self.peer_closed, handle)
            self._core.later(0, self.notify, number)
        elif first or "recv_each" in self._core.faults.active:
            self.notify(number)

    def notify(self, number):
        self._core.urc("+CIPRXGET: 1,%d" % number)

    def _push(self, link, data, ip, port):
        head = ""
        if self.sender:
            head += "RECV FROM:%s:%d\r\n" % (ip or link.host, port or link.port)
        if self.header:
            head += "+IPD%d\r\n" % len(data)
        self._core.put(b"\r\n" + head.encode() + data)

    def peer_closed(self, handle):
        number = self.find(handle)
        if number is None:
            return
        link = self.sockets[number]
        if not self.alive:
            link.closing = True
            return
        if link.kind == "TCP":
            link.air.closed(DOWN)
        self._lost(number, _REMOTE)

    def _lost(self, number, reason):
        """The link is gone: tell it; what was received stays readable."""
        link = self.sockets[number]
        link.stage = GONE
        self.network.close(link.handle, True)
        faults = self._core.faults
        if "closed_drops" in faults.active:
            link.rx[:] = b""
        self._core.event("closed", [number, reason])
        form = "+IPCLOSE %d,%d" if "ipclose_bare" in faults.active else "+IPCLOSE: %d,%d"
        self._core.urc(form % (number, reason))

    def _peer_acked(self, handle, total):
        number = self.find(handle)
        if number is not None:
            self.sockets[number].acked = total

    # --- knobs --------------------------------------------------------------------------------------------

    def set_alive(self, alive):
        """Let the network beyond the modem die, or live again with TCP catching up."""
        self.alive = alive
        if alive:
            for number, link in enumerate(self.sockets):
                if link and link.stage == OPEN:
                    self._catch_up(number, link)

    def _catch_up(self, number, link):
        if link.held:
            held, link.held = bytes(link.held), bytearray()
            self.network.send(link.handle, held, None, None)
        self.network.room(link.handle, RX_LIMIT - len(link.rx))
        if link.closing:
            self._core.later(0, self.peer_closed, link.handle)

    def close_by_network(self, number):
        """Close one socket from the network's side, its queue left readable; raises ValueError."""
        link = self.sockets[number] if 0 <= number < LINKS else None
        if link is None or link.stage != OPEN:
            raise ValueError("socket %r is not open" % number)
        self.peer_closed(link.handle)

    def bearer_lost(self):
        """The data call is gone; sockets die with it."""
        if self.opening is not None:
            self._core.cancel(self.opening)
            self.opening = None
            self._core.urc("+NETOPEN: 1")
        if not self.is_open:
            return
        self.is_open = False
        for number in range(LINKS):
            self.drop(number, False)
        self._core.event("netopen", False)
        self._core.urc("+CGEV: NW PDN DEACT 1")
        self._core.urc("+CIPEVENT: NETWORK CLOSED UNEXPECTEDLY")

    def drop(self, number, orderly=True):
        """Forget a socket; its peer learns of it only from an orderly end."""
        link = self.sockets[number]
        if link is None:
            return
        if link.stage != GONE:
            self.network.close(link.handle, orderly and self.alive)
            if link.stage == OPENING:
                self._core.cancel(link.patience)
        link.air.settle(None)
        self.total.add(link.air)
        self.sockets[number] = None

    def resolve(self, host):
        """Return the address of a host in the simulator's table, or None; an address stays as it is."""
        if host in self.names:
            return self.names[host]
        return host if host.replace(".", "").isdigit() else self.any_name
