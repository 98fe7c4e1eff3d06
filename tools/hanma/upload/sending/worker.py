"""Drains the outbox: several senders at once, each claims, sends and settles one record (or one batch) after the other.

State: what is in the air, since when the platform is in trouble, which tables may not be sent in this run. A settlement and the
next claim share one commit. Whatever happens in between is in the store: a worker that is killed leaves leases, no more.
"""

import asyncio
import contextlib
import os
import random
import secrets
import signal
import socket
import time
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache, partial
from itertools import count

from hanma.upload import catalogue
from hanma.upload.outbox import CHINA, now_ms

from .asking import ask_all
from .transport import Answer

_POLL_S = 1.0  # how soon a record that another process has put is seen
_RECOVER_S = 30.0
_PURGE_EVERY = 120  # recoveries: an hour
_SPARE_S = 30.0  # a lease outlasts its request by this much, for two clocks that differ
_MOST_BACK_OFF_S = 300.0
_TROUBLE = 3  # server errors in a row that mean the platform and not a record
_PATIENCE_S = 10.0  # `once` waits for a retry that is due within this


@dataclass
class Summary:
    """What a run did: records that became accepted, refused, uncertain; and what stands afterwards: waiting (for a parent),
    left (queued, or on its way elsewhere); elsewhere: those of them that another run sends, until_ms: when its last lease ends.
    resent: sent again after a lost answer. stopped: why the run ended early; wrong:
    for something in the profile, which won't pass by itself; barred: table → the platform's words about a permission it did
    not give."""

    accepted: int = 0
    refused: int = 0
    uncertain: int = 0
    resent: int = 0
    waiting: int = 0
    left: int = 0
    elsewhere: int = 0
    until_ms: int | None = None
    stopped: str = ""
    wrong: bool = False
    barred: dict = field(default_factory=dict)


async def run(site, store, client, *, once=False, stop=None, on_progress=None):
    """Send what the outbox holds for the client's platform; return a Summary.

    once: end when there is nothing to do; else go on until stop (an asyncio.Event) is set. on_progress(summary, item,
    state) is called after each answer. Being stopped or cancelled it waits for what is in the air as long as an answer may
    take, and then counts that as lost. A failure of the store is raised.
    """
    return await _Worker(site, store, client, once, stop or asyncio.Event(), on_progress).run()


def run_until_interrupted(make):
    """Run the coroutine make(stop) to its end; Ctrl-C sets stop, a second Ctrl-C interrupts as ever. Main thread only."""

    async def inner():
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()

        def interrupted(*_):
            signal.signal(signal.SIGINT, before)
            loop.call_soon_threadsafe(stop.set)

        before = signal.signal(signal.SIGINT, interrupted)
        try:
            return await make(stop)
        finally:
            signal.signal(signal.SIGINT, before)

    return asyncio.run(inner())


