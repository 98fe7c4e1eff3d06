"""The simulated Luat modem's clock, positions and speech, byte for byte."""

import re

import pytest
from drivers.sim_luat import LuatWorld

from host_tests.sim.calendar import unix_s

OK = b"\r\nOK\r\n"
UNSUPPORTED = b"\r\n+CME ERROR: 4\r\n"
NOT_NOW = b"\r\n+CME ERROR: 3\r\n"
WRONG = b"\r\n+CME ERROR: 53\r\n"
LOCATE = "AT+CIPGSMLOC=1,1"


@pytest.fixture
def world():
    """A modem without delays with an address, echo off."""
    return LuatWorld().ready()


def located(world):
    """Return (latitude, longitude) as CIPGSMLOC tells them, in degrees."""
    fields = world.say(LOCATE).decode().split(": ")[1].split(",")
    return float(fields[1]), float(fields[2])


# --- clock -----------------------------------------------------------------------------------------------


def test_the_network_sets_the_clock_at_registration_without_being_asked():
    world = LuatWorld(on=False)
    world.core.radio.set_time(0, unix_s(2024, 7, 23, 0, 35, 1) * 1000)
    world.core.power(0, True)
    assert b"\r\n+NITZ: 24/07/23,08:35:01+32,0\r\n" in world.run()
    world.trained()
    assert world.say("AT+CCLK?") == b'\r\n+CCLK: "24/07/23,08:35:41+32"\r\n' + OK


def test_a_network_that_tells_no_time_sets_no_clock():
    world = LuatWorld(on=False)
    world.core.radio.set_time(0, None)
    world.core.power(0, True)
    assert b"+NITZ" not in world.run()
    world.trained()
    assert not world.say("AT+CCLK?").startswith(b'\r\n+CCLK: "26/')


# --- cell position ---------------------------------------------------------------------------------------


def test_the_cell_position_needs_its_own_bearer(world):
    assert world.say('AT+SAPBR=3,1,"CONTYPE","GPRS"') == OK
    assert world.say('AT+SAPBR=3,1,"APN",""') == OK
    assert world.say(LOCATE) == b"\r\n+CIPGSMLOC: 601\r\n" + OK
    assert world.say("AT+SAPBR=2,1") == b"\r\n+SAPBR: 1,3,000.000.000.000\r\n" + OK
    assert world.say("AT+SAPBR=1,1") == OK
    assert world.say("AT+SAPBR=1,1") == NOT_NOW
    assert world.say("AT+SAPBR=2,1") == b"\r\n+SAPBR: 1,1,010.169.179.213\r\n" + OK
    assert b"+CIPGSMLOC: 0," in world.say(LOCATE)
    assert world.say("AT+SAPBR=0,1") == OK
    assert world.say(LOCATE) == b"\r\n+CIPGSMLOC: 601\r\n" + OK


def test_the_cell_position_is_near_latitude_first_and_padded(world):
    world.say("AT+SAPBR=1,1")
    said = world.say(LOCATE)
    assert re.match(rb"\r\n\+CIPGSMLOC: 0,029\.\d{7},106\.\d{7},2026/01/01,09:2\d:\d\d\r\n\r\nOK\r\n$", said)
    lat, lng = located(world)
    true_lat, true_lng = world.core.services.track.at(world.now)[:2]
    assert 0 < abs(lat - true_lat / 1e7) < 0.005 and 0 < abs(lng - true_lng / 1e7) < 0.005


def test_without_a_bearer_the_cell_position_cannot_be_asked(world):
    world.core.post(world.now, world.core.radio.set_bearer, False)
    world.run()
    assert world.say("AT+SAPBR=1,1") == b"\r\n+CME ERROR: 148\r\n"


def test_the_cell_position_fails_with_the_code_of_its_cause(world):
    world.say("AT+SAPBR=1,1")
    world.core.services.cells_ok = False
    assert world.say(LOCATE) == b"\r\n+CIPGSMLOC: 404\r\n" + OK
    world.core.post(world.now, world.core.links.set_alive, False)
    assert world.say(LOCATE) == b"\r\n+CIPGSMLOC: 408\r\n" + OK


def test_the_port_waits_for_the_cell_position_half_a_minute_if_need_be():
    world = LuatWorld(latency=100).ready()
    world.say("AT+SAPBR=1,1", 5000)
    world.core.post(world.now, world.core.links.set_alive, False)
    assert world.put((LOCATE + "\rAT\r").encode(), 10000) == b""
    assert world.run(40000) == b"\r\n+CIPGSMLOC: 408\r\n" + OK + OK


