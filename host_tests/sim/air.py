"""Counts the IP bytes a socket costs on the air. Pure.

An estimate from the modem's side, both directions, IPv4 without options:
- TCP: a segment is its payload + 40 bytes; a send of n bytes is ceil(n / MSS) segments, so is each arrival.
- Opening: SYN, SYN-ACK, ACK. Closing: FIN, FIN-ACK, ACK. A link torn down with its bearer sends nothing.
- Acknowledgements: a segment is acknowledged by the next data going the other way, if they are there before
  the delayed-ACK timer (the modem's 200 ms; the server's 40 ms after a round trip of up to 100 ms); else by a
  40-byte segment of its own. Every second segment that waits is acknowledged at once. With delays of 0 every
  data segment costs an ACK segment.
- UDP: payload + 28 bytes a datagram. A name look-up: 28 + 18 + length of the name up, 16 more down.
Retransmissions, the radio's own signalling and the modem's own services (CLBS, assistance data) are not
counted.
"""

MSS = 1400
TCP_HEADER = 40
UDP_HEADER = 28
MODEM_ACK_MS = 200
SERVER_ACK_MS = 140
UP, DOWN = 0, 1


class Air:
    """Bytes and segments of one socket (or the sum of many): [up, down] each."""

    def __init__(self, delayed_ack_ms=(MODEM_ACK_MS, SERVER_ACK_MS)):
        self._delays_ms = (
            delayed_ack_ms  # who acknowledges: going up the modem does, going down the server does
        )
        self.ip = [0, 0]
        self.payload = [0, 0]
        self.segments = [0, 0]
        self._owed_ms = [None, None]  # per direction: when the ACK that has to go that way leaves by itself

    def bare(self, direction, count=1):
        """Count TCP segments without payload (SYN, FIN, ACK)."""
        self.ip[direction] += TCP_HEADER * count
        self.segments[direction] += count

    def opened(self):
        """Count a handshake."""
        self.bare(UP, 2)
        self.bare(DOWN)

    def closed(self, by):
        """Count an orderly close begun by UP (the modem) or DOWN (the peer)."""
        self.settle(None)
        self.bare(by, 2)
        self.bare(1 - by)

    def tcp(self, now_ms, direction, length):
        """Count payload going one way at now_ms, with the acknowledgements it carries and causes."""
        self.settle(now_ms)
        self._owed_ms[direction] = None  # carried by this data
        count = -(-length // MSS)
        self.payload[direction] += length
        self.segments[direction] += count
        self.ip[direction] += length + TCP_HEADER * count
        self._owe(now_ms, 1 - direction, count)

    def _owe(self, now_ms, way, count):
        delay_ms = self._delays_ms[way]
        waiting = count + (self._owed_ms[way] is not None)
        at_once = waiting // 2 if delay_ms else waiting
        self.bare(way, at_once)
        left = waiting - at_once * (2 if delay_ms else 1)
        self._owed_ms[way] = now_ms + delay_ms if left else None

    def settle(self, now_ms):
        """Count the acknowledgements whose timer has run out by now_ms (None: all)."""
        for way in (UP, DOWN):
            due_ms = self._owed_ms[way]
            if due_ms is not None and (now_ms is None or now_ms >= due_ms):
                self._owed_ms[way] = None
                self.bare(way)

    def udp(self, direction, length):
        """Count one datagram."""
        self.payload[direction] += length
        self.segments[direction] += 1
        self.ip[direction] += length + UDP_HEADER

    def name(self, host):
        """Count a name look-up with one answer."""
        self.udp(UP, len(host) + 18)
        self.udp(DOWN, len(host) + 34)

    def add(self, other):
        """Add another count to this one."""
        for direction in (UP, DOWN):
            self.ip[direction] += other.ip[direction]
            self.payload[direction] += other.payload[direction]
            self.segments[direction] += other.segments[direction]

    def state(self):
        """Return the counts as a dict of integers."""
        return {
            "ip_up": self.ip[UP],
            "ip_down": self.ip[DOWN],
            "payload_up": self.payload[UP],
            "payload_down": self.payload[DOWN],
            "segments_up": self.segments[UP],
            "segments_down": self.segments[DOWN],
        }
