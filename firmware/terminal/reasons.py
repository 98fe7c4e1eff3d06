"""Why can't I weld? One text for voice, lamp and heartbeat, from interlock, link and faults. Pure.

Other rooms key their tables (phrases, lamp patterns) by the texts in REASONS; nobody else decides which one
holds.
"""

OK = "ok"
FAULT = "fault"
OUT_OF_SERVICE = "out_of_service"
REFUSED = "refused"
BARRED = "barred"
NO_SIM = "no_sim"
NO_NETWORK = "no_network"
NOT_SCANNED = "not_scanned"

_NO_SIM_CAUSES = ("no_sim", "sim_pulled")

# (text, holds): the first that holds is the reason, else nobody has scanned. A broken part comes before
# everything, for then the relay may not do what it is told; then what only the platform lifts; then what
# keeps orders away.
_TABLE = (
    (FAULT, lambda lock, cause, faults: bool(faults)),
    (OK, lambda lock, cause, faults: lock.powered),
    (OUT_OF_SERVICE, lambda lock, cause, faults: lock.is_out_of_service),
    (REFUSED, lambda lock, cause, faults: lock.refused or cause == REFUSED),
    (BARRED, lambda lock, cause, faults: lock.barred),
    (NO_SIM, lambda lock, cause, faults: cause in _NO_SIM_CAUSES),
    (NO_NETWORK, lambda lock, cause, faults: cause is not None),
)
REASONS = tuple(row[0] for row in _TABLE) + (NOT_SCANNED,)


def reason(lock, cause, faults=()):
    """Return the one reason, a text of REASONS; "ok" while the welder is powered.

    lock: Interlock. cause: why the session is down, None while it is up. faults: names of what keeps the
    relay from doing its duty (contact_failed, contact_stuck, firmware ...); alarms that do not belong
    elsewhere.
    """
    for text, holds in _TABLE:
        if holds(lock, cause, faults):
            return text
    return NOT_SCANNED


def explain(lock, cause, faults, now_s):
    """Return (reason, whole minutes until an outage powers the welder or None). now_s: seconds since boot."""
    return reason(lock, cause, faults), lock.minutes_to_emergency(now_s)
