"""Where it is, as the satellites tell. Part of modem.modem's Modem, borrowed for the one call.

It comes every quarter of a minute. Times are in ms.
"""

import time

from modem import late
from modem.at import ModemError


async def gnss_fix(modem):
    """See Modem.gnss_fix()."""
    rows = late.rows(modem, "_place")
    supported = late.supported
    if modem._gnss is None:
        await _unless(rows.GNSS_IS_ON, supported(modem.channel.ask(rows.GNSS_ON)))
        modem._gnss = modem._gnss or False
        modem.gnss_ticks = time.ticks_ms()
    if not modem._gnss and time.ticks_diff(time.ticks_ms(), modem.gnss_ticks) < rows.GNSS_MS:
        return None
    modem._gnss = True
    try:
        return rows.fix(await _unless(rows.GNSS_SEARCHES, supported(modem.channel.ask(rows.GNSS_FIX))) or b"")
    except ModemError as problem:
        if _is_among(problem.code, rows.GNSS_IS_OFF):
            modem._gnss = None
        raise


async def _unless(codes, work):
    """Await work; an error among the codes is none."""
    try:
        return await work
    except ModemError as problem:
        if not _is_among(problem.code, codes):
            raise


def _is_among(code, codes):
    return [True for part in codes if part in code.lower()]
