"""The one way in for programs: a site's desk, where records are checked, put into the outbox and sent.

    from hanma.upload.desk import Desk

    with Desk("sites/demo.toml") as desk:
        result = desk.add(["考勤.xlsx"])      # every row is checked; the sound ones are in the outbox
        for record in result.faulty: ...      # record.place, record.problems
        summary = desk.send()                 # until nothing is left that can go

Rows go through one at a time; what is kept is what is wrong. Nothing here prints.
"""

import asyncio
import os
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone

from . import body, catalogue, checking, gathering, images, outbox, privacy, reading
from . import site as sites
from .problems import ERROR, Place
from .record import Record, Row
from .sending import jiangsu, shantou, transport, worker

SHANGHAI = timezone(timedelta(hours=8))
_NONE = (frozenset(), frozenset())
_ASKED = ("team", "risk")  # the tables whose records others' rules look at
# Pictures are decoded beside the checking of the next rows; few at once, for a large one takes 200 MB unpacked.
_MAKERS = min(4, os.cpu_count() or 1)
_AHEAD = 4 * _MAKERS
_CLIENTS = {"shantou": shantou.Shantou, "jiangsu": jiangsu.Jiangsu}


class DeskError(Exception):
    """What was asked can't be done here; the text says why."""


class _Stopped(Exception):
    """A picture that can't be sent stops its record. problems: why."""

    def __init__(self, problems):
        self.problems = problems


@dataclass
class Result:
    """What became of the rows of some files. problems: of headings and files; faulty: (Row, Record) of each row with an
    error or a warning, the record without its values: there may be very many; unread: files that could not be read, or not to
    their end; bodies: the exact texts, where they were asked for; held: ids of corrections to confirm."""

    read: int = 0
    unread: int = 0
    sound: int = 0
    new: int = 0
    same: int = 0
    busy: int = 0
    notes: int = 0
    held: list = field(default_factory=list)
    problems: list = field(default_factory=list)
    faulty: list = field(default_factory=list)
    bodies: list = field(default_factory=list)

    @property
    def errors(self):
        """How many rows can't go out."""
        return sum(not record.sound for _, record in self.faulty)

    @property
    def fine(self):
        """True when everything that was read may go out."""
        return not self.errors and not any(one.grave for one in self.problems)


