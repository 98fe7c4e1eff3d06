"""The rehearsal on the terminal, the sheet, its signature, and the authority's lists."""

import csv
import io
import json
import types

import pytest

pytest.importorskip("reportlab")

import openpyxl  # noqa: E402
from cryptography.hazmat.primitives.asymmetric import rsa  # noqa: E402
from PIL import Image  # noqa: E402
from typer.testing import CliRunner  # noqa: E402

from hanma.cli import app  # noqa: E402
from hanma.provision import accept_cli, lists, sheet  # noqa: E402
from hanma.provision.accept import STEPS  # noqa: E402
from hanma.provision.record import Record  # noqa: E402
from hanma.provision.words import Trouble  # noqa: E402
from host_tests.unit.test_guard import Bench, _ticks  # noqa: E402, F401
from terminal import wishes  # noqa: E402

_KEY = rsa.generate_private_key(65537, 3072)
_PUBLIC = _KEY.public_key().public_numbers().n.to_bytes(384, "big")
_WISH = {"fail_open_after_s": 180, "for_s": 900}


# ---- the rehearsal


def _bench(configured_s=600):
    bench = Bench()
    bench.guard.interlock._settings = (configured_s,) + bench.guard.interlock._settings[1:]
    bench.guard.tell(bench.guard.interlock.session_up)
    return bench


def _ask(bench, age_s=0, retained=False, **content):
    herald = types.SimpleNamespace(parts=types.SimpleNamespace(guard=bench.guard))
    bench.order(0, f"stop{bench.now}")
    wishes.take(herald, {"actionCode": "0", "content": content}, retained, age_s)


def _outage(bench, seconds):
    bench.guard.tell(bench.guard.interlock.session_down, "no_signal")
    for _ in range(seconds):
        bench.now += 1
        bench.guard._round()


def test_in_a_rehearsal_the_terminal_opens_after_the_short_wait_and_at_its_end_stops_by_itself():
    bench = _bench()
    _ask(bench, rehearsal=_WISH)
    _outage(bench, 179)
    assert bench.level == 0
    _outage(bench, 1)
    assert bench.level == 1
    _outage(bench, 720)
    assert bench.level == 0 and bench.guard.rehearsal is None and bench.of("rehearsal") == [(180, 900), (600, 0)]
    _outage(bench, 599)
    assert bench.level == 0
    _outage(bench, 1)
    assert bench.level == 1  # the outage goes on: as configured


def test_any_other_stop_ends_a_rehearsal():
    bench = _bench()
    _ask(bench, rehearsal=_WISH)
    bench.now += 5
    _ask(bench)
    assert bench.guard.rehearsal is None and bench.of("rehearsal")[-1] == (600, 0)
    _outage(bench, 599)
    assert bench.level == 0


def test_a_second_wish_does_not_make_the_short_wait_the_configured_one():
    bench = _bench()
    _ask(bench, rehearsal=_WISH)
    bench.now += 5
    _ask(bench, rehearsal=_WISH)
    bench.now += 5
    _ask(bench)
    assert bench.of("rehearsal")[-1] == (600, 0)


@pytest.mark.parametrize(
    ("wish", "more"),
    [
        ({**_WISH, "fail_open_after_s": 179}, {}),
        ({**_WISH, "fail_open_after_s": 601}, {}),
        ({**_WISH, "fail_open_after_s": True}, {}),
        ({**_WISH, "for_s": 59}, {}),
        ({**_WISH, "for_s": 1801}, {}),
        ({**_WISH, "for_s": "900"}, {}),
        ({"for_s": 900}, {}),
        ([180, 900], {}),
        (_WISH, {"age_s": 121}),
        (_WISH, {"age_s": -301}),
        (_WISH, {"retained": True}),
    ],
)
def test_a_wish_out_of_bounds_or_not_of_now_shortens_nothing(wish, more):
    bench = _bench()
    _ask(bench, rehearsal=wish, **more)
    assert bench.guard.rehearsal is None and bench.guard.interlock._settings[0] == 600


