"""Puts a virtual board together: the chip, its console's bytes, the cable.

State: the event loop's readers. All but the chip's own thread runs in that loop.
"""

import os

from host_tests.board.cable import Cable
from host_tests.board.console import Console
from host_tests.board.processor import Processor

_PIECE_B = 65536


class Shell:
    """A board without power. options: what Processor takes besides the directory; banner: the line at the prompt."""

    def __init__(self, loop, directory, banner, **options):
        self._loop = loop
        self.chip = Processor(directory, is_raw=lambda: self.console.is_raw, on_start=self._on_start, **options)
        self.console = Console(self, self._send, banner)
        self.cable = Cable(loop, self.chip.state / "port", self.console.feed, self._on_room)
        self._log = open(self.chip.console, "ab", buffering=0)  # noqa: SIM115
        self._replies = b""
        self._is_reading = False
        loop.add_reader(self.chip.pipes["repl_out"], self._on_reply)
        self._on_room()

    def close(self):
        """Power off, cable out."""
        self.cable.close()
        for name in ("repl_out", "console_out"):
            self._loop.remove_reader(self.chip.pipes[name])
        self.chip.close()
        self._log.close()

    # From the program to the wire

    def _send(self, data):
        self.cable.write(data)

    def _on_room(self):
        if not self._is_reading:
            self._is_reading = True
            self._loop.add_reader(self.chip.pipes["console_out"], self._on_output)

    def _on_output(self):
        """Send what the program prints; it waits while the computer reads slowly."""
        data = self._read("console_out")
        self._log.write(data)
        self._send(data.replace(b"\n", b"\r\n"))
        if self.cable.is_full:
            self._is_reading = False
            self._loop.remove_reader(self.chip.pipes["console_out"])
        return bool(data)

    def _read(self, name):
        try:
            return os.read(self.chip.pipes[name], _PIECE_B)
        except BlockingIOError:
            return b""

    # What the processor tells

    def _on_start(self, is_raw):
        self._loop.call_soon_threadsafe(self.console.started, is_raw)

    def _on_reply(self):
        self._replies += self._read("repl_out")
        *lines, self._replies = self._replies.split(b"\n")
        for line in lines:
            boot, word = line.decode().split()
            if int(boot) == self.chip.boot:
                while self._on_output():
                    pass
                self._WORDS[word](self.console)

    _WORDS = {"ready": Console.ready, "done": Console.done}

    # What the console asks for

    def execute(self, kind, source):
        """Let MicroPython run this."""
        (self.chip.state / "repl_source").write_bytes(source)
        os.write(self.chip.pipes["repl_in"], b"%d %s\n" % (self.chip.boot, kind.encode()))

    def interrupt(self):
        """Stop the program; return whether it may be stopped."""
        return self.chip.ctrl_c()

    def give(self, data):
        """Let the program read this; what has no room is lost, as in the UART's buffer."""
        if data and self.chip.on:
            try:
                os.write(self.chip.pipes["console_in"], data)
            except BlockingIOError:
                pass

    def take_back(self):
        """Return what no program has read."""
        return self._read("console_in")

    def soft_reset(self):
        """Start Python afresh."""
        self.chip.soft_reboot()
