"""A Cat1 modem: power, registration, data call, recovery, and what the application asks of it.

Owns the channel, the sockets, the facts read off the modem (identity, signal, cause of being down) and the
recovery ladder. `run()` keeps all of it going and never gives up. Times are in ms unless named otherwise, levels
in dBm.
"""

import asyncio
import time

from micropython import const

from modem import gsm
from modem.at import ModemError
from modem.channel import Channel, Pending, wait_for
from modem.ladder import CALL, POWER, RADIO, RESET, SOCKETS, Ladder
from modem.sockets import Sockets

_POLL_MS = const(30000)  # signal and registration, often enough for a heartbeat
_SIM_MS = const(20000)  # not ready after that: reboot (Quectel TCP/IP application note, p. 12)
_REGISTER_MS = const(90000)  # the same
_CALLS_MS = const(180000)  # on all access points together
_AGAIN_MS = const(1000)
_LISTEN_MS = const(5000)  # where a URC tells sooner
_HELD_MS = const(60000)  # a call that stood so long was worth its cure
_SPEECH_MS = const(5000)  # and the time for each character, slow speech
_SPEECH_CHAR_MS = const(350)
_NTP_HOST = "ntp.aliyun.com"

_HOME = (1, 5)  # registered at home, roaming (27.007 10.1.22)
_FATAL = ("silent", "rebooted")  # errors after which no step can go on
_LOWEST = {
    "modem_dead": POWER,
    "no_sim": RADIO,
    "no_signal": RADIO,
    "no_registration": RADIO,
    "no_data_call": CALL,
    "no_peer": SOCKETS,
}
_CAUSES = {"no_peer": "no_data_call", "rebooted": "modem_dead"}


