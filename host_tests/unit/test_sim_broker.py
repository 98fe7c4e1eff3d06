"""The small broker's core: MQTT 3.1.1 byte for byte, on CPython and again on MicroPython."""

import pytest
from drivers import sim_broker
from hypothesis import given, settings
from hypothesis import strategies as st

from host_tests.sim import mqtt_packets as mqtt
from host_tests.sim.broker_core import Broker

ACCEPTED = b"\x20\x02\x00\x00"


def connect(client=b"c", clean=True, keepalive_s=60, will=None, user=None, password=None, level=4):
    flags = (2 if clean else 0) | (0x80 if user is not None else 0) | (0x40 if password is not None else 0)
    tail = mqtt.text(client)
    if will:
        topic, payload, qos, retain = will
        flags |= 4 | qos << 3 | (0x20 if retain else 0)
        tail += mqtt.text(topic) + mqtt.text(payload)
    for text in (user, password):
        tail += mqtt.text(text) if text is not None else b""
    head = mqtt.text(b"MQTT") + bytes((level, flags)) + mqtt.number(keepalive_s)
    return mqtt.packet(mqtt.CONNECT, 0, head + tail)


def subscribe(pattern, qos=1, identifier=1):
    return mqtt.packet(mqtt.SUBSCRIBE, 2, mqtt.number(identifier) + mqtt.text(pattern) + bytes((qos,)))


PING = b"\xc0\x00"
DISCONNECT = b"\xe0\x00"


class Bench:
    """A broker with its clients and what has happened."""

    def __init__(self, check=None):
        self.events = []
        self.broker = Broker(
            check, lambda now_ms, kind, client, detail: self.events.append((kind, client, detail))
        )

    def client(self, name=b"c", now_ms=0, filters=(), **options):
        """Return an accepted client's connection, subscribed."""
        connection = self.broker.connect(now_ms)
        connection.feed(now_ms, connect(name, **options))
        for pattern in filters:
            connection.feed(now_ms, subscribe(pattern))
        connection.take()
        return connection


@pytest.fixture
def bench():
    return Bench()


def test_the_packets_have_the_standards_bytes(bench):
    connection = bench.broker.connect(0)
    connection.feed(0, bytes.fromhex("100f00044d5154540402003c0003") + b"abc")
    assert connection.take() == ACCEPTED
    connection.feed(0, bytes.fromhex("82080001000361 2f2b 01".replace(" ", "")))
    assert connection.take() == bytes.fromhex("9003000101")
    connection.feed(0, bytes.fromhex("32090003612f62000a6869"))
    assert connection.take() == bytes.fromhex("4002000a" + "32090003612f6200016869")
    connection.feed(0, bytes.fromhex("40020001") + PING)
    assert connection.take() == bytes.fromhex("d000")
    connection.feed(0, bytes.fromhex("a2070002" + "0003612f2b"))
    assert connection.take() == bytes.fromhex("b0020002")
    connection.feed(0, DISCONNECT)
    assert connection.closed


@pytest.mark.parametrize(
    ("pattern", "topic", "expected"),
    [
        ("a/b", "a/b", True),
        ("a/b", "a/c", False),
        ("a/+", "a/b", True),
        ("a/+", "a/b/c", False),
        ("a/+", "a", False),
        ("a/#", "a", True),
        ("a/#", "a/b/c", True),
        ("#", "a/b", True),
        ("+/+", "/a", True),
        ("/+", "/a", True),
        ("+", "/a", False),
        ("#", "$oc/x", False),
        ("+/x", "$oc/x", False),
        ("$oc/+", "$oc/x", True),
        ("$oc/devices/d/sys/commands/#", "$oc/devices/d/sys/commands/request_id=1", True),
    ],
)
def test_filters_match_as_the_standard_says(pattern, topic, expected):
    assert mqtt.matches(pattern.encode(), topic.encode()) == expected


@pytest.mark.parametrize("pattern", ["", "a/#/b", "a#", "a+/b", "#/", "a\0"])
def test_a_wrong_filter_ends_the_connection(bench, pattern):
    connection = bench.client()
    connection.feed(0, subscribe(pattern.encode()))
    assert connection.closed and bench.events[-1][0] == "protocol"


@pytest.mark.parametrize(
    "packet",
    [
        PING,  # before CONNECT
        connect() + connect(),
        connect() + b"\x34\x05\x00\x01a\x00\x01",  # QoS 2
        connect() + b"\x30\x03\x00\x01#",
        connect() + b"\x80\x06\x00\x01\x00\x01a\x01",  # SUBSCRIBE without its flags
        connect() + b"\x82\x02\x00\x01",
        connect() + b"\x82\xff\xff\xff\xff\x01",
        connect() + b"\x00\x00",
        b"\x10\x04\x00\x04MQ",
    ],
)
def test_what_the_standard_forbids_ends_the_connection(bench, packet):
    connection = bench.broker.connect(0)
    connection.feed(0, packet)
    assert connection.closed


