"""Opens links: name resolution, connecting, why it failed. Part of modem.modem's Modem, borrowed for the one call.

Times are in ms.
"""

import asyncio
import time

from micropython import RingIO, const

from modem import late
from modem.at import ModemError
from modem.borrow import borrow
from modem.channel import Pending
from modem.sockets import RING, Socket, Stream

_OPENING = const(0)  # as in sockets
_LOOK_FIRST_MS = const(2000)  # the same


async def connect(modem, host, port, timeout_ms):
    """See Modem.connect()."""
    try:
        address = await resolve(modem, host)
        rows = borrow(modem.dialect.NAME + "_open")
        sock = take(modem.sockets)
        return await _opened(sock, rows.tcp(sock.link, address, port), timeout_ms or modem.dialect.LINK_MS, rows.ERRORS)
    except ModemError:
        modem._break("check")  # the call may have gone without a word
        raise


async def udp(modem, local_port):
    """See Modem.udp()."""
    from modem.udp import Datagrams

    _need_call(modem)
    rows = borrow(modem.dialect.NAME + "_open")
    if not rows.udp:
        raise ModemError("unsupported", "udp")
    sock = take(modem.sockets, Datagrams)
    return await _opened(sock, rows.udp(sock.link, local_port), modem.dialect.LINK_MS, rows.ERRORS)


async def resolve(modem, host):
    """See Modem.resolve()."""
    _need_call(modem)
    if host.replace(".", "").isdigit():
        return host
    rows = borrow(modem.dialect.NAME + "_open")
    for attempt in range(2):
        answer = await modem._try(late.ask(modem, "resolved", rows.resolve(host), rows.RESOLVE_MS))
        address = rows.address(answer)
        if address:
            return address
        if not attempt:  # cards for things often come without name servers
            await modem._ask(rows.NAME_SERVERS)
    raise ModemError("dns", host)


def take(sockets, kind=Socket):
    """Return a new Socket (or of another kind) on a free link, to be opened; raises ModemError `no_socket`."""
    if None not in sockets._links:
        raise ModemError("no_socket", "open")
    sock = kind()
    link = sock.link = sockets._links.index(None)
    sockets._links[link] = sock
    sock._sockets = sockets
    sock._channel = sockets.channel
    sock._dialect = sockets.dialect
    sock._ring = sockets.rings[link] = sockets.rings[link] or RingIO(RING)
    sock._state = _OPENING
    sock._code = "closed"  # what a read or write of the closed socket raises: what it failed with
    sock._under_way = Pending("open")  # the opening, then each send; None when there is none
    sock._released = Pending("close")
    sock._release_by = None  # ticks by which the modem must have released the link
    sock._lock = asyncio.Lock()
    sock._readable = asyncio.Event()  # data, end or failure
    sock._refused = None  # the command of a send for which the modem had no room
    sock._unread = False  # the modem has more for us, as far as we know
    sock._reading = False  # a read command is queued or in flight
    sock._again = False  # more arrived while it was
    sock._landed = 0  # bytes it brought
    sock.closed = False  # nothing can be sent any more: closed here, failed, or the network's end has been read
    sock._look_ms = _LOOK_FIRST_MS
    sock._looked = time.ticks_ms()
    sock._out = b""  # what the stream face has collected for flush()
    sock.stream = Stream()  # a non-blocking io.IOBase face, for TLS
    sock.stream.sock = sock
    return sock


async def _opened(sock, row, timeout_ms, errors):
    opening = sock.start_open(row)
    try:
        await opening.wait(timeout_ms)
    except BaseException as problem:  # cancelled: nobody would close it
        sock.start_close()
        if isinstance(problem, ModemError):
            raise ModemError(errors.get(opening.value, problem.code), "open") from None
        raise
    return sock


def _need_call(modem):
    if modem.cause is not None:
        raise ModemError("no_data_call", "modem")
