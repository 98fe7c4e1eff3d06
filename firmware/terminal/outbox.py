"""Reports that wait for the platform: alarms before events before positions, the oldest first within each.

Owns the waiting records (bounded) and the count of what had to be dropped. A record leaves only when the platform has
acknowledged it.
"""

from micropython import const

ALARM = const(0)
EVENT = const(1)
POSITION = const(2)
_LIMIT = const(48)


class Outbox:
    """A bounded list of (rank, sequence number, action code, content)."""

    def __init__(self, limit=_LIMIT):
        self.dropped = 0
        self.sequence = 0  # of this boot; with the boot number it names a record for ever
        self._limit = limit
        self._records = []

    def __len__(self):
        return len(self._records)

    def next_sequence(self):
        """Return a number that no other record of this boot has."""
        self.sequence += 1
        return self.sequence

    def add(self, rank, code, content):
        """Keep a report; when full, the oldest position goes first, then the oldest event, alarms last."""
        if len(self._records) >= self._limit:
            self._drop()
        self._records.append((rank, self.next_sequence(), code, content))

    def _drop(self):
        worst = max(record[0] for record in self._records)
        for index, record in enumerate(self._records):
            if record[0] == worst:
                self._records.pop(index)
                self.dropped += 1
                return

    def first(self):
        """Return the record to send next, or None."""
        best = None
        for record in self._records:
            if best is None or record[0] < best[0]:
                best = record
        return best

    def done(self, record):
        """The platform has it."""
        if record in self._records:
            self._records.remove(record)