# --- GNSS ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("model", ["Air780E", "Air724UG"])
@pytest.mark.parametrize("command", ["AT+CGNSPWR=1", "AT+CGNSPWR=?", "AT+CGNSINF", "AT+CGNSURC=1"])
def test_only_one_model_has_GNSS(model, command):
    assert LuatWorld({"model": model}).trained().say(command) == UNSUPPORTED


def test_GNSS_is_empty_while_off_and_before_the_fix_and_then_tells_the_track():
    world = LuatWorld(latency=100).ready()
    assert world.say("AT+CGNSINF", 20) == b"\r\n+CGNSINF: 0,,,,,,,,,,,,,,,,,,,,\r\n" + OK
    assert world.say("AT+CGNSPWR=1", 20) == OK
    assert re.match(rb"\r\n\+CGNSINF: 1,0,2026010101\d{4},{18}\r\n", world.say("AT+CGNSINF", 20))
    world.run(90000)
    fields = world.say("AT+CGNSINF", 20).decode().split(": ")[1].split("\r\n")[0].split(",")
    lat, lng, alt_dm, speed, course = world.core.services.track.at(world.now)
    assert len(fields) == 21 and fields[:2] == ["1", "1"] and re.match(r"20260101012\d{3}$", fields[2])
    assert abs(round(float(fields[3]) * 1e7) - lat) < 200 and abs(round(float(fields[4]) * 1e7) - lng) < 200
    assert abs(float(fields[5]) * 10 - alt_dm) < 1 and abs(float(fields[6]) - speed * 0.1852) < 0.2
    assert float(fields[7]) == course


def test_without_sky_there_is_no_fix(world):
    world.say("AT+CGNSPWR=1")
    assert b"+CGNSINF: 1,1," in world.say("AT+CGNSINF")
    world.core.services.sky = False
    assert b"+CGNSINF: 1,0," in world.say("AT+CGNSINF")


def test_positions_come_by_themselves_until_that_is_stopped(world):
    world.say("AT+CGNSPWR=1")
    assert world.say("AT+CGNSURC=5") == OK
    said = world.run(11000)
    assert said.count(b"\r\n+UGNSINF: 1,1,") == 2
    assert world.say("AT+CGNSURC=0") == OK
    assert world.run(20000) == b""


# --- speech ----------------------------------------------------------------------------------------------


def test_speech_is_answered_OK_and_its_end_told_without_a_space():
    world = LuatWorld(latency=100).ready()
    assert world.say('AT+CTTS=1,"6B228FCE4F7F7528"', 30) == OK
    assert ["tts", "欢迎使用"] in world.events
    assert world.say('AT+CTTS=1,"6B22"', 20) == NOT_NOW
    assert world.run(600) == b"\r\n+CTTS:0\r\n"


@pytest.mark.parametrize(("mode", "coding"), [(2, "gbk"), (3, "utf-8")])
def test_speech_takes_GBK_and_UTF_8(world, mode, coding):
    world.put(b'AT+CTTS=%d,"' % mode + "焊接".encode(coding) + b'"\r')
    assert ["tts", "焊接"] in world.events


def test_after_a_stop_the_next_text_has_to_wait_for_the_end():
    world = LuatWorld(latency=100).ready()
    world.say('AT+CTTS=1,"%s"' % ("6B22" * 60), 30)
    assert world.put(b"AT+CTTS=0\r", 10) == OK
    assert world.say('AT+CTTS=1,"6B22"', 10) == NOT_NOW
    assert world.run(200) == b"\r\n+CTTS:0\r\n"
    assert world.say('AT+CTTS=1,"6B22"', 10) == OK


@pytest.mark.parametrize("text", ["6B2", "6B2G", "", "6B22" * 512])
def test_a_text_that_is_no_UCS2_or_too_long_is_refused(world, text):
    assert world.say('AT+CTTS=1,"%s"' % text) == WRONG


def test_without_a_speech_engine_every_form_is_an_error(world):
    world.core.services.tts_ok = False
    for command in ("AT+CTTS=?", "AT+CTTS?", 'AT+CTTS=1,"6B22"', "AT+CTTSPARAM=1"):
        assert world.say(command) == UNSUPPORTED


def test_the_volume_is_kept_within_the_engines_range(world):
    assert world.say("AT+CTTSPARAM=80,1") == OK
    assert world.say("AT+CTTSPARAM?") == b"\r\n+CTTSPARAM: 80,1,50,50\r\n" + OK
    assert world.say("AT+CTTSPARAM=101") == WRONG
    assert [world.say("AT+CRSL=%d" % step) for step in (0, 1, 15, 16)] == [WRONG, OK, OK, WRONG]
