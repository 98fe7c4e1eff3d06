"""Stand-in of Chongqing's platform for platforms: four reports and two queries, by a contract that the user states.

The measure names the interfaces and what they carry, but neither addresses nor names nor forms. So this stand-in invents no
fields: it takes any JSON object by POST and holds it against a contract, a JSON or TOML file with one part for each endpoint

    state        设备状态上报    application  作业申请上报
    on           作业监护信息上报 (who guards, before the welder is switched on)
    off          作业信息上报 (the work done, after it was switched off)
    basic        基本信息查询    records      作业记录查询

and in each part, all of it optional:

    path         where it listens: /report/state, …/application, …/on, …/off, /query/basic, /query/records
    id           name of what a report is kept under ("id"); text or a whole number
    required     names that must be there and not empty (the id always must)
    references   {name: kind}: the value must be the id of a basic record of that kind
    entries      of `basic` only: what that query answers from, objects with kind, id and anything else

Names may lead into objects by dots. Every answer is HTTP 200 with the members of the measure's own response of a terminal:
success, message, code (200 or 500), result, timestamp (ms). A report under a known id replaces what was there; the same
content again is answered with success and counted by the ledger as a repeat. A query is an object of names and values that
must all be equal, `{}` asks for everything; `records` also understands "report", which is one of the four. Images are no
matter here: they are kept as sent.
"""

import dataclasses
import json
import pathlib
import sys
import time

from aiohttp import web

from hanma.mock import server
from hanma.mock.chongqing_store import Store, value_at

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

REPORTS = ("state", "application", "on", "off")
QUERIES = ("basic", "records")
_PATHS = {**{key: f"/report/{key}" for key in REPORTS}, **{key: f"/query/{key}" for key in QUERIES}}


class ContractError(Exception):
    """The contract's file cannot be understood."""


@dataclasses.dataclass(frozen=True)
class Part:
    """What the contract says of one endpoint; see the module."""

    path: str
    id: str = "id"
    required: tuple = ()
    references: dict = dataclasses.field(default_factory=dict)
    entries: tuple = ()


@dataclasses.dataclass(frozen=True)
class Options:
    """What may be set. contract: {endpoint: Part} as `contract` makes it. store: path of the query store's file, or None."""

    contract: dict = dataclasses.field(default_factory=lambda: contract({}))
    store: str | None = None


class _Refused(Exception):
    """The platform says no, in these words."""


def read_contract(path):
    """Return {endpoint: Part} of a JSON or TOML file (by its suffix). Raises ContractError."""
    path = pathlib.Path(path)
    try:
        text = path.read_text(encoding="utf-8")
        return contract(tomllib.loads(text) if path.suffix == ".toml" else json.loads(text))
    except (OSError, ValueError) as error:
        raise ContractError(f"{path}: {error}") from error


def contract(given):
    """Return {endpoint: Part} of a contract's object, with what it leaves out. Raises ContractError."""
    if not isinstance(given, dict) or not all(isinstance(part, dict) for part in given.values()):
        raise ContractError("a contract is an object of objects")
    unknown = sorted(set(given) - set(_PATHS))
    if unknown:
        raise ContractError(f"{unknown[0]}: not known; known are {', '.join(_PATHS)}")
    parts = {key: _part(key, given.get(key, {})) for key in _PATHS}
    if len({part.path for part in parts.values()}) != len(parts):
        raise ContractError("two parts have the same path")
    return parts


_FORMS = {
    "path": lambda value: isinstance(value, str) and value.startswith("/"),
    "id": lambda value: isinstance(value, str) and value != "",
    "required": lambda value: isinstance(value, list) and all(isinstance(name, str) for name in value),
    "references": lambda value: isinstance(value, dict) and all(isinstance(kind, str) for kind in value.values()),
    "entries": lambda value: isinstance(value, list) and all(isinstance(entry, dict) for entry in value),
}


