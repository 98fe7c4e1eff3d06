"""The batch record: which chip is which terminal, and every run with its versions and results. SQLite, and a CSV beside it.

State: the file. An identity is given to a chip for ever, before it is written there: whatever interrupts, it is neither given twice
nor lost. No secret is in it. Times are ISO 8601 in UTC.
"""

import contextlib
import csv
import datetime
import json
import pathlib
import sqlite3
import threading

_SCHEMA = """
CREATE TABLE IF NOT EXISTS terminals (number INTEGER PRIMARY KEY AUTOINCREMENT, device_id TEXT UNIQUE NOT NULL,
    chip TEXT UNIQUE, given TEXT NOT NULL, label TEXT);
CREATE TABLE IF NOT EXISTS runs (id INTEGER PRIMARY KEY AUTOINCREMENT, time TEXT NOT NULL, who TEXT NOT NULL, port TEXT NOT NULL,
    chip TEXT, device_id TEXT, number INTEGER, verdict TEXT NOT NULL, reason TEXT NOT NULL, seconds REAL NOT NULL,
    versions TEXT NOT NULL, results TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS acceptances (id INTEGER PRIMARY KEY AUTOINCREMENT, time TEXT NOT NULL, device_id TEXT NOT NULL,
    number INTEGER, verdict TEXT NOT NULL, installer TEXT NOT NULL, enterprise TEXT NOT NULL, site TEXT NOT NULL,
    welder_model TEXT NOT NULL, welder_number TEXT NOT NULL, sheet TEXT NOT NULL, sheet_sha256 TEXT NOT NULL, steps TEXT NOT NULL);
"""
COLUMNS = ("time", "who", "port", "chip", "device_id", "number", "verdict", "reason", "seconds", "versions", "results")
# of the tests at the welder; their CSV has the suffix .accept.csv
ACCEPTANCE_COLUMNS = (
    "time", "device_id", "number", "verdict", "installer", "enterprise", "site", "welder_model", "welder_number", "sheet",
    "sheet_sha256", "steps",
)  # fmt: skip
_BUSY_S = 30
_csv_turn = threading.Lock()


