"""Facts from a journal and from a broker: nothing lost, nothing twice, whatever is killed, renamed or half written."""

import asyncio
import contextlib
import json
import random
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from hanma import toolchain
from hanma.bench import certificates
from hanma.carriage import Iotda, Plain
from hanma.upload.jobs import follow
from hanma.upload.jobs.facts import Answered, Ordered, Switched
from hanma.upload.jobs.follow import FollowError, Journal, Listener, settings_of
from hanma.upload.jobs.store import Gap
from hanma.upload.site import Site, SiteError
from host_tests.unit.test_bench_platform import Bench

from .jobs_follower import open_store
from .jobs_samples import MINUTE, PLACE, T0

UP = "welder/D1/up"
ROOT = Path(__file__).resolve().parents[2]
WAIT_S = 20


@pytest.fixture
def store(tmp_path):
    kept = open_store(tmp_path)
    yield kept
    kept.close()


def event(seq, relay=1, job="j-1", boot=1, device="D1", **more):
    body = {"relay": relay, "cause": "order", "job": job, "boot": boot, "seq": seq, "time": T0 + seq * MINUTE, **more}
    return f"welder/{device}/up", {"actionCode": "FF", "content": {"event": body}}


def alarm(seq, boot=1, **detail):
    content = {"kind": "records_dropped", "start": T0, "end": T0, "boot": boot, "seq": seq, "detail": detail}
    return UP, {"actionCode": "E0", "content": content}


def line(topic, body, direction="up"):
    record = {"v": 1, "t_ms": T0, "what": "message", "dir": direction, "topic": topic, "payload": json.dumps(body)}
    return json.dumps(record).encode() + b"\n"


def switched(store):
    return sorted((fact.boot, fact.seq) for fact in store.facts("switched"))


def reader(path, store):
    return Journal(path, store, Plain())


# ---- a journal


def test_a_journal_of_the_real_bench_gives_the_job_the_bench_knew(tmp_path, store):
    async def play():
        async with Bench(tmp_path) as bench:
            await bench.terminal.login()
            job_id = await bench.work()
            await bench.terminal.switched(1, "order", job_id)
            await bench.until(lambda: bench.job(job_id).on.seq is not None)
            await bench.platform.finish(job_id)
            await bench.terminal.switched(0, "order", job_id, position=PLACE)
            await bench.until(lambda: bench.job(job_id).off and bench.job(job_id).off.seq is not None)
            return bench.job(job_id)

    known = asyncio.run(asyncio.wait_for(play(), 40))
    reader(tmp_path / "journal.jsonl", store).read()
    merged = store.merged()
    job = merged.jobs[known.job]
    assert not merged.problems
    assert job.model_dump(exclude={"on", "off"}) == known.model_dump(exclude={"on", "off"})
    assert job.on == known.on
    assert job.off == known.off


def test_a_half_line_waits_for_its_end(tmp_path, store):
    path, whole = tmp_path / "journal.jsonl", line(*event(2))
    path.write_bytes(line(*event(1)) + whole[:40])
    journal = reader(path, store)
    assert (journal.read(), switched(store)) == (1, [(1, 1)])
    with path.open("ab") as file:
        file.write(whole[40:])
    assert (journal.read(), switched(store)) == (1, [(1, 1), (1, 2)])


def test_a_renamed_journal_is_read_to_its_end_and_the_new_one_from_its_beginning(tmp_path, store):
    path = tmp_path / "journal.jsonl"
    path.write_bytes(line(*event(1)))
    reader(path, store).read()
    with path.open("ab") as file:
        file.write(line(*event(2)))
    path.rename(tmp_path / "journal.jsonl.1")
    path.write_bytes(line(*event(3)) + line(*event(4)))
    reader(path, store).read()
    assert switched(store) == [(1, 1), (1, 2), (1, 3), (1, 4)]


def test_a_journal_that_was_emptied_is_read_from_its_beginning(tmp_path, store):
    path = tmp_path / "journal.jsonl"
    path.write_bytes(line(*event(1)) + line(*event(2)))
    reader(path, store).read()
    path.write_bytes(line(*event(3)))
    reader(path, store).read()
    assert switched(store) == [(1, 1), (1, 2), (1, 3)]


