"""The simulated modem's SIM, registration, clock, positions and speech, and the track that is played."""

import pathlib
import re

import pytest
from drivers.sim_world import World

from host_tests.sim import track
from host_tests.sim.calendar import civil, unix_s

TRACKS = pathlib.Path(track.__file__).parent / "tracks"


@pytest.fixture
def world():
    """A modem without delays whose data call stands, echo off."""
    return World().ready()


# --- SIM and registration --------------------------------------------------------------------------------


def test_a_SIM_pulled_and_put_back_is_told_and_registers_again(world):
    world.say("AT+CEREG=1")
    world.core.post(world.now, world.core.radio.set_sim, "absent")
    said = world.run()
    assert said.startswith(b"\r\n+SIMCARD: NOT AVAILABLE\r\n\r\n+CPIN: SIM REMOVED\r\n")
    assert b"+CEREG: 0" in said
    assert world.say("AT+CIMI") == b"\r\n+CME ERROR: 10\r\n"
    world.core.post(world.now, world.core.radio.set_sim, "ready")
    assert world.run().startswith(b"\r\n+CPIN: READY\r\n")
    assert world.say("AT+CEREG?") == b"\r\n+CEREG: 1,1\r\n\r\nOK\r\n"


def test_a_SIM_with_PIN_waits_for_it():
    world = World(on=False)
    world.core.radio.set_sim("pin")
    world.core.power(0, True)
    assert b"+CPIN: SIM PIN" in world.run()
    world.say("ATE0")
    world.say("AT+CMEE=1")
    assert world.say("AT+CPIN?") == b"\r\n+CPIN: SIM PIN\r\n\r\nOK\r\n"
    assert world.say("AT+CIMI") == b"\r\n+CME ERROR: 11\r\n"
    assert world.say('AT+CPIN="9999"') == b"\r\n+CME ERROR: 16\r\n"
    assert world.say('AT+CPIN="1234"').startswith(b"\r\nOK\r\n\r\n+CPIN: READY\r\n")
    assert world.say("AT+CEREG?") == b"\r\n+CEREG: 0,1\r\n\r\nOK\r\n"


def test_a_busy_SIM_answers_14_until_it_was_found():
    world = World(latency=100)
    world.run(30000)
    world.core.radio.sim_seen = False
    world.say("AT+CMEE=1", 20)
    assert b"+CME ERROR: 14" in world.say("AT+CPIN?", 20)


@pytest.mark.parametrize(
    ("stat", "answer"),
    [(0, b"0"), (2, b"2"), (3, b"3"), (4, b"4"), (5, b'5,"230A","A75E6C3",7')],
)
def test_the_networks_word_is_what_CEREG_tells(world, stat, answer):
    world.say("AT+CEREG=2")
    world.core.post(world.now, world.core.radio.set_registration, stat)
    assert b"\r\n+CEREG: " + answer + b"\r\n" in world.run()
    assert world.say("AT+CEREG?") == b"\r\n+CEREG: 2," + answer + b"\r\n\r\nOK\r\n"


def test_registration_takes_its_time_and_is_lost_at_once():
    world = World(latency=100).ready()
    world.core.post(world.now, world.core.radio.set_signal, None)
    assert b"+CEREG: 0,2" in world.say("AT+CEREG?", 10)
    assert b"+CSQ: 99,99" in world.say("AT+CSQ", 10)
    world.core.post(world.now, world.core.radio.set_signal, -100)
    world.run(1000)
    assert b"+CEREG: 0,2" in world.say("AT+CEREG?", 10)
    world.run(4000)
    assert b"+CEREG: 0,1" in world.say("AT+CEREG?", 10)


@pytest.mark.parametrize(
    ("dbm", "csq", "cesq"), [(-44, 31, 97), (-85, 28, 56), (-120, 10, 21), (-126, 99, 255), (None, 99, 255)]
)
def test_the_signal_in_CSQ_and_CESQ_follows_the_knob(world, dbm, csq, cesq):
    world.core.post(world.now, world.core.radio.set_signal, dbm)
    world.run()
    assert world.say("AT+CSQ") == b"\r\n+CSQ: %d,99\r\n\r\nOK\r\n" % csq
    assert b",%d\r\n" % cesq in world.say("AT+CESQ")


def test_the_radio_off_and_on_counts_one_radio_cycle(world):
    assert b"\r\nOK\r\n" in world.say("AT+CFUN=0")
    assert world.say("AT+CPSI?") == b"\r\n+CPSI: NO SERVICE,Low Power Mode\r\n\r\nOK\r\n"
    world.say("AT+CFUN=1")
    assert world.say("AT+CEREG?") == b"\r\n+CEREG: 0,1\r\n\r\nOK\r\n"
    assert world.core.counters["radio_cycles"] == 1


def test_the_way_back_to_the_network_leads_over_searching(world):
    world.say("AT+CEREG=1")
    world.say("AT+CFUN=4")
    said = world.say("AT+CFUN=1")
    assert said.index(b"+CEREG: 2\r\n") < said.index(b"+CEREG: 1\r\n")


