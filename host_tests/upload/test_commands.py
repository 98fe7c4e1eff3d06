"""The clerk's commands as processes: what they print, what they write, and with which status they end."""

import csv
import json
import os
import shutil
import signal
import threading
from datetime import datetime, timedelta, timezone

import pytest
from openpyxl import load_workbook

from hanma.upload import privacy
from host_tests import sample_site
from host_tests.upload import site_world

pytestmark = pytest.mark.slow
_DAY = datetime.now(timezone(timedelta(hours=8))).date() - timedelta(days=3)
_DUST = {"devicecode": "YC440513001", "pm25": "1.00", "pm10": "2.00", "noise": "50.00"}


@pytest.fixture(scope="module")
def platform():
    with site_world.stand_in("shantou") as one:
        yield one


@pytest.fixture(scope="module")
def sample(platform, tmp_path_factory):
    """The sample site, to be copied."""
    directory = tmp_path_factory.mktemp("sample")
    site_world.make_site(directory, platform.url)
    return directory


@pytest.fixture
def office(tmp_path, platform, sample):
    """A sample site with its key; another project at the platform for each test."""
    shutil.copytree(sample, tmp_path, dirs_exist_ok=True)
    one = site_world.Office(tmp_path)
    text = one.profile.read_text("utf-8").replace("4405132026050001", f"P{tmp_path.name[-12:]}")
    one.profile.write_text(text, "utf-8")
    privacy.new_key(tmp_path / "sites" / "hanma.key")
    yield one
    platform.clear()


def dust(hour, **more):
    """Return a line of JSON of one dust record."""
    return json.dumps({**_DUST, "jctime": f"{_DAY} {hour:02d}:00:00", **more}) + "\n"


def team_and_leader(office):
    """Put the team and its leader in as JSON lines."""
    leader = sample_site.workers()[0]
    office.done("add", "-", "-t", "team", given=json.dumps(sample_site.team(leader), ensure_ascii=False))
    office.done("add", "-", "-t", "worker_enter", given=json.dumps(sample_site.entry(leader, _DAY, True), ensure_ascii=False))
    return leader


def attendance(leader, hour, temperature="36.5"):
    """Return a line of JSON of one attendance."""
    at = datetime(_DAY.year, _DAY.month, _DAY.day, hour)
    return json.dumps(sample_site.passage(leader, at, "进场", f"{leader.id}.jpg", temperature), ensure_ascii=False) + "\n"


def one_line(complaint):
    """See that a complaint is one line that starts with the command's name, and return it."""
    assert complaint.startswith("hanma upload: ") and complaint.count("\n") == 1, complaint
    return complaint


def test_a_new_profile_gets_a_key_and_neither_is_ever_replaced(tmp_path):
    office = site_world.Office(tmp_path)
    office.done("init", "shantou", "sites/a.toml")
    key = tmp_path / "sites" / "hanma.key"
    before = key.read_bytes()
    assert key.stat().st_mode & 0o777 == 0o600
    status, _, complaint = office.run("init", "shantou", "sites/a.toml")
    assert status == 2 and "a.toml" in one_line(complaint)
    assert office.run("key")[0] == 2 and key.read_bytes() == before
    office.done("template", "空表.xlsx", "--table", "闸机数据接入", "--table", "team")
    assert {"闸机数据接入", "班组数据"} <= set(load_workbook(tmp_path / "空表.xlsx").sheetnames)


def test_a_lost_key_is_asked_for_and_not_made_anew_over_what_is_stored(office):
    office.done("add", "-", "-t", "dust", given=dust(1))
    key = office.directory / "sites" / "hanma.key"
    key.rename(key.with_suffix(".copy"))
    status, _, complaint = office.run("status")
    assert status == 2 and "hanma upload key" in one_line(complaint)
    status, _, complaint = office.run("key")
    assert status == 2 and "放回去" in one_line(complaint)
    privacy.new_key(key)
    status, _, complaint = office.run("status")
    assert status == 2 and "另一把密钥" in one_line(complaint)


