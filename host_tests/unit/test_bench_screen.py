"""The bench as a person meets it: its commands, its plain lines, and its live screen in a terminal window."""

import json
import os
import pty
import select
import signal
import subprocess
import sys
import time

import pytest
from typer.testing import CliRunner

from hanma.bench import journal, sample
from hanma.bench.cli import app
from hanma.bench.people import People
from hanma.bench.platform import wall_clock_ms
from hanma.bench.screen import tell
from hanma.bench.wording import both, describe, place
from hanma.bench.wording import signal as bars

pytestmark = pytest.mark.slow  # real processes and sockets: not for `make check`

# A test run that was started in the background ignores Ctrl-C, and so would its children.
_START = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); from hanma.bench.cli import app; app()"
BENCH = [sys.executable, "-c", _START]
TIMEOUT_S = 30


@pytest.fixture
def directory(tmp_path):
    people = People(tmp_path / "people.sqlite")
    sample.fill(people, "bench-1", wall_clock_ms())
    people.close()
    return tmp_path


def command(*arguments, directory):
    return CliRunner().invoke(app, [*arguments, "--dir", str(directory)])


class Window:
    """The bench in a terminal window of its own: a pseudo terminal that is read until a text has appeared."""

    def __init__(self, directory):
        self.fd, other = pty.openpty()
        environment = dict(os.environ, TERM="xterm-256color", COLUMNS="160", LINES="50", LANG="C.UTF-8")
        self.process = subprocess.Popen(
            [*BENCH, "run", "--listen", "127.0.0.1:0", "--dir", str(directory)], stdin=other, stdout=other,
            stderr=other, env=environment, start_new_session=True)
        os.close(other)
        self.text = ""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        os.close(self.fd)

    def press(self, letter):
        os.write(self.fd, letter.encode())

    def until(self, text):
        """Reads until `text` has appeared; a window that ends or a time-out fails."""
        deadline = time.monotonic() + TIMEOUT_S
        while text not in self.text:
            assert time.monotonic() < deadline, f"no {text!r} in:\n{self.text[-3000:]}"
            if select.select([self.fd], [], [], 0.1)[0]:
                self.text += os.read(self.fd, 65536).decode(errors="replace")

    def ends(self):
        """Reads on to the end; returns the exit status."""
        deadline = time.monotonic() + TIMEOUT_S
        while self.process.poll() is None:
            assert time.monotonic() < deadline
            if select.select([self.fd], [], [], 0.1)[0]:
                try:
                    self.text += os.read(self.fd, 65536).decode(errors="replace")
                except OSError:  # Linux: the other end is closed
                    break
        return self.process.wait(TIMEOUT_S)


def test_the_keys_of_the_live_screen_scan_in_welders_and_q_ends_it(directory):
    with Window(directory) as window:
        window.until("quit")
        window.press("e")
        window.until("certificate has expired")
        window.press("g")
        window.until("waits for the guardian")
        window.press("q")
        assert window.ends() == 0
        assert "\x1b[?1049l" in window.text  # the window is given back
    steps = [record["job"]["state"] for record in journal.read(directory / "journal.jsonl") if "job" in record
             and isinstance(record["job"], dict)]
    assert steps == ["refused", "applied"]


def test_ctrl_c_leaves_whole_lines_and_no_traceback(directory):
    with Window(directory) as window:
        window.until("quit")
        window.press("e")
        window.until("certificate has expired")
        window.process.send_signal(signal.SIGINT)
        assert window.ends() == 130
        assert "Traceback" not in window.text
    for name in ("journal.jsonl", "broker.jsonl"):
        text = (directory / name).read_text()
        assert text.endswith("\n")
        assert all(json.loads(line) for line in text.splitlines())


