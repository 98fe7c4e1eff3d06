"""The lamp: each reason has a pattern that cannot be taken for another one."""

import pytest
from drivers import led as driver
from drivers.reasons import REASONS

from terminal import led

_WORDS = led.PATTERNS.split(" ")
PATTERNS = {
    reason: tuple(int(digit, 16) * 100 for digit in pattern)
    for reason, pattern in zip(_WORDS[::2], _WORDS[1::2], strict=True)
}
PIN = {"pin": 19, "active": 1}


def play(*steps, led=PIN):
    return driver.run({"led": led, "steps": list(steps)})


def test_every_reason_has_its_pattern_and_there_is_no_other():
    assert set(PATTERNS) == set(REASONS)


def test_no_two_patterns_are_alike():
    assert len(set(PATTERNS.values())) == len(PATTERNS)


def test_flashes_are_told_apart_by_number_or_by_a_clearly_different_length():
    # flashes are counted; where the number is the same, light or dark is at least twice as long
    shapes = [(len(pattern), pattern) for pattern in PATTERNS.values()]
    for count, pattern in shapes:
        for other_count, other in shapes:
            if count == other_count and pattern != other:
                assert any(max(a, b) >= 2 * min(a, b) for a, b in zip(pattern, other, strict=True))


def test_a_reason_shows_within_a_second_and_a_half():
    assert max(max(pattern) for pattern in PATTERNS.values()) <= 1500


def test_every_pattern_but_the_steady_light_comes_round_dark():
    for reason, pattern in PATTERNS.items():
        assert len(pattern) % 2 == (1 if reason == "ok" else 0)


@pytest.mark.parametrize("active", [0, 1])
def test_the_lamp_starts_dark_and_follows_the_pattern(active):
    result = play("no_network", *[None] * 5, led={"pin": 19, "active": active})
    dark, light = 1 - active, active
    assert result["shown"] == [[19, 3, dark], light, dark, light, dark, light]
    assert result["lengths"] == [200, 200, 200, 1200, 200]


def test_a_powered_welder_has_a_steady_light():
    assert play("ok", None, None, None)["shown"][1:] == [1, 1, 1]


def test_the_same_reason_told_again_does_not_disturb_the_pattern():
    assert play("barred", None, "barred", None)["shown"][1:] == [1, 0]


def test_a_new_reason_begins_with_light():
    assert play("not_scanned", None, "no_sim", None)["shown"][1:] == [1, 1]


def test_a_lamp_behind_the_relays_register_is_driven_through_its_driver():
    result = play("fault", None, None, led={"output": 6, "active": 1})
    assert result["driver"]
    assert result["shown"][1:] == [1, 0]


def test_a_board_without_a_lamp_does_without():
    assert play("fault", None, led=None) == {"lengths": [100], "shown": None, "driver": False}


def test_micropython_blinks_alike(micropython):
    for reason in PATTERNS:
        case = {"led": PIN, "steps": [reason], "sleeps": 9}
        result = driver.run(case)
        assert micropython.call("led", case) == result
        assert result["lengths"] == (list(PATTERNS[reason]) * 9)[:9]
