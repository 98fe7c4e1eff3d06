"""What the enterprise enters of a job, and what it may not say in the terminal's place."""

import pytest

from hanma.upload.jobs.entering import enter
from hanma.upload.jobs.merging import merge
from hanma.upload.problems import Place

from .jobs_samples import DONE_RECORD, EMERGENCY, OFF, ON, T0


def test_a_record_meets_the_terminals_reports_by_the_jobs_number():
    said, problems = enter(DONE_RECORD, T0, "office")
    merged = merge([said, ON, OFF])
    job = merged.jobs["j-1"]
    assert problems == []
    assert (job.welder.ref, job.permit.no, job.guardian.photo, job.state) == ("w-1", "P1", "both.jpg", "off")
    assert not merged.problems


def test_an_emergency_is_completed_by_a_record():
    said, _ = enter({**DONE_RECORD, "job": "em-D1-4-2", "kind": "emergency"}, T0, "office")
    job = merge([*EMERGENCY, said]).jobs["em-D1-4-2"]
    assert (job.kind, job.welder.ref, job.state) == ("emergency", "w-1", "off")


@pytest.mark.parametrize("change,field", [
    ({"job": None}, "job"), ({"device": 7}, "device"), ({"permit": {"type": "x"}}, "permit.no"), ({"colour": "red"}, "colour"),
    ({"guardian": {"ref": "g-1", "confirmed_ms": "soon"}}, "guardian.confirmed_ms"), ({"job": "\ud800"}, "job"),
    ({"unit": "\ud800"}, "unit"),
])
def test_what_can_not_be_read_is_told_by_field_in_both_languages(change, field):
    said, problems = enter({**DONE_RECORD, **change}, T0, "office", place=Place("jobs.jsonl", row=3))
    assert said is None
    assert any(problem.field in (field, "job") and problem.place.row == 3 for problem in problems)
    assert all(problem.text("zh") and problem.text("en") and problem.grave for problem in problems)


@pytest.mark.parametrize("part", ["on", "off"])
def test_the_numbers_of_a_terminals_report_can_not_be_entered(part):
    said, problems = enter({**DONE_RECORD, part: {"boot": 1, "seq": 2}}, T0, "office")
    assert said is None
    assert [problem.rule.name for problem in problems] == ["job_not_ours_to_say"] * 2


def test_a_time_the_terminal_did_not_know_may_be_entered():
    said, _ = enter({**DONE_RECORD, "on": {"relay_ms": T0 + 5}}, T0, "office")
    job = merge([said, ON.changed(at_ms=None), OFF]).jobs["j-1"]
    assert (job.on.relay_ms, job.times) == (T0 + 5, "platform")
