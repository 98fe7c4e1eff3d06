"""The cure for what broke: one rung of the ladder, taken. Part of modem.modem's Modem, borrowed by modem.bringup for each.

Holds no state: all of it is the Modem's. Times are in ms unless named otherwise.
"""

import asyncio
import time

from micropython import const

from modem.at import ModemError
from modem.borrow import borrow

_AGAIN_MS = const(1000)
_SOCKETS = const(0)  # rungs as in ladder
_CALL = const(1)
_RADIO = const(2)
_POWER = const(3)
_RESET = const(4)
_LOWEST = {
    "modem_dead": _POWER,
    "no_sim": _RADIO,
    "no_signal": _RADIO,
    "no_registration": _RADIO,
    "no_data_call": _CALL,
    "no_peer": _SOCKETS,
}


async def recover(modem, rows, code, steps, close_call, knock):
    """Cure what broke, code, or wait while nothing can be done. Raises ModemError.

    steps: the module; close_call, knock: functions of bringup.
    """
    if code == "no_peer" and not await steps.call_stands(modem, rows):
        code = "no_data_call"  # the modem says up, the network has taken the bearer away
    modem._set_cause(code if code.partition(".")[0] in _LOWEST else "modem_dead")
    modem._on_tick(time.ticks_ms())
    lowest = _LOWEST.get(code, _LOWEST[modem.cause])
    ladder = borrow("ladder")
    modem._memory = modem._memory or ladder.start()
    rung, wait_s = ladder.climb(modem._memory, modem.cycles_s, modem._seconds, lowest, _rungs(modem))
    if rung is None:  # nothing to take now; what heals by itself is seen by trying again without a cure
        await modem._change(5000 if wait_s is None else 1000 * min(30, wait_s))
    elif rung == _SOCKETS:
        for sock in modem.sockets._links:
            if sock:
                sock.start_close()
    elif rung == _CALL:
        modem.counters["reopened"] += 1
        await close_call(modem, rows)
    else:
        modem.counters["radio_cycles" if rung == _RADIO else "power_cycles"] += 1
        modem._lose_all("no_data_call")
        await _restart(modem, rows, rung, knock)


def _rungs(modem):
    rungs = [] if modem._deaf else [_CALL, _RADIO]
    if rungs and [sock for sock in modem.sockets._links if sock]:  # where none is open, closing them cures nothing
        rungs.append(_SOCKETS)
    if modem.power and modem.power.key:
        rungs.append(_POWER)
    if modem.power and modem.power.reset:
        rungs.append(_RESET)
    return rungs


async def _restart(modem, rows, rung, knock):
    if rung == _RADIO:
        await modem._ask(rows.RADIO)
    elif rung == _RESET:
        await _hold(modem.power.reset, rows.RESET_MS)
    else:
        was_on, modem.powered = modem.powered, not modem.powered
        if was_on:
            await _switch_off(modem, rows)
            if modem._deaf and await knock(modem, rows):  # it was off: the key has switched it on
                return
        await _hold(modem.power.key, modem.settings.get("key_on_ms") or rows.KEY_ON_MS)
    # Until it says that it has started, or answers.
    modem.channel.drop_all("rebooted")
    modem._rebooted = False
    start = time.ticks_ms()
    while modem._since(start) < rows.BOOT_MS and not modem._rebooted:
        await modem._change(_AGAIN_MS)
        if await knock(modem, rows):
            break


async def _switch_off(modem, rows):
    # After its own command the key would only switch it on again.
    try:
        if modem._deaf or not rows.POWER_DOWN:
            raise ModemError("silent", "power")
        await modem.channel.ask(rows.POWER_DOWN, False)
    except ModemError:
        await _hold(modem.power.key, modem.settings.get("key_off_ms") or rows.KEY_OFF_MS)
    await asyncio.sleep_ms(modem.settings.get("key_gap_ms") or rows.KEY_GAP_MS)


async def _hold(pin, ms):
    pin(True)
    try:
        await asyncio.sleep_ms(ms)
    finally:
        pin(False)
