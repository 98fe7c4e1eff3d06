"""`hanma release`: make, judge, show and serve the bundles that terminals upgrade from; and the keys that sign them.

Exit codes: 0 done, or the bundle would be taken; 1 it cannot be done; 2 the command line is wrong; 3 the bundle would be refused.
"""

import datetime
import pathlib
import tempfile
import time
from typing import Annotated, Literal, Optional

import typer
from rich.console import Console
from rich.table import Table

from hanma import stage as staging
from hanma import toolchain
from hanma.release import bundle as bundles
from hanma.release import keys as signing
from hanma.release import wording
from hanma.release.device import bundle as device

_REFUSED_STATUS = 3

app = typer.Typer(no_args_is_help=True, help="Signed upgrades (升级包): build, verify, inspect, serve; and their keys.")
key_app = typer.Typer(no_args_is_help=True, help="The keys that sign releases (签名密钥).")
app.add_typer(key_app, name="key")
_console = Console(highlight=False)
_errors = Console(stderr=True, highlight=False)

Passphrase = Annotated[
    str, typer.Option("--passphrase", help="Where the key's passphrase is: env:NAME, file:PATH or prompt. Never the words.")
]
KeyFiles = Annotated[
    list[pathlib.Path], typer.Option("--key", "-k", help="Public key (PEM) or a device's file of keys; may be repeated.")
]
BundleFile = Annotated[pathlib.Path, typer.Argument(help="The bundle.")]


def _fail(error):
    """Show what went wrong and end with status 1."""
    _errors.print(f"[red]hanma release:[/red] {error}", soft_wrap=True)
    raise typer.Exit(1)


def _time_ms(text):
    """Return a time on the command line as ms since 1970: digits, or a date and time in UTC. Raises typer.BadParameter."""
    if text.isdigit():
        return int(text)
    try:
        given = datetime.datetime.fromisoformat(text)
    except ValueError as error:
        raise typer.BadParameter(f"{text!r} is neither ms since 1970 nor a date such as 2027-12-31") from error
    given = given if given.tzinfo else given.replace(tzinfo=datetime.timezone.utc)
    return int(given.timestamp()) * 1000


def _tree(text):
    """Return a tree's hash on the command line as bytes. Raises typer.BadParameter."""
    try:
        given = bytes.fromhex(text)
    except ValueError:
        given = b""
    if len(given) != 32:
        raise typer.BadParameter(f"{text!r} is no tree: 64 hex digits, as `hanma release inspect` shows them")
    return given


def _secret(source, again=False):
    ask = lambda: typer.prompt("Passphrase 密码", hide_input=True, confirmation_prompt=again, err=True)  # noqa: E731
    return signing.passphrase(source, ask)


@app.command("build")
def build_command(
    board: Annotated[list[str], typer.Option("--board", "-b", help="The board; with --tree it may be repeated.")],
    version: Annotated[int, typer.Option("--version", min=1, help="Whole number; each release has a higher one.")],
    expires: Annotated[str, typer.Option("--expires", help="Date (UTC) or ms since 1970 after which no device takes it.")],
    key: Annotated[pathlib.Path, typer.Option("--key", "-k", help="The private key's file.")],
    out: Annotated[pathlib.Path, typer.Option("--out", "-o", help="The bundle to make.")],
    passphrase: Passphrase = "prompt",
    text: Annotated[str, typer.Option("--text", help="The version as people say it; without it, the number.")] = "",
    tree: Annotated[Optional[pathlib.Path], typer.Option("--tree", help="A tree that is staged already.")] = None,
    image: Annotated[Optional[pathlib.Path], typer.Option("--image", help="MicroPython's micropython.bin instead.")] = None,
    base: Annotated[
        Optional[pathlib.Path], typer.Option("--base", help="Carry only what differs from this earlier bundle.")
    ] = None,
    follows: Annotated[int, typer.Option("--follows", min=0, help="The lowest version that it may follow.")] = 0,
    micropython: Annotated[
        Optional[list[str]], typer.Option("--micropython", help="A version it fits, 1.26 or 1.26.1; may be repeated.")
    ] = None,
    retire: Annotated[
        Optional[pathlib.Path], typer.Option("--retire", help="The public key that no device shall trust after this release.")
    ] = None,
):
    """Make a signed bundle of a board's staged tree; the same commit and facts give the same bytes."""
    if image and (tree or base):
        raise typer.BadParameter("--image is whole: it has no --tree and no --base")
    if len(board) > 1 and not (tree or image):
        raise typer.BadParameter("several boards have no staged tree in common: give one with --tree")
    try:
        plan = bundles.Plan(
            version=version,
            expires_ms=_time_ms(expires),
            boards=tuple(board),
            text=text or str(version),
            micropython=tuple(micropython or bundles.MICROPYTHON),
            follows=follows,
            retires=_retired(retire),
        )
        private = signing.load_private(key, _secret(passphrase))
        chips = {staging.about_board(name)["chip"] for name in board} if image else ()
        files = bundles.image_files(image, chips) if image else _files(board[0], tree)
        built = bundles.build(files, plan, private, out, base, "image" if image else "tree")
    except (bundles.ReleaseError, bundles.Refused, signing.KeyProblem, staging.StageError, toolchain.Missing) as error:
        _fail(error)
    _show_built(built)


