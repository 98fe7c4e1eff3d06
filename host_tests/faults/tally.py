"""The figures of a whole campaign: one table, one line of JSON, and whether anything was wrong. Pure."""

from host_tests.faults.findings import LOST, RELAY, UNRECOVERED

FIGURES = (
    "cuts_tried",
    "faults_tried",
    "records_made",
    "records_delivered",
    "records_dropped_by_rule",
    "records_lost",
    "wrong_relay_states",
    "unrecovered",
    "mutants",
    "mutants_caught",
    "upgrade_cuts",
    "upgrade_network_cuts",
    "upgrade_attacks",
    "upgrade_broken",
)
_RECORDS = FIGURES[2:6]
_UPGRADE = FIGURES[10:]
_BROKEN = ("records_lost", "wrong_relay_states", "unrecovered", "upgrade_broken")
# findings of the sweeps that are the relay's; what is neither of these nor lost has not recovered
_RELAY_FINDINGS = ("powered", "unpowered", "dropped", "repeated", "emergency", "barred", "refused", "out_of_service")


class Campaign:
    """rows: (kind, name, figures, verdict, seconds) of everything that ran, in the order in which it ended."""

    def __init__(self, seed):
        self.seed = seed
        self.left = 0  # so many have not been run, when it was interrupted
        self.rows = []
        self.failures = []  # texts, for people
        self.failed_seeds = []

    def sweep(self, name, result, seconds):
        """Take a sweep's result (see `sweep_tally.Tally.result`)."""
        figures = {key: result[key] for key in _RECORDS}
        figures["cuts_tried"] = result["cuts_counted"]
        figures["wrong_relay_states"] = sum(result["names"].get(found, 0) for found in _RELAY_FINDINGS)
        figures["unrecovered"] = sum(result["names"].values()) - figures["wrong_relay_states"] - result["names"].get("lost", 0)
        self.failed_seeds += result["failed_seeds"]
        if result["figures"]:
            figures.update(result["figures"], upgrade_broken=sum(result["names"].values()))
        self._row("sweep", name, figures, [f"{found}: {text}" for found, text in result["findings"]], seconds)

    def scene(self, name, result, seconds):
        """Take a scene's result (see `findings.Findings.result`)."""
        figures = {key: result.get(key, 0) for key in (*_RECORDS, "faults_tried")}
        kinds = [kind for kind, _, _ in result["found"]]
        figures["wrong_relay_states"] = kinds.count(RELAY)
        figures["unrecovered"] = kinds.count(UNRECOVERED)
        if LOST in kinds and not figures["records_lost"]:
            figures["unrecovered"] += 1  # a number is missing, and nobody knows what it was
        self._row("scene", name, figures, [f"{found}: {text}" for _, found, text in result["found"]], seconds)

    def mutant(self, mutant, is_caught, names, seconds):
        """Take what a mutant's campaign found: the names of its findings."""
        text = f"survives: {mutant.finding} was to be found by {mutant.campaign} {mutant.target}; found: {names or 'nothing'}"
        self._row("mutant", mutant.name, {"mutants": 1, "mutants_caught": int(is_caught)}, [] if is_caught else [text], seconds)

    def broken(self, kind, name, error, seconds):
        """Something could not be run at all; that is a failure too."""
        figures = {"mutants": 1} if kind == "mutant" else {"unrecovered": 1}
        self._row(kind, name, figures, [f"could not be run: {error}"], seconds)

    def _row(self, kind, name, figures, failures, seconds):
        self.rows.append((kind, name, figures, "found" if failures else "ok", seconds))
        self.failures += [f"{kind} {name}: {text}" for text in failures]

    def figures(self):
        """Return the sums, by the names of FIGURES, and the seeds of what failed."""
        sums = {key: sum(row[2].get(key, 0) for row in self.rows) for key in FIGURES}
        return {**sums, "failed_seeds": self.failed_seeds, "seed": self.seed, "left": self.left}

    def wrong(self):
        """Return what makes the campaign fail, as texts; empty when all is well."""
        sums = self.figures()
        reasons = [f"{key} {sums[key]}" for key in _BROKEN if sums[key]]
        if sums["mutants_caught"] != sums["mutants"]:
            reasons.append(f"{sums['mutants'] - sums['mutants_caught']} mutants survive")
        accounted = sums["records_delivered"] + sums["records_dropped_by_rule"] + sums["records_lost"]
        if accounted != sums["records_made"]:
            reasons.append(f"of {sums['records_made']} records {accounted} are accounted for")
        if self.failures and not reasons:
            reasons.append(f"{len(self.failures)} findings")
        return reasons

    def table(self):
        """Return the table as text, a line for everything that ran."""
        heads = ("", "what", "cuts", "faults", "made", "delivered", "dropped", "lost", "relay", "unrecovered")
        heads += ("network", "attacks", "caught", "s", "")
        lines = [heads]
        for kind, name, figures, verdict, seconds in self.rows:
            caught = f"{figures['mutants_caught']}/{figures['mutants']}" if "mutants_caught" in figures else ""
            numbers = [str(figures[key]) if key in figures else "" for key in (*FIGURES[:8], *_UPGRADE[1:3])]
            lines.append((kind, name, *numbers, caught, str(round(seconds)), "" if verdict == "ok" else "FOUND"))
        widths = [max(len(line[column]) for line in lines) for column in range(len(heads))]
        return "\n".join(_fitted(line, widths).rstrip() for line in lines)


def _fitted(line, widths):
    cells = [cell.ljust(width) if k < 2 else cell.rjust(width) for k, (cell, width) in enumerate(zip(line, widths, strict=True))]
    return "  ".join(cells)
