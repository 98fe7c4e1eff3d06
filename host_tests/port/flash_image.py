"""The chip's flash as one file: LittleFS on it is as large, as full and as torn as on the chip.

State: the file `flash.img` in the chip's state directory; where there is none, the terminal's files lie in a directory of the
host. `flash_cut` there, a number, ends the power at the so many-th write from then on: half of that one is written, and nothing
runs any more until the chip runner kills the process.
"""

import os

import hanma_port
import utime
import vfs

_BLOCK = 4096
_BLOCKS, _BLOCK_SIZE, _ERASE = 4, 5, 6  # ioctl's requests


def mount():
    """Mount the image, when there is one, and make it the current directory."""
    path = hanma_port.STATE + "/flash.img"
    try:
        os.stat(path)
    except OSError:
        return
    vfs.mount(vfs.VfsLfs2(FlashImage(path)), "/flash")
    os.chdir("/flash")


class FlashImage:
    """A block device on a file; erased blocks are 0xff, programming clears bits."""

    def __init__(self, path):
        self._file = open(path, "r+b")
        self._blocks = self._file.seek(0, 2) // _BLOCK

    def readblocks(self, block, buffer, offset=0):
        """Read."""
        self._file.seek(block * _BLOCK + offset)
        self._file.readinto(buffer)

    def writeblocks(self, block, buffer, offset=0):
        """Program."""
        old = bytearray(len(buffer))
        self.readblocks(block, old, offset)
        self._write(block * _BLOCK + offset, bytes(buffer[k] & old[k] for k in range(len(old))))

    def ioctl(self, request, argument):
        """Answer VfsLfs2."""
        if request == _BLOCKS:
            return self._blocks
        if request == _BLOCK_SIZE:
            return _BLOCK
        if request == _ERASE:
            self._write(argument * _BLOCK, b"\xff" * _BLOCK)
        return 0

    def _write(self, at, data):
        left = int(hanma_port.read_text("flash_cut") or 0)
        self._file.seek(at)
        self._file.write(data[: len(data) // 2] if left == 1 else data)
        if left:
            hanma_port.write_json("flash_cut", left - 1)
        while left == 1:
            utime.sleep(1)
