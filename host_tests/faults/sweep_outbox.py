"""Cuts the power at every write of the outbox's work on a real LittleFS, and looks at what the next boot finds. For MicroPython.

A case is a list of boots, each a list of steps; all but the last boot run undisturbed, the last is cut at its write 1, 2, 3 … to
the end. Then two boots more: what comes out is compared with the ledger, acknowledged, and must not come again.
"""

import os
import random
import sys

import vfs

from host_tests.faults import ledger
from host_tests.faults.flash import TEARS, Flash, PowerCut

ALARM, EVENT, POSITION = 0, 1, 2
_ROOT = "/outbox_sweep"
_MOST_SEGMENTS = 10
_SEGMENT_B = 512
_READ_MOST = 2000  # records that one reading may hand out

# steps: ("add", rank, characters), ("send", records), ("rewind",)
_FEW = [("add", EVENT, 60), ("add", ALARM, 60), ("add", POSITION, 60), ("add", EVENT, 200)]
_MANY = [("add", rank, 150) for rank in (POSITION, EVENT, POSITION, ALARM, POSITION, EVENT, POSITION) for _ in range(2)]
_FULL = [("add", rank, 150) for rank in (POSITION, EVENT, ALARM) for _ in range(9)]
CASES = {
    "the first record of a terminal": [[], [("add", ALARM, 40)]],
    "adding": [_FEW, _FEW],
    "adding over the end of a segment": [[], [("add", EVENT, 150)] * 6],
    "done and the removal of a segment": [_MANY, [("send", 9), ("add", ALARM, 80), ("send", 3)]],
    "all done": [_FEW, [("send", 4)]],
    "dropping when full": [_FULL, [("add", ALARM, 150)] * 5 + [("add", POSITION, 150)] * 2],
    "dropping down to the alarms": [_FULL, [("add", ALARM, 220)] * 22],
    "dropping what explains what was dropped": [
        [("add", POSITION, 150)] * 24,
        [("send", 1), ("take", 1), ("rewind",)] + [("add", ALARM, 220)] * 14,
    ],
    "recovering what three boots left": [_FEW, _MANY, [("send", 2), ("add", EVENT, 40)], [("rewind",)]],
    "sending again after a broken session": [_MANY, [("take", 3), ("rewind",), ("send", 3)]],
}


class Bench:
    """One journal on one flash: boots, steps, and the books beside it."""

    def __init__(self, make):
        self.flash = Flash()
        self.books = ledger.Ledger()
        self.boot = 0
        self._make = make
        self._box = None
        vfs.VfsLfs2.mkfs(self.flash)

    def power_on(self):
        """Give the flash its power: a new chip with the same image, for open files may yet be closed on the old one."""
        self.power_off()
        self.flash.dead = True
        self.flash = Flash(image=self.flash.image)
        self.boot += 1

    def recover(self):
        """Mount and let the outbox find what is there."""
        vfs.mount(vfs.VfsLfs2(self.flash, mtime=False), _ROOT)
        os.chdir(_ROOT)
        self._flying = []
        self._box = self._make(self.boot, "outbox", _MOST_SEGMENTS, _SEGMENT_B)
        self._box.recover()

    def power_off(self):
        """Take the file system away, as it is."""
        os.chdir("/")
        try:
            vfs.umount(_ROOT)
        except OSError:
            pass
        self._box = None

    def step(self, step):
        """Do one step and keep the books of it."""
        if step[0] == "add":
            mark, content = self.books.new(step[1], step[2])
            sequence = self._box.add(step[1], "FF", content)
            if not self.flash.dead:
                self.books.kept[mark] = (self.boot, sequence)
        elif step[0] == "rewind":
            while self._flying:
                self._box.undone(self._flying.pop(0))
        else:
            for _ in range(step[1]):
                self._send(step[0] == "send")

    def _send(self, is_done):
        self._tell_gaps()
        record = self._box.next()
        if record is None:
            return
        if not is_done:
            self._flying.append(record)
            return
        if not self.flash.dead:
            self.books.heard(record)  # from here on it may go
        self._box.done(record)

    def _tell_gaps(self):
        """What was dropped becomes a record: the desk's own code, as before each record that is sent."""
        if self._box.gaps:
            from terminal.desk import Desk

            Desk._tell_gaps(_DeskOf(self._box))

    def read_all(self):
        """Return everything the outbox hands out, each acknowledged at once."""
        records = []
        while len(records) < _READ_MOST:
            self._tell_gaps()
            record = self._box.next()
            if record is None:
                return records
            records.append(record)
            self._box.done(record)
        self.books.find(ledger.STUCK, "more than %d records in one reading" % _READ_MOST)
        return records


class _DeskOf:
    """As much of a desk as its `_tell_gaps` needs."""

    def __init__(self, outbox):
        self._outbox = outbox

    def report(self, content):
        self._outbox.add(ALARM, "E0", content)

    def moment(self):
        return (None, 1, 0)


def _guarded(bench, deed):
    """Run deed(); return whether the power went. Any other exception is a finding."""
    try:
        deed()
    except PowerCut:
        return True
    except Exception as error:
        if bench.flash.dead:
            return True  # a file closed on a dead chip says no space: lfs reads back what it wrote
        sys.print_exception(error, sys.stderr)
        bench.books.find(ledger.RAISED, repr(error))
    return bench.flash.dead


def _boot(bench, steps):
    bench.recover()
    for step in steps:
        bench.step(step)


