"""Jobs out of facts: the two sides meet by the job's id, in any order, told any number of times."""

from hypothesis import given, settings
from hypothesis import strategies as st

from hanma.jobs import Emergency, SwitchedOff, SwitchedOn, WelderRef
from hanma.upload.jobs.facts import Answered, Ordered, Said, fact_from, text_of
from hanma.upload.jobs.merging import merge

from .jobs_samples import APPLIED, EMERGENCY, GUARDED, HISTORY, MINUTE, OFF, ON, ORDERED, PLACE, STATES, T0

FEW = settings(max_examples=60, deadline=None)


def names(merged, job="j-1"):
    return [(problem.rule.name, problem.field) for problem in merged.problems.get(job, [])]


def said(job, at_ms=T0 + 100 * MINUTE, source="office", **more):
    return Said(job=job, said_ms=at_ms, source=source, **more)


# Everything that may be told of the two jobs, with contradictions and corrections among it.
RUMOURS = (
    *HISTORY,
    *EMERGENCY,
    said(APPLIED.changed(welder=WelderRef(ref="w-2"))),
    said(APPLIED.changed(site_photos=("more.jpg",)), source="phone"),
    said(APPLIED.changed(welder=WelderRef(ref="w-1")), at_ms=T0 + 200 * MINUTE, corrects=True),
    said(ORDERED.changed(state="lapsed")),
    said(GUARDED.changed(device="D2"), source="phone"),
    ON.changed(at_ms=None),
    ON.changed(cause="resumed", seq=5, at_ms=T0 + 20 * MINUTE),
    OFF.changed(seq=6, cause="power_lost", estimated=True, at_ms=T0 + 19 * MINUTE),
    OFF.changed(at_ms=T0),
)


@FEW
@given(st.data())
def test_any_order_and_any_repetition_of_the_same_facts_gives_the_same_jobs(data):
    facts = data.draw(st.lists(st.sampled_from(RUMOURS), unique_by=text_of))
    again = data.draw(st.permutations(facts + data.draw(st.lists(st.sampled_from(facts or RUMOURS[:1]))) if facts else facts))
    assert merge(facts) == merge(again)


@FEW
@given(st.permutations(HISTORY))
def test_a_whole_history_in_any_order_is_the_finished_job_without_a_problem(facts):
    merged = merge(facts)
    job = merged.jobs["j-1"]
    assert not merged.problems
    assert (job.state, job.times, job.welder.ref, job.guardian.photo) == ("off", "terminal", "w-1", "both.jpg")
    assert job.site_photos == ("site1.jpg", "site2.jpg")
    assert job.cert.checked_ms == T0 + 2 * MINUTE
    assert job.on == SwitchedOn(request_id="r1", ordered_ms=T0 + 2 * MINUTE, code=200, relay_ms=ON.at_ms, cause="order", boot=3,
                                seq=4, position=PLACE)
    assert job.off == SwitchedOff(request_id="r2", at_ms=OFF.at_ms, cause="order", position=PLACE, boot=3, seq=9)


@FEW
@given(st.lists(st.sampled_from(RUMOURS + STATES), unique_by=text_of))
def test_a_fact_is_the_same_after_it_was_written_and_read(facts):
    assert [fact_from(text_of(fact)) for fact in facts] == facts


def test_the_terminals_side_alone_is_a_job_without_a_welder():
    job = merge([ON, OFF]).jobs["j-1"]
    assert (job.device, job.state, job.welder, job.times) == ("D1", "off", None, "terminal")


def test_two_welders_for_one_job_are_a_conflict_and_neither_is_taken():
    merged = merge([*HISTORY, said(APPLIED.changed(welder=WelderRef(ref="w-2")))])
    assert merged.jobs["j-1"].welder is None
    assert names(merged) == [("job_conflict", "welder.ref")]
    assert all(problem.grave for problem in merged.problems["j-1"])


def test_a_correction_decides_a_conflict_and_is_told():
    wrong = said(APPLIED.changed(welder=WelderRef(ref="w-2")))
    right = said(APPLIED.changed(welder=WelderRef(ref="w-1")), corrects=True)
    merged = merge([*HISTORY, wrong, right])
    assert merged.jobs["j-1"].welder.ref == "w-1"
    assert names(merged) == [("job_corrected", "welder.ref")]
    assert not any(problem.grave for problem in merged.problems["j-1"])


