"""The outbox as others see it: put records in, claim and settle them, ask what became of each.

State: the database, and in it everything; the writer thread; whose turn it is, today's records or the backlog's. Methods block
until their change is on the disk; those named …_later return a Future instead, so that many share one commit.
"""

import time
from collections import Counter, deque
from dataclasses import dataclass

from sqlalchemy import func, select

from hanma.upload import catalogue, privacy

from . import content, delivery, intake, journal, schema, upkeep
from .writer import Writer

_IN_FLIGHT = 64  # records sealed and waiting for their commit while many are put
_LOST = "the answer was never heard"


def now_ms():
    """Return the wall time in milliseconds since 1970."""
    return time.time_ns() // 1_000_000


@dataclass(frozen=True)
class Line:
    """A record as a list shows it. waits_for: (table, label, state) of each parent that holds it up; an unknown one has no
    label and the state None. accepted_ms: when the authority took it (or its earlier content). lease_ms: until when the run
    that sends it has it for itself; None where nobody sends it."""

    id: int
    platform: str
    table: str
    state: str
    label: str
    happened_ms: int | None
    changed_ms: int
    attempts: int
    again_ms: int
    batch_no: str
    code: str
    message: str
    accepted_ms: int | None
    duplicates: int
    correction: bool
    deletion: bool
    waits_for: tuple = ()
    lease_ms: int | None = None


@dataclass(frozen=True)
class Moment:
    """One line of a record's history."""

    at_ms: int
    state: str
    owner: str | None
    attempt: int
    batch_no: str
    code: str
    message: str


def _table(platform, key):
    return catalogue.load(platform).tables[key]


def open(url, vault, *, site="", clock=now_ms, table_of=_table, retention=None):
    """Open the outbox at a database URL, making it when there is none; return a Store.

    site: whose records these are, several may share a database. table_of(platform, table) → catalogue.Table, for the
    rules of a lost answer and of privacy. retention: privacy kind → days, over the defaults. OutboxError when the
    database was made with another key.
    """
    writes, reads = schema.engines(url)
    schema.create(writes)
    return Store(writes, reads, vault, site, clock, table_of, upkeep.RETENTION_DAYS | (retention or {}))


