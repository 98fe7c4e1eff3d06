"""What the platform calls things: addresses, field names, codes and time forms, out of a TOML file.

The document names four reports and two queries and what they hold, but no address and no field: that is agreed with the
authority and written into a mapping, which the example beside the data shows. The tables of `data/chongqing.json` say which of
our paths a report may hold and which it must. Nothing here knows a job.
"""

import re
import sys
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from .. import catalogue

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

PLATFORM = "chongqing"
REPORTS = ("device_state", "application", "power_on", "power_off")
LOOK_UPS = ("device", "unit", "welder", "guardian")
_FILES = ("site_photos", "permit.files", "guardian.photo")
_TOKENS = {"yyyy": "%Y", "MM": "%m", "dd": "%d", "HH": "%H", "mm": "%M", "ss": "%S", "SSS": "%f"}
_TOKEN = re.compile("yyyy|MM|dd|HH|mm|SSS|ss|[A-Za-z]+")
# What a query may ask with, beside what it looks up.
_ASKABLE = {
    "device": ("device", "unit", "site"),
    "unit": ("unit", "site"),
    "welder": ("welder.ref", "welder.name", "welder.id_number", "cert.kind", "cert.number"),
    "guardian": ("guardian.ref", "guardian.name", "guardian.id_number"),
    "records": ("job", "device", "ids.device", "unit", "ids.unit", "window.from_ms", "window.to_ms"),
}
# An estimated time goes out only beside a word that says so.
_MARKS = {"power_off": ("off.estimated", "times"), "device_state": ("state.estimated",)}


