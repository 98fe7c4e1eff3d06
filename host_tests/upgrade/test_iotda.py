"""Upgrades that Huawei Cloud IoTDA orders: by its events, and told in its words."""

import pytest

from host_tests.system.harness import DEVICE_ID, wait_for
from host_tests.upgrade.world import Upgrading, release

pytestmark = pytest.mark.slow


def _tell(upgrading, kind, paras):
    event = {"service_id": "$ota", "event_type": kind, "event_time": "20261212T121212Z", "paras": paras}
    upgrading.world.platform.publish(
        f"$oc/devices/{DEVICE_ID}/sys/events/down", {"object_device_id": DEVICE_ID, "services": [event]}
    )


def _heard(upgrading, kind):
    """Return the paras of all events of a kind, oldest first."""
    services = [told["services"][0] for topic, told, _ in upgrading.world.platform.messages if topic.endswith("/events/up")]
    return [event["paras"] for event in services if event["event_type"] == kind]


def test_iotda_learns_the_version_and_success_only_after_the_trial(tmp_path):
    with Upgrading(tmp_path, profile="iotda") as upgrading:
        url = upgrading.serve(release(tmp_path / "seven", 7), token="secret")
        upgrading.world.chip.power_on()
        upgrading.world.until_online()
        _tell(upgrading, "version_query", {})
        asked = wait_for(lambda: _heard(upgrading, "version_report"), upgrading.world.story)
        assert asked[0]["fw_version"] == asked[0]["sw_version"] != "0.7"
        _tell(upgrading, "firmware_upgrade", {"version": "0.7", "url": url, "access_token": "secret", "sign": ""})
        done = wait_for(lambda: _heard(upgrading, "upgrade_progress_report"), upgrading.world.story, 90)
        assert upgrading.pointer() == "a"
        assert [(told["result_code"], told["version"], told["progress"]) for told in done] == [(0, "0.7", 100)]


# Result codes of API reference 3031.
@pytest.mark.parametrize(
    "kind, reason, code, options",
    [
        ("software_upgrade_v2", "unknown_key", 7, {"key": "C"}),
        ("firmware_upgrade_v2", "wrong_board", 8, {"plan": {"boards": ("another",)}}),
        ("software_upgrade", "rolled_back", 10, {"changes": {"lib/terminal/app.mpy": b"no code"}}),
        ("firmware_upgrade", "denied", 6, {}),
    ],
)
def test_iotda_learns_by_its_code_why_a_release_does_not_stay(tmp_path, kind, reason, code, options):
    with Upgrading(tmp_path, profile="iotda") as upgrading:
        url = upgrading.started(release(tmp_path / "seven", 7, **options), token="right")
        token = "wrong" if reason == "denied" else "right"
        _tell(upgrading, kind, {"version": "0.7", "url": url, "access_token": token, "expires": 86400})
        told = wait_for(lambda: _heard(upgrading, "upgrade_progress_report"), upgrading.world.story, 60)[0]
        assert (told["result_code"], told["description"]) == (code, reason)
        assert "progress" not in told


def test_iotda_is_told_that_an_upgrade_is_under_way_already_when_it_orders_another_one(tmp_path):
    with Upgrading(tmp_path, profile="iotda", config={"trial_s": 86400}) as upgrading:
        url = upgrading.started(release(tmp_path / "seven", 7))
        _tell(upgrading, "firmware_upgrade", {"version": "0.7", "url": url})
        upgrading.world.until_online(2)
        _tell(upgrading, "firmware_upgrade", {"version": "0.8", "url": url})
        told = wait_for(lambda: _heard(upgrading, "upgrade_progress_report"), upgrading.world.story, 60)[0]
        assert (told["result_code"], told["description"]) == (1, "upgrading")
        assert upgrading.pointer() == "a ."