def test_what_was_read_is_not_read_again_by_the_next_reader(tmp_path, store):
    path = tmp_path / "journal.jsonl"
    path.write_bytes(line(*event(1)))
    assert reader(path, store).read() == 1
    assert reader(path, store).read() == 0


def test_lines_nobody_can_read_are_counted_and_passed_over(tmp_path, store):
    path = tmp_path / "journal.jsonl"
    deep = b'{"what":"message","dir":"up","t_ms":1,"topic":"welder/D1/up","payload":"' + b"[" * 50_000 + b'"}\n'
    path.write_bytes(b'{"torn\n[1]\n{"what":"job","t_ms":1,"job":{}}\n' + deep + line(*event(1)))
    journal = reader(path, store)
    journal.read()
    assert (journal.listener.unread, switched(store)) == (4, [(1, 1)])


def _killed_follower(folder, *options):
    command = [sys.executable, "-m", "host_tests.upload.jobs_follower", str(folder), *options]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)


@contextlib.contextmanager
def follower(folder, *options):
    process = _killed_follower(folder, *options)
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def test_a_follower_killed_again_and_again_keeps_every_fact_once(tmp_path, store):
    path = tmp_path / "journal.jsonl"
    path.write_bytes(b"".join(line(*event(seq)) for seq in range(1, 1201)))
    patience = random.Random(4)
    for _ in range(3):
        with follower(tmp_path, "--journal", str(path), "--batch-b", "4096") as process:
            for _ in range(patience.randrange(1, 12)):
                assert process.stdout.readline().startswith("kept")
    kept = len(switched(store))
    assert 0 < kept < 1200
    journal = reader(path, store)
    journal.read()
    assert switched(store) == [(1, seq) for seq in range(1, 1201)]
    assert journal.new == 2 * (1200 - kept)  # a switching is a fact about the job, and one about the device


# ---- numbers and gaps


def take(store, *messages):
    listener = Listener(Plain())
    for topic, body in messages:
        facts, number = listener.hear(topic, json.dumps(body).encode(), T0)
        store.take(facts, [number] if number else [])


def test_a_repeated_record_is_one_fact(store):
    take(store, event(1), event(1), event(2), event(1))
    assert switched(store) == [(1, 1), (1, 2)]


def test_numbers_that_did_not_come_are_a_gap_of_their_device_and_start(store):
    take(store, event(1), event(4), event(2, boot=3), event(1, device="D2"))
    assert store.gaps() == [Gap("D1", 1, (2, 3)), Gap("D1", 2, ()), Gap("D1", 3, (1,))]


def test_what_came_before_the_first_record_ever_heard_is_no_gap(store):
    take(store, event(700), event(701))
    assert store.gaps() == []


def test_dropped_records_explain_a_gap(store):
    take(store, event(1), event(5), alarm(6, rank=2, count=3, **{"from": [1, 2], "to": [1, 4]}))
    assert store.gaps() == [Gap("D1", 1, (), (2, 3, 4))]


def test_where_more_is_missing_than_was_dropped_only_what_was_named_is_explained(store):
    take(store, event(1), event(6), alarm(7, rank=2, count=2, **{"from": [1, 2], "to": [1, 5]}))
    assert store.gaps() == [Gap("D1", 1, (3, 4), (2, 5))]


def test_a_late_record_closes_its_gap(store):
    take(store, event(1), event(3))
    take(store, event(2))
    assert store.gaps() == []


def test_a_mad_count_does_not_hang_the_search_for_gaps(store):
    take(store, event(1), event(2**40), event(1, boot=2**40))
    assert len(store.gaps()) <= 1001


# ---- what messages say


def test_an_order_and_its_answer_in_iotdas_envelope_are_read():
    listener = Listener(Iotda())
    base = "$oc/devices/D1/sys/commands"
    order = {"command_name": "switch", "paras": {"actionCode": "1", "content": {"job": "j-1", "issued_ms": T0}}}
    answer = {"result_code": 0, "paras": {"success": True, "code": 200, "timestamp": 0}}
    told = listener.hear(f"{base}/request_id=r1", json.dumps(order).encode(), T0)[0]
    told += listener.hear(f"{base}/response/request_id=r1", json.dumps(answer).encode(), T0)[0]
    assert told == [
        Ordered(device="D1", request_id="r1", on=True, job="j-1", issued_ms=T0),
        Answered(device="D1", request_id="r1", code=200),
    ]


