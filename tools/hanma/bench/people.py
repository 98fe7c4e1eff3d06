"""The small store: devices, welders, guardians, permits and jobs, in one SQLite file (mode 0600).

Names, id numbers and certificate numbers are kept here and nowhere else. Each record is kept whole as JSON
beside its key. The store answers the register's questions (device, welder, guardian, permits) from the file
each time, so that `hanma bench people` in another window has its effect at once.
"""

import os
import secrets
import sqlite3
from pathlib import Path

from pydantic import TypeAdapter

from ..jobs import Guardian, Job, Welder
from .records import Device, Permit

# table -> (record, the field that is the key, the field the table is searched by)
_TABLES = {
    "devices": (Device, "id", "id"),
    "welders": (Welder, "ref", "ref"),
    "guardians": (Guardian, "ref", "ref"),
    "permits": (Permit, "no", "device"),
    "jobs": (Job, "job", "device"),
}
_TABLE_OF = {record: table for table, (record, _, _) in _TABLES.items()}


def new_ref(kind):
    """A fresh opaque reference: `kind` is a letter that helps the eye (w welder, g guardian, j job)."""
    return f"{kind}-{secrets.token_hex(4)}"


class People:
    """The store at `path` (":memory:" keeps it in memory)."""

    def __init__(self, path):
        if str(path) != ":memory:":
            Path(path).parent.mkdir(parents=True, exist_ok=True)
            os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        self._db = sqlite3.connect(path, isolation_level=None)
        for table in _TABLES:
            columns = "key text primary key, under text, body text"
            self._db.execute(f"create table if not exists {table} ({columns})")

    def close(self):
        """Closes the file."""
        self._db.close()

    def put(self, record):
        """Keeps a device, welder, guardian, permit or job, in place of one of the same key."""
        table = _TABLE_OF[type(record)]
        _, key, under = _TABLES[table]
        self._db.execute(f"insert or replace into {table} values (?, ?, ?)",
                         (getattr(record, key), getattr(record, under), record.model_dump_json()))

    def remove(self, kind, key):
        """Forgets one record; `kind` is the table's name. Returns True when there was one."""
        return self._db.execute(f"delete from {kind} where key = ?", (key,)).rowcount > 0

    def all(self, kind):
        """Every record of a table, by key."""
        return self._read(kind, "1", ())

    def device(self, device_id):
        """The device of that id, or None."""
        return self._one("devices", device_id)

    def welder(self, ref):
        """The welder of that reference, or None."""
        return self._one("welders", ref)

    def guardian(self, ref):
        """The guardian of that reference, or None."""
        return self._one("guardians", ref)

    def permits(self, device_id):
        """Every permit for that device, whatever its state."""
        return self._read("permits", "under = ?", (device_id,))

    def open_jobs(self):
        """The jobs an earlier run left unfinished or with a stop still owed."""
        return [job for job in self.all("jobs") if job.open or (job.off and job.off.at_ms is None)]

    def _one(self, kind, key):
        found = self._read(kind, "key = ?", (key,))
        return found[0] if found else None

    def _read(self, kind, where, values):
        record = TypeAdapter(_TABLES[kind][0])
        rows = self._db.execute(f"select body from {kind} where {where} order by key", values)
        return [record.validate_json(body) for (body,) in rows]
