"""The test server of upgrades: one bundle under one address, served as well or as badly as a device may meet it.

Owns what it was asked to do wrong (`Behaviour`, to be changed while it runs at /_control/behaviour) and the counts of requests
and cuts. Ranges, ETag and If-Range as in RFC 9110; one range a request, as devices ask. The rest, control, ledger and start-up
line, is that of the other stand-ins. Sizes are bytes.
"""

import asyncio
import dataclasses
import hashlib
import hmac
import json
import pathlib
import re

from aiohttp import web

from hanma.mock import server
from hanma.mock.faults import Faults
from hanma.mock.ledger import Ledger, LedgerError

Binding = server.Binding
_ENDPOINT = "bundle"
_CHUNK_B = 4096
_PIECES_A_S = 10  # a slow body comes in so many pieces a second
_RANGE = re.compile(r"bytes=(\d*)-(\d*)")
_STATE = web.AppKey("state", object)


class ServeError(Exception):
    """The server cannot start; the text says why."""


@dataclasses.dataclass(frozen=True)
class Behaviour:
    """What the server does wrong, and asks for.

    token: asked for, None for none. bytes_per_s: 0 for no slowness. cut_after: bytes of a body after which the connection is
    closed, None for never; cut: once or always. length_error: added to Content-Length; all bytes are sent all the same.
    endless: no length, no end. ranges: False answers every request with the whole. then: the file that the address serves
    after then_after requests. redirect: the address in a 302.
    """

    token: str | None = None
    bytes_per_s: int = 0
    cut_after: int | None = None
    cut: str = "once"
    length_error: int = 0
    endless: bool = False
    ranges: bool = True
    then: str | None = None
    then_after: int = 1
    redirect: str | None = None


# Per field: whether a value is fit for it.
_FITS = {
    "token": lambda value: value is None or isinstance(value, str),
    "bytes_per_s": lambda value: _is_count(value),
    "cut_after": lambda value: value is None or _is_count(value),
    "cut": lambda value: value in ("once", "always"),
    "length_error": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "endless": lambda value: isinstance(value, bool),
    "ranges": lambda value: isinstance(value, bool),
    "then": lambda value: value is None or isinstance(value, str) and pathlib.Path(value).is_file(),
    "then_after": lambda value: _is_count(value) and value > 0,
    "redirect": lambda value: value is None or isinstance(value, str),
}


def _is_count(value):
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


class _State:
    """One server's bundle and what has happened to its requests."""

    def __init__(self, path, behaviour):
        self.content = _read(path)
        self.asked = behaviour
        self.requests = 0
        self.cuts = 0

    @property
    def asked(self):
        return self._asked

    @asked.setter
    def asked(self, behaviour):
        self._later = None if behaviour.then is None else _read(behaviour.then)
        self._asked = behaviour
        self.requests = self.cuts = 0

    def served(self):
        """Return the bytes that the address has now, and count the request."""
        self.requests += 1
        return self._later if self._later is not None and self.requests > self._asked.then_after else self.content

    def cut_at(self):
        """Return after how many bytes this body is cut off, or None; counts the cut."""
        if self._asked.cut_after is None or (self._asked.cut == "once" and self.cuts):
            return None
        self.cuts += 1
        return self._asked.cut_after


def _read(path):
    try:
        return pathlib.Path(path).read_bytes()
    except OSError as error:
        raise ServeError(f"{path}: {error.strerror}") from error


def make_application(path, behaviour, ledger, faults):
    """Return the aiohttp application that serves the bundle at /its-name. Raises ServeError."""
    made = server.application(ledger, faults)
    made[_STATE] = _State(path, behaviour)
    made.router.add_get("/_control/behaviour", _get_behaviour)
    made.router.add_post("/_control/behaviour", _post_behaviour)
    made.router.add_get(f"/{pathlib.Path(path).name}", _give, name=_ENDPOINT)
    return made


def run(path, behaviour, binding, ledger_file=None):
    """Serve until SIGINT or SIGTERM; prints one line of JSON when ready. Raises ServeError."""
    try:
        ledger = Ledger(ledger_file)
        try:
            server.run(make_application(path, behaviour, ledger, Faults()), binding)
        finally:
            ledger.close()
    except (LedgerError, server.StartError) as error:
        raise ServeError(str(error)) from error


async def _get_behaviour(request):
    return web.json_response(dataclasses.asdict(request.app[_STATE].asked))


async def _post_behaviour(request):
    """Change the named fields; the counts begin again."""
    state = request.app[_STATE]
    try:
        changes = json.loads(await request.read())
        if not isinstance(changes, dict):
            raise ValueError("a JSON object of fields is wanted")
        for name, value in changes.items():
            if name not in _FITS or not _FITS[name](value):
                raise ValueError(f"{name}: {value!r} does not fit; known are {', '.join(_FITS)}")
        state.asked = dataclasses.replace(state.asked, **changes)
    except (ValueError, ServeError) as error:
        return web.json_response({"error": str(error)}, status=400)
    return await _get_behaviour(request)


