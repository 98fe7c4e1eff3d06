"""Replays a loudspeaker's life: what was announced, what was said, and when; sleeping takes no time."""

import asyncio

from terminal import numerals, voice


class _Failure(Exception):
    def __init__(self, code):
        super().__init__(code)
        self.code = code


class Clock:
    """Stands for the clock."""

    ms = 0

    def now_s(self):
        return self.ms // 1000


class _QuickAsyncio:
    """Stands for asyncio in the room: a sleep only moves the clock on."""

    Event = asyncio.Event

    def __init__(self, clock):
        self._clock = clock

    async def sleep_ms(self, ms):
        self._clock.ms += ms
        await asyncio.sleep(0)


def run(case):
    """case: {"numbers": [n, ...]} or {"steps": [["announce", name, minutes] | ["pass", seconds] | ["speak"]],
    "outcomes": ["ok" or a failure's code, ...] (the last one for ever), "phone": text}.
    """
    if "numbers" in case:
        return [[numerals.number(value), numerals.minutes(value)] for value in case["numbers"]]
    return asyncio.run(_live(case))


async def _live(case):
    clock = Clock()
    said = []
    log = []
    outcomes = list(case["outcomes"])

    async def say(text):
        await asyncio.sleep(0)
        outcome = outcomes.pop(0) if len(outcomes) > 1 else outcomes[0]
        if outcome != "ok":
            raise _Failure(outcome)
        said.append([clock.now_s(), text])

    voice.asyncio = _QuickAsyncio(clock)
    try:
        room = voice.Voice(say, _Failure, clock, case.get("phone", ""), log.append)
        return await _play(case["steps"], room, clock, said, log)
    finally:
        voice.asyncio = asyncio


def names(room):
    """Return the names of the phrases that wait, in the order they will be spoken."""
    return [phrase[1] for phrase in room._queue]


async def _play(steps, room, clock, said, log):
    task = None
    waiting = []
    for step in steps:
        if step[0] == "announce":
            room.announce(step[1], step[2])
        elif step[0] == "pass":
            clock.ms += step[1] * 1000
        else:
            room.take_in()
            waiting.append(names(room))
            task = task or asyncio.create_task(room.run())
            for _ in range(300):
                await asyncio.sleep(0)
    if task:
        task.cancel()
    return {
        "said": said,
        "log": log,
        "waiting": waiting,
        "counters": room.counters,
        "available": room.available,
    }
