"""The chip of a virtual board: a `Chip` whose MicroPython has its console on pipes and its files on a flash image.

State: in the board's directory `flash.img`, `partitions.json`, `nvs.json` and the other state files of the chip; the pipes
`console_in`, `console_out`, `repl_in`, `repl_out`; the number of the start that runs.
"""

import contextlib
import json
import os

from host_tests.board import bootloader, partitions
from host_tests.port.chip import SOFT, Chip

_NO_IMAGE = b"No bootable app partitions in the partition table\n"


class Processor(Chip):
    """on_start(is_raw): called from a thread of its own before MicroPython starts. is_raw(): whether the console is in the raw
    REPL, which lasts over a soft reset and keeps main.py from running.
    """

    def __init__(self, directory, *, table, is_raw, on_start, **options):
        super().__init__(directory, directory, **options)
        self.boot = 0  # starts of MicroPython, ever
        self.running = None  # the label of the image that runs
        self._is_raw, self._on_start = is_raw, on_start
        self._table = self._make_flash(table)
        self.pipes = {name: self._open_fifo(name) for name in ("console_in", "console_out", "repl_in", "repl_out")}

    def _make_flash(self, table):
        """Return the partitions of the flash there is; a new one gets this table."""
        path = self.state / "partitions.json"
        if not (self.state / "flash.img").exists():
            path.write_text(json.dumps(table))
            (self.state / "flash.img").write_bytes(partitions.blank(table))
        return json.loads(path.read_text())

    def _start(self, cause):
        """A soft reset starts Python only; every other one goes through the bootloader."""
        is_raw = cause == SOFT and self._is_raw()
        if cause == SOFT:
            self._say(b"MPY: soft reboot\n")
        else:
            self.running = bootloader.choose(self.state / "flash.img", self._table)
        self._on_start(is_raw)
        if self.running is None:
            self._say(_NO_IMAGE)
            return
        self.boot += 1
        self._env.update(HANMA_BOOT=str(self.boot), HANMA_RAW=str(int(is_raw)), HANMA_RUNNING=self.running)
        super()._start(cause)
        self.interruptible = False  # until MicroPython says so: what comes before waits to be read

    def _say(self, data):
        with contextlib.suppress(BlockingIOError):
            os.write(self.pipes["console_out"], data)

    def _spawn(self, env):
        """Start MicroPython between the pipes; its ends of them wait, ours do not."""
        with contextlib.ExitStack() as stack:
            ends = []
            for name, way in (("console_in", os.O_RDONLY), ("console_out", os.O_WRONLY)):
                ends.append(os.open(self.state / name, way))
                stack.callback(os.close, ends[-1])
            return self._popen(env, stdin=ends[0], stdout=ends[1])

    def ctrl_c(self):
        """Send the byte 0x03; return whether it could interrupt. What MicroPython has said about that counts first."""
        with self._changed:
            if self._process is not None:
                self._serve()
            return super().ctrl_c()

    def _on_cut(self):
        self.power_off()
        return True

    _HANDLERS = dict(Chip._HANDLERS, cut=_on_cut)

    def cut_power_at_write(self, count):
        """End the power in the middle of the so many-th write to flash from now."""
        self._write("flash_cut", str(count))

    def writes_left(self):
        """Return how many writes there are still to the cut."""
        return self._read_json("flash_cut") or 0

    def close(self):
        """Power off and let go of the pipes."""
        super().close()
        for pipe in self.pipes.values():
            os.close(pipe)
        self.pipes = {}
