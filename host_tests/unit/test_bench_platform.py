"""The platform against its own broker and a terminal of a few lines, in the terminal's message shapes."""

import asyncio
import json
import ssl
from datetime import date

import aiomqtt
import pytest

from hanma.bench import certificates, journal
from hanma.bench.broker import EmbeddedBroker
from hanma.bench.people import People
from hanma.bench.platform import Platform, PlatformError, wall_clock_ms
from hanma.bench.records import Device, Permit
from hanma.carriage import Iotda, Plain
from hanma.jobs import Certificate, Guardian, Welder

pytestmark = pytest.mark.slow  # real processes and sockets: not for `make check`

HOUR = 3_600_000
UP, COMMANDS = "welder/D1/up", "welder/D1/command/+"


class FakeTerminal:
    """Answers commands as told and says what it is asked to say."""

    def __init__(self, broker, tls_context=None):
        self.client = aiomqtt.Client(
            broker.host, broker.port, identifier="D1", keepalive=30, tls_context=tls_context,
            will=aiomqtt.Will(UP, _json({"actionCode": "Z0", "content": {"reason": "lost"}}), qos=1))
        self.commands = []
        self.heard = asyncio.Event()
        self.replies = {"1": (200, "on"), "0": (200, "off")}
        self.seq = 0

    async def __aenter__(self):
        await self.client.__aenter__()
        await self.client.subscribe(COMMANDS, qos=1)
        self._task = asyncio.create_task(self._serve())
        return self

    async def __aexit__(self, *_):
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        await self.client.__aexit__(None, None, None)

    async def _serve(self):
        async for message in self.client.messages:
            body = json.loads(message.payload)
            self.commands.append(body)
            self.heard.set()
            reply = self.replies[body["actionCode"]]
            if reply:
                topic = message.topic.value.replace("/command/", "/response/")
                code, answer = reply
                await self.client.publish(topic, _json({
                    "success": code == 200, "code": code, "message": answer, "result": {"answer": answer},
                    "timestamp": wall_clock_ms()}), qos=1)

    async def say(self, code, content):
        await self.client.publish(UP, _json({"actionCode": code, "content": content}), qos=1)

    async def login(self):
        await self.say("00", {"device_id": "D1", "relay": 0, "state": "LOCKED", "time": wall_clock_ms()})

    async def switched(self, relay, cause, job, **fields):
        self.seq += 1
        event = {"relay": relay, "cause": cause, "job": job, "boot": 1, "seq": self.seq}
        await self.say("FF", {"event": {**event, "time": wall_clock_ms(), **fields}})


class Bench:
    """Everything on loopback: broker, platform, store and journal, and a terminal."""

    def __init__(self, directory, **platform):
        self.path, self.options = directory, platform

    async def __aenter__(self):
        self.broker = await EmbeddedBroker(log_path=self.path / "broker.jsonl").start()
        self.people = People(self.path / "people.sqlite")
        _fill(self.people)
        self.journal = journal.Journal(self.path / "journal.jsonl", wall_clock_ms)
        self.platform = Platform(self.broker.url, self.people, self.journal, **self.options)
        self._task = asyncio.create_task(self.platform.run())
        await asyncio.wait_for(self.platform.connected.wait(), 10)
        self.terminal = await FakeTerminal(self.broker).__aenter__()
        return self

    async def __aexit__(self, *_):
        await self.terminal.__aexit__()
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        await self.broker.stop()
        self.journal.close()
        self.people.close()

    async def until(self, condition):
        assert await self.platform.wait_until(condition, 10)

    def view(self):
        return self.platform.devices.get("D1")

    def job(self, job_id):
        return self.platform.rules.jobs[job_id]

    async def work(self):
        """A good welder at work: returns the job id."""
        job_id = (await self.platform.scan("D1", "w1")).job.job
        await self.platform.confirm(job_id, "g1")
        return job_id

    def records(self, what):
        return [record for record in journal.read(self.journal.path) if record["what"] == what]


def _json(body):
    return json.dumps(body).encode()


def _fill(people):
    now = wall_clock_ms()
    good = Certificate(kind="050", number="T-SECRET", work="熔化焊接与热切割作业", valid_to=date(2999, 1, 1))
    people.put(Device(id="D1"))
    people.put(Welder(ref="w1", name="张三", certificates=(good,)))
    people.put(Welder(ref="w2", name="王五", certificates=(good.changed(valid_to=date(2020, 1, 1)),)))
    people.put(Guardian(ref="g1", name="李四"))
    people.put(Permit(no="P1", device="D1", from_ms=now - HOUR, to_ms=now + HOUR))


def run(play):
    """Runs one coroutine; a hang is a failure."""
    return asyncio.run(asyncio.wait_for(play, 40))


