"""Upgrades over the air: order, download, trial; whatever goes wrong leaves the old release or the new one, whole."""

import pytest

from host_tests.system.harness import wait_for
from host_tests.upgrade.world import Upgrading, damaged, release

pytestmark = pytest.mark.slow

_BROKEN = {"lib/terminal/app.mpy": b"no code"}


@pytest.fixture
def upgrading(tmp_path):
    with Upgrading(tmp_path) as found:
        yield found


def test_a_release_is_fetched_tried_and_confirmed_and_the_next_one_carries_only_what_differs(upgrading, tmp_path):
    first = release(tmp_path / "seven", 7)
    url = upgrading.started(first)
    assert upgrading.order(url) == "upgrade"
    upgrading.until("confirmed", version=7)
    assert upgrading.pointer() == "a"
    second = release(tmp_path / "eight", 8, {"lib/terminal/gcj02.mpy": None, "lib/terminal/more.mpy": b"more"}, base=first)
    assert second.stat().st_size < first.stat().st_size // 4
    upgrading.order(upgrading.serve(second))
    upgrading.until("confirmed", version=8)
    assert upgrading.pointer() == "b"
    assert not (upgrading.world.flash / "b/lib/terminal/gcj02.mpy").exists()
    assert (upgrading.world.flash / "a/lib/terminal/gcj02.mpy").exists()
    assert set(upgrading.world.relay_edges()) <= {0, None}


def test_it_waits_while_a_welder_is_powered(upgrading, tmp_path):
    url = upgrading.started(release(tmp_path / "seven", 7))
    upgrading.world.switch_on()
    upgrading.order(url)
    upgrading.until("ready")
    upgrading.world.terminal_passes(150)
    assert upgrading.pointer() is None
    assert upgrading.world.relay() == 1
    upgrading.world.platform.answer(upgrading.world.platform.order(0))
    upgrading.until("trial")
    assert 1 not in upgrading.world.relay_edges()[upgrading.world.relay_edges().index(1) + 1 :]


def test_three_crashes_of_a_release_on_trial_bring_the_one_before_back(upgrading, tmp_path):
    url = upgrading.started(release(tmp_path / "seven", 7, _BROKEN))
    upgrading.order(url)
    upgrading.until("rolled_back", version=7)
    assert upgrading.pointer() == "."
    assert upgrading.world.until_online(times=2)["reset"]["minimal"] is False
    assert upgrading.world.chip.nvs_get("hanma", "trial") == 3


def test_power_cuts_do_not_count_against_a_trial_and_what_it_served_is_summed_up(tmp_path):
    with Upgrading(tmp_path, config={"trial_s": 300}) as upgrading:
        upgrading.order(upgrading.started(release(tmp_path / "seven", 7)))
        upgrading.until("trial")
        chip = upgrading.world.chip
        for _ in range(4):
            before_s = chip.nvs_get("hanma", "trial_s")
            wait_for(lambda before_s=before_s: chip.nvs_get("hanma", "trial_s") > before_s, upgrading.world.story)
            chip.power_off()
            chip.power_on()
        assert upgrading.pointer() == "a ."
        upgrading.until("confirmed")
        assert upgrading.pointer() == "a"
        assert chip.nvs_get("hanma", "trial") == 0


def test_every_range_may_be_cut_and_the_release_comes_whole(upgrading, tmp_path):
    url = upgrading.started(release(tmp_path / "seven", 7), cut_after=20000, cut="always")
    upgrading.order(url)
    upgrading.until("confirmed", timeout_s=110)


def test_a_server_without_ranges_serves_too(upgrading, tmp_path):
    upgrading.order(upgrading.started(release(tmp_path / "seven", 7), ranges=False))
    upgrading.until("ready")


def test_a_difference_over_another_base_is_refused_and_one_that_only_takes_a_file_away_is_not(upgrading, tmp_path):
    first = release(tmp_path / "seven", 7)
    upgrading.order(upgrading.started(first))
    upgrading.until("confirmed", version=7)
    other = release(tmp_path / "other", 7, {"lib/terminal/more.mpy": b"more"})
    upgrading.order(upgrading.serve(release(tmp_path / "eight", 8, base=other)))
    upgrading.until("refused", reason="base_mismatch")
    less = release(tmp_path / "nine", 9, {"lib/terminal/gcj02.mpy": None}, base=first)
    upgrading.order(upgrading.serve(less))
    upgrading.until("confirmed", version=9)
    assert not (upgrading.world.flash / "b/lib/terminal/gcj02.mpy").exists()


@pytest.mark.parametrize(
    "reason, make",
    [
        ("wrong_signature", lambda path: damaged(release(path, 7), 900)),
        ("unknown_key", lambda path: release(path, 7, key="C")),
        ("mixed_files", lambda path: damaged(release(path, 7), -50000)),
        ("expired", lambda path: release(path, 7, plan={"expires_ms": 1_000})),
        ("wrong_board", lambda path: release(path, 7, plan={"boards": ("another",)})),
        ("wrong_micropython", lambda path: release(path, 7, plan={"micropython": ("1.2",)})),
        ("base_mismatch", lambda path: release(path, 7, plan={"follows": 3})),
    ],
)
def test_what_must_not_run_is_refused_with_its_reason(upgrading, tmp_path, reason, make):
    upgrading.order(upgrading.started(make(tmp_path / "seven")))
    upgrading.until("refused", reason=reason)
    assert upgrading.pointer() is None


def test_a_truncated_bundle_an_endless_and_an_older_one_are_refused(upgrading, tmp_path):
    whole = release(tmp_path / "seven", 7)
    short = tmp_path / "short"
    short.write_bytes(whole.read_bytes()[:-1])
    upgrading.order(upgrading.started(short))
    upgrading.until("refused", reason="truncated")
    long = tmp_path / "long"
    long.write_bytes(whole.read_bytes() + b"x")
    upgrading.order(upgrading.serve(long))
    upgrading.until("refused", reason="too_large")
    upgrading.order(upgrading.serve(whole, endless=True))
    upgrading.world.terminal_passes(60)
    assert upgrading.pointer() is None
    upgrading.order(upgrading.serve(whole))  # an order while another one goes on takes its place
    upgrading.until("confirmed")
    upgrading.order(upgrading.serve(release(tmp_path / "six", 6)))
    upgrading.until("refused", reason="older")
