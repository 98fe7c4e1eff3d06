"""The site profile (`sites/<name>.toml`): what is the same for every row, so that a clerk types only what differs.

Nothing in it is a value of a fact about a person, a time or an amount: codes of project, site, permit, place, device
and unit, where the server is, where credentials lie (by reference, never themselves), and the settings a document leaves open.
"""

import os
import re
import sys
from datetime import date
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

_REFERENCE = re.compile(r"(env|file):(.+)")


class SiteError(Exception):
    """A profile that can't be used; the text says which line of it and what to write instead."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Server(_Part):
    """Where the authority listens. fingerprint: SHA-256 of the certificate, needed where the address is an IP.
    rate_per_s and concurrency hold for the platform, whatever is sent."""

    url: str = ""
    ca_file: str = ""
    fingerprint: str = ""
    proxy: str = ""
    connect_s: float = Field(10, gt=0, le=120)
    answer_s: float = Field(60, gt=0, le=600)
    rate_per_s: float = Field(10, gt=0, le=10_000)
    concurrency: int = Field(4, ge=1, le=64)


class Epidemic(_Part):
    """What allows the health fields: the rule they rest on, and its last day."""

    basis: str = Field(min_length=4)
    until: date


class Collect(_Part):
    """Where a unit's own records are drawn from: SQLAlchemy addresses by reference, and a query for each table."""

    source: str = ""
    target: str = ""
    queries: dict[str, str] = {}


class Site(_Part):
    """One site's profile.

    values: concept or field name → constant for every table; tables: table → field → constant; devices: device code →
    field → constant, taken where a row names that device. aliases: a heading of the site's own sheets → field name. empty:
    "table.field" → the documented empty value to send where a value is missing. rules: rule name → error, warning or off,
    only for rules beyond the document. retention_days: privacy kind → days kept after acceptance.
    """

    name: str
    platform: str
    values: dict[str, Any] = {}
    tables: dict[str, dict[str, Any]] = {}
    devices: dict[str, dict[str, Any]] = {}
    aliases: dict[str, str] = {}
    empty: dict[str, Any] = {}
    rules: dict[str, Literal["error", "warning", "off"]] = {}
    settings: dict[str, Any] = {}
    photos: str = "照片"
    server: Server = Server()
    credentials: dict[str, str] = {}
    store: str = ""
    key: str = "file:hanma.key"
    consent: Literal["columns", "stated"] = "columns"
    epidemic: Epidemic | None = None
    collect: Collect = Collect()
    holidays: list[date] = []
    working_weekends: list[date] = []
    retention_days: dict[str, int] = {}
    directory: Path = Path(".")

    @field_validator("credentials")
    @classmethod
    def _by_reference(cls, credentials):
        for name, text in credentials.items():
            if not _REFERENCE.fullmatch(text):
                raise ValueError(f"{name}: write env:NAME or file:PATH, never the secret itself")
        return credentials

    @property
    def store_url(self):
        """The outbox's database: a file beside the profile where none is named."""
        return self.store or f"sqlite:///{(self.directory / (self.name + '.outbox.db')).as_posix()}"

    def secret(self, name):
        """Return the credential of that name. SiteError says where it was looked for."""
        reference = self.credentials.get(name)
        if reference is None:
            raise SiteError(f"[credentials] has no {name}: write {name} = \"env:NAME\" or \"file:PATH\"")
        return resolve(reference, self.directory)

    def today_epidemic(self, today):
        """Return whether the health fields may be used on that day."""
        return self.epidemic is not None and today <= self.epidemic.until


def resolve(reference, directory):
    """Return the text an env: or file: reference stands for. SiteError when there is none; the text is never in it."""
    kind, where = _REFERENCE.fullmatch(reference).groups()
    if kind == "env":
        if not os.environ.get(where):
            raise SiteError(f"环境变量 {where} 没有设置 (the environment has no {where})")
        return os.environ[where]
    try:
        return (directory / where).read_text("utf-8").strip()
    except OSError as error:
        raise SiteError(f"{where}: {error.strerror}") from None


def load(path):
    """Return the Site of a TOML file. SiteError names the line and field that is wrong."""
    path = Path(path)
    try:
        data = tomllib.loads(path.read_text("utf-8"))
        return Site(**{"name": path.stem} | data | {"directory": path.parent})
    except OSError as error:
        raise SiteError(f"{path}: {error.strerror}") from None
    except tomllib.TOMLDecodeError as error:
        raise SiteError(f"{path}: {error}") from None
    except ValidationError as error:
        told = "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors(include_input=False))
        raise SiteError(f"{path}: {told}") from None
