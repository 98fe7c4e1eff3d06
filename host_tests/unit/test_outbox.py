"""The outbox: nothing acknowledged is kept, nothing else is lost but by rule, and what is lost by rule is told."""

from types import SimpleNamespace

import pytest
from drivers import outbox as driver
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from terminal import outbox as room
from terminal.desk import Desk
from terminal.outbox import Outbox

RUNS = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
ALARM, EVENT, POSITION = 0, 1, 2

RANK = st.integers(0, 2)
STEP = st.one_of(
    st.tuples(st.just("add"), RANK, st.integers(0, 60)),
    st.tuples(st.just("add"), RANK, st.integers(0, 60)),
    st.tuples(st.just("next")),
    st.tuples(st.just("next")),
    st.tuples(st.just("done"), st.integers(0, 3)),
    st.tuples(st.just("done"), st.integers(0, 3)),
    st.tuples(st.just("undone"), st.integers(0, 3)),
    st.tuples(st.just("boot")),
)
STEPS = st.lists(STEP.map(list), max_size=60)


@pytest.fixture
def play(tmp_path, micropython):
    """Return a function that runs steps on both interpreters and returns what they agree on."""

    def run(steps, most=64, segment_b=300):
        case = {"directory": str(tmp_path / "outbox"), "most": most, "segment_b": segment_b, "steps": steps}
        result = driver.run(case)
        assert micropython.call("outbox", case) == result
        return result

    return run


def _names(rank, *numbers, boot=1):
    return [[rank, boot, number] for number in numbers]


def _handed(result):
    return [given[:3] for given in result["steps"] if isinstance(given, list)]


def test_the_most_urgent_goes_first_and_the_oldest_within_a_rank(play):
    adds = [["add", rank, 3] for rank in (POSITION, EVENT, ALARM, EVENT, ALARM)]
    result = play(adds + [["next"]] * 6)
    assert _handed(result) == [[ALARM, 1, 3], [ALARM, 1, 5], [EVENT, 1, 2], [EVENT, 1, 4], [POSITION, 1, 1]]
    assert result["steps"][-1] is None


def test_what_was_not_acknowledged_is_there_after_a_power_cut_in_its_order(play):
    adds = [["add", EVENT, 20] for _ in range(9)]
    result = play([*adds, ["next"], ["next"], ["done", 1], ["boot"], *[["next"]] * 10])
    assert result["steps"][12] >= 8
    assert _handed(result)[2:] == _names(EVENT, *range(1, 10))


def test_when_all_is_acknowledged_nothing_is_left_on_flash(play):
    result = play([["add", EVENT, 20], ["next"], ["done", 0]] * 4)
    assert result["counts"] == [0, 0, 0, 4, 0]


def test_segments_whose_records_are_all_done_are_removed_while_others_wait(play):
    result = play([["add", EVENT, 80]] * 8 + [["next"], ["done", 0]] * 5)
    assert result["counts"][0] == 3
    assert result["counts"][4] == 2
    assert play([["add", EVENT, 200]] * 8 + [["next"], ["done", 0]] * 5)["counts"][4] == 3


def test_what_the_session_did_not_get_through_is_handed_out_again(play):
    steps = [["add", EVENT, 9]] * 4 + [["next"]] * 3 + [["done", 1], ["undone", 1], ["undone", 0]] + [["next"]] * 4
    assert _handed(play(steps)) == _names(EVENT, 1, 2, 3, 1, 3, 4)


def test_a_record_cut_by_a_power_failure_is_dropped_alone(play):
    for count in range(1, 40):
        result = play([["add", EVENT, 5]] * 3 + [["tear", EVENT, count], ["add", EVENT, 5]] + [["next"]] * 4)
        assert _handed(result) == [[EVENT, 1, 1], [EVENT, 1, 2], [EVENT, 2, 1]]


def test_a_spoilt_record_does_not_take_the_others_with_it(play):
    for offset in range(0, 200, 7):
        result = play([["add", EVENT, 40]] * 3 + [["spoil", EVENT, offset], ["boot"]] + [["next"]] * 4, segment_b=4096)
        handed = _handed(result)
        assert len(handed) >= 2
        assert all(name in _names(EVENT, 1, 2, 3) for name in handed)


