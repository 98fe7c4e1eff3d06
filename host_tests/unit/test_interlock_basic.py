"""The interlock, one rule a test: each history runs on CPython and again on MicroPython, and must give the same."""

import pytest
from drivers import interlock as driver
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from terminal.interlock import MAY_BE_OFF, OUTAGE_CAUSES, SETTINGS, Interlock
from terminal.timetable import CHANGES

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


@pytest.fixture
def play(micropython):
    """play(*steps, causes=None, **settings) -> what the last step led to; every=True gives all of them."""

    def run(*steps, causes=None, every=False, **changed):
        case = {"settings": changed, "causes": causes, "steps": [list(step) for step in steps]}
        seen = driver.run(case)
        assert micropython.call("interlock", case) == seen
        rows = [After(row) for row in seen]
        return rows if every else rows[-1]

    return run


def outage(at=0):
    """Steps to an EMERGENCY at second at + 600."""
    return [("tick", at), ("tick", at + 600)]


def handover(up_at=700):
    """Steps to a HANDOVER 30 s after up_at."""
    return [*outage(), ("session_up", up_at), ("tick", up_at + 30)]


# ---- boot


def test_boot_without_a_record_is_locked_and_unpowered(play):
    after = play(("boot", 0))
    assert after.effects == [OFF, RECORD]
    assert (after.state, after.powered, after.job) == ("LOCKED", False, None)


def test_the_table_of_settings_is_the_architectures():
    assert {row[0]: row[1:] for row in SETTINGS} == {
        "fail_open_after_s": (600, 180, 86400),
        "link_stable_s": (30, 5, 600),
        "handover_idle_s": (120, 10, 3600),
        "handover_max_s": (900, 60, 7200),
        "idle_lock_s": (1800, 300, 14400),
        "authorised_max_s": (43200, 3600, 86400),
        "emergency_max_s": (43200, 3600, 86400),
        "resume_within_s": (60, 0, 600),
        "command_max_age_s": (120, 20, 3600),
        "switch_min_interval_s": (2, 0, 30),
    }
    assert MAY_BE_OFF == ("idle_lock_s",)


# ---- LOCKED


def test_a_1_powers_in_the_order_record_relay_event_answer(play):
    after = play(("command", 5, 1, "a", "J"))
    assert after.effects == [RECORD, ON, event("on", "order", "J"), answer("a", 200, "on")]
    assert (after.state, after.powered, after.job) == ("AUTHORISED", True, "J")


def test_no_session_for_the_wait_powers_in_an_emergency(play):
    before, after = play(("tick", 599), ("tick", 600), every=True)
    assert before.state == "LOCKED"
    assert after.effects == EMERGENCY_ON
    assert (after.state, after.powered, after.job) == ("EMERGENCY", True, None)


@pytest.mark.parametrize(
    ("steps", "due"),
    [
        ([], 600),  # the outage has run since boot
        ([("session_up", 50), ("session_down", 100, "no_signal")], 700),  # it began later
        ([("command", 100, 1, "a"), ("command", 200, 0, "b")], 800),  # LOCKED was entered later
        ([("command", 300, 0, "b")], 900),  # a stop while LOCKED was obeyed later
        ([("session_down", 300, "no_sim")], 600),  # one counting cause after the other is one outage
        ([("session_down", 200, "taken_over"), ("session_down", 300, "no_sim")], 900),  # a break
    ],
)
def test_the_wait_starts_at_the_latest_of_outage_lock_boot_and_obeyed_order(play, steps, due):
    rows = play(*steps, ("tick", due - 1), ("tick", due), every=True)
    assert rows[-2].state == "LOCKED"
    assert rows[-1].state == "EMERGENCY"


@pytest.mark.parametrize(
    "step",
    [
        ("command", 1, 0, "a", None, None, "platform", True),
        ("session_refused", 1),
        ("out_of_service", 1, True),
        ("command", 1, 0, "a", None, None, "platform", False, True),
    ],
)
def test_a_ban_a_refusal_and_out_of_service_shut_fail_open(play, step):
    after = play(step, ("session_down", 2, "no_signal"), ("tick", 1000000))
    assert (after.state, after.powered, after.minutes) == ("LOCKED", False, None)


def test_other_facts_leave_locked_as_it_is(play):
    for step in (("session_up", 9), ("welding", 9, True), ("contact", 9, True), ("session_refused", 9)):
        assert play(step).state == "LOCKED"


def test_the_minutes_until_emergency_are_rounded_up(play):
    rows = play(("tick", 0), ("tick", 59), ("tick", 60), ("tick", 599), ("tick", 600), every=True)
    assert [row.minutes for row in rows] == [10, 10, 9, 1, None]
    assert play(("session_up", 1)).minutes is None


# ---- AUTHORISED


def test_a_0_unpowers_in_the_order_relay_record_event_answer(play):
    after = play(("command", 5, 1, "a", "J"), ("command", 9, 0, "b"))
    assert after.effects == [OFF, RECORD, event("off", "order", "J"), answer("b", 200, "off")]
    assert (after.state, after.powered, after.job) == ("LOCKED", False, None)


