"""`hanma upload`, the way in and out: a profile, a template, checking, putting in, sending, watching."""

import sys
from pathlib import Path
from typing import Annotated, Optional

import typer

from . import catalogue, gathering, marking, reading, starting, watch, workbook
from . import site as sites
from .cli_base import Files, Lang, SiteOption, TableOption, command, open_desk
from .desk import DeskError
from .screen import Screen, plain_console


@command()
def init(
    platform: Annotated[str, typer.Argument(help="shantou, jiangsu, chongqing, zhejiang, shanghai")],
    path: Annotated[Path, typer.Argument(help="The profile to write, e.g. sites/工地.toml")],
    lang: Lang = "zh",
):
    """写一份新的工地配置 · Write a new site profile, and a key beside it."""
    try:
        one = catalogue.load(platform)
    except KeyError as error:
        raise sites.SiteError(error.args[0]) from None
    made, key = starting.profile(path, one)
    screen = Screen(lang)
    screen.tell(f"写好了 {made}：请填好里面的空", f"wrote {made}: fill it in")
    if key:
        _tell_key(screen, key)


def _tell_key(screen, path):
    zh, en = f"密钥 {path}：请另存一份。丢了它，已存的资料谁也打不开", f"key {path}: keep a copy; nothing stored opens without it"
    screen.tell(zh, en)


@command()
def key(site: SiteOption = None, lang: Lang = "zh"):
    """做密钥 · Make the key that the profile names, where there is none and nothing was stored yet."""
    with open_desk(site) as desk:
        made = starting.key(desk.site)
        _tell_key(Screen(lang), made)


@command()
def template(
    out: Annotated[Path, typer.Argument(help="The workbook to write (.xlsx).")],
    table: Annotated[Optional[list[str]], typer.Option("--table", "-t", help="Only these tables; again for more.")] = None,
    site: SiteOption = None,
    lang: Lang = "zh",
):
    """出空表 · Write the workbook to fill in: text cells, drop-downs, what is required."""
    with open_desk(site) as desk:
        chosen = [desk.table(one) for one in table] if table else desk.platform.tables.values()
        workbook.template([one.settled(desk.site.settings) for one in chosen], desk.platform, out, desk.site)
        Screen(lang).tell(f"空表在 {out}", f"wrote {out}")


def _paths(files):
    """Return the files to read; `-` is standard input and read apart."""
    return [one for one in files if str(one) != "-"]


@command()
def validate(
    files: Files,
    table: TableOption = None,
    out: Annotated[Optional[Path], typer.Option("--out", "-o", help="Write the faulty rows, marked, to this workbook.")] = None,
    site: SiteOption = None,
    lang: Lang = "zh",
):
    """只检查 · Check every row and show every problem at once; nothing is kept or sent."""
    with open_desk(site) as desk:
        screen = Screen(lang)
        with screen.progress("检查", "checking") as move:
            result = _checked(desk, files, table, lambda one: move(one.read))
        _finish(screen, result, out, added=False)


def _checked(desk, files, table, on_row, bodies=False):
    result = desk.validate(_paths(files), table, bodies=bodies, on_row=on_row)
    if len(_paths(files)) < len(files):
        desk.validate_parts([_input_part(desk, table)], result, bodies=bodies, on_row=on_row)
    return result


def _input_part(desk, table):
    if table is None:
        raise DeskError("标准输入要用 --table 指明表 (standard input needs --table)")
    one = desk.table(table)
    return gathering.Part(one, gathering.named(reading.read_stream(sys.stdin, "-"), one, desk.site))


def _status_of(result):
    if result.unread:
        return 2
    return 1 if not result.fine else 3 if result.held else 0


def _finish(screen, result, out, added):
    """Show the result, write the marked workbook and end with the right status."""
    if out and result.faulty:
        marking.mark(out, [row for row, _ in result.faulty], [record for _, record in result.faulty], screen.lang)
    screen.result(result, added)
    if out and result.faulty:
        screen.tell(f"有问题的行在 {out}", f"the faulty rows are in {out}")
    raise typer.Exit(_status_of(result))


