"""The interlock over resets, power cuts and crashes of the firmware.

Each history runs on CPython and on MicroPython.
"""

import pytest

from host_tests.unit import interlock_histories as histories
from host_tests.unit.interlock_histories import (
    OFF,
    ON,
    RECORD,
    alarm,
    event,
    handover,
    off_at,
    outage,
)
from terminal.interlock import Interlock


@pytest.fixture
def play(micropython):
    return histories.player(micropython)


# ---- resets


WORKING = [("command", 0, 1, "a", "J"), ("tick", 1000)]


@pytest.mark.parametrize(("elapsed_s", "resumes"), [(0, True), (60, True), (61, False), (-1, False), (None, False)])
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
    rows = play(*outage(), ("tick", 1600), ("reboot", 10, True, True), ("tick", 42189), ("tick", 42190), every=True)
    assert rows[3].effects == [ON, RECORD, event("on", "resumed")]
    assert rows[-1].effects == [OFF, RECORD, event("off", "emergency_max"), alarm("emergency", "end")]


def test_a_resumed_hand_over_meets_the_outage_of_the_boot_and_keeps_its_sum(play):
    steps = [*handover(), ("tick", 1000), ("reboot", 10, True, True)]  # 300 s so far
    after = play(*steps)
    assert (after.state, after.powered) == ("EMERGENCY", True)
    rows = play(*steps, ("session_up", 20), ("tick", 609), ("tick", 610), every=True)
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
    rows = play(*steps, ("reboot", 10, True, True), ("tick", 589), ("tick", 590), causes=["no_signal"], every=True)
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
    assert play(*off_at(10), ("command", 11, 1, "b"), ("reboot", 1, True, True), switch_min_interval_s=30).powered


def test_the_interval_runs_on_over_a_reset(play):
    steps = [*off_at(110), ("tick", 115), ("reboot", 1, True, True), ("command", 0, 1, "b")]
    rows = play(*steps, ("tick", 23), ("tick", 24), every=True, switch_min_interval_s=30)
    assert [row.powered for row in rows[-2:]] == [False, True]


def test_what_began_later_than_the_boot_resumes_with_its_own_age(play):
    steps = [("command", 500, 1, "a"), ("welding", 1000, False), ("reboot", 0, True, True)]
    after = play(*steps, idle_lock_s=0)
    assert after.next_s == 43200 - 500 - 60
    assert play(*steps).next_s == 1800 - 60


def test_resumes_older_than_ten_minutes_no_longer_count(play):
    crash = ("reboot", 10, True, True)
    three = [*WORKING, crash, ("tick", 20), crash, ("tick", 20), crash]  # the first is 60 s old
    assert play(*three, ("tick", 529), crash).powered is False
    assert play(*three, ("tick", 530), crash).powered


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
    lock.boot(0, None, b"\x00\x11", 5)
    assert lock.kept_broken
    lock = Interlock({})
    lock.boot(0, None, None, None)
    assert not lock.kept_broken


@pytest.mark.parametrize("kept", ["before", "after", "none", "broken"])
def test_a_resume_record_of_before_a_stop_powers_nothing_where_the_kept_one_knows_of_the_stop(kept):
    lock = Interlock({})
    lock.boot(0)
    lock.command(5, 1, "a", "J")
    records = {"before": lock.kept(), "none": None, "broken": b"HK\x01rubbish"}
    volatile = lock.volatile(10)
    lock.command(10, 0, "b")
    records["after"] = lock.kept()
    again = Interlock({})
    again.boot(0, records[kept], volatile, 5)
    assert again.powered == (kept != "after")


def test_the_resume_record_tells_the_ages_of_the_second_it_is_saved_at():
    lock = Interlock({})
    lock.boot(0)
    lock.command(0, 1, "a")
    again = Interlock({})
    again.boot(0, None, lock.volatile(3000), 0)
    assert again.next_s(0) == 43200 - 3000 - 60


# ---- the wait for an emergency


def crash(elapsed_s, is_power_on=False):
    return ("reboot", elapsed_s, True, True, False, is_power_on)


@pytest.mark.parametrize(
    ("elapsed_s", "is_power_on", "left_s"), [(40, False, 160), (60, False, 140), (61, False, 600), (40, True, 600)]
)
def test_a_wait_goes_on_over_a_reset_of_a_minute_that_was_no_power_on(play, elapsed_s, is_power_on, left_s):
    assert play(("tick", 400), crash(elapsed_s, is_power_on)).next_s == left_s - 60
    assert play(("tick", 400), crash(elapsed_s, is_power_on), ("tick", left_s - 1)).powered is False
    assert play(("tick", 400), crash(elapsed_s, is_power_on), ("tick", left_s)).event == [event("on", "emergency")]


def test_a_terminal_that_crashes_every_minute_still_opens_after_the_wait(play):
    rows = play(*[("tick", 60), crash(1)] * 9, ("tick", 50), ("tick", 51), every=True)
    assert [row.powered for row in rows[-2:]] == [False, True]


def test_without_time_to_resume_the_wait_goes_on_all_the_same(play):
    assert play(("tick", 400), crash(40), resume_within_s=0).next_s == 100


def test_a_crash_in_a_session_begins_the_wait_at_the_last_record(play):
    assert play(("session_up", 10), ("tick", 400), crash(5)).minutes == 10
    assert play(("session_up", 10), ("tick", 400), crash(5), ("tick", 594)).powered is False


def test_a_stop_before_the_crash_is_where_the_wait_goes_on_from(play):
    assert play(("command", 300, 0, "a"), ("tick", 400), crash(0)).next_s == 500 - 60


def test_what_a_pulled_sim_has_waited_is_not_credited_to_the_boot(play):
    pulled = [("session_up", 1), ("session_down", 2, "sim_pulled"), ("tick", 2340)]  # announced already
    after = play(*pulled, crash(0), ("tick", 540))
    assert after.powered is False and after.announce == [["announce", "emergency_soon"]]


def test_an_announced_emergency_is_not_announced_again_after_a_crash(play):
    assert play(("tick", 545), crash(5)).announce == []
    assert play(("tick", 545), crash(5), ("tick", 50)).powered


# ---- firmware that crashes


def crashed(*more):
    return [("boot", 0, None, None, None, True), *more]


def test_crashed_minimal_mode_powers_after_the_wait_whatever_the_session(play):
    after = play(*crashed(("session_up", 10), ("tick", 600)))
    assert after.effects[-3:] == [ON, event("on", "firmware"), alarm("emergency", "start")]


def test_it_ends_by_its_bound_or_an_order_only(play):
    powered = crashed(("session_up", 10), ("tick", 600))
    assert play(*powered, ("welding", 700, False), ("session_refused", 800), ("tick", 43799)).state == "EMERGENCY"
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
