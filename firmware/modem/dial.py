"""Opens links: name resolution, connecting, why it failed. Part of modem.modem's Modem, borrowed for the one call."""

from modem.at import ModemError
from modem.borrow import borrow


async def connect(modem, host, port, timeout_ms):
    """See Modem.connect()."""
    rows = borrow(modem.dialect.NAME + "_open")
    address = await resolve(modem, host)
    sock = modem.sockets.take()
    return await _opened(sock, rows.tcp(sock.link, address, port), timeout_ms or modem.dialect.LINK_MS, rows.ERRORS)


async def udp(modem, local_port):
    """See Modem.udp()."""
    from modem.udp import Datagrams

    _need_call(modem)
    rows = borrow(modem.dialect.NAME + "_open")
    sock = modem.sockets.take(Datagrams)
    return await _opened(sock, rows.udp(sock.link, local_port), modem.dialect.LINK_MS, rows.ERRORS)


async def resolve(modem, host):
    """See Modem.resolve()."""
    _need_call(modem)
    if host.replace(".", "").isdigit():
        return host
    rows = borrow(modem.dialect.NAME + "_open")
    for attempt in range(2):
        address = rows.address(await modem._ask(rows.resolve(host)))
        if address:
            return address
        if not attempt:  # cards for things often come without name servers
            await modem._ask(rows.NAME_SERVERS)
    raise ModemError("dns", host)


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
