"""The simulated Quectel modem's clock, GNSS, cell position and speech, byte for byte."""

import pytest
from drivers.sim_world import World

from host_tests.sim.track import Track

OK = b"\r\nOK\r\n"
ERROR = b"\r\nERROR\r\n"
TOKEN = 'AT+QLBSCFG="token","1234567890123456"'


@pytest.fixture
def world():
    """A modem without delays: data call open, echo off, URCs here."""
    return World(family="quectel").ready()


def fault(world, name, **params):
    world.core.faults.set(name, True, None, "", params)


def cme(code):
    return b"\r\n+CME ERROR: %d\r\n" % code


# --- clock -----------------------------------------------------------------------------------------------


def test_the_networks_time_is_known_without_data_and_without_CTZU(world):
    world.say("AT+QIDEACT=1")
    assert world.say("AT+QLTS=2") == b'\r\n+QLTS: "2026/01/01,09:21:00+32,0"\r\n' + OK
    assert world.say("AT+QLTS=1") == b'\r\n+QLTS: "2026/01/01,01:21:00+32,0"\r\n' + OK
    assert world.say("AT+QLTS") == b'\r\n+QLTS: "2026/01/01,09:20:00+32,0"\r\n' + OK
    assert world.say("AT+CCLK?").startswith(b'\r\n+CCLK: "80/01/06,')
    world.say("AT+CTZU=1")
    assert world.say("AT+CCLK?") == b'\r\n+CCLK: "26/01/01,09:21:00+32"\r\n' + OK


def test_no_time_is_told_by_a_network_that_tells_none():
    world = World(family="quectel", on=False)
    world.core.radio.set_time(0, None)
    world.core.power(0, True)
    world.ready()
    assert world.say("AT+QLTS=2") == b'\r\n+QLTS: ""\r\n' + OK
    assert world.say('AT+QNTP=1,"ntp.aliyun.com",123') == OK + b"\r\n+QNTP: 569\r\n"


def test_a_time_server_is_told_in_UTC_despite_its_zone(world):
    assert world.say('AT+QNTP=1,"ntp.aliyun.com",123') == OK + b'\r\n+QNTP: 0,"2026/01/01,01:21:00+32"\r\n'
    world.say("AT+QIDEACT=1")
    assert world.say('AT+QNTP=1,"ntp.aliyun.com",123') == OK + b"\r\n+QNTP: 561\r\n"


# --- GNSS ------------------------------------------------------------------------------------------------


def test_a_fix_is_told_in_both_forms(world):
    world.core.services.track = Track([(0, 318453700, 1171988200, 401)])
    assert world.say("AT+QGPS=1") == OK
    rest = b"0.9,40.1,3,0.00,0.0,0.0,010126,09\r\n" + OK
    assert world.say("AT+QGPSLOC=2") == b"\r\n+QGPSLOC: 012100.000,31.84537,117.19882," + rest
    assert world.say("AT+QGPSLOC=0") == b"\r\n+QGPSLOC: 012100.000,3150.7222N,11711.9292E," + rest


def test_the_receiver_runs_on_by_itself_until_it_is_stopped(world):
    world.say("AT+QGPS=1")
    assert world.say("AT+QGPS=1") == cme(504)
    assert world.say("AT+QGPS?") == b"\r\n+QGPS: 1\r\n" + OK
    assert world.say("AT+QGPSEND") == OK
    assert world.say("AT+QGPS?") == b"\r\n+QGPS: 0\r\n" + OK
    assert world.say("AT+QGPSLOC=2") == cme(505)


def test_the_receiver_is_busy_after_the_boot_and_takes_its_time_to_a_fix():
    world = World(family="quectel", latency=100)
    world.run(2500)
    while world.core.mode == "booting":
        world.run(10)
    assert world.say("AT+QGPS=1", 10).endswith(cme(503))
    world.run(5000)
    assert OK in world.say("AT+QGPS=1", 10)
    assert cme(516) in world.say("AT+QGPSLOC=2", 40000)
    assert b"+QGPSLOC: " in world.run(110000) + world.say("AT+QGPSLOC=2", 10)


def test_without_sky_there_is_no_fix(world):
    world.say("AT+QGPS=1")
    world.core.services.sky = False
    assert world.say("AT+QGPSLOC=2") == cme(516)
    world.say("AT+CMEE=2")
    assert world.say("AT+QGPSLOC=2") == b"\r\n+CME ERROR: Not fixed now\r\n"


def test_an_EG800K_says_more_when_its_receiver_starts():
    world = World(family="quectel", settings={"model": "EG800K"}).ready()
    assert world.say("AT+QGPS=1") == b'\r\n+QGPS: "firmware",0,0\r\n' + OK