class Desk:
    """One site's desk. profile: the path of its TOML file, or a Site. clock: → aware datetime, for tests."""

    def __init__(self, profile, *, clock=None):
        self.site = profile if isinstance(profile, sites.Site) else sites.load(profile)
        try:
            self.platform = catalogue.load(self.site.platform)
            self.platform.chosen(self.site.settings)
        except (KeyError, ValueError) as error:
            raise DeskError(error.args[0]) from None
        self.now = clock or (lambda: datetime.now(SHANGHAI))
        self._store = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        """Let the outbox go."""
        if self._store is not None:
            self._store.close()
            self._store = None

    @property
    def store(self):
        """The site's outbox, opened when it is first asked for."""
        if self._store is None:
            vault = privacy.Vault(privacy.load_key(self.site))
            days = self.site.retention_days
            self._store = outbox.open(self.site.store_url, vault, site=self.site.name, retention=days)
        return self._store

    @property
    def has_store(self):
        """True when the outbox is open or can be: its key is there."""
        if self._store is None:
            try:
                privacy.load_key(self.site)
            except privacy.PrivacyError:
                return False
        return True

    def table(self, name):
        """Return the table of that key or Chinese title. DeskError names those there are."""
        for one in self.platform.tables.values():
            if name in (one.key, one.title, one.code):
                return one
        known = "、".join(f"{one.key} {one.title}" for one in self.platform.tables.values())
        raise DeskError(f"{name}: {self.platform.title} 的表有：{known}")

    # In

    def validate(self, paths, table=None, *, bodies=False, on_row=None):
        """Check every row of the files and return a Result; nothing is kept. bodies: give the exact texts too.

        Pictures are looked at as they would be for sending. on_row(Result) is called after each row.
        """
        return self._take(paths, table, on_row, bodies=bodies)

    def add(self, paths, table=None, *, on_row=None):
        """Check every row, put the sound ones into the outbox and return a Result; what is faulty is left out."""
        return self._take(paths, table, on_row, put=self.store.put_later)

    def add_rows(self, table, rows):
        """Check and put records of one table given as dicts (field or Chinese name → value); return a Result."""
        one = self.table(table)
        made = [Row(Place("", "", number), dict(cells)) for number, cells in enumerate(rows, 1)]
        return self.add_parts([gathering.Part(one, gathering.named(made, one, self.site))])

    def add_parts(self, parts, result=None, *, on_row=None):
        """Check and put gathered Parts, as `add` does the parts of a file; return the Result."""
        return self._take_parts(parts, result or Result(), on_row, put=self.store.put_later)

    def validate_parts(self, parts, result=None, *, bodies=False, on_row=None):
        """Check gathered Parts, as `validate` does the parts of a file; return the Result."""
        return self._take_parts(parts, result or Result(), on_row, bodies=bodies)

    def adopt(self, paths, table=None):
        """Note the sound records of the files as registered before this tool came; return (Result, what became
        of them: a Counter of new, taken, known and busy, as Store.adopt tells them)."""
        taken = []
        result = self._take(paths, table, None, keep=taken.append, look=False)
        return result, self.store.adopt(taken)

    def _take(self, paths, table, on_row, **how):
        result = Result()
        wanted = self.table(table) if table else None
        for path in paths:
            try:
                parts = gathering.gather(path, self.platform, self.site, wanted)
            except reading.ReadingError as error:
                result.unread += 1
                result.problems.append(error.problem)
                continue
            self._take_parts(parts, result, on_row, **how)
        return result

    def _take_parts(self, parts, result, on_row, **how):
        with _Taking(self, result, on_row, **how) as taking:
            for part in parts:
                result.problems += part.problems
                if not any(one.grave for one in part.problems):
                    taking.part(part)
        return result

    def known(self, table, identity):
        """Return what the outbox knows of a record: its state, or None."""
        return self.store.state(table, identity, self.site.platform)

    def states(self, table):
        """Return a function identity → state of what the outbox knows of a table now, None for each where there is none."""
        return self.store.states(table, self.site.platform) if self.has_store else lambda identity: None

    def lines(self, **wanted):
        """Yield every Line of the outbox that fits (state, table, platform), however many there are."""
        after = 0
        while page := self.store.find(after=after, **wanted):
            yield from page
            after = page[-1].id

    def image(self, attachment, one):
        """Return the Attachment with its data, ready to be sent."""
        ready, found = images.prepare(attachment, one, self.site.directory / self.site.photos)
        if any(problem.grave for problem in found):
            raise _Stopped(found)
        return ready

    # Out

    def client(self):
        """Return (Transport, client) of the site's platform. DeskError where its document has no interface."""
        make = _CLIENTS.get(self.site.platform)
        if self.site.platform == "chongqing":
            raise DeskError("重庆的作业用 hanma upload jobs report 上报 (jobs are reported with `hanma upload jobs report`)")
        if make is None:
            raise DeskError(f"{self.platform.title}：文件没有接口，不能自动上传 (the document has no interface)")
        road = transport.Transport(self.site.server)
        return road, make(self.site, road)

    def send(self, *, once=True, on_progress=None):
        """Send what the outbox holds; return the worker's Summary. Ctrl-C ends it after what is in the air."""

        async def run(stop):
            road, client = self.client()
            try:
                return await worker.run(self.site, self.store, client, once=once, stop=stop, on_progress=on_progress)
            finally:
                await road.close()

        return worker.run_until_interrupted(run)

    def check_token(self):
        """Ask for a token and have it checked; return the client's answer. DeskError where none was given."""

        async def run():
            road, client = self.client()
            try:
                return await client.check()
            except transport.TokenError as error:
                words = "请核对 [credentials] 指的内容和 [server] url (check the credentials and the address)"
                raise DeskError(f"平台没有给令牌 (no token): {error.answer.code} {error.answer.message}。{words}") from None
            except (transport.NotSent, transport.Uncertain) as error:
                words = "请核对网络和 [server] url (check the network and the address)"
                raise DeskError(f"连不上平台 (no answer): {error}。{words}") from None
            finally:
                await road.close()

        return asyncio.run(run())


