"""`hanma bench`: the authority's platform on your own table.

It owns nothing itself: it builds the parts from the command line and lets them run.
"""

import asyncio
import json
import logging
import sys
import time
from contextlib import AsyncExitStack
from datetime import date, datetime
from pathlib import Path
from typing import Annotated, Optional

import typer
from rich.console import Console
from rich.table import Table

from ..carriage import PROFILES
from ..jobs import Certificate, Guardian, Welder
from . import certificates, sample
from . import journal as journal_file
from .broker import EmbeddedBroker
from .people import People, new_ref
from .platform import Platform, PlatformError, wall_clock_ms
from .records import Device, Permit
from .screen import Screen, people_keys

app = typer.Typer(no_args_is_help=True, help=(
    "平台试验台 · The authority's platform on the bench: scans in welders, asks the guardian, orders "
    "terminals on and off, keeps the record. First `hanma bench people sample`, then `hanma bench run`."))
people_app = typer.Typer(no_args_is_help=True, help="登记 · Devices, welders, guardians and permits.")
app.add_typer(people_app, name="people")

DirectoryOption = Annotated[Path, typer.Option(
    "--dir", envvar="HANMA_BENCH",
    help="Where the store (people.sqlite) and the journal (journal.jsonl) are kept.")]
_DIRECTORY = Path("hanma-bench")
_CONSOLE = Console()


# ---- running


@app.command()
def run(
    device: Annotated[str, typer.Option(help="The device the screen shows and the keys act on.")] = "bench-1",
    broker: Annotated[Optional[str], typer.Option(
        help="Use this broker, not the built-in one: mqtt://user:password@host:port or mqtts://…")] = None,
    ca: Annotated[Optional[Path], typer.Option(help="CA file for mqtts://, else the system's.")] = None,
    listen: Annotated[str, typer.Option(
        help="Where the built-in broker listens; 0.0.0.0:1883 lets your network in.")] = "127.0.0.1:1883",
    tls: Annotated[Optional[str], typer.Option(
        help="The built-in broker speaks TLS under this host name, with a test CA made for it.")] = None,
    profile: Annotated[str, typer.Option(help="plain, or iotda (needs --broker).")] = "plain",
    directory: DirectoryOption = _DIRECTORY,
):
    """Run the platform with a live screen. 运行平台.

    Keys: g a welder with a valid certificate scans, e one whose certificate has expired, c the guardian
    confirms, f the work is finished, o out of service and back, q quit. Without a terminal window it prints
    plain lines.
    """
    if profile not in PROFILES:
        raise typer.BadParameter(f"unknown profile {profile}: {', '.join(PROFILES)}", param_hint="--profile")
    if profile == "iotda" and broker is None:
        raise typer.BadParameter("iotda needs --broker: the built-in one refuses topics that begin with $oc",
                                 param_hint="--profile")
    logging.basicConfig(level=logging.WARNING)
    try:
        asyncio.run(_run(device, broker, ca, listen, tls, profile, directory))
    except KeyboardInterrupt:
        raise typer.Exit(130) from None
    except (PlatformError, OSError) as error:
        _CONSOLE.print(f"[red]{error}[/red]")
        raise typer.Exit(1) from None


async def _run(device, url, ca, listen, tls, profile, directory):
    async with AsyncExitStack() as stack:
        if url is None:
            broker = await stack.enter_async_context(_own_broker(listen, tls, directory))
            url, ca = broker.url, broker.tls.ca if broker.tls else ca
            _CONSOLE.print(f"broker {url}" + (f"   CA {ca}" if ca else ""))
        people = People(directory / "people.sqlite")
        stack.callback(people.close)
        journal = stack.enter_context(journal_file.Journal(directory / "journal.jsonl", wall_clock_ms))
        platform = Platform(url, people, journal, carriage=PROFILES[profile](), ca_file=ca)
        serving = asyncio.create_task(platform.run())
        try:
            await Screen(platform, device, people_keys(platform, device)).run()
        finally:
            serving.cancel()
            await asyncio.gather(serving, return_exceptions=True)


