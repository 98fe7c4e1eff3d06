"""`hanma provision` on virtual boards through mpremote's transport: what a technician and the record see."""

import json
import subprocess
import sys

import pytest

from hanma import toolchain
from hanma.provision.job import STEPS
from hanma.provision.record import Record
from hanma.provision.words import say
from host_tests.board.image import write_files
from host_tests.system.harness import RELAY_PIN, wait_for
from host_tests.system.provisioning import BUTTON_PIN, QUIET, SECRET, Bench, kept

pytestmark = pytest.mark.slow


@pytest.fixture
def bench(tmp_path):
    """An empty bench."""
    with Bench(tmp_path) as made:
        yield made


def _relay(board):
    return [edge["level"] for edge in board.pin_log() if edge["pin"] == RELAY_PIN]


def test_a_fresh_board_becomes_a_locked_terminal_with_label_and_record(bench):
    board = bench.board()
    bench.batch(2, qr="https://platform.example/t/{}")
    text = bench.passes(board.pts)
    files, identity = kept(board)
    assert identity == {"device_id": b"T-1", "secret": SECRET.format(1).encode(), "lock": 1}
    assert {"boot.py", "main.py", "config.json", "lib/board.mpy"} <= set(files)
    run = Record(bench.directory / "record.sqlite").runs()[-1]
    assert (run["device_id"], run["chip"], run["number"], run["verdict"]) == ("T-1", board.identity, 1, "pass")
    assert run["versions"]["iccid"] and run["versions"]["imei"] and run["results"]["relay"][0] == "ok"
    assert (bench.directory / "labels" / "000001-T-1.png").stat().st_size > 100
    assert (bench.directory / "labels" / "labels.pdf").read_bytes().startswith(b"%PDF")
    assert "s3cret" not in text + board.console_text() and "A7670" in text
    assert _relay(board)[-1] == 0 and _relay(board).count(1) == 1  # clicked once, at rest at the end


def test_the_secret_is_in_no_file_of_the_host_but_the_batch(bench):
    board = bench.board(with_modem=False)
    bench.batch(1)
    bench.run(board.pts, *QUIET)
    told = [path for path in bench.directory.rglob("*") if path.is_file() and path.parent != board.directory]
    assert [path.name for path in told if b"s3cret" in path.read_bytes()] == ["batch.csv"]
    assert "s3cret" not in " ".join(bench.command())


def test_a_locked_terminal_opens_for_its_key_and_button_alone_and_ends_the_same(bench):
    board = bench.board(with_modem=False)
    bench.batch(2)
    bench.passes(board.pts, *QUIET)
    before = kept(board)
    starts = board.state()["boots"]
    status, text = bench.run(board.pts, *QUIET, "--wait", "5")  # nobody holds the button
    assert (status, board.state()["boots"]) == (1, starts) and "button" in text
    board.control.call("press_button", pin=BUTTON_PIN)
    text = bench.passes(board.pts, *QUIET)
    assert "0 of" in text and "nothing to change" in text and "T-1  No. 000001  as before" in text
    assert kept(board) == before


def test_a_locked_terminal_refuses_another_terminals_key(bench):
    board = bench.board(with_modem=False)
    bench.batch(1)
    bench.passes(board.pts, *QUIET)
    path = bench.batch(1)
    path.write_text(path.read_text().replace("never", "other"))
    board.control.call("press_button", pin=BUTTON_PIN)
    status, text = bench.run(board.pts, *QUIET)
    assert status == 1 and "not its own" in text


@pytest.mark.parametrize("received", [1, 5000, 60000])
def test_a_cable_pulled_while_it_writes_leaves_a_board_that_the_next_run_finishes(bench, received):
    board = bench.board(with_modem=False)
    bench.batch(2)
    board.control.call("unplug", after_bytes=received)
    status, text = bench.run(board.pts, *QUIET)
    assert status == 1 and "cable" in text, text
    board.control.call("plug")
    board.control.call("press_button", pin=BUTTON_PIN)
    bench.passes(board.pts, *QUIET)
    assert kept(board)[1] == {"device_id": b"T-1", "secret": SECRET.format(1).encode(), "lock": 1}
    assert [one["device_id"] for one in Record(bench.directory / "record.sqlite").terminals()] == ["T-1"]
    assert _relay(board)[-1] == 0


@pytest.mark.parametrize("step", STEPS[:-1])
def test_a_cable_pulled_after_each_step_leaves_a_board_that_the_next_run_finishes(bench, step):
    board = bench.board(with_modem=False)
    bench.batch(2)
    with open(bench.directory / "out.txt", "w+b") as out:
        process = subprocess.Popen(bench.command(board.pts, *QUIET), stdout=out, stderr=out, cwd=toolchain.ROOT)
        try:
            told = lambda: (bench.directory / "out.txt").read_text(errors="replace")  # noqa: E731
            wait_for(lambda: f"✓ {say(step, 'en')} " in told(), told, 60)
            board.control.call("unplug")
            assert process.wait(60) == 1 or step == "lock", told()
        finally:
            process.kill()
            process.wait()
    board.control.call("plug")
    board.control.call("press_button", pin=BUTTON_PIN)
    bench.passes(board.pts, *QUIET)
    assert kept(board)[1] == {"device_id": b"T-1", "secret": SECRET.format(1).encode(), "lock": 1}
    assert [one["device_id"] for one in Record(bench.directory / "record.sqlite").terminals()] == ["T-1"]
    assert _relay(board)[-1] == 0