def test_another_protocol_level_is_refused_with_code_1(bench):
    connection = bench.broker.connect(0)
    connection.feed(0, connect(level=5))
    assert connection.take() == b"\x20\x02\x00\x01" and connection.closed


@pytest.mark.parametrize("code", [1, 2, 3, 4, 5])
def test_everybody_can_be_refused_with_any_code(bench, code):
    bench.broker.refuse_code = code
    connection = bench.broker.connect(0)
    connection.feed(0, connect())
    assert connection.take() == bytes((0x20, 2, 0, code)) and connection.closed
    assert bench.broker.clients() == []


def test_the_check_decides_by_id_user_and_password():
    asked = []

    def check(client, user, password):
        asked.append((client, user, password))
        return 0 if password == b"right" else 4

    bench = Bench(check)
    assert not bench.client(b"d", user=b"u", password=b"right").closed
    assert bench.client(b"d", user=b"u", password=b"wrong").closed
    assert asked == [(b"d", b"u", b"right"), (b"d", b"u", b"wrong")]


def test_a_subscription_can_be_refused(bench):
    bench.broker.refuse_filters = {b"down"}
    connection = bench.broker.connect(0)
    connection.feed(0, connect() + subscribe(b"down") + subscribe(b"other", identifier=2))
    assert connection.take() == ACCEPTED + b"\x90\x03\x00\x01\x80" + b"\x90\x03\x00\x02\x01"
    assert bench.broker.publish(0, b"down", b"x") == 0


@pytest.mark.parametrize(
    ("knob", "packet"),
    [
        ("answer_publish", mqtt.publish(b"a", b"x", 1, False, 7)),
        ("answer_subscribe", subscribe(b"a")),
        ("answer_ping", PING),
    ],
)
def test_an_answer_can_be_kept_back(bench, knob, packet):
    connection = bench.client()
    setattr(bench.broker, knob, False)
    connection.feed(0, packet)
    assert connection.take() == b""
    setattr(bench.broker, knob, True)
    connection.feed(0, packet)
    assert connection.take() != b""


def test_CONNACK_can_be_kept_back(bench):
    bench.broker.answer_connect = False
    connection = bench.broker.connect(0)
    connection.feed(0, connect())
    assert connection.take() == b"" and not connection.closed


def test_the_lower_QoS_of_publication_and_subscription_holds(bench):
    connection = bench.client(filters=[b"a"])
    bench.broker.publish(0, b"a", b"x", 0)
    assert connection.take() == mqtt.publish(b"a", b"x", 0, False)
    connection.feed(0, subscribe(b"a", 0))
    connection.take()
    bench.broker.publish(0, b"a", b"x", 1)
    assert connection.take() == mqtt.publish(b"a", b"x", 0, False)


def test_a_client_with_two_matching_filters_gets_one_copy(bench):
    connection = bench.client(filters=[b"a/+", b"a/#"])
    assert bench.broker.publish(0, b"a/b", b"x") == 1
    assert connection.take() == mqtt.publish(b"a/b", b"x", 0, False)


def test_a_retained_message_meets_later_subscriptions_until_it_is_emptied(bench):
    bench.broker.publish(0, b"a", b"kept", 1, retain=True)
    assert bench.client(b"1", filters=[b"a"]) is not None
    late = bench.client(b"2")
    late.feed(0, subscribe(b"a"))
    assert late.take() == b"\x90\x03\x00\x01\x01" + mqtt.publish(b"a", b"kept", 1, True, 1)
    bench.broker.publish(0, b"a", b"", retain=True)
    later = bench.client(b"3")
    later.feed(0, subscribe(b"a"))
    assert later.take() == b"\x90\x03\x00\x01\x01"


def test_retained_messages_come_in_the_order_of_their_topics(bench):
    for topic in (b"c", b"a", b"b"):
        bench.broker.publish(0, topic, topic, retain=True)
    connection = bench.client()
    connection.feed(0, subscribe(b"#"))
    assert connection.take()[5:] == b"".join(mqtt.publish(t, t, 0, True) for t in (b"a", b"b", b"c"))


def test_a_will_is_published_when_the_client_is_lost_but_not_after_DISCONNECT(bench):
    watcher = bench.client(b"w", filters=[b"will"])
    for ending, expected in ((b"", mqtt.publish(b"will", b"gone", 1, False, 1)), (DISCONNECT, b"")):
        connection = bench.client(b"d", will=(b"will", b"gone", 1, False))
        connection.feed(0, ending)
        connection.lost(0)
        assert watcher.take() == expected


