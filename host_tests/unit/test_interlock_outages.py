"""The interlock: outages, announcements, time and contacts.

Each history runs on CPython and on MicroPython.
"""

import pytest

from host_tests.unit import interlock_histories as histories
from host_tests.unit.interlock_histories import (
    EMERGENCY_ON,
    RECORD,
    alarm,
    handover,
    outage,
)
from terminal.interlock import Interlock
from terminal.limits import OUTAGE_CAUSES


@pytest.fixture
def play(micropython):
    return histories.player(micropython)


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
    assert play(*steps, ("session_up", 20), ("session_down", 30, "no_signal"), ("tick", 630)).state == "EMERGENCY"


def test_a_refusal_is_recorded_once(play):
    rows = play(("session_refused", 5), ("session_refused", 6), every=True)
    assert [row.effects for row in rows] == [[RECORD], []]
    assert rows[0].refused


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


@pytest.mark.parametrize("cause", ["no_registration", "taken_over", "refused"])
def test_a_sim_that_is_put_back_still_waits_four_times_as_long(play, cause):
    pulled = [("session_up", 0), ("session_down", 100, "sim_pulled")]
    back = [*pulled, ("session_down", 1900, "no_registration")]
    assert play(*back).effects == []
    assert [row.state for row in play(*back, ("tick", 2499), ("tick", 2500), every=True)[-2:]] == ["LOCKED", "EMERGENCY"]
    broken = [*pulled, ("session_down", 1900, cause), ("session_down", 1910, "no_signal")]
    assert play(*broken, ("tick", 2499)).state == "LOCKED"


def test_a_session_ends_what_a_pulled_sim_has_brought(play):
    up = [("session_up", 0), ("session_down", 100, "sim_pulled"), ("session_down", 1900, "no_registration"), ("session_up", 1910)]
    again = [*up, ("session_down", 1920, "no_signal")]
    assert [row.state for row in play(*again, ("tick", 2519), ("tick", 2520), every=True)[-2:]] == ["LOCKED", "EMERGENCY"]


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


# ---- time


def test_time_goes_before_a_fact_of_the_same_second(play):
    rows = play(("session_up", 600), every=True)
    assert rows[0].effects == [["announce", "emergency_soon"], *EMERGENCY_ON, ["announce", "handover_soon"]]
    assert rows[0].state == "EMERGENCY"


@pytest.mark.parametrize(
    "fact",
    [
        ("command", 600, 0, "a"),
        ("session_down", 600, "taken_over"),
        ("session_refused", 600),
        ("welding", 600, False),
        ("contact", 600, True),
        ("out_of_service", 600, True),
    ],
)
def test_time_goes_before_every_fact(play, fact):
    assert play(fact).effects[1 : 1 + len(EMERGENCY_ON)] == EMERGENCY_ON


def test_the_minutes_can_be_asked_for_between_two_ticks():
    lock = Interlock({})
    lock.boot(0)
    assert [lock.minutes_to_emergency(now_s) for now_s in (0, 60, 61, 599, 700)] == [10, 9, 9, 1, 0]


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
    rows = play(("contact", 1, True), ("contact", 2, True), ("contact", 3, None), ("contact", 4, False), every=True)
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
    assert alarm("welding_while_unpowered", "end") in play(("welding", 1, True), ("command", 2, 1, "a")).effects
    assert play(("command", 0, 1, "a"), ("welding", 1, True)).effects == []