def test_when_it_is_full_positions_go_before_events_and_events_before_alarms(play):
    rows = [["add", rank, 200] for rank in (ALARM, EVENT, POSITION) for _ in range(2)]
    gaps = [play(rows + [["add", ALARM, 200]] * count, most=6)["gaps"] for count in (1, 2, 3, 4, 5)]
    position, event = [POSITION, 1, 5, 1, 6, 2], [EVENT, 1, 3, 1, 4, 2]
    assert gaps[:2] == [[[POSITION, 1, 5, 1, 5, 1]], [position]]
    assert gaps[2:] == [[[EVENT, 1, 3, 1, 3, 1], position], [event, position], [[ALARM, 1, 1, 1, 1, 1], event, position]]
    drained = play([*rows, *[["add", ALARM, 200]] * 4, *[["next"]] * 7], most=6)
    assert _handed(drained) == _names(ALARM, 1, 2, 7, 8, 9, 10)


def test_a_position_makes_no_event_go(play):
    result = play([["add", EVENT, 200]] * 4 + [["add", POSITION, 10]] + [["next"]] * 5, most=4)
    assert _handed(result) == _names(EVENT, 1, 2, 3, 4)
    assert result["gaps"] == [[POSITION, 1, 5, 1, 5, 1]]


def test_what_was_dropped_is_known_after_a_power_cut_until_it_was_told(play):
    fill = [["add", POSITION, 200]] * 6
    assert play([*fill, ["boot"]], most=4)["gaps"] == [[POSITION, 1, 1, 1, 2, 2]]
    assert play([*fill, ["told", POSITION], ["boot"]], most=4)["gaps"] == []
    later = play([*fill, ["boot"], ["add", POSITION, 200]], most=4)
    assert later["gaps"] == [[POSITION, 1, 1, 1, 3, 3]]


def test_what_was_dropped_in_flight_and_comes_back_is_nobody_elses(play):
    steps = [["add", ALARM, 0], ["add", POSITION, 0], ["boot"], ["next"], ["next"]]
    steps += [["add", POSITION, 0], ["next"], ["undone", 1], ["next"]]
    handed = play(steps, most=2)["steps"]
    assert handed[6][:3] == [POSITION, 2, 1] and handed[8] is None


def test_a_full_file_system_costs_the_least_urgent_and_a_dead_one_nothing_while_the_power_stays(play):
    result = play([["add", POSITION, 50]] * 3 + [["full", True], ["add", ALARM, 50], ["full", False]] + [["next"]] * 5, most=64)
    assert [ALARM, 1, 4] in _handed(result)
    result = play([["dead", True], *[["add", EVENT, 50]] * 3, ["dead", False], ["add", EVENT, 50], *[["next"]] * 5])
    assert sorted(_handed(result)) == _names(EVENT, 1, 2, 3, 4)
    assert result["counts"][2] == 3


def test_a_dead_file_system_keeps_a_bounded_number_in_ram(play):
    result = play([["dead", True], *[["add", EVENT, 5]] * 30, ["add", ALARM, 5], *[["next"]] * 32])
    assert len(_handed(result)) == 16
    assert _handed(result)[0] == [ALARM, 1, 31]
    assert result["gaps"] == [[EVENT, 1, 1, 1, 15, 15]]


@RUNS
@given(STEPS, st.sampled_from([2, 4, 64]))
def test_every_record_is_waiting_in_flight_done_or_dropped_by_rule(play, steps, most):
    result = play(steps, most=most)
    waiting, dropped, unsaved, _, _ = result["counts"]
    assert unsaved == 0
    made, done = set(), set()
    out, boot, last = [], 1, 0
    for step, given_back in zip(steps, result["steps"], strict=True):
        if step[0] == "boot":
            boot, last, out = boot + 1, 0, []
        elif step[0] == "add":
            assert given_back == last + 1
            last += 1
            made.add((step[1], boot, last))
        elif step[0] == "next" and given_back:
            name = tuple(given_back[:3])
            assert name in made
            assert name not in out
            assert name not in done or name[1] < boot  # only a power cut makes a repeat
            out.append(name)
        elif step[0] in ("done", "undone") and step[1] < len(out):
            name = out.pop(step[1])
            if step[0] == "done":
                done.add(name)
    if most == 64:
        drained = play(steps + [["next"]] * (waiting + 1), most=most)
        rest = {tuple(name) for name in _handed(drained)[len(_handed(result)) :]} | set(out)
        assert made == done | rest
        assert drained["steps"][-1] is None
        assert dropped == 0


def test_a_dropped_report_of_what_was_dropped_leaves_nothing_unexplained(play):
    positions = [["add", POSITION, 200] for _ in range(3)]
    alarms = [["add", ALARM, 200] for _ in range(3)]
    result = play([["add", ALARM, 9], *positions, ["report", POSITION], *alarms], most=3)
    assert result["gaps"] == [[ALARM, 1, 1, 1, 5, 2], [POSITION, 1, 2, 1, 4, 3]]


