"""What lies on flash, in NVS and in RTC memory may be anybody's: it stops no boot, powers nothing, and is not believed unproved."""

import json
import subprocess
import zlib

import pytest
from drivers import boot_records
from drivers import config as config_driver
from drivers import outbox as outbox_driver
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from host_tests.unit import replay

RUNS = settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
ALARM, EVENT, POSITION = 0, 1, 2
CODES = ("00", "Z0", "FF", "EF", "E0")


def sealed(code, boot, sequence, body, length=None, crc=None):
    """A record of the journal; its length or CRC may lie."""
    head = (len(body) if length is None else length).to_bytes(2, "little") + code.to_bytes(2, "little")
    head += boot.to_bytes(4, "little") + sequence.to_bytes(4, "little")
    value = zlib.crc32(body, zlib.crc32(head)) if crc is None else crc
    return b"\xa5R" + head + value.to_bytes(4, "little") + body


# ---- the outbox


@pytest.fixture
def play(tmp_path, micropython):
    """Run steps on both interpreters and return what they agree on."""

    def run(steps, most=8, segment_b=300):
        case = {"directory": str(tmp_path / "outbox"), "most": most, "segment_b": segment_b, "steps": steps}
        result = outbox_driver.run(case)
        assert micropython.call("outbox", case) == result
        return result

    return run


WHOLE = st.builds(sealed, st.integers(0, 4), st.integers(0, 9), st.integers(0, 99), st.binary(max_size=40))
LENGTHS = st.sampled_from([0, 5, 4096, 65535])
LYING = st.builds(sealed, st.integers(0, 9), st.just(1), st.just(1), st.binary(max_size=20), LENGTHS)
SPOILT = st.builds(sealed, st.integers(0, 4), st.just(1), st.just(1), st.binary(max_size=20), crc=st.integers(0, 2**32 - 1))
SEGMENT = st.lists(st.one_of(WHOLE, LYING, SPOILT, st.binary(max_size=30), st.just(b"\xa5R"), st.just(b"\xa5R" * 40)), max_size=6)
NAMES = st.one_of(
    st.builds("{}.{}".format, st.integers(0, 3), st.integers(0, 4)),
    st.sampled_from(["1.", "1.x", "1.-1", "1.007", "1.99999999999999999999", "gaps.new", "x", ".1", "2..1"]),
)
ROWS = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-3, 9), st.text(max_size=3), st.floats(allow_nan=False, allow_infinity=False)),
    lambda inner: st.one_of(st.lists(inner, max_size=6), st.dictionaries(st.text(max_size=2), inner, max_size=3)),
    max_leaves=20,
)


def files(content):
    """Return the steps that write these files and boot from them."""
    return [["file", name, data.hex()] for name, data in content.items()] + [["boot"]]


@given(st.dictionaries(NAMES, SEGMENT.map(b"".join), max_size=5), st.integers(0, 3))
@RUNS
def test_segments_of_any_content_hand_out_only_what_is_sealed_and_take_new_records(play, content, dones):
    steps = files(content) + [["next"]] * 8 + [["done", 0]] * dones
    steps += [["add", EVENT, 5], ["add", ALARM, 5], ["boot"]] + [["next"]] * 12
    result = play(steps)
    whole = b"".join(content.values())
    for given_out in result["steps"][len(content) + 1 :]:
        if isinstance(given_out, list) and given_out[1] < 2:
            assert b"\xa5R" in whole


@given(st.one_of(ROWS.map(lambda value: json.dumps(value).encode()), st.binary(max_size=60)))
@example(b'["abc"]')
@example(b"[{}]")
@example(b"[[[],1]]")
@example(b'[[0,"a","b","c","d","e"]]')
@example(b"[[1,1,1,1,2,true]]")
@example(b"[[3,1,1,1,2,2]]")
@example(b"[" * 400)
@example(b"{}")
@example(b"5")
@example(b"\xff[]")
@RUNS
def test_what_the_file_of_gaps_says_is_told_only_where_it_is_six_numbers(play, text):
    result = play([*files({"gaps": text}), ["add", EVENT, 5], ["next"]])
    for gap in result["gaps"]:
        assert len(gap) == 6 and all(type(number) is int for number in gap) and 0 <= gap[0] <= 2
    assert result["steps"][-1][:3] == [EVENT, 2, 1]


