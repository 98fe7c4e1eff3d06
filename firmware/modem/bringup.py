"""Brings the modem up: its speed, SIM, registration, data call; before that the cure for what broke.

Part of modem.modem's Modem, in a module of its own that is borrowed while there is no data call. Holds no state: all of
it is the Modem's. Times are in ms unless named otherwise.
"""

import asyncio
import time

from micropython import const

from modem import late
from modem.at import ModemError, text
from modem.borrow import borrow
from modem.channel import Command

_SIM_MS = const(20000)  # not ready after that: reboot (Quectel TCP/IP application note, p. 12)
_REGISTER_MS = const(90000)  # the same
_CALLS_MS = const(180000)  # on all access points together
_AGAIN_MS = const(1000)
_ASK_AGAIN_MS = const(30000)  # what nothing here cures
_INCURABLE = (
    "wrong_family",
    "no_sim.pin",
    "no_sim.pin_refused",
    "no_sim.pin_last",
    "no_sim.pin_uncounted",
    "no_sim.puk",
    "no_sim.locked",
    "no_registration.roaming",
)
_STATES = {"cme_11": "SIM PIN", "cme_12": "SIM PUK"}  # 27.007 9.2.1
_BARRED = {3: "no_registration.denied", 5: "no_registration.roaming"}  # 27.007 10.1.22
_LOCKS = ("PIN", "PUK")  # ends of what CPIN says, 27.007 8.3
_LISTEN_MS = const(5000)  # where a URC tells sooner
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


async def bring_up(modem, code):
    """Return when a data call is up, after however many attempts and cures.

    code: what broke the last call; None at the start, `check` when it may have broken, `rebooted` when nothing has to
    be cured.
    """
    told = modem.problem
    code = _refined(modem, code)
    while True:
        rows = borrow(modem.dialect.NAME + "_up")
        try:
            if code == "check":
                await _check(modem, rows)
            else:
                if code in _INCURABLE:
                    if code != "wrong_family":  # that has set its own
                        modem._set_cause(code)
                    await modem._change(_ASK_AGAIN_MS)
                elif code and code != "rebooted":
                    await _recover(modem, rows, code)
                rows = await _climb_up(modem, rows)
            values = (await modem._ask(rows.OPERATOR)).split(b",")
            modem.operator = text(values[2]) if len(values) > 2 else ""
            _tell(modem, told)
            return
        except ModemError as problem:
            code = _refined(modem, problem.code)
            told = _tell(modem, told)


def _tell(modem, told):
    # Whoever has a cable; the platform hears of it when there is a session again.
    if modem.problem != told and "log" in modem.settings:
        modem.settings["log"]("modem: " + modem.problem)
    return modem.problem


async def _check(modem, rows):
    # Something restarted, or the SIM is not ready for a moment: has the call outlived it?
    modem._rebooted = False
    await _await_sim(modem, rows)
    if not await _call_stands(modem, rows):
        raise ModemError("no_data_call", "call")


async def _climb_up(modem, rows):
    modem._rebooted = False
    await _find(modem, rows)
    if not modem.imei:
        await borrow("family").identify(modem)
        rows = borrow(modem.dialect.NAME + "_up")
    for row in rows.SETUP:
        await modem._try(_outcome(modem, row))
    if not modem.imei:
        modem.imei = await _read(modem, rows.IMEI)
        # Where the name is not behind a prefix, it is bare.
        modem.model = await _read(modem, rows.MODEL) or await _read(modem, (rows.MODEL[0], b""))
    await _await_sim(modem, rows)
    await _await_registration(modem)
    await _open_call(modem, rows)
    return rows


async def _find(modem, rows):
    # The speed at which the modem answers. One that got its power with the terminal may still be starting.
    channel = modem.channel
    first = modem.settings.get("baud") or rows.BAUDS[0]
    start = time.ticks_ms()
    while True:
        for baudrate in (channel.baudrate or first,) + rows.BAUDS:
            _set_baudrate(channel, baudrate)
            for _ in range(2):  # the first may only train the modem's own search
                if await _knock(modem, rows):
                    await channel.ask(modem.dialect.PROBES[0], strict=True)  # no late OK is left behind
                    modem._deaf = False
                    modem.powered = True
                    return
        if modem.powered is not None or modem._since(start) >= rows.START_MS:
            break
    modem.powered = modem.powered or False
    _set_baudrate(channel, first)
    modem._deaf = True
    raise ModemError("modem_dead", "find")


def _set_baudrate(channel, baudrate):
    # What was half read is lost.
    if baudrate != channel.baudrate:
        channel.baudrate = baudrate
        channel._uart.init(baudrate=baudrate)
        channel._talk.abandon()


async def _knock(modem, rows):
    try:
        await modem.channel.ask(rows.AT, careful=False)
    except ModemError as problem:
        return problem.code == "error"
    return True