def test_two_devices_for_one_job_make_no_job_at_all():
    merged = merge([*HISTORY, ON.changed(device="D2")])
    assert "j-1" not in merged.jobs
    assert ("job_conflict", "device") in names(merged)


def test_a_report_sent_again_with_its_time_fills_the_time_in():
    merged = merge([ON.changed(at_ms=None), ON])
    assert merged.jobs["j-1"].on.relay_ms == ON.at_ms
    assert not merged.problems


def test_two_records_under_one_number_are_a_conflict_and_none_counts():
    merged = merge([ON, OFF, OFF.changed(cause="idle")])
    assert merged.jobs["j-1"].off is None
    assert names(merged) == [("job_conflict", "switched")]


def test_a_job_resumed_after_a_power_cut_is_on_until_its_last_report_says_off():
    cut = OFF.changed(seq=6, cause="power_lost", estimated=True)
    resumed = ON.changed(seq=7, cause="resumed")
    assert merge([ON, cut]).jobs["j-1"].times == "estimated"
    assert merge([ON, cut, resumed]).jobs["j-1"].state == "on"
    done = merge([resumed, OFF, cut, ON]).jobs["j-1"]
    assert (done.state, done.off.seq, done.times) == ("off", 9, "terminal")


def test_the_platforms_reckoning_of_an_end_gives_way_to_the_terminals_report():
    stopped = said(ORDERED.changed(state="off", off=SwitchedOff(request_id="r2", at_ms=OFF.at_ms + 700, cause="order")))
    alone = merge([*HISTORY[:6], stopped]).jobs["j-1"]
    assert (alone.state, alone.off.at_ms, alone.times) == ("off", OFF.at_ms + 700, "platform")
    both = merge([*HISTORY, stopped])
    assert (both.jobs["j-1"].off.at_ms, both.jobs["j-1"].times) == (OFF.at_ms, "terminal")
    assert not both.problems


def test_a_time_the_enterprise_tells_otherwise_than_the_terminal_is_noted_and_the_terminals_stands():
    other = said(ORDERED.changed(state="on", on=SwitchedOn(request_id="r1", relay_ms=T0, boot=3, seq=4)))
    merged = merge([other, ON])
    assert merged.jobs["j-1"].on.relay_ms == ON.at_ms
    assert names(merged) == [("job_time_differs", "on.relay_ms")]


def test_a_lapsed_job_on_which_the_welder_was_powered_is_pointed_out():
    merged = merge([said(ORDERED.changed(state="lapsed")), ON, OFF])
    assert merged.jobs["j-1"].state == "lapsed"
    assert names(merged) == [("job_ended_but_worked", "state")]


def test_an_emergency_is_a_job_of_its_own_without_a_welder():
    job = merge(EMERGENCY).jobs["em-D1-4-2"]
    assert (job.kind, job.state, job.welder) == ("emergency", "off", None)
    assert job.emergencies == (Emergency(start_ms=T0 + 200 * MINUTE, end_ms=T0 + 230 * MINUTE, cause="handover_end"),)


def test_an_order_during_an_emergency_ends_it():
    order = ON.changed(boot=4, seq=3, job="j-2", at_ms=T0 + 210 * MINUTE)
    job = merge([EMERGENCY[0], order]).jobs["em-D1-4-2"]
    assert (job.state, job.off.cause, job.emergencies[0].end_ms) == ("off", "order", T0 + 210 * MINUTE)


def test_the_enterprise_completes_an_emergency():
    whole = APPLIED.changed(job="em-D1-4-2", kind="emergency", state="off", scanned_ms=None)
    merged = merge([*EMERGENCY, said(whole)])
    job = merged.jobs["em-D1-4-2"]
    assert (job.kind, job.welder.ref, job.off.cause) == ("emergency", "w-1", "handover_end")
    assert not merged.problems


def test_an_answer_belongs_to_the_job_whose_order_it_answers():
    order = Ordered(device="D1", request_id="r9", on=True, job="j-9", issued_ms=T0)
    merged = merge([order, Answered(device="D1", request_id="r9", code=500), Answered(device="D2", request_id="r9", code=200)])
    job = merged.jobs["j-9"]
    assert (job.state, job.on.code, job.on.ordered_ms) == ("ordered", 500, T0)
