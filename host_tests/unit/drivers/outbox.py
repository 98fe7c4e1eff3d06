"""Runs a history of the outbox in a directory of its own; returns what each step gave and what is left.

case: {"directory": path, "most": segments, "segment_b": bytes, "steps": [[name, args...]]}. Steps: "add" rank, letters · "next" ·
"done" k and "undone" k (the k-th of those in flight, if there is one) · "boot" (power off and on) · "tear" rank, bytes (the power
went while that rank's last segment was written: so many bytes are missing at its end) · "spoil" rank, offset (a byte of its first
segment is another) · "told" rank · "report" rank (what was dropped of it becomes an alarm) · "full" flag (writing fails with
ENOSPC) · "dead" flag (writing fails with EIO).
"""

import builtins
import os
from binascii import unhexlify

from terminal import outbox as room

CODES = ("E0", "FF", "EF")


class World:
    def __init__(self, case):
        self.case = case
        self.boot_number = 0
        self.error = None
        self.boot()

    def boot(self):
        self.boot_number += 1
        self.out = []
        self.box = room.Outbox(self.boot_number, self.case["directory"], self.case["most"], self.case["segment_b"])
        self.box.recover()
        return self.box.waiting

    def add(self, rank, letters):
        content = {"text": "x" * letters}
        return self.box.add(rank, CODES[rank], {"event": content} if rank == room.EVENT else content)

    def next(self):
        record = self.box.next()
        if record is None:
            return None
        self.out.append(record)
        return [record[0], record[1], record[2], record[3], len(record[4])]

    def done(self, k):
        if k < len(self.out):
            self.box.done(self.out.pop(k))

    def undone(self, k):
        if k < len(self.out):
            self.box.undone(self.out.pop(k))

    def tear(self, rank, count):
        path = self._file(rank, -1)
        if path:
            data = _read(path)
            _write(path, data[: max(0, len(data) - count)])
        return self.boot()

    def spoil(self, rank, offset):
        path = self._file(rank, 0)
        if path:
            data = bytearray(_read(path))
            if offset < len(data):
                data[offset] ^= 0xFF
                _write(path, bytes(data))

    def file(self, name, text):
        _write(self.case["directory"] + "/" + name, unhexlify(text))

    def told(self, rank):
        if rank in self.box.gaps:
            self.box.told(rank)

    def report(self, rank):
        gap = self.box.gaps[rank]
        detail = {"rank": rank, "from": gap[:2], "to": gap[2:4], "count": gap[4]}
        sequence = self.box.add(room.ALARM, "E0", {"kind": "records_dropped", "detail": detail})
        self.box.told(rank)
        return sequence

    def full(self, on):
        self.error = 28 if on else None

    def dead(self, on):
        self.error = 5 if on else None

    def _file(self, rank, index):
        names = [name for name in os.listdir(self.case["directory"]) if name.startswith("%d." % rank)]
        names.sort(key=lambda name: int(name[2:]))
        return self.case["directory"] + "/" + names[index] if names else None


def _read(path):
    with open(path, "rb") as file:
        return file.read()


def _write(path, data):
    with open(path, "wb") as file:
        file.write(data)


def run(case):
    """Return {"steps": what each gave, "gaps", "counts": [waiting, dropped, unsaved, sequence, files]}."""
    _empty(case["directory"])
    world = World(case)
    real = builtins.open

    def failing(path, mode="r"):
        if world.error and mode[0] in "wa":
            raise OSError(world.error)
        return real(path, mode)

    room.open = failing
    try:
        steps = [getattr(world, step[0])(*step[1:]) for step in case["steps"]]
    finally:
        del room.open
    box = world.box
    files = [name for name in os.listdir(case["directory"]) if name != "gaps"]
    gaps = sorted([rank] + box.gaps[rank] for rank in box.gaps)
    return {"steps": steps, "gaps": gaps, "counts": [box.waiting, box.dropped, box.unsaved, box.sequence, len(files)]}


def _empty(directory):
    try:
        os.mkdir(directory)
    except OSError:
        for name in os.listdir(directory):
            os.remove(directory + "/" + name)
