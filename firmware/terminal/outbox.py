"""Reports that must not be lost: a journal on flash, which a record leaves only when the platform has acknowledged it.

Owns the directory of segments: one queue a rank, a new segment for each boot, a segment removed when all of its records are
done. A record is on flash whole or not at all: length and CRC-32 tell a cut one, which is dropped alone. Where there is no more
room the oldest positions go first, then events, alarms last; what goes so is counted, and told by `gaps`.
"""

import binascii
import gc
import json
import os
import struct

from micropython import const

ALARM = const(0)
EVENT = const(1)
POSITION = const(2)
_RANKS = const(3)
_SEGMENT_B = const(4096)  # one block of LittleFS
_MOST_SEGMENTS = const(64)  # 256 KiB: some 1200 records
_MOST_LOOSE = const(16)  # records that flash would not take
_MOST_BODY_B = const(4096)  # twice what a session can send; a longer one is a damaged head
_MOST_FALSE = const(16)  # places in a segment that look like a record and are none: with more of them its rest is given up
_PIECE_B = const(256)  # what is searched for the next record at a time
_GAPS_B = const(512)
_ENOSPC = const(28)
_HEAD = "<2sHHIII"  # magic, length of the body, action code, boot, sequence, CRC-32 of all but magic and itself
_HEAD_B = const(18)
_CRC_AT = const(14)
_MAGIC = b"\xa5R"
_TELLS = b'"kind":"records_dropped"'  # a record with this in it explains what else was dropped
_CODES = ("00", "Z0", "FF", "EF", "E0")


class Outbox:
    """Waiting records, the most urgent rank first and the oldest first within it.

    boot: this boot's number; with its sequence number it names a record for ever. waiting: records that are not done. dropped:
    by rule, since this boot. unsaved: those that flash would not take; they wait in RAM. gaps: {rank: [boot and sequence of the
    first dropped, boot and sequence of the last, how many]}, until `told`.
    """

    def __init__(self, boot, directory="outbox", most_segments=_MOST_SEGMENTS, segment_b=_SEGMENT_B):
        self.waiting = self.dropped = self.unsaved = self.sequence = 0
        self.gaps = {}
        self._boot = boot
        self._directory = directory
        self._most_segments = most_segments
        self._queues = [_Queue("%s/%d." % (directory, rank), segment_b) for rank in range(_RANKS)]
        self._loose = []

    def recover(self):
        """Find what earlier boots left. To be called once, before anything is added; raises nothing."""
        try:
            names = os.listdir(self._directory)
        except OSError:
            names = []
            _quietly(os.mkdir, self._directory)
        for rank, queue in enumerate(self._queues):
            numbers = [name[2:] for name in names if name.startswith("%d." % rank)]
            queue.segments = sorted([int(number) for number in numbers if number.isdigit()])
            self.waiting += queue.count()
        self._load_gaps()

    def add(self, rank, code, content):
        """Keep a report and return its sequence number; it is on flash when this returns, or in RAM where flash fails.

        content: dict; it, or the event in it, gets `boot` and `seq`. Where the heap is full it is tried twice; then the record is
        dropped. Where even that cannot be noted, it is counted, and its number, which nobody has seen, is the next one's.
        """
        self.sequence += 1
        self.waiting += 1
        for _ in range(2):
            try:
                self._keep(rank, code, content)
                return self.sequence
            except MemoryError:
                gc.collect()
        try:
            self._note_gap(rank, [(self._boot, self.sequence)])
        except MemoryError:
            self.sequence -= 1
            self.waiting -= 1
            self.dropped += 1
        return self.sequence

    def _keep(self, rank, code, content):
        named = content.get("event", content)
        named["boot"] = self._boot
        named["seq"] = self.sequence
        body = json.dumps(content, separators=(",", ":")).encode()
        if not self._write(rank, _sealed(_CODES.index(code), self._boot, self.sequence, body)):
            self._loose.append((rank, self._boot, self.sequence, code, body, None))
            self.unsaved += 1
            if len(self._loose) > _MOST_LOOSE:
                victim = max(self._loose, key=_rank)  # the first of those alike
                self._loose.remove(victim)
                self._note_gap(victim[0], [victim[1:3]], [victim[4]])

    def _write(self, rank, record):
        """Append to the rank's queue, making room by rule; return whether the record is on flash, or dropped by that rule."""
        queue = self._queues[rank]
        while True:
            is_new = queue.is_full(len(record))
            if is_new and sum([len(one.segments) for one in self._queues]) >= self._most_segments:
                if not self._make_room(rank, 1):
                    self._note_gap(rank, [(self._boot, self.sequence)])
                    return True
            else:
                try:
                    queue.append(record, is_new)
                    return True
                except OSError as error:
                    if error.args[0] != _ENOSPC or not self._make_room(rank, 2):
                        return False

    def _make_room(self, rank, least):
        """Give up the oldest segment of the least urgent rank that has one; not of a more urgent one, nor its last but `least`."""
        for victim in range(_RANKS - 1, rank - 1, -1):
            queue = self._queues[victim]
            if len(queue.segments) >= (least if victim == rank else 1):
                names, bodies = queue.oldest()
                if names:  # first: a power cut between the two must leave no gap that nobody explains
                    self._note_gap(victim, names, bodies)
                queue.drop()
                return True
        return False

    # ---- sending

    def next(self):
        """Return the record to send next, which is then in flight, or None.

        A record is (rank, boot, sequence, action code, JSON of its content as bytes, where it lies).
        """
        for rank, queue in enumerate(self._queues):
            found = queue.next()
            if found:
                at, code, boot, sequence, body = found
                return (rank, boot, sequence, _CODES[code], body, at)
            for index, record in enumerate(self._loose):
                if record[0] == rank:
                    return self._loose.pop(index)
        return None

    def has_alarms(self):
        """Return whether alarms wait to be handed out."""
        queue = self._queues[ALARM]
        return bool(queue._again or queue._unread)

    def done(self, record):
        """The platform has acknowledged a record."""
        if record[5] is None or self._queues[record[0]].done(record[5]):
            self.waiting -= 1

    def undone(self, record):
        """A record that was handed out is to be handed out again: the session ended before its acknowledgement."""
        if record[5] is None:
            self._loose.insert(0, record)
        else:
            self._queues[record[0]].undone(record[5])

    # ---- what was dropped

    def _note_gap(self, rank, names, bodies=()):
        """Remember on flash that these records, oldest first, are gone: (boot, sequence) each.

        bodies: JSON of some of them; what they would have explained is to be told anew. Raises MemoryError; then nothing is noted.
        """
        gaps = dict(self.gaps)
        _widen(gaps, rank, names[0], names[-1], len(names))
        for told in [json.loads(body)["detail"] for body in bodies if _TELLS in body]:
            _widen(gaps, told["rank"], told["from"], told["to"], told["count"])
        self.gaps = gaps
        self.dropped += len(names)
        self.waiting -= len(names)
        self._save_gaps()

    def told(self, rank):
        """The gap of this rank is in a record by now."""
        del self.gaps[rank]
        self._save_gaps()

    def _save_gaps(self):
        path = self._directory + "/gaps"
        try:
            with open(path + ".new", "w") as file:
                file.write(json.dumps([[rank] + self.gaps[rank] for rank in self.gaps]))
            os.rename(path + ".new", path)
        except (OSError, MemoryError):
            pass  # told from RAM, unless the power goes first

    def _load_gaps(self):
        try:
            with open(self._directory + "/gaps", "rb") as file:
                rows = json.loads(str(file.read(_GAPS_B), "utf-8"))
        except (OSError, ValueError, MemoryError):
            return
        for row in rows if isinstance(rows, list) else ():
            if isinstance(row, list) and [type(number) for number in row] == [int] * 6 and 0 <= row[0] < _RANKS:
                self.gaps[row[0]] = row[1:]


