"""`hanma upload jobs`: welding jobs to Chongqing's platform.

The terminals' side is followed, the enterprise's is entered; both meet by the job's number.
"""

import asyncio
import json
import sys
import threading
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Optional

import typer
from pydantic import ValidationError
from rich.table import Table

from ..jobs import Welder
from . import privacy
from .cli_base import Lang, SiteOption, app, command, open_desk
from .desk import DeskError, Result
from .jobs import client as clients
from .jobs import compare as comparing
from .jobs import entering, follow, mapping, reports
from .jobs.store import JobStore
from .outbox import ACCEPTED
from .outbox import now_ms as wall_ms
from .problems import Place
from .record import Prepared
from .screen import Screen, clock
from .sending import transport, worker

jobs_app = typer.Typer(
    no_args_is_help=True,
    help="""重庆：焊接作业对接 · Welding jobs, platform to platform.

终端一侧用 [b]follow[/b] 收，企业一侧用 [b]people[/b]、[b]enter[/b] 录，[b]report[/b] 上报，[b]compare[/b] 对账。
说明见 docs/jobs.zh-CN.md。
The terminals' side is followed, the enterprise's entered; report sends what is complete. See docs/jobs.md.
""",
    rich_markup_mode="rich",
)
app.add_typer(jobs_app, name="jobs")
_REPORTS = ("application", "power_on", "power_off")


class _Office:
    """A desk of platform chongqing with its jobs; closes both."""

    def __init__(self, site):
        self.desk = open_desk(site)
        if self.desk.site.platform != "chongqing":
            raise DeskError(f"这是 chongqing 的命令，工地配置是 {self.desk.site.platform} (another authority's command)")
        vault = privacy.Vault(privacy.load_key(self.desk.site))
        self.jobs = JobStore(self.desk.site.store_url, vault, self.desk.site.name)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.jobs.close()
        self.desk.close()

    def mapping(self):
        """Return the site's mapping. DeskError says what is wrong with it."""
        try:
            return mapping.of_site(self.desk.site)
        except mapping.MappingError as error:
            raise DeskError(str(error)) from None


@command(jobs_app, name="follow")
def follow_command(
    once: Annotated[bool, typer.Option("--once", help="Take in what the journal holds now, and end.")] = False,
    site: SiteOption = None,
    lang: Lang = "zh",
):
    """跟随终端 · Take in the terminals' reports from a broker or the bench's journal, until Ctrl-C."""
    with _Office(site) as office:
        settings, screen = follow.settings_of(office.desk.site), Screen(lang)
        if settings.url and once:
            raise DeskError("--once 只用于 journal (--once is for a journal)")
        if settings.journal:
            source = follow.Journal(office.desk.site.directory / settings.journal, office.jobs, settings.carriage())
        else:
            source = follow.Broker(office.desk.site, office.jobs)
        _run(source, once)
        unread = source.listener.unread
        screen.tell(f"新 {source.new} 条，读不懂 {unread} 条", f"{source.new} new, {unread} unreadable")
        _show_gaps(screen, office.jobs.gaps())


def _run(source, once):
    if once:
        source.read()
        return
    stop = threading.Event()
    try:
        source.follow(stop)
    except KeyboardInterrupt:
        stop.set()
    except follow.FollowError as error:
        raise DeskError(str(error)) from None


@command(jobs_app)
def people(
    file: Annotated[Path, typer.Argument(help="JSON lines: ref, name, id_number, certificates. - reads standard input.")],
    site: SiteOption = None,
    lang: Lang = "zh",
):
    """录人员 · Enter people and their certificates; kept sealed, apart from the jobs."""
    with _Office(site) as office:
        known = []
        for place, content in _lines(file):
            try:
                known.append(Welder.model_validate(content))
            except ValidationError as error:
                told = "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors(include_input=False))
                raise DeskError(f"{place.file} {place.row}: {told}") from None
        for one in known:
            office.jobs.put_person(one)
        Screen(lang).tell(f"{len(known)} 人", f"{len(known)} people")


def _lines(file):
    """Return (Place, object) of each line of a file of JSON lines or of standard input; one that can't be read ends it all."""
    try:
        text = sys.stdin.read() if str(file) == "-" else file.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise DeskError(f"{file}: 读不了 (can't be read): {error}") from None
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip():
            found.append((Place(file.name, "", number), _object(line, f"{file.name} {number}")))
    return found


def _object(line, where):
    try:
        content = json.loads(line)
    except (ValueError, RecursionError):
        raise DeskError(f"{where}: 不是 JSON (no JSON)") from None
    if not isinstance(content, dict):
        raise DeskError(f"{where}: 每行一个对象 (one object a line)")
    return content


@command(jobs_app)
def enter(
    file: Annotated[Path, typer.Argument(help="JSON lines, each what is known of a job. - reads standard input.")],
    corrects: Annotated[bool, typer.Option("--corrects", help="更正 Decides against what was said before.")] = False,
    source: Annotated[str, typer.Option("--by", help="谁填的 Who says so.")] = "clerk",
    site: SiteOption = None,
    lang: Lang = "zh",
):
    """录作业 · Enter the enterprise's side of jobs: scan, certificate, permit, photos, guardian."""
    with _Office(site) as office:
        result, said = Result(), []
        for place, content in _lines(file):
            one, problems = entering.enter(content, wall_ms(), source, corrects, place)
            result.problems += problems
            said += [one] if one else []
        new = office.jobs.take(said)
        screen = Screen(lang)
        screen.problems(result)
        screen.tell(f"录入 {new} 条", f"{new} entered")
        raise typer.Exit(1 if result.problems else 0)