def test_a_rehearsal_lifts_no_ban():
    bench = _bench()
    bench.guard.tell(bench.guard.interlock.command, 0, "ban", None, None, "platform", True)
    _ask(bench, rehearsal=_WISH)
    _outage(bench, 899)
    assert bench.level == 0


# ---- the sheet


def _data(**more):
    step = {"time": "2026-11-21T14:00:00+00:00", "seconds": 1.0, "verdict": "ok", "detail": "31 ms", "answered_by": ""}
    facts = {"installer": "张三", "enterprise": "某某公司", "site": "north", "welder_model": "WS-400", "welder_number": "W-7"}
    data = {"device_id": "T-1", "number": 1, "time": step["time"], "verdict": "pass", **facts, "photos": []}
    return {**data, "steps": [{"step": name, **step} for name in STEPS], **more}


def test_a_signed_sheet_is_valid_for_its_key_alone(tmp_path):
    path = tmp_path / "T-1.pdf"
    sheet.save(path, _data(), [], _KEY)
    data, key = sheet.verify(path, [bytes(383) + b"\x03", _PUBLIC])
    assert data == _data() and key == sheet.key_id(_PUBLIC)
    other = rsa.generate_private_key(65537, 3072).public_key().public_numbers().n.to_bytes(384, "big")
    with pytest.raises(Trouble, match="another key"):
        sheet.verify(path, [other])


def test_what_was_changed_after_signing_is_told(tmp_path):
    path = tmp_path / "T-1.pdf"
    sheet.save(path, _data(verdict="fail"), [], _KEY)
    beside = path.with_suffix(".json")
    text = beside.read_text()
    beside.write_text(text.replace('"verdict": "fail"', '"verdict": "pass"'))
    with pytest.raises(Trouble, match="data were changed"):
        sheet.verify(path, [_PUBLIC])
    beside.write_text(text)
    path.write_bytes(path.read_bytes() + b" ")
    with pytest.raises(Trouble, match="PDF was changed"):
        sheet.verify(path, [_PUBLIC])


def test_a_sheet_without_a_key_counts_as_signed_by_nobody(tmp_path):
    path = tmp_path / "T-1.pdf"
    sheet.save(path, _data(), [])
    with pytest.raises(Trouble, match="nobody signed"):
        sheet.verify(path, [_PUBLIC])


