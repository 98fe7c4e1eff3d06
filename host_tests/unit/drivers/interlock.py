"""Runs a history against the interlock: facts in, effects and attributes after each.

case: {"settings": {...}, "causes": [...] or null, "steps": [[method, args...], ...]}. The machine boots at
second 0 unless the first step is "boot". ["reboot", elapsed_s or null, keep_volatile, keep_kept,
firmware_failed, is_power_on] takes what the machine would leave at that moment into a new one that boots at second 0;
the last two may be missing. Bytes among the arguments of "boot" are hex text.
"""

from terminal.interlock import Interlock


def run(case):
    """Return for each step effects, state, powered, job, barred, refused, out of service, minutes, next_s."""
    lock = _new(case)
    steps = case["steps"]
    if not steps or steps[0][0] != "boot":
        lock.boot(0)
    seen = []
    for step in steps:
        if step[0] == "reboot":
            lock, effects = _reboot(case, lock, *step[1:])
        else:
            args = [bytes.fromhex(arg) if step[0] == "boot" and isinstance(arg, str) else arg for arg in step[1:]]
            effects = getattr(lock, step[0])(*args)
        seen.append(_after(lock, effects))
    return seen


def _new(case):
    causes = case.get("causes")
    return Interlock(case.get("settings") or {}, None if causes is None else tuple(causes))


def _reboot(case, lock, elapsed_s, keep_volatile, keep_kept, firmware_failed=False, is_power_on=True):
    volatile = lock.volatile(lock.now) if keep_volatile else None
    kept = lock.kept() if keep_kept else None
    lock = _new(case)
    return lock, lock.boot(0, kept, volatile, elapsed_s, firmware_failed, is_power_on)


def _after(lock, effects):
    return [
        [list(effect) for effect in effects],
        lock.state,
        lock.powered,
        lock.job,
        lock.barred,
        lock.refused,
        lock.is_out_of_service,
        lock.minutes_to_emergency(lock.now),
        lock.next_s(lock.now),
    ]
