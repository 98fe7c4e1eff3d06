"""Carries out what the console of a board is given: the half of the REPL that runs in MicroPython.

State: the pipes `repl_in` (a line "boot kind" for each piece, whose text is the file `repl_source`) and `repl_out` ("boot ready",
"boot done") in the chip's state directory. kind is "raw" (output, 0x04, exception, 0x04) or "exec" or "single" (the friendly
REPL's). boot is the number of this start: what was meant for an earlier one is not carried out.
"""

import io
import sys

import hanma_port
import micropython

_BOOT = hanma_port.os.getenv("HANMA_BOOT")
_EOF = "\x04"


def serve(names):
    """Carry out one piece after the other in these names, for ever."""
    commands = hanma_port.open_host(hanma_port.STATE + "/repl_in", "rb")
    replies = hanma_port.open_host(hanma_port.STATE + "/repl_out", "wb")
    _reply(replies, "ready")
    while True:
        boot, kind = _uninterrupted(commands.readline).decode().split()
        if boot == _BOOT:
            _carry_out(kind, names)
            _reply(replies, "done")


def _uninterrupted(call, *arguments):
    """Return what call gives; a Ctrl-C that came too late for the program is nothing."""
    while True:
        try:
            return call(*arguments)
        except KeyboardInterrupt:
            pass


def _reply(replies, word):
    _uninterrupted(replies.write, "%s %s\n" % (_BOOT, word))


def _carry_out(kind, names):
    """Run one piece; its output and its exception go to the console."""
    error = _run("single" if kind == "single" else "exec", names)
    _uninterrupted(micropython.kbd_intr, -1)
    if isinstance(error, SystemExit):
        _uninterrupted(sys.stdout.write, _EOF * 2 if kind == "raw" else "")
        hanma_port.stop("reset soft")
    text = _traceback(error) if error else ""
    if kind == "raw":
        text = _EOF + text + _EOF
    _uninterrupted(sys.stdout.write, text)


def _run(mode, names):
    """Return the exception that ended it, or None. Ctrl-C counts while the code runs, not while it is compiled."""
    try:
        code = compile(hanma_port.read_text("repl_source"), "<stdin>", mode)
        micropython.kbd_intr(3)
        exec(code, names)
        for _ in range(2):  # a Ctrl-C that is under way arrives here
            pass
    except BaseException as error:
        return error


def _traceback(error):
    """Return the exception as text, without the lines about this file."""
    text = io.StringIO()
    sys.print_exception(error, text)
    return "".join(line + "\n" for line in text.getvalue().split("\n")[:-1] if __file__ not in line)
