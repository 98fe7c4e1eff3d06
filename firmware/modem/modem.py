"""A Cat1 modem: power, registration, data call, recovery, and what the application asks of it.

Owns the channel, the sockets, the facts read off the modem (identity, signal, cause of being down) and the recovery
ladder. `run()` keeps all of it going and never gives up. Times are in ms unless named otherwise, levels in dBm.
"""

import asyncio
import time

from micropython import const

from modem import gsm
from modem.at import ModemError
from modem.channel import Channel, Command, Pending
from modem.ladder import CALL, POWER, RADIO, RESET, SOCKETS, Ladder
from modem.sockets import Sockets, is_address

_KNOCK_MS = const(300)  # an answer to AT takes 2 to 4 ms, 300 at most (Quectel TCP/IP application note)
_POLL_MS = const(30000)  # signal and registration, often enough for a heartbeat
_SIM_MS = const(20000)  # not ready after that: reboot (same note, p. 12)
_REGISTER_MS = const(90000)
_CALLS_MS = const(180000)  # on all access points together
_AGAIN_MS = const(1000)
_LISTEN_MS = const(5000)  # where a URC tells sooner
_HELD_MS = const(60000)  # a call that stood so long was worth its cure
_SPEECH_MS = const(5000)  # and the time for each character, slow speech
_SPEECH_CHAR_MS = const(350)
_NTP_HOST = "ntp.aliyun.com"

_HOME = (1, 5)  # registered at home, roaming (27.007 10.1.22)
_LOWEST = {
    "modem_dead": POWER,
    "no_sim": RADIO,
    "no_signal": RADIO,
    "no_registration": RADIO,
    "no_data_call": CALL,
    "no_peer": SOCKETS,
}
_CAUSES = {"no_peer": "no_data_call", "rebooted": "modem_dead"}
_LOCATION_ERRORS = {2: "out_of_service", 4: "timeout", 8: "busy", 12: "dns", 20: "no_data_call"}


