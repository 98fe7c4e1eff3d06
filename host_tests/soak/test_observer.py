"""The observer catches what breaks the interlock's laws, and only that: synthetic logs, one planted violation each."""

import json

import pytest

from host_tests.soak.observer import Observer

_S = 1000
_MINUTE = 60 * _S
_HOUR = 60 * _MINUTE
_RELAY = 21
_SLACK_MS = 1000
_HEARTBEAT_S = 60


def boot(ms, reason="power"):
    return [ms, "boot", reason]


def login(ms, number=1):
    return _message(ms, "00", {"reset": {"boot": number}})


def heartbeat(ms):
    return _message(ms, "FF", {})


def _message(ms, code, content):
    return [ms, "msg", "welder/w/up", json.dumps({"actionCode": code, "content": content})]


def order(ms, action, name, delivered=True, **content):
    """An order, and its delivery 60 ms later."""
    given = [ms, "cmd", name, json.dumps({"actionCode": str(action), "content": dict({"issued_ms": ms}, **content)})]
    return [given, [ms + 60, "got", name]] if delivered else [given]


def edge(ms, level):
    return [ms, "edge", _RELAY, level]


def dead(ms):
    return [ms, "knob", "set_alive", False]


def alive(ms):
    return [ms, "knob", "set_alive", True]


def end(ms):
    return [ms, "end", "power"]


START = [boot(0), edge(0, 0), login(10 * _S)]
ON = order(_MINUTE, 1, "on", job="J") + [edge(_MINUTE + 50, 1)]
OPENED = 20 * _MINUTE  # an emergency that is due, after a network dead since 5 min
OUTAGE = [dead(5 * _MINUTE), [6 * _MINUTE, "down", "lost"], edge(5 * _MINUTE + 670 * _S, 1)]


def laws(*parts, **settings):
    """Return the laws that a log breaks."""
    lines = []
    for part in parts:
        lines += part if isinstance(part[0], list) else [part]
    observer = Observer(settings, _SLACK_MS, _HEARTBEAT_S).judge(sorted(lines, key=lambda line: line[0]))
    return [law for _, law, _ in observer.violations]


def test_a_working_day_breaks_no_law():
    off = order(20 * _MINUTE, 0, "off")
    assert laws(START, ON, off, edge(20 * _MINUTE + 40, 0), end(_HOUR)) == []


def test_an_emergency_that_is_due_and_its_end_break_no_law():
    back = [alive(30 * _MINUTE), login(31 * _MINUTE), edge(31 * _MINUTE + 151 * _S, 0)]
    assert laws(START, OUTAGE, back, end(2 * _HOUR)) == []


def test_powering_without_an_order_while_the_session_is_up():
    assert laws(START, edge(5 * _MINUTE, 1), end(6 * _MINUTE)) == ["emergency too early"]


def test_an_emergency_before_its_time():
    assert laws(START, dead(5 * _MINUTE), edge(14 * _MINUTE, 1), end(16 * _MINUTE)) == ["emergency too early"]


def test_an_emergency_that_counts_from_before_the_last_stop():
    stop = order(4 * _MINUTE, 0, "off")
    early = [dead(2 * _MINUTE), alive(3 * _MINUTE), heartbeat(3 * _MINUTE + _S), dead(4 * _MINUTE + 10 * _S), edge(13 * _MINUTE, 1)]
    assert laws(START, ON, stop, edge(4 * _MINUTE + 50, 0), early, end(14 * _MINUTE)) == ["emergency too early"]


def test_an_emergency_while_barred():
    ban = order(2 * _MINUTE, 0, "ban", barred=True)
    assert laws(START, ban, OUTAGE, end(OPENED)) == ["emergency while forbidden"]


def test_an_emergency_while_out_of_service():
    out = order(2 * _MINUTE, 0, "out", out_of_service=True)
    assert laws(START, out, OUTAGE, end(OPENED)) == ["emergency while forbidden"]


