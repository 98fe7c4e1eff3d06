"""Commands from the platform: what is read, what is refused, and that a stop is always understood."""

import json

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)
FLAGS = st.sampled_from([True, False, None, 0, 1, 2, "true", "False", "0", "maybe", [], {}])
FIELDS = st.fixed_dictionaries(
    {},
    optional={
        "job": st.text(max_size=70) | st.integers() | JSON,
        "issued_ms": st.integers(-10, 10**15) | st.from_regex(r"[0-9]{0,16}", fullmatch=True) | JSON,
        "barred": FLAGS | JSON,
        "out_of_service": FLAGS | JSON,
        "note": JSON,
    },
)
PLAIN_STOP = ["0", None, None, False, None]


@pytest.fixture(scope="session")
def parse(micropython):
    """Read a payload on CPython and on MicroPython, which must agree; returns fields or ["malformed", reason]."""
    from drivers import protocol

    def both(payload):
        case = {"do": "parse", "payload": payload.hex()}
        here = protocol.run(case)
        assert micropython.call("protocol", case) == here
        return here

    return both


def text(value, ascii_only=True):
    return json.dumps(value, ensure_ascii=ascii_only).encode()


def command(action, *content):
    return text({"actionCode": action, **({"content": content[0]} if content else {})})


@pytest.mark.parametrize("action", ["0", "1", 0, 1, " 1 ", "0\r\n"])
def test_the_action_is_read_as_text_or_as_a_number(parse, action):
    assert parse(command(action, {}))[0] == str(action).strip()


@pytest.mark.parametrize("action", [None, True, False, 2, -1, "2", "", "00", "01", "on", 1.0, [], {}, ["1"]])
def test_any_other_action_is_malformed(parse, action):
    assert parse(command(action, {})) == ["malformed", "action"]


def test_a_command_without_action_is_malformed(parse):
    assert parse(b'{"content":{}}') == ["malformed", "action"]


def test_all_fields_of_a_start_are_read(parse):
    content = {"job": "J-20260101-7", "issued_ms": 1767225600000, "barred": False, "note": [1, {"x": None}]}
    assert parse(command("1", content)) == ["1", "J-20260101-7", 1767225600000, False, None]


def test_the_content_may_be_json_text(parse):
    content = json.dumps({"job": 7, "issued_ms": "1767225600000"})
    assert parse(command("1", content)) == ["1", "7", 1767225600000, False, None]


@pytest.mark.parametrize("content", ["开机", "", "start now", None])
def test_the_content_may_be_plain_text_or_missing(parse, content):
    assert parse(command("1", content)) == ["1", None, None, False, None]
    assert parse(command("1")) == ["1", None, None, False, None]


def test_the_whole_command_may_be_json_within_json(parse):
    assert parse(text(command("1", {"job": "j"}).decode())) == ["1", "j", None, False, None]


def test_a_job_may_be_chinese_escaped_or_not(parse):
    value = {"actionCode": "1", "content": {"job": "渝焊-1"}}
    assert parse(text(value)) == parse(text(value, False)) == ["1", "渝焊-1", None, False, None]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ([1], "content"),
        (5, "content"),
        ("{broken", "json"),
        ({"job": "x" * 65}, "job"),
        ({"job": "焊" * 22}, "job"),
        ({"job": "a\nb"}, "job"),
        ({"job": "\ud83d"}, "job"),
        ({"job": True}, "job"),
        ({"job": ["x"]}, "job"),
        ({"issued_ms": "yesterday"}, "issued_ms"),
        ({"issued_ms": 1.5}, "issued_ms"),
        ({"issued_ms": -1}, "issued_ms"),
        ({"issued_ms": 10**14}, "issued_ms"),
        ({"issued_ms": False}, "issued_ms"),
        ({"barred": True}, "barred"),
        ({"barred": "perhaps"}, "barred"),
        ({"out_of_service": True}, "out_of_service"),
        ({"out_of_service": 1}, "out_of_service"),
    ],
)
def test_a_start_with_a_doubtful_content_is_refused_and_a_stop_is_obeyed(parse, content, reason):
    assert parse(command("1", content)) == ["malformed", reason]
    assert parse(command("0", content))[0] == "0"


def test_a_stop_may_ban(parse):
    assert parse(command("0", {"barred": True, "job": "j"})) == ["0", "j", None, True, None]
    assert parse(command("0", {"barred": "true"}))[3] is True


