"""Jiangsu's database collection: rows are drawn from the unit's own database, and what is due is known.

A query a table, written by the site, gives columns named like the table's fields (or its aliases). `:since` in it makes it
incremental: `updateDate` is a day, so it means from the last day on, that day again, and the outbox drops what it has seen. Only
a query run whole may delete: what was accepted before under an ID that is gone from the source is deleted there too.
The marks (how far each table was drawn, and when) lie in the outbox's database.
"""

import json
import secrets
from dataclasses import dataclass, replace
from datetime import date, timedelta

from sqlalchemy import Column, Date, MetaData, String, Table, create_engine, inspect, select, text
from sqlalchemy.exc import SQLAlchemyError

from . import gathering
from . import site as sites
from .desk import DeskError, Result
from .outbox import ACCEPTED, QUEUED
from .problems import Place
from .record import Prepared, Row

_metadata = MetaData()
_marks = Table(
    "collect_mark",
    _metadata,
    Column("site", String(64), primary_key=True),
    Column("table_key", String(64), primary_key=True),
    Column("drawn_to", Date),
    Column("run_day", Date),
    Column("whole_day", Date),
)


class CollectError(DeskError):
    """The source can't be read; the text names the query and what the database said, never its address."""


@dataclass(frozen=True)
class Mark:
    """How far a table was drawn (its newest updateDate), the last day it was, and the last day it was whole."""

    drawn_to: date | None = None
    run_day: date | None = None
    whole_day: date | None = None


class Marks:
    """The marks of one site, in the database of that SQLAlchemy engine."""

    def __init__(self, engine, site):
        self._engine, self._site = engine, site
        _metadata.create_all(engine)

    def get(self, table_key):
        """Return the Mark of a table; an empty one before its first run."""
        query = select(_marks).where(_marks.c.site == self._site, _marks.c.table_key == table_key)
        with self._engine.connect() as connection:
            row = connection.execute(query).first()
        return Mark(row.drawn_to, row.run_day, row.whole_day) if row else Mark()

    def set(self, table_key, mark):
        """Keep the Mark of a table."""
        key = {"site": self._site, "table_key": table_key}
        new = {"drawn_to": mark.drawn_to, "run_day": mark.run_day, "whole_day": mark.whole_day}
        with self._engine.begin() as connection:
            connection.execute(_marks.delete().where(_marks.c.site == self._site, _marks.c.table_key == table_key))
            connection.execute(_marks.insert().values(**key, **new))


def due(tables, mark_of, today):
    """Return the keys of the tables that are to be reported: daily ones not drawn today, weekly ones not drawn this week.

    tables: of the catalogue; mark_of: table key → Mark. A week begins on Monday.
    """
    monday = today - timedelta(days=today.weekday())
    since = {"daily": today, "weekly": monday}
    wanted = ((one.key, since[one.frequency]) for one in tables if one.frequency in since)
    return [key for key, start in wanted if (mark_of(key).run_day or date.min) < start]


class Source:
    """The unit's database. url: SQLAlchemy's; queries: table key → SQL."""

    def __init__(self, url, queries):
        try:
            self._engine = create_engine(url)
        except (SQLAlchemyError, ImportError) as error:
            raise CollectError(f"the source's address can't be used: {type(error).__name__}") from None
        self._queries = queries

    def rows(self, table_key, since=None):
        """Yield each Row of a table's query, from the day `since` on where the query can, else whole.

        Returns through the rows only; ask `incremental` whether a query takes `since`. Raises CollectError.
        """
        query = self._queries.get(table_key)
        if query is None:
            raise CollectError(f"[collect.queries] has no {table_key}")
        words = {"since": since or date.min} if self.incremental(table_key) else {}
        try:
            with self._engine.connect() as connection:
                result = connection.execution_options(yield_per=500).execute(text(query), words)
                for number, row in enumerate(result.mappings(), 1):
                    yield Row(Place(f"[collect] {table_key}", "", number), dict(row))
        except SQLAlchemyError as error:
            said = str(getattr(error, "orig", "") or type(error).__name__)
            raise CollectError(f"{table_key}: {said.splitlines()[0][:200]}") from None

    def incremental(self, table_key):
        """Return whether that query takes `:since`."""
        return ":since" in self._queries.get(table_key, "")

    def close(self):
        """Give the connections back."""
        self._engine.dispose()


class Target:
    """A database of the authority's own form: a table for each of the nine, its fields and the five common ones.

    Loading replaces a row of the same ID; a deletion keeps the row, marked D, as the interface would send it.
    """

    def __init__(self, url):
        self._engine = create_engine(url)
        self._tables = {}

    def load(self, table, bus_type, batch_no, bodies):
        """Load these bodies (field → value, with ID and updateDate) in one transaction, and return how many."""
        target = self._table(table)
        by_id = target.c.ID
        rows = [self._row(table, bus_type, batch_no, body) for body in bodies]
        with self._engine.begin() as connection:
            for row in rows:
                connection.execute(target.delete().where(by_id == row["ID"]))
                connection.execute(target.insert().values(**row))
        return len(rows)

    def _row(self, table, bus_type, batch_no, body):
        common = {"batchNo": batch_no, "txCode": table.code, "busType": bus_type}
        return {name: None if value is None else str(value) for name, value in body.items()} | common

    def _table(self, table):
        if table.key not in self._tables:
            names = [one.name for one in table.fields if one.name != "ID"] + ["batchNo", "txCode", "busType"]
            columns = [Column("ID", String(64), primary_key=True), *(Column(name, String) for name in names)]
            made = Table(table.key, MetaData(), *columns)
            if not inspect(self._engine).has_table(table.key):
                made.create(self._engine)
            self._tables[table.key] = made
        return self._tables[table.key]

    def close(self):
        """Give the connections back."""
        self._engine.dispose()


