"""Keys, small bundles and what an attacker makes of them: for the tests of both sides.

The keys are made once a run and kept in the process; what is forged is forged with the numbers of a real key.
"""

import functools
import hashlib
import json
import struct

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

KEY_B = 384
HEAD_B = 400
DIGEST_INFO = bytes.fromhex("3031300d060960864801650304020105000420")
FILES = {"lib/board.mpy": b"board", "lib/terminal/app.mpy": b"the application" * 20, "main.py": b"import app\n"}
EXPIRES_MS = 1_900_000_000_000
NOW_MS = 1_800_000_000_000
DEVICE = {"board": "unix", "micropython": "1.26.1", "running": 6, "now_ms": NOW_MS, "tree": None, "room_b": 100_000}


@functools.cache
def private(name="A"):
    """Return the RSA key of this name, the same one in the whole run."""
    return rsa.generate_private_key(65537, 3072)


def public(name="A"):
    """Return a key's public half as a device keeps it, 384 bytes."""
    return private(name).public_key().public_numbers().n.to_bytes(KEY_B, "big")


def key_id(name="A"):
    """Return a key's id, 8 bytes."""
    return hashlib.sha256(public(name)).digest()[:8]


def line(value):
    """Return a JSON line as a manifest has them."""
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode() + b"\n"


def rows(files):
    """Return the lines of {name: bytes}."""
    return b"".join(line([name, len(data), hashlib.sha256(data).hexdigest()]) for name, data in sorted(files.items()))


def tree(files):
    """Return the tree of {name: bytes}, hex."""
    return hashlib.sha256(rows(files)).hexdigest()


def facts(files=FILES, carried=None, **changes):
    """Return the facts of a bundle of {name: bytes}; carried: the names it carries, None for all."""
    names = sorted(files) if carried is None else carried
    return {
        "base": None,
        "boards": ["unix"],
        "bytes": sum(map(len, files.values())),
        "carried": "".join("01"[name in names] for name in sorted(files)),
        "carried_bytes": sum(len(files[name]) for name in names),
        "expires_ms": EXPIRES_MS,
        "follows": 0,
        "format": 1,
        "kind": "tree",
        "micropython": ["1.26", "1.28"],
        "retires": None,
        "text": "0.7",
        "version": 7,
        **changes,
    }


def head(manifest, key="A"):
    """Return the 16 bytes before the signature."""
    return struct.pack(">4sBBH8s", b"HANM", 1, 0, len(manifest), key_id(key))


def seal(manifest, key="A", sign=None):
    """Return head, signature and manifest. sign: (key's name, what is signed) -> signature; without it the right one."""
    signed = head(manifest, key) + manifest
    return head(manifest, key) + (sign or right_signature)(key, signed) + manifest


def right_signature(key, signed):
    """Return the signature as it should be."""
    return private(key).sign(signed, padding.PKCS1v15(), hashes.SHA256())


def padded_by(pad):
    """Return a signer whose 384 bytes before the private exponent are pad(SHA-256 of what is signed)."""

    def sign(key, signed):
        numbers = private(key).private_numbers()
        block = pad(hashlib.sha256(signed).digest())
        assert len(block) == KEY_B
        return pow(int.from_bytes(block, "big"), numbers.d, numbers.public_numbers.n).to_bytes(KEY_B, "big")

    return sign


def bundle(files=FILES, carried=None, key="A", sign=None, **changes):
    """Return a whole small bundle of {name: bytes}."""
    names = sorted(files) if carried is None else carried
    manifest = line(facts(files, carried, **changes)) + rows(files)
    return seal(manifest, key, sign) + b"".join(files[name] for name in sorted(names))


def case(data, keys=("A", "B"), retired=(), **device):
    """Return the driver's case for a bundle and a device."""
    return {
        "data": data.hex(),
        "keys": [public(name).hex() for name in keys],
        "retired": [key_id(name).hex() for name in retired],
        "device": {**DEVICE, **device},
    }
