"""Sending to Shantou, over real connections to a small strict authority in this process."""

import asyncio
import contextlib
import logging
from datetime import date

import pytest

from hanma.upload import outbox
from hanma.upload.privacy import Vault
from hanma.upload.sending import worker
from hanma.upload.sending.shantou import Shantou, TokenError
from hanma.upload.sending.transport import Transport
from host_tests.upload import sending_world as world

PHOTO = bytes(range(256)) * 40


class Desk:
    """A site, its outbox and its authority."""

    def __init__(self, authority, site, store, client, transport):
        self.authority, self.site, self.store, self.client, self.transport = authority, site, store, client, transport

    def put(self, table, identity, **more):
        return self.store.put(world.prepared(table, identity, **more)).id

    def line(self, record_id):
        return self.store.find(ids=[record_id])[0]

    async def drain(self):
        return await worker.run(self.site, self.store, self.client, once=True)


@contextlib.asynccontextmanager
async def open_desk(directory, **more):
    authority = await world.Authority().start()
    site = world.site_for(authority.port, directory, **more)
    store = outbox.open(f"sqlite:///{directory / 'outbox.db'}", Vault(b"k" * 32), site="site", table_of=world.table_of)
    transport = Transport(site.server)
    try:
        yield Desk(authority, site, store, Shantou(site, transport, world.SHANTOU), transport)
    finally:
        await transport.close()
        store.close()
        await authority.close()


def in_a_desk(scenario, directory, **more):
    async def play():
        async with open_desk(directory, **more) as desk:
            return await scenario(desk)

    return asyncio.run(play())


def test_a_record_arrives_with_its_picture_as_the_body_said(tmp_path):
    async def scenario(desk):
        record = desk.put("gate", "440500199001011234", photo=PHOTO, name="张三", temperature=36.5)
        summary = await desk.drain()
        assert (summary.accepted, summary.left) == (1, 0)
        [body] = desk.authority.bodies
        assert list(body) == ["id", "name", "temperature", "photo"]
        assert body["photo"].startswith("data:image/jpeg;base64,AAEC")
        assert body["temperature"] == 36.5
        assert [one.state for one in desk.store.history(record)] == ["queued", "sending", "accepted"]

    in_a_desk(scenario, tmp_path)


@pytest.mark.parametrize(("until", "leaves"), [(date(2020, 1, 1), False), (date(9999, 1, 1), True)])
def test_a_health_field_that_lies_in_the_outbox_after_its_last_day_does_not_leave(tmp_path, until, leaves):
    async def scenario(desk):
        desk.put("worker_enter", "w", photo=PHOTO, riskarea="甲地")
        assert (await desk.drain()).accepted == 1
        [body] = desk.authority.bodies
        assert ("riskarea" in body) is leaves and body["photo"].startswith("data:") and body["id"] == "w"

    in_a_desk(scenario, tmp_path, epidemic={"basis": "某市某年某号文", "until": until})


@pytest.mark.parametrize(("form", "media"), [("json", "application/json"), ("form", "application/x-www-form-urlencoded")])
def test_the_token_is_asked_for_in_the_form_the_site_sets(tmp_path, form, media):
    async def scenario(desk):
        desk.put("dust", "d1")
        assert (await desk.drain()).accepted == 1
        assert desk.authority.token_requests == [media]

    in_a_desk(scenario, tmp_path, settings={"token_form": form})


def test_many_senders_share_one_token(tmp_path):
    async def scenario(desk):
        for number in range(30):
            desk.put("dust", f"d{number}")
        assert (await desk.drain()).accepted == 30
        assert desk.authority.tokens == 1

    in_a_desk(scenario, tmp_path)


def test_a_token_is_renewed_before_it_ends(tmp_path):
    async def scenario(desk):
        desk.authority.life_s = 0
        await desk.client.token()
        desk.client._until_s = 0  # its time has come
        await desk.client.token()
        assert desk.authority.tokens == 2

    in_a_desk(scenario, tmp_path)


