"""Packs and unpacks the interlock's records, with damage on the way.

case: {"kept": [flags, emergencies over, job, [[id, action, answer], ...]]} or {"volatile": [state, announced,
ages, resumes, job]}. "damage": [[at, value], ...] changes bytes (xor), "cut": n leaves n, "more": hex adds.
"""

from terminal import records


def run(case):
    """Return [the record's hex text, what is read back of it or None]."""
    if "kept" in case:
        flags, over, job, orders = case["kept"]
        answered = records.Answered()
        for request_id, action, answer in orders:
            answered.store(records.digest(request_id), action, answer)
        data = _damaged(records.pack_kept(flags, over, job, answered), case)
        return [data.hex(), _kept(records.unpack_kept(data), orders)]
    data = _damaged(records.pack_volatile(*case["volatile"]), case)
    fields = records.unpack_volatile(data)
    return [data.hex(), fields and [list(part) if isinstance(part, tuple) else part for part in fields]]


def _kept(fields, orders):
    if fields is None:
        return None
    flags, over, job, answered = fields
    found = [answered.answer(records.digest(request_id), action) for request_id, action, _answer in orders]
    return [list(flags), over, job, found]


def _damaged(data, case):
    data = bytearray(data)
    for at, value in case.get("damage", ()):
        data[at % len(data)] ^= value
    return bytes(data[: case.get("cut", len(data))]) + bytes.fromhex(case.get("more", ""))
