"""The interlock against its oracle in long random histories, and the histories again on MicroPython.

Histories worth keeping stand in `vectors/interlock.json` with what the machine made of them; to write that file
anew from HISTORIES: `python -m host_tests.unit.test_interlock_against_oracle`.
"""

import json
import pathlib
import sys

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from host_tests.unit import interlock_rules as rules
from host_tests.unit import replay

sys.path[:0] = [str(replay.ROOT / "host_tests" / "cpython"), str(replay.FIRMWARE), str(replay.UNIT)]

from drivers import interlock as driver  # noqa: E402

from host_tests.unit.interlock_lockstep import CAUSES, DEFAULTS, SMALLEST, Pair, lives  # noqa: E402
from host_tests.unit.interlock_oracle import Oracle  # noqa: E402
from terminal import limits  # noqa: E402

VECTORS = pathlib.Path(__file__).parent / "vectors" / "interlock.json"
RUNS = settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)


def _values(row):
    name, default, low, high = row
    lowest = st.sampled_from([0, low]) if name == "idle_lock_s" else st.just(low)
    return st.one_of(st.just(default), lowest, st.just(high), st.integers(low, high))


SETTINGS = st.one_of(
    st.just(DEFAULTS),
    st.just(SMALLEST),
    st.fixed_dictionaries({row[0]: _values(row) for row in rules.SETTINGS}),
)
COUNTING = st.one_of(st.just(CAUSES), st.lists(st.sampled_from([*CAUSES, "refused", "taken_over"])).map(tuple))
IDS = st.one_of(st.none(), st.sampled_from("abcdef"), st.sampled_from(["一个很长的编号" * 9, ""]))
JOBS = st.sampled_from([None, "A", "A", "B", "作业" * 10])
ORDERS = st.one_of(
    st.fixed_dictionaries(
        {"action": st.just(1), "request_id": IDS, "job": JOBS},
        optional={
            "age_s": st.sampled_from([None, 0, 20, 21, 120, 121, 3600, 3601, -300, -301]),
            "source": st.sampled_from(["platform", "relayed", "service"]),
        },
    ),
    st.fixed_dictionaries(
        {"action": st.just(0), "request_id": IDS},
        optional={
            "job": JOBS,
            "age_s": st.sampled_from([None, 10**6, -(10**6)]),
            "source": st.sampled_from(["platform", "relayed", "service"]),
            "barred": st.booleans(),
            "out_of_service": st.sampled_from([None, True, False]),
        },
    ),
)
THREE = st.sampled_from([True, False, None])
DOWN = st.sampled_from([*CAUSES, "taken_over", "refused", "a cause of tomorrow"])
FACTS = st.one_of(
    st.tuples(st.just("command"), ORDERS),
    st.tuples(st.just("session_up"), st.just({})),
    st.tuples(st.just("session_down"), st.fixed_dictionaries({"cause": DOWN})),
    st.tuples(st.just("session_refused"), st.just({})),
    st.tuples(st.just("welding"), st.fixed_dictionaries({"value": THREE})),
    st.tuples(st.just("contact"), st.fixed_dictionaries({"value": THREE})),
    st.tuples(st.just("out_of_service"), st.fixed_dictionaries({"flag": st.booleans()})),
)
TIMES = st.tuples(st.just("after"), st.sampled_from([1, 2, 4, 5, 29, 31, 61, 600, 3600, 20000, 100000, -3]))
UNTIL = st.tuples(st.just("next"), st.sampled_from([0, 0, 0, 1]))
BOOTS = st.tuples(
    st.just("boot"),
    st.fixed_dictionaries(
        {"volatile": st.sampled_from(["none", "now", "now", "saved"])},
        optional={
            "elapsed_s": st.sampled_from([0, 0, 1, 10, 11, 60, 61, 600, -1]),
            "firmware_failed": st.booleans(),
            "is_power_on": st.booleans(),
        },
    ),
)
LATE = st.tuples(st.sampled_from([0, 0, 0, 1, 5, 29, 60, 200, 3600, 90000]), FACTS).map(
    lambda late: (late[1][0], {"after_s": late[0], **late[1][1]})
)
STEPS = st.one_of(LATE, LATE, LATE, UNTIL, UNTIL, TIMES, BOOTS)


def play(steps, values=SMALLEST, causes=CAUSES):
    """Lead a machine and its oracle through steps; raise where they part. Returns the pair."""
    pair = Pair(values, causes=tuple(causes)).boot()
    for name, what in steps:
        if name == "after":
            pair.step("tick", what)
        elif name == "next":
            pair.tick_to_next(what)
        elif name == "boot":
            pair.boot(**what)
        else:
            pair.step(name, **what)
    pair.check_bounded_end()
    return pair