class Modem:
    """One modem on one UART.

    dialect: say modem.simcom.Simcom(); settings: dict with apn, apn_user, apn_password, baud, all optional; power: an
    object with key(on) and reset(on), either may be missing, or None.
    """

    def __init__(self, uart, dialect, settings, power=None):
        self.dialect = dialect
        self._settings = settings
        self._power = power
        baudrate = settings.get("baud") or dialect.BAUDS[0]
        self.channel = Channel(uart, dialect, baudrate, self._on_urc, self._on_tick)
        self.sockets = Sockets(self.channel, dialect)
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
        self._access = 0  # index into the access points
        self._failed_calls = 0  # on that one
        self._seconds = 0  # since start; ticks alone fail after six days
        self._second_ticks = time.ticks_ms()
        self._gnss = None  # None off, False warming up, True ready
        self._gnss_ticks = 0
        self._broken = None  # what ended one of the channel's tasks
        self.beat = None  # called once a tick to prove life
        self._unproven = False  # the application found no peer and nothing has been received since
        self._received = 0

    # --- what the application asks

    @property
    def counters(self):
        """Return a dict of counts since boot."""
        talk = self.channel.conversation
        counts = dict(self._counts)
        counts["commands"] = self.channel.commands
        counts["timeouts"] = self.channel.timeouts
        counts["unknown_lines"] = talk.unknown
        counts["overlong"] = talk.overlong
        counts["stale"] = talk.stale
        return counts

    async def connect(self, host, port, timeout_ms=None):
        """Open a TCP connection and return its sockets.Socket. Raises ModemError: `no_data_call`, `dns`, `refused`,
        `timeout`, `no_socket`, … May be cancelled."""
        self._need_call("connect")
        address = await self.resolve(host)
        return await self.sockets.connect(address, port, timeout_ms or self.dialect.OPEN_MS)

    async def udp(self, local_port=0):
        """Open a UDP socket. Raises ModemError."""
        self._need_call("udp")
        return await self.sockets.udp(local_port, self.dialect.OPEN_MS)

    async def resolve(self, host):
        """Return the address of a name as text. Raises ModemError `dns`."""
        if is_address(host):
            return host
        self._need_call("resolve")
        for attempt in range(2):
            try:
                address = self.dialect.address(await self.channel.ask(self.dialect.resolve(host)) or b"")
            except ModemError as problem:
                if problem.code in ("timeout", "silent", "rebooted"):
                    raise
                address = None
            if address:
                return address
            if not attempt:  # cards for things often come without name servers
                await self._try(self.dialect.NAME_SERVERS)
        raise ModemError("dns", "resolve")

    async def network_time_ms(self):
        """Return UTC ms since 1970 from the network, by NTP if it has not told, or None. Raises ModemError."""
        now_ms = gsm.clock_ms(await self.channel.ask(self.dialect.CLOCK) or b"")
        if now_ms is None and self.cause is None:
            await self.channel.ask(self.dialect.time_server(_NTP_HOST))
            await self._later("time_set", self.dialect.ASK_TIME, self.dialect.TIME_MS)
            now_ms = gsm.clock_ms(await self.channel.ask(self.dialect.CLOCK) or b"")
        return now_ms

    async def cell_location(self):
        """Return (latitude, longitude in 1e-7 degrees, accuracy in m). Raises ModemError; takes up to two minutes."""
        self._need_call("locate")
        found = self.dialect.location(await self._later("located", self.dialect.LOCATE, self.dialect.LOCATE_MS))
        if isinstance(found, int):
            raise ModemError(_LOCATION_ERRORS.get(found, "location_%d" % found), "locate")
        return found

    async def gnss_fix(self):
        """Return None while there is no fix, else (latitude, longitude in 1e-7 degrees, accuracy in dm, ms since 1970
        or None, speed in cm/s). The first call switches the receiver on. Raises ModemError `unsupported`."""
        if self._gnss is None:
            await self._supported(self.dialect.GNSS_ON)
            self._gnss = self._gnss or False
            self._gnss_ticks = time.ticks_ms()
        waited_ms = time.ticks_diff(time.ticks_ms(), self._gnss_ticks)
        if not self._gnss and waited_ms < self.dialect.GNSS_READY_MS:
            return None
        self._gnss = True
        return self.dialect.fix(await self._supported(self.dialect.GNSS_FIX) or b"")

    async def say(self, text):
        """Speak text; returns when it is spoken. Raises ModemError: `unsupported`, `too_long`, `busy`, `timeout`."""
        if 4 * len(text) > self.dialect.SPEECH_HEX:
            raise ModemError("too_long", "say")
        if "spoken" in self._waits:
            raise ModemError("busy", "say")
        try:
            await self._later("spoken", self.dialect.speak(text), _SPEECH_MS + _SPEECH_CHAR_MS * len(text))
        except ModemError as problem:
            raise ModemError("unsupported" if problem.code == "error" else problem.code, "say") from None

    async def hush(self):
        """Stop speaking."""
        await self._try(self.dialect.HUSH)
        if "spoken" in self._waits:
            self._waits["spoken"].finish()

    def complain(self):
        """No peer answers through a call that claims to be up: climb the ladder from its lowest rung."""
        self._counts["complaints"] += 1
        self._unproven = True
        self._received = self.sockets.received
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
            self.channel.drop_all("closed")
            self.sockets.drop_all("closed")

    async def _guard(self, work, main):
        try:
            await work
        except Exception as fault:
            self._broken = fault
            main.cancel()

    async def _once(self):
        code = None
        try:
            await self._bring_up()
            await self._stay_up()
        except ModemError as problem:
            code = problem.code
        self._standing = False
        if code and code != "rebooted":
            await self._recover(code if code in _LOWEST else "modem_dead")

    async def _bring_up(self):
        self._rebooted = False
        await self._find()
        await self._set_up()
        await self._await_sim()
        await self._await_registration()
        await self._open_call()

    async def _find(self):
        """Find the speed at which the modem answers."""
        for baud in (self.channel.baudrate,) + self.dialect.BAUDS:
            self.channel.set_baudrate(baud)
            for _ in range(2):  # the first may only train the modem's own search
                if await self.channel.knock(_KNOCK_MS):
                    await self.channel.ask(self.dialect.PROBES[0], strict=True)  # no late OK is left behind
                    self._deaf = False
                    self._powered = True
                    return
        self.channel.set_baudrate(self._settings.get("baud") or self.dialect.BAUDS[0])
        self._deaf = True
        raise ModemError("modem_dead", "find")

    async def _set_up(self):
        for row in self.dialect.SETUP:
            await self._try(row)
        if self.imei is None:
            self.imei = await self._text(self.dialect.IMEI)
            self.model = await self._text(self.dialect.MODEL)

    async def _await_sim(self):
        start = time.ticks_ms()
        while True:
            await self._read_sim()
            if self.sim_state == "READY":
                break
            if time.ticks_diff(time.ticks_ms(), start) >= _SIM_MS:
                raise ModemError("no_sim", "sim")
            await self._pause(_AGAIN_MS)
        self.iccid = await self._text(self.dialect.ICCID)
        imsi = await self._text(self.dialect.IMSI)
        if imsi != self.imsi:
            self.imsi = imsi
            self._access = self._failed_calls = 0

    async def _await_registration(self):
        start = time.ticks_ms()
        while True:
            await self._read_signal()
            await self._read_registration()
            if self._registration in _HOME:
                return
            self._set_cause(self._no_registration())
            if time.ticks_diff(time.ticks_ms(), start) >= _REGISTER_MS:
                raise ModemError(self._no_registration(), "registration")
            await self._pause(_LISTEN_MS)

    async def _open_call(self):
        """Open the data call, on one access point after the other; raises ModemError `no_data_call`."""
        names = gsm.access_points(self.imsi, self._settings.get("apn") or "")
        start = time.ticks_ms()
        for _ in range(2 * len(names)):
            if time.ticks_diff(time.ticks_ms(), start) > _CALLS_MS:
                break
            self._set_cause("no_data_call")
            if await self._open_call_on(names[self._access % len(names)]):
                self._failed_calls = 0
                return
            self._failed_calls += 1
            if self._failed_calls >= 2:
                self._failed_calls = 0
                self._access += 1
            await self._close_call()
            await self._pause(_AGAIN_MS)
        raise ModemError("no_data_call", "open")

    async def _open_call_on(self, name):
        settings = self._settings
        user, password = settings.get("apn_user") or "", settings.get("apn_password") or ""
        for row in self.dialect.call_setup(name, user, password):
            await self._try(row)
        opened = self._expect("call")
        command = self.channel.submit(Command(self.dialect.CALL))
        try:
            await command.wait()
            return await opened.wait(self.dialect.CALL_MS) == b"0"
        except ModemError as problem:
            if problem.code in ("silent", "rebooted"):
                raise
            return b"already" in command.detail
        finally:
            self._forget("call", opened)

    async def _close_call(self):
        self.sockets.drop_all("no_data_call")
        try:
            await self._later("call_closed", self.dialect.CALL_CLOSE, self.dialect.RELEASE_MS)
        except ModemError as problem:
            if problem.code in ("silent", "rebooted"):
                raise

    async def _stay_up(self):
        """Watch a standing call until it breaks; raises ModemError with the cause."""
        self._trouble = None
        self._standing = True
        self._set_cause(None)
        await self._read_operator()
        since = polled = time.ticks_ms()
        lost = None  # ticks since when there is no registration
        while self._trouble is None:
            due_ms = _POLL_MS - time.ticks_diff(time.ticks_ms(), polled)
            if due_ms <= 0:
                polled = time.ticks_ms()
                await self._poll()
            else:
                await self._pause(due_ms)
            lost = self._judge_registration(lost)
            if time.ticks_diff(time.ticks_ms(), since) > _HELD_MS:
                since = time.ticks_ms()
                self._note_held()
        trouble = self._trouble
        if trouble == "check":  # something restarted; ask whether the call outlived it
            return await self._check_call()
        raise ModemError(trouble, "call")

    async def _poll(self):
        await self._read_signal()
        await self._read_registration()
        await self._read_sim()

    def _judge_registration(self, lost):
        if self._registration in _HOME:
            if lost is not None and self._trouble is None:
                self._set_cause(None)
            return None
        now = time.ticks_ms()
        if self._trouble is None:
            self._set_cause(self._no_registration())
        lost = now if lost is None else lost
        if time.ticks_diff(now, lost) >= _REGISTER_MS:
            self._break(self._no_registration())
        return lost

    async def _check_call(self):
        try:
            if await self.channel.ask(self.dialect.CALL_STATE) != b"1":
                raise ModemError("no_data_call", "call")
        except ModemError as problem:
            raise ModemError("no_data_call" if problem.code == "error" else problem.code, "call") from None

    def _note_held(self):
        if self._unproven and self.sockets.received != self._received:
            self._unproven = False
        if not self._unproven and self.cause is None:
            self._ladder.held()

    # --- recovery

    async def _recover(self, code):
        self._set_cause(_CAUSES.get(code, code))
        rung, wait_s = self._ladder.climb(self._now_s(), _LOWEST[code], self._rungs(code))
        if rung is None:
            # Nothing to take now; what heals by itself is seen by trying again without a cure.
            await self._change(1000 * min(30, 5 if wait_s is None else wait_s))
        else:
            await self._take_rung(rung)

    def _rungs(self, code):
        rungs = [] if code == "modem_dead" or self._deaf else [SOCKETS, CALL, RADIO]
        if getattr(self._power, "key", None):
            rungs.append(POWER)
        if getattr(self._power, "reset", None):
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
            self.sockets.drop_all("no_data_call")
            self._gnss = None
            if rung == RADIO:
                await self._try(self.dialect.RADIO)
            elif rung == POWER:
                await self._press_key()
            else:
                await self._hold(self._power.reset, self.dialect.RESET_MS)
            await self._await_boot()

    async def _press_key(self):
        if self._powered:
            await self._hold(self._power.key, self.dialect.KEY_OFF_MS)
            await asyncio.sleep_ms(self.dialect.OFF_GAP_MS)
        self._powered = True
        await self._hold(self._power.key, self.dialect.KEY_ON_MS)

    async def _hold(self, pin, ms):
        pin(True)
        try:
            await asyncio.sleep_ms(ms)
        finally:
            pin(False)

    async def _await_boot(self):
        """Wait until the modem says that it has started, or answers."""
        self.channel.drop_all("rebooted")
        self._rebooted = False
        start = time.ticks_ms()
        while time.ticks_diff(time.ticks_ms(), start) < self.dialect.BOOT_MS and not self._rebooted:
            await self._change(_AGAIN_MS)
            if not self._rebooted and await self.channel.knock(_KNOCK_MS):
                break

    # --- what the modem says by itself

    def _on_urc(self, name, value):
        if self.sockets.on_urc(name, value):
            return
        waiting = self._waits.get(name)
        if waiting:
            if value:  # without one it only acknowledges
                waiting.finish(value)
        elif name in _ON_URC:
            _ON_URC[name](self, value)

    def _on_boot(self, _):
        self._counts["reboots"] += 1
        self._rebooted = True
        self._gnss = None
        self.sockets.drop_all("rebooted")
        for waiting in self._waits.values():
            waiting.finish(error="rebooted")
        self._break("rebooted")

    def _on_silent(self, _):
        self._deaf = True
        self.sockets.drop_all("silent")
        for waiting in self._waits.values():
            waiting.finish(error="silent")
        self._break("modem_dead")

    def _on_call_lost(self, _):
        self.sockets.drop_all("no_data_call")
        self._break("no_data_call")

    def _on_check(self, _):
        self._break("check")

    def _on_sim(self, value):
        self._set_sim(gsm.text(value))
        self._changed.set()

    def _on_registration(self, value):
        self._registration = gsm.number(gsm.fields(value)[0], 4)
        self._changed.set()

    def _on_gnss_ready(self, _):
        self._gnss = True

    def _on_tick(self, now):
        passed = time.ticks_diff(now, self._second_ticks) // 1000
        self._seconds += passed
        self._second_ticks = time.ticks_add(self._second_ticks, passed * 1000)
        self.sockets.on_tick(now)
        if self.beat:
            self.beat()

    # --- facts

    async def _read_sim(self):
        try:
            self._set_sim(gsm.text(await self.channel.ask(self.dialect.SIM) or b""))
        except ModemError as problem:
            if problem.code in ("silent", "rebooted"):
                raise
            if problem.code != "cme_14":  # 14: busy, it will say more later
                self._set_sim("NOT INSERTED" if problem.code == "cme_10" else "FAILURE")

    def _set_sim(self, state):
        self.sim_state = state
        self._sim_seen = self._sim_seen or state == "READY"
        self.sim_pulled = self._sim_seen and state != "READY"
        if state != "READY":
            self._break("no_sim")

    async def _read_signal(self):
        self.rssi_dbm = gsm.rssi_dbm(await self._try(self.dialect.SIGNAL) or b"")
        self.rsrp_dbm = gsm.rsrp_dbm(await self._try(self.dialect.QUALITY) or b"")

    async def _read_registration(self):
        values = gsm.numbers(await self._try(self.dialect.REGISTRATION) or b"")
        if len(values) > 1 and values[1] is not None:
            self._registration = values[1]

    async def _read_operator(self):
        parts = gsm.fields(await self._try(self.dialect.OPERATOR) or b"")
        self.operator = gsm.text(parts[2]) if len(parts) > 2 else None

    def _no_registration(self):
        return "no_signal" if self.rssi_dbm is None and self.rsrp_dbm is None else "no_registration"

    # --- helpers

    async def _text(self, row):
        return gsm.text(await self._try(row) or b"") or None

    async def _try(self, row):
        # Ask, and take a refusal for no answer.
        try:
            return await self.channel.ask(row)
        except ModemError as problem:
            if problem.code in ("silent", "rebooted"):
                raise
            return None

    async def _supported(self, row):
        try:
            return await self.channel.ask(row)
        except ModemError as problem:
            raise ModemError("unsupported" if problem.code == "error" else problem.code, problem.doing) from None

    async def _later(self, name, row, timeout_ms):
        # A command whose result is only an acknowledgement; its end is a URC. Returns the URC's value.
        over = self._expect(name)
        try:
            await self.channel.ask(row)
            return await over.wait(timeout_ms)
        finally:
            self._forget(name, over)

    def _expect(self, name):
        self._waits[name] = Pending(name)
        return self._waits[name]

    def _forget(self, name, pending):
        if self._waits.get(name) is pending:
            del self._waits[name]

    async def _change(self, timeout_ms):
        # Wait for a URC worth a look.
        self._changed.clear()
        try:
            await asyncio.wait_for_ms(self._changed.wait(), timeout_ms)
        except asyncio.TimeoutError:
            pass

    async def _pause(self, timeout_ms):
        await self._change(timeout_ms)
        if self._rebooted:
            raise ModemError("rebooted", "wait")

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

    def _need_call(self, doing):
        if self.cause is not None:
            raise ModemError("no_data_call", doing)

    def _now_s(self):
        self._on_tick(time.ticks_ms())
        return self._seconds


_ON_URC = {
    "boot": Modem._on_boot,
    "silent": Modem._on_silent,
    "call_lost": Modem._on_call_lost,
    "check": Modem._on_check,
    "sim": Modem._on_sim,
    "registration": Modem._on_registration,
    "gnss_ready": Modem._on_gnss_ready,
}
