"""The modem room's pure parts: 3GPP values, carriers, the dialects, the recovery ladder."""

import datetime

import pytest
from drivers import at as driver_at
from drivers import modem_parts as driver
from hypothesis import given, settings
from hypothesis import strategies as st

from modem import (
    at,
    carriers,
    gsm,
    quectel_open,
    quectel_place,
    quectel_speech,
    quectel_up,
    simcom_open,
    simcom_place,
    simcom_speech,
    simcom_up,
    speech,
)
from modem.ladder import CALL, POWER, RADIO, RESET, SOCKETS
from modem.quectel import Quectel
from modem.simcom import Simcom

ALL = [SOCKETS, CALL, RADIO, POWER, RESET]
DAY_S = 86400
QUECTELS = ["quectel_address", "quectel_unread", "quectel_location", "quectel_fix", "quectel_server"]
SIMCOM_PARTS = (Simcom, simcom_up, simcom_open, simcom_place, simcom_speech)
QUECTEL_PARTS = (Quectel, quectel_up, quectel_open, quectel_place, quectel_speech)


def read(name, value):
    """Return what the driver reads off a value."""
    return driver.run({"read": name, "value": value})


def climb(*steps):
    """Return what a new ladder chooses at each step."""
    return driver.run({"climb": list(steps)})


# --- values


@pytest.mark.parametrize(
    ("reader", "value", "expected"),
    [
        ("rssi", "18,99", -77),
        ("rssi", "0,0", -113),
        ("rssi", "99,99", None),
        ("rssi", "", None),
        ("rsrp", "99,99,255,255,19,51", -90),
        ("rsrp", "99,99,255,255,255,255", None),
        ("rsrp", "99", None),
        ("clock", '"24/05/13,11:57:36+32"', 1715572656000),
        ("clock", '"24/05/13,00:30:00-20"', 1715578200000),
        ("clock", '"80/01/06,00:00:05+00"', None),
        ("clock", '"04/01/01,00:00:05+32"', None),
        ("clock", '"70/01/01,00:00:05"', None),
        ("clock", '"2024/05/13,11:57:36+32,0"', 1715572656000),
        ("clock", '"2024/05/13,11:57:36+32",1', 1715572656000),
        ("clock", '"2024/05/13,00:30:00-20",0', 1715578200000),
        ("clock", "", None),
        ("clock", "rubbish", None),
        ("e7", "106.638084", 1066380840),
        ("e7", "-0.5", -5000000),
        ("e7", "29", 290000000),
        ("e7", "", None),
        ("e7", "1.2.3", None),
        ("minutes", "10638.2850", 1066380833),
        ("address", '1,"broker.example","10.1.2.3"', "10.1.2.3"),
        ("address", "0,10", None),
        ("unread", "100,7", 7),
        ("unread", "100", 100),
        ("quectel_address", '10.1.2.3"', "10.1.2.3"),
        ("quectel_address", "65", None),
        ("quectel_address", "10.1.2", None),
        ("quectel_address", "", None),
        ("quectel_unread", "14", 14),
        ("quectel_unread", '14,"10.1.2.3",123', 14),
        ("quectel_unread", "0", 0),
        ("quectel_unread", "", 0),
        ("quectel_server", '0,"2024/05/13,03:57:36+32"', 1715572656000),
        ("quectel_server", "569", None),
        ("quectel_server", '0,""', None),
        ("fields", '0,2,"a,b",7', ["0", "2", "a,b", "7"]),
        ("numbers", '1,"2F",-3', [1, None, -3]),
    ],
)
def test_values_are_read(micropython, reader, value, expected):
    assert read(reader, value) == expected
    assert micropython.call("modem_parts", {"read": reader, "value": value}) == expected


