"""MQTT 3.1.1's packets as bytes, and topic filters. Pure."""

CONNECT, CONNACK, PUBLISH, PUBACK = 1, 2, 3, 4
SUBSCRIBE, SUBACK, UNSUBSCRIBE, UNSUBACK = 8, 9, 10, 11
PINGREQ, PINGRESP, DISCONNECT = 12, 13, 14
FLAGS = {CONNECT: 0, PUBACK: 0, SUBSCRIBE: 2, UNSUBSCRIBE: 2, PINGREQ: 0, DISCONNECT: 0}  # section 2.2.2


class Malformed(Exception):
    """A packet that the standard forbids; the text names the section."""


def packet(kind, flags, body):
    """Return a control packet: fixed header and body."""
    head = bytearray((kind << 4 | flags,))
    length = len(body)
    while True:
        length, digit = length >> 7, length & 0x7F
        head.append(digit | (0x80 if length else 0))
        if not length:
            return bytes(head) + body


def text(data):
    """Return a length-prefixed string."""
    return bytes((len(data) >> 8, len(data) & 0xFF)) + data


def number(value):
    """Return a 16-bit integer."""
    return bytes((value >> 8, value & 0xFF))


def publish(topic, payload, qos, retain, identifier=0, again=False):
    """Return a PUBLISH packet."""
    body = text(topic) + (number(identifier) if qos else b"") + payload
    return packet(PUBLISH, (8 if again else 0) | qos << 1 | (1 if retain else 0), body)


def frame(buffer):
    """Return (end of header, length of body) of the packet a buffer begins with, or None: too short."""
    length = 0
    for index in range(1, 5):
        if index >= len(buffer):
            return None
        length |= (buffer[index] & 0x7F) << 7 * (index - 1)
        if not buffer[index] & 0x80:
            return index + 1, length
    raise Malformed("2.2.3 remaining length")


class Reader:
    """Takes a packet's body apart; raises Malformed when it is too short."""

    def __init__(self, body):
        self._body = body
        self._at = 0

    def take(self, count):
        """Return the next bytes."""
        self._at += count
        if self._at > len(self._body):
            raise Malformed("the packet is too short")
        return self._body[self._at - count : self._at]

    def byte(self):
        """Return the next byte."""
        return self.take(1)[0]

    def number(self):
        """Return the next 16-bit integer."""
        high, low = self.take(2)
        return high << 8 | low

    def text(self):
        """Return the next length-prefixed string as bytes."""
        return self.take(self.number())

    @property
    def more(self):
        """Whether anything is left."""
        return self._at < len(self._body)

    def rest(self):
        """Return all that is left."""
        return self.take(len(self._body) - self._at)


def valid_topic(topic):
    """Whether a PUBLISH may carry this topic name (section 4.7)."""
    return len(topic) > 0 and b"+" not in topic and b"#" not in topic and b"\0" not in topic


def valid_filter(pattern):
    """Whether a SUBSCRIBE may carry this filter: '#' only at the end, wildcards alone in their level."""
    levels = pattern.split(b"/")
    if not pattern or b"\0" in pattern or b"#" in b"/".join(levels[:-1]):
        return False
    return all(level in (b"+", b"#") or not (b"+" in level or b"#" in level) for level in levels)


def matches(pattern, topic):
    """Whether a filter matches a topic (section 4.7)."""
    if topic[:1] == b"$" and pattern[:1] in (b"+", b"#"):
        return False
    wanted, levels = pattern.split(b"/"), topic.split(b"/")
    for index, level in enumerate(wanted):
        if level == b"#":
            return True
        if index >= len(levels) or level not in (b"+", levels[index]):
            return False
    return len(wanted) == len(levels)
