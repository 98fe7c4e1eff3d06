"""Runs an MQTT session against a script of bytes, on MicroPython only: what it says and how it ends.

case: {"umqtt": folder with umqtt/, "steps": the broker, "before": calls before run() starts, "calls": calls
beside it, one after the other, "beside": calls all at once, "chunk": most bytes a read gives, "answer_ms",
"write_ms": how long a write takes, "stop": cancel run() at the end, "measure": two counts of messages,
"no_memory": how often the heap is full when a message comes, "watch": count the loop's turns}.
Steps: ["send", hex] or ["send", hex, times], ["expect"] one write of ours more, ["count"] note how many there
are once we are quiet, ["pause", ms], ["silence"], ["end"], ["fail"]. A call is a method of Session and its arguments, or one
of _EXTRAS.
"""

import asyncio
import gc
import sys
from binascii import hexlify, unhexlify


class Stream:
    """A stream in memory: reads come from the script, writes are kept as pieces."""

    def __init__(self, case):
        self.writes = []
        self.counts = []
        self.closed = False
        self._steps = case["steps"]
        self._chunk = case.get("chunk", 100000)
        self._write_ms = case.get("write_ms", 0)
        self._ready = bytearray()
        self._written = asyncio.Event()
        self._expected = 0
        self._forgetful = "measure" in case

    async def readinto(self, buffer):
        while not self._ready:
            step = self._steps.pop(0) if self._steps else ["silence"]
            if step[0] == "end":
                return 0
            if step[0] == "fail":
                raise OSError(104)
            await self._take(step)
        n = min(len(buffer), len(self._ready), self._chunk)
        buffer[:n] = self._ready[:n]
        self._ready = self._ready[n:]
        return n

    async def _take(self, step):
        if step[0] == "send":
            self._ready.extend(unhexlify(step[1]))
            if len(step) > 2 and step[2] > 1:
                step[2] -= 1
                self._steps.insert(0, step)
        elif step[0] == "count":
            for _ in range(50):
                await asyncio.sleep_ms(0)
            self.counts.append(len(self.writes))
        elif step[0] == "pause":
            await asyncio.sleep_ms(step[1])
        elif step[0] == "expect":
            self._expected += 1
            while len(self.writes) < self._expected:
                self._written.clear()
                await self._written.wait()
        else:
            await asyncio.Event().wait()

    async def write(self, buffer):
        await asyncio.sleep_ms(self._write_ms)
        if not self._forgetful:
            self.writes.append(bytes(buffer))
        self._written.set()

    async def close(self):
        self.closed = True


async def _wait(session, ms):
    await asyncio.sleep_ms(ms)


async def _set_id(session, number):
    session._last_id = number


async def _cancelled(session, *call):
    task = asyncio.create_task(getattr(session, call[0].decode())(*call[1:]))
    await asyncio.sleep_ms(20)
    task.cancel()
    await task


async def _connect(session, *arguments):
    from terminal import mqtt_open

    await mqtt_open.connect(session, *arguments)


async def _subscribe(session, *arguments):
    from terminal import mqtt_open

    await mqtt_open.subscribe(session, *arguments)


_EXTRAS = {
    "wait": _wait,
    "set_id": _set_id,
    "cancelled": _cancelled,
    "connect": _connect,
    "subscribe": _subscribe,
}


async def _call(session, call):
    arguments = [_argument(value) for value in call[1:]]
    try:
        if call[0] in _EXTRAS:
            await _EXTRAS[call[0]](session, *arguments)
        else:
            await getattr(session, call[0])(*arguments)
        return "done"
    except asyncio.CancelledError:
        return "cancelled"
    except Exception as error:
        return [type(error).__name__, getattr(error, "code", None)]


def _argument(value):
    if isinstance(value, str):
        return value.encode()
    if isinstance(value, dict):
        return bytes([0x55]) * value["bytes"]
    if isinstance(value, list):
        return tuple([item.encode() for item in value])
    return value


class Listener:
    """Keeps what arrives; measures the heap at two of many messages."""

    def __init__(self, measure, no_memory):
        self.no_memory = no_memory
        self.heard = []
        self.count = 0
        self.heap = []
        self._measure = measure

    def __call__(self, topic, payload, retained, dup):
        if self.no_memory:
            self.no_memory -= 1
            raise MemoryError
        self.count += 1
        if self._measure:
            if self.count in self._measure:
                gc.collect()
                self.heap.append(gc.mem_alloc())
            return
        text = hexlify(payload[:40]).decode()
        topic = topic.decode() if max(topic or b"0") < 0x80 else hexlify(topic).decode()
        self.heard.append([topic, text, len(payload), retained, dup])


async def _count_turns(turns):
    """A task that is always ready: as often as it comes on, so often the loop was free."""
    while True:
        turns[0] += 1
        await asyncio.sleep_ms(0)


async def _play(case, mqtt):
    stream = Stream(case)
    turns = [0]
    watcher = asyncio.create_task(_count_turns(turns)) if case.get("watch") else None
    listener = Listener(case.get("measure"), case.get("no_memory", 0))
    session = mqtt.Session(stream, listener, case.get("answer_ms", 2000))
    done = []
    for call in case.get("before", ()):
        done.append(await _call(session, call))
    run = asyncio.create_task(_call(session, ["run"]))
    beside = [asyncio.create_task(_call(session, call)) for call in case.get("beside", ())]
    for call in case.get("calls", ()):
        done.append(await _call(session, call))
    for task in beside:
        done.append(await task)
    if case.get("stop"):
        await asyncio.sleep_ms(5)  # a task that never began cannot tell how it ended
        run.cancel()
    result = {"run": await run, "calls": done, "heard": listener.heard, "oversized": session.oversized}
    result["writes"] = [hexlify(piece).decode() for piece in stream.writes]
    result["counts"] = stream.counts
    result["failure"] = session.failure
    result["turns"] = turns[0]
    if watcher:
        watcher.cancel()
    result["closed"] = stream.closed
    result["buffers"] = len(mqtt._spare)
    result["growth"] = listener.heap[-1] - listener.heap[0] if listener.heap else None
    return result


def run(case):
    """Play the case with the umqtt.simple in case["umqtt"]."""
    if case["umqtt"] not in sys.path:
        sys.path.insert(0, case["umqtt"])
    from terminal import mqtt

    asyncio.new_event_loop()
    return asyncio.run(_play(case, mqtt))