@settings(max_examples=60, deadline=None)
@given(st.datetimes(datetime.datetime(2024, 1, 1), datetime.datetime(2069, 12, 31)), st.integers(-48, 56))
def test_the_clock_is_the_calendars(moment, quarters):
    text = moment.strftime(f'"%y/%m/%d,%H:%M:%S{quarters:+03d}"')
    utc = moment.replace(microsecond=0, tzinfo=datetime.timezone.utc) - datetime.timedelta(minutes=15 * quarters)
    assert gsm.clock_ms(text.encode()) == int(utc.timestamp()) * 1000


@settings(max_examples=100, deadline=None)
@given(
    st.sampled_from(["clock", "fix", "location", "rssi", "rsrp", "address", "e7", "minutes", "unread", "text"] + QUECTELS),
    st.text(st.sampled_from('0123456789,.:/+-"NSEW x'), max_size=60),
)
def test_no_value_however_damaged_raises_and_both_interpreters_read_the_same(micropython, reader, value):
    assert micropython.call("modem_parts", {"read": reader, "value": value}) == read(reader, value)


# --- carriers


@pytest.mark.parametrize(
    ("imsi", "expected"),
    [
        ("460001234567890", ["", "cmnet", "cmiot"]),
        ("460131234567890", ["", "cmnet", "cmiot"]),
        ("460061234567890", ["", "3gnet", "unim2m.njm2mapn"]),
        ("460111234567890", ["", "ctnet", "ctiot"]),
        ("460151234567890", ["", "cbnet", "cmnet"]),
        ("460991234567890", [""]),
        ("262011234567890", [""]),
        (None, [""]),
    ],
)
def test_the_card_tells_its_carriers_access_points(imsi, expected):
    assert carriers.access_points(imsi, "") == expected


def test_a_configured_access_point_comes_first():
    assert carriers.access_points("460001234567890", "private") == ["private", "", "cmnet", "cmiot"]


# --- the dialect


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("0,29.489428,106.638084,550", [294894280, 1066380840, 550]),
        ("0,106.638084,29.489428,550", [294894280, 1066380840, 550]),
        ("0,29.489428,106.638084,550,2020/6/17,9:34:16", [294894280, 1066380840, 550]),
        ("0,0.000000,0.000000,550", 110),
        ("0", 110),
        ("20", 20),
        ("", 110),
    ],
)
def test_a_cell_location_is_read(value, expected):
    assert read("location", value) == expected


FIXED = "{},N,{},E,130524,035736.00,53.6,2.000,,1.7,1.2,1.1,"


@pytest.mark.parametrize("before", ["3,13,14,,,", "2,09,,,", "3,10,02,00,", "3,"])
def test_a_fix_is_read_whatever_fields_are_ahead_of_it(before):
    value = before + FIXED.format("29.489428", "106.638084")
    assert read("fix", value) == [294894280, 1066380840, 60, 1715572656000, 102]


def test_a_fix_in_degrees_and_minutes_is_read():
    value = "3,13,14,,," + FIXED.format("2929.36568", "10638.28504")
    assert read("fix", value)[:2] == [294894280, 1066380840]


def test_south_and_west_are_negative():
    value = "3,1,,," + FIXED.format("29.489428", "106.638084").replace("N", "S").replace("E", "W")
    assert read("fix", value)[:2] == [-294894280, -1066380840]


@pytest.mark.parametrize(
    "value",
    [
        ",,,,,,,,",
        ",,,,,,,,,,,,,,,",
        "",
        "1,13,14,,," + FIXED.format("29.489428", "106.638084"),
        "3,13,14,,," + FIXED.format("0.000000", "0.000000"),
        "3,13,14,,," + FIXED.format("", ""),
    ],
)
def test_what_is_no_fix_is_none(value):
    assert read("fix", value) is None


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("0,29.489428,106.638084", [294894280, 1066380840, 1000]),
        ("0,106.638084,29.489428", [294894280, 1066380840, 1000]),
        ("106.638084,29.489428", [294894280, 1066380840, 1000]),
        ("29.489428,106.638084", [294894280, 1066380840, 1000]),
        ("0,0.000000,0.000000", 10000),
        ("0", 10000),
        ("702", 702),
        ("10002", 10002),
        ("", 10000),
    ],
)
def test_a_quectel_modems_cell_location_is_read_in_either_order(value, expected):
    assert read("quectel_location", value) == expected


