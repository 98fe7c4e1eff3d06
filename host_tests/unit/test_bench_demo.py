"""The demonstration's judge: an honest terminal passes, and every kind of lie is found out.

The terminal here is a few lines that speak to the real broker and write a pin log as the chip's stand-in
does.
"""

import asyncio
import io
import json
import socket
import time
from types import SimpleNamespace

import aiomqtt
import pytest
from rich.console import Console

from hanma.bench import sample
from hanma.bench.broker import EmbeddedBroker
from hanma.bench.journal import Journal
from hanma.bench.people import People
from hanma.bench.platform import Platform, wall_clock_ms
from host_tests import demo
from host_tests.world import DEVICE, PinLog

pytestmark = pytest.mark.slow  # real processes and sockets: not for `make check`

FACTOR = 400
PIN = 21
LAT_E7, LNG_E7 = 295630020, 1065512340


class Terminal:
    """A terminal that does what is told of one; `lie` names the one thing it does wrong."""

    def __init__(self, world, lie):
        self.world, self.lie = world, lie
        self.relay, self.seq, self.emergency_ms = None, 0, None
        self.client = None
        self.move(0)

    def move(self, level):
        """The relay's pin, and the log of it."""
        if level != self.relay:
            self.relay = level
            with self.world.pins.open("a") as log:
                log.write(json.dumps({"t_us": time.time_ns() // 1000, "pin": PIN, "level": level}) + "\n")

    async def connect(self):
        """Connects; a broker that still lets go of the last connection may leave the next one without an answer."""
        will = aiomqtt.Will(demo.UP, _json({"actionCode": "Z0", "content": {"reason": "lost"}}), qos=1)
        broker = self.world.broker
        for is_last in (False, False, True):
            self.client = aiomqtt.Client(broker.host, broker.port, identifier=DEVICE, will=will)
            try:
                await self.client.__aenter__()
                break
            except aiomqtt.MqttError:
                if is_last:
                    raise
        await self.client.subscribe(demo.COMMANDS + "+", qos=1)
        self.serving = asyncio.create_task(self.serve())
        await self.say("00", {"iccid": "8986", "relay": self.relay})

    async def vanish(self):
        """The network dies: the connection ends without a word."""
        self.serving.cancel()
        await asyncio.gather(self.serving, return_exceptions=True)
        client, self.client = self.client, None
        client._client.socket().shutdown(socket.SHUT_RDWR)
        await asyncio.gather(client._disconnected, return_exceptions=True)
        await client.__aexit__(None, None, None)

    async def say(self, code, content):
        await self.client.publish(demo.UP, _json({"actionCode": code, "content": content}), qos=1)

    async def report(self, cause, job=None, at_ms=None):
        self.seq += 1
        event = {"relay": self.relay, "cause": cause, "job": job, "boot": 1, "seq": self.seq}
        await self.say("FF", {"event": {**event, "time": at_ms or wall_clock_ms()}})

    async def serve(self):
        async for message in self.client.messages:
            body = json.loads(message.payload)
            if self.lie != "deaf":
                self.move(int(body["actionCode"]))
            answer = {"success": True, "code": 200, "message": "", "timestamp": wall_clock_ms()}
            topic = message.topic.value.replace("/command/", "/response/")
            await self.client.publish(topic, _json(answer), qos=1)
            await self.report("order", body["content"].get("job"))

    async def chatter(self):
        """Position and heartbeats, quickly."""
        while True:
            if self.client:
                lat = LAT_E7 + (90_000_000 if self.lie == "elsewhere" else 0)
                place = {"lng": f"{LNG_E7 / 1e7:.7f}", "lat": f"{lat / 1e7:.7f}", "source": "gnss"}
                await self.say("EF", place)
                await self.say("FF", {"relay": self.relay, "state": "LOCKED", "welding": self.world.welding})
            await asyncio.sleep(0.05)

    async def alone(self):
        """What it does by itself while the network is gone."""
        if self.relay == 1:
            if self.lie == "drops":
                self.move(0)
            return
        await asyncio.sleep((1 if self.lie == "hasty" else 181) / FACTOR)
        self.move(1)
        self.emergency_ms = wall_clock_ms()

    async def returned(self):
        """The network is back: what it says of the emergency, hand-over, the end."""
        if self.emergency_ms is None:
            return
        if self.lie != "silent":
            await self.report("emergency", at_ms=self.emergency_ms)
            await self.say("E0", {"kind": "emergency", "start": self.emergency_ms})
            await self.say("FF", {"state": "HANDOVER"})
        self.move(0)
        await self.report("emergency_end")
        await self.say("E0", {"kind": "emergency", "start": self.emergency_ms, "end": wall_clock_ms()})


class FakeWorld:
    """The parts of a World that the story touches, around the terminal above."""

    factor, settings = FACTOR, {"fail_open_after_s": 180}
    chip = SimpleNamespace(failure=None)

    def __init__(self, directory, lie):
        self.directory, self.pins, self.welding = directory, directory / "pins.log", False
        self.modem, self.lie = self, lie
        self.tasks = []

    async def __aenter__(self):
        self.broker = await EmbeddedBroker(log_path=self.directory / "broker.jsonl").start()
        self.people = People(":memory:")
        sample.fill(self.people, DEVICE, wall_clock_ms())
        self.journal = Journal(self.directory / "journal.jsonl", wall_clock_ms)
        self.platform = Platform(self.broker.url, self.people, self.journal, answer_timeout_s=2)
        self.tasks.append(asyncio.create_task(self.platform.run()))
        await self.platform.connected.wait()
        self.terminal = Terminal(self, self.lie)
        await self.terminal.connect()
        self.tasks.append(asyncio.create_task(self.terminal.chatter()))
        return self

    async def __aexit__(self, *_):
        if self.terminal.client:
            await self.terminal.vanish()
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        await self.broker.stop()
        self.journal.close()
        self.people.close()

    async def call(self, cmd):
        return {"position_e7": [LAT_E7, LNG_E7]}

    def weld(self, welding):
        self.welding = welding

    def unix_ms_at(self, real_ms):
        return real_ms

    async def network(self, up):
        if up:
            await self.terminal.connect()
            self.tasks.append(asyncio.create_task(self.terminal.returned()))
        else:
            await self.terminal.vanish()
            self.tasks.append(asyncio.create_task(self.terminal.alone()))


def _json(body):
    return json.dumps(body).encode()


def play(directory, lie=None):
    """Plays the story; returns {step's function name: verdict} and the printed text."""
    async def whole():
        async with FakeWorld(directory, lie) as world:
            story = demo.Story(world, demo.Evidence(PinLog(world.pins, PIN), directory / "broker.jsonl"))
            return await demo.play(story, Console(file=printed))

    printed = io.StringIO()
    rows = asyncio.run(asyncio.wait_for(whole(), 60))
    names = [step.__name__ for step in demo.Story.STEPS]
    return dict(zip(names, (verdict for *_, verdict in rows), strict=True)), printed.getvalue()


@pytest.fixture(autouse=True)
def short_waits(monkeypatch):
    monkeypatch.setattr(demo, "_LEAST_WAIT_S", 2)


def test_an_honest_terminal_passes_every_step(tmp_path):
    verdicts, printed = play(tmp_path)
    assert all(verdicts.values()), printed


@pytest.mark.parametrize(("lie", "step"), [
    ("deaf", "on"),  # answers 200 and reports, but the pin never moves
    ("elsewhere", "position"),  # reports a place it is not at
    ("drops", "outage_at_work"),  # drops the arc when the network goes
    ("hasty", "emergency"),  # does not wait before it powers by itself
    ("silent", "reported"),  # says nothing of its emergency
])
def test_a_lie_is_found_out_at_its_step_and_nothing_after_it_counts(tmp_path, lie, step):
    verdicts, printed = play(tmp_path, lie)
    names = list(verdicts)
    at = names.index(step)
    assert [verdicts[name] for name in names] == [True] * at + [False] + [None] * (len(names) - at - 1), printed


def test_the_pin_log_is_read_as_it_grows_and_only_in_whole_lines(tmp_path):
    path = tmp_path / "pins.log"
    log = PinLog(path, 21)
    assert log.edges() == [] and log.level() is None
    path.write_text('{"t_us": 1000, "pin": 21, "level": 0}\n{"t_us": 2000, "pin": 19, "level": 1}\n{"t_us": 30')
    assert log.edges() == [(1, 0)]
    with path.open("a") as file:
        file.write('00, "pin": 21, "level": 1}\n')
    assert log.edges() == [(1, 0), (3, 1)] and log.level() == 1


@pytest.mark.parametrize(("record", "kind"), [
    ({"event": "message", "topic": demo.UP, "payload": '{"actionCode":"00"}'}, "00"),
    ({"event": "will", "topic": demo.UP, "payload": '{"actionCode":"Z0"}'}, "will"),
    ({"event": "message", "topic": demo.COMMANDS + "r", "payload": '{"actionCode":"1"}'}, "order 1"),
    ({"event": "message", "topic": demo.ANSWERS + "r", "payload": '{"code":200}'}, "answer"),
    ({"event": "message", "topic": "welder/other/up", "payload": '{"actionCode":"00"}'}, None),
    ({"event": "message", "topic": demo.UP, "hex": "ff"}, None),
    ({"event": "connected"}, None),
])
def test_the_brokers_log_is_read_by_topic_and_code(record, kind):
    message = demo.message_of({"t_ms": 1, "client": "x", **record})
    assert (message.kind if message else None) == kind
