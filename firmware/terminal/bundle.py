"""A release as one file: reads its beginning, checks signature and fitness, lists its files. Pure; borrowed for an upgrade.

    16 B   "HANM", format 1, 0, size of the manifest (big-endian, 16 bits), key id (8 B)
    384 B  RSA-3072 signature, PKCS#1 v1.5 over SHA-256, of these 16 bytes and the manifest
    manifest: lines of JSON. The first has the facts, each other one a file: ["name",size,"sha256"], names ascending
    the bytes of the carried files, one after the other, in the manifest's order

All but the files' bytes fits into 16 KiB. Nothing of the manifest is parsed before its signature is right. A key is its modulus,
384 bytes big-endian, exponent 65537; its id is the first 8 bytes of the SHA-256 of these. A difference bundle lists every file of
the release but carries only those that differ from its base, which is named by version and tree: the SHA-256 over the lines of
its files. Sizes are bytes, times ms since 1970.
"""

import binascii
import hashlib
import json
import struct

from micropython import const

HEAD_B = 400
KEY_B = 384

_HEAD = ">4sBBH8s"
_SIGNED_B = const(16)
_MAGIC = b"HANM"
_FORMAT = const(1)
_MANIFEST_MIN_B = const(64)
_MANIFEST_MAX_B = const(15984)  # 16 KiB with the head
_CHUNK_B = const(512)
_SQUARINGS = const(16)  # 65537 is 2^16 + 1
_PADDING_B = const(330)
_DIGEST_INFO = b"\x00\x30\x31\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01\x05\x00\x04\x20"  # RFC 8017, 9.2, note 1
_LINE_MAX_B = const(1024)
_FILES_MAX = const(150)
_NAME_MAX = const(96)
_LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./"
_OUTSIDE = ("boot.py",)  # never changed over the air
_SIZE_MAX_B = const(0x1FFFFFFF)
_VERSION_MAX = const(0x3FFFFFFF)
_MS_MAX = 1 << 48
_KINDS = ("tree", "image")

# Facts that are numbers: name, least, most.
_NUMBERS = (
    ("format", _FORMAT, _FORMAT),
    ("version", 1, _VERSION_MAX),
    ("follows", 0, _VERSION_MAX),  # the device must run at least this version
    ("expires_ms", 1, _MS_MAX),
    ("bytes", 1, _SIZE_MAX_B),  # of all files
    ("carried_bytes", 0, _SIZE_MAX_B),
)
_LISTS = ("boards", "micropython")  # of texts


class Refused(Exception):
    """The bundle must not be used; args[0] is the reason's code."""


def parse_header(data):
    """Return (size of the manifest, key id, signature) of a bundle's first HEAD_B bytes; more may follow. Raises Refused."""
    data = bytes(data[:HEAD_B])
    if data[: len(_MAGIC)] != _MAGIC[: len(data)]:
        raise Refused("bad_format")
    if len(data) < HEAD_B:
        raise Refused("truncated")
    _magic, form, zero, manifest_b, key_id = struct.unpack_from(_HEAD, data)
    if form != _FORMAT or zero or not _MANIFEST_MIN_B <= manifest_b <= _MANIFEST_MAX_B:
        raise Refused("bad_format")
    return manifest_b, key_id, data[_SIGNED_B:]


def split_keys(data):
    """Return the public keys that lie one behind the other in data, as a list."""
    return [data[at : at + KEY_B] for at in range(0, len(data), KEY_B)]


def key_id_of(key):
    """Return the 8 bytes by which a public key is named."""
    return hashlib.sha256(key).digest()[:8]


def is_inside(name):
    """Return whether a file of this name lies in the slot: relative, no way up, and not what starts the slots."""
    if not 0 < len(name) <= _NAME_MAX or name in _OUTSIDE:
        return False
    for letter in name:
        if letter not in _LETTERS:
            return False
    for part in name.split("/"):
        if part in ("", ".", ".."):
            return False
    return True