def test_validate_ends_with_0_1_or_2_and_keeps_nothing(office):
    rows = [json.loads(dust(hour)) for hour in (1, 2)]
    path = office.directory / "扬尘噪声数据接入.csv"
    for wrong, status in ((rows[1], 0), ({**rows[1], "pm25": "dusty"}, 1)):
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows([rows[0], wrong])
        out = office.done("validate", path.name, "--out", "有错.xlsx", status=status)
        assert "读了 2 行" in out
    marked = office.directory / "有错.xlsx"
    assert "dusty" in {cell.value for row in load_workbook(marked)["扬尘噪声数据接入"].iter_rows() for cell in row}
    assert marked.stat().st_mode & 0o777 == 0o600
    assert "none.xlsx" in office.done("validate", "none.xlsx", status=2)
    assert sum(office.counts().values()) == 0


def test_a_dry_run_prints_the_exact_body_and_keeps_nothing(office, platform):
    before = len(platform.taken("dust"))
    told = office.done("add", "-", "-t", "dust", "--dry-run", given=dust(3))
    office.done("add", "-", "-t", "dust", given=dust(3))
    office.done("send")
    (body,) = platform.taken("dust")[before:]
    assert json.loads(told) == body and list(json.loads(told)) == list(body)
    assert body["pm25"] == "1.00" and body["projectcode"]
    assert office.run("add", "-", "-t", "dust", "--dry-run", given='{"pm25": "x"}')[0] == 1


def test_json_lines_on_standard_input_say_which_line_is_wrong(office):
    status, out, _ = office.run("add", "-", "-t", "dust", given=dust(4) + "{half a line\n" + dust(5))
    assert status == 1 and "JSON" in out and "新入 2" in out
    status, _, complaint = office.run("add", "-", given=dust(4))
    assert status == 2 and "--table" in one_line(complaint)


def test_the_same_again_is_nothing_and_what_is_sent_is_counted(office, platform):
    before = len(platform.taken("dust"))
    office.done("add", "-", "-t", "dust", given=dust(1) + dust(2))
    assert "新入 0，已有 2" in office.done("add", "-", "-t", "dust", given=dust(1) + dust(2))
    assert "平台已收 2" in office.done("send")
    assert "平台已收 0" in office.done("send")
    assert len(platform.taken("dust")) == before + 2
    counts = json.loads(office.done("status", "--json"))
    assert counts == {**dict.fromkeys(counts, 0), "accepted": 2}
    assert "发送中" in office.done("history", "1")


def test_what_was_tidied_in_a_row_is_told_once(office):
    wide = dust(1, pm25="１.00")
    assert "自动整理 1 处" in office.done("validate", "-", "-t", "dust", given=wide)
    assert "自动整理 1 处" in office.done("add", "-", "-t", "dust", given=wide)
    assert "自动整理" not in office.done("add", "-", "-t", "dust", given=wide)


@pytest.mark.skipif(os.name != "posix", reason="SIGKILL")
def test_what_a_killed_run_had_in_the_air_is_told_with_the_end_of_its_lease(office, platform):
    office.done("add", "-", "-t", "dust", given=dust(1))
    platform.order({"kind": "slow", "endpoint": "dust", "delay_s": 60, "times": None})
    with office.start("send") as process:
        while not office.counts()["sending"]:
            assert process.poll() is None
        process.kill()
    until_ms = office.counts()["sending_until_ms"]
    told = f"{datetime.fromtimestamp(until_ms / 1000, timezone(timedelta(hours=8))):%Y-%m-%d %H:%M:%S}"
    assert f"另一次运行在发 1 条，到 {told}" in office.done("status")
    assert f"being sent by another run, until {told}" in office.done("status", "--state", "sending", "--lang", "en")
    out = office.done("send")
    assert f"另一次运行在发 1 条，到 {told}" in out and "未发" not in out
    platform.clear()


def test_a_refused_record_is_exported_mended_and_sent_again(office, platform):
    office.done("add", "-", "-t", "dust", given=dust(6))
    platform.order({"kind": "refuse", "endpoint": "dust", "message": "设备[X]未登记 :smile:"})
    office.done("send", status=1)
    office.done("status", status=1)
    out = office.done("errors", "--out", "退回.xlsx", status=1)
    assert "设备[X]未登记 :smile:" in out
    path = office.directory / "退回.xlsx"
    cells = [cell.value for sheet in load_workbook(path) for row in sheet.iter_rows() for cell in row]
    assert path.stat().st_mode & 0o777 == 0o600 and any("未登记" in str(one) for one in cells)
    assert "再发" in office.done("retry", "--refused")
    office.done("send")
    assert office.counts()["accepted"] == 1
    for words in (["retry"], ["retry", "99"], ["retry", "1"], ["history", "99"], ["decide", "99", "again"], ["confirm", "1"]):
        status, _, complaint = office.run(*words)
        assert status == 2 and one_line(complaint), words