@RUNS
@given(SETTINGS, COUNTING, st.lists(STEPS, max_size=60))
def test_any_long_history_does_what_the_oracle_says_on_both_interpreters(micropython, values, causes, steps):
    for case in lives(play(steps, values, causes)):
        assert micropython.call("interlock", case) == driver.run(case)


def test_the_settings_have_the_defaults_and_the_ranges_they_should():
    assert limits.SETTINGS == rules.SETTINGS
    assert limits.MAY_BE_OFF == ("idle_lock_s",)


MANY_IDS = st.integers(0, 45).map("order {}".format)
MANY_ORDERS = st.lists(st.tuples(st.integers(0, 1), MANY_IDS, st.booleans()), min_size=60, max_size=150)


@RUNS
@given(MANY_ORDERS)
def test_the_last_32_orders_are_known_again_and_no_others(orders):
    steps = []
    for action, request_id, then_cut in orders:
        steps.append(("command", {"action": action, "request_id": request_id, "age_s": 10}))
        if then_cut and action:
            steps.append(("boot", {"volatile": "none"}))
    play(steps, {**DEFAULTS, "switch_min_interval_s": 0})


@RUNS
@given(st.lists(st.one_of(FACTS, FACTS, UNTIL, st.tuples(st.just("after"), st.integers(1, 400))), max_size=25))
def test_the_oracle_does_from_deadline_to_deadline_what_it_does_second_by_second(steps):
    quick, patient = Oracle(SMALLEST, CAUSES), Oracle(SMALLEST, CAUSES)
    patient.every_second = True
    now_s = 0
    assert quick.boot(now_s) == patient.boot(now_s)
    for name, what in steps:
        if name == "next":
            now_s = (quick.next_s(now_s) or now_s + 100) - what
        elif name == "after":
            now_s += what
        told = ("tick", {}) if name in ("next", "after") else (name, what)
        assert getattr(quick, told[0])(now_s, **told[1]) == getattr(patient, told[0])(now_s, **told[1])


def test_the_doubled_wait_stays_at_four_hours_over_three_hundred_emergencies():
    pair = Pair(SMALLEST).boot()
    while pair.oracle.ended_by_max < 300:
        pair.tick_to_next()
        pair.way = ()
    pair.boot("none")
    assert pair.machine.minutes_to_emergency(pair.now_s) == 240


def order(action, request_id=None, **more):
    return ("command", {"action": action, "request_id": request_id, **more})


def down(cause):
    return ("session_down", {"cause": cause})


def weld(value):
    return ("welding", {"value": value})


def after(seconds):
    return ("after", seconds)


def again(volatile="none", elapsed_s=None, **more):
    return ("boot", {"volatile": volatile, "elapsed_s": elapsed_s, **more})


UP, REFUSED, NEXT = ("session_up", {}), ("session_refused", {}), ("next", 0)
SLOW = {**SMALLEST, "switch_min_interval_s": 30}