class Bundle:
    """A bundle whose beginning, or all of it, lies in a stream with read(n), readline(n) and seek(n).

    The order of use: verifying, check, then files to its end. manifest_b, key_id; files_at: where the first carried file begins;
    is_verified; tree: the SHA-256 over the lines of the files (bytes), None before files() came to its end.
    """

    def __init__(self, stream):
        """Read the head. Raises Refused (bad_format, truncated)."""
        self._stream = stream
        stream.seek(0)
        head = stream.read(HEAD_B)
        self.manifest_b, self.key_id, self._signature = parse_header(head)
        self._signed = head[:_SIGNED_B]
        self.files_at = HEAD_B + self.manifest_b
        self.is_verified = False
        self.tree = None
        self._facts = None

    def verifying(self, keys, retired=()):
        """Check the signature in short steps: a generator, so that the caller can do something else at each yield.

        keys: public keys, bytes each; retired: key ids that count no longer. Only when it ends by itself is_verified is set.
        Raises Refused (unknown_key, truncated, wrong_signature).
        """
        self.is_verified = False
        modulus = self._modulus(keys, retired)
        digest = yield from self._summing()
        wanted = b"\x00\x01" + b"\xff" * _PADDING_B + _DIGEST_INFO + digest
        signature = int.from_bytes(self._signature, "big")
        power = signature
        for _ in range(_SQUARINGS):
            power = power * power % modulus
            yield
        power = power * signature % modulus
        # the whole padding is compared: what is only parsed lets forgeries with garbage behind the digest pass
        if signature >= modulus or power.to_bytes(KEY_B, "big") != wanted:
            raise Refused("wrong_signature")
        self.is_verified = True

    def verify(self, keys, retired=()):
        """Check the signature in one go; see verifying."""
        for _ in self.verifying(keys, retired):
            pass

    def facts(self):
        """Return the manifest's facts, a dict. Raises Refused: bad_format, wrong_signature when it was not verified."""
        if not self.is_verified:
            raise Refused("wrong_signature")
        if self._facts is None:
            line = self._line(HEAD_B)
            self._files_line = HEAD_B + len(line)
            self._facts = self._formed(_parsed(line))
        return self._facts

    def check(self, board, micropython, running, now_ms=None, tree=None, room_b=_SIZE_MAX_B):
        """Return the reason's code why the device must not take this release, or None. Only facts are looked at, not files.

        board: its name; micropython: what it runs, such as "1.26.1"; running: version of its release; now_ms: None while
        the clock is unknown, then nothing is expired; tree: that of its release (bytes) or None; room_b: for all files.
        """
        try:
            facts = self.facts()
        except Refused as refused:
            return refused.args[0]
        base = facts["base"]
        if board not in facts["boards"]:
            return "wrong_board"
        if not _fits(micropython, facts["micropython"]):
            return "wrong_micropython"
        if facts["version"] <= running:
            return "older"
        if running < facts["follows"] or base and (base[0] != running or _unhex(base[1], 32) != tree):
            return "base_mismatch"
        if now_ms is not None and now_ms > facts["expires_ms"]:
            return "expired"
        return "too_large" if facts["bytes"] > room_b else None

    def files(self):
        """Yield (name, size, SHA-256, offset in the bundle) of each file; offset None: it is the base's.

        Raises Refused (bad_format), at the last moment when the list has ended: nothing may be used before. The stream may be
        moved between two files.
        """
        facts = self.facts()
        at, offset, total_b, before = self._files_line, self.files_at, 0, ""
        tree = hashlib.sha256(b"")
        for is_carried in facts["carried"]:
            line = self._line(at)
            tree.update(line)
            at += len(line)
            name, size, digest = _row(_parsed(line))
            total_b += size
            if name <= before or total_b > facts["bytes"]:
                raise Refused("bad_format")
            before = name
            if is_carried == "1":
                yield name, size, digest, offset
                offset += size
            else:
                yield name, size, digest, None
        if (at, offset, total_b) != (self.files_at, self.files_at + facts["carried_bytes"], facts["bytes"]):
            raise Refused("bad_format")
        self.tree = tree.digest()

    def _modulus(self, keys, retired):
        for key in keys:
            if len(key) == KEY_B and key_id_of(key) == self.key_id and self.key_id not in retired:
                return int.from_bytes(key, "big")
        raise Refused("unknown_key")

    def _summing(self):
        """Return the SHA-256 of what is signed; a generator that yields after each chunk. Raises Refused (truncated)."""
        total = hashlib.sha256(self._signed)
        self._stream.seek(HEAD_B)
        left = self.manifest_b
        while left:
            chunk = self._stream.read(min(left, _CHUNK_B))
            if not chunk:
                raise Refused("truncated")
            total.update(chunk)
            left -= len(chunk)
            yield
        return total.digest()

    def _line(self, at):
        """Return the manifest's line that begins at an offset. Raises Refused."""
        self._stream.seek(at)
        line = self._stream.readline(max(0, min(_LINE_MAX_B, self.files_at - at)))
        if line[-1:] != b"\n":
            raise Refused("bad_format")
        return line

    def _formed(self, facts):
        """Return the facts when every one of them is there and of its kind. Raises Refused."""
        if type(facts) is not dict or not _are_numbers(facts) or not _are_lists(facts):
            raise Refused("bad_format")
        base, carried, retires = facts.get("base"), facts.get("carried"), facts.get("retires")
        if type(carried) is not str or len(carried.replace("0", "").replace("1", "")) or not 0 < len(carried) <= _FILES_MAX:
            raise Refused("bad_format")
        if base is None:
            is_right = "0" not in carried
        else:
            is_right = type(base) is list and len(base) == 2 and type(base[0]) is int and _unhex(base[1], 32)
        # a key cannot retire itself: one is always left
        if retires is not None and _unhex(retires, 8) in (None, self.key_id):
            is_right = False
        if not is_right or type(facts.get("text")) is not str or facts.get("kind") not in _KINDS:
            raise Refused("bad_format")
        if facts["kind"] == "image" and carried != "1":
            raise Refused("bad_format")
        return facts


