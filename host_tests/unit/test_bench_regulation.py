"""The rules of the measure on the bench, one article after the other, and what holds whatever people do."""

from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hanma.bench.eligibility import Register, china_date, is_fit
from hanma.bench.records import Device, Permit, Settings
from hanma.bench.refusals import REFUSALS
from hanma.bench.regulation import Regulation, Switching
from hanma.jobs import Certificate, Guardian, Welder

NOW = 1_800_000_000_000  # 2027-01-15 16:00 in China
DAY = 86_400_000
DEVICE = Device(id="D1", name="焊机一号", unit="某公司", site="一工地")
GOOD = Certificate(kind="050", number="T50", work="熔化焊接与热切割作业", valid_to=date(2028, 1, 1))
EXPIRED = GOOD.changed(number="T51", valid_to=date(2027, 1, 14))
PERMIT = Permit(no="P1", device="D1", from_ms=NOW - DAY, to_ms=NOW + DAY)
WELDER = Welder(ref="w1", name="张三", id_number="A", certificates=(GOOD,))
GUARDIAN = Guardian(ref="g1", name="李四", id_number="B")


def rules(devices=(DEVICE,), welders=(WELDER,), guardians=(GUARDIAN,), permits=(PERMIT,), **settings_):
    return Regulation(Register(devices, welders, guardians, permits), Settings(**settings_))


def working(regulation, welder="w1", job="j1", now=NOW):
    """Takes a job as far as "on"."""
    regulation.scan("D1", welder, now, job)
    regulation.confirm(job, "g1", now)
    regulation.order(job, "r-" + job, now)
    return regulation.answered(job, "r-" + job, 200, now).job


def with_certificate(**fields):
    return WELDER.changed(certificates=(GOOD.changed(**fields),))


def refused_at_scan(**registered):
    return rules(**registered).scan("D1", "w1", NOW, "j1")


@pytest.mark.parametrize(("article", "code", "registered"), [
    (4, "device_unknown", {"devices": ()}),
    (10, "device_out_of_service", {"devices": (DEVICE.changed(in_service=False),)}),
    (22, "welder_unregistered", {"welders": ()}),
    (21, "certificate_missing", {"welders": (WELDER.changed(certificates=()),)}),
    (21, "certificate_expired", {"welders": (WELDER.changed(certificates=(EXPIRED,)),)}),
    (21, "certificate_early", {"welders": (with_certificate(valid_from=date(2027, 1, 16)),)}),
    (21, "certificate_unfit", {"welders": (with_certificate(work="高压电工作业"),)}),
    (21, "certificate_unfit", {"welders": (with_certificate(kind="070", work="建筑电工"),)}),
    (21, "certificate_unfit", {"devices": (DEVICE.changed(accepts=("070",)),)}),
    (24, "permit_missing", {"permits": ()}),
    (24, "permit_missing", {"permits": (PERMIT.changed(device="D2"),)}),
    (24, "permit_unapproved", {"permits": (PERMIT.changed(approved=False),)}),
    (24, "permit_not_now", {"permits": (PERMIT.changed(to_ms=NOW - 1),)}),
    (24, "permit_not_now", {"permits": (PERMIT.changed(from_ms=NOW + 1),)}),
    (24, "permit_other_welder", {"permits": (PERMIT.changed(welders=("w2",)),)}),
])
def test_a_scan_is_refused_with_the_article_it_offends(article, code, registered):
    outcome = refused_at_scan(**registered)
    assert (outcome.refusal.code, outcome.refusal.article, outcome.job.state) == (code, article, "refused")


def test_every_refusal_speaks_both_languages_and_names_an_article_of_the_measure():
    for refusal in REFUSALS.values():
        assert any("\u4e00" <= letter <= "\u9fff" for letter in refusal.zh)
        assert refusal.en.isascii()
        assert refusal.article == 0 or 3 <= refusal.article <= 46