@pytest.mark.parametrize(
    ("first", "second", "kept"), [("J", "J", "J"), ("J", None, "J"), (None, "K", "K"), (None, None, None)]
)
def test_a_1_for_the_same_job_or_without_one_stays_on(play, first, second, kept):
    after = play(("command", 5, 1, "a", first), ("command", 9, 1, "b", second))
    assert after.effects == [RECORD, answer("b", 200, "on")]
    assert (after.state, after.job) == ("AUTHORISED", kept)


def test_a_1_for_another_job_is_busy(play):
    after = play(("command", 5, 1, "a", "J"), ("command", 9, 1, "b", "K"))
    assert after.effects == [RECORD, answer("b", 500, "busy")]
    assert after.job == "J"


def test_a_further_1_restarts_no_timer(play):
    after = play(("command", 0, 1, "a"), ("command", 100, 1, "b"))
    assert play(("command", 0, 1, "a"), ("tick", 100)).next_s == after.next_s == 43140


def test_not_welding_for_long_locks_where_it_is_sensed(play):
    steps = [("command", 0, 1, "a", "J"), ("welding", 100, False)]
    after = play(*steps, ("tick", 1899), ("tick", 1900))
    assert after.effects == [OFF, RECORD, event("off", "idle", "J")]
    assert play(("command", 0, 1, "a"), ("tick", 43199)).state == "AUTHORISED"


@pytest.mark.parametrize("value", [True, None])
def test_welding_and_not_knowing_both_begin_the_idle_time_again(play, value):
    steps = [("command", 0, 1, "a"), ("welding", 0, False), ("welding", 1000, value)]
    assert play(*steps, ("tick", 9000)).state == "AUTHORISED"
    rows = play(*steps, ("welding", 1100, False), ("tick", 2899), ("tick", 2900), every=True)
    assert [row.state for row in rows[-2:]] == ["AUTHORISED", "LOCKED"]


def test_idle_from_before_the_order_does_not_count(play):
    rows = play(("welding", 0, False), ("command", 500, 1, "a"), ("tick", 2299), ("tick", 2300), every=True)
    assert [row.state for row in rows[-2:]] == ["AUTHORISED", "LOCKED"]


def test_an_idle_lock_of_0_is_off(play):
    after = play(("command", 0, 1, "a"), ("welding", 0, False), ("tick", 43199), idle_lock_s=0)
    assert after.state == "AUTHORISED"


def test_the_longest_authorisation_ends(play):
    after = play(("command", 0, 1, "a", "J"), ("tick", 43199), ("tick", 43200))
    assert after.effects == [OFF, RECORD, event("off", "authorised_max", "J")]


def test_the_longest_authorisation_goes_before_idle_at_the_same_second(play):
    after = play(
        ("command", 0, 1, "a"),
        ("welding", 1800, False),
        ("tick", 3600),
        authorised_max_s=3600,
        idle_lock_s=1800,
    )
    assert after.event == [event("off", "authorised_max")]


@pytest.mark.parametrize(
    "step",
    [
        ("session_down", 9, "no_sim"),
        ("session_refused", 9),
        ("out_of_service", 9, True),
        ("contact", 9, False),
    ],
)
def test_nothing_else_unpowers_an_authorised_welder(play, step):
    assert play(("session_up", 0), ("command", 1, 1, "a"), step, ("tick", 43000)).powered


# ---- EMERGENCY


def test_a_1_takes_an_emergency_over_without_moving_the_relay(play):
    after = play(*outage(), ("command", 700, 1, "a", "J"))
    assert after.effects == [
        RECORD,
        event("on", "order", "J"),
        alarm("emergency", "end"),
        answer("a", 200, "on"),
    ]
    assert (after.state, after.powered) == ("AUTHORISED", True)


def test_a_0_ends_an_emergency(play):
    after = play(*outage(), ("command", 700, 0, "a"))
    assert after.effects == [
        OFF,
        RECORD,
        event("off", "order"),
        alarm("emergency", "end"),
        answer("a", 200, "off"),
    ]


def test_a_session_hands_over_only_when_it_is_stable(play):
    rows = play(*outage(), ("session_up", 700), ("tick", 729), ("tick", 730), every=True)
    assert [row.state for row in rows[-2:]] == ["EMERGENCY", "HANDOVER"]
    assert rows[-1].effects == [RECORD]
    flapping = [("session_up", 700), ("session_down", 720, "no_signal"), ("session_up", 725)]
    rows = play(*outage(), *flapping, ("tick", 754), ("tick", 755), every=True)
    assert [row.state for row in rows[-2:]] == ["EMERGENCY", "HANDOVER"]


def test_a_refusal_hands_over_at_once(play):
    after = play(*outage(), ("session_refused", 700))
    assert after.effects == [RECORD]
    assert (after.state, after.powered) == ("HANDOVER", True)


def test_a_cause_that_does_not_count_hands_over_as_a_session_does(play):
    rows = play(*outage(), ("session_down", 700, "taken_over"), ("tick", 729), ("tick", 730), every=True)
    assert [row.state for row in rows[-2:]] == ["EMERGENCY", "HANDOVER"]


def test_an_emergency_is_bounded(play):
    rows = play(*outage(), ("tick", 43799), ("tick", 43800), every=True)
    assert rows[-2].powered
    assert rows[-1].effects == [OFF, RECORD, event("off", "emergency_max"), alarm("emergency", "end")]


