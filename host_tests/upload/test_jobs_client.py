"""Reports and queries over real connections: against the stand-in, through the outbox, and against a server that pages."""

import asyncio
import contextlib
from importlib import resources

import pytest
from aiohttp import web

from hanma.mock import chongqing
from hanma.upload import outbox
from hanma.upload.jobs import mapping
from hanma.upload.jobs.client import Chongqing, QueryError
from hanma.upload.jobs.compare import Difference, compare
from hanma.upload.jobs.merging import merge
from hanma.upload.jobs.reports import prepare, prepare_states
from hanma.upload.privacy import Vault
from hanma.upload.problems import Problem
from hanma.upload.record import Prepared
from hanma.upload.sending import worker
from hanma.upload.sending.transport import Transport
from hanma.upload.site import Server, Site, SiteError
from host_tests.upload.served import serving

from .jobs_follower import KEY, open_store
from .jobs_samples import GUARDIAN, HISTORY, MINUTE, STATES, T0, WELDER, draw

EXAMPLE = (resources.files("hanma.upload") / "data" / "chongqing-mapping.example.toml").read_text("utf-8")
DONE = merge(HISTORY).jobs["j-1"]
WAIT_S = 30
# The example as the stand-in speaks it: its paths, its answers, one number for all four reports.
SPOKEN = {
    'path = "/example/device/state"': 'path = "/report/state"',
    'path = "/example/job/apply"': 'path = "/report/application"',
    'path = "/example/job/guardian"': 'path = "/report/on"',
    'path = "/example/job/record"': 'path = "/report/off"',
    'path = "/example/query/basic"': 'path = "/query/basic"',
    'path = "/example/query/records"': 'path = "/query/records"',
    'rows = "data.list"': 'rows = "result"',
    'number = "data.applyId"\n': "",
    'applyId = "theirs.application"\n': "",
    "pages = { page": "# pages = { page",
    'to = { from = "window.to_ms"': '# to = { from = "window.to_ms"',
    'from = { from = "window.from_ms"': '# from = { from = "window.from_ms"',
    "ok = [200]\nknown = [409]\nagain = [503]": "ok = [200]",
}
CONTRACT = {
    "basic": {"entries": [
        {"kind": "terminal", "id": "T-1", "deviceNo": "D1"},
        {"kind": "terminal", "id": "T-2", "deviceNo": "D2"}, {"kind": "terminal", "id": "T-3", "deviceNo": "D2"},
        {"kind": "welder", "id": 7, "idNumber": WELDER.id_number},
        {"kind": "guardian", "id": "G-1", "idNumber": GUARDIAN.id_number},
    ]},
    "state": {"id": "time"},
    "application": {"id": "jobNo", "required": ["permit.no", "sitePhotos"], "references": {"terminalId": "terminal"}},
    "on": {"id": "jobNo", "required": ["photo", "guardianId"]},
    "off": {"id": "jobNo", "required": ["startTime", "endTime", "endLng", "endLat"]},
}


def spoken(text=EXAMPLE, **more):
    for old, new in {**SPOKEN, **more}.items():
        assert old in text
        text = text.replace(old, new)
    return text


class World:
    """A site with people, pictures and an outbox, and the client of a platform at an address."""

    def __init__(self, folder, url, text):
        (folder / "mapping.toml").write_text(text, "utf-8")
        (folder / "token").write_text("secret-token")
        (folder / "照片").mkdir(exist_ok=True)
        for name in ("site1.jpg", "site2.jpg", "both.jpg"):
            draw(folder / "照片" / name)
        server = Server(url=url, connect_s=5, answer_s=2, rate_per_s=1000)
        self.site = Site(name="s", platform="chongqing", directory=folder, server=server, credentials={"token": "file:token"})
        self.mapping = mapping.load(folder / "mapping.toml")
        self.people = open_store(folder)
        for person in (WELDER, GUARDIAN):
            self.people.put_person(person)
        self.outbox = outbox.open(f"sqlite:///{folder / 'outbox.db'}", Vault(KEY))

    def close(self):
        self.outbox.close()
        self.people.close()

    def run(self, play):
        """Run play(client) with connections of its own."""

        async def whole():
            transport = Transport(self.site.server)
            try:
                return await play(Chongqing(self.site, transport, self.mapping, self.people))
            finally:
                await transport.close()

        return asyncio.run(asyncio.wait_for(whole(), WAIT_S))

    def put(self, job=DONE, stated=()):
        """Put what is due into the outbox; returns the problems."""
        found = prepare(job, self.people, self.mapping, self.site) + prepare_states(stated, self.people, self.mapping, self.site)
        for one in found:
            if isinstance(one, Prepared):
                self.outbox.put(one)
        return [one for one in found if isinstance(one, Problem)]

    def send(self):
        return self.run(lambda client: worker.run(self.site, self.outbox, client, once=True))

    def look_up(self, job=DONE):
        return self.run(lambda client: client.look_up_missing(job))


