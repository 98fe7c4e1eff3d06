"""What is kept for how long: after acceptance each kind of private value has its days, pictures none by default.

Functions take a connection inside a transaction. What stays for good is what shows nothing: HMACs, masked labels, states, times.
"""

from sqlalchemy import delete, select, update

from . import content
from .journal import ACCEPTED
from .schema import MEDIA, RECORD

# Days after acceptance; ours, a site's profile may say otherwise. face: the pictures, all attachments with them.
RETENTION_DAYS = {"face": 0, "health": 7, "bank": 30, "phone": 90, "place": 90, "name": 365, "id": 365}
_DAY_MS = 86_400_000
_AT_ONCE = 200  # records in one transaction


def purge_media(connection, site, now_ms, days):
    """Delete the pictures of what was accepted that long ago. Returns how many records had some."""
    before_ms = now_ms - days * _DAY_MS
    over = select(RECORD.c.id).where(RECORD.c.site == site, RECORD.c.state == ACCEPTED, RECORD.c.accepted_ms <= before_ms)
    mine = select(MEDIA.c.record_id).distinct().where(MEDIA.c.record_id.in_(over))
    ids = connection.scalars(mine).all()
    connection.execute(delete(MEDIA).where(MEDIA.c.record_id.in_(ids)))
    return len(ids)


def purge_kind(connection, site, now_ms, kind, days, table_of, vault):
    """Take values of one privacy kind out of bodies accepted that long ago, some at a time.
    table_of(platform, table) → the catalogue's Table. Returns how many it looked at: 0 when there are none left."""
    over = select(RECORD).where(
        RECORD.c.site == site,
        RECORD.c.state == ACCEPTED,
        RECORD.c.accepted_ms <= now_ms - days * _DAY_MS,
        RECORD.c.cleared.not_like(f"%,{kind},%"),
    )
    rows = connection.execute(over.order_by(RECORD.c.id).limit(_AT_ONCE).with_for_update(skip_locked=True)).all()
    for row in rows:
        about = row.identity.encode()
        body = content.parse(vault.open(row.body, about), {})
        text, _ = content.split(_without(body, table_of(row.platform, row.table_key).fields, kind))
        cleared = f"{row.cleared or ','}{kind},"
        mine = update(RECORD).where(RECORD.c.id == row.id)
        connection.execute(mine.values(body=vault.seal(text, about), cleared=cleared))
    return len(rows)


def _without(body, fields, kind):
    """Return a body without the values of that kind, nested tables included."""
    kept = dict(body)
    for field in fields:
        key = field.key or field.name
        if key not in kept:
            continue
        if field.privacy == kind:
            del kept[key]
        elif field.fields and isinstance(kept[key], list):
            kept[key] = [_without(one, field.fields, kind) for one in kept[key]]
    return kept
