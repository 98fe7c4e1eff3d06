"""The last resort, where minimal mode has crashed three times and the terminal cannot be built at all: the relay's owner alone.

No session, no voice, no orders; but the interlock lives long enough to power the welder in an emergency with cause `firmware`,
within its bounds, and what it does is in the outbox for a firmware that works again. Only a power-on ends this.
Borrowed by main.py.
"""

import gc
import sys

import machine
from micropython import const

from terminal.borrow import borrow
from terminal.supervisor import Supervisor

_WATCHDOG_MS = const(30000)  # as in app
_GUARD_S = const(10)


def build(error):
    """Return (supervisor with the guard's task, None: there is nobody to say goodbye to).

    error: why the terminal could not be built; raised where another boot may still help.
    """
    gc.collect()
    parts = borrow("start").begin()
    if not parts.store.firmware_failed:
        raise error
    sys.print_exception(error)
    supervisor = Supervisor(parts.clock, parts.store.mark_intent, machine.WDT(timeout=_WATCHDOG_MS).feed, _log, sys.print_exception)
    guard = parts.guard
    guard.make_room = supervisor.make_room
    guard.beat = supervisor.add("guard", guard.run, True, _GUARD_S)
    guard.attach(_audience(parts))
    return supervisor, None


def _log(text):
    print(text)


def _audience(parts):
    """Return what hears the guard's effects: the outbox, or the console where that is broken too."""
    try:
        journal = _Journal(parts)
    except Exception as error:
        sys.print_exception(error)
        return _log
    return journal.hear


class _Journal:
    """Keeps the switchings for the platform."""

    def __init__(self, parts):
        from terminal.outbox import EVENT, Outbox
        from terminal.protocol import HEARTBEAT, event

        self._parts = parts
        self._row = (EVENT, HEARTBEAT)
        self._event = event
        self._outbox = Outbox(parts.store.number)
        self._outbox.recover()

    def hear(self, effect):
        """Keep a switching; nobody is there to hear of anything else."""
        _log(effect)
        if effect[0] != "report":
            return
        what, cause, job, is_estimated = effect[1:]
        clock = self._parts.clock
        moment = (clock.wall_ms(), self._parts.store.number, clock.boot_ms())
        number = self._outbox.sequence + 1
        content = self._event(1 if what == "on" else 0, cause, job, number, moment, is_estimated, None)
        self._outbox.add(self._row[0], self._row[1], content)
