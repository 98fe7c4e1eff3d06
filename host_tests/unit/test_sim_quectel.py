"""The simulated Quectel modem's conversation, boot, power, SIM and network, byte for byte; on both interpreters."""

import pytest
from drivers import sim_world
from drivers.sim_world import World
from hypothesis import given, settings
from hypothesis import strategies as st

OK = b"\r\nOK\r\n"
BANNER = b"\r\nRDY\r\n\r\n+CPIN: READY\r\n\r\n+QUSIM: 1\r\n\r\n+QIND: SMS DONE\r\n\r\n+QIND: PB DONE\r\n"
HERE = 'AT+QURCCFG="urcport","uart1"'

# command -> the whole answer after the echo, at latency 0, registered and without a data call
ANSWERS = {
    "AT": OK,
    "ATI": b"\r\nQuectel\r\nEC200U\r\nRevision: EC200UCNAAR01A04M08\r\n" + OK,
    "AT+CGMI": b"\r\nQuectel\r\n" + OK,
    "AT+CGMM": b"\r\nEC200U\r\n" + OK,
    "AT+CGMR": b"\r\nEC200UCNAAR01A04M08\r\n" + OK,
    "AT+CGSN": b"\r\n866262050000025\r\n" + OK,
    "AT+CIMI": b"\r\n460001234567890\r\n" + OK,
    "AT+QCCID": b"\r\n+QCCID: 898604A1192490075609\r\n" + OK,
    "AT+CPIN?": b"\r\n+CPIN: READY\r\n" + OK,
    "AT+CSQ": b"\r\n+CSQ: 28,99\r\n" + OK,
    "AT+CESQ": b"\r\n+CESQ: 99,99,255,255,20,56\r\n" + OK,
    "AT+QCSQ": b'\r\n+QCSQ: "LTE",-57,-85,160,-10\r\n' + OK,
    "AT+CEREG?": b"\r\n+CEREG: 0,1\r\n" + OK,
    "AT+COPS?": b'\r\n+COPS: 0,0,"CHINA MOBILE",7\r\n' + OK,
    "AT+QNWINFO": b'\r\n+QNWINFO: "FDD LTE","46000","LTE BAND 3",1650\r\n' + OK,
    'AT+QENG="servingcell"': b'\r\n+QENG: "servingcell","NOCONN","LTE","FDD",460,00,A75E6C3,37,1650,3,5,5,230A,'
    b"-85,-10,-57,15,9\r\n" + OK,
    "AT+CFUN?": b"\r\n+CFUN: 1\r\n" + OK,
    "AT+CBC": b"\r\n+CBC: 0,80,3800\r\n" + OK,
    "AT+CGATT?": b"\r\n+CGATT: 1\r\n" + OK,
    "AT+CGACT?": b"\r\n+CGACT: 1,1\r\n" + OK,
    "AT+QIACT?": OK,  # an empty list
    "AT+QISTATE?": OK,
    "AT+QISTATE=1,0": OK,
    "AT+QICLOSE=3": OK,
    "AT+QIRD=0,1500": b"\r\nERROR\r\n",
    "AT+QISEND=0,4": b"\r\nERROR\r\n",
    'AT+QIDNSCFG=1,"223.5.5.5","114.114.114.114"': b"\r\nERROR\r\n",
    'AT+QIDNSGIP=1,"a.b"': b"\r\nERROR\r\n",
    'AT+QCELLLOC': b"\r\n+CME ERROR: 4\r\n",
    'AT+QURCCFG="urcport"': b'\r\n+QURCCFG: "urcport","usbat"\r\n' + OK,
    'AT+QURCCFG="urcport","nowhere"': b"\r\nERROR\r\n",
    "AT+QGPSLOC=2": b"\r\n+CME ERROR: 505\r\n",
    "AT+QGPSEND": b"\r\n+CME ERROR: 505\r\n",
    "AT+QTTS?": b"\r\n+QTTS: 0\r\n" + OK,
    "AT+NOSUCH": b"\r\nERROR\r\n",
    "AT+NETOPEN": b"\r\nERROR\r\n",
    "AT+IPR=115200;&W": OK,
}


@pytest.fixture
def world():
    """A modem without delays that has booted, URCs at another port."""
    made = World(family="quectel")
    made.run()
    return made


def ready(**options):
    """Return a modem with its data call open, echo off, URCs here."""
    return World(family="quectel", **options).ready()


def turn(world, name, *values):
    world.core.post(world.now, getattr(world.core.radio, name), *values)
    return world.run()


@pytest.mark.parametrize("command", ANSWERS)
def test_a_command_is_echoed_and_answered_byte_for_byte(world, command):
    assert world.say(command) == command.encode() + b"\r" + ANSWERS[command]


