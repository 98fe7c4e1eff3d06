"""Makes a bundle of a staged tree, and judges one as a terminal does.

The format is described where it is read, in firmware/terminal/bundle.py. The same tree, facts and key give the same bytes: nothing
of the clock, the machine or the order of a directory gets in. Sizes are bytes, times ms since 1970. State: none.
"""

import contextlib
import dataclasses
import hashlib
import json
import os
import pathlib
import struct
import tempfile

from hanma.release import keys as signing
from hanma.release.device import bundle as device

HEAD_B = device.HEAD_B
Refused = device.Refused

# The versions whose .mpy format is that of the pinned compiler and which the tests run on.
MICROPYTHON = ("1.26", "1.27", "1.28", "1.29")
IMAGE_NAME = "micropython.bin"

_HEAD = ">4sBBH8s"
_MANIFEST_MAX_B = 16384 - HEAD_B
_CHUNK_B = 4096
_LEFT_OUT = ("boot.py",)  # never changed over the air


class ReleaseError(Exception):
    """The bundle cannot be made or read; the text says why."""


@dataclasses.dataclass(frozen=True)
class Plan:
    """What a release says of itself; see `firmware/terminal/bundle.py`. retires: the id (bytes) of the key that ends with it."""

    version: int
    expires_ms: int
    boards: tuple
    text: str = ""
    micropython: tuple = MICROPYTHON
    follows: int = 0
    retires: bytes | None = None


@dataclasses.dataclass(frozen=True)
class Built:
    """A bundle that was made: where, its bytes, and how many of its files it carries of how many."""

    path: pathlib.Path
    bytes: int
    carried: int
    files: int
    key_id: str
    sha256: str


@dataclasses.dataclass(frozen=True)
class Target:
    """The device that a bundle is judged for. now_ms: None for a clock that is not known; tree: of its release, or None."""

    board: str
    micropython: str
    running: int = 0
    now_ms: int | None = None
    tree: bytes | None = None
    room_b: int = 0x1FFFFFFF


@dataclasses.dataclass(frozen=True)
class Verdict:
    """What became of a bundle: the reason's code or None, and how far it got (head, signature, fitness, list, a file, end)."""

    reason: str | None
    at: str


# Making


def tree_files(tree):
    """Return {name: bytes} of a staged tree, without what is never changed over the air. Raises ReleaseError."""
    tree = pathlib.Path(tree)
    files = {path.relative_to(tree).as_posix(): path.read_bytes() for path in tree.rglob("*") if path.is_file()}
    files = {name: data for name, data in files.items() if name not in _LEFT_OUT}
    if not files:
        raise ReleaseError(f"{tree} holds no staged tree")
    return files


def image_files(path, chips):
    """Return {name: bytes} of a whole MicroPython image: the build's micropython.bin for these chips. Raises ReleaseError."""
    from hanma.provision import flash

    try:
        data = pathlib.Path(path).read_bytes()
        for chip in sorted(chips):
            flash.check_app(data, chip)
    except OSError as error:
        raise ReleaseError(f"{path}: {error.strerror}") from error
    except flash.ImageError as error:
        raise ReleaseError(f"{path}: {error}") from error
    return {IMAGE_NAME: data}


def table(files):
    """Return the lines (bytes) that list {name: bytes}; their SHA-256 is the tree by which a release is known as a base."""
    rows = ([name, len(data), hashlib.sha256(data).hexdigest()] for name, data in sorted(files.items()))
    return b"".join(map(_line, rows))


def tree_of(files):
    """Return the tree (32 bytes) of {name: bytes}."""
    return hashlib.sha256(table(files)).digest()


def build(files, plan, private, out, base=None, kind="tree"):
    """Make the signed bundle of {name: bytes} at out, whole or not at all; returns Built. Raises ReleaseError.

    base: the path of an earlier bundle, or of its first 16 KiB: only what differs from it is carried.
    """
    _check_names(files)
    known, base_fact = {}, None
    if base is not None:
        known, base_fact = _base(base, plan)
    carried = [name for name in sorted(files) if hashlib.sha256(files[name]).digest() != known.get(name)]
    if base_fact and base_fact[1] == tree_of(files).hex():
        raise ReleaseError(f"nothing differs from {base}")
    facts = {
        "base": base_fact,
        "boards": list(plan.boards),
        "bytes": sum(map(len, files.values())),
        "carried": "".join("1" if name in carried else "0" for name in sorted(files)),
        "carried_bytes": sum(len(files[name]) for name in carried),
        "expires_ms": plan.expires_ms,
        "follows": plan.follows,
        "format": 1,
        "kind": kind,
        "micropython": list(plan.micropython),
        "retires": plan.retires and plan.retires.hex(),
        "text": plan.text,
        "version": plan.version,
    }
    key = signing.modulus(private.public_key())
    beginning = seal(_line(facts) + table(files), device.key_id_of(key), private)
    whole = beginning + b"".join(files[name] for name in carried)
    _check_made(whole, key)
    _write(pathlib.Path(out), whole)
    return Built(
        pathlib.Path(out), len(whole), len(carried), len(files), device.key_id_of(key).hex(), hashlib.sha256(whole).hexdigest()
    )