def test_an_emergency_while_the_platform_refuses():
    refused = [[(2 + 5 * turn) * _MINUTE, "refused", 5] for turn in range(3)]
    assert laws(START, refused, dead(13 * _MINUTE), edge(30 * _MINUTE, 1), end(31 * _MINUTE)) == ["emergency while forbidden"]


def test_a_ban_is_lifted_by_the_next_order_to_power():
    ban = order(30 * _S, 0, "ban", barred=True)
    off = order(2 * _MINUTE, 0, "off")
    assert laws(START, ban, ON, off, edge(2 * _MINUTE + 50, 0), OUTAGE, end(OPENED)) == []


def test_an_emergency_that_does_not_come():
    assert laws(START, dead(5 * _MINUTE), end(_HOUR)) == ["emergency missing"]


def test_no_emergency_is_due_while_barred():
    assert laws(START, order(2 * _MINUTE, 0, "ban", barred=True), dead(5 * _MINUTE), end(_HOUR)) == []


def test_an_emergency_that_goes_on_after_the_session_is_stable():
    assert laws(START, OUTAGE, alive(30 * _MINUTE), login(31 * _MINUTE), end(40 * _MINUTE)) == ["emergency too long"]


def test_an_emergency_while_welding_ends_when_the_sum_of_sessions_is_reached():
    welding = [5 * _MINUTE + 700 * _S, "weld", 1]
    back = [alive(30 * _MINUTE), login(31 * _MINUTE)]
    assert laws(START, OUTAGE, welding, back, edge(46 * _MINUTE + _S, 0), end(_HOUR)) == []
    assert laws(START, OUTAGE, welding, back, end(_HOUR)) == ["emergency too long"]


def test_an_emergency_that_ends_while_somebody_welds():
    welding = [5 * _MINUTE + 700 * _S, "weld", 1]
    back = [alive(30 * _MINUTE), login(31 * _MINUTE), edge(34 * _MINUTE, 0)]
    assert laws(START, OUTAGE, welding, back, end(_HOUR)) == ["emergency cut short"]


def test_an_emergency_that_ends_in_the_middle_of_the_outage():
    assert laws(START, OUTAGE, edge(OPENED, 0), end(OPENED + _MINUTE)) == ["emergency cut short"]


def test_an_emergency_ends_after_its_longest_time_and_the_next_waits_twice_as_long():
    begin = 5 * _MINUTE + 670 * _S
    over = begin + _HOUR
    again = edge(over + 600 * _S, 1)
    assert laws(START, OUTAGE, edge(over, 0), again, end(over + _HOUR), emergency_max_s=3600) == ["emergency too early"]
    again = edge(over + 1200 * _S, 1)
    assert laws(START, OUTAGE, edge(over, 0), again, end(over + _HOUR), emergency_max_s=3600) == []
    assert laws(START, OUTAGE, end(over + _HOUR), emergency_max_s=3600) == ["emergency too long"]


def test_a_stop_that_is_not_obeyed():
    assert laws(START, ON, order(20 * _MINUTE, 0, "off"), end(21 * _MINUTE)) == ["a stop is at once"]


def test_a_stop_that_is_obeyed_late():
    off = order(20 * _MINUTE, 0, "off")
    assert laws(START, ON, off, edge(20 * _MINUTE + 5 * _S, 0), end(21 * _MINUTE)) == ["a stop is at once"]


def test_a_valid_order_that_is_not_obeyed():
    assert laws(START, order(_MINUTE, 1, "on"), end(2 * _MINUTE)) == ["a valid order is obeyed"]


def test_an_order_that_is_too_old():
    stale = order(_MINUTE, 1, "on", issued_ms=-2 * _MINUTE)
    assert laws(START, stale, end(2 * _MINUTE)) == []
    assert laws(START, stale, edge(_MINUTE + 50, 1), end(2 * _MINUTE)) == ["emergency too early"]


