"""A broker that means harm, against the whole session on MicroPython: what it may say and what comes of it, by another reading of
the standard than the session's own.
"""

import os

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tools.hanma import toolchain

CONNECT = ["connect", "id", "u", "p", 60, None, 2000]
HELLO = [["expect"], ["send", "20020000"]]
CLOSED = ["MqttError", "closed"]
PROTOCOL = ["MqttError", "protocol"]
NO_ANSWER = ["MqttError", "no_answer"]
LONGEST = 4096  # payload that is handed on
PINGRESP = b"\xd0\x00"


@pytest.fixture(scope="module")
def umqtt():
    """The folder with umqtt/simple.py: the pinned one, or another version to check with."""
    return os.environ.get("HANMA_UMQTT") or str(toolchain.umqtt_simple())


@pytest.fixture(scope="module")
def play(micropython, umqtt):
    """Play a session that is connected, against these steps of its broker."""

    def call(steps, hello=HELLO, replay=micropython, before=(), **case):
        case = {"umqtt": umqtt, "before": [CONNECT, *before], "steps": [*hello, *steps], **case}
        return replay.call("mqtt", case)

    return call


def packet(first, body, length=None):
    """A packet, whose header may lie about its length."""
    length = len(body) if length is None else length
    header = bytearray([first])
    while True:
        header.append(length % 128 | (0x80 if length > 127 else 0))
        length //= 128
        if not length:
            return bytes(header) + body


def publish(topic, payload, packet_id=None, flags=0):
    """A PUBLISH of QoS 1, or 0 without an id."""
    number = b"" if packet_id is None else packet_id.to_bytes(2, "big")
    kind = 0x30 | flags | (2 if packet_id is not None else 0)
    return packet(kind, len(topic).to_bytes(2, "big") + topic + number + payload)


def ack(kind, packet_id, tail=b""):
    """PUBACK, SUBACK and the like."""
    return packet(kind, packet_id.to_bytes(2, "big") + tail)


def header(stream, at):
    """Return (where the body begins, its length, how the stream ends here or None)."""
    length = 0
    for shift in range(4):
        head = at + 1 + shift
        if head >= len(stream):
            return head, 0, CLOSED
        length |= (stream[head] & 0x7F) << 7 * shift
        if stream[head] < 0x80:
            return head + 1, length, None
    return at, 0, PROTOCOL


def message(first, body):
    """Return (topic, payload, packet id as hex) of a PUBLISH, None where it is none."""
    qos = first >> 1 & 3
    size = int.from_bytes(body[:2], "big")
    start = 2 + size + (2 if qos else 0)
    if len(body) < 2 or start > len(body):
        return None
    return body[2 : 2 + size], body[start:], body[2 + size : start].hex()


def reading(stream):
    """Read what a broker says after its CONNACK as MQTT 3.1.1 has it: (messages, acknowledgements due, how it ends).

    It ends with None where a packet is cut, of which the session may have read enough to know that it is none.
    """
    at, heard, due = 0, [], []
    sizes = {2: 2, 4: 2, 9: 3, 13: 0}  # CONNACK, PUBACK, SUBACK of one filter, PINGRESP
    while at < len(stream):
        start, length, end = header(stream, at)
        if end:
            return heard, due, end
        kind = stream[at] >> 4
        if kind == 3 and stream[at] >> 1 & 3 > 1 or kind != 3 and sizes.get(kind) != length:
            return heard, due, PROTOCOL
        if start + length > len(stream):
            return heard, due, None
        body = stream[start : start + length]
        found = message(stream[at], body) if kind == 3 else (b"", bytes(LONGEST + 1), "")
        if kind == 2 or not found:
            return heard, due, PROTOCOL
        if len(found[1]) <= LONGEST:
            heard.append(found[:2])
        if found[2]:
            due.append("4002" + found[2])
        at = start + length
    return heard, due, CLOSED


PIECES = st.one_of(
    st.builds(publish, st.binary(max_size=20), st.binary(max_size=60), st.none(), st.integers(0, 9)),
    st.builds(publish, st.binary(max_size=20), st.binary(max_size=60), st.integers(0, 65535), st.integers(0, 9)),
    st.builds(publish, st.just(b"t"), st.integers(4000, 5000).map(bytes), st.integers(1, 9)),
    st.builds(ack, st.sampled_from([0x40, 0x42, 0x50, 0x62, 0x70, 0x90, 0xB0]), st.integers(0, 9), st.binary(max_size=2)),
    st.builds(packet, st.integers(0, 255), st.binary(max_size=8), st.one_of(st.none(), st.integers(0, 300))),
    st.sampled_from([PINGRESP, PINGRESP * 20, b"\x20\x02\x00\x00", b"\x20\x02\x00\x05", b"\xe0\x00", b"\x30\xff\xff\xff\x7f"]),
    st.binary(max_size=5),
)


@given(st.lists(PIECES, max_size=8), st.sampled_from([1, 3, 64, 700, 100000]))
@example([publish(b"t", b"m", 1), b"\x20\x02\x00\x00", publish(b"t", b"n", 2)], 100000)
@example([ack(0x40, 1), ack(0x90, 1, b"\x00"), PINGRESP], 1)
@settings(max_examples=150, deadline=None)
def test_what_is_heard_and_acknowledged_is_what_the_standard_reads(play, pieces, chunk):
    stream = b"".join(pieces)
    heard, due, end = reading(stream)
    result = play([["send", stream.hex()], ["end"]], chunk=chunk)
    assert result["run"] == end or end is None and result["run"] in (CLOSED, PROTOCOL)
    assert [(message[1], message[2]) for message in result["heard"]] == [(text[:40].hex(), len(text)) for _, text in heard]
    answered = "".join(result["writes"][1:])
    assert "".join(due).startswith(answered)
    assert len(answered) == 8 * len(due) or result["run"] == PROTOCOL  # what came together is answered together, or not at all


