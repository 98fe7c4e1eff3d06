"""The command `hanma`: what a person at a host does with terminals. Sub-commands live with their parts."""

import importlib
import pathlib
from typing import Annotated, Optional

import typer
from rich.console import Console
from rich.table import Table
from typer.core import TyperGroup

from hanma import stage as staging
from hanma import toolchain

# A part is loaded when it is asked for: name → (module with its `app`, the extra that brings its packages, what it is).
_PARTS = {
    "bench": ("hanma.bench.cli", "bench", "平台试验台 · The authority's platform on the bench."),
    "upload": ("hanma.upload.cli", "upload", "工地资料上报 · Site records to the authorities."),
    "mock": ("hanma.mock.cli", "mock", "严格的监管平台替身 · Strict stand-ins of the authorities' servers."),
    "release": ("hanma.release.cli", "device", "签名的升级包 · Signed bundles for upgrades."),
    "provision": ("hanma.provision.cli", "device", "装配终端 · Make terminals of boards on cables."),
    "doctor": ("hanma.provision.doctor", "device", "问诊 · What a board on a cable is, and why it would not let anyone weld."),
    "accept": ("hanma.provision.accept_cli", "accept", "安装验收 · The test at the welder, and its signed sheet."),
    "flash": ("hanma.provision.flash", "device", "烧录 · Put the MicroPython image on the chip."),
}


class _Part(TyperGroup):
    """A part's place in the list of commands; itself it is loaded when it is called."""

    def make_context(self, info_name, args, parent=None, **extra):
        """Return the context of the part's own group."""
        return _load(self.name).make_context(info_name, args, parent=parent, **extra)


class _Parts(TyperGroup):
    """The commands here and those of the parts."""

    def list_commands(self, ctx):
        """Return every name, the parts' last. A release is made from the source tree, which an installed package lacks."""
        return [*super().list_commands(ctx), *(name for name in _PARTS if name != "release" or staging.FIRMWARE.is_dir())]

    def get_command(self, ctx, name):
        """Return the command of that name, or None."""
        return _Part(name=name, help=_PARTS[name][2]) if name in _PARTS else super().get_command(ctx, name)


def _load(name):
    """Return a part's group or its one command; where its packages are not installed, a command that says how to get them."""
    module, extra, _ = _PARTS[name]
    alone = typer.Typer()
    try:
        part = importlib.import_module(module)
        if not hasattr(part, "command"):
            return typer.main.get_command(part.app)
        alone.command(name)(part.command)
        return typer.main.get_command(alone)
    except ModuleNotFoundError as missing:
        if (missing.name or "").startswith("hanma"):
            raise
        words = f"{missing.name} is not installed here: pip install 'hanma[{extra}]'"
    anything = {"allow_extra_args": True, "ignore_unknown_options": True}
    alone.command(name, help=words, context_settings=anything)(lambda: _fail(f"{name}: {words}"))
    return typer.main.get_command(alone)


app = typer.Typer(
    cls=_Parts,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    help="""hanma (焊码): host tools for welder terminals.

A terminal is an ESP32 with an LTE modem and a relay in a welder's supply. Its files are written in
[b]firmware/[/b]; [b]hanma stage[/b] turns them into the one tree that is flashed, for the board you have.

Try: [b]hanma boards[/b], then [b]hanma stage --board unix --out build/stage/unix[/b]
""",
)
_console = Console(highlight=False)
_errors = Console(stderr=True, highlight=False)


@app.callback()
def _main():
    """Keep sub-commands even while there is only one."""


def _fail(error):
    """Show what went wrong and end with status 1."""
    _errors.print(f"[red]hanma:[/red] {error}", soft_wrap=True)
    raise typer.Exit(1)


@app.command("stage")
def stage_command(
    board: Annotated[str, typer.Option("--board", "-b", help="The board's name: see `hanma boards`.")],
    out: Annotated[
        Optional[pathlib.Path],
        typer.Option("--out", "-o", help="Directory to make; without it build/stage/BOARD."),
    ] = None,
    source: Annotated[
        bool, typer.Option("--source", help="Leave .py files: slower to load, tracebacks you can read.")
    ] = False,
):
    """Make the tree that is flashed: compiled firmware, one board, one modem dialect, missing libraries.

    The tree replaces an earlier one at once; a directory that holds anything else is left alone. Copy it to a
    board with mpremote: mpremote cp -r DIR/. : (then add the board's own config.json and ca.pem).
    """
    try:
        staged = staging.stage(board, out or toolchain.BUILD / "stage" / board, source)
    except (staging.StageError, toolchain.Missing) as error:
        _fail(error)
    _console.print(_table(staged))
    _console.print(f"{staged.out}\nsha256 {staged.digest}", soft_wrap=True)


def _table(staged):
    """Return the table of the tree's files and sizes."""
    table = Table(title=f"{staged.board}: what is flashed", show_footer=True, title_justify="left")
    blocks = f"{len(staged.files)} files, {staged.flash_bytes // 1024} KiB in flash blocks"
    table.add_column("file", footer=blocks)
    table.add_column("source B", justify="right", footer=str(sum(file.source_bytes for file in staged.files)))
    table.add_column("staged B", justify="right", footer=str(staged.bytes))
    for file in staged.files:
        table.add_row(file.path, str(file.source_bytes), str(file.bytes))
    return table


@app.command("names")
def names_command(
    console: Annotated[typer.FileText, typer.Argument(help="The console's text; - reads standard input.")] = "-",
):
    """Name the functions in a terminal's traceback as they are written.

    Staging shortens names for the sake of the heap: `in aQ` says little. Use the commit that the terminal runs.
    """
    try:
        typer.echo(staging.long_names(console.read()), nl=False)
    except staging.StageError as error:
        _fail(error)


@app.command("boards")
def boards_command():
    """List the boards there is a description of."""
    table = Table("board", "what it is")
    for name in staging.boards():
        data, about = staging.load_board(name), staging.about_board(name)
        relay, modem = data["relay"], data["modem"]
        contact = relay["contact"].replace("_", " ")
        voice = "speaks" if data["voice"] else "no voice"
        parts = f"{about['chip']}, {modem['family']} modem, {voice}; relay: {relay['driver']}, {contact}"
        table.add_row(name, f"{parts}\n{about['note']}")
    _console.print(table)


@app.command("tools")
def tools_command():
    """Show which MicroPython, compiler, library and broker are used, fetching what can be fetched."""
    table = Table("tool", "where")
    for name, find in _TOOLS.items():
        try:
            where = str(find())
        except toolchain.Missing as error:
            where = f"[yellow]missing:[/yellow] {error}"
        table.add_row(name, where)
    _console.print(table)


_TOOLS = {
    "MicroPython": toolchain.micropython,
    "MicroPython, 32 bits": toolchain.micropython32,
    "mpy-cross": toolchain.mpy_cross,
    "umqtt.simple 1.3.4": toolchain.umqtt_simple,
    "reader of MicroPython's manifests": toolchain.manifest_reader,
    "mosquitto": toolchain.mosquitto,
    "PostgreSQL": toolchain.postgresql,
}


if __name__ == "__main__":
    app()
