"""The simulated Luat modem's data call and sockets, byte for byte."""

import pytest
from drivers.sim_luat import LuatWorld
from drivers.sim_world import CHIME, ECHO, FLOOD, GOODBYE, SINK

from host_tests.sim.links import TX_LIMIT

OK = b"\r\nOK\r\n"
NOT_NOW = b"\r\n+CME ERROR: 3\r\n"
WRONG = b"\r\n+CME ERROR: 53\r\n"
CALL = ("AT+CIPMUX=1", "AT+CIPRXGET=1", "AT+CIPRXF=1", 'AT+CSTT="cmiot","",""', "AT+CIICR", "AT+CIFSR")
START = 'AT+CIPSTART=%d,"TCP","platform.example","%d"'


@pytest.fixture
def world():
    """A modem without delays with an address, echo off, six buffered sockets."""
    return LuatWorld().ready()


def single(*commands):
    """Return a modem with an address and one socket, after more commands."""
    world = LuatWorld().trained()
    for command in ('AT+CSTT="cmiot","",""', "AT+CIICR", "AT+CIFSR", *commands):
        world.say(command, 5000)
    return world


def opened(world, port=ECHO, number=0):
    assert world.say(START % (number, port)).startswith(OK + b"\r\n%d, CONNECT OK\r\n" % number)
    return world.peers[-1]


def send(world, data, number=0):
    assert world.say("AT+CIPSEND=%d,%d" % (number, len(data))) == b"\r\n> "
    return world.put(data)


def bearer(world, up):
    world.core.post(world.now, world.core.radio.set_bearer, up)
    return world.run()


# --- the data call ---------------------------------------------------------------------------------------


def test_the_data_call_comes_up_in_four_steps_and_the_address_has_no_OK():
    world = LuatWorld().trained()
    states = []
    for command, answer in (
        ("AT+CIPMUX=1", OK),
        ('AT+CSTT="cmiot","",""', OK),
        ("AT+CIICR", OK),
        ("AT+CIFSR", b"\r\n10.169.179.213\r\n"),
    ):
        states.append(world.say("AT+CIPSTATUS").split(b"\r\n")[3])
        assert world.say(command) == answer
    states.append(world.say("AT+CIPSTATUS").split(b"\r\n")[3])
    assert states == [b"STATE: " + text for text in (b"IP INITIAL", b"IP INITIAL", b"IP START", b"IP GPRSACT", b"IP STATUS")]


@pytest.mark.parametrize(
    "command",
    ["AT+CIPMUX=0", 'AT+CSTT="x","",""', "AT+CIICR"],
)
def test_a_step_in_the_wrong_state_is_refused_with_3(world, command):
    assert world.say(command) == NOT_NOW


@pytest.mark.parametrize("command", [START % (0, ECHO), 'AT+CDNSGIP="a.b"', "AT+CIFSR"])
def test_without_a_call_nothing_is_opened_or_looked_up(command):
    world = LuatWorld().trained()
    world.say("AT+CIPMUX=1")
    assert world.say(command) == NOT_NOW


def test_an_opening_needs_the_address_to_have_been_asked():
    world = LuatWorld().trained()
    for command in CALL[:-1]:
        world.say(command)
    assert world.say(START % (0, ECHO)) == NOT_NOW
    world.say("AT+CIFSR")
    opened(world)


def test_CIPSHUT_leads_back_to_the_beginning_from_any_state(world):
    peer = opened(world)
    assert world.say("AT+CIPSHUT") == b"\r\nSHUT OK\r\n"
    assert peer.lost_at is not None
    assert world.say("AT+CIPSTATUS").startswith(OK + b"\r\nSTATE: IP INITIAL\r\n")
    assert world.say("AT+CIPSHUT") == b"\r\nSHUT OK\r\n"
    assert [world.say(command) for command in ('AT+CSTT="","",""', "AT+CIICR")] == [OK, OK]


def test_the_port_waits_while_the_call_comes_up():
    world = LuatWorld(latency=100).trained()
    world.say('AT+CSTT="cmiot","",""', 100)
    assert world.put(b"AT+CIICR\rAT\r", 700) == b""
    assert world.run(2000) == OK + OK


