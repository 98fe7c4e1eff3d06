"""Keeps the tasks alive, and the watchdog fed only while they are.

Owns the named tasks, the count of their deaths and the only call to the watchdog. A task that dies is
reported and started again after a wait; a vital one that dies three times in a minute (for want of memory: in ten) resets the
board, an optional one is switched off. A task that has not proved life within its own period is hung: it is cancelled
and counts as dead. Where a reset would not help, a vital task is tried again for ever instead. Times are seconds since boot.

A full heap must not end the watch: what is done about a death needs no memory that can fail, or does without.
"""

import asyncio
import time

from micropython import const

_STEP_MS = const(50)  # one look at the loop's punctuality; what holds the loop longer than this is seen
_DEATHS = const(3)
_MINUTE_S = const(60)
_STARVED_S = const(600)  # want of memory shows late in a life, after a log-in or a restart of the modem, and only a reset ends it
_FIRST_WAIT_S = const(1)
_LAST_WAIT_S = const(60)  # the wait of an optional task that dies now and then
_DYING_S = const(5)  # how long a cancelled task may take to clean up before it is given up
_TEXT = const(120)  # characters of an error kept for the heartbeat
_FULL = "MemoryError"  # what is said where there is no memory to say more

_RUNNING = const(0)
_WAITING = const(1)  # dead, to be started again
_DYING = const(2)  # cancelled, not yet gone
_OFF = const(3)


class Entry:
    """One task's life: what to start, how long it has been silent, when it died. No I/O; times in seconds.

    vital: its deaths reset the board; None: neither that nor is it ever switched off. period_s: the longest silence of a healthy
    task, None for one that need not prove anything.
    """

    def __init__(self, name, start, vital, period_s):
        self.name = name
        self.start = start
        self.vital = vital
        self.period_s = period_s
        self.state = _WAITING
        self.task = None
        self.due_s = 0  # start again then; while dying: give up then
        self._silent_s = 0
        self._died_s = []  # the last three deaths; a list takes a fourth without asking the heap
        self._wait_s = _FIRST_WAIT_S

    def beat(self):
        """The task proves life."""
        self._silent_s = 0

    def is_silent(self):
        """Count a second; return True when the task has been silent for longer than its period."""
        self._silent_s += 1
        return self.period_s is not None and self._silent_s > self.period_s

    def died(self, now_s, hung=False, starved=False):
        """The task ended; starved: for want of memory. Returns True when this was once too often: it is off then, else it waits
        to be started.
        """
        deaths = self._died_s
        deaths.append(now_s)
        if len(deaths) > _DEATHS:
            deaths.pop(0)
        # a hung task takes its period to be found: three in a row must fit into the window
        window_s = _STARVED_S if starved else _MINUTE_S
        if hung:
            window_s += _DEATHS * (self.period_s + _DYING_S)
        if now_s - deaths[0] > window_s:
            self._wait_s = _FIRST_WAIT_S
        elif len(deaths) == _DEATHS and self.vital is not None:
            self.state = _OFF
            return True
        self.state = _WAITING
        if starved and not self.vital:
            self._wait_s = _LAST_WAIT_S  # until who needs the memory more has done with it
        self.due_s = now_s + self._wait_s
        self._wait_s = min(self._wait_s * 2, _LAST_WAIT_S)
        return False