def test_an_order_dated_too_far_ahead():
    future = order(_MINUTE, 1, "on", issued_ms=10 * _MINUTE)
    assert laws(START, future, end(2 * _MINUTE)) == []
    assert laws(START, future, edge(_MINUTE + 50, 1), end(2 * _MINUTE)) == ["emergency too early"]


def test_a_repeated_order_powers_nothing():
    off = order(20 * _MINUTE, 0, "off")
    again = order(20 * _MINUTE + 30 * _S, 1, "on", job="J")
    day = (START, ON, off, edge(20 * _MINUTE + 40, 0), again)
    assert laws(*day, end(_HOUR)) == []
    assert laws(*day, edge(20 * _MINUTE + 30 * _S + 50, 1), end(21 * _MINUTE)) == ["emergency too early"]


def test_an_order_while_out_of_service():
    out = order(30 * _S, 0, "out", out_of_service=True)
    assert laws(START, out, ON, end(90 * _S)) == ["emergency while forbidden"]


def test_an_order_whose_acknowledgement_is_lost_explains_the_edge():
    given = order(_MINUTE, 1, "on", delivered=False)
    assert laws(START, given, edge(_MINUTE + 50, 1), dead(_MINUTE + 60), end(2 * _MINUTE)) == []


def test_unpowering_without_a_reason():
    assert laws(START, ON, edge(10 * _MINUTE, 0), end(11 * _MINUTE)) == ["unpowered without reason"]


def test_a_welder_that_is_not_used_is_unpowered_after_its_time():
    assert laws(START, ON, edge(31 * _MINUTE + _S, 0), end(_HOUR)) == []
    assert laws(START, ON, end(_HOUR)) == ["limit"]


def test_a_welder_that_is_used_is_not_idle():
    weld = [[10 * _MINUTE, "weld", 1], [12 * _MINUTE, "weld", 0]]
    assert laws(START, ON, weld, edge(31 * _MINUTE + _S, 0), end(_HOUR)) == ["unpowered without reason"]
    assert laws(START, ON, weld, edge(42 * _MINUTE + _S, 0), end(_HOUR)) == []


def test_an_order_has_a_longest_time_even_for_one_who_welds():
    weld = [2 * _MINUTE, "weld", 1]
    assert laws(START, ON, weld, end(3 * _HOUR), authorised_max_s=3600) == ["limit"]
    assert laws(START, ON, weld, edge(61 * _MINUTE + _S, 0), end(3 * _HOUR), authorised_max_s=3600) == []


def test_a_crash_leaves_the_relay_and_its_limits_as_they_were():
    crash = boot(10 * _MINUTE, "crash")
    back = login(10 * _MINUTE + 20 * _S, 2)
    assert laws(START, ON, crash, back, edge(31 * _MINUTE + _S, 0), end(_HOUR)) == []
    assert laws(START, ON, crash, back, end(_HOUR)) == ["limit"]


def test_a_crash_that_unpowers():
    crash = [boot(10 * _MINUTE, "crash"), edge(10 * _MINUTE, 0)]
    assert laws(START, ON, crash, end(15 * _MINUTE)) == ["resume"]


def test_the_fourth_crash_in_ten_minutes_unpowers():
    crashes = [boot((10 + turn) * _MINUTE, "crash") for turn in range(4)]
    assert laws(START, ON, crashes, edge(13 * _MINUTE, 0), end(15 * _MINUTE)) == []
    assert laws(START, ON, crashes, end(15 * _MINUTE)) == ["resume"]


def test_a_crash_in_an_outage_leaves_the_wait_as_it_was():
    opened = 5 * _MINUTE + 690 * _S
    crashes = [dead(5 * _MINUTE), boot(8 * _MINUTE, "crash"), boot(12 * _MINUTE, "vital")]
    assert laws(START, crashes, edge(opened, 1), end(opened + _MINUTE)) == []
    assert laws(START, crashes, edge(14 * _MINUTE, 1), end(15 * _MINUTE)) == ["emergency too early"]
    assert laws(START, crashes, end(_HOUR)) == ["emergency missing"]