def test_a_heartbeat_a_minute_is_one_fact_until_the_terminal_goes():
    listener = Listener(Plain())
    beat = (UP, json.dumps({"actionCode": "FF", "content": {}}).encode(), T0)
    gone = (UP, json.dumps({"actionCode": "Z0", "content": {"reason": "lost"}}).encode(), T0)
    told = [[fact.online for fact in listener.hear(*message)[0]] for message in (beat, beat, gone, beat, beat)]
    assert told == [[True], [], [False], [True], []]


@pytest.mark.parametrize("content", [
    {"event": {"relay": 2, "boot": 1, "seq": 1}}, {"event": {"relay": 1, "boot": "1", "seq": 1}},
    {"event": {"relay": 1, "boot": 1, "seq": 2**70}}, {"event": {"relay": 1, "boot": -1, "seq": 1}},
])
def test_a_switching_without_a_usable_name_is_no_fact(content):
    body = json.dumps({"actionCode": "FF", "content": content}).encode()
    assert [fact for fact in Listener(Plain()).hear(UP, body, T0)[0] if isinstance(fact, Switched)] == []


@pytest.mark.parametrize("payload", [b"\xff", b"[1]", b"{", b'{"actionCode":"FF","content":{"event":{"relay":1,"boot":1,"seq":1,'
                                     b'"job":"\\ud800"}}}', b"[" * 70_000])
def test_a_message_nobody_can_read_is_counted(payload):
    listener = Listener(Plain())
    assert listener.hear(UP, payload, T0) == ([], None)
    assert listener.unread == 1


# ---- a broker


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return taken.getsockname()[1]