def test_a_gap_that_was_noted_is_told_after_a_boot(play):
    result = play(files({"gaps": b"[[2,1,1,1,9,9],[1,1,1,1,2,2]]"}))
    assert result["gaps"] == [[1, 1, 1, 1, 2, 2], [2, 1, 1, 1, 9, 9]]


def test_a_whole_record_behind_a_lying_length_is_found(play):
    lying = sealed(2, 1, 1, b"x" * 10, length=65535)
    result = play([*files({"1.1": lying + sealed(2, 1, 2, b"{}")}), ["next"], ["next"]])
    assert result["steps"][-2:] == [[EVENT, 1, 2, "FF", 2], None]


def test_a_magic_across_two_pieces_of_the_search_is_found(play):
    for filling in range(480, 520):
        result = play([*files({"1.1": b"z" * filling + sealed(2, 1, 7, b"{}")}), ["next"]], segment_b=4096)
        assert result["steps"][-1] == [EVENT, 1, 7, "FF", 2]


_SMALL = """
import os, sys
sys.path.insert(0, {firmware!r})
os.chdir({directory!r})
from terminal import outbox
reads = [0]
real = open
class Counted:
    def __init__(self, file):
        self.file = file
    def __enter__(self):
        return self
    def __exit__(self, *_):
        self.file.close()
    def seek(self, at):
        self.file.seek(at)
    def read(self, *count):
        reads[0] += 1
        return self.file.read(*count)
outbox.open = lambda path, mode="r": Counted(real(path, mode)) if "r" in mode else real(path, mode)
box = outbox.Outbox(9)
box.recover()
print(box.waiting, reads[0])
"""


def _boot_small(binary, directory, code, heap):
    text = code.format(firmware=str(replay.FIRMWARE), directory=str(directory))
    return subprocess.run([str(binary), "-X", f"heapsize={heap}", "-c", text], capture_output=True, text=True, timeout=30)


def test_a_segment_of_false_records_costs_neither_the_heap_nor_many_reads(tmp_path, micropython32):
    (tmp_path / "outbox").mkdir()
    false = sealed(2, 1, 1, b"", length=60000, crc=1)
    for number in range(8):
        (tmp_path / "outbox" / f"1.{number + 1}").write_bytes((false * 300)[:4096])
        (tmp_path / "outbox" / f"2.{number + 1}").write_bytes(b"\xa5R" * 2048)
    run = _boot_small(micropython32, tmp_path, _SMALL, "48k")
    assert run.returncode == 0, run.stderr + run.stdout
    waiting, reads = map(int, run.stdout.split())
    assert waiting == 0
    assert reads <= 16 * 40


# ---- the configuration


@pytest.fixture
def load(tmp_path, micropython):
    """Load these bytes as config.json on both interpreters; return what they agree on."""

    def both(data):
        case = {"dir": str(tmp_path), "file": data.hex(), "save": None}
        result = config_driver.run(case)["first"]
        other = micropython.call("config", case)["first"]
        assert other["values"] == result["values"]
        return result

    return both


FIELDS = ["host", "port", "tls", "apn", "heartbeat_s", "outage_causes", "topic_up", "profile", "volume"]
SETTINGS = st.dictionaries(st.one_of(st.sampled_from(FIELDS), st.text(max_size=5)), ROWS, max_size=6)


@given(st.one_of(SETTINGS.map(lambda value: json.dumps(value).encode()), st.binary(max_size=80)))
@example(b'{"host":"a","host":5}')
@example(b'{"host":"\xc0\xaf"}')
@example(b'{"port":1' + b"0" * 3000 + b"}")
@example(b'{"heartbeat_s":' + b"[" * 4000)
@example(b"[" * 8000)
@example(b'{"apn":"\\ud800"}')
@RUNS
def test_a_configuration_of_any_content_leaves_every_field_usable(load, data):
    result = load(data)
    assert config_driver.config.check(result["values"])[1] in ([], ['host is not a text of 1 to 128 characters; "" is used'])


