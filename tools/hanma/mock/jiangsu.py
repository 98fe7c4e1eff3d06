"""Stand-in of Jiangsu's collection of special-equipment records (the standard's appendix B): a token, then whole batches.

GET or POST /jsdspcloud/servlet/token?appid=&secret= · POST /jsdspcloud/servlet/syndata with access_token, batchNo, txcode,
busType, data. Every answer is HTTP 200 with {"rescode": "1" or "0", "msg", "data"}.

A batch is taken whole or refused whole. A refusal for a row does not say which row: the standard has no field for it; the
ledger does. A number of a batch is the day in China and eight digits from 00000001; it is used up by the batch that was
taken under it: the same content again is answered "success" once more, changes nothing and is counted by the ledger as a
repeat, other content is refused. An ID belongs to its table: I wants it new, U and D want it held.

Owns the tokens (in memory) and what is held (read back from the ledger at start). A token's answer has no form in the
standard: `token_form` chooses one. The ledger's bodies carry no access_token.
"""

import dataclasses
import datetime
import hmac
import json
import re
import secrets
import time

from aiohttp import web

from hanma.mock import ledger as ledgers
from hanma.mock import server
from hanma.mock.jiangsu_tables import TABLES, row_fault

TOKEN_PATH = "/jsdspcloud/servlet/token"
BATCH_PATH = "/jsdspcloud/servlet/syndata"
# What a token's answer looks like: data is an object, data is the token itself, or the object's fields lie on top.
TOKEN_FORMS = ("object", "text", "flat")

_CHINA = datetime.timezone(datetime.timedelta(hours=8))
_BATCH_NUMBER = re.compile(r"[0-9]{16}")
_FIELDS = ("access_token", "batchNo", "txcode", "busType", "data")
_ACTIONS = ("I", "U", "D")
_BAD_TOKEN = "access_token无效或已过期"
_BAD_ROW = "数据校验不通过，整批退回"


@dataclasses.dataclass(frozen=True)
class Options:
    """What may be chosen. token_life_s: seconds; today: YYYY-MM-DD in place of the clock's day in China; batch_days: how
    many days before today a batch number may be dated."""

    appid: str = "appid"
    secret: str = "secret"
    token_life_s: float = 7200
    token_form: str = "object"
    today: str | None = None
    batch_days: int = 0


class Refused(Exception):
    """The platform says no: what it answers, and what the ledger is told beside that."""

    def __init__(self, message, reason=None):
        super().__init__(message)
        self.message = message
        self.reason = message if reason is None else f"{message}: {reason}"


class Holdings:
    """What the platform holds: the IDs of each table, and the content's fingerprint of each batch taken."""

    def __init__(self, entries=()):
        """Take over what a ledger's entries say was taken."""
        self._ids = {txcode: set() for txcode in TABLES}
        self._batches = {}
        for entry in entries:
            if entry["endpoint"] == "syndata" and entry["taken"]:
                self.take(entry["body"], entry["fingerprint"])

    def is_repeat(self, batch, fingerprint):
        """Say whether this very batch was taken before. Raises Refused when another was taken under its number."""
        known = self._batches.get(batch["batchNo"])
        if known not in (None, fingerprint):
            raise Refused("batchNo重复")
        return known is not None

    def check(self, batch):
        """Check each row by itself and against what is held. Raises Refused."""
        held, action, seen = self._ids[batch["txcode"]], batch["busType"], set()
        for number, row in enumerate(batch["data"], 1):
            fault = row_fault(batch["txcode"], row, deletion=action == "D")
            if fault is None and row["ID"] in seen:
                fault = "ID: twice in this batch"
            if fault is None and (row["ID"] in held) == (action == "I"):
                fault = "ID: held already" if action == "I" else "ID: not held"
            if fault:
                raise Refused(_BAD_ROW, f"row {number}: {fault}")
            seen.add(row["ID"])

    def take(self, batch, fingerprint):
        """Keep a batch that was checked; a repeat changes nothing."""
        if batch["batchNo"] in self._batches:
            return
        self._batches[batch["batchNo"]] = fingerprint
        ids = {row["ID"] for row in batch["data"]}
        held = self._ids[batch["txcode"]]
        if batch["busType"] == "D":
            held -= ids
        else:
            held |= ids