QUECTEL_FIX = "035736.000,{},{},{},40.1,{},{},{},1.9,130524,{}"


@pytest.mark.parametrize("cog", ["", "181.20"])
@pytest.mark.parametrize("order", [("29.489428", "106.638084"), ("106.638084", "29.489428")])
def test_a_quectel_modems_fix_is_read_in_either_order(order, cog):
    value = QUECTEL_FIX.format(*order, "1.2", "3", cog, "3.6", "09")
    assert read("quectel_fix", value) == [294894280, 1066380840, 60, 1715572656000, 100]


@pytest.mark.parametrize(
    "value",
    [
        "113644.00,22.8123,120.2123,0.00,0.0,1,,3.464,1.898,290826,00",  # assisted, without satellites
        QUECTEL_FIX.format("29.489428", "106.638084", "1.2", "3", "", "3.6", "00"),
        QUECTEL_FIX.format("29.489428", "106.638084", "1.2", "1", "", "3.6", "09"),
        QUECTEL_FIX.format("29.489428", "106.638084", "0.0", "3", "", "3.6", "09"),
        QUECTEL_FIX.format("0.000000", "106.638084", "1.2", "3", "", "3.6", "09"),
        QUECTEL_FIX.format("29.489428", "0.000000", "1.2", "3", "", "3.6", "09"),
        "",
    ],
)
def test_what_is_no_fix_of_a_quectel_modem_is_none(value):
    assert read("quectel_fix", value) is None


def test_a_call_of_a_quectel_modem_stands_only_while_its_bearer_does():
    assert quectel_up.stands(b'1,1,"10.32.140.122"', b"1")
    assert quectel_up.stands(b'1,1,"10.32.140.122"', b"")  # CGACT? is refused
    assert not quectel_up.stands(b'1,1,"10.32.140.122"', b"0")
    assert not quectel_up.stands(b"", b"1")
    assert not quectel_up.stands(b'0,1,""', b"1")


def test_an_account_is_given_to_a_quectel_modem_with_its_access_point():
    assert quectel_up.call_setup("private", "u", "p") == ((b'AT+QICSGP=1,1,"private","u","p",1',),)
    assert quectel_up.call_setup("", None, "") == ((b'AT+QICSGP=1,1,"","","",0',),)


def test_speech_is_ucs2():
    assert simcom_speech.SPEAK % speech.ucs2("焊码A") == b'AT+CTTS=1,"710A78010041"'
    assert quectel_speech.SPEAK % speech.ucs2("焊码A") == b'AT+QTTS=1,"710A78010041"'


@pytest.mark.parametrize("parts", [SIMCOM_PARTS, QUECTEL_PARTS])
def test_no_answer_of_a_command_is_mistaken_for_the_wrong_urc(parts):
    # A query whose answer has a URC's prefix must ask for more commas, or mean the same.
    prefixes = prefixes_of(parts[0].URCS)
    for part in parts:
        for name in dir(part):
            row = getattr(part, name)
            if name.isupper() and isinstance(row, tuple) and len(row) > 1 and isinstance(row[0], bytes):
                answer, commas = row[1], row[3] if len(row) > 3 else 0
                shared = answer and any(answer.startswith(prefix) for prefix in prefixes)
                assert not shared or commas or name in ("SIM", "CALL_STATE"), name


@pytest.mark.parametrize("dialect", [Simcom, Quectel])
def test_every_prefix_is_written_as_the_conversation_tidies_it(dialect):
    for table in (dialect.URCS, dialect.RAWS, dialect.FINALS):
        assert not any(b": " in prefix for prefix in prefixes_of(table))
    talk = at.Conversation(dialect())
    names = dialect.URCS.decode().split("\n")[1::2]
    for prefix, name in zip(prefixes_of(dialect.URCS), names, strict=True):
        line = prefix.replace(b":", b": ", 1) + b"0\r\n"
        talk.window[: len(line)] = line
        talk.feed(len(line))
        assert talk.next() == driver_at.URC and talk.name == name, prefix


