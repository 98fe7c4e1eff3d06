"""The chip's file system at boot: LittleFS on the partition "vfs" of its flash image, as large, as full and as torn as on the chip.

State: none; the image belongs to `partition.py`. Where it has no such partition, the terminal's files lie in a directory of the
host.

An image with a boot path of its own frozen in is a directory of the host, HANMA_FROZEN: its `_boot.py` runs in the place of what is
written here, and what the chip finds under `.frozen/` lies under `/frozen/`, where the host's own MicroPython can be given files.
"""

import os
import sys

import hanma_port
import vfs

_BLOCK_SIZE = 5  # ioctl's request
_FROZEN = hanma_port.os.getenv("HANMA_FROZEN")
_FROZEN_AT = "/frozen"

_BOOT_PY = """\
# This file is executed on every boot (including wake-boot from deepsleep)
#import esp
#esp.osdebug(None)
#import webrepl
#webrepl.start()
"""
_CORRUPTED = """\
The filesystem appears to be corrupted. If you had important data there, you
may want to make a flash snapshot to try to recover it. Otherwise, perform
factory reprogramming of MicroPython firmware (completely erase flash, followed
by firmware programming).
"""


def mount():
    """Mount the image, when there is one, at "/" as the ESP32's `_boot.py` does; a blank one is formatted."""
    if not hanma_port.has("flash.img"):
        return
    import partition  # the last one: from here on no file of the host can be imported

    found = partition.Partition.find(partition.Partition.TYPE_DATA, label="vfs")
    if not found:
        return
    device = found[0]
    vfs.umount("/")
    if _FROZEN:
        vfs.mount(vfs.VfsPosix(_FROZEN), _FROZEN_AT)
        sys.modules["flashbdev"] = _Flashbdev(device)
        run_frozen("_boot.py", {})
    else:
        try:
            vfs.mount(vfs.VfsLfs2(device), "/")
        except OSError:
            _set_up(device)
    os.chdir("/")


class _Flashbdev:
    """The module that names the file system's device."""

    def __init__(self, device):
        self.bdev = device


def run_frozen(name, names):
    """Run a file that is frozen into the image, in these names; return False where it has none."""
    if not _FROZEN:
        return False
    try:
        with hanma_port.open_host(_FROZEN + "/" + name, "r") as file:
            text = file.read()
    except OSError:
        return False
    exec(text.replace('".frozen/', '"' + _FROZEN_AT + "/"), names)
    return True


def _set_up(device):
    """Format a blank partition; say for ever that another one is broken."""
    import time

    first = bytearray(device.ioctl(_BLOCK_SIZE, 0))
    device.readblocks(0, first)
    while first != b"\xff" * len(first):
        print(_CORRUPTED)
        time.sleep(3)
    print("Performing initial setup")
    vfs.VfsLfs2.mkfs(device)
    vfs.mount(vfs.VfsLfs2(device), "/")
    with open("/boot.py", "w") as file:
        file.write(_BOOT_PY)
