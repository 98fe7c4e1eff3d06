"""The MQTT session against scripts of bytes, on MicroPython; packets written by hand from the standard."""

import os

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tools.hanma import toolchain

CONNECT = ["connect", "id", "u", "p", 60, None, 2000]
HELLO = [["expect"], ["send", "20020000"]]
CLOSED = ["MqttError", "closed"]
NO_ANSWER = ["MqttError", "no_answer"]
PROTOCOL = ["MqttError", "protocol"]


@pytest.fixture(scope="session")
def umqtt():
    """The folder with umqtt/simple.py: the pinned one, or another version to check with."""
    return os.environ.get("HANMA_UMQTT") or str(toolchain.umqtt_simple())


@pytest.fixture(scope="session")
def session(micropython, umqtt):
    """Play a connected session: its broker's steps after CONNACK, and the calls beside run()."""

    def play(steps, connect=CONNECT, hello=HELLO, **case):
        case = {"umqtt": umqtt, "before": [connect], "steps": [*hello, *steps], **case}
        result = micropython.call("mqtt", case)
        result["calls"] = result["calls"][1:]
        return result

    return play


@pytest.fixture(scope="session")
def attempt(micropython, umqtt):
    """Play CONNECT alone; returns what came of it and what was written."""

    def play(steps, connect=CONNECT, **case):
        case = {"umqtt": umqtt, "before": [connect], "steps": steps, "stop": True, **case}
        result = micropython.call("mqtt", case)
        return result["calls"][0], result["writes"]

    return play


def publish(topic, payload, flags=0x30, packet_id=None):
    """A PUBLISH as hex."""
    body = len(topic).to_bytes(2, "big") + topic
    if packet_id is not None:
        body += packet_id.to_bytes(2, "big")
    return packet(flags, body + payload).hex()


def packet(flags, body):
    """A packet with its fixed header (MQTT 3.1.1, 2.2)."""
    length = len(body)
    header = bytearray([flags])
    while True:
        header.append(length % 128 | (0x80 if length > 127 else 0))
        length //= 128
        if not length:
            return bytes(header) + body


def puback(packet_id):
    return ["send", "4002" + packet_id.to_bytes(2, "big").hex()]


# ---- CONNECT


def test_connect_is_one_write_with_clean_session_and_log_in(attempt):
    outcome, writes = attempt([["expect"], ["send", "20020000"]])
    assert outcome == "done"
    head = b"\x00\x04MQTT\x04\xc2\x00\x3c"
    assert writes == [packet(0x10, head + b"\x00\x02id\x00\x01u\x00\x01p").hex()]


def test_connect_carries_the_last_will_at_qos_1_and_not_retained(attempt):
    connect = ["connect", "id", "u", "p", 120, ["w/t", "gone"], 2000]
    _, writes = attempt([["expect"], ["send", "20020000"]], connect)
    head = b"\x00\x04MQTT\x04\xce\x00\x78"
    assert writes == [packet(0x10, head + b"\x00\x02id\x00\x03w/t\x00\x04gone\x00\x01u\x00\x01p").hex()]


def test_connect_without_log_in_names_neither_user_nor_password(attempt):
    _, writes = attempt([["expect"], ["send", "20020000"]], ["connect", "id", None, None, 60, None, 2000])
    assert writes == [packet(0x10, b"\x00\x04MQTT\x04\x02\x00\x3c\x00\x02id").hex()]


def test_a_long_log_in_gets_a_length_of_two_bytes(attempt):
    connect = ["connect", "i" * 200, "u", "p" * 64, 60, None, 2000]
    outcome, writes = attempt([["expect"], ["send", "20020000"]], connect)
    body = b"\x00\x04MQTT\x04\xc2\x00\x3c" + b"\x00\xc8" + b"i" * 200 + b"\x00\x01u\x00\x40" + b"p" * 64
    assert (outcome, writes) == ("done", [packet(0x10, body).hex()])


@pytest.mark.parametrize("code", [1, 2, 3, 4, 5])
def test_a_connack_that_says_no_is_refused_with_its_code(attempt, code):
    outcome, _ = attempt([["expect"], ["send", f"200200{code:02x}"]])
    assert outcome == ["Refused", code]


def test_a_stream_that_ends_before_connack_is_closed(attempt):
    assert attempt([["expect"], ["end"]])[0] == CLOSED


