"""`hanma upload`, what only one authority knows: Jiangsu's collection, Zhejiang's roster and scans, Shanghai's registration."""

from pathlib import Path
from typing import Annotated, Optional

import typer
from rich.table import Table

from . import checking, collect, gathering, marking, shanghai, zhejiang
from .cli_base import Lang, SiteOption, command, complain, open_desk
from .desk import DeskError, Result
from .reading import ReadingError
from .screen import Screen


def _only(desk, *platforms):
    if desk.site.platform not in platforms:
        raise DeskError(f"这是 {'、'.join(platforms)} 的命令，工地配置是 {desk.site.platform} (another authority's command)")


# Jiangsu


@command()
def due(
    go: Annotated[bool, typer.Option("--go", help="取出并发送 Draw what is due from the database and send it.")] = False,
    whole: Annotated[bool, typer.Option("--whole", help="Draw everything again and compare: finds deletions.")] = False,
    site: SiteOption = None,
    lang: Lang = "zh",
):
    """该报的 · Which tables are due: daily ones today, weekly ones this week. With --go for cron or the Task Scheduler."""
    with open_desk(site) as desk:
        _only(desk, "jiangsu")
        screen = Screen(lang)
        marks = collect.Marks(desk.store.engine, desk.site.name)
        keys = collect.due(desk.platform.tables.values(), marks.get, desk.now().date())
        if not go:
            for key in keys:
                screen.tell(f"{desk.platform.tables[key].title}", key)
            raise typer.Exit(1 if keys else 0)
        _collect(desk, screen, list(desk.platform.tables) if whole else keys, whole)


def _collect(desk, screen, keys, whole):
    shown = Table()
    for heading in (("表", "table"), ("取出", "drawn"), ("新", "new"), ("改", "changed"), ("删", "deleted"), ("有错", "in error")):
        shown.add_column(screen.say(*heading))
    faulty, failed = 0, 0
    for one in collect.draw(desk, keys, whole=whole):
        if one.failed:
            complain(one.failed)
            failed += 1
            continue
        screen.problems(one.result)
        faulty += one.result.errors
        title = screen.title(desk.platform, one.table)
        shown.add_row(title, *map(str, (one.result.read, one.result.new, one.changed, one.deleted, one.result.errors)))
    screen.out.print(shown)
    summary = desk.send()
    screen.summary(summary)
    raise typer.Exit(2 if failed or summary.stopped else 1 if faulty or summary.refused else 0)


@command()
def load(site: SiteOption = None, lang: Lang = "zh"):
    """入库 · Load what was collected into the target database instead of sending it."""
    with open_desk(site) as desk:
        _only(desk, "jiangsu")
        screen = Screen(lang)
        for key, number in collect.load(desk):
            screen.tell(f"{desk.platform.tables[key].title} {number}", f"{key} {number}")


# Zhejiang and Shanghai


def checked(desk, path, key, screen):
    """Return the records of a file's table; ends with status 1 when a row is in error."""
    result, records, rows = Result(), [], []
    try:
        parts = gathering.gather(path, desk.platform, desk.site, desk.table(key))
    except ReadingError as error:
        result.problems.append(error.problem)
        parts = []
    for part in parts:
        result.problems += part.problems
        checker = checking.Checker(part.table, desk.site, desk.now())
        for row in part.rows:
            rows.append(row)
            records.append(checker.record(row))
    result.faulty = [(row, one) for row, one in zip(rows, records, strict=True) if one.problems]
    screen.problems(result)
    if not result.fine:
        raise typer.Exit(1)
    return records