class _Worker:
    def __init__(self, site, store, client, once, stop, on_progress):
        self._site = site
        self._store = store
        self._client = client
        self._once = once
        self._stop = stop
        self._on_progress = on_progress or (lambda *_: None)
        self._server = site.server
        self._back_off_s = float(site.settings.get("back_off_s", 1.0))
        self._owner = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"
        self._deadline_s = 2 * (site.server.connect_s + site.server.answer_s)  # a token may have to be asked for
        self._lease_ms = int(1000 * (self._deadline_s + _SPARE_S))
        self._summary = Summary()
        self._in_air = 0
        self._settled = asyncio.Event()
        self._failures = 0
        self._pause_set_s = self._pause_until_s = 0.0

    async def run(self):
        await self._recover()
        tasks = [asyncio.create_task(self._send()) for _ in range(self._server.concurrency)]
        watch = asyncio.create_task(self._look_after())
        stopping = asyncio.create_task(self._stop.wait())
        try:
            await self._until_done(tasks, stopping)
        finally:
            self._stop.set()
            watch.cancel()
            stopping.cancel()
            await self._land(tasks)
        for task in (*tasks, watch):
            if not task.cancelled() and task.done() and task.exception():
                raise task.exception()
        counts = await asyncio.to_thread(self._store.counts, self._client.platform)
        self._summary.waiting = counts["waiting"]
        self._summary.left = counts["queued"] + counts["sending"]
        self._summary.elsewhere = counts["sending"]
        self._summary.until_ms = await asyncio.to_thread(self._store.sending_until_ms, self._client.platform)
        return self._summary

    async def _until_done(self, tasks, stopping):
        left = set(tasks)
        while left and not stopping.done():
            done, _ = await asyncio.wait({*left, stopping}, return_when=asyncio.FIRST_COMPLETED)
            left -= done
            if any(task in done and task.exception() for task in tasks):
                return

    async def _land(self, tasks):
        """Wait for what is in the air; what has no answer by then is settled as uncertain by its cancelled sender."""
        _, late = await asyncio.wait(tasks, timeout=self._server.answer_s)
        for task in late:
            task.cancel()
        if late:
            await asyncio.wait(late)

    async def _recover(self):
        for _, state in await asyncio.to_thread(self._store.recover):
            self._count("resent" if state == "queued" else state)
        if hasattr(self._client, "ask"):
            found = await ask_all(self._store, self._client)
            self._summary.accepted += found["accepted"]
            self._summary.uncertain -= min(self._summary.uncertain, sum(found.values()))

    async def _look_after(self):
        for turn in count():
            if turn % _PURGE_EVERY == 0:
                await asyncio.to_thread(self._store.purge)
            await asyncio.sleep(_RECOVER_S)
            await self._recover()

    # One sender

    async def _send(self):
        settling = []
        while not self._over():
            if not await self._may_go():
                continue
            items = await asyncio.wrap_future(self._claim())
            await _all(settling)
            settling = await self._deliver(items) if items else []
            if not items and not await self._more_to_come():
                break
        await _all(settling)

    def _over(self):
        return self._stop.is_set() or bool(self._summary.stopped)

    async def _may_go(self):
        """Wait for the platform's recovery and for our turn; return False when that was cut short."""
        pause_s = self._pause_until_s - time.monotonic()
        if pause_s > 0:
            await self._sleep(pause_s)
            return False
        turn_s = self._client.turn_s()
        if turn_s > 0:
            await self._sleep(turn_s)
        return not self._over()

    def _claim(self):
        batch = self._client.batch_rows
        but, withheld = tuple(self._summary.barred), self._withheld()
        how = {"lease_ms": self._lease_ms, "but": but, "batch": batch > 0, "withheld": withheld}
        return self._store.claim_later(self._owner, self._client.platform, batch or 1, **how)

    def _withheld(self):
        """Return table → keys of the health fields while the site may not send them: what was put in before their last day
        may still lie in the outbox after it."""
        if self._site.today_epidemic(datetime.now(CHINA).date()):
            return {}
        return _epidemic_keys(self._client.platform)

    async def _sleep(self, seconds):
        with contextlib.suppress(asyncio.TimeoutError, TimeoutError):
            await asyncio.wait_for(self._stop.wait(), seconds)

    async def _more_to_come(self):
        """Nothing was there to claim: wait for something, or return False when this run may end."""
        due_ms = await asyncio.to_thread(self._store.due_ms, self._client.platform, tuple(self._summary.barred))
        due_s = None if due_ms is None else max(0.0, due_ms - now_ms()) / 1000
        if self._once and not self._in_air and (due_s is None or due_s > _PATIENCE_S):
            return False
        self._settled.clear()
        wait_s = _POLL_S if due_s is None else min(_POLL_S, due_s + 0.01)
        waiting = [asyncio.create_task(self._settled.wait()), asyncio.create_task(self._stop.wait())]
        _, late = await asyncio.wait(waiting, timeout=wait_s, return_when=asyncio.FIRST_COMPLETED)
        for task in late:
            task.cancel()
        return True

    async def _deliver(self, items):
        """Send claimed items; return the futures of their settlements, each of them under way."""
        began_s = time.monotonic()
        self._in_air += 1
        try:
            answer = await self._answer(items)
        except asyncio.CancelledError:
            await asyncio.shield(_all(self._settle(items, Answer("uncertain", "network", "", "stopped before the answer"))))
            raise
        finally:
            self._in_air -= 1
            self._settled.set()
        self._heed(items, answer, began_s)
        if answer.state == "refused" and len(items) > 1:
            return [asyncio.wrap_future(self._store.split_later(items, answer.message))]
        return self._settle(items, answer)

    async def _answer(self, items):
        sending = self._client.send_batch(items) if self._client.batch_rows else self._client.send(items[0])
        try:
            return await asyncio.wait_for(sending, self._deadline_s)
        except (asyncio.TimeoutError, TimeoutError):
            return Answer("uncertain", "network", "", f"no answer within {self._deadline_s:g} s")

    def _settle(self, items, answer):
        """Ask for the settlements at once, so that the next claim shares their commit; return their futures."""
        futures = []
        for item in items:
            again_ms = self._again_ms(item, answer)
            settled = self._store.settle_later(item, answer.state, answer.code, answer.message, again_ms)
            future = asyncio.wrap_future(settled)
            future.add_done_callback(partial(self._known, item, answer))
            futures.append(future)
        return futures

    def _again_ms(self, item, answer):
        """What failed for its own sake waits longer each time; what the platform was not there for goes when it is back."""
        own = answer.kind == "server" or answer.state == "uncertain"
        delay_s = max(self._back_off(item.attempt) if own else 0, answer.retry_after_s)
        return now_ms() + int(1000 * delay_s) if delay_s else 0

    def _known(self, item, answer, future):
        self._settled.set()
        if future.cancelled() or future.exception():
            return
        state = future.result()
        self._count("resent" if answer.state == "uncertain" and state == "queued" else state)
        self._on_progress(self._summary, item, state)

    def _count(self, state):
        if state in ("accepted", "refused", "uncertain", "resent"):
            setattr(self._summary, state, getattr(self._summary, state) + 1)

    # Trouble

    def _back_off(self, attempt):
        """Return seconds, doubled with each attempt, with a jitter so that many do not come back at once."""
        return min(_MOST_BACK_OFF_S, self._back_off_s * 2 ** min(attempt - 1, 10)) * random.uniform(0.5, 1.0)

    def _heed(self, items, answer, began_s):
        """Draw from an answer what concerns more than its record."""
        told = f"{answer.code} {answer.message}".strip()
        if answer.kind in ("ok", "data"):
            self._failures = 0
        elif answer.kind == "config":
            self._summary.stopped, self._summary.wrong = told, True
        elif answer.kind == "permission":
            self._summary.barred[items[0].table] = told
        elif began_s >= self._pause_set_s:  # of several that failed together one counts
            self._failures += 1
            if answer.kind != "server" or self._failures >= _TROUBLE:
                self._pause(answer, told)

    def _pause(self, answer, told):
        pause_s = max(self._back_off(self._failures), answer.retry_after_s)
        self._pause_set_s = time.monotonic()
        self._pause_until_s = self._pause_set_s + pause_s
        if self._once and pause_s > _PATIENCE_S:
            self._summary.stopped = told


@lru_cache
def _epidemic_keys(platform):
    tables = catalogue.load(platform).tables
    keys = {key: frozenset(one.key or one.name for one in table.fields if one.epidemic) for key, table in tables.items()}
    return {key: names for key, names in keys.items() if names}


async def _all(futures):
    if futures:
        await asyncio.gather(*futures)
