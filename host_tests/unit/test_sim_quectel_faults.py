"""Each named fault of the simulated Quectel modem does what its text says, and nothing once it is used up."""

import pytest
from drivers.sim_world import ECHO, GOODBYE, SINK, World

from host_tests.sim.faults import FAULTS, PITFALLS, of_family

OK = b"\r\nOK\r\n"
ERROR = b"\r\nERROR\r\n"
SENT = b"\r\nSEND OK\r\n"
PROMPT = b"\r\n> "
URC = b"\r\n+CTZV: +32\r\n"
OPEN = 'AT+QIOPEN=1,0,"TCP","platform.example",%d'
OPENED = OK + b"\r\n+QIOPEN: 0,0\r\n"


@pytest.fixture
def world():
    """A modem without delays: data call open, echo off, URCs here."""
    return World(family="quectel").ready()


def fault(world, name, match="", count=None, **params):
    world.core.faults.set(name, True, count, match, params)
    world.run()


def send(world, data, number=0):
    return world.say("AT+QISEND=%d,%d" % (number, len(data))), world.put(data)


# fault, its parameters, command, what comes while it strikes
ANSWERS = [
    ("urc_before_answer", {}, "AT", URC + OK),
    ("urc_glued", {}, "AT", OK + URC),
    ("urc_twin", {}, "AT+CEREG?", b"\r\n+CEREG: 1\r\n\r\n+CEREG: 0,1\r\n" + OK),
    ("urc_twin", {}, "AT+CPIN?", b"\r\n+CPIN: READY\r\n\r\n+CPIN: READY\r\n" + OK),
    ("urc_twin", {}, "AT+QTTS?", b"\r\n+QTTS: 0\r\n\r\n+QTTS: 0\r\n" + OK),
    ("urc_unknown", {}, "AT", b'\r\n^NOVEL: 7,"OK",ERROR,+CME\r\n' + OK),
    ("noise", {"hex": "00ff"}, "AT", b"\x00\xff" + OK),
    ("missing_ok", {}, "AT+CFUN?", b"\r\n+CFUN: 1\r\n"),
    ("deaf", {}, "AT", b""),
    ("error", {"text": "+CME ERROR: 14"}, "AT", b"\r\n+CME ERROR: 14\r\n"),
    ("echo_twice", {}, "AT", b"AT\r" + OK),
    ("overrun", {"at": 2, "bytes": 1}, "AT", b"\r\nK\r\n"),
    ("sim_busy", {}, "AT+CPIN?", b"\r\n+CME ERROR: 14\r\n"),
    ("lbs_error", {}, "AT+QLBS", b"\r\n+QLBS: 10008\r\n" + OK),
]


@pytest.mark.parametrize(("name", "params", "command", "expected"), ANSWERS)
def test_a_fault_of_the_answer_strikes_once(world, name, params, command, expected):
    healthy = world.say(command)
    fault(world, name, **params)
    assert world.say(command) == expected
    assert world.say(command) == healthy


# fault, its parameters, command, what comes as long as it is on
STANDING = [
    ("crcrlf", {}, "AT+CFUN?", b"\r\n+CFUN: 1\r\r\n\r\nOK\r\r\n"),
    ("cme_text", {}, "AT+QGPSEND", b"\r\n+CME ERROR: Session not active\r\n"),
    ("no_gnss", {}, "AT+QGPS=1", ERROR),
    ("no_tts", {}, "AT+QTTS=?", ERROR),
    ("creg_zero", {}, "AT+CREG?", b"\r\n+CREG: 0,0\r\n" + OK),
    ("qiact_again", {}, "AT+QIACT=1", ERROR),
    ("tight", {}, "AT+QIGETERROR", b"\r\n+QIGETERROR: 0,operate successfully\r\n" + OK),
    ("qlts_outside", {}, "AT+QLTS", b'\r\n+QLTS: "2026/01/01,09:20:00+32",0\r\n' + OK),
]


@pytest.mark.parametrize(("name", "params", "command", "expected"), STANDING)
def test_a_standing_fault_lasts_until_it_is_switched_off(world, name, params, command, expected):
    fault(world, name, **params)
    assert [world.say(command) for _ in range(2)] == [expected] * 2
    world.core.faults.set(name, False)
    assert world.say(command) != expected


