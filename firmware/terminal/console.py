"""Who may use the cable: everybody until the board is locked, then only who has its key and a finger on its button. Borrowed.

The lock is a number in NVS, set when the terminal is provisioned; where NVS cannot be read the board counts as locked. Service is
opened by two lines on the console, while the welder is unpowered and the interlock LOCKED:

    > service                      < service CHIP DEVICE CHALLENGE
    > HMAC-SHA256 of the challenge, in hex; its key is the HMAC of "hanma service" under the terminal's secret

It ends at the latest when the watchdog bites. This stops casual hands, not a soldering iron: the flash is not encrypted.
"""

import os
import select
import sys

import esp32
import machine
import micropython
from micropython import const

from modem.borrow import borrow as borrow_from
from terminal.borrow import borrow

_SERVICE_MS = const(600000)
_LINE = const(80)
_PURPOSE = b"hanma service"
_ABSENT = const(-4354)  # ESP_ERR_NVS_NOT_FOUND


def begin(parts):
    """Let Ctrl-C through where the board is not locked; where it is, return what `hear` needs, None without a button."""
    if not _is_locked():
        micropython.kbd_intr(3)
        return None
    if not parts.board.get("button"):
        return None
    poller = select.poll()
    poller.register(sys.stdin, select.POLLIN)
    return [poller, parts.board["button"], b"", None]


def _is_locked():
    try:
        return esp32.NVS("hanma").get_i32("lock") != 0
    except OSError as error:
        return error.args[0] != _ABSENT


def hear(console, parts, device_id):
    """Take what lies on the console. console: from `begin`. Raises KeyboardInterrupt when service is open."""
    poller, button, line, challenge = console
    while poller.poll(0):
        byte = sys.stdin.buffer.read(1)
        if not byte:
            console[0] = None  # nobody will ever be there
            return
        if byte > b" ":
            line = (line + byte)[-_LINE:]
        elif line:
            console[3] = challenge = _answer(line, challenge, parts, button, device_id)
            line = b""
    console[2] = line


def _answer(line, challenge, parts, button, device_id):
    """Answer one line; return the challenge that is open now, or None."""
    lock = parts.guard.interlock
    chip = _hex(machine.unique_id())
    if line == b"service":
        why = None
        if lock.state != "LOCKED" or lock.powered:
            why = "powered"
        elif not _is_pressed(button):
            why = "button"
        if why:
            _log("service %s %s no: %s" % (chip, device_id, why))
            return None
        challenge = _hex(os.urandom(16))
        _log("service %s %s %s" % (chip, device_id, challenge))
        return challenge
    if challenge and lock.state == "LOCKED" and _is_pressed(button):
        if _is_equal(line, _proof(parts.store, challenge)):
            _log("service %s open" % chip)
            raise KeyboardInterrupt
        _log("service %s no: key" % chip)
    return None


def _is_pressed(button):
    pulls = {"up": machine.Pin.PULL_UP, "down": machine.Pin.PULL_DOWN}
    pin = machine.Pin(button["pin"], machine.Pin.IN, pulls.get(button["pull"]))
    return pin.value() == button["pressed"]


def _proof(store, challenge):
    secret = borrow("boots").identity(store, ("secret",))["secret"] or ""
    hmac_sha256 = borrow_from("iotda", "terminal.profiles").hmac_sha256
    return _hex(hmac_sha256(hmac_sha256(secret.encode(), _PURPOSE), challenge.encode())).encode()


def _is_equal(one, other):
    """Compare in a time that tells nothing of where they differ."""
    different = len(one) ^ len(other)
    for i in range(min(len(one), len(other))):
        different |= one[i] ^ other[i]
    return not different


def _hex(data):
    return "".join(["%02x" % byte for byte in data])


def run():
    """Leave the board to the cable: the welder unpowered, the interlock LOCKED, the watchdog ten minutes away. Return True.

    False where that cannot be had: then it is to be reset. Called by main.py, and over the cable by who finds no terminal running.
    """
    parts = borrow("start").begin()
    lock = parts.guard.interlock
    parts.guard.tell(lock.command, 0, None, None, None, "service")
    if lock.state != "LOCKED" or parts.guard.relay.powered:
        return False
    parts.store.mark_intent("service")
    borrow("slots").excuse(parts.store._nvs)
    machine.WDT(timeout=_SERVICE_MS)  # on the ESP32 a second one takes the place of the first
    return True


def _log(text):
    print(text)