@pytest.mark.parametrize("table", ["gate", "worker_out"])
def test_an_unknown_token_is_asked_for_again_once_and_the_record_sent_again(tmp_path, table):
    async def scenario(desk):
        desk.authority.faults["a"] = ["token"]
        record = desk.put(table, "a")
        assert (await desk.drain()).accepted == 1
        assert desk.authority.tokens == 2
        assert desk.line(record).attempts == 1

    in_a_desk(scenario, tmp_path)


def test_the_token_can_be_checked(tmp_path):
    async def scenario(desk):
        assert await desk.client.check()
        desk.authority.valid = set()
        assert not await desk.client.check()

    in_a_desk(scenario, tmp_path)


def test_wrong_credentials_stop_the_run_and_leave_the_record_queued(tmp_path):
    async def scenario(desk):
        (tmp_path / "user").write_text("nobody")
        desk.client = Shantou(desk.site, desk.transport, world.SHANTOU)
        record = desk.put("gate", "a")
        summary = await desk.drain()
        assert "用户不存在" in summary.stopped
        assert desk.line(record).state == "queued"
        with pytest.raises(TokenError):
            await desk.client.check()

    in_a_desk(scenario, tmp_path)


def test_a_refused_record_keeps_the_platforms_words(tmp_path):
    async def scenario(desk):
        desk.authority.faults["a"] = ["refuse"]
        record = desk.put("gate", "a")
        assert (await desk.drain()).refused == 1
        assert (desk.line(record).code, desk.line(record).message) == ("990025003", "闸机数据接入失败: 缺少照片")

    in_a_desk(scenario, tmp_path)


@pytest.mark.parametrize(
    ("table", "code", "message", "data", "state"),
    [
        ("gate", "0", "成功", False, "refused"),
        ("gate", "1", "请求成功", True, "refused"),
        ("gate", "77", "没写在文档里", False, "refused"),
        ("worker_out", "1", "请求成功", True, "accepted"),
        ("worker_out", "1", "缺少字段", True, "refused"),
        ("worker_out", "0", "成功", True, "accepted"),
        ("worker_out", "990025004", "闸机数据接入失败", False, "refused"),
    ],
)
def test_success_is_read_from_code_message_and_data(tmp_path, table, code, message, data, state):
    async def scenario(desk):
        desk.authority.faults["a"] = [(code, message, "data", data)]
        record = desk.put(table, "a")
        await desk.drain()
        assert desk.line(record).state == state

    in_a_desk(scenario, tmp_path)


@pytest.mark.parametrize(("code", "message"), [("900010104", "无权限！"), ("900010105", "无权限！")])
def test_where_codes_are_shifted_the_words_decide(tmp_path, code, message):
    async def scenario(desk):
        desk.authority.faults["a"] = [(code, message)] * 9
        record = desk.put("worker_out", "a")
        summary = await desk.drain()
        assert summary.barred == {"worker_out": f"{code} {message}"}
        assert desk.line(record).state == "queued"
        assert desk.authority.tokens == 1

    in_a_desk(scenario, tmp_path)


def test_a_table_without_permission_does_not_hold_up_the_others(tmp_path):
    async def scenario(desk):
        desk.authority.faults["a"] = [("900010104", "无权限！")] * 9
        desk.put("gate", "a")
        desk.put("dust", "b")
        summary = await desk.drain()
        assert (summary.accepted, summary.left) == (1, 1)

    in_a_desk(scenario, tmp_path)


@pytest.mark.parametrize("fault", ["system", "500", "503"])
def test_what_may_pass_is_tried_again(tmp_path, fault):
    async def scenario(desk):
        desk.authority.faults["a"] = [fault, fault]
        record = desk.put("gate", "a")
        assert (await desk.drain()).accepted == 1
        assert desk.line(record).attempts == 3
        assert desk.authority.ledger == [("gate", "a")]

    in_a_desk(scenario, tmp_path)


