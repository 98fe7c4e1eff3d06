"""What the relay's owner makes of its senses, round by round: before they have settled and after the loop was held."""

import types

import pytest

from terminal import guard
from terminal.guard import Guard
from terminal.interlock import Interlock
from terminal.relay import Relay, Sense

_ROUND_MS = 200
_LOOK_MS = 20
_IDLE_S = 300


class Pin:
    """A pin whose level is what `read` says; as an output it takes the level it is given."""

    def __init__(self, read):
        self.read = read
        self.level = 0

    def value(self):
        return self.read()

    def write(self, level):
        self.level = level


class Bench:
    """A guard with a real interlock, relay and senses, in a time of its own; rounds are made by hand.

    follows: the contact is where the relay is. is_welding, is_unknown: what the welding sense would say, and whether it says
    nothing.
    """

    def __init__(self, **settings):
        self.ms = 0
        self.follows = True
        self.contact_level = 0
        self.is_welding = False
        self.told = []
        self.settings = {"idle_lock_s": _IDLE_S, **settings}
        self.kept = types.SimpleNamespace(save=self._save)
        self._kept = self.saved = None

    def boot(self):
        """Power on, or come back after a crash with what the last life left."""
        self.lock = Interlock(self.settings)
        effects = self.lock.boot(self.now_s(), self._kept, self.saved, 0, False, not self.saved)
        coil = Pin(None)
        coil.write(int(self.lock.powered))
        self._coil = coil
        contact = Sense(Pin(lambda: coil.level if self.follows else self.contact_level), 1, self)
        self.relay = Relay(coil, 1, self.lock.powered, contact, Sense(Pin(lambda: int(self.is_welding)), 1, self))
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

    def order(self, action, name):
        self.guard.tell(self.lock.command, action, name)

    def of(self, kind):
        return [effect[1:] for effect in self.told if effect[0] == kind]


@pytest.fixture
def bench(monkeypatch):
    """A bench whose time is the guard's."""
    made = Bench()
    monkeypatch.setattr(guard, "time", made)
    monkeypatch.setattr(guard.asyncio, "create_task", lambda work: work.close())  # the looks are made by hand
    made.boot()
    return made


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
