"""How platforms carry the messages: log-in, topics, envelopes, time; on CPython and on MicroPython alike."""

import datetime
import hashlib
import hmac
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

IDENTITY = {"device_id": "prod_dev1", "secret": "12345678", "username": ""}
COMMAND = b'{"actionCode":"1","actionName":"on","content":{"job":"j"}}'
BODY = b'{"success":true,"message":"ok","code":200,"result":{},"timestamp":1}'
_IOTDA = b"$oc/devices/prod_dev1/sys/"


def _given(value):
    return {"hex": value.hex()} if isinstance(value, bytes) else value


def _told(value):
    if isinstance(value, list) and len(value) == 2 and value[0] == "hex":
        return bytes.fromhex(value[1])
    return [_told(each) for each in value] if isinstance(value, list) else value


@pytest.fixture(scope="session")
def ask(micropython):
    """Ask a profile one or more questions on both interpreters; returns the answers, or the only one."""
    from drivers import profiles as driver

    def both(profile, *questions, identity=IDENTITY, **config):
        questions = [[question[0], *map(_given, question[1:])] for question in questions]
        case = {"config": {"profile": profile, **config}, "identity": identity, "ask": questions}
        answers = driver.run(case)
        assert micropython.call("profiles", case) == answers
        answers = _told(answers)
        return answers if len(answers) > 1 else answers[0]

    return both


def unix_s(*date):
    return int(datetime.datetime(*date, tzinfo=datetime.timezone.utc).timestamp())


# ---- plain


def test_plain_logs_in_as_the_device_with_its_secret_whatever_the_time(ask):
    assert ask("plain", ["renewed", None]) == [b"prod_dev1", b"prod_dev1", b"12345678", 120]


def test_plain_takes_a_user_name_of_its_own(ask):
    identity = dict(IDENTITY, username="welder")
    assert ask("plain", ["renewed", 5], identity=identity)[1:3] == [b"welder", b"12345678"]


def test_plain_without_a_secret_logs_in_without_a_name(ask):
    identity = dict(IDENTITY, secret="")
    assert ask("plain", ["renewed", 5], identity=identity)[:3] == [b"prod_dev1", None, None]


def test_plain_topics_come_from_templates(ask):
    answers = ask("plain", ["up_topic"], ["subscriptions"], ["response_topic", "r-1"])
    assert answers == [b"welder/prod_dev1/up", [b"welder/prod_dev1/command/+"], b"welder/prod_dev1/response/r-1"]


def test_plain_request_ids_may_share_their_level_with_other_text(ask):
    config = {"topic_command": "x/{device_id}/cmd/request_id={request_id}"}
    answers = ask("plain", ["subscriptions"], ["order_id", b"x/prod_dev1/cmd/request_id=7"], **config)
    assert answers == [[b"x/prod_dev1/cmd/+"], "7"]


def test_plain_commands_may_come_without_request_id(ask):
    questions = [["subscriptions"], ["order_id", b"c/prod_dev1"], ["order_id", b"c/x"], ["order_id", b"c/prod_dev1/1"]]
    assert ask("plain", *questions, topic_command="c/{device_id}") == [[b"c/prod_dev1"], "", None, None]


@pytest.mark.parametrize(
    ("tail", "request_id"),
    [(b"abc-1", "abc-1"), (b"", ""), (b"a/b", ""), (b"x" * 64, "x" * 64), (b"x" * 65, ""), (b"\xff", "")],
)
def test_a_request_id_is_the_last_level_of_the_topic(ask, tail, request_id):
    topic = b"welder/prod_dev1/command/" + tail
    assert ask("plain", ["order_id", topic]) == request_id


def test_a_command_for_another_device_is_none(ask):
    topic = b"welder/prod_dev2/command/1"
    assert ask("plain", ["order_id", topic]) is None


def test_plain_has_a_will_that_says_z0(ask):
    topic, payload = ask("plain", ["will"])
    assert topic == b"welder/prod_dev1/up"
    assert json.loads(payload) == {"actionCode": "Z0", "actionName": "离线", "content": {"reason": "lost"}}
    assert ask("plain", ["will"], topic_will="") is None


def test_plain_carries_everything_bare_and_asks_nobody_for_the_time(ask):
    questions = [["decode_command", COMMAND], ["encode_response", BODY], ["time_request", 5]]
    assert ask("plain", *questions, ["parse_event", b"t", b"{}", 5]) == [COMMAND, BODY, None, None]