@command()
def roster(
    people: Annotated[Path, typer.Argument(help="姓名、身份证号、联系电话、是否添加账号")],
    out: Annotated[Path, typer.Argument(help="The import file to write (.xls).")],
    template: Annotated[Optional[Path], typer.Option("--template", help="使用单位导入人员.xls as downloaded.")] = None,
    site: SiteOption = None,
    lang: Lang = "zh",
):
    """浙江：导入表 · Check the roster and write it into the platform's import file."""
    with open_desk(site) as desk:
        _only(desk, "zhejiang")
        screen = Screen(lang)
        records = checked(desk, people, "roster", screen)
        warned = zhejiang.account_warnings(records)
        try:
            number = zhejiang.write_roster(records, out, template)
        except zhejiang.RosterError as error:
            raise DeskError(str(error)) from None
        for one in warned[:1]:
            screen.tell(f"{len(warned)} 人：{one.text()}。{one.remedy()}", f"{len(warned)}: {one.text('en')}", "yellow")
        screen.tell(f"{number} 人写入 {out}", f"{number} people in {out}")


@command()
def scans(
    people: Annotated[Path, typer.Option("--people", help="作业人员资格")],
    devices: Annotated[Path, typer.Option("--devices", help="设备")],
    work: Annotated[Path, typer.Option("--work", help="上岗安排")],
    log: Annotated[Path, typer.Option("--log", help="平台的上岗日志 The platform's log of scans.")],
    unit: Annotated[str, typer.Option("--unit", help="使用单位 The unit whose devices count.")],
    out: Annotated[Optional[Path], typer.Option("--out", "-o", help="Write the findings to this workbook.")] = None,
    site: SiteOption = None,
    lang: Lang = "zh",
):
    """浙江：扫码核对 · Who worked without a valid qualification for the device, and who never scanned in."""
    with open_desk(site) as desk:
        _only(desk, "zhejiang")
        screen = Screen(lang)
        files = {"qualification": people, "device": devices, "work": work, "scan": log}
        records = {key: checked(desk, path, key, screen) for key, path in files.items()}
        found = zhejiang.reconcile(unit, records["qualification"], records["device"], records["work"], records["scan"])
        screen.problems(Result(problems=found))
        if out:
            marking.list_problems(out, found, lang)
        grave = sum(one.grave for one in found)
        screen.tell(f"{len(records['work'])} 条上岗，{grave} 条有问题", f"{len(records['work'])} pieces of work, {grave} findings")
        raise typer.Exit(1 if grave else 0)


@command()
def entry(
    registrations: Annotated[Path, typer.Option("--registered", help="进场预登记")],
    disposals: Annotated[Optional[Path], typer.Option("--states", help="处置方式")] = None,
    families: Annotated[Optional[Path], typer.Option("--families", help="携带家属")] = None,
    health: Annotated[Optional[Path], typer.Option("--health", help="每日健康")] = None,
    site: SiteOption = None,
    lang: Lang = "zh",
):
    """上海：进场核对 · Who may enter under the health measure, and each project's numbers. Off until the site states its basis."""
    with open_desk(site) as desk:
        _only(desk, "shanghai")
        screen = Screen(lang)
        barred = shanghai.allowed(desk.site, desk.now().date())
        if barred:
            raise DeskError(f"{barred.text(lang)}。{barred.remedy(lang)}")
        records = {
            key: checked(desk, path, key, screen) if path else []
            for key, path in (
                ("pre_registration", registrations),
                ("disposal", disposals),
                ("family", families),
                ("daily_health", health),
            )
        }
        _show_entry(screen, records)


def _show_entry(screen, records):
    people = records["pre_registration"]
    found = shanghai.health(records["daily_health"]) + shanghai.families(records["family"], people)
    for one in people:
        found += shanghai.entry(one.values["身份证号"], people, records["disposal"])
    screen.problems(Result(problems=found))
    shown = Table()
    for heading in (("项目", "project"), ("登记", "registered"), ("在场", "present")):
        shown.add_column(screen.say(*heading))
    for one in shanghai.counts(people):
        shown.add_row(one.project, str(one.registered), str(one.present))
    screen.out.print(shown)
    raise typer.Exit(1 if found else 0)
