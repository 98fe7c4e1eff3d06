"""The relay: no glitch at construction, polarity, the shift register's other outputs, read-back and welding
sense.
"""

import pytest
from drivers import relay as driver
from hypothesis import given, settings
from hypothesis import strategies as st

PIN = 12
SHIFT = {"driver": "shift595", "data": 7, "clock": 5, "latch": 6, "enable": 4, "output": 0}


def gpio(active=1, contact="normally_open", **more):
    return {"relay": {"driver": "gpio", "pin": PIN, "active": active, "contact": contact, **more}}


def play(board, *steps, powered=0, inputs=None):
    """Replay on CPython; return the driver's result."""
    case = {
        "board": board,
        "powered": powered,
        "steps": [list(step) for step in steps],
        "inputs": inputs or {},
    }
    return driver.run(case)


@pytest.mark.parametrize("active", [0, 1])
@pytest.mark.parametrize("contact", ["normally_open", "normally_closed"])
@pytest.mark.parametrize("powered", [0, 1])
def test_the_pin_shows_its_resting_level_first_and_no_other(active, contact, powered):
    closed = contact == "normally_closed"
    level = int(bool(powered) ^ (not active) ^ closed)
    assert play(gpio(active, contact), powered=powered)["edges"] == [[PIN, level]]


def test_polarity_and_contact_turn_the_level_but_not_the_meaning():
    result = play(gpio(0, "normally_open"), ("set", 1), ("set", 0))
    assert result["edges"] == [[PIN, 1], [PIN, 0], [PIN, 1]]
    assert result["readings"] == [True, False]


def test_a_held_pad_follows_every_order_and_is_held_again():
    result = play(gpio(hold=True), ("set", 1), ("set", 0), ("set", 1))
    assert result["edges"] == [[PIN, 0], [PIN, 1], [PIN, 0], [PIN, 1]]
    assert result["held"] == [PIN]


def test_a_pad_an_earlier_release_held_is_released():
    assert play(gpio())["held"] == []


def test_the_register_is_filled_before_its_outputs_are_enabled():
    assert play({"relay": SHIFT}, powered=1)["outputs"] == [None, 1]
    assert play({"relay": SHIFT}, powered=0)["outputs"] == [None, 0]


def test_only_the_relays_output_changes_and_lamps_keep_theirs():
    board = {"relay": dict(SHIFT, output=2, rest=0b10000000)}
    result = play(board, ("set", 1), ("other", 6, 1), ("set", 0), ("other", 7, 0))
    assert result["outputs"] == [None, 0b10000000, 0b10000100, 0b11000100, 0b11000000, 0b01000000]


def test_nobody_gets_the_relays_output_as_a_lamp():
    result = play({"relay": SHIFT}, ("other", 0, 1))
    assert result["readings"] == ["refused"]
    assert result["outputs"] == [None, 0]


def test_a_register_without_an_enable_pin_shows_the_filled_state_at_the_latch():
    board = {"relay": dict(SHIFT, enable=None, active=0)}
    assert play(board, ("set", 1))["outputs"][-2:] == [1, 0]


READBACK = dict(gpio(), readback={"pin": 13, "powered": 0, "pull": "up"})


def test_a_board_without_read_back_does_not_know():
    assert play(gpio(), ("contact",), ("wait", 100), ("contact",))["readings"] == [None, None]


def test_the_contact_is_believed_after_thirty_quiet_milliseconds():
    steps = [("contact",), ("wait", 29), ("contact",), ("wait", 1), ("contact",)]
    result = play(READBACK, *steps, inputs={"13": 0})
    assert result["readings"] == [None, None, True]
    assert result["pulls"] == [[13, 2]]


def test_a_bouncing_contact_keeps_its_last_settled_state():
    steps = [("contact",), ("wait", 30), ("contact",)]
    for level in (0, 1, 0, 1, 0):
        steps += [("input", 13, level), ("wait", 20), ("contact",)]
    result = play(READBACK, *steps, ("wait", 30), ("contact",), inputs={"13": 1})
    assert result["readings"] == [None] + [False] * 6 + [True]


ADC = dict(
    gpio(),
    welding={
        "kind": "adc",
        "pin": 34,
        "threshold": 9000,
        "hysteresis": 2000,
        "lowest": 500,
        "highest": 64000,
    },
)


def sensed(*raws):
    steps = []
    for raw in raws:
        steps += [("input", 34, raw), ("welding",)]
    return play(ADC, *steps)["readings"]


def test_welding_begins_at_the_threshold_and_ends_below_it_by_the_hysteresis():
    assert sensed(600, 8999, 9000, 7000, 6999, 8999) == [False, False, True, True, False, False]


def test_a_reading_between_the_thresholds_proves_nothing_at_first():
    assert sensed(8000, 6999, 8000) == [None, False, False]


def test_a_broken_sensor_is_unknown_and_what_was_known_is_forgotten():
    assert sensed(600, 100, 8000, 65535, 600) == [False, None, None, None, False]


def test_a_level_sense_is_debounced():
    board = dict(gpio(), welding={"kind": "gpio", "pin": 35, "welding": 1, "pull": None})
    result = play(board, ("welding",), ("wait", 40), ("welding",), inputs={"35": 1})
    assert result["readings"] == [None, True]


def test_a_driver_nobody_knows_is_an_error_at_once():
    with pytest.raises(KeyError):
        play({"relay": {"driver": "magic"}})


STEP = st.one_of(
    st.tuples(st.just("set"), st.integers(0, 1)),
    st.tuples(st.just("input"), st.sampled_from([13, 34]), st.integers(0, 1)),
    st.tuples(st.just("input"), st.just(34), st.integers(0, 65535)),
    st.tuples(st.just("wait"), st.integers(0, 60)),
    st.tuples(st.just("contact")),
    st.tuples(st.just("welding")),
    st.tuples(st.just("other"), st.integers(0, 7), st.integers(0, 1)),
)


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 1), st.integers(0, 7), st.lists(STEP, max_size=25))
def test_micropython_switches_and_senses_alike(micropython, powered, output, steps):
    board = {**ADC, "readback": READBACK["readback"], "relay": dict(SHIFT, output=output)}
    case = {
        "board": board,
        "powered": powered,
        "inputs": {"13": 1, "34": 0},
        "steps": [list(s) for s in steps],
    }
    result = driver.run(case)
    assert micropython.call("relay", case) == result
    relay_levels = [state >> output & 1 for state in result["outputs"] if state is not None]
    orders = [powered] + [step[1] for step in steps if step[0] == "set"]
    # the relay's output shows the orders in their order, and nothing in between
    assert [v for i, v in enumerate(relay_levels) if i == 0 or v != relay_levels[i - 1]] == [
        v for i, v in enumerate(orders) if i == 0 or v != orders[i - 1]
    ]
