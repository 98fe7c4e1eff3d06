"""Power-on: clock, store, settings, and the interlock's first decision. Borrowed by boot.py, before anything that takes long.

Until the relay is set nothing is waited for but two short reads and one write of NVS.
"""

import time

import esp32
import machine
from board import BOARD

from terminal import parts
from terminal.borrow import borrow
from terminal.clock import Clock
from terminal.guard import Guard
from terminal.interlock import Interlock
from terminal.store import Store, StoreError


def begin():
    """Return the parts, made once: what is there already is not made again."""
    if parts.guard is None:
        _make()
    return parts


def _make():
    parts.board = BOARD
    parts.config, parts.problems = borrow("config").load()
    parts.store = Store(esp32.NVS("hanma"), machine.RTC(), time.time)
    parts.clock = Clock(time, parts.store.set_clock)
    guard, parts.kept_problem = _decide(parts.config, parts.store, parts.clock)
    parts.resumed = guard.interlock.powered  # nothing but a resume powers at once
    parts.guard = guard


def _decide(config, store, clock):
    """Set the relay as the interlock says: from RTC memory after a crash, else at rest with the bans in force.

    Where NVS fails the boot goes on without it. Returns (guard, what went wrong with NVS or None).
    """
    boots = borrow("boots")
    is_power_on = machine.reset_cause() == machine.PWRON_RESET
    volatile, elapsed_s = boots.load_volatile(store)
    kept = problem = None
    try:
        kept = boots.load(store.kept)
    except StoreError as error:
        problem = str(error)
    try:
        boots.begin(store, is_power_on)
    except StoreError as error:
        problem = str(error)
    lock = Interlock(config.in_force, config.outage_causes)
    effects = lock.boot(clock.now_s(), kept, volatile, elapsed_s, store.firmware_failed, is_power_on)
    # a boot's first effect is the relay's: no other level before it
    guard = Guard(lock, store, clock, borrow("switchgear").make(BOARD, effects[0][1], machine, time))
    guard.do(effects)
    if store.kept.broken or lock.kept_broken:
        problem = problem or "a record of bans and orders was broken"
    return guard, problem
