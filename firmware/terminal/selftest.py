"""The self test: are the terminal's parts there, do they work. Run over the cable on a terminal that is not in service, or ordered
by the platform in service, then without the relay. Borrowed.

A row is (part, verdict, detail): "ok", "fail", or "none" where the board has no such part or it cannot be known. Nothing is left
switched: the relay is clicked only while LOCKED and unpowered, and is at rest whatever happens. Levels in dBm, times in ms.
"""

import asyncio
import gc
import json
import os
import time

from micropython import const

from modem.at import ModemError
from modem.channel import wait_for
from terminal.borrow import borrow
from terminal.protocol import stamped

_CLICK_MS = const(300)  # heard, and long enough for a contactor
_CONTACT_MS = const(500)  # as in guard
_LOOK_MS = const(20)
_PLACE_MS = const(30000)
_SPEECH_MS = const(15000)
_SPEECHES = const(10)
_AGAIN_MS = const(1000)
_TIME_MS = const(15000)
_HEAP_LEAST_B = const(16384)
_FLASH_LEAST_B = const(65536)
_RSRP_LEAST_DBM = const(-110)
_PROBE = "selftest.tmp"
_WORDS = "请听"


def run(up_s=90, rsrp_least_dbm=_RSRP_LEAST_DBM):
    """Test everything on a terminal that does not run, and print the rows, each a line "selftest [part, verdict, detail]".

    up_s: how long the modem may take to get a data call. rsrp_least_dbm: a weaker signal fails.
    """
    parts = borrow("start").begin()
    parts.store.mark_intent("selftest")
    borrow("slots").excuse(parts.store._nvs)
    asyncio.run(_alone(parts, up_s, rsrp_least_dbm))


def build():
    """Print what a boot found, without a modem, as one line "doctor {…}": why this terminal would not let anyone weld."""
    parts = borrow("start").begin()
    lock = parts.guard.interlock
    store = parts.store
    found = {
        "state": lock.state,
        "reason": borrow("herald").explain(lock, "modem_dead", ()),
        "problems": parts.problems,
        "kept": parts.kept_problem,
        "boot": store.number,
        "minimal": store.is_minimal,
        "failed": store.firmware_failed,
        "board": parts.board["name"],
        "contact": parts.guard.relay.has_contact,
    }
    _log("doctor " + json.dumps(found))


async def _alone(parts, up_s, rsrp_least_dbm):
    """Test with a modem of its own."""
    await _click(parts)
    modem = borrow("app").make_modem(parts.board["modem"], parts.config)
    task = asyncio.create_task(modem.run())
    try:
        await wait_for(modem.up, up_s * 1000)
        await _parts(parts, modem, rsrp_least_dbm, _tell)
    finally:
        task.cancel()


def _tell(part, is_ok, detail):
    """Print one row. is_ok: None where there is nothing to tell."""
    _log("selftest " + json.dumps([part, "none" if is_ok is None else "ok" if is_ok else "fail", detail]))


def order(herald):
    """Test a terminal in service, after a stop that asked for it. The rows are reported.

    One test at a time; what comes while the welder has power is none.
    """
    if not herald.parts.guard.interlock.powered and not herald.is_testing:
        herald.is_testing = True
        asyncio.create_task(_in_service(herald))


async def _in_service(herald):
    """Test all but the relay, for nobody is there to see the welder powered."""
    rows = []

    def tell(part, is_ok, detail):
        rows.append([part, "none" if is_ok is None else "ok" if is_ok else "fail", detail])

    try:
        await _parts(herald.parts, herald.modem, _RSRP_LEAST_DBM, tell)
    finally:
        herald.is_testing = False
        # by now the contact has settled, and been read often enough to be believed
        tell("relay", None, "in service, contact %s" % herald.parts.guard.relay.contact())
        herald.desk.report(stamped({"self_test": rows}, herald.desk.moment()))


