"""A Cat1 modem: power, registration, data call, recovery, and what the application asks of it.

Owns the channel, the sockets, the facts read off the modem (identity, signal, cause of being down) and the memory of
the recovery ladder. `run()` keeps all of it going and never gives up. What is needed while there is no data call, or
for one call, is in modules that are borrowed and know this one's inside: modem.bringup, modem.steps, modem.dial,
modem.place, modem.satellites, modem.speech.
Times are in ms unless named otherwise, levels in dBm.
"""

import asyncio
import time

from micropython import const

from modem.at import ModemError, dbm, numbers, text
from modem.borrow import borrow
from modem.channel import wait_for

_POLL_MS = const(30000)  # signal and registration, often enough for a heartbeat
_REGISTER_MS = const(90000)  # without it for so long: reboot (Quectel TCP/IP application note, p. 12)
_HELD_MS = const(60000)  # a call that stood so long was worth its cure
_LEAVE_MS = const(100)  # until those who used a lost call have let go of it

_FATAL = ("silent", "rebooted")  # errors after which no step can go on
_CAUSES = {"no_peer": "no_data_call", "rebooted": "modem_dead", "silent": "modem_dead"}


class Modem:
    """One modem on one UART, which is open at `settings["baud"]`; what it consists of, modem.fresh tells.

    dialect: say modem.simcom.Simcom(), or None for that of settings["family"]; settings: dict, all optional, with
    family (default: the dialect's, else `auto`, which asks the modem), apn, apn_user, apn_password, sim_pin, roaming (False
    forbids it), lbs_token (of the cell location service), baud, key_on_ms, key_off_ms, key_gap_ms (0: the dialect's), log
    (takes a line of text); power: an object with key(on) and reset(on), either may be None, or None.
    """

    def __init__(self, uart, dialect, settings, power=None):
        borrow("fresh").fill(self, uart, dialect, settings, power)

    # --- what the application asks

    def connect(self, host, port, timeout_ms=None):
        """Awaited: open a TCP connection and return its sockets.Socket. Raises ModemError: `no_data_call`, `dns`,
        `refused`, `timeout`, `no_socket`, … May be cancelled."""
        return borrow("dial").connect(self, host, port, timeout_ms)

    def udp(self, local_port=0):
        """Awaited: open a UDP socket and return its udp.Datagrams. Raises ModemError."""
        return borrow("dial").udp(self, local_port)

    def resolve(self, host):
        """Awaited: return the address of a name as text. Raises ModemError `dns`."""
        return borrow("dial").resolve(self, host)

    def network_time_ms(self):
        """Awaited: return UTC ms since 1970 from the network, by NTP if it has not told, or None. Raises
        ModemError."""
        return borrow("place").network_time_ms(self)

    def cell_location(self):
        """Awaited: return (latitude, longitude in 1e-7 degrees, accuracy in m). Raises ModemError, `location_<n>`
        with the modem's code; takes up to two minutes."""
        return borrow("place").cell_location(self)

    def gnss_fix(self):
        """Awaited: return None while there is no fix, else (latitude, longitude in 1e-7 degrees, accuracy in dm, ms
        since 1970 or None, speed in cm/s). The first call switches the receiver on. Raises ModemError
        `unsupported`."""
        return borrow("satellites").gnss_fix(self)

    def say(self, text):
        """Awaited: speak text; returns when it is spoken. Raises ModemError: `unsupported`, `too_long`, `busy`,
        `timeout`."""
        return borrow("speech").say(self, text)

    def complain(self):
        """No peer answers through a call that claims to be up: climb the ladder from its lowest rung."""
        self.counters["complaints"] += 1
        self._unproven = self.sockets.received
        self._break("no_peer")

    # --- the vital task

    async def run(self):
        """Keep the modem up, for ever; only a cancellation or a fault of our own ends it."""
        main = asyncio.current_task()
        tasks = []
        for work in self.channel.tasks():
            tasks.append(asyncio.create_task(self._guard(work, main)))
        code = self._broken = None
        try:
            while True:
                stands = False
                if code == "check":
                    try:
                        code = await borrow("steps").check(self)
                    except (ImportError, OSError):
                        code = None  # flash cannot be read: a call that only may have broken is watched on
                    stands = code is None
                if not stands:
                    await borrow("bringup").bring_up(self, code)
                try:
                    await self._stay_up()
                except ModemError as problem:
                    code = problem.code
                self._standing = False
                await asyncio.sleep_ms(_LEAVE_MS)
        except asyncio.CancelledError:
            if self._broken:
                raise self._broken from None
            raise
        finally:
            for task in tasks:
                task.cancel()
            self._standing = False
            self._set_cause("modem_dead")
            self._lose_all("closed")
            self.channel.drop_all("closed")

    async def _guard(self, work, main):
        try:
            await work
        except Exception as fault:
            self._broken = fault
            main.cancel()

    async def _stay_up(self):
        """Watch a standing call until it breaks; raises ModemError with what broke it."""
        self._trouble = None
        self._standing = True
        self._set_cause(None)
        since = polled = registered = time.ticks_ms()
        while self._trouble is None:
            left_ms = _POLL_MS - self._since(polled)
            if left_ms > 0:
                await self._change(left_ms)
            else:
                polled = time.ticks_ms()
                await self._read_network()
                await self._read_sim()
            if self._trouble is None:
                code = self._no_network()
                self._set_cause(code)
                if code is None:
                    registered = time.ticks_ms()
                elif self._since(registered) >= _REGISTER_MS:
                    self._break(code)
            if self._since(since) > _HELD_MS:
                since = time.ticks_ms()
                if self._unproven != self.sockets.received and self.cause is None:
                    self._unproven = self._memory = None
        raise ModemError(self._trouble, "call")

    # --- what the modem says by itself

    def _on_urc(self, name, value):
        waiting = self._waits.get(name)
        if waiting:
            if value:  # without one it only acknowledges
                waiting.finish(value)
            return
        if self.sockets.on_urc(name, value):
            return
        if name == "registration":
            self._registration = numbers(value)[0]
        elif name == "sim":
            self._set_sim(text(value) or "NOT INSERTED")
        elif name == "check":
            self._break(name)
        elif name == "gnss_ready":
            self._gnss = True
        elif name == "call_lost":
            self.sockets.drop_all("no_data_call")
            self._break("no_data_call")
        elif name == "silent":
            self._deaf = True
            self._lose_all(name)
            self._break(name)
        elif name == "boot":
            self.counters["reboots"] += 1
            self._rebooted = True
            self._lose_all("rebooted")
            self._break("rebooted")
        else:
            return
        self._changed.set()

    def _on_tick(self, now):
        passed = time.ticks_diff(now, self._second_ticks) // 1000
        self._seconds += passed
        self._second_ticks = time.ticks_add(self._second_ticks, passed * 1000)
        self.sockets.on_tick(now)

    def _lose_all(self, code):
        self._gnss = None
        self.sockets.drop_all(code)
        for waiting in self._waits.values():
            waiting.finish(None, code)

    # --- facts

    async def _read_sim(self):
        try:
            state = text(await self.channel.ask(self.dialect.SIM) or b"")
        except ModemError as problem:
            code = problem.code
            if code in _FATAL:
                raise
            if code == "cme_14":  # busy, it will say more later
                return
            state = "NOT INSERTED" if code == "cme_10" else code
        self._set_sim(state)

    def _set_sim(self, state):
        # A SIM that is only not ready, as after each start of the modem, is waited for; see steps.
        self.sim_state = state
        if state == "READY":
            self._sim_seen = True
            self.sim_pulled = False
        elif "INSERTED" in state or "REMOVED" in state:
            self._lack_sim("no_sim.absent")
        else:
            self._break("check")

    def _lack_sim(self, code):
        self.sim_pulled = self._sim_seen
        self._set_cause(code)
        self._break(code)

    async def _read_network(self):
        self.rssi_dbm = dbm(await self._ask(self.dialect.SIGNAL), 0, 31, 2, -113)
        self.rsrp_dbm = dbm(await self._ask(self.dialect.QUALITY), 5, 97, 1, -141)
        values = numbers(await self._ask(self.dialect.REGISTRATION))
        if len(values) > 1:
            self._registration = values[1]

    def _no_network(self):
        # None when there is one.
        if self._registration in self.registered:
            return None
        return "no_signal" if self.rssi_dbm is None and self.rsrp_dbm is None else "no_registration"

    # --- helpers

    def _ask(self, row):
        # Awaited: ask, and take a refusal for an empty answer.
        return self._try(self.channel.ask(row))

    async def _try(self, work):
        try:
            return await work or b""
        except ModemError as problem:
            if problem.code in _FATAL:
                raise
            return b""

    async def _change(self, timeout_ms):
        # Wait for a URC worth a look.
        if self.beat:
            self.beat()
        self._changed.clear()
        await wait_for(self._changed, timeout_ms)

    def _since(self, ticks):
        return time.ticks_diff(time.ticks_ms(), ticks)

    def _break(self, code):
        # The standing call has broken, or may have (`check`); before there is one, the running step finds out.
        if self._standing and (self._trouble is None or code != "check"):
            self._trouble = code
            if code != "check":
                self._set_cause(code)
        self._changed.set()

    def _set_cause(self, code, problem=None):
        # A code is the cause, with a point and more behind it where more is known.
        if code:
            if problem or "." in code:
                self.problem = problem or code
            code = _CAUSES.get(code, code).partition(".")[0]
            self.up.clear()
        else:
            self.up.set()
        self.cause = code