async def _await_sim(modem, rows):
    start = time.ticks_ms()
    unlocked = False
    modem.sim_state = None  # a busy one says nothing, and the last word may be from before a restart
    await modem._read_sim()
    while modem.sim_state != "READY":
        modem.sim_state = _STATES.get(modem.sim_state, modem.sim_state)
        if modem.sim_state and modem.sim_state[-3:] in _LOCKS and not unlocked:
            unlocked = True
            try:
                await borrow("sim").unlock(modem)
            except ModemError as problem:
                if problem.code in _INCURABLE:
                    modem._lack_sim(problem.code)
                raise
        if modem._since(start) >= _SIM_MS:
            code = "no_sim.absent" if modem.sim_state == "NOT INSERTED" else "no_sim.failure"
            modem._lack_sim(code)
            raise ModemError(code, "sim")
        await _pause(modem, _AGAIN_MS)
        await modem._read_sim()
    modem.iccid = await _read(modem, rows.ICCID)
    imsi = await _read(modem, rows.IMSI)
    if imsi != modem.imsi:
        modem.imsi = imsi
        modem.access = 0


async def _await_registration(modem):
    start = time.ticks_ms()
    await modem._read_network()
    while modem._no_network():
        code = _refined(modem, modem._no_network())
        modem._set_cause(code)
        if modem._since(start) >= _REGISTER_MS:
            raise ModemError(code, "registration")
        await _pause(modem, _LISTEN_MS)
        await modem._read_network()


def _refined(modem, code):
    # Why there is no network, where the network has told.
    return _BARRED.get(modem._registration, code) if code in ("no_signal", "no_registration") else code


async def _open_call(modem, rows):
    # On one access point after the other.
    settings = modem.settings
    names = borrow("carriers").access_points(modem.imsi, settings.get("apn"))
    start = time.ticks_ms()
    for _ in range(2 * len(names)):
        modem._set_cause("no_data_call")
        name = names[modem.access // 2 % len(names)]
        for row in rows.call_setup(name, settings.get("apn_user"), settings.get("apn_password") or ""):
            await modem._ask(row)
            if modem.beat:  # each may take a minute
                modem.beat()
        if await _finish(modem, "call", rows.CALL, rows.CALL_MS) == b"0" or await _call_stands(modem, rows):
            modem.access &= -2
            if settings.get("apn") not in (None, "", name):
                modem.problem = "no_data_call.apn"  # the configured one does not work
            return
        modem.access += 1
        if modem._since(start) > _CALLS_MS:
            break
        await _pause(modem, _AGAIN_MS)
        await _close_call(modem, rows)
    raise ModemError("no_data_call.refused", "open")  # no credit, perhaps, or none of the names is right


async def _call_stands(modem, rows):
    values = []
    for row in rows.CALL_STATES:
        values.append(await modem._ask(row))
    return rows.stands(*values)


async def _close_call(modem, rows):
    modem.sockets.drop_all("no_data_call")
    if rows.close_call:
        await rows.close_call(lambda row: modem._try(_outcome(modem, row)))
    else:
        await _finish(modem, "call_closed", rows.CALL_CLOSE, rows.CALL_MS and modem.dialect.CLOSE_MS)


async def _finish(modem, name, row, timeout_ms):
    # The command's end is a URC that comes within timeout_ms, or with 0 its result.
    return await modem._try(late.ask(modem, name, row, timeout_ms) if timeout_ms else _outcome(modem, row))


async def _outcome(modem, row):
    # The value of the answer; life is proved meanwhile, for it may take minutes.
    command = modem.channel.submit(Command(row, lambda _: modem._changed.set()))
    while not command.finished:
        await modem._change(_LISTEN_MS)
    if command.error:
        raise ModemError(command.error, "call")
    return command.value


async def _pause(modem, timeout_ms):
    await modem._change(timeout_ms)
    if modem._rebooted:
        raise ModemError("rebooted", "wait")


async def _read(modem, row):
    return text(await modem._ask(row)) or None


# --- recovery


async def _recover(modem, rows, code):
    if code == "no_peer" and not await _call_stands(modem, rows):
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
        await _close_call(modem, rows)
    else:
        modem.counters["radio_cycles" if rung == _RADIO else "power_cycles"] += 1
        modem._lose_all("no_data_call")
        await _restart(modem, rows, rung)


def _rungs(modem):
    rungs = [] if modem._deaf else [_CALL, _RADIO]
    if rungs and [sock for sock in modem.sockets._links if sock]:  # where none is open, closing them cures nothing
        rungs.append(_SOCKETS)
    if modem.power and modem.power.key:
        rungs.append(_POWER)
    if modem.power and modem.power.reset:
        rungs.append(_RESET)
    return rungs


async def _restart(modem, rows, rung):
    if rung == _RADIO:
        await modem._ask(rows.RADIO)
    elif rung == _RESET:
        await _hold(modem.power.reset, rows.RESET_MS)
    else:
        was_on, modem.powered = modem.powered, not modem.powered
        if was_on:
            await _switch_off(modem, rows)
            if modem._deaf and await _knock(modem, rows):  # it was off: the key has switched it on
                return
        await _hold(modem.power.key, modem.settings.get("key_on_ms") or rows.KEY_ON_MS)
    # Until it says that it has started, or answers.
    modem.channel.drop_all("rebooted")
    modem._rebooted = False
    start = time.ticks_ms()
    while modem._since(start) < rows.BOOT_MS and not modem._rebooted:
        await modem._change(_AGAIN_MS)
        if await _knock(modem, rows):
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
