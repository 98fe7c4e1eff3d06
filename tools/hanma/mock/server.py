"""What all stand-ins share: the web server, its control addresses, the carrying out of ordered faults, start and end.

A platform writes only its handlers: `make_application(options, ledger, faults)` takes `application(ledger, faults)` from
here and adds routes to it, each named with its endpoint's key (`router.add_post(path, handler, name="gate")`). Named
routes are subject to faults. A handler asks `ordered(request)` for a fault that it must speak in its own codes, and
writes every request to the ledger with `request_fault(request)`.

Control addresses, answered only to a caller on this machine:
GET /_control/ledger · GET /_control/counts · GET, POST, DELETE /_control/faults
"""

import asyncio
import contextlib
import dataclasses
import hmac
import ipaddress
import json
import signal
import ssl

from aiohttp import web

from hanma.mock import faults as faulting

# A form of exit papers may hold some tens of attachments of 1 MB.
_BODY_MAX_B = 64 * 1024 * 1024
_CUT_SHORT = '{"createtime": "2022-07-05 16:00:19", "errorcode": {"code'
# How long a request under way may still take when the server ends.
_STOP_S = 1.0

LEDGER = web.AppKey("ledger", object)
FAULTS = web.AppKey("faults", object)
CONTROL_TOKEN = web.AppKey("control_token", object)
_FAULT = web.RequestKey("fault", object)


@dataclasses.dataclass(frozen=True)
class Binding:
    """Where a stand-in listens. cert, key: PEM files for TLS. control_token: asked of control callers in X-Control-Token."""

    host: str = "127.0.0.1"
    port: int = 0
    cert: str | None = None
    key: str | None = None
    control_token: str | None = None


class StartError(Exception):
    """The server cannot start: its address, certificate or key."""


def ordered(request):
    """Return the Fault that the platform's handler must answer with in its own codes, or None."""
    fault = request.get(_FAULT)
    return fault if fault is not None and fault.kind in faulting.SPOKEN else None


def request_fault(request):
    """Return the kind of the fault ordered for this request, for the ledger, or None."""
    fault = request.get(_FAULT)
    return None if fault is None else fault.kind


def application(ledger, faults):
    """Return an aiohttp application with faults and control addresses, ready for a platform's named routes."""
    made = web.Application(middlewares=[_guard_control, _carry_out_faults], client_max_size=_BODY_MAX_B)
    made[LEDGER], made[FAULTS] = ledger, faults
    made.router.add_get("/_control/ledger", _get_ledger)
    made.router.add_get("/_control/counts", _get_counts)
    made.router.add_get("/_control/faults", _get_faults)
    made.router.add_post("/_control/faults", _post_faults)
    made.router.add_delete("/_control/faults", _delete_faults)
    return made


def _json(value, status=200):
    return web.json_response(value, status=status)


@web.middleware
async def _guard_control(request, handler):
    """Answer control addresses only to this machine, and only with the token where one is set."""
    if not request.path.startswith("/_control"):
        return await handler(request)
    if not ipaddress.ip_address((request.remote or "0.0.0.0").split("%")[0]).is_loopback:
        return _json({"error": "control addresses answer only to this machine"}, 403)
    token = request.app.get(CONTROL_TOKEN)
    if token and not hmac.compare_digest(request.headers.get("X-Control-Token", "").encode(), token.encode()):
        return _json({"error": "X-Control-Token is missing or wrong"}, 403)
    return await handler(request)


@web.middleware
async def _carry_out_faults(request, handler):
    """Do to a request of a named route what was ordered for its endpoint."""
    resource = request.match_info.route.resource
    if resource is None or resource.name is None:
        return await handler(request)
    try:
        # The whole request first: who waits, or is cut off, has sent everything.
        await request.read()
    except ConnectionError:
        return web.Response()
    delay_s, fault = request.app[FAULTS].due(resource.name)
    if delay_s:
        await asyncio.sleep(delay_s)
    if fault is None:
        return await handler(request)
    request[_FAULT] = fault
    if fault.kind in faulting.SPOKEN:
        return await handler(request)
    if fault.kind == "cut_after" or (fault.after and fault.kind != "cut_before"):
        await handler(request)
    return _spoilt(request, fault)


def _spoilt(request, fault):
    """Return what the caller gets instead of an answer; a cut closes the connection first."""
    if fault.kind == "http":
        return web.Response(status=fault.status, text=fault.message or f"HTTP {fault.status}")
    if fault.kind == "garbage":
        return web.Response(text=_CUT_SHORT, content_type="application/json")
    if request.transport is not None:
        request.transport.abort()
    return web.Response()


async def _get_ledger(request):
    return _json(request.app[LEDGER].entries)


async def _get_counts(request):
    return _json(request.app[LEDGER].counts())


async def _get_faults(request):
    return _json(request.app[FAULTS].listed())


async def _post_faults(request):
    endpoints = sorted(request.app.router.named_resources())
    try:
        request.app[FAULTS].order(json.loads(await request.read()), endpoints)
    except ValueError as error:
        return _json({"error": str(error)}, 400)
    return await _get_faults(request)


async def _delete_faults(request):
    request.app[FAULTS].clear()
    return await _get_faults(request)


def _tls(binding):
    """Return the TLS context, or None for plain HTTP. Raises StartError."""
    if binding.cert is None and binding.key is None:
        return None
    if binding.cert is None or binding.key is None:
        raise StartError("--cert and --key go together")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(binding.cert, binding.key)
    except (OSError, ssl.SSLError) as error:
        raise StartError(f"{binding.cert}, {binding.key}: {error}") from error
    return context


def _address(binding, runner):
    """Return the address to call: the port really bound, and a host that can be called."""
    host, port = runner.addresses[0][:2]
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    scheme = "http" if binding.cert is None else "https"
    return f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}"


@contextlib.asynccontextmanager
async def listening(made, binding):
    """Serve the application while the block runs; yields its address. Raises StartError."""
    if binding.control_token:
        made[CONTROL_TOKEN] = binding.control_token
    context = _tls(binding)
    runner = web.AppRunner(made, access_log=None, shutdown_timeout=_STOP_S)
    await runner.setup()
    try:
        await _listen(runner, binding, context)
        yield _address(binding, runner)
    finally:
        await runner.cleanup()


async def _listen(runner, binding, context):
    try:
        await web.TCPSite(runner, binding.host, binding.port, ssl_context=context).start()
    except OSError as error:
        raise StartError(f"{binding.host}:{binding.port}: {error}") from error


async def _serve(made, binding):
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    async with listening(made, binding) as address:
        # signal.signal rather than the loop's own: the latter does not exist on Windows.
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: loop.call_soon_threadsafe(stop.set))
        print(json.dumps({"url": address, "control": f"{address}/_control"}), flush=True)
        await stop.wait()


def run(made, binding):
    """Serve until SIGINT or SIGTERM; prints one line of JSON with url and control when ready. Raises StartError."""
    asyncio.run(_serve(made, binding))
