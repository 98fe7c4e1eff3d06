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

    def pieces(self, body, cut_at=None):
        """Yield the body as it is sent, piece by piece; without end where that is asked for. cut_at: the last byte's end."""
        size = max(1, self.bytes_per_s // _PIECES_A_S) if self.bytes_per_s else _CHUNK_B
        end = None if self.endless else len(body)
        if cut_at is not None:
            end = cut_at if end is None else min(end, cut_at)
        at = 0
        yield b""  # the head leaves at once, also when no byte follows it
        while end is None or at < end:
            piece = body[at : at + size] or bytes(size)
            piece = piece if end is None else piece[: end - at]
            yield piece
            at += len(piece)

    def pause_s(self, size):
        """Return how long to wait after so many bytes; 0 only lets others go on."""
        return size / self.bytes_per_s if self.bytes_per_s else 0


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

    def cut_at(self, size):
        """Return after how many bytes a body of this size is cut off, or None; counts the cut."""
        asked = self._asked
        if asked.cut_after is None or (asked.cut == "once" and self.cuts) or (asked.cut_after >= size and not asked.endless):
            return None
        self.cuts += 1
        return asked.cut_after


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
    headers = {"ETag": etag, "Accept-Ranges": "bytes" if state.asked.ranges else "none"}
    wanted = _wanted(request, state.asked, etag)
    if wanted is None:
        _note(request, 200)
        return await _send(request, 200, headers, content)
    begin, end = _span(wanted, len(content))
    if begin >= end:
        _note(request, 416)
        return web.Response(status=416, headers={**headers, "Content-Range": f"bytes */{len(content)}"})
    _note(request, 206)
    headers["Content-Range"] = f"bytes {begin}-{end - 1}/{len(content)}"
    return await _send(request, 206, headers, content[begin:end])


def _has_token(request, token):
    given = request.query.get("token", request.headers.get("Authorization", "").removeprefix("Bearer "))
    return hmac.compare_digest(given.encode(), token.encode())


def _wanted(request, asked, etag):
    """Return (first, last or None) of the range to be answered, first None for the last `last` bytes; None for the whole.

    A range that makes no sense counts as none (RFC 9110, 14.1.1), and so does one under an If-Range of other bytes.
    """
    found = _RANGE.fullmatch(request.headers.get("Range", ""))
    if not asked.ranges or not found or request.headers.get("If-Range", etag) != etag:
        return None
    first, last = (int(text) if text else None for text in found.groups())
    if (first is None and last is None) or (None not in (first, last) and last < first):
        return None
    return first, last


def _span(wanted, size):
    """Return (begin, end) of a wanted range in so many bytes; begin is not below end when no byte of it is there."""
    first, last = wanted
    if first is None:
        return max(0, size - last), size
    return first, size if last is None else min(size, last + 1)


def _note(request, status):
    """Write a request to the ledger; its token is not kept."""
    body = {name: request.headers.get(name) for name in ("Range", "If-Range") if name in request.headers}
    verdict = (status in (200, 206), str(status), "")
    request.app[server.LEDGER].add(_ENDPOINT, request.path, verdict, body, server.request_fault(request))


async def _send(request, status, headers, body):
    """Send the body as it was ordered: slow, cut, of a wrong length, endless."""
    state = request.app[_STATE]
    asked, cut_at = state.asked, state.cut_at(len(body))
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
    left = response.content_length  # None where no length is declared
    for piece in asked.pieces(body, cut_at):
        declared = piece if left is None else piece[:left]
        await response.write(declared)
        if left is not None:
            left -= len(declared)
        if len(declared) < len(piece) and request.transport is not None:
            request.transport.write(piece[len(declared) :])  # beyond the length that was declared
        await asyncio.sleep(asked.pause_s(len(piece)))
    if (cut_at is not None or left) and request.transport is not None:
        request.transport.close()