@pytest.mark.parametrize("knob", [("set_registration", 3), ("set_bearer", False), ("set_apn", "ctnet")])
def test_a_call_the_network_refuses_ends_in_65535_and_needs_CIPSHUT(knob):
    world = LuatWorld()
    world.core.post(0, getattr(world.core.radio, knob[0]), knob[1])
    world.trained()
    world.say('AT+CSTT="cmiot","",""')
    assert world.say("AT+CIICR") == b"\r\n+CME ERROR: 65535\r\n"
    assert world.say("AT+CIPSTATUS") == OK + b"\r\nSTATE: PDP DEACT\r\n"
    assert world.say("AT+CIICR") == NOT_NOW and world.say('AT+CSTT="","",""') == NOT_NOW
    assert world.say("AT+CIPSHUT") == b"\r\nSHUT OK\r\n"


def test_the_network_knows_its_access_point_in_any_case():
    world = LuatWorld().trained()
    world.core.radio.set_apn(["ctnet"])
    world.say('AT+CSTT="CTNET","",""')
    assert world.say("AT+CIICR") == OK
    assert ["apn", "CTNET"] in world.events


def test_a_lost_bearer_is_told_once_and_the_peer_sees_nothing(world):
    peer = opened(world)
    assert bearer(world, False) == b"\r\n+PDP: DEACT\r\n"
    assert peer.lost_at is None
    assert world.say("AT+CIPSTATUS").startswith(OK + b"\r\nSTATE: PDP DEACT\r\n")
    assert world.say("AT+CIPSEND=0,1") == NOT_NOW
    assert bearer(world, True) == b"" and world.say(START % (0, ECHO)) == NOT_NOW
    for command in ("AT+CIPSHUT", *CALL):
        world.say(command)
    opened(world)


def test_CIPSTATUS_tells_every_socket_after_OK(world):
    opened(world, number=1)
    assert world.say("AT+CIPSTATUS") == (
        b"\r\nOK\r\n\r\nSTATE: IP PROCESSING\r\n"
        b'\r\nC: 0,,,"",,INITIAL\r\nC: 1,0,TCP,"platform.example",7,CONNECTED\r\nC: 2,,,"",,INITIAL\r\n'
        b'C: 3,,,"",,INITIAL\r\nC: 4,,,"",,INITIAL\r\nC: 5,,,"",,INITIAL\r\n'
    )


# --- names -----------------------------------------------------------------------------------------------


def test_a_name_is_told_after_OK(world):
    assert world.say('AT+CDNSGIP="a.b"') == OK + b'\r\n+CDNSGIP: 1,"a.b","127.0.0.1"\r\n'


def test_an_unknown_name_is_told_without_a_space(world):
    world.core.links.names["a.b"] = None
    assert world.say('AT+CDNSGIP="a.b"') == OK + b"\r\n+CDNSGIP:0,10\r\n"


def test_a_dead_network_lets_a_look_up_wait_but_not_the_port():
    world = LuatWorld(latency=100).ready()
    world.core.post(world.now, world.core.links.set_alive, False)
    assert world.say('AT+CDNSGIP="a.b"', 100) == OK
    assert world.say("AT", 100) == OK
    assert world.run(40000) == b"\r\n+CDNSGIP:0,11\r\n"


# --- opening and closing ---------------------------------------------------------------------------------


def test_nobody_listening_ends_in_CONNECT_FAIL_and_the_number_is_free(world):
    assert world.say(START % (0, 999)) == OK + b"\r\n0, CONNECT FAIL\r\n"
    opened(world)


def test_a_number_in_use_is_told_after_OK(world):
    opened(world)
    assert world.say(START % (0, ECHO)) == OK + b"\r\n0, ALREADY CONNECT\r\n"
    assert len(world.peers) == 1


def test_a_port_may_stand_with_or_without_quotes(world):
    assert world.say('AT+CIPSTART=3,"TCP","platform.example",9') == OK + b"\r\n3, CONNECT OK\r\n"


