"""What the relay's owner makes of its senses, round by round: before they have settled and after the loop was held."""

import contextlib
import types

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from terminal import guard
from terminal.guard import Guard
from terminal.interlock import Interlock
from terminal.relay import Relay, Sense

_ROUND_MS = 200
_LOOK_MS = 20
_IDLE_S = 300
_TOLD_MS = 1000  # what is wrong with a contact is told so soon after the order, in a loop that is not held
_SLOWEST_MS = 400


class Contactor:
    """The relay's driver and its contact, which is where the coil was `slow_ms` ago; None: it never moves again."""

    def __init__(self, bench, level, slow_ms):
        self.bench = bench
        self.moves = [(-_SLOWEST_MS, level)]  # (ms, level)
        self.slow_ms = slow_ms

    def write(self, level):
        self.moves.append((self.bench.ms, level))

    def value(self):
        if self.slow_ms is None:
            return self.moves[0][1]
        return [level for ms, level in self.moves if ms + self.slow_ms <= self.bench.ms][-1]


class Bench:
    """A guard with a real interlock, relay and senses, in a time of its own; rounds and looks are made by hand."""

    def __init__(self, **settings):
        self.ms = 0
        self.told = []
        self.settings = {"idle_lock_s": _IDLE_S, **settings}
        self.kept = types.SimpleNamespace(save=self._save)
        self._kept = self.saved = None

    def boot(self):
        """Power on, or come back after a crash with what the last life left."""
        self.lock = Interlock(self.settings)
        effects = self.lock.boot(self.now_s(), self._kept, self.saved, 0, False, not self.saved)
        self.contactor = contactor = Contactor(self, int(self.lock.powered), 0)
        current = types.SimpleNamespace(value=lambda: 0)
        self.relay = Relay(contactor, 1, self.lock.powered, Sense(contactor, 1, self), Sense(current, 1, self))
        self.guard = Guard(self.lock, self, self, self.relay)
        self.guard.attach(self.told.append)
        self.guard.do(effects)

    def _save(self, data):
        self._kept = data

    def save_volatile(self, data):
        self.saved = data

    def now_s(self):
        return self.ms // 1000

    def ticks_ms(self):
        return self.ms

    def ticks_diff(self, later, earlier):
        return later - earlier

    def rounds(self, count=1, every_ms=_ROUND_MS):
        """Make rounds of the guard, each so long after the one before."""
        for _ in range(count):
            self.ms += every_ms
            self.guard._round()

    def look(self, after_ms=_LOOK_MS):
        """Let the looks of an order that waits for its contact be made once."""
        self.ms += after_ms
        self.guard._look()

    def order(self, action, name):
        self.guard.tell(self.lock.command, action, name)

    def of(self, kind):
        return [effect[1:] for effect in self.told if effect[0] == kind]


@contextlib.contextmanager
def a_bench(**settings):
    """A bench whose time is the guard's."""
    made = Bench(**settings)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(guard, "time", made)
        patch.setattr(guard.asyncio, "create_task", lambda work: work.close())  # the looks are made by hand
        made.boot()
        made.rounds(10)  # the senses have settled
        yield made


@pytest.fixture
def bench():
    with a_bench() as made:
        yield made


def idle_at_s(bench):
    """The second at which the welder is locked as idle, with rounds twice a second until then."""
    while bench.lock.powered:
        bench.rounds(every_ms=500)
        assert bench.now_s() < 10000
    assert bench.of("report")[-1][:2] == ("off", "idle")
    return bench.now_s()


def test_a_crash_does_not_begin_the_idle_count_anew_though_the_sense_has_not_settled(bench):
    bench.order(1, "a")
    bench.rounds(5)
    bench.rounds(1, 250000)
    bench.boot()
    assert bench.lock.powered
    assert idle_at_s(bench) <= _IDLE_S + 6


def test_a_sense_that_never_settles_after_a_crash_ends_the_idle_count(bench):
    bench.order(1, "a")
    bench.rounds(5)
    bench.rounds(1, 250000)
    bench.boot()
    bench.relay.welding = lambda: None
    bench.rounds(5 * _IDLE_S)
    assert bench.lock.powered


def test_a_sense_that_falls_silent_ends_the_idle_count_at_once(bench):
    bench.order(1, "a")
    bench.rounds(10)
    due_s = bench.lock.next_s(bench.now_s())
    bench.relay.welding = lambda: None
    bench.rounds()
    assert bench.lock.next_s(bench.now_s()) > due_s


# ---- the contact


STEPS = st.lists(st.tuples(st.booleans(), st.one_of(st.integers(0, 60), st.sampled_from([0, 200, 700, 3000]))), max_size=30)


def pass_steps(bench, steps):
    for is_round, ms in steps:
        if is_round:
            bench.rounds(1, ms)
        else:
            bench.look(ms)


@settings(max_examples=100, deadline=None)
@given(STEPS, st.integers(0, _SLOWEST_MS), st.booleans())
def test_a_contact_that_follows_is_never_told_as_failed_or_stuck_however_the_loop_is_held(steps, slow_ms, is_on_at_last):
    with a_bench(switch_min_interval_s=0) as bench:
        bench.contactor.slow_ms = slow_ms
        bench.order(1, "a")
        pass_steps(bench, steps)
        if not is_on_at_last:
            bench.rounds(10)
            bench.order(0, "b")
            pass_steps(bench, steps)
        bench.rounds(10)
        assert bench.of("alarm") == []
        assert [answer[1] for answer in bench.of("answer")] == [200] * (1 if is_on_at_last else 2)


def test_looks_that_come_together_after_a_held_loop_are_no_failed_contact(bench):
    bench.order(1, "a")
    bench.rounds(1, 2000)
    bench.look(0)
    bench.look()
    bench.look()
    assert bench.of("alarm") == [] and bench.of("answer") == [("a", 200, "on")]


def test_a_loop_that_is_held_between_two_looks_is_no_failed_contact(bench):
    bench.contactor.slow_ms = 100
    bench.order(1, "a")
    for _ in range(4):
        bench.look()
    bench.look(2000)
    bench.look()
    bench.look()
    assert bench.of("alarm") == [] and bench.of("answer") == [("a", 200, "on")]


@pytest.mark.parametrize("step", [Bench.look, Bench.rounds], ids=["looked for", "without memory for the looks"])
def test_a_contact_that_does_not_follow_is_told_and_answered_in_bounded_time(bench, step):
    bench.contactor.slow_ms = None
    ordered_at = bench.ms
    bench.order(1, "a")
    while not bench.of("answer"):
        step(bench)
        assert bench.ms - ordered_at <= _TOLD_MS
    assert bench.of("answer") == [("a", 500, "contact_failed")]
    assert bench.of("alarm") == [("contact_failed", "start")]


def test_a_contact_that_sticks_is_told_in_bounded_time_and_the_stop_is_answered_at_once(bench):
    bench.order(1, "a")
    bench.rounds(10)
    bench.contactor.moves = bench.contactor.moves[-1:]
    bench.contactor.slow_ms = None
    ordered_at = bench.ms
    bench.order(0, "b")
    assert bench.of("answer")[-1] == ("b", 200, "off")
    while not bench.of("alarm"):
        bench.rounds()
        assert bench.ms - ordered_at <= _TOLD_MS
    assert bench.of("alarm") == [("contact_stuck", "start")]


def test_a_contact_that_fails_later_is_told_in_the_next_rounds(bench):
    bench.order(1, "a")
    bench.rounds(10)
    bench.contactor.moves = [(0, 0)]
    bench.rounds(3)
    assert bench.of("alarm") == [("contact_failed", "start")]
