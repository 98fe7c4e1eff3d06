"""The simulated modem's data call and sockets, byte for byte, and what they cost on the air."""

import pytest
from drivers.sim_world import CHIME, ECHO, FLOOD, GOODBYE, SINK, World

from host_tests.sim.links import RX_LIMIT


@pytest.fixture
def world():
    """A modem without delays whose data call stands, echo off, sockets buffered."""
    return World().ready()


def opened(world, port=ECHO, number=0):
    assert world.say('AT+CIPOPEN=%d,"TCP","platform.example",%d' % (number, port)).startswith(
        b"\r\nOK\r\n\r\n+CIPOPEN: %d,0\r\n" % number
    )
    return world.peers[-1]


def send(world, data, number=0):
    assert world.say("AT+CIPSEND=%d,%d" % (number, len(data))) == b"\r\n>"
    return world.put(data)


def test_the_data_call_is_opened_once():
    world = World()
    world.run()
    world.say("ATE0")
    assert world.say("AT+NETOPEN") == b"\r\nOK\r\n\r\n+NETOPEN: 0\r\n"
    assert world.say("AT+NETOPEN") == b"\r\n+IP ERROR: Network is already opened\r\n\r\nERROR\r\n"
    assert world.say("AT+NETOPEN?") == b"\r\n+NETOPEN: 1\r\n\r\nOK\r\n"
    assert world.say("AT+IPADDR") == b"\r\n+IPADDR: 10.71.155.118\r\n\r\nOK\r\n"


def test_the_data_call_fails_without_registration():
    world = World()
    world.core.radio.set_registration(3)
    world.run()
    assert world.say("AT+NETOPEN").endswith(b"\r\nOK\r\n\r\n+NETOPEN: 1\r\n")


def test_NETCLOSE_closes_the_sockets_and_tells_each(world):
    peer = opened(world)
    assert world.say("AT+NETCLOSE") == b"\r\nOK\r\n\r\n+CIPCLOSE: 0,0\r\n\r\n+NETCLOSE: 0\r\n"
    assert peer.lost_at is not None
    assert world.say("AT+NETCLOSE") == b"\r\n+NETCLOSE: 2\r\n\r\nERROR\r\n"


def test_a_lost_bearer_takes_the_call_and_the_sockets_but_the_peer_sees_nothing(world):
    peer = opened(world)
    world.core.post(world.now, world.core.radio.set_bearer, False)
    assert world.run() == b"\r\n+CGEV: NW PDN DEACT 1\r\n\r\n+CIPEVENT: NETWORK CLOSED UNEXPECTEDLY\r\n"
    assert world.say("AT+NETOPEN?") == b"\r\n+NETOPEN: 0\r\n\r\nOK\r\n"
    assert world.say("AT+CIPCLOSE?") == b"\r\n+CIPCLOSE: 0,0,0,0,0,0,0,0,0,0\r\n\r\nOK\r\n"
    assert peer.lost_at is None
    assert world.say("AT+NETOPEN") == b"\r\nOK\r\n\r\n+NETOPEN: 1\r\n"
    world.core.post(world.now, world.core.radio.set_bearer, True)
    assert world.say("AT+NETOPEN") == b"\r\nOK\r\n\r\n+NETOPEN: 0\r\n"


def test_lost_registration_takes_the_call_too(world):
    world.say("AT+CEREG=2")
    world.core.post(world.now, world.core.radio.set_signal, None)
    said = world.run()
    assert b"+CEREG: 2\r\n" in said and b"NETWORK CLOSED UNEXPECTEDLY" in said
    world.core.post(world.now, world.core.radio.set_signal, -90)
    assert b'+CEREG: 1,"230A","A75E6C3",7\r\n' in world.run()


@pytest.mark.parametrize(
    ("command", "answer"),
    [
        ('AT+CIPOPEN=1,"TCP","h",7', b"\r\n+CIPOPEN: 1,2\r\n\r\nERROR\r\n"),
        ("AT+CIPSEND=1,5", b"\r\n+CIPERROR: 2\r\n\r\nERROR\r\n"),
    ],
)
def test_without_a_call_sockets_are_refused_with_code_2(command, answer):
    world = World()
    world.run()
    world.say("ATE0")
    assert world.say(command) == answer