def test_cme_number_ignores_CMEE(world):
    fault(world, "cme_number")
    world.say("AT+CMEE=0")
    assert world.say("AT+QGPSEND") == b"\r\n+CME ERROR: 505\r\n"


def test_another_familys_fault_is_refused(world):
    with pytest.raises(ValueError, match="netopen_fails"):
        fault(world, "netopen_fails")


def test_a_late_answer_comes_during_the_next_command(world):
    fault(world, "late", ms=2000)
    assert world.say("AT+CFUN?", 1999) == b""
    assert world.say("AT+CMEE?") == b"\r\n+CMEE: 1\r\n" + OK
    assert world.run(1) == b"\r\n+CFUN: 1\r\n" + OK


def test_a_slow_answer_comes_exactly_when_told(world):
    fault(world, "slow", ms=150000)
    assert world.put(b"AT+QIACT=1\rAT\r", 149999) == b""
    assert world.run(1) == OK + OK


def test_a_slow_result_of_a_send_comes_after_the_peers_reply(world):
    world.say(OPEN % ECHO)
    fault(world, "slow", match="+QISEND", ms=1000)
    assert world.say("AT+QISEND=0,3") == PROMPT
    assert world.put(b"abc", 1000) == b'\r\n+QIURC: "recv",0\r\n' + SENT


def test_dribble_lets_every_byte_come_alone(world):
    fault(world, "dribble", ms=3)
    assert world.say("AT") == b"\r"
    assert [world.run(3) for _ in range(5)] == [b"\n", b"O", b"K", b"\r", b"\n"]
    assert world.run(100) == b""


def test_output_waits_for_what_still_dribbles(world):
    fault(world, "dribble")
    world.say("AT")
    world.core.faults.set("dribble", False)
    assert world.say("AT+CFUN?", 1) == OK[1:] + b"\r\n+CFUN: 1\r\n" + OK


@pytest.mark.parametrize("name", ["reboot", "reboot_in_data"])
def test_a_restart_in_the_middle_brings_the_echo_back(world, name):
    world.say(OPEN % SINK)
    fault(world, name)
    said = world.say("AT+QISEND=0,3") + world.put(b"abc")
    assert b"\r\nRDY\r\n" in said
    assert world.say("AT+QISTATE?").endswith(b"AT+QISTATE?\r" + OK)


def test_a_hung_modem_needs_its_power_key(world):
    fault(world, "hung")
    assert world.say("AT", 60000) == b""
    world.core.post(world.now, world.core.restart, False)
    assert world.run(20000) == b"" and world.say("AT") == b""
    for held_ms in (1000, 2100):
        world.core.power_key(world.now, True)
        world.run(held_ms)
        world.core.power_key(world.now, False)
    assert world.say("AT").endswith(b"AT\r" + OK)


def test_a_hung_modem_is_helped_by_its_reset_key_too(world):
    fault(world, "hung")
    world.core.reset_key(world.now, True)
    world.run(500)
    world.core.reset_key(world.now, False)
    assert b"RDY" in world.run(20000)


def test_autobaud_swallows_the_first_AT_after_a_boot(world):
    fault(world, "autobaud")
    world.core.power(world.now, True)
    world.run()
    assert [world.say("AT") for _ in range(2)] == [b"", b"AT\r" + OK]


@pytest.mark.parametrize(
    ("name", "said"), [("no_banner", b""), ("half_banner", b"\r\nRDY\r\n")]
)
def test_a_banner_may_be_missing_or_cut_off(world, name, said):
    fault(world, name)
    world.core.power(world.now, True)
    assert world.run() == said


def test_binary_rubbish_may_come_before_the_banner(world):
    fault(world, "binary_banner")
    world.core.power(world.now, True)
    said = world.run()
    assert said[64:].startswith(b"\r\nRDY\r\n") and max(said[:64]) > 127


def test_dead_boot_needs_a_second_press():
    world = World(on=False, family="quectel")
    fault(world, "dead_boot")
    for on in (False, True):
        world.core.power_key(world.now, True)
        world.run(2100)
        world.core.power_key(world.now, False)
        assert world.core.is_on == on


def test_urc_elsewhere_ignores_QURCCFG(world):
    fault(world, "urc_elsewhere")
    assert world.say('AT+QURCCFG="urcport","uart1"') == OK
    assert world.say(OPEN % SINK) == OK


