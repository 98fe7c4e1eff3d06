"""Where and when it is, as the network tells. Part of modem.modem's Modem, borrowed for the one call; satellites: `satellites`.

Degrees are integers of 1e-7, times ms.
"""

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
