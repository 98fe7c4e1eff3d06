"""The AT conversation: what it tells of any bytes, however they are cut, the same on both interpreters."""

import subprocess

import pytest
from drivers import at as driver
from hypothesis import example, given, settings
from hypothesis import strategies as st

from host_tests.unit import replay

OK = b"\r\nOK\r\n"
FINAL_OK = ["final", True, "OK"]


def case_of(*steps, **sizes):
    """Make a driver case: bytes are fed, a dict begins a command, "abandon" abandons."""
    listed = []
    for step in steps:
        if isinstance(step, dict):
            listed.append(["begin", step])
        elif isinstance(step, str):
            listed.append([step])
        else:
            listed.append(["feed", step.hex()])
    return {"steps": listed, **sizes}


def talk(*steps, **sizes):
    """Run the steps and return the driver's result."""
    return driver.run(case_of(*steps, **sizes))


def events(*steps, **sizes):
    """Run the steps and return what was told."""
    return talk(*steps, **sizes)["events"]


def test_an_answer_and_its_result_are_told_with_echo_on():
    heard = events({"answer": "+CSQ:"}, b"AT+CSQ\r\r\n+CSQ: 18,99\r\n" + OK)
    assert heard == [["line", "18,99"], FINAL_OK]


def test_an_answer_and_its_result_are_told_with_echo_off():
    assert events({"answer": "+CSQ:"}, b"\r\n+CSQ: 18,99\r\n" + OK) == [["line", "18,99"], FINAL_OK]


def test_the_space_after_the_colon_may_be_missing():
    assert events({"answer": "+CSQ:"}, b"\r\n+CSQ:18,99\r\n" + OK)[0] == ["line", "18,99"]


def test_lines_may_end_in_two_carriage_returns():
    assert events({"answer": "+CSQ:"}, b"+CSQ: 18,99\r\r\nOK\r\r\n") == [["line", "18,99"], FINAL_OK]


def test_an_error_with_a_code_ends_the_command():
    assert events({}, b"\r\n+CME ERROR: 10\r\n") == [["final", False, "+CME ERROR:10"]]


def test_a_result_must_be_a_whole_line():
    assert events({"answer": "+X:"}, b"\r\nOKAY\r\n\r\nERRORS\r\n") == []


def test_a_urc_between_echo_and_answer_is_told_apart():
    heard = events({"answer": "+CSQ:"}, b"AT+CSQ\r\r\n+CIPRXGET: 1,2\r\n\r\n+CSQ: 18,99\r\n" + OK)
    assert heard == [["urc", "arrived", "2"], ["line", "18,99"], FINAL_OK]


def test_a_urc_glued_behind_the_result_is_told():
    assert events({}, OK + b"+IPCLOSE: 0,1\r\n") == [FINAL_OK, ["urc", "closed", "0,1"]]


def test_the_urc_form_of_registration_is_not_taken_for_the_answer():
    heard = events({"answer": "+CEREG:", "commas": 1}, b"\r\n+CEREG: 2\r\n\r\n+CEREG: 1,5\r\n" + OK)
    assert heard == [["urc", "registration", "2"], ["line", "1,5"], FINAL_OK]


def test_the_same_prefix_is_a_urc_when_nobody_asks():
    assert events(b"\r\n+CPIN: SIM REMOVED\r\n") == [["urc", "sim", "SIM REMOVED"]]


def test_unknown_lines_are_dropped_and_counted_and_block_nothing():
    result = talk({"answer": "+CSQ:"}, b"\r\n+FOO: 1\r\n\r\n*PSNWID: 1\r\n\r\n+CSQ: 1,2\r\n" + OK)
    assert result["events"] == [["line", "1,2"], FINAL_OK]
    assert result["unknown"] == 2


def test_a_bare_answer_is_neither_echo_nor_urc_nor_unknown():
    heard = events({"answer": ""}, b"AT+CGSN\r\r\n+FOO: 1\r\n\r\n+CEREG: 1\r\n\r\n860000000000017\r\n" + OK)
    assert heard == [["urc", "registration", "1"], ["line", "860000000000017"], FINAL_OK]


