"""Each named fault of the simulated Luat modem does what its text says, and nothing once it is used up."""

import pytest
from drivers.sim_luat import LuatWorld
from drivers.sim_world import ECHO, GOODBYE, SINK, boot, fault, send_cip

from host_tests.sim.faults import PITFALLS, of_family

OK = b"\r\nOK\r\n"
URC = b"\r\n+CTZV: +32\r\n"
START = 'AT+CIPSTART=0,"TCP","platform.example",%d'
CONNECTED = OK + b"\r\n0, CONNECT OK\r\n"


@pytest.fixture
def world():
    """A modem without delays with an address, echo off."""
    return LuatWorld().ready()


# fault, its parameters, command, what comes while it strikes
ANSWERS = [
    ("urc_before_answer", {}, "AT", URC + OK),
    ("urc_before_answer", {"text": "+CIPRXGET: 1,0"}, "AT+CIPRXGET?", b"\r\n+CIPRXGET: 1,0\r\n\r\n+CIPRXGET: 1\r\n" + OK),
    ("urc_before_answer", {}, "AT+CIFSR", URC + b"\r\n10.169.179.213\r\n"),
    ("urc_glued", {}, "AT+CIPSHUT", b"\r\nSHUT OK\r\n" + URC),
    ("urc_twin", {}, "AT+CIPRXGET?", b"\r\n+CIPRXGET: 1,0\r\n\r\n+CIPRXGET: 1\r\n" + OK),
    ("urc_unknown", {"text": "^NEW: 1"}, "AT+CIFSR", b"\r\n^NEW: 1\r\n\r\n10.169.179.213\r\n"),
    ("noise", {"hex": "00ff"}, "AT", b"\x00\xff" + OK),
    ("missing_ok", {}, "AT+CFUN?", b"\r\n+CFUN: 1\r\n"),
    ("missing_ok", {}, "AT+CIFSR", b""),
    ("deaf", {}, "AT", b""),
    ("error", {}, "AT", b"\r\nERROR\r\n"),
    ("error", {"text": "+CME ERROR: 151"}, "AT+CIFSR", b"\r\n+CME ERROR: 151\r\n"),
    ("echo_twice", {}, "AT", b"AT\r" + OK),
    ("overrun", {"at": 2, "bytes": 1}, "AT", b"\r\nK\r\n"),
    ("sim_busy", {}, "AT+CPIN?", b"\r\n+CME ERROR: 14\r\n"),
]


@pytest.mark.parametrize(("name", "params", "command", "expected"), ANSWERS)
def test_a_fault_of_the_answer_strikes_once(world, name, params, command, expected):
    healthy = LuatWorld().ready()
    fault(world, name, **params)
    assert world.say(command) == expected
    if command != "AT+CIPSHUT":
        assert world.say(command) == healthy.say(command)


def test_the_faults_of_other_families_are_refused(world):
    for name in ("netopen_fails", "ipclose_bare", "gnss_ddmm", "nonsense"):
        with pytest.raises(ValueError, match=name):
            fault(world, name)


def test_a_late_answer_comes_during_the_next_command(world):
    fault(world, "late", ms=2000)
    assert world.say("AT+CFUN?", 1999) == b""
    assert world.say("AT+CMEE?") == b"\r\n+CMEE: 1\r\n" + OK
    assert world.run(1) == b"\r\n+CFUN: 1\r\n" + OK


def test_a_slow_answer_keeps_the_port_busy(world):
    fault(world, "slow", ms=1000)
    assert world.put(b"AT+CIFSR\rAT\r", 999) == b""
    assert world.run(1) == b"\r\n10.169.179.213\r\n" + OK


def test_a_dribbling_answer_comes_byte_by_byte(world):
    fault(world, "dribble", ms=10)
    said = [world.say("AT"), *(world.run(10) for _ in range(7))]
    assert b"".join(said) == OK and max(len(piece) for piece in said) <= 2


def test_a_hung_modem_is_helped_by_the_reset_key(world):
    fault(world, "hung")
    assert world.say("AT", 10000) == b""
    world.core.reset_key(world.now, True)
    world.run(200)
    world.core.reset_key(world.now, False)
    assert b"RDY" in world.run()


@pytest.mark.parametrize(("name", "end", "text"), [("crcrlf", b"\r\r\n", b"3"), ("cme_text", b"\r\n", b"operation not allowed")])
def test_every_answer_ends_or_reads_in_another_way(world, name, end, text):
    fault(world, name)
    for _ in range(2):
        assert world.say("AT+CFUN?;+CIICR") == b"\r\n+CFUN: 1" + end + b"\r\n+CME ERROR: " + text + end


