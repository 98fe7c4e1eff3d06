"""Plays a history against the interlock and asks for the reason.

case: {"steps": [[method, args...], ...], "cause": text or null, "faults": [...]}. The machine boots at second 0.
"""

from terminal.herald import explain
from terminal.interlock import Interlock

REASONS = ("ok", "fault", "out_of_service", "refused", "barred", "no_sim", "no_network", "not_scanned")


def run(case):
    """Return [reason, minutes until emergency or None]."""
    lock = Interlock({})
    lock.boot(0)
    for step in case["steps"]:
        getattr(lock, step[0])(*step[1:])
    return [explain(lock, case["cause"], case["faults"]), lock.minutes_to_emergency(lock.now)]
