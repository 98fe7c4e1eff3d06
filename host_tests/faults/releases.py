"""The bundles of the upgrade's sweeps: the honest ones and what an attacker makes of them. CPython.

The keys are made once a process. A bundle's name is what `sweep_upgrade` asks for.
"""

import functools
import threading

from hanma.release.bundle import MICROPYTHON
from host_tests.faults.release_trees import TREES
from host_tests.release import forge

_LOCK = threading.Lock()  # two workers, one set of keys
_OUTSIDE = {"../main.py": b"out", "main.py": b"x"}
_BOOT = {"boot.py": b"mine", "main.py": b"x"}


def write(directory):
    """Write every bundle into the directory, by its name, and the device's keys as release.keys."""
    with _LOCK:
        made = _made()
    for name, data in made.items():
        (directory / name).write_bytes(data)


@functools.cache
def _made():
    new, following = TREES["new"], TREES["next"]
    full = _bundle(new)
    other = _bundle(dict(new, **{name: bytes(reversed(data)) for name, data in new.items()}))
    carried = [name for name in following if new.get(name) != following[name]]
    base = [7, forge.tree(new)]
    files_at = len(full) - sum(map(len, new.values()))
    return {
        "release.keys": forge.public("A") + forge.public("B"),
        "full": full,
        "difference": _bundle(following, carried, version=8, base=base, follows=7),
        "crashing": _bundle(TREES["crashing"]),
        "large": _bundle(TREES["large"]),
        # attacks
        "signature": _flipped(full, 100),
        "manifest": _flipped(full, full.index(b'"version":7') + 10),
        "key_name": _flipped(full, 10),
        "padding": _bundle(new, sign=forge.padded_by(_loose)),
        "unknown_key": _bundle(new, key="C"),
        "other_board": _bundle(new, boards=["another"]),
        "other_micropython": _bundle(new, micropython=["1.2"]),
        "older": _bundle(following, version=6),
        "expired": _bundle(new, expires_ms=1000),
        "follows": _bundle(new, follows=3),
        "other_base": _bundle(following, carried, version=8, base=[7, "00" * 32]),
        "other_version": _bundle(following, carried, version=8, base=[5, base[1]]),
        "vast": _bundle(dict(new, **{"lib/vast.mpy": bytes(400000)})),
        "mixed": full[:files_at] + other[-(len(full) - files_at) :],
        "one_byte": _flipped(full, len(full) - 3000),
        "outside": _bundle(_OUTSIDE),
        "boot": _bundle(_BOOT),
        "rubbish": bytes(range(256)) * 40,
        "nothing": b"",
        "head": full[:300],
    }


def _bundle(files, carried=None, **facts):
    """Return a bundle that fits every MicroPython which the tests run on."""
    return forge.bundle(files, carried, **{"micropython": list(MICROPYTHON), **facts})


def _flipped(data, at):
    changed = bytearray(data)
    changed[at] ^= 1
    return bytes(changed)


def _loose(digest):
    """Return a padding that a reader which parses would pass: short, with rubbish behind the digest."""
    head = b"\x00\x01" + b"\xff" * 8 + b"\x00" + forge.DIGEST_INFO[:19] + digest
    return head + bytes(forge.KEY_B - len(head))