def test_a_silent_client_is_dropped_after_one_and_a_half_keepalives(bench):
    watcher = bench.client(b"w", keepalive_s=0, filters=[b"will"])
    connection = bench.client(b"d", keepalive_s=60, will=(b"will", b"gone", 0, False))
    connection.feed(30000, PING)
    assert bench.broker.next_ms(0) == 120000
    bench.broker.tick(119999)
    assert not connection.closed
    bench.broker.tick(120000)
    assert connection.closed and watcher.take() == mqtt.publish(b"will", b"gone", 0, False)
    assert bench.broker.next_ms(0) is None


def test_a_transport_that_never_connects_is_dropped(bench):
    connection = bench.broker.connect(0)
    bench.broker.tick(30000)
    assert connection.closed


def test_a_second_connection_with_the_same_id_takes_over(bench):
    first = bench.client(b"d")
    second = bench.client(b"d")
    assert first.closed and not second.closed and bench.broker.clients() == [b"d"]


def test_a_clean_session_forgets_and_a_kept_one_resumes_with_what_was_missed(bench):
    kept = bench.client(b"k", clean=False, filters=[b"a"])
    clean = bench.client(b"c", filters=[b"a"])
    kept.lost(0)
    clean.lost(0)
    assert bench.broker.publish(0, b"a", b"missed", 1) == 1
    for name, clean_session, expected in (
        (b"c", True, ACCEPTED),
        (b"k", False, b"\x20\x02\x01\x00" + mqtt.publish(b"a", b"missed", 1, False, 1, True)),
    ):
        connection = bench.broker.connect(0)
        connection.feed(0, connect(name, clean=clean_session))
        assert connection.take() == expected


def test_what_was_acknowledged_is_not_sent_again(bench):
    connection = bench.client(b"k", clean=False, filters=[b"a"])
    bench.broker.publish(0, b"a", b"x", 1)
    bench.broker.publish(0, b"a", b"y", 1)
    connection.feed(0, mqtt.packet(mqtt.PUBACK, 0, mqtt.number(1)))
    connection.lost(0)
    again = bench.broker.connect(0)
    again.feed(0, connect(b"k", clean=False))
    assert again.take() == b"\x20\x02\x01\x00" + mqtt.publish(b"a", b"y", 1, False, 2, True)


def test_a_client_without_id_is_named_when_clean_and_refused_when_not(bench):
    assert not bench.client(b"").closed
    connection = bench.broker.connect(0)
    connection.feed(0, connect(b"", clean=False))
    assert connection.take() == b"\x20\x02\x00\x02"


def test_a_listener_in_the_same_process_hears_what_it_asked_for(bench):
    heard = []
    bench.broker.listen(b"up/#", lambda *arguments: heard.append(arguments))
    connection = bench.client()
    connection.feed(5, mqtt.publish(b"up/x", b"data", 1, False, 3) + mqtt.publish(b"down", b"no", 0, False))
    assert heard == [(5, b"up/x", b"data", 1, False)]


def test_kick_drops_a_client_and_wakes_its_transport(bench):
    connection = bench.client(b"d")
    woken = []
    connection.wake = woken.append
    assert bench.broker.kick(7, b"d") and connection.closed and woken == [7]
    assert not bench.broker.kick(8, b"d")


def test_a_message_for_a_client_wakes_its_transport(bench):
    connection = bench.client(filters=[b"a"])
    woken = []
    connection.wake = woken.append
    bench.broker.publish(9, b"a", b"x")
    assert woken == [9]


PACKETS = st.one_of(
    st.sampled_from([PING, DISCONNECT, subscribe(b"a/+"), subscribe(b"#", 0, 2), b"\x40\x02\x00\x01"]),
    st.builds(
        lambda topic, payload, qos, retain: mqtt.publish(topic, payload, qos, retain, 9),
        st.sampled_from([b"a/b", b"$oc/d", b"x"]),
        st.binary(max_size=200),
        st.integers(0, 1),
        st.booleans(),
    ),
    st.binary(min_size=1, max_size=6),
)


@settings(max_examples=80, deadline=None)
@given(st.lists(PACKETS, max_size=8), st.data())
def test_any_chunking_gives_the_same_on_both_interpreters(micropython, packets, data):
    stream = connect(b"c", will=(b"a/w", b"bye", 1, True)) + b"".join(packets)
    whole = sim_broker.run({"steps": [[0, "open"], [0, "feed", 0, stream.hex()], [200000, "lost", 0]]})
    cuts = [0, *sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=5))), len(stream)]
    pieces = [stream[a:b].hex() for a, b in zip(cuts, cuts[1:], strict=False)]
    case = {"steps": [[0, "open"], *([0, "feed", 0, piece] for piece in pieces), [200000, "lost", 0]]}
    result = sim_broker.run(case)
    joined = "".join(step[0][0] for step in result["out"])
    assert joined == "".join(step[0][0] for step in whole["out"])
    assert result["events"] == whole["events"]
    assert micropython.call("sim_broker", case) == result