class Store:
    """One site's outbox. Used from any thread; close it at the end."""

    def __init__(self, writes, reads, vault, site, clock, table_of, retention):
        """Take what `open` has prepared."""
        self._reads, self._writes = reads, writes
        self._vault = vault
        self._site = site
        self._clock = clock
        self._table_of = table_of
        self._retention = retention
        self._live_first = False
        self._writer = Writer(
            writes,
            {
                "settle": lambda connection, some: delivery.settle_all(connection, some, self._rule, retention["face"] > 0),
                "do": lambda connection, some: [one(connection) for one in some],
                "claim": lambda connection, some: delivery.claim_all(connection, some, vault),
            },
        )
        try:
            self._do(self._check_key)
        except intake.OutboxError:
            self.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        """End the writer, when it has done what was asked, and let the database go."""
        self._writer.close()
        self._writes.dispose()
        self._reads.dispose()

    @property
    def engine(self):
        """The database, for rooms that keep tables of their own beside the records."""
        return self._writes

    def _do(self, step):
        return self._writer.submit("do", step).result()

    def _rule(self, platform, table):
        return self._table_of(platform, table).uncertain

    def _sealed(self, text):
        return self._vault.seal(privacy.rewrite(text).encode()) if text else b""

    def _opened(self, message):
        return self._vault.open(message).decode() if message else ""

    def _check_key(self, connection):
        mine = "key/" + self._vault.lookup("hanma outbox")
        names = connection.scalars(select(schema.COUNTER.c.name).where(schema.COUNTER.c.name.like("key/%"))).all()
        if names and mine not in names:
            raise intake.OutboxError("待发库是用另一把密钥建的，请放回原来的 (this outbox was made with another key)")
        if not names:
            connection.execute(schema.insert(connection, schema.COUNTER).values(name=mine, value=1).on_conflict_do_nothing())

    def _hash(self, platform, table, identity):
        return intake.identity_hash(self._vault, self._site, platform, table, identity)

    # In

    def put_later(self, prepared, deletion=False):
        """Put a Prepared record (deletion: of what was accepted under its identity); return a Future of its Put."""
        now = self._clock()
        entry = intake.entry(self._vault, self._site, prepared, now, deletion)
        return self._writer.submit("do", lambda connection: intake.put(connection, entry, now))

    def put(self, prepared, deletion=False):
        """Put a Prepared record; return its Put. The same again is "same", whatever became of it; other content under an
        identity that is known is a correction, held until `confirm`. OutboxError for a deletion of what is not there."""
        return self.put_later(prepared, deletion).result()

    def put_all(self, many):
        """Put many; yield a Put for each, in order, each on the disk."""
        waiting = deque()
        for prepared in many:
            waiting.append(self.put_later(prepared))
            if len(waiting) >= _IN_FLIGHT:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()

    def confirm(self, correction_id):
        """Send a held correction in place of what the record held; return the record's id. OutboxError while that is sent."""
        now = self._clock()
        return self._do(lambda connection: intake.confirm(connection, correction_id, now))

    def drop(self, correction_id):
        """Forget a held correction."""
        self._do(lambda connection: intake.drop(connection, correction_id))

    def decide(self, record_id, state, message="", *, missing_there=False):
        """The word on a refused or uncertain record: queued (again), accepted (it is there) or refused. missing_there: the
        platform was asked and does not have it, so that to send it again makes no duplicate."""
        now, sealed = self._clock(), self._sealed(message)
        how = {"missing_there": missing_there, "keep_media": self._retention["face"] > 0}
        self._do(lambda connection: intake.decide(connection, record_id, state, now, sealed, **how))

    def adopt(self, many):
        """Note Prepared records as accepted before this tool came, so that they are not sent. Returns a Counter of what became
        of them: new, taken (they were on hand; another content that waited is held as a correction), known, busy."""
        now = self._clock()
        entries = [intake.entry(self._vault, self._site, one, now) for one in many]
        return self._do(lambda connection: Counter(intake.adopt(connection, self._vault, one, now) for one in entries))

    # Out

    def claim_later(self, owner, platform, limit=1, *, lease_ms=120_000, but=(), batch=False, withheld=None):
        """Claim up to limit records to send; return a Future of a list of Items. When it is done they are `sending`
        on the disk, leased to owner for lease_ms. but: tables to leave; batch: of one table and operation, numbered;
        withheld: table → keys of its bodies that may not leave any more."""
        self._live_first = not self._live_first
        now, turn = self._clock(), self._live_first
        claim = delivery.Claim(owner, self._site, platform, limit, now, lease_ms, turn, tuple(but), batch, withheld or {})
        return self._writer.submit("claim", claim)

    def claim(self, owner, platform, limit=1, **more):
        """Claim as claim_later does, and wait."""
        return self.claim_later(owner, platform, limit, **more).result()

    def settle_later(self, item, state, code="", message="", again_ms=0):
        """Write down a claimed item's answer: accepted, refused, queued (again, not before again_ms) or uncertain (by the
        table's rule). Returns a Future of the state it has then."""
        settled = delivery.Settlement(
            item.id, item.owner, item.attempt, item.content_hash, state, code, self._sealed(message), again_ms, self._clock()
        )
        return self._writer.submit("settle", settled)

    def settle(self, item, state, code="", message="", again_ms=0):
        """Write down as settle_later does, and wait."""
        return self.settle_later(item, state, code, message, again_ms).result()

    def split_later(self, items, message):
        """Queue the two halves of a refused batch under new numbers; return a Future. message: the platform's."""
        now, sealed = self._clock(), self._sealed(message)
        return self._writer.submit("do", lambda connection: delivery.split(connection, items, now, sealed))

    def recover(self):
        """Treat leases that ran out as lost answers; return [(id, state)] of them. Every worker does it now and then."""
        now, message = self._clock(), self._sealed(_LOST)
        return self._do(lambda connection: delivery.recover(connection, self._site, now, self._rule, message))

    def next_batch_no(self, platform, day):
        """Return a batch number no other process gets: the day's date and eight digits."""
        return self._do(lambda connection: delivery.next_batch_no(connection, platform, day))

    def purge(self, retention=None):
        """Delete what is past its days (privacy kind → days, over the store's own). Returns kind → records touched."""
        days, now = self._retention | (retention or {}), self._clock()
        gone = {"face": self._do(lambda connection: upkeep.purge_media(connection, self._site, now, days["face"]))}
        for kind in catalogue.PRIVACY:
            gone[kind] = gone.get(kind, 0)
            while touched := self._do(lambda connection, kind=kind: self._purge_kind(connection, now, kind, days[kind])):
                gone[kind] += touched
        return gone

    def _purge_kind(self, connection, now, kind, days):
        return upkeep.purge_kind(connection, self._site, now, kind, days, self._table_of, self._vault)

    # What became of them

    def state(self, table, identity, platform):
        """Return the state of the record known by that identity, "accepted" once it is registered whatever was put since; None
        when it is unknown or was deleted. Where several are known by it (who entered twice) the accepted one counts."""
        record, name = schema.RECORD.c, schema.NAME.c
        mine = select(record.state, record.accepted_ms, record.deletion).join(schema.NAME, name.record_id == record.id)
        wanted = mine.where(name.identity == self._hash(platform, table, identity), record.revision == 0)
        with self._reads.connect() as connection:
            rows = connection.execute(wanted.order_by(record.id)).all()
        there = [row for row in rows if not (row.deletion and row.state == journal.ACCEPTED)]
        if any(row.accepted_ms is not None for row in there):
            return journal.ACCEPTED
        return there[-1].state if there else None

    def states(self, table, platform):
        """Return a function identity → state, which tells what `state` would have told now: for very many questions."""
        record, name = schema.RECORD.c, schema.NAME.c
        known = select(name.identity, record.state, record.accepted_ms, record.deletion).join_from(schema.NAME, schema.RECORD)
        mine = known.where(record.table_key == table, record.platform == platform, record.revision == 0).order_by(record.id)
        told = {}
        with self._reads.connect() as connection:
            for identity, now, accepted_ms, deletion in connection.execute(mine):
                if not (deletion and now == journal.ACCEPTED) and told.get(identity) != journal.ACCEPTED:
                    told[identity] = now if accepted_ms is None else journal.ACCEPTED
        return lambda identity: told.get(self._hash(platform, table, identity))

    def find(self, *, state=None, table=None, platform=None, ids=None, limit=1000, after=0):
        """Return Lines, oldest id first, those after the id `after`; each filter left out lets all through."""
        record = schema.RECORD.c
        wanted = select(schema.RECORD).where(record.site == self._site, record.id > after)
        for column, value in ((record.state, state), (record.table_key, table), (record.platform, platform)):
            wanted = wanted if value is None else wanted.where(column == value)
        wanted = wanted if ids is None else wanted.where(record.id.in_(ids))
        with self._reads.connect() as connection:
            rows = connection.execute(wanted.order_by(record.id).limit(limit)).all()
            waits = _waits_for(connection, [row.id for row in rows if row.state == journal.WAITING])
        return [self._line(row, waits.get(row.id, ())) for row in rows]

    def _line(self, row, waits_for):
        same = ("id", "platform", "state", "label", "happened_ms", "changed_ms", "attempts", "again_ms", "batch_no", "code")
        return Line(
            **{name: getattr(row, name) for name in same},
            table=row.table_key,
            message=self._opened(row.message),
            accepted_ms=row.accepted_ms,
            duplicates=row.duplicates,
            correction=row.revision > 0,
            deletion=bool(row.deletion),
            waits_for=tuple(waits_for),
            lease_ms=row.lease_ms,
        )

    def body(self, record_id):
        """Return a record's body as a dict, pictures as Attachments with their data while it is kept. KeyError: no such id."""
        with self._reads.connect() as connection:
            row = connection.execute(select(schema.RECORD).where(schema.RECORD.c.id == record_id)).one_or_none()
            if row is None:
                raise KeyError(record_id)
            files = delivery.media_of(connection, [record_id]).get(record_id, ())
        about = row.identity.encode()
        opened = {place: self._vault.open(data, about) for place, data in files}
        return content.parse(self._vault.open(row.body, about), opened)

    def original(self, correction_id):
        """Return the id of the record that a correction would change; None when it is no correction."""
        record = schema.RECORD.c
        same = select(record.identity).where(record.id == correction_id, record.revision > 0).scalar_subquery()
        with self._reads.connect() as connection:
            return connection.scalar(select(record.id).where(record.identity == same, record.revision == 0))

    def history(self, record_id):
        """Return the record's Moments, first to last."""
        line = schema.HISTORY.c
        with self._reads.connect() as connection:
            rows = connection.execute(select(schema.HISTORY).where(line.record_id == record_id).order_by(line.id)).all()
        return [
            Moment(row.at_ms, row.state, row.owner, row.attempt, row.batch_no, row.code, self._opened(row.message)) for row in rows
        ]

    def counts(self, platform=None):
        """Return state → records, and possible_duplicates: how often something was sent again without knowing whether it
        had arrived."""
        record = schema.RECORD.c
        of = [record.site == self._site] + ([record.platform == platform] if platform else [])
        counted = select(record.state, func.count(), func.coalesce(func.sum(record.duplicates), 0)).where(*of)
        with self._reads.connect() as connection:
            rows = connection.execute(counted.group_by(record.state)).all()
        found = dict.fromkeys(journal.STATES, 0) | {state: number for state, number, _ in rows}
        return found | {"possible_duplicates": int(sum(twice for _, _, twice in rows))}

    def sending_until_ms(self, platform=None):
        """Return when the last lease of what is being sent ends, None when nothing is: what a killed run had stays its own till
        then, and is treated as a lost answer by the next run after that."""
        record = schema.RECORD.c
        mine = [record.site == self._site, record.state == journal.SENDING]
        mine += [record.platform == platform] if platform else []
        with self._reads.connect() as connection:
            return connection.scalar(select(func.max(record.lease_ms)).where(*mine))

    def due_ms(self, platform, but=()):
        """Return when the next queued record may be sent, 0 for at once, None when none is queued. but: tables to leave."""
        record = schema.RECORD.c
        mine = [record.site == self._site, record.platform == platform, record.state == journal.QUEUED]
        mine += [record.table_key.not_in(but)] if but else []
        with self._reads.connect() as connection:
            return connection.scalar(select(func.min(record.again_ms)).where(*mine))


def _waits_for(connection, ids):
    parent, name, record = schema.PARENT.c, schema.NAME.c, schema.RECORD.c
    found = {}
    named = schema.PARENT.outerjoin(schema.NAME, name.identity == parent.identity)
    joined = named.outerjoin(schema.RECORD, (record.id == name.record_id) & (record.revision == 0))
    mine = select(parent.record_id, parent.table_key, record.label, record.state).select_from(joined)
    lacking = mine.where(parent.record_id.in_(ids), ~journal.THERE).order_by(parent.record_id, parent.table_key)
    for row in connection.execute(lacking):
        found.setdefault(row.record_id, []).append((row.table_key, row.label or "", row.state))
    return found
