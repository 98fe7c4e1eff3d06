"""A simulated modem in virtual time with a few peers, for tests on either interpreter. Pure.

`run(case)` runs {"settings", "latency", "rtt", "seed", "family", "steps": [[verb, …], …]} with the verbs of
`World.step`; the result is the output of each step in hex, then what the world looks like at the end.
"""

import sys

_ROOT = __file__.rsplit("/", 4)[0]
if _ROOT not in sys.path:
    sys.path.append(_ROOT)

from host_tests.sim.inprocess import LocalNetwork  # noqa: E402
from host_tests.sim.modem_core import make  # noqa: E402

ECHO, SINK, CHIME, FLOOD, GOODBYE = 7, 9, 13, 19, 23  # ports of the peers


_CALLS = {
    "a76xx": ("ATE0", "AT+CMEE=1", "AT+CIPRXGET=1", "AT+NETOPEN"),
    "quectel": (
        "ATE0",
        "AT+CMEE=1",
        'AT+QURCCFG="urcport","uart1"',
        "AT+QISDE=0",
        'AT+QICSGP=1,1,"cmnet","","",0',
        "AT+QIACT=1",
    ),
    "luat": (
        "AT",  # it only tells the rate
        "ATE0",
        "AT+CIPMUX=1",
        "AT+CIPRXGET=1",
        "AT+CIPRXF=1",
        'AT+CSTT="cmiot","",""',
        "AT+CIICR",
        "AT+CIFSR",
    ),
}


class Peer:
    """A TCP server's side of one connection; what it does depends on the port it was asked for."""

    def __init__(self, port, world):
        self._port = port
        self._world = world
        self.got = bytearray()
        self._out = bytearray()
        self.wake = None
        self.closed = False
        self.lost_at = None
        if port == CHIME:
            self._out += b"hello\r\nOK\r\n"
        if port == FLOOD:
            self._out += bytes(range(256)) * 120
        if port == GOODBYE:
            self._out += b"last words"
            self.closed = True

    def feed(self, now_ms, data):
        """Take bytes from the modem."""
        self.got += data
        if self._port == ECHO:
            self._out += data

    def take(self):
        """Return the bytes for the modem."""
        out = bytes(self._out)
        self._out[:] = b""
        return out

    def lost(self, now_ms):
        """The modem has closed."""
        self.lost_at = now_ms

    def say(self, data):
        """Send bytes at a time of the peer's own."""
        self._out += data
        self.wake(self._world.now)

    def hang_up(self):
        """Close from this side."""
        self.closed = True
        self.wake(self._world.now)


class World:
    """The modem, its network and the time."""

    def __init__(self, settings=None, latency=0, rtt=0, seed=1, on=True, family="a76xx"):
        self.now = 0
        self.events = []
        self.peers = []
        self.network = LocalNetwork(rtt)
        self.core = make(self.network, settings, seed, latency, self._event, family)
        self.network.attach(self.core)
        for port in (ECHO, SINK, CHIME, FLOOD, GOODBYE):
            self.network.listen(port, lambda now_ms, port=port: self._accept(port))
        if on:
            self.core.power(0, True)

    def _event(self, kind, value):
        self.events.append([kind, value])

    def _accept(self, port):
        peer = Peer(port, self)
        self.peers.append(peer)
        return peer

    def run(self, ms=0):
        """Let ms pass, from event to event; return what the modem has said."""
        end = self.now + ms
        while True:
            due = self.core.next_ms(self.now)
            if due is None or due > end:
                break
            self.now = due
            self.core.advance(due)
        self.now = end
        self.core.advance(end)
        return self.core.take()

    def say(self, text, ms=0):
        """Type a command (text without its end) and let ms pass; return what the modem has said."""
        self.core.feed(self.now, text.encode() + b"\r")
        return self.run(ms)

    def put(self, data, ms=0, baud=None):
        """Give the modem bytes as they are."""
        self.core.feed(self.now, data, baud)
        return self.run(ms)

    def ready(self):
        """Let the modem boot, register, forget its echo and open the data call; return self."""
        self.run(30000)
        for command in _CALLS[self.core.family.NAME]:
            self.say(command, 5000)
        return self

    def step(self, verb, *values):
        """Do one step of a case; return the output."""
        if verb == "fault":
            self.core.faults.set(values[0], True, None, *values[1:])
        elif verb == "knob":
            part = self.core if values[0] == "core" else getattr(self.core, values[0])
            self.core.post(self.now, getattr(part, values[1]), *values[2:])
        elif verb == "attribute":
            part = self.core if values[0] == "core" else getattr(self.core, values[0])
            setattr(part, values[1], values[2])
        elif verb == "key":
            self.core.power_key(self.now, values[0])
        elif verb == "peer":
            getattr(self.peers[values[0]], values[1])(*[value.encode() for value in values[2:]])
        elif verb == "hex":
            return self.put(bytes(int(values[0][i : i + 2], 16) for i in range(0, len(values[0]), 2)))
        elif verb == "say":
            return self.say(*values)
        return self.run(values[0] if verb == "run" else 0)


def fault(world, name, match="", **params):
    """Order a fault that strikes until it is taken back or used up."""
    world.core.faults.set(name, True, None, match, params)


def boot(world):
    """Give the modem its power; return what it says at once."""
    world.core.power(world.now, True)
    return world.run()


def send_cip(world, data):
    """Send data on socket 0 in the words of SIMCom and Luat; return (prompt, what follows the data)."""
    return world.say("AT+CIPSEND=0,%d" % len(data)), world.put(data)


def run(case):
    """Run a case; return {"out": [hex], "events", "counters", "links", "peers"}."""
    world = World(
        case.get("settings"),
        case.get("latency", 0),
        case.get("rtt", 0),
        case.get("seed", 1),
        family=case.get("family", "a76xx"),
    )
    out = []
    for step in case["steps"]:
        out.append("".join("%02x" % byte for byte in world.step(*step)))
    return {
        "out": out,
        "events": world.events,
        "counters": world.core.counters,
        "links": world.core.links.state(),
        "peers": ["".join("%02x" % byte for byte in peer.got) for peer in world.peers],
    }