async def _parts(parts, modem, rsrp_least_dbm, tell):
    tell("modem", modem.imei is not None, [modem.model, modem.imei])
    tell("sim", modem.sim_state == "READY", [modem.sim_state, modem.iccid, modem.imsi])
    rsrp_dbm = modem.rsrp_dbm
    tell("signal", rsrp_dbm is not None and rsrp_dbm >= rsrp_least_dbm, rsrp_dbm)
    tell("registration", modem.cause is None, modem.cause and (modem.problem or modem.cause))
    tell("clock", *await _ask(modem.network_time_ms(), _TIME_MS))
    await _position(modem, tell)
    if parts.config.voice and parts.board.get("voice", True):
        tell("voice", *await _speech(modem))
    else:
        tell("voice", None, None)
    try:
        tell("flash", *_flash())
    except OSError as error:
        tell("flash", False, "error %s" % error.args[0])
    gc.collect()
    tell("heap", gc.mem_free() >= _HEAP_LEAST_B, gc.mem_free())
    await asyncio.sleep_ms(_CLICK_MS)  # a sense settles in that
    welding = parts.guard.relay.welding()
    for _ in range(4):
        await asyncio.sleep_ms(_LOOK_MS)
        welding = parts.guard.relay.welding()
    tell("welding", None if welding is None else parts.guard.interlock.powered or not welding, welding)


async def _speech(modem):
    """Speak as soon as whoever speaks now, of the stop, has done."""
    for _ in range(_SPEECHES):
        answer = await _ask(modem.say(_WORDS), _SPEECH_MS, "said")
        if answer[1] != "busy":
            break
        await asyncio.sleep_ms(_AGAIN_MS)
    return answer


async def _position(modem, tell):
    """A receiver that answers is enough: under a roof it has no fix."""
    satellites = await _ask(modem.gnss_fix(), _PLACE_MS, "answers")
    cell = (False, None) if satellites[0] else await _ask(modem.cell_location(), _PLACE_MS)
    tell("position", satellites[0] or cell[0], "gnss %s, cell %s" % (satellites[1], cell[1]))


async def _ask(work, timeout_ms, word=None):
    """Return (whether it answered, what, or the code of its refusal). word: in the place of an answer."""
    try:
        answer = await asyncio.wait_for_ms(work, timeout_ms)
        return (True, word) if word else (answer is not None, answer)
    except asyncio.TimeoutError:
        return False, "timeout"
    except ModemError as problem:
        return False, problem.code


def _flash():
    """Write, read back, remove; return (whether it is well, bytes free)."""
    data = os.urandom(64)
    with open(_PROBE, "wb") as file:
        file.write(data)
    with open(_PROBE, "rb") as file:
        is_same = file.read() == data
    os.remove(_PROBE)
    status = os.statvfs("/")
    free_b = status[0] * status[3]
    return is_same and free_b >= _FLASH_LEAST_B, free_b


async def _click(parts):
    """Power the welder for a moment, and see what its contact says."""
    guard = parts.guard
    lock = guard.interlock
    if lock.state != "LOCKED" or lock.powered or guard.relay.welding():
        _tell("relay", False, "not at rest")
        return
    try:
        guard.do([("relay", 1)])
        closed = await _contact(guard.relay, True)
    finally:
        guard.do([("relay", 0)])
    opened = await _contact(guard.relay, False)
    if guard.relay.has_contact:
        _tell("relay", closed and opened, "on %s, off %s" % (closed, opened))
    else:
        _tell("relay", None, "clicked, no read-back")


async def _contact(relay, level):
    """Wait until the contact is read back so; return whether it was. Without a read-back: the time of a click."""
    start = time.ticks_ms()
    while time.ticks_diff(time.ticks_ms(), start) < (_CONTACT_MS if relay.has_contact else _CLICK_MS):
        await asyncio.sleep_ms(_LOOK_MS)
        if relay.contact() is level:
            return True
    return False


def _log(text):
    print(text)
