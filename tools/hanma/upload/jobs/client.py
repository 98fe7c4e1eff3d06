"""Speaks the mapped interface: sends reports, looks up the platform's ids, asks for what it has.

State: none but the connection's, which is the transport's. What an answer means is the mapping's (`[answers]`): the document
says nothing of it. Times are milliseconds since 1970.
"""

import json

from .. import privacy
from ..problems import Problem, Rule
from ..sending.transport import Answer, NotSent, Uncertain, of_status
from . import mapping as mappings
from .reports import known_of, nested, rendered

NOT_FOUND = Rule(
    "id_not_found", "平台上没有{kind}“{ours}”", "the platform has no {kind} “{ours}”",
    "请先在平台登记", "Register it on the platform first",
)
AMBIGUOUS = Rule(
    "id_ambiguous", "平台上有{count}个{kind}“{ours}”，无法确定是哪一个", "the platform has {count} of {kind} “{ours}”: "
    "which is meant can't be told", "请在映射文件的 match 中加一项", "Add a field to the mapping's match",
)
NOT_ASKED = Rule(
    "id_not_asked", "{kind}“{ours}”缺少查询所需的资料：{fields}", "{kind} “{ours}” can't be looked up without {fields}",
    "补齐后再查", "Enter them first",
)
NOT_ANSWERED = Rule(
    "query_failed", "平台查询未成功：{told}", "the platform did not answer the query: {told}", "稍后再查", "Ask again later"
)
_MOST_PAGES = 10_000


class QueryError(Exception):
    """A query that brought no answer. answer: an Answer with its class and the platform's words."""

    def __init__(self, answer):
        super().__init__(f"{answer.code} {answer.message}".strip())
        self.answer = answer


