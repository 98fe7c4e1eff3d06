"""Accounts of what was put in: exports to mend, what a correction changes, reconciliation, the day's report.

Reads the outbox and files; changes nothing. Only workbooks written here hold values in full, for their owner alone.
"""

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import date, datetime

from openpyxl import Workbook

from . import body, checking, gathering, privacy, reading, sheets
from . import daily as days
from .desk import Result
from .outbox import ACCEPTED, QUEUED, REFUSED, SENDING, UNCERTAIN, WAITING
from .problems import Place, Problem, Rule
from .record import Attachment, Record, Row

SAID = Rule("platform_said", "{state}：{words}", "{state}: {words}", "改好后再放入", "Mend it and add it again")
UNHEARD = Rule(
    "answer_unheard",
    "没听到回答：{words}",
    "the answer was never heard: {words}",
    "先到平台查，再用 decide 定；不要再放入",
    "Look at the platform, then decide; do not add it again",
)
NOT_THERE = Rule("not_there", "平台还没有这一条（{state}）", "the platform does not have it ({state})")


def exported(desk, some):
    """Return (rows, records) of outbox lines for a marked workbook: headings in Chinese, the platform's words as the problem."""
    rows, records = [], []
    for number, line in enumerate(some, 2):
        table = desk.platform.tables[line.table]
        place = Place("", table.title, number)
        words = {"state": line.state, "words": f"{line.code} {line.message}".strip() or "—"}
        rule = UNHEARD if line.state == UNCERTAIN else SAID
        rows.append(Row(place, {one.label: plain(content.get(one.key or one.name)) for content in [desk.store.body(line.id)]
                                for one in table.fields}))  # fmt: skip
        records.append(Record(line.platform, line.table, {}, place, problems=[Problem(rule, place, words=words)]))
    return rows, records


def plain(value):
    """Return a body's value as a cell: an attachment's name, a list's length in words."""
    if isinstance(value, Attachment):
        return value.name
    if isinstance(value, list):
        return f"（{len(value)} 项）"
    return value


def changes(desk, line):
    """Return (field's label, before, now) of each value that a held correction would change; private ones masked."""
    now, before = desk.store.body(line.id), _accepted_body(desk, line)
    table, found = desk.platform.tables[line.table], []
    for one in table.fields:
        name = one.key or one.name
        if plain(now.get(name)) != plain(before.get(name)) or _pictures_differ(now.get(name), before.get(name)):
            found.append((one.label, _shown(one, before.get(name)), _shown(one, now.get(name))))
    return found


def _accepted_body(desk, line):
    original = desk.store.original(line.id)
    return desk.store.body(original) if original is not None else {}


def _pictures_differ(now, before):
    """Whether two pictures are known to differ: what was accepted may be deleted already."""
    both = isinstance(now, Attachment) and isinstance(before, Attachment) and now.data and before.data
    return bool(both) and now.data != before.data


def _shown(one, value):
    """A value for the clerk who has to judge it: a temperature as it is, who it is about masked."""
    if value is None:
        return ""
    kind = "" if one.privacy == "health" else one.privacy
    return privacy.mask(kind, plain(value)) if not isinstance(value, Attachment) else "（图片）"


@dataclass
class Kept:
    """One table's account: rows the site has, rows the platform took, rows in error."""

    have: int = 0
    accepted: int = 0
    faulty: int = 0


@dataclass
class Account:
    """A reconciliation. tables: key → Kept; missing: (Row, Record) of what the platform does not have."""

    result: Result
    tables: dict = field(default_factory=lambda: defaultdict(Kept))
    missing: list = field(default_factory=list)


def reconcile(desk, paths, table=None):
    """Return the Account of those files against what was accepted."""
    account = Account(Result())
    wanted = desk.table(table) if table else None
    for path in paths:
        try:
            parts = gathering.gather(path, desk.platform, desk.site, wanted)
        except reading.ReadingError as error:
            account.result.problems.append(error.problem)
            continue
        for part in parts:
            account.result.problems += part.problems
            _reconcile_part(desk, part, account)
    return account