# ---- Huawei IoTDA: log-in


def test_the_published_vector_of_the_password(ask):
    password = ask("iotda", ["renewed", unix_s(2025, 4, 14, 1, 59, 59)])[2]
    assert password == b"c75150e6cb841417396819e4d2ee4358a416344a03a083e3a8567074ddec820a"


@pytest.mark.parametrize("sign_type", [0, 1])
def test_client_id_and_password_are_of_one_time(ask, sign_type):
    moments = [unix_s(2026, 2, 28, 23, 59, 59), unix_s(2026, 3, 1, 0, 0, 0)]
    answers = ask("iotda", *[["renewed", moment] for moment in moments], iotda_sign_type=sign_type)
    for (client_id, username, password, _), stamp in zip(answers, ["2026022823", "2026030100"], strict=True):
        assert client_id == f"prod_dev1_0_{sign_type}_{stamp}".encode()
        assert username == b"prod_dev1"
        assert password.decode() == hmac.new(stamp.encode(), b"12345678", hashlib.sha256).hexdigest()


@given(st.integers(0, 4102444799))
@settings(max_examples=100, deadline=None)
def test_the_stamp_is_the_utc_hour(ask, moment):
    client_id = ask("iotda", ["renewed", moment])[0].decode()
    expected = datetime.datetime.fromtimestamp(moment, datetime.timezone.utc).strftime("%Y%m%d%H")
    assert client_id.rsplit("_", 1)[1] == expected


@given(st.text(st.characters(codec="ascii"), max_size=100))
@settings(max_examples=50, deadline=None)
def test_a_secret_of_any_length_signs_as_hmac_does(ask, secret):
    password = ask("iotda", ["renewed", unix_s(2026, 1, 1)], identity=dict(IDENTITY, secret=secret))[2]
    assert password.decode() == hmac.new(b"2026010100", secret.encode(), hashlib.sha256).hexdigest()


def test_without_a_clock_the_unchecked_stamp_serves_and_the_checked_one_cannot(ask):
    client_id, _, password, _ = ask("iotda", ["renewed", None])
    stamp = client_id.rsplit(b"_", 1)[1]
    assert len(stamp) == 10
    assert stamp.isdigit()
    assert password.decode() == hmac.new(stamp, b"12345678", hashlib.sha256).hexdigest()
    assert ask("iotda", ["renewed", None], iotda_sign_type=1) == "needs the clock"


@pytest.mark.parametrize(("asked", "kept"), [(10, 30), (30, 30), (120, 120), (1200, 1200), (4000, 1200)])
def test_keepalive_stays_where_the_platform_takes_it(ask, asked, kept):
    assert ask("iotda", ["renewed", 5], keepalive_s=asked)[3] == kept


# ---- Huawei IoTDA: topics and envelopes


def test_iotda_topics(ask):
    questions = [["up_topic"], ["subscriptions"], ["response_topic", "42"], ["will"]]
    up, subscriptions, response, will = ask("iotda", *questions)
    assert up == _IOTDA + b"messages/up"
    assert subscriptions == [_IOTDA + b"commands/#", _IOTDA + b"events/down"]
    assert response == _IOTDA + b"commands/response/request_id=42"
    assert will is None


def test_iotda_reads_the_request_id_and_does_not_take_its_own_answers_for_commands(ask):
    topic = _IOTDA + b"commands/request_id=9f-1"
    assert ask("iotda", ["order_id", topic]) == "9f-1"
    assert ask("iotda", ["order_id", _IOTDA + b"commands/response/request_id=1"]) is None


def test_uplinks_may_go_to_a_topic_of_ones_own(ask):
    topic = "$oc/devices/{device_id}/user/welder"
    assert ask("iotda", ["up_topic"], topic_up=topic) == b"$oc/devices/prod_dev1/user/welder"


@pytest.mark.parametrize(
    "payload",
    [
        COMMAND,
        b'{"paras":' + COMMAND + b"}",
        b'{"object_device_id":"d","service_id":"welder","command_name":"switch","paras":' + COMMAND + b"}",
    ],
)
def test_commands_are_accepted_bare_and_in_paras(ask, payload):
    assert ask("iotda", ["decode_command", payload]) == json.loads(COMMAND)


def test_paras_may_be_json_text(ask):
    payload = json.dumps({"paras": COMMAND.decode()}).encode()
    assert ask("iotda", ["decode_command", payload]) == COMMAND.decode()


