"""How records leave the outbox: claimed under a lease, settled by their answer, recovered when nobody came back.

Functions take a connection inside a transaction. What is claimed is `sending` on the disk before its caller sees it.
A lease has an owner and an end; an answer that comes after the lease was given on still counts when it is an acceptance.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from functools import lru_cache
from itertools import islice

from sqlalchemy import bindparam, delete, func, select

from . import content
from .journal import ACCEPTED, QUEUED, SENDING, UNCERTAIN, change, let_go, let_go_ripe
from .schema import COUNTER, MEDIA, RECORD, insert

CHINA = timezone(timedelta(hours=8))  # the documents' wall time; it has had no summer time since 1991
# Rules for a lost answer that send the record again by themselves.
_RESEND = ("resend", "resend_same_batch")


@dataclass(frozen=True, slots=True)
class Claim:
    """Who asks for how many. but: tables to leave out; batch: all of one table and operation, under one batch
    number; withheld: table → keys that may not leave any more."""

    owner: str
    site: str
    platform: str
    limit: int
    now_ms: int
    lease_ms: int
    live_first: bool
    but: tuple = ()
    batch: bool = False
    withheld: dict = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Item:
    """A claimed record. attempt counts from 1; operation: I (new there), U (accepted before) or D (to be deleted).
    content_hash and owner are what settle knows the claim by. withheld: keys that do not leave."""

    id: int
    platform: str
    table: str
    label: str
    attempt: int
    batch_no: str
    operation: str
    owner: str
    content_hash: str
    sealed: tuple
    vault: object
    withheld: frozenset = frozenset()

    def _opened(self):
        about, text, files = self.sealed
        text = self.vault.open(text, about)
        text = content.without(text, self.withheld) if self.withheld else text
        return text, {place: self.vault.open(data, about) for place, data in files}

    def content(self):
        """Return the body as JSON, UTF-8, pictures in it: what goes on the wire."""
        return content.join(*self._opened())

    def body(self):
        """Return the body as a dict; pictures are Attachments with their data."""
        return content.parse(*self._opened())


@dataclass(frozen=True, slots=True)
class Settlement:
    """An answer. message is sealed; again_ms: not before then, for what is queued again."""

    id: int
    owner: str
    attempt: int
    content_hash: str
    state: str
    code: str
    message: bytes
    again_ms: int
    now_ms: int


def claim_all(connection, claims, vault):
    """Do several claims; return a list of Items for each. Those alike are one claim, dealt out evenly."""
    alike = {}
    for number, one in enumerate(claims):
        key = number if one.batch else (one.owner, one.site, one.platform, one.but)
        alike.setdefault(key, []).append(number)
    given = [[] for _ in claims]
    for numbers in alike.values():
        first = claims[numbers[0]]
        total = sum(claims[number].limit for number in numbers)
        rows = _pick_batch(connection, first) if first.batch else _pick(connection, first, total)
        items = iter(_lease(connection, first, rows, vault))
        for number in numbers:
            given[number] = list(islice(items, claims[number].limit))
    return given


@lru_cache
def _queue(newest_first, *narrowed):
    """Return the SELECT of what may be claimed, from day_ms on with the newest first or up to it with the oldest first.
    narrowed: which of _NARROWER hold too. Statements are made once: SQLAlchemy takes longer to make than to do them."""
    record = RECORD.c
    mine = select(RECORD).where(
        record.platform == bindparam("of_platform"),
        record.site == bindparam("of_site"),
        record.state == QUEUED,
        record.again_ms <= bindparam("now_ms"),
        *(_NARROWER[name] for name in narrowed),
    )
    if newest_first:
        mine = mine.where(record.order_ms >= bindparam("day_ms")).order_by(record.order_ms.desc(), record.id.desc())
    else:
        mine = mine.where(record.order_ms < bindparam("day_ms")).order_by(record.order_ms, record.id)
    return mine.limit(bindparam("most")).with_for_update(skip_locked=True)


_NARROWER = {
    "but": RECORD.c.table_key.not_in(bindparam("but", expanding=True)),
    "seen": RECORD.c.id.not_in(bindparam("seen", expanding=True)),
    "unbatched": RECORD.c.batch_no == "",
    "kind": (RECORD.c.table_key == bindparam("of_table")) & (RECORD.c.deletion == bindparam("of_deletion")),
    "new": RECORD.c.accepted_ms.is_(None),
    "known": RECORD.c.accepted_ms.is_not(None),
}


def _take(connection, claim, newest_first, most, *narrowed, **more):
    if most <= 0:
        return []
    today = datetime.fromtimestamp(claim.now_ms / 1000, CHINA).replace(hour=0, minute=0, second=0, microsecond=0)
    values = {"of_platform": claim.platform, "of_site": claim.site, "now_ms": claim.now_ms, "most": most, **more}
    values["day_ms"] = int(today.timestamp() * 1000)
    if claim.but:
        narrowed, values["but"] = (*narrowed, "but"), list(claim.but)
    return connection.execute(_queue(newest_first, *narrowed), values).all()


def _pick(connection, claim, total, *narrowed, seen=(), **more):
    """Take half from today's newest and half from the oldest of before; one side fills what the other lacks."""
    half = total - total // 2
    seen = [0, *seen]  # no record's id is 0: the list is never empty
    first = _take(connection, claim, claim.live_first, half, *narrowed, "seen", **more, seen=seen)
    second = _take(connection, claim, not claim.live_first, total - len(first), *narrowed, "seen", **more, seen=seen)
    left = total - len(first) - len(second)
    if left and len(first) == half:
        seen += [row.id for row in first]
        first += _take(connection, claim, claim.live_first, left, *narrowed, "seen", **more, seen=seen)
    return first + second