def test_the_bound_counts_from_the_first_entry_and_holds_only_in_emergency(play):
    steps = [*handover(), ("session_down", 740, "no_signal"), ("tick", 4199), ("tick", 4200)]
    assert [row.state for row in play(*steps, every=True, emergency_max_s=3600)[-2:]] == [
        "EMERGENCY",
        "LOCKED",
    ]
    steps = [*outage(), ("session_up", 4100), ("tick", 4500)]
    assert play(*steps, emergency_max_s=3600).state == "HANDOVER"
    after = play(*steps, ("session_down", 4600, "no_signal"), emergency_max_s=3600)
    assert (after.state, after.event) == ("LOCKED", [event("off", "emergency_max")])


def test_the_bound_goes_before_the_hand_over_at_the_same_second(play):
    after = play(*outage(), ("session_up", 4170), ("tick", 4200), emergency_max_s=3600)
    assert (after.state, after.event) == ("LOCKED", [event("off", "emergency_max")])


# ---- HANDOVER


def test_orders_in_a_hand_over_do_what_they_do_in_an_emergency(play):
    after = play(*handover(), ("command", 800, 1, "a", "J"))
    assert after.effects == [
        RECORD,
        event("on", "order", "J"),
        alarm("emergency", "end"),
        answer("a", 200, "on"),
    ]
    after = play(*handover(), ("command", 800, 0, "a"))
    assert after.effects == [
        OFF,
        RECORD,
        event("off", "order"),
        alarm("emergency", "end"),
        answer("a", 200, "off"),
    ]


def test_not_welding_ends_a_hand_over(play):
    rows = play(*handover(), ("welding", 740, False), ("tick", 859), ("tick", 860), every=True)
    assert rows[-2].powered
    assert rows[-1].effects == [OFF, RECORD, event("off", "emergency_end"), alarm("emergency", "end")]


def test_not_welding_from_before_the_hand_over_does_not_count(play):
    rows = play(("welding", 0, False), *handover(), ("tick", 849), ("tick", 850), every=True)
    assert [row.state for row in rows[-2:]] == ["HANDOVER", "LOCKED"]


@pytest.mark.parametrize("value", [True, None])
def test_only_an_unbroken_rest_ends_a_hand_over(play, value):
    steps = [*handover(), ("welding", 740, False), ("welding", 800, value), ("welding", 810, False)]
    rows = play(*steps, ("tick", 929), ("tick", 930), every=True)
    assert [row.state for row in rows[-2:]] == ["HANDOVER", "LOCKED"]


def test_a_hand_over_ends_even_while_welding(play):
    rows = play(*handover(), ("welding", 740, True), ("tick", 1599), ("tick", 1600), every=True)
    assert rows[-2].powered
    assert rows[-1].effects == [OFF, RECORD, event("off", "handover_end"), alarm("emergency", "end")]


def test_the_session_time_is_summed_over_all_flaps(play):
    steps = [*handover(), ("session_down", 1000, "no_signal"), ("session_up", 2000)]  # 300 s so far
    rows = play(*steps, ("tick", 2599), ("tick", 2600), every=True)
    assert [row.state for row in rows[-2:]] == ["HANDOVER", "LOCKED"]
    assert rows[-1].event == [event("off", "handover_end")]


def test_flaps_too_short_for_a_hand_over_count_too(play):
    flaps = []
    for k in range(9):
        flaps += [("session_up", 1000 + 40 * k), ("session_down", 1029 + 40 * k, "no_signal")]  # 9 times 29 s
    rows = play(*outage(), *flaps, ("session_up", 2000), ("tick", 2638), ("tick", 2639), every=True)
    assert [row.state for row in rows[-2:]] == ["HANDOVER", "LOCKED"]


def test_a_full_sum_is_acted_on_when_the_hand_over_begins(play):
    after = play(*outage(), ("session_up", 700), ("tick", 730), handover_max_s=60, link_stable_s=300)
    assert after.state == "EMERGENCY"
    after = play(*outage(), ("session_up", 700), ("tick", 1000), handover_max_s=60, link_stable_s=300)
    assert (after.state, after.event) == ("LOCKED", [event("off", "handover_end")])


def test_an_outage_again_is_an_emergency_again_at_once_and_keeps_its_start(play):
    after = play(*handover(), ("session_down", 800, "no_signal"))
    assert after.effects == [RECORD]
    assert after.state == "EMERGENCY"
    assert after.next_s == 600 + 43200 - 60


def test_a_cause_that_does_not_count_leaves_a_hand_over(play):
    assert play(*handover(), ("session_down", 800, "taken_over")).state == "HANDOVER"
    assert play(*handover(), ("session_refused", 800)).state == "HANDOVER"


def test_a_refusal_ends_the_hand_over_like_a_session(play):
    rows = play(
        *outage(),
        ("session_refused", 700),
        ("session_down", 800, "no_sim"),
        ("tick", 1599),
        ("tick", 1600),
        every=True,
    )
    assert [row.state for row in rows[-2:]] == ["HANDOVER", "LOCKED"]


def test_the_end_of_the_sum_goes_before_the_rest_at_the_same_second(play):
    after = play(*handover(), ("welding", 1480, False), ("tick", 1600))
    assert after.event == [event("off", "handover_end")]