def _retired(path):
    """Return the id of the key that is to be retired, or None."""
    if path is None:
        return None
    found = signing.load_public(path)
    if len(found) != 1:
        raise signing.KeyProblem(f"{path} holds {len(found)} keys: one is retired at a time")
    return device.key_id_of(found[0])


def _files(board, tree):
    if tree:
        return bundles.tree_files(tree)
    with tempfile.TemporaryDirectory() as directory:
        return bundles.tree_files(staging.stage(board, pathlib.Path(directory) / board).out)


def _show_built(built):
    shown = Table(title=str(built.path), title_justify="left", show_header=False)
    shown.add_row("升级包 bundle", f"{built.bytes} B")
    shown.add_row("文件 files", f"{built.carried} / {built.files}")
    shown.add_row("密钥 key", built.key_id)
    _console.print(shown)
    _console.print(f"sha256 {built.sha256}", soft_wrap=True)


@app.command("verify")
def verify_command(
    path: BundleFile,
    key: KeyFiles,
    board: Annotated[str, typer.Option("--board", "-b", help="The device's board.")],
    micropython: Annotated[str, typer.Option("--micropython", help="What the device runs, such as 1.26.1.")],
    running: Annotated[int, typer.Option("--running", min=0, help="The version of the device's release.")] = 0,
    tree: Annotated[Optional[str], typer.Option("--running-tree", help="The tree of the device's release, hex.")] = None,
    now: Annotated[
        Optional[str], typer.Option("--now", help="The device's clock: a time, or `unknown`; without it, this machine's.")
    ] = None,
    room: Annotated[
        Optional[int], typer.Option("--room-b", min=1, help="Bytes that the device has for the files.")
    ] = None,
    retired: Annotated[
        Optional[list[pathlib.Path]], typer.Option("--retired", help="A public key that the device trusts no longer.")
    ] = None,
):
    """Judge a bundle as a device would, by the device's own code. Status 3 and the reason when it would be refused."""
    now_ms = None if now == "unknown" else _time_ms(now) if now else time.time_ns() // 1_000_000
    base_tree = _tree(tree) if tree else None
    room_b = bundles.Target.room_b if room is None else room
    target = bundles.Target(board, micropython, running, now_ms, base_tree, room_b)
    try:
        known, ended = signing.load_all(key), signing.load_all(retired or ())
        verdict = bundles.judge(path, known, target, [device.key_id_of(one) for one in ended])
    except (bundles.ReleaseError, signing.KeyProblem) as error:
        _fail(error)
    _show_verdict(path, verdict)


def _show_verdict(path, verdict):
    if verdict.reason is None:
        _console.print(f"[green]可升级 would be taken[/green]  {path}", soft_wrap=True)
        return
    _show_refusal(path, verdict.reason, verdict.at)


def _show_refusal(path, reason, at):
    """Show why a bundle is refused and end with status 3."""
    shown = Table(title=f"[red]拒绝 refused[/red]  {path}", title_justify="left", show_header=False)
    shown.add_row("原因 reason", reason)
    shown.add_row("", wording.both(wording.REASONS, reason))
    shown.add_row("位置 at", wording.both(wording.STEPS, at))
    _console.print(shown)
    raise typer.Exit(_REFUSED_STATUS)


@app.command("inspect")
def inspect_command(
    path: BundleFile,
    files: Annotated[bool, typer.Option("--files/--no-files", help="List the files too.")] = True,
):
    """Show what a bundle says of itself. The signature is not looked at: that is what `verify` is for."""
    try:
        with bundles.opened(path) as found:
            facts, rows = bundles.unchecked(found)
    except bundles.ReleaseError as error:
        _fail(error)
    except bundles.Refused as refused:
        _show_refusal(path, refused.args[0], "head")
    _console.print(_facts_table(path, found, facts))
    if files:
        _console.print(_files_table(facts, rows))
    _console.print(f"文件树 tree {found.tree.hex()}", soft_wrap=True)
    if facts["base"]:
        _console.print(f"基础 base {facts['base'][1]}", soft_wrap=True)


def _facts_table(path, found, facts):
    shown = Table(title=f"{path}  [yellow]签名未验证 signature not checked[/yellow]", title_justify="left", show_header=False)
    for name in wording.FACTS:
        shown.add_row(wording.both(wording.FACTS, name), _SPOKEN.get(name, _plain)(facts[name]))
    shown.add_row("签名密钥 signed by", found.key_id.hex())
    shown.add_row("下载量 to download", f"{found.files_at + facts['carried_bytes']} B")
    return shown


def _plain(value):
    return "—" if value in (None, "") else str(value)


def _moment(at_ms):
    """Return a time in UTC; years that no calendar here has stay a number."""
    try:
        return f"{datetime.datetime.fromtimestamp(at_ms // 1000, datetime.timezone.utc):%Y-%m-%d %H:%M} UTC"
    except (ValueError, OverflowError, OSError):
        return f"{at_ms} ms"


