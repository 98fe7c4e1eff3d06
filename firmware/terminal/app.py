"""Builds the rooms around the parts of the boot and hands them to the supervisor. Borrowed by main.py.

Owns nothing but the wiring: which room hears which, what is vital, and how long each may be silent.
"""

import sys

import esp32
import machine
from micropython import const

from modem.at import ModemError
from modem.borrow import borrow as borrow_from
from modem.modem import Modem
from modem.power import Power
from terminal import VERSION, alarms, voice
from terminal.borrow import borrow
from terminal.desk import Desk
from terminal.herald import Herald
from terminal.link import Link
from terminal.outbox import Outbox
from terminal.supervisor import Supervisor

_WATCHDOG_MS = const(30000)  # longer than a handshake's step, flash and start-up together, and short enough to resume after it
_RX_BYTES = const(4096)  # a third of a second at 115200 baud; the default of 256 overflows
_TX_BYTES = const(2048)


# Settings that a room asks for again and again; what it takes when it is made is forgotten after that, as is the board's data.
_LASTING = (
    "host",
    "port",
    "tls",
    "ca_file",
    "coordinates",
    "position_period_s",
    "position_move_m",
    "heartbeat_s",
    "full_heartbeat_s",
    "iccid",
    "overtemperature_c",
    "voice",
    "ota_url",
    "ota_hour",
    "ota_bytes_per_day",
    "trial_s",
    "ota_fingerprint",
    "signature_only",
)


def build():
    """Return (supervisor with every task of this terminal, what to await before a planned restart)."""
    parts = borrow("start").begin()
    feed = machine.WDT(timeout=_WATCHDOG_MS).feed
    modem = make_modem(parts.board["modem"], parts.config)
    profile = borrow_from(parts.config["profile"], "terminal.profiles").make(parts.config, _identity(parts.store))
    outbox = Outbox(parts.store.number)
    outbox.recover()
    herald = Herald(parts, modem, profile.device_id, outbox, _thermometer())
    modem.settings["log"] = herald.log
    herald.desk = desk = Desk(profile, parts, outbox, herald)
    herald.alarms = alarms.Alarms(desk.moment, desk.report, herald.log)
    herald.voice = speaker = voice.Voice(modem.say, ModemError, parts.clock, parts.config.service_phone, herald.log)
    herald.led = lamp = borrow("lamp").make(parts.board, machine, parts.guard.relay.driver)
    herald.link = link = Link(modem, profile, parts, desk, herald.log)
    supervisor = Supervisor(parts.clock, herald.restarting, feed, herald.log, sys.print_exception, herald.make_room)
    herald.supervisor = supervisor
    parts.guard.make_room = supervisor.make_room
    herald.rooms = (link, desk, speaker, supervisor, modem)
    herald.console = borrow("console").begin(parts)
    desk.report(borrow("papers").restarted(parts, desk.moment()))
    parts.guard.attach(herald.hear)
    _add_tasks(supervisor, parts, modem, link, desk, herald, speaker, lamp)
    parts.config.in_force = {name: parts.config[name] for name in _LASTING}
    parts.board = {name: parts.board[name] for name in ("name", "voice")}
    sys.modules.pop("board", None)
    herald.log("ready %s %s %s" % (VERSION, parts.board["name"], profile.device_id))
    return supervisor, link.leave


def _add_tasks(supervisor, parts, modem, link, desk, herald, speaker, lamp):
    """Name the tasks; in minimal mode only what the interlock, the link and the voice need."""
    add = supervisor.add
    parts.guard.beat = add("guard", parts.guard.run, True, 10)
    modem.beat = add("modem", modem.run, True, 120)
    link.beat = desk.beat = add("link", link.run, True, 240)
    herald.beat = add("herald", herald.run, True, 30)
    if parts.config.voice and parts.board["voice"]:
        add("voice", speaker.run, False)
    if not parts.store.is_minimal:
        add("led", lamp.run, False)
        from terminal.position import Position

        lock = parts.guard.interlock
        place = Position(modem, ModemError, parts.clock, parts.config, desk.moment, desk.report, lock)
        add("position", place.run, False)
        add("time", herald.keep_time, False)
        add("upgrade", herald.upgrade, False)


def make_modem(data, config):
    """Return the board's Modem; data: the board's of that name."""
    uart = machine.UART(
        data["uart"],
        data["baud"],
        tx=data["tx"],
        rx=data["rx"],
        rxbuf=_RX_BYTES,
        txbuf=_TX_BYTES,
        flow=data["flow"],
    )
    settings = {}
    for name in ("apn", "apn_user", "apn_password", "sim_pin", "lbs_token", "key_on_ms", "key_off_ms", "key_gap_ms"):
        value = config["modem_" + name if name.endswith("_ms") else name]
        if value:
            settings[name] = value
    if not config.roaming:
        settings["roaming"] = False
    settings["baud"] = data["baud"]
    settings["family"] = data["family"] if config.modem_family == "board" else config.modem_family
    return Modem(uart, None, settings, Power(machine.Pin, data))


def _thermometer():
    """Return what gives the chip's temperature in whole degrees, or None."""
    if hasattr(esp32, "mcu_temperature"):
        return esp32.mcu_temperature
    if hasattr(esp32, "raw_temperature"):
        from terminal.thermometer import celsius

        return celsius
    return None


def _identity(store):
    identity = borrow("boots").identity(store, ("device_id", "secret", "username"))
    return {name: identity[name] or "" for name in identity}