@pytest.mark.parametrize(
    "command", [START % (6, 7), 'AT+CIPSTART=0,"TCP","h"', 'AT+CIPSTART=0,"TCP","h",0', 'AT+CIPSTART=0,"X","h",7']
)
def test_wrong_parameters_are_refused_though_the_test_command_promises_eight_sockets(world, command):
    assert world.say(command) == WRONG
    assert world.say("AT+CIPSTART=?").startswith(b"\r\n+CIPSTART: (0-7),")


def test_a_dead_network_fails_an_opening_after_75_seconds():
    world = LuatWorld(latency=100).ready()
    world.core.post(world.now, world.core.links.set_alive, False)
    assert world.say(START % (0, ECHO), 74000) == OK
    assert world.run(2000) == b"\r\n0, CONNECT FAIL\r\n"


def test_no_credit_lets_the_call_come_up_and_nothing_pass():
    world = LuatWorld(latency=100)
    world.core.post(0, world.core.radio.set_credit, False)
    world.ready()
    assert world.say("AT+CIFSR", 50) == b"\r\n10.169.179.213\r\n"
    assert world.say(START % (0, ECHO), 80000) == OK + b"\r\n0, CONNECT FAIL\r\n"


@pytest.mark.parametrize("command", ["AT+CIPCLOSE=0", "AT+CIPCLOSE=0,1"])
def test_a_close_is_answered_by_words_of_its_own(world, command):
    peer = opened(world)
    assert world.say(command) == b"\r\n0, CLOSE OK\r\n"
    assert peer.lost_at is not None
    assert world.say(command) == NOT_NOW


def test_a_peers_close_is_told_and_its_last_words_stay_readable(world):
    said = world.say(START % (0, GOODBYE))
    assert said == OK + b"\r\n0, CONNECT OK\r\n\r\n+CIPRXGET: 1,0\r\n\r\n0, CLOSED\r\n"
    assert world.say("AT+CIPRXGET=2,0,100") == b"\r\n+CIPRXGET: 2,0,10,0\r\nlast words\r\nOK\r\n"
    assert b'C: 0,0,TCP,"platform.example",23,REMOTE CLOSING\r\n' in world.say("AT+CIPSTATUS")
    opened(world)


# --- sending ---------------------------------------------------------------------------------------------


def test_a_send_ends_in_SEND_OK(world):
    peer = opened(world, SINK)
    assert send(world, b"hello") == b"\r\n0, SEND OK\r\n"
    assert bytes(peer.got) == b"hello"
    assert world.say("AT+CIPACK=0") == b"\r\n+CIPACK: 5,5,0\r\n" + OK


def test_a_quick_send_ends_in_DATA_ACCEPT(world):
    opened(world, SINK)
    world.say("AT+CIPQSEND=1")
    assert send(world, b"hello") == b"\r\nDATA ACCEPT:0,5\r\n"


@pytest.mark.parametrize(("end", "got"), [(b"\r\n", b"\nabc"), (b"\r", b"abcd")])
def test_after_a_bare_return_a_payloads_first_line_feed_is_swallowed(world, end, got):
    peer = opened(world, SINK)
    assert world.put(b"AT+CIPSEND=0,4" + end) == b"\r\n> "
    said = world.put(b"\nabc")
    assert (said == b"\r\n0, SEND OK\r\n") == (end == b"\r\n")
    if end == b"\r":
        assert said == b"" and world.put(b"d") == b"\r\n0, SEND OK\r\n"
    assert bytes(peer.got) == got


def test_a_line_feed_that_comes_between_the_return_and_the_prompt_is_no_payload():
    world = LuatWorld(latency=100).ready()
    world.say(START % (0, SINK), 500)
    world.put(b"AT+CIPSEND=0,4\r")
    assert world.put(b"\n", 50) == b"\r\n> "
    assert world.put(b"\nabc", 50) == b"\r\n0, SEND OK\r\n"
    assert bytes(world.peers[0].got) == b"\nabc"