def _own_broker(listen, tls, directory):
    host, _, port = listen.rpartition(":")
    if not port.isdigit():
        raise PlatformError(f"not an address to listen on: {listen} (host:port)")
    files = None
    if tls:
        files = certificates.make(directory / "tls", names=(tls, "localhost", "127.0.0.1"))
    directory.mkdir(parents=True, exist_ok=True)
    return EmbeddedBroker(host or "127.0.0.1", int(port), tls=files, log_path=directory / "broker.jsonl")


# ---- people


@people_app.command("list")
def list_people(directory: DirectoryOption = _DIRECTORY):
    """Show everything on record. 查看登记."""
    people = People(directory / "people.sqlite")
    for kind in ("devices", "welders", "guardians", "permits"):
        table = Table("key", "record", title=kind, title_justify="left", show_edge=False)
        for record in people.all(kind):
            body = record.model_dump(mode="json", exclude_defaults=True)
            key = body.pop("ref", None) or body.pop("id", None) or body.pop("no")
            table.add_row(key, json.dumps(body, ensure_ascii=False))
        _CONSOLE.print(table)
    people.close()


@people_app.command("sample")
def add_sample(
    device: Annotated[str, typer.Option(help="The device to register.")] = "bench-1",
    directory: DirectoryOption = _DIRECTORY,
):
    """Register made-up people to try with: a good welder, an expired one, a guardian, a permit. 示例数据."""
    sample.fill(_store(directory), device, wall_clock_ms())
    _CONSOLE.print(f"{device}: {sample.GOOD_WELDER}, {sample.EXPIRED_WELDER}, {sample.GUARDIAN}")


@people_app.command("device")
def add_device(
    device: Annotated[str, typer.Argument(help="The terminal's device id.")],
    name: str = "",
    unit: Annotated[str, typer.Option(help="The enterprise.")] = "",
    site: str = "",
    directory: DirectoryOption = _DIRECTORY,
):
    """Register a terminal. 登记设备."""
    _put(directory, Device(id=device, name=name, unit=unit, site=site))


@people_app.command("welder")
def add_welder(
    name: str,
    kind: Annotated[str, typer.Option(help="050 应急, 060 市场监管, 070 住建.")] = "050",
    number: Annotated[str, typer.Option(help="Certificate number; it stays in this store.")] = "",
    work: Annotated[str, typer.Option(help="The operation the certificate names.")] = "熔化焊接与热切割作业",
    valid_to: Annotated[str, typer.Option(help="Last day, YYYY-MM-DD.")] = "",
    id_number: Annotated[str, typer.Option(help="To tell welder and guardian apart.")] = "",
    ref: Annotated[str, typer.Option(help="The opaque reference; made up if not given.")] = "",
    directory: DirectoryOption = _DIRECTORY,
):
    """Register a welder; with --valid-to also the certificate. 登记焊工."""
    held = ()
    if valid_to:
        held = (_checked(Certificate, kind=kind, number=number, work=work, valid_to=_day(valid_to)),)
    _put(directory, Welder(ref=ref or new_ref("w"), name=name, id_number=id_number, certificates=held))


@people_app.command("guardian")
def add_guardian(
    name: str,
    id_number: Annotated[str, typer.Option(help="To tell welder and guardian apart.")] = "",
    ref: Annotated[str, typer.Option(help="The opaque reference; made up if not given.")] = "",
    directory: DirectoryOption = _DIRECTORY,
):
    """Register a guardian. 登记监护人."""
    _put(directory, Guardian(ref=ref or new_ref("g"), name=name, id_number=id_number))