@pytest.mark.parametrize(
    ("command", "answer"),
    [
        ('AT+CIPOPEN=0,"TCP","h",7', b"\r\n+CIPOPEN: 0,4\r\n\r\nERROR\r\n"),  # in use
        ('AT+CIPOPEN=1,"TCP","h",0', b"\r\n+CIPOPEN: 1,3\r\n\r\nERROR\r\n"),
        ('AT+CIPOPEN=10,"TCP","h",7', b"\r\nERROR\r\n"),
        ("AT+CIPSEND=1,5", b"\r\n+CIPERROR: 4\r\n\r\nERROR\r\n"),
        ("AT+CIPSEND=0,1501", b"\r\n+CIPERROR: 3\r\n\r\nERROR\r\n"),
        ("AT+CIPCLOSE=1", b"\r\n+CIPCLOSE: 1,4\r\n\r\nERROR\r\n"),
        ("AT+CIPRXGET=2,0,100", b"\r\n+IP ERROR: No data\r\n\r\nERROR\r\n"),
        ("AT+CIPRXGET=2,5,100", b"\r\n+IP ERROR: No data\r\n\r\nERROR\r\n"),
        ("AT+CIPRXGET=4,0", b"\r\n+CIPRXGET: 4,0,0\r\n\r\nOK\r\n"),
        ("AT+CIPCLOSE?", b"\r\n+CIPCLOSE: 1,0,0,0,0,0,0,0,0,0\r\n\r\nOK\r\n"),
    ],
)
def test_a_wrong_socket_command_is_refused_with_its_code(world, command, answer):
    opened(world)
    assert world.say(command) == answer


def test_a_send_is_prompted_confirmed_and_echoed_by_the_peer(world):
    peer = opened(world)
    assert send(world, b"hello") == b"\r\nOK\r\n\r\n+CIPSEND: 0,5,5\r\n\r\n+CIPRXGET: 1,0\r\n"
    assert bytes(peer.got) == b"hello"
    assert world.say("AT+CIPACK=0") == b"\r\n+CIPACK: 5,5,5\r\n\r\nOK\r\n"
    assert world.say("AT+CIPRXGET=2,0,3") == b"\r\n+CIPRXGET: 2,0,3,2\r\nhel\r\nOK\r\n"
    assert world.say("AT+CIPRXGET=3,0,1") == b"\r\n+CIPRXGET: 3,0,1,1\r\n6C\r\nOK\r\n"
    assert world.say("AT+CIPRXGET=2,0,1500") == b"\r\n+CIPRXGET: 2,0,1,0\r\no\r\nOK\r\n"


def test_a_payload_may_hold_anything_that_looks_like_an_answer(world):
    opened(world)
    tricky = b"\r\nOK\r\n> ERROR\x1a\x1b\x03\r\n+IPCLOSE: 0,1\r\n\x00\xff"
    send(world, tricky)
    assert world.say("AT+CIPRXGET=2,0,1500") == (
        b"\r\n+CIPRXGET: 2,0,%d,0\r\n" % len(tricky) + tricky + b"\r\nOK\r\n"
    )


def test_a_send_without_length_ends_with_control_Z_and_quotes_with_ETX(world):
    peer = opened(world, SINK)
    assert world.say("AT+CIPSEND=0,") == b"\r\n>"
    assert world.put(b"ab\x03\x1acd\x1a") == b"\r\nOK\r\n\r\n+CIPSEND: 0,5,5\r\n"
    assert bytes(peer.got) == b"ab\x1acd"


def test_a_prompt_that_is_never_filled_ends_by_itself(world):
    opened(world)
    world.say("AT+CIPTIMEOUT=75000,15000,15000")
    world.say("AT+CIPSEND=0,5")
    world.put(b"abc")
    assert world.run(15000) == b"\r\nERROR\r\n"
    assert world.say("AT") == b"\r\nOK\r\n"


def test_data_written_before_the_prompt_are_lost():
    world = World(latency=100).ready()
    world.say('AT+CIPOPEN=0,"TCP","h",9', 1000)
    world.put(b"AT+CIPSEND=0,3\rabc")
    assert world.run(100) == b"\r\n>"
    assert world.put(b"xyz", 100) == b"\r\nOK\r\n\r\n+CIPSEND: 0,3,3\r\n"
    assert bytes(world.peers[0].got) == b"xyz"


def test_with_echo_on_the_payload_is_echoed_too(world):
    opened(world, SINK)
    world.say("ATE1")
    world.say("AT+CIPSEND=0,3")
    assert world.put(b"abc").startswith(b"abc\r\nOK\r\n")


def test_the_notification_comes_once_until_the_queue_is_empty(world):
    peer = opened(world, SINK)
    peer.say(b"one")
    assert world.run() == b"\r\n+CIPRXGET: 1,0\r\n"
    peer.say(b"two")
    assert world.run() == b""
    assert world.say("AT+CIPRXGET=2,0,4") == b"\r\n+CIPRXGET: 2,0,4,2\r\nonet\r\nOK\r\n"
    peer.say(b"three")
    assert world.run() == b""
    world.say("AT+CIPRXGET=2,0,1500")
    peer.say(b"four")
    assert world.run() == b"\r\n+CIPRXGET: 1,0\r\n"


