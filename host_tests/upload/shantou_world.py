"""A site in Shantou for the checking rooms' tests: its profile, a fixed now, and rows that are known to be sound."""

import json
import pathlib
from datetime import datetime, timedelta, timezone

from hanma.upload import catalogue, checking
from hanma.upload.problems import Place
from hanma.upload.record import Attachment, Row
from hanma.upload.site import Site

GOLDEN = pathlib.Path(__file__).parent / "golden" / "shantou"
NOW = datetime(2026, 11, 21, 12, 0, 0, tzinfo=timezone(timedelta(hours=8)))
PLATFORM = catalogue.load("shantou")
# The empty values without which a team that owes nothing can't be reported.
EMPTY = {f"team_exit.{name}": "" for name in ("appointDate", "settleDate", "payrollDetails.appointDate")}


def site(**given):
    """Return a profile; consent is stated unless a test is about it."""
    return Site(**{"name": "示范", "platform": "shantou", "consent": "stated", "empty": EMPTY} | given)


def golden(stem):
    """Return a golden file."""
    return json.loads((GOLDEN / f"{stem}.json").read_text("utf-8"))


def cells(stem, **changed):
    """Return a golden file's row with some cells changed; a change to None takes the cell away."""
    given = golden(stem)["input"] | changed
    return {name: cell for name, cell in given.items() if cell is not None}


def check(table, *rows, known=None, **profile):
    """Return the Records of rows of a table."""
    placed = [Row(Place("表.xlsx", "", 2 + at), row) for at, row in enumerate(rows)]
    return checking.check(placed, PLATFORM.tables[table], site(**profile), NOW, known)


def found(record):
    """Return {(rule's name, field)} of a record's problems but for notes."""
    return {(one.rule.name, one.field) for one in record.problems if (one.severity or one.rule.severity) != "note"}


def notes(record):
    """Return {(rule's name, field)} of a record's notes."""
    return {(one.rule.name, one.field) for one in record.problems if one.rule.severity == "note"}


def named(value):
    """Return a body with its attachments as the golden files write them."""
    if isinstance(value, dict):
        return {name: named(one) for name, one in value.items()}
    if isinstance(value, list):
        return [named(one) for one in value]
    return f"<image:{value.path}>" if isinstance(value, Attachment) else value


def fields(table, before=""):
    """Yield (path, field) of a table or a list, what is inside lists too."""
    for one in table.fields:
        yield before + one.name, one
        yield from fields(one, f"{before}{one.name}.")
