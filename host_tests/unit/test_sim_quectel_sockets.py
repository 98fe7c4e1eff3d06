"""The simulated Quectel modem's data contexts and sockets, byte for byte."""

import pytest
from drivers.sim_world import CHIME, ECHO, FLOOD, GOODBYE, SINK, World, fault

from host_tests.sim.links import RX_LIMIT

OK = b"\r\nOK\r\n"
ERROR = b"\r\nERROR\r\n"
PROMPT = b"\r\n> "
RECV = b'\r\n+QIURC: "recv",0\r\n'


@pytest.fixture
def world():
    """A modem without delays: data call open, echo off, URCs here."""
    return World(family="quectel").ready()


def opened(world, port=ECHO, number=0, mode=0):
    said = world.say('AT+QIOPEN=1,%d,"TCP","platform.example",%d,0,%d' % (number, port, mode))
    assert said.startswith(OK + b"\r\n+QIOPEN: %d,0\r\n" % number)
    return world.peers[-1]


def send(world, data, number=0):
    assert world.say("AT+QISEND=%d,%d" % (number, len(data))) == PROMPT
    return world.put(data)


def knob(world, part, name, *values):
    world.core.post(world.now, getattr(getattr(world.core, part), name), *values)
    return world.run()


# --- data contexts ---------------------------------------------------------------------------------------


def test_a_context_is_activated_asked_and_deactivated(world):
    assert world.say("AT+QIACT?") == b'\r\n+QIACT: 1,1,1,"10.71.155.118"\r\n' + OK
    assert world.say("AT+QIACT=1") == OK
    assert world.say("AT+CGPADDR") == b'\r\n+CGPADDR: 1,"10.71.155.118"\r\n' + OK
    peer = opened(world)
    assert world.say("AT+QIDEACT=1") == OK
    assert world.say("AT+QIACT?") == OK and world.say("AT+QISTATE?") == OK
    assert peer.lost_at is None


def test_an_active_context_keeps_its_access_point(world):
    assert world.say('AT+QICSGP=1,1,"other","","",0') == ERROR
    assert world.say("AT+QIGETERROR") == b"\r\n+QIGETERROR: 572, operation not allowed\r\n" + OK
    world.say("AT+QIDEACT=1")
    assert world.say('AT+QICSGP=1,1,"other","","",0') == OK
    assert world.say("AT+QICSGP=1") == b'\r\n+QICSGP: 1,"other","","",0\r\n' + OK


def test_an_activation_blocks_the_port_while_the_network_takes_its_time():
    world = World(family="quectel", latency=100).ready()
    world.say("AT+QIDEACT=1", 1000)
    world.say("AT+CGACT=0,1", 100)
    world.put(b"AT+QIACT=1\rAT\r", 1000)
    assert world.core.mode == "busy"
    assert world.run(5000) == OK + OK


def test_without_a_bearer_the_activation_ends_in_ERROR(world):
    assert knob(world, "radio", "set_bearer", False) == b'\r\n+QIURC: "pdpdeact",1\r\n'
    assert world.say("AT+QIACT?") == OK
    world.say("AT+QIDEACT=1")
    assert world.say("AT+QIACT=1") == ERROR
    assert world.say("AT+QIGETERROR") == b"\r\n+QIGETERROR: 561, open PDP context failed\r\n" + OK
    assert world.say("AT+QIACTEX=1,1") == OK + b"\r\n+QIACTEX: 1,561\r\n"


def test_a_context_that_was_taken_away_wants_QIDEACT_first(world):
    knob(world, "radio", "set_bearer", False)
    knob(world, "radio", "set_bearer", True)
    assert world.say("AT+QIACT=1") == ERROR
    assert world.say("AT+QIDEACT=1") == OK
    assert world.say("AT+QIACT=1") == OK