def test_silence_after_connect_is_no_answer(attempt):
    assert attempt([], ["connect", "id", "u", "p", 60, None, 50])[0] == NO_ANSWER


def test_a_stream_that_fails_under_connect_raises_its_own_error(attempt):
    assert attempt([["expect"], ["fail"]])[0] == ["OSError", None]


# ---- messages from the broker


@pytest.mark.parametrize("chunk", [1, 2, 3, 7, 100000])
def test_messages_arrive_the_same_in_pieces_of_any_size(session, chunk):
    stream = publish(b"a/b", b"hello", 0x32, 7) + publish(b"c", b"")
    stream += publish(b"d" * 200, b"x" * 300, 0x32, 9)
    result = session([["send", stream], ["end"]], chunk=chunk)
    assert [(topic, length) for topic, _, length, _, _ in result["heard"]] == [
        ("a/b", 5),
        ("c", 0),
        ("d" * 200, 300),
    ]
    assert result["heard"][0][1] == b"hello".hex()
    assert "".join(result["writes"][1:]) == "4002000740020009"
    assert result["run"] == CLOSED


@pytest.mark.parametrize(("flags", "retained", "dup"), [(0x32, False, False), (0x33, True, False), (0x3A, False, True)])
def test_retained_and_repeated_messages_are_told_as_such(session, flags, retained, dup):
    result = session([["send", publish(b"t", b"m", flags, 1)], ["end"]])
    assert result["heard"] == [["t", b"m".hex(), 1, retained, dup]]


def test_a_message_of_qos_0_is_not_acknowledged(session):
    result = session([["send", publish(b"t", b"m")], ["end"]])
    assert len(result["heard"]) == 1
    assert len(result["writes"]) == 1


def test_the_longest_command_is_delivered_whole(session):
    result = session([["send", publish(b"t" * 256, bytes(range(40)) + bytes(4056), 0x32, 5)], ["end"]])
    assert result["heard"] == [["t" * 256, bytes(range(40)).hex(), 4096, False, False]]
    assert result["oversized"] == 0


@pytest.mark.parametrize("chunk", [1000, 100000])
@pytest.mark.parametrize("length", [4097, 4400, 30000])
def test_a_longer_message_is_acknowledged_and_dropped_and_the_next_one_arrives(session, length, chunk):
    stream = publish(b"t", bytes(length), 0x32, 0x1234) + publish(b"next", b"n", 0x32, 2)
    result = session([["send", publish(b"one", b"1")], ["send", stream], ["end"]], chunk=chunk)
    assert [message[0] for message in result["heard"]] == ["one", "next"]
    assert result["oversized"] == 1
    assert result["writes"][1:] == ["40021234", "40020002"]


def test_a_longer_message_of_qos_0_is_dropped_without_a_word(session):
    result = session([["send", publish(b"t", bytes(9000)) + publish(b"n", b"x")], ["end"]])
    assert (result["oversized"], [message[0] for message in result["heard"]]) == (1, ["n"])
    assert len(result["writes"]) == 1


def test_what_we_send_waits_until_a_long_message_is_in_and_disturbs_it_not(session):
    text = bytes(range(256)) * 16
    long = publish(b"c", text, 0x32, 9)
    steps = [["send", long[:6000]], ["pause", 60], ["send", long[6000:]], ["expect"], ["expect"], puback(1), ["end"]]
    result = session(steps, calls=[["wait", 20], ["publish", "up", "x" * 2000]])
    assert result["heard"] == [["c", text[:40].hex(), 4096, False, False]]
    assert result["writes"][1:] == [publish(b"up", b"x" * 2000, 0x32, 1), "40020009"]
    assert result["calls"] == ["done"] * 2


def test_a_long_message_waits_until_what_we_send_is_out(session):
    long = publish(b"c", bytes(4096), 0x32, 9)
    steps = [["pause", 20], ["send", long], ["expect"], ["expect"], puback(1), ["end"]]
    result = session(steps, calls=[["publish", "up", "x" * 2000]], write_ms=40)
    assert result["writes"][1:] == [publish(b"up", b"x" * 2000, 0x32, 1), "40020009"]
    assert (result["calls"], len(result["heard"])) == (["done"], 1)