class Modem:
    """One modem on one UART, which is open at `settings["baud"]` or the dialect's first speed.

    dialect: say modem.simcom.Simcom(); settings: dict with apn, apn_user, apn_password, baud, all optional; power:
    an object with key(on) and reset(on), either may be None, or None.
    """

    def __init__(self, uart, dialect, settings, power=None):
        self.dialect = dialect
        self._settings = settings
        self._power = power
        baudrate = settings.get("baud") or dialect.BAUDS[0]
        self.channel = Channel(uart, dialect, baudrate, self._on_urc, self._on_tick)
        self.sockets = Sockets(self.channel, dialect)
        self.beat = None  # called by run() at least every two minutes, to prove life
        self.cause = "modem_dead"  # why there is no data call; None when there is one
        self.up = asyncio.Event()  # set while there is one
        self.imei = self.iccid = self.imsi = self.model = self.operator = None  # text
        self.sim_state = None  # text of CPIN: READY, SIM PIN, NOT INSERTED …
        self.sim_pulled = False  # it was ready earlier in this boot and is gone
        self.rsrp_dbm = self.rssi_dbm = None
        self._sim_seen = False
        self._registration = 0  # stat of CEREG
        self._counts = {"power_cycles": 0, "radio_cycles": 0, "reopened": 0, "reboots": 0, "complaints": 0}
        self._changed = asyncio.Event()  # a URC that the running step should look at
        self._rebooted = False
        self._standing = False  # a data call was opened and is watched
        self._trouble = None  # code of what broke it
        self._waits = {}  # name of a URC: Pending that its value ends
        self._ladder = Ladder()
        self._powered = False  # the key was pressed, or the modem answered, since this boot
        self._deaf = True  # it did not answer the last time
        self._access = 0  # index into the access points, two for each: every one is tried twice
        self._seconds = 0  # since start; ticks alone fail after six days
        self._second_ticks = time.ticks_ms()
        self._gnss = None  # None off, False warming up, True ready
        self._gnss_ticks = 0
        self._broken = None  # what ended one of the channel's tasks
        self._unproven = None  # bytes received when the application complained of no peer

    # --- what the application asks

    @property
    def counters(self):
        """Return a dict of counts since boot."""
        counts = dict(self._counts)
        counts["commands"] = self.channel.commands
        counts["timeouts"] = self.channel.timeouts
        counts["unknown_lines"] = self.channel.conversation.unknown
        counts["overlong"] = self.channel.conversation.overlong
        return counts

    async def connect(self, host, port, timeout_ms=None):
        """Open a TCP connection and return its sockets.Socket. Raises ModemError: `no_data_call`, `dns`,
        `refused`, `timeout`, `no_socket`, … May be cancelled."""
        address = await self.resolve(host)
        return await self.sockets.connect(address, port, timeout_ms or self.dialect.LINK_MS)

    async def udp(self, local_port=0):
        """Open a UDP socket. Raises ModemError."""
        self._need_call()
        return await self.sockets.udp(local_port, self.dialect.LINK_MS)

    async def resolve(self, host):
        """Return the address of a name as text. Raises ModemError `dns`."""
        self._need_call()
        if host.replace(".", "").isdigit():
            return host
        for attempt in range(2):
            address = self.dialect.address(await self._ask(self.dialect.resolve(host)))
            if address:
                return address
            if not attempt:  # cards for things often come without name servers
                await self._ask(self.dialect.NAME_SERVERS)
        raise ModemError("dns", host)

    async def network_time_ms(self):
        """Return UTC ms since 1970 from the network, by NTP if it has not told, or None. Raises ModemError."""
        now_ms = gsm.clock_ms(await self._ask(self.dialect.CLOCK))
        if now_ms is None and self.cause is None:
            await self.channel.ask(self.dialect.time_server(_NTP_HOST))
            await self._later("time_set", self.dialect.ASK_TIME, self.dialect.LINK_MS)
            now_ms = gsm.clock_ms(await self._ask(self.dialect.CLOCK))
        return now_ms

    async def cell_location(self):
        """Return (latitude, longitude in 1e-7 degrees, accuracy in m). Raises ModemError, `location_<n>` with the
        modem's code; takes up to two minutes."""
        self._need_call()
        found = self.dialect.location(
            await self._later("located", self.dialect.LOCATE, self.dialect.LOCATE_MS)
        )
        if isinstance(found, int):
            raise ModemError("location_%d" % found, "locate")
        return found

    async def gnss_fix(self):
        """Return None while there is no fix, else (latitude, longitude in 1e-7 degrees, accuracy in dm, ms since
        1970 or None, speed in cm/s). The first call switches the receiver on. Raises ModemError `unsupported`."""
        if self._gnss is None:
            await self._supported(self.channel.ask(self.dialect.GNSS_ON))
            self._gnss = self._gnss or False
            self._gnss_ticks = time.ticks_ms()
        if not self._gnss and self._since(self._gnss_ticks) < self.dialect.GNSS_MS:
            return None
        self._gnss = True
        return self.dialect.fix(await self._supported(self.channel.ask(self.dialect.GNSS_FIX)) or b"")

    async def say(self, text):
        """Speak text; returns when it is spoken. Raises ModemError: `unsupported`, `too_long`, `busy`,
        `timeout`."""
        if 4 * len(text) > self.dialect.SPEECH_HEX:
            raise ModemError("too_long", "say")
        if "spoken" in self._waits:
            raise ModemError("busy", "say")
        time_ms = _SPEECH_MS + _SPEECH_CHAR_MS * len(text)
        await self._supported(self._later("spoken", self.dialect.speak(text), time_ms))

    async def hush(self):
        """Stop speaking."""
        await self._ask(self.dialect.HUSH)
        if "spoken" in self._waits:
            self._waits["spoken"].finish()

    def complain(self):
        """No peer answers through a call that claims to be up: climb the ladder from its lowest rung."""
        self._counts["complaints"] += 1
        self._unproven = self.sockets.received
        self._break("no_peer")

    # --- the vital task

    async def run(self):
        """Keep the modem up, for ever; only a cancellation or a fault of our own ends it."""
        main = asyncio.current_task()
        tasks = [asyncio.create_task(self._guard(work, main)) for work in self.channel.tasks()]
        try:
            while True:
                await self._once()
        except asyncio.CancelledError:
            if self._broken:
                raise self._broken from None
            raise
        finally:
            for task in tasks:
                task.cancel()
            self._set_cause("modem_dead")
            self._lose_all("closed")
            self.channel.drop_all("closed")

    async def _guard(self, work, main):
        try:
            await work
        except Exception as fault:
            self._broken = fault
            main.cancel()

    async def _once(self):
        code = "rebooted"
        try:
            await self._bring_up()
            await self._stay_up()
        except ModemError as problem:
            code = problem.code
        self._standing = False
        if code != "rebooted":
            await self._recover(code if code in _LOWEST else "modem_dead")

    async def _bring_up(self):
        self._rebooted = False
        await self._find()
        for row in self.dialect.SETUP:
            await self._ask(row)
        if not self.imei:
            self.imei = await self._read(self.dialect.IMEI)
            self.model = await self._read(self.dialect.MODEL)
        await self._await_sim()
        await self._await_registration()
        await self._open_call()

    async def _find(self):
        """Find the speed at which the modem answers."""
        for baudrate in (self.channel.baudrate,) + self.dialect.BAUDS:
            self.channel.set_baudrate(baudrate)
            for _ in range(2):  # the first may only train the modem's own search
                if await self._knock():
                    await self.channel.ask(self.dialect.PROBES[0], strict=True)  # no late OK is left behind
                    self._deaf = False
                    self._powered = True
                    return
        self.channel.set_baudrate(self._settings.get("baud") or self.dialect.BAUDS[0])
        self._deaf = True
        raise ModemError("modem_dead", "find")

    async def _knock(self):
        try:
            await self.channel.ask(self.dialect.AT, careful=False)
        except ModemError as problem:
            return problem.code == "error"
        return True

    async def _await_sim(self):
        start = time.ticks_ms()
        await self._read_sim()
        while self.sim_state != "READY":
            if self._since(start) >= _SIM_MS:
                raise ModemError("no_sim", "sim")
            await self._pause(_AGAIN_MS)
            await self._read_sim()
        self.iccid = await self._read(self.dialect.ICCID)
        imsi = await self._read(self.dialect.IMSI)
        if imsi != self.imsi:
            self.imsi = imsi
            self._access = 0

    async def _await_registration(self):
        start = time.ticks_ms()
        await self._read_network()
        while self._registration not in _HOME:
            self._set_cause(self._no_network())
            if self._since(start) >= _REGISTER_MS:
                raise ModemError(self.cause, "registration")
            await self._pause(_LISTEN_MS)
            await self._read_network()

    async def _open_call(self):
        """Open the data call, on one access point after the other; raises ModemError `no_data_call`."""
        names = gsm.access_points(self.imsi, self._settings.get("apn"))
        start = time.ticks_ms()
        for _ in range(2 * len(names)):
            self._set_cause("no_data_call")
            if await self._open_call_on(names[self._access // 2 % len(names)]):
                self._access &= -2
                return
            self._access += 1
            if self._since(start) > _CALLS_MS:
                break
            await self._pause(_AGAIN_MS)
            await self._close_call()
        raise ModemError("no_data_call", "open")

    async def _open_call_on(self, name):
        user, password = self._settings.get("apn_user"), self._settings.get("apn_password")
        for row in self.dialect.call_setup(name, user, password or ""):
            await self._ask(row)
        error = await self._try(self._later("call", self.dialect.CALL, self.dialect.CALL_MS))
        return error == b"0" or await self._call_stands()

    async def _call_stands(self):
        return await self._ask(self.dialect.CALL_STATE) == b"1"

    async def _close_call(self):
        self.sockets.drop_all("no_data_call")
        await self._try(self._later("call_closed", self.dialect.CALL_CLOSE, self.dialect.CLOSE_MS))

    async def _stay_up(self):
        """Watch a standing call until it breaks; raises ModemError with what broke it."""
        self._trouble = None
        self._standing = True
        self._set_cause(None)
        self.operator = gsm.text((gsm.fields(await self._ask(self.dialect.OPERATOR)) + [b""] * 3)[2])
        since = polled = registered = time.ticks_ms()
        while self._trouble is None:
            left_ms = _POLL_MS - self._since(polled)
            if left_ms > 0:
                await self._pause(left_ms)
            else:
                polled = time.ticks_ms()
                await self._read_network()
                await self._read_sim()
            registered = self._judge_registration(registered)
            if self._since(since) > _HELD_MS:
                since = time.ticks_ms()
                self._note_held()
        if self._trouble != "check":
            raise ModemError(self._trouble, "call")
        if not await self._call_stands():  # something restarted, and the call did not outlive it
            raise ModemError("no_data_call", "call")

    def _judge_registration(self, registered):
        # Returns the ticks when there was last a registration.
        if self._trouble is None:
            home = self._registration in _HOME
            self._set_cause(None if home else self._no_network())
            if home:
                return time.ticks_ms()
            if self._since(registered) >= _REGISTER_MS:
                self._break(self.cause)
        return registered

    def _note_held(self):
        if self._unproven != self.sockets.received and self.cause is None:
            self._unproven = None
            self._ladder.held()

    # --- recovery

    async def _recover(self, code):
        self._set_cause(_CAUSES.get(code, code))
        self._on_tick(time.ticks_ms())
        rung, wait_s = self._ladder.climb(self._seconds, _LOWEST[code], self._rungs())
        if rung is not None:
            await self._take_rung(rung)
        else:  # nothing to take now; what heals by itself is seen by trying again without a cure
            await self._change(5000 if wait_s is None else 1000 * min(30, wait_s))

    def _rungs(self):
        rungs = [] if self._deaf else [SOCKETS, CALL, RADIO]
        if self._power and self._power.key:
            rungs.append(POWER)
        if self._power and self._power.reset:
            rungs.append(RESET)
        return rungs

    async def _take_rung(self, rung):
        if rung == SOCKETS:
            self.sockets.close_all()
        elif rung == CALL:
            self._counts["reopened"] += 1
            await self._close_call()
        else:
            self._counts["radio_cycles" if rung == RADIO else "power_cycles"] += 1
            await self._restart(rung)

    async def _restart(self, rung):
        self._lose_all("no_data_call")
        if rung == RADIO:
            await self._ask(self.dialect.RADIO)
        elif rung == RESET:
            await self._hold(self._power.reset, self.dialect.RESET_MS)
        else:
            if self._powered:
                await self._hold(self._power.key, self.dialect.KEY_OFF_MS)
                await asyncio.sleep_ms(self.dialect.KEY_GAP_MS)
            self._powered = True
            await self._hold(self._power.key, self.dialect.KEY_ON_MS)
        # Until it says that it has started, or answers.
        self.channel.drop_all("rebooted")
        self._rebooted = False
        start = time.ticks_ms()
        while self._since(start) < self.dialect.BOOT_MS and not self._rebooted:
            await self._change(_AGAIN_MS)
            if await self._knock():
                break

    async def _hold(self, pin, ms):
        pin(True)
        try:
            await asyncio.sleep_ms(ms)
        finally:
            pin(False)

    # --- what the modem says by itself

    def _on_urc(self, name, value):
        waiting = self._waits.get(name)
        if waiting:
            if value:  # without one it only acknowledges
                waiting.finish(value)
        elif not self.sockets.on_urc(name, value) and name in _ON_URC:
            _ON_URC[name](self, value)
            self._changed.set()

    def _on_boot(self, _):
        self._counts["reboots"] += 1
        self._rebooted = True
        self._lose_all("rebooted")
        self._break("rebooted")

    def _on_silent(self, _):
        self._deaf = True
        self._lose_all("silent")
        self._break("modem_dead")

    def _on_call_lost(self, _):
        self.sockets.drop_all("no_data_call")
        self._break("no_data_call")

    def _on_check(self, _):
        self._break("check")

    def _on_sim(self, value):
        self._set_sim(gsm.text(value))

    def _on_registration(self, value):
        self._registration = gsm.numbers(value)[0]

    def _on_gnss_ready(self, _):
        self._gnss = True

    def _on_tick(self, now):
        passed = time.ticks_diff(now, self._second_ticks) // 1000
        self._seconds += passed
        self._second_ticks = time.ticks_add(self._second_ticks, passed * 1000)
        self.sockets.on_tick(now)

    def _lose_all(self, code):
        self._gnss = None
        self.sockets.drop_all(code)
        for waiting in self._waits.values():
            waiting.finish(error=code)

    # --- facts

    async def _read_sim(self):
        try:
            self._set_sim(gsm.text(await self.channel.ask(self.dialect.SIM) or b""))
        except ModemError as problem:
            if problem.code in _FATAL:
                raise
            if problem.code != "cme_14":  # 14: busy, it will say more later
                self._set_sim("NOT INSERTED" if problem.code == "cme_10" else "FAILURE")

    def _set_sim(self, state):
        self.sim_state = state
        ready = state == "READY"
        self._sim_seen = self._sim_seen or ready
        self.sim_pulled = self._sim_seen and not ready
        if not ready:
            self._set_cause("no_sim")
            self._break("no_sim")

    async def _read_network(self):
        self.rssi_dbm = gsm.rssi_dbm(await self._ask(self.dialect.SIGNAL))
        self.rsrp_dbm = gsm.rsrp_dbm(await self._ask(self.dialect.QUALITY))
        values = gsm.numbers(await self._ask(self.dialect.REGISTRATION))
        if len(values) > 1:
            self._registration = values[1]

    def _no_network(self):
        return "no_signal" if self.rssi_dbm is None and self.rsrp_dbm is None else "no_registration"

    # --- helpers

    async def _read(self, row):
        return gsm.text(await self._ask(row)) or None

    async def _ask(self, row):
        # Ask, and take a refusal for an empty answer.
        return await self._try(self.channel.ask(row)) or b""

    async def _try(self, work):
        try:
            return await work
        except ModemError as problem:
            if problem.code in _FATAL:
                raise
            return None

    async def _supported(self, work):
        try:
            return await work
        except ModemError as problem:
            raise ModemError("unsupported" if problem.code == "error" else problem.code, "do") from None

    async def _later(self, name, row, timeout_ms):
        # A command whose result is only an acknowledgement; its end is a URC. Returns the URC's value.
        over = self._waits[name] = Pending(name)
        try:
            await self.channel.ask(row)
            return await over.wait(timeout_ms)
        finally:
            if self._waits.get(name) is over:
                del self._waits[name]

    async def _change(self, timeout_ms):
        # Wait for a URC worth a look.
        if self.beat:
            self.beat()
        self._changed.clear()
        try:
            await wait_for(self._changed, timeout_ms)
        except asyncio.TimeoutError:
            pass

    async def _pause(self, timeout_ms):
        await self._change(timeout_ms)
        if self._rebooted:
            raise ModemError("rebooted", "wait")

    def _since(self, ticks):
        return time.ticks_diff(time.ticks_ms(), ticks)

    def _break(self, code):
        # The standing call has broken, or may have (`check`); before there is one, the running step finds out.
        if self._standing and (self._trouble is None or code != "check"):
            self._trouble = code
            if code != "check":
                self._set_cause(_CAUSES.get(code, code))
        self._changed.set()

    def _set_cause(self, cause):
        self.cause = cause
        if cause is None:
            self.up.set()
        else:
            self.up.clear()

    def _need_call(self):
        if self.cause is not None:
            raise ModemError("no_data_call", "modem")


_ON_URC = {
    "boot": Modem._on_boot,
    "silent": Modem._on_silent,
    "call_lost": Modem._on_call_lost,
    "check": Modem._on_check,
    "sim": Modem._on_sim,
    "registration": Modem._on_registration,
    "gnss_ready": Modem._on_gnss_ready,
}
