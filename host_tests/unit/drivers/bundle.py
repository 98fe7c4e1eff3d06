"""Takes a bundle as a device does: head, signature, facts, list, each carried file, the end.

case: {"data": hex, "keys": [hex], "retired": [hex], "device": {board, micropython, running, now_ms, tree, room_b}}; "damage":
[[at, value], ...] changes bytes (xor), "cut": n leaves n, "more": hex adds. {"names": [...]}: which of these lie inside a slot.
"""

import binascii
import io

from terminal import bundle

_CHUNK_B = 100


def run(case):
    """Return [the reason's code or None, [[name, size, SHA-256, offset], ...], the tree or None], hex."""
    if "names" in case:
        return [bundle.is_inside(name) for name in case["names"]]
    stream = io.BytesIO(_damaged(case))
    rows = []
    try:
        found = bundle.Bundle(stream)
        found.verify([_bytes(key) for key in case["keys"]], [_bytes(one) for one in case["retired"]])
        reason = _check(found, case["device"])
        if reason:
            return [reason, [], None]
        for row in found.files():
            rows.append(row)
        for row in rows:
            _take(stream, row)
        stream.seek(found.files_at + found.facts()["carried_bytes"])
        reason = "too_large" if stream.read(1) else None
    except bundle.Refused as refused:
        return [refused.args[0], [], None]
    return [reason, [[name, size, _hex(digest), offset] for name, size, digest, offset in rows], _hex(found.tree)]


def _check(found, device):
    tree = device["tree"] and _bytes(device["tree"])
    names = ("board", "micropython", "running", "now_ms")
    return found.check(*[device[name] for name in names], tree, device["room_b"])


def _take(stream, row):
    """Read one carried file in pieces, as it would come over the network."""
    _name, size, digest, offset = row
    if offset is None:
        return
    incoming = bundle.Incoming(size, digest)
    stream.seek(offset)
    while incoming.left:
        chunk = stream.read(min(_CHUNK_B, incoming.left))
        if not chunk:
            break
        incoming.feed(chunk)
    incoming.finish()


def _damaged(case):
    data = bytearray(_bytes(case["data"]))
    for at, value in case.get("damage", ()):
        data[at % len(data)] ^= value
    return bytes(data[: case.get("cut", len(data))]) + _bytes(case.get("more", ""))


def _bytes(text):
    return binascii.unhexlify(text)


def _hex(data):
    return binascii.hexlify(data).decode()
