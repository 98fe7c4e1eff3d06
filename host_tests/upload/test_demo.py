"""The clerk's demonstration ends well, its pictures are those of the chapter, and its judge sees what is wrong."""

import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from host_tests import ledger_judge, pictures, sample_site

_ROOT = Path(__file__).resolve().parents[2]
_PICTURES = ("template.svg", "errors.svg", "daily.svg")
_ON_THE_WIRE = {"dktype": {"进场": 1, "出场": 2}, "teamtype": {"普通班组": 0}}


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    """The story told once with its pictures drawn: (the finished process, where the pictures are)."""
    drawings = tmp_path_factory.mktemp("pictures")
    words = [sys.executable, "-m", "host_tests.demo_upload", "--pictures", str(drawings)]
    done = subprocess.run(words, cwd=_ROOT, capture_output=True, encoding="utf-8", timeout=280)
    return done, drawings


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_every_row_of_the_sample_site_is_in_the_ledger_once(told):
    done, _ = told
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", _PICTURES)
def test_the_chapters_pictures_are_those_of_todays_workbooks(told, name):
    _, drawings = told
    assert (drawings / name).read_text("utf-8") == (_ROOT / "docs" / "pictures" / name).read_text("utf-8"), "make pictures"


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("template.svg", ("闸机数据接入", "人员身份证号*", "打卡时间*", "汕头市示范住宅项目")),
        ("errors.svg", ("身份证号是数字单元格", "缺少考勤监测温度", "工人工种类型的字典里没有")),
        ("daily.svg", ("到场", "有进无出", "上报", "到期", "440500199003******")),
    ],
)
def test_a_picture_is_xml_that_shows_its_words(name, words):
    tree = ElementTree.parse(_ROOT / "docs" / "pictures" / name)
    shown = "".join(tree.getroot().itertext()).replace("\xa0", " ")
    assert [word for word in words if word not in shown] == []


# The judge.


@pytest.fixture
def site():
    """The sample site's rows, mended."""
    people = sample_site.workers()
    sheets = sample_site.sheets(people, sample_site.days(pictures.DAY))
    sheets["劳务人员进场信息"][3]["idcard"] = people[3].id
    sheets["闸机数据接入"][17]["temperature"] = "36.4"
    return sheets


def _ledger(sheets):
    """Return the entries of a stand-in that took every row once."""
    return [
        {"endpoint": endpoint, "taken": True, "body": _body(row)}
        for endpoint, kind in ledger_judge.KINDS.items()
        for row in sheets[kind.sheet]
    ]


def _body(row):
    body = {name: _ON_THE_WIRE.get(name, {}).get(value, value) for name, value in row.items()}
    return body | ({"temperature": float(row["temperature"])} if "temperature" in row else {})


def _gate(entries):
    return next(one for one in entries if one["endpoint"] == "gate")


def test_the_judge_finds_nothing_where_every_row_was_taken_once(site):
    verdict = ledger_judge.judge(site, _ledger(site))
    assert verdict.findings == []
    assert {key: one.taken for key, one in verdict.counts.items()} == {
        "team": 1,
        "worker_enter": 10,
        "gate": 140,
        "dust": 21,
        "worker_out": 1,
    }


def test_the_judge_names_a_record_that_is_missing(site):
    entries = _ledger(site)
    gone = _gate(entries)
    entries.remove(gone)
    (finding,) = ledger_judge.judge(site, entries).findings
    assert gone["body"]["dktime"] in finding and "missing" in finding


def test_the_judge_takes_a_refused_record_for_missing(site):
    entries = _ledger(site)
    _gate(entries)["taken"] = False
    (finding,) = ledger_judge.judge(site, entries).findings
    assert "missing" in finding


def test_the_judge_names_a_record_taken_twice(site):
    entries = _ledger(site)
    (finding,) = ledger_judge.judge(site, [*entries, _gate(entries)]).findings
    assert "taken 2 times" in finding


def test_the_judge_names_a_value_that_is_not_the_sites(site):
    entries = _ledger(site)
    _gate(entries)["body"]["temperature"] = 36.55
    (finding,) = ledger_judge.judge(site, entries).findings
    assert "temperature" in finding and "differ" in finding


def test_the_judge_names_a_record_that_no_row_stands_for(site):
    entries = _ledger(site)
    stray = _gate(entries) | {"body": _gate(entries)["body"] | {"dktime": "2025-06-01 07:00:00"}}
    (finding,) = ledger_judge.judge(site, [*entries, stray]).findings
    assert "no such row" in finding


def test_the_judge_takes_a_confirmed_correction_for_explained_only_in_its_order(site):
    entries = _ledger(site)
    first = _gate(entries)
    key, facts = ledger_judge.record_of("gate", site["闸机数据接入"][0])
    before = facts | {"temperature": 35.0}
    entries.insert(0, first | {"body": first["body"] | {"temperature": 35.0}})
    assert ledger_judge.judge(site, entries, {key: [before]}).findings == []
    entries.append(entries.pop(0))
    assert len(ledger_judge.judge(site, entries, {key: [before]}).findings) == 1
