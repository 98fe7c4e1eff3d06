"""What the terminal reports: shapes, times, and how few bytes a month of heartbeats takes."""

import json
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from host_tests.unit import replay
from terminal import answers, protocol, reports

NOW = 1767225600123
ANSWERS = [row.split("|")[0] for row in answers.ANSWERS.strip().split("\n")]
CLOCK = [NOW, 12, 90000]
NO_CLOCK = [None, 12, 90000]
_COMMAND_FIELDS = ("job", "issued_ms", "barred", "out_of_service")
FACTS = {
    "relay": 1,
    "state": "AUTHORISED",
    "welding": True,
    "reason": "ok",
    "minutes": None,
    "job": "J-20260101-0007",
    "rsrp": -97,
    "alarms": [],
    "counters": {"connects": 3, "orders": 12, "commands": 5210, "free_b": 61440},
}


@pytest.fixture(scope="session")
def build(micropython):
    """Build a message on CPython and on MicroPython, which must mean the same; returns the object."""
    from drivers import protocol as driver

    def both(code, kind, *arguments, **case):
        case = {"do": "build", "code": code, "kind": kind, "arguments": list(arguments), **case}
        there = json.loads(bytes.fromhex(micropython.call("protocol", case)))
        assert json.loads(bytes.fromhex(driver.run(case))) == there
        return there

    return both


@pytest.fixture(scope="session")
def heartbeats(micropython):
    """Contents of a row of heartbeats, the same on CPython and on MicroPython."""
    from drivers import protocol as driver

    def both(*steps, full_s=600):
        case = {"do": "heartbeats", "full_s": full_s, "steps": list(steps)}
        there = micropython.call("protocol", case)
        assert driver.run(case) == there
        return there

    return both


# ---- shapes


@pytest.mark.parametrize(("code", "name"), [("00", "登录"), ("Z0", "离线"), ("EF", "经纬度"), ("E0", "报警信息"), ("FF", None)])
def test_an_uplink_has_the_documents_code_and_name_and_the_heartbeat_no_name(build, code, name):
    message = build(code, "", {"x": [1, None, True, 'a"b焊']})
    assert message.pop("actionName", None) == name
    assert message == {"actionCode": code, "content": {"x": [1, None, True, 'a"b焊']}}


def test_the_code_of_an_uplink_comes_first():
    assert protocol.uplink("FF", {}) == b'{"actionCode":"FF","content":{}}'
    assert protocol.uplink("E0", "up").decode() == '{"actionCode":"E0","actionName":"报警信息","content":"up"}'


def test_a_login_says_who_it_is_and_how_it_started(build):
    versions = {"firmware": "1.0", "micropython": "1.29", "modem": "A7670C", "board": "unix"}
    reset = {"cause": 1, "boot": 12}
    arguments = ["dev", "8986", "8673", versions, reset, True, 1, "AUTHORISED"]
    assert build("00", "login", *arguments, moment=CLOCK)["content"] == {
        "device_id": "dev",
        "iccid": "8986",
        "imei": "8673",
        "versions": versions,
        "reset": reset,
        "resumed": True,
        "relay": 1,
        "state": "AUTHORISED",
        "time": NOW,
    }


def test_a_position_has_decimal_text_with_seven_places(build):
    content = build("EF", "position", "gnss", 295630100, 1065512345, "gcj02", 12, moment=CLOCK)["content"]
    assert content == {
        "lng": "106.5512345",
        "lat": "29.5630100",
        "system": "gcj02",
        "source": "gnss",
        "accuracy_m": 12,
        "time": NOW,
    }


def test_without_a_position_the_reason_is_told(build):
    content = build("EF", "position", "none", None, None, "wgs84", None, "no_fix", moment=CLOCK)["content"]
    assert content == {"source": "none", "reason": "no_fix", "time": NOW}


@given(st.integers(-1800000000, 1800000000))
@settings(max_examples=100, deadline=None)
def test_coordinates_lose_nothing(micropython, value):
    expected = reports.e7_text(value)
    assert Decimal(expected) * 10**7 == value
    assert len(expected.split(".")[1]) == 7
    assert micropython.call("protocol", {"do": "e7_text", "value": value}) == expected


def test_an_alarm_that_lasts_has_no_end(build):
    assert build("E0", "alarm", "tamper", CLOCK, None, None)["content"] == {"kind": "tamper", "start": NOW}


