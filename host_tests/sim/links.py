"""The simulated modem's sockets, whatever its family says about them. Pure.

Owns the links with their receive queues, what the dead network holds back, and the count of bytes on the air.
How they are spoken of is the family's `sockets` part, which is told of everything that happens to a link:

    opened(number, link, error)    error 0, or REFUSED, FAILED, TIMED_OUT, NO_NAME
    is_buffered(link)              whether data that come are queued, or pushed to the host at once
    notify(number)                 data have come into an empty queue
    push(number, link, data, ip, port)    data have come and are not to be queued
    closed(number, reason)         the peer has closed; the queue stays readable

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

from host_tests.sim.air import DOWN, UP, Air

RX_LIMIT = 10240
TX_LIMIT = 10240
DATAGRAMS = 16
REMOTE = 1  # closed by the peer
REFUSED, FAILED, TIMED_OUT, NO_NAME = 1, 5, 10, 11
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
        self.early = False  # its opening is told before OK
        self.closing = False  # the peer's close waits behind a dead network
        self.dead = False  # nothing passes either way, and nobody says so
        self.air = Air()

    @property
    def waiting(self):
        """Bytes ready to be read."""
        return len(self.datagrams[0][0]) if self.kind == "UDP" and self.datagrams else len(self.rx)


class Links:
    """All sockets of one modem."""

    def __init__(self, core, network):
        self._core = core
        self.network = network
        self.handles = 0
        self.names = {}  # host -> address, None: unknown
        self.any_name = "127.0.0.1"
        self.network_up = True  # False: the network beyond the modem is dead
        self._was_alive = True
        self.total = Air()  # what closed sockets and look-ups have cost
        self.sockets = [None] * core.family.LINKS
        self.is_open = False  # whether the data call stands; the family's word

    def reset(self):
        """The modem restarts: everything is gone."""
        self.drop_all()
        self.is_open = False

    def drop_all(self):
        """Forget all sockets; their peers see nothing."""
        for number in range(len(self.sockets)):
            self.drop(number, False)

    @property
    def alive(self):
        """Whether bytes pass between the modem and the world now."""
        core = self._core
        return self.network_up and core.radio.credit and "pdp_drift" not in core.faults.active

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
        if number is None or not self.alive or self.sockets[number].dead:
            return 0
        return RX_LIMIT - len(self.sockets[number].rx)

    def net_opened(self, now_ms, handle, error):
        """The network has opened a link (error 0) or failed to (REFUSED, FAILED)."""
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
        self._tell_open(number, link, error)

    def _tell_open(self, number, link, error):
        self._core.event("open", [number, link.host, link.port, error])
        self._core.sockets.opened(number, link, error)

    def connect(self, link, address):
        """Begin to open a link that has its number; None: its host has no address."""
        if not self.alive:
            return
        if address is None:
            self.opened(link.handle, NO_NAME)
        elif self.find(link.handle) is not None:
            self.network.open(link.handle, link.kind, address, link.port, 0)

    def open_timed_out(self, handle):
        """Nobody has answered an opening."""
        number = self.find(handle)
        if number is not None and self.sockets[number].stage == OPENING:
            link = self.sockets[number]
            self.drop(number)
            self._tell_open(number, link, TIMED_OUT)

    def _received(self, handle, data, ip, port):
        number = self.find(handle)
        if number is None:
            return
        link = self.sockets[number]
        if link.dead:
            return
        first = link.waiting == 0
        link.received += len(data)
        if link.kind == "UDP":
            if not self.alive or len(link.datagrams) >= DATAGRAMS:
                return
            link.air.udp(DOWN, len(data))
        else:
            link.air.tcp(self._core.now, DOWN, len(data))
        if not self._core.sockets.is_buffered(link):
            self._core.sockets.push(number, link, data, ip, port)
            return
        if link.kind == "UDP":
            link.datagrams.append((bytes(data), ip, port))
        else:
            link.rx += data
        if self._core.faults.take("closed_first") is not None:
            self._core.later(0, self.peer_closed, handle)
            self._core.later(0, self._core.sockets.notify, number)
        elif first or "recv_each" in self._core.faults.active:
            self.notify(number)

    def notify(self, number):
        """Tell of data in a queue, unless they come amid a command and a fault lets that be forgotten."""
        core = self._core
        if core.is_carrying_out and core.faults.take("recv_mid_lost") is not None:
            return
        core.sockets.notify(number)

    def peer_closed(self, handle):
        number = self.find(handle)
        if number is None:
            return
        link = self.sockets[number]
        if not self.alive or link.dead:
            link.closing = True
            return
        if link.kind == "TCP":
            link.air.closed(DOWN)
        self._lost(number, REMOTE)

    def _lost(self, number, reason):
        """The link is gone: tell it; what was received stays readable."""
        link = self.sockets[number]
        link.stage = GONE
        self.network.close(link.handle, True)
        faults = self._core.faults
        if "closed_drops" in faults.active:
            link.rx[:] = b""
        self._core.event("closed", [number, reason])
        self._core.sockets.closed(number, reason)

    def _peer_acked(self, handle, total):
        number = self.find(handle)
        if number is not None:
            self.sockets[number].acked = total

    # --- the host's side ----------------------------------------------------------------------------------

    def transmit(self, link, to, data):
        """Hand data of an open link to the network; return how many bytes were taken (0: the queue is full)."""
        core = self._core
        if link.kind == "TCP" and core.faults.take("peer_dead") is not None:
            link.dead = True
        if link.kind == "UDP":
            if self.alive:
                link.air.udp(UP, len(data))
                self.network.send(link.handle, data, to[0], to[1])
        elif not self.alive or link.dead:
            if len(link.held) + len(data) > TX_LIMIT:
                return 0
            link.held += data
        elif not self.network.send(link.handle, data, None, None):
            return 0
        if link.kind == "TCP":
            link.air.tcp(core.now, UP, len(data))
        link.sent += len(data)
        return len(data)

    def pull(self, link, wanted):
        """Take up to `wanted` bytes out of a queue (of one datagram) and open TCP's window again.

        Returns (data, (sender's ip, port)).
        """
        if link.kind == "UDP":
            data, ip, port = link.datagrams.pop(0)
            if len(data) > wanted:
                link.datagrams.insert(0, (data[wanted:], ip, port))
            elif link.datagrams:
                self._core.later(0, self._more_datagrams, link.handle)
            return data[:wanted], (ip, port)
        data = bytes(link.rx[:wanted])
        link.rx[: len(data)] = b""
        if link.stage == OPEN and self.alive:
            self._core.later(0, self._widen, link)
        return data, (link.host, link.port)

    def _more_datagrams(self, handle):
        number = self.find(handle)
        if number is not None:
            self.notify(number)

    def _widen(self, link):
        if link.stage == OPEN and self.alive and not link.dead:
            self.network.room(link.handle, RX_LIMIT - len(link.rx))

    # --- knobs --------------------------------------------------------------------------------------------

    def set_alive(self, alive):
        """Let the network beyond the modem die, or live again with TCP catching up."""
        self.network_up = alive
        self.review()

    def review(self):
        """Whether bytes pass may have changed: then TCP catches up."""
        was, self._was_alive = self._was_alive, self.alive
        if self.alive and not was:
            for number, link in enumerate(self.sockets):
                if link and link.stage == OPEN and not link.dead:
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
        link = self.sockets[number] if 0 <= number < len(self.sockets) else None
        if link is None or link.stage != OPEN:
            raise ValueError("socket %r is not open" % number)
        self.peer_closed(link.handle)

    def drop(self, number, orderly=True):
        """Forget a socket; its peer learns of it only from an orderly end."""
        link = self.sockets[number]
        if link is None:
            return
        if link.stage != GONE:
            self.network.close(link.handle, orderly and self.alive and not link.dead)
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
