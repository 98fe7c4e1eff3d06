"""Replays one task's life as the supervisor's book keeps it."""

from terminal.supervisor import Entry


def run(case):
    """case: {"period_s", "steps": [[passed_s, "beat" | "die" | "hang" | "starve" | "look"]]}; returns what was
    decided.
    """
    entry = Entry("task", None, True, case["period_s"])
    now_s = 0
    seen = []
    for passed_s, what in case["steps"]:
        now_s += passed_s
        answer = wait_s = None
        if what == "beat":
            entry.beat()
        elif what == "look":
            for _ in range(passed_s):
                answer = entry.is_silent()
        else:
            answer = entry.died(now_s, what == "hang", what == "starve")
            wait_s = entry.due_s - now_s
        seen.append([answer, entry.state, wait_s])
    return {"seen": seen}
