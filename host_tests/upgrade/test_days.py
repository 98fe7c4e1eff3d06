"""Upgrades by the calendar: asked for at a set hour, fetched in so many bytes a day."""

import datetime
import json

import pytest

from host_tests.system.harness import DEVICE_ID, wait_for
from host_tests.upgrade.world import Upgrading, release

pytestmark = pytest.mark.slow

_CHINA = datetime.timezone(datetime.timedelta(hours=8))
_HOUR = 14
_DAY_S = 86400
_BYTES_A_DAY = 65536


@pytest.fixture
def upgrading(tmp_path):
    with Upgrading(tmp_path, config={"ota_hour": _HOUR}) as found:
        yield found


def _at(hour, minute=0, days=1):
    """Return the unix time of an hour in China, so many days from today."""
    day = datetime.datetime.now(_CHINA).date() + datetime.timedelta(days)
    return datetime.datetime.combine(day, datetime.time(hour, minute), _CHINA).timestamp()


def _wake(upgrading, unix_s):
    """Switch the terminal on at this time and wait for its session."""
    upgrading.world.sim.call("time", unix_ms=None if unix_s is None else int(unix_s * 1000))
    logins = len(upgrading.world.platform.uplinks("00"))
    upgrading.world.chip.power_on()
    if unix_s is not None:
        upgrading.world.until_online(logins + 1)


def _state(upgrading):
    path = upgrading.world.flash / "upgrade.json"
    return json.loads(path.read_text()) if path.exists() else {}


def test_the_plain_address_is_asked_once_a_day_from_the_set_hour_on(upgrading, tmp_path):
    upgrading.configure(ota_url=upgrading.serve(release(tmp_path / "seven", 7)))
    world = upgrading.world
    _wake(upgrading, _at(_HOUR - 1))
    world.terminal_passes(60)
    assert upgrading.asked() == []
    world.chip.power_off()
    _wake(upgrading, _at(_HOUR + 1))
    upgrading.until("confirmed", version=7)
    fetched = len(upgrading.asked())
    world.terminal_passes(30)
    world.chip.power_off()
    _wake(upgrading, _at(_HOUR + 2))
    world.terminal_passes(60)
    assert len(upgrading.asked()) == fetched
    world.chip.power_off()
    _wake(upgrading, _at(_HOUR + 1, days=2))
    wait_for(lambda: len(upgrading.asked()) == fetched + 1, world.story)
    wait_for(lambda: "phase" not in _state(upgrading), world.story)
    assert [told["state"] for told in upgrading.told()] == ["ready", "trial", "confirmed"]  # nothing newer is no news


def test_terminals_ask_one_after_the_other_within_the_hour(upgrading, tmp_path):
    upgrading.configure(ota_url=upgrading.serve(release(tmp_path / "seven", 7)))
    spread_s = sum(DEVICE_ID.encode()) * 7 % 3000
    assert 0 < spread_s < 3000
    _wake(upgrading, _at(_HOUR) + spread_s - 100)
    upgrading.world.terminal_passes(60)
    assert upgrading.asked() == []
    wait_for(upgrading.asked, upgrading.world.story)


def test_while_the_clock_is_not_known_nothing_is_asked(upgrading, tmp_path):
    upgrading.configure(ota_url=upgrading.serve(release(tmp_path / "seven", 7)))
    _wake(upgrading, None)
    upgrading.world.terminal_passes(90)
    assert _state(upgrading) == {}
    assert upgrading.asked() == []


def test_no_more_than_so_many_bytes_a_day_are_fetched_whatever_resets_and_the_next_day_goes_on(tmp_path):
    with Upgrading(tmp_path, config={"ota_bytes_per_day": _BYTES_A_DAY}) as upgrading:
        path = release(tmp_path / "seven", 7)
        url = upgrading.serve(path)
        chip = upgrading.world.chip
        days = 0
        while not _is_ready(upgrading):
            days += 1
            before = len(upgrading.asked())
            for is_again in (False, True) if days == 1 else (False,):  # the second time the day's bytes are used up
                _wake(upgrading, _at(12, days=days))
                if days == 1:
                    upgrading.order(url)
                if not is_again:
                    wait_for(lambda before=before: len(upgrading.asked()) > before or _is_ready(upgrading), upgrading.world.story)
                upgrading.world.terminal_passes(30)
                chip.power_off()
            ranges = [entry["body"]["Range"] for entry in upgrading.asked()[before:]]
            assert sum(map(_length, ranges)) <= _BYTES_A_DAY
        assert days >= path.stat().st_size // _BYTES_A_DAY


def _is_ready(upgrading):
    return any(told["state"] == "ready" for told in upgrading.told())


def _length(asked):
    begin, _, end = asked.removeprefix("bytes=").partition("-")
    return int(end) + 1 - int(begin)
