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
    """A bounded list of (rank, sequence number, action code, content).

    dropped: counts what had no room. sequence: the last record's number; with the boot number it names a record for ever.
    """

    def __init__(self):
        self.dropped = 0
        self.sequence = 0
        self._records = []

    def add(self, rank, code, content):
        """Keep a report; when full, the oldest position goes first, then the oldest event, alarms last."""
        if len(self._records) >= _LIMIT:
            self._records.remove(max(self._records, key=_rank))  # the first of those alike
            self.dropped += 1
        self.sequence += 1
        self._records.append((rank, self.sequence, code, content))

    def first(self):
        """Return the record to send next, or None."""
        return min(self._records, key=_rank) if self._records else None

    def done(self, record):
        """The platform has it."""
        if record in self._records:
            self._records.remove(record)


def _rank(record):
    return record[0]