def test_a_long_message_behind_short_ones_is_whole(session):
    short = publish(b"s", b"1" * 900, 0x32, 1)
    text = bytes(range(256)) * 16
    stream = short * 2 + publish(b"c", text, 0x32, 2) + short
    result = session([["send", stream], ["end"]], chunk=2500)
    assert [(message[0], message[2]) for message in result["heard"]] == [("s", 900), ("s", 900), ("c", 4096), ("s", 900)]
    assert result["heard"][2][1] == text[:40].hex()
    assert "".join(result["writes"][1:]) == "40020001400200014002000240020001"


def test_a_message_that_finds_no_memory_is_handed_out_again_before_it_is_acknowledged(session):
    result = session([["send", publish(b"c", b"stop", 0x32, 7)], ["expect"], ["end"]], no_memory=3)
    assert result["heard"] == [["c", b"stop".hex(), 4, False, False]]
    assert result["writes"][1:] == ["40020007"]


def test_a_message_that_never_finds_memory_ends_the_session_unacknowledged(session):
    result = session([["send", publish(b"c", b"stop", 0x32, 7)]], no_memory=1000)
    assert (result["run"], len(result["writes"])) == (["MemoryError", None], 1)


@pytest.mark.parametrize("steps", [[["end"]], [["fail"]], [["send", "c000"]]])
def test_the_buffer_is_free_again_when_the_session_is_over(session, steps):
    assert session(steps)["buffers"] == 1


@pytest.mark.parametrize(
    "broken",
    [
        pytest.param("30ffffffff7f", id="length of five bytes"),
        pytest.param(publish(b"t", b"m", 0x34, 1), id="QoS 2"),
        pytest.param(publish(b"t", b"m", 0x36, 1), id="QoS 3"),
        pytest.param("30040009" + b"ab".hex(), id="topic longer than its packet"),
        pytest.param("3203000161", id="no room for the packet id"),
        pytest.param("3000", id="no topic"),
        pytest.param("300100", id="half a topic length"),
        pytest.param("d00100", id="PINGRESP with a body"),
        pytest.param("400100", id="short PUBACK"),
        pytest.param("4003000100", id="long PUBACK"),
        pytest.param("c000", id="PINGREQ from a broker"),
        pytest.param("f000", id="AUTH of MQTT 5"),
        pytest.param("0000", id="type 0"),
        pytest.param("b0ffff7f0001", id="long packet that is no PUBLISH"),
        pytest.param(packet(0x30, b"\xff\xff" + bytes(70000)).hex(), id="topic of 64 KiB"),
    ],
)
def test_bytes_that_are_not_mqtt_end_the_session(session, broken):
    result = session([["send", broken], ["end"]])
    assert result["run"] == PROTOCOL
    assert result["heard"] == []


@given(st.binary(max_size=60), st.integers(1, 20))
@example(b"\x32\x03\x00\x01\x61\x00", 1)
@settings(max_examples=100, deadline=None)
def test_no_bytes_at_all_raise_anything_but_mqtt_errors(session, noise, chunk):
    result = session([["send", noise.hex()], ["end"]], chunk=chunk)
    assert result["run"] in (CLOSED, PROTOCOL)


@given(
    st.lists(st.tuples(st.binary(max_size=200), st.booleans()), max_size=6),
    st.integers(1, 400),
)
@settings(max_examples=60, deadline=None)
def test_every_message_is_heard_once_in_order_and_acknowledged(session, messages, chunk):
    stream = "".join(
        publish(b"t", payload, 0x32, number) if wanted else publish(b"t", payload)
        for number, (payload, wanted) in enumerate(messages, 1)
    )
    result = session([["send", stream], ["end"]], chunk=chunk)
    assert [message[1:3] for message in result["heard"]] == [[m[0][:40].hex(), len(m[0])] for m in messages]
    wanted = [number for number, message in enumerate(messages, 1) if message[1]]
    assert "".join(result["writes"][1:]) == "".join(f"4002{number:04x}" for number in wanted)