@pytest.mark.parametrize("prompt", [b"\r\n>", b"\r\n> ", b"\r\n>\r\n", b">", b"AT+CIPSEND=0,5\r\r\n>"])
def test_every_form_of_prompt_is_told_once(prompt):
    heard = events({"prompt": True}, prompt, OK + b"\r\n+CIPSEND: 0,5,5\r\n")
    assert heard == [["prompt"], FINAL_OK, ["urc", "sent", "0,5,5"]]


def test_a_prompt_glued_to_a_urc_is_told_after_it():
    assert events({"prompt": True}, b"\r\n+CIPRXGET: 1,0>") == [["urc", "arrived", "0"], ["prompt"]]


def test_a_mark_inside_an_unknown_line_is_no_prompt():
    assert events({"prompt": True}, b"\r\n+FOO: a>b\r\n", b"\r\n> ") == [["prompt"]]


def test_no_prompt_is_told_when_none_is_awaited():
    assert events({}, b"\r\n>\r\n" + OK) == [FINAL_OK]


def test_data_is_read_by_count_whatever_it_says():
    payload = b"a\r\nOK\r\n+IPCLOSE: 0,1\r\n> ERROR\r\n"
    header = b"\r\n+CIPRXGET: 2,0,%d,0\r\n" % len(payload)
    heard = events({"answer": "+CIPRXGET:2,0,", "room": 100}, header + payload + OK)
    assert heard == [["line", f"{len(payload)},0"], ["data", driver.readable(payload)], FINAL_OK]


def test_a_urc_may_come_right_before_and_after_counted_data():
    data = b"\r\n+CIPRXGET: 1,1\r\n\r\n+CIPRXGET: 2,0,3,0\r\nabc\r\nOK\r\n\r\n+CIPRXGET: 1,0\r\n"
    heard = events({"answer": "+CIPRXGET:2,0,", "room": 100}, data)
    kinds = [event[0] for event in heard]
    assert kinds == ["urc", "line", "data", "final", "urc"]


def test_data_with_a_hole_is_told_as_corrupt():
    heard = events({"answer": "+CIPRXGET:2,0,", "room": 100}, b"\r\n+CIPRXGET: 2,0,8,0\r\nabcdef" + OK)
    assert ["corrupt"] in heard


def test_data_that_does_not_fit_is_told_as_corrupt():
    heard = events({"answer": "+CIPRXGET:2,0,", "room": 2}, b"\r\n+CIPRXGET: 2,0,3,0\r\nabc" + OK)
    assert heard[1:] == [["corrupt"], FINAL_OK]


def test_counted_data_nobody_waits_for_is_swallowed_by_count():
    result = talk({"answer": "+CSQ:"}, b"\r\n+CIPRXGET: 2,0,6,0\r\n\r\nOK\r\n\r\n\r\n+CSQ: 1,2\r\n" + OK)
    assert result["events"] == [["line", "1,2"], FINAL_OK]
    assert result["stale"] == 1


def test_a_header_with_an_impossible_count_is_dropped():
    result = talk({"answer": "+CIPRXGET:2,0,", "room": 9}, b"\r\n+CIPRXGET: 2,0,99999,0\r\n" + OK)
    assert result["events"][-1] == FINAL_OK
    assert ["data"] not in [event[:1] for event in result["events"]]


def test_an_empty_read_has_no_data():
    heard = events({"answer": "+CIPRXGET:2,0,", "room": 9}, b"\r\n+CIPRXGET: 2,0,0,0\r\n" + OK)
    assert heard == [["line", "0,0"], FINAL_OK]


def test_an_overlong_line_is_dropped_and_counted_and_the_next_is_heard():
    result = talk({}, b"\r\n+FOO: " + b"x" * 500 + b"\r\n" + OK)
    assert result["events"] == [FINAL_OK]
    assert result["overlong"] == 1


def test_results_that_no_command_waits_for_are_stale():
    result = talk(OK + b"\r\nERROR\r\n", {}, OK)
    assert result["events"] == [FINAL_OK]
    assert result["stale"] == 2


def test_a_strict_command_drops_late_results_until_its_answer():
    result = talk(
        {"answer": "+CIPRXGET:2,0,", "room": 50},
        b"\r\n+CIPRXGET: 2,0,40,0\r\nabc",
        "abandon",
        {"answer": "+CSQ:", "strict": True},
        b"\r\nERROR\r\n" + OK + b"\r\n+CSQ: 1,2\r\n" + OK,
    )
    assert result["events"][1:] == [["line", "1,2"], FINAL_OK]
    assert result["stale"] == 2


