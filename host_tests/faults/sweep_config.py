"""Cuts the power while the settings are saved, or a broken file is kept aside: old or new, whole, and the boot goes on.

For MicroPython; on a real LittleFS, every write in every manner.
"""

import os

import vfs

from host_tests.faults.flash import TEARS, Flash, PowerCut
from terminal import config

_ROOT = "/config_sweep"
_OLD = {"host": "old.example", "port": 1883, "tls": False, "service_phone": "1"}
_NEW = {"host": "new.example", "port": 8883, "tls": True, "topic_up": "welder/{device_id}/" + "x" * 90, "service_phone": "2"}
_BROKEN = b'{"host": "old.exam'


def _save():
    config.save(dict(_NEW))


def _load():
    config.load()


# name: (the file before, what is done, hosts that may be in force after a cut, hosts after it was done)
_CASES = {
    "saving over the old file": (_OLD, _save, ("old.example", "new.example"), ("new.example",)),
    "saving the first file": (None, _save, ("", "new.example"), ("new.example",)),
    "keeping a broken file aside": (_BROKEN, _load, ("",), ("",)),
}


def sweep(tally):
    """Run all cases. tally: see `sweep_tally.Tally`."""
    for name, case in _CASES.items():
        before, uncut, writes, _ = _run(case, None, None)
        for write in range(1, writes + 1):
            for tear in TEARS:
                _, image, _, is_done = _run(case, write, tear)
                tally.cut(image != before and image != uncut)
                _judge(tally, name, "cut at write %d, %s" % (write, tear), image, case, is_done)
        _judge(tally, name, "uncut", uncut, case, True)


def _run(case, write, tear):
    """Return (image before, image after, writes, whether the work came to its end)."""
    flash = Flash(16)
    vfs.VfsLfs2.mkfs(flash)
    _mounted(flash, lambda: _put(case[0]))
    before = bytes(flash.image)
    flash = Flash(image=before)
    if write:
        flash.cut_at(write, tear, write)
    is_done = _mounted(flash, case[1])
    return before, bytes(flash.image), flash.writes, is_done


def _put(content):
    if content is not None:
        import json

        with open("config.json", "wb") as file:
            file.write(content if isinstance(content, bytes) else json.dumps(content).encode())


def _mounted(flash, work):
    """Do the work on this flash; return whether it came to its end before the power went."""
    vfs.mount(vfs.VfsLfs2(flash, mtime=False), _ROOT)
    os.chdir(_ROOT)
    try:
        work()
    except PowerCut:
        pass
    except OSError:
        if not flash.dead:
            raise
    os.chdir("/")
    vfs.umount(_ROOT)
    return not flash.dead


def _judge(tally, name, where, image, case, is_done):
    """What the next two boots read: whole, old or new, and the same both times."""
    flash = Flash(image=image)
    read = []
    for _ in range(2):
        try:
            _mounted(flash, lambda: read.append(config.load()))
        except Exception as error:
            tally.find(name, where, "boot", "the settings cannot be read: %r" % error)
            return
    hosts = [settings.host for settings, _ in read]
    allowed = case[3] if is_done else case[2]
    if hosts[0] not in allowed or hosts[1] != hosts[0]:
        tally.find(name, where, "config", "hosts %r, may be %r" % (hosts, allowed))
    for settings, problems in read:
        whole = _OLD if settings.host == _OLD["host"] else _NEW
        if settings.host and (problems or any(settings[key] != whole[key] for key in whole)):
            tally.find(name, where, "config", "half a file is in force: %r" % problems)
