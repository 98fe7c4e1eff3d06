"""The interlock: orders, their answers, repeats and the switching interval.

Each history runs on CPython and on MicroPython.
"""

import pytest

from host_tests.unit import interlock_histories as histories
from host_tests.unit.interlock_histories import (
    EMERGENCY_ON,
    OFF,
    ON,
    RECORD,
    answer,
    event,
    off_at,
)


@pytest.fixture
def play(micropython):
    return histories.player(micropython)


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
    assert play(("command", 5, 1, "a", None, age_s)).answer == [answer("a", 200 if text == "on" else 500, text)]


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


def test_a_clearing_that_bans_as_well_is_a_stop(play):
    steps = [("out_of_service", 0, True), ("command", 5, 0, "a", None, None, "platform", True, False)]
    after = play(*steps)
    assert after.effects == [OFF, RECORD, answer("a", 200, "off")]
    assert (after.barred, after.out) == (True, False)


def test_a_repeated_clearing_does_not_undo_an_out_of_service_given_since(play):
    clearing = (0, "a", None, None, "platform", False, False)
    steps = [("command", 0, *clearing), ("command", 5, 0, "b", None, None, "platform", False, True)]
    after = play(*steps, ("command", 9, *clearing))
    assert (after.effects, after.out) == ([answer("a", 200, "off")], True)


def test_a_job_of_more_than_64_bytes_is_cut_at_a_character(play):
    after = play(("command", 0, 1, "a", "焊" * 22), ("reboot", 0, True, True))
    assert after.job == "焊" * 21
    assert play(("command", 0, 1, "a", "J" * 64)).job == "J" * 64
    assert play(("command", 0, 1, "a", "J" * 65), ("command", 1, 1, "b", "J" * 65)).answer == [answer("b", 200, "on")]


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


def test_only_the_stops_before_the_last_1_are_overtaken(play):
    orders = [("command", 2 * k, k % 2, "id%d" % k) for k in range(12)]  # 0, 1, 0, 1 ...
    for k in range(0, 12, 2):
        assert play(*orders, ("command", 50, 0, "id%d" % k)).powered
    assert play(*orders, ("command", 49, 0, "new"), ("command", 50, 0, "new")).effects[0] == OFF


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


def test_a_repeat_of_a_waiting_1_waits_as_well(play):
    rows = play(*off_at(10), ("command", 11, 1, "b", "K"), ("command", 11, 1, "b", "K"), ("tick", 12), every=True)
    assert rows[3].effects == [RECORD]
    assert rows[4].effects == [ON, event("on", "order", "K"), answer("b", 200, "on"), answer("b", 200, "on")]


def test_an_emergency_that_ends_while_it_waits_moves_no_relay_and_tells_nothing(play):
    steps = [*off_at(10), ("tick", 15), ("session_up", 16), ("welding", 17, False), ("tick", 30), ("tick", 31)]
    short = {"fail_open_after_s": 5, "link_stable_s": 5, "handover_idle_s": 10, "switch_min_interval_s": 30}
    after = play(*steps, **short)
    assert (after.effects, after.state) == ([RECORD], "LOCKED")
    assert play(*steps, ("tick", 99), **short).powered is False


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
