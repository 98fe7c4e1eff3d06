"""How a record comes into the outbox: new, the same again, or a correction that the clerk confirms.

Functions take a connection inside a transaction. An Entry is a record already sealed, made outside of it.
"""

import json
from dataclasses import dataclass

from sqlalchemy import delete, func, select

from hanma.upload.record import Attachment

from . import content
from .journal import ACCEPTED, HELD, QUEUED, SENDING, UNCERTAIN, WAITING, change, lacks_parent, let_go, tell
from .schema import HISTORY, MEDIA, NAME, PARENT, RECORD, insert


class OutboxError(Exception):
    """Something that can't be done with a record as it stands; the text says why."""


@dataclass(frozen=True)
class Put:
    """What became of a record that was put: new, same (nothing was done), correction (held until confirm(id)) or busy
    (its other content is on its way just now: put it again when that is settled)."""

    outcome: str
    id: int


@dataclass(frozen=True)
class Entry:
    """A record ready for the tables: values of its row, its sealed pictures, (parent's table, its identity's HMAC), and the
    HMACs of every identity it is known by."""

    values: dict
    media: tuple
    parents: tuple
    names: tuple


def identity_hash(vault, site, platform, table, identity):
    """Return the HMAC under which this record of the world is known. site: the profile's name."""
    return vault.lookup(json.dumps([site, platform, table, *map(str, identity)], ensure_ascii=False))


def entry(vault, site, prepared, now_ms, deletion=False):
    """Seal a Prepared record and return its Entry."""
    identity = identity_hash(vault, site, prepared.platform, prepared.table, prepared.identity)
    text, files = content.split(prepared.body)
    about = identity.encode()
    values = {
        "site": site,
        "platform": prepared.platform,
        "table_key": prepared.table,
        "identity": identity,
        "content": vault.digest(b"deletion" if deletion else b"", text, *files),
        "body": vault.seal(text, about),
        "label": prepared.label,
        "happened_ms": prepared.happened_ms,
        "order_ms": now_ms if prepared.happened_ms is None else prepared.happened_ms,
        "put_ms": now_ms,
        "changed_ms": now_ms,
        "deletion": int(deletion),
    }
    parents = {identity_hash(vault, site, prepared.platform, table, one): table for table, one in prepared.parents}
    media = tuple(vault.seal(one, about) for one in files)
    known = {identity_hash(vault, site, prepared.platform, prepared.table, one) for one in prepared.known_as}
    return Entry(values, media, tuple((table, one) for one, table in parents.items()), tuple(sorted({identity, *known})))


def put(connection, new, now_ms):
    """Take an Entry in; return a Put."""
    if not new.values["deletion"]:
        _lock_parents(connection, new.parents)
        added = _add(connection, new, now_ms, 0, QUEUED)
        if added is not None:
            if new.parents and lacks_parent(connection, added):
                change(connection, now_ms, [{"id": added, "state": WAITING}])
            return Put("new", added)
    return _put_again(connection, new, now_ms)


def _put_again(connection, new, now_ms):
    mine = RECORD.c.identity == new.values["identity"]
    versions = connection.execute(
        select(RECORD.c.id, RECORD.c.revision, RECORD.c.content, RECORD.c.state, RECORD.c.accepted_ms)
        .where(mine)
        .order_by(RECORD.c.revision)
        .with_for_update()
    ).all()
    if new.values["deletion"] and (not versions or versions[0].accepted_ms is None):
        raise OutboxError("平台没有收过的不能删除 (what was never accepted can't be deleted there)")
    same = next((one for one in versions if one.content == new.values["content"]), None)
    if same:
        return Put("same", same.id)
    if versions[0].state == SENDING:
        return Put("busy", versions[0].id)
    return Put("correction", _add(connection, new, now_ms, versions[-1].revision + 1, HELD))


def _add(connection, new, now_ms, revision, state):
    """Write the rows of an Entry; return its id, or None when there is that revision already."""
    statement = insert(connection, RECORD).values(**new.values, revision=revision, state=state)
    added = connection.scalar(statement.on_conflict_do_nothing(index_elements=["identity", "revision"]).returning(RECORD.c.id))
    if added is None:
        return None
    for table, rows in (
        (MEDIA, [{"place": place, "data": data} for place, data in enumerate(new.media)]),
        (PARENT, [{"table_key": table, "identity": identity} for table, identity in new.parents]),
        (NAME, [{"identity": identity} for identity in new.names]),
    ):
        if rows:
            connection.execute(table.insert(), [{**row, "record_id": added} for row in rows])
    tell(connection, now_ms, [{"id": added, "state": state}])
    return added


def _lock_parents(connection, parents):
    """A parent must not be accepted between our look at it and our commit: it would not see its child."""
    if parents:
        named = select(NAME.c.record_id).where(NAME.c.identity.in_([identity for _, identity in parents]))
        mine = select(RECORD.c.id).where(RECORD.c.id.in_(named))
        connection.execute(mine.order_by(RECORD.c.id).with_for_update(read=True)).all()


_FRESH = {
    "attempts": 0,
    "again_ms": 0,
    "batch_no": "",
    "code": "",
    "message": b"",
    "owner": None,
    "lease_ms": None,
    "cleared": "",
}
# What a record has of the content that stands in it.
_TAKEN = ("content", "body", "label", "happened_ms", "order_ms", "deletion", "put_ms")


