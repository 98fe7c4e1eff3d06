"""Ctrl-C on the console: an open terminal is left with the welder unpowered, a locked one does not hear it."""

import pytest

from host_tests.system.harness import World, wait_for

pytestmark = pytest.mark.slow


def _powered(world):
    wait_for(lambda: world.platform.uplinks("00"), "a login")
    world.platform.answer(world.platform.order(1))
    world.until_relay(1)


def test_whoever_interrupts_an_open_terminal_leaves_the_welder_unpowered(tmp_path):
    with World(tmp_path, broker="own") as world:
        _powered(world)
        assert world.chip.ctrl_c()
        world.until_relay(0)
        edges = len(world.chip.pin_log())
        assert world.chip.wait(20) == "repl" or world.chip.boots > 1  # an interrupt in the middle of a collection is a reset
        assert [edge["level"] for edge in world.chip.pin_log()[edges:] if edge["pin"] == 21 and edge["level"]] == []


def test_a_locked_terminal_does_not_hear_ctrl_c_and_goes_on(tmp_path):
    with World(tmp_path, broker="own", power=False) as world:
        world.chip.nvs_set("hanma", "lock", 1)
        world.chip.power_on()
        _powered(world)
        assert not world.chip.ctrl_c()
        world.platform.answer(world.platform.order(0))
        assert world.chip.boots == 1