def test_in_push_mode_data_come_unasked(world):
    world.say("AT+CIPRXGET=0")
    peer = opened(world, SINK)
    peer.say(b"data")
    assert world.run() == b"\r\nRECV FROM:platform.example:9\r\n+IPD4\r\ndata"
    world.say("AT+CIPSRIP=0")
    peer.say(b"more")
    assert world.run() == b"\r\n+IPD4\r\nmore"
    assert world.say("AT+CIPRXGET=2,0,100") == b"\r\nERROR\r\n"


def test_a_full_queue_holds_the_peer_back_and_no_byte_is_lost(world):
    assert opened(world, FLOOD)
    assert world.core.links.room(1) == 0
    got = b""
    while len(got) < 256 * 120:
        waiting = int(world.say("AT+CIPRXGET=4,0").split(b",")[2].split(b"\r")[0])
        assert 0 < waiting <= RX_LIMIT
        answer = world.say("AT+CIPRXGET=2,0,1500")
        head, _, rest = answer[2:].partition(b"\r\n")
        length = int(head.split(b",")[2])
        got += rest[:length]
        assert rest[length : length + 6] == b"\r\nOK\r\n"
    assert got == bytes(range(256)) * 120


def test_the_peers_close_comes_after_its_last_bytes_which_stay_readable(world):
    assert world.say('AT+CIPOPEN=0,"TCP","h",%d' % GOODBYE) == (
        b"\r\nOK\r\n\r\n+CIPOPEN: 0,0\r\n\r\n+CIPRXGET: 1,0\r\n\r\n+IPCLOSE: 0,1\r\n"
    )
    assert world.say("AT+CIPRXGET=2,0,4") == b"\r\n+CIPRXGET: 2,0,4,6\r\nlast\r\nOK\r\n"
    assert world.say("AT+CIPSEND=0,1") == b"\r\n+CIPERROR: 4\r\n\r\nERROR\r\n"
    assert world.say('AT+CIPOPEN=0,"TCP","h",%d' % CHIME).startswith(b"\r\nOK\r\n\r\n+CIPOPEN: 0,0\r\n")
    assert world.say("AT+CIPRXGET=4,0") == b"\r\n+CIPRXGET: 4,0,11\r\n\r\nOK\r\n"


def test_a_peer_that_closes_after_a_full_queue_is_told_only_when_all_was_taken(world):
    peer = opened(world, SINK)
    peer.say(b"x" * (RX_LIMIT + 5))
    peer.hang_up()
    assert world.run() == b"\r\n+CIPRXGET: 1,0\r\n"
    said = b""
    for _ in range(8):
        said += world.say("AT+CIPRXGET=2,0,1500")
    assert said.count(b"+IPCLOSE: 0,1") == 1


def test_CIPCLOSE_answers_then_tells_and_the_peer_learns_of_it(world):
    peer = opened(world)
    assert world.say("AT+CIPCLOSE=0") == b"\r\nOK\r\n\r\n+CIPCLOSE: 0,0\r\n"
    assert peer.lost_at is not None


def test_the_network_can_close_a_socket(world):
    opened(world)
    world.core.post(world.now, world.core.links.close_by_network, 0)
    assert world.run() == b"\r\n+IPCLOSE: 0,1\r\n"
    with pytest.raises(ValueError, match="not open"):
        world.core.links.close_by_network(0)


def test_opening_fails_with_the_code_of_its_cause(world):
    assert world.say('AT+CIPOPEN=0,"TCP","h",99') == b"\r\nOK\r\n\r\n+CIPOPEN: 0,1\r\n"
    world.core.links.names["gone.example"] = None
    assert world.say('AT+CIPOPEN=0,"TCP","gone.example",7') == b"\r\nOK\r\n\r\n+CIPOPEN: 0,11\r\n"
    world.core.links.set_alive(False)
    world.say("AT+CIPTIMEOUT=75000,15000,15000")
    assert world.say('AT+CIPOPEN=0,"TCP","h",7', 14999) == b"\r\nOK\r\n"
    assert world.run(1) == b"\r\n+CIPOPEN: 0,10\r\n"


