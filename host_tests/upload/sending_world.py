"""What the tests of sending share: a platform made by hand, records for it, and a small strict authority with a ledger.

`python -m host_tests.upload.sending_world LEDGER` is the authority as a process: it prints its port; each record it takes is
a line of LEDGER, on the disk before the answer goes out.
"""

import argparse
import asyncio
import hashlib
import json
import os
import sys
from datetime import datetime, timedelta

from aiohttp import web

from hanma.upload.catalogue import Field, Platform, Table
from hanma.upload.record import Attachment, Prepared
from hanma.upload.site import Server, Site

USER, SECRET = "a-user", "qN08e7HmNpc6BTHB3H8E1g=="
APPID = "appid-of-the-site"
ACCESS_ID = hashlib.md5(USER.encode()).hexdigest()
COMMON = {
    "0": "ok",
    "900010101": "config",
    "900010102": "config",
    "900010103": "token",
    "900010104": "permission",
    "900010199": "server",
}
SHIFTED = {
    "1": "ok",
    "900010102": "config",
    "900010103": "config",
    "900010104": "token",
    "900010105": "permission",
    "900010200": "server",
}


def _table(key, title, uncertain, parents=(), errors=COMMON, identity=("id",)):
    fields = (
        Field("id", "编号", privacy="id"),
        Field("name", "姓名", privacy="name"),
        Field("temperature", "体温", privacy="health"),
        Field("photo", "照片", type="image", privacy="face"),
    )
    path = f"/api/{key}/{{accesstoken}}"
    return Table("shantou", key, title, fields, path, identity=identity, parents=parents, uncertain=uncertain, errors=errors)


SHANTOU = Platform(
    "shantou",
    "汕头",
    {
        one.key: one
        for one in (
            _table("dust", "扬尘", "resend"),
            _table("team", "班组", "hold"),
            _table("worker_enter", "进场", "hold", (("team", {"id": "team"}),)),
            _table("gate", "考勤", "hold"),
            _table("worker_out", "撤场", "hold", errors=SHIFTED),
        )
    },
    {},
    {},
)
JIANGSU = Platform(
    "jiangsu",
    "江苏",
    {"hazard": Table("jiangsu", "hazard", "隐患", (Field("ID", "记录"),), code="09", uncertain="resend_same_batch")},
    {},
    {},
)
PLATFORMS = {"shantou": SHANTOU, "jiangsu": JIANGSU}


def table_of(platform, table):
    """Return a table of the hand-made platforms."""
    return PLATFORMS[platform].tables[table]


def prepared(table, identity, *, parents=(), photo=None, happened_ms=None, label=None, **more):
    """Return a Prepared record for Shantou."""
    body = {"id": identity, **more}
    if photo is not None:
        body["photo"] = Attachment(f"{identity}.jpg", data=photo, media="image/jpeg")
    parents = tuple((key, (one,)) for key, one in parents)
    return Prepared("shantou", table, body, (identity,), parents, label or f"{table} {identity[:3]}*", happened_ms)


def hazard(identity, **more):
    """Return a Prepared record for Jiangsu."""
    body = {"ID": identity, "updateDate": "2026-11-21", **more}
    return Prepared("jiangsu", "hazard", body, (identity,), (), f"hazard {identity}")


def site_for(port, directory, platform="shantou", scheme="http", **more):
    """Return a profile for a local authority; credentials are in files under directory."""
    for name, text in (("user", USER), ("secret", SECRET), ("appid", APPID)):
        (directory / name).write_text(text)
    credentials = {"user": "file:user", "access_secret": "file:secret", "appid": "file:appid", "secret": "file:secret"}
    server = {"url": f"{scheme}://127.0.0.1:{port}", "rate_per_s": 10_000, "connect_s": 2, "answer_s": 2, "concurrency": 4}
    settings = {"back_off_s": 0.02} | more.pop("settings", {})
    return Site(
        name="site",
        platform=platform,
        server=Server(**server | more.pop("server", {})),
        credentials=credentials,
        settings=settings,
        directory=directory,
        **more,
    )


