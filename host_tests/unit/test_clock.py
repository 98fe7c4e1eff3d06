"""The clock: seconds since boot over tick wraps, wall time and whom it believes, civil time."""

import datetime
import types

import pytest
from drivers import clock as driver
from hypothesis import given, settings
from hypothesis import strategies as st

from terminal import clock as room
from terminal.clock import PLATFORM, Clock
from terminal.wall import civil, unix_ms

NOW_MS = 1_790_000_000_000
MINUTE_MS = 60_000
WRAP_MS = 1 << 30


def life(*steps, start=0):
    """Replay steps on CPython; return the driver's result."""
    return driver.run({"start": start, "steps": [list(step) for step in steps]})


def test_seconds_since_boot_go_on_over_the_tick_wrap():
    seen = life((MINUTE_MS,), (MINUTE_MS,), start=WRAP_MS - 1)["seen"]
    assert [row[0] for row in seen] == [60, 120]


def test_a_year_of_readings_is_counted_to_the_second():
    steps = [(MINUTE_MS + 7,)] * 5000
    seen = life(*steps, *[(40 * 3600 * 1000,)] * 200)["seen"]
    assert seen[-1][1] == 5000 * (MINUTE_MS + 7) + 200 * 40 * 3600 * 1000
    assert seen[-1][0] == seen[-1][1] // 1000


def test_a_clock_nobody_has_set_says_that_it_does_not_know():
    row = life((5000,))["seen"][0]
    assert row[2] is None and row[3] is None


def test_a_record_from_before_the_clock_was_set_gets_its_wall_time_later():
    ticks = [0]
    clock = Clock(driver.Timer(ticks))
    ticks[0] = 10_000
    recorded_s = clock.now_s()
    assert clock.wall_ms_of(recorded_s) is None
    ticks[0] = 70_000
    clock.set_ms(NOW_MS, "network")
    assert clock.wall_ms_of(recorded_s) == NOW_MS - 60_000


def test_the_chip_clock_is_set_from_the_first_reading_in_utc():
    result = life((1000, unix_ms(2026, 11, 21, 3, 4, 5, 678), "network"))
    assert result["rtc"] == [[2026, 11, 21, 5, 3, 4, 5, 678000]]


@pytest.mark.parametrize("year", [1980, 2000, 2023, 2100, 2106])
def test_a_year_that_cannot_be_is_refused(year):
    result = life((0, unix_ms(year, 6, 1), PLATFORM))
    assert result["seen"][0][2] is None
    assert result["refused"] == 1


def test_a_small_correction_is_applied_without_touching_the_chip_clock_below_two_seconds():
    result = life((0, NOW_MS, "network"), (1000, NOW_MS + 1900, "network"), (1000, NOW_MS + 5900, "network"))
    assert [row[2] for row in result["seen"]] == [NOW_MS, NOW_MS + 1900, NOW_MS + 5900]
    assert len(result["rtc"]) == 2


def test_one_wild_reading_changes_nothing():
    far = NOW_MS + 3_600_000
    seen = life((0, NOW_MS, "network"), (0, far, "network"), (0, NOW_MS, "network"), (0, far, "network"))[
        "seen"
    ]
    assert [row[4] for row in seen] == [True, False, True, False]
    assert seen[-1][2] == NOW_MS


def test_a_network_that_insists_on_another_time_is_believed_when_nobody_knows_better():
    far = NOW_MS + 3_600_000
    seen = life((0, NOW_MS, "network"), (0, far, "network"), (0, far + 500, "network"))["seen"]
    assert seen[-1][2] == far + 500
    assert not seen[-1][5]


def test_two_wild_readings_that_contradict_each_other_prove_nothing():
    far = NOW_MS + 3_600_000
    seen = life((0, NOW_MS, "network"), (0, far, "network"), (0, far + 99_000, "network"))["seen"]
    assert seen[-1][2] == NOW_MS


