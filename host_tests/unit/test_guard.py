"""The relay's owner on a full heap: whatever fails for want of memory, relay and interlock agree and no report is lost."""

import types

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from terminal import guard
from terminal.guard import Guard
from terminal.interlock import Interlock


@pytest.fixture(scope="module", autouse=True)
def _ticks():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(guard, "time", types.SimpleNamespace(ticks_ms=lambda: 0, ticks_diff=lambda later, earlier: later - earlier))
        yield


class Heap:
    """Says which of the things that ask for memory fail; a plan that is used up never fails."""

    def __init__(self, plan=()):
        self.plan = list(plan)

    def ask(self):
        if self.plan and self.plan.pop(0):
            raise MemoryError


class Bench:
    """A guard with a real interlock; relay, store and audience ask the heap."""

    def __init__(self):
        self.heap = Heap()
        self.now = 0
        self.level = 0
        self.told = []
        self.rooms = 0
        lock = Interlock({"switch_min_interval_s": 0, "fail_open_after_s": 180})
        lock.boot(0)
        self.guard = Guard(lock, self, self, self)
        self.guard.make_room = self._make_room
        self.guard.attach(self._hear)
        self.decided = []  # events
        self.do, self.guard.do = self.guard.do, self._do
        # of the relay
        self.has_contact = False
        self.powered = False
        # of the store
        self.kept = types.SimpleNamespace(save=lambda data: self.heap.ask())

    def _do(self, effects):
        self.decided += [effect[1:] for effect in effects if effect[0] == "event"]
        self.do(effects)

    def _make_room(self):
        self.rooms += 1

    def _hear(self, effect):
        self.heap.ask()
        self.told.append(effect)

    def now_s(self):
        return self.now

    def set(self, level):
        self.heap.ask()
        self.level = level
        self.powered = bool(level)

    def welding(self):
        return None

    contact = welding

    def save_volatile(self, data):
        self.heap.ask()

    def order(self, action, name):
        self.guard.tell(self.guard.interlock.command, action, name)

    def of(self, kind):
        return [effect[1:] for effect in self.told if effect[0] == kind]


def test_a_powering_is_reported_first_and_takes_place_although_the_report_finds_no_memory():
    bench = Bench()
    bench.heap.plan = [True] * 2  # the report, twice
    bench.order(1, "a")
    assert bench.level == 1
    assert bench.of("report") == [] and bench.rooms == 2
    bench.guard._round()
    assert bench.of("report") == [("on", "order", None, False)]
    assert bench.of("answer") == [("a", 200, "on")]


def test_a_stop_that_finds_the_heap_full_at_the_relay_is_carried_out_in_the_next_round():
    bench = Bench()
    bench.order(1, "a")
    bench.heap.plan = [True] * 2
    bench.order(0, "b")
    bench.guard._round()
    assert bench.level == 0


def test_an_order_for_which_there_is_no_reserve_is_not_half_decided(monkeypatch):
    bench = Bench()
    lock = bench.guard.interlock
    bench.guard._reserve = None
    monkeypatch.setattr(guard, "_RESERVE", 1 << 60)  # no heap has that
    with pytest.raises(MemoryError):
        bench.order(1, "a")
    assert lock.state == "LOCKED" and bench.level == 0 and bench.told == []
    monkeypatch.undo()
    bench.order(1, "a")
    assert bench.level == 1 and bench.of("answer") == [("a", 200, "on")]


STEP = st.tuples(st.sampled_from(["on", "off", "outage", "wait"]), st.lists(st.booleans(), max_size=12))


@settings(max_examples=200, deadline=None)
@given(st.lists(STEP, max_size=6))
def test_relay_and_interlock_agree_and_every_switching_is_reported_whatever_finds_no_memory(steps):
    bench = Bench()
    lock = bench.guard.interlock
    for number, (what, plan) in enumerate(steps):
        bench.heap.plan = list(plan)
        if what in ("on", "off"):
            bench.order(1 if what == "on" else 0, f"r{number}")
        elif what == "outage":
            bench.now += 200
            bench.guard.tell(lock.tick)
        bench.now += 1
        bench.heap.plan = []
        for _ in range(6):
            bench.guard._round()
        assert bench.level == lock.powered
    assert bench.of("report") == bench.decided
    assert len(bench.of("answer")) == sum(what in ("on", "off") for what, _ in steps)
