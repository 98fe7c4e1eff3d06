"""`hanma accept`: the test at the welder after fitting, its record and its signed sheet.

Exit codes: 0 it passed, or the sheet is valid; 1 it did not, or it cannot be done; 2 the command line is wrong.
"""

import asyncio
import contextlib
import datetime
import getpass
import pathlib
import re
import signal
import threading
from typing import Annotated, Optional
from urllib.parse import urlsplit

import typer

from hanma.bench.journal import Journal
from hanma.bench.people import People, new_ref
from hanma.bench.platform import Platform, PlatformError, wall_clock_ms
from hanma.carriage import PROFILES
from hanma.provision import sheet
from hanma.provision.accept import Acceptance, Limits
from hanma.provision.cli import RECORD, Lang, RecordFile
from hanma.provision.record import Record
from hanma.provision.screen import Screen
from hanma.provision.wire import Wire
from hanma.provision.words import Trouble, say
from hanma.release import keys

_CONNECT_S = 20
_STEP_FIELDS = ("step", "time", "seconds", "verdict", "detail", "answered_by")


def command(
    port: Annotated[Optional[str], typer.Argument(help="Serial port, to be sure which terminal it is; a locked one says.")] = None,
    device: Annotated[str, typer.Option("--device", help="The terminal's id; needed without a port.")] = "",
    broker: Annotated[
        str, typer.Option("--broker", envvar="HANMA_BROKER", help="The broker the terminal uses: mqtt://user:password@host:port or mqtts://…")
    ] = "",
    ca: Annotated[Optional[pathlib.Path], typer.Option("--ca", help="CA file for mqtts://.")] = None,
    profile: Annotated[str, typer.Option("--profile", help="plain or iotda.")] = "plain",
    model: Annotated[str, typer.Option("--model", help="The welder's model.")] = "",
    number: Annotated[str, typer.Option("--number", help="The welder's number.")] = "",
    installer: Annotated[str, typer.Option("--installer", help="Who fitted it; without it the user's name.")] = "",
    enterprise: Annotated[str, typer.Option("--enterprise", help="Whose welder it is.")] = "",
    site: Annotated[str, typer.Option("--site", help="Where it stands.")] = "",
    photo: Annotated[Optional[list[pathlib.Path]], typer.Option("--photo", help="A photo for the sheet; again for more.")] = None,
    key: Annotated[Optional[pathlib.Path], typer.Option("--key", help="Your key: `hanma release key new FILE`.")] = None,
    passphrase: Annotated[str, typer.Option("--passphrase", help="env:NAME, file:PATH or prompt.")] = "prompt",
    font: Annotated[Optional[pathlib.Path], typer.Option("--font", help="A TrueType font with Chinese to embed.")] = None,
    out: Annotated[pathlib.Path, typer.Option("--out", help="Directory of the sheets.")] = pathlib.Path("acceptance"),
    record: RecordFile = RECORD,
    wait_s: Annotated[int, typer.Option("--wait", min=180, max=86400, help="Shortened wait for an emergency, seconds.")] = 180,
    rehearsal_s: Annotated[int, typer.Option("--rehearsal", min=60, max=1800, help="Seconds after which it ends by itself.")] = 900,
    online_s: Annotated[int, typer.Option("--online", min=1, help="Seconds that the terminal may take to answer.")] = 120,
    yes: Annotated[bool, typer.Option("--yes", help="Answer each question with yes; the sheet says so.")] = False,
    verify: Annotated[Optional[pathlib.Path], typer.Option("--verify", help="Only check a sheet (PDF), with --public.")] = None,
    public: Annotated[Optional[list[pathlib.Path]], typer.Option("--public", help="Public key to believe, for --verify.")] = None,
    lang: Lang = "zh",
):
    """Test a fitted terminal at its welder and make the signed sheet (安装后的测试与验收单).

    The welder is switched by real orders, then the antenna is taken off for an outage. Nothing is left switched, whatever happens:
    the terminal itself stops and is as configured again when --rehearsal is over. hanma accept --device T-1 --broker mqtts://…
    """
    screen = Screen(lang)
    try:
        if verify:
            _verify(verify, public, screen)
            return
        if not broker or profile not in PROFILES or rehearsal_s <= wait_s:
            raise typer.BadParameter("--broker is needed; --profile is plain or iotda; --rehearsal is longer than --wait")
        facts = {"welder_model": model, "welder_number": number, "enterprise": enterprise, "site": site}
        facts["installer"] = installer or getpass.getuser()
        pictures = sheet.photos(photo or ())
        private = _private(key, passphrase)
        device, chip = _who(port, device)
        kept = Record(record)
        platform_at = {"url": broker, "ca_file": ca, "carriage": PROFILES[profile]()}
        limits = Limits(online_s=online_s, wait_s=wait_s, rehearsal_s=rehearsal_s)
        done, view = asyncio.run(_run(platform_at, device, limits, out, screen, yes))
        data = _data(kept, device, chip, done, view, facts, pictures, broker)
        path = _path(out, data)
        digest = sheet.save(path, data, pictures, private, font)
        kept.append_acceptance(data, path.name, digest)
    except Trouble as trouble:
        _fail(trouble.words(lang))
    except (PlatformError, OSError) as error:
        _fail(error)
    screen.tell(port, "verdict", data["verdict"], (device, _failed(done)))
    typer.echo(path)
    raise typer.Exit(0 if done.passed() else 1)