def test_after_an_emergency_that_was_handed_over_the_wait_is_not_doubled(play):
    steps = [*handover(), ("tick", 1600), ("session_down", 2000, "no_signal")]
    assert play(*steps, ("tick", 2599)).state == "LOCKED"
    assert play(*steps, ("tick", 2600)).state == "EMERGENCY"


# ---- outages


@pytest.mark.parametrize("cause", OUTAGE_CAUSES)
def test_every_cause_is_an_outage_unless_configured_away(play, cause):
    steps = [("session_up", 0), ("session_down", 100, cause), ("tick", 5000)]
    assert play(*steps).state == "EMERGENCY"
    others = [name for name in OUTAGE_CAUSES if name != cause]
    assert play(*steps, causes=others).state == "LOCKED"


@pytest.mark.parametrize("cause", ["refused", "taken_over"])
def test_a_verdict_and_a_stolen_identity_are_no_outage_even_if_configured(play, cause):
    steps = [("session_down", 0, cause), ("tick", 100000)]
    assert play(*steps, causes=[*OUTAGE_CAUSES, cause]).state == "LOCKED"


def test_a_refusal_outlasts_a_power_cut_until_a_session_is_accepted(play):
    steps = [("session_refused", 5), ("reboot", None, False, True), ("session_down", 10, "no_signal")]
    after = play(*steps, ("tick", 100000))
    assert (after.state, after.refused) == ("LOCKED", True)
    after = play(*steps, ("session_up", 20))
    assert (after.effects, after.refused) == ([RECORD], False)
    assert (
        play(*steps, ("session_up", 20), ("session_down", 30, "no_signal"), ("tick", 630)).state
        == "EMERGENCY"
    )


def test_a_pulled_sim_is_a_tamper_alarm_and_waits_four_times_as_long(play):
    rows = play(
        ("session_up", 0),
        ("session_down", 100, "sim_pulled"),
        ("tick", 2499),
        ("tick", 2500),
        ("session_up", 2600),
        every=True,
    )
    assert rows[1].effects == [alarm("tamper", "start")]
    assert [row.state for row in rows[2:4]] == ["LOCKED", "EMERGENCY"]
    assert alarm("tamper", "end") in rows[4].effects


def waits_for_emergencies(count, **changed):
    """The waits between the end of an emergency and the next one, from the effects of ticks at next_s."""
    lock = Interlock(changed)
    lock.boot(0)
    waits, ended = [], 0
    while len(waits) < count:
        now_s = lock.next_s(lock.now)
        for effect in lock.tick(now_s):
            if effect[0] == "event" and effect[1] == "off":
                ended = now_s
            elif effect[0] == "event":
                waits.append(now_s - ended)
    return waits


def test_the_wait_doubles_after_each_bounded_emergency_up_to_four_hours():
    assert waits_for_emergencies(7) == [600, 1200, 2400, 4800, 9600, 14400, 14400]
    assert waits_for_emergencies(3, fail_open_after_s=20000) == [20000, 20000, 20000]


def test_the_doubling_survives_a_power_cut_and_ends_with_a_stable_session(play):
    ended = [*outage(), ("tick", 43800)]
    cut = [*ended, ("reboot", None, False, True)]
    assert [row.state for row in play(*cut, ("tick", 1199), ("tick", 1200), every=True)[-2:]] == [
        "LOCKED",
        "EMERGENCY",
    ]
    short = [*cut, ("session_up", 0), ("session_down", 29, "no_signal"), ("tick", 1228)]
    assert play(*short).state == "LOCKED"
    stable = [*cut, ("session_up", 0), ("tick", 30), ("session_down", 31, "no_signal"), ("tick", 631)]
    rows = play(*stable, every=True)
    assert rows[-3].effects == [RECORD]
    assert rows[-1].state == "EMERGENCY"


# ---- orders


def test_a_ban_stays_over_power_cuts_until_a_1(play):
    banned = [("command", 5, 0, "a", None, None, "platform", True), ("reboot", None, False, True)]
    assert play(*banned).barred
    assert play(*banned, ("command", 5, 0, "b")).barred
    assert not play(*banned, ("command", 5, 1, "c")).barred


def test_an_order_that_is_not_obeyed_leaves_the_ban_and_the_wait(play):
    banned = [("command", 5, 0, "a", None, None, "platform", True)]
    assert play(*banned, ("command", 6, 1, "c", None, 999)).barred
    assert play(("command", 500, 1, "a", None, 999), ("tick", 600)).state == "EMERGENCY"


@pytest.mark.parametrize(
    ("source", "barred", "cause"),
    [
        ("platform", False, "order"),
        ("relayed", False, "order"),
        ("platform", True, "barred"),
        ("service", False, "service"),
        ("service", True, "service"),
    ],
)
def test_the_cause_of_a_stop_is_told(play, source, barred, cause):
    after = play(("command", 0, 1, "a", "J"), ("command", 9, 0, "b", None, None, source, barred))
    assert after.event == [event("off", cause, "J")]


def test_a_stop_is_obeyed_whatever_its_age_clock_job_or_interval(play):
    for age_s in (None, -100000, 0, 100000):
        after = play(("command", 0, 1, "a", "J"), ("command", 0, 0, "b", "K", age_s))
        assert after.effects == [OFF, RECORD, event("off", "order", "J"), answer("b", 200, "off")]