def seal(manifest, key_id, private):
    """Return head, signature and manifest (bytes). Raises ReleaseError when they do not fit into 16 KiB."""
    if len(manifest) > _MANIFEST_MAX_B:
        raise ReleaseError(f"the list of files takes {len(manifest)} B; a device reads at most {_MANIFEST_MAX_B} B")
    head = struct.pack(_HEAD, b"HANM", 1, 0, len(manifest), key_id)
    return head + signing.sign(private, head + manifest) + manifest


def _line(value):
    """Return one line of canonical JSON: sorted keys, no spaces, ASCII."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False).encode() + b"\n"


def _check_names(files):
    outside = sorted(name for name in files if not device.is_inside(name))
    if outside:
        raise ReleaseError(f"{outside[0]!r} is no name inside a slot")


def _base(path, plan):
    """Return ({name: SHA-256}, the fact `base`) of the bundle that this one differs from. Raises ReleaseError."""
    with opened(path) as earlier:
        try:
            facts, rows = unchecked(earlier)
        except Refused as refused:
            raise ReleaseError(f"{path}: {refused.args[0]}") from refused
    if facts["kind"] != "tree":
        raise ReleaseError(f"{path} is a whole image: nothing can differ from it file by file")
    if facts["version"] >= plan.version:
        raise ReleaseError(f"{path} has version {facts['version']}: the new one must be higher")
    if not set(plan.boards) <= set(facts["boards"]):
        raise ReleaseError(f"{path} is for {', '.join(facts['boards'])}, not for {', '.join(plan.boards)}")
    return {name: digest for name, _size, digest, _offset in rows}, [facts["version"], earlier.tree.hex()]


def _check_made(whole, key):
    """Let the device's reader judge what was made: a fact out of its range is found here, not in the field."""
    with tempfile.TemporaryFile() as file:
        file.write(whole)
        try:
            made = device.Bundle(file)
            made.verify([key])
            for _ in made.files():
                pass
        except Refused as refused:
            raise ReleaseError("a fact, a name or a number is out of the range that a device accepts") from refused


def _write(path, data):
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, fresh = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
    except OSError as error:
        raise ReleaseError(f"{path}: {error.strerror}") from error
    try:
        with open(handle, "wb") as file:
            file.write(data)
        os.chmod(fresh, 0o644)
        os.replace(fresh, path)
    except OSError as error:
        pathlib.Path(fresh).unlink(missing_ok=True)
        raise ReleaseError(f"{path}: {error.strerror}") from error


# Judging


@contextlib.contextmanager
def opened(path):
    """Give the device's reader of a bundle's file. Raises ReleaseError when there is none, Refused when it is no bundle."""
    try:
        stream = open(path, "rb")  # noqa: SIM115 - closed below
    except OSError as error:
        raise ReleaseError(f"{path}: {error.strerror}") from error
    with stream:
        yield device.Bundle(stream)


def unchecked(opened_bundle):
    """Return (facts, [(name, size, SHA-256, offset or None)]) without a look at the signature: to be shown, not believed.

    Raises Refused.
    """
    opened_bundle.is_verified = True
    try:
        return opened_bundle.facts(), list(opened_bundle.files())
    finally:
        opened_bundle.is_verified = False


def judge(path, keys, target, retired=()):
    """Return the Verdict of a device over a bundle that lies whole in a file. Raises ReleaseError when it cannot be read.

    keys: public keys (bytes); retired: ids that count no longer; target: a Target.
    """
    at = "head"
    try:
        with opened(path) as found:
            at = "signature"
            found.verify(keys, retired)
            at = "fitness"
            reason = found.check(
                target.board, target.micropython, target.running, target.now_ms, target.tree, target.room_b
            )
            if reason:
                return Verdict(reason, at)
            at = "list"
            for name, size, digest, offset in list(found.files()):
                at = name
                if offset is not None:
                    _check_content(path, size, digest, offset)
            at = "end"
            return Verdict(_check_end(path, found), at)
    except Refused as refused:
        return Verdict(refused.args[0], at)


def _check_content(path, size, digest, offset):
    incoming = device.Incoming(size, digest)
    with open(path, "rb") as file:
        file.seek(offset)
        while incoming.left:
            chunk = file.read(min(_CHUNK_B, incoming.left))
            if not chunk:
                break
            incoming.feed(chunk)
    incoming.finish()


def _check_end(path, found):
    """Return too_large when something follows the last file: what a device would go on reading for ever."""
    end = found.files_at + found.facts()["carried_bytes"]
    return "too_large" if pathlib.Path(path).stat().st_size > end else None
