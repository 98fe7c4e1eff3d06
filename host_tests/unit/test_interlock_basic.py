"""The interlock: what each state does, row by row of its table.

Each history runs on CPython and on MicroPython.
"""

import pytest

from host_tests.unit import interlock_histories as histories
from host_tests.unit.interlock_histories import (
    EMERGENCY_ON,
    OFF,
    ON,
    RECORD,
    alarm,
    answer,
    event,
    handover,
    outage,
)
from terminal.limits import MAY_BE_OFF, SETTINGS


@pytest.fixture
def play(micropython):
    return histories.player(micropython)


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


@pytest.mark.parametrize(("first", "second", "kept"), [("J", "J", "J"), ("J", None, "J"), (None, "K", "K"), (None, None, None)])
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


def test_the_next_emergency_begins_with_an_empty_sum(play):
    steps = [*handover(), ("command", 1000, 0, "a"), ("session_down", 5000, "no_signal"), ("session_up", 5700)]
    rows = play(*steps, ("tick", 6599), ("tick", 6600), every=True)
    assert [row.state for row in rows[-2:]] == ["HANDOVER", "LOCKED"]


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
