"""Cuts the power while a release is written into its slot, switched to, tried and confirmed: old or new, whole, always.

For MicroPython; on a real LittleFS, every so many-th write in every manner. After each cut the terminal starts again, goes on from
what it finds on flash, and comes to the end it would have come to.
"""

import hashlib
import io
import json
import os

import vfs

from host_tests.faults.flash import TEARS, Flash, PowerCut
from terminal import bundle, landing, slots

_ROOT = "/upgrade_sweep"
_BLOCKS = 48
_OLD = {"main.py": b"old main\n" * 20, "lib/board.mpy": b"old board", "lib/terminal/app.mpy": b"the same app " * 300}
_NEW = {"main.py": b"new main\n" * 700, "lib/board.mpy": b"new board", "lib/terminal/app.mpy": _OLD["lib/terminal/app.mpy"]}
_STALE = {"main.py": b"stale", "lib/gone.mpy": b"x" * 5000, "bundle": b"of another release", "part": b"half of it"}
_RANGE_B = 1500


class _Nvs:
    """NVS that outlives the cuts; its writes are not cut here."""

    def __init__(self, values):
        self.values = values

    def get_i32(self, key):
        if key not in self.values:
            raise OSError(-4354)
        return self.values[key]

    def set_i32(self, key, value):
        self.values[key] = value

    def commit(self):
        """Everything is there already."""


def sweep(tally, stride):
    """Run all cuts. tally: see `sweep_tally.Tally`."""
    release = _release()
    before, uncut, writes, _ = _run(release, None, None)
    for number, write in enumerate(range(1, writes + 1, stride)):
        tears = TEARS if stride == 1 else TEARS[number % len(TEARS) :][:1]
        for tear in tears:
            _, image, _, values = _run(release, write, tear)
            tally.cut(image != before and image != uncut)
            _judge(tally, "cut at write %d, %s" % (write, tear), image, values, release)
    _judge(tally, "uncut", uncut, {}, release)


def _release():
    """Return the bytes of a bundle; its signature is not looked at here."""
    lines = b"".join([_line([name, len(data), _hex(data)]) for name, data in sorted(_NEW.items())])
    carried = [name for name in sorted(_NEW) if _OLD.get(name) != _NEW[name]]
    facts = {
        "format": 1,
        "version": 2,
        "follows": 0,
        "expires_ms": 1,
        "bytes": sum([len(data) for data in _NEW.values()]),
        "carried_bytes": sum([len(_NEW[name]) for name in carried]),
        "boards": [],
        "micropython": [],
        "base": [1, "00" * 32],
        "carried": "".join(["01"[name in carried] for name in sorted(_NEW)]),
        "retires": None,
        "text": "",
        "kind": "tree",
    }
    manifest = _line(facts) + lines
    head = b"HANM\x01\x00" + bytes([len(manifest) >> 8, len(manifest) & 255]) + bytes(392)
    return head + manifest + b"".join([_NEW[name] for name in carried])


def _line(value):
    # MicroPython writes ", " and ": " unless it is told otherwise, and its dicts have no order: any order will do here
    return json.dumps(value, separators=[",", ":"]).encode() + b"\n"


def _hex(data):
    return "".join(["%02x" % byte for byte in hashlib.sha256(data).digest()])


def _run(release, write, tear):
    """Return (image before, image after, writes, what NVS holds)."""
    flash = Flash(_BLOCKS)
    vfs.VfsLfs2.mkfs(flash)
    _mounted(flash, _lay_out)
    before = bytes(flash.image)
    flash = Flash(image=before)
    if write:
        flash.cut_at(write, tear, write)
    values = {}
    _mounted(flash, lambda: _upgrade(release, _Nvs(values)))
    return before, bytes(flash.image), flash.writes, values


def _lay_out():
    for slot, files in ((".", _OLD), ("a", _STALE)):
        for name in files:
            with open(slots.place(slot, name) if slot != "." else _made(name), "wb") as file:
                file.write(files[name])


def _made(name):
    return slots.place(".", name)


def _mounted(flash, work):
    """Do the work on this flash until the power goes."""
    vfs.mount(vfs.VfsLfs2(flash, mtime=False), _ROOT)
    os.chdir(_ROOT)
    try:
        return work()
    except PowerCut:
        pass
    except OSError:
        if not flash.dead:
            raise
    finally:
        os.chdir("/")
        vfs.umount(_ROOT)


def _upgrade(release, nvs):
    """Go on from what lies on flash, to the confirmed release."""
    state = slots.load_state()
    if slots.running() == ("a", None):
        return
    if slots.running() == (".", None):
        _fetch(release, state)
        slots.begin_trial(nvs, "a", ".")
    slots.confirm("a")


def _fetch(release, state):
    slots.make("a")
    if not state.get("admitted"):
        with open("a/bundle.new", "wb") as file:
            file.write(release[: bundle.Bundle(io.BytesIO(release)).files_at])
        with open("a/bundle.new", "rb") as file:
            for _ in landing.admit("a", _believed(file)):
                pass
        slots.save_state({"admitted": True})
    at = 0
    while at is not None:
        with open("a/bundle", "rb") as file:
            incoming = landing.Landing("a", ".", _believed(file))
            try:
                at = _through(incoming.missing())
                if at is not None:
                    incoming.feed(release[at : at + _RANGE_B])
            finally:
                incoming.close()


def _believed(file):
    found = bundle.Bundle(file)
    found.is_verified = True
    return found


def _through(steps):
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value


def _judge(tally, where, image, values, release):
    """After the cut what runs is old or new, whole; going on ends with the new one, confirmed."""
    flash = Flash(image=image)
    try:
        slot, _before = _mounted(flash, slots.running)
        for wanted, name in ((_OLD if slot == "." else _NEW, slot), (_OLD, ".")):
            if not _mounted(flash, lambda wanted=wanted, name=name: _holds(name, wanted)):
                tally.find("upgrade", where, "mixed", "slot %r is not whole" % name)
        if slot != "." and "trial" not in values and where != "uncut":
            tally.find("upgrade", where, "trial", "it runs without a trial")
        _mounted(flash, lambda: _upgrade(release, _Nvs(values)))
        if _mounted(flash, slots.running) != ("a", None) or not _mounted(flash, lambda: _holds("a", _NEW)):
            tally.find("upgrade", where, "stuck", "the upgrade does not come to its end")
        if _mounted(flash, lambda: sorted(slots.listing("a"))) != sorted(list(_NEW) + ["bundle"]):
            tally.find("upgrade", where, "mixed", "files of another release are left in the slot")
    except Exception as error:
        tally.find("upgrade", where, "boot", "the upgrade cannot go on: %r" % error)


def _holds(slot, files):
    """Return whether a slot holds these files as they are."""
    for name in files:
        if slots.digest_of(slot + "/" + name)[1] != hashlib.sha256(files[name]).digest():
            return False
    return True