# name of the history: (settings, causes, steps); each once parted the machine from its oracle, or well might
HISTORIES = {
    "a ban holds though its order also clears out of service": (
        SMALLEST,
        CAUSES,
        [order(0, "a", out_of_service=True), after(1000), order(0, "b", barred=True, out_of_service=False), NEXT, NEXT],
    ),
    "an old clearing heard again does not undo a newer out of service": (
        SMALLEST,
        CAUSES,
        [
            order(0, "a", out_of_service=False),
            order(0, "b", out_of_service=True),
            order(0, "a", out_of_service=False),
            order(1, "c"),
        ],
    ),
    "an overtaken 0 heard again does not stop, across a power cut and a resume": (
        SMALLEST,
        CAUSES,
        [order(0, "a"), order(1, "b", job="A"), order(0, "a"), again("now", 5), order(0, "a"), order(0, "c"), order(0, "a")],
    ),
    "a 1 with the id of the 0 before it does not overtake that 0": (
        SMALLEST,
        CAUSES,
        [order(0, "a"), order(1, "a", job="A"), order(0, "a"), order(1, "a", job="A")],
    ),
    "a full sum ends the hand-over as it begins": (
        SMALLEST,
        CAUSES,
        [NEXT, NEXT, *[step for _ in range(16) for step in (UP, after(4), down("no_signal"), after(1))], UP, NEXT, NEXT],
    ),
    "the emergency's maximum waits out the hand-over and not a second more": (
        SMALLEST,
        CAUSES,
        [NEXT, NEXT, after(3590), UP, after(5), after(10), down("no_route"), NEXT],
    ),
    "a refusal in an emergency, a reset, and the sum goes on": (
        SMALLEST,
        CAUSES,
        [NEXT, NEXT, REFUSED, after(20), again("now", 10), down("no_signal"), NEXT, NEXT, NEXT],
    ),
    "refused outlives the power cut and wrapping the antenna opens nothing": (
        SMALLEST,
        CAUSES,
        [UP, after(10), REFUSED, again(), down("no_signal"), after(100000), UP, after(1), down("no_signal"), NEXT, NEXT],
    ),
    "nine wait, the ninth is busy, a stop cancels the eight": (
        SLOW,
        CAUSES,
        [order(1, "a"), order(0, "b"), *[order(1, "w%d" % k) for k in range(9)], after(29), order(0, "c"), order(1, "w0")],
    ),
    "a resume powers at once what was waiting for the interval": (
        SLOW,
        CAUSES,
        [order(1, "a", job="A"), order(0, "b"), order(1, "c", job="A"), again("now", 1), order(0, "d"), order(1, "e"), NEXT],
    ),
    "a fourth resume in ten minutes locks, the ages counted through the resets": (
        SMALLEST,
        CAUSES,
        [
            order(1, "a", job="A"),
            *[again("now", 10)] * 4,
            order(1, "b", job="A"),
            again("now", 0),
            after(590),
            again("now", 10),
        ],
    ),
    "three resumes stand in the way of a fourth until the first is ten minutes old": (
        SMALLEST,
        CAUSES,
        [order(1, "a", job="A"), *[again("now", 0)] * 3, after(590), again("now", 10), UP, again("now", 9), order(1, "b")]
        + [again("now", 0), again("now", 0), after(599), again("now", 0)],
    ),
    "a pulled SIM waits fourfold, doubled or not, and is tamper until a session": (
        SMALLEST,
        CAUSES,
        [UP, down("sim_pulled"), NEXT, NEXT, NEXT, NEXT, down("no_sim"), NEXT, UP, after(5), down("sim_pulled"), NEXT, NEXT],
    ),
    "unknown welding breaks both idle counts": (
        SMALLEST,
        CAUSES,
        [order(1, "a"), weld(False), after(299), weld(None), weld(False), NEXT, NEXT, NEXT, NEXT, weld(None), UP, after(9)],
    ),
    "failed firmware: neither a session nor a refusal ends its emergency": (
        SMALLEST,
        CAUSES,
        [again(firmware_failed=True), UP, NEXT, NEXT, REFUSED, after(100), UP, NEXT, NEXT, NEXT],
    ),
    "only one cause counts, and a reset starts the link's run anew": (
        SMALLEST,
        ("no_signal",),
        [
            down("no_signal"),
            NEXT,
            NEXT,
            down("taken_over"),
            after(3),
            again("now", 0),
            again("now", 0),
            NEXT,
            down("no_signal"),
            NEXT,
        ],
    ),
    "one long tick: two emergencies and the locks between them": (SMALLEST, CAUSES, [after(9000), UP, after(100)]),
}


@pytest.mark.parametrize("name", HISTORIES)
def test_a_history_worth_keeping_does_what_the_oracle_says(name):
    values, causes, steps = HISTORIES[name]
    play(steps, values, causes)


@pytest.mark.parametrize("vector", json.loads(VECTORS.read_text()) if VECTORS.exists() else [], ids=lambda vector: vector["name"])
def test_a_kept_history_ends_as_it_did_on_both_interpreters(micropython, vector):
    for life in vector["lives"]:
        case = {"settings": vector["settings"], "causes": vector["causes"], "steps": life["steps"]}
        assert driver.run(case) == life["seen"]
        assert micropython.call("interlock", case) == life["seen"]


def test_every_history_worth_keeping_is_kept():
    assert [vector["name"] for vector in json.loads(VECTORS.read_text())] == list(HISTORIES)


def write_vectors():
    """Play HISTORIES against the oracle and keep them with what they led to."""
    vectors = []
    for name, (values, causes, steps) in HISTORIES.items():
        cases = lives(play(steps, values, causes))
        kept = [{"steps": case["steps"], "seen": driver.run(case)} for case in cases]
        vectors.append({"name": name, "settings": values, "causes": list(causes), "lives": kept})
    VECTORS.parent.mkdir(exist_ok=True)
    VECTORS.write_text("[\n" + ",\n".join(json.dumps(vector, ensure_ascii=False) for vector in vectors) + "\n]\n")


if __name__ == "__main__":
    write_vectors()
