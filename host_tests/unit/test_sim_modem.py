"""The simulated modem's conversation, boot and power, byte for byte; on CPython and again on MicroPython."""

import pytest
from drivers import sim_world
from drivers.sim_world import World
from hypothesis import given, settings
from hypothesis import strategies as st

BANNER = b"\r\n*ATREADY: 1\r\n\r\n+CPIN: READY\r\n\r\nSMS DONE\r\n\r\nPB DONE\r\n\r\n+CGEV: EPS PDN ACT 1\r\n"

# command -> the whole answer after the echo, at latency 0, registered and without a data call
ANSWERS = {
    "AT": b"\r\nOK\r\n",
    "at": b"\r\nOK\r\n",
    "AT+CSQ": b"\r\n+CSQ: 28,99\r\n\r\nOK\r\n",
    "AT+CESQ": b"\r\n+CESQ: 99,99,255,255,20,56\r\n\r\nOK\r\n",
    "AT+CEREG?": b"\r\n+CEREG: 0,1\r\n\r\nOK\r\n",
    "AT+CREG?": b"\r\n+CREG: 0,1\r\n\r\nOK\r\n",
    "AT+CPIN?": b"\r\n+CPIN: READY\r\n\r\nOK\r\n",
    "AT+CGSN": b"\r\n866262050000017\r\n\r\nOK\r\n",
    "AT+CIMI": b"\r\n460001234567890\r\n\r\nOK\r\n",
    "AT+CICCID": b"\r\n+ICCID: 89860012345678901234\r\n\r\nOK\r\n",
    "AT+COPS?": b'\r\n+COPS: 0,0,"CHINA MOBILE",7\r\n\r\nOK\r\n',
    "AT+CPSI?": b"\r\n+CPSI: LTE,Online,460-00,0x230A,175498947,318,EUTRAN-BAND3,1650,5,0,28,56,255,19\r\n"
    b"\r\nOK\r\n",
    "AT+CGATT?": b"\r\n+CGATT: 1\r\n\r\nOK\r\n",
    "AT+CGACT?": b"\r\n+CGACT: 1,1\r\n\r\nOK\r\n",
    "AT+CGPADDR": b"\r\n+CGPADDR: 1,10.71.155.118\r\n\r\nOK\r\n",
    "AT+NETOPEN?": b"\r\n+NETOPEN: 0\r\n\r\nOK\r\n",
    "AT+NETCLOSE": b"\r\n+NETCLOSE: 2\r\n\r\nERROR\r\n",
    "AT+IPADDR": b"\r\n+IP ERROR: Network not opened\r\n\r\nERROR\r\n",
    "AT+CBC": b"\r\n+CBC: 3.749V\r\n\r\nOK\r\n",
    "AT+CFUN?": b"\r\n+CFUN: 1\r\n\r\nOK\r\n",
    "AT+CIPMODE?": b"\r\n+CIPMODE: 0\r\n\r\nOK\r\n",
    "AT+CMEE=1;+CFUN?;+CMEE?": b"\r\n+CFUN: 1\r\n+CMEE: 1\r\n\r\nOK\r\n",
    "AT+CSQ;+NOSUCH;+CFUN?": b"\r\n+CSQ: 28,99\r\n\r\nERROR\r\n",
    "AT+NOSUCH=1": b"\r\nERROR\r\n",
    "AT+CTTSPARAM=?": b"\r\n+CTTSPARAM: (0-2),(0-3),(0-3),(0-2),(0-2)\r\n\r\nOK\r\n",
    "AT+CTTS=?": b"\r\n+CTTS: (0-2)\r\n\r\nOK\r\n",
    "AT&W": b"\r\nOK\r\n",
}


@pytest.fixture
def world():
    """A modem without delays that has booted."""
    made = World()
    made.run()
    return made


@pytest.mark.parametrize("command", ANSWERS)
def test_a_command_is_echoed_and_answered_byte_for_byte(world, command):
    assert world.say(command) == command.encode() + b"\r" + ANSWERS[command]


def test_without_echo_only_the_answer_comes(world):
    assert world.say("ATE0") == b"ATE0\r\r\nOK\r\n"
    assert world.say("AT+CSQ") == b"\r\n+CSQ: 28,99\r\n\r\nOK\r\n"


def test_a_line_feed_after_the_command_changes_nothing(world):
    assert world.put(b"AT\r\nAT\r\n") == b"AT\r\r\nOK\r\nAT\r\r\nOK\r\n"


def test_what_stands_before_AT_is_no_command(world):
    assert world.put(b"\x1aAT\r").endswith(b"\r\nOK\r\n")
    assert world.put(b"nonsense\r") == b"nonsense\r"