# --- receiving -------------------------------------------------------------------------------------------


def test_urc_lost_and_recv_mid_lost_leave_the_data_to_be_found(world):
    for name, params in (("urc_lost", {"match": "recv"}), ("recv_mid_lost", {})):
        world.say(OPEN % SINK)
        fault(world, name, **params)
        world.say("AT+QISEND=0,3")
        world.peers[-1].say(b"xy")
        assert world.run() == b""
        assert world.put(b"abc") == SENT
        assert world.say("AT+QIRD=0,0") == b"\r\n+QIRD: 2,0,2\r\n" + OK
        world.say("AT+QICLOSE=0")


def test_recv_mid_lost_spares_what_comes_between_commands(world):
    world.say(OPEN % SINK)
    fault(world, "recv_mid_lost")
    world.peers[-1].say(b"xy")
    assert world.run() == b'\r\n+QIURC: "recv",0\r\n'


def test_closed_first_tells_the_close_before_the_last_data(world):
    fault(world, "closed_first")
    assert world.say(OPEN % GOODBYE) == OPENED + b'\r\n+QIURC: "closed",0\r\n\r\n+QIURC: "recv",0\r\n'
    assert world.say("AT+QIRD=0,1500") == b"\r\n+QIRD: 10\r\nlast words\r\n" + OK


def test_closed_drops_takes_unread_data_along(world):
    fault(world, "closed_drops")
    world.say(OPEN % GOODBYE)
    assert world.say("AT+QIRD=0,1500") == b"\r\n+QIRD: 0\r\n" + OK


# --- sending ---------------------------------------------------------------------------------------------

# fault, its parameters, prompt, what comes after the data, what the peer gets
SENDS = [
    ("prompt", {"text": "\r\n>\r\n"}, b"\r\n>\r\n", SENT, b"abc"),
    ("prompt", {"text": ">"}, b">", SENT, b"abc"),
    ("urc_before_prompt", {}, URC + PROMPT, SENT, b"abc"),
    ("urc_after_prompt", {}, PROMPT + URC, SENT, b"abc"),
    ("send_fail", {}, PROMPT, b"\r\nSEND FAIL\r\n", b""),
    ("send_closed", {}, PROMPT, b'\r\n+QIURC: "closed",0\r\n' + SENT, b""),
    ("peer_dead", {}, PROMPT, SENT, b""),
]


@pytest.mark.parametrize(("name", "params", "prompt", "after", "got"), SENDS)
def test_a_fault_of_the_send_shows_in_its_place(world, name, params, prompt, after, got):
    world.say(OPEN % SINK)
    fault(world, name, **params)
    assert send(world, b"abc") == (prompt, after)
    assert bytes(world.peers[0].got) == got


def test_what_is_sent_before_a_late_prompt_is_lost(world):
    world.say(OPEN % SINK)
    fault(world, "prompt_late", ms=1000)
    assert world.put(b"AT+QISEND=0,3\rabc", 999) == b""
    assert world.run(1) == PROMPT
    assert world.put(b"def") == SENT
    assert bytes(world.peers[0].got) == b"def"


def test_a_missing_prompt_leaves_the_modem_in_command_mode(world):
    world.say(OPEN % SINK)
    fault(world, "no_prompt")
    assert world.say("AT+QISEND=0,3") == b""
    assert world.say("AT") == OK


def test_send_at_once_has_no_time_between_the_last_byte_and_the_result():
    world = World(family="quectel", latency=100).ready()
    world.say(OPEN % SINK, 1000)
    fault(world, "send_at_once")
    world.say("AT+QISEND=0,3", 100)
    assert world.put(b"abc") == SENT
    world.say("AT+QISEND=0,3", 100)
    assert world.put(b"abc") == b"" and world.run(100) == SENT


def test_a_dead_peer_is_told_by_nothing_but_its_silence(world):
    world.say(OPEN % ECHO)
    fault(world, "peer_dead")
    assert [send(world, b"abc")[1] for _ in range(2)] == [SENT] * 2
    world.peers[0].hang_up()
    assert world.run(600000) == b""
    assert world.say("AT+QISEND=0,0") == b"\r\n+QISEND: 6,0,6\r\n" + OK
    assert world.say("AT+QICLOSE=0", 10000) == OK
    assert world.say(OPEN % ECHO) == OPENED
    assert send(world, b"abc")[1] == SENT + b'\r\n+QIURC: "recv",0\r\n'


