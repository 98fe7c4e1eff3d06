"""First code of an image with the boot path frozen in: it mounts the file system, and makes it anew where it cannot be mounted.

It stands in the place of MicroPython's own `_boot.py`, which would go on saying that the file system is corrupted while nobody can
weld. What was on it is lost then: settings, certificates, the journal. Identity, lock and bans are in NVS. Where not even a new one
can be made, the terminal runs without files.
"""

import sys
import time

import vfs
from flashbdev import bdev

_TRIES = 3  # a single failure may be the supply's, and what is made anew is lost
_PAUSE_MS = 200


def is_mounted():
    """Mount the file system as it is; return whether that went well."""
    for _ in range(_TRIES):
        try:
            vfs.mount(bdev, "/")
            return True
        except OSError as error:
            sys.print_exception(error)
            time.sleep_ms(_PAUSE_MS)
    return False


if not is_mounted():
    print("the file system cannot be mounted: it is made anew")
    try:
        vfs.VfsLfs2.mkfs(bdev)
        vfs.mount(bdev, "/")
    except OSError as error:
        sys.print_exception(error)
