"""`hanma doctor`: plain words about a board on a cable: what it is, what it runs, why it would not let anyone weld.

Nothing on the board is changed but that a terminal which runs there is interrupted: the welder is unpowered, and it starts again
at the end. A locked terminal says who it is; inside one sees with its key and its button. Exit codes: 0 it would let people weld
once it is online; 1 it would not, or cannot be looked at.
"""

import json
import pathlib
from typing import Annotated, Optional

import typer

from hanma.provision import batch, ports, snippets
from hanma.provision.cli import RECORD, Lang
from hanma.provision.record import Record
from hanma.provision.wire import BoardError, Wire
from hanma.provision.words import Trouble, say

_WHOLE = ("boot.py", "lib/board.mpy", "lib/terminal/interlock.mpy", "lib/modem/modem.mpy")


def command(
    port: Annotated[Optional[str], typer.Argument(help="Serial port; without it the one that has a board.")] = None,
    batch_file: Annotated[Optional[pathlib.Path], typer.Option("--batch", help="The batch file: opens a locked board.")] = None,
    record: Annotated[pathlib.Path, typer.Option("--record", help="The batch record.")] = RECORD,
    wait_s: Annotated[int, typer.Option("--wait", min=1, help="Seconds that a board may take to be heard.")] = 30,
    lang: Lang = "zh",
):
    """Say in plain words what a board on a cable is, and why it would not let anyone weld (检查一块主板)."""
    try:
        found = [port] if port else ports.boards()
        if not found:
            raise Trouble("no_board")
        rows = batch.load(batch_file, None) if batch_file else []
        findings = _examine(found[0], rows, record, wait_s, lambda code: typer.echo(say(code, lang)))
    except Trouble as trouble:
        typer.echo(f"✗ {trouble.words(lang)}")
        raise typer.Exit(1) from None
    for is_well, code, facts in findings:
        typer.echo(f"{'✓' if is_well else '✗'} {say(code, lang, **facts)}")
    raise typer.Exit(0 if all(is_well for is_well, _, _ in findings) else 1)


def _examine(port, rows, record, wait_s, tell):
    """Return what was found: [(whether it is well, code of words, facts)]."""
    with Wire(port) as wire:
        try:
            wire.enter(wait_s, {row.device_id: row.secret.get_secret_value() for row in rows}.get, lambda: tell("hold_button"))
        except Trouble as trouble:
            if wire.locked_as and trouble.code in ("locked", "wrong_key"):
                chip, device = wire.locked_as
                return [(False, "is_locked_now", {"device": device, "chip": chip})]
            raise
        findings = []
        try:
            findings += _board(wire, record)
            findings += _inside(wire)
        except (BoardError, ValueError) as error:
            findings.append((False, "board_error", {"detail": str(error)}))
        wire.reset()
    return findings


def _board(wire, record):
    try:
        facts = json.loads(wire.run(snippets.FACTS))
    except (BoardError, ValueError):
        raise Trouble("not_micropython") from None
    yield True, "is_board", {"machine": facts["machine"], "chip": facts["chip"]}
    yield True, "runs_micropython", {"release": facts["release"]}
    known = Record(record).terminal(facts["chip"]) if record.exists() else None
    if known:
        yield True, "is_known", {"number": known["number"], "device": known["device_id"]}


def _inside(wire):
    """What the terminal's program, identity and settings are, and what its boot found."""
    names = [json.loads(line)[0] for line in wire.run(snippets.HASHES, timeout_s=60).splitlines()]
    identity = json.loads(wire.run(f"SALT = b''\nKEYS = ('secret',)\n{snippets.IDENTITY}"))
    if "lib/board.mpy" not in names:
        yield False, "no_firmware", {}
        return
    missing = [name for name in _WHOLE if name not in names]
    if missing or "main.py" not in names:
        yield False, "half_firmware" if missing else "no_main", {}
        return
    said = wire.run(snippets.DOCTOR)
    boot = json.loads(said[said.index("doctor ") + len("doctor ") :])
    yield True, "has_firmware", {"count": len(names), "board": boot["board"]}
    yield (True, "has_identity", {"device": identity["device"]}) if identity["device"] else (False, "no_identity", {})
    if not identity["secret"]:
        yield False, "no_secret", {}
    if not identity["lock"]:
        yield True, "is_open", {}
    yield from _settings(wire, names, boot)
    yield from _boot(boot)


def _settings(wire, names, boot):
    for problem in boot["problems"]:
        yield False, "setting_wrong", {"detail": problem}
    if "config.json" not in names:
        return
    values, _ = batch.firmware_config().check(json.loads(wire.run("print(open('/config.json').read())")))
    if not values["host"]:
        yield False, "no_host", {}
    if values["tls"] and values["ca_file"] not in names:
        yield False, "no_ca", {"name": values["ca_file"]}


def _boot(boot):
    if boot["kept"]:
        yield False, "kept_broken", {"detail": boot["kept"]}
    if boot["minimal"]:
        yield False, "is_minimal", {}
    reason = boot["reason"]
    if reason in ("barred", "refused", "out_of_service"):
        yield False, f"why_{reason}", {}
    else:
        yield True, "why_no_network", {}
