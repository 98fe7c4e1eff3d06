"""What MicroPython's REPL says on the wire: the friendly prompt, the raw REPL, raw-paste mode with its window. Pure.

As shared/runtime/pyexec.c of MicroPython. State: which of the two it is in, the line that is being given, whether a program runs.
Differences: a raw-paste source is compiled when it is whole, so a wrong one does not end early; the friendly prompt edits
at the end of the line only.
"""

import re

CTRL_A, CTRL_B, CTRL_C, CTRL_D, CTRL_E = 1, 2, 3, 4, 5
_WINDOW = 128  # pyexec.c: half of MICROPY_REPL_STDIN_BUFFER_MAX
_RAW_CONTROLS = re.compile(rb"[\x01-\x04]")
_PASTE_END = re.compile(rb"[\x03\x04]")
_RAW_BANNER = b"raw REPL; CTRL-B to exit\r\n"
_COMPOUND = re.compile(r"(if|while|for|try|with|def|class|async|@)\b|@")
_BACKSPACES = (8, 127)


class Console:
    """One board's console.

    program: an object with execute(kind, source), interrupt() -> bool, give(data), take_back() -> bytes, soft_reset(); out: a
    function that takes bytes for the wire; banner: the line a board shows at its prompt.
    """

    def __init__(self, program, out, banner):
        self.is_raw = False
        self.is_running = True
        self._program = program
        self._out = out
        self._banner = banner.encode() + b'\r\nType "help()" for more information.\r\n'
        self._line = bytearray()
        self._waiting = bytearray()
        self._serve = None  # the method that takes the next bytes at a prompt

    # What the board tells

    def started(self, is_raw):
        """MicroPython starts: until it is ready, a program runs."""
        self.is_raw = is_raw
        self.is_running = True

    def ready(self):
        """boot.py and main.py have ended: a prompt. What was typed meanwhile and read by nobody comes next."""
        self._begin()
        self._ended()

    def done(self):
        """What was given to be executed has ended."""
        self._prompt()
        self._ended()

    def _ended(self):
        self.is_running = False
        self._waiting[:0] = self._program.take_back()
        self.feed(b"")

    # What comes from the wire

    def feed(self, data):
        """Take bytes from the wire."""
        self._waiting += data
        while self._waiting:
            if self.is_running:
                self._feed_program()
            else:
                self._serve()

    def _feed_program(self):
        """Bytes for a program that runs; Ctrl-C stops it where it may be stopped."""
        data, self._waiting = bytes(self._waiting), bytearray()
        *pieces, last = data.split(b"\x03")
        for piece in pieces:
            self._program.give(piece)
            if not self._program.interrupt():
                self._program.give(b"\x03")
        self._program.give(last)

    def _take(self, pattern):
        """Return (bytes before the first control byte that fits, that byte or None) and forget them."""
        found = pattern.search(self._waiting)
        end = found.start() if found else len(self._waiting)
        before = bytes(self._waiting[:end])
        control = self._waiting[end] if found else None
        del self._waiting[: end + bool(found)]
        return before, control

    def _begin(self):
        self._line.clear()
        if self.is_raw:
            self._out(_RAW_BANNER)
        else:
            self._out(self._banner)
        self._prompt()

    def _prompt(self):
        self._line.clear()
        self._serve = self._raw if self.is_raw else self._friendly
        self._out(b">" if self.is_raw else b">>> ")

    def _execute(self, kind, source):
        self.is_running = True
        self._program.execute(kind, source)

    def _soft_reset(self):
        self.is_running = True
        self._program.soft_reset()

    # The raw REPL

    def _raw(self):
        before, control = self._take(_RAW_CONTROLS)
        self._line += before
        if control == CTRL_A:
            self._raw_again()
        elif control == CTRL_B:
            self._out(b"\r\n")
            self.is_raw = False
            self._begin()
        elif control == CTRL_C:
            self._line.clear()
        elif control == CTRL_D:
            self._raw_source_is_whole()

    def _raw_again(self):
        if len(self._line) != 2 or self._line[0] != CTRL_E:
            self._begin()
        elif self._line[1:] == b"A":
            self._line.clear()
            self._window = _WINDOW
            self._serve = self._paste
            self._out(b"R\x01" + _WINDOW.to_bytes(2, "little") + b"\x01")
        else:
            self._out(b"R\x00")
            self._prompt()

    def _raw_source_is_whole(self):
        self._out(b"OK")
        if self._line:
            self._execute("raw", bytes(self._line))
        else:
            self._out(b"\r\n")
            self._soft_reset()

    def _paste(self):
        before, control = self._take(_PASTE_END)
        self._line += before
        self._window -= len(before)
        while self._window <= 0:
            self._window += _WINDOW
            self._out(b"\x01")
        if control == CTRL_D:
            self._out(b"\x04")
            self._execute("raw", bytes(self._line))
        elif control == CTRL_C:
            self._out(b"\x04")
            self._execute("raw", b"raise KeyboardInterrupt")

    # The friendly REPL

    def _friendly(self):
        byte = self._waiting.pop(0)
        if byte == CTRL_C:
            self._out(b"\r\n")
            self._prompt()
        elif byte <= CTRL_E:
            if not self._line:
                self._FRIENDLY_CONTROLS[byte](self)
            elif byte == CTRL_D:
                self._friendly_line(is_last=True)
        elif byte == 13:
            self._out(b"\r\n")
            self._friendly_line()
        elif byte in _BACKSPACES:
            if self._line and self._line[-1] != 10:
                self._line.pop()
                self._out(b"\b \b")
        elif byte >= 32:
            self._line.append(byte)
            self._out(bytes([byte]))

    def _to_raw(self):
        self._out(b"\r\n")
        self.is_raw = True
        self._begin()

    def _friendly_again(self):
        self._out(b"\r\n")
        self._begin()

    def _leave_friendly(self):
        self._out(b"\r\n")
        self._soft_reset()

    def _paste_by_hand(self):
        self._out(b"\r\npaste mode; Ctrl-C to cancel, Ctrl-D to finish\r\n=== ")
        self._serve = self._by_hand

    _FRIENDLY_CONTROLS = {
        0: lambda self: None,
        CTRL_A: _to_raw,
        CTRL_B: _friendly_again,
        CTRL_D: _leave_friendly,
        CTRL_E: _paste_by_hand,
    }

    def _by_hand(self):
        before, control = self._take(_PASTE_END)
        self._line += before
        self._out(before.replace(b"\r", b"\r\n=== "))
        if control is not None:
            self._out(b"\r\n")
        if control == CTRL_D:
            self._execute("exec", bytes(self._line).replace(b"\r", b"\n"))
        elif control == CTRL_C:
            self._prompt()

    def _friendly_line(self, is_last=False):
        text = self._line.decode(errors="replace")
        if not text.strip():
            self._prompt()
        elif not is_last and needs_more(text):
            self._line += b"\n"
            self._out(b"... ")
        else:
            self._execute("single", bytes(self._line) + b"\n")


def needs_more(text):
    """Return whether the friendly prompt waits for another line after this text."""
    bare = re.sub(r"'[^'\n]*'|\"[^\"\n]*\"|#.*", "", text)
    depth = sum((character in "([{") - (character in ")]}") for character in bare)
    if depth > 0 or text.endswith("\\"):
        return True
    return bool(_COMPOUND.match(text)) and not text.endswith("\n")
