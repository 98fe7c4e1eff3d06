"""The outbox's tables, the same on SQLite and PostgreSQL, and how either is opened.

Times are integer milliseconds since 1970. Columns named `body`, `data` and `message` hold sealed bytes; `identity` and
`content` are HMACs; `label` is masked before it gets here. A record's revision is 0; a correction that waits for
the clerk has one above.
"""

import os
from pathlib import Path

from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    create_engine,
    event,
    func,
    make_url,
    select,
)
from sqlalchemy.dialects import postgresql, sqlite

_BUSY_MS = 30_000  # as long as another process may hold SQLite's one write lock
_PRAGMAS = (
    f"busy_timeout={_BUSY_MS}",
    "journal_mode=WAL",
    "synchronous=FULL",
    "foreign_keys=ON",
    # Some builds write zeros over all that is deleted, four times the work of a commit here; a picture's pages are sealed
    # already, and are used again.
    "secure_delete=OFF",
)
_CREATING = 0x68616E6D61  # the advisory lock under which PostgreSQL's tables are made

META = MetaData()
_ID = BigInteger().with_variant(Integer, "sqlite")


def _of_record(**more):
    return Column("record_id", _ID, ForeignKey("record.id", ondelete="CASCADE"), nullable=False, **more)


RECORD = Table(
    "record",
    META,
    Column("id", _ID, primary_key=True, autoincrement=True),
    Column("site", String, nullable=False),
    Column("platform", String, nullable=False),
    Column("table_key", String, nullable=False),
    Column("identity", String(64), nullable=False),
    Column("revision", Integer, nullable=False, default=0),
    Column("content", String(64), nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("label", Text, nullable=False, default=""),
    Column("happened_ms", BigInteger),
    Column("order_ms", BigInteger, nullable=False),  # when it happened, else when it was put: what the queue goes by
    Column("put_ms", BigInteger, nullable=False),
    Column("changed_ms", BigInteger, nullable=False),
    Column("state", String(10), nullable=False),
    Column("deletion", Integer, nullable=False, default=0),
    Column("attempts", Integer, nullable=False, default=0),
    Column("again_ms", BigInteger, nullable=False, default=0),
    Column("owner", String),
    Column("lease_ms", BigInteger),
    Column("batch_no", String(16), nullable=False, default=""),
    Column("code", String, nullable=False, default=""),
    Column("message", LargeBinary, nullable=False, default=b""),
    Column("accepted_ms", BigInteger),  # what the authority has, whatever was put since
    Column("accepted_content", String(64)),
    Column("duplicates", Integer, nullable=False, default=0),
    Column("cleared", String, nullable=False, default=""),  # the privacy kinds whose time is over
    Index("record_identity", "identity", "revision", unique=True),
    Index("record_queue", "platform", "site", "state", "order_ms"),
    Index("record_batch", "batch_no", "state"),
)
MEDIA = Table(
    "media",
    META,
    _of_record(primary_key=True),
    Column("place", Integer, primary_key=True),
    Column("data", LargeBinary, nullable=False),
)
PARENT = Table(
    "parent",
    META,
    _of_record(primary_key=True),
    Column("identity", String(64), primary_key=True),
    Column("table_key", String, nullable=False),
    Index("parent_identity", "identity"),
)
NAME = Table(  # every identity a record is known by: its own, and those of which a child knows only a part
    "name",
    META,
    _of_record(primary_key=True),
    Column("identity", String(64), primary_key=True),
    Index("name_identity", "identity"),
)
HISTORY = Table(
    "history",
    META,
    Column("id", _ID, primary_key=True, autoincrement=True),
    _of_record(index=True),
    Column("at_ms", BigInteger, nullable=False),
    Column("state", String(10), nullable=False),
    Column("owner", String),
    Column("attempt", Integer, nullable=False, default=0),
    Column("batch_no", String(16), nullable=False, default=""),
    Column("code", String, nullable=False, default=""),
    Column("message", LargeBinary, nullable=False, default=b""),
)
COUNTER = Table("counter", META, Column("name", String, primary_key=True), Column("value", BigInteger, nullable=False))


def insert(connection, table):
    """Return the dialect's own INSERT, which knows ON CONFLICT."""
    return (postgresql if connection.dialect.name == "postgresql" else sqlite).insert(table)


def create(engine):
    """Make the tables that are not there; several processes may do so at once."""
    with engine.begin() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(select(func.pg_advisory_xact_lock(_CREATING)))
        META.create_all(connection)


def engines(url):
    """Return (an engine whose transactions write, one whose transactions only read). ValueError for another database."""
    url = make_url(url)
    if url.get_backend_name() == "postgresql":
        engine = create_engine(url.set(drivername="postgresql+psycopg"), hide_parameters=True, pool_pre_ping=True)
        return engine, engine
    if url.get_backend_name() != "sqlite" or not url.database or url.database == ":memory:":
        raise ValueError(f"{url.render_as_string()}: the outbox lies in sqlite:///FILE or postgresql+psycopg://…")
    _private_file(url.database)
    return _sqlite(url, "BEGIN IMMEDIATE"), _sqlite(url, "BEGIN")


def _private_file(path):
    """Make the file before SQLite does, so that nobody else ever could read it."""
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))


def _sqlite(url, begin):
    engine = create_engine(url, hide_parameters=True, connect_args={"timeout": _BUSY_MS / 1000, "check_same_thread": False})

    @event.listens_for(engine, "connect")
    def _connect(connection, _):
        connection.isolation_level = None  # the driver would begin by itself, and later than we want
        for pragma in _PRAGMAS:
            connection.execute(f"PRAGMA {pragma}").close()

    @event.listens_for(engine, "begin")
    def _begin(connection):
        connection.exec_driver_sql(begin)

    return engine
