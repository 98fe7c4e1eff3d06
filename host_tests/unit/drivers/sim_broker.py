"""The small broker's core: run(case) plays steps and returns what every client gets. Pure."""

import sys

_ROOT = __file__.rsplit("/", 4)[0]
if _ROOT not in sys.path:
    sys.path.append(_ROOT)

from host_tests.sim.broker_core import Broker  # noqa: E402
from host_tests.sim.text import unhex  # noqa: E402


def _hex(data):
    return "".join("%02x" % byte for byte in data)


def _step(broker, connections, now_ms, verb, values):
    if verb == "open":
        connections.append(broker.connect(now_ms))
    elif verb == "feed":
        connections[values[0]].feed(now_ms, unhex(values[1]))
    elif verb == "lost":
        connections[values[0]].lost(now_ms)
    elif verb == "publish":
        broker.publish(now_ms, values[0].encode(), values[1].encode(), values[2], values[3])
    elif verb == "knob":
        setattr(broker, values[0], values[1])
    broker.tick(now_ms)


def run(case):
    """Run {"steps": [[now_ms, verb, …], …]}; return per step and client [hex, closed], and the events."""
    events, connections, result = [], [], []

    def heard(now_ms, kind, client, detail):
        events.append([now_ms, kind, client and _hex(client)])

    broker = Broker(on_event=heard)
    for now_ms, verb, *values in case["steps"]:
        _step(broker, connections, now_ms, verb, values)
        result.append([[_hex(connection.take()), connection.closed] for connection in connections])
    return {"out": result, "events": events, "next_ms": broker.next_ms(0)}
