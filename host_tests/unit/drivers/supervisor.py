"""Replays one task's life as the supervisor's book keeps it."""

from terminal.supervisor import Entry


def run(case):
    """case: {"period_s", "steps": [[passed_s, "start" | "beat" | "die" | "hang" | "look"]]}; returns what was
    decided.
    """
    entry = Entry("task", None, True, case["period_s"])
    now_s = 0
    seen = []
    for passed_s, what in case["steps"]:
        now_s += passed_s
        answer = None
        if what == "start":
            entry.started(now_s)
        elif what == "beat":
            entry.beat_s = now_s
        elif what == "look":
            answer = entry.silent(now_s)
        else:
            answer = entry.died(now_s, what == "hang")
        seen.append([answer, entry.state, entry.due_s - now_s if entry.state == "waiting" else None])
    return {"seen": seen, "deaths": entry.deaths}