class Chongqing:
    """One site's way to Chongqing's platform.

    mapping: mapping.Mapping. identities: a JobStore, where found ids are kept and people are known."""

    platform = mappings.PLATFORM
    batch_rows = 0  # one record a request

    def __init__(self, site, transport, mapping, identities):
        self._transport, self._mapping, self._store = transport, mapping, identities
        self.turn_s = transport.turn_s
        self._headers = {name: _header(site, header) for name, header in mapping.headers.items()}

    # ---- reports

    async def send(self, item):
        """Send one claimed Item; return an Answer. Never raises for what the network or the platform does."""
        report = self._mapping.reports[item.table]
        try:
            reply = await self._transport.post(report.path, item.content(), headers=self._headers)
        except NotSent as error:
            return Answer("queued", "network", "", str(error))
        except Uncertain as error:
            return Answer("uncertain", "network", "", str(error))
        answer = self._read(reply)
        number = value_at(reply.data, report.number) if answer.state == "accepted" and report.number else None
        if number is not None:
            self._store.keep_id(item.table, self._job_of(item), number)
        return answer

    async def ask(self, item):
        """Ask whether a report arrived whose answer was never heard. Returns the state: accepted, queued (it is not there and
        may be sent again), or uncertain (nobody can tell)."""
        query, job = self._mapping.queries.records, self._job_of(item)
        shows = query.present.get(item.table) if query else None
        if not shows or job is None:
            return "uncertain"
        try:
            rows = await self.records({"job": job})
        except QueryError:
            return "uncertain"
        mine = [row for row in rows if str(value_at(row, query.job)) == job]
        there = any(value_at(row, shows) not in (None, "", [], {}) for row in mine)
        return "accepted" if there else "queued"

    def _job_of(self, item):
        """Our number of the job that a report is about, out of its body; None where the mapping does not send it."""
        fields = self._mapping.reports[item.table].fields
        name = next((name for name, value in fields.items() if value.from_ == "job" and not value.codes), None)
        found = value_at(item.body(), name) if name else None
        return None if found is None else str(found)

    # ---- queries

    async def look_up(self, kind, ours, known):
        """Find the platform's id of ours and keep it. kind: device, unit, welder or guardian; known: what the question may hold,
        by path. Returns the id, or the Problem that there is none."""
        query = self._mapping.look_up(kind)
        words = {"kind": _KINDS[kind], "ours": ours}
        asked, match = rendered(query.ask, known), rendered(query.match, known)
        lacking = (set(query.ask) - set(asked)) | (set(query.match) - set(match))
        if lacking:
            return Problem(NOT_ASKED, field=kind, words={**words, "fields": "、".join(sorted(lacking))})
        try:
            rows = _rows(await self._query(query, asked), query.rows)
        except QueryError as error:
            return Problem(NOT_ANSWERED, field=kind, words={"told": str(error)})
        fits = [row for row in rows if all(str(value_at(row, name)) == str(value) for name, value in match.items())]
        ids = {str(found) for row in fits if (found := value_at(row, query.id)) not in (None, "")}
        if len(ids) != 1:
            return Problem(AMBIGUOUS if ids else NOT_FOUND, field=kind, words={**words, "count": len(ids)})
        (theirs,) = ids
        self._store.keep_id(kind, ours, theirs)
        return theirs

    async def look_up_missing(self, job):
        """Look up every id of this job that is not known yet. Returns the Problems."""
        known, problems = known_of(job, self._store), []
        ours = {"device": job.device, "unit": job.unit, "welder": known["welder"].get("ref"),
                "guardian": known["guardian"].get("ref")}
        for kind, name in ours.items():
            if name and self._mapping.look_up(kind) and self._store.their_id(kind, name) is None:
                found = await self.look_up(kind, name, known)
                problems += [found] if isinstance(found, Problem) else []
        return problems

    async def records(self, known):
        """Return the rows of the record query for what is known by path (job, device, window.from_ms, …), all pages of them.
        QueryError when it is not answered."""
        query = self._mapping.queries.records
        asked, pages = rendered(query.ask, known), query.pages
        if pages is None:
            return _rows(await self._query(query, asked), query.rows)
        rows = []
        for page in range(1, _MOST_PAGES):
            more = _rows(await self._query(query, {**asked, pages.page: page, pages.size: pages.rows}), query.rows)
            rows += more
            if len(more) < pages.rows:
                break
        return rows

    async def _query(self, query, asked):
        try:
            if query.method == "GET":
                reply = await self._transport.get(query.path, asked, headers=self._headers)
            else:
                content = json.dumps(nested(asked), ensure_ascii=False).encode()
                reply = await self._transport.post(query.path, content, headers=self._headers)
        except (NotSent, Uncertain) as error:
            raise QueryError(Answer("queued", "network", "", str(error))) from None
        answer = self._read(reply)
        if answer.state != "accepted":
            raise QueryError(answer)
        return reply.data

    def _read(self, reply):
        """The Answer of a reply, by the mapping's [answers]."""
        told = self._mapping.answers
        code = value_at(reply.data, told.code) if told.code else None
        if not 200 <= reply.status < 300 and (code is None or reply.passing):
            return of_status(reply)
        message = str(value_at(reply.data, told.message) or "") if told.message else ""
        if not told.code:
            return Answer("accepted", "ok", f"HTTP {reply.status}", message)
        if code is None:
            return Answer("uncertain", "server", "", "the answer can't be read")
        code = str(code)
        if code in map(str, [*told.ok, *told.known]):
            return Answer("accepted", "ok", code, message)
        if code in map(str, told.again):
            return Answer("queued", "server", code, message, reply.retry_after_s)
        return Answer("refused", "data", code, message)


_KINDS = {"device": "焊机智能物联终端", "unit": "作业单位", "welder": "焊工", "guardian": "监护人员"}


def _header(site, header):
    if header.const:
        return header.const
    secret = site.secret(header.credential)
    privacy.hide(secret)
    return header.prefix + secret


def value_at(data, path):
    """Return what stands at a path of keys in an answer; an empty path is the whole, None is nothing."""
    for name in path.split(".") if path else ():
        data = data.get(name) if isinstance(data, dict) else None
    return data


def _rows(data, path):
    """The rows of an answer: a list of objects, or one object."""
    found = value_at(data, path)
    found = [found] if isinstance(found, dict) else found
    return [row for row in found if isinstance(row, dict)] if isinstance(found, list) else []