def test_an_ok_ahead_of_the_answer_is_not_the_commands():
    result = talk({"answer": "+CSQ:"}, OK, b"\r\n+CSQ: 1,2\r\n" + OK)
    assert result["events"] == [["line", "1,2"], FINAL_OK]
    assert result["stale"] == 1


def test_an_ok_ahead_of_the_prompt_is_not_the_commands():
    assert events({"prompt": True}, OK, b"\r\n>", OK) == [["prompt"], FINAL_OK]


def test_an_error_ahead_of_the_answer_or_the_prompt_ends_the_command():
    for command in ({"answer": "+CSQ:"}, {"prompt": True}):
        assert events(command, b"\r\nERROR\r\n") == [["final", False, "ERROR"]]


def test_a_boot_banner_behind_noise_is_heard():
    assert events(b"\x00\xff\x80\r\n*ATREADY: 1\r\n\r\n+CPIN: READY\r\n") == [
        ["urc", "boot", "1"],
        ["urc", "sim", "READY"],
    ]


def test_a_line_shorter_than_the_one_before_is_not_completed_from_it():
    assert events({"answer": "+CSQ:"}, b"\r\n+CSQ: 18,99\r\n\r\n+CS\r\n\r\n+CSQ\r\n" + OK) == [
        ["line", "18,99"],
        FINAL_OK,
    ]


# What begins with a link, and answers that are results: the Luat dialect's.


def luat(*steps, **sizes):
    """Run the steps in the Luat dialect and return what was told."""
    return events(*steps, dialect="luat", **sizes)


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (b"0, CONNECT OK", ["urc", "opened", "0"]),
        (b"5, CONNECT FAIL", ["urc", "closed", "5"]),
        (b"3, ALREADY CONNECT", ["urc", "closed", "3"]),
        (b"2, CLOSED", ["urc", "closed", "2"]),
        (b"+PDP: DEACT", ["urc", "call_lost", "DEACT"]),
        (b"RDY", ["urc", "boot", ""]),
        (b"^MODE: 17,17", ["urc", "check", "17,17"]),
        (b"+CTTS:0", ["urc", "spoken", "0"]),
    ],
)
def test_a_line_that_begins_with_a_link_is_told_with_the_link_for_its_value(line, told):
    assert luat(b"\r\n" + line + b"\r\n") == [told]


@pytest.mark.parametrize("line", [b"0, CLOSEDX", b"x, CLOSED", b"10, CLOSED", b", CLOSED", b"0, CLOS", b"#, CLOSED", b"0,CLOSED"])
def test_what_only_resembles_such_a_line_is_unknown(line):
    result = talk({}, b"\r\n" + line + b"\r\n", dialect="luat")
    assert result["events"] == [] and result["unknown"] == 1


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (b"1, SEND OK", ["final", True, "1"]),
        (b"1, SEND FAIL", ["final", False, "1"]),
        (b"DATA ACCEPT:1,5", ["final", True, "DATA ACCEPT:1,5"]),
        (b"DATA ACCEPT: 1,5", ["final", True, "DATA ACCEPT:1,5"]),
        (b"1, CLOSE OK", ["final", True, "1"]),
        (b"SHUT OK", ["final", True, "SHUT OK"]),
        (b"NORMAL POWER DOWN", ["final", True, "NORMAL POWER DOWN"]),
    ],
)
def test_a_result_may_begin_with_a_link(line, told):
    assert luat({"prompt": True}, b"\r\n> ", b"\r\n" + line + b"\r\n") == [["prompt"], told]
    assert luat(b"\r\n" + line + b"\r\n") == []


@pytest.mark.parametrize("line", [b"1, SEND OKAY", b"1, SEND", b"SHUT OKAY", b"xx, SEND OK"])
def test_such_a_result_must_be_a_whole_line(line):
    assert luat({}, b"\r\n" + line + b"\r\n") == []


def test_a_prompt_glued_to_a_line_that_begins_with_a_link_is_told_after_it():
    assert luat({"prompt": True}, b"\r\n0, CLOSED>") == [["urc", "closed", "0"], ["prompt"]]


