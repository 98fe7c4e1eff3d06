"""The stand-in of Shantou's platform: token, check and the eleven data endpoints.

Owns the tokens and the register of one run; after a restart the register is made again from the ledger's file. Answers are
HTTP 200 with the endpoint's own code: 0, its failure, its "no such token", its system error. What could not be read as a
request at all (a wrong method, a wrong path) gets 405 or 404.
"""

import hashlib
import json

from aiohttp import web

from hanma.mock import server, shantou_checks, shantou_fields, shantou_rules, shantou_tokens

_SUCCESS = ("0", "成功")
_NO_TOKEN_MESSAGE = "accesstoken 不存在！"
_SYSTEM_MESSAGE = "系统异常！"
_OPEN_PATH = "/api/openapi/"
_MASK = "***"


def make_application(options, ledger, faults):
    """Return the aiohttp application of a strict Shantou; options: a shantou_options.Options. Raises StartError."""
    unknown = sorted(options.may_be_empty - set(shantou_checks.required_texts(shantou_fields.ENDPOINTS)))
    if unknown:
        raise server.StartError(f"{', '.join(unknown)}: no required text of that name, such as team_exit.appointDate")
    made = server.application(ledger, faults)
    stand_in = _Shantou(options, ledger)
    made.router.add_post(_OPEN_PATH + "getaccesstoken", stand_in.token, name="token")
    made.router.add_get(_OPEN_PATH + "checkaccesstokenisvalid/{token}", stand_in.check, name="check")
    for endpoint in shantou_fields.ENDPOINTS:
        made.router.add_post(endpoint.path + "{token}", stand_in.receiver(endpoint), name=endpoint.key)
    return made


class _NotJson(ValueError):
    """A body that is no JSON, or names a key twice."""


def _once(pairs):
    """Return an object's pairs as a dict. Raises _NotJson where a key comes twice."""
    made = dict(pairs)
    if len(made) != len(pairs):
        names = [name for name, _ in pairs]
        raise _NotJson(f"{next(name for name in names if names.count(name) > 1)}：参数重复")
    return made


def _no_constant(name):
    raise _NotJson(f"{name} 不是 JSON")


def _parse(raw):
    """Return the JSON value of a body. Raises _NotJson."""
    try:
        return json.loads(raw.decode("utf-8"), object_pairs_hook=_once, parse_constant=_no_constant)
    except _NotJson:
        raise
    except (ValueError, RecursionError) as error:
        raise _NotJson("请求体：不是 UTF-8 的 JSON") from error


def _answer(code, message, **more):
    moment = shantou_checks.now().strftime("%Y-%m-%d %H:%M:%S")
    value = {"createtime": moment, "errorcode": {"code": code, "message": message}, **more}
    # A message may quote half a character that the caller has sent as \ud800.
    text = json.dumps(value, ensure_ascii=False).encode("utf-8", "replace")
    return web.Response(body=text, content_type="application/json", charset="utf-8")