def _reconcile_part(desk, part, account):
    checker, kept = checking.Checker(part.table, desk.site, desk.now()), account.tables[part.table.key]
    states = desk.states(part.table.key)
    for row in part.rows:
        record = checker.record(row)
        kept.have += 1
        kept.faulty += not record.sound
        state = states(body.identity(record.values, part.table))
        if state == ACCEPTED:
            kept.accepted += 1
        else:
            told = Problem(NOT_THERE, record.place, words={"state": state or "没有放入 not put in"})
            record.problems.append(told)
            account.missing.append((row, record))


# The day's report


def daily(desk, day):
    """Return the days.Daily of that day for the desk's site."""
    counts = defaultdict(dict)
    for line in desk.lines():
        counts[line.table][line.state] = counts[line.table].get(line.state, 0) + 1
    calendar = days.Calendar(desk.site.holidays, desk.site.working_weekends)
    return days.report(day, _passages(desk, day), counts, _teams(desk), calendar)


def _bodies(desk, key):
    if key not in desk.platform.tables:
        return
    for line in desk.lines(table=key):
        if not line.correction:
            yield line, desk.store.body(line.id)


def _passages(desk, day):
    found = []
    for line, one in _bodies(desk, "gate"):
        at = datetime.strptime(one["dktime"], "%Y-%m-%d %H:%M:%S")
        if at.date() == day:
            found.append(days.Passage(one["ryno"], line.label, at, str(one["dktype"])))
    return found


def _teams(desk):
    entered = _own(desk, "worker_enter")
    entries = [{"person": one["idcard"], "team": one["teamcode"], "day": _day(one["enterdate"])} for one in entered]
    exits = [{"person": one["idcardnum"], "day": _day(one["outdate"])} for one in _own(desk, "worker_out")]
    papers = [
        {
            "team": one["teamSysNo"],
            "day": _day(one["teamTime"]),
            "promised": _day(one.get("appointDate")),
            "settled": str(one["isSettledPayroll"]) == "0",
        }
        for one in _own(desk, "team_exit")
    ]
    paid = [{"team": one["teamSysNo"], "settled": str(one["issettledPayroll"]) == "0"} for one in _own(desk, "team_payroll")]
    names = {one["teamcode"]: one["teamname"] for one in _own(desk, "team")}
    return days.teams_of(entries, exits, papers, paid, names)


def _own(desk, key):
    return [one for _, one in _bodies(desk, key)]


def _day(text):
    return date.fromisoformat(text[:10]) if text else None


def tables_of(report, desk, lang):
    """Return (title, headings, rows) for each part of a day's report."""

    def say(zh, en):
        return zh if lang == "zh" else en

    came = [(label, f"{first:%H:%M}", f"{last:%H:%M}") for label, first, last in report.came.values()]
    inside = [(label, f"{at:%H:%M}") for label, at in report.in_without_out.values()]
    states = [(ACCEPTED,), (REFUSED,), (QUEUED, SENDING, WAITING, UNCERTAIN)]
    counted = [
        (desk.platform.tables[key].title, *(sum(one.get(state, 0) for state in some) for some in states))
        for key, one in report.counts.items()
    ]
    what = {"exit_papers": say("退场手续", "exit papers"), "payment": say("约定结清", "promised payment")}
    reported = (say("表", "table"), say("已收", "accepted"), say("退回", "refused"), say("未完", "unsent"))
    due = [(what[one.what], one.team.name or one.team.code, one.until, max(0, one.late_days)) for one in report.due]
    return [
        (say("到场", "came"), (say("人员", "person"), say("首次", "first"), say("末次", "last")), came),
        (say("有进无出", "in without out"), (say("人员", "person"), say("进场", "in at")), inside),
        (say("上报", "reports"), reported, counted),
        (say("到期", "due"), (say("事项", "what"), say("班组", "team"), say("期限", "until"), say("逾期天", "days late")), due),
    ]


def save(tables, path):
    """Write a report's tables to a workbook, a sheet each, whole or not at all, for its owner alone."""
    book = Workbook()
    book.remove(book.active)
    for title, headings, rows in tables:
        sheet = book.create_sheet(title)
        sheet.append(list(headings))
        for row in rows:
            sheet.append([str(one) if isinstance(one, date) else one for one in row])
        for column, heading in zip("ABCD", headings, strict=False):
            sheet.column_dimensions[column].width = 12 + 2 * len(str(heading))
    sheets.save(book, path)
