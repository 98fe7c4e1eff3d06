"""Brings the modem up: its speed, SIM, registration, data call; before that `recovery` cures what broke.

Part of modem.modem's Modem, in a module of its own that is borrowed while there is no data call. Holds no state: all of
it is the Modem's. Times are in ms unless named otherwise.
"""

import time

from micropython import const

from modem import late
from modem.at import ModemError
from modem.borrow import borrow
from modem.channel import Command

_REGISTER_MS = const(90000)  # without it for so long: reboot (Quectel TCP/IP application note, p. 12)
_CALLS_MS = const(180000)  # on all access points together
_AGAIN_MS = const(1000)
_ASK_AGAIN_MS = const(30000)  # what nothing here cures
_LISTEN_MS = const(5000)  # where a URC tells sooner

_steps = borrow("steps")


async def bring_up(modem, code):
    """Return when a data call is up, after however many attempts and cures.

    code: what broke the last call; None at the start, `rebooted` when nothing has to be cured.
    """
    told = modem.problem
    code = _steps.refined(modem, code)
    while True:
        rows = borrow(modem.dialect.NAME + "_up")
        try:
            if code in _steps.INCURABLE:
                if code != "wrong_family":  # that has set its own
                    modem._set_cause(code)
                await modem._change(_ASK_AGAIN_MS)
            elif code and code != "rebooted":
                await borrow("recovery").recover(modem, rows, code, _steps, _close_call, _knock)
            rows = await _climb_up(modem, rows)
            await _steps.read_operator(modem, rows)
            _steps.tell(modem, told)
            return
        except ModemError as problem:
            code = _steps.refined(modem, problem.code)
            told = _steps.tell(modem, told)


async def _climb_up(modem, rows):
    modem._rebooted = False
    await _find(modem, rows)
    if not modem.imei:
        await borrow("family").identify(modem)
        rows = borrow(modem.dialect.NAME + "_up")
    for row in rows.SETUP:
        await modem._try(_outcome(modem, row))
    if not modem.imei:
        modem.imei = await _steps.read(modem, rows.IMEI)
        # Where the name is not behind a prefix, it is bare.
        modem.model = await _steps.read(modem, rows.MODEL) or await _steps.read(modem, (rows.MODEL[0], b""))
    await _steps.await_sim(modem, rows)
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


async def _await_registration(modem):
    start = time.ticks_ms()
    await modem._read_network()
    while modem._no_network():
        code = _steps.refined(modem, modem._no_network())
        modem._set_cause(code)
        if modem._since(start) >= _REGISTER_MS:
            raise ModemError(code, "registration")
        await _steps.pause(modem, _LISTEN_MS)
        await modem._read_network()


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
        if await _finish(modem, "call", rows.CALL, rows.CALL_MS) == b"0" or await _steps.call_stands(modem, rows):
            modem.access &= -2
            if settings.get("apn") not in (None, "", name):
                modem.problem = "no_data_call.apn"  # the configured one does not work
            return
        modem.access += 1
        if modem._since(start) > _CALLS_MS:
            break
        await _steps.pause(modem, _AGAIN_MS)
        await _close_call(modem, rows)
    raise ModemError("no_data_call.refused", "open")  # no credit, perhaps, or none of the names is right


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
