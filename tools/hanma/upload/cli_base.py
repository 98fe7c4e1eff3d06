"""`hanma upload`: what its commands share: the app, the options, the errors in one line.

Exit codes: 0 all is well; 1 something is in error, refused or missing; 2 it could not be done; 3 something waits for a person.
"""

import functools
import io
import sys
import traceback
from pathlib import Path
from typing import Annotated, Literal, Optional

import typer
from sqlalchemy.exc import SQLAlchemyError

from . import collect, privacy, reading
from . import site as sites
from .desk import Desk, DeskError
from .outbox import OutboxError

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="rich",
    help="""工地资料上报 · Site records to the authorities: checked here, sent once, accounted for.

第一次：[b]hanma upload init shantou sites/工地.toml[/b]，填好配置；[b]template[/b] 出空表；
每天：[b]add 表.xlsx[/b] 检查并放入，[b]send[/b] 发出，[b]status[/b] 看结果。
First: init, template; every day: add FILE, send, status. English: --lang en, or HANMA_LANG=en.

Exit codes: 0 all well, 1 errors or refusals, 2 could not be done, 3 a person has to decide.
""",
)

SiteOption = Annotated[
    Optional[Path],
    typer.Option("--site", "-s", envvar="HANMA_SITE", help="工地配置 The site's profile; else the only one in sites/."),
]
Lang = Annotated[Literal["zh", "en"], typer.Option("--lang", envvar="HANMA_LANG", help="zh 中文, en English.")]
Files = Annotated[list[Path], typer.Argument(help="CSV, .xlsx, JSON lines (.jsonl), or - for JSON lines on standard input.")]
TableOption = Annotated[Optional[str], typer.Option("--table", "-t", help="表名 Which table, where the file's name does not say.")]
_REFUSALS = (sites.SiteError, privacy.PrivacyError, DeskError, OutboxError, reading.ReadingError, collect.CollectError)


def command(group=app, **how):
    """Make a function a command: what can't be done is said in one line and ends with status 2."""

    def decorate(function):
        @functools.wraps(function)
        def run(*args, **kwargs):
            _speak_utf8()
            privacy.guard_logs()
            try:
                return function(*args, **kwargs)
            except _REFUSALS as error:
                problem = getattr(error, "problem", None)
                _fail(f"{problem.text()}。{problem.remedy()}" if problem else str(error))
            except (typer.Exit, typer.Abort):
                raise
            except SQLAlchemyError as error:
                _fail(privacy.rewrite(f"数据库 database: {str(getattr(error, 'orig', '') or type(error).__name__)}"))
            except Exception:  # what nobody foresaw is told whole, but for what is private in it
                _fail(privacy.rewrite(traceback.format_exc()))

        return group.command(**how)(run)

    return decorate


def _speak_utf8():
    """Read and write UTF-8 where nobody looks: Windows gives pipes and files its old code page, which lacks many a name."""
    for stream, encoding in ((sys.stdin, "utf-8-sig"), (sys.stdout, "utf-8"), (sys.stderr, "utf-8")):
        if isinstance(stream, io.TextIOWrapper) and not stream.isatty():
            stream.reconfigure(encoding=encoding)


def complain(words):
    """Say what could not be done, in a line on standard error."""
    typer.secho(f"hanma upload: {words}", fg="red", err=True)


def _fail(words):
    complain(words)
    raise typer.Exit(2)


def open_desk(site):
    """Return the Desk of a profile; without one, of the only profile in sites/."""
    if site is None:
        found = sorted(Path("sites").glob("*.toml"))
        if len(found) != 1:
            known = "、".join(map(str, found)) or "sites/ 里没有配置 (none)"
            raise sites.SiteError(f"请用 --site 指明工地配置 (name the profile with --site): {known}")
        site = found[0]
    return Desk(site)