@pytest.mark.parametrize(("kind", "work", "fit"), [
    ("050", "熔化焊接与热切割作业", True), ("050", "压力焊作业", False), ("050", "钎焊作业", False),
    ("060", "金属焊接操作", True), ("060", "特种设备焊工操作", True), ("060", "非金属焊接操作", False),
    ("060", "叉车司机", False), ("070", "建筑焊工", True), ("070", "建筑架子工", False),
])
def test_only_a_certificate_for_welding_metal_is_fit(kind, work, fit):
    certificate = Certificate(kind=kind, number="1", work=work, valid_to=date(2030, 1, 1))
    assert is_fit(certificate, DEVICE) is fit


def test_one_good_certificate_among_bad_ones_is_enough():
    welder = WELDER.changed(certificates=(EXPIRED, GOOD.changed(work="钎焊作业"), GOOD))
    outcome = refused_at_scan(welders=(welder,))
    assert outcome.refusal is None
    assert outcome.job.cert.verdict == "valid"


def test_a_certificate_is_good_through_its_last_day_in_china():
    last = Regulation(Register((DEVICE,), (with_certificate(valid_to=china_date(NOW)),), (GUARDIAN,),
                               (PERMIT.changed(to_ms=NOW + 3 * DAY),)))
    midnight = 1_800_028_800_000  # 2027-01-16 00:00 in China
    assert last.scan("D1", "w1", midnight - 1, "j1").refusal is None
    last.finish("j1", midnight - 1)
    assert last.scan("D1", "w1", midnight, "j2").refusal.code == "certificate_expired"