def test_an_alarm_that_is_over_has_its_end_and_its_detail(build):
    later = [NOW + 5000, 12, 95000]
    content = build("E0", "alarm", "sim_changed", CLOCK, later, "8986")["content"]
    assert content == {"kind": "sim_changed", "start": NOW, "end": NOW + 5000, "detail": "8986"}


def test_a_switching_is_a_heartbeat_with_an_event(build):
    place = {"source": "none", "reason": "no_fix", "time": NOW}
    content = build("FF", "event", 1, "order", "J-1", 7, CLOCK, False, place)["content"]
    switching = {"relay": 1, "cause": "order", "job": "J-1", "boot": 12, "seq": 7, "time": NOW, "position": place}
    assert content == {"event": switching}


def test_an_estimated_switching_says_so(build):
    event = build("FF", "event", 0, "power_lost", None, 8, CLOCK, True, None)["content"]["event"]
    assert event["estimated"] is True


def test_a_planned_end_tells_its_reason(build):
    assert build("Z0", "", {"reason": "restart"})["content"] == {"reason": "restart"}


# ---- times


def test_without_clock_the_time_is_null_beside_boot_and_ticks(build):
    content = build("EF", "position", "none", None, None, "wgs84", None, "no_fix", moment=NO_CLOCK)["content"]
    assert content == {"source": "none", "reason": "no_fix", "time": None, "boot": 12, "ticks": 90000}


def test_an_alarm_without_clock_keeps_two_counts(build):
    content = build("E0", "alarm", "tamper", NO_CLOCK, [None, 12, 95000], None)["content"]
    assert content == {
        "kind": "tamper",
        "start": None,
        "start_ticks": 90000,
        "end": None,
        "end_ticks": 95000,
        "boot": 12,
    }


def test_once_the_clock_is_known_ticks_of_this_boot_become_times(build):
    content = build("E0", "alarm", "tamper", NO_CLOCK, [None, 12, 95000], None, dated=[12, NOW - 90000])["content"]
    assert content == {"kind": "tamper", "start": NOW, "end": NOW + 5000, "boot": 12}


def test_ticks_of_another_boot_stay_what_they_are(build):
    content = build("E0", "alarm", "tamper", NO_CLOCK, None, None, dated=[13, NOW])["content"]
    assert content == {"kind": "tamper", "start": None, "start_ticks": 90000, "boot": 12}


# ---- answers


def test_an_answer_has_the_documents_five_fields_success_first(build):
    body = protocol.answer(200, "on", NOW, "J-1")
    assert body.startswith(b'{"success":true,')
    assert json.loads(body) == {
        "success": True,
        "message": "已开机",
        "code": 200,
        "result": {"answer": "on", "job": "J-1"},
        "timestamp": NOW,
    }


def test_a_failed_order_is_500_and_an_unknown_time_is_0():
    answer = json.loads(protocol.answer(500, "busy", None))
    assert (answer["success"], answer["code"], answer["timestamp"]) == (False, 500, 0)
    assert answer["message"] == "其他作业未结束"
    assert answer["result"] == {"answer": "busy"}


@pytest.mark.parametrize("text", ANSWERS)
def test_every_answer_has_words(text):
    message = json.loads(protocol.answer(500, text, NOW))["message"]
    assert message == answers.words(text)
    assert not message.isascii() and "|" not in message and "\n" not in message


def test_an_answer_that_nobody_knows_goes_out_as_it_is():
    assert json.loads(protocol.answer(500, "ol", NOW))["message"] == "ol"


def test_an_answer_goes_out_without_its_words_when_the_file_system_is_dead(monkeypatch):
    def broken(_):
        raise OSError(5)

    monkeypatch.setattr(protocol, "borrow", broken)
    answer = json.loads(protocol.answer(200, "off", NOW, "J-1"))
    assert (answer["success"], answer["message"], answer["result"]) == (True, "off", {"answer": "off", "job": "J-1"})


@pytest.mark.parametrize("document", ["messages.md", "messages.zh-CN.md"])
def test_the_document_names_every_answer_alarm_reason_and_field(document):
    from drivers.reasons import REASONS

    from terminal.alarm_kinds import KINDS

    kinds = [row.split("|")[0] for row in "".join(KINDS).split("\n") if row]
    words = [*ANSWERS, *REASONS, *FACTS, *kinds, *_COMMAND_FIELDS]
    document = (replay.ROOT / "docs" / document).read_text(encoding="utf-8")
    assert [word for word in words if f"`{word}`" not in document] == []


