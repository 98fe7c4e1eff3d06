"""The world goes wrong, one knob at a time: the cause told apart, the relay, the reason, and the report that must follow."""

import time

import pytest

from host_tests.system.harness import World

_EMERGENCY_S = 60  # host seconds: 180 s of the terminal's and the modem's recovery, at twenty times the speed


@pytest.fixture
def world(tmp_path):
    with World(tmp_path, broker="own") as world:
        world.until_online()
        yield world


CUTS = {
    "dead network behind a modem that answers": ("network", {"up": False}, {"up": True}),
    "no signal": ("signal", {"rsrp_dbm": None}, {"rsrp_dbm": -85}),
    "registration denied": ("registration", {"stat": 3}, {"stat": 1}),
    "bearer lost": ("bearer", {"up": False}, {"up": True}),
    "modem mute": ("mute", {"on": True}, {"on": False}),
}


@pytest.mark.slow
@pytest.mark.parametrize("cut", CUTS.values(), ids=CUTS.keys())
def test_an_outage_powers_a_locked_welder_after_the_wait_and_is_reported_when_it_ends(world, cut):
    knob, gone, back = cut
    world.sim.call(knob, **gone)
    world.until_relay(1, _EMERGENCY_S)
    world.sim.call(knob, **back)
    world.until_event(relay=1, cause="emergency", timeout_s=_EMERGENCY_S)
    world.until_alarm("emergency", timeout_s=_EMERGENCY_S)
    world.until_event(relay=0, cause="emergency_end", timeout_s=_EMERGENCY_S)
    world.until_alarm("emergency", ended=True)
    assert world.relay_edges() == [0, 1, 0]


@pytest.mark.slow
def test_a_welder_at_work_keeps_its_power_through_an_outage(world):
    world.switch_on("J1")
    world.chip.set_pin(23, "1")
    world.sim.call("network", up=False)
    world.terminal_passes(240)
    world.sim.call("network", up=True)
    world.until_online(2, _EMERGENCY_S)
    assert world.relay_edges() == [0, 1]
    assert world.platform.uplinks("00")[-1]["relay"] == 1


@pytest.mark.slow
def test_a_pulled_sim_is_tampering_and_waits_four_times_as_long(world):
    began_us = time.time_ns() // 1000
    world.sim.call("sim", state="absent")
    world.until_said("电话卡", _EMERGENCY_S)
    world.until_relay(1, 3 * _EMERGENCY_S)
    assert world.powered_after_s(began_us) >= 4 * 180 - 1
    world.sim.call("sim", state="ready")
    world.until_alarm("tamper", timeout_s=_EMERGENCY_S)


def test_a_socket_closed_by_the_network_is_opened_again_at_once(world):
    world.sim.call("close", id=0)
    world.until_online(2)
    world.switch_on("J1")


def test_a_modem_that_reboots_is_taken_up_again(world):
    world.sim.call("reboot")
    world.until_online(2)
    world.switch_on("J1")


def test_garbage_on_the_line_costs_nothing(world):
    for noise in ("00ff80c3", "0d0a2b43495052584745543a20", "3e20", "0d0a4f4b0d0a"):
        world.sim.call("garbage", hex=noise)
    world.switch_on("J1")
    world.platform.answer(world.platform.order(0))
    world.until_relay(0)


def test_answers_that_come_late_are_still_understood(world):
    world.sim.call("delay", ms=200)
    world.switch_on("J1")


def test_the_platform_refusing_the_terminal_never_opens_the_welder(tmp_path):
    with World(tmp_path, broker="own") as world:
        world.until_online()
        world.broker.close()
        world.start_broker(["--refuse", "5"])
        world.until_said("平台拒绝", _EMERGENCY_S)
        world.terminal_passes(3 * 180)
        assert world.relay_edges() == [0]