def on_a_bench(directory, play, **platform):
    async def whole():
        async with Bench(directory, **platform) as bench:
            return await play(bench)

    return run(whole())


def test_a_good_scan_and_a_guardians_word_order_the_terminal_on(tmp_path):
    async def play(bench):
        job_id = await bench.work()
        (command,) = bench.terminal.commands
        assert command["actionCode"] == "1"
        assert command["content"]["job"] == job_id
        assert command["content"]["barred"] is False
        assert abs(command["content"]["issued_ms"] - wall_clock_ms()) < 60_000
        assert bench.job(job_id).state == "on"
        (answer,) = bench.platform.answers
        assert answer.code == 200 and answer.took_ms > 0

    on_a_bench(tmp_path, play)


def test_nothing_is_sent_for_an_expired_certificate(tmp_path):
    async def play(bench):
        outcome = await bench.platform.scan("D1", "w2")
        assert outcome.refusal.code == "certificate_expired"
        assert (await bench.platform.confirm(outcome.job.job, "g1")).refusal.code == "job_not_waiting"
        await bench.platform.stop("D1")  # a message after which an order would have arrived
        assert [command["actionCode"] for command in bench.terminal.commands] == ["0"]

    on_a_bench(tmp_path, play)


def test_the_terminal_never_hears_a_name_or_a_certificates_number(tmp_path):
    async def play(bench):
        job_id = await bench.work()
        await bench.platform.finish(job_id)
        heard = json.dumps(bench.terminal.commands, ensure_ascii=False)
        kept = (tmp_path / "journal.jsonl").read_text() + (tmp_path / "broker.jsonl").read_text()
        assert not any(secret in heard + kept for secret in ("张三", "李四", "T-SECRET"))

    on_a_bench(tmp_path, play)


def test_the_journal_tells_a_job_from_scan_to_off_with_cause_times_and_place(tmp_path):
    async def play(bench):
        await bench.terminal.say("EF", {"source": "gnss", "lng": "106.5512340", "lat": "29.5630020"})
        job_id = await bench.work()
        await bench.terminal.switched(1, "order", job_id)
        await bench.until(lambda: bench.job(job_id).on.seq == 1)
        await bench.platform.finish(job_id)
        await bench.terminal.switched(0, "order", job_id)
        await bench.until(lambda: bench.job(job_id).off.seq == 2)
        steps = [record["job"]["state"] for record in bench.records("job")]
        assert list(dict.fromkeys(steps)) == ["applied", "guarded", "ordered", "on", "off"]
        last = journal.jobs(bench.journal.path)[job_id]
        assert last["off"]["position"]["lng"] == "106.5512340"
        assert last["off"]["cause"] == "order" and last["times"] == "terminal"
        assert last["on"]["relay_ms"] <= last["off"]["at_ms"]

    on_a_bench(tmp_path, play)


def test_every_message_is_in_the_journal_in_both_directions(tmp_path):
    async def play(bench):
        await bench.terminal.login()
        await bench.until(bench.view)
        await bench.platform.stop("D1")
        assert {record["dir"] for record in bench.records("message")} == {"up", "down"}
        assert any(record["topic"] == UP for record in bench.records("message"))

    on_a_bench(tmp_path, play)


def test_a_stop_nobody_answered_is_sent_again_under_its_id_until_it_is_carried_out(tmp_path):
    async def play(bench):
        await bench.terminal.login()
        job_id = await bench.work()
        bench.terminal.replies["0"] = None
        await bench.platform.finish(job_id)
        assert bench.job(job_id).state == "on"
        stop_id = bench.job(job_id).off.request_id
        bench.terminal.replies["0"] = (200, "off")
        await bench.until(lambda: bench.job(job_id).state == "off")
        assert bench.job(job_id).off.request_id == stop_id

    on_a_bench(tmp_path, play, answer_timeout_s=0.3)


def test_a_stop_under_way_is_not_sent_twice_when_the_terminal_logs_in_meanwhile(tmp_path):
    async def play(bench):
        job_id = await bench.work()
        bench.terminal.replies["0"] = None
        bench.terminal.heard.clear()
        finishing = asyncio.create_task(bench.platform.finish(job_id))
        await asyncio.wait_for(bench.terminal.heard.wait(), 10)
        await bench.terminal.login()
        await bench.until(lambda: bench.view() and bench.view().counts["login"] == 1)
        bench.terminal.replies["0"] = (200, "off")
        await bench.platform.out_of_service("D1", False)  # what would have come first, has come
        assert [command["actionCode"] for command in bench.terminal.commands] == ["1", "0", "0"]
        assert "out_of_service" in bench.terminal.commands[2]["content"]
        finishing.cancel()

    on_a_bench(tmp_path, play, answer_timeout_s=5)


