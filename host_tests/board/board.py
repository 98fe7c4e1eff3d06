"""A virtual board for tests and demonstrations, in a process of its own: `with Board(tmp_path, identity=…) as board:`.

State: the process and a connection to its control channel. What the board keeps (flash, NVS, console) is in its directory and
outlives it; a Board of the same directory goes on with it.
"""

import json
import pathlib
import subprocess
import sys

from hanma import toolchain
from host_tests.board import image
from host_tests.sim.control import Control

_END_S = 10


class BoardError(Exception):
    """The board's process did not start; the text is the end of its log."""


class Board:
    """directory: where it keeps everything; made when missing. identity: the chip's unique id, twelve hexadecimal digits.

    micropython: the interpreter (default: the pinned wheel's). machine_text: what it says it is, as at a board's prompt;
    version_text: the firmware's version there ("v1.26.1 on 2025-09-11"; default: the interpreter's own). partitions: CSV file
    for a new flash (partitions.STOCK or OTA). template: the directory of another board that is off, whose flash and NVS this one
    begins with. is_on: whether it has power at the start. options: others of `python -m host_tests.board`, as build="…".
    """

    def __init__(
        self,
        directory,
        *,
        identity="240ac4000001",
        micropython=None,
        machine_text=None,
        version_text=None,
        partitions=None,
        template=None,
        is_on=True,
        **options,
    ):
        self.directory = pathlib.Path(directory)
        self.directory.mkdir(parents=True, exist_ok=True)
        self.identity = identity
        self.control = None  # host_tests.sim.control.Control, while it runs
        self.micropython = micropython or toolchain.micropython()
        given = {"machine": machine_text, "version": version_text, "partitions": partitions, **options}
        self._command = [sys.executable, "-m", "host_tests.board", "--directory", str(self.directory)]
        self._command += ["--identity", identity, "--micropython", str(self.micropython)]
        for name, value in given.items():
            self._command += [f"--{name.replace('_', '-')}", str(value)] if value is not None else []
        self._command += [] if is_on else ["--off"]
        self._process = None
        if template:
            image.copy(template, self.directory)

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.stop()

    def start(self):
        """Start it: cable plugged in, and power. Raises BoardError when that fails."""
        with open(self.directory / "process.log", "ab") as errors:
            self._process = subprocess.Popen(
                self._command, stdout=subprocess.PIPE, stderr=errors, cwd=toolchain.ROOT, start_new_session=True
            )
        line = self._process.stdout.readline()
        if not line:
            self.stop()
            raise BoardError((self.directory / "process.log").read_text()[-2000:])
        self.control = Control(json.loads(line)["control"])

    def stop(self):
        """End it as a power cut does. Nothing to do when it does not run."""
        if self.control is not None:
            self.control.close()
            self.control = None
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(_END_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process.stdout.close()
            self._process = None

    @property
    def port(self):
        """The path of its serial port: a link, the same over every plugging in; it is gone while the cable is out."""
        return str(self.directory / "port")

    @property
    def pts(self):
        """The pty behind the port. mpremote is faster with it, but knows no time-out there; None while the cable is out."""
        return self.state()["pts"]

    def state(self):
        """Return what the board's process tells: host_tests/board/control.py, `state`."""
        return self.control.call("state")

    def console_text(self):
        """Return all that its programs ever printed."""
        try:
            return (self.directory / "console.log").read_text(errors="replace")
        except FileNotFoundError:
            return ""

    def pin_log(self):
        """Return the edges of its output pins, as Chip.pin_log()."""
        try:
            lines = (self.directory / "pins.log").read_text().split("\n")[:-1]
        except FileNotFoundError:
            return []
        return [json.loads(line) for line in lines]

    def nvs(self):
        """Return {namespace: {key: bytes or int}} of its key-value store."""
        return image.read_nvs(self.directory)

    def files(self):
        """Return {path without the first slash: bytes} of its file system; image.ImageError when that cannot be mounted."""
        return image.read_files(self.directory)