def test_a_power_cut_in_an_outage_begins_the_wait_anew():
    cut = [dead(5 * _MINUTE), end(8 * _MINUTE), boot(9 * _MINUTE), edge(9 * _MINUTE, 0), dead(9 * _MINUTE)]
    assert laws(START, cut, edge(16 * _MINUTE, 1), end(17 * _MINUTE)) == ["emergency too early"]
    assert laws(START, cut, edge(19 * _MINUTE, 1), end(20 * _MINUTE)) == []


def sim(ms, state):
    return [ms, "knob", "set_sim", state]


def test_a_pulled_sim_waits_four_times_as_long_though_it_is_back():
    pulled = sim(5 * _MINUTE, "absent")
    assert laws(START, pulled, edge(44 * _MINUTE, 1), end(45 * _MINUTE)) == ["emergency too early"]
    assert laws(START, pulled, edge(46 * _MINUTE, 1), end(47 * _MINUTE)) == []
    assert laws(START, pulled, end(_HOUR)) == ["emergency missing"]
    back = sim(30 * _MINUTE, "ready")
    assert laws(START, pulled, back, edge(44 * _MINUTE, 1), end(45 * _MINUTE)) == ["emergency too early"]
    assert laws(START, pulled, back, edge(46 * _MINUTE, 1), end(47 * _MINUTE)) == []
    assert laws(START, pulled, back, end(_HOUR)) == ["emergency missing"]
    again = [login(31 * _MINUTE), dead(40 * _MINUTE)]
    assert laws(START, pulled, back, again, edge(51 * _MINUTE, 1), end(52 * _MINUTE)) == []


def test_a_sim_that_was_out_for_a_moment_may_not_have_been_missed():
    moment = [sim(5 * _MINUTE, "absent"), sim(6 * _MINUTE, "ready"), dead(6 * _MINUTE)]
    assert laws(START, moment, edge(17 * _MINUTE, 1), end(18 * _MINUTE)) == []
    assert laws(START, moment, edge(46 * _MINUTE, 1), end(47 * _MINUTE)) == []


def test_a_login_that_the_terminal_may_not_know_of_leaves_it_the_longer_wait():
    lost = [sim(5 * _MINUTE, "absent"), sim(20 * _MINUTE, "ready"), login(21 * _MINUTE), dead(21 * _MINUTE + _S)]
    assert laws(START, lost, edge(46 * _MINUTE, 1), end(47 * _MINUTE)) == []


def test_a_sim_that_was_never_there_in_this_boot_was_not_pulled():
    absent = [boot(0), sim(0, "absent"), edge(0, 0)]
    assert laws(absent, edge(10 * _MINUTE, 1), end(12 * _MINUTE)) == []
    assert laws(absent, end(_HOUR)) == ["emergency missing"]
    crashed = [sim(5 * _MINUTE, "absent"), boot(20 * _MINUTE, "crash")]
    assert laws(START, crashed, edge(30 * _MINUTE, 1), end(32 * _MINUTE)) == []
    assert laws(START, crashed, end(_HOUR)) == ["emergency missing"]


def rival(*minutes):
    """Another client with the terminal's identity, from the fifth minute on: what the terminal goes through."""
    lines = [[5 * _MINUTE, "knob", "rival", True]]
    for minute in minutes:
        lines += [login(minute * _MINUTE), [minute * _MINUTE + _S, "down", "rival"]]
    return lines


def test_an_identity_that_is_taken_over_is_no_outage():
    ousted = rival(5, 6, 7, 8)
    assert laws(START, ousted, end(_HOUR)) == []
    assert laws(START, ousted, edge(40 * _MINUTE, 1), end(41 * _MINUTE)) == ["emergency while forbidden"]
    assert laws(START, ousted, dead(9 * _MINUTE), edge(40 * _MINUTE, 1), end(41 * _MINUTE)) == []


