"""The outbox on PostgreSQL: a private cluster in a directory of its own, on a free port, and several workers on it."""

import os
import pathlib
import pwd
import shutil
import socket
import subprocess
import tempfile
import threading

import pytest

from hanma.upload import outbox
from hanma.upload.privacy import Vault
from host_tests.upload import sending_world as world
from host_tests.upload.test_worker import authority, finish, reconcile, start_worker, taken

pytestmark = pytest.mark.slow
LATER_MS = 3_600_000


def _as_postgres(command):
    """initdb and postgres refuse to be root: Debian's package has made a user for them."""
    return ["runuser", "-u", "postgres", "--", *command] if os.geteuid() == 0 else command


@pytest.fixture(scope="module")
def cluster(postgresql_programs):
    """A running PostgreSQL; gives the URL of its server, without a database."""
    directory = pathlib.Path(tempfile.mkdtemp(prefix="hanma-pg-"))
    if os.geteuid() == 0:
        os.chown(directory, pwd.getpwnam("postgres").pw_uid, -1)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    data = directory / "data"
    make = [postgresql_programs / "initdb", "-D", data, "-U", "hanma", "-A", "trust", "-E", "UTF8", "--no-sync", "--locale=C"]
    subprocess.run(_as_postgres([str(part) for part in make]), check=True, capture_output=True, cwd=directory)
    start = [postgresql_programs / "pg_ctl", "-D", data, "-w", "-t", "60", "-l", directory / "log"]
    options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c fsync=off"
    start += ["-o", options]
    subprocess.run(_as_postgres([*map(str, start), "start"]), check=True, stdout=subprocess.DEVNULL, cwd=directory)
    try:
        yield f"postgresql+psycopg://hanma@127.0.0.1:{port}"
    finally:
        stop = [postgresql_programs / "pg_ctl", "-D", data, "-w", "-m", "immediate", "stop"]
        subprocess.run(_as_postgres([*map(str, stop)]), check=True, stdout=subprocess.DEVNULL, cwd=directory)
        shutil.rmtree(directory)


@pytest.fixture
def url(cluster):
    """The URL of a database of this test's own."""
    import psycopg

    name = "t" + os.urandom(6).hex()
    address = cluster.replace("+psycopg", "")
    with psycopg.connect(f"{address}/postgres", autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    return f"{cluster}/{name}"


def open_store(url, later_ms=0):
    return outbox.open(url, Vault(b"k" * 32), site="site", table_of=world.table_of, clock=lambda: outbox.now_ms() + later_ms)


def together(*steps):
    """Run steps in threads that start at once; return their results."""
    barrier, results = threading.Barrier(len(steps)), [None] * len(steps)

    def play(number):
        barrier.wait()
        results[number] = steps[number]()

    threads = [threading.Thread(target=play, args=(number,)) for number in range(len(steps))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def test_a_record_goes_through_its_states_as_on_sqlite(url):
    with open_store(url) as store:
        put = store.put(world.prepared("gate", "a", photo=b"picture" * 99, name="张三"))
        assert store.put(world.prepared("gate", "a", photo=b"picture" * 99, name="张三")).outcome == "same"
        held = store.put(world.prepared("gate", "a", name="张四"))
        assert (held.outcome, store.confirm(held.id)) == ("correction", put.id)
        [item] = store.claim("me", "shantou")
        assert item.body()["name"] == "张四"
        store.settle(item, "accepted", "0", "成功")
        assert [moment.state for moment in store.history(put.id)] == ["queued", "queued", "sending", "accepted"]
        assert store.counts()["accepted"] == 1


def test_several_processes_may_make_the_tables_at_once(url):
    stores = together(*[lambda: open_store(url)] * 4)
    outcomes = together(*(lambda store=store: store.put(world.prepared("gate", "a")).outcome for store in stores))
    for store in stores:
        store.close()
    assert sorted(outcomes) == ["new", "same", "same", "same"]


def test_claims_of_several_machines_never_meet(url):
    with open_store(url) as one, open_store(url) as two:
        list(one.put_all(world.prepared("gate", f"g{number}") for number in range(60)))
        claims = together(*(lambda store=store: store.claim("x", "shantou", 15) for store in (one, two, one, two)))
        ids = [item.id for items in claims for item in items]
        assert len(ids) == len(set(ids)) == 60


def test_two_parents_accepted_at_once_let_their_child_go(url):
    with open_store(url) as one, open_store(url) as two:
        for number in range(15):
            parents = [("team", f"a{number}"), ("team", f"b{number}")]
            child = one.put(world.prepared("worker_enter", f"w{number}", parents=parents)).id
            for name in "ab":
                one.put(world.prepared("team", f"{name}{number}"))
            first, second = one.claim("x", "shantou", 2)
            together(lambda item=first: one.settle(item, "accepted"), lambda item=second: two.settle(item, "accepted"))
            assert one.find(ids=[child])[0].state == "queued"
            [item] = one.claim("x", "shantou", 5)
            one.settle(item, "accepted")


def test_a_child_put_while_its_parent_is_accepted_does_not_wait_for_ever(url):
    with open_store(url) as one, open_store(url) as two:
        for number in range(15):
            one.put(world.prepared("team", f"t{number}"))
            [item] = one.claim("x", "shantou")
            child = world.prepared("worker_enter", f"w{number}", parents=[("team", f"t{number}")])
            _, put = together(lambda item=item: one.settle(item, "accepted"), lambda child=child: two.put(child))
            assert one.find(ids=[put.id])[0].state == "queued"
            [item] = one.claim("x", "shantou", 5)
            one.settle(item, "accepted")


def test_batches_and_their_numbers_are_unique_across_machines(url):
    with open_store(url) as one, open_store(url) as two:
        for number in range(20):
            one.put(world.hazard(f"h{number}"))
        claims = together(*(lambda store=store: store.claim("x", "jiangsu", 5, batch=True) for store in (one, two, one, two)))
        numbers = [{item.batch_no for item in items} for items in claims]
        assert all(len(number) == 1 for number in numbers)
        assert len(set.union(*numbers)) == 4
        assert sum(len(items) for items in claims) == 20


def test_two_workers_on_one_database_send_each_record_once(url, tmp_path):
    ledger = tmp_path / "ledger"
    with open_store(url) as store:
        list(store.put_all(world.prepared("gate", f"g{number}") for number in range(120)))
    with authority(ledger) as port:
        both = [start_worker(url, port, tmp_path) for _ in range(2)]
        summaries = [finish(process)[1] for process in both]
    assert sum(summary["accepted"] for summary in summaries) == 120
    assert sorted(taken(ledger).values()) == [1] * 120


@pytest.mark.parametrize(("where", "after"), [("commit", 3), ("answered", 5)])
def test_what_a_killed_worker_left_is_taken_up_by_another(url, tmp_path, where, after):
    ledger, ids = tmp_path / "ledger", {}
    with open_store(url) as store:
        for number in range(10):
            for table in ("gate", "dust"):
                ids[table, f"{table}{number}"] = store.put(world.prepared(table, f"{table}{number}")).id
    with authority(ledger) as port:
        assert finish(start_worker(url, port, tmp_path, "--at", where, "--after", after))[0] < 0
        assert finish(start_worker(url, port, tmp_path, "--later-ms", LATER_MS))[0] == 0
    counts = reconcile(url, ids, ledger)
    assert counts["queued"] == counts["sending"] == 0
    assert counts["accepted"] + counts["uncertain"] == 20
