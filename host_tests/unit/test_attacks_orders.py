"""Hostile orders on the desk, hostile records and links under it: nothing raises, powers by accident, or sticks."""

import json

import pytest
from drivers import desk as driver
from hypothesis import example, given, settings
from hypothesis import strategies as st

from terminal import protocol

TOPICS = {"plain": b"welder/dev1/command/", "iotda": b"$oc/devices/dev1/sys/commands/request_id="}
DOWN = b"$oc/devices/dev1/sys/events/down"


@pytest.fixture(scope="module")
def take(micropython):
    """Put one or more payloads on the desk of both interpreters; returns what they agree on."""

    def both(*payloads, profile="plain", topic=None, retained=False):
        messages = [[(topic or TOPICS[profile] + b"r1").hex(), payload.hex(), retained] for payload in payloads]
        case = {"profile": profile, "messages": messages}
        result = driver.run(case)
        result["answers"] = [list(answer) for answer in result["answers"]]
        assert micropython.call("desk", case) == result
        return result

    return both


@pytest.fixture(scope="module")
def send(micropython):
    """Let the desk send records and answers on MicroPython."""

    def call(*records, **case):
        return micropython.call("desk", {"send": [[code, body.hex()] for code, body in records], **case})

    return call


def actions(result):
    """Return the actions that were told to the interlock."""
    return [told[0] for told in result["told"]]


class Twice(dict):
    """An object that remembers every pair it was read from."""

    def __init__(self, pairs):
        super().__init__(pairs)
        self.pairs = pairs


def codes(value):
    """Return every actionCode anywhere in what the standard library reads."""
    found = []
    if isinstance(value, Twice):
        for name, inner in value.pairs:
            found += [inner] if name == "actionCode" else codes(inner)
    elif isinstance(value, list):
        found = [code for inner in value for code in codes(inner)]
    return found


KEYS = st.sampled_from(["actionCode", "content", "job", "issued_ms", "barred", "out_of_service", "paras", "services", "x", ""])
LEAVES = st.one_of(
    st.sampled_from(["0", "1", 0, 1, True, False, None, -1, 2, 1.0, 1e300, "1 ", " 0", "true", "no", "{", '{"job":"J"}', 10**40]),
    st.text(max_size=8),
    st.integers(),
)


class Pairs(list):
    """The pairs of an object to be written; names may come twice."""


VALUES = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.lists(st.tuples(KEYS, inner), max_size=5).map(Pairs), st.builds(lambda v: written(v), inner)
    ),
    max_leaves=12,
)


def written(value):
    """Return a value as JSON, with pairs that json.dumps would not write twice."""
    if isinstance(value, Pairs):
        return "{" + ",".join(json.dumps(name) + ":" + written(inner) for name, inner in value) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(written, value)) + "]"
    return json.dumps(value)


ORDERS = st.tuples(st.sampled_from(["1", 1, "0", 0, "2", None]), VALUES, st.lists(st.tuples(KEYS, VALUES), max_size=3)).map(
    lambda parts: Pairs([("actionCode", parts[0]), ("content", parts[1]), *parts[2]])
)


@pytest.mark.parametrize("profile", ["plain", "iotda"])
@given(data=st.data())
@settings(max_examples=120, deadline=None)
def test_any_json_is_taken_or_refused_and_powers_only_where_nothing_else_is_said(take, profile, data):
    text = written(data.draw(st.one_of(ORDERS, VALUES, ORDERS.map(lambda order: Pairs([("paras", order)])))))
    result = take(text.encode("utf-8", "surrogatepass"), profile=profile)
    assert result["counters"]["orders"] == 1
    assert len(result["told"]) + result["counters"]["malformed"] == 1
    if "1" in actions(result) or 1 in actions(result):
        said = codes(json.loads(text, object_pairs_hook=Twice))
        assert said and not {"0", 0} & {code for code in said if isinstance(code, (str, int)) and not isinstance(code, bool)}


@pytest.mark.parametrize("profile", ["plain", "iotda"])
@given(st.binary(max_size=200), st.booleans())
@example(b'{"actionCode":"1","content":"\xff"}', False)
@example(b'{"actionCode":"1"}\x00', False)
@settings(max_examples=80, deadline=None)
def test_bytes_that_are_no_order_power_nothing(take, profile, noise, is_cut):
    order = b'{"actionCode":"1","content":{"job":"J1"}}'
    payload = order[: len(noise) % len(order)] if is_cut else noise
    result = take(payload, profile=profile)
    assert 1 not in actions(result)
    assert len(result["told"]) + result["counters"]["malformed"] == 1