def test_the_whole_way_from_scan_to_off_leaves_one_complete_record():
    regulation = rules()
    working(regulation)
    place = {"lng": "106.5512340", "lat": "29.5630020"}
    regulation.switched(Switching("D1", True, "order", "j1", NOW + 900, 4, 1, position=place), NOW + 1000)
    assert regulation.finish("j1", NOW + DAY // 24).stop
    regulation.stop_sent("j1", "r2")
    regulation.answered("j1", "r2", 200, NOW + DAY // 24)
    off = Switching("D1", False, "order", "j1", NOW + DAY // 24 - 5, 4, 2, False, place, 60)
    job = regulation.switched(off, NOW + DAY // 24).job
    assert (job.state, job.times, job.welding_s) == ("off", "terminal", 60)
    assert (job.on.request_id, job.on.code, job.on.relay_ms, job.on.seq) == ("r-j1", 200, NOW + 900, 1)
    assert (job.off.request_id, job.off.cause, job.off.at_ms, job.off.position) == (
        "r2", "order", NOW + DAY // 24 - 5, place)
    assert (job.guardian.ref, job.permit.no, job.cert.kind, job.unit) == ("g1", "P1", "050", "某公司")


def test_a_record_of_a_job_holds_no_name_and_no_number():
    text = working(rules()).model_dump_json()
    assert not any(secret in text for secret in ("张三", "李四", "T50", '"A"', '"B"'))


def test_a_second_welder_waits_until_the_first_has_ended():
    second = WELDER.changed(ref="w2", id_number="C")
    regulation = rules(welders=(WELDER, second))
    working(regulation)
    assert regulation.scan("D1", "w2", NOW, "j2").refusal.article == 27
    regulation.finish("j1", NOW)
    regulation.stop_sent("j1", "r2")
    assert regulation.scan("D1", "w2", NOW, "j3").refusal.code == "device_in_use"
    regulation.answered("j1", "r2", 200, NOW)
    assert regulation.scan("D1", "w2", NOW, "j4").refusal is None


def test_the_same_welder_scanning_again_keeps_the_job():
    regulation = rules()
    regulation.scan("D1", "w1", NOW, "j1")
    assert regulation.scan("D1", "w1", NOW + 1, "j2").job.job == "j1"


@pytest.mark.parametrize(("guardian", "code"), [
    (GUARDIAN, None), (GUARDIAN.changed(ref="w1"), "guardian_is_welder"),
    (GUARDIAN.changed(id_number="A"), "guardian_is_welder"), (None, "guardian_unregistered"),
])
def test_the_guardian_is_somebody_else_and_registered(guardian, code):
    regulation = rules(guardians=(guardian,) if guardian else ())
    regulation.scan("D1", "w1", NOW, "j1")
    outcome = regulation.confirm("j1", guardian.ref if guardian else "g1", NOW)
    assert (outcome.refusal.code if outcome.refusal else None) == code
    assert outcome.job.state == ("applied" if code else "guarded")


def test_every_check_of_the_site_is_confirmed_or_the_word_does_not_count():
    regulation = rules()
    regulation.scan("D1", "w1", NOW, "j1")
    outcome = regulation.confirm("j1", "g1", NOW, checks=("extinguisher_ready",))
    assert (outcome.refusal.code, outcome.refusal.article) == ("checks_missing", 25)
    assert regulation.confirm("j1", "g1", NOW).job.state == "guarded"


def test_a_scan_waits_for_the_guardian_only_so_long():
    regulation = rules(guardian_wait_s=60)
    regulation.scan("D1", "w1", NOW, "j1")
    assert regulation.tick(NOW + 60_000) == []
    assert [outcome.refusal.code for outcome in regulation.tick(NOW + 60_001)] == ["guardian_late"]
    assert regulation.jobs["j1"].state == "lapsed"


def test_a_guardian_who_comes_too_late_confirms_nothing_even_before_the_clock_was_looked_at():
    regulation = rules(guardian_wait_s=60)
    regulation.scan("D1", "w1", NOW, "j1")
    assert regulation.confirm("j1", "g1", NOW + 60_001).refusal.code == "guardian_late"
    assert regulation.open_job("D1") is None


def test_a_guardians_word_without_an_order_lapses():
    regulation = rules(order_wait_s=30)
    regulation.scan("D1", "w1", NOW, "j1")
    regulation.confirm("j1", "g1", NOW)
    assert regulation.order("j1", "r1", NOW + 30_001).refusal.code == "word_lapsed"
    regulation.scan("D1", "w1", NOW, "j2")
    regulation.confirm("j2", "g1", NOW)
    assert regulation.tick(NOW + 30_001)[0].job.state == "lapsed"


def test_the_certificate_is_checked_again_when_the_order_is_given():
    register = Register((DEVICE,), (WELDER,), (GUARDIAN,), (PERMIT,))
    regulation = Regulation(register)
    regulation.scan("D1", "w1", NOW, "j1")
    regulation.confirm("j1", "g1", NOW)
    expired = WELDER.changed(certificates=(EXPIRED,))
    regulation.register = Register((DEVICE,), (expired,), (GUARDIAN,), (PERMIT,))
    outcome = regulation.order("j1", "r1", NOW)
    assert (outcome.refusal.code, outcome.job.state, outcome.job.cert.verdict) == (
        "certificate_expired", "refused", "certificate_expired")


def test_an_order_the_terminal_refuses_ends_the_job_with_the_terminals_reason():
    regulation = rules()
    regulation.scan("D1", "w1", NOW, "j1")
    regulation.confirm("j1", "g1", NOW)
    regulation.order("j1", "r1", NOW)
    outcome = regulation.answered("j1", "r1", 500, NOW, "busy")
    assert outcome.job.state == "refused"
    assert "busy" in outcome.refusal.zh


def test_an_order_without_any_sign_of_life_lapses_and_is_followed_by_a_stop():
    regulation = rules(answer_wait_s=180)
    regulation.scan("D1", "w1", NOW, "j1")
    regulation.confirm("j1", "g1", NOW)
    regulation.order("j1", "r1", NOW)
    (outcome,) = regulation.tick(NOW + 180_001)
    assert (outcome.job.state, outcome.stop) == ("lapsed", True)
    regulation.stop_sent("j1", "r2")
    assert [job.job for job in regulation.owed_stops("D1")] == ["j1"]
    regulation.answered("j1", "r2", 200, NOW + 190_000)
    assert regulation.owed_stops("D1") == []


def test_a_lost_answer_is_made_good_by_the_terminals_own_report():
    regulation = rules()
    regulation.scan("D1", "w1", NOW, "j1")
    regulation.confirm("j1", "g1", NOW)
    regulation.order("j1", "r1", NOW)
    assert regulation.switched(Switching("D1", True, "order", "j1", NOW, 4, 1), NOW).job.state == "on"


def test_a_welder_that_switches_on_for_a_dead_job_is_stopped():
    regulation = rules(answer_wait_s=180)
    regulation.scan("D1", "w1", NOW, "j1")
    regulation.confirm("j1", "g1", NOW)
    regulation.order("j1", "r1", NOW)
    regulation.tick(NOW + 180_001)
    assert regulation.switched(Switching("D1", True, "order", "j1", NOW + 185_000, 4, 1), NOW + 185_000).stop


def test_a_stop_still_owed_never_hits_the_next_welder():
    regulation = rules(welders=(WELDER, WELDER.changed(ref="w2", id_number="C")))
    regulation.scan("D1", "w1", NOW, "j1")
    regulation.confirm("j1", "g1", NOW)
    regulation.order("j1", "r1", NOW)
    regulation.tick(NOW + 10 * DAY // 24)
    regulation.stop_sent("j1", "r2")
    working(regulation, "w2", "j2", NOW + 10 * DAY // 24)
    assert regulation.owed_stops("D1") == []


def test_work_that_ends_by_itself_keeps_the_terminals_cause():
    regulation = rules()
    working(regulation)
    off = Switching("D1", False, "power_lost", "j1", NOW + 5, 5, 1, estimated=True)
    job = regulation.switched(off, NOW).job
    assert (job.state, job.off.cause, job.off.estimated) == ("off", "power_lost", True)
    assert job.times == "estimated"


def test_a_report_heard_twice_changes_nothing():
    regulation = rules()
    working(regulation)
    off = Switching("D1", False, "idle", "j1", NOW + 5, 4, 2)
    regulation.switched(off, NOW)
    regulation.take_changed()
    regulation.switched(off._replace(at_ms=NOW + 99), NOW)
    assert regulation.take_changed() == []


def test_an_emergency_has_no_welder_and_a_record_of_its_own():
    regulation = rules()
    job = regulation.switched(Switching("D1", True, "emergency", None, NOW, 4, 7), NOW).job
    assert (job.kind, job.welder, job.state) == ("emergency", None, "on")
    assert regulation.switched(Switching("D1", True, "emergency", None, NOW, 4, 7), NOW + 1).job == job
    off = Switching("D1", False, "emergency_end", None, NOW + 60_000, 4, 8)
    ended = regulation.switched(off, NOW + 60_000).job
    assert (ended.state, ended.emergencies[0].end_ms, ended.emergencies[0].cause) == (
        "off", NOW + 60_000, "emergency_end")


def test_a_scan_during_an_emergency_takes_over_and_ends_it():
    regulation = rules()
    emergency = regulation.switched(Switching("D1", True, "emergency", None, NOW, 4, 7), NOW).job
    working(regulation)
    regulation.switched(Switching("D1", True, "order", "j1", NOW + 9, 4, 8), NOW + 9)
    assert regulation.jobs[emergency.job].off.cause == "order"
    assert regulation.jobs["j1"].state == "on"


def test_an_order_of_somebody_elses_is_left_alone():
    assert rules().switched(Switching("D1", True, "order", "not-ours", NOW, 4, 7), NOW).job is None


def test_jobs_of_an_earlier_process_go_on():
    regulation = rules()
    job = working(regulation)
    later = Regulation(regulation.register, jobs=[type(job).model_validate_json(job.model_dump_json())])
    assert later.finish("j1", NOW).stop


# ---- whatever people do

WELDERS = (WELDER, WELDER.changed(ref="w2", id_number="C", certificates=(EXPIRED,)),
           WELDER.changed(ref="w3", id_number="B"))
STEPS = st.lists(st.one_of(
    st.tuples(st.just("scan"), st.sampled_from(["w1", "w2", "w3", "nobody"])),
    st.tuples(st.just("confirm"), st.sampled_from(["g1", "w1", "nobody"])),
    st.tuples(st.just("order"), st.none()),
    st.tuples(st.just("answer"), st.sampled_from([200, 500])),
    st.tuples(st.just("finish"), st.none()),
    st.tuples(st.just("on"), st.sampled_from(["order", "emergency", "resumed"])),
    st.tuples(st.just("off"), st.sampled_from(["order", "idle", "power_lost", "emergency_end"])),
    st.tuples(st.just("expire"), st.none()),
    st.tuples(st.just("wait"), st.integers(1, 400)),
), max_size=30)


class Play:
    """Plays steps against the rules on one device and remembers what a bystander would."""

    def __init__(self):
        self.rules = rules(welders=WELDERS)
        self.now, self.count, self.seq = NOW, 0, 0
        self.valid = {"w1", "w3"}
        self.ordered = []
        self.latest = "j0"

    def do(self, name, value):
        getattr(self, "_" + name)(value)
        self.rules.tick(self.now)

    def _scan(self, welder):
        self.count += 1
        outcome = self.rules.scan("D1", welder, self.now, f"j{self.count}")
        if outcome.refusal is None:
            self.latest = outcome.job.job

    def _confirm(self, guardian):
        self.rules.confirm(self.latest, guardian, self.now)

    def _order(self, _):
        outcome = self.rules.order(self.latest, "r-" + self.latest, self.now)
        if outcome.refusal is None:
            self.ordered.append((outcome.job, self.now, outcome.job.welder.ref in self.valid))

    def _answer(self, code):
        self.rules.answered(self.latest, "r-" + self.latest, code, self.now)

    def _finish(self, _):
        self.rules.finish(self.latest, self.now)

    def _on(self, cause):
        self.seq += 1
        job = None if cause == "emergency" else self.latest
        self.rules.switched(Switching("D1", True, cause, job, self.now, 1, self.seq), self.now)

    def _off(self, cause):
        self.seq += 1
        job = None if cause == "emergency_end" else self.latest
        self.rules.switched(Switching("D1", False, cause, job, self.now, 1, self.seq), self.now)

    def _expire(self, _):
        expired = tuple(welder.changed(certificates=(EXPIRED,)) for welder in WELDERS)
        self.rules.register = Register((DEVICE,), expired, (GUARDIAN,), (PERMIT,))
        self.valid = set()

    def _wait(self, seconds):
        self.now += seconds * 1000


@settings(max_examples=200, deadline=None)
@given(STEPS)
def test_an_order_always_has_a_valid_welder_a_permit_and_a_fresh_word_of_another_person(steps):
    play = Play()
    for step in steps:
        play.do(*step)
    for job, at_ms, valid in play.ordered:
        assert valid and job.welder.ref == "w1"  # w2 has expired, w3 is the guardian under another reference
        assert job.guardian.ref == "g1" and at_ms - job.guardian.confirmed_ms <= 60_000
        assert job.permit.from_ms <= at_ms <= job.permit.to_ms


@settings(max_examples=200, deadline=None)
@given(STEPS)
def test_one_welder_at_a_time_and_what_has_ended_stays_ended(steps):
    play, ended = Play(), {}
    for step in steps:
        play.do(*step)
        jobs = play.rules.jobs.values()
        assert sum(job.open and job.kind == "arc" for job in jobs) <= 1
        for job in jobs:
            assert ended.get(job.job, job.state) == job.state
            if not job.open:
                ended[job.job] = job.state
