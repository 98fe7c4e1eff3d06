"""A plain outbox with the firmware's face, and defects that can be planted in it: it proves that the sweeps find them.

Each record is a line on flash: CRC-32 in hex and JSON. One file a segment, named by boot and number, in a directory a rank.
"""

import binascii
import json
import os

FLAWS = {
    "early": "acknowledges before the flush",
    "blind": "drops without telling",
    "upside_down": "drops alarms first",
    "forgetful": "loses each fifth record",
    "repeating": "begins its numbers anew in the boot before's name",
    "credulous": "does not look at the CRC",
    "mixed": "hands positions out before alarms",
    "hasty": "removes a segment when its first record is done",
    "endless": "never removes what is done",
}


class Outbox:
    """See the firmware's `terminal.outbox.Outbox`. flaw: one of FLAWS, or None."""

    flaw = None

    def __init__(self, boot_number, directory="outbox", most_segments=12, segment_b=512):
        self.waiting = self.dropped = self.unsaved = self.sequence = 0
        self._boot = boot_number - 1 if self.flaw == "repeating" and boot_number > 1 else boot_number
        self._directory = directory
        self._most = most_segments
        self._segment_b = segment_b
        self.gaps = {}  # it tells them itself
        self._segments = []  # [rank, path, [records], bytes, is_open]
        self._out = []  # in flight
        self._lazy = 0

    def recover(self):
        for path in [self._directory] + ["%s/%d" % (self._directory, rank) for rank in range(3)]:
            try:
                os.mkdir(path)
            except OSError:
                pass
        for rank in range(3):
            directory = "%s/%d" % (self._directory, rank)
            for name in sorted(os.listdir(directory)):
                records = self._read(rank, directory + "/" + name)
                self._segments.append([rank, directory + "/" + name, records, 0, False])

    def _read(self, rank, path):
        records = []
        with open(path, "rb") as file:
            for line in file.read().split(b"\n"):
                try:
                    is_good = int(line[:8], 16) == binascii.crc32(line[8:])
                    if is_good or self.flaw == "credulous":
                        records.append((rank,) + tuple(json.loads(str(line[8:], "utf-8"))))
                except (ValueError, TypeError):
                    pass
        return records

    def add(self, rank, code, content):
        if len(self._segments) >= self._most:
            self._drop()
        self.sequence += 1
        if self.flaw != "forgetful" or self.sequence % 5:
            self._append((rank, self._boot, self.sequence, code, content))
        return self.sequence

    def _append(self, record):
        body = json.dumps(record[1:]).encode()
        line = b"%08x" % (binascii.crc32(body) & 0xFFFFFFFF) + body + b"\n"
        segment = next((one for one in self._segments if one[0] == record[0] and one[4] and one[3] < self._segment_b), None)
        if segment is None:
            path = "%s/%d/%06d%06d" % (self._directory, record[0], self._boot, record[2])
            segment = [record[0], path, [], 0, True]
            self._segments.append(segment)
        segment[2].append(record)
        segment[3] += len(line)
        self._lazy += 1
        if self.flaw == "early" and self._lazy % 4:
            self._held = getattr(self, "_held", b"") + line
            return
        with open(segment[1], "ab") as file:
            file.write(getattr(self, "_held", b"") + line)
        self._held = b""

    def _drop(self):
        choose = min if self.flaw == "upside_down" else max
        rank = choose([segment[0] for segment in self._segments])
        segment = next(one for one in self._segments if one[0] == rank)
        self._segments.remove(segment)
        self.dropped += len(segment[2])
        if self.flaw != "blind":
            self._explain(rank, segment[2])
        os.remove(segment[1])

    def _explain(self, rank, records):
        """Tell what goes; what explained an earlier drop is told once more."""
        told = [record[4]["detail"] for record in records if "detail" in record[4]]
        records = [record for record in records if "detail" not in record[4]]
        if records:
            told.append({"rank": rank, "from": records[0][1:3], "to": records[-1][1:3], "count": len(records)})
        for detail in told:
            self.sequence += 1
            self._append((0, self._boot, self.sequence, "E0", {"kind": "records_dropped", "detail": detail}))

    def next(self):
        for rank in (2, 1, 0) if self.flaw == "mixed" else (0, 1, 2):
            for segment in self._segments:
                for record in segment[2]:
                    if segment[0] == rank and record not in self._out:
                        self._out.append(record)
                        return record
        return None

    def done(self, record):
        if record in self._out:
            self._out.remove(record)
        segment = next((one for one in self._segments if record in one[2]), None)
        if segment is None:
            return
        segment[2].remove(record)
        if not segment[2] and self.flaw != "endless" or self.flaw == "hasty":
            self._segments.remove(segment)
            os.remove(segment[1])

    def undone(self, record):
        if record in self._out:
            self._out.remove(record)