# --- boot ------------------------------------------------------------------------------------------------


def test_reboot_restarts_with_echo_on_and_the_rate_forgotten_instead_of_answering(world):
    fault(world, "reboot", match="+CSQ")
    assert world.say("AT+CSQ").startswith(b"^boot.rom")
    assert world.say("AT") == b"" and world.say("AT") == b"AT\r" + OK
    assert world.core.counters["self_reboots"] == 1


def test_a_modem_without_banner_begins_to_answer(world):
    fault(world, "no_banner")
    assert b"RDY" not in boot(world)
    assert world.say("AT") == b"" and world.say("AT") == b"AT\r" + OK


@pytest.mark.parametrize(("name", "ended"), [("half_banner", True), ("rdy_once", False)])
def test_the_banner_may_be_cut_off_or_say_RDY_once(world, name, ended):
    fault(world, name)
    said = boot(world)[64:]
    assert said.startswith(b"\r\nRDY\r\n") and said.count(b"RDY") == 1 and (b"+CPIN" not in said) == ended


def test_autobaud_swallows_the_first_AT_though_a_rate_is_stored(world):
    world.say("AT+IPR=115200;&W")
    fault(world, "autobaud")
    boot(world)
    assert world.say("AT") == b"" and world.say("AT") == b"AT\r" + OK


def test_dead_boot_lets_the_key_do_nothing_once():
    world = LuatWorld(on=False)
    fault(world, "dead_boot")
    for expected in (False, True):
        world.core.power_key(world.now, True)
        world.run(2100)
        world.core.power_key(world.now, False)
        assert world.core.is_on == expected


# --- registration and the data call ----------------------------------------------------------------------

FORMS = [
    ("long", b"\r\n+NITZ: 2026/01/01,09:20:"),
    ("no_dst", b"+32\r\n"),
    ("zero", b"\r\n+NITZ: 26/01/01,01:2"),
]


@pytest.mark.parametrize(("form", "part"), FORMS)
def test_NITZ_comes_in_other_forms(world, form, part):
    fault(world, "nitz_form", form=form)
    world.core.post(world.now, world.core.radio.set_time, world.now, 1767230400000)
    line = boot(world).partition(b"\r\n+NITZ")
    assert part in b"\r\n+NITZ" + line[2].split(b"\r\n")[0] + b"\r\n"
    assert (b",0\r\n" in line[2].split(b"\r\n")[0] + b"\r\n") == (form != "no_dst")


def test_registration_mixed_puts_another_registration_before_the_answer(world):
    world.say("AT+CEREG=2")
    fault(world, "registration_mixed")
    mixed = b'\r\n+CGREG: 2,1,"2797","02B82E17",7\r\n'
    assert world.say("AT+CEREG?") == mixed + b'\r\n+CEREG: 2,1,"2797","02B82E17",7\r\n' + OK


def test_creg_zero_leaves_only_CEREG(world):
    fault(world, "creg_zero")
    assert world.say("AT+CREG?") == b"\r\n+CREG: 0,0\r\n" + OK
    assert world.say("AT+CEREG?") == b"\r\n+CEREG: 0,1\r\n" + OK


def test_attached_only_registers_but_gives_no_data_call():
    world = LuatWorld().trained()
    fault(world, "attached_only")
    world.say('AT+CSTT="","",""')
    assert world.say("AT+CIICR") == b"\r\n+CME ERROR: 65535\r\n"
    assert world.say("AT+CGATT?") == b"\r\n+CGATT: 1\r\n" + OK


def test_ciicr_deact_gives_no_final_result():
    world = LuatWorld().trained()
    world.core.post(world.now, world.core.radio.set_bearer, False)
    fault(world, "ciicr_deact")
    world.say('AT+CSTT="","",""')
    assert world.say("AT+CIICR") == b"\r\n+PDP: DEACT\r\n"
    assert world.say("AT") == OK


# --- sockets ---------------------------------------------------------------------------------------------


def test_open_silent_leaves_the_socket_free(world):
    fault(world, "open_silent")
    assert world.say(START % SINK, 200000) == OK
    assert world.say(START % SINK) == CONNECTED


def test_open_name_wants_an_address(world):
    fault(world, "open_name")
    assert world.say(START % SINK) == OK + b"\r\n0, CONNECT FAIL\r\n"
    assert world.say('AT+CIPSTART=0,"TCP","127.0.0.1",9') == CONNECTED


@pytest.mark.parametrize("text", ["\r\n>", "> ", "\r\n>\r\n", "\r\n+CSQ: 1,99\r\n> "])
def test_the_prompt_has_other_forms(world, text):
    world.say(START % SINK)
    fault(world, "prompt", text=text)
    assert send_cip(world, b"abc") == (text.encode(), b"\r\n0, SEND OK\r\n")