def test_a_stop_moves_the_relay_even_when_it_is_off(play):
    assert play(("command", 5, 0, "b")).effects == [OFF, RECORD, answer("b", 200, "off")]


@pytest.mark.parametrize(
    ("age_s", "text"),
    [(None, "on"), (0, "on"), (120, "on"), (121, "stale"), (-300, "on"), (-301, "future")],
)
def test_a_1_is_obeyed_within_its_age_or_while_the_clock_is_unknown(play, age_s, text):
    assert play(("command", 5, 1, "a", None, age_s)).answer == [
        answer("a", 200 if text == "on" else 500, text)
    ]


def test_service_may_stop_but_not_power(play):
    after = play(("command", 5, 1, "a", None, None, "service"))
    assert (after.effects, after.powered) == ([RECORD, answer("a", 500, "service")], False)


def test_the_checks_of_a_1_go_from_source_over_service_to_age(play):
    out = ("out_of_service", 0, True)
    assert play(out, ("command", 1, 1, "a", None, 999, "service")).answer[0][3] == "service"
    assert play(out, ("command", 1, 1, "a", None, 999)).answer[0][3] == "out_of_service"
    busy = ("command", 0, 1, "a", "J")
    assert play(busy, ("command", 1, 1, "b", "K", 999)).answer[0][3] == "stale"


def test_out_of_service_stops_and_answers_a_1_until_it_is_cleared(play):
    ordered = [("command", 0, 1, "a", "J"), ("command", 9, 0, "b", None, None, "platform", False, True)]
    rows = play(*ordered, ("command", 20, 1, "c"), every=True)
    assert rows[1].effects == [OFF, RECORD, event("off", "order", "J"), answer("b", 200, "off")]
    assert rows[2].effects == [RECORD, answer("c", 500, "out_of_service")]
    cleared = [*ordered, ("command", 30, 0, "d", None, None, "platform", False, False)]
    after = play(*cleared)
    assert (after.effects, after.out) == ([RECORD, answer("d", 200, "off")], False)
    assert play(*cleared, ("command", 40, 1, "e")).powered


def test_clearing_out_of_service_stops_nothing_and_restarts_no_wait(play):
    after = play(("command", 0, 1, "a", "J"), ("command", 9, 0, "b", None, None, "platform", False, False))
    assert (after.effects, after.powered) == ([RECORD, answer("b", 200, "off")], True)
    steps = [("out_of_service", 0, True), ("command", 599, 0, "b", None, None, "platform", False, False)]
    assert play(*steps, ("tick", 600)).state == "EMERGENCY"


def test_out_of_service_as_a_fact_is_kept_and_stops_nothing(play):
    after = play(("command", 0, 1, "a"), ("out_of_service", 5, True))
    assert (after.effects, after.powered, after.out) == ([RECORD], True, True)
    assert play(("out_of_service", 5, True), ("out_of_service", 6, True)).effects == []
    assert play(("out_of_service", 5, True), ("reboot", None, False, True)).out


# ---- repeats


def test_a_repeated_1_gets_its_answer_and_nothing_else(play):
    steps = [("command", 0, 1, "a", "J"), ("command", 5, 0, "b"), ("command", 9, 1, "a", "J")]
    after = play(*steps)
    assert (after.effects, after.powered) == ([answer("a", 200, "on")], False)
    after = play(("command", 0, 1, "a", None, 999), ("command", 5, 1, "a", None, 0))
    assert after.effects == [answer("a", 500, "stale")]


def test_an_id_is_a_repeat_only_with_the_same_action(play):
    after = play(("command", 0, 1, "a"), ("command", 5, 0, "a"), ("command", 9, 0, "a"))
    assert after.effects == [OFF, RECORD, answer("a", 200, "off")]
    assert not play(("command", 0, 1, "a"), ("command", 5, 0, "a")).powered


def test_a_repeated_0_is_obeyed_again_unless_a_newer_1_was(play):
    after = play(("command", 0, 0, "a"), ("command", 5, 0, "a"))
    assert after.effects == [OFF, RECORD, answer("a", 200, "off")]
    after = play(("command", 0, 0, "a"), ("command", 5, 1, "b"), ("command", 9, 0, "a"))
    assert (after.effects, after.powered) == ([answer("a", 200, "off")], True)


def test_a_1_that_was_not_obeyed_overtakes_no_stop(play):
    steps = [("command", 0, 0, "a"), ("command", 5, 1, "b", None, 999), ("command", 9, 0, "a")]
    assert play(*steps).effects == [OFF, RECORD, answer("a", 200, "off")]


def test_the_same_id_as_a_1_overtakes_no_stop(play):
    after = play(("command", 0, 0, "a"), ("command", 5, 1, "a"), ("command", 9, 0, "a"))
    assert after.powered is False


def test_the_last_32_orders_are_known_again_after_a_power_cut_and_the_33rd_is_not(play):
    orders = [("command", k, 1, "id%d" % k, None, 999) for k in range(33)]
    after = play(*orders, ("reboot", None, False, True), ("command", 0, 1, "id1"))
    assert after.effects == [answer("id1", 500, "stale")]
    after = play(*orders, ("reboot", None, False, True), ("command", 0, 1, "id0"))
    assert after.powered


