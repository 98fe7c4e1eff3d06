"""An image with the boot path frozen in: a terminal whose file system is dead still lets people weld when the platform is away."""

import json
import shutil
import subprocess
import sys

import pytest

from hanma import stage
from host_tests.board import partitions
from host_tests.board.board import Board
from host_tests.system.harness import RELAY_PIN, staged_tree, wait_for

pytestmark = pytest.mark.slow

_FACTOR = 30
_EMERGENCY_S = 60  # of the host: 600 s of the terminal's at that factor, twice
_IDENTITY = {"device_id": {"blob": b"T-7".hex()}, "secret": {"blob": b"none".hex()}, "lock": {"i32": 1}}


@pytest.fixture(scope="module")
def frozen(tmp_path_factory):
    """The directory of what the image has frozen in."""
    directory = tmp_path_factory.mktemp("frozen")
    for name in ("_boot.py", "boot.py", "main.py"):
        shutil.copyfile(stage.BOARDS / "frozen" / name, directory / name)
    shutil.copytree(staged_tree(), directory / "recovery")
    return directory


def _board(directory, frozen, **options):
    """Return a board that has just come from `hanma flash`, off."""
    with Board(directory, frozen=frozen, time_factor=_FACTOR, is_on=False, **options) as board:
        assert not board.state()["on"]
    return board


def _wreck(board):
    """Provision it, then let every byte of its file system rot."""
    (board.directory / "nvs.json").write_text(json.dumps({"hanma": _IDENTITY}))
    part = partitions.load(partitions.STOCK)[-1]
    with open(board.directory / "flash.img", "r+b") as flash:
        flash.seek(part["address"])
        flash.write(b"\x5a" * part["size"])


def _until(board, text):
    wait_for(lambda: text in board.console_text(), lambda: f"{text!r} in {board.console_text()[-3000:]}", _EMERGENCY_S)


def _is_powered(board):
    edges = [edge["level"] for edge in board.pin_log() if edge["pin"] == RELAY_PIN]
    return edges[-1:] == [1]


def _mpremote(board, *words):
    command = [sys.executable, "-m", "mpremote", "connect", board.pts, *words]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout


def test_a_dead_file_system_is_made_anew_and_fail_open_is_reached_under_the_identity_of_nvs(tmp_path, frozen):
    board = _board(tmp_path / "board", frozen)
    _wreck(board)
    with board:
        board.control.call("power", on=True)
        _until(board, "made anew")
        _until(board, "ready 0.1.0 unix T-7")
        assert not _is_powered(board)
        wait_for(lambda: _is_powered(board), board.console_text, _EMERGENCY_S)
        _until(board, "alarm emergency begins")
        assert board.state()["boots"] == 1
    assert any(b"emergency" in data for data in board.files().values())  # what happens is kept for the platform again


def test_fail_open_is_reached_without_any_file_system(tmp_path, frozen):
    board = _board(tmp_path / "board", frozen)
    _wreck(board)
    table = json.loads((board.directory / "partitions.json").read_text())
    table[-1]["size"] = 4096  # no file system fits into one block
    (board.directory / "partitions.json").write_text(json.dumps(table))
    with board:
        board.control.call("power", on=True)
        _until(board, "ready 0.1.0 unix T-7")
        wait_for(lambda: _is_powered(board), board.console_text, _EMERGENCY_S)
        assert board.state()["boots"] == 1


def test_a_board_without_an_identity_waits_at_the_prompt_and_what_is_put_on_it_runs_before_what_is_frozen(tmp_path, frozen):
    board = _board(tmp_path / "board", frozen)
    with board:
        board.control.call("power", on=True)
        wait_for(lambda: board.state()["at_prompt"], board.console_text)
        for name in ("boot", "main"):
            (tmp_path / f"{name}.py").write_text(f"print('the file system says {name}')\n")
        _mpremote(board, "cp", str(tmp_path / "boot.py"), str(tmp_path / "main.py"), ":/")
        board.control.call("press_reset")
        _until(board, "the file system says boot\nthe file system says main")
        assert "the image's own runs" not in board.console_text()


def test_a_main_py_that_fails_is_a_reset_and_no_prompt(tmp_path, frozen):
    board = _board(tmp_path / "board", frozen)
    with board:
        board.control.call("power", on=True)
        wait_for(lambda: board.state()["at_prompt"], board.console_text)
        (tmp_path / "boot.py").write_text("")
        (tmp_path / "main.py").write_text("this is no Python\n")
        _mpremote(board, "cp", str(tmp_path / "boot.py"), str(tmp_path / "main.py"), ":/")
        board.control.call("press_reset")
        wait_for(lambda: board.state()["boots"] >= 4, board.console_text)
        assert not board.state()["at_prompt"]
