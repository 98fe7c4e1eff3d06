"""The network in one process: joins the simulated modem to pure peers (a broker, an echo). Pure.

    network = LocalNetwork(rtt_ms=60)
    core = make(network, …)
    network.attach(core)
    network.listen(1883, broker.connect)      # any callable(now_ms) -> peer

A peer has feed(now_ms, data), take() -> bytes, lost(now_ms), `closed`, and `wake`, which the network sets
and the peer calls as wake(now_ms) when it has something to take at another time than within feed.
`broker_core.Connection` is one. After anything that may have woken a peer, ask core.next_ms again.
"""


class LocalNetwork:
    """Connections between modem links and peers; half the round trip each way."""

    def __init__(self, rtt_ms=0):
        self._half_ms = rtt_ms // 2
        self._accept = {}
        self._peers = {}  # handle -> [peer, bytes on their way to the modem, bytes the modem has sent]

    def attach(self, core):
        """Name the modem; to be done before it is powered."""
        self._core = core

    def listen(self, port, accept):
        """Serve a TCP port by accept(now_ms) -> peer; None ends that."""
        self._accept[port] = accept

    # --- the modem's side ---------------------------------------------------------------------------------

    def open(self, handle, kind, ip, port, local_port):
        """Connect a link; nobody listening is a refusal, and UDP goes nowhere."""
        if kind == "TCP":
            self._core.later(2 * self._half_ms, self._open, handle, port)

    def send(self, handle, data, ip, port):
        """Carry data to the peer; there is always room on the way."""
        entry = self._peers.get(handle)
        if entry:
            self._core.later(self._half_ms, self._arrive, handle, data)
        return len(data)

    def close(self, handle, orderly):
        """The modem has ended the link; without order the peer is left to find out by itself."""
        entry = self._peers.pop(handle, None)
        if entry:
            entry[0].wake = None
            if orderly:
                self._core.later(self._half_ms, self._lose, entry[0])

    def _lose(self, peer):
        peer.lost(self._core.now)

    def room(self, handle, room):
        """The modem can take more."""
        self._hand_over(handle)

    # --- the peers' side ----------------------------------------------------------------------------------

    def _open(self, handle, port):
        accept, links = self._accept.get(port), self._core.links
        if accept is None:
            links.net_opened(self._core.now, handle, 1)
            return
        peer = accept(self._core.now)
        peer.wake = lambda now_ms: self._core.post(now_ms, self._collect, handle)
        self._peers[handle] = [peer, bytearray(), 0]
        links.net_opened(self._core.now, handle, 0)
        self._collect(handle)

    def _arrive(self, handle, data):
        entry = self._peers.get(handle)
        if entry:
            entry[2] += len(data)
            self._core.links.net_acked(self._core.now, handle, entry[2])
            entry[0].feed(self._core.now, data)
            self._collect(handle)

    def _collect(self, handle):
        entry = self._peers.get(handle)
        if entry:
            entry[1] += entry[0].take()
            if entry[1] or entry[0].closed:
                self._core.later(self._half_ms, self._hand_over, handle)

    def _hand_over(self, handle):
        """Give the modem what it has room for; a close follows the last byte."""
        entry = self._peers.get(handle)
        if not entry:
            return
        links = self._core.links
        waiting = entry[1]
        if waiting:
            piece = bytes(waiting[: links.room(handle)])
            if piece:
                waiting[: len(piece)] = b""
                links.net_received(self._core.now, handle, piece)
        if entry[0].closed and not waiting:
            del self._peers[handle]
            links.net_closed(self._core.now, handle)
