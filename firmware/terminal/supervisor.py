"""Keeps the tasks alive, and the watchdog fed only while they are.

Owns the named tasks, the count of their deaths and the only call to the watchdog. A task that dies is
reported and started again after a wait; a vital one that dies three times in a minute resets the board, an
optional one is switched off. A task that has not proved life within its own period is hung: it is cancelled
and counts as dead. Times are seconds since boot.
"""

import asyncio
import time

from micropython import const

_STEP_MS = const(50)  # one look at the loop's punctuality; what holds the loop longer than this is seen
_DEATHS = const(3)
_MINUTE_S = const(60)
_FIRST_WAIT_S = const(1)
_LAST_WAIT_S = const(60)  # the wait of an optional task that dies now and then
_DYING_S = const(5)  # how long a cancelled task may take to clean up before it is given up
_TEXT = const(120)  # characters of an error kept for the heartbeat

RUNNING = "running"
WAITING = "waiting"  # dead, to be started again
DYING = "dying"  # cancelled, not yet gone
OFF = "off"


class Entry:
    """One task's life: what to start, when it last proved life, when it died. No I/O; times in seconds.

    period_s: the longest silence of a healthy task, None for one that need not prove anything.
    """

    def __init__(self, name, start, vital, period_s):
        self.name = name
        self.start = start
        self.vital = vital
        self.period_s = period_s
        self.state = WAITING
        self.task = None
        self.deaths = 0
        self.due_s = 0  # start again then; while DYING: give up then
        self.beat_s = 0
        self._died_s = []  # the last three deaths
        self._wait_s = _FIRST_WAIT_S

    def started(self, now_s):
        """The task was started."""
        self.state = RUNNING
        self.beat_s = now_s

    def silent(self, now_s):
        """Return True when a running task has been silent for longer than its period."""
        return self.state == RUNNING and self.period_s is not None and now_s - self.beat_s > self.period_s

    def cancelled(self, now_s):
        """The hung task was cancelled."""
        self.state = DYING
        self.due_s = now_s + _DYING_S

    def died(self, now_s, hung=False):
        """The task ended. Returns True when this was once too often; the state is then OFF."""
        self.deaths += 1
        self._died_s.append(now_s)
        del self._died_s[:-_DEATHS]
        # a hung task takes its period to be found: three in a row must fit into the window
        window_s = _MINUTE_S + (_DEATHS * (self.period_s + _DYING_S) if hung else 0)
        if now_s - self._died_s[0] > window_s:
            self._wait_s = _FIRST_WAIT_S
        elif len(self._died_s) == _DEATHS:
            self.state = OFF
            return True
        self.state = WAITING
        self.due_s = now_s + self._wait_s
        self._wait_s = min(self._wait_s * 2, _LAST_WAIT_S)
        return False


