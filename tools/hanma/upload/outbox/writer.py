"""Group commit: one thread that takes what many ask for at once into one transaction.

State: the queue of steps and the thread. A step is (kind, its one argument); the steps of one kind are done together by
that kind's function, `function(connection, arguments) -> results`. Each caller gets a Future that is done only when
its transaction is on the disk.
"""

import logging
import queue
import threading
import time
from concurrent.futures import Future

from sqlalchemy.exc import DBAPIError

_MOST = 64  # steps in one transaction: more would keep the first waiting
# After a group of several its members come back within a few milliseconds of each other: waiting so long for them halves the
# commits, and the senders' own thread runs undisturbed meanwhile. Who is alone never waits.
_GATHER_S = 0.003
_TRIES = 5
# PostgreSQL: serialization_failure, deadlock_detected. Whole transactions may simply be done again.
_AGAIN = ("40001", "40P01")

log = logging.getLogger(__name__)


class Closed(Exception):
    """The outbox was closed before this step was done."""


class Writer:
    """The one writer of a process. kinds: name → function, in the order in which a transaction does them."""

    def __init__(self, engine, kinds):
        self._engine = engine
        self._kinds = kinds
        self._steps = queue.SimpleQueue()
        self._closing = threading.Lock()
        self._closed = False
        self._company = False
        self._thread = threading.Thread(target=self._run, name="outbox", daemon=True)
        self._thread.start()

    def submit(self, kind, argument):
        """Ask for a step; return its Future. Closed when there is no writer any more."""
        future = Future()
        with self._closing:
            if self._closed:
                raise Closed("the outbox is closed")
            self._steps.put((kind, argument, future))
        return future

    def close(self):
        """Do what was asked for and end the thread."""
        with self._closing:
            if self._closed:
                return
            self._closed = True
            self._steps.put(None)
        self._thread.join()

    def _run(self):
        with self._engine.connect() as connection:
            while self._group(connection):
                pass

    def _group(self, connection):
        """Do one group; return False when it was the last."""
        steps = [self._steps.get()]
        if self._company:
            time.sleep(_GATHER_S)
        while len(steps) < _MOST and steps[-1] is not None and not self._steps.empty():
            steps.append(self._steps.get())
        going_on = steps[-1] is not None
        self._company = len(steps) > 2  # a settlement and a claim are one sender's
        steps = [step for step in steps if step is not None and step[2].set_running_or_notify_cancel()]
        if steps:
            self._settle(connection, steps)
        return going_on

    def _settle(self, connection, steps):
        try:
            results = self._transact(connection, steps)
        except Exception as error:
            if len(steps) == 1:
                steps[0][2].set_exception(error)
                return
            for step in steps:  # one of them is at fault: the others must not suffer
                self._settle(connection, [step])
            return
        for future, result in results:
            future.set_result(result)

    def _transact(self, connection, steps):
        for left in reversed(range(_TRIES)):
            try:
                with connection.begin():
                    return self._do(connection, steps)
            except DBAPIError as error:
                if error.connection_invalidated:
                    connection.rollback()
                if not left or not (error.connection_invalidated or getattr(error.orig, "sqlstate", None) in _AGAIN):
                    raise
                log.info("the database asks to do %d steps again", len(steps))
        raise AssertionError("unreachable")

    def _do(self, connection, steps):
        done = []
        for kind, function in self._kinds.items():
            mine = [step for step in steps if step[0] == kind]
            if mine:
                results = function(connection, [argument for _, argument, _ in mine])
                done += zip((future for _, _, future in mine), results, strict=True)
        return done
