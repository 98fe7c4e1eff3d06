"""What the interlock's tests share: histories of facts, played on both interpreters, and what they led to."""

from drivers import interlock as driver
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from terminal.limits import OUTAGE_CAUSES

RECORD = ["record"]
ON, OFF = ["relay", 1], ["relay", 0]
EMERGENCY_ON = [RECORD, ON, ["event", "on", "emergency", None, False], ["alarm", "emergency", "start"]]


def answer(request_id, code, text):
    return ["answer", request_id, code, text]


def event(phase, cause, job=None, estimated=False):
    return ["event", phase, cause, job, estimated]


def alarm(kind, phase):
    return ["alarm", kind, phase]


class After:
    """What a step led to, by name."""

    def __init__(self, row):
        (
            self.effects,
            self.state,
            self.powered,
            self.job,
            self.barred,
            self.refused,
            self.out,
            self.minutes,
            self.next_s,
        ) = row

    def __getattr__(self, name):  # phrases, answers, events, alarms
        return [effect for effect in self.effects if effect[0] == name]


def player(micropython):
    """Return play(*steps, causes=None, **settings) -> what the last step led to, all with every=True."""

    def play(*steps, causes=None, every=False, **changed):
        case = {"settings": changed, "causes": causes, "steps": [list(step) for step in steps]}
        seen = driver.run(case)
        assert micropython.call("interlock", case) == seen
        rows = [After(row) for row in seen]
        return rows if every else rows[-1]

    return play


def outage(at=0):
    """Steps to an EMERGENCY at second at + 600."""
    return [("tick", at), ("tick", at + 600)]


def handover(up_at=700):
    """Steps to a HANDOVER 30 s after up_at."""
    return [*outage(), ("session_up", up_at), ("tick", up_at + 30)]


def off_at(second):
    return [("command", second - 5, 1, "on", "J"), ("command", second, 0, "off")]


SECONDS = st.one_of(
    st.integers(0, 3),
    st.sampled_from([29, 30, 31, 59, 60, 120, 180, 540, 599, 600, 601, 900, 1800, 3600, 43200]),
)
JOBS = st.sampled_from([None, "J", "K", "焊" * 30])
IDS = st.sampled_from([None, "a", "b", "c", "d", "长号"])
AGES = st.sampled_from([None, None, 0, 120, 121, -300, -301])
SOURCES = st.sampled_from(["platform", "platform", "relayed", "service"])
CAUSES = st.sampled_from([*OUTAGE_CAUSES, "taken_over", "refused"])
THREE = st.sampled_from([True, False, None])
FACTS = st.one_of(
    st.tuples(st.just("command"), SECONDS, st.just(1), IDS, JOBS, AGES, SOURCES),
    st.tuples(st.just("command"), SECONDS, st.just(0), IDS, JOBS, AGES, SOURCES, st.booleans(), THREE),
    st.tuples(st.just("session_up"), SECONDS),
    st.tuples(st.just("session_down"), SECONDS, CAUSES),
    st.tuples(st.just("session_refused"), SECONDS),
    st.tuples(st.just("welding"), SECONDS, THREE),
    st.tuples(st.just("contact"), SECONDS, THREE),
    st.tuples(st.just("out_of_service"), SECONDS, st.booleans()),
    st.tuples(st.just("tick"), SECONDS),
)
REBOOTS = st.tuples(st.just("reboot"), st.sampled_from([None, 0, 5, 60, 61]), *[st.booleans()] * 4)
ANYTHING = st.lists(st.one_of(FACTS, FACTS, FACTS, FACTS, REBOOTS), max_size=25)
VALUES = st.fixed_dictionaries(
    {},
    optional={
        "fail_open_after_s": st.sampled_from([180, 600]),
        "link_stable_s": st.sampled_from([5, 30, 600]),
        "handover_idle_s": st.sampled_from([10, 120]),
        "handover_max_s": st.sampled_from([60, 900]),
        "idle_lock_s": st.sampled_from([0, 300, 1800]),
        "authorised_max_s": st.sampled_from([3600, 43200]),
        "emergency_max_s": st.sampled_from([3600, 43200]),
        "switch_min_interval_s": st.sampled_from([0, 2, 30]),
    },
)
RUNS = settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)


def absolute(history):
    """Turn the seconds since the step before into seconds since boot."""
    now_s, steps = 0, []
    for step in history:
        if step[0] == "reboot":
            now_s = 0
            steps.append(list(step))
        else:
            now_s += step[1]
            steps.append([step[0], now_s, *step[2:]])
    return steps
