"""Lets a link have one session after the other, on MicroPython only, and tells how long it waited in between.

case: how many seconds each session lasts. Result: [ms waited after each of them, the causes that were told].
"""

import asyncio

from terminal import link
from terminal.mqtt import MqttError

STABLE_S = 30


class _Enough(Exception):
    """All the sessions of the case were had."""


class _World:
    """Stands for whatever a link has to do with, its clocks included."""

    CancelledError = asyncio.CancelledError
    create_task = staticmethod(asyncio.create_task)
    cause = None
    sim_pulled = False
    link_stable_s = STABLE_S
    tls = True

    def __init__(self, lasting_s):
        self.lasting_s = lasting_s
        self.ms = 0
        self.waits_ms = [0]  # the first is before any session
        self.causes = []
        self.up = asyncio.Event()
        self.up.set()
        self.guard = self.config = self.clock = self.interlock = self

    # of the guard and its interlock

    session_up = session_down = None

    def tell(self, _fact, *details):
        self.causes += details

    # of the clocks

    def now_s(self):
        return self.ms // 1000

    def ticks_ms(self):
        return self.ms

    def ticks_diff(self, later, earlier):
        return later - earlier

    async def sleep_ms(self, ms):
        self.ms += ms
        self.waits_ms[-1] += ms

    # of the way to a session, and of the session

    async def open_stream(self, _link):
        if not self.lasting_s:
            raise _Enough
        return self, None

    async def open_session(self, opened, _stream):
        opened.began = self.ms
        return self, None

    async def run(self):
        await asyncio.Event().wait()

    async def close(self):
        """Nothing is open."""

    def over(self, _code):
        """Nobody waits."""

    # of the desk

    async def log_in(self, _session):
        """The platform is content."""

    async def serve(self, _session, _reader):
        self.ms += 1000 * self.lasting_s.pop(0)
        self.waits_ms.append(0)
        raise MqttError("closed")


def run(case):
    """Return what came of the case."""
    asyncio.new_event_loop()
    world = _World(case)
    own = link.asyncio, link.time, link.borrow
    link.asyncio = link.time = world
    link.borrow = lambda _name: world
    try:
        asyncio.run(link.Link(world, None, world, world, lambda _line: None).run())
    except _Enough:
        pass
    finally:
        link.asyncio, link.time, link.borrow = own
    return [world.waits_ms[1:], world.causes]