def prefixes_of(table):
    """Return the prefixes of a dialect's table."""
    return table.split(b"\n")[0:-1:2]


# --- the ladder


def test_the_ladder_is_climbed_rung_by_rung():
    chosen = climb(*[[100, SOCKETS, ALL]] * 5)
    assert chosen == [[SOCKETS, 0], [CALL, 0], [RADIO, 0], [POWER, 0], [RESET, 0]]


def test_it_starts_where_the_failure_can_be_cured():
    assert climb([100, RADIO, ALL])[0] == [RADIO, 0]


def test_rungs_that_cannot_be_taken_are_left_out():
    assert climb([100, SOCKETS, [CALL, POWER]], [100, SOCKETS, [CALL, POWER]]) == [[CALL, 0], [POWER, 0]]


def test_with_no_rung_at_all_there_is_nothing_to_wait_for():
    assert climb([100, POWER, []]) == [[None, None]]


def test_a_link_that_held_starts_it_at_the_bottom():
    assert climb([100, SOCKETS, ALL], [101, SOCKETS, ALL], "held", [200, SOCKETS, ALL])[-1] == [SOCKETS, 0]


def test_after_three_reboots_and_one_more_it_waits_longer_and_longer():
    now = 1000
    steps = [[now, RADIO, ALL]] * 4
    for wait in (600, 1800, 3600, 3600, 3600):
        steps += [[now + wait - 1, RADIO, ALL], [now + wait, RADIO, ALL]]
        now += wait
    chosen = climb(*steps)
    assert [rung for rung, _ in chosen[:4]] == [RADIO, POWER, RESET, RADIO]
    assert [wait for _, wait in chosen[4:]] == [1, 0] * 5


def test_a_wait_takes_no_rung():
    steps = [[1000, RADIO, ALL]] * 4
    chosen = climb(*steps, [1001, RADIO, ALL], [1002, RADIO, ALL], [1600, RADIO, ALL])
    assert chosen[4:] == [[None, 599], [None, 598], [POWER, 0]]


def test_a_link_that_flaps_gets_thirty_cycles_a_day_and_no_more():
    steps = []
    for i in range(40):
        steps += [[1000 + 60 * i, RADIO, ALL], "held"]
    chosen = climb(*steps, [1000 + DAY_S, RADIO, ALL], "held", [1000 + DAY_S + 1, RADIO, ALL])
    assert [rung for rung, _ in chosen[:30]] == [RADIO] * 30
    assert all(rung is None and wait > 0 for rung, wait in chosen[30:40])
    assert chosen[40] == [RADIO, 0]
    assert chosen[41] == [None, 59]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.one_of(
            st.just("held"),
            st.tuples(
                st.integers(0, 4000),
                st.sampled_from([SOCKETS, CALL, RADIO, POWER]),
                st.lists(st.sampled_from(ALL), unique=True),
            ),
        ),
        max_size=120,
    )
)
def test_no_day_has_more_than_thirty_cycles_and_every_rung_is_one_that_can_be_taken(micropython, steps):
    now = 0
    timed = []
    for step in steps:
        if step != "held":
            now += step[0]
            step = [now, *step[1:]]
        timed.append(step)
    chosen = driver.run({"climb": timed})
    assert micropython.call("modem_parts", {"climb": timed}) == chosen
    asked = [step for step in timed if step != "held"]
    cycles = []
    for (at_s, lowest, rungs), (rung, _) in zip(asked, chosen, strict=True):
        if rung is not None:
            assert rung in rungs and rung >= lowest
            if rung >= RADIO:
                cycles.append(at_s)
    for i in range(30, len(cycles)):
        assert cycles[i] - cycles[i - 30] >= DAY_S
