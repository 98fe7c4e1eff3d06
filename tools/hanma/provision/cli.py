"""`hanma provision`: boards on cables become terminals.

Exit codes: 0 all boards passed; 1 a board failed, or it cannot be done; 2 the command line is wrong.
"""

import getpass
import json
import os
import pathlib
import tempfile
import threading
from typing import Annotated, Literal, Optional

import typer

from hanma import stage as staging
from hanma import toolchain
from hanma.provision import batch, label, ports
from hanma.provision.job import PARTS, Job, Plan
from hanma.provision.record import Record
from hanma.provision.screen import Screen
from hanma.provision.wire import sha256
from hanma.provision.words import Trouble
from hanma.release import keys as signing

Lang = Annotated[Literal["zh", "en"], typer.Option("--lang", help="Language of what is shown 显示语言.")]
RecordFile = Annotated[pathlib.Path, typer.Option("--record", help="The batch record (SQLite; a CSV is kept beside it).")]
RECORD = pathlib.Path("hanma-batch.sqlite")
_KEYS = "release.keys"  # as firmware/terminal/download.py names it


def command(
    port: Annotated[Optional[list[str]], typer.Argument(help="Serial ports; without them every port that has a board.")] = None,
    board: Annotated[str, typer.Option("--board", "-b", help="The board's name: see `hanma boards`.")] = "lilygo_t_a7670",
    batch_file: Annotated[Optional[pathlib.Path], typer.Option("--batch", help="CSV: device_id, secret, qr, settings …")] = None,
    device_id: Annotated[str, typer.Option("--device-id", help="One identity without a batch file.")] = "",
    secret_env: Annotated[str, typer.Option("--secret-env", help="Name of the variable that holds its secret.")] = "",
    secret_file: Annotated[Optional[pathlib.Path], typer.Option("--secret-file", help="File that holds its secret.")] = None,
    tree: Annotated[Optional[pathlib.Path], typer.Option("--tree", help="A tree that `hanma stage` has made.")] = None,
    config: Annotated[Optional[pathlib.Path], typer.Option("--config", help="config.json for all of them.")] = None,
    ca: Annotated[Optional[pathlib.Path], typer.Option("--ca", help="The authority's certificate (PEM).")] = None,
    keys: Annotated[Optional[pathlib.Path], typer.Option("--keys", help="release.keys: whose upgrades it takes.")] = None,
    record: RecordFile = RECORD,
    labels: Annotated[pathlib.Path, typer.Option("--labels", help="Directory of the labels.")] = pathlib.Path("labels"),
    template: Annotated[str, typer.Option("--label", help="What the code says where the batch has no column qr.")] = label.TEMPLATE,
    allow: Annotated[Optional[list[str]], typer.Option("--allow", help=f"Part that may fail: {', '.join(PARTS)}.")] = None,
    watch: Annotated[bool, typer.Option("--watch", help="Go on with the next board when the cable has moved.")] = False,
    replace: Annotated[bool, typer.Option("--replace", help="Give a board of another batch a new identity.")] = False,
    open_repl: Annotated[bool, typer.Option("--open", help="Leave the console open: for the workbench only.")] = False,
    reprint: Annotated[bool, typer.Option("--reprint", help="Only the labels again, as they were, on a sheet.")] = False,
    export: Annotated[Optional[pathlib.Path], typer.Option("--export", help="Only the authority's lists, into here.")] = None,
    enterprise: Annotated[Optional[pathlib.Path], typer.Option("--enterprise", help="TOML for them.")] = None,
    enter_s: Annotated[int, typer.Option("--wait", min=1, help="Seconds that a board may take to be heard.")] = 30,
    up_s: Annotated[int, typer.Option("--up", min=1, help="Seconds that a modem may take to be on the network.")] = 90,
    rsrp_dbm: Annotated[int, typer.Option("--rsrp", min=-140, max=-44, help="The weakest signal that passes, dBm.")] = -110,
    who: Annotated[str, typer.Option("--who", help="Who does it; without it the user's name.")] = "",
    lang: Lang = "zh",
):
    """Turn boards into terminals: identity, files, self test, lock, label (批量生产：编号、写入、自检、标签).

    The secret is never given on the command line: in the batch file, a variable, a file, or asked for. Interrupted anywhere,
    run it again: it goes on and ends the same. hanma provision --batch batch.csv --config config.json --ca ca.pem
    """
    screen = Screen(lang)
    try:
        kept = Record(record)
        if reprint:
            _sheet(kept, labels, None)
            return
        if export:
            raise typer.Exit(_export(kept, export, enterprise, screen))
        unknown = [part for part in allow or () if part not in PARTS]
        if unknown:
            raise typer.BadParameter(f"--allow {unknown[0]}: there are {', '.join(PARTS)}")
        base = _settings(config)
        rows = batch.load(batch_file, base) if batch_file else [_one(device_id, secret_env, secret_file, base)]
        plan = _plan(
            board, tree, _trusted(base, ca, keys), base, rows=rows, record=kept, labels=labels, who=who or getpass.getuser(),
            template=template, lang=lang, allowed=frozenset(allow or ()), replace=replace, is_locked=not open_repl,
            enter_s=enter_s, up_s=up_s, rsrp_dbm=rsrp_dbm,
        )  # fmt: skip
        found = port or ports.boards()
        if not found:
            raise Trouble("no_board")
        screen.several = len(found) > 1
        try:
            passed = _provision(plan, found, screen, watch)
        finally:  # --watch ends by Ctrl-C
            _sheet(kept, labels, {row.device_id for row in rows})
    except Trouble as trouble:
        _fail(trouble.words(lang))
    except (staging.StageError, toolchain.Missing, OSError) as error:
        _fail(error)
    raise typer.Exit(0 if passed else 1)