@pytest.mark.parametrize(
    ("flag", "read"), [(True, True), ("true", True), (1, True), (False, False), ("false", None), (0, None)]
)
def test_only_a_plain_false_lifts_out_of_service_in_doubt_it_is_a_stop(parse, flag, read):
    assert parse(command("0", {"out_of_service": flag})) == ["0", None, None, False, read]


@pytest.mark.parametrize(
    "payload",
    [
        b'{"actionCode": "0", "content": {',
        b'{"actionCode":0',
        b'{"content":"\xff\xfe","actionCode":"0"}',
        b'"{\\"actionCode\\":\\"0\\",',
        b"actionCode=0",
        b'{"actionCode" : "0" "content" oops',
        b'{"actionCode":"1","then":{"actionCode":"0"',
        b'{"actionCode":"0","content":' + b"[" * 200 + b"]" * 200 + b"}",
        b'{"actionCode":"0","content":"' + b"x" * 5000 + b'"}',
    ],
)
def test_a_stop_is_understood_in_text_nobody_can_read(parse, payload):
    assert parse(payload) == PLAIN_STOP


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b"", "json"),
        (b"{}", "action"),
        (b"[]", "shape"),
        (b"1", "shape"),
        (b'"hello"', "json"),
        (b"\xff", "text"),
        (b'{"actionCode":"1"', "json"),
        (b'{"actionCode":"0x"', "json"),
        (b'{"actionCode":0.5', "json"),
        (b'{"actionCode":"1","content":"' + b"x" * 4096 + b'"}', "oversize"),
        (b'{"actionCode":"1","content":' + b"[" * 70 + b"]" * 70 + b"}", "nesting"),
        (b"[" * 4096, "nesting"),
    ],
)
def test_what_nobody_can_read_and_is_no_stop_is_malformed(parse, payload, reason):
    assert parse(payload) == ["malformed", reason]


def test_the_longest_command_is_read(parse):
    payload = command("1", {"job": "j", "note": ""})
    payload = payload.replace(b'""', b'"' + b"n" * (4096 - len(payload)) + b'"')
    assert len(payload) == 4096
    assert parse(payload)[1] == "j"


@given(st.sampled_from(["0", "1", 0, 1]), FIELDS | JSON, st.booleans(), st.booleans())
@settings(max_examples=200, deadline=None)
def test_any_json_is_a_command_or_malformed_and_the_same_on_both(parse, action, content, as_text, ascii_only):
    if as_text:
        content = json.dumps(content)
    payload = text({"actionCode": action, "content": content}, ascii_only)
    result = parse(payload)
    assert result[0] in (str(action), "malformed")
    if action in (0, "0"):
        assert result[0] == "0"


@given(JSON)
@settings(max_examples=100, deadline=None)
def test_any_other_json_is_read_the_same_on_both(parse, value):
    result = parse(text(value))
    assert result[0] in ("0", "1", "malformed")


@given(st.binary(max_size=200))
@example(b'\x00"')
@settings(max_examples=150, deadline=None)
def test_a_stop_is_understood_whatever_follows_its_code(micropython, rest):
    from drivers import protocol

    assume(b"actionCode" not in rest and b"out_of_service" not in rest)
    case = {"do": "parse", "payload": (b'{"actionCode":"0",' + rest).hex()}
    for result in (protocol.run(case), micropython.call("protocol", case)):
        assert result[0] == "0"


@given(st.data())
@settings(max_examples=200, deadline=None)
def test_a_damaged_command_is_read_as_it_was_meant_or_not_at_all(micropython, data):
    from drivers import protocol

    action = data.draw(st.sampled_from(["0", "1"]))
    payload = command(action, {"job": "job-1", "issued_ms": 1767225600000})
    at = data.draw(st.integers(0, len(payload)))
    gone = data.draw(st.integers(0, 3))
    payload = payload[:at] + data.draw(st.binary(max_size=3)) + payload[at + gone :]
    case = {"do": "parse", "payload": payload.hex()}
    here, there = protocol.run(case), micropython.call("protocol", case)
    # MicroPython's JSON forgives a missing colon or a bracket of the wrong kind: it may read more, never otherwise.
    if here[0] == "1":
        assert there == here
    elif here[0] == "0":
        assert there[0] == "0"
    else:
        assert there[0] in ("malformed", action)
