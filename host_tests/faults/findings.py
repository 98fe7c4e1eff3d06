"""What a campaign found and counted: names, kinds and figures, as JSON goes through it from process to process."""

RELAY = "relay"  # the relay was where it must not be
LOST = "lost"  # a report that had to come did not
UNRECOVERED = "unrecovered"  # the terminal did not come back, or not to its duty


class Findings:
    """The findings of one campaign, by name, and its figures."""

    def __init__(self):
        self.found = []  # [kind, name, text]
        names = ("faults_tried", "records_made", "records_delivered", "records_dropped_by_rule", "records_lost")
        self.figures = dict.fromkeys(names, 0)

    def unless(self, condition, kind, name, text=""):
        """Note a finding unless the condition holds; returns whether it holds."""
        if not condition:
            self.found.append([kind, name, str(text)[-1500:]])
        return bool(condition)

    def count(self, name, number=1):
        """Add to a figure."""
        self.figures[name] += number

    def result(self):
        """Return all of it as a JSON value."""
        return {"found": self.found, **self.figures}