def test_an_order_without_id_is_never_a_repeat(play):
    after = play(("command", 0, 0, None), ("command", 5, 1, None), ("command", 9, 0, None))
    assert after.effects == [OFF, RECORD, event("off", "order"), answer(None, 200, "off")]
    assert play(("command", 0, 1, None, None, 999)).effects == [answer(None, 500, "stale")]


# ---- switching interval


def off_at(second):
    return [("command", second - 5, 1, "on", "J"), ("command", second, 0, "off")]


def test_powering_waits_for_the_interval_and_so_do_its_event_and_answer(play):
    rows = play(
        *off_at(10),
        ("command", 11, 1, "b", "K"),
        ("tick", 39),
        ("tick", 40),
        every=True,
        switch_min_interval_s=30,
    )
    assert (rows[2].effects, rows[2].state, rows[2].powered) == ([RECORD], "AUTHORISED", False)
    assert rows[2].next_s == 40
    assert rows[3].effects == []
    assert rows[4].effects == [ON, event("on", "order", "K"), answer("b", 200, "on")]


def test_an_interval_that_is_over_or_0_holds_nothing(play):
    assert play(*off_at(10), ("command", 12, 1, "b")).powered
    assert play(*off_at(10), ("command", 10, 1, "b"), switch_min_interval_s=0).powered


def test_unpowering_what_was_off_starts_no_interval(play):
    assert play(*off_at(10), ("command", 12, 0, "x"), ("command", 12, 1, "b")).powered


def test_a_stop_drops_what_waits_and_answers_it_as_cancelled(play):
    steps = [*off_at(10), ("command", 10, 1, "b", "K"), ("command", 11, 0, "c")]
    after = play(*steps)
    assert after.effects == [OFF, RECORD, answer("b", 500, "cancelled"), answer("c", 200, "off")]
    assert play(*steps, ("tick", 99)).powered is False
    assert play(*steps, ("command", 20, 1, "b", "K")).effects == [answer("b", 500, "cancelled")]


def test_further_1s_wait_too_up_to_eight(play):
    waiting = [("command", 11, 1, "b%d" % k, "K") for k in range(9)]
    rows = play(*off_at(10), *waiting, ("tick", 12), every=True)
    assert [row.effects for row in rows[2:10]] == [[RECORD]] * 8
    assert rows[10].effects == [RECORD, answer("b8", 500, "busy")]
    assert rows[11].answer == [answer("b%d" % k, 200, "on") for k in range(8)]
    assert rows[11].effects[:2] == [ON, event("on", "order", "K")]


def test_another_job_is_busy_while_the_first_waits(play):
    after = play(*off_at(10), ("command", 11, 1, "b", "K"), ("command", 11, 1, "c", "L"))
    assert after.effects == [RECORD, answer("c", 500, "busy")]


def test_an_emergency_waits_for_the_interval_too(play):
    steps = [*off_at(10), ("tick", 15), ("tick", 30)]
    rows = play(*steps, every=True, switch_min_interval_s=20, fail_open_after_s=5)
    assert rows[2].effects == [RECORD]
    assert (rows[2].state, rows[2].powered) == ("EMERGENCY", False)
    assert rows[3].effects == EMERGENCY_ON[1:]


def test_an_order_that_takes_a_waiting_emergency_over_tells_of_the_order_only(play):
    steps = [*off_at(10), ("tick", 15), ("command", 16, 1, "b", "K"), ("tick", 30)]
    rows = play(*steps, every=True, switch_min_interval_s=20, fail_open_after_s=5)
    assert rows[3].effects == [RECORD]
    assert rows[4].effects == [ON, event("on", "order", "K"), answer("b", 200, "on")]


# ---- announcements


@pytest.mark.parametrize(
    ("steps", "at", "phrase"),
    [
        ([], 540, "emergency_soon"),
        ([("command", 0, 1, "a"), ("welding", 0, False)], 1740, "idle_soon"),
        ([("command", 0, 1, "a")], 43140, "authorised_max_soon"),
        (outage(), 43740, "emergency_max_soon"),
        (handover(), 1540, "handover_end_soon"),
        ([*handover(), ("welding", 740, False)], 800, "emergency_end_soon"),
    ],
)
def test_every_change_by_time_is_announced_a_minute_before_and_once(play, steps, at, phrase):
    before, now, again = play(*steps, ("tick", at - 1), ("tick", at), ("tick", at + 1), every=True)[-3:]
    assert ["announce", phrase] not in before.effects
    assert now.effects == [["announce", phrase]]
    assert again.effects == []


def test_a_timer_shorter_than_a_minute_is_announced_at_once(play):
    assert play(*outage(), ("session_up", 700)).effects == [["announce", "handover_soon"]]


def test_a_timer_that_starts_again_is_announced_again(play):
    flap = [("session_up", 700), ("session_down", 700, "no_signal"), ("session_up", 700)]
    assert play(*outage(), *flap).effects == [["announce", "handover_soon"]]
    idle = [
        ("command", 0, 1, "a"),
        ("welding", 0, False),
        ("tick", 1740),
        ("welding", 1750, True),
        ("welding", 1751, False),
    ]
    assert play(*idle, ("tick", 3491)).effects == [["announce", "idle_soon"]]


