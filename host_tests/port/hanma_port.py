"""What the stand-ins share: the chip's state directory, the words told to the chip runner, files written
whole, and the power that goes at a write to flash.

State: where the directory is, the reset cause and the speed of time, all from the environment of the process.
Its files are the host's, whatever the terminal has mounted at "/". `flash_cut` among them, a number, ends the
power at the so many-th write to flash from then on.
In virtual time there is no chip runner; `virtual.py` puts its own functions in place of `tell` and the files.
"""

import io
import json
import os

import utime
import vfs

STATE = os.getenv("HANMA_PORT") or ""
FACTOR = int(os.getenv("HANMA_TIME_FACTOR") or 1)
RESET_CAUSE = int(os.getenv("HANMA_RESET_CAUSE") or 1)

on_edge = lambda pin, level: None  # noqa: E731 (virtual time puts its own here)
_memory = {}  # the state files of a chip that has no directory
_fifo = None
# A state file passes through these, made here: on the chip NVS and RTC memory take no heap of MicroPython's for what they keep.
_room = bytearray(2048)
_text = io.BytesIO(2048)
_word = bytearray(32)
_host = vfs.VfsPosix()
open_host = _host.open  # (path, mode): a file of the host


def host_us():
    """Return the host's wall clock in µs since 1970."""
    return utime.time_ns() // 1000


def has(name):
    """Return whether there is a state file of this name."""
    try:
        return bool(STATE and _host.stat(STATE + "/" + name))
    except OSError:
        return False


def read_text(name):
    """Return the text of a state file, or None when there is none."""
    if not STATE:
        return _memory.get(name)
    try:
        with open_host(STATE + "/" + name, "r") as file:
            return file.read()
    except OSError:
        return None


def read_word(name):
    """Return the text of a short state file without spaces around it, "" when there is none; makes next to no garbage."""
    if not STATE:
        return (read_text(name) or "").strip()
    try:
        with open_host(STATE + "/" + name, "rb") as file:
            count = file.readinto(_word)
            return str(memoryview(_word)[:count], "utf-8").strip()
    except OSError:
        return ""


def read_json(name):
    """Return the value of a JSON state file, or an empty dict when there is none."""
    if STATE:
        try:
            with open_host(STATE + "/" + name, "rb") as file:
                size = file.readinto(_room)
        except OSError:
            return {}
        if size < len(_room):
            return json.loads(memoryview(_room)[:size]) if size else {}
    text = read_text(name)
    return json.loads(text) if text else {}


def write_json(name, value):
    """Write a JSON state file whole: a killed process leaves the old or the new one."""
    if not STATE:
        _memory[name] = json.dumps(value)
        return
    _text.seek(0)
    json.dump(value, _text)
    left = _text.tell()
    _text.seek(0)
    path = STATE + "/" + name
    with open_host(path + ".new", "wb") as file:
        while left:
            piece = memoryview(_room)[: min(left, len(_room))]
            left -= _text.readinto(piece)
            file.write(piece)
    _host.rename(path + ".new", path)


def tell(line):
    """Tell the chip runner one line; without a living runner this process ends, as without power."""
    global _fifo
    if not STATE:
        return
    try:
        if _fifo is None:
            _fifo = open_host(STATE + "/chip", "wb")
        _fifo.write(line + "\n")
    except OSError:
        os.system("kill -9 $PPID")


def stop(line):
    """Tell the chip runner why nothing more will run here; run nothing until it kills the process."""
    tell(line)
    while True:
        utime.sleep(1)
        tell("idle")


def cuts_now():
    """Count one write to flash; return whether the power goes in the middle of it."""
    left = int(read_text("flash_cut") or 0)
    if left:
        write_json("flash_cut", left - 1)
    return left == 1


def lose_power():
    """Run nothing any more: the power went."""
    stop("cut")