def test_a_terminal_that_refuses_is_believed(tmp_path):
    async def play(bench):
        bench.terminal.replies["1"] = (500, "out_of_service")
        job_id = await bench.work()
        assert bench.job(job_id).state == "refused"
        assert "out_of_service" in bench.job(job_id).refusal.en

    on_a_bench(tmp_path, play)


def test_a_report_for_a_job_that_has_ended_is_met_with_a_stop(tmp_path):
    async def play(bench):
        bench.terminal.replies["1"] = (500, "stale")
        job_id = await bench.work()
        await bench.terminal.switched(1, "order", job_id)
        await bench.until(lambda: len(bench.terminal.commands) == 2)
        assert bench.terminal.commands[1]["actionCode"] == "0"

    on_a_bench(tmp_path, play)


def test_a_heartbeat_of_changes_is_laid_over_what_is_known(tmp_path):
    async def play(bench):
        await bench.terminal.say("FF", {"relay": 0, "state": "LOCKED", "rsrp": -90, "uptime_s": 60})
        await bench.terminal.say("FF", {"rsrp": -100})
        await bench.terminal.say("FF", {"state": "EMERGENCY", "reason": None})
        await bench.until(lambda: bench.view() and bench.view().counts["heartbeat"] == 3)
        assert bench.view().facts == {
            "relay": 0, "state": "EMERGENCY", "rsrp": -100, "uptime_s": 60, "reason": None}

    on_a_bench(tmp_path, play)


def test_alarms_stand_until_the_terminal_says_that_they_are_over(tmp_path):
    async def play(bench):
        await bench.terminal.say("E0", {"kind": "tamper", "start": 1})
        await bench.terminal.say("E0", {"kind": "clock", "start": None})
        await bench.terminal.say("E0", {"kind": "clock", "start": None, "end": None})
        await bench.until(lambda: bench.view() and bench.view().counts["alarm"] == 3)
        assert list(bench.view().alarms) == ["tamper"]

    on_a_bench(tmp_path, play)


def test_a_terminal_that_vanishes_is_offline_by_its_last_will(tmp_path):
    async def play(bench):
        await bench.terminal.login()
        await bench.until(lambda: bench.view() and bench.view().online)
        async with FakeTerminal(bench.broker):  # the same id from elsewhere: the broker drops the first
            await bench.until(lambda: not bench.view().online)

    on_a_bench(tmp_path, play)


def test_rubbish_from_a_terminal_is_counted_and_does_no_harm(tmp_path):
    async def play(bench):
        rubbish = [b"", b"\xff\xfe", b"[]", b'"00"', b"{}", b'{"actionCode":"99","content":{}}',
                   b'{"actionCode":"FF","content":{"event":{"relay":"x","seq":"y","job":[1]}}}']
        for payload in rubbish:
            await bench.terminal.client.publish(UP, payload, qos=1)
        await bench.terminal.login()
        await bench.until(lambda: bench.view() and bench.view().counts["login"] == 1)
        assert bench.view().unreadable == 6
        assert await bench.work()

    on_a_bench(tmp_path, play)


def test_taking_a_device_out_of_service_tells_the_terminal_and_bars_scans(tmp_path):
    async def play(bench):
        await bench.platform.out_of_service("D1", True)
        assert bench.terminal.commands[0]["content"]["out_of_service"] is True
        assert (await bench.platform.scan("D1", "w1")).refusal.article == 10
        await bench.platform.out_of_service("D1", False)
        assert (await bench.platform.scan("D1", "w1")).refusal is None

    on_a_bench(tmp_path, play)


def test_the_platform_comes_back_when_the_broker_does(tmp_path):
    async def play(bench):
        port = bench.broker.port
        await bench.broker.stop()
        await bench.until(lambda: not bench.platform.connected.is_set())
        assert (await bench.platform.stop("D1")).code is None
        async with EmbeddedBroker(port=port):
            await bench.until(bench.platform.connected.is_set)

    on_a_bench(tmp_path, play)


def test_the_broker_logs_what_it_saw_itself(tmp_path):
    async def play(bench):
        await bench.terminal.login()
        await bench.until(bench.view)

    on_a_bench(tmp_path, play)
    log = [json.loads(line) for line in (tmp_path / "broker.jsonl").read_text().splitlines()]
    mine = [record for record in log if record["client"] == "D1"]
    assert [record["event"] for record in mine] == ["connected", "subscribed", "message", "disconnected"]
    assert json.loads(mine[2]["payload"])["actionCode"] == "00"


def test_passwords_are_asked_for_where_there_are_users(tmp_path):
    async def play():
        async with EmbeddedBroker(users={"a": "b"}, log_path=tmp_path / "log") as broker:
            async with aiomqtt.Client(broker.host, broker.port, username="a", password="b"):
                pass
            with pytest.raises(aiomqtt.MqttError):
                async with aiomqtt.Client(broker.host, broker.port, username="a", password="x"):
                    pass

    run(play())
    assert '"refused"' in (tmp_path / "log").read_text()