def test_every_row_that_waits_has_a_phrase():
    assert [row[4] for row in CHANGES if row[4] is None] == [
        None
    ]  # an outage in a hand-over, which is at once


# ---- time


def test_time_goes_before_a_fact_of_the_same_second(play):
    rows = play(("session_up", 600), every=True)
    assert rows[0].effects == [["announce", "emergency_soon"], *EMERGENCY_ON, ["announce", "handover_soon"]]
    assert rows[0].state == "EMERGENCY"


def test_time_never_goes_backwards(play):
    after = play(("tick", 500), ("command", 3, 0, "a"), ("tick", 1099))
    assert after.state == "LOCKED"
    assert play(("tick", 500), ("command", 3, 0, "a"), ("tick", 1100)).state == "EMERGENCY"


def test_a_tick_with_nothing_due_makes_nothing():
    lock = Interlock({})
    lock.boot(0)
    assert lock.tick(1) is lock.tick(2)
    assert lock.contact(3, False) is lock.welding(3, None) is lock.tick(3)


# ---- contacts and bypass


def test_a_contact_that_stays_powered_is_stuck_until_it_agrees(play):
    rows = play(
        ("contact", 1, True), ("contact", 2, True), ("contact", 3, None), ("contact", 4, False), every=True
    )
    assert [row.effects for row in rows] == [
        [alarm("contact_stuck", "start")],
        [],
        [],
        [alarm("contact_stuck", "end")],
    ]


def test_a_contact_that_does_not_follow_has_failed_until_it_agrees(play):
    on = ("command", 0, 1, "a")
    rows = play(on, ("contact", 1, False), ("contact", 2, None), ("contact", 3, True), every=True)
    assert [row.effects for row in rows[1:]] == [
        [alarm("contact_failed", "start")],
        [],
        [alarm("contact_failed", "end")],
    ]


def test_switching_the_other_way_makes_the_contact_agree(play):
    after = play(("contact", 1, True), ("command", 2, 1, "a"))
    assert after.alarm == [alarm("contact_stuck", "end")]
    after = play(("command", 0, 1, "a"), ("contact", 1, False), ("command", 2, 0, "b"))
    assert after.alarm == [alarm("contact_failed", "end")]


def test_welding_while_unpowered_is_a_bypass(play):
    rows = play(("welding", 1, True), ("welding", 2, None), ("welding", 3, False), every=True)
    assert [row.effects for row in rows] == [
        [alarm("welding_while_unpowered", "start")],
        [],
        [alarm("welding_while_unpowered", "end")],
    ]
    assert (
        alarm("welding_while_unpowered", "end") in play(("welding", 1, True), ("command", 2, 1, "a")).effects
    )
    assert play(("command", 0, 1, "a"), ("welding", 1, True)).effects == []


# ---- resets


WORKING = [("command", 0, 1, "a", "J"), ("tick", 1000)]


@pytest.mark.parametrize(
    ("elapsed_s", "resumes"), [(0, True), (60, True), (61, False), (-1, False), (None, False)]
)
def test_an_intact_record_of_the_last_minute_resumes(play, elapsed_s, resumes):
    after = play(*WORKING, ("reboot", elapsed_s, True, True))
    if resumes:
        assert after.effects == [ON, RECORD, event("on", "resumed", "J")]
        assert (after.state, after.job) == ("AUTHORISED", "J")
    else:
        assert after.effects == [OFF, RECORD, event("off", "power_lost", "J", True)]
        assert (after.state, after.job) == ("LOCKED", None)


def test_a_power_cut_while_powered_is_told_at_the_next_boot_and_only_once(play):
    cut = [*WORKING, ("reboot", None, False, True)]
    assert play(*cut).event == [event("off", "power_lost", "J", True)]
    assert play(*cut, ("reboot", None, False, True)).event == []
    assert play(*outage(), ("reboot", None, False, True)).event == [event("off", "power_lost", None, True)]


def test_a_resume_keeps_the_rest_of_the_longest_authorisation(play):
    rows = play(*WORKING, ("reboot", 20, True, True), ("tick", 42179), ("tick", 42180), every=True)
    assert [row.powered for row in rows[-2:]] == [True, False]
    assert rows[-1].event == [event("off", "authorised_max", "J")]


def test_a_resume_keeps_the_progress_of_not_welding_without_the_time_nobody_sensed(play):
    idle = [("command", 0, 1, "a"), ("welding", 100, False), ("tick", 1000), ("reboot", 20, True, True)]
    rows = play(*idle, ("tick", 899), ("tick", 900), every=True)
    assert [row.powered for row in rows[-2:]] == [True, False]
    assert play(*idle, ("welding", 5, None), ("welding", 6, False), ("tick", 1805)).powered


def test_a_resumed_emergency_keeps_its_bound_and_its_alarm(play):
    rows = play(
        *outage(), ("tick", 1600), ("reboot", 10, True, True), ("tick", 42189), ("tick", 42190), every=True
    )
    assert rows[3].effects == [ON, RECORD, event("on", "resumed")]
    assert rows[-1].effects == [OFF, RECORD, event("off", "emergency_max"), alarm("emergency", "end")]


