"""Why can't I weld? One text for voice, lamp and heartbeat, from interlock, link and faults. Pure.

Other rooms key their tables (phrases, lamp patterns) by these texts; nobody else decides which one holds.
"""


def explain(lock, cause, faults, now_s):
    """Return (reason, whole minutes until an outage powers the welder or None); "ok" while the welder is powered.

    lock: Interlock. cause: why the session is down, None while it is up. faults: names of what keeps the relay from doing its
    duty (contact_failed, contact_stuck ...); alarms that do not belong elsewhere. now_s: seconds since boot.
    """
    return _reason(lock, cause, faults), lock.minutes_to_emergency(now_s)


def _reason(lock, cause, faults):
    """A broken part comes before everything, for then the relay may not do what it is told; then what only the platform lifts;
    then what keeps orders away.
    """
    if faults:
        return "fault"
    if lock.powered:
        return "ok"
    if lock.is_out_of_service:
        return "out_of_service"
    if lock.refused or cause == "refused":
        return "refused"
    if lock.barred:
        return "barred"
    if cause in ("no_sim", "sim_pulled"):
        return "no_sim"
    return "not_scanned" if cause is None else "no_network"