def test_only_the_right_access_point_gets_a_call(world):
    knob(world, "radio", "set_apn", ["CMIOT", "ctnet"])
    assert world.say("AT+QIACT?") != OK  # the standing call is left alone
    results = {}
    for name in ("", "cmnet", "cmiot", "CTNET"):
        world.say("AT+QIDEACT=1")
        world.say('AT+QICSGP=1,1,"%s","","",0' % name)
        results[name] = world.say("AT+QIACT=1")
    assert results == {"": ERROR, "cmnet": ERROR, "cmiot": OK, "CTNET": OK}
    assert world.core.general.apn == "CTNET"


def test_an_empty_access_point_may_do(world):
    knob(world, "radio", "set_apn", "cmiot", True)
    world.say("AT+QIDEACT=1")
    world.say('AT+QICSGP=1,1,"","","",0')
    assert world.say("AT+QIACT=1") == OK


def test_a_bearer_on_another_context_has_to_go_first(world):
    world.say("AT+QIDEACT=1")
    fault(world, "bearer_elsewhere", cid=5)
    assert world.say("AT+QIACT=1") == ERROR
    assert world.say("AT+QIGETERROR") == b"\r\n+QIGETERROR: 572, operation not allowed\r\n" + OK
    assert world.say("AT+CGACT?") == b"\r\n+CGACT: 1,0\r\n+CGACT: 5,1\r\n" + OK
    assert world.say("AT+CGACT=0,5") == OK
    assert world.say("AT+QIACT=1") == OK


def test_a_drifted_call_claims_to_be_up_and_only_its_whole_cure_helps(world):
    opened(world)
    fault(world, "pdp_drift")
    assert world.say("AT+QIACT?") == b'\r\n+QIACT: 1,1,1,"10.71.155.118"\r\n' + OK
    assert world.say("AT+CGACT?") == b"\r\n+CGACT: 1,0\r\n" + OK
    assert send(world, b"hello") == b"\r\nSEND OK\r\n" and world.run(60000) == b""
    assert world.say('AT+QIOPEN=1,1,"TCP","a.b",9', 60000) == OK + b"\r\n+QIOPEN: 1,550\r\n"
    for commands, cured in ((("AT+QIDEACT=1", "AT+QIACT=1"), False), (("AT+QIDEACT=1", "AT+CGACT=0,1", "AT+QIACT=1"), True)):
        assert [world.say(command) for command in commands] == [OK] * len(commands)
        said = world.say('AT+QIOPEN=1,2,"TCP","a.b",9', 60000)
        assert (said == OK + b"\r\n+QIOPEN: 2,0\r\n") == cured


def test_a_radio_that_starts_anew_cures_a_drift_too(world):
    fault(world, "pdp_drift")
    world.say("AT+CFUN=0")
    world.say("AT+CFUN=1")
    world.say("AT+QIDEACT=1")
    world.say("AT+QIACT=1")
    opened(world)


def test_without_credit_everything_stands_but_no_byte_passes(world):
    peer = opened(world)
    knob(world, "radio", "set_credit", False)
    assert world.say("AT+CEREG?") == b"\r\n+CEREG: 0,1\r\n" + OK
    assert send(world, b"hello") == b"\r\nSEND OK\r\n"
    assert world.say("AT+QISEND=0,0") == b"\r\n+QISEND: 5,0,5\r\n" + OK
    assert world.say('AT+QIDNSGIP=1,"a.b"', 60000) == OK + b'\r\n+QIURC: "dnsgip",569\r\n'
    assert world.say('AT+QIOPEN=1,1,"TCP","a.b",9', 150000) == OK + b"\r\n+QIOPEN: 1,566\r\n"
    assert bytes(peer.got) == b""
    assert knob(world, "radio", "set_credit", True) == RECV
    assert bytes(peer.got) == b"hello"


