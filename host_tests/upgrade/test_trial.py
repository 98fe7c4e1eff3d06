"""A release on trial, and keys that end with one."""

import json

import pytest

from host_tests.release import forge
from host_tests.system.harness import staged_tree, wait_for
from host_tests.upgrade.world import Upgrading, release

pytestmark = pytest.mark.slow

_HARD = 3  # crashes that end a trial
# Runs the release until it is told to crash: then each boot of it ends before it serves.
_FALLS = b"import os\ntry:\n    os.stat('fall')\nexcept OSError:\n    pass\nelse:\n    import machine\n    machine.reset()\n"


@pytest.fixture
def upgrading(tmp_path):
    with Upgrading(tmp_path, config={"trial_s": 86400}) as found:
        yield found


def _on_trial(upgrading, path):
    upgrading.order(upgrading.started(path))
    upgrading.until("trial")
    upgrading.world.until_online(2)


def _falling():
    return {"main.py": _FALLS + (staged_tree() / "main.py").read_bytes()}


def _is_let_in(upgrading):
    """Start after two crashes of the release and interrupt it; return whether the board was left to the cable.

    An interrupt in the middle of a collection is a reset instead.
    """
    chip = upgrading.world.chip
    logins = len(upgrading.world.platform.uplinks("00"))
    chip.power_off()
    chip.nvs_set("hanma", "trial", _HARD - 1)
    chip.power_on()
    upgrading.world.until_online(logins + 1)
    assert chip.ctrl_c()
    chip.wait_until(lambda: chip.at_repl or chip.boots > 1, 20)
    return chip.boots == 1


def test_a_reset_that_is_wanted_does_not_count_against_a_trial(upgrading, tmp_path):
    _on_trial(upgrading, release(tmp_path / "seven", 7))
    assert any(_is_let_in(upgrading) for _ in range(8))
    logins = len(upgrading.world.platform.uplinks("00"))
    upgrading.world.chip.crash()  # the cable's machine.reset(), as the chip sees it
    upgrading.world.until_online(logins + 1)
    assert upgrading.pointer() == "a ."
    assert upgrading.world.chip.nvs_get("hanma", "trial") == _HARD - 1


def test_crashes_count_and_power_cuts_between_them_do_not(upgrading, tmp_path):
    _on_trial(upgrading, release(tmp_path / "seven", 7))
    world = upgrading.world
    for crashes in (1, 2):
        logins = len(world.platform.uplinks("00"))
        world.chip.crash()
        world.until_online(logins + 1)
        world.chip.power_off()
        world.chip.power_on()
        world.until_online(logins + 2)
        assert world.chip.nvs_get("hanma", "trial") == crashes
    assert upgrading.pointer() == "a ."
    world.chip.crash()
    upgrading.until("rolled_back", version=7)
    assert upgrading.pointer() == "."


def test_success_is_told_by_the_new_version_alone_and_after_its_trial(tmp_path):
    with Upgrading(tmp_path, config={"trial_s": 120}) as upgrading:
        _on_trial(upgrading, release(tmp_path / "seven", 7))
        assert [told["state"] for told in upgrading.told()] == ["ready", "trial"]
        assert upgrading.world.chip.nvs_get("hanma", "trial_s") < 120
        upgrading.until("confirmed", version=7)
        assert upgrading.pointer() == "a"


def test_the_switch_waits_for_the_next_power_on_while_a_welder_is_powered(upgrading, tmp_path):
    upgrading.order(upgrading.started(release(tmp_path / "seven", 7)))
    upgrading.world.switch_on()
    upgrading.until("ready")
    upgrading.world.terminal_passes(90)
    assert upgrading.pointer() is None
    upgrading.world.chip.power_off()
    upgrading.world.chip.power_on()
    upgrading.until("trial")


def test_what_a_release_on_trial_has_written_is_read_by_the_one_before(upgrading, tmp_path):
    world = upgrading.world
    _on_trial(upgrading, release(tmp_path / "seven", 7, _falling()))
    world.platform.answer(world.platform.order(0, barred=True))
    world.until_beat(reason="barred")
    settings = json.loads((world.flash / "config.json").read_text())
    world.write_config({**settings, "heartbeat_s": 20, "of_a_later_release": True})
    world.sim.call("network", up=False)
    boot = world.platform.uplinks("00")[-1]["reset"]["boot"]
    world.chip.set_temperature(95)
    wait_for(lambda: "alarm overtemperature begins" in world.chip.console_text(), world.story)
    (world.flash / "fall").write_text("")
    world.chip.crash()
    wait_for(lambda: upgrading.pointer() == ".", world.story)
    world.sim.call("network", up=True)
    upgrading.until("rolled_back")
    assert world.until_alarm("overtemperature")["boot"] == boot
    world.until_alarm("config_broken")  # what only the later release knew is told and does no harm
    world.until_beat(reason="barred")
    assert world.platform.uplinks("00")[-1]["reset"]["minimal"] is False


# Keys


def test_a_release_retires_a_key_when_it_is_confirmed_and_that_key_signs_nothing_any_more(tmp_path):
    with Upgrading(tmp_path) as upgrading:
        url = upgrading.started(release(tmp_path / "seven", 7, key="B", plan={"retires": forge.key_id("A")}))
        upgrading.order(url)
        upgrading.until("trial", version=7)
        assert upgrading.world.chip.nvs_get("hanma", "retired") is None
        upgrading.until("confirmed", version=7)
        assert upgrading.world.chip.nvs_get("hanma", "retired") == forge.key_id("A")
        upgrading.order(upgrading.serve(release(tmp_path / "eight", 8, key="A")))
        upgrading.until("refused", reason="unknown_key")
        upgrading.order(upgrading.serve(release(tmp_path / "nine", 9, key="B")))
        upgrading.until("ready", version=9)


def test_a_release_that_fell_back_has_retired_nothing(upgrading, tmp_path):
    plan = {"retires": forge.key_id("A")}
    upgrading.order(upgrading.started(release(tmp_path / "seven", 7, {"lib/terminal/app.mpy": b"no code"}, key="B", plan=plan)))
    upgrading.until("rolled_back")
    assert upgrading.world.chip.nvs_get("hanma", "retired") is None