def test_a_sheet_that_cannot_be_written_leaves_the_old_one_whole(tmp_path, monkeypatch):
    path = tmp_path / "T-1.pdf"
    sheet.save(path, _data(), [], _KEY)
    before = path.read_bytes()

    def full(_descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("hanma.provision.whole.os.fsync", full)
    with pytest.raises(OSError, match="No space"):
        sheet.save(path, _data(site="south"), [], _KEY)
    assert path.read_bytes() == before and sheet.verify(path, [_PUBLIC])[0]["site"] == "north"


def test_a_photo_is_upright_and_no_larger_than_paper_shows(tmp_path):
    turned = Image.Exif()
    turned[0x112] = 6  # the camera was held on its side
    Image.new("RGB", (3000, 1500)).save(tmp_path / "a.jpg", exif=turned)
    ((name, digest, jpeg),) = sheet.photos([tmp_path / "a.jpg"])
    assert Image.open(io.BytesIO(jpeg)).size == (600, 1200) and name == "a.jpg" and len(digest) == 64


@pytest.mark.parametrize("content", [b"", b"no photo", None])
def test_a_photo_that_cannot_be_read_is_named(tmp_path, content):
    path = tmp_path / "a.jpg"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(Trouble, match=r"a\.jpg"):
        sheet.photos([path])


# ---- the lists

_TOML = """
["企业"]
"企业名称" = "某某公司"
"统一社会信用代码" = "915000000000000000"
"电焊设备数量" = 12
"行政区划" = "渝北区"
["终端"]
"设备分类" = "=电焊机"
["终端 T-1"]
"设备名称" = "一号"
"""


def _record(tmp_path):
    rows = [types.SimpleNamespace(device_id=f"T-{number}") for number in (1, 2, 3)]
    record = Record(tmp_path / "record.sqlite")
    for number in (1, 2, 3):
        record.give(f"c{number}", rows)
    record.append_acceptance(_data(), "T-1.pdf", "00")
    record.append_acceptance(_data(device_id="T-2", enterprise="另一公司"), "T-2.pdf", "00")
    record.append_acceptance(_data(device_id="T-3", verdict="fail"), "T-3.pdf", "00")
    return record


def _settings(tmp_path, text=_TOML):
    path = tmp_path / "enterprise.toml"
    path.write_text(text, encoding="utf-8")
    return lists.load(path)


def test_the_lists_have_what_is_known_and_name_what_is_missing(tmp_path):
    enterprise, terminals, missing = lists.make(_record(tmp_path), _settings(tmp_path))
    assert enterprise["电焊设备数量"] == "12" and "企业 企业类型" in missing
    first, third = terminals  # the second is another enterprise's
    assert first["所属企业"] == "某某公司" and first["安装时间"] == "2026-11-21" and first["设备名称"] == "一号"
    assert third["设备编号"] == "T-3" and third["安装时间"] == "" and "T-3 安装时间" in missing and "T-1 工作状态" in missing


def test_the_lists_are_text_in_every_cell(tmp_path):
    enterprise, terminals, _ = lists.make(_record(tmp_path), _settings(tmp_path))
    lists.save(tmp_path / "out", enterprise, terminals)
    book = openpyxl.load_workbook(tmp_path / "out" / "名单.xlsx")
    cells = [cell for page in book for row in page for cell in row if cell.value is not None]
    assert {cell.data_type for cell in cells} == {"s"} and "=电焊机" in [cell.value for cell in cells]
    lines = list(csv.reader(io.StringIO((tmp_path / "out" / "终端.csv").read_text(encoding="utf-8-sig"))))
    assert tuple(lines[0]) == lists.TERMINAL and lines[1][0] == "T-1"
    assert not list((tmp_path / "out").glob("*.new"))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('["企业"]\n"名称" = "甲"', "名称"),
        ('["终端"]\n"安装时间" = "今天"', "安装时间"),
        ('["其他"]\n', "其他"),
        ('"企业" = 1', "企业"),
        ("x", "toml"),
    ],
)
def test_a_field_that_is_none_of_the_documents_is_refused(tmp_path, text, said):
    with pytest.raises(Trouble, match=said):
        _settings(tmp_path, text)


def test_a_test_at_the_welder_is_kept_in_the_record_and_its_csv(tmp_path):
    record = _record(tmp_path)
    assert [step["step"] for step in record.acceptances()[0]["steps"]] == list(STEPS)
    lines = list(csv.DictReader(io.StringIO((tmp_path / "record.accept.csv").read_text(encoding="utf-8-sig"))))
    assert [line["device_id"] for line in lines] == ["T-1", "T-2", "T-3"] and json.loads(lines[0]["steps"])[0]["step"] == "online"


@pytest.mark.parametrize(("lang", "words"), [("en", "check --broker"), ("zh", "检查 --broker")])
def test_a_broker_that_is_not_there_is_said_with_what_to_check(tmp_path, monkeypatch, lang, words):
    monkeypatch.setattr(accept_cli, "_CONNECT_S", 0.2)
    given = ["accept", "--device", "T-1", "--broker", "mqtt://127.0.0.1:1", "--out", str(tmp_path), "--lang", lang]
    done = CliRunner().invoke(app, [*given, "--record", str(tmp_path / "record.sqlite")])
    assert done.exit_code == 1 and words in done.output, done.output