# --- network ---------------------------------------------------------------------------------------------


def test_attached_only_registers_without_a_data_call(world):
    fault(world, "attached_only")
    world.say("AT+QIDEACT=1")
    assert world.say("AT+QIACT=1") == ERROR
    assert world.say("AT+CEREG?") == b"\r\n+CEREG: 0,1\r\n" + OK


def test_open_silent_answers_OK_and_then_nothing(world):
    fault(world, "open_silent")
    assert world.say(OPEN % SINK, 200000) == OK
    assert world.say(OPEN % SINK) == OPENED


def test_open_fails_with_the_code_that_was_asked_for(world):
    fault(world, "open_fails", code=569)
    assert world.say(OPEN % SINK) == OK + b"\r\n+QIOPEN: 0,569\r\n"
    world.say("AT+QICLOSE=0")
    assert world.say(OPEN % SINK) == OPENED


def test_exhausted_sockets_come_back_only_with_the_power(world):
    fault(world, "open_exhausted")
    assert world.say(OPEN % SINK) == OK + b"\r\n+QIOPEN: 0,552\r\n"
    world.core.post(world.now, world.core.restart, True)
    assert world.ready().say(OPEN % SINK) == OK + b"\r\n+QIOPEN: 0,552\r\n"
    world.core.power(world.now, False)
    world.core.power(world.now, True)
    assert world.ready().say(OPEN % SINK) == OPENED


def test_a_drift_and_a_bearer_elsewhere_are_states_of_the_world(world):
    for name in ("pdp_drift", "bearer_elsewhere"):
        fault(world, name)
        assert world.core.faults.state() == {name: None}
        assert b"+CGACT: 1,0\r\n" in world.say("AT+CGACT?")
        world.core.faults.set(name, False)
        world.run()


def test_nitz_at_attach_sets_the_clock_only_with_the_next_registration(world):
    fault(world, "nitz_at_attach")
    world.say("AT+CTZU=1")
    assert b'"80/01/06' in world.say("AT+CCLK?")
    world.say("AT+CFUN=0")
    world.say("AT+CFUN=1")
    assert b'"26/01/01' in world.say("AT+CCLK?")


# --- services --------------------------------------------------------------------------------------------


def test_positions_may_be_none_or_look_otherwise(world):
    world.say("AT+QGPS=1")
    fault(world, "gnss_pseudo")
    assert world.say("AT+QGPSLOC=2").endswith(b",0.00,0.0,1,,3.464,1.898,010126,00\r\n" + OK)
    world.core.faults.set("gnss_pseudo", False)
    fault(world, "tight")
    assert world.say("AT+QGPSLOC=2").startswith(b"\r\n+QGPSLOC:012100.000,29.")
    world.core.services.sky = False
    fault(world, "gnss_text")
    assert world.say("AT+QGPSLOC=2") == b"\r\n+CME ERROR: DSAT_CME_GNSS_NOT_FIXED_NOW\r\n"


def test_a_swapped_cell_has_its_latitude_where_the_longitude_belongs(world):
    world.say('AT+QLBSCFG="token","1234567890123456"')
    fault(world, "lbs_swapped")
    assert world.say("AT+QLBS").startswith(b"\r\n+QLBS: 0,29.")


def test_tts_silent_never_tells_the_end(world):
    fault(world, "tts_silent")
    assert world.say('AT+QTTS=2,"a"', 600000) == OK
    assert world.say('AT+QTTS=2,"a"') == OK + b"\r\n+QTTS: 0\r\n"


# --- the tables ------------------------------------------------------------------------------------------


def test_no_fault_is_without_a_test_here():
    with open(__file__) as file:
        text = file.read()
    assert [name for name in of_family("quectel") if '"%s"' % name not in text] == []


def test_every_pitfall_is_a_fault_of_the_families_it_names():
    for number, name, families in PITFALLS:
        assert 1 <= number <= 20
        assert name is None or set(families) <= set(FAULTS[name][1]), name
    assert {number for number, _, families in PITFALLS if "quectel" in families} == set(range(1, 21)) - {14}
    assert {number for number, _, families in PITFALLS if "a76xx" in families} == set(range(1, 21))
