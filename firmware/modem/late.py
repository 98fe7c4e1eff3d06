"""Commands whose result only acknowledges them: their end is a URC. Part of modem.modem's Modem. Times in ms.

Not borrowed: speech, place and data call need it at the same time, and each would have its own.
"""

from modem.at import ModemError
from modem.borrow import borrow
from modem.channel import Pending

# 27.007 9.2.1; an Air724UG's word for it; Quectel's for satellites and for speech.
_NO_SUCH = ("error", "cme_4", "cme_invalid command line", "cme_502", "cme_903")


async def ask(modem, name, row, timeout_ms):
    """Send a dialect's row; return the value of the URC of this name that ends it, or with timeout_ms 0 the value of its
    answer. Raises ModemError. May be cancelled."""
    if not timeout_ms:
        return await modem.channel.ask(row)
    over = modem._waits[name] = Pending(name)
    try:
        await modem.channel.ask(row)
        return await over.wait(timeout_ms)
    finally:
        if modem._waits.get(name) is over:
            del modem._waits[name]


def rows(modem, duty):
    """Return the module of the modem's dialect for a duty, say "_place". Raises ModemError `silent` while it is unknown what
    modem it is."""
    if not modem.dialect.LINKS:
        raise ModemError("silent", "do")
    return borrow(modem.dialect.NAME + duty)


async def supported(work):
    """Await work; a refusal that says no more than that there is no such thing raises ModemError `unsupported`."""
    try:
        return await work
    except ModemError as problem:
        raise ModemError("unsupported" if problem.code in _NO_SUCH else problem.code, "do") from None