@command(jobs_app, name="list")
def list_command(
    as_json: Annotated[bool, typer.Option("--json", help="The jobs as JSON lines.")] = False,
    site: SiteOption = None,
    lang: Lang = "zh",
):
    """看作业 · The jobs as both sides tell them, what contradicts, and which reports of terminals are missing."""
    with _Office(site) as office:
        merged, screen = office.jobs.merged(), Screen(lang)
        if as_json:
            for one in merged.jobs.values():
                typer.echo(json.dumps(one.model_dump(mode="json"), ensure_ascii=False))
            return
        shown = Table()
        for heading in (("作业", "job"), ("设备", "device"), ("状态", "state"), ("开", "on"), ("关", "off"), ("原因", "cause")):
            shown.add_column(screen.say(*heading))
        for name, one in merged.jobs.items():
            started = clock(one.on.relay_ms) if one.on else ""
            ended = clock(one.off.at_ms) if one.off else ""
            shown.add_row(name, one.device, one.state, started, ended, (one.off and one.off.cause) or "")
        screen.out.print(shown)
        screen.problems(Result(problems=_contradictions(merged)))
        _show_gaps(screen, office.jobs.gaps())


def _contradictions(merged):
    """Return the problems of all jobs, each with its job as the place."""
    return [replace(one, place=Place(job)) for job, found in merged.problems.items() for one in found]


def _show_gaps(screen, gaps):
    for one in gaps:
        missing = ", ".join(map(str, one.missing)) or screen.say("全部", "all")
        zh = f"缺：设备 {one.device} 第 {one.boot} 次开机，编号 {missing}；终端自报丢弃 {len(one.dropped)}"
        screen.tell(zh, f"gap: device {one.device}, boot {one.boot}, {missing}; {len(one.dropped)} dropped there", "yellow")


@command(jobs_app)
def report(site: SiteOption = None, lang: Lang = "zh"):
    """上报 · Look up the platform's ids, put in what is complete, and send it; what is missing is listed."""
    with _Office(site) as office:
        screen, plan = Screen(lang), office.mapping()
        result, summary = worker.run_until_interrupted(lambda stop: _report(office, plan, stop))
        screen.problems(result)
        screen.tell(f"新入 {result.new}，已有 {result.same}", f"{result.new} new, {result.same} there already")
        screen.summary(summary)
        raise typer.Exit(2 if summary.stopped else 1 if summary.refused else 3 if result.problems or result.held else 0)


async def _report(office, plan, stop):
    """Put what is complete into the outbox and send it, until nothing more becomes complete by what the platform answers."""
    road = transport.Transport(office.desk.site.server)
    client = clients.Chongqing(office.desk.site, road, plan, office.jobs)
    summaries = []
    try:
        for _ in range(1 + len(_REPORTS)):  # a later report may need the number that the answer to an earlier one gives
            result = await _prepare(office, plan, client)
            summaries.append(await worker.run(office.desk.site, office.desk.store, client, once=True, stop=stop))
            if not result.new or stop.is_set():
                break
        return result, _sum(summaries)
    finally:
        await road.close()


def _sum(summaries):
    last = summaries[-1]
    last.accepted = sum(one.accepted for one in summaries)
    last.resent = sum(one.resent for one in summaries)
    return last


async def _prepare(office, plan, client):
    merged, result = office.jobs.merged(), Result()
    result.problems += _contradictions(merged)
    made = []
    for one in merged.jobs.values():
        result.problems += await client.look_up_missing(one)
        made += reports.prepare(one, office.jobs, plan, office.desk.site)
    places = {one.device: (one.unit, one.site) for one in merged.jobs.values()}
    made += reports.prepare_states(office.jobs.facts("stated"), office.jobs, plan, office.desk.site, places=places)
    result.problems += [one for one in made if not isinstance(one, Prepared)]
    for one in made:
        if isinstance(one, Prepared):
            put = await asyncio.to_thread(office.desk.store.put, one)
            if put.outcome == "correction" and one.table == "device_state":  # told by machines: a late record may complete it
                await asyncio.to_thread(office.desk.store.confirm, put.id)
            elif put.outcome == "correction":
                result.held.append(put.id)
            else:
                setattr(result, put.outcome, getattr(result, put.outcome) + 1)
    return result


@command(jobs_app)
def compare(
    job: Annotated[Optional[str], typer.Option("--job", help="Only this job.")] = None,
    site: SiteOption = None,
    lang: Lang = "zh",
):
    """对账 · Ours against the platform's record query."""
    with _Office(site) as office:
        screen, plan = Screen(lang), office.mapping()
        if plan.queries.records is None:
            raise DeskError("映射里没有记录查询 (the mapping has no record query)")
        jobs = {name: one for name, one in office.jobs.merged().jobs.items() if job in (None, name) and _is_there(office, name)}
        rows = asyncio.run(_records(office, plan, {"job": job} if job else {}))
        found = comparing.compare(jobs, rows, office.jobs, plan)
        for name in found.missing_there:
            screen.tell(f"平台没有：{name}", f"missing there: {name}", "red")
        for name in found.missing_here:
            screen.tell(f"这里没有：{name}", f"missing here: {name}", "yellow")
        for one in found.different:
            line = f"{one.job} {one.field}: {one.ours} / {one.theirs}"
            screen.tell(line, line, "red")
        screen.tell(f"对了 {len(jobs)} 个作业", f"{len(jobs)} jobs compared")
        raise typer.Exit(1 if any(found) else 0)


def _is_there(office, job):
    return office.desk.known("power_off", (job,)) == ACCEPTED


async def _records(office, plan, known):
    road = transport.Transport(office.desk.site.server)
    try:
        return await clients.Chongqing(office.desk.site, road, plan, office.jobs).records(known)
    except clients.QueryError as error:
        raise DeskError(str(error)) from None
    finally:
        await road.close()
