"""The chip's file system at boot: LittleFS on the partition "vfs" of its flash image, as large, as full and as torn as on the chip.

State: none; the image belongs to `partition.py`. Where it has no such partition, the terminal's files lie in a directory of the
host.
"""

import os

import hanma_port
import vfs

_BLOCK_SIZE = 5  # ioctl's request

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
    try:
        vfs.mount(vfs.VfsLfs2(device), "/")
    except OSError:
        _set_up(device)
    os.chdir("/")


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