class MappingError(Exception):
    """A mapping that can't be used; the text says which line of it and what to write instead."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class Value(_Part):
    """Where one of their fields comes from: from, a path of ours, or const, what the platform wants of itself (never a fact).

    codes: our value as text → theirs. time: "ms", "s" or a form such as "yyyy-MM-dd HH:mm:ss" (Chinese time). as: text or number
    for what we have the other way. files: "inline" sends the file's base64 (prefix: with data:…;base64, ahead), "address" its name
    behind base. most_b: the limit of the base64 text, 0 for none. optional: may be missing; it is left out then."""

    from_: str = Field("", alias="from")
    const: Any = None
    codes: dict[str, Any] = {}
    time: str = ""
    as_: Literal["", "text", "number"] = Field("", alias="as")
    files: Literal["", "inline", "address"] = ""
    base: str = ""
    prefix: bool = False
    most_b: int = Field(0, ge=0)
    optional: bool = False

    @model_validator(mode="after")
    def _sensible(self):
        if bool(self.from_) == (self.const is not None):
            raise ValueError("from 与 const 写其中一个 / write either from or const")
        if (self.from_ in _FILES) != bool(self.files):
            raise ValueError('文件要写 files = "inline" 或 "address"，其他不写 / a file needs files, nothing else does')
        if (self.files == "address") != bool(self.base):
            raise ValueError('files = "address" 还要写 base / it needs base, the address ahead of the name')
        if self.time and self.time not in ("ms", "s"):
            time_format(self.time)
        if self.from_.endswith("_ms") and not self.time:
            raise ValueError('时间要写格式 / a time needs a form: time = "yyyy-MM-dd HH:mm:ss", "ms" or "s"')
        return self


def _short(value):
    return {"from": value} if isinstance(value, str) else value


_Value = Annotated[Value, BeforeValidator(_short)]
_Values = dict[str, _Value]


class Report(_Part):
    """One report, POSTed as JSON to path behind the server's address. A field's name with points in it makes objects in objects.
    number: where the answer has the platform's own number of what was reported; the reports after it may send it
    (theirs.application, theirs.power_on)."""

    path: str = Field(pattern="^/")
    number: str = ""
    fields: _Values = Field(min_length=1)


class LookUp(_Part):
    """A basic query for one kind of id. ask: what is sent. rows: where the answer has what was found. match: their field → ours:
    which of the rows is meant. id: where a row has the id."""

    path: str = Field(pattern="^/")
    method: Literal["POST", "GET"] = "POST"
    ask: _Values = Field(min_length=1)
    rows: str
    match: _Values = Field(min_length=1)
    id: str = Field(min_length=1)

    @model_validator(mode="after")
    def _people_unseen(self):
        if self.method == "GET" and any(value.from_.startswith(("welder.", "guardian.", "cert.")) for value in self.ask.values()):
            raise ValueError("人员资料不能写在地址里 / what is asked about people may not stand in an address: POST it")
        return self


class Pages(_Part):
    """How the record query gives many rows: the names of page and size (pages count from 1), and the size to ask for."""

    page: str
    size: str
    rows: int = Field(100, ge=1, le=10_000)


class Records(_Part):
    """The record query. job: where a row has our job's number. fields: their field → ours, compared in their form.
    present: report → the field whose being there shows that this report is known (without one nobody can tell)."""

    path: str = Field(pattern="^/")
    method: Literal["POST", "GET"] = "POST"
    ask: _Values = {}
    rows: str
    job: str = Field(min_length=1)
    fields: _Values = {}
    present: dict[Literal["application", "power_on", "power_off"], str] = {}
    pages: Pages | None = None


class Queries(_Part):
    """The two queries: basic information, by what is looked up, and records."""

    device: LookUp
    unit: LookUp | None = None
    welder: LookUp
    guardian: LookUp
    records: Records | None = None


class Answers(_Part):
    """How an answer reads. code: where it has its code (empty: only HTTP's counts); ok: the codes of success; known: of "this is
    there already"; again: of what passes by itself; message: where it has its words."""

    code: str = ""
    ok: list[str | int] = []
    known: list[str | int] = []
    again: list[str | int] = []
    message: str = ""

    @model_validator(mode="after")
    def _tells_success(self):
        if bool(self.code) != bool(self.ok):
            raise ValueError("code 与 ok 要同时写 / code and ok belong together: where the code is, and which mean success")
        return self


class Header(_Part):
    """A header of every request: a credential of the site's profile behind prefix, or a constant."""

    credential: str = ""
    prefix: str = ""
    const: str = ""

    @model_validator(mode="after")
    def _one(self):
        if bool(self.credential) == bool(self.const):
            raise ValueError("credential 与 const 写其中一个 / write either credential or const")
        return self


class Mapping(_Part):
    """A whole mapping. example: True in the one that is shipped, which no site may use as it is."""

    v: Literal[1]
    example: bool = False
    headers: dict[str, Header] = {}
    answers: Answers = Answers()
    reports: dict[Literal["device_state", "application", "power_on", "power_off"], Report]
    queries: Queries

    def look_up(self, kind):
        """Return the LookUp of that kind of id, None where the platform has none."""
        return getattr(self.queries, kind)


def load(path):
    """Return the Mapping of a TOML file. MappingError names the lines that are wrong, each with what to write."""
    path = Path(path)
    try:
        text = path.read_text("utf-8")
        data = tomllib.loads(text)
    except OSError as error:
        raise MappingError(f"{path}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise MappingError(f"{path}: {error}") from None
    try:
        mapping = Mapping(**data)
        wrong = list(_against_tables(mapping))
    except ValidationError as error:
        wrong = [(one["loc"], one["msg"]) for one in error.errors(include_input=False)]
    if wrong:
        told = (f"line {line_of(text, where)}: {'.'.join(map(str, where))}: {what}" for where, what in wrong)
        raise MappingError("\n".join(f"{path}: {one}" for one in told))
    return mapping


def of_site(site):
    """Return the Mapping that a site's [settings] names. MappingError also for the example, which is nobody's interface."""
    name = site.settings.get("mapping")
    if not name:
        example = "chongqing-mapping.example.toml"
        raise MappingError(f'[settings] 没有写映射文件 / names no mapping: write mapping = "PATH" (see {example})')
    path = site.directory / name
    mapping = load(path)
    if mapping.example:
        raise MappingError(f"{path}: 这是示例，请按约定改写 / this is the example: write in what was agreed upon")
    return mapping


def time_format(form):
    """Return the strftime format of a form such as yyyy-MM-dd HH:mm:ss. ValueError names what is no part of one."""

    def token(found):
        if found[0] not in _TOKENS:
            raise ValueError(f"时间格式不对 / {found[0]} is no part of a time: use {' '.join(_TOKENS)}")
        return _TOKENS[found[0]]

    return _TOKEN.sub(token, form.replace("%", "%%"))


def paths(table):
    """Return the paths of ours that a report of that table may hold, and those that it must."""
    fields = catalogue.load(PLATFORM).tables[table].fields
    return tuple(one.name for one in fields), tuple(one.name for one in fields if one.required == "yes")


def _against_tables(mapping):
    for table in REPORTS:
        where = ("reports", table)
        if table not in mapping.reports:
            yield where, "缺少这一上报 / this report is missing"
            continue
        yield from _report_faults(table, mapping.reports[table], where + ("fields",))
    for kind in (*LOOK_UPS, "records"):
        query = getattr(mapping.queries, kind)
        for part in ("ask", "match") if query and kind != "records" else ("ask",) if query else ():
            yield from _unknown(getattr(query, part), _ASKABLE[kind], ("queries", kind, part))
    if mapping.queries.records:
        known = {path for table in REPORTS[1:] for path in paths(table)[0]}
        yield from _unknown(mapping.queries.records.fields, sorted(known), ("queries", "records", "fields"))


def _report_faults(table, report, where):
    known, required = paths(table)
    yield from _unknown(report.fields, known, where)
    sent = {value.from_ for value in report.fields.values()}
    for path in required:
        if path not in sent:
            label = catalogue.load(PLATFORM).tables[table].field(path).label
            yield where, f"办法要求上报{label} / {label} ({path}) is asked for by the document: map a field to it"
    for path in set(sent) & set(required):
        name = next(name for name, value in report.fields.items() if value.from_ == path)
        if report.fields[name].optional:
            yield where + (name,), f"办法要求上报 {path}，不能可缺 / {path} is asked for by the document: it can't be optional"
    if table in _MARKS and not sent & set(_MARKS[table]):
        yield where, f"估计的时间必须标明 / an estimated time must be marked: map {' or '.join(_MARKS[table])}"


def _unknown(values, known, where):
    for name, value in values.items():
        if value.from_ and value.from_ not in known:
            yield where + (name,), f"没有这一路径 / nothing is called {value.from_} here; there is: {', '.join(known)}"


def line_of(text, where):
    """Return the number of the line that says what stands at a path of keys; the nearest that can be found."""
    where = [str(one) for one in where]
    best, at, header = 1, 0, []
    for number, line in enumerate(text.splitlines(), 1):
        found = re.match(r"\s*\[+\s*([^\]]+?)\s*\]+", line)
        header = _keys(found[1]) if found else header
        key = re.match(r"\s*((?:\"[^\"]*\"|'[^']*'|[\w.-])+)\s*=", line)
        keys = header + (_keys(key[1]) if key and not found else [])
        depth = len(keys) if where[: len(keys)] == keys else 0
        if depth > at:
            best, at = number, depth
    return best


def _keys(text):
    return [one.strip("\"'") for one in re.findall(r"\"[^\"]*\"|'[^']*'|[^.\s]+", text)]