def test_without_a_window_it_prints_plain_lines(directory):
    process = subprocess.Popen([*BENCH, "run", "--listen", "127.0.0.1:0", "--dir", str(directory)],
                               stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    with process:
        line = process.stdout.readline().decode()
        process.send_signal(signal.SIGINT)
        rest = process.communicate(timeout=TIMEOUT_S)[0].decode()
    assert line.startswith("broker mqtt://127.0.0.1:")
    assert "\x1b[" not in line + rest and "Traceback" not in rest


def test_people_are_added_shown_and_removed_by_commands(directory):
    welder = ("people", "welder", "赵六", "--ref", "w-zhao", "--valid-to", "2030-01-01", "--number", "N7")
    added = command(*welder, directory=directory)
    assert (added.exit_code, added.output.strip()) == (0, "w-zhao")
    assert command("people", "permit", "P9", "bench-1", "--hours", "2", directory=directory).exit_code == 0
    assert command("people", "guardian", "孙七", "--ref", "g9", directory=directory).exit_code == 0
    assert command("people", "device", "D9", "--unit", "单位", directory=directory).exit_code == 0
    people = People(directory / "people.sqlite")
    assert people.welder("w-zhao").certificates[0].number == "N7"
    assert people.guardian("g9").name == "孙七" and people.device("D9").unit == "单位"
    permit = next(permit for permit in people.permits("bench-1") if permit.no == "P9")
    assert permit.to_ms - permit.from_ms == 2 * 3_600_000
    assert "w-zhao" in command("people", "list", directory=directory).output
    assert command("people", "remove", "welders", "w-zhao", directory=directory).exit_code == 0
    assert command("people", "remove", "welders", "w-zhao", directory=directory).exit_code == 1


@pytest.mark.parametrize("arguments", [
    ("people", "welder", "赵六", "--valid-to", "31.12.2030"), ("people", "remove", "jobs", "j1"),
    ("people", "welder", "赵六", "--valid-to", "2030-01-01", "--kind", "080"), ("run", "--profile", "iotda"),
    ("run", "--profile", "other"), ("people", "permit", "P1", "bench-1", "--start", "yesterday"),
])
def test_what_makes_no_sense_is_refused_before_anything_happens(directory, arguments):
    result = command(*arguments, directory=directory)
    assert result.exit_code == 2 and "Traceback" not in result.output


def test_the_journal_is_shown_by_steps_and_one_job_whole(directory):
    with journal.Journal(directory / "journal.jsonl", lambda: 1_800_000_000_000) as kept:
        kept.message("up", "welder/D1/up", b"{}")
        kept.note("refused", job="j1", code="permit_missing")
        kept.note("refused", job="j2", code="busy")
    shown = command("journal", directory=directory).output
    assert "permit_missing" in shown and "welder/D1/up" not in shown
    assert "welder/D1/up" in command("journal", "--messages", directory=directory).output
    assert "j2" not in command("journal", "--job", "j1", directory=directory).output
    raw = command("journal", "--raw", directory=directory).output.splitlines()
    assert json.loads(raw[0])["code"] == "permit_missing"


@pytest.mark.parametrize(("name", "body", "words"), [
    ("heartbeat", {"content": {"event": {"relay": 1, "cause": "emergency", "boot": 3, "seq": 9}}},
     ("通电", "powered", "断网应急", "#3.9")),
    ("heartbeat", {"content": {"rsrp": -90}}, ("rsrp=-90",)),
    ("position", {"content": {"lng": "106.5", "lat": "29.5", "source": "gnss", "accuracy_m": 5}},
     ("106.5, 29.5", "gnss", "±5 m")),
    ("position", {"content": {"source": "none", "reason": "no_fix"}}, ("no_fix",)),
    ("alarm", {"content": {"kind": "tamper", "start": 1, "end": None}}, ("tamper", "解除")),
    ("answer", {"code": 500, "message": "忙"}, ("500", "忙")),
    ("unknown", None, ("",)),
])
def test_a_message_is_told_in_one_line(name, body, words):
    line = describe(name, body)
    assert "\n" not in line and all(word in line for word in words)


def test_words_signal_and_places_are_told_also_when_they_are_not_known():
    assert both("LOCKED") == "锁定 locked" and both("new_word") == "new_word" and both(None) == "—"
    assert bars(-95) == "▮▮▮▯▯ -95 dBm" and bars(None) == "—" and bars(-130).startswith("▯▯▯▯▯")
    assert place(None) == "—"


def test_a_refusal_is_told_with_its_article(directory):
    from hanma.bench.regulation import Regulation

    rules = Regulation(People(directory / "people.sqlite"))
    text = tell(rules.scan("bench-1", sample.EXPIRED_WELDER, wall_clock_ms(), "j1"))
    assert text.startswith("第21条") and "过期" in text and "expired" in text
