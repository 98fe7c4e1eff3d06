"""A follower as a process of its own, to be killed: follows a journal or a broker into a store, one line of output a step."""

import argparse
import contextlib
import subprocess
import sys
import threading
from pathlib import Path

from hanma.carriage import Plain
from hanma.upload.jobs import follow
from hanma.upload.jobs.store import JobStore
from hanma.upload.privacy import Vault
from hanma.upload.site import Site
from host_tests.upload.jobs_samples import MINUTE, T0

KEY = bytes(range(32))
ROOT = Path(__file__).resolve().parents[2]


def open_store(folder):
    """Return the JobStore in a folder."""
    return JobStore(f"sqlite:///{Path(folder, 'outbox.db')}", Vault(KEY))


@contextlib.contextmanager
def follower(folder, *options):
    """This module as a process while the block runs, then killed; its lines are read from its stdout."""
    command = [sys.executable, "-m", "host_tests.upload.jobs_follower", str(folder), *options]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def event(seq, relay=1, job="j-1", boot=1, device="D1", **more):
    """(topic, body) of a terminal's report of a switching."""
    body = {"relay": relay, "cause": "order", "job": job, "boot": boot, "seq": seq, "time": T0 + seq * MINUTE, **more}
    return f"welder/{device}/up", {"actionCode": "FF", "content": {"event": body}}


def switched(store):
    """The names of the switchings in a store."""
    return sorted((fact.boot, fact.seq) for fact in store.facts("switched"))


class _Talking:
    """A store that says on standard output what it has kept."""

    def __init__(self, store):
        self._store = store

    def mark(self, source):
        return self._store.mark(source)

    def take(self, *told):
        new = self._store.take(*told)
        print(f"kept {new}", flush=True)
        return new


def main():
    """Follow until killed."""
    parser = argparse.ArgumentParser(prog="python -m host_tests.upload.jobs_follower")
    parser.add_argument("folder")
    parser.add_argument("--journal")
    parser.add_argument("--broker")
    parser.add_argument("--batch-b", type=int)
    options = parser.parse_args()
    store, stop = _Talking(open_store(options.folder)), threading.Event()
    if options.journal:
        follow._BATCH_B = options.batch_b or follow._BATCH_B
        follow.Journal(options.journal, store, Plain()).follow(stop, wait_s=0.05)
        return
    site = Site(name="s", platform="chongqing", settings={"follow": {"url": options.broker}})
    broker = follow.Broker(site, store)
    threading.Thread(target=_tell_connected, args=(broker,), daemon=True).start()
    broker.follow(stop)


def _tell_connected(broker):
    with broker.changed:
        broker.changed.wait_for(lambda: broker.connected)
    print("connected", flush=True)


if __name__ == "__main__":
    main()
