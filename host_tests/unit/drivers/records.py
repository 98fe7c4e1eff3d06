"""Packs and unpacks the interlock's records, with damage on the way.

case: {"kept": [flags, emergencies over, job, [[id, action, answer], ...]]} or {"volatile": [state, announced,
ages, resumes, job]}. "damage": [[at, value], ...] changes bytes (xor), "cut": n leaves n, "more": hex adds.
"""

from terminal import recall, records


class _Stands(records.Memory):
    """Stands for an interlock with the attributes that are remembered."""

    state, barred, refused, is_out_of_service, job, now = "LOCKED", False, False, False, None, 0
    _over, _rows, _since, _still_since, _unpowered_at, _emergency_since = 0, b"", 0, None, None, None
    _sum_s, _quiet_since, _outage_since, _obeyed_at, _resumes, _said, _cause = 0, 0, 0, 0, (), (), "modem_dead"

    def _ends(self):
        return 0, self._said


def run(case):
    """Return [the record's hex text, what is read back of it or None]."""
    lock = _Stands()
    if "kept" in case:
        orders = case["kept"][3]
        data = _damaged(pack_kept(lock, *case["kept"]), case)
        return [data.hex(), _kept(recall.unpack_kept(data), orders)]
    data = _damaged(_pack_volatile(lock, *case["volatile"]), case)
    fields = recall.unpack_volatile(data)
    return [data.hex(), fields and [list(part) if isinstance(part, tuple) else part for part in fields]]


def pack_kept(lock, flags, over, job, orders):
    """Return the kept record of a machine with these flags and orders: [id, action, answer] each."""
    lock.barred, lock.refused, lock.is_out_of_service = flags[:3]
    lock.state = "AUTHORISED" if flags[3] else "LOCKED"
    lock._over = over
    lock.job = job
    for request_id, action, answer in orders:
        lock._store(records.digest(request_id), action, answer)
    return lock.kept()


def _pack_volatile(lock, state, announced, ages, resumes, job):
    """Return the volatile record, as of second 0, of a machine whose ages are these; -1 for what never was."""
    lock.state, lock.job = state, job
    lock._said = [1 if announced >> row & 1 else None for row in range(8)]
    lock._since = -ages[0]
    lock._emergency_since = None if ages[1] < 0 else -ages[1]
    if ages[1] < 0:
        lock._outage_since = lock._obeyed_at = -ages[2]
    else:
        lock._sum_s = ages[2]
    lock._still_since = None if ages[3] < 0 else -ages[3]
    lock._unpowered_at = None if ages[4] < 0 else -ages[4]
    lock._resumes = [-age for age in resumes]
    return lock.volatile(0)


def _kept(fields, orders):
    if fields is None:
        return None
    flags, over, job, rows = fields
    lock = _Stands()
    lock._rows = rows
    found = [lock._given(records.digest(request_id), action) & 15 for request_id, action, _answer in orders]
    return [list(flags), over, job, found]


def _damaged(data, case):
    data = bytearray(data)
    for at, value in case.get("damage", ()):
        data[at % len(data)] ^= value
    return bytes(data[: case.get("cut", len(data))]) + bytes.fromhex(case.get("more", ""))