class _Queue:
    """One rank's segments, by number; read and appended to in order. A place is (segment, offset)."""

    def __init__(self, stem, segment_b):
        self.segments = []
        self._stem = stem
        self._segment_b = segment_b
        self._size = None  # of the segment this boot appends to
        self._gone = 0  # the number of the one that went last: places that are still in flight must not come again
        self._at = (0, 0)  # the place to read on from
        self._unread = 0  # records from there on
        self._flying = []  # places of what was handed out
        self._again = []  # and of what is to be handed out once more

    def count(self):
        """Return how many records there are; all are to be handed out."""
        for segment in self.segments:
            self._unread += len(self._names(segment))
        return self._unread

    def is_full(self, length):
        """True when a record of so many bytes needs a new segment."""
        return self._size is None or self._size + length > self._segment_b

    def append(self, record, is_new):
        """Write one record, whole, and flush it. Raises OSError; then the next one gets a new segment."""
        number = (self.segments[-1] if self.segments else self._gone) + 1 if is_new else self.segments[-1]
        size = 0 if is_new else self._size
        self._size = None
        path = self._stem + str(number)
        try:
            with open(path, "wb" if is_new else "ab") as file:
                file.write(record)
        except OSError:
            if is_new:
                _quietly(os.remove, path)
            raise
        if is_new:
            self.segments.append(number)
        self._size = size + len(record)
        self._unread += 1

    def next(self):
        """Return (place, action code's number, boot, sequence, body), now in flight, or None."""
        found = None
        while not found and (self._again or self._unread):
            if not self._again:
                found = self._read_on()
                continue
            found = self._read(*self._again[0])
            self._again.pop(0)
        if found:
            self._flying.append(found[0])
            return found[:1] + found[2:]
        return None

    def _read_on(self):
        segment, start = self._at
        if segment not in self.segments:
            segment, start = self.segments[0], 0
        found = self._read(segment, start)
        is_last = segment == self.segments[-1]
        if found:
            self._at = (segment, found[1])
            self._unread -= 1
        elif is_last:
            self._unread = 0  # what was counted cannot be read any more
        if not is_last and (not found or found[1] >= self._length(segment)):
            self._at = (self.segments[self.segments.index(segment) + 1], 0)
        return found

    def _length(self, segment):
        try:
            return os.stat(self._stem + str(segment))[6]
        except OSError:
            return 0

    def done(self, place):
        """The record at this place may go; return False when it went already."""
        if place not in self._flying:
            return False
        self._flying.remove(place)
        waiting = self._flying + self._again + ([self._at] if self._unread else [])
        while self.segments and (not waiting or self.segments[0] < min(waiting)[0]):
            self._remove()
        return True

    def undone(self, place):
        """The record at this place is to be handed out again."""
        if place in self._flying:
            self._flying.remove(place)
            self._again = sorted(self._again + [place])

    def oldest(self):
        """Return ((boot, sequence) of the oldest segment's records that are not done, bodies of those that explain others)."""
        segment = self.segments[0]
        bodies = []
        return self._names(segment, [place for place in self._flying + self._again if place[0] == segment], bodies), bodies

    def drop(self):
        """Give up the oldest segment."""
        segment = self.segments[0]
        out = len(self._flying) + len(self._again)
        count = len(self.oldest()[0])
        self._flying = [place for place in self._flying if place[0] != segment]
        self._again = [place for place in self._again if place[0] != segment]
        self._unread -= count - out + len(self._flying) + len(self._again)
        self._remove()

    def _remove(self):
        self._gone = self.segments.pop(0)
        _quietly(os.remove, self._stem + str(self._gone))
        if not self.segments:
            self._size = None
            self._at = (0, 0)

    def _names(self, segment, known=(), bodies=None):
        """Return (boot, sequence) of the records of a segment that wait: not read yet, or known to be out.

        bodies: takes the bodies of those that explain what else was dropped.
        """
        names = []
        found = self._read(segment, 0)
        while found:
            if found[0] in known or found[0] >= self._at:
                names.append(found[3:5])
                if bodies is not None and _TELLS in found[5]:
                    bodies.append(found[5])
            found = self._read(segment, found[1])
        return names

    def _read(self, segment, start):
        """Return (place, end, code's number, boot, sequence, body) of the first whole record from an offset on, or None."""
        try:
            with open(self._stem + str(segment), "rb") as file:
                found = _whole(file, start)
        except OSError:
            return None
        return found and ((segment, found[0]),) + found[1:]