class Incoming:
    """The bytes of one carried file as they come, held against its size and hash. left: bytes that are still to come."""

    def __init__(self, size, digest):
        self.left = size
        self._wanted = digest
        self._sum = hashlib.sha256(b"")

    def feed(self, chunk):
        """Take the next bytes. Raises Refused (too_large)."""
        self.left -= len(chunk)
        if self.left < 0:
            raise Refused("too_large")
        self._sum.update(chunk)

    def finish(self):
        """The file has ended; once. Raises Refused: truncated, or mixed_files for the content of another release."""
        if self.left:
            raise Refused("truncated")
        if self._sum.digest() != self._wanted:
            raise Refused("mixed_files")


def _parsed(line):
    try:
        return json.loads(line.decode())
    except ValueError:
        raise Refused("bad_format") from None


def _row(row):
    """Return (name, size, SHA-256 as bytes) of a file's line. Raises Refused."""
    if type(row) is list and len(row) == 3 and type(row[0]) is str and type(row[1]) is int:
        digest = _unhex(row[2], 32)
        if digest and is_inside(row[0]) and 0 <= row[1] <= _SIZE_MAX_B:
            return row[0], row[1], digest
    raise Refused("bad_format")


def _unhex(text, size):
    """Return that many bytes from hex text, None when they are not."""
    if type(text) is not str or len(text) != 2 * size:
        return None
    try:
        return binascii.unhexlify(text)
    except ValueError:
        return None


def _are_numbers(facts):
    for name, least, most in _NUMBERS:
        value = facts.get(name)
        if type(value) is not int or not least <= value <= most:
            return False
    return True


def _are_lists(facts):
    for name in _LISTS:
        value = facts.get(name)
        if type(value) is not list:
            return False
        for text in value:
            if type(text) is not str:
                return False
    return True


def _fits(running, listed):
    """Return whether a version such as "1.26.1" is listed, in full or as "1.26"."""
    for version in listed:
        if running == version or running.startswith(version + "."):
            return True
    return False