_LOAD = """
import sys, os
sys.path.insert(0, {firmware!r})
os.chdir({directory!r})
import gc
gc.threshold(2048)
from terminal import config
settings, problems = config.load()
print(settings.port, sum([len(problem) for problem in problems]))
"""


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"{" + b",".join(b'"%03x":0' % n for n in range(900)) + b"}", id="nine hundred names"),
        pytest.param(b'{"' + b"n" * 8000 + b'":0}', id="one name of 8000 letters"),
        pytest.param(b"[" * 8192, id="deep"),
        pytest.param(b'{"a":' * 1600, id="deep objects"),
        pytest.param(b'{"port":' + b"9" * 8000 + b"}", id="a number of 8000 digits"),
        pytest.param(b"\xff" * 8192, id="no text"),
        pytest.param(b"[" + b"0," * 4000 + b"0]", id="a list"),
    ],
)
def test_a_hostile_configuration_of_full_length_loads_in_the_heap_of_a_boot(tmp_path, micropython32, data):
    assert len(data) <= 8192
    (tmp_path / "config.json").write_bytes(data)
    run = _boot_small(micropython32, tmp_path, _LOAD, "100k")
    assert run.returncode == 0, run.stderr + run.stdout
    port, letters = map(int, run.stdout.split())
    assert port == 8883 and letters < 2500


# ---- RTC memory and NVS


@pytest.fixture(scope="module")
def boot(micropython):
    """Boot from records on both interpreters; return what they agree on."""

    def both(rtc=b"", now_s=100, power_on=False, **nvs):
        case = {"rtc": _text(rtc), "nvs": {key: _text(data) for key, data in nvs.items()}, "now_s": now_s, "power_on": power_on}
        result = boot_records.run(case)
        assert micropython.call("boot_records", case) == result
        return result

    return both


def _text(data):
    return "seal:" + data[1].hex() if isinstance(data, tuple) else data.hex()


JUNK = st.binary(max_size=140)
MAGICS = st.sampled_from([b"HC\x01", b"HK\x01", b"HV\x01", b"HR\x01", b""])
SEALED_JUNK = st.builds(lambda magic, tail: ("seal", magic + tail), MAGICS, st.binary(max_size=140))


@given(JUNK, JUNK, JUNK, JUNK, JUNK, st.booleans())
@settings(max_examples=100, deadline=None)
def test_records_without_a_seal_leave_the_welder_unpowered_and_the_boot_goes_on(boot, rtc, kept0, kept1, boots0, boots1, power_on):
    result = boot(rtc, 100, power_on, kept0=kept0, kept1=kept1, boots0=boots0, boots1=boots1)
    assert result["effects"][0] == ["relay", 0]
    assert (result["state"], result["number"]) == ("LOCKED", 1)


def rtc_record(size, intent_size, tail):
    """RTC memory as the store writes it, with these lengths in its head."""
    return ("seal", b"HR\x01" + bytes(16) + size.to_bytes(2, "little") + bytes([intent_size]) + tail)


RTC = st.one_of(SEALED_JUNK, st.builds(rtc_record, st.integers(0, 80), st.integers(0, 60), st.binary(max_size=100)))
BOOTS = st.binary(min_size=39, max_size=39).map(lambda data: ("seal", b"HC\x01" + bytes(4) + data))


@given(RTC, SEALED_JUNK, st.one_of(SEALED_JUNK, BOOTS), SEALED_JUNK, st.integers(-5, 2**31 - 1))
@example(rtc_record(0, 2, b"\xff\xfe"), b"", b"", b"", 100)
@settings(max_examples=100, deadline=None)
def test_records_that_are_sealed_and_mean_nothing_stop_no_boot(boot, rtc, kept0, boots0, boots1, now_s):
    result = boot(rtc, now_s, kept0=kept0, boots0=boots0, boots1=boots1)
    assert result["effects"][0] == ["relay", 0]
