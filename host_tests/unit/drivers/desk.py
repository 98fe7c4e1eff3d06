"""Puts messages on the desk, on either interpreter, and tells what came of them; and lets it send, on MicroPython only.

case: {"profile", "messages": [[topic, payload as hex, retained] ...]}, or {"send": [[code, body as hex] ...], "fails": [what the
first calls of publish() raise: "closed" (the session is over), "modem" (its stream failed), "memory", "too_long"]}. With "times"
the messages come so often, and what the heap gained is told. With "unheard" it serves a whole session, a hundred times as fast,
with a platform that acknowledges everything but what has this text in it.
"""

import gc
from binascii import unhexlify

from modem.borrow import borrow
from terminal import config, desk, mqtt

IDENTITY = {"device_id": "dev1", "secret": "s", "username": ""}
SENT_MS = 1000  # the time that was asked for
HASTE = 100


class _Clock:
    known = True

    def wall_ms(self):
        return 1795234116000

    def boot_ms(self):
        return SENT_MS + 500

    def now_s(self):
        return 1

    def wall_ms_of(self, _boot_s):
        return 1795234000000

    def set_ms(self, time_ms, source):
        self.told.append(["time", time_ms, source])


class _Lock:
    job = "J1"

    def command(self, *_):
        return ()


class _Parts:
    """Stands for the module `parts`, and for its guard, store and config."""

    number = 7
    tls = True
    heartbeat_s = full_heartbeat_s = 60
    rehearsal = None

    def __init__(self):
        self.told = []
        self.clock = _Clock()
        self.clock.told = self.told
        self.guard = self.store = self.config = self
        self.interlock = _Lock()

    def tell(self, _fact, *details):
        self.told.append(list(details))

    def heartbeat(self):
        return {"state": "LOCKED"}


class _Outbox:
    """Hands out what it is given, in order."""

    sequence = 0

    def __init__(self, records):
        self.gaps = {}
        self.records = records
        self.finished = []

    def next(self):
        return self.records.pop(0) if self.records else None

    def done(self, record):
        self.finished.append(record[2])

    def undone(self, record):
        self.records.insert(0, record)


def _desk(parts, profile, outbox):
    settings = dict(config.defaults(), profile=profile)
    return desk.Desk(borrow(profile, "terminal.profiles").make(settings, IDENTITY), parts, outbox, parts)


def _take(case):
    parts = _Parts()
    room = _desk(parts, case["profile"], _Outbox([]))
    heap = []
    for _ in range(case.get("times", 1)):
        for topic, payload, retained in case["messages"]:
            room.on_message(unhexlify(topic), memoryview(unhexlify(payload)), retained, False)
        if "times" in case:
            del parts.told[:]
            gc.collect()
            heap.append(gc.mem_alloc())
    if heap:
        return {"growth": heap[-1] - heap[1]}
    return {"told": parts.told, "counters": room.counters, "answers": [answer[:3] for answer in room._answers]}


class _Session:
    """Notes what is published; its first calls fail as told."""

    failure = None

    def __init__(self, fails, error):
        self.sent = []
        self.tries = 0
        self._fails = fails
        self._error = error

    async def publish(self, _topic, payload, _qos, _timeout_ms):
        self.tries += 1
        fails = self._fails.pop(0) if self._fails else None
        if fails == "memory":
            raise MemoryError
        if fails == "too_long":
            raise mqtt.MqttError("too_long")
        if fails:
            self.failure = "closed"
            raise self._error("timeout", "write") if fails == "modem" else mqtt.MqttError("closed")
        self.sent.append(bytes(payload).decode())


async def _send(case, asyncio, modem_error):
    records = [(1, 7, number, code, unhexlify(body), None) for number, (code, body) in enumerate(case["send"])]
    outbox = _Outbox(records)
    room = _desk(_Parts(), "plain", outbox)
    room._known = {"state": "LOCKED"}  # there was a heartbeat
    for number in range(case.get("answers", 0)):
        room.answer("r%d" % number, 200, "on")
    session = _Session(case.get("fails", []), modem_error)
    tasks = [asyncio.create_task(room._send_reports(session)), asyncio.create_task(room._send_answers(session))]
    for _ in range(case.get("rounds", 50)):
        await asyncio.sleep_ms(0)
    await asyncio.sleep_ms(case.get("wait_ms", 0))
    errors = []
    for task in tasks:
        task.cancel()
        try:
            await task
        except asyncio.CancelledError:
            pass
        except Exception as error:
            errors.append(type(error).__name__)
    left = [record[2] for record in outbox.records]
    waiting = [answer[0] for answer in room._answers]
    told = {"sent": session.sent, "done": outbox.finished, "left": left, "waiting": waiting, "errors": errors}
    told["unsent"] = room.counters["unsent"]
    return told


class _Hasty:
    """asyncio whose waits are short."""

    def __init__(self, asyncio):
        self.create_task = asyncio.create_task
        self.Event = asyncio.Event
        self.sleep_ms = lambda ms: asyncio.sleep_ms(ms // HASTE)


class _Unheard(_Session):
    """A session whose platform never acknowledges what has a certain text in it."""

    def __init__(self, text, asyncio):
        super().__init__([], None)
        self._text = text
        self._asyncio = asyncio

    async def publish(self, topic, payload, qos, timeout_ms):
        if self._text in bytes(payload).decode():
            await self._asyncio.sleep_ms(timeout_ms)
            self.failure = "no_answer"
            raise mqtt.MqttError("no_answer")
        await super().publish(topic, payload, qos, timeout_ms)


async def _serve(case, asyncio):
    outbox = _Outbox([(1, 7, number, code, unhexlify(body), None) for number, (code, body) in enumerate(case["send"])])
    desk.asyncio = hasty = _Hasty(asyncio)
    room = _desk(_Parts(), "plain", outbox)
    session = _Unheard(case["unheard"], hasty)
    try:
        await room.serve(session, asyncio.create_task(asyncio.Event().wait()))
    except mqtt.MqttError as error:
        return {"done": outbox.finished, "ended": error.code}
    finally:
        desk.asyncio = asyncio


def run(case):
    """Play the case."""
    if "messages" in case:
        return _take(case)
    import asyncio

    from modem.at import ModemError

    desk._ROOM_MS = 1
    asyncio.new_event_loop()
    if "unheard" in case:
        return asyncio.run(_serve(case, asyncio))
    return asyncio.run(_send(case, asyncio, ModemError))