def test_every_model_tells_its_own_name_and_revision():
    world = World(family="quectel", settings={"model": "EC800M"})
    world.run()
    assert world.say("ATI").endswith(b"\r\nQuectel\r\nEC800M\r\nRevision: EC800MCNGAR06A06M08\r\n" + OK)


# --- boot and power --------------------------------------------------------------------------------------


def test_without_latency_the_whole_banner_comes_at_once():
    assert World(family="quectel").run() == BANNER


def test_the_boot_takes_its_time_keeps_its_order_and_swallows_what_comes_too_early():
    world = World(family="quectel", latency=100)
    assert world.say("AT", 2000) == b""
    assert world.run(20000) == BANNER


def test_the_banner_of_a_modem_without_SIM_or_with_a_locked_one_is_short():
    for state, banner in (("absent", b"\r\nRDY\r\n"), ("pin", b"\r\nRDY\r\n\r\n+CPIN: SIM PIN\r\n")):
        world = World(on=False, family="quectel")
        world.core.radio.set_sim(state)
        world.core.power(0, True)
        assert world.run() == banner


def test_the_key_starts_after_two_seconds_and_a_short_press_stops_a_running_modem():
    world = World(on=False, family="quectel")
    world.core.power_key(0, True)
    assert world.run(1900) == b""
    assert world.run(200) == BANNER
    world.core.power_key(world.now, False)
    world.core.power_key(world.now, True)
    world.run(700)
    assert not world.core.is_on


def test_some_models_start_sooner():
    world = World(on=False, family="quectel", settings={"model": "EC800M", "key_on_ms": 700})
    world.core.power_key(0, True)
    assert world.run(699) == b"" and world.run(1) == BANNER


def test_the_reset_key_restarts(world):
    world.core.reset_key(world.now, True)
    world.run(500)
    world.core.reset_key(world.now, False)
    assert world.run() == BANNER


@pytest.mark.parametrize(("command", "on"), [("AT+QPOWD", False), ("AT+QPOWD=0", False), ("AT+QPOWD=1", False)])
def test_QPOWD_answers_OK_then_POWERED_DOWN_and_is_gone(world, command, on):
    world.say("ATE0")
    assert world.say(command) == OK + b"\r\nPOWERED DOWN\r\n"
    assert world.say("AT", 60000) == b"" and world.core.is_on == on


@pytest.mark.parametrize("command", ["AT+QPOWD=2", "AT+CFUN=1,1"])
def test_a_restart_by_command_answers_OK_and_boots_with_echo_on(world, command):
    world.say("ATE0")
    assert world.say(command) == OK + BANNER
    assert world.say("AT") == b"AT\r" + OK


def test_a_rate_is_kept_only_with_W(world):
    for command, baud in (("AT+IPR=9600", 115200), ("AT+IPR=57600;&W", 57600)):
        assert world.say(command).endswith(OK)
        world.core.post(world.now, world.core.restart, False)
        world.run()
        assert world.core.baud == baud


# --- URC port --------------------------------------------------------------------------------------------


def test_URCs_go_elsewhere_until_QURCCFG_at_each_boot(world):
    world.say("ATE0")
    world.say("AT+CEREG=1")
    assert turn(world, "set_signal", None) == b""
    assert world.say(HERE) == OK
    assert turn(world, "set_signal", -85).endswith(b"\r\n+CEREG: 1\r\n")
    world.core.post(world.now, world.core.restart, False)
    assert world.run() == BANNER
    world.say("AT+CEREG=1")
    assert turn(world, "set_signal", None) == b""


def test_the_result_of_an_opening_goes_elsewhere_too(world):
    world.say("AT+QIACT=1")
    assert world.say('AT+QIOPEN=1,0,"TCP","a.b",9').endswith(OK)
    assert b'+QISTATE: 0,"TCP","127.0.0.1",9,49153,2,1,0,0,"uart1"' in world.say("AT+QISTATE=1,0")


# --- SIM and registration --------------------------------------------------------------------------------


def test_a_pulled_SIM_is_told_only_when_asked():
    world = ready()
    assert turn(world, "set_sim", "absent") == b'\r\n+QIURC: "pdpdeact",1\r\n'
    assert world.say("AT+CPIN?") == b"\r\n+CME ERROR: 10\r\n"
    assert world.say("AT+QCCID") == b"\r\n+CME ERROR: 10\r\n"
    assert turn(world, "set_sim", "ready") == b"\r\n+CPIN: READY\r\n"


