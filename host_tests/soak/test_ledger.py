"""The soak's sums, on small logs: what is missing is lost, what is explained is not; and the month's script."""

import json

import pytest

from host_tests.soak import ledger
from host_tests.soak.__main__ import broken
from host_tests.soak.month import DAY, HOUR, Month


def _up(ms, code, content):
    return [ms, "msg", "welder/w/up", json.dumps({"actionCode": code, "content": content})]


def _login(ms, number):
    return _up(ms, "00", {"reset": {"boot": number}})


def _event(ms, boot, seq, relay, cause="order"):
    return _up(ms, "FF", {"event": {"relay": relay, "cause": cause, "boot": boot, "seq": seq}})


START = [[0, "boot", "power"], [0, "edge", 21, 0], _login(9, 1)]


def _counts(lines):
    counts = ledger.records(lines)
    return tuple(counts["records_" + name] for name in ("made", "delivered", "dropped_by_rule", "lost"))


def test_every_record_that_arrives_is_made_and_delivered_once():
    lines = [_event(20, 1, 1, 1), _event(21, 1, 1, 1), _up(22, "E0", {"kind": "clock", "boot": 1, "seq": 2})]
    assert _counts(START + [[15, "edge", 21, 1]] + lines) == (2, 2, 0, 0)


def test_a_heartbeat_is_no_record():
    assert _counts(START + [_up(20, "FF", {"relay": 0})]) == (0, 0, 0, 0)


def test_a_gap_in_the_numbers_is_a_lost_record():
    assert _counts(START + [_event(20, 1, 1, 1, "resumed"), _event(30, 1, 4, 1, "resumed")]) == (4, 2, 0, 2)


def test_a_gap_that_the_terminal_explains_is_dropped_by_rule():
    detail = {"from": [1, 2], "to": [1, 3], "count": 2, "rank": 2}
    explained = _up(40, "E0", {"kind": "records_dropped", "boot": 1, "seq": 5, "detail": detail})
    lines = [_event(20, 1, 1, 1, "resumed"), _event(30, 1, 4, 1, "resumed"), explained]
    assert _counts(START + lines) == (5, 3, 2, 0)


def test_an_explanation_covers_no_more_than_it_counts():
    detail = {"from": [1, 2], "to": [1, 4], "count": 1, "rank": 2}
    explained = _up(40, "E0", {"kind": "records_dropped", "boot": 1, "seq": 5, "detail": detail})
    assert _counts(START + [_event(20, 1, 1, 1, "resumed"), explained]) == (5, 2, 1, 2)


def test_a_switching_that_is_never_reported_is_lost_even_without_a_gap():
    assert _counts(START + [[15, "edge", 21, 1], [25, "edge", 21, 0], _event(30, 1, 1, 1)]) == (2, 1, 0, 1)


def test_a_switching_after_the_last_number_heard_is_dropped_by_rule_where_the_terminal_says_so():
    detail = {"from": [1, 2], "to": [1, 3], "count": 1, "rank": 1}
    explained = _up(40, "E0", {"kind": "records_dropped", "boot": 2, "seq": 1, "detail": detail})
    later = [[30, "boot", "power"], [30, "edge", 21, 0], _login(31, 2)]
    lines = [*START, [15, "edge", 21, 1], _event(16, 1, 1, 1), [25, "edge", 21, 0], *later]
    assert _counts(lines) == (2, 1, 0, 1)
    assert _counts([*lines, explained]) == (3, 2, 1, 0)


def test_a_record_that_arrives_after_the_next_start_belongs_to_the_boot_that_made_it():
    later = [[40, "boot", "power"], [40, "edge", 21, 0], _login(50, 2), _event(60, 1, 1, 1), _event(61, 1, 2, 0)]
    assert _counts(START + [[15, "edge", 21, 1], [25, "edge", 21, 0]] + later) == (2, 2, 0, 0)


