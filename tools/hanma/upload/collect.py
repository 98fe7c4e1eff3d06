"""Jiangsu's database collection: rows are drawn from the unit's own database, and what is due is known.

A query a table, written by the site, gives columns named like the table's fields (or its aliases). `:since` in it makes it
incremental: `updateDate` is a day, so it means from the last day on, that day again, and the outbox drops what it has seen. Only
a query run whole may delete: what was accepted before under an ID that is gone from the source is deleted there too.
The marks (how far each table was drawn, and when) lie in the outbox's database.
"""

from dataclasses import dataclass
from datetime import date, timedelta

from sqlalchemy import Column, Date, MetaData, String, Table, create_engine, inspect, select, text
from sqlalchemy.exc import SQLAlchemyError

from .problems import Place
from .record import Row

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


class CollectError(Exception):
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