@pytest.mark.parametrize("payload", [b'{"paras":{"actionCode":"0"', b"{}", b'{"paras":{"value":1}}', b"\xff", b'{"paras":[]}'])
def test_what_is_no_envelope_goes_on_as_it_is(ask, payload):
    assert ask("iotda", ["decode_command", payload]) == payload


def test_answers_go_bare_or_in_paras_beside_a_result_code(ask):
    failed = BODY.replace(b"true", b"false").replace(b"200", b"500")
    questions = [["encode_response", BODY], ["encode_response", failed]]
    assert ask("iotda", *questions) == [BODY, failed]
    good, bad = ask("iotda", *questions, response_form="paras")
    envelope = {"result_code": 0, "response_name": "COMMAND_RESPONSE", "paras": json.loads(BODY)}
    assert json.loads(good) == envelope
    assert json.loads(bad) == {**envelope, "result_code": 1, "paras": json.loads(failed)}


# ---- Huawei IoTDA: time


def _time_answer(**paras):
    event = {"service_id": "$time_sync", "event_type": "time_sync_response", "event_time": "x", "paras": paras}
    return json.dumps({"object_device_id": "prod_dev1", "services": [event]}).encode()


def test_the_time_is_asked_for_with_a_count_of_our_own(ask):
    topic, payload = ask("iotda", ["time_request", 123456])
    assert topic == _IOTDA + b"events/up"
    assert json.loads(payload) == {
        "services": [{"service_id": "$time_sync", "event_type": "time_sync_request", "paras": {"device_send_time": 123456}}]
    }


@given(st.integers(0, 2**40), st.integers(0, 20000), st.integers(0, 20000), st.integers(0, 5000), st.booleans())
@settings(max_examples=100, deadline=None)
def test_the_answer_gives_the_time_to_the_half_of_the_asymmetry(ask, count, up_ms, down_ms, work_ms, as_text):
    server = 1767225600000
    answer = _time_answer(
        device_send_time=str(count) if as_text else count,
        server_recv_time=server + up_ms,
        server_send_time=server + up_ms + work_ms,
    )
    received = count + up_ms + work_ms + down_ms
    kind, now_ms = ask("iotda", ["parse_event", _IOTDA + b"events/down", answer, received])
    assert kind == "time"
    assert abs(now_ms - (server + up_ms + work_ms + down_ms)) * 2 <= abs(up_ms - down_ms) + 1


@pytest.mark.parametrize(
    "paras",
    [
        {},
        {"device_send_time": 1000, "server_recv_time": 1767225600000},
        {"device_send_time": 9000, "server_recv_time": 1767225600000, "server_send_time": 1767225600000},
        {"device_send_time": 1000, "server_recv_time": 1767225600001, "server_send_time": 1767225600000},
        {"device_send_time": 1000, "server_recv_time": 1000, "server_send_time": 1000},
        {"device_send_time": 1000, "server_recv_time": 1767225600000, "server_send_time": 9767225600000},
        {"device_send_time": True, "server_recv_time": 1767225600000, "server_send_time": 1767225600000},
        {"device_send_time": "soon", "server_recv_time": 1767225600000, "server_send_time": 1767225600000},
        {"device_send_time": 1000.5, "server_recv_time": 1767225600000, "server_send_time": 1767225600000},
        {"device_send_time": -90000, "server_recv_time": 1767225600000, "server_send_time": 1767225600000},
    ],
)
def test_an_unbelievable_answer_is_no_time(ask, paras):
    assert ask("iotda", ["parse_event", _IOTDA + b"events/down", _time_answer(**paras), 2000]) is None


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"[]",
        b"{}",
        b'{"services":{}}',
        b'{"services":[1,{"event_type":"version_query","paras":{}}]}',
        b'{"services":[{"event_type":"time_sync_response","paras":[]}]}',
    ],
)
def test_other_events_are_no_time(ask, payload):
    assert ask("iotda", ["parse_event", _IOTDA + b"events/down", payload, 2000]) is None


def test_a_time_on_another_topic_is_none(ask):
    answer = _time_answer(device_send_time=1000, server_recv_time=1767225600000, server_send_time=1767225600000)
    assert ask("iotda", ["parse_event", b"other", answer, 2000]) is None
    assert ask("iotda", ["parse_event", _IOTDA + b"events/down", answer, 2000])[0] == "time"