def test_no_prompt_leaves_the_modem_in_command_mode(world):
    world.say(START % SINK)
    fault(world, "no_prompt")
    assert world.say("AT+CIPSEND=0,3") == b""
    assert world.say("AT") == OK


def test_a_late_prompt_loses_what_was_sent_before_it(world):
    world.say(START % SINK)
    fault(world, "prompt_late", ms=500)
    assert world.say("AT+CIPSEND=0,3", 499) == b""
    assert world.put(b"abc") == b"" and world.run(1) == b"\r\n> "
    assert world.put(b"def") == b"\r\n0, SEND OK\r\n"
    assert bytes(world.peers[0].got) == b"def"


def test_send_at_once_answers_with_the_last_byte():
    world = LuatWorld(latency=100).ready()
    world.say(START % SINK, 1000)
    fault(world, "send_at_once")
    world.say("AT+CIPSEND=0,3", 100)
    assert world.put(b"abc") == b"\r\n0, SEND OK\r\n"


def test_URCs_come_around_the_prompt(world):
    world.say(START % SINK)
    fault(world, "urc_before_prompt")
    assert send_cip(world, b"abc") == (URC + b"\r\n> ", b"\r\n0, SEND OK\r\n")
    fault(world, "urc_after_prompt")
    assert send_cip(world, b"abc") == (b"\r\n> " + URC, b"\r\n0, SEND OK\r\n")


def test_send_fail_loses_the_data_and_says_so(world):
    world.say(START % SINK)
    fault(world, "send_fail")
    assert send_cip(world, b"abc")[1] == b"\r\n0, SEND FAIL\r\n"
    assert bytes(world.peers[0].got) == b""
    assert send_cip(world, b"abc")[1] == b"\r\n0, SEND OK\r\n"


def test_send_silent_takes_the_data_and_says_nothing(world):
    world.say(START % SINK)
    fault(world, "send_silent")
    assert send_cip(world, b"abc")[1] == b""
    assert bytes(world.peers[0].got) == b"abc" and world.say("AT") == OK


def test_send_closed_closes_between_data_and_result(world):
    world.say(START % SINK)
    fault(world, "send_closed")
    assert send_cip(world, b"abc")[1] == b"\r\n0, CLOSED\r\n\r\n0, SEND FAIL\r\n"


def test_a_restart_within_the_data_loses_them(world):
    world.say(START % SINK)
    fault(world, "reboot_in_data")
    assert b"\r\nRDY\r\n" in send_cip(world, b"abc")[1]
    assert bytes(world.peers[0].got) == b""


def test_peer_dead_goes_on_saying_SEND_OK(world):
    world.say(START % ECHO)
    fault(world, "peer_dead")
    assert [send_cip(world, b"abc")[1] for _ in range(2)] == [b"\r\n0, SEND OK\r\n"] * 2
    assert bytes(world.peers[0].got) == b"" and world.run(100000) == b""


def test_pdp_drift_lasts_until_the_call_is_shut_and_opened_anew(world):
    fault(world, "pdp_drift")
    assert world.say(START % SINK, 80000) == OK + b"\r\n0, CONNECT FAIL\r\n"
    for command in ("AT+CIPSHUT", "AT+CIPMUX=1", 'AT+CSTT="","",""', "AT+CIICR", "AT+CIFSR"):
        world.say(command)
    assert world.say(START % SINK) == CONNECTED


def test_recv_mid_lost_forgets_a_notification_during_a_command():
    world = LuatWorld(latency=100).ready()
    world.say(START % SINK, 1000)
    fault(world, "recv_mid_lost")
    world.put(b"AT\r")
    world.peers[0].say(b"abc")
    assert world.run(100) == OK
    assert world.say("AT+CIPRXGET=4,0", 100) == b"\r\n+CIPRXGET: 4,0,3\r\n" + OK


def test_a_lost_notification_leaves_the_data_readable(world):
    world.say(START % ECHO)
    fault(world, "urc_lost", match="+CIPRXGET: 1")
    assert send_cip(world, b"abc")[1] == b"\r\n0, SEND OK\r\n"
    assert world.say("AT+CIPRXGET=4,0") == b"\r\n+CIPRXGET: 4,0,3\r\n" + OK


def test_recv_each_tells_every_arrival_once(world):
    world.say(START % ECHO)
    fault(world, "recv_each")
    for mode in (1, 5):
        world.say("AT+CIPRXGET=%d" % mode)
        assert [send_cip(world, b"abc")[1].count(b"+CIPRXGET: 1,0") for _ in range(2)] == [1, 1]
        world.say("AT+CIPRXGET=2,0,1460")