def test_CGACT_0_takes_the_data_call_away(world):
    assert world.say("AT+CGACT=0,1").endswith(b"NETWORK CLOSED UNEXPECTEDLY\r\n")


# --- clock -----------------------------------------------------------------------------------------------


def test_the_clock_reads_1970_until_the_network_may_set_it(world):
    assert re.match(rb'\r\n\+CCLK: "70/01/01,00:0\d:\d\d\+00"', world.say("AT+CCLK?"))
    world.core.radio.set_time(world.now, unix_s(2026, 3, 1, 22, 30) * 1000)
    world.say("AT+CTZU=1")
    assert world.say("AT+CCLK?") == b'\r\n+CCLK: "26/03/02,06:30:00+32"\r\n\r\nOK\r\n'
    assert world.run(60000) == b""
    assert world.say("AT+CCLK?") == b'\r\n+CCLK: "26/03/02,06:31:00+32"\r\n\r\nOK\r\n'


def test_CNTP_sets_the_clock_when_a_server_can_be_asked(world):
    assert world.say("AT+CNTP") == b"\r\nERROR\r\n"
    world.say('AT+CNTP="ntp.example",32')
    assert world.say("AT+CNTP") == b"\r\nOK\r\n\r\n+CNTP: 0\r\n"
    assert b'"26/01/01,09:' in world.say("AT+CCLK?")
    world.core.links.set_alive(False)
    assert world.say("AT+CNTP") == b"\r\nOK\r\n\r\n+CNTP: 1\r\n"


def test_a_network_that_tells_no_time_sets_no_clock(world):
    world.core.radio.set_time(world.now, None)
    world.say("AT+CTZU=1")
    assert b'"70/01/01' in world.say("AT+CCLK?")


@pytest.mark.parametrize("second", [0, 68169600, 951782400, 1709164800, 1798761599, 4102444800])
def test_the_calendar_there_and_back(second):
    assert unix_s(*civil(second)) == second


# --- positions -------------------------------------------------------------------------------------------


def test_GNSS_is_refused_while_off_empty_before_the_fix_and_then_tells_the_track():
    world = World(latency=100).ready()
    assert world.say("AT+CGNSSINFO", 20) == b"\r\nERROR\r\n"
    assert world.say("AT+CGNSSPWR=1", 20) == b"\r\nOK\r\n"
    assert world.run(14000) == b"\r\n+CGNSSPWR: READY!\r\n"
    assert world.say("AT+CGNSSINFO", 20) == b"\r\n+CGNSSINFO: ,,,,,,,,,,,,,,,\r\n\r\nOK\r\n"
    world.run(90000)
    answer = world.say("AT+CGNSSINFO", 20).decode()
    fields = answer.split(": ")[1].split(",")
    lat, lng = world.core.services.track.at(world.now)[:2]
    assert (fields[6], fields[8]) == ("N", "E")
    assert abs(round(float(fields[5]) * 1e7) - lat) < 100 and abs(round(float(fields[7]) * 1e7) - lng) < 100
    assert fields[9] == "010126"


def test_GNSS_switched_on_twice_starts_once(world):
    assert world.say("AT+CGNSSPWR=1") == b"\r\nOK\r\n\r\n+CGNSSPWR: READY!\r\n"
    assert world.say("AT+CGNSSPWR=1") == b"\r\nOK\r\n"
    assert world.say("AT+CGNSSPWR?") == b"\r\n+CGNSSPWR: 1\r\n\r\nOK\r\n"


def test_without_sky_there_is_no_fix(world):
    world.say("AT+CGNSSPWR=1")
    assert b",N," in world.say("AT+CGNSSINFO")
    world.core.services.sky = False
    assert b",N," not in world.say("AT+CGNSSINFO")


def test_CGPSINFO_tells_degrees_and_minutes_of_the_same_place(world):
    world.say("AT+CGNSSPWR=1")
    fields = world.say("AT+CGPSINFO").decode().split(": ")[1].split(",")
    lat, lng = world.core.services.track.at(world.now)[:2]
    assert abs(int(fields[0][:2]) + float(fields[0][2:]) / 60 - lat / 1e7) < 1e-6
    assert abs(int(fields[2][:3]) + float(fields[2][3:]) / 60 - lng / 1e7) < 1e-6


def test_the_cell_position_is_near_and_says_how_near(world):
    answer = world.say("AT+CLBS=1")
    assert answer.startswith(b"\r\nOK\r\n\r\n+CLBS: 0,")
    lat, lng, accuracy = (float(text) for text in answer.decode().strip().split("0,", 1)[1].split(","))
    true_lat, true_lng = world.core.services.track.at(world.now)[:2]
    assert abs(lat - true_lat / 1e7) < 0.005 and abs(lng - true_lng / 1e7) < 0.005 and accuracy == 550
    assert re.search(rb",550,2026/1/1,9:\d\d:\d\d\r\n", world.say("AT+CLBS=4"))


