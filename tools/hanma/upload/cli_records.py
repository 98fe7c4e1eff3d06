"""`hanma upload`, what became of the records: states, errors, the clerk's decisions, reconciliation, the day's report."""

import json
from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal, Optional

import typer
from rich.table import Table

from . import accounts, marking
from .cli_base import Files, Lang, SiteOption, TableOption, command, open_desk
from .desk import DeskError
from .outbox import HELD, QUEUED, REFUSED, STATES, UNCERTAIN
from .screen import KINDS, Screen

_ACCOUNT = (("表", "table"), ("工地有", "site has"), ("平台已收", "accepted"), ("缺", "missing"), ("有错", "in error"))
Ids = Annotated[Optional[list[int]], typer.Argument(help="编号 Record numbers, as status --list shows them.")]


@command()
def status(
    state: Annotated[Optional[str], typer.Option("--state", help=f"List the records in that state: {', '.join(STATES)}.")] = None,
    table: TableOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="One line of JSON, for programs.")] = False,
    site: SiteOption = None,
    lang: Lang = "zh",
):
    """各有多少 · How many records stand where; with --state, which."""
    if state is not None and state not in STATES:
        raise DeskError(f"{state}: {', '.join(STATES)}")
    with open_desk(site) as desk:
        counts, until_ms, screen = desk.store.counts(), desk.store.sending_until_ms(), Screen(lang)
        if as_json:
            typer.echo(json.dumps(counts | ({"sending_until_ms": until_ms} if until_ms else {})))
        elif state is None and table is None:
            screen.counts(counts, until_ms)
        else:
            key = desk.table(table).key if table else None
            screen.lines(desk.platform, desk.lines(state=state, table=key))
        raise typer.Exit(1 if counts[REFUSED] else 3 if counts[UNCERTAIN] or counts[HELD] else 0)


@command()
def errors(
    out: Annotated[Optional[Path], typer.Option("--out", "-o", help="Write them to this workbook, to mend.")] = None,
    site: SiteOption = None,
    lang: Lang = "zh",
):
    """退回和不明的 · What the platform refused or never answered, with its words; exported, mended, added again."""
    with open_desk(site) as desk:
        screen = Screen(lang)
        lines = [one for state in (REFUSED, UNCERTAIN) for one in desk.lines(state=state)]
        screen.lines(desk.platform, lines)
        if out and lines:
            rows, records = accounts.exported(desk, lines)
            marking.mark(out, rows, records, lang)
            screen.tell(f"已写入 {out}：退回的改好后用 add 再放入", f"wrote {out}: mend the refused ones and add them again")
        if any(one.state == UNCERTAIN for one in lines):
            screen.tell("不明的先到平台查，再用 decide 定", "look at the platform for the uncertain ones, then decide", "yellow")
        raise typer.Exit(1 if lines else 0)


@command()
def retry(
    ids: Ids = None,
    refused: Annotated[bool, typer.Option("--refused", help="All that the platform refused.")] = False,
    site: SiteOption = None,
    lang: Lang = "zh",
):
    """再发一次 · Queue refused records again as they are. One that is uncertain needs `decide` first."""
    with open_desk(site) as desk:
        if not ids and not refused:
            raise DeskError("请写编号，或 --refused (name the records, or --refused)")
        lines = [*_of_ids(desk, ids or ()), *(desk.lines(state=REFUSED) if refused else ())]
        unsure = [one.id for one in lines if one.state == UNCERTAIN]
        if unsure:
            raise DeskError(f"{unsure}: 不知平台是否已收，先用 decide 定 (the platform may hold them: decide first)")
        for one in lines:
            desk.store.decide(one.id, QUEUED)
        Screen(lang).tell(f"{len(lines)} 条再发", f"{len(lines)} queued again")


def _of_ids(desk, ids):
    """Return the lines of these numbers. DeskError names those that are none."""
    lines = desk.store.find(ids=list(ids), limit=len(ids))
    unknown = set(ids) - {one.id for one in lines}
    if unknown:
        raise DeskError(f"{'、'.join(map(str, sorted(unknown)))}: 没有这个编号 (no such record)")
    return lines


@command()
def decide(
    record: Annotated[int, typer.Argument(help="编号 The record's number.")],
    word: Annotated[Literal["accepted", "again", "refused"], typer.Argument(help="accepted 平台已有, again 再发, refused 作废")],
    why: Annotated[str, typer.Option("--why", help="How it was found out.")] = "",
    site: SiteOption = None,
    lang: Lang = "zh",
):
    """定一条不明的 · Say what became of a record whose answer was never heard, after looking at the platform."""
    with open_desk(site) as desk:
        _of_ids(desk, [record])
        desk.store.decide(record, {"again": QUEUED}.get(word, word), why)
        Screen(lang).lines(desk.platform, desk.store.find(ids=[record]))


