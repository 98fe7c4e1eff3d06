"""Reads or writes the files of a flash image. Runs under MicroPython: `on_image.py read|write IMAGE ADDRESS SIZE`.

ADDRESS and SIZE in bytes say where the LittleFS is. read prints one file a line, a JSON pair of its path and its content in
base64; write takes such lines. State: none.
"""

import binascii
import json
import os
import sys

import vfs

_BLOCK = 4096
_AT = "/image"
_VERB, _PATH, _ADDRESS, _SIZE = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])


class _Image:
    """The block device."""

    def __init__(self):
        self._file = open(_PATH, "rb" if _VERB == "read" else "r+b")  # noqa: SIM115

    def readblocks(self, block, buffer, offset=0):
        """Read."""
        self._file.seek(_ADDRESS + block * _BLOCK + offset)
        self._file.readinto(buffer)

    def writeblocks(self, block, buffer, offset=0):
        """Write; what is written to is erased."""
        self._file.seek(_ADDRESS + block * _BLOCK + offset)
        self._file.write(buffer)

    def ioctl(self, request, argument):
        """Answer VfsLfs2: block count, block size, erase."""
        if request == 6:
            self.writeblocks(argument, b"\xff" * _BLOCK)
        return {4: _SIZE // _BLOCK, 5: _BLOCK}.get(request, 0)


def _show(directory):
    for name, kind, *_ in os.ilistdir(directory):
        path = directory + "/" + name
        if kind & 0x4000:
            _show(path)
        else:
            with open(path, "rb") as file:
                print(json.dumps([path[len(_AT) + 1 :], binascii.b2a_base64(file.read()).decode()]))


def _put(line):
    path, content = json.loads(line)
    with open(_AT + "/" + path, "wb") as file:
        file.write(binascii.a2b_base64(content))


vfs.mount(vfs.VfsLfs2(_Image()), _AT)
if _VERB == "read":
    _show(_AT)
else:
    for line in sys.stdin:
        _put(line)
vfs.umount(_AT)
