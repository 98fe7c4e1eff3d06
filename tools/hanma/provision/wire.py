"""A board on a cable: mpremote's serial transport with time-outs everywhere, and errors in words for a technician.

State: the open port. Times in seconds. What is sent is never shown: a secret may be in it.
"""

import contextlib
import hashlib
import hmac
import os
import re
import struct
import time

from mpremote.transport import TransportError
from mpremote.transport_serial import SerialTransport

from hanma.provision.words import Trouble

_POLL_S = 0.1  # the longest a single read waits
_PROMPT = b"raw REPL; CTRL-B to exit\r\n>"
_SERVICE = re.compile(rb"service ([0-9a-f]+) (\S+) (no: (\w+)|[0-9a-f]{32})\r?\n")
_PURPOSE = b"hanma service"
_ASK_S = 1.5  # between two attempts to be heard; a terminal looks at its console once a second


class BoardError(Exception):
    """A piece of code failed on the board; the text is the last line of its traceback."""


@contextlib.contextmanager
def _on_cable():
    """Give what goes wrong on a cable as Trouble."""
    try:
        yield
    except (OSError, TransportError, struct.error, TypeError) as error:  # TypeError: pyserial on a port that was closed under it
        raise Trouble("cable") from error


class Wire(SerialTransport):
    """port: its path or name. Raises Trouble: no_port, port_busy."""

    def __init__(self, port):
        if str(port).startswith("/") and not os.path.exists(port):
            raise Trouble("no_port")
        try:
            super().__init__(str(port), timeout=_POLL_S)
        except (OSError, TransportError, ValueError) as error:
            raise Trouble("port_busy" if os.path.exists(port) else "no_port") from error
        self.heard = b""  # the last of what the board said by itself
        self.locked_as = None  # (chip, device id) that a locked terminal has told

    def __enter__(self):
        return self

    def __exit__(self, *_):
        with contextlib.suppress(OSError):
            self.close()

    def read_until(self, min_num_bytes, ending, timeout=10, data_consumer=None, timeout_overall=None):
        """As mpremote's, but a silent port holds nobody, whatever kind it is."""
        data = bytearray()
        begun = last = time.monotonic()
        while not data.endswith(ending):
            new = self.serial.read(1)
            now = time.monotonic()
            if new:
                last = now
                data += new
                if data_consumer:
                    data_consumer(new)
            elif timeout is not None and now - last >= timeout:
                break
            if timeout_overall is not None and now - begun >= timeout_overall:
                break
        return bytes(data)

    # ---- getting in

    def enter(self, timeout_s, secret_of=lambda device: None, on_locked=lambda: None):
        """Get to the raw REPL of a fresh MicroPython. Raises Trouble: cable, silent, busy, locked, wrong_key, in_service.

        secret_of(device id): the secret of a locked board, None where it is not known. on_locked(): called once, when the board
        turns out to be locked and wants its button held.
        """
        with _on_cable():
            self._knock(timeout_s, secret_of, on_locked)
            self.serial.write(b"\x04")  # a soft reset: boot.py runs, main.py does not
            if not self.read_until(1, b"soft reboot\r\n", timeout_overall=timeout_s).endswith(b"soft reboot\r\n"):
                raise Trouble("busy")
            banner = _PROMPT[:-1]  # the prompt itself is read by who sends the first piece of code
            if not self.read_until(1, banner, timeout_overall=timeout_s).endswith(banner):
                raise Trouble("busy")
            self.in_raw_repl = True

    def _knock(self, timeout_s, secret_of, on_locked):
        """Interrupt what runs, or have a locked terminal open its service."""
        end = time.monotonic() + timeout_s
        heard, answered, refusal = b"", 0, None
        while time.monotonic() < end:
            self.serial.write(b"\r\x03\r\x01")
            if self._listen_for_prompt(heard_s=_ASK_S, into=(more := bytearray())):
                return
            heard += bytes(more)
            found = list(_SERVICE.finditer(heard))[answered:]
            answered += len(found)
            for match in found:
                refusal = self._answer(match, secret_of) or refusal
                if match[4] and refusal == "locked":
                    on_locked()
                    on_locked = lambda: None  # noqa: E731
            if not found or found[-1][4]:
                self.serial.write(b"\rservice\r")
        self.heard = heard[-2000:]
        raise Trouble(refusal or ("busy" if heard.strip(b"\r\n\x04>") else "silent"))

    def _listen_for_prompt(self, heard_s, into):
        """Read for so long at the most; return whether the raw prompt came. into: takes what was read."""
        into += self.read_until(1, _PROMPT, timeout=heard_s, timeout_overall=heard_s)
        return into.endswith(_PROMPT)

    def _answer(self, match, secret_of):
        """Answer one line of a locked terminal; return the code of what stands in the way so far."""
        chip, device, challenge, refusal = match.groups()
        self.locked_as = (chip.decode(), device.decode())
        if refusal:
            return {b"powered": "in_service", b"key": "wrong_key"}.get(refusal, "locked")
        secret = secret_of(device.decode())
        if secret is None:
            return "wrong_key"
        key = hmac.digest(secret.encode(), _PURPOSE, "sha256")
        self.serial.write(b"\r" + hmac.digest(key, challenge, "sha256").hex().encode() + b"\r")
        return "wrong_key"  # unless the prompt follows

    def ask_who(self, timeout_s=10):
        """Return (chip, device id) as a locked terminal in service tells, None where none is told. Nothing there is disturbed."""
        end = time.monotonic() + timeout_s
        heard = b""
        with _on_cable():
            while time.monotonic() < end:
                self.serial.write(b"\rservice\r")
                heard += self.read_until(1, b"\n", timeout=_ASK_S, timeout_overall=_ASK_S)
                if found := _SERVICE.search(heard):
                    return found[1].decode(), found[2].decode()
        return None

    # ---- at the raw REPL

    def run(self, code, timeout_s=20):
        """Run a piece of code and return what it printed. Raises BoardError, Trouble cable."""
        with _on_cable():
            said, error = self.exec_raw(code, timeout=timeout_s)
        if error:
            raise BoardError(error.decode(errors="replace").strip().rpartition("\n")[2])
        return said.decode(errors="replace")

    def reset(self):
        """Reset the board, and leave it to its program."""
        with _on_cable():
            self.exec_raw_no_follow("import machine\nmachine.reset()")
            self.in_raw_repl = False

    def await_line(self, pattern, timeout_s):
        """Return the match of a line that the program prints, None after the time-out. pattern: compiled, of bytes."""
        end = time.monotonic() + timeout_s
        self.heard = b""
        with _on_cable():
            while (left_s := end - time.monotonic()) > 0:
                line = self.read_until(1, b"\n", timeout=left_s, timeout_overall=left_s)
                self.heard = (self.heard + line)[-4000:]
                if found := pattern.search(line):
                    return found
        return None


def sha256(data):
    """Return the hex digest."""
    return hashlib.sha256(data).hexdigest()