def test_a_resumed_hand_over_meets_the_outage_of_the_boot_and_keeps_its_sum(play):
    steps = [*handover(), ("tick", 1000), ("reboot", 10, True, True)]  # 300 s so far
    after = play(*steps)
    assert (after.state, after.powered) == ("EMERGENCY", True)
    rows = play(*steps, ("session_up", 20), ("tick", 619), ("tick", 620), every=True)
    assert [row.state for row in rows[-2:]] == ["HANDOVER", "LOCKED"]
    after = play(*steps, causes=["no_signal", "modem_dead"])
    assert after.state == "EMERGENCY"


def test_a_hand_over_without_an_outage_at_boot_stays_one(play):
    steps = [
        ("session_down", 0, "no_signal"),
        ("tick", 600),
        ("session_up", 700),
        ("tick", 730),
        ("tick", 1000),
    ]
    after = play(*steps, ("reboot", 10, True, True), causes=["no_signal"])
    assert (after.state, after.effects) == ("HANDOVER", [ON, RECORD, event("on", "resumed")])
    rows = play(
        *steps, ("reboot", 10, True, True), ("tick", 599), ("tick", 600), causes=["no_signal"], every=True
    )
    assert [row.state for row in rows[-2:]] == ["HANDOVER", "LOCKED"]


def test_a_fourth_resume_within_ten_minutes_is_refused(play):
    crash = ("reboot", 10, True, True)
    rows = play(*WORKING, crash, ("tick", 50), crash, ("tick", 50), crash, ("tick", 50), crash, every=True)
    assert rows[-1].effects == [OFF, RECORD, event("off", "power_lost", "J", True)]
    rows = play(*WORKING, crash, ("tick", 500), crash, ("tick", 50), crash, ("tick", 50), crash, every=True)
    assert rows[-1].powered


def test_a_resume_waits_for_no_interval_but_the_next_powering_does(play):
    steps = [*off_at(10), ("reboot", 1, True, True), ("command", 0, 1, "b")]
    assert play(*steps, switch_min_interval_s=30).powered is False
    assert play(
        *off_at(10), ("command", 11, 1, "b"), ("reboot", 1, True, True), switch_min_interval_s=30
    ).powered


def test_an_announcement_is_not_repeated_after_a_resume(play):
    after = play(("command", 0, 1, "a"), ("tick", 43150), ("reboot", 5, True, True))
    assert after.announce == []
    after = play(("command", 0, 1, "a"), ("tick", 43130), ("reboot", 30, True, True))
    assert after.announce == [["announce", "authorised_max_soon"]]


def test_what_is_not_intact_is_as_good_as_absent(play):
    after = play(("boot", 0, "00112233", "44556677", 5))
    assert after.effects == [OFF, RECORD]
    lock = Interlock({})
    lock.boot(0, b"\x00\x11", None, None)
    assert lock.kept_broken
    lock = Interlock({})
    lock.boot(0, None, None, None)
    assert not lock.kept_broken


# ---- firmware that crashes


def crashed(*more):
    return [("boot", 0, None, None, None, True), *more]


def test_crashed_minimal_mode_powers_after_the_wait_whatever_the_session(play):
    after = play(*crashed(("session_up", 10), ("tick", 600)))
    assert after.effects[-3:] == [ON, event("on", "firmware"), alarm("emergency", "start")]


def test_it_ends_by_its_bound_or_an_order_only(play):
    powered = crashed(("session_up", 10), ("tick", 600))
    assert (
        play(*powered, ("welding", 700, False), ("session_refused", 800), ("tick", 43799)).state
        == "EMERGENCY"
    )
    assert play(*powered, ("tick", 43799), ("tick", 43800)).event == [event("off", "emergency_max")]
    assert play(*powered, ("command", 700, 0, "a")).state == "LOCKED"
    assert play(*powered, ("command", 700, 1, "a")).state == "AUTHORISED"


@pytest.mark.parametrize(
    "step",
    [
        ("command", 1, 0, "a", None, None, "platform", True),
        ("session_refused", 1),
        ("out_of_service", 1, True),
    ],
)
def test_it_never_powers_what_is_barred_refused_or_out_of_service(play, step):
    assert play(*crashed(step, ("tick", 100000))).powered is False


# ---- any history

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
REBOOTS = st.tuples(
    st.just("reboot"), st.sampled_from([None, 0, 5, 60, 61]), st.booleans(), st.booleans(), st.booleans()
)
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
        assert len(lock.volatile(lock.now)) <= 104


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
    effects = lock.command(
        lock.now, 0, "new" + str(request_id), None, 10**6, "platform", barred, out_of_service
    )
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
    return [
        effect for k, effect in enumerate(effects) if effect != ("record",) or effects[k - 1 : k] != [effect]
    ]


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
        assert again.since == lock.since - lock.now - elapsed_s or again.state == "LOCKED"
    if lock.state in ("EMERGENCY", "HANDOVER") and again.state != "LOCKED":
        assert again.emergency_since == lock.emergency_since - lock.now - elapsed_s
        assert again.outage.quiet_s(0) == lock.outage.quiet_s(lock.now)
    if lock.state == "LOCKED":
        assert again.state == "LOCKED"