class _Known:
    """What a check may ask beyond its row: the outbox, where there is one, and the sound records of this run."""

    def __init__(self, desk):
        self._desk, self._identities, self._bodies, self._states = desk, set(), {}, {}

    def note(self, prepared):
        """Remember a sound record of this run."""
        names = {prepared.identity, *prepared.known_as}
        self._identities |= {(prepared.table, one) for one in names}
        if prepared.table in _ASKED:
            self._bodies.setdefault(prepared.table, []).append(prepared.body)

    def __call__(self, table, identity):
        if (table, identity) in self._identities:
            return outbox.QUEUED
        if table not in self._states:
            self._states[table] = self._desk.states(table)
        return self._states[table](identity)

    def others(self, table):
        """Return the bodies of a table's records that went out before or go with this run."""
        kept = []
        if self._desk.has_store and table in self._desk.platform.tables:
            lines = self._desk.lines(table=table)
            kept = [self._desk.store.body(one.id) for one in lines if one.state != outbox.REFUSED and not one.correction]
        return kept + self._bodies.get(table, [])


class _Taking:
    """Rows on their way from a file's part into a Result: checked one after the other, their pictures made by several threads,
    and dealt with in their order."""

    def __init__(self, desk, result, on_row, *, put=None, keep=None, bodies=False, look=True):
        self._desk, self._result, self._on_row = desk, result, on_row
        self._known = _Known(desk)
        self._put, self._keep, self._bodies, self._look = put, keep, bodies, look
        self._pool = ThreadPoolExecutor(_MAKERS, "pictures")
        self._making, self._waiting = deque(), deque()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._pool.shutdown(cancel_futures=True)

    def part(self, part):
        """Take every row of a part."""
        desk = self._desk
        checker = checking.Checker(part.table, desk.site, desk.now(), self._known)
        ahead = 0 if part.table.key in _ASKED else _AHEAD
        try:
            for row in part.rows:
                self._check(part.table, row, checker)
                self._finish(ahead)
                if self._on_row:
                    self._on_row(self._result)
        except reading.ReadingError as error:  # the file is read as it goes: its damage may lie further down
            self._result.unread += 1
            self._result.problems.append(error.problem)
        self._finish(0)
        self._settle(0)

    def _check(self, table, row, checker):
        record = checker.record(row)
        self._result.read += 1
        image = self._desk.image if self._look else None
        made = self._pool.submit(body.prepare, record, table, self._desk.site, image) if record.sound else None
        self._making.append((row, record, made))

    def _finish(self, left):
        """Deal with the rows that were checked, in their order, but for so many whose pictures may still be in the making."""
        while len(self._making) > left:
            row, record, made = self._making.popleft()
            put = self._sound(record, made) if made else None
            told = [one for one in record.problems if (one.severity or one.rule.severity) != "note"]
            notes = len(record.problems) - len(told)
            if put:
                self._waiting.append((put, notes))
                self._settle(32)
            else:
                self._result.notes += notes
            self._result.sound += record.sound
            if told:
                bare = Record(record.platform, record.table, {}, record.place, *_NONE, record.problems)
                self._result.faulty.append((row, bare))

    def _sound(self, record, made):
        """Do with a sound record what is to be done; return the Future of its Put where it is put."""
        try:
            prepared = made.result()
        except _Stopped as stopped:
            record.problems += stopped.problems
            return None
        self._known.note(prepared)
        if self._bodies:
            self._result.bodies.append(body.encode(prepared.body))
        if self._keep:
            self._keep(prepared)
        return self._put(prepared) if self._put else None

    def _settle(self, left):
        """Count what became of the records put, but for so many that may still be on their way to the disk. What was tidied in a
        row that is there already was told when it came."""
        while len(self._waiting) > left:
            future, notes = self._waiting.popleft()
            put = future.result()
            self._result.notes += 0 if put.outcome == "same" else notes
            if put.outcome == "correction":
                self._result.held.append(put.id)
            else:
                setattr(self._result, put.outcome, getattr(self._result, put.outcome) + 1)


def severity(problem):
    """Return how grave a problem is here: error, warning or note."""
    return problem.severity or problem.rule.severity or ERROR
