"""What a stand-in was sent: one entry a request that reached a platform's handler, in memory and as JSON lines.

Owns the list of entries and the file it is appended to (each line is written at once, without fsync). Long texts (images,
attachments) are kept as "sha256:HEX:LENGTH", LENGTH in characters; a fingerprint is the SHA-256 of the body so shortened,
as JSON with sorted keys and no spaces. Times are milliseconds since 1970.
"""

import collections
import hashlib
import json
import pathlib
import time

# A text longer than this, or one with a data: prefix, is an image or an attachment.
_LONG_CHARACTERS = 1024

# Endpoints that take no records on any platform: listed, but in no total.
_NO_RECORDS = ("token", "check")


class LedgerError(Exception):
    """The ledger's file cannot be used."""


def digest(text):
    """Return the stand-in of a long text: its SHA-256 (of UTF-8) and its length in characters."""
    return f"sha256:{hashlib.sha256(text.encode('utf-8', 'surrogatepass')).hexdigest()}:{len(text)}"


def without_images(value):
    """Return a copy of a JSON value in which each image, attachment or other long text is its digest."""
    if isinstance(value, str):
        return digest(value) if len(value) > _LONG_CHARACTERS or value.startswith("data:") else value
    if isinstance(value, dict):
        return {key: without_images(item) for key, item in value.items()}
    if isinstance(value, list):
        return [without_images(item) for item in value]
    return value


def fingerprint(shortened):
    """Return the SHA-256 (hex) of a body that `without_images` has shortened."""
    canonical = json.dumps(shortened, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(canonical.encode("utf-8", "surrogatepass")).hexdigest()


class Ledger:
    """The entries of one stand-in, newest last.

    entries: dicts with seq, at_ms, endpoint, path, taken, code, message, fingerprint, body, and fault where one was ordered.
    """

    def __init__(self, path=None):
        """Open the ledger; an existing file is read and continued. Raises LedgerError."""
        self.entries = []
        self._file = None
        if path is None:
            return
        try:
            self._read(pathlib.Path(path))
            self._file = open(path, "ab", buffering=0)  # noqa: SIM115 - open as long as the server is
        except (OSError, ValueError) as error:
            raise LedgerError(f"{path}: {error}") from error

    def _read(self, path):
        """Take over an earlier run's entries; a last line that a kill has cut short is taken out of the file."""
        if not path.exists():
            return
        text = path.read_bytes()
        whole = text[: text.rfind(b"\n") + 1]
        self.entries = [json.loads(line) for line in whole.splitlines()]
        if len(whole) != len(text):
            path.write_bytes(whole)

    def add(self, endpoint, path, verdict, body, fault=None):
        """Append and write one entry.

        verdict: (taken, code, message). body: the JSON value as sent. fault: the kind of the ordered fault, if any.
        """
        taken, code, message = verdict
        shortened = without_images(body)
        entry = {
            "seq": len(self.entries) + 1,
            "at_ms": time.time_ns() // 1_000_000,
            "endpoint": endpoint,
            "path": path,
            "taken": taken,
            "code": code,
            "message": message,
            "fingerprint": fingerprint(shortened),
            "body": shortened,
        }
        if fault is not None:
            entry["fault"] = fault
        self.entries.append(entry)
        if self._file is not None:
            self._file.write(json.dumps(entry, ensure_ascii=False).encode("utf-8", "surrogatepass") + b"\n")

    def counts(self):
        """Return {taken, refused, repeated, codes, endpoints: {key: {taken, refused, repeated}}}; the totals are of records.

        repeated counts bodies taken again with the same fingerprint at the same endpoint.
        """
        seen = set()
        endpoints = collections.defaultdict(lambda: {"taken": 0, "refused": 0, "repeated": 0})
        for entry in self.entries:
            one = endpoints[entry["endpoint"]]
            one["taken" if entry["taken"] else "refused"] += 1
            identity = entry["endpoint"], entry["fingerprint"]
            one["repeated"] += entry["taken"] and identity in seen
            if entry["taken"]:
                seen.add(identity)
        of_records = [one for key, one in endpoints.items() if key not in _NO_RECORDS]
        totals = {name: sum(one[name] for one in of_records) for name in ("taken", "refused", "repeated")}
        codes = collections.Counter(entry["code"] for entry in self.entries)
        return {**totals, "codes": dict(codes), "endpoints": dict(endpoints)}

    def close(self):
        """Close the file."""
        if self._file is not None:
            self._file.close()
            self._file = None