def test_closed_first_tells_the_close_before_the_last_data(world):
    fault(world, "closed_first")
    assert world.say(START % GOODBYE) == CONNECTED + b"\r\n0, CLOSED\r\n\r\n+CIPRXGET: 1,0\r\n"
    assert b"last words" in world.say("AT+CIPRXGET=2,0,1460")


def test_closed_drops_loses_the_unread(world):
    fault(world, "closed_drops")
    world.say(START % GOODBYE)
    assert world.say("AT+CIPRXGET=2,0,1460") == b"\r\n+CIPRXGET: 2,0,0,0\r\n" + OK


def test_an_overrun_bites_the_beginning_off_a_pushed_packet(world):
    world.say("AT+CIPRXGET=0")
    fault(world, "overrun", match="+RECEIVE", at=2, bytes=2)
    assert world.say(START % GOODBYE) == CONNECTED + b"\r\nECEIVE,0,10:\r\nlast words\r\n0, CLOSED\r\n"


def test_rxf_counted_makes_the_line_end_part_of_the_data(world):
    fault(world, "rxf_counted")
    world.say("AT+CIPRXF=0")
    world.say(START % GOODBYE)
    assert world.say("AT+CIPRXGET=2,0,1460") == b"\r\n+CIPRXGET: 2,0,12,0\r\nlast words\r\n" + OK
    world.say("AT+CIPRXGET=0")
    assert b"\r\n+RECEIVE,0,12:\r\nlast words\r\n\r\n0, CLOSED\r\n" in world.say(START % GOODBYE)
    world.say("AT+CIPRXF=1")
    assert b"\r\n+RECEIVE,0,10:\r\nlast words\r\n0, CLOSED\r\n" in world.say(START % GOODBYE)


def test_read_glued_has_no_line_end_before_the_data(world):
    world.say(START % GOODBYE)
    fault(world, "read_glued")
    assert world.say("AT+CIPRXGET=2,0,1460") == b"\r\n+CIPRXGET: 2,0,10,0last words" + OK
    assert world.say("AT+CIPRXGET=2,0,1460") == b"\r\n+CIPRXGET: 2,0,0,0\r\n" + OK


# --- services --------------------------------------------------------------------------------------------


def located(world):
    return world.say("AT+CIPGSMLOC=1,1").split(b"\r\n")[1]


def test_the_cell_position_may_fail_swap_or_be_nowhere(world):
    world.say("AT+SAPBR=1,1")
    fault(world, "lbs_error", code=604)
    assert located(world) == b"+CIPGSMLOC: 604"
    assert located(world).startswith(b"+CIPGSMLOC: 0,029.")
    fault(world, "lbs_swapped")
    assert located(world).startswith(b"+CIPGSMLOC: 0,106.")
    fault(world, "lbs_zero")
    assert located(world).startswith(b"+CIPGSMLOC: 0,000.0000000,000.0000000,2026/")


def test_no_tts_and_no_gnss_are_told_as_unsupported(world):
    fault(world, "no_tts")
    fault(world, "no_gnss")
    for command in ('AT+CTTS=1,"6B22"', "AT+CTTS=?", "AT+CGNSPWR=1", "AT+CGNSINF", "AT+CGNSPWR=?"):
        assert world.say(command) == b"\r\n+CME ERROR: 4\r\n"


def test_gnss_pseudo_claims_a_fix_at_0_0(world):
    world.core.services.sky = False
    world.say("AT+CGNSPWR=1")
    fault(world, "gnss_pseudo")
    assert b",0.000000,0.000000," in world.say("AT+CGNSINF") and b"+CGNSINF: 1,1," in world.say("AT+CGNSINF")


def test_tts_silent_never_tells_the_end(world):
    fault(world, "tts_silent")
    assert world.say('AT+CTTS=1,"6B22"', 600000) == OK
    assert world.say('AT+CTTS=1,"6B22"') == OK + b"\r\n+CTTS:0\r\n"


# --- the tables ------------------------------------------------------------------------------------------


def test_every_pitfall_is_there_for_this_family():
    assert sorted({number for number, _, families in PITFALLS if "luat" in families}) == list(range(1, 21))
    assert {name for _, name, families in PITFALLS if name and "luat" in families} <= set(of_family("luat"))


def test_no_fault_is_without_a_test_here():
    with open(__file__) as file:
        text = file.read()
    assert [name for name in of_family("luat") if '"%s"' % name not in text] == []