def test_a_modem_without_receiver_knows_none_of_its_commands():
    world = World(family="quectel", settings={"gnss": False}).ready()
    for command in ("AT+QGPS=1", "AT+QGPS=?", "AT+QGPS?", "AT+QGPSLOC=2", "AT+QGPSEND"):
        assert world.say(command) == ERROR


# --- cell position ---------------------------------------------------------------------------------------


def test_the_cell_is_told_longitude_first_unless_asked_otherwise(world):
    assert world.say("AT+QLBS") == b"\r\n+QLBS: 10002\r\n" + OK
    assert world.say('AT+QLBSCFG="token","short"') == ERROR
    assert world.say(TOKEN) == OK
    assert world.say('AT+QLBSCFG="token"') == b'\r\n+QLBSCFG: "token","****"\r\n' + OK
    lng, lat = world.say("AT+QLBS").split(b"\r\n")[1][len(b"+QLBS: 0,") :].split(b",")
    assert lng.startswith(b"106.") and lat.startswith(b"29.")
    assert world.say('AT+QLBSCFG="latorder",1') == OK
    assert world.say('AT+QLBSCFG="latorder"') == b'\r\n+QLBSCFG: "latOrder",1\r\n' + OK
    assert world.say("AT+QLBS").startswith(b"\r\n+QLBS: 0,29.")


def test_the_cell_may_be_told_after_OK(world):
    world.say(TOKEN)
    assert world.say('AT+QLBSCFG="asynch",1') == OK
    assert world.say("AT+QLBS").startswith(OK + b"\r\n+QLBS: 0,106.")


def test_a_cell_that_nobody_knows_or_can_ask_for_is_an_error(world):
    world.say(TOKEN)
    world.core.services.cells_ok = False
    assert world.say("AT+QLBS") == b"\r\n+QLBS: 10000\r\n" + OK
    world.say("AT+QIDEACT=1")
    assert world.say("AT+QLBS") == b"\r\n+QLBS: 702\r\n" + OK


def test_QCELLLOC_is_there_on_older_modems_only():
    assert World(family="quectel").ready().say("AT+QCELLLOC") == cme(4)
    world = World(family="quectel", settings={"qcellloc": True}).ready()
    assert world.say('AT+QLOCCFG="token","1234567890123456";+QCELLLOC').startswith(b"\r\n+QCELLLOC: 106.")


# --- speech ----------------------------------------------------------------------------------------------


def test_a_text_is_spoken_and_its_end_is_told(world):
    assert world.say('AT+QTTS=1,"6B228FCE4F7F752879FB8FDC6A215757"') == OK + b"\r\n+QTTS: 0\r\n"
    assert ["tts", "欢迎使用移远模块"] in world.events
    world.put(b'AT+QTTS=2,"' + "欢迎".encode("gbk") + b'"\r')
    assert ["tts", "欢迎"] in world.events


def test_speaking_takes_its_time_and_is_stopped_by_0():
    world = World(family="quectel", latency=100).ready()
    assert world.say('AT+QTTS=2,"%s"' % ("a" * 100), 20) == OK
    assert world.say("AT+QTTS?", 20) == b"\r\n+QTTS: 1\r\n" + OK
    assert world.say('AT+QTTS=2,"b"', 20) == cme(904)
    assert world.say('AT+QTTS=0,"b"', 20) == cme(902)
    assert world.say("AT+QTTS=0", 20) == OK + b"\r\n+QTTS: 0\r\n"
    assert world.run(20000) == b""


@pytest.mark.parametrize("arguments", ['3,"a"', '1,"6B2"', '1,"xxxx"', '2,""', "2", '2,"%s"' % ("a" * 549)])
def test_a_wrong_text_is_refused(world, arguments):
    assert world.say("AT+QTTS=" + arguments) == cme(902)


def test_a_modem_without_speech_knows_none_of_its_commands(world):
    assert world.say("AT+QTTS=?") == b'\r\n+QTTS: (0-2),"text"\r\n' + OK
    world.core.services.tts_ok = False
    for command in ("AT+QTTS=?", "AT+QTTS?", 'AT+QTTS=2,"a"', "AT+QTTSETUP=1,2,0"):
        assert world.say(command) == ERROR


def test_the_voice_is_set_and_told(world):
    assert world.say("AT+QTTSETUP=1,2,-5000") == OK
    assert world.say("AT+QTTSETUP=2,2") == b"\r\n+QTTSETUP: 2,-5000\r\n" + OK
    assert world.say("AT+QTTSETUP=1,3,0") == cme(902)
    assert world.say("AT+CLVL=5") == OK and world.say("AT+CLVL?") == b"\r\n+CLVL: 5\r\n" + OK
    assert world.say("AT+CLVL=6") == ERROR