def test_the_clerk_decides_what_was_never_answered(office, platform):
    leader = team_and_leader(office)
    office.done("send")
    office.done("add", "-", "-t", "gate", given=attendance(leader, 8) + attendance(leader, 9))
    platform.order({"kind": "cut_after", "endpoint": "gate"}, {"kind": "cut_before", "endpoint": "gate"})
    office.done("send", status=3)
    assert office.counts()["uncertain"] == 2
    office.done("errors", status=1)
    status, _, complaint = office.run("retry", "3")
    assert status == 2 and "decide" in one_line(complaint)
    taken = [one["dktime"] for one in platform.taken("gate") if one["ryno"] == leader.id]
    words = ["accepted", "again"] if taken[-1].endswith("08:00:00") else ["again", "accepted"]
    for number, word in zip((3, 4), words, strict=True):
        office.done("decide", number, word, "--why", "在平台上查过")
    office.done("send")
    counts = office.counts()
    assert (counts["accepted"], counts["possible_duplicates"]) == (4, 1)


def test_a_correction_is_shown_masked_and_goes_out_when_it_is_confirmed(office, platform):
    leader = team_and_leader(office)
    office.done("send")
    changed = sample_site.entry(leader, _DAY, True) | {"mobilenumber": "13511112222", "homeadrress": "示范镇新示范村二十号"}
    out = office.done("add", "-", "-t", "worker_enter", given=json.dumps(changed, ensure_ascii=False), status=3)
    assert "更正待确认 1" in out
    shown = office.done("confirm", status=3)
    assert "135****2222" in shown and "134****0000" in shown and leader.name not in shown
    for secret in ("13511112222", leader.phone, leader.id, "新示范村"):
        assert secret not in shown
    assert len([one for one in platform.taken("worker_enter") if one["idcard"] == leader.id]) >= 1
    office.done("confirm", "--all")
    office.done("send")
    assert platform.taken("worker_enter")[-1]["mobilenumber"] == "13511112222"


def test_what_was_registered_before_is_adopted_as_a_parent_and_not_sent(office, platform):
    leader = sample_site.workers()[0]
    for table, row in (("team", sample_site.team(leader)), ("worker_enter", sample_site.entry(leader, _DAY, True))):
        path = office.directory / f"{table}.jsonl"
        path.write_text(json.dumps(row, ensure_ascii=False) + "\n", "utf-8")
    before = len(platform.taken())
    office.done("add", "team.jsonl")
    assert "认领 2 条；其中 1 条原在待发" in office.done("adopt", "team.jsonl", "worker_enter.jsonl")
    office.done("add", "-", "-t", "gate", given=attendance(leader, 8))
    assert office.counts()["waiting"] == 0
    assert "1" in office.done("reconcile", "team.jsonl")
    assert office.done("send", status=1) and len(platform.taken()) == before  # the stand-in knows nothing of them


def test_reconcile_daily_purge_and_look_answer(office):
    leader = team_and_leader(office)
    office.done("add", "-", "-t", "gate", given=attendance(leader, 8))
    office.done("send")
    (office.directory / "gate.jsonl").write_text(attendance(leader, 8) + attendance(leader, 9), "utf-8")
    office.done("reconcile", "gate.jsonl", "--out", "缺.xlsx", status=1)
    assert (office.directory / "缺.xlsx").stat().st_mode & 0o777 == 0o600
    out = office.done("daily", "--day", _DAY, "--out", "日报.xlsx")
    assert "有进无出 1" in out and leader.id not in out and leader.name not in out
    assert load_workbook(office.directory / "日报.xlsx").sheetnames == ["到场", "有进无出", "上报", "到期"]
    assert "照片" in office.done("purge") and "没有" in office.done("purge")
    assert office.done("look", "gate.dktype").split() == ["1", "进场", "2", "出场"]
    assert "有效" in office.done("token")
    status, _, complaint = office.run("due")
    assert status == 2 and "jiangsu" in one_line(complaint)