# --- opening and closing ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("command", "answer"),
    [
        ('AT+QIOPEN=1,0,"TCP","h",7', OK + b"\r\n+QIOPEN: 0,563\r\n"),  # in use
        ('AT+QIOPEN=2,1,"TCP","h",7', OK + b"\r\n+QIOPEN: 1,561\r\n"),  # no such call
        ('AT+QIOPEN=1,1,"TCP","h",7777', OK + b"\r\n+QIOPEN: 1,566\r\n"),  # nobody listens
        ('AT+QIOPEN=1,1,"TCP","nowhere",7', OK + b"\r\n+QIOPEN: 1,565\r\n"),
        ('AT+QIOPEN=1,12,"TCP","h",7', ERROR),
        ('AT+QIOPEN=1,1,"TCP","h",7,0,2', ERROR),  # transparent
        ('AT+QIOPEN=1,1,"TCP LISTENER","h",7', ERROR),
        ("AT+QISEND=1,5", ERROR),
        ("AT+QISEND=0,1461", ERROR),
        ("AT+QIRD=0,1501", ERROR),
        ("AT+QIRD=5", ERROR),
        ("AT+QISTATE=1,5", OK),
        ("AT+QICLOSE=5", OK),
        ("AT+QICLOSE=12", ERROR),
    ],
)
def test_a_wrong_socket_command_is_refused_with_its_code(world, command, answer):
    world.core.links.names["nowhere"] = None
    opened(world)
    assert world.say(command) == answer


def test_a_socket_that_failed_keeps_its_number_until_QICLOSE(world):
    world.say('AT+QIOPEN=1,1,"TCP","h",7777')
    assert world.say('AT+QIOPEN=1,1,"TCP","h",7') == OK + b"\r\n+QIOPEN: 1,563\r\n"
    assert world.say("AT+QICLOSE=1") == OK
    opened(world, number=1)


def test_QISTATE_tells_a_socket_in_every_field(world):
    world.say('AT+QIOPEN=1,0,"TCP","220.180.239.212",7,65514,0')
    assert world.say("AT+QISTATE=1,0") == b'\r\n+QISTATE: 0,"TCP","220.180.239.212",7,65514,2,1,0,0,"uart1"\r\n' + OK
    opened(world, GOODBYE, 3, 1)
    assert world.say("AT+QISTATE=1,3") == b'\r\n+QISTATE: 3,"TCP","127.0.0.1",23,49154,4,1,0,1,"uart1"\r\n' + OK
    assert world.say("AT+QISTATE=0,1").count(b"+QISTATE: ") == world.say("AT+QISTATE?").count(b"+QISTATE: ") == 2


def test_closing_blocks_the_port_ten_seconds_when_the_peer_does_not_answer(world):
    peer = opened(world)
    knob(world, "links", "set_alive", False)
    assert world.put(b"AT+QICLOSE=0\rAT\r", 9999) == b""
    assert world.run(1) == OK + OK
    assert peer.lost_at is None


def test_a_close_may_be_given_less_time_or_be_told_later(world):
    for number in (0, 1):
        opened(world, SINK, number)
    knob(world, "links", "set_alive", False)
    assert world.say("AT+QICLOSE=0,1", 999) == b"" and world.run(1) == OK
    knob(world, "links", "set_alive", True)
    assert world.say('AT+QICFG="close/mode",1') == OK
    assert world.say("AT+QICLOSE=1") == OK + b'\r\n+QIURC: "closed",1\r\n'


def test_a_close_by_the_peer_leaves_the_data_readable_and_the_number_taken(world):
    assert world.say('AT+QIOPEN=1,0,"TCP","h",%d' % GOODBYE) == OK + b"\r\n+QIOPEN: 0,0\r\n" + RECV + b'\r\n+QIURC: "closed",0\r\n'
    assert world.say("AT+QIRD=0,1500") == b"\r\n+QIRD: 10\r\nlast words\r\n" + OK
    assert world.say("AT+QIRD=0,1500") == b"\r\n+QIRD: 0\r\n" + OK
    assert world.say("AT+QISEND=0,1") == ERROR
    assert world.say('AT+QIOPEN=1,0,"TCP","h",7') == OK + b"\r\n+QIOPEN: 0,563\r\n"
    assert world.say("AT+QICLOSE=0") == OK
    assert world.say("AT+QIRD=0,1500") == ERROR