@contextlib.contextmanager
def mosquitto(folder, port, settings="allow_anonymous true", wait=True):
    """A broker that keeps sessions, on that port while the block runs. As root it would give up root, and with it the keys."""
    try:
        program = toolchain.mosquitto()
    except toolchain.Missing as missing:
        pytest.skip(str(missing))
    config = folder / f"{port}.conf"
    config.write_text(f"listener {port} 127.0.0.1\n{settings}\nuser root\npersistence false\nmax_queued_messages 0\n")
    process = subprocess.Popen([str(program), "-c", str(config)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        if wait:
            _until_listening(port, process)
        yield port
    finally:
        process.kill()
        process.wait()


@pytest.fixture(scope="module")
def broker(tmp_path_factory):
    """The port of a broker."""
    with mosquitto(tmp_path_factory.mktemp("mosquitto"), free_port()) as port:
        yield port


def _until_listening(port, process):
    end = time.monotonic() + WAIT_S
    while time.monotonic() < end and process.poll() is None:
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        time.sleep(0.02)
    raise AssertionError("the broker does not listen")


@pytest.fixture
def terminal(broker):
    """say(messages): publishes at QoS 1 and returns when the broker has everything."""
    client = mqtt.Client(CallbackAPIVersion.VERSION2, "terminal")
    client.connect("127.0.0.1", broker)
    client.loop_start()

    def say(*messages):
        for told in [client.publish(topic, json.dumps(body), qos=1) for topic, body in messages]:
            told.wait_for_publish(WAIT_S)

    yield say
    client.disconnect()
    client.loop_stop()


@contextlib.contextmanager
def listening(port, store, url="mqtt://127.0.0.1:{port}", credentials=None, **settings):
    """(Broker, failures) that follows in a thread while the block runs."""
    follows = {"follow": {"url": url.format(port=port), **settings}}
    heard = follow.Broker(Site(name="s", platform="chongqing", settings=follows, credentials=credentials or {}), store)
    stop, failures = threading.Event(), []

    def run():
        try:
            heard.follow(stop)
        except FollowError as error:
            failures.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield heard, failures
    finally:
        stop.set()
        thread.join(WAIT_S)
        assert not thread.is_alive()


def until(heard, condition):
    with heard.changed:
        assert heard.changed.wait_for(condition, WAIT_S)


def test_what_terminals_say_while_nobody_follows_is_told_later(broker, terminal, store):
    with listening(broker, store, client_id="away") as (heard, _):
        until(heard, lambda: heard.connected)
        terminal(event(1))
        until(heard, lambda: heard.messages == 1)
    terminal(event(2), event(3))
    with listening(broker, store, client_id="away") as (heard, _):
        until(heard, lambda: heard.messages == 2)
    assert switched(store) == [(1, 1), (1, 2), (1, 3)]


def test_orders_are_heard_beside_reports(broker, terminal, store):
    with listening(broker, store, client_id="orders") as (heard, _):
        until(heard, lambda: heard.connected)
        terminal(("welder/D1/command/r7", {"actionCode": "1", "content": {"job": "j-1", "issued_ms": T0}}), event(1))
        until(heard, lambda: heard.messages == 2)
    assert store.merged().jobs["j-1"].on.request_id == "r7"


def test_a_message_the_store_could_not_keep_stays_with_the_broker(broker, terminal, store, monkeypatch):
    with listening(broker, store, client_id="full") as (heard, failures), monkeypatch.context() as patch:
        until(heard, lambda: heard.connected)
        patch.setattr(store, "take", lambda *_: 1 / 0)
        terminal(event(1))
        until(heard, lambda: heard.error)
    assert isinstance(failures[0].__cause__, ZeroDivisionError)
    with listening(broker, store, client_id="full") as (heard, _):
        until(heard, lambda: heard.messages == 1)
    assert switched(store) == [(1, 1)]


def test_a_follower_killed_while_it_hears_loses_nothing(broker, terminal, tmp_path, store):
    where = ("--broker", f"mqtt://127.0.0.1:{broker}")
    with follower(tmp_path, *where) as process:
        assert process.stdout.readline() == "connected\n"
        terminal(*(event(seq) for seq in range(1, 101)))
        assert process.stdout.readline().startswith("kept")
    terminal(*(event(seq) for seq in range(101, 131)))
    with listening(broker, store) as (heard, _):
        until(heard, lambda: len(switched(store)) == 130)
    assert switched(store) == [(1, seq) for seq in range(1, 131)]


def test_a_broker_that_comes_late_and_goes_and_comes_is_connected_each_time(tmp_path, store):
    port = free_port()
    with listening(port, store) as (heard, _):
        for _ in range(2):
            with mosquitto(tmp_path, port, wait=False):
                until(heard, lambda: heard.connected)
            until(heard, lambda: not heard.connected)


def test_a_broker_is_spoken_to_over_tls_with_its_ca(tmp_path, store):
    files = certificates.make(tmp_path)
    settings = f"allow_anonymous true\ncertfile {files.certificate}\nkeyfile {files.key}"
    with mosquitto(tmp_path, free_port(), settings) as port:
        with listening(port, store, "mqtts://127.0.0.1:{port}", ca_file=str(files.ca)) as (heard, _):
            until(heard, lambda: heard.connected)
        other = certificates.make(tmp_path / "other", "other_ca")
        with listening(port, store, "mqtts://127.0.0.1:{port}", ca_file=str(other.ca)) as (heard, _):
            until(heard, lambda: heard.trouble)
            assert not heard.connected


def test_a_broker_that_refuses_us_is_an_error_without_the_password(tmp_path, store, monkeypatch):
    monkeypatch.setenv("BROKER_USER", "somebody")
    monkeypatch.setenv("BROKER_PASSWORD", "very-secret")
    known = {"broker_user": "env:BROKER_USER", "broker_password": "env:BROKER_PASSWORD"}
    port = free_port()
    with mosquitto(tmp_path, port, "allow_anonymous false"), listening(port, store, credentials=known) as (heard, failures):
        until(heard, lambda: heard.error)
    assert "refuses" in str(failures[0])
    assert "very-secret" not in str(failures[0])


@pytest.mark.parametrize("settings", [
    {}, {"journal": "a", "url": "mqtt://b"}, {"journal": "a", "profile": "other"}, {"url": "mqtt://b", "colour": 1}, [],
])
def test_settings_that_name_no_one_source_are_refused(settings):
    with pytest.raises(SiteError, match=r"\[settings.follow\]"):
        settings_of(Site(name="s", platform="chongqing", settings={"follow": settings}))


@pytest.mark.parametrize("url", ["http://b", "mqtt://", "mqtt://user:secret@b"])
def test_an_address_that_is_no_brokers_is_refused_without_its_secret(url, store):
    with pytest.raises(SiteError) as refused:
        follow.Broker(Site(name="s", platform="chongqing", settings={"follow": {"url": url}}), store)
    assert "secret" not in str(refused.value)