def test_records_without_numbers_are_told_apart_by_their_text():
    places = [_up(20 + n, "EF", {"source": "gnss", "time": 1000 * (n // 2)}) for n in range(4)]
    assert _counts(START + places) == (2, 2, 0, 0)


def test_orders_are_obeyed_refused_late_or_unanswered():
    lines = []
    for number, (code, wait_ms) in enumerate(((200, 90), (500, 90), (200, 20000), (None, None))):
        lines.append([100000 * number, "cmd", f"r{number}", "{}"])
        if code:
            lines.append([100000 * number + wait_ms, "msg", f"welder/w/response/r{number}", json.dumps({"code": code})])
    counts = ledger.orders(lines)
    assert [counts["commands" + name] for name in ("", "_obeyed", "_refused", "_late", "_unanswered")] == [4, 2, 1, 1, 1]


def test_alarms_are_counted_by_their_begin_and_once():
    tamper = {"kind": "tamper", "boot": 1, "seq": 2, "start": 3}
    dropped = {"kind": "records_dropped", "boot": 1, "seq": 4, "start": 7, "end": 7}
    lines = [_up(20, "E0", tamper), _up(21, "E0", tamper), _up(30, "E0", dict(tamper, seq=3, end=5)), _up(40, "E0", dropped)]
    assert ledger.alarms(START + lines) == {"tamper": 1, "records_dropped": 1}


def test_alarms_that_were_dropped_by_rule_are_counted():
    gaps = [{"rank": rank, "from": [1, 2], "to": [1, 9], "count": count} for rank, count in ((0, 3), (2, 5))]
    told = [_up(40, "E0", {"kind": "records_dropped", "boot": 1, "seq": 10 + gap["rank"], "detail": gap}) for gap in gaps]
    assert ledger.dropped_alarms(START + told) == 3


def test_a_contact_that_sticks_for_a_minute_without_the_relay_must_be_told_of():
    stick, let_go = [100_000, "knob", "stick", True], [400_000, "knob", "stick", False]
    assert ledger.stuck([*START, stick, let_go]) == 1
    assert ledger.stuck([*START, [90_000, "edge", 21, 1], stick, let_go]) == 0
    assert ledger.stuck([*START, [90_000, "edge", 21, 1], stick, [350_000, "edge", 21, 0], let_go]) == 0
    assert ledger.stuck([*START, [90_000, "edge", 21, 1], stick, [330_000, "edge", 21, 0], let_go]) == 1
    cut = [[250_000, "end", "power"], [280_000, "boot", "power"]]
    assert ledger.stuck([*START, stick, *cut, let_go]) == 1
    assert ledger.stuck([*START, stick, *cut, [280_000, "knob", "stick", True], let_go]) == 2


def test_a_recovery_is_counted_from_the_end_of_the_last_fault_to_the_login():
    dead, alive = ("knob", "set_alive", False), ("knob", "set_alive", True)
    lines = [*START, [1000, *dead], [2000, "knob", "set_signal", -130], [3000, *alive], [4000, "knob", "set_signal", -85]]
    assert ledger.recoveries([*lines, _login(9000, 1)]) == [9, 5000]


def test_a_session_that_outlives_a_fault_is_no_recovery():
    lines = [*START, [1000, "knob", "set_alive", False], [2000, "knob", "set_alive", True], _up(2500, "FF", {}), _login(9000, 1)]
    assert ledger.recoveries(lines) == [9]


def test_the_heap_is_the_least_of_a_day_s_looks_without_what_is_left_when_the_terminal_is_gone():
    first = [[HOUR, "heap", 9000], [2 * HOUR, "heap", 8000], [3 * HOUR, "world", 5000], [4 * HOUR, "heap", 8600]]
    last = [[DAY + HOUR, "heap", 8900], [DAY + 2 * HOUR, "heap", 9900], [DAY + 3 * HOUR, "world", 5500]]
    assert ledger.heap(first + last, DAY) == {"heap_day1_b": 3000, "heap_last_b": 3400, "heap_growth_b": 300}


def test_a_heap_that_grows_in_every_boot_is_seen_although_each_day_begins_anew():
    def boot(start):
        looks = [[start + number * HOUR, "heap", 90000 + 500 * number] for number in range(1, 7)]
        return [*looks, [start + 7 * HOUR, "world", 5000]]

    found = ledger.heap(boot(0) + boot(DAY), DAY)
    assert found["heap_last_b"] == found["heap_day1_b"] and found["heap_growth_b"] == 1500


@pytest.mark.parametrize(
    ("last_b", "growth_b", "reasons"), [(82048, 2048, 0), (82049, 0, 1), (70000, 2049, 1), (90000, 9000, 2), (70000, -9000, 0)]
)
def test_a_month_fails_when_the_heap_of_its_last_day_is_beyond_the_first_one_s_by_more_than_is_allowed(last_b, growth_b, reasons):
    found = {"violations": 0, "records_lost": 0, "stuck_untold": 0, "heap_day1_b": 80000, "heap_last_b": last_b}
    found["heap_growth_b"] = growth_b
    assert len(broken(found)) == reasons


@pytest.mark.parametrize("seed", range(20))
def test_a_month_is_its_seed_s_and_covers_its_days(seed):
    month, again = Month(30, seed), Month(30, seed)
    assert [life.calls for life in month.lives] == [life.calls for life in again.lives]
    assert month.lives[0].start_ms == 0 and month.lives[-1].end_ms == 30 * DAY
    assert all(early.end_ms < late.start_ms for early, late in zip(month.lives, month.lives[1:], strict=False))
    assert month.lives[-1].end_ms - month.lives[-1].start_ms > 12.5 * DAY  # the ticks wrap in it
    assert all(0 <= call[0] < life.end_ms - life.start_ms for life in month.lives for call in life.calls)


def test_the_last_hours_of_a_month_have_no_outage():
    month = Month(30, 1)
    assert max(outage.end_ms for outage in month.outages) <= month.end_ms - 2 * HOUR
