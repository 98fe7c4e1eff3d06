"""Whole MicroPython images over the air: into the other partition, tried by the bootloader's own rules, and back."""

import pytest

from host_tests.board import partitions
from host_tests.board.ota_chip import PANICS
from host_tests.port import boot_choice
from host_tests.port.chip import HARD
from host_tests.system.harness import wait_for
from host_tests.upgrade.world import Upgrading, damaged, image

pytestmark = pytest.mark.slow

_CONTENT = bytes(range(251)) * 400  # some 100 KB, whose blocks all differ


@pytest.fixture
def upgrading(tmp_path):
    with Upgrading(tmp_path, partitions=partitions.OTA) as found:
        yield found


def _started(upgrading, path, **behaviour):
    """Serve the bundle, power on, wait for the session; return the address."""
    url = upgrading.serve(path, **behaviour)
    upgrading.world.chip.power_on()
    upgrading.world.until_online()
    return url


def _writes_nothing(upgrading):
    return upgrading.world.chip.content("ota_1").strip(b"\xff") == b""


def test_an_image_is_written_tried_and_marked_valid(upgrading, tmp_path):
    upgrading.order(_started(upgrading, image(tmp_path / "seven", 7, _CONTENT)))
    upgrading.until("trial", version=7)
    assert upgrading.world.chip.running == "ota_1"
    upgrading.until("confirmed", version=7)
    assert upgrading.world.chip.content("ota_1").startswith(boot_choice.app_image(_CONTENT))
    upgrading.world.chip.crash()
    upgrading.world.until_online(times=3)
    assert upgrading.world.chip.started == ["ota_0", "ota_1", "ota_1"]
    assert set(upgrading.world.relay_edges()) <= {0, None}
    upgrading.order(upgrading.serve(image(tmp_path / "again", 7)))
    upgrading.until("refused", reason="older")


def test_an_image_that_panics_is_tried_three_times_and_left(upgrading, tmp_path):
    upgrading.order(_started(upgrading, image(tmp_path / "seven", 7, PANICS)))
    upgrading.until("rolled_back", version=7)
    chip = upgrading.world.chip
    assert chip.started == ["ota_0"] + ["ota_1", "ota_0"] * 3
    assert upgrading.world.until_online(times=4)["reset"]["minimal"] is False


def test_an_image_that_crashes_later_goes_back_at_once_and_for_good_after_the_third_time(upgrading, tmp_path):
    upgrading.order(_started(upgrading, image(tmp_path / "seven", 7)))
    chip = upgrading.world.chip
    for times in (1, 2, 3):
        wait_for(lambda times=times: chip.started == ["ota_0", "ota_1"] * times, upgrading.world.story)
        upgrading.world.until_online(times=2 * times)
        chip.crash()
        assert chip.running == "ota_0" and chip.reset_causes[-1] == HARD
    upgrading.until("rolled_back", version=7)


def test_a_power_off_during_the_trial_only_takes_another_switch_and_what_was_served_is_summed_up(tmp_path):
    with Upgrading(tmp_path, partitions=partitions.OTA, config={"trial_s": 300}) as upgrading:
        upgrading.order(_started(upgrading, image(tmp_path / "seven", 7)))
        chip = upgrading.world.chip
        for _ in range(2):
            before_s = chip.nvs_get("hanma", "trial_s") or 0
            wait_for(lambda before_s=before_s: (chip.nvs_get("hanma", "trial_s") or 0) > before_s, upgrading.world.story)
            chip.power_off()
            chip.power_on()
            assert chip.running == "ota_0"
        upgrading.until("confirmed")
        assert chip.started == ["ota_0", "ota_1"] * 3


def test_it_waits_while_a_welder_is_powered_before_it_erases_and_before_it_switches(upgrading, tmp_path):
    url = _started(upgrading, image(tmp_path / "seven", 7, _CONTENT))
    upgrading.world.switch_on()
    upgrading.order(url)
    wait_for(lambda: (upgrading.world.flash / "image/next").exists(), upgrading.world.story)
    upgrading.world.terminal_passes(150)
    assert _writes_nothing(upgrading) and upgrading.told() == []
    upgrading.world.platform.answer(upgrading.world.platform.order(0))
    upgrading.until("ready")
    upgrading.world.switch_on("J2")
    upgrading.world.terminal_passes(150)
    assert upgrading.world.chip.started == ["ota_0"] and upgrading.world.relay() == 1
    upgrading.world.platform.answer(upgrading.world.platform.order(0))
    upgrading.until("trial")


def test_power_cuts_amid_writes_and_ranges_that_are_cut_cost_only_what_was_under_way(upgrading, tmp_path):
    url = _started(upgrading, image(tmp_path / "seven", 7, _CONTENT), cut_after=30000, cut="always")
    chip = upgrading.world.chip
    upgrading.order(url)
    for written in (20000, 60000):
        wait_for(lambda written=written: len(chip.content("ota_1").rstrip(b"\xff")) > written, upgrading.world.story)
        chip.cut_power_at_write(3)
        wait_for(lambda: not chip.on, upgrading.world.story)
        chip.power_on()
    upgrading.until("confirmed", timeout_s=110)
    assert chip.content("ota_1").startswith(boot_choice.app_image(_CONTENT))


@pytest.mark.parametrize(
    "reason, make",
    [
        ("wrong_signature", lambda path: damaged(image(path, 7), 500)),
        ("unknown_key", lambda path: image(path, 7, key="C")),
        ("wrong_board", lambda path: image(path, 7, plan={"boards": ("another",)})),
        ("wrong_micropython", lambda path: image(path, 7, plan={"micropython": ("1.2",)})),
        ("too_large", lambda path: image(path, 7, bytes(0x180000))),
        ("expired", lambda path: image(path, 7, plan={"expires_ms": 1_000})),
    ],
)
def test_an_image_that_must_not_run_is_refused_before_flash_is_touched(upgrading, tmp_path, reason, make):
    upgrading.order(_started(upgrading, make(tmp_path / "seven")))
    upgrading.until("refused", reason=reason)
    assert _writes_nothing(upgrading)


def test_an_image_whose_bytes_are_of_another_is_refused_when_it_is_read_back(upgrading, tmp_path):
    upgrading.order(_started(upgrading, damaged(image(tmp_path / "seven", 7, _CONTENT), -50000)))
    upgrading.until("refused", reason="mixed_files")
    assert upgrading.world.chip.started == ["ota_0"]


def test_what_is_signed_and_no_image_is_refused_by_the_bootloaders_own_check(upgrading, tmp_path):
    upgrading.order(_started(upgrading, image(tmp_path / "seven", 7, raw=b"\xe9" * 4096)))
    upgrading.until("refused", reason="bad_format")
    upgrading.world.chip.crash()
    upgrading.world.until_online(times=2)
    assert upgrading.world.chip.started == ["ota_0", "ota_0"]


@pytest.mark.parametrize("table", [None, partitions.STOCK])
def test_a_chip_without_a_second_partition_says_so(tmp_path, table):
    with Upgrading(tmp_path, partitions=table) as upgrading:
        upgrading.order(_started(upgrading, image(tmp_path / "seven", 7)))
        upgrading.until("refused", reason="no_partition")
