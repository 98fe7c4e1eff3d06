"""A chip whose MicroPython lies in app partitions, chosen between by the bootloader; the terminal's files lie in a directory of the
host, so that a story runs as fast as without.

State: in its state directory `flash.img`, without a file system, and `partitions.json`. Every image runs the host's MicroPython;
one with PANICS in it never gets as far as Python.
"""

import json

from host_tests.board import bootloader, partitions
from host_tests.port.chip import HARD, SOFT, Chip

PANICS = b"this image panics before Python runs"
_FILES = "vfs"


class OtaChip(Chip):
    """table: the partitions, see `partitions.load`. running: the label of the image that runs; started: of all, oldest first."""

    def __init__(self, directory, state, *, table, **options):
        super().__init__(directory, state, **options)
        self.running = None
        self.started = []
        self._table = [part for part in table if part["label"] != _FILES]
        (self.state / "partitions.json").write_text(json.dumps(self._table))
        if not (self.state / "flash.img").exists():
            (self.state / "flash.img").write_bytes(partitions.blank(table))

    def _start(self, cause):
        """Every reset but a soft one goes through the bootloader; a panic is a reset."""
        while cause != SOFT:
            self.running = bootloader.choose(self.state / "flash.img", self._table)
            self.started.append(self.running)
            if PANICS not in self.content(self.running):
                break
            self.reset_causes.append(cause)
            cause = HARD
        self._env["HANMA_RUNNING"] = self.running
        super()._start(cause)

    def content(self, label):
        """Return the bytes of a partition."""
        part = next(part for part in self._table if part["label"] == label)
        with open(self.state / "flash.img", "rb") as flash:
            flash.seek(part["address"])
            return flash.read(part["size"])

    def cut_power_at_write(self, count):
        """End the power in the middle of the so many-th write to the flash image or to NVS from now."""
        self._write("flash_cut", str(count))

    def _on_cut(self):
        self.power_off()
        return True

    _HANDLERS = dict(Chip._HANDLERS, cut=_on_cut)