@pytest.fixture
def platform():
    with serving(chongqing, chongqing.Options(chongqing.contract(CONTRACT))) as served:
        yield served


@pytest.fixture
def world(tmp_path, platform):
    made = World(tmp_path, str(platform.client.base_url), spoken())
    yield made
    made.close()


# ---- through the outbox to the stand-in


def test_ids_are_looked_up_first_and_then_the_three_reports_go_in_order(world, platform):
    assert {problem.rule.name for problem in world.put()} == {"report_id_unknown"}
    assert world.look_up() == []
    assert world.put(stated=STATES[1:3]) != []  # a state before the terminal said that it is there
    summary = world.send()
    assert (summary.accepted, summary.refused, summary.left) == (3, 0, 0)
    records = platform.client.post("/query/records", json={"jobNo": "j-1"}).json()["result"]
    assert [("welderId" in one, "guardianId" in one, "endTime" in one) for one in records] == [
        (True, False, False), (False, True, False), (False, False, True),
    ]
    assert records[0]["welderId"] == "7"
    assert records[0]["sitePhotos"][0].startswith("data:image/jpeg;base64,")


def test_device_states_go_out_too(world, platform):
    world.look_up()
    assert world.put(stated=STATES[:3]) != []
    assert world.send().accepted == 5
    states = platform.client.post("/query/records", json={"report": "state"}).json()["result"]
    assert [one["power"] for one in states] == ["0", "1"]


def test_what_the_platform_refuses_is_refused_in_its_words(world, platform):
    world.look_up()
    world.put()
    platform.order("refuse", endpoint="application", message="作业票无效")
    summary = world.send()
    assert (summary.refused, summary.waiting) == (1, 2)
    assert world.outbox.find(state="refused")[0].message == "作业票无效"


def test_a_report_whose_answer_was_cut_off_is_asked_for(world, platform):
    world.look_up()
    world.put()
    platform.order("cut_after", endpoint="application")
    assert world.send().uncertain == 1
    assert world.run(lambda client: client.ask(_Sent(world, "application"))) == "accepted"
    assert world.run(lambda client: client.ask(_Sent(world, "power_off"))) == "queued"


def test_nobody_can_tell_while_the_query_does_not_answer(world, platform):
    platform.order("http", endpoint="records", status=500)
    assert world.run(lambda client: client.ask(_Sent(world, "application"))) == "uncertain"


def test_nobody_can_tell_of_a_device_state(world):
    assert world.run(lambda client: client.ask(_Sent(world, "device_state"))) == "uncertain"


class _Sent:
    """An item of the outbox as the client sees it."""

    def __init__(self, world, table):
        self.table = table

    def body(self):
        return {"jobNo": "j-1"}

    def content(self):
        return b'{"jobNo":"j-1"}'


@pytest.mark.parametrize("job,rule", [
    (DONE.changed(device="D9"), "id_not_found"), (DONE.changed(device="D2"), "id_ambiguous"),
    (DONE.changed(welder=DONE.welder.changed(ref="w-9")), "id_not_asked"),
])
def test_an_id_that_can_not_be_told_is_a_problem_and_none_is_kept(job, rule, world):
    assert [problem.rule.name for problem in world.look_up(job)] == [rule]
    problem = world.look_up(job)[0]
    assert problem.text("zh") and problem.text("en")


def test_a_query_that_is_not_answered_is_a_problem(world, platform):
    platform.order("http", endpoint="basic", status=500)
    assert {problem.rule.name for problem in world.look_up()} == {"query_failed"}


def test_the_record_query_shows_what_is_missing_on_either_side_and_what_differs(world, platform):
    world.look_up()
    world.put()
    world.send()
    platform.client.post("/report/off", json={"jobNo": "j-7", "startTime": "x", "endTime": "y", "endLng": 1, "endLat": 1})
    rows = world.run(lambda client: client.records({}))
    other = DONE.changed(off=DONE.off.changed(at_ms=DONE.off.at_ms + MINUTE))
    assert compare({"j-1": DONE}, rows, world.people, world.mapping).different == ()
    shown = compare({"j-1": other, "j-2": DONE.changed(job="j-2")}, rows, world.people, world.mapping)
    assert (shown.missing_there, shown.missing_here) == (("j-2",), ("j-7",))
    assert shown.different == (Difference("j-1", "endTime", "2026-03-03 10:37:40", "2026-03-03 10:36:40"),)


# ---- against a server of a few lines


