"""Where and when it is, as modem and network tell. Part of modem.modem's Modem, borrowed for the one
call.

Degrees are integers of 1e-7, times ms.
"""

import time

from modem import late
from modem.at import ModemError
from modem.borrow import borrow

_NTP_HOST = "ntp.aliyun.com"
_CLOCK = (b"AT+CCLK?", b"+CCLK:", 2000)  # what all families have


async def network_time_ms(modem):
    """See Modem.network_time_ms()."""
    rows = late.rows(modem, "_place")
    clock_ms = borrow("gsm").clock_ms
    now_ms = clock_ms(await modem._ask(rows.CLOCK))
    if now_ms is None and rows.CLOCK != _CLOCK:
        now_ms = clock_ms(await modem._ask(_CLOCK))
    if now_ms is None and modem.cause is None and rows.time_server:
        row = rows.time_server(_NTP_HOST)
        if rows.ASK_TIME:
            await modem.channel.ask(row)
            row = rows.ASK_TIME
        value = await late.ask(modem, "time_set", row, modem.dialect.LINK_MS)
        now_ms = rows.server_ms(value) if rows.server_ms else clock_ms(await modem._ask(rows.CLOCK))
    return now_ms


async def cell_location(modem):
    """See Modem.cell_location()."""
    if modem.cause is not None:
        raise ModemError("no_data_call", "modem")
    rows = late.rows(modem, "_place")
    token = (modem.settings.get("lbs_token") or "").encode()
    for row in rows.LOCATE_SETUP:
        if b"%s" not in row[0]:
            await modem._ask(row)
        elif token:
            await modem._ask((row[0] % token,))
    try:
        value = await late.supported(late.ask(modem, "located", rows.LOCATE, rows.LOCATE_MS))
    except ModemError as problem:
        if problem.code != "unsupported" or not rows.LOCATE_ELSE:
            raise
        value = await late.supported(late.ask(modem, "located", rows.LOCATE_ELSE, rows.LOCATE_MS))
    found = rows.location(value)
    if isinstance(found, int):
        raise ModemError("location_%d" % found, "locate")
    return found


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
