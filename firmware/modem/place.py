"""Where and when it is, as modem and network tell. Part of modem.modem's Modem, borrowed for the one
call.

Degrees are integers of 1e-7, times ms.
"""

import time

from modem.at import ModemError
from modem.borrow import borrow

_NTP_HOST = "ntp.aliyun.com"


async def network_time_ms(modem):
    """See Modem.network_time_ms()."""
    rows = borrow(modem.dialect.NAME + "_place")
    clock_ms = borrow("gsm").clock_ms
    now_ms = clock_ms(await modem._ask(rows.CLOCK))
    if now_ms is None and modem.cause is None:
        await modem.channel.ask(rows.time_server(_NTP_HOST))
        await borrow("late").ask(modem, "time_set", rows.ASK_TIME, modem.dialect.LINK_MS)
        now_ms = clock_ms(await modem._ask(rows.CLOCK))
    return now_ms


async def cell_location(modem):
    """See Modem.cell_location()."""
    if modem.cause is not None:
        raise ModemError("no_data_call", "modem")
    rows = borrow(modem.dialect.NAME + "_place")
    found = rows.location(await borrow("late").ask(modem, "located", rows.LOCATE, rows.LOCATE_MS))
    if isinstance(found, int):
        raise ModemError("location_%d" % found, "locate")
    return found


async def gnss_fix(modem):
    """See Modem.gnss_fix()."""
    rows = borrow(modem.dialect.NAME + "_place")
    supported = borrow("late").supported
    if modem._gnss is None:
        await supported(modem.channel.ask(rows.GNSS_ON))
        modem._gnss = modem._gnss or False
        modem.gnss_ticks = time.ticks_ms()
    if not modem._gnss and time.ticks_diff(time.ticks_ms(), modem.gnss_ticks) < rows.GNSS_MS:
        return None
    modem._gnss = True
    return rows.fix(await supported(modem.channel.ask(rows.GNSS_FIX)) or b"")
