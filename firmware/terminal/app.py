"""Builds the parts and runs their tasks.

Owns nothing but the wiring: which room hears which, what is vital, and how long each may be silent.
"""

import asyncio
import gc
import sys

import esp32
import machine
from micropython import const
from modem import simcom
from modem.at import ModemError
from modem.modem import Modem
from modem.power import Power

from terminal import VERSION, alarms, led, position, profiles, start, voice
from terminal.desk import Desk
from terminal.herald import Herald
from terminal.link import Link
from terminal.outbox import Outbox
from terminal.protocol import login
from terminal.supervisor import Supervisor

_WATCHDOG_MS = const(60000)  # longer than handshake, flash and start-up together; a blocked loop never ends by itself
_PROVED_S = const(60)  # alive that long, a boot has proved itself
_RX_BYTES = const(4096)  # a third of a second at 115200 baud; the default of 256 overflows
_TX_BYTES = const(2048)


def run():
    """Run the terminal; comes back only when it has to be reset."""
    parts = start.begin()
    watchdog = machine.WDT(timeout=_WATCHDOG_MS)
    gc.threshold(gc.mem_free() // 4 + gc.mem_alloc())
    asyncio.run(App(parts, watchdog.feed).run())


class App:
    """One terminal. feed: feeds the watchdog."""

    def __init__(self, parts, feed):
        self.parts = parts
        self._clock = parts.clock
        self.modem = self._make_modem()
        self.profile = profiles.make(parts.config, self._identity())
        self.outbox = Outbox()
        self.desk = Desk(
            self.profile,
            parts.config,
            parts.clock,
            parts.guard,
            self.outbox,
            parts.store.boots.number,
            self.facts,
            self.papers,
        )
        self.alarms = alarms.Alarms(self.desk.moment, self.desk.report_alarm, self.log)
        self.voice = voice.Voice(
            self.modem.say, ModemError, parts.clock, parts.config.service_phone, self.log
        )
        self.led = led.Led(self._lamp(), (parts.board["led"] or {}).get("active", 1))
        self.link = Link(self.modem, self.profile, parts.config, parts.clock, parts.guard, self.desk, self.log)
        self.herald = Herald(
            parts, self.modem, self.link, self.desk, self.alarms, self.voice, self.led, _thermometer()
        )
        self.supervisor = Supervisor(
            parts.clock,
            self._reset,
            feed,
            self.log,
            sys.print_exception,
            gc.collect,
        )
        parts.guard.attach(self.herald)

    async def run(self):
        """Run every task for ever."""
        add = self.supervisor.add
        self.parts.guard.beat = add("guard", self.parts.guard.run, True, 10)
        self.modem.beat = add("modem", self.modem.run, True, 120)
        self.link.beat = self.desk.beat = add("link", self.link.run, True, 240)
        self.herald.beat = add("herald", self._herald, True, 30)
        if self.parts.config.voice and self.parts.board["voice"]:
            add("voice", self.voice.run, False)
        if not self.parts.store.boots.is_minimal:
            add("led", self.led.run, False)
            add("position", self._position().run, False)
        await self.supervisor.run()

    async def _herald(self):
        proving = asyncio.create_task(self._prove())
        try:
            await self.herald.run()
        finally:
            proving.cancel()

    async def _prove(self):
        """After a minute of service this boot counts as finished."""
        await asyncio.sleep_ms(_PROVED_S * 1000)
        self.parts.store.finish_boot()

    def _position(self):
        config = self.parts.config
        return position.Position(
            self.modem, ModemError, self._clock, config, self.desk.moment, self.desk.report_position
        )

    # ---- facts about itself

    def facts(self):
        """Return the heartbeat's flat dict."""
        self.herald.look()
        lock = self.parts.guard.interlock
        return {
            "relay": 1 if lock.powered else 0,
            "state": lock.state,
            "welding": self.parts.guard.is_welding,
            "reason": self.herald.reason,
            "minutes": lock.minutes_to_emergency(self._clock.now_s()),
            "job": lock.job,
            "rsrp": self.modem.rsrp_dbm,
            "alarms": self.alarms.active(),
            "counters": self.counters(),
        }

    def counters(self):
        """Return the counts of all rooms since boot, as one flat dict; a zero is not worth its bytes."""
        counts = {"dropped": self.outbox.dropped, "free_b": gc.mem_free()}
        for room in (self.link, self.desk, self.voice, self.supervisor, self.modem):
            counts.update(room.counters)
        counts = {name: counts[name] for name in counts if counts[name]}
        off = self.supervisor.off()
        if off:
            counts["off"] = ",".join(off)
        if self.supervisor.last_error:
            counts["error"] = self.supervisor.last_error
        return counts

    def papers(self):
        """Return the login's content, without its time."""
        parts = self.parts
        lock = parts.guard.interlock
        boots = parts.store.boots
        versions = {
            "firmware": VERSION,
            "micropython": sys.version,
            "modem": self.modem.model,
            "board": parts.board["name"],
        }
        reset = {
            "cause": machine.reset_cause(),
            "boot": boots.number,
            "intent": parts.store.intent,
            "minimal": boots.is_minimal,
        }
        return login(
            self.profile.device_id,
            self.modem.iccid,
            self.modem.imei,
            versions,
            reset,
            parts.resumed,
            1 if lock.powered else 0,
            lock.state,
        )

    def log(self, text):
        """Print one line for whoever has a cable."""
        print("%d %s" % (self._clock.now_s(), text))

    # ---- hardware

    def _make_modem(self):
        data = self.parts.board["modem"]
        config = self.parts.config
        uart = machine.UART(
            data["uart"],
            data["baud"],
            tx=data["tx"],
            rx=data["rx"],
            rxbuf=_RX_BYTES,
            txbuf=_TX_BYTES,
            flow=data["flow"],
        )
        settings = config.group(("apn", "apn_user", "apn_password"))
        settings["baud"] = data["baud"]
        return Modem(uart, simcom.Simcom(), settings, Power(machine.Pin, data))

    def _lamp(self):
        data = self.parts.board["led"]
        if not data:
            return None
        return machine.Pin(data["pin"], machine.Pin.OUT, value=1 - data["active"])

    def _identity(self):
        identity = self.parts.store.identity(("device_id", "secret", "username"))
        return {name: identity[name] or "" for name in identity}

    def _reset(self, why):
        self.log("reset: " + why)
        self.parts.store.mark_intent(why)
        machine.reset()


def _thermometer():
    """Return a function that gives the chip's temperature in whole degrees Celsius; None on chips without a sensor."""
    if hasattr(esp32, "mcu_temperature"):
        return esp32.mcu_temperature
    if hasattr(esp32, "raw_temperature"):
        return lambda: (esp32.raw_temperature() - 32) * 5 // 9
    return lambda: None