def test_what_comes_before_the_prompt_is_lost():
    world = LuatWorld(latency=100).ready()
    world.say(START % (0, SINK), 500)
    assert world.put(b"AT+CIPSEND=0,4\r\nab", 50) == b"\r\n> "
    assert world.put(b"cd", 50) == b""
    world.put(b"ef", 50)
    assert bytes(world.peers[0].got) == b"cdef"


@pytest.mark.parametrize("command", ["AT+CIPSEND=0,1461", "AT+CIPSEND=0,0", "AT+CIPSEND=7,1"])
def test_too_much_or_too_little_is_refused(world, command):
    opened(world)
    assert world.say(command) == WRONG


def test_a_payload_that_looks_like_answers_goes_through(world):
    opened(world)
    payload = b"\r\nOK\r\n0, SEND OK\r\n+CIPRXGET: 1,0\r\n> ERROR\r\n\x1a\x00"
    assert send(world, payload) == b"\r\n0, SEND OK\r\n\r\n+CIPRXGET: 1,0\r\n"
    assert world.say("AT+CIPRXGET=2,0,1460") == b"\r\n+CIPRXGET: 2,0,%d,0\r\n" % len(payload) + payload + OK


def test_a_dead_network_takes_sends_until_its_queue_is_full_and_delivers_them_later(world):
    peer = opened(world, SINK)
    world.core.post(world.now, world.core.links.set_alive, False)
    answers = [send(world, bytes(1460)) for _ in range(TX_LIMIT // 1460 + 1)]
    assert answers[:-1] == [b"\r\n0, SEND OK\r\n"] * (TX_LIMIT // 1460)
    assert answers[-1] == b"\r\n0, SEND FAIL\r\n"
    assert world.say("AT+CIPACK=0") == b"\r\n+CIPACK: 10220,0,10220\r\n" + OK
    world.core.post(world.now, world.core.links.set_alive, True)
    world.run()
    assert len(peer.got) == 10220


# --- receiving -------------------------------------------------------------------------------------------


def test_arrivals_are_told_once_or_each_time(world):
    peer = opened(world, SINK)
    for mode, expected in ((1, b"\r\n+CIPRXGET: 1,0\r\n"), (5, b"\r\n+CIPRXGET: 1,0\r\n" * 2)):
        world.say("AT+CIPRXGET=%d" % mode)
        assert world.say("AT+CIPRXGET?") == b"\r\n+CIPRXGET: %d\r\n" % mode + OK
        peer.say(b"one")
        said = world.run()
        peer.say(b"two")
        assert said + world.run() == expected
        world.say("AT+CIPRXGET=2,0,1460")


def test_a_read_tells_what_it_gives_and_what_is_left(world):
    opened(world, FLOOD)
    assert world.say("AT+CIPRXGET=4,0") == b"\r\n+CIPRXGET: 4,0,10240\r\n" + OK
    said = world.say("AT+CIPRXGET=2,0,1460")
    assert said == b"\r\n+CIPRXGET: 2,0,1460,8780\r\n" + (bytes(range(256)) * 6)[:1460] + OK
    assert world.say("AT+CIPRXGET=2,0,1461") == WRONG


def test_a_read_in_hex_gives_half_as_much(world):
    opened(world, CHIME)
    assert world.say("AT+CIPRXGET=3,0,3") == b"\r\n+CIPRXGET: 3,0,3,8\r\n68656C" + OK
    assert world.say("AT+CIPRXGET=3,0,731") == WRONG


def test_an_empty_read_has_the_length_0(world):
    opened(world, SINK)
    assert world.say("AT+CIPRXGET=2,0,1460") == b"\r\n+CIPRXGET: 2,0,0,0\r\n" + OK
    assert world.say("AT+CIPRXGET=2,1,1460") == NOT_NOW


@pytest.mark.parametrize(("bare", "tail"), [(1, b""), (0, b"\r\n")])
def test_CIPRXF_0_appends_a_line_end_to_what_is_received(world, bare, tail):
    world.say("AT+CIPRXF=%d" % bare)
    opened(world, CHIME)
    assert world.say("AT+CIPRXGET=2,0,100") == b"\r\n+CIPRXGET: 2,0,11,0\r\nhello\r\nOK\r\n" + tail + OK


@pytest.mark.parametrize(("bare", "tail"), [(1, b""), (0, b"\r\n")])
def test_unbuffered_data_are_pushed_with_their_length(world, bare, tail):
    world.say("AT+CIPRXGET=0")
    world.say("AT+CIPRXF=%d" % bare)
    assert world.say(START % (2, CHIME)).endswith(b"2, CONNECT OK\r\n\r\n+RECEIVE,2,11:\r\nhello\r\nOK\r\n" + tail)


def test_pushed_packets_have_at_most_1460_bytes(world):
    world.say("AT+CIPRXGET=0")
    opened(world, SINK).say(bytes(2000))
    assert world.run() == b"\r\n+RECEIVE,0,1460:\r\n" + bytes(1460) + b"\r\n+RECEIVE,0,540:\r\n" + bytes(540)


def test_UDP_sends_to_the_host_it_was_opened_for(world):
    class Datagrams:
        sent = []

        def open(self, handle, kind, ip, port, local_port):
            self.handle = handle

        def send(self, handle, data, ip, port):
            self.sent.append((bytes(data), ip, port))
            return len(data)

        def close(self, handle, orderly):
            self.closed = True

    world.core.links.network = network = Datagrams()
    assert world.say('AT+CIPSTART=0,"UDP","ntp.example","123"') == OK + b"\r\n0, CONNECT OK\r\n"
    assert send(world, b"what time") == b"\r\n0, SEND OK\r\n"
    assert network.sent == [(b"what time", "127.0.0.1", 123)]
    world.core.links.net_received(world.now, network.handle, b"noon", "127.0.0.1", 123)
    assert world.run() == b"\r\n+CIPRXGET: 1,0\r\n"
    world.say("AT+CIPRXGET=5")
    world.core.links.net_received(world.now, network.handle, b"one", "127.0.0.1", 123)
    assert world.run() == b"\r\n+CIPRXGET: 1,0\r\n"
    assert world.say("AT+CIPRXGET=2,0,100").startswith(b"\r\n+CIPRXGET: 2,0,4,3\r\nnoon" + OK)
    assert world.say("AT+CIPRXGET=2,0,100") == b"\r\n+CIPRXGET: 2,0,3,0\r\none" + OK
    assert world.say("AT+CIPCLOSE=0") == b"\r\n0, CLOSE OK\r\n" and network.closed


# --- a single socket -------------------------------------------------------------------------------------


def test_a_single_socket_is_spoken_of_without_a_number():
    world = single("AT+CIPRXGET=1", "AT+CIPRXF=1")
    assert world.say('AT+CIPSTART="TCP","platform.example","13"') == OK + b"\r\nCONNECT OK\r\n\r\n+CIPRXGET: 1\r\n"
    assert world.say("AT+CIPSTATUS") == OK + b"\r\nSTATE: CONNECT OK\r\n"
    assert world.say("AT+CIPRXGET=2,10") == b"\r\n+CIPRXGET: 2,10,1hello\r\nOK\r" + OK
    assert world.say("AT+CIPSEND=2") == b"\r\n> " and world.put(b"hi") == b"\r\nSEND OK\r\n"
    assert world.say("AT+CIPCLOSE") == b"\r\nCLOSE OK\r\n"


def test_a_single_socket_that_fails_tells_the_state_first():
    world = single()
    said = world.say('AT+CIPSTART="TCP","platform.example","999"')
    assert said == OK + b"\r\nSTATE: IP STATUS\r\n\r\nCONNECT FAIL\r\n"


def test_a_single_sockets_data_are_pushed_as_they_are():
    world = single("AT+CIPRXF=1")
    said = world.say('AT+CIPSTART="TCP","platform.example","23"')
    assert said == OK + b"\r\nCONNECT OK\r\n\r\nlast words\r\nCLOSED\r\n"
    assert world.say("AT+CIPSTATUS") == OK + b"\r\nSTATE: TCP CLOSED\r\n"
