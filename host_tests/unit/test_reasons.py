"""One reason for everything that keeps a welder from welding; each case runs on CPython and on MicroPython."""

import itertools

import pytest
from drivers import reasons as driver

UP = ["session_up", 1]
DOWN = ["session_down", 1, "no_signal"]
ON = ["command", 2, 1, "a"]
BAN = ["command", 2, 0, "a", None, None, "platform", True]
REFUSED = ["session_refused", 2]
OUT = ["out_of_service", 2, True]


@pytest.fixture
def why(micropython):
    """why(steps, cause, faults=()) -> (reason, minutes)."""

    def run(steps, cause, faults=()):
        case = {"steps": steps, "cause": cause, "faults": list(faults)}
        given = driver.run(case)
        assert micropython.call("reasons", case) == given
        return tuple(given)

    return run


def test_a_powered_welder_has_no_reason(why):
    assert why([UP, ON], None) == ("ok", None)
    assert why([["tick", 600]], "no_signal") == ("ok", None)


def test_a_locked_welder_that_lacks_nothing_was_not_scanned(why):
    assert why([UP], None) == ("not_scanned", None)


@pytest.mark.parametrize("cause", ["no_sim", "sim_pulled"])
def test_without_a_sim_it_is_the_sim(why, cause):
    assert why([["session_down", 1, cause]], cause)[0] == "no_sim"


@pytest.mark.parametrize(
    "cause",
    [
        "modem_dead",
        "no_signal",
        "no_registration",
        "no_data_call",
        "no_route",
        "untrusted",
        "clock_unknown",
        "no_answer",
        "taken_over",
    ],
)
def test_every_other_cause_is_the_network(why, cause):
    assert why([["session_down", 1, cause]], cause)[0] == "no_network"


def test_the_network_comes_with_the_minutes_until_emergency(why):
    assert why([DOWN], "no_signal") == ("no_network", 10)
    assert why([DOWN, ["tick", 541]], "no_signal") == ("no_network", 1)


def test_what_shuts_fail_open_has_no_minutes(why):
    assert why([DOWN, BAN], "no_signal") == ("barred", None)
    assert why([DOWN, REFUSED], "no_signal") == ("refused", None)
    assert why([DOWN, OUT], "no_signal") == ("out_of_service", None)


def test_a_first_refusal_is_told_before_it_is_the_verdict(why):
    assert why([["session_down", 1, "refused"]], "refused") == ("refused", None)


def test_the_order_of_the_reasons(why):
    rows = [  # (what makes it hold, its cause, its faults), the strongest first
        ("fault", [], None, ["contact_failed"]),
        ("out_of_service", [OUT], None, []),
        ("refused", [REFUSED], None, []),
        ("barred", [BAN], None, []),
        ("no_sim", [], "no_sim", []),
        ("not_scanned", [], None, []),
    ]
    for strong, weak in itertools.combinations(rows, 2):
        steps = [DOWN, *strong[1], *weak[1]]
        assert why(steps, strong[2] or weak[2], strong[3] + weak[3])[0] == strong[0]


def test_a_fault_comes_even_before_powered(why):
    assert why([UP, ON], None, ["contact_failed"])[0] == "fault"


def test_powered_comes_before_what_only_shuts_fail_open(why):
    assert why([UP, ON, ["out_of_service", 3, True]], None)[0] == "ok"


def test_while_the_switching_interval_runs_the_welder_is_not_told_to_be_on(why):
    steps = [UP, ON, ["command", 3, 0, "b"], ["command", 3, 1, "c"]]
    assert why(steps, None)[0] == "not_scanned"


def test_the_texts_are_these():
    assert set(driver.REASONS) == {
        "ok",
        "not_scanned",
        "barred",
        "refused",
        "out_of_service",
        "no_sim",
        "no_network",
        "fault",
    }
