"""A release on its way into a slot: what is still missing, and the bytes as they come. Borrowed by an upgrade; files only.

Nothing is kept in memory that could not be found again on flash: a file is there under its name when its bytes, read back, have
the right hash; the one being received is `part`. So a cut of any kind costs what was not yet flushed, and no more.
"""

import hashlib
import os
from binascii import hexlify

from micropython import const

from terminal import slots
from terminal.bundle import Incoming, Refused

_FLUSH_B = const(4096)
_BLOCK_B = const(4096)  # of LittleFS: a small file takes a whole one
_CHUNK_B = const(512)
_EIO = const(5)


def admit(slot, found):
    """Clear the slot for a verified bundle whose beginning lies there as `bundle.new`; a generator with short steps.

    From here on the slot belongs to that release. What is there of it already is kept.
    """
    try:
        os.remove(slot + "/bundle")
    except OSError:
        pass  # it was never whole
    keep = ["bundle.new"]
    for name, _size, digest, _offset in found.files():
        if slots.digest_of(slot + "/" + name)[1] == digest:
            keep.append(name)
        yield
    yield from slots.emptying(slot, keep)
    os.rename(slot + "/bundle.new", slot + "/bundle")


def needed_b(found):
    """Return the bytes of flash that a release takes. Raises Refused when its list is not right."""
    return _BLOCK_B + _flash_b(row[:2] for row in found.files())


def taken_b(slot):
    """Return the bytes of flash that a slot's files take now."""
    return _flash_b((name, os.stat(slot + "/" + name)[6]) for name in slots.listing(slot))


def _flash_b(files):
    """Return the bytes of flash that files, (name, size) each, take in whole blocks, with two for each directory."""
    total_b = 0
    directories = set()
    for name, size in files:
        total_b += (size + _BLOCK_B) // _BLOCK_B * _BLOCK_B
        parts = name.split("/")
        for count in range(1, len(parts)):
            directories.add("/".join(parts[:count]))
    return total_b + 2 * _BLOCK_B * len(directories)


def tree_of(slot):
    """Return the tree of what a slot holds, by which a release can name it as its base; a generator: its value is that."""
    total = hashlib.sha256(b"")
    for name in slots.listing(slot):
        if name != "bundle":
            size, digest = slots.digest_of(slot + "/" + name)
            total.update(('["%s",%d,"%s"]\n' % (name, size, hexlify(digest).decode())).encode())
        yield
    return total.digest()


class Landing:
    """The files of a verified bundle on their way into a slot.

    found: `bundle.Bundle` over the slot's file `bundle`. base: the slot that runs, where the files that are not carried are.
    """

    def __init__(self, slot, base, found):
        self._part = slot + "/part"
        self._slot = slot
        self._base = base
        self._rows = found.files()
        self._row = self._file = self._incoming = None
        self._unflushed_b = 0

    def missing(self):
        """Look for the next byte that is missing: a generator with short steps whose value is its offset in the bundle, None when
        the release is whole. Raises Refused (base_mismatch, bad_format), OSError."""
        for row in self._rows:
            yield
            name, size, digest, offset = row
            if slots.digest_of(self._slot + "/" + name) == (size, digest):
                continue
            if offset is None:
                self._copy(row)
                continue
            self._resume(row)
            if self._incoming.left:
                return offset + size - self._incoming.left
            self._finish()
        return None

    def feed(self, chunk):
        """Take the bytes that follow on what is there. Raises Refused (mixed_files, too_large, bad_format), OSError."""
        rest = memoryview(chunk)
        while len(rest):
            while not self._incoming:
                self._go_on()
            piece = rest[: self._incoming.left]
            self._write(piece)
            rest = rest[len(piece) :]
            if not self._incoming.left:
                self._finish()

    def close(self):
        """Let go of the file being received; what came of it stays."""
        if self._file:
            self._file.close()
            self._file = None

    def _go_on(self):
        """Begin with the next file in the list."""
        for row in self._rows:
            if row[3] is None:
                self._copy(row)
                continue
            self._begin(row)
            if not row[1]:
                self._finish()
            return
        raise Refused("too_large")

    def _begin(self, row, mode="wb"):
        self._row = row
        self._file = open(self._part, mode)  # noqa: SIM115 - closed by close()
        if mode == "wb":
            self._incoming = Incoming(row[1], row[2])

    def _resume(self, row):
        """Begin with a file, or go on behind what is there of it."""
        incoming = self._incoming = Incoming(row[1], row[2])
        try:
            with open(self._part, "rb") as file:
                while True:
                    chunk = file.read(_CHUNK_B)
                    if not chunk:
                        break
                    incoming.feed(chunk)
        except (OSError, Refused):
            self._begin(row)
        else:
            self._begin(row, "ab")

    def _copy(self, row):
        """Take a file from the slot that runs."""
        path = self._base + "/" + row[0]
        if slots.digest_of(path) != row[1:3]:
            raise Refused("base_mismatch")
        self._begin(row)
        with open(path, "rb") as file:
            while self._incoming.left:
                self._write(file.read(_CHUNK_B))
        self._finish()

    def _write(self, piece):
        self._incoming.feed(piece)
        self._file.write(piece)
        self._unflushed_b += len(piece)
        if self._unflushed_b >= _FLUSH_B:
            self._unflushed_b = 0
            self._file.flush()

    def _finish(self):
        """The file is there: read it back before it gets its name."""
        self.close()
        incoming, self._incoming = self._incoming, None
        try:
            incoming.finish()
            if slots.digest_of(self._part) != self._row[1:3]:
                raise OSError(_EIO)
        except (Refused, OSError):
            os.remove(self._part)  # it would stand in the way of what is right
            raise
        os.rename(self._part, slots.place(self._slot, self._row[0]))
