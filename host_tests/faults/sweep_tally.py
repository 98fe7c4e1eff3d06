"""Counts what a sweep tried and found, for one line of JSON. Pure."""

_FINDINGS_MOST = 20  # told in full; all are counted


class Tally:
    """cuts: those that left an image of their own. Records are counted over all cases."""

    def __init__(self):
        self.tried = self.cuts = self.made = self.delivered = self.dropped = self.lost = 0
        self.names = {}  # finding: how often
        self.findings = []
        self.seeds = []
        self.figures = {}  # name: number, of what else was tried

    def cut(self, is_own):
        """A cut was tried; it counts when its image is neither the untouched nor the uncut one."""
        self.tried += 1
        self.cuts += bool(is_own)

    def count(self, name, number):
        """Add to a figure of that name."""
        self.figures[name] = self.figures.get(name, 0) + int(number)

    def find(self, case, where, name, text):
        """Note a finding."""
        self.names[name] = self.names.get(name, 0) + 1
        if len(self.findings) < _FINDINGS_MOST:
            self.findings.append([name, "%s, %s: %s" % (case, where, text)])

    def books(self, case, where, books, delivered, seed=None):
        """Take the books of one case. delivered: marks that came out at its end."""
        for name, text in books.findings:
            self.find(case, where, name, text)
        if seed is not None and books.findings:
            self.seeds.append(seed)
        self.made += len(books.kept)
        dropped = [mark for mark in books.dropped() if mark not in delivered]
        lost = [1 for name, _ in books.findings if name == "lost"]
        self.dropped += len(dropped)
        self.lost += len(lost)
        self.delivered += len([mark for mark in books.kept if mark in delivered or mark in books.done])

    def damage(self, missing, path, place, books):
        """Take the books of a damaged file: it may cost the records from that place on, and nothing else."""
        self.tried += 1
        self.cuts += 1
        for name, text in books.findings:
            self.find("damage", "%s at %d" % (path, place), name, text)
        if missing > len(books.kept) // 2:
            self.find("damage", "%s at %d" % (path, place), "lost", "%d records of %d" % (missing, len(books.kept)))

    def result(self):
        """Return all of it as a JSON value."""
        return {
            "cuts_tried": self.tried,
            "cuts_counted": self.cuts,
            "records_made": self.made,
            "records_delivered": self.delivered,
            "records_dropped_by_rule": self.dropped,
            "records_lost": self.lost,
            "names": self.names,
            "findings": self.findings,
            "failed_seeds": self.seeds,
            "figures": self.figures,
        }
