"""Whole batches as they leave, through checking, the outbox and the client, beside those another hand typed from the standard."""

import asyncio
import base64
import json
import pathlib
from datetime import datetime, timedelta, timezone

import pytest

from hanma.upload import body, catalogue, checking, outbox
from hanma.upload.privacy import Vault
from hanma.upload.problems import Place
from hanma.upload.record import Attachment, Prepared, Row
from hanma.upload.sending.jiangsu import Jiangsu
from hanma.upload.sending.transport import Reply
from hanma.upload.site import Server, Site

GOLDEN = pathlib.Path(__file__).parent / "golden" / "jiangsu"
NOW = datetime(2026, 11, 21, 12, 0, 0, tzinfo=timezone(timedelta(hours=8)))
PLATFORM = catalogue.load("jiangsu")
STEMS = sorted(path.stem for path in GOLDEN.glob("*.json"))


def golden(stem):
    return json.loads((GOLDEN / f"{stem}.json").read_text("utf-8"))


def site(tmp_path):
    for name in ("appid", "secret"):
        (tmp_path / name).write_text(f"the {name}")
    credentials = {"appid": "file:appid", "secret": "file:secret"}
    server = Server(url="https://authority.example/")
    more = {"settings": {"media_encoding": "data_uri"}, "consent": "stated", "directory": tmp_path}
    return Site(name="示范", platform="jiangsu", server=server, credentials=credentials, **more)


def drawn(attachment, field):
    """Stands for a picture: its bytes are its name, so that the text that leaves can be read back."""
    return Attachment(attachment.name, attachment.path, f"<image:{attachment.path}>".encode(), "image/jpeg")


class Wire:
    """Takes what would be sent."""

    def __init__(self):
        self.sent = None

    def turn_s(self):
        return 0

    async def get(self, path, query=None, method="GET"):
        return Reply(200, {"access_token": "<token>"})

    async def post(self, path, content):
        self.sent = content
        return Reply(200, {"rescode": "1", "msg": "success", "data": ""})


def prepared(table, row, profile):
    (record,) = checking.check([Row(Place("表.xlsx", "", 2), row)], table, profile, NOW)
    assert record.sound, [one.text() for one in record.problems]
    return body.prepare(record, table, profile, drawn)


def leave(stem, tmp_path):
    """Send a golden file's rows as a site would, and return the POST's body."""
    wanted, profile, wire = golden(stem)["body"], site(tmp_path), Wire()
    rows = golden(stem)["input"]
    rows = rows if isinstance(rows, list) else [rows]
    table = next(one for one in PLATFORM.tables.values() if one.code == wanted["txcode"])
    store = outbox.open(
        f"sqlite:///{tmp_path / 'outbox.db'}", Vault(bytes(32)), site="示范", clock=lambda: int(NOW.timestamp() * 1000)
    )
    with store:
        for row in rows:
            if wanted["busType"] != "I":
                store.adopt([Prepared("jiangsu", table.key, {"ID": row["ID"]}, (row["ID"],))])
            if wanted["busType"] == "D":
                put = store.put(Prepared("jiangsu", table.key, row, (row["ID"],)), deletion=True)
            else:
                put = store.put(prepared(table, row, profile))
            if put.outcome == "correction":
                store.confirm(put.id)
        items = store.claim("test", "jiangsu", 100, batch=True)
        answer = asyncio.run(Jiangsu(profile, wire).send_batch(items))
    assert answer.state == "accepted"
    return json.loads(wire.sent)


def kinds(value):
    """Return a JSON value in which numbers and texts differ, keys have an order, and pictures are their placeholders."""
    if isinstance(value, dict):
        return [(name, kinds(one)) for name, one in value.items()]
    if isinstance(value, list):
        return [kinds(one) for one in value]
    if isinstance(value, str) and value.startswith("data:image/jpeg;base64,"):
        return ("text", base64.b64decode(value.partition(",")[2]).decode())
    return ("number", value) if isinstance(value, (int, float)) else ("text", value)


@pytest.mark.parametrize("stem", STEMS)
def test_the_batch_is_the_golden_one(stem, tmp_path):
    left, wanted = leave(stem, tmp_path), golden(stem)["body"]
    assert left.pop("batchNo") == "2026112100000001"
    wanted.pop("batchNo")
    assert kinds(left) == kinds(wanted)