class _Shantou:
    """The handlers and what they know."""

    def __init__(self, options, ledger):
        self._options = options
        self._ledger = ledger
        self._strictness = shantou_checks.Strictness(options.decode_images, options.may_be_empty)
        self._tokens = shantou_tokens.Tokens(options.user, options.secret, options.token_life_s, options.same_token)
        self._register = shantou_rules.Register()
        for entry in ledger.entries:
            if entry["taken"]:
                self._register.take(entry["endpoint"], entry["body"])

    def _write(self, request, verdict, body):
        """Write a request to the ledger; the token in its path only as the start of its hash."""
        resource = request.match_info.route.resource
        token = hashlib.sha256(request.match_info.get("token", "").encode("utf-8", "surrogatepass")).hexdigest()[:16]
        path = resource.canonical.replace("{token}", f"sha256:{token}")
        self._ledger.add(resource.name, path, verdict, body, server.request_fault(request))

    # Token and check ---------------------------------------------------------------------------------------------------

    async def token(self, request):
        """Chapter two: give a token for access_id and access_secret, as JSON or as a form."""
        try:
            body = await self._credentials(request)
        except _NotJson as error:
            body, refusal = None, (shantou_tokens.NO_KEY[0], str(error))
        else:
            refusal = self._ordered_refusal(request, "900010103", "900010199", shantou_tokens.NO_USER)
            refusal = refusal or self._token_refusal(body)
        if isinstance(body, dict):
            body = {name: _MASK if name == "access_secret" else value for name, value in body.items()}
        self._write(request, (refusal is None, *(refusal or _SUCCESS)), body)
        return _answer(*refusal, datacontext=None) if refusal else self._token_answer(request)

    async def _credentials(self, request):
        if request.content_type == "application/x-www-form-urlencoded":
            return _once(list((await request.post()).items()))
        return _parse(await request.read())

    def _token_refusal(self, body):
        names = ("access_id", "access_secret")
        if not isinstance(body, dict):
            return shantou_tokens.NO_KEY[0], "请求体：应为 JSON 对象"
        for name, value in body.items():
            if name not in names:
                return shantou_tokens.NO_KEY[0], f"{name}：未知参数"
            if not isinstance(value, str):
                return shantou_tokens.NO_KEY[0], f"{name}：类型应为 string"
        return self._tokens.refusal(*(body.get(name, "") for name in names))

    def _token_answer(self, request):
        token, given, ends = self._tokens.give()
        access_id = self._tokens.access_id
        context = {
            "accessToken": token,
            "userId": "",
            "loginDate": given.strftime("%Y-%m-%d %H:%M:%S"),
            "clientIp": request.remote,
            "userLoginname": access_id,
            "expireDate": ends.strftime("%Y-%m-%d %H:%M:%S"),
            "access_id": access_id,
            "access_secret": self._options.secret,
            "code": _SUCCESS[0],
            "stid": "",
        }
        return _answer(*_SUCCESS, datacontext=context)

    async def check(self, request):
        """Chapter three: say whether a token is valid."""
        refusal = self._ordered_refusal(request, "900010103", "900010199", ("900010103", _NO_TOKEN_MESSAGE))
        self._write(request, (refusal is None, *(refusal or _SUCCESS)), None)
        if refusal:
            return _answer(*refusal, datacontext=False)
        return _answer(*_SUCCESS, datacontext=self._tokens.is_valid(request.match_info["token"]))

    # Data --------------------------------------------------------------------------------------------------------------

    def receiver(self, endpoint):
        """Return the handler of one data endpoint."""

        async def receive(request):
            raw = await request.read()
            body, refusal = None, None
            try:
                body = _parse(raw)
            except _NotJson as error:
                body = {"raw": raw.decode("utf-8", "replace")}
                refusal = self._failure(endpoint, [str(error)])
            refusal = self._token_problem(request, endpoint) or refusal or self._data_refusal(endpoint, body)
            if refusal is None:
                self._register.take(endpoint.key, body)
            self._write(request, (refusal is None, *(refusal or _SUCCESS)), body)
            return _answer(*(refusal or _SUCCESS), data=refusal is None)

        return receive

    def _token_problem(self, request, endpoint):
        """Return the refusal ordered for this request, or that of a token that does not live, or None."""
        failure = self._failure(endpoint, ["拒绝"])
        refusal = self._ordered_refusal(request, endpoint.no_token, endpoint.system_error, failure)
        if refusal is None and not self._tokens.is_valid(request.match_info["token"]):
            refusal = endpoint.no_token, _NO_TOKEN_MESSAGE
        return refusal

    def _data_refusal(self, endpoint, body):
        problems = shantou_checks.problems(endpoint, body, self._strictness)
        problems = problems or self._register.problems(endpoint.key, body)
        return self._failure(endpoint, problems) if problems else None

    def _failure(self, endpoint, problems):
        """Return (code, message) of an endpoint's own failure, with what is wrong."""
        code, title = endpoint.failure or (self._options.failure_code, "数据接入失败")
        return code, f"{title}：{'；'.join(problems)}"

    def _ordered_refusal(self, request, no_token, system_error, failure):
        """Return (code, message) of an ordered fault that is spoken in the platform's codes, or None."""
        fault = server.ordered(request)
        if fault is None:
            return None
        if fault.kind == "token_expired":
            self._tokens.forget(request.match_info.get("token"))
        code, message = {
            "token_expired": (no_token, _NO_TOKEN_MESSAGE),
            "system_error": (system_error, _SYSTEM_MESSAGE),
            "refuse": failure,
        }[fault.kind]
        return fault.code or code, fault.message or message