def test_an_answer_behind_the_ok_ends_the_command():
    wire = OK + b"\r\n+CTTS:0\r\n\r\nSTATE: IP PROCESSING\r\n\r\nC: 0,0,TCP\r\n"
    heard = luat({"answer": "STATE:", "commas": -1}, b"AT+CIPSTATUS\r\r\n" + wire)
    assert heard == [["urc", "spoken", "0"], ["final", True, "STATE:IP PROCESSING"], ["urc", "", "0,0,TCP"]]


def test_a_bare_answer_without_an_ok_ends_the_command():
    wire = b"AT+CIFSR\r\r\n^MODE: 17,17\r\n\r\n+NITZ: 24/07/23,08:35:01+32,0\r\n\r\n10.169.179.213\r\n"
    heard = luat({"answer": "", "commas": -1}, wire)
    assert heard == [["urc", "check", "17,17"], ["final", True, "10.169.179.213"]]


def test_an_error_instead_of_an_answer_behind_the_ok_ends_the_command():
    assert luat({"answer": "", "commas": -1}, b"\r\n+CME ERROR: 3\r\n") == [["final", False, "+CME ERROR:3"]]


def test_an_answer_that_is_one_of_the_results_ends_the_command_and_so_does_another():
    command = {"answer": "+PDP:", "commas": -2}
    assert luat(command, b"\r\n+PDP: DEACT\r\n") == [["final", True, "+PDP:DEACT"]]
    assert luat(command, OK) == [FINAL_OK]
    assert luat(command, b"\r\n+CME ERROR: 65535\r\n") == [["final", False, "+CME ERROR:65535"]]


def test_a_payload_may_say_what_a_link_would():
    payload = b"0, CLOSED\r\n0, SEND OK\r\nRDY\r\n"
    header = b"\r\n+CIPRXGET: 2,0,%d,0\r\n" % len(payload)
    heard = luat({"answer": "+CIPRXGET:2,0,", "room": 100}, header + payload + OK)
    assert heard == [["line", f"{len(payload)},0"], ["data", driver.readable(payload)], FINAL_OK]


def test_a_boot_banner_behind_what_is_no_text_is_heard():
    noise = b"^boot.rom" + bytes(range(256)) * 2
    assert luat(noise + b"\r\nRDY\r\n\r\n^MODE: 17,17\r\n")[-2:] == [["urc", "boot", ""], ["urc", "check", "17,17"]]


PIECES = st.sampled_from(
    [
        OK,
        b"\r\nERROR\r\n",
        b"\r\n+CME ERROR: 3\r\n",
        b"\r\n+CSQ: 18,99\r\n",
        b"\r\n+CSQ:1,2\r\r\n",
        b"AT+CSQ\r",
        b"\r\n+CEREG: 1,5\r\n",
        b"\r\n+CIPRXGET: 1,0\r\n",
        b"\r\n+CIPRXGET: 2,0,6,4\r\na\r\nOK\r\r\nOK\r\n",
        b"\r\n+CIPRXGET: 2,3,2,0\r\n>>\r\n\r\nOK\r\n",
        b"\r\n+CIPRXGET: 2,0,9",
        b"\r\n+IPCLOSE: 0,1\r\n",
        b"\r\n> ",
        b">",
        b"\r\n+IP ERROR: No data\r\n",
        b"\r\n0, CONNECT OK\r\n",
        b"\r\n1, CLOSED\r\n",
        b"\r\n0, SEND OK\r\n",
        b"\r\n0, SEND FAIL\r\n",
        b"\r\nDATA ACCEPT:0,5\r\n",
        b"\r\nSTATE: IP STATUS\r\n",
        b"\r\n10.169.179.213\r\n",
        b"\r\n+PDP: DEACT\r\n",
        b"#, CLOSED",
        b"*ATREADY: 1\r\n",
        b"860000000000017\r\n",
        b"\xff\x00",
        b"\r\n" + b"y" * 70,
        b"\r",
        b"\n",
        b" ",
        b":  ",
    ]
)
BYTES = st.lists(st.one_of(PIECES, st.binary(max_size=6)), max_size=12).map(b"".join)
COMMANDS = st.sampled_from(
    [
        {},
        {"answer": "+CSQ:"},
        {"answer": "+CSQ:", "strict": True},
        {"answer": ""},
        {"answer": "+CEREG:", "commas": 1},
        {"answer": "+CIPRXGET:2,0,", "room": 2048},
        {"answer": "+CIPRXGET:2,0,", "room": 4},
        {"answer": "STATE:", "commas": -1},
        {"answer": "", "commas": -1},
        {"answer": "+PDP:", "commas": -2},
        {"prompt": True},
    ]
)
ACTS = st.lists(st.one_of(COMMANDS, BYTES, st.just("abandon")), max_size=6)


