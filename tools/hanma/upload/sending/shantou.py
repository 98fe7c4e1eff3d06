"""Speaks Shantou's interface: a token in the path, one record a request, an error code in the body.

State: the token, until when it holds, and how often it was asked for. The document leaves open how the token is asked for:
setting `token_form` (json or form). Times in its answers are local without a zone; only their differences are used.
"""

import asyncio
import hashlib
import json
import logging
import time
from dataclasses import replace
from datetime import datetime

from hanma.upload import catalogue, privacy

from .transport import Answer, NotSent, TokenError, Uncertain, of_status

_TOKEN_PATH = "/api/openapi/getaccesstoken"
_CHECK_PATH = "/api/openapi/checkaccesstokenisvalid/{accesstoken}"
_RENEW_S = 300  # before it ends; ours: the document's example lasts six hours
_OK, _TOKEN = "ok", "token"
# Chapter 2's list of codes, which every chapter repeats; a table's own list stands before it.
_CODES = {
    "0": _OK,
    "900010101": "config",
    "900010102": "config",
    "900010103": _TOKEN,
    "900010104": "permission",
    "900010199": "server",
}
# The same list by its words. Chapter 8 gives each code its neighbour's meaning, so there the words decide.
_WORDS = (
    ("key不存在", "config"),
    ("用户不存在", "config"),
    ("accesstoken不存在", _TOKEN),
    ("无权限", "permission"),
    ("系统异常", "server"),
    ("接入失败", "data"),
)
_SUCCESS = ("成功", "请求成功")
_STATES = {_OK: "accepted", "data": "refused"}  # every other class is no fault of the record's: it stays queued

log = logging.getLogger(__name__)


class Shantou:
    """One site's way to Shantou's platform."""

    platform = "shantou"
    batch_rows = 0  # one record a request

    def __init__(self, site, transport, platform=None):
        """site: its profile; transport: to its server; platform: its catalogue, loaded when not given."""
        self._transport = transport
        self.turn_s = transport.turn_s
        self._platform = platform or catalogue.load("shantou")
        self._form = site.settings.get("token_form", "json")
        if "access_id" in site.credentials:
            self._access_id = site.secret("access_id")
        else:
            self._access_id = hashlib.md5(site.secret("user").encode(), usedforsecurity=False).hexdigest()
        self._secret = site.secret("access_secret")
        privacy.hide(self._access_id)
        privacy.hide(self._secret)
        self._token = None
        self._until_s = 0.0
        self._asking = asyncio.Lock()

    async def token(self, instead_of=None):
        """Return a token that holds. instead_of: one the platform no longer knows. TokenError, NotSent or Uncertain."""
        async with self._asking:
            if self._token in (None, instead_of) or time.monotonic() >= self._until_s:
                await self._ask()
            return self._token

    async def _ask(self):
        asked = {"access_id": self._access_id, "access_secret": self._secret}
        reply = await self._transport.post(_TOKEN_PATH, asked if self._form == "form" else json.dumps(asked).encode())
        read = _read(reply)
        given = read.data if isinstance(read.data, dict) else {}
        token = given.get("accesstoken")
        if read.code != "0" or not token:
            raise TokenError(_no_token(reply, read))
        privacy.hide(token)
        self._token = str(token)
        self._until_s = time.monotonic() + _lasts_s(read.created, given.get("expiredate"))

    async def check(self):
        """Ask whether the token in hand is valid; return True or False. TokenError, NotSent or Uncertain."""
        reply = await self._transport.get(_CHECK_PATH.format(accesstoken=await self.token()))
        read = _read(reply)
        if read.code != "0" and _class(read, _CODES) != _TOKEN:
            raise TokenError(_no_token(reply, read))
        return read.code == "0" and read.data is True

    async def send(self, item):
        """Send one claimed Item; return an Answer. Never raises for what the network or the platform does."""
        try:
            token = await self.token()
        except TokenError as error:
            return error.answer
        except (NotSent, Uncertain) as error:  # nothing of the record was sent yet
            return Answer("queued", "network", "", str(error))
        table = self._platform.tables[item.table]
        content = item.content()
        try:
            answer = await self._post(table, token, content)
            if answer.kind == _TOKEN:
                answer = await self._post(table, await self.token(instead_of=token), content)
        except TokenError as error:
            return error.answer
        except NotSent as error:
            return Answer("queued", "network", "", str(error))
        except Uncertain as error:
            return Answer("uncertain", "network", "", str(error))
        return answer

    async def _post(self, table, token, content):
        reply = await self._transport.post(table.path.format(accesstoken=token), content)
        read = _read(reply)
        kind = _class(read, _CODES | table.errors)
        if read.code and kind == _OK and read.data is not False:
            if read.code != "0":
                log.warning("%s: code %s with the words of success counts as accepted", table.key, read.code)
            return Answer("accepted", _OK, read.code, read.message)
        return _refused(reply, read, _CODES | table.errors)


class _Read:
    """An answer's body: code, message, data, and when the server made it; keys in whatever case, data under either name."""

    def __init__(self, data):
        body = _lower(data) if isinstance(data, dict) else {}
        error = body.get("errorcode")
        error = error if isinstance(error, dict) else {}
        self.code = "" if error.get("code") is None else str(error["code"])
        self.message = str(error.get("message") or "")
        self.data = body.get("data", body.get("datacontext"))
        self.created = body.get("createtime")


def _read(reply):
    return _Read(reply.data)


def _lower(value):
    return {str(key).lower(): _lower(one) for key, one in value.items()} if isinstance(value, dict) else value


def _class(read, codes):
    """Return the class of an answer at an endpoint with these codes (code → class)."""
    words = read.message.replace(" ", "").rstrip("!！。.")
    if codes.get("1") == _OK:  # the endpoint whose codes are shifted by one
        if words in _SUCCESS:
            return _OK if read.code in ("0", "1") else "data"
        told = next((kind for part, kind in _WORDS if part in words.lower()), None)
        if told or read.code == "1":
            return told or "data"
    return codes.get(read.code, "data")


def _refused(reply, read, codes):
    """Return the Answer of anything but success. data false beside code 0 is a refusal; a body without a code is the server's."""
    if not read.code:
        return of_status(reply) if reply.status != 200 else Answer("uncertain", "server", "", "the answer can't be read")
    kind = _class(read, codes)
    kind = "data" if kind == _OK else kind
    return Answer(_STATES.get(kind, "queued"), kind, read.code, read.message, reply.retry_after_s)


def _no_token(reply, read):
    """Return the same for a request about the token, which says nothing about a record."""
    answer = _refused(reply, read, _CODES)
    kind = "config" if answer.kind == "data" else answer.kind
    return replace(answer, state="queued", kind=kind)


def _lasts_s(created, expires):
    """Return how long to use a token: by the server's own two times, so that our clock does not matter. Not told: for a year,
    the platform then says itself when it has ended."""
    try:
        form = "%Y-%m-%d %H:%M:%S"
        whole_s = (datetime.strptime(expires, form) - datetime.strptime(created, form)).total_seconds()
    except (TypeError, ValueError):
        return 365 * 86_400
    return max(whole_s - min(_RENEW_S, whole_s / 2), 1.0)