def test_four_boards_at_once_get_four_identities(bench):
    boards = [bench.board(f"board{number}", with_modem=False) for number in range(4)]
    bench.batch(4)
    text = bench.passes(*(board.pts for board in boards), *QUIET)
    assert text.count("PASS") == 4
    assert sorted(kept(board)[1]["device_id"] for board in boards) == [b"T-1", b"T-2", b"T-3", b"T-4"]
    assert len({kept(board)[1]["secret"] for board in boards}) == 4


def test_a_board_whose_self_test_fails_stays_open_and_gets_no_label(bench):
    board = bench.board(with_modem=False)
    board.control.call("set_pin", pin=RELAY_PIN + 1, text="0")
    bench.batch(1)
    status, text = bench.run(board.pts, *QUIET)
    assert status == 1 and "FAIL" in text and "contact's read-back" in text
    assert kept(board)[1]["lock"] is None and not list((bench.directory / "labels").glob("*.png"))
    assert _relay(board)[-1] == 0


def test_a_batch_that_is_used_up_says_so(bench):
    bench.batch(1)
    first, second = (bench.board(name, with_modem=False) for name in ("one", "two"))
    bench.passes(first.pts, *QUIET)
    status, text = bench.run(second.pts, *QUIET)
    assert status == 1 and "no identity is left" in text and kept(second)[1]["device_id"] is None


def test_a_reprint_keeps_number_and_content(bench):
    board = bench.board(with_modem=False)
    bench.batch(1)
    bench.passes(board.pts, *QUIET)
    label = bench.directory / "labels" / "000001-T-1.png"
    before = label.read_bytes()
    label.unlink()
    bench.batch(1, qr="another {}")
    assert bench.run("--reprint")[0] == 0
    assert label.read_bytes() == before


def test_the_next_board_starts_when_the_cable_moves(bench):
    """One port, two boards: what a hand at the cable does."""
    boards = [bench.board(name, with_modem=False) for name in ("one", "two")]
    port = bench.directory / "port"
    bench.batch(2)
    port.symlink_to(boards[0].pts)
    with open(bench.directory / "out.txt", "w+b") as out:
        process = subprocess.Popen(bench.command(port, "--watch", *QUIET), stdout=out, stderr=out, cwd=toolchain.ROOT)
        try:
            told = lambda: (bench.directory / "out.txt").read_text(errors="replace")  # noqa: E731
            wait_for(lambda: told().count("PASS") == 1, told, 60)
            port.unlink()
            wait_for(lambda: "next board" in told(), told, 20)
            port.symlink_to(boards[1].pts)
            wait_for(lambda: told().count("PASS") == 2, told, 60)
        finally:
            process.terminate()
            process.wait()
    assert [kept(board)[1]["device_id"] for board in boards] == [b"T-1", b"T-2"]


@pytest.mark.timeout(400)
def test_fifty_boards_in_a_row(bench):
    """They come with the firmware on, as from a maker; each gets its own identity, number and lock."""
    bench.batch(51)
    pattern = bench.board("pattern", with_modem=False)
    bench.passes(pattern.pts, *QUIET, "--open")
    pattern.stop()
    (pattern.directory / "nvs.json").unlink()
    given = []
    for number in range(50):
        identity = f"30aea4{number:06x}"
        board = bench.board(f"b{number}", with_modem=False, template=pattern.directory, identity=identity, time_factor=20)
        assert "0 of" in bench.passes_within(board.pts, *QUIET)
        given.append(board.nvs()["hanma"]["device_id"].decode())
        board.stop()
    assert given == [f"T-{number}" for number in range(2, 52)]
    record = Record(bench.directory / "record.sqlite")
    assert [one["number"] for one in record.terminals()] == list(range(1, 52))
    assert [run["verdict"] for run in record.runs()] == ["pass"] * 51


# ---- the doctor


def _doctor(bench, board, *words):
    command = [sys.executable, "-m", "hanma.cli", "doctor", board.pts, "--lang", "en", "--wait", "8", "--record"]
    command += [str(bench.directory / "record.sqlite"), *map(str, words)]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=100, cwd=toolchain.ROOT)
    return done.returncode, done.stdout


def test_the_doctor_says_what_is_missing_on_a_fresh_board_and_who_a_locked_one_is(bench):
    board = bench.board(with_modem=False)
    status, text = _doctor(bench, board)
    assert status == 1 and board.identity in text and "no terminal's program" in text
    batch = bench.batch(1)
    bench.passes(board.pts, *QUIET)
    status, text = _doctor(bench, board)
    assert status == 1 and f"terminal T-1 is locked (chip {board.identity})" in text
    board.control.call("press_button", pin=BUTTON_PIN)
    status, text = _doctor(bench, board, "--batch", batch)
    assert status == 0 and "No. 1, T-1" in text and "once it is online" in text, text


def test_the_doctor_tells_why_an_open_terminal_would_let_nobody_weld(bench):
    board = bench.board(with_modem=False)
    bench.batch(1)
    (bench.directory / "config.json").write_text(json.dumps({"tls": False, "host": "platform.example", "heartbeat_s": 20}))
    bench.passes(board.pts, *QUIET, "--open")
    board.stop()
    write_files(board.directory, {"config.json": b'{"heartbeat_s": 1}'})
    board.start()
    status, text = _doctor(bench, board)
    assert status == 1
    assert "heartbeat_s is not a whole number" in text and "no platform is configured" in text and "ca.pem is not there" in text