def _prove(bench, is_ranked=True):
    """After the last boot: read everything, compare, and see that it does not come back. Returns marks delivered.

    is_ranked: nothing of a lower rank was added after the dropping began, so that none of it may have stayed.
    """
    delivered = set()
    for reading in range(2):
        bench.power_on()
        if _guarded(bench, bench.recover):
            break
        records = []
        _guarded(bench, lambda into=records: into.extend(bench.read_all()))
        if reading == 0:
            bench.books.came_out(records)
            delivered = {ledger.inner(record[4]).get("mark") for record in records}
            bench.books.judge_drops(delivered, is_ranked)
        elif records:
            bench.books.find(ledger.STUCK, "%d records come again after all was done" % len(records))
    bench.power_off()
    delivered.discard(None)
    return delivered


def _prepared(make, boots):
    """Return a bench after these boots, switched off."""
    bench = Bench(make)
    for steps in boots:
        bench.power_on()
        _guarded(bench, lambda steps=steps: _boot(bench, steps))
    bench.power_off()
    return bench


def _run_cut(make, boots, write, tear):
    """Return (bench, image before the last boot, marks delivered) of a case cut at a write of its last boot."""
    bench = _prepared(make, boots[:-1])
    before = bytes(bench.flash.image)
    bench.power_on()
    if write is not None:
        bench.flash.cut_at(write, tear, write)
    _guarded(bench, lambda: _boot(bench, boots[-1]))
    bench.power_off()
    flash = bench.flash
    return bench, before, bytes(flash.image), flash.writes, _prove(bench)


def sweep(make, tally, names=None, stride=1, tears=TEARS):
    """Run the cases, each cut at every stride-th write in every manner. tally: see `sweep_tally.Tally`."""
    for name in names or sorted(CASES):
        bench, _, uncut, writes, delivered = _run_cut(make, CASES[name], None, None)
        tally.books(name, "uncut", bench.books, delivered)
        for write in range(1, writes + 1, stride):
            for tear in tears:
                bench, before, image, _, delivered = _run_cut(make, CASES[name], write, tear)
                tally.cut(image != before and image != uncut)
                tally.books(name, "cut at write %d, %s" % (write, tear), bench.books, delivered)


def random_runs(make, tally, seed, runs):
    """Long histories at random, cut at random writes, also while recovering. Each run's seed is told when it fails."""
    for number in range(runs):
        run_seed = seed * 1000 + number
        random.seed(run_seed)
        bench = Bench(make)
        for _ in range(random.randrange(3, 9)):
            _random_boot(bench, tally)
        tally.books("random", "seed %d" % run_seed, bench.books, _prove(bench, False), run_seed)


def _random_boot(bench, tally):
    before = bytes(bench.flash.image)
    bench.power_on()
    if random.randrange(4):
        bench.flash.cut_at(random.randrange(1, 60), TEARS[random.randrange(len(TEARS))], random.randrange(1000))
    steps = [_random_step() for _ in range(random.randrange(30))]
    if _guarded(bench, lambda: _boot(bench, steps)):
        tally.cut(bytes(bench.flash.image) != before)
    bench.power_off()


def _random_step():
    kind = random.randrange(10)
    if kind < 7:
        return ("add", random.randrange(3), random.randrange(8, 300))
    return ("rewind",) if kind == 7 else ("send", random.randrange(1, 12))


def damage(make, tally, stride=3):
    """Flip bits of the journal's files, one place at a time: nothing may be invented, and only whole records may be missing."""
    bench = _prepared(make, [_FEW + _MANY])
    image = bytes(bench.flash.image)
    paths = _files(bench)
    for path, size in paths:
        for place in range(0, size, stride):
            bench = _prepared(make, [])
            bench.books = _replayed([_FEW + _MANY])
            bench.flash = Flash(image=image)
            bench.boot = 1
            _flip(bench, path, place)
            tally.damage(_prove_damaged(bench), path, place, bench.books)


def _replayed(boots):
    books = ledger.Ledger()
    for boot, steps in enumerate(boots):
        for step in steps:
            mark, _ = books.new(step[1], step[2])
            books.kept[mark] = (boot + 1, mark)
    return books


def _files(bench):
    """Return [(path, bytes)] of all files on a bench's flash."""
    vfs.mount(vfs.VfsLfs2(bench.flash, mtime=False), _ROOT)
    found = []
    _list(_ROOT, found)
    vfs.umount(_ROOT)
    return found


def _list(directory, found):
    for entry in os.ilistdir(directory):
        path = directory + "/" + entry[0]
        if entry[1] & 0x4000:
            _list(path, found)
        else:
            found.append((path, entry[3]))


def _flip(bench, path, place):
    vfs.mount(vfs.VfsLfs2(bench.flash, mtime=False), _ROOT)
    with open(path, "rb") as file:
        data = bytearray(file.read())
    data[place] ^= 0x11
    with open(path, "wb") as file:
        file.write(data)
    vfs.umount(_ROOT)


def _prove_damaged(bench):
    """Return how many records are missing; findings but LOST, GAP and STUCK stay in the books."""
    bench.power_on()
    records = []
    _guarded(bench, bench.recover)
    _guarded(bench, lambda: records.extend(bench.read_all()))
    bench.books.came_out(records)
    bench.power_off()
    missing = [finding for finding in bench.books.findings if finding[0] == ledger.LOST]
    bench.books.findings = [finding for finding in bench.books.findings if finding[0] not in (ledger.LOST, ledger.GAP)]
    return len(missing)