def _fail(text):
    typer.echo(f"hanma provision: {text}", err=True)
    raise typer.Exit(1)


def _export(kept, directory, enterprise, screen):
    """Write the authority's lists and name what is missing; return the exit status."""
    from hanma.provision import lists

    whole, terminals, missing = lists.make(kept, lists.load(enterprise) if enterprise else ({}, {}, {}))
    for path in lists.save(directory, whole, terminals):
        typer.echo(path)
    if missing:
        screen.note("missing", detail=", ".join(missing))
    return 1 if missing else 0


def _settings(path):
    """Return the settings for all boards. Raises Trouble batch_bad."""
    if path is None:
        return {}
    try:
        given = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise Trouble("batch_bad", detail=f"{path}: {error}") from error
    if not isinstance(given, dict):
        raise Trouble("batch_bad", detail=f"{path}: no JSON object 不是 JSON 对象")
    return given


def _one(device_id, secret_env, secret_file, base):
    """Return the row of a single identity."""
    if not device_id:
        raise typer.BadParameter("give --batch, or --device-id")
    if secret_env:
        secret = os.environ.get(secret_env, "")
    elif secret_file:
        secret = secret_file.read_text(encoding="utf-8").strip()
    else:
        secret = typer.prompt("密钥 secret", hide_input=True, err=True)
    return batch.make({"device_id": device_id, "secret": secret}, base)


def _trusted(base, ca, keys):
    """Return {path: bytes} of what a terminal trusts: the authority's certificate, keys of releases. Raises Trouble batch_bad."""
    files = {}
    if ca:
        files[base.get("ca_file", batch.firmware_config().defaults()["ca_file"])] = ca.read_bytes()
    if keys:
        try:
            files[_KEYS] = signing.device_file([keys])
        except signing.KeyProblem as error:
            raise Trouble("batch_bad", detail=f"--keys: {error}; hanma release key device") from error
    return files


def _plan(board, tree, trusted, base, **options):
    """Return the Plan with the board's staged tree. Raises Trouble, StageError, Missing."""
    defaults = batch.firmware_config().defaults()
    files = dict(trusted)
    with_tls = [row for row in options["rows"] if {**defaults, **base, **row.settings}["tls"]]
    if with_tls and base.get("ca_file", defaults["ca_file"]) not in files:
        raise Trouble("batch_bad", detail="--ca is missing: with tls a terminal needs the authority's certificate 缺少 --ca")
    with tempfile.TemporaryDirectory() as directory:
        if tree is None:
            tree = staging.stage(board, pathlib.Path(directory) / board).out
        files.update({path.relative_to(tree).as_posix(): path.read_bytes() for path in tree.rglob("*") if path.is_file()})
    about = staging.about_board(board)
    return Plan(board=board, chip=about["chip"], digest=_digest(files), files=files, base=base, **options)


def _digest(files):
    """Return one SHA-256 over all paths and contents."""
    return sha256("".join(f"{path}\0{sha256(files[path])}\n" for path in sorted(files)).encode())


def _provision(plan, found, screen, watch):
    """Do all ports at once; return whether every board passed."""
    stop = threading.Event()

    def once(port):
        return Job(plan, port, screen.tell).run()

    def work(port):
        return ports.follow(port, once, lambda: screen.note("wait_board"), stop) if watch else once(port)

    return all(ports.each(found, work, stop).values())


def _sheet(record, directory, device_ids):
    """Write the labels on sheets, and each code once more where its file is gone."""
    made = record.labels(device_ids)
    for number, device_id, text in made:
        label.save_png(directory, number, device_id, text)
    if made:
        path = pathlib.Path(directory) / "labels.pdf"
        label.save_sheet(path, made)
        typer.echo(path)