# --- sending ---------------------------------------------------------------------------------------------


def test_a_send_is_prompted_taken_and_counted(world):
    peer = opened(world, SINK)
    assert send(world, b"hello") == b"\r\nSEND OK\r\n"
    assert world.say("AT+QISEND=0,0") == b"\r\n+QISEND: 5,5,0\r\n" + OK
    assert bytes(peer.got) == b"hello"


def test_a_sends_data_are_echoed_until_QISDE_says_otherwise(world):
    opened(world, SINK)
    assert world.say("AT+QISDE=1") == OK
    assert send(world, b"hello") == b"hello\r\nSEND OK\r\n"
    world.say("ATE1")
    world.say("AT+QISDE=0")
    assert world.say("AT+QISEND=0,2") == b"AT+QISEND=0,2\r" + PROMPT
    assert world.put(b"hi") == b"\r\nSEND OK\r\n"


def test_a_fixed_length_takes_every_byte_and_no_more(world):
    peer = opened(world, SINK)
    tricky = b"\r\nOK\r\n> ERROR\x1a\x1b\x03\r\nSEND OK\r\n\x00\xff"
    assert send(world, tricky) == b"\r\nSEND OK\r\n"
    world.say("ATE1")
    world.say("AT+QISEND=0,2")
    assert world.put(b"ab\x1aAT\r") == b"\r\nSEND OK\r\n\x1aAT\r" + OK
    assert bytes(peer.got) == tricky + b"ab"


def test_a_send_without_a_length_ends_at_its_mark(world):
    peer = opened(world, SINK)
    assert world.say("AT+QISEND=0") == PROMPT
    assert world.put(b"a\x03b\x1a") == b"\r\nSEND OK\r\n"
    assert bytes(peer.got) == b"a\x03b"


def test_a_prompt_left_unfilled_ends_in_ERROR_after_five_seconds(world):
    peer = opened(world, SINK)
    world.say("AT+QISEND=0,5")
    assert world.put(b"hel", 4999) == b"" and world.run(1) == ERROR
    assert world.say('AT+QICFG="qisend/timeout",20') == OK
    assert world.say("AT+QISEND=0,5", 19999) == PROMPT and world.run(1) == ERROR
    assert bytes(peer.got) == b""


def test_a_full_queue_is_told_by_SEND_FAIL_and_the_socket_lives(world):
    peer = opened(world, SINK)
    knob(world, "links", "set_alive", False)
    results = [send(world, b"x" * 1460) for _ in range(8)]
    assert results == [b"\r\nSEND OK\r\n"] * 7 + [b"\r\nSEND FAIL\r\n"]
    knob(world, "links", "set_alive", True)
    assert send(world, b"y") == b"\r\nSEND OK\r\n"
    assert bytes(peer.got) == b"x" * 1460 * 7 + b"y"


def test_QISENDEX_needs_no_prompt(world):
    peer = opened(world, SINK)
    assert world.say('AT+QISENDEX=0,"3031320d"') == b"\r\nSEND OK\r\n"
    assert world.say('AT+QISENDEX=0,"3x"') == ERROR
    assert bytes(peer.got) == b"012\r"


# --- receiving -------------------------------------------------------------------------------------------


def test_a_read_is_framed_and_the_counts_have_three_fields(world):
    opened(world)
    assert send(world, b"test response!") == b"\r\nSEND OK\r\n" + RECV
    assert world.say("AT+QIRD=0,0") == b"\r\n+QIRD: 14,0,14\r\n" + OK
    assert world.say("AT+QIRD=0,1500") == b"\r\n+QIRD: 14\r\ntest response!\r\n\r\nOK\r\n"
    assert world.say("AT+QIRD=0,1500") == b"\r\n+QIRD: 0\r\n\r\nOK\r\n"
    assert world.say("AT+QIRD=0,0") == b"\r\n+QIRD: 14,14,0\r\n" + OK


