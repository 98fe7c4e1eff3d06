"""The two slots of the application and the file that points to one of them. Borrowed by an upgrade; files only.

The root is what was flashed by cable; "a" and "b" are written by upgrades in turn, never the one that runs. `slot` is what boot.py
reads: "a", or "b a" for b on trial with a before it; it is replaced as a whole. A slot holds main.py, lib/ and `bundle`, the
verified beginning of the release it was written from. The state of an upgrade is in `upgrade.json`. NVS has the crashes of a trial
(`trial`), the seconds it has served (`trial_s`) and, while an order is fetched, its token (`ota_token`): beside the device's
secret, not in a file.
"""

import hashlib
import json
import os

from micropython import const

from terminal.store import get_blob

ROOT = "."
IMAGE = "image"  # where the beginning of a whole image is
_STATE = "upgrade.json"
_POINTER = "slot"
_KEPT = ("day", "used_b", "asked", "failed", "owed", "text", "numbers")  # of the state, when an order has ended
_OURS = ("lib", "main.py")  # of the root, what a release has too
_DIRECTORY = const(0x4000)
_CHUNK_B = const(512)
_RETIRED_B = const(64)
_KEY_ID_B = const(8)
_STATE_B = const(4096)
_TOKEN_B = const(1032)
_ADDRESS_B = const(8)
_NOT_YET = const(-1)  # boots of a trial that has not begun


def running():
    """Return (slot that boot.py runs, the slot before it or None); not None while the release is on trial."""
    try:
        with open(_POINTER) as file:
            slot, *before = file.read(32).split()
        os.stat(slot + "/main.py")
    except (OSError, ValueError):
        return ROOT, None
    return slot, before[0] if before else None


def spare(slot):
    """Return the slot that an upgrade of this one is written to."""
    return "b" if slot == "a" else "a"


def clear_trial(nvs):
    """Nothing of a trial before counts: to be done before it is noted that one begins. Raises OSError."""
    nvs.set_i32("trial", _NOT_YET)
    nvs.set_i32("trial_s", 0)
    nvs.commit()


def begin_trial(slot, before):
    """From the next boot on run this slot, on trial. Raises OSError; then nothing has changed."""
    rewrite(_POINTER, ("%s %s" % (slot, before)).encode())


def confirm(slot):
    """The release in this slot has proved itself. Raises OSError."""
    rewrite(_POINTER, slot.encode())


def served(nvs, more_s):
    """Add seconds to those that the release on trial has served; return their sum. Raises OSError."""
    sum_s = nvs.get_i32("trial_s") + more_s
    nvs.set_i32("trial_s", sum_s)
    nvs.commit()
    return sum_s


def rewrite(path, data):
    """Write a file so that a power cut leaves the old one or this, whole. Raises OSError."""
    fresh = path + ".new"
    with open(fresh, "wb") as file:
        file.write(data)
    with open(fresh, "rb") as file:
        if file.read(len(data) + 1) != data:
            raise OSError(5)
    os.rename(fresh, path)


def load_state():
    """Return the upgrade's state, a dict; {} where there is none or it cannot be read."""
    try:
        with open(_STATE, "rb") as file:
            state = json.loads(file.read(min(_STATE_B, os.stat(_STATE)[6])))
    except (OSError, ValueError):
        return {}
    return state if isinstance(state, dict) else {}


def save_state(state):
    """Keep the upgrade's state. Raises OSError."""
    rewrite(_STATE, json.dumps(state).encode())


def kept(state):
    """Return what of an upgrade's state outlives its order."""
    return {name: state[name] for name in _KEPT if name in state}


def keep_token(nvs, url, token):
    """Keep the token (text, None for none) of an order until forget_token(); it counts for that address alone. Raises OSError."""
    if token is None:
        return forget_token(nvs)
    nvs.set_blob("ota_token", _mark(url) + token.encode())
    return nvs.commit()


def token_for(nvs, url):
    """Return the token of the order that named this address, or None. Raises OSError."""
    kept = get_blob(nvs, "ota_token", _TOKEN_B)
    return kept[_ADDRESS_B:].decode() if kept and kept[:_ADDRESS_B] == _mark(url) else None


def forget_token(nvs):
    """Let go of the token, if there is one. What cannot be erased now is tried again by the next round."""
    try:
        nvs.erase_key("ota_token")
        nvs.commit()
    except OSError:
        pass  # most often there is none


def _mark(url):
    return hashlib.sha256(url.encode()).digest()[:_ADDRESS_B]


def excuse(nvs):
    """The reset that follows is wanted: boot.py counts it against a release on trial, which was given one less before."""
    if running()[1]:
        try:
            nvs.set_i32("trial", max(_NOT_YET, nvs.get_i32("trial") - 1))
            nvs.commit()
        except OSError:
            pass  # where nobody can count, the release before comes back in any case


def retired(nvs):
    """Return the ids of the keys that count no longer."""
    ids = get_blob(nvs, "retired", _RETIRED_B) or b""
    return [ids[at : at + _KEY_ID_B] for at in range(0, len(ids), _KEY_ID_B)]


def retire(nvs, key_id):
    """From now on this key counts no longer. Raises OSError."""
    known = retired(nvs)
    if key_id not in known:
        nvs.set_blob("retired", b"".join(known + [key_id])[-_RETIRED_B:])
        nvs.commit()


def digest_of(path):
    """Return (size, SHA-256) of a file, (None, None) where there is none."""
    total = hashlib.sha256(b"")
    size = 0
    try:
        with open(path, "rb") as file:
            while True:
                chunk = file.read(_CHUNK_B)
                if not chunk:
                    break
                total.update(chunk)
                size += len(chunk)
    except OSError:
        return None, None
    return size, total.digest()


def listing(slot, directory=""):
    """Return the names of a slot's files as a release lists them, sorted; of the root only those a release has."""
    found = []
    for entry in os.ilistdir(slot + "/" + directory if directory else slot):
        name = directory + "/" + entry[0] if directory else entry[0]
        if slot == ROOT and not directory and name not in _OURS:
            continue
        if entry[1] == _DIRECTORY:
            found += listing(slot, name)
        else:
            found.append(name)
    found.sort()
    return found


def emptying(directory, keep=(), under=""):
    """Remove a slot's files but those to keep, and what directories are empty then: a generator that yields after each."""
    for name, kind, *_ in list(os.ilistdir(directory)):
        path = directory + "/" + name
        if kind == _DIRECTORY:
            yield from emptying(path, keep, under + name + "/")
            try:
                os.rmdir(path)
            except OSError:
                pass  # something of it is kept
        elif under + name not in keep:
            os.remove(path)
            yield


def place(slot, name):
    """Return the path of a release's file in a slot; its directories are there then."""
    path = slot
    for part in name.split("/"):
        make(path)
        path += "/" + part
    return path


def make(directory):
    """Make a directory where there is none."""
    try:
        os.mkdir(directory)
    except OSError as error:
        if error.args[0] != 17:  # EEXIST
            raise