class Record:
    """path: of the SQLite file; the CSV beside it has the suffix .csv. Usable from several threads, and by several programs."""

    def __init__(self, path):
        self.path = pathlib.Path(path)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self._open() as database:
            database.executescript(_SCHEMA)

    @contextlib.contextmanager
    def _open(self):
        """A connection with a write transaction, committed at the end, rolled back by an exception."""
        database = sqlite3.connect(self.path, timeout=_BUSY_S, isolation_level=None)
        database.row_factory = sqlite3.Row
        try:
            database.execute("PRAGMA synchronous = FULL")
            yield database
        finally:
            database.close()

    def give(self, chip, rows, own=None):
        """Return (row, number, whether it is new) for a chip: what it has, else the first row that nobody has; None when none is.

        own: the device id that the board has already; when it is among the rows and nobody else's, that one.
        """
        by_id = {row.device_id: row for row in rows}
        with self._open() as database:
            database.execute("BEGIN IMMEDIATE")
            held = database.execute("SELECT * FROM terminals WHERE chip = ?", (chip,)).fetchone()
            if held and held["device_id"] in by_id:
                database.execute("ROLLBACK")
                return by_id[held["device_id"]], held["number"], False
            taken = {one["device_id"] for one in database.execute("SELECT device_id FROM terminals WHERE chip IS NOT NULL")}
            free = [name for name in by_id if name not in taken]
            chosen = own if own in free else (free[0] if free else None)
            if chosen is None:
                database.execute("ROLLBACK")
                return None
            if held:  # the chip begins anew in another batch; its old identity stays used
                database.execute("UPDATE terminals SET chip = 'was ' || chip || ' ' || number WHERE chip = ?", (chip,))
            cursor = database.execute("INSERT INTO terminals (device_id, chip, given) VALUES (?, ?, ?)", (chosen, chip, now()))
            database.execute("COMMIT")
            return by_id[chosen], cursor.lastrowid, True

    def note_label(self, device_id, content):
        """Keep what is on a terminal's label: a reprint shows the same."""
        with self._open() as database:
            database.execute("UPDATE terminals SET label = ? WHERE device_id = ?", (content, device_id))

    def labels(self, device_ids=None):
        """Return [(number, device id, content)] of the labels that there are, by number; of these devices, or of all."""
        with self._open() as database:
            rows = database.execute("SELECT number, device_id, label FROM terminals WHERE label IS NOT NULL ORDER BY number")
            return [tuple(row) for row in rows if device_ids is None or row["device_id"] in device_ids]

    def terminal(self, chip):
        """Return {number, device_id, chip, given, label} of a chip, or None."""
        with self._open() as database:
            found = database.execute("SELECT * FROM terminals WHERE chip = ?", (chip,)).fetchone()
            return dict(found) if found else None

    def terminals(self):
        """Return one dict for each identity that was given, by number."""
        with self._open() as database:
            return [dict(row) for row in database.execute("SELECT * FROM terminals ORDER BY number")]

    def runs(self):
        """Return one dict for each run, the oldest first; versions and results as objects."""
        with self._open() as database:
            found = [dict(row) for row in database.execute("SELECT * FROM runs ORDER BY id")]
        return [{**run, "versions": json.loads(run["versions"]), "results": json.loads(run["results"])} for run in found]

    def append(self, **run):
        """Keep a run: COLUMNS without time; versions and results are dicts."""
        for name in ("versions", "results"):
            run[name] = json.dumps(run[name], ensure_ascii=False, sort_keys=True)
        values = [now(), *(run[name] for name in COLUMNS[1:])]
        with self._open() as database:
            places = ", ".join("?" * len(COLUMNS))
            database.execute(f"INSERT INTO runs ({', '.join(COLUMNS)}) VALUES ({places})", values)
        self._append_csv(".csv", COLUMNS, values)

    def append_acceptance(self, data, sheet, sheet_sha256):
        """Keep a test at the welder. data: as on its sheet; sheet: the PDF's name."""
        steps = json.dumps(data["steps"], ensure_ascii=False, sort_keys=True)
        known = {**data, "sheet": sheet, "sheet_sha256": sheet_sha256, "steps": steps}
        values = [known[name] for name in ACCEPTANCE_COLUMNS]
        with self._open() as database:
            places = ", ".join("?" * len(values))
            database.execute(f"INSERT INTO acceptances ({', '.join(ACCEPTANCE_COLUMNS)}) VALUES ({places})", values)
        self._append_csv(".accept.csv", ACCEPTANCE_COLUMNS, values)

    def acceptances(self):
        """Return one dict for each test at a welder, the oldest first; steps as objects."""
        with self._open() as database:
            found = [dict(row) for row in database.execute("SELECT * FROM acceptances ORDER BY id")]
        return [{**one, "steps": json.loads(one["steps"])} for one in found]

    def last_versions(self, device_id):
        """Return the versions of a terminal's last run that passed; an empty dict for none."""
        passed = [run["versions"] for run in self.runs() if run["device_id"] == device_id and run["verdict"] == "pass"]
        return passed[-1] if passed else {}

    def terminal_named(self, device_id):
        """Return the terminal of that id as terminal() does, or None."""
        return next((one for one in self.terminals() if one["device_id"] == device_id), None)

    def _append_csv(self, suffix, columns, values):
        path = self.path.with_suffix(suffix)
        with _csv_turn:
            is_new = not path.exists()
            with open(path, "a", newline="", encoding="utf-8-sig" if is_new else "utf-8") as file:
                csv.writer(file).writerows([columns, values] if is_new else [values])


def now():
    """Return the time as text."""
    return datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")