def _fail(text):
    typer.echo(f"hanma accept: {text}", err=True)
    raise typer.Exit(1)


def _verify(path, public, screen):
    if not public:
        raise typer.BadParameter("--verify needs --public: whom to believe")
    try:
        moduli = keys.load_all(public)
    except keys.KeyProblem as problem:
        raise Trouble("key_bad", detail=str(problem)) from problem
    data, signer = sheet.verify(path, moduli)
    screen.note("sheet_good", device=data.get("device_id"), verdict=say(data["verdict"], screen.lang), key=signer)


def _private(path, source):
    """Return the key that signs, None without one. Raises Trouble key_bad."""
    if path is None:
        return None
    try:
        secret = keys.passphrase(source, lambda: typer.prompt("密码 passphrase", hide_input=True, err=True))
        return keys.load_private(path, secret)
    except keys.KeyProblem as problem:
        raise Trouble("key_bad", detail=str(problem)) from problem


def _who(port, device):
    """Return (device id, chip or None). Raises Trouble no_device, not_this_device, and those of the cable."""
    chip = None
    if port:
        with Wire(port) as wire:
            told = wire.ask_who()
        if told:
            chip, found = told
            if device and device != found:
                raise Trouble("not_this_device", found=found, wanted=device)
            device = found
    if not device:
        raise Trouble("no_device")
    return device, chip


async def _run(platform_at, device, limits, out, screen, yes):
    """Connect and do it; return (the Acceptance, the platform's view of the terminal)."""
    with contextlib.ExitStack() as stack:
        people = People(":memory:")
        stack.callback(people.close)
        journal = stack.enter_context(Journal(out / "orders.jsonl", wall_clock_ms))
        platform = Platform(platform_at.pop("url"), people, journal, **platform_at)
        serving = asyncio.create_task(platform.run())
        try:
            await asyncio.wait_for(platform.connected.wait(), _CONNECT_S)
        except asyncio.TimeoutError:
            serving.cancel()
            raise Trouble("no_broker", seconds=_CONNECT_S) from None
        ask = _said_yes if yes else _asker(screen.lang)
        done = Acceptance(platform, device, new_ref("accept"), limits, ask, lambda one: _show(screen, one), screen.note)
        try:
            await _until_stopped(done, screen)
        finally:
            serving.cancel()
            await asyncio.gather(serving, return_exceptions=True)
        return done, platform.devices.get(device)


async def _until_stopped(done, screen):
    """Run it; the first Ctrl-C (or end of the window) goes to its last step at once, and no other hurries that."""
    loop, running = asyncio.get_running_loop(), asyncio.create_task(done.run())
    stopped = []

    def stop(*_):
        if not stopped:
            stopped.append(True)
            screen.note("stopping")
            loop.call_soon_threadsafe(running.cancel)

    names = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
    before = {name: signal.signal(name, stop) for name in names}
    try:
        await asyncio.gather(running, return_exceptions=bool(stopped))
    except asyncio.CancelledError:
        if not stopped:
            raise
    finally:
        for name, handler in before.items():
            signal.signal(name, handler)


async def _said_yes(_question):
    return True, "--yes"


def _asker(lang):
    """Return what asks the technician; a thread of its own waits for the keyboard, so that Ctrl-C need not."""

    async def ask(question):
        loop = asyncio.get_running_loop()
        answered = loop.create_future()

        def wait():
            try:
                is_so = typer.confirm(say(question, lang), err=True)
            except (typer.Abort, EOFError):
                is_so = False
            with contextlib.suppress(RuntimeError):  # nobody waits any more
                loop.call_soon_threadsafe(lambda: answered.done() or answered.set_result(is_so))

        threading.Thread(target=wait, daemon=True).start()
        return await answered, "technician"

    return ask


def _show(screen, result):
    detail = result.trouble.words(screen.lang) if result.trouble else result.detail
    screen.tell("", "result", (result.step, result.verdict, detail, result.time), result.seconds)


def _failed(done):
    return "; ".join(one.step for one in done.results if one.verdict == "fail")


def _data(kept, device, chip, done, view, facts, pictures, broker):
    """Return what the sheet says and the signature covers."""
    known = kept.terminal_named(device) or {}
    versions = (view.login.get("versions") if view else None) or kept.last_versions(device)
    steps = [{name: getattr(one, name) for name in _STEP_FIELDS} for one in done.results]
    where = urlsplit(broker)
    return {
        "form": "hanma acceptance 1", "device_id": device, "chip": chip or known.get("chip"), "number": known.get("number"),
        "firmware": versions.get("firmware"), "iccid": kept.last_versions(device).get("iccid"), "steps": steps, **facts,
        "time": done.results[0].time, "verdict": "pass" if done.passed() else "fail",
        "broker": f"{where.scheme}://{where.hostname}" + (f":{where.port}" if where.port else ""),
        "photos": [{"name": name, "sha256": digest} for name, digest, _ in pictures],
    }  # fmt: skip


def _path(out, data):
    moment = datetime.datetime.fromisoformat(data["time"]).strftime("%Y%m%dT%H%M%SZ")
    return out / f"{re.sub(r'[^A-Za-z0-9_.-]', '_', data['device_id'])}-{moment}.pdf"