def test_in_a_dead_network_the_modem_answers_and_no_byte_passes(world):
    peer = opened(world)
    world.core.links.set_alive(False)
    assert send(world, b"lost?") == b"\r\nOK\r\n\r\n+CIPSEND: 0,5,5\r\n"
    peer.say(b"nobody hears")
    peer.hang_up()
    assert world.run(3600000) == b""
    assert bytes(peer.got) == b""
    assert world.say("AT+CIPACK=0") == b"\r\n+CIPACK: 5,0,0\r\n\r\nOK\r\n"
    assert world.say("AT+CEREG?") == b"\r\n+CEREG: 0,1\r\n\r\nOK\r\n"


def test_a_dead_network_fills_the_send_queue_until_nothing_is_confirmed(world):
    opened(world)
    world.core.links.set_alive(False)
    for _ in range(6):
        assert send(world, b"x" * 1500).endswith(b"+CIPSEND: 0,1500,1500\r\n")
    assert send(world, b"x" * 1500).endswith(b"+CIPSEND: 0,1500,0\r\n")


def test_a_network_that_lives_again_delivers_what_TCP_kept(world):
    peer = opened(world)
    world.core.links.set_alive(False)
    send(world, b"kept")
    world.core.post(world.now, world.core.links.set_alive, True)
    assert world.run() == b"\r\n+CIPRXGET: 1,0\r\n"
    assert bytes(peer.got) == b"kept"


def test_names_are_looked_up_before_OK_and_unknown_ones_tell_code_10(world):
    world.core.links.names["platform.example"] = "192.0.2.7"
    assert world.say('AT+CDNSGIP="platform.example"') == (
        b'\r\n+CDNSGIP: 1,"platform.example","192.0.2.7"\r\n\r\nOK\r\n'
    )
    world.core.links.names["none.example"] = None
    assert world.say('AT+CDNSGIP="none.example"') == b"\r\n+CDNSGIP: 0,10\r\n\r\nERROR\r\n"


def test_UDP_tells_that_it_is_open_and_closed_before_OK(world):
    assert world.say('AT+CIPOPEN=2,"UDP",,,5000') == b"\r\n+CIPOPEN: 2,0\r\n\r\nOK\r\n"
    assert world.say('AT+CIPSEND=2,4,"192.0.2.1",53') == b"\r\n>"
    assert world.put(b"ping") == b"\r\nOK\r\n\r\n+CIPSEND: 2,4,4\r\n"
    for data in (b"pong", b"second"):
        world.core.links.net_received(world.now, 1, data, "192.0.2.1", 53)
    assert world.run() == b"\r\n+CIPRXGET: 1,2\r\n"
    assert world.say("AT+CIPRXGET=5,2,1500") == (
        b"\r\n+CIPRXGET: 5,2,4,6\r\nRECV FROM:192.0.2.1:53\r\npong\r\nOK\r\n\r\n+CIPRXGET: 1,2\r\n"
    )
    assert world.say("AT+CIPCLOSE=2") == b"\r\n+CIPCLOSE: 2,0\r\n\r\nOK\r\n"


def test_CIPOPEN_lists_ten_lines(world):
    opened(world, number=3)
    lines = world.say("AT+CIPOPEN?").split(b"\r\n")
    assert lines[1] == b"+CIPOPEN: 0"
    assert lines[4] == b'+CIPOPEN: 3,"TCP","platform.example",7,-1'
    assert lines[10:] == [b"+CIPOPEN: 9", b"", b"OK", b""]


def test_a_restart_forgets_every_socket_and_the_buffered_mode(world):
    peer = opened(world)
    world.core.post(world.now, world.core.restart, False)
    world.run()
    world.say("ATE0")
    assert world.say("AT+CIPRXGET?") == b"\r\n+CIPRXGET: 0\r\n\r\nOK\r\n"
    assert world.say("AT+NETOPEN?") == b"\r\n+NETOPEN: 0\r\n\r\nOK\r\n"
    assert peer.lost_at is None


def test_the_air_counts_an_exchange_segment_by_segment():
    world = World(rtt=60).ready()
    world.say('AT+CIPOPEN=0,"TCP","192.0.2.1",%d' % ECHO, 1000)
    world.say("AT+CIPSEND=0,100")
    world.put(b"x" * 100, 10000)
    link = world.core.links.state()["sockets"]["0"]
    # SYN, ACK, 100 bytes, the ACK of the echo; SYN-ACK, the echo, which carries the ACK of the data
    assert (link["ip_up"], link["segments_up"]) == (40 + 40 + 140 + 40, 4)
    assert (link["ip_down"], link["segments_down"]) == (40 + 140, 2)
    world.say("AT+CIPCLOSE=0", 1000)
    total = world.core.links.state()["total"]
    assert (total["ip_up"], total["ip_down"]) == (260 + 80, 180 + 40)
