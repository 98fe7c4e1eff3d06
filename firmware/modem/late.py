"""Commands whose result only acknowledges them: their end is a URC. Part of modem.modem's Modem, borrowed. Times in ms."""

from modem.at import ModemError
from modem.channel import Pending


async def ask(modem, name, row, timeout_ms):
    """Send a dialect's row; return the value of the URC of this name that ends it. Raises ModemError. May be
    cancelled."""
    over = modem._waits[name] = Pending(name)
    try:
        await modem.channel.ask(row)
        return await over.wait(timeout_ms)
    finally:
        if modem._waits.get(name) is over:
            del modem._waits[name]


async def supported(work):
    """Await work; a plain refusal raises ModemError `unsupported`."""
    try:
        return await work
    except ModemError as problem:
        raise ModemError("unsupported" if problem.code == "error" else problem.code, "do") from None
