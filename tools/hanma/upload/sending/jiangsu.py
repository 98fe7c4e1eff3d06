"""Speaks Jiangsu's interface (DB32/T, appendix B): a token by appid and secret, batches of rows of one table.

State: the token, since when and until when. Where the document is silent there are settings: `txcode_key` (the key's case),
`batch_rows`, `token_method`, `token_life_s` (0: until it is refused), `token_words` and `passing_words` (what in a refusal's
text means that the token has ended, or that the server is at fault: the one code it has, "0", says neither).
"""

import asyncio
import json
import time

from hanma.upload import catalogue, privacy

from .transport import Answer, NotSent, TokenError, Uncertain, check_address, of_status

_TOKEN_PATH = "/jsdspcloud/servlet/token"
_DATA_PATH = "/jsdspcloud/servlet/syndata"
_SUCCESS = "1"
_BATCH_ROWS = 100
_OLD_S = 600  # a token's life is not documented: after this long a refusal may be about it
_FOR_EVER_S = 365 * 86_400
_TOKEN_WORDS = ("token", "令牌", "未授权", "鉴权")
_PASSING_WORDS = ("系统异常", "系统繁忙")


class Jiangsu:
    """One site's way to Jiangsu's platform."""

    platform = "jiangsu"

    def __init__(self, site, transport, platform=None):
        """site: its profile; transport: to its server; platform: its catalogue, loaded when not given. SiteError for an
        address without HTTPS, or an IP without a fingerprint."""
        check_address(site.server, secure=True)
        self._transport = transport
        self.turn_s = transport.turn_s
        self._platform = platform or catalogue.load("jiangsu")
        settings = {name: one["value"] for name, one in self._platform.settings.items()} | site.settings
        self.batch_rows = int(settings.get("batch_rows", _BATCH_ROWS))
        self._code_key = settings.get("txcode_key", "txcode")
        self._method = settings.get("token_method", "GET")
        self._life_s = float(settings.get("token_life_s", 0))
        self._token_words = tuple(settings.get("token_words", _TOKEN_WORDS))
        self._passing_words = tuple(settings.get("passing_words", _PASSING_WORDS))
        self._appid, self._secret = site.secret("appid"), site.secret("secret")
        privacy.hide(self._appid)
        privacy.hide(self._secret)
        self._token = None
        self._since_s = self._until_s = 0.0
        self._asking = asyncio.Lock()

    async def token(self, instead_of=None):
        """Return (a token or None, the Answer when there is none). instead_of: one that does not work any more."""
        async with self._asking:
            if self._token not in (None, instead_of) and time.monotonic() < self._until_s:
                return self._token, None
            try:
                asked = {"appid": self._appid, "secret": self._secret}
                reply = await self._transport.get(_TOKEN_PATH, asked, method=self._method)
            except (NotSent, Uncertain) as error:  # nothing of a record was sent yet
                return None, Answer("queued", "network", "", str(error))
            token = _find_token(reply.data)
            if token is None:
                return None, _no_token(reply)
            privacy.hide(token)
            self._token, self._since_s = token, time.monotonic()
            self._until_s = self._since_s + (self._life_s or _FOR_EVER_S)
            return token, None

    async def check(self):
        """Ask for a token; return True when one is given: the document has no question whether it is valid. TokenError."""
        _, failed = await self.token()
        if failed:
            raise TokenError(failed)
        return True

    async def send_batch(self, items):
        """Send claimed Items of one table, operation and batch number; return the Answer for all of them. Never raises for
        what the network or the platform does."""
        token, failed = await self.token()
        if failed:
            return failed
        rows = [item.content() for item in items]
        try:
            answer = await self._post(items[0], token, rows)
            if self._about_token(answer):
                token, failed = await self.token(instead_of=token)
                answer = failed or await self._post(items[0], token, rows)
        except NotSent as error:
            return Answer("queued", "network", "", str(error))
        except Uncertain as error:
            return Answer("uncertain", "network", "", str(error))
        return answer

    def _about_token(self, answer):
        """Whether a fresh token may help: the words say so, or they may mean anything and the token is old."""
        old = time.monotonic() - self._since_s > _OLD_S
        return answer.kind in ("token", "permission") or (answer.kind == "data" and old)

    async def _post(self, lead, token, rows):
        head = {
            "access_token": token,
            "batchNo": lead.batch_no,
            self._code_key: self._platform.tables[lead.table].code,
            "busType": lead.operation,
        }
        start = json.dumps(head, ensure_ascii=False, separators=(",", ":")).encode()[:-1]
        reply = await self._transport.post(_DATA_PATH, b"".join((start, b',"data":[', b",".join(rows), b"]}")))
        return self._answer(reply)

    def _answer(self, reply):
        body = reply.data if isinstance(reply.data, dict) else {}
        if "rescode" not in body:
            return of_status(reply) if reply.status != 200 else Answer("uncertain", "server", "", "the answer can't be read")
        code, message = str(body["rescode"]), str(body.get("msg") or "")
        if code == _SUCCESS:
            return Answer("accepted", "ok", code, message)
        if _has(message, self._token_words):
            return Answer("queued", "token", code, message)
        if reply.passing or _has(message, self._passing_words):
            return Answer("queued", "server", code, message, reply.retry_after_s)
        return Answer("refused", "data", code, message)


def _has(message, words):
    return any(word.lower() in message.lower() for word in words)


def _find_token(body):
    """Return access_token from the top of an answer or from its data; None where there is none."""
    if not isinstance(body, dict):
        return None
    inner = body.get("data") if isinstance(body.get("data"), dict) else {}
    token = body.get("access_token") or inner.get("access_token")
    return str(token) if token else None


def _no_token(reply):
    body = reply.data if isinstance(reply.data, dict) else {}
    message = str(body.get("msg") or "the platform gave no token")
    return Answer("queued", "server" if reply.passing else "config", str(body.get("rescode", f"HTTP {reply.status}")), message)