def test_the_platform_overrules_the_network_the_second_time_and_the_alarm_begins():
    far = NOW_MS + 3_600_000
    seen = life((0, NOW_MS, "network"), (0, far, PLATFORM), (0, far, PLATFORM))["seen"]
    assert [row[5] for row in seen] == [False, False, True]
    assert seen[-1][2] == far


def test_the_network_never_overrules_the_platform_but_the_alarm_begins():
    far = NOW_MS - 3_600_000
    seen = life((0, NOW_MS, PLATFORM), *[(0, far, "network")] * 4)["seen"]
    assert [row[5] for row in seen] == [False, False, True, True, True]
    assert seen[-1][2] == NOW_MS


def test_the_alarm_ends_when_the_accused_source_agrees_again_not_when_the_platform_repeats_itself():
    far = NOW_MS - 3_600_000
    seen = life(
        (0, NOW_MS, PLATFORM),
        (0, far, "network"),
        (0, far, "network"),
        (0, NOW_MS, PLATFORM),
        (0, NOW_MS + 2000, "network"),
    )["seen"]
    assert [row[5] for row in seen] == [False, False, True, True, False]


def test_a_time_the_platform_has_proved_stays_proved_after_a_small_correction_by_the_network():
    far = NOW_MS + 3_600_000
    result = life((0, NOW_MS, PLATFORM), (0, NOW_MS + 900, "network"), *[(0, far, "network")] * 2)
    assert result["source"] == PLATFORM
    assert result["seen"][-1][2] == NOW_MS + 900


@settings(max_examples=200, deadline=None)
@given(st.datetimes(datetime.datetime(1970, 1, 1), datetime.datetime(2199, 12, 31)))
def test_civil_time_agrees_with_the_calendar_both_ways(moment):
    ms = moment.microsecond // 1000
    parts = (moment.year, moment.month, moment.day, moment.hour, moment.minute, moment.second, ms)
    since = moment.replace(microsecond=ms * 1000) - datetime.datetime(1970, 1, 1)
    assert unix_ms(*parts) == since // datetime.timedelta(milliseconds=1)
    assert civil(unix_ms(*parts)) == parts + (moment.weekday(),)


STEP = st.one_of(
    st.tuples(st.integers(0, 1 << 28)),
    st.tuples(
        st.integers(0, 100_000),
        st.sampled_from([NOW_MS, NOW_MS + 1000, NOW_MS + 400_000, NOW_MS - 900_000, 0, 1 << 45]),
        st.sampled_from(["network", "gnss", PLATFORM]),
    ),
)


@pytest.mark.parametrize("error", [ImportError, OSError, MemoryError])
def test_a_time_that_comes_while_the_code_for_it_cannot_be_had_is_not_believed(monkeypatch, error):
    def broken(_):
        raise error

    clock = Clock(types.SimpleNamespace(ticks_ms=lambda: 0, ticks_diff=lambda later, earlier: later - earlier))
    monkeypatch.setattr(room, "borrow", broken)
    assert clock.set_ms(1800000000000, "network") is False
    assert (clock.known, clock.refused) == (False, 1)
    monkeypatch.undo()
    assert clock.set_ms(1800000000000, "network") is True


@settings(max_examples=100, deadline=None)
@given(st.integers(0, WRAP_MS - 1), st.lists(STEP, max_size=30))
def test_micropython_counts_and_believes_alike(micropython, start, steps):
    case = {"start": start, "steps": [list(step) for step in steps]}
    result = driver.run(case)
    assert micropython.call("clock", case) == result
    seconds = [row[0] for row in result["seen"]]
    assert seconds == sorted(seconds)


def test_micropython_knows_the_calendar(micropython):
    case = {
        "civil": [
            unix_ms(year, month, 28, 23, 59, 59, 999) for year in range(2000, 2100, 7) for month in (2, 12)
        ]
    }
    assert micropython.call("clock", case) == driver.run(case)