@pytest.mark.parametrize(
    "payload",
    [
        pytest.param('{"actionCode":"0","actionCode":"1"}', id="stop first"),
        pytest.param('{"actionCode":"1","actionCode":"0"}', id="stop last"),
        pytest.param('{"actionCode":"1","content":{"actionCode":"0"}}', id="stop inside"),
        pytest.param('{"actionCode":0,"actionCode":1,"content":{}}', id="numbers"),
        pytest.param('{"actionCode":"1","content":"{\\"actionCode\\":\\"0\\"}"}', id="stop in text"),
    ],
)
@pytest.mark.parametrize("profile", ["plain", "iotda"])
def test_an_order_that_says_both_is_a_stop(take, profile, payload):
    if profile == "iotda":
        payload = '{"paras":%s,"service_id":"welder"}' % payload
    assert actions(take(payload.encode(), profile=profile)) == [0]


@pytest.mark.parametrize(
    "payload",
    [
        pytest.param(b'{"actionCode":"1","content":' + b"[" * 2000 + b"]" * 2000 + b"}", id="deep"),
        pytest.param(b'{"actionCode":"1","content":{"a":' * 60, id="deep and cut"),
        pytest.param(b'{"actionCode":"1","content":{"job":' + b"9" * 4000 + b"}}", id="a number of 4000 digits"),
        pytest.param(b'{"actionCode":"1","content":{"issued_ms":"' + b"1" * 4000 + b'"}}', id="4000 digits as text"),
        pytest.param(b'{"actionCode":"1","content":{"barred":1' + b"0" * 600 + b"}}", id="a flag of 600 digits"),
        pytest.param(b'{"actionCode":"1","content":[' + b"1," * 1500 + b"1]}", id="a long list"),
        pytest.param(b'{"actionCode":"1","content":{"job":"' + b"\\u0000" * 100 + b'"}}', id="zeros in the job"),
        pytest.param(b'{"actionCode":"1","content":{"job":"\\ud800"}}', id="half a letter"),
        pytest.param(b'{"actionCode":"1","content":{"job":1e999}}', id="endless number"),
        pytest.param(b'{"actionCode":"1","content":{"job":NaN}}', id="no number"),
        pytest.param(b"\xef\xbb\xbf" + b'{"actionCode":"1x"}', id="byte order mark"),
        pytest.param(b'\x00{"actionCode":"1"}', id="zero in front"),
        pytest.param(b'{"actionCode":"1","content":{"job":"\xc3\x28"}}', id="no UTF-8"),
        pytest.param(b'{"actionCode":"1","content":{"job":"\xc0\xaf"}}', id="overlong UTF-8"),
    ],
)
@pytest.mark.parametrize("profile", ["plain", "iotda"])
def test_a_hostile_order_is_malformed_on_both_interpreters(take, profile, payload):
    result = take(payload, profile=profile)
    assert (result["told"], result["counters"]["malformed"]) == ([], 1)
    assert result["answers"] == [["r1", 500, "malformed"]]


@given(st.one_of(st.binary(max_size=80), VALUES.map(lambda value: written(value).encode("utf-8", "surrogatepass"))))
@example(b'{"services":[{"event_type":"time_sync_response","paras":{"device_send_time":[],"server_recv_time":{},"server_send_time":0}}]}')
@example(b'{"services":[1,[],{"event_type":"time_sync_response","paras":"x"}]}')
@settings(max_examples=80, deadline=None)
def test_events_of_a_hostile_platform_set_no_clock(take, payload):
    result = take(payload, profile="iotda", topic=DOWN)
    assert (result["told"], result["counters"]["strange"]) == ([], 1)


@pytest.mark.parametrize("number", [-1, 10**30, 1 << 62, -(10**30)])
def test_times_beyond_reason_set_no_clock(take, number):
    paras = {"device_send_time": driver.SENT_MS, "server_recv_time": number, "server_send_time": number}
    event = {"services": [{"event_type": "time_sync_response", "paras": paras}]}
    assert take(json.dumps(event).encode(), profile="iotda", topic=DOWN)["told"] == []