class Supervisor:
    """Starts, watches and restarts tasks.

    clock: has now_s(). reset: called with a text that says why, and does not come back on a real board. feed:
    feeds the watchdog, or None. log: takes one line of text. trace: takes an exception (sys.print_exception),
    or None. free_memory: called after a MemoryError (gc.collect, dropping what can be had again), or None.
    """

    def __init__(self, clock, reset, feed=None, log=print, trace=None, free_memory=None):
        self.counters = {"deaths": 0, "hangs": 0, "stray_errors": 0, "memory_errors": 0, "loop_gap_ms": 0}
        self.last_error = ""  # "name: ValueError: text", bounded
        self.step_ms = _STEP_MS
        self._entries = []
        self._clock = clock
        self._reset = reset
        self._feed = feed
        self._log = log
        self._trace = trace
        self._free_memory = free_memory

    def add(self, name, start, vital=True, period_s=None):
        """Name a task before or during `run`.

        start: async function without arguments. period_s: within this the task calls what is returned here. A
        vital task must have one (ValueError). Returns beat(), to be called by the task to prove life.
        """
        if vital and period_s is None:
            raise ValueError(name + ": a vital task needs a period")
        entry = Entry(name, start, vital, period_s)
        self._entries.append(entry)

        def beat():
            entry.beat_s = self._clock.now_s()

        return beat

    def off(self):
        """Return the names of the tasks that were switched off."""
        return [entry.name for entry in self._entries if entry.state == OFF]

    async def run(self):
        """Watch for ever. Returns only when the board had to be reset and the reset came back."""
        asyncio.get_event_loop().set_exception_handler(self._stray)
        while True:
            now_s = self._clock.now_s()
            for entry in self._entries:
                if not self._look_after(entry, now_s):
                    return
            if self._feed and self._all_alive(now_s):
                self._feed()
            await self._second()

    async def _second(self):
        """Let about a second pass and note how long the loop was held in it."""
        rest_ms = 1000
        while rest_ms > 0:
            began = time.ticks_ms()
            await asyncio.sleep_ms(self.step_ms)
            passed_ms = time.ticks_diff(time.ticks_ms(), began)
            rest_ms -= max(passed_ms, 1)
            if passed_ms - self.step_ms > self.counters["loop_gap_ms"]:
                self.counters["loop_gap_ms"] = passed_ms - self.step_ms
            if passed_ms > 1000:
                self._forgive(passed_ms // 1000)

    def _forgive(self, held_s):
        """While one call held the loop (flash, handshake) nobody could prove life: give it back to all."""
        for entry in self._entries:
            entry.beat_s += held_s

    def _look_after(self, entry, now_s):
        """Do what the task needs now; return False when the board had to be reset."""
        if entry.state == WAITING and now_s >= entry.due_s:
            entry.started(now_s)
            entry.task = asyncio.create_task(self._live(entry))
        elif entry.silent(now_s):
            self.counters["hangs"] += 1
            entry.cancelled(now_s)
            entry.task.cancel()
        elif entry.state == DYING and now_s >= entry.due_s:
            # it swallows the cancellation: a second one beside it would share its pins and sockets
            self._report(entry.name, "hung", "cannot be cancelled")
            self._give_up(entry)
        return not (entry.vital and entry.state == OFF)

    async def _live(self, entry):
        try:
            await entry.start()
            self._dead(entry, "ended")
        except asyncio.CancelledError:
            self._dead(entry, "hung" if entry.state == DYING else "cancelled")
        except Exception as error:
            self._note(error)
            self._dead(entry, _text(error))

    def _dead(self, entry, text):
        if entry.state == OFF:
            return  # given up already
        hung = entry.state == DYING
        self.counters["deaths"] += 1
        too_often = entry.died(self._clock.now_s(), hung)
        self._report(entry.name, "hung" if hung else "died", text)
        if too_often:
            self._give_up(entry)

    def _give_up(self, entry):
        entry.state = OFF
        self._report(entry.name, "reset" if entry.vital else "off", self.last_error)
        if entry.vital:
            self._reset("vital:" + entry.name)

    def _all_alive(self, now_s):
        for entry in self._entries:
            if entry.vital and (entry.state != RUNNING or entry.silent(now_s)):
                return False
        return True

    def _stray(self, _loop, context):
        """An exception in a task that nobody waits for: the task is gone, the board goes on."""
        error = context.get("exception")
        self.counters["stray_errors"] += 1
        self._note(error)
        self._report("stray", "died", _text(error))

    def _note(self, error):
        if isinstance(error, MemoryError):
            self.counters["memory_errors"] += 1
            if self._free_memory:
                self._free_memory()
        if self._trace:
            self._trace(error)

    def _report(self, name, what, text):
        if what == "died" or what == "hung":
            self.last_error = f"{name}: {text}"[:_TEXT]
        self._log(f"task {name} {what}: {text}"[:_TEXT])


def _text(error):
    return f"{type(error).__name__}: {error}"[:_TEXT]
