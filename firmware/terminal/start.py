"""Power-on: clock, store, settings, and the interlock's first decision. Runs from boot.py, before anything that can take long.

Owns the parts that exist once a boot. Until the relay is set nothing is waited for but two short reads and one write of NVS.
"""

import time

import esp32
import machine
from board import BOARD

from terminal import relay
from terminal.borrow import borrow
from terminal.clock import Clock
from terminal.guard import Guard
from terminal.interlock import SETTINGS, Interlock
from terminal.store import Store, StoreError

parts = None


class Parts:
    """What boot.py made and main.py goes on with.

    problems: what was wrong with config.json. kept_problem: text when NVS could not be read or written, else None.
    """

    def __init__(self):
        self.board = BOARD
        self.config, self.problems = borrow("config").load()
        self.kept_problem = None
        self._rtc = machine.RTC()
        self.store = Store(esp32.NVS("hanma"), self._rtc, time.time)
        self.clock = Clock(time.ticks_ms, time.ticks_diff, self._set_rtc)
        self.guard = self._decide()
        self.resumed = self.guard.interlock.powered  # nothing but a resume powers at once

    def _decide(self):
        """Set the relay as the interlock says: from RTC memory after a crash, else at rest with the bans in force."""
        volatile, elapsed_s = self.store.load_volatile()
        kept = None
        try:
            kept = self.store.load_kept()
            self.store.begin_boot(machine.reset_cause() == machine.PWRON_RESET)
        except StoreError as error:
            self.kept_problem = str(error)
        names = [row[0] for row in SETTINGS]
        lock = Interlock(self.config.group(names), tuple(self.config.outage_causes))
        guard = Guard(lock, self._make_relay, self.store, self.clock)
        guard.boot(kept, volatile, elapsed_s, self.store.boots.firmware_failed)
        return guard

    def _make_relay(self, powered):
        return relay.make(self.board, powered, machine, time)

    def _set_rtc(self, when):
        before_s = time.time()
        self._rtc.datetime(when)
        self.store.clock_moved(time.time() - before_s)


def begin():
    """Make the parts, once; what is there already is not made again."""
    global parts
    if parts is None:
        parts = Parts()
    return parts
