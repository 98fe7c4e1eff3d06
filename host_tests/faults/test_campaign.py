"""The runner's figures add up, its mutants fit the firmware, and its witnesses are not the terminal."""

import itertools
import json
import os
import signal
import subprocess
import sys

import pytest

from hanma import toolchain
from host_tests.faults import burn, campaigns, lives, mutants, mutation, truth
from host_tests.faults.findings import LOST, RELAY, Findings
from host_tests.faults.mutation import Edit, Stale
from host_tests.faults.sweep_tally import Tally
from host_tests.faults.tally import FIGURES, Campaign
from host_tests.unit import port_script


def _sweep(**changed):
    return dict(Tally().result(), records_made=5, records_delivered=3, records_dropped_by_rule=2, cuts_counted=7, **changed)


def _scene(*found, **figures):
    findings = Findings()
    for name, number in figures.items():
        findings.count(name, number)
    findings.found += [list(one) for one in found]
    return findings.result()


# ---- figures


def test_the_line_of_json_has_every_figure_and_its_sums():
    campaign = Campaign(9)
    campaign.sweep("a", _sweep(), 1)
    campaign.sweep("b", _sweep(), 1)
    campaign.scene("c", _scene(records_made=2, records_delivered=2, faults_tried=3), 1)
    campaign.mutant(mutants.MUTANTS[0], True, ["lost"], 1)
    line = json.loads(json.dumps(campaign.figures()))
    assert set(FIGURES) | {"failed_seeds", "seed", "left"} == set(line)
    assert (line["records_made"], line["records_delivered"], line["records_dropped_by_rule"], line["records_lost"]) == (12, 8, 4, 0)
    assert (line["cuts_tried"], line["faults_tried"], line["mutants"], line["mutants_caught"]) == (14, 3, 1, 1)
    assert campaign.wrong() == []


def test_a_lost_record_a_wrong_relay_and_a_surviving_mutant_each_fail_the_campaign():
    for row, text in (
        (lambda campaign: campaign.sweep("a", _sweep(records_lost=1, names={"lost": 1}), 1), "records_lost 1"),
        (lambda campaign: campaign.sweep("a", _sweep(names={"powered": 2}), 1), "wrong_relay_states 2"),
        (lambda campaign: campaign.sweep("a", _sweep(names={"config": 1}), 1), "unrecovered 1"),
        (lambda campaign: campaign.scene("c", _scene((RELAY, "x", "")), 1), "wrong_relay_states 1"),
        (lambda campaign: campaign.scene("c", _scene((LOST, "gap_unexplained", "")), 1), "unrecovered 1"),
        (lambda campaign: campaign.mutant(mutants.MUTANTS[0], False, [], 1), "1 mutants survive"),
        (lambda campaign: campaign.broken("mutant", "m", "it is stale", 1), "1 mutants survive"),
        (lambda campaign: campaign.broken("scene", "s", "no process", 1), "unrecovered 1"),
    ):
        campaign = Campaign(1)
        row(campaign)
        assert any(text in reason for reason in campaign.wrong()), text


def test_records_that_are_not_accounted_for_fail_the_campaign():
    campaign = Campaign(1)
    campaign.scene("c", _scene(records_made=3, records_delivered=2), 1)
    assert "of 3 records 2 are accounted for" in campaign.wrong()


def test_the_table_has_a_line_for_everything_that_ran():
    campaign = Campaign(1)
    campaign.sweep("the sweep", _sweep(), 1)
    campaign.mutant(mutants.MUTANTS[0], False, [], 2)
    lines = campaign.table().split("\n")
    assert len(lines) == 3
    assert "the sweep" in lines[1]
    assert "FOUND" in lines[2] and "0/1" in lines[2]


# ---- mutants


@pytest.mark.parametrize("mutant", mutants.MUTANTS, ids=lambda mutant: mutant.name)
def test_every_mutant_fits_the_firmware_of_today(tmp_path, mutant):
    copy = mutation.copy(tmp_path / "firmware", mutant.edits)
    for edit in mutant.edits:
        text = (copy / edit.path).read_text(encoding="utf-8")
        compile(text, edit.path, "exec")
        assert text != (mutation.FIRMWARE / edit.path).read_text(encoding="utf-8")


def test_every_scene_s_own_plants_fit_the_firmware_of_today(tmp_path):
    for name, scene in campaigns.SCENES.items():
        mutation.copy(tmp_path / name, scene.plants)


def test_there_are_enough_mutants_and_each_names_a_campaign_that_exists():
    assert len(mutants.MUTANTS) >= 20
    assert len({mutant.name for mutant in mutants.MUTANTS}) == len(mutants.MUTANTS)
    for mutant in mutants.MUTANTS:
        scenes = {**campaigns.SCENES, **lives.LIVES}
        assert mutant.campaign in ("outbox", "records", "config", "upgrade") or mutant.target in scenes


