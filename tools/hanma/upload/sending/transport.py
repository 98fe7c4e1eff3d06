"""Carries requests to one server: TLS verified or pinned, a pace, and what a failure means for the record.

State: the HTTP connections and the time of the next turn. No address, token or body ever is in an error's text: httpx's own
errors, which hold the request, end here.
"""

import hashlib
import hmac
import json
import re
import ssl
import time
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import ip_address
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import httpx

from hanma.upload.site import SiteError

# The gateway says so itself: it does not know what became of the request behind it (RFC 9110, 15.6.3 and 15.6.5).
_GATEWAY = (502, 504)
_TOO_MANY = 429
_IDLE_S = 5.0  # a connection that was idle for longer may be closing at the other end just as we write
_JSON = {"Content-Type": "application/json; charset=utf-8", "Accept": "application/json"}
_NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError, httpx.UnsupportedProtocol)


class NotSent(Exception):
    """The request never reached the server: it may be made again."""


class Uncertain(Exception):
    """The request was sent, or part of it, and no answer was heard: the record may have been taken."""


class TokenError(Exception):
    """No token was given. answer: an Answer with the class and the platform's words."""

    def __init__(self, answer):
        super().__init__(f"no token: {answer.code} {answer.message}".strip())
        self.answer = answer


@dataclass(frozen=True)
class Reply:
    """An HTTP answer. data: its JSON, None where it holds none; retry_after_s: what the server asked for, or 0."""

    status: int
    data: object = None
    retry_after_s: float = 0

    @property
    def passing(self):
        """True for a failure that may pass by itself."""
        return self.status >= 500 or self.status == _TOO_MANY


@dataclass(frozen=True)
class Answer:
    """What an answer means for the record: state (accepted, refused, queued, uncertain), its class (ok config token
    permission server data network), the platform's code and message."""

    state: str
    kind: str
    code: str = ""
    message: str = ""
    retry_after_s: float = 0


def of_status(reply):
    """Return the Answer of an HTTP status that is not 200: nothing of it is the platform's own."""
    state, kind = "refused", "data"
    if reply.passing:
        state, kind = "queued", "server"
    elif reply.status in (401, 403):
        state, kind = "queued", "permission"
    elif reply.status in (404, 405) or reply.status < 400:
        state, kind = "queued", "config"
    return Answer(state, kind, f"HTTP {reply.status}", "", reply.retry_after_s)


class Pace:
    """Lets so many through a second, evenly."""

    def __init__(self, rate_per_s):
        """Take the rate, turns a second."""
        self._gap_s = 1 / rate_per_s
        self._next_s = 0.0

    def turn_s(self):
        """Take the next turn; return in how many seconds it is."""
        now_s = time.monotonic()
        mine_s = max(self._next_s, now_s)
        self._next_s = mine_s + self._gap_s
        return mine_s - now_s


class _PinnedTLS(ssl.SSLObject):
    """A TLS connection that breaks off when the certificate is another: before a byte of the request is sent."""

    def do_handshake(self):
        super().do_handshake()
        shown = hashlib.sha256(self.getpeercert(binary_form=True) or b"").hexdigest()
        if not hmac.compare_digest(shown, self.context.fingerprint):
            raise ssl.SSLCertVerificationError(f"the server's certificate is another one (SHA-256 {shown})")


class _PinnedContext(ssl.SSLContext):
    """Trusts one certificate and no authority: what an address without a name allows."""

    sslobject_class = _PinnedTLS
    fingerprint = ""


def tls(server):
    """Return the TLS context of a site's server. SiteError for a fingerprint or CA file that can't be used."""
    if server.fingerprint:
        fingerprint = re.sub(r"[\s:]", "", server.fingerprint).lower()
        if not re.fullmatch(r"[0-9a-f]{64}", fingerprint):
            raise SiteError("[server] fingerprint: write the certificate's SHA-256, 64 hex digits")
        context = _PinnedContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE  # the pin is checked instead
        context.fingerprint = fingerprint
        return context
    try:
        return ssl.create_default_context(cafile=server.ca_file or None)
    except OSError as error:
        raise SiteError(f"[server] ca_file {server.ca_file}: {error.strerror or error}") from None


