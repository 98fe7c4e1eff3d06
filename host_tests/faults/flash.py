"""A NOR flash in RAM that can lose its power at any write or erase, and leave that one torn. Pure.

Owns the image, the count of writes and erases, and the cut. Programming only clears bits, as on the chip; a block is erased to
0xff. The face is that of a block device of MicroPython (extended: with offsets), so that VfsLfs2 runs on it.
"""

BLOCK = 4096
_BLOCKS, _BLOCK_SIZE, _ERASE = 4, 5, 6  # ioctl's requests

# What the write under way leaves of itself when the power goes.
BEFORE = "before"  # nothing
HALF = "half"  # its first half; the byte at the edge has some of its bits
SHORT = "short"  # all but its last byte
SCATTERED = "scattered"  # this byte and not that one: the chip has no order within a page
AFTER = "after"  # all of it, and nothing more
TEARS = (BEFORE, HALF, SHORT, SCATTERED, AFTER)


class PowerCut(BaseException):
    """The power went. No code of the terminal's may catch it."""


class Flash:
    """blocks: of 4 KiB each. image: a copy is taken; else all is erased.

    writes: programs and erases so far. erases: blocks erased so far. dead: the power is gone, nothing is written any more.
    """

    def __init__(self, blocks=40, image=None):
        self.image = bytearray(image) if image else bytearray(b"\xff" * (BLOCK * blocks))
        self.writes = self.erases = 0
        self.dead = False
        self._cut = None

    def cut_at(self, write, tear, seed=1):
        """Cut the power at the so many-th write from now, counted from 1. tear: one of TEARS; seed: of what is scattered."""
        self._cut = (self.writes + write, tear, seed)

    # ---- the block device

    def readblocks(self, block, buffer, offset=0):
        """Read."""
        at = block * BLOCK + offset
        buffer[:] = memoryview(self.image)[at : at + len(buffer)]

    def writeblocks(self, block, buffer, offset=0):
        """Program: bits go from 1 to 0 only."""
        self._write(block * BLOCK + offset, buffer)

    def ioctl(self, request, argument):
        """Answer VfsLfs2: sizes, and erase a block."""
        if request == _BLOCKS:
            return len(self.image) // BLOCK
        if request == _BLOCK_SIZE:
            return BLOCK
        if request == _ERASE:
            self.erases += not self.dead
            self._write(argument * BLOCK, None)
        return 0

    def _write(self, at, data):
        """data: what is programmed, None for an erase."""
        if self.dead:
            raise PowerCut  # a file that is closed while the cut unwinds
        self.writes += 1
        size = BLOCK if data is None else len(data)
        if self._cut is None or self.writes != self._cut[0]:
            self._put(at, data, range(size))
            return
        _, tear, seed = self._cut
        self.dead = True
        self._put(at, data, _reached(size, tear, seed))
        if tear == HALF and size > 1:
            self._put_some_bits(at, data, size // 2)
        raise PowerCut

    def _put(self, at, data, places):
        image = self.image
        if len(places) == BLOCK and data is None:
            image[at : at + BLOCK] = b"\xff" * BLOCK
            return
        for place in places:
            image[at + place] = 0xFF if data is None else image[at + place] & data[place]

    def _put_some_bits(self, at, data, place):
        new = 0xFF if data is None else data[place]
        old = self.image[at + place]
        self.image[at + place] = old | 0x55 if data is None else old & (new | 0x55)


def _reached(size, tear, seed):
    """Return the places of a torn write that were reached."""
    if tear == SCATTERED:
        return [place for place in range(size) if _noise(place * 31 + seed) & 1]
    return range({BEFORE: 0, HALF: size // 2, SHORT: size - 1, AFTER: size}[tear])


def _noise(number):
    """Return bits that look random; the same for the same number, on every interpreter."""
    number = (number * 1103515245 + 12345) & 0x3FFFFFFF
    return number >> 13 ^ number >> 7
