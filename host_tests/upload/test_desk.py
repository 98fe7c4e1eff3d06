"""The one call for programs: rows in, problems out, in the order of the rows whatever their pictures take."""

import json
from datetime import datetime, timedelta, timezone

import pytest
from PIL import Image

from hanma.upload import privacy
from hanma.upload.desk import Desk
from hanma.upload.site import Site
from host_tests.upload import shantou_world

_NOW = datetime(2026, 11, 21, 12, tzinfo=timezone(timedelta(hours=8)))
_ROWS = 60


@pytest.fixture
def desk(tmp_path):
    """A desk whose site has a photo of each number but every seventh, which is damaged."""
    (tmp_path / "照片").mkdir()
    for number in range(_ROWS):
        path = tmp_path / "照片" / f"{number}.jpg"
        Image.new("RGB", (40 + 10 * (number % 5), 40), (number, 80, 80)).save(path)
        if number % 7 == 0:
            path.write_bytes(path.read_bytes()[:200])
    privacy.new_key(tmp_path / "hanma.key")
    site = Site(name="示范", platform="shantou", consent="stated", directory=tmp_path, key="file:hanma.key")
    with Desk(site, clock=lambda: _NOW) as one:
        yield one


def _dust(**changed):
    return shantou_world.cells("dust_minimal", **changed)


def test_rows_of_a_program_are_put_by_field_or_chinese_name_and_the_faulty_are_given_back(desk):
    renamed = {("噪声" if key == "noise" else key): cell for key, cell in _dust().items()}
    result = desk.add_rows("扬尘噪声数据接入", [renamed, _dust(pm25="x", devicecode="X1"), _dust()])
    assert (result.read, result.sound, result.new, result.same, result.errors) == (3, 2, 1, 1, 1)
    [record] = [record for _, record in result.faulty if not record.sound]
    assert record.place.row == 2 and [one.rule.name for one in record.problems] == ["not_number"]
    assert desk.store.counts()["queued"] == 1


def test_pictures_made_by_many_threads_come_back_in_the_order_of_their_rows(desk, tmp_path):
    rows = [shantou_world.cells("gate_minimal", dktime=f"2026-11-20 08:{at:02}:00", photo=f"{at}.jpg") for at in range(_ROWS)]
    path = tmp_path / "gate.jsonl"
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), "utf-8")
    result = desk.validate([path], "gate", bodies=True)
    told = [record.place.row for _, record in result.faulty for one in record.problems if one.rule.name == "photo_unreadable"]
    damaged = range(0, _ROWS, 7)
    assert told == [1 + at for at in damaged] and (result.read, result.sound) == (_ROWS, _ROWS - len(damaged))
    sent = [json.loads(one)["dktime"] for one in result.bodies]
    assert sent == [row["dktime"] for at, row in enumerate(rows) if at not in damaged]
