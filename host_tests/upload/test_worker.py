"""The worker as a process: killed at every change of state, stopped by Ctrl-C, beside another one. What the authority (a
process too) has written down is compared with what the outbox believes."""

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
from collections import Counter
from types import SimpleNamespace

import pytest

from hanma.upload import outbox
from hanma.upload.privacy import Vault
from hanma.upload.sending import worker
from hanma.upload.sending.transport import Answer
from host_tests.upload import sending_world as world

LATER_MS = 3_600_000


@contextlib.contextmanager
def authority(ledger, *more):
    """The strict authority in a process of its own; gives its port."""
    command = [sys.executable, "-m", "host_tests.upload.sending_world", str(ledger), *more]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        yield int(process.stdout.readline())
    finally:
        process.stdin.close()
        process.stdout.close()
        process.wait(10)


def start_worker(url, port, directory, *more):
    """Start a worker's process."""
    command = [sys.executable, "-m", "host_tests.upload.dying_worker", url, str(port), str(directory), *map(str, more)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def finish(process):
    """Wait for a worker; return (its exit code, its summary or None)."""
    said, _ = process.communicate(timeout=60)
    return process.returncode, json.loads(said) if said else None


def open_store(url, later_ms=0):
    clock = SimpleNamespace(now=lambda: outbox.now_ms() + later_ms)
    return outbox.open(url, Vault(b"k" * 32), site="site", table_of=world.table_of, clock=clock.now)


def taken(ledger):
    """Return what the authority took: (table, id) → how often."""
    return Counter(tuple(json.loads(line)) for line in ledger.read_text().splitlines()) if ledger.exists() else Counter()


def put_a_site(url):
    """A team with workers who wait for it, gate passages and dust; return (table, id) → record's id."""
    ids = {}
    with open_store(url) as store:
        for number in range(2):
            ids["team", f"t{number}"] = store.put(world.prepared("team", f"t{number}")).id
        for number in range(4):
            parents = [("team", f"t{number % 2}")]
            ids["worker_enter", f"w{number}"] = store.put(world.prepared("worker_enter", f"w{number}", parents=parents)).id
            ids["gate", f"g{number}"] = store.put(world.prepared("gate", f"g{number}", photo=b"picture" * 99)).id
            ids["dust", f"d{number}"] = store.put(world.prepared("dust", f"d{number}")).id
    return ids


def reconcile(url, ids, ledger):
    """Assert that outbox and ledger tell one story; return the outbox's counts."""
    with open_store(url) as store:
        lines, counts = {line.id: line for line in store.find()}, store.counts()
    seen = taken(ledger)
    assert set(seen) <= set(ids)
    for which, record_id in ids.items():
        line = lines[record_id]
        if line.state == "accepted":
            assert seen[which] >= 1, f"{which} is believed accepted and is not there"
        elif seen[which]:
            assert line.state in ("uncertain", "sending"), f"{which} is there and the outbox says {line.state}"
        assert seen[which] <= 1 + line.duplicates, f"{which} was taken {seen[which]} times, counted {line.duplicates}"
        if which[0] != "dust":
            assert seen[which] <= 1
    return counts


@pytest.mark.slow
@pytest.mark.parametrize(
    ("where", "after"),
    [("commit", 2), ("commit", 4), ("commit", 7), ("sending", 1), ("sending", 6), ("answered", 1), ("answered", 5)],
)
def test_a_killed_worker_loses_nothing_and_sends_nothing_twice_but_by_rule(tmp_path, where, after):
    url, ledger = f"sqlite:///{tmp_path / 'outbox.db'}", tmp_path / "ledger"
    ids = put_a_site(url)
    with authority(ledger) as port:
        code, _ = finish(start_worker(url, port, tmp_path, "--at", where, "--after", after))
        assert code == -signal.SIGKILL
        reconcile(url, ids, ledger)
        code, summary = finish(start_worker(url, port, tmp_path, "--later-ms", LATER_MS))
        assert code == 0
    counts = reconcile(url, ids, ledger)
    assert counts["queued"] == counts["sending"] == 0
    assert counts["accepted"] + counts["uncertain"] + counts["waiting"] == len(ids)
    assert summary["left"] == 0


@pytest.mark.slow
def test_the_clerks_word_on_the_uncertain_settles_the_rest(tmp_path):
    url, ledger = f"sqlite:///{tmp_path / 'outbox.db'}", tmp_path / "ledger"
    ids = put_a_site(url)
    with authority(ledger) as port:
        finish(start_worker(url, port, tmp_path, "--at", "answered", "--after", 1))
        with open_store(url, LATER_MS) as store:
            store.recover()
            for line in store.find(state="uncertain"):
                which = next(one for one, record_id in ids.items() if record_id == line.id)
                store.decide(line.id, "accepted" if taken(ledger)[which] else "queued")
        finish(start_worker(url, port, tmp_path, "--later-ms", LATER_MS))
    with open_store(url) as store:
        assert store.counts()["accepted"] == len(ids)
    assert all(times == 1 for which, times in taken(ledger).items() if which[0] != "dust")


@pytest.mark.slow
def test_two_workers_on_one_file_send_each_record_once(tmp_path):
    url, ledger = f"sqlite:///{tmp_path / 'outbox.db'}", tmp_path / "ledger"
    with open_store(url) as store:
        list(store.put_all(world.prepared("gate", f"g{number}") for number in range(120)))
    with authority(ledger) as port:
        both = [start_worker(url, port, tmp_path) for _ in range(2)]
        summaries = [finish(process)[1] for process in both]
    assert sum(summary["accepted"] for summary in summaries) == 120
    assert set(taken(ledger).values()) == {1}
    assert len(taken(ledger)) == 120


# In this process, with a client that does as it is told


class Client:
    """Answers from a table: record's id → an Answer, an event to wait for first, or accepted."""

    platform, batch_rows = "shantou", 0

    def __init__(self, **answers):
        self.answers, self.sent, self.in_air = answers, [], asyncio.Event()

    def turn_s(self):
        return 0

    async def send(self, item):
        identity = item.body()["id"]
        self.sent.append(identity)
        self.in_air.set()
        answer = self.answers.get(identity, Answer("accepted", "ok"))
        if isinstance(answer, asyncio.Event):
            await answer.wait()
            answer = Answer("accepted", "ok")
        return answer


@pytest.fixture
def store(tmp_path):
    with open_store(f"sqlite:///{tmp_path / 'outbox.db'}") as opened:
        yield opened


def run(site, store, client, **more):
    return worker.run(site, store, client, **more)


def test_stopping_waits_for_the_answer_that_is_on_its_way(tmp_path, store):
    async def play():
        answer, stop = asyncio.Event(), asyncio.Event()
        client = Client(a=answer)
        store.put(world.prepared("gate", "a"))
        running = asyncio.create_task(run(world.site_for(1, tmp_path), store, client, stop=stop))
        await client.in_air.wait()
        stop.set()
        answer.set()
        return await running

    summary = asyncio.run(play())
    assert (summary.accepted, summary.uncertain, summary.left) == (1, 0, 0)


@pytest.mark.parametrize("how", ["stop", "cancel"])
def test_an_answer_that_does_not_come_while_stopping_is_uncertain(tmp_path, store, how):
    async def play():
        stop, client = asyncio.Event(), Client(a=asyncio.Event())
        store.put(world.prepared("gate", "a"))
        site = world.site_for(1, tmp_path, server={"answer_s": 0.1})
        running = asyncio.create_task(run(site, store, client, stop=stop))
        await client.in_air.wait()
        stop.set() if how == "stop" else running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running

    asyncio.run(play())
    assert store.counts()["uncertain"] == 1


def test_a_worker_that_goes_on_sends_what_comes_later(tmp_path, store):
    async def play():
        stop, client = asyncio.Event(), Client()
        running = asyncio.create_task(run(world.site_for(1, tmp_path), store, client, stop=stop))
        store.put(world.prepared("gate", "a"))
        await client.in_air.wait()
        stop.set()
        return await running

    assert asyncio.run(play()).accepted == 1


def test_a_run_takes_away_what_is_past_its_days(tmp_path, store):
    put = store.put(world.prepared("gate", "a", temperature=36.5))
    asyncio.run(run(world.site_for(1, tmp_path), store, Client(), once=True))
    assert "temperature" in store.body(put.id)
    with open_store(store.engine.url, later_ms=8 * 86_400_000) as later:
        asyncio.run(run(world.site_for(1, tmp_path), later, Client(), once=True))
    assert "temperature" not in store.body(put.id)


def test_a_wrong_configuration_ends_the_run_with_its_words(tmp_path, store):
    store.put(world.prepared("gate", "a"))
    client = Client(a=Answer("queued", "config", "900010101", "key 不存在！"))
    summary = asyncio.run(run(world.site_for(1, tmp_path), store, client))
    assert (summary.stopped, summary.left) == ("900010101 key 不存在！", 1)


def test_progress_is_told_after_each_answer(tmp_path, store):
    for number in range(3):
        store.put(world.prepared("gate", f"g{number}"))
    told = []
    site = world.site_for(1, tmp_path)
    asyncio.run(run(site, store, Client(), once=True, on_progress=lambda summary, item, state: told.append((item.label, state))))
    assert sorted(told) == [(f"gate g{number}*", "accepted") for number in range(3)]


def test_a_store_that_fails_ends_the_run_with_its_error(tmp_path, store):
    store.put(world.prepared("gate", "a"))

    class Broken(Client):
        async def send(self, item):
            raise RuntimeError("a fault of the program")

    with pytest.raises(RuntimeError, match="fault of the program"):
        asyncio.run(run(world.site_for(1, tmp_path), store, Broken(), once=True))


def test_ctrl_c_ends_a_run_cleanly(tmp_path, store):
    client = SimpleNamespace()

    async def make(stop):
        client.it = Client()
        store.put(world.prepared("gate", "a"))
        running = asyncio.create_task(run(world.site_for(1, tmp_path), store, client.it, stop=stop))
        await client.it.in_air.wait()
        os.kill(os.getpid(), signal.SIGINT)
        return await running

    before = signal.getsignal(signal.SIGINT)
    assert threading.current_thread() is threading.main_thread()
    assert worker.run_until_interrupted(make).accepted == 1
    assert signal.getsignal(signal.SIGINT) is before
