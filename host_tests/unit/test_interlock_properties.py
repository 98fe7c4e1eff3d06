"""The interlock in any history: what must hold whatever happens."""

from drivers import interlock as driver
from hypothesis import example, given
from hypothesis import strategies as st

from host_tests.unit.interlock_histories import ANYTHING, FACTS, IDS, RUNS, THREE, VALUES, absolute
from terminal.interlock import Interlock


class Witness:
    """Plays a history and looks at the machine after each step."""

    def __init__(self, values):
        self.values = values
        self.level = None
        self.lock = Interlock(values)
        self.see(self.lock.boot(0))

    def play(self, steps):
        for step in steps:
            if step[0] == "reboot":
                before = self.lock.kept()
                self.lock, effects = driver._reboot({"settings": self.values}, self.lock, *step[1:])
                assert effects[0][0] == "relay"
                assert ("record",) in effects
            else:
                before = self.lock.kept()
                effects = getattr(self.lock, step[0])(*step[1:])
            assert self.lock.kept() == before or ("record",) in effects
            self.see(effects)

    def see(self, effects):
        lock = self.lock
        for effect in effects:
            if effect[0] == "relay":
                self.level = effect[1]
        assert bool(self.level) == lock.powered
        assert lock.state != "LOCKED" or not lock.powered
        assert lock.job is None or lock.state == "AUTHORISED"
        assert lock.next_s(lock.now) is None or lock.next_s(lock.now) > lock.now
        assert lock.tick(lock.now) == ()
        assert len(lock.kept()) <= 363
        assert len(lock.volatile(lock.now)) <= 102


@RUNS
@given(VALUES, ANYTHING)
@example({}, [("command", 0, 1, "a", "J"), ("reboot", 0, True, True, False), ("tick", 43200)])
@example(
    {"switch_min_interval_s": 30},
    [
        ("command", 0, 1, "a"),
        ("command", 1, 0, "b"),
        ("command", 1, 1, "c"),
        ("reboot", 0, True, True, False),
    ],
)
def test_any_history_runs_alike_on_both_interpreters(micropython, values, history):
    case = {"settings": values, "causes": None, "steps": absolute(history)}
    assert micropython.call("interlock", case) == driver.run(case)


@RUNS
@given(VALUES, ANYTHING)
def test_any_history_leaves_relay_state_records_and_timers_in_agreement(values, history):
    Witness(values).play(absolute(history))


@RUNS
@given(VALUES, st.lists(FACTS, max_size=12), IDS, st.booleans(), THREE)
def test_a_new_stop_unpowers_after_any_history(values, history, request_id, barred, out_of_service):
    lock = Interlock(values)
    lock.boot(0)
    steps = absolute(history)
    for step in steps:
        getattr(lock, step[0])(*step[1:])
    lock.tick(lock.now)
    effects = lock.command(lock.now, 0, "new" + str(request_id), None, 10**6, "platform", barred, out_of_service)
    answers = [effect for effect in effects if effect[0] == "answer"]
    assert answers[-1] == ("answer", "new" + str(request_id), 200, "off")
    if out_of_service is not False:
        assert effects[:2] == [("relay", 0), ("record",)]
        assert (lock.state, lock.powered, lock.job) == ("LOCKED", False, None)
        assert lock.barred or not barred


@RUNS
@given(VALUES, st.lists(FACTS, max_size=12), st.integers(0, 1500))
def test_one_long_tick_does_what_a_tick_every_second_does(values, history, span):
    lock, patient = Interlock(values), Interlock(values)
    lock.boot(0)
    patient.boot(0)
    for step in absolute(history):
        getattr(lock, step[0])(*step[1:])
        getattr(patient, step[0])(*step[1:])
    at_once = list(lock.tick(lock.now + span))
    one_by_one = []
    for now_s in range(patient.now, patient.now + span + 1):
        one_by_one += patient.tick(now_s)
    assert without_repeats(at_once) == without_repeats(one_by_one)
    assert lock.volatile(lock.now) == patient.volatile(lock.now)


def without_repeats(effects):
    """Two records in a row are one: a call needs to write it once."""
    return [effect for k, effect in enumerate(effects) if effect != ("record",) or effects[k - 1 : k] != [effect]]


@RUNS
@given(VALUES, st.lists(FACTS, max_size=20))
def test_powering_keeps_the_switching_interval_in_any_history(values, history):
    lock = Interlock(values)
    lock.boot(0)
    interval_s = values.get("switch_min_interval_s", 2)
    off_s = -interval_s
    for step in absolute(history):
        while lock.next_s(0) is not None and lock.next_s(0) < step[1]:
            off_s = watch_interval(lock, "tick", [lock.next_s(0)], off_s, interval_s)
        off_s = watch_interval(lock, "tick", [step[1]], off_s, interval_s)
        off_s = watch_interval(lock, step[0], step[1:], off_s, interval_s)


def watch_interval(lock, method, args, off_s, interval_s):
    was_powered = lock.powered
    levels = [effect[1] for effect in getattr(lock, method)(*args) if effect[0] == "relay"]
    if lock.powered and not was_powered:
        assert lock.now - off_s >= interval_s
    return lock.now if was_powered and 0 in levels else off_s


def quiet_s(lock):
    """Seconds without outage since the emergency began."""
    return lock._sum_s + (lock.now - lock._quiet_since if lock._outage_since is None else 0)


@RUNS
@given(VALUES, st.lists(FACTS, max_size=20), st.sampled_from([0, 7, 60]))
def test_a_reset_moves_no_bound_of_what_is_powered(values, history, elapsed_s):
    lock = Interlock(values)
    lock.boot(0)
    for step in absolute(history):
        getattr(lock, step[0])(*step[1:])
    again = Interlock(values)
    again.boot(0, lock.kept(), lock.volatile(lock.now), elapsed_s)
    if lock.state == "AUTHORISED":
        assert again.job == lock.job
        assert again._since == lock._since - lock.now - elapsed_s or again.state == "LOCKED"
    if lock.state in ("EMERGENCY", "HANDOVER") and again.state != "LOCKED":
        assert again._emergency_since == lock._emergency_since - lock.now - elapsed_s
        unseen_s = elapsed_s if lock.state == "HANDOVER" else 0
        assert quiet_s(again) == quiet_s(lock) + unseen_s
    if lock.state == "LOCKED":
        assert again.state == "LOCKED"
