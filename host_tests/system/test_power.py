"""Power cuts, crashes, hangs and broken files on the whole terminal: what the relay does, and what the platform learns."""

import json

import pytest

from host_tests.system.harness import RELAY_PIN, World, wait_for


@pytest.fixture
def world(tmp_path):
    with World(tmp_path, broker="own") as world:
        world.until_online()
        yield world


def test_a_crash_at_work_does_not_drop_the_arc(world):
    world.switch_on("J1")
    world.until_event(relay=1, cause="order")
    world.chip.crash()
    login = world.until_online(2)
    assert login["resumed"] is True and login["relay"] == 1 and login["reset"]["cause"] == 2
    world.until_event(relay=1, cause="resumed", job="J1")
    assert 0 not in world.relay_edges()[1:]


def test_a_power_cut_at_work_leaves_the_welder_locked_and_is_reported_as_an_estimate(world):
    world.switch_on("J1")
    world.until_event(relay=1, cause="order")
    world.chip.press_reset()
    login = world.until_online(2)
    assert login["resumed"] is False and login["state"] == "LOCKED"
    event = world.until_event(relay=0, cause="power_lost", job="J1")
    assert event["estimated"] is True and event["time"]
    assert world.relay() == 0


def test_three_flicks_of_the_mains_switch_power_no_welder(world):
    edges = len(world.relay_edges())
    for _ in range(3):
        world.chip.press_reset()
        world.terminal_passes(1)
    world.until_boot(4)
    assert 1 not in world.relay_edges()[edges:]
    world.switch_on("J1")


def test_a_ban_outlives_a_power_cut(world):
    world.platform.answer(world.platform.order(0, barred=True))
    world.chip.press_reset()
    world.until_online(2)
    world.until_beat(reason="barred", state="LOCKED")


def test_a_repeated_order_is_known_after_a_power_cut(world):
    first = world.switch_on("J1")
    world.platform.answer(world.platform.order(0))
    world.chip.press_reset()
    world.until_online(2)
    edges = len(world.relay_edges())
    topic = world.platform.topic("response", first)
    answers = sum(one[0] == topic for one in world.platform.messages)
    world.platform.order(1, request_id=first, job="J1")
    wait_for(lambda: sum(one[0] == topic for one in world.platform.messages) > answers, "the stored answer")
    assert 1 not in world.relay_edges()[edges:]


@pytest.mark.parametrize("text", ["{", "[]", '{"host": 7}', "\0\xff" * 100, '{"profile":' * 50])
def test_a_broken_configuration_leaves_a_terminal_that_says_so(tmp_path, text):
    with World(tmp_path, broker="own", power=False) as world:
        (world.flash / "config.json").write_text(text)
        world.chip.power_on()
        world.until_said("欢迎")
        wait_for(lambda: "alarm config_broken begins" in world.chip.console_text(), world.chip.console_text)
        assert world.relay() == 0


def test_another_sim_than_the_provisioned_one_is_an_alarm(tmp_path):
    with World(tmp_path, broker="own", config={"iccid": "89860000000000000000"}) as world:
        world.until_online()
        assert world.until_alarm("sim_changed")["detail"] == "89860012345678901234"
        world.switch_on("J1")


def test_one_bad_field_has_its_default_and_is_reported(tmp_path):
    with World(tmp_path, broker="own", config={"heartbeat_s": 1}) as world:
        world.until_online()
        assert "heartbeat_s" in world.until_alarm("config_broken")["detail"]


def test_a_flash_without_the_program_never_powers_the_welder(tmp_path):
    with World(tmp_path, broker="own", power=False) as world:
        for path in (world.flash / "lib" / "terminal").glob("*"):
            if path.is_file():
                path.write_bytes(b"")
        world.chip.power_on()
        wait_for(lambda: world.chip.boots >= 3, "resets, not a REPL")
        assert not world.chip.at_repl
        assert world.chip.pin_level(RELAY_PIN) in (None, 0)


def test_the_secret_is_never_printed(world):
    iccid = "89860012345678901234"  # it has the secret's digits in it by chance
    told = world.chip.console_text() + json.dumps([str(one[1]) for one in world.platform.messages])
    assert "12345678" not in told.replace(iccid, "")
