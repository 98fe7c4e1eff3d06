"""The journal: every message and every step of every job, one JSON line each, appended and never changed.

It owns one file. A line is written by a single write to a file opened for appending and is on its way to the
disk before the call returns, so that a Ctrl-C or a kill leaves whole lines; a torn last line left by a power
cut is closed off when the file is opened again, and skipped when it is read.

Lines: {"v": 1, "t_ms", "what": "message"|"job"|"note", …}. Times are milliseconds since 1970 on the
platform's clock.
"""

import json
import os
from pathlib import Path


def line_of(record):
    """One journal line (bytes, newline included) for a record that JSON can carry."""
    return (json.dumps(record, ensure_ascii=False, separators=(",", ":")) + "\n").encode()


def read(path):
    """Yields the records of a journal, oldest first; lines that are not whole are left out."""
    path = Path(path)
    if not path.exists():
        return
    with path.open("rb") as file:
        for line in file:
            try:
                record = json.loads(line)
            except ValueError:
                continue
            if isinstance(record, dict):
                yield record


def _for_the_owner(path, flags):
    return os.open(path, flags, 0o600)


class Journal:
    """Appends to `path` (made with mode 0600 where it does not exist). `clock_ms` gives the time of each
    line."""

    def __init__(self, path, clock_ms):
        self.path = Path(path)
        self._clock_ms = clock_ms
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._file = open(self.path, "a+b", buffering=0, opener=_for_the_owner)  # noqa: SIM115 - closed by close()
        self._close_torn_line()

    def _close_torn_line(self):
        if self._file.seek(0, os.SEEK_END):
            self._file.seek(-1, os.SEEK_END)
            if self._file.read(1) != b"\n":
                self._file.write(b"\n")

    def message(self, direction, topic, payload):
        """A message as it passed: `direction` is "up" or "down", `payload` bytes (kept as text, or as
        hex)."""
        try:
            body = {"payload": payload.decode()}
        except UnicodeDecodeError:
            body = {"hex": payload.hex()}
        self._append({"what": "message", "dir": direction, "topic": topic, **body})

    def job(self, step, job):
        """A step of a job, with the whole record as it is after the step."""
        self._append({"what": "job", "step": step, "job": job.model_dump(mode="json")})

    def note(self, kind, **fields):
        """Anything else worth keeping: a refusal, a link that went, a mark of a demonstration."""
        self._append({"what": "note", "kind": kind, **fields})

    def _append(self, fields):
        line = line_of({"v": 1, "t_ms": self._clock_ms(), **fields})
        written = self._file.write(line)
        while written < len(line):
            written += self._file.write(line[written:])

    def close(self):
        """Brings what was written to the disk. Closing twice does nothing."""
        if not self._file.closed:
            os.fsync(self._file.fileno())
            self._file.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def jobs(path):
    """The last record of every job in a journal, as dicts by job id, in the order in which they began."""
    last = {}
    for record in read(path):
        if record.get("what") == "job":
            last[record["job"]["job"]] = record["job"]
    return last