class Supervisor:
    """Starts, watches and restarts tasks.

    clock: has now_s(). reset: called with a text that says why before `run` returns for a reset; False from it says that a reset
    would not help. feed: feeds the watchdog, or None. log: takes one line of text. trace: takes an exception
    (sys.print_exception), or None. free_memory: called after a MemoryError (gc.collect, dropping what can be had again), or None.
    """

    def __init__(self, clock, reset, feed=None, log=print, trace=None, free_memory=None):
        self.counters = {"deaths": 0, "hangs": 0, "stray_errors": 0, "memory_errors": 0, "loop_gap_ms": 0}
        self.last_error = ""  # "name: ValueError: text", bounded
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
        return entry.beat

    def off(self):
        """Return the names of the tasks that were switched off."""
        return [entry.name for entry in self._entries if entry.state == _OFF]

    async def run(self):
        """Watch for ever. Returns only when the board is to be reset."""
        asyncio.get_event_loop().set_exception_handler(self._stray)
        counters = self.counters
        while True:
            is_well = True
            for entry in self._entries:
                try:
                    self._look_after(entry, self._clock.now_s())
                except MemoryError:
                    # it could not be started; a reset in time is better than the watchdog's, which is too late to resume
                    self.make_room()
                    if entry.died(self._clock.now_s(), starved=True):
                        self._give_up(entry)
                if entry.vital and entry.state:
                    if entry.state == _OFF:
                        return
                    is_well = False
            if is_well and self._feed:
                self._feed()
            rest_ms = 1000
            while rest_ms > 0:
                # while one call holds the loop (flash, handshake) nobody can prove life: it counts as one second
                began = time.ticks_ms()
                await asyncio.sleep_ms(_STEP_MS)
                passed_ms = time.ticks_diff(time.ticks_ms(), began)
                rest_ms -= max(passed_ms, 1)
                counters["loop_gap_ms"] = max(counters["loop_gap_ms"], passed_ms - _STEP_MS)

    def _look_after(self, entry, now_s):
        """Do what the task needs in this second."""
        if entry.state == _RUNNING:
            if entry.is_silent():
                self.counters["hangs"] += 1
                entry.state = _DYING
                entry.due_s = now_s + _DYING_S
                entry.task.cancel()
        elif now_s < entry.due_s:
            pass
        elif entry.state == _WAITING:
            entry.task = asyncio.create_task(self._live(entry))
            entry.state = _RUNNING
            entry.beat()
        elif entry.state == _DYING:
            # it swallows the cancellation: a second one beside it would share its pins and sockets
            self._report(entry.name, "hung", "cannot be cancelled")
            self._give_up(entry)

    async def _live(self, entry):
        text = "ended"
        starved = False
        try:
            await entry.start()
        except asyncio.CancelledError:
            text = "hung" if entry.state == _DYING else "cancelled"
        except Exception as error:
            starved = isinstance(error, MemoryError)
            text = self._note(error)
        if entry.state == _OFF:
            return  # given up already
        hung = entry.state == _DYING
        self.counters["deaths"] += 1
        too_often = entry.died(self._clock.now_s(), hung, starved)
        self._report(entry.name, "hung" if hung else "died", text)
        if too_often:
            self._give_up(entry)

    def _give_up(self, entry):
        entry.state = _OFF
        self._report(entry.name, "reset" if entry.vital else "off", self.last_error)
        if not entry.vital:
            return
        try:
            is_refused = self._reset("vital:" + entry.name) is False
        except MemoryError:
            is_refused = False
        if is_refused:
            entry.vital = None
            entry.state = _WAITING
            entry.due_s = self._clock.now_s() + _LAST_WAIT_S

    def _stray(self, _loop, context):
        """An exception in a task that nobody waits for: the task is gone, the board goes on."""
        self.counters["stray_errors"] += 1
        self._report("stray", "died", self._note(context.get("exception")))

    def make_room(self):
        """The heap is full: count that, and give back what can be had again."""
        self.counters["memory_errors"] += 1
        if self._free_memory:
            self._free_memory()

    def _note(self, error):
        """Count and print an error, make room after one of memory; return it as text."""
        if isinstance(error, MemoryError):
            self.make_room()
        try:
            if self._trace:
                self._trace(error)
            return "%s: %s" % (type(error).__name__, error)
        except MemoryError:
            self.make_room()
            return _FULL

    def _report(self, name, what, text):
        for _ in range(2):
            try:
                if what == "died" or what == "hung":
                    self.last_error = ("%s: %s" % (name, text))[:_TEXT]
                self._log(("task %s %s: %s" % (name, what, text))[:_TEXT])
                return
            except MemoryError:
                self.make_room()
        self.last_error = _FULL
