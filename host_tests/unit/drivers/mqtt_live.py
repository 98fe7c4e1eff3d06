"""MQTT sessions over real connections to a broker, on MicroPython only.

case: {"umqtt": folder with umqtt/, "port", "story": one of _STORIES}.
"""

import asyncio
import sys

import mp_loopback

_WAIT_MS = 10000


class Client:
    """A session, its reader and what it heard."""

    def __init__(self, mqtt, mqtt_open, port, name, on_message=None):
        self._open = mqtt_open
        self.heard = []
        self.arrived = asyncio.Event()
        self.name = name
        self.sock = mp_loopback.Socket(port)
        self.session = mqtt.Session(self.sock, on_message or self._on_message)
        self.reader = None
        self.ended = None

    async def start(self, will=None, user=None, password=None, keepalive_s=60):
        await self._open.connect(self.session, self.name, user, password, keepalive_s, will, _WAIT_MS)
        self.reader = asyncio.create_task(self._run())
        return self

    async def subscribe(self, topic):
        await self._open.subscribe(self.session, topic)

    async def _run(self):
        try:
            await self.session.run()
        except Exception as error:
            self.ended = [type(error).__name__, getattr(error, "code", None)]
            self.arrived.set()

    def _on_message(self, topic, payload, retained, dup):
        self.heard.append([topic.decode(), bytes(payload).decode(), retained])
        self.arrived.set()

    async def wait_for(self, count):
        while len(self.heard) < count and not self.ended:
            self.arrived.clear()
            await asyncio.wait_for_ms(self.arrived.wait(), _WAIT_MS)

    async def end(self):
        self.reader.cancel()
        await self.sock.close()


async def _messages(new):
    """A hundred messages from four tasks at once, all acknowledged, all heard."""
    watcher = await new(b"watcher").start()
    await watcher.subscribe(b"t/#")
    worker = await new(b"worker").start()

    async def work(first):
        for number in range(first, 100, 4):
            await worker.session.publish(b"t/%d" % number, b"x" * number)

    await asyncio.gather(*[work(first) for first in range(4)])
    await watcher.wait_for(100)
    await worker.session.disconnect()
    await watcher.session.disconnect()
    return [[int(topic[2:]), len(text)] for topic, text, _ in watcher.heard]


async def _will(new):
    """An orderly end keeps the will unsaid, a broken one says it."""
    watcher = await new(b"watcher").start()
    await watcher.subscribe(b"w/#")
    orderly = await new(b"orderly").start((b"w/orderly", b"gone"))
    await orderly.session.disconnect()
    broken = await new(b"broken").start((b"w/broken", b"gone"))
    await broken.end()
    await watcher.wait_for(1)
    await watcher.session.publish(b"w/end", b"")
    await watcher.wait_for(2)
    await watcher.session.disconnect()
    return watcher.heard


async def _retained(new):
    """What the broker had kept comes with the flag, what is new without."""
    teller = await new(b"teller").start()
    await teller.session.publish(b"r/old", b"kept", 1, None, True)
    watcher = await new(b"watcher").start()
    await watcher.subscribe(b"r/#")
    await watcher.wait_for(1)
    await teller.session.publish(b"r/new", b"said")
    await watcher.wait_for(2)
    await teller.session.publish(b"r/old", b"", 1, None, True)
    await teller.session.disconnect()
    await watcher.session.disconnect()
    return watcher.heard[:2]


async def _taken_over(new):
    """A second client of the same name ends the first one's session."""
    first = await new(b"twin").start()
    second = await new(b"twin").start()
    await first.wait_for(1)
    await second.session.disconnect()
    return first.ended


async def _refused(new):
    client = new(b"stranger")
    try:
        await client.start(None, b"user", b"wrong")
    except Exception as error:
        return [type(error).__name__, getattr(error, "code", None)]
    finally:
        await client.sock.close()


async def _ping(new):
    """Silence for two keepalives, then a word."""
    client = await new(b"quiet").start(keepalive_s=1)
    await asyncio.sleep_ms(2500)
    await client.session.publish(b"q", b"still here")
    await client.session.disconnect()
    return client.sock.pieces.count(2)


_STORIES = {
    "messages": _messages,
    "will": _will,
    "retained": _retained,
    "taken_over": _taken_over,
    "refused": _refused,
    "ping": _ping,
}


def run(case):
    """Play the case's story."""
    if case["umqtt"] not in sys.path:
        sys.path.insert(0, case["umqtt"])
    from terminal import mqtt, mqtt_open

    def new(name):
        return Client(mqtt, mqtt_open, case["port"], name)

    asyncio.new_event_loop()
    return asyncio.run(_STORIES[case["story"]](new))