@command()
def confirm(
    ids: Ids = None,
    every: Annotated[bool, typer.Option("--all", help="All corrections that are held.")] = False,
    drop: Annotated[bool, typer.Option("--drop", help="Forget them instead.")] = False,
    site: SiteOption = None,
    lang: Lang = "zh",
):
    """确认更正 · Send new content in place of what was reported under the same identity; without numbers, show what is held."""
    with open_desk(site) as desk:
        screen, held = Screen(lang), list(desk.lines(state=HELD))
        if not ids and not every:
            for one in held:
                _compare(screen, desk, one)
            raise typer.Exit(3 if held else 0)
        others = [one.id for one in _of_ids(desk, ids or ()) if one.state != HELD]
        if others:
            raise DeskError(f"{'、'.join(map(str, others))}: 不是待确认的更正 (no correction that is held)")
        chosen = [one.id for one in held if every or one.id in ids]
        for one in chosen:
            desk.store.drop(one) if drop else desk.store.confirm(one)
        screen.tell(f"{len(chosen)} 条{'作废' if drop else '确认'}", f"{len(chosen)} {'dropped' if drop else 'confirmed'}")


def _compare(screen, desk, line):
    """Show what a correction would change."""
    table = Table(title=f"{line.id} {screen.title(desk.platform, line.table)} {line.label}", title_justify="left")
    for heading in (("项", "field"), ("原来", "before"), ("现在", "now")):
        table.add_column(screen.say(*heading), overflow="fold")
    for name, before, now in accounts.changes(desk, line):
        table.add_row(name, before, now)
    screen.out.print(table)


@command()
def history(
    record: Annotated[int, typer.Argument(help="编号 The record's number.")],
    site: SiteOption = None,
    lang: Lang = "zh",
):
    """一条的经过 · Everything that happened to one record."""
    with open_desk(site) as desk:
        screen = Screen(lang)
        screen.lines(desk.platform, _of_ids(desk, [record]))
        screen.history(desk.store.history(record))


@command()
def adopt(
    files: Files,
    table: TableOption = None,
    site: SiteOption = None,
    lang: Lang = "zh",
):
    """认领以前的 · Note rows as registered before this tool came, so that they are parents and are not sent again."""
    with open_desk(site) as desk:
        screen = Screen(lang)
        result, became = desk.adopt(files, table)
        screen.result(result, False)
        screen.adopted(became)
        raise typer.Exit(3 if result.fine and became["busy"] else 0 if result.fine else 1)


@command()
def reconcile(
    files: Files,
    table: TableOption = None,
    out: Annotated[Optional[Path], typer.Option("--out", "-o", help="Write what is missing there to this workbook.")] = None,
    site: SiteOption = None,
    lang: Lang = "zh",
):
    """对账 · What the site has, what the platform took, what is missing."""
    with open_desk(site) as desk:
        screen = Screen(lang)
        account = accounts.reconcile(desk, files, table)
        screen.problems(account.result)
        shown = Table(show_header=True)
        for heading in _ACCOUNT:
            shown.add_column(screen.say(*heading))
        for key, one in account.tables.items():
            shown.add_row(
                screen.title(desk.platform, key), str(one.have), str(one.accepted), str(one.have - one.accepted), str(one.faulty)
            )
        screen.out.print(shown)
        if out and account.missing:
            marking.mark(out, [row for row, _ in account.missing], [record for _, record in account.missing], lang)
            screen.tell(f"缺的在 {out}", f"what is missing is in {out}")
        raise typer.Exit(1 if account.missing else 0)


@command()
def daily(
    day: Annotated[Optional[datetime], typer.Option("--day", formats=["%Y-%m-%d"], help="Which day; today without it.")] = None,
    out: Annotated[Optional[Path], typer.Option("--out", "-o", help="Write it to this workbook.")] = None,
    site: SiteOption = None,
    lang: Lang = "zh",
):
    """日报 · Who came, who went in without coming out, what was taken, refused, unsent, and what is due."""
    with open_desk(site) as desk:
        report = accounts.daily(desk, (day or desk.now()).date())
        tables = accounts.tables_of(report, desk, lang)
        for title, headings, rows in tables:
            shown = Table(*headings, title=f"{title} {len(rows)}", title_justify="left")
            for row in rows:
                shown.add_row(*map(str, row))
            Screen(lang).out.print(shown)
        if out:
            accounts.save(tables, out)


@command()
def purge(site: SiteOption = None, lang: Lang = "zh"):
    """清理 · Delete what is past its days: photos after acceptance, then each kind by its own."""
    with open_desk(site) as desk:
        screen = Screen(lang)
        gone = "，".join(f"{screen.say(*KINDS[kind])} {number}" for kind, number in desk.store.purge().items() if number)
        screen.tell(f"清理：{gone or '没有到期的'}", f"purged: {gone or 'nothing'}")

