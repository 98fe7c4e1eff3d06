"""What bringing the modem up and looking after a standing call have in common: the SIM, whether there is a call, what to tell.

Part of modem.modem's Modem, borrowed: for the look alone, that takes place while a session is opened or stands, or by
modem.bringup. Holds no state: all of it is the Modem's. Times are in ms.
"""

import time

from micropython import const

from modem.at import ModemError, text
from modem.borrow import borrow

_SIM_MS = const(20000)  # not ready after that: reboot (Quectel TCP/IP application note, p. 12)
_AGAIN_MS = const(1000)
INCURABLE = (
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


async def check(modem):
    """Look whether the standing call has outlived what happened: something restarted, or the SIM was not ready for a moment.

    Returns None when it has, else the code of what broke.
    """
    told = modem.problem
    modem._rebooted = False
    rows = borrow(modem.dialect.NAME + "_up")
    code = None
    try:
        await await_sim(modem, rows)
        if not await call_stands(modem, rows):
            raise ModemError("no_data_call", "call")
        await read_operator(modem, rows)
    except ModemError as problem:
        code = refined(modem, problem.code)
    tell(modem, told)
    return code


async def read_operator(modem, rows):
    """Read the network's name."""
    values = (await modem._ask(rows.OPERATOR)).split(b",")
    modem.operator = text(values[2]) if len(values) > 2 else ""


def tell(modem, told):
    """Tell whoever has a cable of a new problem; the platform hears of it when there is a session again. Return the problem."""
    if modem.problem != told and "log" in modem.settings:
        modem.settings["log"]("modem: " + modem.problem)
    return modem.problem


async def await_sim(modem, rows):
    """Return when the SIM is ready, and has told who it is. Raises ModemError."""
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
                if problem.code in INCURABLE:
                    modem._lack_sim(problem.code)
                raise
        if modem._since(start) >= _SIM_MS:
            code = "no_sim.absent" if modem.sim_state == "NOT INSERTED" else "no_sim.failure"
            modem._lack_sim(code)
            raise ModemError(code, "sim")
        await pause(modem, _AGAIN_MS)
        await modem._read_sim()
    modem.iccid = await read(modem, rows.ICCID)
    imsi = await read(modem, rows.IMSI)
    if imsi != modem.imsi:
        modem.imsi = imsi
        modem.access = 0


def refined(modem, code):
    """Return why there is no network, where the network has told; else the code."""
    return _BARRED.get(modem._registration, code) if code in ("no_signal", "no_registration") else code


async def call_stands(modem, rows):
    """Return whether the modem says that there is a data call."""
    values = []
    for row in rows.CALL_STATES:
        values.append(await modem._ask(row))
    return rows.stands(*values)


async def pause(modem, timeout_ms):
    """Wait, at most until a URC worth a look. Raises ModemError when the modem has restarted."""
    await modem._change(timeout_ms)
    if modem._rebooted:
        raise ModemError("rebooted", "wait")


async def read(modem, row):
    """Return an answer as text, None for an empty one."""
    return text(await modem._ask(row)) or None
