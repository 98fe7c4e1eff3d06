"""What the virtual board's console answers, byte for byte, and which image its bootloader starts."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from host_tests.board import bootloader, partitions
from host_tests.board.console import Console, needs_more
from host_tests.port import boot_choice
from host_tests.port.boot_choice import ABORTED, INVALID, NEW, PENDING, VALID

_BANNER = b"MicroPython v1; a board\r\nType \"help()\" for more information.\r\n>>> "
_RAW = b"raw REPL; CTRL-B to exit\r\n>"


class Bench:
    """A console, what it sent, and a program that does as the test says."""

    def __init__(self):
        self.sent = bytearray()
        self.asked = []  # (kind, source) and "interrupt", "soft reset"
        self.given = bytearray()
        self.unread = b""
        self.may_interrupt = True
        self.console = Console(self, self.sent.extend, "MicroPython v1; a board")

    def take(self):
        """Return what was sent since the last time."""
        sent, self.sent[:] = bytes(self.sent), b""
        return sent

    def feed(self, data):
        """Feed bytes; return what is sent then."""
        self.console.feed(data)
        return self.take()

    def execute(self, kind, source):
        self.asked.append((kind, source))

    def interrupt(self):
        if self.may_interrupt:
            self.asked.append("interrupt")
        return self.may_interrupt

    def give(self, data):
        self.given += data

    def take_back(self):
        unread, self.unread = self.unread, b""
        return unread

    def soft_reset(self):
        self.asked.append("soft reset")


@pytest.fixture
def bench():
    """A console at its friendly prompt."""
    bench = Bench()
    bench.console.ready()
    assert bench.take() == _BANNER
    return bench


@pytest.fixture
def raw(bench):
    """A console in the raw REPL."""
    assert bench.feed(b"\x01") == b"\r\n" + _RAW
    return bench


def test_the_friendly_prompt_echoes_and_executes_a_line(bench):
    assert bench.feed(b"1+x\x7f1\r") == b"1+x\b \b1\r\n"
    assert bench.asked == [("single", b"1+1\n")]
    bench.console.done()
    assert bench.take() == b">>> "


def test_a_compound_statement_waits_for_an_empty_line(bench):
    bench.feed(b"if 1:\r")
    bench.feed(b"  x = (1,\r")
    assert not bench.asked
    bench.feed(b"2)\r\r")
    assert bench.asked == [("single", b"if 1:\n  x = (1,\n2)\n\n")]


@pytest.mark.parametrize("text, expected", [("f(1", True), ("f('(')", False), ("x \\", True), ("form = 1", False), ("@once", True)])
def test_what_needs_another_line(text, expected):
    assert needs_more(text) is expected


def test_paste_mode_executes_what_was_pasted(bench):
    assert bench.feed(b"\x05a\rb\x04").startswith(b"\r\npaste mode; Ctrl-C to cancel, Ctrl-D to finish\r\n=== ")
    assert bench.asked == [("exec", b"a\nb")]


def test_ctrl_b_leaves_the_raw_repl_with_a_banner(raw):
    assert raw.feed(b"\r\x02") == b"\r\n" + _BANNER


def test_the_raw_repl_says_ok_and_then_prompts_again(raw):
    assert raw.feed(b"print(1)\x04") == b"OK"
    assert raw.asked == [("raw", b"print(1)")]
    raw.console.done()
    assert raw.take() == b">"


def test_an_empty_source_is_a_soft_reset(raw):
    assert raw.feed(b"\x04") == b"OK\r\n"
    assert raw.asked == ["soft reset"]


def test_ctrl_c_at_a_prompt_forgets_the_line(raw):
    assert raw.feed(b"forgotten\x03kept\x04") == b"OK"
    assert raw.asked == [("raw", b"kept")]


def test_raw_paste_tells_its_window_and_opens_it_again_each_time_it_is_used_up(raw):
    assert raw.feed(b"\x05A\x01") == b"R\x01\x80\x00\x01"
    assert raw.feed(b"x" * 127) == b""
    assert raw.feed(b"x") == b"\x01"
    assert raw.feed(b"x" * 300) == b"\x01\x01"
    assert raw.feed(b"\x04") == b"\x04"
    assert raw.asked == [("raw", b"x" * 428)]


def test_another_paste_command_is_refused(raw):
    assert raw.feed(b"\x05B\x01") == b"R\x00>"


@settings(max_examples=100)
@given(st.binary().map(lambda data: bytes(byte for byte in data if byte > 5)), st.lists(st.integers(1, 9), min_size=1))
def test_a_source_is_the_same_however_the_bytes_are_cut(source, cuts):
    bench = Bench()
    bench.console.ready()
    data, turn = b"\r\x03\r\x01\x05A\x01" + source + b"\x04", 0
    while data:
        count = cuts[turn % len(cuts)]
        bench.console.feed(data[:count])
        data, turn = data[count:], turn + 1
    assert bench.asked == [("raw", source)]


def test_a_running_program_gets_the_bytes_and_ctrl_c_stops_it(raw):
    raw.feed(b"run\x04ab\x03c")
    assert raw.asked == [("raw", b"run"), "interrupt"]
    assert raw.given == b"abc"


def test_a_program_that_forbade_ctrl_c_gets_it_as_a_byte(raw):
    raw.may_interrupt = False
    raw.feed(b"run\x04ab\x03c")
    assert raw.given == b"ab\x03c"


def test_what_no_program_has_read_comes_to_the_prompt(raw):
    raw.feed(b"run\x04")
    raw.unread = b"\r\x01"
    raw.console.done()
    assert raw.take() == b">" + _RAW


def test_the_raw_repl_outlives_a_soft_reset(raw):
    raw.feed(b"\x04")
    raw.take()
    raw.console.started(is_raw=True)
    raw.console.ready()
    assert raw.take() == _RAW


# ---- the bootloader


@pytest.fixture
def flash(tmp_path):
    """A flash with two whole images; `flash.records(…)` writes otadata."""
    return Flash(tmp_path / "flash.img")


class Flash:
    """Its file and its table."""

    def __init__(self, path):
        self.path = path
        self.table = partitions.load(partitions.OTA)
        self.address = {part["label"]: part["address"] for part in self.table}
        image = partitions.blank(self.table)
        self._put(image, "ota_1", boot_choice.app_image(b"the other"))
        path.write_bytes(image)

    def _put(self, image, label, data):
        image[self.address[label] : self.address[label] + len(data)] = data

    def records(self, *records):
        """Write (sequence, state) into the two records."""
        image = bytearray(self.path.read_bytes())
        for number, record in enumerate(records):
            if record:
                at = self.address["otadata"] + number * boot_choice.SECTOR
                image[at : at + boot_choice.RECORD_B] = boot_choice.record(*record)
        self.path.write_bytes(image)

    def states(self):
        """Return the states of the two records."""
        image = self.path.read_bytes()
        at = self.address["otadata"]
        return [boot_choice.state_of(image[at + k : at + k + boot_choice.RECORD_B]) for k in (0, boot_choice.SECTOR)]

    def spoil(self, label):
        """Change a byte in an image."""
        image = bytearray(self.path.read_bytes())
        image[self.address[label] + 34] ^= 1
        self.path.write_bytes(image)

    def boot(self):
        """Return the label that is started."""
        return bootloader.choose(self.path, self.table)


def test_a_blank_otadata_starts_the_first_slot_and_notes_it(flash):
    assert flash.boot() == "ota_0"
    assert flash.states()[0] == VALID


def test_a_new_image_starts_on_trial_and_an_unmarked_one_is_aborted(flash):
    flash.records((1, VALID), (2, NEW))
    assert (flash.boot(), flash.states()) == ("ota_1", [VALID, PENDING])
    assert (flash.boot(), flash.states()) == ("ota_0", [VALID, ABORTED])


@pytest.mark.parametrize("state", [INVALID, ABORTED])
def test_a_refused_image_is_not_started(flash, state):
    flash.records((3, VALID), (4, state))
    assert flash.boot() == "ota_0"


def test_an_image_that_is_not_whole_is_passed_over(flash):
    flash.records((1, VALID), (2, VALID))
    flash.spoil("ota_1")
    assert flash.boot() == "ota_0"
    flash.spoil("ota_0")
    assert flash.boot() is None


@pytest.mark.parametrize("slot, sequence", [(0, 7), (1, 6)])
def test_the_next_sequence_number_leads_to_the_slot(slot, sequence):
    records = [boot_choice.record(5, VALID), boot_choice.record(6, VALID)]
    assert boot_choice.next_sequence(records, slot, 2) == sequence


def test_the_file_system_takes_what_is_behind_the_last_app():
    parts = {part["label"]: part for part in partitions.load(partitions.STOCK)}
    assert (parts["vfs"]["address"], parts["vfs"]["size"]) == (0x200000, 0x200000)