def test_a_watched_folder_sends_what_is_sound_and_gives_back_what_is_not(office, platform):
    folder = office.directory / "上报"
    (folder / "待传").mkdir(parents=True)
    (folder / "待传" / "扬尘噪声数据接入.jsonl").write_text(dust(10) + dust(11, pm25="x"), "utf-8")
    (folder / "待传" / "看不懂.jsonl").write_text(dust(12), "utf-8")
    before = len(platform.taken("dust"))
    office.run("watch", folder.name, "--once")
    assert len(platform.taken("dust")) == before + 1
    assert list((folder / "待传").iterdir()) == []
    faulty = sorted(one.suffix for one in (folder / "有错").iterdir())
    assert faulty == [".jsonl", ".txt", ".xlsx"] and len(list((folder / "已传").iterdir())) == 1


@pytest.mark.parametrize(
    ("settings", "words", "told"),
    [
        ({"HANMA_ACCESS_SECRET": "wrong"}, ["token"], "[credentials]"),
        ({"HANMA_ACCESS_SECRET": ""}, ["send"], "HANMA_ACCESS_SECRET"),
        ({"HANMA_SITE": "sites/none.toml"}, ["status"], "none.toml"),
        ({}, ["template", "x.xlsx", "-t", "nothing"], "gate 闸机数据接入"),
        ({}, ["look", "nothing"], "worker_types"),
        ({}, ["status", "--state", "nowhere"], "waiting"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(office, settings, words, told):
    status, _, complaint = office.run(*words, settings=settings)
    assert status == 2 and told in one_line(complaint)


def test_a_wrong_profile_is_told_by_its_line(office):
    office.profile.write_text(office.profile.read_text("utf-8").replace("[values]", "[valuse]"), "utf-8")
    status, _, complaint = office.run("status")
    assert status == 2 and "valuse" in one_line(complaint)
    office.profile.write_text('nonsense\nplatform = "shantou"', "utf-8")
    status, _, complaint = office.run("status")
    assert status == 2 and "line 1" in one_line(complaint)


def test_a_wrong_secret_stops_the_run_and_keeps_every_record(office):
    office.done("add", "-", "-t", "dust", given=dust(1) + dust(2))
    status, out, complaint = office.run("send", settings={"HANMA_ACCESS_SECRET": "wrong-secret-1"})
    assert status == 2 and "[credentials]" in out and "wrong-secret-1" not in out + complaint
    assert office.counts()["queued"] == 2
    office.done("send")


def test_a_server_that_is_down_stops_the_run_and_keeps_every_record(office):
    office.done("add", "-", "-t", "dust", given=dust(1) + dust(2))
    text = office.profile.read_text("utf-8")
    down = text.replace(text.split('url = "')[1].split('"')[0], "http://127.0.0.1:9") + "\n[settings]\nback_off_s = 30\n"
    office.profile.write_text(down, "utf-8")
    status, out, _ = office.run("send")
    assert status == 2 and "稍后再" in out
    status, _, complaint = office.run("token")
    assert status == 2 and "连不上" in one_line(complaint)
    office.profile.write_text(text, "utf-8")
    assert "平台已收 2" in office.done("send")


@pytest.mark.skipif(os.name != "posix", reason="a console's Ctrl-C can't be sent to a process alone here")
def test_ctrl_c_ends_a_run_cleanly_with_everything_accounted_for(office, platform):
    number = 40
    office.done("add", "-", "-t", "dust", given="".join(dust(hour % 24, devicecode=f"YC{hour}") for hour in range(number)))
    before = len(platform.taken("dust"))
    platform.order({"kind": "slow", "endpoint": "dust", "delay_s": 0.2, "times": None})
    with office.start("send") as process:
        late = threading.Timer(30, process.kill)
        late.start()
        while len(platform.taken("dust")) < before + 4 and process.poll() is None:
            pass
        process.send_signal(signal.SIGINT)
        out, complaints = process.communicate()
        late.cancel()
    assert process.returncode == 0 and "Traceback" not in complaints, (out, complaints)
    counts = office.counts()
    taken = len(platform.taken("dust")) - before
    assert counts["accepted"] == taken and counts["queued"] == number - taken > 0 and counts["sending"] == 0
    assert f"未发 {number - taken}" in out
    platform.clear()
    office.done("send")
    assert len(platform.taken("dust")) == before + number