async def _give(request):
    """Answer one request for the bundle, and write it to the ledger before its body is sent."""
    state = request.app[_STATE]
    if state.asked.token is not None and not _has_token(request, state.asked.token):
        _note(request, 401)
        return web.Response(status=401, text="the token is missing or wrong")
    if state.asked.redirect is not None:
        _note(request, 302)
        return web.Response(status=302, headers={"Location": state.asked.redirect})
    content = state.served()
    etag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
    span = _span(request, state.asked, len(content), etag)
    headers = {"ETag": etag, "Accept-Ranges": "bytes" if state.asked.ranges else "none"}
    if span is None:
        _note(request, 416)
        return web.Response(status=416, headers={**headers, "Content-Range": f"bytes */{len(content)}"})
    begin, end = span
    is_part = span != (0, len(content)) or _is_range(request, state.asked, etag)
    if is_part:
        headers["Content-Range"] = f"bytes {begin}-{end - 1}/{len(content)}"
    _note(request, 206 if is_part else 200)
    return await _send(request, 206 if is_part else 200, headers, content[begin:end])


def _has_token(request, token):
    given = request.query.get("token", request.headers.get("Authorization", "").removeprefix("Bearer "))
    return hmac.compare_digest(given.encode(), token.encode())


def _is_range(request, asked, etag):
    """Return whether a range is asked for and to be answered: ranges are on, and If-Range names what is here."""
    wanted = _RANGE.fullmatch(request.headers.get("Range", ""))
    return bool(asked.ranges and wanted and any(wanted.groups()) and request.headers.get("If-Range", etag) == etag)


def _span(request, asked, size, etag):
    """Return (begin, end) of what is asked for, None when no byte of it is there."""
    if not _is_range(request, asked, etag):
        return 0, size
    first, last = _RANGE.fullmatch(request.headers["Range"]).groups()
    if not first:
        return (max(0, size - int(last)), size) if int(last) else None
    begin, end = int(first), min(size, int(last) + 1) if last else size
    return (begin, end) if begin < end else None


def _note(request, status):
    """Write a request to the ledger; its token is not kept."""
    body = {name: request.headers.get(name) for name in ("Range", "If-Range") if name in request.headers}
    verdict = (status in (200, 206), str(status), "")
    request.app[server.LEDGER].add(_ENDPOINT, request.path, verdict, body, server.request_fault(request))


async def _send(request, status, headers, body):
    """Send the body as it was ordered: slow, cut, of a wrong length, endless."""
    state = request.app[_STATE]
    asked, cut_at = state.asked, state.cut_at()
    response = web.StreamResponse(status=status, headers={**headers, "Content-Type": "application/octet-stream"})
    response.force_close()
    if not asked.endless:
        response.content_length = max(0, len(body) + asked.length_error)
    try:
        await response.prepare(request)
        await _pour(request, response, body, asked, cut_at)
    except ConnectionError:
        return response  # the device has gone: that is its right
    return response


async def _pour(request, response, body, asked, cut_at):
    """Write the body and close the connection when that is not its proper end."""
    at = 0
    sends = _sender(request, response, asked)
    for piece in _pieces(body if cut_at is None else body[:cut_at], asked):
        await sends(piece)
        at += len(piece)
        await _wait(len(piece), asked)
    while asked.endless and (cut_at is None or at < cut_at):
        piece = bytes(_CHUNK_B if cut_at is None else min(_CHUNK_B, cut_at - at))
        await sends(piece)
        at += len(piece)
        await _wait(len(piece), asked)
    if cut_at is not None or asked.length_error:
        if not at:
            await response.write(b"")
        request.transport.close()


def _sender(request, response, asked):
    """Return the coroutine function that sends a piece, beyond the length that was declared too."""
    if asked.length_error >= 0:
        return response.write

    async def beyond(piece):
        declared = min(len(piece), response.content_length - sent[0])
        await response.write(piece[:declared])
        sent[0] += declared
        if declared < len(piece) and request.transport is not None:
            request.transport.write(piece[declared:])

    sent = [0]
    return beyond


def _pieces(body, asked):
    size = max(1, asked.bytes_per_s // _PIECES_A_S) if asked.bytes_per_s else _CHUNK_B
    return (body[at : at + size] for at in range(0, len(body), size))


async def _wait(size, asked):
    """Wait as long as so many bytes take on a slow line; at least let others go on."""
    await asyncio.sleep(size / asked.bytes_per_s if asked.bytes_per_s else 0)
