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


def test_iotda_learns_why_a_release_is_refused(tmp_path):
    with Upgrading(tmp_path, profile="iotda") as upgrading:
        url = upgrading.serve(release(tmp_path / "seven", 7, key="C"))
        upgrading.world.chip.power_on()
        upgrading.world.until_online()
        _tell(upgrading, "software_upgrade_v2", {"version": "0.7", "url": url})
        told = wait_for(lambda: _heard(upgrading, "upgrade_progress_report"), upgrading.world.story, 60)[0]
        assert (told["result_code"], told["description"]) == (7, "unknown_key")