def _pick_batch(connection, claim):
    """Take a batch that was begun, whole as it was, or make one of the next record and others of its kind."""
    mine = (RECORD.c.platform == claim.platform, RECORD.c.site == claim.site, RECORD.c.state == QUEUED)
    due = (RECORD.c.batch_no != "", RECORD.c.again_ms <= claim.now_ms, RECORD.c.table_key.not_in(claim.but))
    begun = connection.scalar(select(func.min(RECORD.c.batch_no)).where(*mine, *due))
    if begun:
        rows = select(RECORD).where(*mine, RECORD.c.batch_no == begun)
        return connection.execute(rows.order_by(RECORD.c.id).with_for_update()).all()
    lead = _pick(connection, claim, 1, "unbatched")
    if not lead:
        return []
    kind = ("unbatched", "kind", "new" if lead[0].accepted_ms is None else "known")
    like = {"of_table": lead[0].table_key, "of_deletion": lead[0].deletion, "seen": (lead[0].id,)}
    rows = lead + _pick(connection, claim, claim.limit - 1, *kind, **like)
    return sorted(rows, key=lambda row: row.id)  # the order in which it would be sent again


def _lease(connection, claim, rows, vault):
    if not rows:
        return []
    batch_no = ""
    if claim.batch:
        batch_no = rows[0].batch_no or next_batch_no(connection, claim.platform, batch_day(claim.now_ms))
    change(
        connection,
        claim.now_ms,
        [
            {
                "id": row.id,
                "state": SENDING,
                "owner": claim.owner,
                "lease_ms": claim.now_ms + claim.lease_ms,
                "attempts": row.attempts + 1,
                "batch_no": batch_no,
            }
            for row in rows
        ],
    )
    media = media_of(connection, [row.id for row in rows])
    return [_item(row, claim, batch_no, media.get(row.id, ()), vault) for row in rows]


_GONE = delete(MEDIA).where(MEDIA.c.record_id.in_(bindparam("which", expanding=True)))
_MEDIA_OF = select(MEDIA).where(MEDIA.c.record_id.in_(bindparam("which", expanding=True)))


def media_of(connection, ids):
    """Return record's id → [(place, sealed base64)]."""
    found = {}
    for row in connection.execute(_MEDIA_OF, {"which": ids}):
        found.setdefault(row.record_id, []).append((row.place, row.data))
    return found


def _item(row, claim, batch_no, media, vault):
    operation = "D" if row.deletion else "I" if row.accepted_ms is None else "U"
    return Item(
        id=row.id,
        platform=row.platform,
        table=row.table_key,
        label=row.label,
        attempt=row.attempts + 1,
        batch_no=batch_no,
        operation=operation,
        owner=claim.owner,
        content_hash=row.content,
        sealed=(row.identity.encode(), row.body, tuple(media)),
        vault=vault,
        withheld=claim.withheld.get(row.table_key, frozenset()),
    )


# Batches


def batch_day(now_ms):
    """Return the day of a batch's number."""
    return datetime.fromtimestamp(now_ms / 1000, CHINA).date()


