"""What was given to an outbox and what came out of it: the books kept outside, and their comparison. Pure.

Owns every record by its mark: when it was begun, whether the outbox had acknowledged it, whether it was told to be done. A
finding is (name, text); the names are `LOST`, `INVENTED`, `TWICE`, `ORDER`, `GAP`, `RAISED`, `STUCK`.
"""

import json

LOST = "lost"  # acknowledged to the caller, and neither there nor explained
INVENTED = "invented"  # never given, or not as it was given
TWICE = "twice"  # a number for two records, or a record twice in one reading
ORDER = "order"  # not alarms, events, positions; or not the oldest first
GAP = "gap"  # what was dropped by rule is not told, or told wrongly
RANK = "rank"  # something more important was dropped while something less important stayed
RAISED = "raised"  # an exception reached the caller
STUCK = "stuck"  # what was acknowledged by the platform comes again for ever

DROPPED_KIND = "records_dropped"


class Ledger:
    """The books of one journal over all its boots."""

    def __init__(self):
        self.begun = {}  # mark: (rank, content)
        self.kept = {}  # mark: (boot, sequence), from when the outbox had acknowledged it
        self.done = set()  # marks that were told to be done
        self.explained = []  # (rank, first, last, count): first and last are (boot, sequence)
        self.marks = 0
        self.findings = []

    def new(self, rank, size):
        """Return (mark, content) of a fresh record, about size characters long."""
        self.marks += 1
        content = {"kind": "probe", "mark": self.marks, "pad": "%04d" % self.marks * (size // 4)}
        self.begun[self.marks] = (rank, content)
        return self.marks, dict(content)

    def find(self, name, text):
        """Note a finding."""
        self.findings.append((name, text))

    def heard(self, record):
        """The platform has this record; the outbox is about to be told."""
        mark = self._look(record[0], (record[1], record[2]), inner(record[4]), {})
        if mark is not None:
            self.done.add(mark)

    def came_out(self, records):
        """Compare everything that one outbox handed out, in its order, with the books. records: as `Outbox.next` gives them."""
        numbers = {number: mark for mark, number in self.kept.items()}
        seen = {}
        last = {}
        previous_rank = -1
        for record in records:
            if len(record) < 5:
                self.find(INVENTED, repr(record))
                continue
            rank, number = record[0], (record[1], record[2])
            mark = self._look(rank, number, inner(record[4]), numbers)
            if number in seen:
                self.find(TWICE, "%r handed out twice" % (number,))
            seen[number] = mark
            if rank < previous_rank:
                self.find(ORDER, "rank %d after %d" % (rank, previous_rank))
            if number < last.get(rank, (0, 0)):
                self.find(ORDER, "%r after %r" % (number, last[rank]))
            last[rank] = number
            previous_rank = rank
        self._missing(set(seen.values()))

    def _look(self, rank, number, content, numbers):
        """Judge one record; return its mark, None for the outbox's own."""
        if content.get("kind") == DROPPED_KIND:
            detail = content["detail"]
            self.explain(detail["rank"], detail["from"], detail["to"], detail["count"])
            return None
        mark = content.get("mark")
        if mark not in self.begun:
            self.find(INVENTED, "%r: %r" % (number, content))
            return None
        given = self.begun[mark]
        if rank != given[0] or any(content.get(key) != given[1][key] for key in given[1]):
            self.find(INVENTED, "%r is not as it was given: %r" % (number, content))
        if self.kept.get(mark, number) != number or numbers.get(number, mark) != mark:
            self.find(TWICE, "mark %d has two numbers, or %r has two marks" % (mark, number))
        return mark

    def explain(self, rank, first, last, count):
        """The outbox says that it dropped so many records of a rank, from one number to another: (boot, sequence) each."""
        told = (rank, tuple(first), tuple(last), count)
        if told not in self.explained:
            self.explained.append(told)

    def _missing(self, seen):
        for mark, number in self.kept.items():
            if mark in seen or mark in self.done or self.why_dropped(mark):
                continue
            self.find(LOST, "mark %d, %r, rank %d" % (mark, number, self.begun[mark][0]))

    def why_dropped(self, mark):
        """Return what explains that this record is not there, or None."""
        rank = self.begun[mark][0]
        for told in self.explained:
            if told[0] == rank and told[1] <= self.kept[mark] <= told[2]:
                return told
        return None

    def dropped(self):
        """Return the marks that were dropped by rule."""
        return [mark for mark in self.kept if mark not in self.done and self.why_dropped(mark)]

    def judge_drops(self, seen, is_ranked):
        """Whatever was dropped, nothing less important may have stayed, where is_ranked; and the counts are right.

        seen: marks that are there.
        """
        ranks = [self.begun[mark][0] for mark in self.dropped() if mark not in seen]
        for mark in seen:
            if is_ranked and mark is not None and ranks and self.begun[mark][0] > min(ranks):
                self.find(RANK, "rank %d was dropped while mark %d of rank %d stayed" % (min(ranks), mark, self.begun[mark][0]))
                return
        self._judge_counts(seen)

    def _judge_counts(self, seen):
        for told in self.explained:
            gone = [mark for mark in self.dropped() if mark not in seen and self.why_dropped(mark) == told]
            if told[3] < len(gone) or told[3] < 1:
                self.find(GAP, "%r, but %d are gone" % (told, len(gone)))



def inner(payload):
    """Return a record's content, whether it is handed out as a dict or as JSON; what is neither is a content that nobody gave."""
    if isinstance(payload, dict):
        return payload
    try:
        content = json.loads(str(bytes(payload), "utf-8"))
    except ValueError:
        content = None
    return content if isinstance(content, dict) else {"not_json": repr(payload)}
