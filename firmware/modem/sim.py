"""Unlocks a SIM. Part of modem.steps, borrowed when there is something to unlock. Times are in ms.

The PIN is tried once in a boot, again only where it was accepted (a modem that restarted asks again), never with the
last attempt, and never when nobody can tell how many there are: what follows is the PUK, and a visit.
"""

from micropython import const

from modem.at import ModemError, numbers

# The attempts left for the PIN: 3GPP 27.007 8.65, then Quectel's and SIMCom's own.
_ATTEMPTS = (
    (b"AT+CPINR", b"+CPINR:SIM PIN,", 9000, -3),
    (b'AT+QPINC="SC"', b'+QPINC:"SC",', 9000, -3),
    (b"AT+SPIC", b"+SPIC:", 9000, -3),
)
_NOT_NOW = ("cme_3", "cme_14")  # not asked for any more, busy: no attempt is used up
_LOST = ("silent", "rebooted")
_LAST = const(1)


async def unlock(modem):
    """Awaited: enter the configured PIN. Raises ModemError `no_sim.<why>` when it was not accepted or not tried."""
    pin = modem.settings.get("sim_pin")
    why = None
    if modem.sim_state != "SIM PIN":
        why = "puk" if "PUK" in modem.sim_state else "locked"
    elif not pin:
        why = "pin"
    elif modem.pin_works is False:
        why = "pin_refused"
    else:
        left = await _attempts(modem)
        if left is None:
            why = "pin_uncounted"
        elif left <= _LAST:
            why = "pin_last"
        elif not await _enter(modem, pin):
            why = "pin_refused"
    if why:
        raise ModemError("no_sim." + why, "sim")


async def _attempts(modem):
    for row in _ATTEMPTS:
        left = numbers(await modem._ask(row))[0]
        if left is not None:
            return left
    return None


async def _enter(modem, pin):
    worked, modem.pin_works = modem.pin_works, False
    try:
        await modem.channel.ask((b'AT+CPIN="%s"' % pin.encode(), None, 10000))
        modem.pin_works = True
    except ModemError as problem:
        if problem.code in _NOT_NOW:
            modem.pin_works = worked
            return True
        if problem.code in _LOST:
            raise ModemError(problem.code, "sim") from None  # the other one has the PIN in it
    return modem.pin_works
