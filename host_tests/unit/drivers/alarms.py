"""Replays alarms that come and go."""

from terminal.alarms import Alarms


def run(case):
    """case: {"steps": [["begin" or "end", kind, detail], ["note", kind, is_on], ["celsius", n, limit]]}."""
    reports = []
    log = []
    now = [0]
    alarms = Alarms(lambda: (now[0] * 1000, 7, now[0] * 1000), reports.append, log.append)
    active = []
    for now[0], step in enumerate(case["steps"]):
        what = step[0]
        if what == "begin":
            alarms.note(step[1], True, step[2])
        elif what == "end":
            alarms.note(step[1], False, step[2])
        elif what == "note":
            alarms.note(step[1], step[2])
        else:
            alarms.temperature(step[1], step[2])
        active.append(alarms.active())
    return {"reports": reports, "active": active, "log": log}