def test_three_wrong_PINs_lock_the_SIM():
    world = ready()
    turn(world, "set_sim", "pin")
    assert world.say("AT+CPIN?") == b"\r\n+CPIN: SIM PIN\r\n" + OK
    answers = [world.say('AT+CPIN="0000"') for _ in range(3)]
    assert answers == [b"\r\n+CME ERROR: 16\r\n"] * 2 + [b"\r\n+CME ERROR: 12\r\n"]
    assert world.say("AT+CPIN?") == b"\r\n+CPIN: SIM PUK\r\n" + OK
    assert world.say('AT+CPIN="1234"') == b"\r\n+CME ERROR: 3\r\n"


def test_the_right_PIN_opens_the_SIM_and_it_registers():
    world = ready()
    turn(world, "set_sim", "pin")
    assert world.say('AT+CPIN="1234"') == OK + b"\r\n+CPIN: READY\r\n"
    assert world.say("AT+CEREG?") == b"\r\n+CEREG: 0,1\r\n" + OK


@pytest.mark.parametrize(
    ("stat", "answer"), [(2, b"2"), (3, b"3"), (5, b'5,"230A","A75E6C3",7')]
)
def test_the_networks_word_is_told_as_it_is(stat, answer):
    world = ready()
    world.say("AT+CEREG=2")
    assert b"\r\n+CEREG: " + answer + b"\r\n" in turn(world, "set_registration", stat)
    assert world.say("AT+CEREG?") == b"\r\n+CEREG: 2," + answer + b"\r\n" + OK


def test_without_a_cell_the_signal_is_unknown():
    world = ready()
    turn(world, "set_signal", None)
    assert world.say("AT+CSQ") == b"\r\n+CSQ: 99,99\r\n" + OK
    assert world.say("AT+QCSQ") == b'\r\n+QCSQ: "NOSERVICE"\r\n' + OK
    assert world.say('AT+QENG="servingcell"') == b'\r\n+QENG: "servingcell","SEARCH"\r\n' + OK


# --- both interpreters -----------------------------------------------------------------------------------

STEPS = st.lists(
    st.sampled_from(
        [
            *ANSWERS,
            "ATE0",
            HERE,
            "AT+QISDE=0",
            "AT+CFUN=0",
            "AT+CFUN=1",
            "AT+QIACT=1",
            "AT+QIDEACT=1",
            'AT+QIOPEN=1,0,"TCP","a.b",7',
            'AT+QIOPEN=1,1,"TCP","a.b",13,0,1',
            "AT+QISEND=0,4",
            "AT+QISEND=0",
            "\r\nOK\x1a",
            "abcd",
            "AT+QIRD=0,3",
            "AT+QIRD=0,0",
            "AT+QICLOSE=0",
            "AT+QGPS=1",
            "AT+QGPSLOC=0",
            "AT+QLTS=2",
            'AT+QTTS=1,"6B228FCE"',
            'AT+QPING=1,"a.b",1,2',
            "AT+QLBS",
        ]
    ),
    max_size=12,
)


@settings(max_examples=60, deadline=None)
@given(STEPS, st.data())
def test_any_chunking_of_the_input_gives_the_same_output(micropython, commands, data):
    # no send among them: what stands in the UART's queue at its prompt is lost, so there the chunking does count
    stream = "".join(command + "\r" for command in commands if "QISEND" not in command).encode()
    whole = World(family="quectel")
    expected = whole.run() + whole.put(stream)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=6)))
    pieces = [stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    case = {"family": "quectel", "steps": [["run", 0], *(["hex", piece.hex()] for piece in pieces)]}
    result = sim_world.run(case)
    assert bytes.fromhex("".join(result["out"])) == expected
    assert micropython.call("sim_world", case) == result


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("say"), STEPS.map(lambda some: some[0] if some else "AT"), st.integers(0, 3000)),
            st.tuples(st.just("run"), st.integers(0, 20000)),
            st.tuples(st.just("key"), st.booleans()),
            st.tuples(st.just("fault"), st.sampled_from(["pdp_drift", "hung", "dribble", "bearer_elsewhere", "peer_dead"])),
            st.tuples(st.just("knob"), st.just("radio"), st.just("set_credit"), st.booleans()),
            st.tuples(st.just("knob"), st.just("radio"), st.just("set_signal"), st.sampled_from([-80, -140])),
            st.tuples(st.just("knob"), st.just("links"), st.just("set_alive"), st.booleans()),
        ),
        max_size=15,
    ),
    st.integers(0, 65535),
)
def test_both_interpreters_play_the_same_modem(micropython, steps, seed):
    case = {"family": "quectel", "latency": 100, "rtt": 60, "seed": seed, "steps": [["run", 20000], *map(list, steps)]}
    assert micropython.call("sim_world", case) == sim_world.run(case)
