"""What passes between the rooms: a row as it was read, and a record as it is known."""

from dataclasses import dataclass, field

from .problems import Place


@dataclass(slots=True)
class Row:
    """One row of a source. cells: heading → value as read (str, int, float, bool, date, datetime, list, None).

    problems: what was lost in reading it (an error cell, a formula without its value): they go into its record. With no
    cells there is nothing else to check. columns: field name → heading, once the headings have been matched."""

    place: Place
    cells: dict
    problems: list = field(default_factory=list)
    columns: dict = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Attachment:
    """A picture or document: the name it is known by and where it lies. data: its prepared bytes, once prepared
    (right way up, without metadata, under its limit); media: its MIME type."""

    name: str
    path: str = ""
    data: bytes = b""
    media: str = ""


@dataclass(slots=True)
class Record:
    """One record of one table. values: field name → str (codes too), int, Decimal, float, date, datetime, Attachment or list
    of dicts, only what is known. derived: the fields reckoned from others; given: those from the site's profile.
    problems: everything found; a record with a grave one is never sent."""

    platform: str
    table: str
    values: dict
    place: Place = field(default_factory=Place)
    derived: set = field(default_factory=set)
    given: set = field(default_factory=set)
    problems: list = field(default_factory=list)

    @property
    def sound(self):
        """True when nothing found forbids to send it."""
        return not any(problem.grave for problem in self.problems)


@dataclass(frozen=True)
class Prepared:
    """A sound record ready for the outbox.

    body: what the platform gets, keys in the document's order; leaves are str, int, float, bool, None, or an
    Attachment with its prepared data where the picture's text goes. identity: the texts of the table's identity fields, in its
    order: which record of the world this is. parents: (table's key, that record's identity) it must follow; a part of an
    identity that a child can't know (on which day the person entered) is None. known_as: the identities with None by which
    children name this record. label: for screens, masked. happened_ms: when it happened, or None.
    """

    platform: str
    table: str
    body: dict
    identity: tuple
    parents: tuple = ()
    label: str = ""
    happened_ms: int | None = None
    known_as: tuple = ()