class Authority:
    """Both interfaces, strict. ledger: what was taken, as (table, id). faults: what to do to the next requests, in order, by
    record's id or "*": "500", "cut-before", "cut-after", "system", "refuse", "slow", "token"."""

    def __init__(self, ledger_path=None):
        self.ledger = []
        self.batches = []
        self.bodies = []
        self.tokens = 0
        self.token_requests = []
        self.life_s = 3600
        self.valid = set()
        self.faults = {}
        self.bad_rows = set()
        self.released = asyncio.Event()
        self.most_at_once = self._at_once = 0
        self._path = ledger_path
        self._runner = None
        self.port = None

    async def start(self, ssl_context=None):
        app = web.Application(client_max_size=16 * 1024 * 1024)
        app.router.add_post("/api/openapi/getaccesstoken", self._token)
        app.router.add_get("/api/openapi/checkaccesstokenisvalid/{token}", self._check)
        app.router.add_post("/api/{table}/{token}", self._data)
        app.router.add_get("/jsdspcloud/servlet/token", self._jiangsu_token)
        app.router.add_post("/jsdspcloud/servlet/token", self._jiangsu_token)
        app.router.add_post("/jsdspcloud/servlet/syndata", self._syndata)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        place = web.TCPSite(self._runner, "127.0.0.1", 0, ssl_context=ssl_context)
        await place.start()
        self.port = place._server.sockets[0].getsockname()[1]
        return self

    async def close(self):
        self.released.set()
        await self._runner.cleanup()

    def _take(self, table, identity):
        if self._path:
            with open(self._path, "a", encoding="utf-8") as file:
                file.write(json.dumps([table, identity]) + "\n")
                file.flush()
                os.fsync(file.fileno())
        self.ledger.append((table, identity))

    def _new_token(self):
        self.tokens += 1
        token = hashlib.md5(f"token {self.tokens}".encode()).hexdigest()
        self.valid = {token}
        return token

    @staticmethod
    def _says(code, message, key="data", value=False):
        return web.json_response({"createtime": "2026-11-21 10:00:00", "errorcode": {"code": code, "message": message}, key: value})

    async def _token(self, request):
        self.token_requests.append(request.content_type)
        form = request.content_type == "application/x-www-form-urlencoded"
        asked = dict(await request.post()) if form else await request.json()
        if asked != {"access_id": ACCESS_ID, "access_secret": SECRET}:
            return self._says("900010102", "用户不存在！", "datacontext")
        until = datetime(2026, 11, 21, 10) + timedelta(seconds=self.life_s)
        given = {"accessToken": self._new_token(), "expireDate": f"{until:%Y-%m-%d %H:%M:%S}"}
        return self._says("0", "成功", "datacontext", given)

    async def _check(self, request):
        return self._says("0", "成功", "dataContext", request.match_info["token"] in self.valid)

    async def _data(self, request):
        self._at_once += 1
        self.most_at_once = max(self.most_at_once, self._at_once)
        try:
            return await self._data_answer(request)
        finally:
            self._at_once -= 1

    async def _data_answer(self, request):
        table, token = request.match_info["table"], request.match_info["token"]
        body = await request.json()
        self.bodies.append(body)
        faults = self.faults.get(body["id"]) or self.faults.get("*") or []
        fault = faults.pop(0) if faults else ""
        if fault == "token":
            self.valid = set()
        if token not in self.valid:
            shifted = table == "worker_out"
            return self._says("900010104" if shifted else "900010103", "accesstoken 不存在！")
        if isinstance(fault, tuple):
            return self._says(*fault)
        return await self._faulty(fault, request, table, body["id"])

    async def _faulty(self, fault, request, table, identity):
        if fault in ("500", "502", "503"):
            return web.Response(status=int(fault), text="<html>down</html>")
        if fault == "cut-before":
            request.transport.abort()
            return web.Response()
        if fault == "system":
            return self._says("900010199", "系统异常！")
        if fault == "refuse":
            return self._says("990025003", "闸机数据接入失败: 缺少照片")
        self._take(table, identity)
        if fault == "cut-after":
            request.transport.abort()
        if fault == "slow":
            await self.released.wait()
        return web.json_response({"CreateTime": "", "ErrorCode": {"Code": "0", "Message": "成功"}, "Data": True})

    async def _jiangsu_token(self, request):
        self.token_requests.append(dict(request.query))
        if dict(request.query) != {"appid": APPID, "secret": SECRET}:
            return web.json_response({"rescode": "0", "msg": "appid 错误", "data": ""})
        return web.json_response({"rescode": "1", "msg": "success", "data": {"access_token": self._new_token()}})

    async def _syndata(self, request):
        body = await request.json()
        faults = self.faults.get("*") or []
        fault = faults.pop(0) if faults else ""
        if fault == "token":
            self.valid = set()
        if body["access_token"] not in self.valid:
            return web.json_response({"rescode": "0", "msg": "access_token 无效", "data": ""})
        if list(body) != ["access_token", "batchNo", "txcode", "busType", "data"] or len(body["batchNo"]) != 16:
            return web.json_response({"rescode": "0", "msg": "格式错误", "data": ""})
        ids = [row["ID"] for row in body["data"]]
        self.batches.append((body["batchNo"], body["busType"], ids))
        if fault == "cut-before":
            request.transport.abort()
        if self.bad_rows & set(ids):
            return web.json_response({"rescode": "0", "msg": "数据错误", "data": ""})
        if body["batchNo"] not in {number for number, *_ in self.batches[:-1]}:  # the same number again is the same batch
            for one in ids:
                self._take(body["txcode"], one)
        if fault == "cut-after":
            request.transport.abort()
        return web.json_response({"rescode": "1", "msg": "success", "data": ""})


async def _serve(arguments):
    authority = Authority(arguments.ledger)
    for identity in arguments.cut_after:
        authority.faults[identity] = ["cut-after"]
    await authority.start()
    print(authority.port, flush=True)
    await asyncio.to_thread(sys.stdin.read)  # until whoever started us lets go
    await authority.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("ledger")
    parser.add_argument("--cut-after", nargs="*", default=[])
    asyncio.run(_serve(parser.parse_args()))