def test_the_interlock_has_no_answer_without_words():
    from terminal import interlock

    assert set(interlock.ANSWERS.split()) <= set(ANSWERS)


# ---- heartbeats


def test_the_first_heartbeat_tells_everything_the_next_only_what_changed(heartbeats):
    welding = dict(FACTS, welding=False, counters={"orders": 99})
    contents = heartbeats([0, FACTS, True], [60, FACTS, True], [120, welding, True], [180, welding, True])
    assert contents == [dict(FACTS, uptime_s=0), {}, {"welding": False}, {}]


def test_everything_is_told_again_every_ten_minutes_and_after_a_login(heartbeats):
    steps = [[minute * 60, FACTS, True] for minute in range(21)]
    full = [len(content) > 1 for content in heartbeats(*steps)]
    assert [minute for minute in range(21) if full[minute]] == [0, 10, 20]
    assert len(heartbeats([0, FACTS, True], None, [60, FACTS, True])[1]) == len(FACTS) + 1


def test_what_was_not_acknowledged_is_told_again(heartbeats):
    changed = dict(FACTS, reason="barred")
    contents = heartbeats([0, FACTS, False], [60, FACTS, True], [120, changed, False], [180, changed, True])
    assert len(contents[1]) == len(FACTS) + 1
    assert contents[2:] == [{"reason": "barred"}, {"reason": "barred"}]


def test_the_signal_is_told_when_it_moved_by_six_db_came_or_went(heartbeats):
    levels = [-97, -99, -92, -91, -96, None, -96]
    steps = [[60 * i, dict(FACTS, rsrp=level), True] for i, level in enumerate(levels)]
    assert [content.get("rsrp", "-") for content in heartbeats(*steps)] == [-97, "-", "-", -91, "-", None, -96]


_VALUES = {
    "relay": st.integers(0, 1),
    "reason": st.sampled_from(["ok", "barred", None]),
    "rsrp": st.none() | st.integers(-120, -60),
}


@given(st.lists(st.tuples(st.integers(1, 400), st.fixed_dictionaries(_VALUES), st.booleans()), max_size=12))
@settings(max_examples=100, deadline=None)
def test_the_platform_can_always_tell_the_state_from_what_it_acknowledged(heartbeats, history):
    steps, now = [], 0
    for pause, facts, acknowledged in history:
        now += pause
        steps.append([now, facts, acknowledged])
    known = {}
    for (_, facts, acknowledged), content in zip(steps, heartbeats(*steps), strict=True):
        seen = {**known, **content}
        assert seen["relay"] == facts["relay"]
        assert seen["reason"] == facts["reason"]
        if None in (seen["rsrp"], facts["rsrp"]):
            assert seen["rsrp"] == facts["rsrp"]
        else:
            assert abs(seen["rsrp"] - facts["rsrp"]) < 6
        if acknowledged:
            known = seen


def _month_mb(topic, facts_of):
    """Megabytes on the air of 30 days of heartbeats, one a minute: IP, TCP, TLS 1.2 with GCM, MQTT at QoS 1."""
    known = {}
    total = 0
    minutes = 120
    for minute in range(minutes):
        content = protocol.heartbeat(known, facts_of(minute), minute * 60, 600)
        known.update(content)
        publish = 2 + len(topic) + 2 + len(protocol.uplink(protocol.HEARTBEAT, content))
        publish += 2 if publish < 128 else 3
        total += 3 * 40 + 2 * 29 + publish + 4
    return total * 30 * 24 * 60 / minutes / 1e6


@pytest.mark.parametrize(
    ("topic", "limit_mb"),
    [("welder/HM-00000001/up", 12.5), ("$oc/devices/" + "6" * 24 + "_867300000000001/sys/messages/up", 14)],
)
def test_a_month_of_heartbeats_stays_within_its_budget(topic, limit_mb):
    def facts(minute):
        return dict(FACTS, welding=minute % 7 == 0, rsrp=-97 + minute % 5)

    assert _month_mb(topic, facts) <= limit_mb
