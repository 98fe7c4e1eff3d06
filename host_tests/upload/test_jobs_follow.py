"""Facts from a journal and from a broker: nothing lost, nothing twice, whatever is killed, renamed or half written."""

import asyncio
import json
import random

import pytest

from hanma.carriage import Iotda, Plain
from hanma.upload.jobs.facts import Answered, Ordered, Switched
from hanma.upload.jobs.follow import Journal, Listener
from hanma.upload.jobs.store import Gap
from host_tests.unit.test_bench_platform import Bench

from .jobs_follower import event, follower, open_store, switched
from .jobs_samples import PLACE, T0

UP = "welder/D1/up"

pytestmark = pytest.mark.slow  # real processes and sockets


@pytest.fixture
def store(tmp_path):
    kept = open_store(tmp_path)
    yield kept
    kept.close()


def alarm(seq, boot=1, **detail):
    content = {"kind": "records_dropped", "start": T0, "end": T0, "boot": boot, "seq": seq, "detail": detail}
    return UP, {"actionCode": "E0", "content": content}


def line(topic, body, direction="up"):
    record = {"v": 1, "t_ms": T0, "what": "message", "dir": direction, "topic": topic, "payload": json.dumps(body)}
    return json.dumps(record).encode() + b"\n"


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


def test_a_follower_killed_again_and_again_keeps_every_fact_once(tmp_path, store):
    path = tmp_path / "journal.jsonl"
    path.write_bytes(b"".join(line(*event(seq)) for seq in range(1, 601)))
    patience = random.Random(4)
    for _ in range(3):
        with follower(tmp_path, "--journal", str(path), "--batch-b", "4096") as process:
            for _ in range(patience.randrange(1, 6)):
                assert process.stdout.readline().startswith("kept")
    kept = len(switched(store))
    assert 0 < kept < 600
    journal = reader(path, store)
    journal.read()
    assert switched(store) == [(1, seq) for seq in range(1, 601)]
    assert journal.new == 2 * (600 - kept)  # a switching is a fact about the job, and one about the device


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


def test_a_record_without_a_time_is_no_state_of_the_time_it_was_heard():
    listener = Listener(Plain())
    topic, body = event(1, time=None)
    position = {"actionCode": "EF", "content": {**PLACE, "time": None, "boot": 1, "seq": 2}}
    facts = [one for told in (body, position) for one in listener.hear(topic, json.dumps(told).encode(), T0)[0]]
    assert [(fact.fact, fact.at_ms) for fact in facts] == [("switched", None)]


def test_a_login_without_a_time_is_a_state_of_the_time_it_was_heard():
    body = json.dumps({"actionCode": "00", "content": {"relay": 0, "time": None}}).encode()
    (stated,) = Listener(Plain()).hear(UP, body, T0 + 5)[0]
    assert (stated.at_ms, stated.by, stated.online, stated.powered) == (T0 + 5, "platform", True, False)


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