EARLY = [publish(b"t", b"m", 1), PINGRESP, ack(0x40, 1), ack(0x90, 1, b"\0"), b"\x30\xff\xff\xff\x7f\0\1t"]


@pytest.mark.parametrize("first", EARLY)
def test_a_broker_that_says_anything_before_connack_is_left(play, first):
    result = play([["expect"], ["send", first.hex() + "20020000"]], hello=(), stop=True)
    assert result["calls"][0] in (PROTOCOL, NO_ANSWER)
    assert result["heard"] == []


@pytest.mark.parametrize("code", [0, 5])
def test_a_second_connack_ends_the_session(play, code):
    assert play([["send", f"200200{code:02x}"]])["run"] == PROTOCOL


@pytest.mark.parametrize("code", [6, 0x80, 255])
def test_a_connack_with_a_code_that_means_nothing_is_no_refusal(play, code):
    result = play([["expect"], ["send", f"200200{code:02x}"]], hello=(), stop=True)
    assert result["calls"][0] == PROTOCOL


def test_a_report_is_not_acknowledged_by_the_answer_to_a_subscription(play):
    steps = [["expect"], ["send", ack(0x90, 1, b"\x00").hex()], ["send", ack(0x90, 1, b"\x80").hex()]]
    assert play(steps, calls=[["publish", "up", "x", 1, 60]])["calls"][1] == NO_ANSWER


@pytest.mark.parametrize("number", [0, 2, 0x0100, 65535])
def test_a_report_is_not_acknowledged_under_an_id_that_was_never_sent(play, number):
    result = play([["expect"], ["send", ack(0x40, number).hex(), 50]], calls=[["publish", "up", "x", 1, 60]])
    assert result["calls"][1] == NO_ANSWER


def test_a_subscription_is_not_granted_by_the_acknowledgement_of_a_report(play):
    assert play([["expect"], ["send", ack(0x40, 1).hex()]], calls=[["subscribe", "c"]], answer_ms=80)["calls"][1] == NO_ANSWER


@pytest.mark.parametrize("code", [3, 0x7F, 0x80, 0xFF])
def test_a_subscription_that_is_not_granted_is_refused_whatever_the_code(play, code):
    steps = [["expect"], ["send", ack(0x90, 1, bytes([code])).hex()], ["end"]]
    assert play(steps, calls=[["subscribe", "c"]])["calls"][1] == ["MqttError", "subscribe_refused"]


def test_an_acknowledgement_told_a_thousand_times_counts_once(play):
    steps = [["expect"], ["send", ack(0x40, 1).hex(), 1000], ["expect"], ["pause", 30], ["send", ack(0x40, 2).hex()], ["end"]]
    result = play(steps, calls=[["publish", "up", "x"], ["publish", "up", "y"]])
    assert result["calls"][1:] == ["done", "done"]


@pytest.mark.parametrize("flood", [PINGRESP, ack(0x40, 9), ack(0x90, 9, b"\0"), publish(b"t", b""), publish(b"t", b"", 3)])
def test_after_each_packet_of_a_flood_the_loop_is_free(play, flood):
    result = play([["send", (flood * 100).hex(), 20], ["end"]], watch=True)
    assert result["run"] == CLOSED
    assert result["turns"] >= 2000


def test_a_flood_before_the_subscription_is_granted_leaves_the_loop_free_too(play):
    hello = [["expect"], ["send", "20020000"], ["expect"], ["send", (PINGRESP * 100).hex(), 20], ["send", "9003000100"]]
    result = play([["end"]], hello=hello, before=[["subscribe", "c"]], watch=True)
    assert result["calls"] == ["done", "done"]
    assert result["turns"] >= 2000


def test_a_packet_that_never_ends_ends_the_session_when_what_we_say_has_no_answer(play):
    head = packet(0x32, b"\0\1t\0\1", 268435455).hex()
    steps = [["send", head], *[step for _ in range(200) for step in (["send", "41" * 1000], ["pause", 5])]]
    result = play(steps, calls=[["wait", 20], ["publish", "up", "x"]], answer_ms=150)
    assert (result["calls"][1:], result["run"]) == (["done", NO_ANSWER], NO_ANSWER)
    assert result["heard"] == [] and len(result["writes"]) == 1


def test_a_packet_that_stops_in_the_middle_ends_the_session_in_time(play):
    for cut in (publish(b"t", b"m" * 100, 1)[:50], publish(b"t", bytes(4000), 1)[:3900], b"\x30", b"\x30\x80"):
        result = play([["send", cut.hex()]], calls=[["wait", 5], ["publish", "up", "x"]], answer_ms=100)
        assert result["run"] == NO_ANSWER


_MIXED = (
    publish(b"welder/1/command/" + b"i" * 70, b"x" * 150, 7)
    + publish(b"\xff\xfe", b"\xff" * 30, 8)
    + publish(b"t", bytes(4500), 9)
    + PINGRESP * 5
    + b"".join(ack(0x40, number) for number in range(20))
    + b"".join(ack(0x90, number, b"\1") for number in range(20))
)


def test_a_flood_of_everything_leaves_nothing_on_the_heap_of_the_small_port(play, small_micropython):
    result = play(
        [["send", _MIXED.hex(), 250], ["end"]],
        hello=[["send", "20020000"]],
        replay=small_micropython,
        measure=[100, 450],
    )
    assert result["run"] == CLOSED
    assert result["growth"] <= 64