class Small:
    """Answers as told; keeps what it was asked."""

    def __init__(self):
        self.asked, self.answers = [], []

    async def handle(self, request):
        self.asked.append((request.path, dict(request.headers), await request.json()))
        status, body = self.answers.pop(0)
        return web.Response(status=status, text=body) if isinstance(body, str) else web.json_response(body, status=status)


@contextlib.asynccontextmanager
async def _small(small):
    app = web.Application()
    app.router.add_post("/{any:.*}", small.handle)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{site._server.sockets[0].getsockname()[1]}"
    finally:
        await runner.cleanup()


def with_small(tmp_path, play, *answers, text=EXAMPLE):
    """Run play(client) against a server that gives these answers; returns (result, what it was asked, the store)."""
    small = Small()
    small.answers = list(answers)

    async def whole():
        async with _small(small) as url:
            world = World(tmp_path, url, text)
            transport = Transport(world.site.server)
            try:
                result = await play(Chongqing(world.site, transport, world.mapping, world.people))
                return result, world.people.their_id("application", "j-1")
            finally:
                await transport.close()
                world.close()

    result, number = asyncio.run(asyncio.wait_for(whole(), WAIT_S))
    return result, small.asked, number


def sent(tmp_path, *answers, text=EXAMPLE):
    return with_small(tmp_path, lambda client: client.send(_Sent(None, "application")), *answers, text=text)


@pytest.mark.parametrize("status,body,state", [
    (200, {"code": 200}, "accepted"), (200, {"code": "200"}, "accepted"), (200, {"code": 409, "message": "已有"}, "accepted"),
    (200, {"code": 500, "message": "无此设备"}, "refused"), (200, {"code": 503}, "queued"), (200, "not json", "uncertain"),
    (500, "down", "queued"), (502, "gateway", "uncertain"), (404, "where", "queued"), (400, {"code": 500}, "refused"),
    (200, {}, "uncertain"),
])
def test_an_answer_means_what_the_mapping_says(status, body, state, tmp_path):
    assert sent(tmp_path, (status, body))[0].state == state


def test_a_request_carries_the_credential_and_the_body_as_it_is(tmp_path):
    _, asked, _ = sent(tmp_path, (200, {"code": 200}))
    path, headers, body = asked[0]
    assert (path, headers["Authorization"], body) == ("/example/job/apply", "Bearer secret-token", {"jobNo": "j-1"})


def test_the_platforms_number_of_an_accepted_application_is_kept(tmp_path):
    assert sent(tmp_path, (200, {"code": 200, "data": {"applyId": 77}}))[2] == "77"
    assert sent(tmp_path, (200, {"code": 500, "data": {"applyId": 78}}))[2] == "77"


def test_a_platform_without_codes_speaks_by_http_alone(tmp_path):
    text = EXAMPLE.replace('code = "code"\nok = [200]\nknown = [409]\nagain = [503]\n', "")
    assert sent(tmp_path, (201, {}), text=text)[0].state == "accepted"
    assert sent(tmp_path, (422, {"message": "错"}), text=text)[0].state == "refused"


def test_all_pages_of_records_are_fetched(tmp_path):
    text = EXAMPLE.replace("rows = 100", "rows = 2")
    pages = [(200, {"code": 200, "data": {"list": rows}}) for rows in ([{"jobNo": 1}, {"jobNo": 2}], [{"jobNo": 3}])]
    rows, asked, _ = with_small(tmp_path, lambda client: client.records({"window": {"from_ms": T0}}), *pages, text=text)
    assert [row["jobNo"] for row in rows] == [1, 2, 3]
    assert [body for _, _, body in asked] == [
        {"from": "2026-03-03 09:06:40", "pageNo": page, "pageSize": 2} for page in (1, 2)
    ]


def test_a_refused_query_is_an_error_in_the_platforms_words(tmp_path):
    async def play(client):
        with pytest.raises(QueryError, match="无权限"):
            await client.records({})

    with_small(tmp_path, play, (200, {"code": 403, "message": "无权限"}))


def test_a_server_that_is_not_there_leaves_the_report_queued(tmp_path):
    world = World(tmp_path, "http://127.0.0.1:9", EXAMPLE)
    try:
        assert world.run(lambda client: client.send(_Sent(None, "application"))).state == "queued"
    finally:
        world.close()


def test_a_credential_that_is_missing_is_told_at_once(tmp_path):
    world = World(tmp_path, "http://127.0.0.1:9", EXAMPLE)
    world.site = world.site.model_copy(update={"credentials": {}})
    try:
        with pytest.raises(SiteError, match="token"):
            world.run(lambda client: None)
    finally:
        world.close()


def test_no_log_tells_whom_a_query_asks_for(world, caplog):
    caplog.set_level("DEBUG")
    world.look_up()
    assert WELDER.id_number not in caplog.text
