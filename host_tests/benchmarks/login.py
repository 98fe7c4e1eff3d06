"""From power-on to a log-in the platform has acknowledged, beside what the modem and the wire take of it."""

import contextlib
import threading
import time

from hanma import toolchain
from host_tests.benchmarks import wire
from host_tests.system.harness import World, wait_for
from host_tests.virtual.world import MINUTE, VirtualWorld

_SIMPLE_MS = 3  # what a command takes beside the wire: a76xx.DELAYS_MS
_AWAIT_S = 60


class _Steps:
    """What the simulator does and when: [(host seconds, event)]."""

    def __init__(self, world):
        self.seen = []
        self._watch = world.sim.watch("power", "registration", "netopen", "open", "at", timeout_s=_AWAIT_S)
        threading.Thread(target=self._follow, daemon=True).start()

    def _follow(self):
        with contextlib.suppress(OSError, ValueError):
            for event in self._watch:
                self.seen.append((time.monotonic(), event))

    def at(self, kind, fits=lambda event: True):
        """Return the time of the first such event."""
        return next(at for at, event in self.seen if event["event"] == kind and fits(event))

    def lines(self, start):
        """Return the commands that begin so."""
        return [event["line"] for _, event in self.seen if event["event"] == "at" and event["line"].startswith(start)]

    def after(self, start, kind):
        """Return how long after a command's line the modem told the event, in seconds."""
        return self.at(kind) - self.at("at", lambda event: event["line"].startswith(start))


def measure(directory):
    """Return login_ms, login_minimum_ms and login_virtual_ms."""
    figures = {}
    with World(directory / "real", broker="own", factor=1, sim=("--off",), power=False) as world:
        steps = _Steps(world)
        began = time.monotonic()
        world.sim.call("power", on=True)
        world.chip.power_on()
        wait_for(lambda: "link up" in world.chip.console_text(), world.story, _AWAIT_S)
        figures["login_ms"] = round((time.monotonic() - began) * 1000)
        figures["login_minimum_ms"] = round(_minimum_ms(steps))
    figures["login_virtual_ms"] = _virtual_ms(directory / "virtual")
    return figures


def _minimum_ms(steps):
    """Reckon from the delays the simulator drew in this very run, one after the other, and the bytes that had to pass.

    Boot and registration; NETOPEN and CIPOPEN from command to result; CONNECT, SUBSCRIBE and the log-in each sent and each
    acknowledged once. What the terminal asks besides fits into the modem's own waits.
    """
    registered = steps.at("registration", lambda event: event.get("stat", event.get("value")) in (1, 5)) - steps.at("power")
    waits_s = registered + steps.after("AT+NETOPEN", "netopen") + steps.after("AT+CIPOPEN", "open")
    sent = [int(line.rpartition(",")[2]) for line in steps.lines("AT+CIPSEND")][:3]
    read_command = steps.lines("AT+CIPRXGET=2")[0].encode()
    pieces = [piece for length in sent for piece in wire.send(length)]
    pieces += [piece for length in (4, 5, 4) for piece in wire.receive(bytes(length), read_command)]  # CONNACK, SUBACK, PUBACK
    return waits_s * 1000 + wire.milliseconds(*pieces) + _SIMPLE_MS * 6


def _virtual_ms(directory):
    world = VirtualWorld(directory, toolchain.micropython(), 2 * MINUTE, rtt_ms=0)
    return world.run().uplinks("00")[0][0]