def test_the_acknowledgements_of_messages_that_came_together_leave_together(session):
    stream = "".join(publish(b"t", b"m", 0x32, number) for number in range(1, 41))
    result = session([["send", stream], ["end"]])
    assert [len(write) // 8 for write in result["writes"][1:]] == [16, 16, 8]


def test_an_acknowledgement_does_not_wait_for_a_message_that_is_not_all_there(session):
    half = publish(b"t", b"m" * 50, 0x32, 2)
    steps = [["send", publish(b"t", b"m", 0x32, 1) + half[:20]], ["expect"], ["send", half[20:]], ["expect"], ["end"]]
    assert session(steps)["writes"][1:] == ["40020001", "40020002"]


def test_a_puback_behind_a_flood_counts_however_long_the_flood_takes(session):
    flood = [step for _ in range(12) for step in (["send", publish(b"t", b"m", 0x32, 9)], ["pause", 40])]
    result = session([["expect"], *flood, puback(1), ["end"]], calls=[["publish", "up", "x", 1, 120]])
    assert (result["calls"], result["run"]) == (["done"], CLOSED)


def test_a_flood_without_the_puback_ends_the_session_all_the_same(session):
    flood = [step for _ in range(200) for step in (["send", publish(b"t", b"m", 0x32, 9)], ["pause", 10])]
    assert session([["expect"], *flood], calls=[["publish", "up", "x", 1, 60]])["run"] == NO_ANSWER


# ---- what we send


def test_a_publish_is_one_write_and_returns_with_its_puback(session):
    result = session([["expect"], puback(1), ["end"]], calls=[["publish", "up", "hello"]])
    assert result["calls"] == ["done"]
    assert result["writes"][1:] == [publish(b"up", b"hello", 0x32, 1)]


def test_a_publish_of_qos_0_returns_at_once(session):
    result = session([["expect"], ["end"]], calls=[["publish", "up", "hello", 0]])
    assert result["calls"] == ["done"]
    assert result["writes"][1:] == [publish(b"up", b"hello")]


def test_a_puback_for_another_packet_does_not_count(session):
    result = session([["expect"], puback(2)], calls=[["publish", "up", "x", 1, 60]])
    assert result["calls"] == [NO_ANSWER]
    assert result["run"] == NO_ANSWER


def test_a_publish_acknowledged_in_the_last_breath_counts(session):
    result = session([["expect"], puback(1), ["end"]], calls=[["publish", "up", "x"]])
    assert (result["calls"], result["run"]) == (["done"], CLOSED)


def test_four_publishes_are_on_their_way_and_the_fifth_waits(session):
    steps = [["count"], puback(3), ["count"], puback(1), puback(2), puback(4), puback(5), puback(6), ["end"]]
    result = session([["expect"]] * 4 + steps, beside=[["publish", "up", str(n)] for n in range(6)])
    assert result["counts"] == [5, 6]
    assert result["calls"] == ["done"] * 6


def test_a_publish_that_is_not_answered_goes_out_once_more_with_its_id_and_marked_as_a_repeat(session):
    result = session([["expect"], ["expect"], puback(1), ["end"]], calls=[["publish", "up", "x"]], answer_ms=200)
    assert result["calls"] == ["done"]
    assert result["writes"][1:] == [publish(b"up", b"x", 0x32, 1), publish(b"up", b"x", 0x3A, 1)]


def test_a_repeat_takes_no_new_id_from_those_that_follow(session):
    calls = [["publish", "up", "x"], ["publish", "up", "y"]]
    result = session([["expect"], ["expect"], puback(1), ["expect"], puback(2), ["end"]], calls=calls, answer_ms=200)
    assert result["calls"] == ["done"] * 2
    assert result["writes"][3:] == [publish(b"up", b"y", 0x32, 2)]


def test_a_subscription_that_is_not_answered_is_not_repeated(session):
    result = session([["expect"]], calls=[["subscribe", "t"]], answer_ms=100)
    assert result["calls"] == [NO_ANSWER]
    assert len(result["writes"]) == 2


def test_packet_ids_begin_again_before_they_leave_sixteen_bits(session):
    calls = [["set_id", 65529], ["publish", "t", "a"], ["publish", "t", "b"]]
    result = session([["expect"], puback(65530), ["expect"], puback(1), ["end"]], calls=calls)
    assert result["calls"] == ["done"] * 3
    assert result["writes"][2] == publish(b"t", b"b", 0x32, 1)


def test_a_subscription_is_granted_or_refused(session):
    steps = [["expect"], ["send", "9003000101"], ["expect"], ["send", "9003000280"], ["end"]]
    result = session(steps, calls=[["subscribe", "c/+"], ["subscribe", "no"]])
    assert result["calls"] == ["done", ["MqttError", "subscribe_refused"]]
    assert result["writes"][1] == packet(0x82, b"\x00\x01\x00\x03c/+\x01").hex()


def test_calls_work_before_anybody_reads(session, micropython, umqtt):
    steps = [*HELLO, ["expect"], ["send", "9003000101"], ["send", publish(b"c", b"m")], ["expect"], puback(2)]
    before = [CONNECT, ["subscribe", "c"], ["publish", "up", "00"]]
    result = micropython.call("mqtt", {"umqtt": umqtt, "steps": steps, "before": before, "stop": True})
    assert result["calls"] == ["done"] * 3
    assert len(result["heard"]) == 1
    assert result["run"] == "cancelled"


def test_what_is_too_long_to_send_is_refused_and_the_session_lives_on(session):
    calls = [["publish", "t", {"bytes": 2100}], ["subscribe", "f" * 123], ["publish", "t", "x", 0]]
    result = session([["expect"], ["end"]], calls=calls)
    assert result["calls"] == [["MqttError", "too_long"]] * 2 + ["done"]


def test_disconnect_says_so_and_closes_the_stream(session):
    result = session([], calls=[["disconnect"]])
    assert result["writes"][1:] == ["e000"]
    assert result["closed"]
    assert result["run"] == CLOSED


# ---- a dying link


def test_a_dead_stream_ends_run_and_everybody_who_waits(session):
    result = session([["expect"], ["expect"], ["fail"]], beside=[["publish", "t", "a"], ["publish", "t", "b"]])
    assert result["run"] == ["OSError", None]
    assert result["calls"] == [CLOSED, CLOSED]


def test_nothing_can_be_said_after_the_end(session):
    result = session([["end"]], calls=[["wait", 10], ["publish", "t", "a"], ["subscribe", "t"], ["disconnect"]])
    assert result["calls"] == ["done", CLOSED, CLOSED, "done"]
    assert len(result["writes"]) == 1


def test_a_publish_without_puback_ends_the_session_in_the_stated_time(session):
    result = session([], calls=[["publish", "t", "a"]], answer_ms=60)
    assert (result["calls"], result["run"]) == ([NO_ANSWER], NO_ANSWER)


def test_a_publish_cancelled_in_the_middle_of_a_packet_ends_the_session(session):
    result = session([], calls=[["cancelled", "publish", "t", "a"]], write_ms=40)
    assert (result["calls"], result["run"], result["failure"]) == (["cancelled"], CLOSED, "closed")


def test_a_publish_cancelled_while_it_waits_leaves_the_session_alone(session):
    calls = [["cancelled", "publish", "t", "a"], ["publish", "t", "b"]]
    result = session([["expect"], ["expect"], puback(1), puback(2), ["end"]], calls=calls)
    assert result["calls"] == ["cancelled", "done"]


def test_a_quiet_session_pings_and_an_answer_keeps_it(session):
    connect = ["connect", "id", "u", "p", 1, None, 2000]
    result = session([["expect"], ["send", "d000"], ["expect"], ["send", "d000"], ["end"]], connect)
    assert result["writes"][1:] == ["c000", "c000"]
    assert result["run"] == CLOSED


def test_a_ping_without_answer_ends_the_session(session):
    connect = ["connect", "id", "u", "p", 1, None, 2000]
    result = session([], connect, answer_ms=50)
    assert result["writes"][1:] == ["c000"]
    assert result["run"] == NO_ANSWER


def test_acknowledged_reports_take_the_place_of_pings(session):
    connect = ["connect", "id", "u", "p", 1, None, 2000]
    steps = [step for number in range(1, 5) for step in (["expect"], puback(number))]
    calls = [call for _ in range(4) for call in (["publish", "t", "a"], ["wait", 300])]
    result = session([*steps, ["end"]], connect, calls=calls)
    assert "c000" not in result["writes"]


def test_reports_nobody_acknowledges_do_not(session):
    connect = ["connect", "id", "u", "p", 1, None, 2000]
    calls = [call for _ in range(4) for call in (["publish", "t", "a", 0], ["wait", 300])]
    result = session([], connect, calls=calls, answer_ms=50)
    assert "c000" in result["writes"]
    assert result["run"] == NO_ANSWER


def test_the_heap_does_not_grow_with_the_messages(session):
    piece = publish(b"welder/1/command/x", bytes(150), 0x32, 7) * 5
    result = session([["send", piece, 100], ["end"]], hello=[["send", "20020000"]], measure=[200, 450])
    assert result["growth"] <= 64