def test_the_cell_position_fails_with_the_code_of_its_cause(world):
    world.core.services.cells_ok = False
    assert world.say("AT+CLBS=1").endswith(b"+CLBS: 3\r\n")
    world.core.links.set_alive(False)
    assert world.say("AT+CLBS=1").endswith(b"+CLBS: 4\r\n")
    world.core.post(world.now, world.core.radio.set_bearer, False)
    world.run()
    assert world.say("AT+CLBS=1").endswith(b"+CLBS: 9\r\n")


def test_the_drive_through_Chongqing_is_a_plausible_drive():
    points = track.load(str(TRACKS / "chongqing.csv"))
    assert len(points) >= 60
    drive = track.Track(points)
    for second in range(0, points[-1][0], 7):
        lat, lng, altitude_dm, speed, course = drive.at(second * 1000)
        assert 294000000 < lat < 298000000 and 1064000000 < lng < 1067000000
        assert 1500 < altitude_dm < 4000 and speed < 450 and 0 <= course < 360


def test_a_track_is_interpolated_and_driven_back_from_its_end():
    drive = track.Track([(0, 0, 0, 0), (10, 1000, 2000, 10)])
    assert drive.at(5000)[:3] == (500, 1000, 5)
    assert drive.at(10000)[:2] == (1000, 2000)
    assert drive.at(15000)[:2] == (500, 1000)
    assert drive.at(20000)[:2] == (0, 0)


@pytest.mark.parametrize(
    ("north", "east", "course"),
    [(1, 0, 0), (0, 1, 90), (-1, 0, 180), (0, -1, 270), (1, -1, 315), (-1, 1, 135)],
)
def test_the_course_points_where_the_drive_goes(north, east, course):
    drive = track.Track([(0, 0, 0, 0), (100, north * 100000, east * 114943, 0)])
    assert abs(drive.at(1000)[4] - course) <= 4


def test_a_track_may_be_CSV_or_JSON_lines_but_not_empty_or_disordered():
    csv = track.parse(["t_s,lat,lon,alt_m", "0,29.5,106.5,200.5", "# note", "", "9,-29.50000001,106"])
    assert csv == [(0, 295000000, 1065000000, 2005), (9, -295000000, 1060000000, 0)]
    assert track.parse(['{"t_s": 0, "lat": 29.5, "lon": 106.5, "alt_m": 200.5}']) == csv[:1]
    for lines in ([], ["5,1,1", "5,2,2"]):
        with pytest.raises(ValueError, match="times increase"):
            track.parse(lines)


# --- speech ----------------------------------------------------------------------------------------------


def test_speech_is_acknowledged_spoken_for_a_while_and_ended_by_a_URC():
    world = World(latency=100).ready()
    assert world.say('AT+CTTS=1,"6B228FCE4F7F7528"', 30) == b"\r\n+CTTS:\r\n\r\nOK\r\n"
    assert ["tts", "欢迎使用"] in world.events
    assert world.say("AT+CTTS?", 20) == b"\r\n+CTTS: 1\r\n\r\nOK\r\n"
    assert world.say('AT+CTTS=1,"6B22"', 20) == b"\r\nERROR\r\n"
    assert world.run(500) == b"\r\n+CTTS: 0\r\n"
    assert world.say("AT+CTTS?", 20) == b"\r\n+CTTS: 0\r\n\r\nOK\r\n"


def test_speech_is_stopped_by_command():
    world = World(latency=100).ready()
    world.say('AT+CTTS=1,"%s"' % ("6B22" * 60), 30)
    assert world.say("AT+CTTS=0", 20) == b"\r\nOK\r\n\r\n+CTTS: 0\r\n"


def test_bytes_are_spoken_as_GBK(world):
    world.put(b'AT+CTTS=2,"' + "焊接".encode("gbk") + b'"\r')
    assert ["tts", "焊接"] in world.events


@pytest.mark.parametrize("text", ["6B2", "6B2G", "", "6B22" * 128])
def test_a_text_that_is_no_UCS2_is_refused(world, text):
    assert world.say('AT+CTTS=1,"%s"' % text) == b"\r\nERROR\r\n"


def test_without_a_speech_engine_every_form_is_an_error(world):
    world.core.services.tts_ok = False
    for command in ("AT+CTTS=?", "AT+CTTS?", 'AT+CTTS=1,"6B22"', "AT+CTTSPARAM=1"):
        assert world.say(command) == b"\r\nERROR\r\n"


def test_the_volume_is_kept_within_the_engines_range(world):
    world.say("AT+CTTSPARAM=1,2")
    assert world.say("AT+CTTSPARAM?") == b"\r\n+CTTSPARAM: 1,2,0,1,1\r\n\r\nOK\r\n"
    assert world.say("AT+CTTSPARAM=3") == b"\r\nERROR\r\n"