@command()
def add(
    files: Files,
    table: TableOption = None,
    out: Annotated[Optional[Path], typer.Option("--out", "-o", help="Write the faulty rows, marked, to this workbook.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the exact bodies; keep nothing.")] = False,
    site: SiteOption = None,
    lang: Lang = "zh",
):
    """检查并放入待发 · Check the rows and put the sound ones into the outbox."""
    with open_desk(site) as desk:
        screen = Screen(lang)
        if dry_run:
            _dry_run(desk, files, table, screen)
        with screen.progress("检查并放入", "checking and putting in") as move:
            result = desk.add(_paths(files), table, on_row=lambda one: move(one.read))
            if len(_paths(files)) < len(files):
                desk.add_parts([_input_part(desk, table)], result)
        _finish(screen, result, out, added=True)


def _dry_run(desk, files, table, screen):
    result = _checked(desk, files, table, None, bodies=True)
    for one in result.bodies:
        typer.echo(one)
    Screen(screen.lang, plain_console(stderr=True)).result(result, False)
    raise typer.Exit(_status_of(result))


@command()
def send(
    keep: Annotated[bool, typer.Option("--keep-going", help="Go on until Ctrl-C, as new records come.")] = False,
    site: SiteOption = None,
    lang: Lang = "zh",
):
    """发出 · Send what is in the outbox: parents first, once each. Ctrl-C ends it cleanly."""
    with open_desk(site) as desk:
        screen = Screen(lang)
        total = desk.store.counts()["queued"]
        with screen.progress("发送", "sending", total) as move:
            summary = desk.send(once=not keep, on_progress=lambda one, *_: move(one.accepted + one.refused + one.uncertain))
        screen.summary(summary)
        raise typer.Exit(_status(summary))


def _status(summary):
    if summary.stopped or summary.barred:
        return 2
    return 1 if summary.refused else 3 if summary.uncertain else 0


@command(name="watch")
def watch_command(
    folder: Annotated[Path, typer.Argument(help="待传 有错 已传 are made in it.")],
    once: Annotated[bool, typer.Option("--once", help="Take what lies there now, send it, and end.")] = False,
    site: SiteOption = None,
    lang: Lang = "zh",
):
    """看管文件夹 · Watch a folder: what is put into 待传 is checked, sent, and moved to 已传; faulty rows come back in 有错."""
    with open_desk(site) as desk:
        screen, faulty = Screen(lang), []

        def told(path, result):
            screen.out.rule(path.name)
            screen.result(result, True)
            faulty.extend([] if result.fine else [path])

        summary = watch.Folder(folder).run(desk, lang, once=once, on_file=told)
        screen.summary(summary)
        raise typer.Exit(_status(summary) or (1 if faulty else 0))


@command()
def look(
    dictionary: Annotated[Optional[str], typer.Argument(help="A dictionary, or a field as table.field; none: all.")] = None,
    text: Annotated[str, typer.Argument(help="Only entries with this in the code or the name.")] = "",
    site: SiteOption = None,
    lang: Lang = "zh",
):
    """查字典 · Look up the codes that a field takes."""
    with open_desk(site) as desk:
        for line in _entries(desk, dictionary, text):
            typer.echo(line)


def _entries(desk, dictionary, text):
    platform = desk.platform
    if dictionary is None:
        return [f"{name}\t{len(entries)}" for name, entries in platform.dictionaries.items()]
    found = platform.dictionaries.get(dictionary)
    if found is None and "." in dictionary:
        key, _, name = dictionary.partition(".")
        one = desk.table(key).field(name)
        found = platform.choices(one) if one else None
    if found is None:
        raise DeskError(f"{dictionary}: 没有这个字典 (no such dictionary): {'、'.join(platform.dictionaries)}")
    return [f"{code}\t{name}" for code, name in found.items() if text in str(code) or text in str(name)]


@command()
def token(site: SiteOption = None, lang: Lang = "zh"):
    """试一试令牌 · Ask the platform for a token and have it checked."""
    with open_desk(site) as desk:
        good = desk.check_token()
        Screen(lang).tell("令牌有效" if good else "令牌无效", "the token is valid" if good else "the token is not valid")
        raise typer.Exit(0 if good else 1)
