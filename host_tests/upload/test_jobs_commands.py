"""The commands for jobs, as a clerk gives them, against the stand-in."""

import json

import pytest
from typer.testing import CliRunner

from hanma.mock import chongqing
from hanma.upload import privacy
from hanma.upload.cli import app
from host_tests.upload.served import serving

from .jobs_samples import GUARDIAN, T0, WELDER, draw
from .test_jobs_client import CONTRACT, EXAMPLE, SPOKEN

RECORD = {
    "job": "j-9",
    "kind": "arc",
    "device": "D1",
    "unit": "",
    "site": "一号楼",
    "state": "off",
    "scanned_ms": T0,
    "welder": {"ref": WELDER.ref},
    "cert": {"kind": "070", "valid_to": "2027-01-01", "verdict": "valid", "checked_ms": T0},
    "permit": {"type": "动火作业票", "no": "P-1", "from_ms": T0, "to_ms": T0 + 3_600_000},
    "site_photos": ["site.jpg"],
    "guardian": {"ref": GUARDIAN.ref, "confirmed_ms": T0 + 60_000, "checks": ["combustibles_cleared"], "photo": "both.jpg"},
}


@pytest.fixture
def place(tmp_path):
    mapping = EXAMPLE.replace("example = true", "example = false")
    for ours, spoken in SPOKEN.items():
        mapping = mapping.replace(ours, spoken)
    (tmp_path / "mapping.toml").write_text(mapping, "utf-8")
    privacy.new_key(tmp_path / "hanma.key")
    (tmp_path / "token.txt").write_text("t-1")
    (tmp_path / "照片").mkdir()
    for name in ("site.jpg", "both.jpg"):
        draw(tmp_path / "照片" / name)
    with serving(chongqing, chongqing.Options(chongqing.contract(CONTRACT), None)) as stand:
        profile = tmp_path / "site.toml"
        profile.write_text(
            f'platform = "chongqing"\nconsent = "stated"\n[server]\nurl = "{stand.client.base_url}"\nanswer_s = 5\n'
            '[credentials]\ntoken = "file:token.txt"\n'
            '[settings]\nmapping = "mapping.toml"\n[settings.follow]\njournal = "journal.jsonl"\n',
            "utf-8",
        )
        yield tmp_path, stand


def run(tmp_path, *words):
    done = CliRunner().invoke(app, ["jobs", *map(str, words), "--site", str(tmp_path / "site.toml"), "--lang", "en"])
    assert done.exception is None or isinstance(done.exception, SystemExit), done.output
    return done


def entered(tmp_path, record=RECORD):
    (tmp_path / "people.jsonl").write_text(f"{WELDER.model_dump_json()}\n{GUARDIAN.model_dump_json()}\n", "utf-8")
    (tmp_path / "job.jsonl").write_text(json.dumps(record) + "\n", "utf-8")
    assert run(tmp_path, "people", tmp_path / "people.jsonl").exit_code == 0
    assert run(tmp_path, "enter", tmp_path / "job.jsonl").exit_code == 0


def test_what_is_complete_is_reported_and_what_is_missing_is_named(place):
    tmp_path, stand = place
    entered(tmp_path)
    done = run(tmp_path, "report")
    taken = [one["endpoint"] for one in stand.ledger.entries if one["taken"]]
    assert {"application", "on"} <= set(taken) and "off" not in taken
    assert "accepted 2" in done.output and done.exit_code == 3, done.output


def test_reported_again_nothing_leaves_twice(place):
    tmp_path, stand = place
    entered(tmp_path)
    run(tmp_path, "report")
    before = len([one for one in stand.ledger.entries if one["endpoint"] in ("application", "on")])
    run(tmp_path, "report")
    assert len([one for one in stand.ledger.entries if one["endpoint"] in ("application", "on")]) == before


def test_a_report_cut_off_is_asked_for_and_not_sent_again(place):
    tmp_path, stand = place
    entered(tmp_path)
    stand.order("cut_after", endpoint="application")
    run(tmp_path, "report")
    run(tmp_path, "report")
    applications = [one for one in stand.ledger.entries if one["endpoint"] == "application"]
    assert len(applications) == 1 and applications[0]["taken"]
    assert [one["endpoint"] for one in stand.ledger.entries if one["taken"]].count("on") == 1


def test_the_list_shows_jobs_and_no_names(place):
    tmp_path, _ = place
    entered(tmp_path)
    shown = run(tmp_path, "list").output + run(tmp_path, "list", "--json").output
    assert "j-9" in shown and WELDER.name not in shown and WELDER.id_number not in shown


def test_an_empty_journal_is_followed_once(place):
    tmp_path, _ = place
    (tmp_path / "journal.jsonl").write_text("not json\n", "utf-8")
    done = run(tmp_path, "follow", "--once")
    assert done.exit_code == 0 and "0 new" in done.output


def test_a_record_that_claims_to_be_the_terminal_is_refused(place):
    tmp_path, _ = place
    (tmp_path / "job.jsonl").write_text(json.dumps(RECORD | {"on": {"boot": 1, "seq": 2}}) + "\n", "utf-8")
    assert run(tmp_path, "enter", tmp_path / "job.jsonl").exit_code == 1


def test_a_site_without_a_mapping_is_told_what_to_write(place):
    tmp_path, _ = place
    profile = tmp_path / "site.toml"
    profile.write_text(profile.read_text("utf-8").replace('mapping = "mapping.toml"\n', ""), "utf-8")
    done = run(tmp_path, "report")
    assert done.exit_code == 2