def test_a_power_cut_that_leaves_the_welder_powered():
    cut = [end(10 * _MINUTE), boot(11 * _MINUTE), edge(11 * _MINUTE, 1)]
    assert laws(START, ON, cut, end(12 * _MINUTE)) == ["locked after a power cut"]
    later = [end(10 * _MINUTE), boot(11 * _MINUTE), edge(11 * _MINUTE, 0), edge(12 * _MINUTE, 1)]
    assert laws(START, ON, later, end(13 * _MINUTE)) == ["emergency too early"]


def test_nothing_is_due_while_the_power_is_off():
    night = [end(OPENED), boot(OPENED + 20 * _HOUR), edge(OPENED + 20 * _HOUR, 0), alive(OPENED + 20 * _HOUR)]
    assert laws(START, OUTAGE, night, login(OPENED + 20 * _HOUR + _MINUTE), end(OPENED + 21 * _HOUR)) == []


def test_an_outage_that_ends_while_the_power_is_off_is_over_at_the_next_start():
    night = [end(OPENED), boot(OPENED + _HOUR), edge(OPENED + _HOUR, 0), login(OPENED + _HOUR + 20 * _S)]
    assert laws(START, OUTAGE, night, end(OPENED + 3 * _HOUR)) == []


def test_a_ban_outlives_a_power_cut():
    cut = [end(10 * _MINUTE), boot(11 * _MINUTE), edge(11 * _MINUTE, 0), dead(11 * _MINUTE + _S)]
    ban = order(2 * _MINUTE, 0, "ban", barred=True)
    assert laws(START, ban, cut, edge(30 * _MINUTE, 1), end(31 * _MINUTE)) == ["emergency while forbidden"]


def test_a_network_that_tells_another_time_for_a_day_is_believed():
    wrong = [30 * _S, "knob", "clock", _HOUR]
    assert laws(START, wrong, heartbeat(_HOUR), order(24 * _HOUR, 1, "on"), end(25 * _HOUR)) == []


def test_a_network_that_tells_another_time_changes_nothing_for_a_terminal_that_knows_it():
    wrong = [30 * _S, "knob", "clock", _HOUR]
    assert laws(START, wrong, order(_MINUTE, 1, "on"), end(2 * _MINUTE)) == ["a valid order is obeyed"]


@pytest.mark.parametrize("error_ms", [-_HOUR, _HOUR])
def test_a_wrong_clock_lets_the_terminal_judge_the_age_of_an_order(error_ms):
    wrong = [0, "knob", "clock", error_ms]
    day = ([boot(0), edge(0, 0), wrong, login(10 * _S)], order(_MINUTE, 1, "on"))
    assert laws(*day, end(2 * _MINUTE)) == []
    assert laws(*day, edge(_MINUTE + 50, 1), end(2 * _MINUTE)) == []


_WRONG_THEN_RIGHT = [
    [30 * _S, "knob", "clock", _HOUR],
    boot(_MINUTE, "crash"),
    edge(_MINUTE + _S, 0),
    [2 * _MINUTE, "knob", "clock", 0],
    login(3 * _MINUTE),
]


def test_a_time_that_was_read_before_the_network_mended_it_may_be_kept_for_a_while():
    assert laws(START, _WRONG_THEN_RIGHT, order(10 * _MINUTE, 1, "on"), end(11 * _MINUTE)) == []
    assert laws(START, _WRONG_THEN_RIGHT, order(_HOUR, 1, "on"), end(2 * _HOUR)) == ["a valid order is obeyed"]


def test_an_order_that_may_have_been_refused_may_be_so_again():
    early, again = order(10 * _MINUTE, 1, "on"), order(_HOUR, 1, "on")
    assert laws(START, _WRONG_THEN_RIGHT, early, again, end(2 * _HOUR)) == []
    assert laws(START, _WRONG_THEN_RIGHT, early, again, edge(_HOUR + 50, 1), end(_HOUR + _MINUTE)) == []
