"""The session with the platform, from log-in to its end, again and again; and the cause of its not being there.

Owns the attempt in progress and the causes it ends with (the names in the interlock's table of outages). One attempt at a
time; `link_open` knows the way to a session; between attempts an exponential wait with jitter, 1 s to 5 min, which only a
session that lasted begins anew: two clients of one name would throw each other out every few seconds.
"""

import asyncio
import random
import time

from micropython import const

from modem.modem import ModemError
from terminal.borrow import borrow
from terminal.mqtt import MqttError
from terminal.tls import Untrusted

_FIRST_WAIT_MS = const(1000)
_LAST_WAIT_MS = const(300000)
_REFUSALS = const(3)
_STOLEN_MS = const(5000)  # a session dropped this soon after CONNACK was taken over, not lost
_STOLEN_TIMES = const(3)
_LEAVE_MS = const(10000)  # nobody feeds the watchdog meanwhile
_ROOM_B = const(2560)  # what mbedTLS's context and session take of the heap of MicroPython, in two pieces


class Link:
    """Keeps the session with the platform up.

    modem: `modem.modem.Modem`. profile: see `terminal.profiles`. parts: the module `terminal.parts`. log: takes one line of text.
    desk: `terminal.desk.Desk`, which logs in, takes the messages and sends the reports.
    """

    def __init__(self, modem, profile, parts, desk, log):
        self.cause = "modem_dead"  # None while the session is up
        self.untrusted = None  # code of tls.Untrusted, of the last handshake that failed so
        self.session = None
        self.began = None  # ticks of the attempt's CONNACK
        self.counters = {"connects": 0, "drops": 0, "refusals": 0, "failures": 0, "unread": 0}
        self.beat = None
        self._modem = modem
        self._profile = profile
        self._config = parts.config
        self._clock = parts.clock
        self._guard = parts.guard
        self._desk = desk
        self._log = log
        self._stable_s = parts.config.link_stable_s
        self._stable_at_s = 0  # when the session will have lasted, in seconds since boot
        self._wait_ms = _FIRST_WAIT_MS
        self._refusals = 0
        self._stolen = 0
        self._deaf = 0
        self.room = None
        self._keep_room()

    def _keep_room(self):
        """Keep a place in one piece for the next handshake; `link_open` lets go of it."""
        if self._config.tls and not self.room:
            try:
                self.room = bytearray(_ROOM_B)
            except MemoryError:
                pass  # the handshake may find its place all the same

    async def run(self):
        """Vital: for ever one attempt after the other; only cancellation leaves it."""
        self.down(self.cause or "no_answer")  # nobody may believe in a session of the task that died before this one
        while True:
            try:
                cause = await self._attempt()
            except ImportError:
                self.counters["unread"] += 1  # the way to a session is on flash, and that cannot be read now
                cause = "no_answer"
            self.down(cause)
            # a data call that comes up meanwhile does not shorten the wait
            wait_ms = self._wait_ms
            self._wait_ms = min(wait_ms * 2, _LAST_WAIT_MS)
            if self._wait_ms > _FIRST_WAIT_MS:
                wait_ms = wait_ms // 2 + random.getrandbits(20) % (wait_ms // 2 + 1)
            while wait_ms > 0:
                self.prove_life()
                await asyncio.sleep_ms(min(wait_ms, 5000))
                wait_ms -= 5000

    async def leave(self, reason):
        """Say goodbye before a planned restart; bounded."""
        if self.session:
            try:
                await asyncio.wait_for_ms(self._desk.leave(self.session, reason), _LEAVE_MS)
            except (asyncio.TimeoutError, ModemError):
                pass  # the platform learns it from the will or its own time-out

    def down(self, cause):
        """There is no session, for this cause."""
        was = self.cause
        self.cause = cause
        lock = self._guard.interlock
        if cause == "refused" and self._refusals >= _REFUSALS:
            self._guard.tell(lock.session_refused)
        else:
            self._guard.tell(lock.session_down, cause)
        if cause != was:
            self._log("link down: " + cause)

    async def _attempt(self):
        """Bring the session up and serve it to its end; return the cause of the end."""
        self.began = session = reader = None
        self._keep_room()
        await self._wait_for_modem()
        way = borrow("link_open")
        stream, cause = await way.open_stream(self)
        if cause:
            return cause
        try:
            session, cause = await way.open_session(self, stream)
            if cause:
                return cause
            way = None  # the session lasts: give the memory back
            reader = asyncio.create_task(_read(session))
            await self._desk.log_in(session)
            self._came_up(session)
            await self._desk.serve(session, reader)
        except Untrusted as error:
            return self.distrust(error)
        except (MqttError, ModemError, OSError):
            self.counters["drops"] += 1
            return self._lost()
        finally:
            if self.session and self._clock.now_s() >= self._stable_at_s:
                self._wait_ms = _FIRST_WAIT_MS
            self.session = None
            if session:
                session.over("closed")
            if reader:
                await _ended(reader)
            await self.close(stream)

    async def _wait_for_modem(self):
        """Wait for the data call, before anything is loaded: the modem needs the memory until then."""
        modem = self._modem
        while not modem.up.is_set():
            cause = self.modem_cause()
            if cause and cause != self.cause:
                self.down(cause)
            self.prove_life()
            try:
                await asyncio.wait_for_ms(modem.up.wait(), 1000)
            except asyncio.TimeoutError:
                pass

    def _came_up(self, session):
        self.session = session
        self.cause = None
        self._log("link up")
        self._refusals = 0
        self._stable_at_s = self._clock.now_s() + self._stable_s
        self._guard.tell(self._guard.interlock.session_up)

    def distrust(self, error):
        """Note why the peer is not trusted, a tls.Untrusted; return the cause."""
        self.untrusted = error.code
        self._log("certificate: " + error.code)
        return "untrusted"

    def modem_cause(self):
        """Return why the modem has no data call, None when it has."""
        return "sim_pulled" if self._modem.sim_pulled else self._modem.cause

    def prove_life(self):
        """Tell the supervisor that this task is well."""
        if self.beat:
            self.beat()

    def _lost(self):
        """Name what a dead session died of."""
        cause = self.modem_cause()
        if cause:
            return cause
        if self.began is None or time.ticks_diff(time.ticks_ms(), self.began) >= _STOLEN_MS:
            self._stolen = 0
            return "no_answer"
        self._stolen += 1
        return "taken_over" if self._stolen >= _STOLEN_TIMES else "no_answer"

    async def close(self, stream):
        """Close a stream or socket, however it is."""
        try:
            await stream.close()
        except (OSError, ModemError):
            pass


async def _read(session):
    """Run a session and return what ended it: raised, it would be a stray while nobody waits for it."""
    try:
        await session.run()
    except (MqttError, ModemError, OSError, Untrusted, MemoryError) as error:
        return error


async def _ended(reader):
    """Cancel the reader and see it end."""
    reader.cancel()
    try:
        await reader
    except asyncio.CancelledError:
        pass