def confirm(connection, correction_id, now_ms):
    """Put a held correction in its record's place, to be sent; return the record's id. OutboxError when it can't be now."""
    held = connection.execute(select(RECORD).where(RECORD.c.id == correction_id).with_for_update()).one_or_none()
    if held is None or held.revision == 0:
        raise OutboxError("没有这条更正 (there is no such correction)")
    first = connection.execute(
        select(RECORD.c.id, RECORD.c.state).where(RECORD.c.identity == held.identity, RECORD.c.revision == 0).with_for_update()
    ).one()
    if first.state == SENDING:
        raise OutboxError("这条正在发送，等有了结果再确认 (the record is on its way just now: confirm when that is settled)")
    for table in (MEDIA, PARENT, NAME):
        connection.execute(delete(table).where(table.c.record_id == first.id))
        connection.execute(table.update().where(table.c.record_id == held.id).values(record_id=first.id))
    connection.execute(delete(HISTORY).where(HISTORY.c.record_id == held.id))
    connection.execute(delete(RECORD).where(RECORD.c.id == held.id))
    _lock_parents(connection, connection.execute(_parents_of(first.id)).all())
    state = WAITING if lacks_parent(connection, first.id) else QUEUED
    row = {"id": first.id, "state": state, **_FRESH, **{name: getattr(held, name) for name in _TAKEN}}
    change(connection, now_ms, [row])
    return first.id


def _parents_of(record_id):
    return select(PARENT.c.table_key, PARENT.c.identity).where(PARENT.c.record_id == record_id)


def drop(connection, correction_id):
    """Forget a held correction. OutboxError when it is none."""
    held = connection.scalar(select(func.count()).where(RECORD.c.id == correction_id, RECORD.c.revision > 0))
    if not held:
        raise OutboxError("没有这条更正 (there is no such correction)")
    connection.execute(delete(RECORD).where(RECORD.c.id == correction_id))


def decide(connection, record_id, state, now_ms, message, *, missing_there=False, keep_media=True):
    """The word on a record: queued (send it again), accepted (it is there) or refused. missing_there: it is known that it did
    not arrive. keep_media: its pictures stay though it is accepted. OutboxError while it is sent."""
    row = connection.execute(select(RECORD).where(RECORD.c.id == record_id).with_for_update()).one_or_none()
    if row is None or row.revision:
        raise OutboxError("没有这条记录 (there is no such record)")
    if row.state == SENDING:
        raise OutboxError("这条正在发送 (the record is on its way just now)")
    if state == QUEUED and row.state == ACCEPTED:
        raise OutboxError("平台已收；要改，请放入改好的内容作更正 (it was accepted: to send it again put a correction)")
    if state == QUEUED and lacks_parent(connection, record_id):
        state = WAITING
    more = {"again_ms": 0, "code": "", "message": message, "batch_no": row.batch_no if row.state == QUEUED else ""}
    if state == ACCEPTED:
        more |= {"accepted_ms": None if row.deletion else now_ms, "accepted_content": row.content}
    # Sent again after its answer was lost: it may be there twice, and the clerk has chosen that.
    if state == QUEUED and row.state == UNCERTAIN and not missing_there:
        more["duplicates"] = row.duplicates + 1
    change(connection, now_ms, [{"id": record_id, "state": state, **more}])
    if state == ACCEPTED:
        if not keep_media:
            connection.execute(delete(MEDIA).where(MEDIA.c.record_id == record_id))
        let_go(connection, now_ms, [record_id])


def adopt(connection, vault, new, now_ms):
    """Note a record as accepted before this tool came; return what became of it: new (it was unknown), taken (it was on hand
    and will not be sent), known (it was accepted already, nothing is done) or busy (it is on its way just now)."""
    taken = {"accepted_ms": now_ms, "accepted_content": new.values["content"]}
    added = _add(connection, Entry({**new.values, **taken}, (), (), new.names), now_ms, 0, ACCEPTED)
    if added is not None:
        let_go(connection, now_ms, [added])
        return "new"
    mine = (RECORD.c.identity == new.values["identity"], RECORD.c.revision == 0)
    row = connection.execute(select(RECORD).where(*mine).with_for_update()).one()
    if row.accepted_ms is not None:
        return "known"
    if row.state == SENDING:
        return "busy"
    if _words(vault, row.identity, row.body) != _words(vault, row.identity, new.values["body"]):
        _hold_back(connection, row, now_ms)
        taken |= {name: new.values[name] for name in _TAKEN}
    connection.execute(delete(MEDIA).where(MEDIA.c.record_id == row.id))
    change(connection, now_ms, [{"id": row.id, "state": ACCEPTED, **_FRESH, **taken}])
    let_go(connection, now_ms, [row.id])
    return "taken"


def _words(vault, identity, body):
    """Return a sealed body but for its pictures: what is adopted has none."""
    return _without_pictures(content.parse(vault.open(body, identity.encode()), {}))


def _without_pictures(value):
    if isinstance(value, dict):
        return {key: _without_pictures(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_without_pictures(one) for one in value]
    return None if isinstance(value, Attachment) else value


def _hold_back(connection, row, now_ms):
    """Keep what a record held as a correction that the clerk confirms or drops."""
    last = connection.scalar(select(func.max(RECORD.c.revision)).where(RECORD.c.identity == row.identity))
    media = connection.scalars(select(MEDIA.c.data).where(MEDIA.c.record_id == row.id).order_by(MEDIA.c.place)).all()
    names = connection.scalars(select(NAME.c.identity).where(NAME.c.record_id == row.id)).all()
    values = {name: getattr(row, name) for name in ("site", "platform", "table_key", "identity", *_TAKEN)}
    held = Entry({**values, "changed_ms": now_ms}, media, connection.execute(_parents_of(row.id)).all(), names)
    _add(connection, held, now_ms, last + 1, HELD)
