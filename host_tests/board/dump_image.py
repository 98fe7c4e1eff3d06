"""Prints what a flash image holds, one file a line: a JSON pair of its path and its content in base64. Runs under MicroPython.

Arguments: the image's path, where in it LittleFS begins and how many bytes it takes. State: none; nothing is written.
"""

import binascii
import json
import os
import sys

import vfs

_BLOCK = 4096
_PATH, _START, _SIZE = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])


class _Image:
    """The block device."""

    def __init__(self):
        self._file = open(_PATH, "rb")  # noqa: SIM115

    def readblocks(self, block, buffer, offset=0):
        """Read."""
        self._file.seek(_START + block * _BLOCK + offset)
        self._file.readinto(buffer)

    def writeblocks(self, block, buffer, offset=0):
        """Refuse: who looks changes nothing."""
        raise OSError(30)

    def ioctl(self, request, argument):
        """Answer VfsLfs2: block count, block size."""
        return {4: _SIZE // _BLOCK, 5: _BLOCK}.get(request, 0)


def _show(directory):
    for name, kind, *_ in os.ilistdir(directory):
        path = directory + "/" + name
        if kind & 0x4000:
            _show(path)
        else:
            with open(path, "rb") as file:
                print(json.dumps([path[len("/image/") :], binascii.b2a_base64(file.read()).decode()]))


vfs.mount(vfs.VfsLfs2(_Image()), "/image")
_show("/image")