class Platform:
    """The platform's two addresses and its tokens."""

    def __init__(self, options, ledger):
        self._options = options
        self._ledger = ledger
        self._holdings = Holdings(ledger.entries)
        self._tokens = {}  # token: end of its life, seconds of the monotonic clock

    async def token(self, request):
        """Hand out a token for the right appid and secret."""
        appid, secret = request.query.get("appid", ""), request.query.get("secret", "")
        try:
            self._speak_fault(server.ordered(request), None)
            # Both are compared, whatever the first says, and in constant time.
            right = [_same(appid, self._options.appid), _same(secret, self._options.secret)]
            if not all(right):
                raise Refused("appid或secret错误")
        except Refused as refused:
            return self._refuse(request, "token", {"appid": appid}, refused)
        token = secrets.token_hex(16)
        self._tokens[token] = time.monotonic() + self._options.token_life_s
        self._ledger.add("token", TOKEN_PATH, (True, "1", "success"), {"appid": appid}, server.request_fault(request))
        return _answer("1", "success", self._token_data(token), flat=self._options.token_form == "flat")

    def _token_data(self, token):
        if self._options.token_form == "text":
            return token
        return {"access_token": token, "expires_in": int(self._options.token_life_s)}

    async def batch(self, request):
        """Take a batch, or refuse it whole."""
        body = None
        try:
            body = await _json_body(request)
            self._speak_fault(server.ordered(request), body)
            self._check_envelope(body)
            kept = _without_token(body)
            fingerprint = ledgers.fingerprint(ledgers.without_images(kept))
            if not self._holdings.is_repeat(body, fingerprint):
                self._holdings.check(body)
        except Refused as refused:
            return self._refuse(request, "syndata", _without_token(body), refused)
        self._holdings.take(body, fingerprint)
        self._ledger.add("syndata", BATCH_PATH, (True, "1", "success"), kept, server.request_fault(request))
        return _answer("1", "success")

    def _speak_fault(self, fault, body):
        """Raise Refused for a fault that was ordered; an expired token is forgotten first."""
        if fault is None:
            return
        if fault.kind == "token_expired":
            token = body.get("access_token") if isinstance(body, dict) else None
            self._tokens.pop(token if isinstance(token, str) else None, None)
            raise Refused(_BAD_TOKEN)
        raise Refused(fault.message or {"refuse": _BAD_ROW, "system_error": "系统异常"}[fault.kind])

    def _check_envelope(self, body):
        """Check all but the rows. Raises Refused."""
        if not isinstance(body, dict):
            raise Refused("报文格式错误", "not an object")
        self._check_token(body.get("access_token"))
        if set(body) != set(_FIELDS):
            raise Refused("报文格式错误", f"not exactly the fields {', '.join(_FIELDS)}")
        self._check_number(body["batchNo"])
        if not isinstance(body["txcode"], str) or body["txcode"] not in TABLES:
            raise Refused("txcode错误")
        if body["busType"] not in _ACTIONS:
            raise Refused("busType错误")
        if not isinstance(body["data"], list) or not body["data"]:
            raise Refused("data错误", "not a list with rows")

    def _check_token(self, token):
        ends = self._tokens.get(token) if isinstance(token, str) else None
        if ends is None or time.monotonic() >= ends:
            raise Refused(_BAD_TOKEN)

    def _check_number(self, number):
        """The number of a batch: a day of today's and a sequence from 00000001."""
        if not isinstance(number, str) or not _BATCH_NUMBER.fullmatch(number) or number.endswith("00000000"):
            raise Refused("batchNo格式错误")
        today = datetime.date.fromisoformat(self._options.today or datetime.datetime.now(_CHINA).date().isoformat())
        days = {f"{today - datetime.timedelta(days=back):%Y%m%d}" for back in range(self._options.batch_days + 1)}
        if number[:8] not in days:
            raise Refused("batchNo日期错误")

    def _refuse(self, request, endpoint, body, refused):
        path = {"token": TOKEN_PATH, "syndata": BATCH_PATH}[endpoint]
        self._ledger.add(endpoint, path, (False, "0", refused.reason), body, server.request_fault(request))
        return _answer("0", refused.message)


def make_application(options, ledger, faults):
    """Return the stand-in as an aiohttp application; its endpoints' keys are `token` and `syndata`."""
    platform = Platform(options, ledger)
    made = server.application(ledger, faults)
    for_tokens = made.router.add_resource(TOKEN_PATH, name="token")
    for_tokens.add_route("GET", platform.token)
    for_tokens.add_route("POST", platform.token)
    made.router.add_post(BATCH_PATH, platform.batch, name="syndata")
    return made


def _same(given, wanted):
    return hmac.compare_digest(given.encode("utf-8", "surrogatepass"), wanted.encode("utf-8"))


def _answer(code, message, data="", *, flat=False):
    answer = {"rescode": code, "msg": message, **data} if flat else {"rescode": code, "msg": message, "data": data}
    return web.json_response(answer, dumps=lambda value: json.dumps(value, ensure_ascii=False))


async def _json_body(request):
    """Return the body as a JSON value. Raises Refused when it is not said to be JSON, or is not JSON in UTF-8."""
    if request.content_type != "application/json":
        raise Refused("报文格式错误", f"Content-Type {request.content_type}")
    try:
        return json.loads((await request.read()).decode("utf-8"))
    except ValueError as error:
        raise Refused("报文格式错误", "not JSON in UTF-8") from error


def _without_token(body):
    """Return a batch without its access_token, for the ledger and for telling repeats."""
    return {name: value for name, value in body.items() if name != "access_token"} if isinstance(body, dict) else body
