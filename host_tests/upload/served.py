"""A stand-in that serves in a thread of the test's own process, so that a plain client can call it and its ledger be read."""

import asyncio
import contextlib
import threading

import httpx

from hanma.mock import server
from hanma.mock.faults import Faults
from hanma.mock.ledger import Ledger

_END_S = 10


class Served:
    """A running stand-in: client (its address is the base), ledger, faults; token: kept here by a test that needs one."""

    def __init__(self, client, ledger, faults):
        self.client = client
        self.ledger = ledger
        self.faults = faults
        self.token = None

    def order(self, kind, **fields):
        """Order one fault through the control address."""
        self.client.post("/_control/faults", json=[{"kind": kind, **fields}]).raise_for_status()

    def last(self):
        """Return the newest entry of the ledger."""
        return self.ledger.entries[-1]


@contextlib.contextmanager
def serving(platform, options, ledger_path=None):
    """Serve platform.make_application(options, …) on a free port while the block runs; yields a Served."""
    ledger, faults = Ledger(ledger_path), Faults()
    loop, started, stop, address = asyncio.new_event_loop(), threading.Event(), asyncio.Event(), []

    async def serve():
        async with server.listening(platform.make_application(options, ledger, faults), server.Binding()) as url:
            address.append(url)
            started.set()
            await stop.wait()

    def run():
        try:
            loop.run_until_complete(serve())
        finally:
            started.set()
            loop.close()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        assert started.wait(_END_S) and address, "the stand-in did not start"
        with httpx.Client(base_url=address[0], trust_env=False, timeout=_END_S) as client:
            yield Served(client, ledger, faults)
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(_END_S)
        ledger.close()
