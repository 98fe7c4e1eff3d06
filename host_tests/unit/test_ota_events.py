"""What IoTDA is told of an upgrade, and how long a download may wait for a byte."""

import json
import re

import pytest

from host_tests.unit import replay

_CONST = r"^{} = const\((\d+)\)"


def _told(owed, version="0.7"):
    from terminal import ota_events

    event = json.loads(ota_events.payload(owed, version))["services"][0]
    assert event["service_id"] == "$ota"
    return event["event_type"], event["paras"]


def test_a_version_is_told_for_software_and_firmware():
    assert _told(["version", None]) == ("version_report", {"sw_version": "0.7", "fw_version": "0.7"})


@pytest.mark.parametrize(
    "state, reason, code",
    [
        ("confirmed", None, 0),
        ("failed", "upgrading", 1),
        ("refused", "older", 3),
        ("refused", "too_large", 5),
        ("failed", "no_room", 5),
        ("failed", "unreachable", 6),
        ("failed", "denied", 6),
        ("failed", "address", 6),
        ("refused", "wrong_signature", 7),
        ("refused", "unknown_key", 7),
        ("refused", "expired", 7),
        ("refused", "mixed_files", 7),
        ("refused", "truncated", 7),
        ("refused", "base_mismatch", 7),
        ("refused", "bad_format", 7),
        ("refused", "wrong_board", 8),
        ("refused", "wrong_micropython", 8),
        ("failed", "no_memory", 9),
        ("failed", "flash", 10),
        ("rolled_back", None, 10),
        ("failed", "malformed", 255),
    ],
)
def test_every_end_of_an_upgrade_has_its_result_code_and_only_success_is_all_of_it(state, reason, code):
    kind, paras = _told([state, reason])
    assert kind == "upgrade_progress_report"
    assert (paras["result_code"], paras["description"]) == (code, reason or state)
    assert paras.get("progress") == (100 if code == 0 else None)


def _number(file, name):
    text = (replay.FIRMWARE / "terminal" / file).read_text(encoding="utf-8")
    return int(re.search(_CONST.format(name), text, re.MULTILINE).group(1))


def test_no_read_of_a_download_waits_more_than_five_seconds_or_a_third_of_the_watchdogs_time():
    read_ms = _number("fetch.py", "_READ_MS")
    assert read_ms <= 5000
    assert all(3 * read_ms < _number(file, "_WATCHDOG_MS") for file in ("app.py", "alone.py"))