def test_CMEE_chooses_how_an_error_is_told():
    world = World()
    world.core.radio.set_sim("absent")
    world.run()
    world.say("ATE0")
    assert world.say("AT+CPIN?") == b"\r\n+CME ERROR: SIM not inserted\r\n"
    world.say("AT+CMEE=1")
    assert world.say("AT+CPIN?") == b"\r\n+CME ERROR: 10\r\n"
    world.say("AT+CMEE=0")
    assert world.say("AT+CPIN?") == b"\r\nERROR\r\n"


def test_the_boot_takes_its_time_and_swallows_what_comes_too_early():
    world = World(latency=100)
    assert world.say("AT", 5000) == b""
    said = world.run(20000)
    assert said.startswith(b"\r\n*ATREADY: 1\r\n\r\n+CPIN: READY\r\n")
    assert sorted(said.split(b"\r\n")) == sorted(BANNER.split(b"\r\n"))
    assert world.core.mode == "command"


def test_without_latency_the_whole_banner_comes_at_once():
    assert World().run() == BANNER


def test_the_banner_of_a_modem_without_SIM_says_so():
    world = World(on=False)
    world.core.radio.set_sim("absent")
    world.core.power(0, True)
    assert world.run() == b"\r\n*ATREADY: 1\r\n\r\n+SIMCARD: NOT AVAILABLE\r\n\r\nSMS DONE\r\n\r\nPB DONE\r\n"
    world.say("ATE0")
    assert world.say("AT+CEREG?") == b"\r\n+CEREG: 0,0\r\n\r\nOK\r\n"


def test_a_short_press_of_the_key_starts_and_only_a_long_one_stops():
    world = World(on=False)
    world.core.power_key(0, True)
    world.run(30)
    world.core.power_key(world.now, False)
    assert world.run(1000) == b"" and not world.core.is_on
    world.core.power_key(world.now, True)
    assert world.run(100) == BANNER
    world.core.power_key(world.now, False)
    world.core.power_key(world.now, True)
    world.run(2000)
    world.core.power_key(world.now, False)
    assert world.core.is_on
    world.core.power_key(world.now, True)
    world.run(2600)
    assert not world.core.is_on
    assert world.core.counters["power_cycles"] == 1


def test_a_key_pulse_told_late_keeps_its_length():
    world = World(on=False)
    world.run(1000)
    world.core.power_key(900, True)
    world.core.power_key(980, False)
    assert world.core.is_on


def test_the_key_does_nothing_within_two_seconds_after_off():
    world = World(latency=100)
    world.run(30000)
    world.core.power(world.now, False)
    world.run(1000)
    world.core.power_key(world.now, True)
    world.run(200)
    world.core.power_key(world.now, False)
    assert not world.core.is_on
    world.run(2000)
    world.core.power_key(world.now, True)
    world.run(200)
    assert world.core.is_on


def test_the_reset_key_restarts_after_two_seconds(world):
    world.core.reset_key(world.now, True)
    world.run(2100)
    world.core.reset_key(world.now, False)
    assert world.run() == BANNER


@pytest.mark.parametrize("command", ["AT+CRESET", "AT+CFUN=1,1"])
def test_a_restart_by_command_answers_OK_then_boots_with_echo_on(world, command):
    world.say("ATE0")
    assert world.say(command) == b"\r\nOK\r\n" + BANNER
    assert world.say("AT") == b"AT\r\r\nOK\r\n"
    assert world.core.counters["power_cycles"] == 1


def test_a_restart_by_itself_is_no_power_cycle(world):
    world.core.post(world.now, world.core.restart, False)
    assert world.run() == BANNER
    assert world.core.counters["power_cycles"] == 0 and world.core.counters["self_reboots"] == 1


def test_CPOF_answers_and_then_the_modem_is_gone(world):
    assert world.say("AT+CPOF") == b"AT+CPOF\r\r\nOK\r\n"
    assert world.say("AT", 60000) == b""


def test_IPR_holds_until_the_restart_and_IPREX_for_good(world):
    world.say("AT+IPR=9600")
    assert world.put(b"AT\r", baud=115200) == b""
    assert world.core.counters["framing_errors"] == 3
    assert world.put(b"AT\r", baud=9600) == b"AT\r\r\nOK\r\n"
    world.core.post(world.now, world.core.restart, False)
    world.run()
    assert world.put(b"AT+IPREX=57600\r", baud=115200).endswith(b"OK\r\n")
    world.core.post(world.now, world.core.restart, False)
    world.run()
    assert world.put(b"AT\r", baud=57600) == b"AT\r\r\nOK\r\n"