def check_address(server, secure=False):
    """Refuse an address that can't be used. secure: only HTTPS, and a bare IP only with a fingerprint or CA file."""
    parts = urlsplit(server.url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise SiteError("[server] url: write http://… or https://… with the server's name")
    if secure and parts.scheme != "https":
        raise SiteError("[server] url: this platform is reached over https:// only")
    if secure and _is_ip(parts.hostname) and not (server.fingerprint or server.ca_file):
        raise SiteError("[server] fingerprint: the address is an IP, so the certificate's SHA-256 is needed")


def _is_ip(name):
    try:
        ip_address(name)
    except ValueError:
        return False
    return True


def _proxy(server):
    """Return the proxy to use: the profile's, else what the environment says for this address; None for none."""
    parts = urlsplit(server.url)
    if server.proxy or proxy_bypass(parts.hostname):
        return server.proxy or None
    found = getproxies()
    return found.get(parts.scheme) or found.get("all")


class Transport:
    """The connections to one site's server. Close it at the end.

    It drives httpx's transport itself: what a client adds (cookies, redirects, authentication, a log line with the whole
    address) is not wanted, and costs a third of a request.
    """

    def __init__(self, server):
        """Take the site's Server. SiteError when it can't be used."""
        check_address(server)
        self._base = server.url.rstrip("/")
        self._pace = Pace(server.rate_per_s)
        connections = server.concurrency + 1  # one to ask for a token
        self._http = httpx.AsyncHTTPTransport(
            verify=tls(server),
            proxy=_proxy(server),
            limits=httpx.Limits(max_connections=connections, max_keepalive_connections=connections, keepalive_expiry=_IDLE_S),
        )
        self._extensions = {"timeout": httpx.Timeout(server.answer_s, connect=server.connect_s).as_dict()}
        self._url = lru_cache(maxsize=64)(lambda path: httpx.URL(self._base + path))  # tables times the last tokens

    async def close(self):
        """Close the connections."""
        await self._http.aclose()

    def turn_s(self):
        """Take a turn of the platform's rate; return in how many seconds the request may go."""
        return self._pace.turn_s()

    async def post(self, path, content, headers=None):
        """POST bytes of JSON, or a dict as a form; return a Reply. NotSent or Uncertain otherwise. May be cancelled: what
        was sent of it is then as uncertain."""
        if isinstance(content, dict):
            return await self._request(httpx.Request("POST", self._url(path), data=content, headers=headers))
        return await self._request(httpx.Request("POST", self._url(path), content=content, headers=_JSON | (headers or {})))

    async def get(self, path, query=None, headers=None, method="GET"):
        """GET, or another method without a body; return a Reply. NotSent or Uncertain otherwise."""
        return await self._request(httpx.Request(method, self._url(path), params=query, headers=headers))

    async def _request(self, request):
        request.extensions = self._extensions
        request.headers["User-Agent"] = "hanma"
        try:
            response = await self._http.handle_async_request(request)
            try:
                body = await response.aread()
            finally:
                await response.aclose()
        except _NOT_SENT as error:
            raise NotSent(_told(error)) from None
        except (httpx.HTTPError, httpx.StreamError) as error:
            raise Uncertain(_told(error)) from None
        if response.status_code in _GATEWAY:
            raise Uncertain(f"HTTP {response.status_code}: the gateway had no answer")
        return Reply(response.status_code, _json(body), _retry_after_s(response))


def _told(error):
    """Say what failed; a connection's error names no address but may name the certificate's fault."""
    cause = str(error).strip()
    kind = type(error).__name__
    return f"{kind}: {cause}" if cause and "://" not in cause else kind


def _json(body):
    try:
        return json.loads(body)
    except ValueError:
        return None


def _retry_after_s(response):
    asked = response.headers.get("Retry-After", "")
    return min(float(asked), 3600.0) if asked.isdigit() else 0.0