_SPOKEN = {
    "boards": ", ".join,
    "micropython": ", ".join,
    "expires_ms": _moment,
    "base": lambda base: "—" if base is None else str(base[0]),
    "bytes": "{} B".format,
    "carried_bytes": "{} B".format,
}


def _files_table(facts, rows):
    count = facts["carried"].count("1")
    shown = Table(show_footer=True)
    shown.add_column("文件 file", footer=f"{count} / {len(rows)}")
    shown.add_column("字节 B", justify="right", footer=str(facts["bytes"]))
    shown.add_column("SHA-256")
    shown.add_column("位置 offset", justify="right")
    for name, size, digest, offset in rows:
        shown.add_row(name, str(size), digest.hex()[:16], "基础版本 base" if offset is None else str(offset))
    return shown


@app.command("serve")
def serve_command(
    path: Annotated[pathlib.Path, typer.Argument(help="The bundle to serve, at /its-name.", exists=True, dir_okay=False)],
    host: Annotated[str, typer.Option("--host", help="Address to listen at.")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="Port; 0 takes a free one.")] = 0,
    cert: Annotated[Optional[str], typer.Option("--cert", help="PEM certificate: serve HTTPS.")] = None,
    tls_key: Annotated[Optional[str], typer.Option("--key", help="PEM key of the certificate.")] = None,
    control_token: Annotated[Optional[str], typer.Option("--control-token", help="Asked of control callers.")] = None,
    ledger: Annotated[Optional[str], typer.Option("--ledger", help="File of JSON lines, one a request.")] = None,
    token: Annotated[Optional[str], typer.Option("--token", help="Asked as `Authorization: Bearer` or ?token=.")] = None,
    bytes_per_s: Annotated[int, typer.Option("--bytes-per-s", min=0, help="Slowness; 0 is none.")] = 0,
    cut_after: Annotated[Optional[int], typer.Option("--cut-after", min=0, help="Close after so many bytes of a body.")] = None,
    cut: Annotated[Literal["once", "always"], typer.Option("--cut", help="How often --cut-after happens.")] = "once",
    length_error: Annotated[int, typer.Option("--length-error", help="Added to each Content-Length, may be below 0.")] = 0,
    endless: Annotated[bool, typer.Option("--endless", help="Bodies have no length and no end.")] = False,
    ranges: Annotated[bool, typer.Option("--ranges/--no-ranges", help="Whether ranges are answered.")] = True,
    then: Annotated[
        Optional[pathlib.Path], typer.Option("--then", help="What the address serves later on.", exists=True, dir_okay=False)
    ] = None,
    then_after: Annotated[int, typer.Option("--then-after", min=1, help="Requests before --then.")] = 1,
    redirect: Annotated[Optional[str], typer.Option("--redirect", help="Answer 302 with this address.")] = None,
):
    """Serve a bundle at URL/its-name as badly as a device may meet it; one line of JSON when ready: url, control.

    Under control: ledger, counts, faults (slow, http, cut_before …) and behaviour, where these options can be changed.
    """
    try:
        from hanma.release import serve
    except ModuleNotFoundError as missing:
        _fail(f"{missing.name} is not installed here: pip install 'hanma[mock]'")
    behaviour = serve.Behaviour(
        token, bytes_per_s, cut_after, cut, length_error, endless, ranges, then and str(then), then_after, redirect
    )
    try:
        serve.run(path, behaviour, serve.Binding(host, port, cert, tls_key, control_token), ledger)
    except serve.ServeError as error:
        _fail(error)


@key_app.command("new")
def key_new_command(
    path: Annotated[pathlib.Path, typer.Argument(help="The private key's file to make; the public one is FILE.pub.")],
    passphrase: Passphrase = "prompt",
):
    """Make a key. Keep two, far from each other: every device knows both, and one can retire the other."""
    try:
        public = signing.new(path, _secret(passphrase, again=True))
    except signing.KeyProblem as error:
        _fail(error)
    _console.print(f"{device.key_id_of(public).hex()}  {signing.public_path(path)}", soft_wrap=True)


@key_app.command("show")
def key_show_command(paths: Annotated[list[pathlib.Path], typer.Argument(help="Public keys, or a device's file of keys.")]):
    """Show the ids of public keys."""
    try:
        for path in paths:
            for one in signing.load_public(path):
                _console.print(f"{device.key_id_of(one).hex()}  {path}", soft_wrap=True)
    except signing.KeyProblem as error:
        _fail(error)


@key_app.command("device")
def key_device_command(
    paths: Annotated[list[pathlib.Path], typer.Argument(help="The two public keys.")],
    out: Annotated[pathlib.Path, typer.Option("--out", "-o", help="The file that goes onto each device.")],
):
    """Make the file by which a device knows its two keys."""
    try:
        out.write_bytes(signing.device_file(paths))
    except (signing.KeyProblem, OSError) as error:
        _fail(error)
    key_show_command([out])