def _part(key, given):
    for name, value in given.items():
        if name not in _FORMS or (name == "entries" and key != "basic"):
            raise ContractError(f"{key}.{name}: not known")
        if not _FORMS[name](value):
            raise ContractError(f"{key}.{name}: {value!r} will not do")
    lists = {name: tuple(value) if isinstance(value, list) else value for name, value in given.items()}
    return Part(**{"path": _PATHS[key], **lists})


class _Platform:
    """The handlers and what they know."""

    def __init__(self, options, ledger):
        self._contract = options.contract
        self._ledger = ledger
        self._store = Store(options.store)
        entries = self._contract["basic"].entries
        self._known = {(entry.get("kind"), entry["id"]) for entry in entries if _is_identity(entry.get("id"))}

    def receiver(self, key, answer):
        """Return the handler of one endpoint. answer: (endpoint's key, body) -> result; raises _Refused."""

        async def receive(request):
            body = None
            try:
                body = await _json_object(request)
                _speak_fault(server.ordered(request))
                result, refusal = answer(key, body), None
            except _Refused as refused:
                result, refusal = None, str(refused)
            code = 500 if refusal else 200
            verdict = (refusal is None, str(code), refusal or "success")
            self._ledger.add(key, request.path, verdict, body, server.request_fault(request))
            return _answer(code, verdict[2], result)

        return receive

    def report(self, key, body):
        """Keep a report under its id."""
        part = self._contract[key]
        identity = value_at(body, part.id)
        if not _is_identity(identity):
            raise _Refused(f"{part.id}：缺失或不是文本、整数")
        for name in part.required:
            if value_at(body, name) in (None, "", [], {}):
                raise _Refused(f"{name}：必需参数缺失")
        for name, kind in part.references.items():
            value = value_at(body, name)
            if not _is_identity(value) or (kind, value) not in self._known:
                raise _Refused(f"{name}：基本信息中没有此{kind}")
        self._store.put(key, identity, body)

    def basic(self, _key, body):
        """Return the basic records asked for."""
        entries = self._contract["basic"].entries
        return [entry for entry in entries if all(value_at(entry, name) == value for name, value in body.items())]

    def records(self, _key, body):
        """Return the reports asked for, the newest content of each."""
        report = body.get("report")
        if report is not None and report not in REPORTS:
            raise _Refused(f"report：应为 {'、'.join(REPORTS)}")
        return self._store.find(report, {name: value for name, value in body.items() if name != "report"})

    async def close(self, _application):
        """Close the store."""
        self._store.close()


def make_application(options, ledger, faults):
    """Return the aiohttp application; its endpoints' keys are those of the contract. Raises chongqing_store.StoreError."""
    platform = _Platform(options, ledger)
    made = server.application(ledger, faults)
    answers = {**dict.fromkeys(REPORTS, platform.report), "basic": platform.basic, "records": platform.records}
    for key, answer in answers.items():
        made.router.add_post(options.contract[key].path, platform.receiver(key, answer), name=key)
    made.on_cleanup.append(platform.close)
    return made


def _is_identity(value):
    return (isinstance(value, str) and value.strip() != "") or (isinstance(value, int) and not isinstance(value, bool))


def _speak_fault(fault):
    """Raise _Refused for a fault that is spoken in the platform's words."""
    if fault is not None:
        raise _Refused(fault.message or {"token_expired": "凭证无效", "refuse": "拒绝", "system_error": "系统异常"}[fault.kind])


async def _json_object(request):
    """Return the body, a JSON object in UTF-8. Raises _Refused."""
    try:
        body = json.loads((await request.read()).decode("utf-8"))
    except ValueError as error:
        raise _Refused("请求体：不是 UTF-8 的 JSON") from error
    if not isinstance(body, dict):
        raise _Refused("请求体：应为 JSON 对象")
    return body


def _answer(code, message, result):
    moment_ms = time.time_ns() // 1_000_000
    value = {"success": code == 200, "message": message, "code": code, "result": result, "timestamp": moment_ms}
    return web.json_response(value, dumps=lambda given: json.dumps(given, ensure_ascii=False))