def test_a_modem_that_finds_the_rate_itself_swallows_the_first_AT():
    world = World(settings={"baud": 0})
    world.run()
    assert world.say("AT") == b""
    assert world.say("AT") == b"AT\r\r\nOK\r\n"


def test_a_mute_modem_says_nothing_at_all(world):
    world.core.muted = True
    assert world.say("AT") == b""
    world.core.post(world.now, world.core.radio.set_bearer, False)
    assert world.run(1000) == b""
    world.core.muted = False
    assert world.say("AT") == b"AT\r\r\nOK\r\n"


def test_the_next_command_waits_while_one_is_carried_out():
    world = World(latency=100).ready()
    assert world.put(b"AT\rAT+CSQ\r") == b""
    assert world.run(50) == b"\r\nOK\r\n\r\n+CSQ: 28,99\r\n\r\nOK\r\n"


def test_next_ms_tells_exactly_when_something_happens():
    world = World(latency=100).ready()
    world.put(b"AT\r")
    due = world.core.next_ms(world.now)
    world.core.advance(due - 1)
    assert world.core.take() == b""
    world.core.advance(due)
    assert world.core.take() == b"\r\nOK\r\n"
    assert world.core.next_ms(due) is None


def test_an_added_delay_holds_for_every_command(world):
    world.core.extra_delay_ms = 700
    assert world.say("AT", 699) == b"AT\r"
    assert world.run(1) == b"\r\nOK\r\n"


def test_input_beyond_what_the_UART_holds_is_lost():
    world = World(latency=100).ready()
    world.put(b"AT\r")
    world.put(b"x" * 5000)
    assert world.core.counters["uart_lost"] == 5000


def test_output_that_nobody_takes_is_bounded(world):
    for _ in range(3000):
        world.core.feed(world.now, b"ATI\r")
    assert len(world.core.take()) <= 65536
    assert world.core.counters["uart_lost"] > 0


# no restart among them: what stands in the UART's queue then is lost, so there the chunking does count
STEPS = st.lists(
    st.sampled_from(
        [
            *ANSWERS,
            "ATE0",
            "ATE1",
            "AT+CMEE=2",
            "AT+CEREG=2",
            "AT+CFUN=0",
            "AT+CFUN=1",
            "AT+CTZU=1",
            "AT+CCLK?",
            "AT+NETOPEN",
            "AT+CIPRXGET=1",
            'AT+CIPOPEN=0,"TCP","a.b",7',
            "AT+CIPSEND=0,4",
            "AT+CIPSEND=0,",
            "\r\nOK\x1a",
            "abcd",
            "AT+CIPRXGET=2,0,3",
            "AT+CIPRXGET=4,0",
            "AT+CIPCLOSE=0",
            'AT+CDNSGIP="x.y"',
            'AT+CTTS=1,"6B228FCE"',
        ]
    ),
    max_size=12,
)


@settings(max_examples=60, deadline=None)
@given(STEPS, st.data())
def test_any_chunking_of_the_input_gives_the_same_output(micropython, commands, data):
    # no send that gets its prompt among them: what stands in the UART's queue then is lost, so there the chunking does count
    stream = "".join(command + "\r" for command in commands if command != "AT+CIPSEND=0,4").encode()
    whole = World()
    expected = whole.run() + whole.put(stream)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=6)))
    pieces = [stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    case = {"steps": [["run", 0], *(["hex", piece.hex()] for piece in pieces)]}
    result = sim_world.run(case)
    assert bytes.fromhex("".join(result["out"])) == expected
    assert micropython.call("sim_world", case) == result


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.one_of(
            st.tuples(
                st.just("say"), STEPS.map(lambda some: some[0] if some else "AT"), st.integers(0, 3000)
            ),
            st.tuples(st.just("run"), st.integers(0, 20000)),
            st.tuples(st.just("key"), st.booleans()),
            st.tuples(st.just("knob"), st.just("radio"), st.just("set_bearer"), st.booleans()),
            st.tuples(st.just("knob"), st.just("radio"), st.just("set_signal"), st.sampled_from([-80, -140])),
            st.tuples(
                st.just("knob"), st.just("radio"), st.just("set_sim"), st.sampled_from(["ready", "absent"])
            ),
            st.tuples(st.just("knob"), st.just("links"), st.just("set_alive"), st.booleans()),
        ),
        max_size=15,
    ),
    st.integers(0, 65535),
)
def test_both_interpreters_play_the_same_modem(micropython, steps, seed):
    case = {"latency": 100, "rtt": 60, "seed": seed, "steps": [["run", 20000], *map(list, steps)]}
    assert micropython.call("sim_world", case) == sim_world.run(case)