@dataclass(frozen=True)
class Drawn:
    """What one table's collection came to. result: the desk's Result; changed: rows whose content was reported otherwise
    before; deleted: rows gone from the source. whole: whether the query was run from the beginning. failed: why it could not be
    drawn to its end: its mark then stays where it was."""

    table: str
    result: object
    changed: int
    deleted: int
    whole: bool
    failed: str = ""


def draw(desk, keys, *, whole=False, on_row=None):
    """Draw those tables from the unit's database into the outbox; yield a Drawn for each, its mark kept.

    What changed in the source replaces what was reported under the same ID: the database is the unit's own word. whole: run
    incremental queries from the beginning too. A table whose query fails, or gives nothing where there was something, holds up no
    other. CollectError where no source is named.
    """
    plan, today = desk.site.collect, desk.now().date()
    if not plan.source:
        raise CollectError('[collect] source = "env:NAME": 没有写从哪里取 (no source is named)')
    source = Source(sites.resolve(plan.source, desk.site.directory), plan.queries)
    marks = Marks(desk.store.engine, desk.site.name)
    try:
        for key in (one for one in keys if one in plan.queries):  # a table without a query is reported in another way
            mark = marks.get(key)
            try:
                drawn, newest = _draw(desk, desk.table(key), source, None if whole else mark.drawn_to, on_row)
            except CollectError as error:
                yield Drawn(key, Result(), 0, 0, False, str(error))
                continue
            now = replace(mark, drawn_to=max(newest, mark.drawn_to or date.min), run_day=today)
            marks.set(key, replace(now, whole_day=today) if drawn.whole else now)
            yield drawn
    finally:
        source.close()


def _draw(desk, table, source, since, on_row):
    whole = since is None or not source.incremental(table.key)
    seen, newest = set(), [date.min]

    def noted(named):
        for row in named:
            seen.add(str(row.cells.get("ID")))
            newest[0] = max(newest[0], _day(row.cells.get("updateDate")))
            yield row

    part = gathering.Part(table, noted(gathering.named(source.rows(table.key, since), table, desk.site)))
    result = desk.add_parts([part], on_row=on_row)
    for correction in result.held:
        desk.store.confirm(correction)
    deleted = _delete_gone(desk, table, seen) if whole else 0
    return Drawn(table.key, result, len(result.held), deleted, whole), newest[0]


def _day(value):
    if isinstance(value, date):
        return date(value.year, value.month, value.day)
    try:
        return date.fromisoformat(str(value)[:10])
    except ValueError:
        return date.min


def _delete_gone(desk, table, seen):
    """Put a deletion for each record that was accepted and is gone from the source; return how many."""
    kept = [(one, desk.store.body(one.id)) for one in desk.lines(table=table.key, state=ACCEPTED) if not one.deletion]
    gone = [body for _, body in kept if body["ID"] not in seen]
    if gone and not seen:
        raise CollectError(f"{table.key}: 查询没有给出一行，却有 {len(kept)} 条报过；不作删除，请核对查询 (the query gave no row)")
    for body in gone:
        content = {"ID": body["ID"], "updateDate": desk.now().date().isoformat()}
        put = desk.store.put(Prepared(table.platform, table.key, content, (body["ID"],), label=body["ID"]), deletion=True)
        if put.outcome == "correction":
            desk.store.confirm(put.id)
    return len(gone)


def load(desk, rows=500):
    """Load what the outbox holds into the target database, batch by batch; yield (table's key, rows) of each.

    A batch that fails stays queued. CollectError when the target can't be written.
    """
    plan = desk.site.collect
    if not plan.target:
        raise CollectError('[collect] target = "env:NAME": 没有写入库到哪里 (no target is named)')
    target, owner = Target(sites.resolve(plan.target, desk.site.directory)), f"load {secrets.token_hex(4)}"
    try:
        while items := desk.store.claim(owner, desk.site.platform, rows, batch=True):
            yield items[0].table, _load(desk, target, items)
    finally:
        target.close()


def _load(desk, target, items):
    lead, state = items[0], QUEUED
    try:
        bodies = [json.loads(item.content()) for item in items]
        number = target.load(desk.platform.tables[lead.table], lead.operation, lead.batch_no, bodies)
        state = ACCEPTED
    except SQLAlchemyError as error:
        said = str(getattr(error, "orig", "") or type(error).__name__)
        raise CollectError(f"{lead.table}: {said.splitlines()[0][:200]}") from None
    finally:
        for item in items:
            desk.store.settle(item, state)
    return number
