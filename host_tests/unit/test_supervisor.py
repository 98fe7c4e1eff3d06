"""The supervisor: tasks that die, hang or fail again and again, and a watchdog that is fed only while all is
well.
"""

import json
import subprocess

import pytest
from drivers import supervisor as driver
from hypothesis import given, settings
from hypothesis import strategies as st

from host_tests.unit import replay
from terminal.supervisor import Supervisor

HEALTHY = {"name": "guard", "vital": True, "period_s": 5, "lives": [[["beat"], ["sleep", 1000], ["repeat"]]]}


def task(*lives, name="link", vital=True, period_s=10):
    return {
        "name": name,
        "vital": vital,
        "period_s": period_s,
        "lives": [list(map(list, life)) for life in lives],
    }


def live(*tasks, run_s=120, full_logs=0, refuses=False):
    """Run the tasks under MicroPython in virtual time; return what happened."""
    case = {"tasks": list(tasks), "run_s": run_s, "full_logs": full_logs, "refuses": refuses}
    code = f"import sys; sys.path.insert(0, {str(replay.FIRMWARE)!r}); "
    code += f"exec(open({str(replay.UNIT / 'mp_supervisor.py')!r}).read())"
    done = subprocess.run(
        [replay.micropython_path(), "-c", code],
        input=json.dumps(case),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout)