def _whole(file, start):
    """Return (offset, end, code's number, boot, sequence, body) of the first whole record in a file from start on, or None."""
    for _ in range(_MOST_FALSE):
        file.seek(start)
        head = file.read(_HEAD_B)
        if len(head) < _HEAD_B:
            return None
        magic, length, code, boot, sequence, crc = struct.unpack(_HEAD, head)
        if magic == _MAGIC and code < len(_CODES) and length <= _MOST_BODY_B:
            body = file.read(length)
            if len(body) == length and crc == binascii.crc32(body, binascii.crc32(head[2:_CRC_AT])):
                return (start, start + _HEAD_B + length, code, boot, sequence, body)
        start = _magic_from(file, start + 1)  # a cut record: the next whole one counts
        if start is None:
            return None
    return None


def _magic_from(file, start):
    """Return where the next record may begin, from start on, or None."""
    file.seek(start)
    piece = file.read(_PIECE_B)
    while len(piece) >= len(_MAGIC):
        at = piece.find(_MAGIC)
        if at >= 0:
            return start + at
        start += len(piece) - 1  # its first byte may be the last one here
        piece = piece[-1:] + file.read(_PIECE_B)
    return None


def _sealed(code, boot, sequence, body):
    head = struct.pack(_HEAD, _MAGIC, len(body), code, boot, sequence, 0)[:_CRC_AT]
    return head + struct.pack("<I", binascii.crc32(body, binascii.crc32(head[2:]))) + body


def _widen(gaps, rank, first, last, count):
    gap = gaps.get(rank) or list(first) + list(last) + [0]
    gaps[rank] = min(gap[:2], list(first)) + max(gap[2:4], list(last)) + [gap[4] + count]


def _rank(record):
    return record[0]


def _quietly(work, path):
    try:
        work(path)
    except OSError:
        pass
