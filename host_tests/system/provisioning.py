"""A technician's bench for tests: virtual boards, a simulated modem at each, and `hanma provision` as a program."""

import contextlib
import json
import subprocess
import sys

from typer.testing import CliRunner

from hanma import toolchain
from hanma.cli import app
from host_tests.board.board import Board
from host_tests.system.harness import RELAY_PIN, Process, staged_tree

BUTTON_PIN = 18  # boards/unix/board.py
SECRET = "s3cret-of-{}-never-to-be-seen"
RUN_S = 200
_SETTINGS = {"host": "platform.example", "tls": False, "keepalive_s": 30}
# Without a modem: what it would do may fail.
QUIET = ("--allow", "registration", "--allow", "clock", "--allow", "position", "--allow", "signal", "--allow", "sim",
          "--allow", "modem", "--allow", "voice", "--up", "1")  # fmt: skip


class Bench:
    """`with Bench(tmp_path) as bench:`; boards made by board() are off the bench at the end."""

    def __init__(self, directory):
        self.directory = directory
        self._stack = contextlib.ExitStack()
        (directory / "config.json").write_text(json.dumps(_SETTINGS))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._stack.close()

    def board(self, name="board", with_modem=True, **options):
        """Return a running board; its contact follows its relay."""
        number = len(list(self.directory.glob("*/flash.img"))) + 1
        options = {"identity": f"240ac4{number:06x}", "time_factor": 4, **options}
        board = self._stack.enter_context(Board(self.directory / name, **options))
        if options.get("is_on", True):
            board.control.call("set_pin", pin=RELAY_PIN + 1, text=f"={RELAY_PIN}")
            board.control.call("release_button", pin=BUTTON_PIN)
        if with_modem:
            self.modem(board)
        return board

    def modem(self, board, *arguments):
        """Put a simulated modem at a board's UART, already switched on."""
        command = [sys.executable, "-m", "host_tests.sim", "--seed", "1", "--speed", "4", *arguments]
        simulator = Process(command, board.directory / "sim.log")
        self._stack.callback(simulator.close)
        board.control.call("link_uart", number=1, tty=simulator.hello()["tty"])

    def batch(self, count, first=1, **columns):
        """Write a batch file of so many identities and return its path."""
        names = ["device_id", "secret", *columns]
        lines = [",".join(names)]
        for number in range(first, first + count):
            values = [f"T-{number}", SECRET.format(number), *(text.format(number) for text in columns.values())]
            lines.append(",".join(values))
        path = self.directory / "batch.csv"
        path.write_text("\n".join(lines) + "\n")
        return path

    def command(self, *words):
        """Return the command line of `hanma provision` with this bench's files."""
        files = {"batch": "batch.csv", "config": "config.json", "record": "record.sqlite", "labels": "labels"}
        words = ["--tree", str(staged_tree()), *map(str, words)]
        options = [part for name, path in files.items() for part in (f"--{name}", str(self.directory / path))]
        return [sys.executable, "-m", "hanma.cli", "provision", "--board", "unix", "--lang", "en", "--wait", "20", *options, *words]

    def run(self, *words, timeout_s=RUN_S):
        """Run it to its end; return (exit status, all that it printed)."""
        done = subprocess.run(
            self.command(*words), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=timeout_s, cwd=toolchain.ROOT
        )
        return done.returncode, done.stdout

    def passes_within(self, *words):
        """The same in this process, which is faster; return what it printed."""
        done = CliRunner().invoke(app, self.command(*words)[3:])
        assert done.exit_code == 0 and "PASS" in done.output, done.output
        return done.output

    def passes(self, *words, **options):
        """Run it; it must say PASS. Return what it printed."""
        status, text = self.run(*words, **options)
        assert status == 0 and "PASS" in text, text
        return text


def kept(board):
    """Return what provisioning leaves on a board: its files but the terminal's own journal, and its identity and lock."""
    files = {path: data for path, data in board.files().items() if path.startswith("lib/") or "/" not in path}
    nvs = board.nvs().get("hanma", {})
    return files, {key: nvs.get(key) for key in ("device_id", "secret", "lock")}