def of(result, what):
    """Return [(seconds, subject)] of one kind of happening; the log's "task link died: ..." is one too."""
    found = []
    for ms, kind, subject in result["happened"]:
        if kind == "log":
            kind, subject = subject.split(":")[0].split(" ")[2], subject.split(" ")[1]
        if kind == what:
            found.append((ms // 1000, subject))
    return found


WELL = [["beat"], ["sleep", 2000], ["repeat"]]


def test_healthy_tasks_run_on_and_the_watchdog_is_fed_every_second():
    result = live(HEALTHY, task(WELL))
    assert result["counters"]["deaths"] == 0
    gaps = [later - earlier for earlier, later in zip(result["feeds"], result["feeds"][1:], strict=False)]
    assert len(gaps) > 100
    assert max(gaps) <= 1050


def test_a_task_that_dies_once_is_reported_and_started_again():
    result = live(HEALTHY, task([["sleep", 3000], ["die"]], WELL))
    assert of(result, "died") == [(3, "link")]
    assert [subject for _, subject in of(result, "start")].count("link") == 2
    assert of(result, "RESET") == []


def test_a_task_that_simply_ends_is_dead_too():
    result = live(HEALTHY, task([["sleep", 3000]], WELL))
    assert of(result, "died") == [(3, "link")]
    assert result["last_error"] == "link: ended"


def test_each_restart_waits_longer():
    result = live(HEALTHY, task([["die"]], [["die"]], WELL, vital=False, period_s=None))
    starts = [second for second, subject in of(result, "start") if subject == "link"]
    assert starts[1] - starts[0] in (1, 2)
    assert starts[2] - starts[1] in (2, 3)


def test_a_vital_task_that_dies_three_times_in_a_minute_resets_the_board():
    result = live(HEALTHY, task([["beat"], ["sleep", 5000], ["die"]]))
    assert [intent for _, intent in of(result, "RESET")] == ["vital:link"]
    assert of(result, "RESET")[0][0] < 60
    assert result["feeds"][-1] <= of(result, "RESET")[0][0] * 1000 + 1000


def test_a_vital_task_that_dies_less_often_never_resets_the_board():
    result = live(HEALTHY, task([["beat"], ["sleep", 9000]] * 4 + [["die"]]), run_s=600)
    assert len(of(result, "died")) > 10
    assert of(result, "RESET") == []


def test_an_optional_task_that_keeps_failing_is_switched_off_and_never_resets_the_board():
    result = live(HEALTHY, task([["die"]], name="voice", vital=False, period_s=None), run_s=600)
    assert result["off"] == ["voice"]
    assert of(result, "off") == [(of(result, "died")[-1][0], "voice")]
    assert len(of(result, "died")) == 3
    assert of(result, "RESET") == []
    assert result["feeds"][-1] > 590_000


def test_a_hung_task_is_found_cancelled_and_started_again():
    result = live(HEALTHY, task([["beat"], ["sleep", 1_000_000]], WELL))
    hung_s = of(result, "hung")[0][0]
    assert 10 <= hung_s <= 13
    assert result["counters"]["hangs"] == 1
    assert of(result, "RESET") == []
    assert result["feeds"][-1] > 115_000


def test_the_watchdog_goes_hungry_while_a_vital_task_is_not_alive():
    result = live(HEALTHY, task([["beat"], ["sleep", 1_000_000]], WELL))
    hung_ms = of(result, "hung")[0][0] * 1000
    restart_ms = [second for second, subject in of(result, "start") if subject == "link"][1] * 1000
    assert not [ms for ms in result["feeds"] if hung_ms < ms < restart_ms]


def test_a_vital_task_that_hangs_three_times_in_a_row_resets_the_board():
    result = live(HEALTHY, task([["beat"], ["sleep", 1_000_000]], period_s=60), run_s=600)
    assert [intent for _, intent in of(result, "RESET")] == ["vital:link"]
    assert result["counters"]["hangs"] == 3


def test_a_vital_task_that_cannot_be_cancelled_resets_the_board():
    result = live(HEALTHY, task([["beat"], ["deaf", 1_000_000]]))
    assert [intent for _, intent in of(result, "RESET")] == ["vital:link"]


def test_an_optional_task_that_cannot_be_cancelled_is_left_alone_and_not_doubled():
    result = live(HEALTHY, task([["beat"], ["deaf", 50_000]], name="voice", vital=False))
    assert result["off"] == ["voice"]
    assert [subject for _, subject in of(result, "start")].count("voice") == 1


def test_a_task_that_holds_the_loop_is_measured_and_the_others_are_not_blamed():
    result = live(
        HEALTHY, task([["beat"], ["sleep", 5000], ["hold", 9000], ["beat"], ["sleep", 900_000]], period_s=300)
    )
    assert 8900 <= result["counters"]["loop_gap_ms"] <= 9000
    assert result["counters"]["hangs"] == 0


def test_memory_is_freed_when_a_task_runs_out_of_it():
    result = live(HEALTHY, task([["memory"]], WELL))
    assert len(of(result, "freed")) == 1
    assert result["counters"]["memory_errors"] == 1


def test_a_vital_task_that_finds_no_memory_late_in_each_of_three_lives_resets_the_board():
    """As a session that cannot be begun: half alive for good, were a minute's deaths the only ones that count."""
    result = live(HEALTHY, task([["beat"], ["sleep", 9000]] * 10 + [["memory"]]), run_s=600)
    assert [intent for _, intent in of(result, "RESET")] == ["vital:link"]
    assert len(of(result, "died")) == 3


def test_an_optional_task_without_memory_waits_until_others_have_done_with_it_before_it_is_given_up():
    result = live(HEALTHY, task([["memory"]], [["memory"]], WELL, name="position", vital=False, period_s=None), run_s=300)
    starts = [second for second, subject in of(result, "start") if subject == "position"]
    assert [later - earlier for earlier, later in zip(starts, starts[1:], strict=False)] == [60, 60]
    starved = live(HEALTHY, task([["memory"]], name="position", vital=False, period_s=None), run_s=300)
    assert starved["off"] == ["position"] and len(of(starved, "died")) == 3


@pytest.mark.parametrize("full_logs", [1, 2, 5])
def test_a_death_that_finds_no_memory_to_be_told_ends_neither_the_watch_nor_the_next_life(full_logs):
    result = live(HEALTHY, task([["memory"]], WELL), full_logs=full_logs)
    assert [subject for _, subject in of(result, "start")].count("link") == 2
    assert result["counters"]["memory_errors"] == 1 + min(full_logs, 2)
    assert "MemoryError" in result["last_error"]
    assert result["feeds"][-1] > 115_000


def test_a_stray_error_that_finds_no_memory_to_be_told_does_not_end_the_watch():
    result = live(HEALTHY, task([["stray"], *WELL[:-1], ["sleep", 1_000_000]], period_s=2000), full_logs=5)
    assert result["counters"]["stray_errors"] == 1
    assert result["feeds"][-1] > 115_000


def test_where_a_reset_does_not_help_a_vital_task_is_tried_again_every_minute_and_the_watchdog_is_fed():
    result = live(HEALTHY, task([["die"]]), run_s=600, refuses=True)
    starts = [second for second, subject in of(result, "start") if subject == "link"]
    assert len(of(result, "RESET")) == 1
    assert len(starts) >= 10
    assert all(later - earlier <= 62 for earlier, later in zip(starts, starts[1:], strict=False))
    assert result["feeds"][-1] > 590_000
    assert max(later - earlier for earlier, later in zip(result["feeds"], result["feeds"][1:], strict=False)) < 10_000
    assert result["off"] == []


def test_an_exception_in_a_task_nobody_waits_for_is_counted_and_the_board_goes_on():
    result = live(HEALTHY, task([["stray"], *WELL[:-1], ["sleep", 1_000_000]], period_s=2000))
    assert result["counters"]["stray_errors"] == 1
    assert result["last_error"].startswith("stray: KeyError")
    assert result["feeds"][-1] > 115_000


def test_the_last_error_is_bounded_and_names_task_and_kind():
    result = live(HEALTHY, task([["die"]], WELL))
    assert result["last_error"].startswith("link: ValueError: xxx")
    assert len(result["last_error"]) == 120


def test_a_vital_task_without_a_period_is_a_mistake():
    with pytest.raises(ValueError):
        Supervisor(None, None).add("link", None, True)


STEP = st.tuples(st.integers(0, 90), st.sampled_from(["beat", "die", "hang", "starve", "look"]))


@settings(max_examples=150, deadline=None)
@given(st.integers(1, 120), st.lists(STEP, max_size=20))
def test_micropython_keeps_the_same_book_and_only_three_close_deaths_are_too_many(
    micropython, period_s, steps
):
    case = {"period_s": period_s, "steps": [list(step) for step in steps]}
    result = driver.run(case)
    assert micropython.call("supervisor", case) == result
    now_s, deaths = 0, []
    for (passed_s, what), (answer, _, wait_s) in zip(steps, result["seen"], strict=True):
        now_s += passed_s
        if what not in ("die", "hang", "starve"):
            continue
        deaths = (deaths + [now_s])[-3:]
        window_s = {"die": 60, "hang": 60 + 3 * (period_s + 5), "starve": 600}[what]
        assert answer == (len(deaths) == 3 and now_s - deaths[0] <= window_s)
        assert answer or 1 <= wait_s <= 60