def cut(data, cuts):
    """Cut bytes at the given places (any numbers)."""
    places = sorted({place % (len(data) + 1) for place in cuts} | {0, len(data)})
    return [data[a:b] for a, b in zip(places, places[1:], strict=False)]


@settings(max_examples=200, deadline=None)
@given(ACTS, st.lists(st.integers(0, 400), max_size=30), st.integers(3, 64), st.sampled_from(["simcom", "luat"]))
@example([{"prompt": True}, b"\r\n+CIPRXGET: 1,0>"], [16, 17], 64, "simcom")
@example([{"answer": "+CIPRXGET:2,0,", "room": 9}, b"\r\n+CIPRXGET: 2,0,3,0\r\na\r\n\r\nOK\r\n"], [22, 23, 24, 25], 3, "simcom")
@example([{"prompt": True}, b"\r\n0, CLOSED>"], [10, 11], 64, "luat")
def test_the_same_bytes_tell_the_same_under_any_chunking_on_both_interpreters(micropython, acts, cuts, window, dialect):
    whole = case_of(*acts, line=64, dialect=dialect)
    pieces = {"steps": [], "line": 64, "window": window, "dialect": dialect}
    for step in whole["steps"]:
        if step[0] == "feed":
            parts = cut(bytes.fromhex(step[1]), cuts)
            step = ["feed", *[part.hex() for part in parts]]
        pieces["steps"].append(step)
    expected = driver.run(whole)
    assert driver.run(pieces) == expected
    assert micropython.call("at", pieces) == expected


@settings(max_examples=100, deadline=None)
@given(st.binary(min_size=1, max_size=600), st.lists(st.integers(0, 700), max_size=20), st.integers(3, 512))
def test_any_payload_arrives_whole(payload, cuts, window):
    wire = b"\r\n+CIPRXGET: 2,0,%d,0\r\n" % len(payload) + payload + OK
    case = case_of({"answer": "+CIPRXGET:2,0,", "room": 2048}, window=window)
    case["steps"].append(["feed", *[part.hex() for part in cut(wire, cuts)]])
    assert driver.run(case)["events"] == [
        ["line", f"{len(payload)},0"],
        ["data", driver.readable(payload)],
        FINAL_OK,
    ]


_LOCKED = """
import micropython
from modem import at
from modem.simcom import Simcom
talk = at.Conversation(Simcom(), 512)
sink = micropython.RingIO(2048)

def feed(data):
    # Returns the first event, or None when the heap was asked for anything.
    talk.window[:len(data)] = data
    micropython.heap_lock()
    try:
        talk.feed(len(data))
        return talk.next()
    except MemoryError:
        return None
    finally:
        micropython.heap_unlock()

counted = b"x" * 300
dropped = b"\\r\\n+FOO: unknown and dropped\\r\\n" * 8
overlong = b"y" * 500
print(feed(dropped) == 0, feed(overlong) == 0, feed(b"\\r\\n") == 0)
talk.begin(answer=b"+CIPRXGET:2,0,", sink=sink)
print(feed(b"\\r\\n+CIPRXGET: 2,0,600,0\\r\\n") == 1)
print(feed(counted) == 0, feed(counted) == 0, feed(b"\\r\\n") == 5, sink.any() == 600)
print(feed(b"AT+CSQ\\r\\r\\n") == 0, feed(b"\\r\\nOK\\r\\n") == 2, talk.unknown == 8, talk.overlong == 1)
"""


def test_data_and_dropped_lines_allocate_nothing():
    run = subprocess.run(
        [replay.micropython_path(), "-c", f"import sys; sys.path.insert(0, {str(replay.FIRMWARE)!r})\n{_LOCKED}"],
        capture_output=True,
        text=True,
        timeout=20,
    )
    assert run.returncode == 0, run.stderr + run.stdout
    assert set(run.stdout.split()) == {"True"}, run.stdout
