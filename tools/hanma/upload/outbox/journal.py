"""What every change in the outbox goes through: a record's state and its line of history, and children let go.

Functions take a connection inside a transaction. Nothing here is kept between calls.
"""

from functools import lru_cache

from sqlalchemy import bindparam, exists, insert, select, update

from .schema import HISTORY, NAME, PARENT, RECORD

QUEUED, SENDING, ACCEPTED, REFUSED = "queued", "sending", "accepted", "refused"
UNCERTAIN, WAITING, HELD = "uncertain", "waiting", "held"
STATES = (QUEUED, SENDING, ACCEPTED, REFUSED, UNCERTAIN, WAITING, HELD)

_LINES = insert(HISTORY)


@lru_cache
def _setting(columns):
    values = {name: bindparam(name) for name in columns}
    return update(RECORD).where(RECORD.c.id == bindparam("which")).values(values)


def change(connection, now_ms, rows):
    """Set columns of records and write history. rows: dicts with id, state and whatever else of the record changes;
    those with the same columns cost one statement together."""
    alike = {}
    for row in rows:
        alike.setdefault(tuple(sorted(row)), []).append(row)
    for columns, those in alike.items():
        statement = _setting((*(name for name in columns if name != "id"), "changed_ms"))
        connection.execute(statement, [{**row, "changed_ms": now_ms, "which": row["id"]} for row in those])
    tell(connection, now_ms, rows)


def tell(connection, now_ms, rows):
    """Write a line of history for each row: id, state and, where known, owner, attempts, batch_no, code, message."""
    if rows:
        lines = [
            {
                "record_id": row["id"],
                "at_ms": now_ms,
                "state": row["state"],
                "owner": row.get("owner"),
                "attempt": row.get("attempts", 0),
                "batch_no": row.get("batch_no", ""),
                "code": row.get("code", ""),
                "message": row.get("message", b""),
            }
            for row in rows
        ]
        connection.execute(_LINES, lines)


_PARENT_RECORD = RECORD.alias("parent_record")
THERE = exists(
    select(NAME.c.record_id)
    .join(_PARENT_RECORD, _PARENT_RECORD.c.id == NAME.c.record_id)
    .where(NAME.c.identity == PARENT.c.identity, _PARENT_RECORD.c.revision == 0, _PARENT_RECORD.c.accepted_ms.is_not(None))
)
_LACKS_PARENT = exists(select(PARENT.c.record_id).where(PARENT.c.record_id == RECORD.c.id, ~THERE))
_CHILDREN = (
    select(RECORD.c.id)
    .join(PARENT, PARENT.c.record_id == RECORD.c.id)
    .join(NAME, NAME.c.identity == PARENT.c.identity)
    .where(NAME.c.record_id.in_(bindparam("accepted", expanding=True)), RECORD.c.state == WAITING)
    .order_by(RECORD.c.id)
    .with_for_update(of=RECORD)
)
_RIPE = select(RECORD.c.id).where(RECORD.c.state == WAITING, ~_LACKS_PARENT).order_by(RECORD.c.id)
_RIPE_OF = _RIPE.where(RECORD.c.id.in_(bindparam("children", expanding=True)))


def lacks_parent(connection, record_id):
    """Return whether a parent of this record is not accepted yet, or unknown."""
    return connection.scalar(select(_LACKS_PARENT).select_from(RECORD).where(RECORD.c.id == record_id))


def let_go(connection, now_ms, accepted_ids):
    """Queue the children that waited for these records and for nothing else any more."""
    children = list(connection.scalars(_CHILDREN, {"accepted": list(accepted_ids)}))
    if children:  # they are locked now: of two parents accepted at once the later one sees the other
        ripe = connection.scalars(_RIPE_OF, {"children": children}).all()
        change(connection, now_ms, [{"id": one, "state": QUEUED} for one in ripe])


def let_go_ripe(connection, now_ms):
    """Queue every record whose parents all are accepted: what crossed with another process's commit. Returns how many."""
    ripe = connection.scalars(_RIPE.with_for_update(of=RECORD, skip_locked=True)).all()
    change(connection, now_ms, [{"id": one, "state": QUEUED} for one in ripe])
    return len(ripe)