@people_app.command("permit")
def add_permit(
    no: str,
    device: str,
    hours: Annotated[int, typer.Option(min=1, help="How long it is valid, from --start on.")] = 8,
    start: Annotated[str, typer.Option(help="Local time, YYYY-MM-DDTHH:MM; now if not given.")] = "",
    welder: Annotated[Optional[list[str]], typer.Option(help="Only for these references.")] = None,
    directory: DirectoryOption = _DIRECTORY,
):
    """Register a hot-work permit. 登记动火作业票."""
    from_ms = int(_time(start).timestamp() * 1000) if start else wall_clock_ms()
    _put(directory, Permit(no=no, device=device, from_ms=from_ms, to_ms=from_ms + hours * 3_600_000,
                           welders=tuple(welder or ())))


@people_app.command("remove")
def remove(
    kind: Annotated[str, typer.Argument(help="devices, welders, guardians or permits.")],
    key: Annotated[str, typer.Argument(help="The id, reference or number.")],
    directory: DirectoryOption = _DIRECTORY,
):
    """Forget one record. 删除."""
    if kind not in ("devices", "welders", "guardians", "permits"):
        raise typer.BadParameter("devices, welders, guardians or permits", param_hint="KIND")
    if not _store(directory).remove(kind, key):
        _CONSOLE.print(f"[red]no {key} among the {kind}[/red]")
        raise typer.Exit(1)


def _store(directory):
    return People(directory / "people.sqlite")


def _put(directory, record):
    _store(directory).put(record)
    _CONSOLE.print(getattr(record, "ref", None) or getattr(record, "id", None) or record.no)


def _checked(record, **fields):
    try:
        return record(**fields)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


def _day(text):
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter("a day is written YYYY-MM-DD", param_hint="--valid-to") from None


def _time(text):
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter("a time is written YYYY-MM-DDTHH:MM", param_hint="--start") from None


# ---- the journal


@app.command("journal")
def show_journal(
    job: Annotated[str, typer.Option(help="Every step of one job, whole.")] = "",
    messages: Annotated[bool, typer.Option("--messages", help="The messages, too.")] = False,
    follow: Annotated[bool, typer.Option("--follow", help="Go on with what is added.")] = False,
    raw: Annotated[bool, typer.Option("--raw", help="The JSON lines as they are.")] = False,
    directory: DirectoryOption = _DIRECTORY,
):
    """Show the journal: the steps of jobs and what was refused. 查看流水.

    The file is JSON lines, one record each, in order; `journal.jsonl` may be copied or read by other programs
    while the bench runs.
    """
    path = directory / "journal.jsonl"
    shown = 0
    try:
        while True:
            records = list(journal_file.read(path))
            for record in records[shown:]:
                if _wanted(record, job, messages):
                    text = json.dumps(record, ensure_ascii=False) if raw else _line(record, job)
                    sys.stdout.write(text + "\n")
            sys.stdout.flush()
            shown = len(records)
            if not follow:
                break
            time.sleep(0.5)
    except KeyboardInterrupt:
        raise typer.Exit(130) from None


def _wanted(record, job, messages):
    if job:
        body = record.get("job")
        return (body.get("job") if isinstance(body, dict) else body) == job
    return messages or record["what"] != "message"


def _line(record, whole):
    moment = datetime.fromtimestamp(record["t_ms"] / 1000).isoformat(sep=" ", timespec="milliseconds")
    return f"{moment} {_WRITERS[record['what']](record, whole)}"


def _write_job(record, whole):
    job = record["job"]
    if whole:
        return f"{record['step']} {json.dumps(job, ensure_ascii=False)}"
    why = (job.get("refusal") or {}).get("code") or (job.get("off") or {}).get("cause") or ""
    return f"job {job['job']} {record['step']} -> {job['state']} {why}"


def _write_message(record, whole):
    return f"{record['dir']:4} {record['topic']} {record.get('payload', record.get('hex'))}"


def _write_note(record, whole):
    fields = {key: value for key, value in record.items() if key not in ("v", "t_ms", "what", "kind")}
    return f"note {record['kind']} {json.dumps(fields, ensure_ascii=False)}"


_WRITERS = {"job": _write_job, "message": _write_message, "note": _write_note}
