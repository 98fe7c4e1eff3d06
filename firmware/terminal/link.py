"""The way to the platform: data call, clock, name, TCP, TLS, MQTT, subscription, login; and why it is not there.

Owns the attempt in progress and the causes it ends with (the names in the interlock's table of outages). One attempt at a
time; every step bounded; between attempts an exponential wait with jitter, 1 s to 5 min.
"""

import asyncio
import random
import time

from micropython import const

from modem.modem import ModemError
from terminal import tls
from terminal.mqtt import MqttError, Refused, Session

_CONNECT_MS = const(45000)  # CIPOPEN answers within 15 s by CIPTIMEOUT, 75 s at the worst
_TLS_MS = const(30000)
_MQTT_MS = const(20000)
_CLOCK_MS = const(60000)
_FIRST_WAIT_MS = const(1000)
_LAST_WAIT_MS = const(300000)
_REFUSED_WAIT_MS = const(300000)  # three refusals then span ten minutes
_REFUSALS = const(3)
_STOLEN_MS = const(5000)  # a session dropped this soon after CONNACK was taken over, not lost
_STOLEN_TIMES = const(3)
_DEAF_TIMES = const(3)  # attempts without any peer before the modem is asked to climb its ladder


class Link:
    """Keeps the session with the platform up.

    modem: `modem.modem.Modem`. profile: see `terminal.profiles`. parts: the module `terminal.parts`. log: takes one line of text.
    desk: `terminal.desk.Desk`, which logs in, takes the messages and sends the reports.
    """

    def __init__(self, modem, profile, parts, desk, log):
        self.cause = "modem_dead"  # None while the session is up
        self.untrusted = None  # code of tls.Untrusted, of the last handshake that failed so
        self.session = None
        self.counters = {"connects": 0, "drops": 0, "refusals": 0, "failures": 0}
        self.beat = None
        self._modem = modem
        self._profile = profile
        self._config = parts.config
        self._clock = parts.clock
        self._guard = parts.guard
        self._desk = desk
        self._log = log
        self._wait_ms = _FIRST_WAIT_MS
        self._refusals = 0
        self._stolen = 0
        self._deaf = 0

    async def run(self):
        """Vital: for ever one attempt after the other; only cancellation leaves it."""
        while True:
            cause = await self._attempt()
            self._down(cause)
            await self._pause()

    async def leave(self, reason):
        """Say goodbye before a planned restart; bounded."""
        if self.session:
            await self._desk.leave(self.session, reason)

    def _down(self, cause):
        if cause != self.cause:
            self._log("link down: " + cause)
        self.cause = cause
        if cause == "refused" and self._refusals >= _REFUSALS:
            self._guard.tell(self._guard.interlock.session_refused)
        else:
            self._guard.tell(self._guard.interlock.session_down, cause)

    async def _attempt(self):
        """Bring the session up and serve it to its end; return the cause of the end."""
        try:
            await self._wait_for_modem()
            if not await self._has_clock():
                return "clock_unknown"
            stream = await self._open()
        except tls.Untrusted as error:
            return self._distrust(error)
        except (ModemError, OSError):
            return self._modem_cause() or self._no_route()
        try:
            return await self._serve(stream)
        finally:
            self.session = None
            await _close(stream)

    def _distrust(self, error):
        self.untrusted = error.code
        self._log("certificate: " + error.code)
        return "untrusted"

    def _modem_cause(self):
        if self._modem.sim_pulled:
            return "sim_pulled"
        return self._modem.cause

    def _no_route(self):
        self.counters["failures"] += 1
        self._deaf += 1
        if self._deaf >= _DEAF_TIMES:
            self._deaf = 0
            self._modem.complain()
        return "no_route"

    async def _wait_for_modem(self):
        while not self._modem.up.is_set():
            cause = self._modem_cause()
            if cause and cause != self.cause:
                self._down(cause)
            self._prove_life()
            try:
                await asyncio.wait_for_ms(self._modem.up.wait(), 1000)
            except asyncio.TimeoutError:
                pass

    def _prove_life(self):
        if self.beat:
            self.beat()

    async def _has_clock(self):
        """Certificates and some log-ins need a date: ask the network for it before the first handshake."""
        if not self._clock.known:
            unix_ms = await self._modem.network_time_ms()
            if unix_ms is not None:
                self._clock.set_ms(unix_ms, "network")
        return self._clock.known or not (self._config.tls or self._profile.needs_clock)

    async def _open(self):
        config = self._config
        sock = await self._modem.connect(config.host, config.port, timeout_ms=_CONNECT_MS)
        self._prove_life()
        if not config.tls:
            return sock
        try:
            with open(config.ca_file, "rb") as file:
                authority = file.read()
            return await tls.wrap(sock, config.host, authority, _TLS_MS)
        except BaseException:
            await _close(sock)
            raise

    async def _serve(self, stream):
        """CONNECT, subscribe, log in, then read until the link dies; returns the cause."""
        self._prove_life()
        session = Session(stream, self._desk.on_message)
        began = None
        reader = None
        try:
            await self._connect(session)
            began = time.ticks_ms()
            self._deaf = 0
            reader = asyncio.create_task(session.run())
            for topic in self._profile.subscriptions():
                await session.subscribe(topic, 1)
            await self._desk.log_in(session)
            self._came_up(session)
            await self._desk.serve(session, reader)
        except Refused as refusal:
            return self._was_refused(refusal)
        except tls.Untrusted as error:
            return self._distrust(error)
        except (MqttError, ModemError, OSError):
            pass
        finally:
            if reader:
                await _ended(reader)
        self.counters["drops"] += 1
        return self._lost(began)

    async def _connect(self, session):
        profile = self._profile
        # one time for client id and password: an hour that turns in between would make them disagree
        profile.renew(self._clock.unix_s())
        await session.connect(
            profile.client_id,
            profile.username,
            profile.password,
            profile.keepalive_s,
            profile.will(),
            _MQTT_MS,
        )
        self.counters["connects"] += 1

    def _came_up(self, session):
        self.session = session
        self.cause = None
        self._log("link up")
        self._refusals = 0
        self._wait_ms = _FIRST_WAIT_MS
        self._guard.tell(self._guard.interlock.session_up)

    def _was_refused(self, refusal):
        if refusal.code == 3:
            return "no_answer"
        self.counters["refusals"] += 1
        self._refusals += 1
        self._wait_ms = _REFUSED_WAIT_MS
        return "refused"

    def _lost(self, began):
        """Name what a dead session died of."""
        cause = self._modem_cause()
        if cause:
            return cause
        if began is None or time.ticks_diff(time.ticks_ms(), began) >= _STOLEN_MS:
            self._stolen = 0
            return "no_answer"
        self._stolen += 1
        return "taken_over" if self._stolen >= _STOLEN_TIMES else "no_answer"

    async def _pause(self):
        """Wait before the next attempt; a data call that comes up meanwhile does not shorten it."""
        wait_ms = self._wait_ms
        self._wait_ms = min(wait_ms * 2, _LAST_WAIT_MS)
        if self._wait_ms > _FIRST_WAIT_MS:
            wait_ms = wait_ms // 2 + random.getrandbits(20) % (wait_ms // 2 + 1)
        while wait_ms > 0:
            self._prove_life()
            step_ms = min(wait_ms, 5000)
            await asyncio.sleep_ms(step_ms)
            wait_ms -= step_ms


async def _ended(reader):
    """Cancel the reader and take what it died of: it is known already."""
    reader.cancel()
    try:
        await reader
    except (asyncio.CancelledError, MqttError, ModemError, OSError):
        pass


async def _close(stream):
    try:
        await stream.close()
    except (OSError, ModemError):
        pass
