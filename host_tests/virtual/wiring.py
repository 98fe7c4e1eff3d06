"""What joins firmware and world in virtual time, beside the wire itself: state files, a trace, one heap. MicroPython."""

import binascii
import gc
import sys

import hanma_port


class _Gc:
    """The `gc` module for a firmware that shares its heap with the world: its threshold would collect for all of that too."""

    def __init__(self):
        for name in dir(gc):
            if name[0] != "_":
                setattr(self, name, getattr(gc, name))
        self.threshold = lambda amount=-1: amount


def share_heap():
    """Let collections come when the heap is full; nothing but the host's time depends on it."""
    sys.modules["gc"] = _Gc()


def keep_state_files(directory):
    """Keep the chip's state (NVS, inputs) in files, so that it takes none of the heap that is measured."""

    def read_text(name):
        try:
            with open(directory + name) as file:
                return file.read()
        except OSError:
            return None

    def write_json(name, value):
        with open(directory + name, "w") as file:
            hanma_port.json.dump(value, file)

    hanma_port.read_text = read_text
    hanma_port.write_json = write_json


class Recorder:
    """A modem's core that notes what it is told, one line each: ms, then hex bytes or the level of a key."""

    def __init__(self, core, file):
        self._core = core
        self._file = file
        self.take = core.take
        self.advance = core.advance
        self.next_ms = core.next_ms

    def feed(self, now_ms, data):
        """Bytes from the terminal."""
        self._file.write("%d %s\n" % (now_ms, binascii.hexlify(data).decode()))
        self._core.feed(now_ms, data)

    def key(self, now_ms, level):
        """The power key is pressed or released."""
        self._file.write("%d key%d\n" % (now_ms, level))
        self._core.power_key(now_ms, level == 1)

    def reset(self, now_ms, level):
        """The reset key is pressed or released."""
        self._file.write("%d reset%d\n" % (now_ms, level))
        self._core.reset_key(now_ms, level == 1)


class Player:
    """Tells a core again what a Recorder noted, line by line at its time."""

    def __init__(self, path, core):
        self._core = core
        self._file = open(path)
        self._read()

    def _read(self):
        at, _, self._text = self._file.readline().strip().partition(" ")
        self._ms = int(at) if at else None

    def next_ms(self, _now_ms):
        """Return when the next line is due, or None after the last."""
        return self._ms

    def advance(self, now_ms):
        """Tell what is due."""
        while self._ms is not None and self._ms <= now_ms:
            if self._text.startswith("key"):
                self._core.power_key(self._ms, self._text == "key1")
            elif self._text.startswith("reset"):
                self._core.reset_key(self._ms, self._text == "reset1")
            else:
                self._core.feed(self._ms, binascii.unhexlify(self._text))
            self._read()
