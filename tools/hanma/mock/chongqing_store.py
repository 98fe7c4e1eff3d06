"""What the stand-in of Chongqing was told, kept so that it can be asked for: by report and id, the newest content last.

Owns the records in memory and the file of JSON lines {"report", "id", "record"} that they are appended to (written at once,
without fsync).
"""

import json
import pathlib

_ABSENT = object()


class StoreError(Exception):
    """The store's file cannot be used."""


def value_at(record, name):
    """Return what a record holds under a name, dots leading into objects; None where there is nothing."""
    for part in name.split("."):
        if not isinstance(record, dict):
            return None
        record = record.get(part)
    return record


class Store:
    """Records by (report, id)."""

    def __init__(self, path=None):
        """Open the store; an existing file is read and continued. Raises StoreError."""
        self._records = {}
        self._file = None
        if path is None:
            return
        try:
            self._read(pathlib.Path(path))
            self._file = open(path, "ab", buffering=0)  # noqa: SIM115 - open as long as the server is
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise StoreError(f"{path}: {error}") from error

    def _read(self, path):
        """Take over an earlier run's records; a last line that a kill has cut short is taken out of the file."""
        if not path.exists():
            return
        text = path.read_bytes()
        whole = text[: text.rfind(b"\n") + 1]
        for line in whole.splitlines():
            kept = json.loads(line)
            self._records[kept["report"], kept["id"]] = kept["record"]
        if len(whole) != len(text):
            path.write_bytes(whole)

    def put(self, report, identity, record):
        """Keep a record under its id; the same content again is not kept twice."""
        if self._records.get((report, identity), _ABSENT) == record:
            return
        self._records[report, identity] = record
        if self._file is not None:
            line = json.dumps({"report": report, "id": identity, "record": record}, ensure_ascii=False)
            self._file.write(line.encode("utf-8", "surrogatepass") + b"\n")

    def find(self, report, wanted):
        """Return the records of a report (None: of all) that hold each wanted value under its name."""
        return [
            record
            for (of, _), record in self._records.items()
            if report in (None, of) and all(value_at(record, name) == value for name, value in wanted.items())
        ]

    def close(self):
        """Close the file."""
        if self._file is not None:
            self._file.close()
            self._file = None