@pytest.mark.parametrize("profile", ["plain", "iotda"])
@given(st.binary(max_size=80))
@example(b"#")
@example(b"a+b")
@example(b"a\x00b")
@example(b"\xff")
@settings(max_examples=60, deadline=None)
def test_an_id_that_no_topic_can_carry_is_obeyed_and_not_answered(take, profile, tail):
    result = take(b'{"actionCode":"7"}', profile=profile, topic=TOPICS[profile] + tail)
    for request_id, _, _ in result["answers"]:
        assert request_id.encode() == tail and not set(tail) & set(b"+#/\0") and len(tail) <= 64


def test_answers_beyond_sixteen_drop_the_oldest_and_count_it(take):
    result = take(*[b"{"] * 40)
    assert len(result["answers"]) == 16
    assert result["counters"]["unsent"] == 24


def test_hostile_orders_leave_nothing_on_the_heap_of_the_small_port(small_micropython):
    payloads = [
        b'{"actionCode":"1","content":' + b"[" * 60 + b"]" * 60 + b"}",
        b'{"actionCode":"1","content":{"job":' + b"9" * 300 + b"}}",
        b'{"actionCode":"1","content":[' + b"1," * 400 + b"1]}",
        b"{" + b",".join(b'"%03d":{}' % number for number in range(60)) + b"}",
        b'{"actionCode":"0","content":"{',
        b"\xff" * 4096,
    ]
    topics = [TOPICS["plain"] + b"%d" % number for number in range(20)]
    messages = [[topic.hex(), payload.hex(), False] for topic in topics for payload in payloads]
    result = small_micropython.call("desk", {"profile": "plain", "messages": messages, "times": 4})
    assert result["growth"] <= 64


# ---- what lies under it: records nobody can send, links that fail


GOOD = ("FF", b'{"event":{"boot":7,"seq":2}}')


POISON = [
    b"\xff\xfe",
    b'[":null"]',
    b'{"boot":7,"x":null,"ticks":"a"}',
    b'{"event":5,"a":null}',
    b'{"boot":7,"ticks":[],"a":null}',
    b"5:null",
]


@pytest.mark.parametrize("poison", POISON)
def test_a_record_that_cannot_be_sent_is_counted_and_the_next_one_goes(send, poison):
    result = send(("FF", poison), GOOD)
    assert result["errors"] == []
    assert result["done"] == [0, 1] and result["left"] == []
    assert json.loads(result["sent"][-1])["content"] == json.loads(GOOD[1])


@pytest.mark.parametrize("fails", ["closed", "modem"])
def test_a_record_whose_link_fails_waits_for_the_next_session(send, fails):
    result = send(GOOD, GOOD, fails=[fails])
    assert (result["done"], result["left"], result["errors"]) == ([], [0, 1], [])


def test_a_record_too_long_for_a_session_is_counted_and_the_next_one_goes(send):
    result = send(GOOD, GOOD, fails=["too_long"])
    assert (result["done"], result["unsent"], len(result["sent"])) == ([0, 1], 1, 1)


def test_a_record_that_finds_no_memory_is_tried_again(send):
    result = send(GOOD, GOOD, fails=["memory", "memory"], wait_ms=4000)
    assert (result["done"], result["unsent"], result["errors"]) == ([0, 1], 0, [])


@pytest.mark.parametrize("fails", ["closed", "modem"])
def test_an_answer_whose_link_fails_waits_for_the_next_session(send, fails):
    result = send(answers=3, fails=[fails])
    assert (result["waiting"], result["unsent"], result["errors"]) == (["r0", "r1", "r2"], 0, [])


def test_an_answer_too_long_for_a_session_is_counted_and_the_next_one_goes(send):
    result = send(answers=3, fails=["too_long"])
    assert (result["waiting"], result["unsent"], len(result["sent"])) == ([], 1, 2)


def test_the_desk_takes_no_more_than_the_protocol_does(take):
    order = b'{"actionCode":"1","content":{"job":"%s"}}' % (b"J" * 4096)
    with pytest.raises(protocol.Malformed):
        protocol.parse_command(order)
    assert take(order)["counters"]["malformed"] == 1


def test_a_platform_that_never_acknowledges_the_long_heartbeat_gets_every_report_and_loses_the_session(send):
    result = send(GOOD, ("E0", b'{"kind":"tamper"}'), GOOD, unheard='"uptime_s"')
    assert sorted(result["done"]) == [0, 1, 2]
    assert result["ended"] == "no_answer"