@pytest.mark.parametrize("text", ["nothing", "twice, and twice"])
def test_a_mutant_that_no_longer_fits_says_how_to_mend_it(text):
    with pytest.raises(Stale, match="give the edit .* a text that stands there once"):
        mutation.apply(Edit("terminal/x.py", "twice", "thrice"), text, "mutant 'm'")


def test_a_mutant_of_a_file_that_is_gone_says_so(tmp_path):
    with pytest.raises(Stale, match="no firmware/terminal/gone.py"):
        mutation.copy(tmp_path / "firmware", [Edit("terminal/gone.py", "a", "b")], name="mutant 'm'")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["obeys a stale order", "loses one record", "uses a boot number twice"])
def test_a_planted_defect_is_found_by_its_name(name):
    mutant = next(one for one in mutants.MUTANTS if one.name == name)
    is_caught, names, _ = mutants.run(mutant)
    assert is_caught, names


@pytest.mark.slow
@pytest.mark.parametrize("scene", ["stale_orders", "reports_through_a_power_cut", "full_flash"])
def test_the_firmware_of_today_passes(scene):
    result = campaigns.run(scene)
    assert result["found"] == []
    assert result["records_made"] == result["records_delivered"]


@pytest.mark.slow
@pytest.mark.parametrize("life", lives.LIVES)
def test_the_firmware_of_today_passes_in_virtual_time(life):
    result = campaigns.run(life)
    assert result["found"] == []
    assert result["records_made"] == result["records_delivered"]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["opens an emergency too early", "restarts the hand-over on a flap"])
def test_a_defect_of_time_is_found_in_virtual_time(name):
    mutant = next(one for one in mutants.MUTANTS if one.name == name)
    assert mutant.target in lives.LIVES
    is_caught, names, _ = mutants.run(mutant)
    assert is_caught and names == [mutant.finding]


# ---- the command


@pytest.mark.slow
def test_an_interrupted_campaign_tells_what_it_has_and_leaves_no_process_behind():
    command = [sys.executable, "-u", "-m", "host_tests.faults", "--seed", "1", "--only", "mutant"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=toolchain.ROOT, start_new_session=True) as campaign:
        seen = list(itertools.takewhile(lambda line: " left: about" not in line, campaign.stdout))
        campaign.send_signal(signal.SIGINT)
        text, _ = campaign.communicate(timeout=60)
        with pytest.raises(ProcessLookupError):
            os.killpg(campaign.pid, 0)
    figures = json.loads(text.splitlines()[-1])
    ended = 1 + text.count(" left: about")
    assert campaign.returncode == 130 and f"seed {figures['seed']}" in seen[0]
    assert (figures["mutants"], figures["left"]) == (ended, len(mutants.MUTANTS) - ended)
    first = seen[-1].removeprefix("mutant ").partition(":")[0]
    assert first in [mutant.name for mutant in mutants.MUTANTS]
    assert f"INTERRUPTED (seed 1): {figures['left']} not run" in text and first in text


# ---- witnesses


def _edge(t_us, level):
    return {"t_us": t_us, "pin": 21, "level": level}


def test_what_the_welder_felt_is_read_off_the_pin_alone():
    edges = [_edge(1, 0), _edge(2, 1), {"t_us": 3, "pin": 5, "level": 0}, _edge(4, 1), _edge(5, None), _edge(6, 0), _edge(7, 1)]
    assert truth.switchings(edges, 21) == [(2, True), (5, False), (7, True)]


def test_a_switching_that_nobody_reported_is_missing_and_a_resumption_is_none():
    events = [
        {"relay": 1, "cause": "order", "boot": 1, "seq": 2},
        {"relay": 1, "cause": "resumed", "boot": 2, "seq": 1},
        {"relay": 1, "cause": "order", "boot": 1, "seq": 2},
    ]
    assert truth.unreported([(2, True), (5, False)], events) == [(5, False)]
    assert truth.unreported([(2, True)], events) == []


def test_a_number_that_never_came_is_a_gap_unless_it_was_dropped_by_rule():
    uplinks = [{"event": {"boot": 1, "seq": 1}}, {"boot": 1, "seq": 4, "kind": "x"}]
    assert truth.gaps(uplinks) == [(1, 2), (1, 3)]
    told = {"boot": 1, "seq": 5, "kind": "records_dropped", "detail": {"rank": 2, "from": [1, 2], "to": [1, 3], "count": 2}}
    assert truth.gaps([*uplinks, told]) == []


def test_a_full_image_has_no_room_for_a_record(tmp_path):
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree" / "boot.py").write_text("pass\n")
    (tmp_path / "silence").touch()
    burn.image(tmp_path / "tree", tmp_path / "flash.img", 16, is_full=True)
    code = """
import flash_image, os
flash_image.mount()
try:
    os.mkdir("outbox")
    with open("outbox/1", "wb") as file:
        file.write(b"x" * 100)
    print(json.dumps("room"))
except OSError as error:
    print(json.dumps(error.errno))
"""
    assert port_script.run(str(toolchain.micropython()), tmp_path, code) == 28