@pytest.mark.parametrize("fault", ["cut-before", "cut-after", "502"])
def test_a_lost_answer_about_a_person_waits_for_the_clerk(tmp_path, fault):
    async def scenario(desk):
        desk.authority.faults["a"] = [fault]
        record = desk.put("gate", "a")
        summary = await desk.drain()
        assert (summary.uncertain, desk.line(record).state) == (1, "uncertain")
        assert len(desk.authority.bodies) == 1

    in_a_desk(scenario, tmp_path)


def test_a_lost_answer_about_dust_is_sent_again_and_counted(tmp_path):
    async def scenario(desk):
        desk.authority.faults["a"] = ["cut-after"]
        desk.put("dust", "a")
        summary = await desk.drain()
        assert (summary.accepted, summary.resent) == (1, 1)
        assert desk.authority.ledger == [("dust", "a")] * 2
        assert desk.store.counts()["possible_duplicates"] == 1

    in_a_desk(scenario, tmp_path)


def test_a_child_goes_out_after_its_parent_and_never_before(tmp_path):
    async def scenario(desk):
        child = desk.put("worker_enter", "w1", parents=[("team", "t1")])
        desk.authority.faults["t1"] = ["system"]
        desk.put("team", "t1")
        assert desk.line(child).waits_for == (("team", "team t1*", "queued"),)
        assert (await desk.drain()).accepted == 2
        assert desk.authority.ledger == [("team", "t1"), ("worker_enter", "w1")]

    in_a_desk(scenario, tmp_path)


def test_the_child_of_a_refused_parent_waits_with_that_reason(tmp_path):
    async def scenario(desk):
        desk.authority.faults["t1"] = ["refuse"]
        desk.put("team", "t1")
        child = desk.put("worker_enter", "w1", parents=[("team", "t1")])
        summary = await desk.drain()
        assert (summary.refused, summary.waiting) == (1, 1)
        assert desk.line(child).waits_for == (("team", "team t1*", "refused"),)

    in_a_desk(scenario, tmp_path)


def test_no_more_requests_are_in_the_air_than_the_profile_allows(tmp_path):
    async def scenario(desk):
        for number in range(40):
            desk.put("dust", f"d{number}")
        await desk.drain()
        assert desk.authority.most_at_once <= 3

    in_a_desk(scenario, tmp_path, server={"concurrency": 3})


def test_a_server_that_is_not_there_leaves_all_queued_and_nothing_uncertain(tmp_path):
    async def scenario(desk):
        await desk.client.token()
        await desk.authority.close()
        record = desk.put("gate", "a")
        summary = await desk.drain()
        assert summary.stopped
        assert desk.line(record).state == "queued"

    in_a_desk(scenario, tmp_path, settings={"back_off_s": 40})


def test_an_answer_that_never_comes_is_given_up_and_held(tmp_path):
    async def scenario(desk):
        desk.authority.faults["a"] = ["slow"]
        record = desk.put("gate", "a")
        await desk.drain()
        assert desk.line(record).state == "uncertain"

    in_a_desk(scenario, tmp_path, server={"answer_s": 0.3})


def test_with_debug_logging_no_secret_token_or_id_is_in_any_line(tmp_path, caplog, guarded_logs):
    caplog.set_level(logging.DEBUG)

    async def scenario(desk):
        desk.authority.faults["440500199001011234"] = [("77", "身份证 440500199001011234 已存在")]
        desk.put("gate", "440500199001011234")
        desk.put("dust", "d1")
        await desk.drain()
        return desk.authority.valid.pop()

    token = in_a_desk(scenario, tmp_path)
    lines = "\n".join(logging.Formatter().format(record) for record in caplog.records)
    assert "send_request_headers" in lines
    for private in (token, world.SECRET, world.ACCESS_ID, "440500199001011234"):
        assert private not in lines


@pytest.fixture
def guarded_logs():
    from hanma.upload import privacy

    before = logging.getLogRecordFactory()
    privacy.guard_logs()
    yield
    logging.setLogRecordFactory(before)
