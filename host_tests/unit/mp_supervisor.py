"""Runs the supervisor under MicroPython in virtual time: a case in JSON on stdin, what happened in JSON on
stdout.

case: {"tasks": [{"name", "vital", "period_s", "lives": [[step, ...], ...]}], "run_s": n, "full_logs": so many lines for which
there is no memory, "refuses": a reset would not help}; a task plays one life after the other and the last one again and again.
Steps: ["beat"], ["sleep", ms], ["hold", ms] (the loop), ["die"], ["memory"], ["stray"], ["deaf", ms] (sleeps on through a
cancellation), ["repeat"] (the life from its beginning).
"""

import json
import sys
import time as host_time


class VirtualTime:
    """Stands for the module time; the event loop's waiting moves it on.

    The task queue in C stamps what is ready with the host's ticks: ours run ahead of them, so that ready is
    ready.
    """

    ms = 0

    def __init__(self):
        ahead = host_time.ticks_ms() + 60000
        # plain functions: a bound method cannot be imported from an object
        self.ticks_ms = lambda: ahead + self.ms
        self.ticks_diff = lambda later, earlier: later - earlier
        self.ticks_add = lambda ticks, delta: ticks + delta


class VirtualQueue:
    """Stands for asyncio's poller: nothing to poll, the wait is over at once."""

    map = ()

    def wait_io_event(self, dt):
        timer.ms += max(dt, 0)


timer = VirtualTime()
sys.modules["time"] = timer

import asyncio  # noqa: E402  (it must find the virtual time)
import asyncio.core  # noqa: E402

from terminal.clock import Clock  # noqa: E402
from terminal.supervisor import Supervisor  # noqa: E402

asyncio.core._io_queue = VirtualQueue()


class Player:
    """One task of the case."""

    def __init__(self, data, happened):
        self.data = data
        self.lives = 0
        self.beat = None
        self._happened = happened

    async def run(self):
        lives = self.data["lives"]
        steps = lives[min(self.lives, len(lives) - 1)]
        self.lives += 1
        self._happened.append([timer.ms, "start", self.data["name"]])
        index = 0
        while index < len(steps):
            index = 0 if steps[index][0] == "repeat" else index + 1
            if index:
                await self._step(steps[index - 1])

    async def _step(self, step):
        what = step[0]
        if what == "beat":
            self.beat()
        elif what == "sleep":
            await asyncio.sleep_ms(step[1])
        elif what == "hold":
            timer.ms += step[1]
        elif what == "die":
            raise ValueError("x" * 300)
        elif what == "memory":
            raise MemoryError("no more")
        elif what == "stray":
            asyncio.create_task(_fail())
        elif what == "deaf":
            try:
                await asyncio.sleep_ms(step[1])
            except asyncio.CancelledError:
                await asyncio.sleep_ms(step[1])


async def _fail():
    raise KeyError("stray")


async def _main(case, supervisor):
    watch = asyncio.create_task(supervisor.run())
    try:
        await asyncio.wait_for_ms(watch, case["run_s"] * 1000)
    except asyncio.TimeoutError:
        pass


def main():
    case = json.loads(sys.stdin.read())
    happened = []
    feeds = []

    def reset(intent):
        happened.append([timer.ms, "RESET", intent])
        return not case["refuses"]

    def log(text):
        if case["full_logs"]:
            case["full_logs"] -= 1
            raise MemoryError
        happened.append([timer.ms, "log", text])

    supervisor = Supervisor(
        Clock(timer),
        reset,
        feed=lambda: feeds.append(timer.ms),
        log=log,
        free_memory=lambda: happened.append([timer.ms, "freed", ""]),
    )
    for data in case["tasks"]:
        player = Player(data, happened)
        player.beat = supervisor.add(data["name"], player.run, data["vital"], data["period_s"])
    asyncio.run(_main(case, supervisor))
    result = {"happened": happened, "feeds": feeds, "counters": supervisor.counters}
    result["off"] = supervisor.off()
    result["last_error"] = supervisor.last_error
    print(json.dumps(result))


main()