def next_batch_no(connection, platform, day):
    """Return the next batch number of that day: its date and eight digits, from 00000001."""
    statement = insert(connection, COUNTER).values(name=f"batch/{platform}/{day:%Y%m%d}", value=1)
    counted = statement.on_conflict_do_update(index_elements=["name"], set_={"value": COUNTER.c.value + 1})
    return f"{day:%Y%m%d}{connection.scalar(counted.returning(COUNTER.c.value)):08d}"


def split(connection, items, now_ms, message):
    """Queue the two halves of a refused batch, each under a number of its own: one of them holds the row at fault."""
    day = batch_day(now_ms)
    half = len(items) // 2
    for part in (items[:half], items[half:]):
        batch_no = next_batch_no(connection, items[0].platform, day)
        free = {"state": QUEUED, "owner": None, "lease_ms": None, "batch_no": batch_no, "message": message}
        change(connection, now_ms, [{"id": item.id, "attempts": item.attempt, **free} for item in part])


# Answers

_SETTLED = (
    select(RECORD.c.id, RECORD.c.state, RECORD.c.owner, RECORD.c.content, RECORD.c.platform, RECORD.c.table_key)
    .add_columns(RECORD.c.duplicates, RECORD.c.deletion, RECORD.c.attempts, RECORD.c.batch_no)
    .where(RECORD.c.id.in_(bindparam("which", expanding=True)))
    .order_by(RECORD.c.id)
    .with_for_update()
)


def settle_all(connection, settlements, rule, keep_media):
    """Write down answers; return the state each record has now. rule(platform, table) → what a lost answer means there."""
    rows = {row.id: row for row in connection.execute(_SETTLED, {"which": [one.id for one in settlements]})}
    changes, states = [], []
    for one in settlements:
        row = rows[one.id]
        answer = _accepted(row, one) if one.state == ACCEPTED else _otherwise(row, one, rule)
        states.append(answer["state"] if answer else row.state)
        if answer:
            lines = {"code": one.code, "message": one.message, "attempts": row.attempts, "batch_no": row.batch_no}
            changes.append({"id": one.id, **lines, **answer})
    if not changes:
        return states
    now_ms = settlements[0].now_ms
    change(connection, now_ms, changes)
    accepted = [one["id"] for one in changes if one["state"] == ACCEPTED]
    if accepted:
        if not keep_media:
            connection.execute(_GONE, {"which": accepted})
        let_go(connection, now_ms, accepted)
    return states


def _accepted(row, one):
    """An acceptance is a fact, whoever holds the lease by now; but a content put since then stays to be sent."""
    known = {"accepted_ms": None if row.deletion else one.now_ms, "accepted_content": one.content_hash}
    if row.content != one.content_hash:
        return {"state": row.state, **known}
    return {"state": ACCEPTED, "owner": None, "lease_ms": None, **known}


def _otherwise(row, one, rule):
    if row.state != SENDING or (row.owner, row.attempts) != (one.owner, one.attempt):
        return None
    state = one.state
    if state == UNCERTAIN:
        return lost(row, rule, one.again_ms)
    return {"state": state, "again_ms": one.again_ms, "owner": None, "lease_ms": None}


def lost(row, rule, again_ms):
    """Return what becomes of a record that was sent without an answer: sent again and counted, or left to the clerk."""
    free = {"again_ms": again_ms, "owner": None, "lease_ms": None}
    if rule(row.platform, row.table_key) in _RESEND:
        return {"state": QUEUED, "duplicates": row.duplicates + 1, **free}
    return {"state": UNCERTAIN, **free}


def recover(connection, site, now_ms, rule, message):
    """Treat every lease that ran out as a lost answer, and let go what waited for a parent meanwhile accepted.
    Returns [(id, state now)]."""
    ran_out = select(RECORD).where(RECORD.c.site == site, RECORD.c.state == SENDING, RECORD.c.lease_ms <= now_ms)
    rows = connection.execute(ran_out.order_by(RECORD.c.id).with_for_update(skip_locked=True)).all()
    changes = []
    for row in rows:
        told = {"attempts": row.attempts, "batch_no": row.batch_no, "code": "", "message": message}
        changes.append({"id": row.id, **told, **lost(row, rule, now_ms)})
    change(connection, now_ms, changes)
    let_go_ripe(connection, now_ms)
    return [(one["id"], one["state"]) for one in changes]
