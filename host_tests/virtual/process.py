"""One life of the terminal in virtual time, as a scenario file tells it. Runs under MicroPython, started by `world.py`.

    cd FLASH; micropython process.py SCENARIO.json

Boots the staged tree in the current directory (boot.py, main.py) with the simulator's core on UART 1 and the small broker
behind its network. With a `trace` to replay there is no firmware: what an earlier terminal wrote to the modem is written
again at the same times, so that the heap of everything else can be measured alone. What happens goes to files beside the
scenario, not into the heap.
"""

import sys

_ROOT = __file__.rpartition("/host_tests/")[0]
sys.path[:] = ["", _ROOT + "/host_tests/port", ".frozen", "lib", _ROOT]

import asyncio
import json
import random
import ssl  # noqa: F401 (the stand-ins' heap is there from the start)

import hanma_port
import machine
import virtual

from host_tests.sim.broker_core import Broker
from host_tests.sim.inprocess import LocalNetwork
from host_tests.sim.modem_core import make
from host_tests.sim.track import SHORT, Track
from host_tests.virtual import meter, secure, wiring

_PORT = 1883
_READ_MS = 50


def read(path):
    """Return the JSON in a file."""
    with open(path) as file:
        return json.load(file)


class Life:
    """Everything around the firmware, made from a scenario (see `world.py` for its fields)."""

    def __init__(self, scenario):
        self.scenario = scenario
        self.directory = scenario["directory"] + "/"
        self.is_over = False
        wiring.keep_state_files(self.directory + "state/")
        self.edges = self._log("edges.jsonl")
        self.messages = self._log("messages.jsonl")
        self.world = virtual.World(scenario["start_ticks_ms"], self._on_edge)
        self.network = LocalNetwork(scenario["rtt_ms"])
        self.core = make(
            self.network, scenario["modem"], scenario["seed"], scenario["latency_percent"], family=scenario["family"]
        )
        self.network.attach(self.core)
        if not scenario["driving"]:
            self.core.services.track = Track(SHORT[:1])
        self.broker = Broker()
        self.world.add(self.broker.next_ms, self.broker.tick)
        self._listen()
        self._wire()
        self.meter = meter.Meter(self.world, self.core, self._log("samples.jsonl"), scenario)
        for entry in scenario["calls"]:
            self._plan(*entry)
        if scenario["modem_on"]:
            self.core.power(0, True)

    def _log(self, name):
        return open(self.directory + name, "w")

    def _listen(self):
        accept = self.broker.connect
        if self.scenario["tls"]:
            accept = secure.acceptor(accept, *self.scenario["tls"])
        self.network.listen(_PORT, accept)
        for pattern in (b"#", b"$oc/#"):
            self.broker.listen(pattern, self._on_message)

    def _wire(self):
        trace = self.directory + "trace.txt"
        if self.scenario["replay"]:
            self.wire = self.world.wire(1, self.core)
            player = wiring.Player(self.scenario["replay"], self.core)
            self.world.add(player.next_ms, player.advance)
        else:
            self.recorder = wiring.Recorder(self.core, open(trace, "w"))
            self.wire = self.world.wire(1, self.recorder)

    def _on_message(self, now_ms, topic, payload, _qos, _retain):
        line = {"ms": now_ms, "topic": topic.decode(), "payload": payload.decode()}
        self.messages.write(json.dumps(line) + "\n")

    def _on_edge(self, ms, pin, level):
        self.edges.write('{"ms":%d,"pin":%d,"level":%d}\n' % (ms, pin, level))
        if pin == self.scenario["key_pin"]:
            self.recorder.key(ms, level)
        elif pin == self.scenario["reset_pin"]:
            self.recorder.reset(ms, level)

    def _plan(self, at_ms, part, name, *values):
        """Let the world do something: publish as the platform, or turn a knob of the modem's."""
        if part == "platform":
            topic, payload = name.encode(), values[0].encode()
            self.world.at(at_ms, lambda: self.broker.publish(self.world.ms, topic, payload, 1))
            return
        owner = self.core if part == "core" else getattr(self.core, part)
        self.world.at(at_ms, lambda: self.core.post(self.world.ms, getattr(owner, name), *values))

    # ---- the two ways to live

    def run(self):
        """Live to the end of the scenario; return what there is to say about it."""
        machine_stop = hanma_port.stop

        def stop(line):
            if self.is_over:
                raise virtual.Done()
            machine_stop(line)

        hanma_port.stop = stop
        self.world.at(self.scenario["until_ms"], self._end)
        reason = None
        try:
            if self.scenario["replay"]:
                asyncio.run(self._stand_in())
            else:
                self._boot()
                reason = "ended"
        except virtual.Done:
            pass
        except virtual.Reset as reset:
            reason = reset.reason
        return self._result(reason)

    def _end(self):
        self.is_over = True
        raise virtual.Done()

    def _boot(self):
        """What the chip does: boot.py, then main.py, in the same names."""
        names = {"__name__": "__main__"}
        self.meter.begin()
        asyncio.new_event_loop()
        execfile("boot.py", names)  # noqa: F821
        execfile("main.py", names)  # noqa: F821

    async def _stand_in(self):
        """Take what the modem says, as a terminal would, and do nothing with it."""
        uart = machine.UART(1, 115200, rxbuf=4096)
        self.meter.begin()
        while True:
            await asyncio.sleep_ms(_READ_MS)
            uart.read()

    def _result(self, reason):
        return {
            "reset": reason,
            "ms": self.world.ms,
            "ticks_ms": virtual.time.ticks_ms(),
            "modules": self.meter.modules,
            "peak": self.meter.peak,
            "first_b": self.meter.first_b,
            "air": self.core.links.state()["total"],
            "modem": self.core.counters,
            "faults": self.core.faults.state(),
            "uart": {"sent": self.wire.sent, "received": self.wire.received, "dropped": self.wire.dropped},
        }


def main():
    """Live and write down how it went."""
    life = Life(read(sys.argv[1]))
    result = life.run()
    for file in (life.edges, life.messages, life.meter.file):
        file.close()
    with open(life.directory + "result.json", "w") as file:
        json.dump(result, file)


# The image has these frozen. Asyncio imports them relative to itself, which could not pass through the meter's __import__.
asyncio.Event, asyncio.Lock, asyncio.StreamReader, asyncio.wait_for_ms  # noqa: B018
random.seed(1)
wiring.share_heap()
main()
