"""`hanma mock`: start a stand-in of an authority's server, one command a platform."""

from typing import Annotated, Literal, Optional

import typer
from rich.console import Console

from hanma.mock import chongqing, jiangsu, server, shantou, shantou_options
from hanma.mock.chongqing_store import StoreError
from hanma.mock.faults import Faults
from hanma.mock.ledger import Ledger, LedgerError

app = typer.Typer(
    no_args_is_help=True,
    help="""Strict stand-ins of the authorities' servers (严格的监管平台替身), for tests and demonstrations.

They refuse what the documents refuse, and keep a ledger of what they took. When one is ready it prints one line of JSON:
url (the platform) and control (its ledger, counts and faults to order).
""",
)
_errors = Console(stderr=True, highlight=False)

Host = Annotated[str, typer.Option("--host", help="Address to listen at.")]
Port = Annotated[int, typer.Option("--port", min=0, max=65535, help="Port; 0 takes a free one.")]
LedgerFile = Annotated[
    Optional[str], typer.Option("--ledger", help="File of JSON lines to append to; an existing one is continued.")
]
Cert = Annotated[Optional[str], typer.Option("--cert", help="PEM certificate: serve HTTPS.")]
Key = Annotated[Optional[str], typer.Option("--key", help="PEM key of the certificate.")]
ControlToken = Annotated[
    Optional[str], typer.Option("--control-token", help="Asked of control callers in the header X-Control-Token.")
]
TokenLife = Annotated[float, typer.Option("--token-life-s", min=0, help="Seconds that a token lives.")]


def serve(make_application, options, ledger_file, binding):
    """Run one platform's stand-in until SIGINT or SIGTERM; ends the process with status 1 where it cannot start.

    make_application: (options, Ledger, Faults) -> aiohttp.web.Application. binding: a server.Binding.
    """
    try:
        ledger = Ledger(ledger_file)
        try:
            server.run(make_application(options, ledger, Faults()), binding)
        finally:
            ledger.close()
    except (LedgerError, StoreError, server.StartError) as error:
        _fail(error)


def _fail(error):
    """Show why a stand-in cannot start and end with status 1."""
    _errors.print(f"[red]hanma mock:[/red] {error}", soft_wrap=True)
    raise typer.Exit(1) from error


@app.command("shantou")
def shantou_command(
    host: Host = "127.0.0.1",
    port: Port = 0,
    ledger: LedgerFile = None,
    cert: Cert = None,
    key: Key = None,
    control_token: ControlToken = None,
    user: Annotated[str, typer.Option(help="User name; access_id is its MD5, lower case.")] = shantou_options.Options.user,
    secret: Annotated[str, typer.Option(help="access_secret.")] = shantou_options.Options.secret,
    token_life_s: TokenLife = shantou_options.Options.token_life_s,
    same_token: Annotated[
        bool, typer.Option("--same-token", help="Asked again, answer the live token instead of a new one.")
    ] = False,
    decode_images: Annotated[bool, typer.Option("--decode-images", help="Read each image whole.")] = False,
    failure_code: Annotated[
        str, typer.Option(help="Code of a refusal where an endpoint's list has no failure of its own.")
    ] = shantou_options.Options.failure_code,
    may_be_empty: Annotated[
        Optional[list[str]],
        typer.Option("--may-be-empty", help='A required text that may be "": ENDPOINT.FIELD, such as team_exit.appointDate.'),
    ] = None,
):
    """Shantou (汕头): token, check and the eleven data endpoints."""
    empty = frozenset(may_be_empty or ())
    options = shantou_options.Options(user, secret, token_life_s, same_token, decode_images, failure_code, empty)
    serve(shantou.make_application, options, ledger, server.Binding(host, port, cert, key, control_token))


@app.command("jiangsu")
def jiangsu_command(
    host: Host = "127.0.0.1",
    port: Port = 0,
    ledger: LedgerFile = None,
    cert: Cert = None,
    key: Key = None,
    control_token: ControlToken = None,
    appid: Annotated[str, typer.Option(help="Appid.")] = jiangsu.Options.appid,
    secret: Annotated[str, typer.Option(help="AppSecret.")] = jiangsu.Options.secret,
    token_life_s: TokenLife = jiangsu.Options.token_life_s,
    token_form: Annotated[
        Literal["object", "text", "flat"], typer.Option("--token-form", help="What a token's answer looks like.")
    ] = jiangsu.Options.token_form,
    batch_days: Annotated[
        int, typer.Option("--batch-days", min=0, help="How many days before today a batch number may be dated.")
    ] = jiangsu.Options.batch_days,
):
    """Jiangsu (江苏, DB32/T): token and batches of the nine tables."""
    options = jiangsu.Options(appid, secret, token_life_s, token_form, None, batch_days)
    serve(jiangsu.make_application, options, ledger, server.Binding(host, port, cert, key, control_token))


@app.command("chongqing")
def chongqing_command(
    host: Host = "127.0.0.1",
    port: Port = 0,
    ledger: LedgerFile = None,
    cert: Cert = None,
    key: Key = None,
    control_token: ControlToken = None,
    contract: Annotated[
        Optional[str], typer.Option("--contract", help="JSON or TOML file: addresses, required names, basic records.")
    ] = None,
    store: Annotated[
        Optional[str], typer.Option("--store", help="File of JSON lines that queries are answered from; kept over a restart.")
    ] = None,
):
    """Chongqing (重庆, platform to platform): four reports and two queries by a contract that you state."""
    try:
        options = chongqing.Options(chongqing.read_contract(contract) if contract else chongqing.contract({}), store)
    except chongqing.ContractError as error:
        _fail(error)
    serve(chongqing.make_application, options, ledger, server.Binding(host, port, cert, key, control_token))