FAULTS = {
    "good": None, "expired": "has expired", "not_yet_valid": "not yet valid", "wrong_name": "not valid for",
    "other_ca": "unable to get local issuer",
}


@pytest.mark.parametrize("kind", certificates.KINDS)
def test_each_test_certificate_fails_for_its_own_reason_and_the_good_one_not_at_all(tmp_path, kind):
    files = certificates.make(tmp_path, kind)

    async def play():
        async with EmbeddedBroker(tls=files) as broker:
            context = ssl.create_default_context(cafile=files.ca)
            _, writer = await asyncio.open_connection(broker.host, broker.port, ssl=context)
            writer.close()
            await writer.wait_closed()

    if FAULTS[kind] is None:
        run(play())
    else:
        with pytest.raises(ssl.SSLCertVerificationError, match=FAULTS[kind]):
            run(play())


def test_the_platform_itself_speaks_tls_with_a_ca_file(tmp_path):
    files = certificates.make(tmp_path)

    async def play():
        async with EmbeddedBroker(tls=files) as broker:
            with journal.Journal(tmp_path / "journal", wall_clock_ms) as kept:
                platform = Platform(broker.url, People(":memory:"), kept, ca_file=files.ca)
                task = asyncio.create_task(platform.run())
                await asyncio.wait_for(platform.connected.wait(), 10)
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)

    run(play())


def test_an_address_that_is_none_is_refused_with_an_example(tmp_path):
    async def play():
        with journal.Journal(tmp_path / "journal", wall_clock_ms) as kept:
            Platform("http://x", People(":memory:"), kept)

    with pytest.raises(PlatformError, match="mqtt://host:port"):
        run(play())


# ---- envelopes, journal and store without a broker

RID = "request_id=r1"


@pytest.mark.parametrize(("topic", "payload", "body"), [
    ("messages/up", {"actionCode": "00", "content": {}}, {"actionCode": "00", "content": {}}),
    ("messages/up", {"name": None, "content": {"actionCode": "FF"}}, {"actionCode": "FF"}),
    ("messages/up", {"content": '{"actionCode":"FF"}'}, {"actionCode": "FF"}),
    ("commands/response/" + RID, {"success": True, "code": 200}, {"success": True, "code": 200}),
    ("commands/response/" + RID, {"result_code": 0, "paras": {"code": 200}}, {"code": 200}),
])
def test_what_comes_up_through_iotda_is_read_bare_and_in_envelopes(topic, payload, body):
    uplink = Iotda().parse("$oc/devices/D1/sys/" + topic, _json(payload))
    assert (uplink.device, uplink.body) == ("D1", body)
    assert uplink.request_id == ("r1" if RID in topic else None)


def test_commands_go_down_under_their_request_id():
    body = {"actionCode": "1", "content": {}}
    assert Plain().command("D1", "r1", body) == ("welder/D1/command/r1", b'{"actionCode":"1","content":{}}')
    topic, payload = Iotda().command("D1", "r1", body)
    assert topic == "$oc/devices/D1/sys/commands/request_id=r1"
    assert json.loads(payload)["paras"] == body
    assert json.loads(Iotda(bare=True).command("D1", "r1", body)[1]) == body


def test_iotda_time_sync_is_answered_with_the_platforms_times():
    iotda = Iotda()
    asked = {"services": [{"service_id": "$time_sync", "event_type": "time_sync_request",
                           "paras": {"device_send_time": 5}}]}
    uplink = iotda.parse("$oc/devices/D1/sys/events/up", _json(asked))
    topic, payload = iotda.answer_event(uplink, 99)
    assert topic == "$oc/devices/D1/sys/events/down"
    assert json.loads(payload)["services"][0]["paras"] == {
        "device_send_time": 5, "server_recv_time": 99, "server_send_time": 99}


def test_a_journal_cut_in_the_middle_of_a_line_goes_on_with_whole_lines(tmp_path):
    path = tmp_path / "journal"
    with journal.Journal(path, lambda: 1) as kept:
        kept.note("first")
    with path.open("ab") as file:
        file.write(b'{"v":1,"what":"no')
    with journal.Journal(path, lambda: 2) as kept:
        kept.note("second")
        kept.message("up", "t", b"\xff\x00")
    kept = [record.get("kind") or record["hex"] for record in journal.read(path)]
    assert kept == ["first", "second", "ff00"]


def test_the_store_keeps_what_it_was_given_for_the_owner_only(tmp_path):
    path = tmp_path / "people.sqlite"
    _fill(People(path))
    again = People(path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert again.welder("w1").name == "张三" and again.guardian("g1") and again.permits("D1")
    assert again.remove("welders", "w1") and again.welder("w1") is None
    assert not again.remove("welders", "w1")