def test_a_dropped_report_that_flash_would_not_take_leaves_nothing_unexplained(play):
    positions = [["add", POSITION, 200] for _ in range(4)]
    alarms = [["add", ALARM, 9] for _ in range(16)]
    result = play([*positions, ["dead", True], ["report", POSITION], *alarms], most=3)
    assert result["gaps"] == [[ALARM, 1, 5, 1, 5, 1], [POSITION, 1, 1, 1, 1, 1]]


def test_an_event_whose_job_is_called_as_the_report_is_dropped_like_any_other(tmp_path):
    box = Outbox(1, str(tmp_path / "outbox"), 2, 100)
    box.recover()
    for _ in range(3):
        box.add(EVENT, "FF", {"event": {"job": "records_dropped"}})
    assert box.gaps == {EVENT: [1, 1, 1, 1, 1]}


# ---- a full heap


@pytest.fixture
def full(tmp_path, monkeypatch):
    """Return (an outbox, a function that lets the next so many calls of one of its functions find no memory)."""
    box = Outbox(1, str(tmp_path / "outbox"))
    box.recover()

    def fill(owner, name, times):
        work = getattr(owner, name)
        left = [times]

        def call(*arguments):
            if left[0]:
                left[0] -= 1
                raise MemoryError
            return work(*arguments)

        monkeypatch.setattr(owner, name, call)

    return box, fill


def test_a_report_that_finds_no_memory_at_first_is_kept(full):
    box, fill = full
    fill(room, "_sealed", 1)
    assert box.add(EVENT, "FF", {"n": 1}) == 1
    assert (box.waiting, box.dropped, box.gaps) == (1, 0, {})
    assert box.next()[1:3] == (1, 1)


def test_a_report_that_finds_no_memory_twice_is_dropped_with_its_gap(full):
    box, fill = full
    fill(room, "_sealed", 2)
    assert box.add(EVENT, "FF", {"n": 1}) == 1
    assert (box.waiting, box.dropped, box.gaps) == (0, 1, {EVENT: [1, 1, 1, 1, 1]})
    assert box.add(EVENT, "FF", {"n": 2}) == 2


def test_a_report_of_what_was_dropped_that_finds_no_memory_is_made_again(full):
    box, fill = full
    box.gaps[POSITION] = [1, 1, 1, 1, 1]
    desk = SimpleNamespace(_outbox=box, moment=lambda: (None, 1, 0), report=lambda content: box.add(ALARM, "E0", content))
    fill(room, "_sealed", 2)
    Desk._tell_gaps(desk)
    assert box.gaps == {POSITION: [1, 1, 1, 1, 1], ALARM: [1, 1, 1, 1, 1]}
    Desk._tell_gaps(desk)
    assert (box.gaps, box.waiting) == ({}, 2)


def test_what_was_dropped_is_told_after_the_alarms_that_wait(full):
    box, _ = full
    box.gaps[POSITION] = [1, 1, 1, 1, 1]
    desk = SimpleNamespace(_outbox=box, moment=lambda: (None, 1, 0), report=lambda content: box.add(ALARM, "E0", content))
    box.add(ALARM, "E0", {"n": 1})
    Desk._tell_gaps(desk)
    assert (box.gaps, box.waiting) == ({POSITION: [1, 1, 1, 1, 1]}, 1)
    box.done(box.next())
    Desk._tell_gaps(desk)
    assert (box.gaps, box.waiting) == ({}, 1)


def test_where_not_even_the_gap_can_be_noted_the_number_is_the_next_ones(full):
    box, fill = full
    fill(room, "_sealed", 2)
    fill(box, "_note_gap", 1)
    box.add(EVENT, "FF", {"n": 1})
    assert (box.waiting, box.dropped, box.gaps) == (0, 1, {})
    assert box.add(EVENT, "FF", {"n": 2}) == 1
    assert box.next()[1:3] == (1, 1)


def test_a_record_that_finds_no_memory_to_be_read_is_handed_out_the_next_time(full):
    box, fill = full
    for number in range(2):
        box.add(EVENT, "FF", {"n": number})
    record = box.next()
    box.undone(record)
    fill(room, "_whole", 1)
    with pytest.raises(MemoryError):
        box.next()
    assert [box.next()[2], box.next()[2]] == [1, 2]
    fill(room, "_whole", 1)
    box.add(EVENT, "FF", {"n": 3})
    with pytest.raises(MemoryError):
        box.next()
    assert box.next()[2] == 3
