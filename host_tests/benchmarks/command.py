"""An order's way from the platform to the relay: over the modem, and over a plain socket for comparison."""

import contextlib
import json
import os
import pathlib
import subprocess
import sys
import time

from hanma import stage, toolchain
from host_tests.benchmarks import wire
from host_tests.benchmarks.figures import median, percentile
from host_tests.system.harness import RELAY_PIN, Platform, Process, World, free_port, mosquitto, wait_for

ORDERS = 300
SOCKET_ORDERS = 100
_QUIET_S = 0.15  # between orders: acknowledgements of the last one are still on their way, and Nagle holds back what follows them
_LISTENER = pathlib.Path(__file__).with_name("listener.py")
_AWAIT_S = 10


class PinLog:
    """Edges of the relay as they are written."""

    def __init__(self, path):
        self._path = path
        self._at = 0

    def edge(self, level):
        """Wait for the relay's next edge and return its time in µs since 1970; AssertionError when it is another one."""
        line = wait_for(self._next, f"relay edge to {level}", _AWAIT_S)
        assert line["level"] == level, line
        return line["t_us"]

    def _next(self):
        with open(self._path) as file:
            file.seek(self._at)
            for line in iter(file.readline, ""):
                if not line.endswith("\n"):
                    break
                self._at = file.tell()
                edge = json.loads(line)
                if edge["pin"] == RELAY_PIN:
                    return edge
        return None


def over_modem(directory):
    """Return the figures of the whole terminal."""
    settings = {"switch_min_interval_s": 0}
    delays, exchanges = [], []
    with World(directory, broker=_broker(), config=settings, factor=1, sim=("--latency", "0")) as world:
        world.until_online()
        watch = world.sim.watch("at", timeout_s=_AWAIT_S)
        log = PinLog(world.chip.state / "pins.log")
        log.edge(0)
        for number in range(ORDERS):
            level = (number + 1) % 2
            before_us = time.time_ns() // 1000
            request_id = world.platform.order(level, job="J1")
            delays.append((log.edge(level) - before_us) / 1000)
            exchanges.append(wire.publish_packet(*_sent(world.platform, request_id)))
            wait_for(lambda count=number + 1: len(world.platform.events()) >= count, "the switching is reported", _AWAIT_S)
            time.sleep(_QUIET_S)
        read_command = next(event["line"] for event in watch if event["line"].startswith("AT+CIPRXGET=2")).encode()
    least = median([wire.milliseconds(*wire.receive(record, read_command)) for record in exchanges])
    return {
        "command_relay_p50_ms": round(median(delays), 2),
        "command_relay_p95_ms": round(percentile(delays, 0.95), 2),
        "command_relay_max_ms": round(max(delays), 2),
        "command_wire_ms": round(least, 2),
        "command_ratio_p50": round(median(delays) / least, 2),
    }


def _sent(platform, request_id):
    """Return (topic, payload) of an order as the broker passed it on."""
    topic = platform.topic("command", request_id)
    payload = next(payload for seen, payload, _ in reversed(platform.messages) if seen == topic)
    return topic.encode(), json.dumps(payload).encode()


def _broker():
    try:
        toolchain.mosquitto()
        return "mosquitto"
    except toolchain.Missing:
        return "own"


def over_socket(directory):
    """Return the figures of the same order over a plain socket."""
    figures = {}
    for kind in ("socket", "umqtt"):
        place = directory / kind
        place.mkdir(parents=True)
        figures[f"{kind}_p50_ms"] = round(median(_listen(place, kind)), 2)
    return figures


def _listen(directory, kind):
    port = free_port()
    environment = dict(os.environ, HANMA_PORT=str(directory))
    with contextlib.ExitStack() as stack:
        broker = _start_broker(directory, port)
        stack.callback(broker.close)
        platform = Platform(port, "plain")
        stack.callback(platform.close)
        command = [str(toolchain.micropython()), str(_LISTENER), kind, "127.0.0.1", str(port), platform.device_id]
        listener = stack.enter_context(
            subprocess.Popen(command, cwd=_named_tree(directory), env=environment, stdout=subprocess.PIPE, text=True)
        )
        stack.callback(listener.kill)
        assert listener.stdout.readline() == "ready\n"
        log = PinLog(directory / "pins.log")
        log.edge(0)
        return [_one(platform, log, (number + 1) % 2) for number in range(SOCKET_ORDERS)]


def _named_tree(directory):
    """Return a staged tree with the firmware's own names in it: staging shortens those that the listener calls by name."""
    return stage.stage("unix", directory / "tree", source=True).out


def _start_broker(directory, port):
    if _broker() == "mosquitto":
        return mosquitto(directory, port)
    child = Process([sys.executable, "-m", "host_tests.sim.broker", "--port", str(port), "--quiet"], directory / "broker.log")
    child.hello()
    return child


def _one(platform, log, level):
    """Give one order; return how many ms later the relay had its edge."""
    before_us = time.time_ns() // 1000
    request_id = platform.order(level, job="J1")
    delay_ms = (log.edge(level) - before_us) / 1000
    platform.answer(request_id, _AWAIT_S)
    time.sleep(_QUIET_S)
    return delay_ms