def test_data_are_notified_once_until_the_queue_is_empty(world):
    peer = opened(world, SINK)
    said = []
    for _ in range(3):
        peer.say(b"ab")
        said.append(world.run())
    assert said == [RECV, b"", b""]
    world.say("AT+QIRD=0,3")
    peer.say(b"cd")
    assert world.run() == b""
    assert world.say("AT+QIRD=0,1500") == b"\r\n+QIRD: 5\r\nbabcd\r\n" + OK
    peer.say(b"e")
    assert world.run() == RECV


def test_pushed_data_come_at_once_and_cannot_be_read(world):
    assert world.say('AT+QIOPEN=1,0,"TCP","h",%d,0,1' % CHIME).endswith(b'\r\n+QIURC: "recv",0,11\r\nhello\r\nOK\r\n\r\n')
    assert world.say("AT+QIRD=0,1500") == ERROR


def test_a_peer_waits_when_the_queue_is_full(world):
    opened(world, FLOOD)
    assert world.say("AT+QIRD=0,0") == b"\r\n+QIRD: %d,0,%d\r\n" % (RX_LIMIT, RX_LIMIT) + OK
    got = b""
    while True:
        head, _, rest = world.say("AT+QIRD=0,1500")[len(b"\r\n+QIRD: ") :].partition(b"\r\n")
        if head == b"0":
            break
        got += rest[: int(head)]
    assert got == bytes(range(256)) * 120


def test_datagrams_are_sent_to_and_read_from_whom_they_concern(world):
    assert world.say('AT+QIOPEN=1,2,"UDP SERVICE","127.0.0.1",0,3030,0') == OK + b"\r\n+QIOPEN: 2,0\r\n"
    world.core.links.net_received(world.now, 1, b"one", "10.1.2.3", 99)
    world.core.links.net_received(world.now, 1, b"two!", "10.1.2.4", 98)
    assert world.run() == b'\r\n+QIURC: "recv",2\r\n'
    assert world.say("AT+QIRD=2") == b'\r\n+QIRD: 3,"10.1.2.3",99\r\none\r\n' + OK + b'\r\n+QIURC: "recv",2\r\n'
    assert world.say("AT+QIRD=2") == b'\r\n+QIRD: 4,"10.1.2.4",98\r\ntwo!\r\n' + OK
    assert world.say("AT+QISEND=2,3") == ERROR
    assert world.say('AT+QISEND=2,3,"10.1.2.3",99') == PROMPT
    assert world.put(b"abc") == b"\r\nSEND OK\r\n"


# --- names and echoes ------------------------------------------------------------------------------------


def test_names_are_resolved_by_URC(world):
    world.core.links.names["nowhere"] = None
    answer = b'\r\n+QIURC: "dnsgip",0,1,600\r\n\r\n+QIURC: "dnsgip","127.0.0.1"\r\n'
    assert world.say('AT+QIDNSGIP=1,"platform.example"') == OK + answer
    assert world.say('AT+QIDNSGIP=1,"nowhere"') == OK + b'\r\n+QIURC: "dnsgip",565\r\n'
    assert world.say('AT+QIDNSCFG=1,"223.5.5.5","114.114.114.114"') == OK


def test_echoes_are_told_one_by_one_and_summed(world):
    line = b'\r\n+QPING: 0,"127.0.0.1",32,0,255\r\n'
    assert world.say('AT+QPING=1,"h",1,2') == OK + line * 2 + b"\r\n+QPING: 0,2,2,0,0,0,0\r\n"
    knob(world, "links", "set_alive", False)
    assert world.say('AT+QPING=1,"h",1,1', 1000) == OK + b"\r\n+QPING: 569\r\n\r\n+QPING: 0,1,0,1,0,0,0\r\n"
