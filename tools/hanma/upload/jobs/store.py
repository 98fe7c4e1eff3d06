"""What is known of jobs, on disk: facts, the terminals' record numbers, how far each source was read, and people.

Its tables lie in the outbox's database. Facts are only ever added; each is there once, by an HMAC of its text. Bodies are
sealed by the vault, people are found by HMACs of their references. A call that writes has written to the disk when it returns:
facts and the mark of how far their source was read are one transaction. Times are milliseconds since 1970.
"""

import json
import time
from collections import defaultdict
from itertools import islice
from typing import NamedTuple

from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, MetaData, String, Table, Text, delete, select

from ...jobs import Welder
from ..outbox.schema import engines, insert
from .facts import fact_from, text_of
from .merging import merge

_MOST = 1000  # starts of a terminal and numbers of a start that gaps look at: a mad count must not fill the memory

META = MetaData()
_ID = BigInteger().with_variant(Integer, "sqlite")
FACT = Table(
    "job_fact",
    META,
    Column("id", _ID, primary_key=True, autoincrement=True),
    Column("digest", String(64), nullable=False, unique=True),
    Column("site", String, nullable=False),
    Column("kind", String(10), nullable=False),
    Column("heard_ms", BigInteger, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Index("job_fact_kind", "site", "kind"),
)
NUMBER = Table(
    "job_number",
    META,
    Column("site", String, primary_key=True),
    Column("device", String, primary_key=True),
    Column("boot", BigInteger, primary_key=True, autoincrement=False),
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("dropped", Text),
)
MARK = Table("job_mark", META, Column("source", String(64), primary_key=True), Column("place", Text, nullable=False))
PERSON = Table(
    "job_person", META, Column("ref", String(64), primary_key=True), Column("body", LargeBinary, nullable=False)
)
THEIR_ID = Table(
    "job_their_id", META, Column("ours", String(64), primary_key=True), Column("body", LargeBinary, nullable=False)
)


class Gap(NamedTuple):
    """Records of one start of a terminal that have not come. missing: their numbers; none where nothing of that start came.
    dropped: of the rest, those that the terminal says it dropped for want of room."""

    device: str
    boot: int
    missing: tuple
    dropped: tuple = ()


class JobStore:
    """One site's store in the database at `url` (the outbox's). vault: what seals and makes look-up keys."""

    def __init__(self, url, vault, site="", clock_ms=lambda: time.time_ns() // 1_000_000):
        self._writing, self._reading = engines(url)
        self._vault, self._site, self._clock_ms = vault, site, clock_ms
        with self._writing.begin() as connection:
            META.create_all(connection)

    def close(self):
        """Give the connections back."""
        for engine in {self._writing, self._reading}:
            engine.dispose()

    # ---- facts

    def take(self, facts, numbers=(), mark=None):
        """Keep facts and record numbers, and mark = (source, place) how far the source was read with them; all or nothing.
        Returns how many facts were new."""
        new = 0
        with self._writing.begin() as connection:
            for fact in facts:
                new += self._add(connection, fact)
            for number in numbers:
                self._count(connection, number)
            if mark:
                self._put(connection, MARK, "source", self._key(mark[0]), place=json.dumps(mark[1]))
        return new

    def facts(self, *kinds):
        """Return every fact, or those of the kinds named (`switched`, `ordered`, `answered`, `said`, `stated`)."""
        query = select(FACT.c.body).where(FACT.c.site == self._site).order_by(FACT.c.id)
        if kinds:
            query = query.where(FACT.c.kind.in_(kinds))
        with self._reading.begin() as connection:
            return [fact_from(self._vault.open(body)) for (body,) in connection.execute(query)]

    def merged(self):
        """Return the Merged of all facts about jobs."""
        return merge(self.facts("switched", "ordered", "answered", "said"))

    def mark(self, source):
        """Return the place up to which a source was read, None when it never was."""
        query = select(MARK.c.place).where(MARK.c.source == self._key(source))
        with self._reading.begin() as connection:
            place = connection.execute(query).scalar()
        return json.loads(place) if place else None

    def gaps(self):
        """Return a Gap for each start of a terminal of which records have not come (yet). What was before the first record
        ever heard of a terminal is not asked for."""
        seen, dropped = defaultdict(set), defaultdict(list)
        with self._reading.begin() as connection:
            rows = select(NUMBER.c.device, NUMBER.c.boot, NUMBER.c.seq, NUMBER.c.dropped).where(NUMBER.c.site == self._site)
            for device, boot, seq, text in connection.execute(rows):
                seen[device].add((boot, seq))
                if text:
                    first, last, count = json.loads(text)
                    dropped[device].append((tuple(first), tuple(last), count))
        return [gap for device in sorted(seen) for gap in _gaps(device, seen[device], dropped[device])]

    def _add(self, connection, fact):
        text = text_of(fact)
        row = {"digest": self._key(text), "site": self._site, "kind": fact.fact, "heard_ms": self._clock_ms()}
        body = self._vault.seal(text.encode())
        done = connection.execute(insert(connection, FACT).values(**row, body=body).on_conflict_do_nothing())
        return done.rowcount

    def _key(self, text):
        """The look-up key of a text of this site's."""
        return self._vault.lookup(f"{self._site}\n{text}")

    def _count(self, connection, number):
        row = {"site": self._site, **number.model_dump(mode="json")}
        row["dropped"] = json.dumps(row["dropped"]) if row["dropped"] else None
        connection.execute(insert(connection, NUMBER).values(**row).on_conflict_do_nothing())

    @staticmethod
    def _put(connection, table, key, value, **fields):
        row = insert(connection, table).values(**{key: value}, **fields)
        connection.execute(row.on_conflict_do_update(index_elements=[key], set_=fields))

    # ---- people, and what the platform calls things

    def put_person(self, person):
        """Keep a person (hanma.jobs.Welder; a guardian is one without certificates), in place of one of the same reference."""
        body = self._vault.seal(person.model_dump_json().encode())
        with self._writing.begin() as connection:
            self._put(connection, PERSON, "ref", self._key(f"person\n{person.ref}"), body=body)

    def person(self, ref):
        """Return the person of that reference, or None."""
        body = self._body(PERSON.c.ref, PERSON, f"person\n{ref}")
        return None if body is None else Welder.model_validate_json(body)

    def forget_person(self, ref):
        """Forget a person, and what the platform calls them."""
        with self._writing.begin() as connection:
            connection.execute(delete(PERSON).where(PERSON.c.ref == self._key(f"person\n{ref}")))
            ours = [self._key(f"{kind}\n{ref}") for kind in ("welder", "guardian")]
            connection.execute(delete(THEIR_ID).where(THEIR_ID.c.ours.in_(ours)))

    def keep_id(self, kind, ours, theirs):
        """Keep the platform's id of a "device", "unit", "welder" or "guardian" of ours."""
        body = self._vault.seal(str(theirs).encode())
        with self._writing.begin() as connection:
            self._put(connection, THEIR_ID, "ours", self._key(f"{kind}\n{ours}"), body=body)

    def their_id(self, kind, ours):
        """Return the platform's id, None while it was not looked up."""
        body = self._body(THEIR_ID.c.ours, THEIR_ID, f"{kind}\n{ours}")
        return None if body is None else body.decode()

    def _body(self, column, table, text):
        with self._reading.begin() as connection:
            sealed = connection.execute(select(table.c.body).where(column == self._key(text))).scalar()
        return None if sealed is None else self._vault.open(sealed)


def _gaps(device, seen, dropped):
    first = min(seen)
    starts = defaultdict(set)
    for boot, seq in seen:
        starts[boot].add(seq)
    for boot in islice(range(first[0], max(starts) + 1), _MOST):
        numbers = starts.get(boot)
        if numbers is None:
            yield Gap(device, boot, ())
            continue
        start = first[1] if boot == first[0] else 1
        missing = list(islice((seq for seq in range(start, max(numbers)) if seq not in numbers), _MOST))
        told = _told(boot, missing, dropped)
        if missing:
            yield Gap(device, boot, tuple(seq for seq in missing if seq not in told), tuple(sorted(told)))


def _told(boot, missing, dropped):
    """Which of the missing the terminal told of. It names a rank's first, last and count: what lies between may be of another
    rank, so all of it counts as told only where there is no more of it than was dropped."""
    told = set()
    for first, last, count in dropped:
        between = {seq for seq in missing if first <= (boot, seq) <= last}
        ends = {seq for one, seq in (first, last) if one == boot}
        told |= between if len(between) <= count else between & ends
    return told
