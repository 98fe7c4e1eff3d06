"""What goes out: each report whole or not at all, in the platform's names, with nothing made up."""

import json
from importlib import resources

import pytest
from PIL import Image

from hanma.carriage import Plain
from hanma.jobs import SwitchedOff
from hanma.upload.jobs import mapping
from hanma.upload.jobs.facts import Stated
from hanma.upload.jobs.follow import Listener
from hanma.upload.jobs.merging import merge
from hanma.upload.jobs.reports import prepare, prepare_states
from hanma.upload.record import Attachment, Prepared
from hanma.upload.site import Site

from .jobs_follower import open_store
from .jobs_samples import APPLIED, EMERGENCY, GUARDED, GUARDIAN, HISTORY, MINUTE, OFF, PLACE, STATES, T0, WELDER, draw

EXAMPLE = resources.files("hanma.upload") / "data" / "chongqing-mapping.example.toml"
DONE = merge(HISTORY).jobs["j-1"]
PICTURES = ("site1.jpg", "site2.jpg", "both.jpg")


@pytest.fixture
def site(tmp_path):
    (tmp_path / "照片").mkdir()
    for name in PICTURES:
        draw(tmp_path / "照片" / name)
    return Site(name="s", platform="chongqing", directory=tmp_path)


@pytest.fixture
def people(tmp_path):
    store = open_store(tmp_path)
    for person in (WELDER, GUARDIAN):
        store.put_person(person)
    for kind, ours, theirs in [("device", "D1", "T-1"), ("welder", "w-1", "W-1"), ("guardian", "g-1", "G-1"), ("unit", "U1", "N-1"),
                               ("application", "j-1", "A-1")]:
        store.keep_id(kind, ours, theirs)
    yield store
    store.close()


@pytest.fixture
def mapped():
    return mapping.load(EXAMPLE)


def bodies(found):
    return {one.table: one.body for one in found if isinstance(one, Prepared)}


def faults(found):
    return [(one.rule.name, one.field) for one in found if not isinstance(one, Prepared)]


def remapped(mapped, table, **fields):
    report = mapped.reports[table]
    values = {name: {"from": value} if isinstance(value, str) else value for name, value in fields.items()}
    values = {name: mapping.Value.model_validate(value) for name, value in values.items()}
    report = report.model_copy(update={"fields": {**report.fields, **values}})
    return mapped.model_copy(update={"reports": {**mapped.reports, table: report}})


def picture(name, site):
    path = site.directory / "照片" / name
    return Attachment(name, str(path.resolve()), path.read_bytes(), "image/jpeg")


# ---- the four reports, minimal and full


def test_the_whole_application(site, people, mapped):
    body = bodies(prepare(DONE, people, mapped, site))["application"]
    assert body == {
        "jobNo": "j-1", "terminalId": "T-1", "unitId": "N-1", "welderId": "W-1", "certType": "1",
        "permit": {
            "type": "动火作业票", "no": "P1", "from": "2026-03-03 09:05:40", "to": "2026-03-03 19:06:40",
            "files": ["https://files.example/permit.pdf"],
        },
        "sitePhotos": [picture("site1.jpg", site), picture("site2.jpg", site)],
    }


def test_the_least_application_leaves_out_what_may_be_missing(site, people, mapped):
    job = DONE.changed(cert=None, unit="", permit=DONE.permit.changed(files=()))
    body = bodies(prepare(job, people, mapped, site))["application"]
    assert set(body) == {"jobNo", "terminalId", "welderId", "permit", "sitePhotos"}
    assert set(body["permit"]) == {"type", "no", "from", "to"}


def test_the_guardians_word(site, people, mapped):
    body = bodies(prepare(DONE, people, mapped, site))["power_on"]
    assert body == {
        "jobNo": "j-1", "applyId": "A-1", "terminalId": "T-1", "guardianId": "G-1", "confirmedAt": "2026-03-03 09:07:40",
        "checks": ["B"], "photo": picture("both.jpg", site),
    }


def test_the_work_done(site, people, mapped):
    body = bodies(prepare(DONE, people, mapped, site))["power_off"]
    assert body == {
        "jobNo": "j-1", "applyId": "A-1", "terminalId": "T-1", "startTime": "2026-03-03 09:09:40",
        "endTime": "2026-03-03 10:36:40", "endLng": 106.551234, "endLat": 29.56301, "endEstimated": False, "endCause": "order",
    }


def test_the_least_of_the_work_done_leaves_out_the_cause(site, people, mapped):
    job = DONE.changed(off=DONE.off.changed(cause=None))
    assert "endCause" not in bodies(prepare(job, people, mapped, site))["power_off"]


def test_a_device_state_is_told_when_it_changes(site, people, mapped):
    found = prepare_states(STATES[::-1], people, mapped, site)
    assert faults(found) == [("report_missing", "position.lng"), ("report_missing", "position.lat")]
    first, second, third = [one for one in found if isinstance(one, Prepared)]
    assert first.body == {
        "terminalId": "T-1", "time": "2026-03-03 09:07:40", "power": "0", "online": "1", "lng": 106.551234, "lat": 29.56301,
        "estimated": False, "cause": "position",
    }
    assert (second.body["power"], second.body["online"]) == ("1", "1")
    assert (third.body["power"], third.body["online"], third.body["cause"]) == ("1", "0", "offline:lost")
    assert first.identity == ("D1", str(T0 + MINUTE))


def test_a_state_that_did_not_change_is_not_told_again(site, people, mapped):
    again = Stated(device="D1", at_ms=T0 + 4 * MINUTE, by="terminal", online=True, powered=True, cause="login")
    assert len(bodies_of_states(STATES, people, mapped, site)) == len(bodies_of_states((*STATES, again), people, mapped, site))


def bodies_of_states(stated, people, mapped, site):
    return [one for one in prepare_states(stated, people, mapped, site) if isinstance(one, Prepared)]


def test_an_estimated_state_is_marked(site, people, mapped):
    cut = Stated(device="D1", at_ms=T0 + 4 * MINUTE, by="terminal", powered=False, estimated=True, cause="power_lost")
    found = {one.body["cause"]: one.body["estimated"] for one in bodies_of_states((*STATES, cut), people, mapped, site)}
    assert found["power_lost"] is True
    assert found["order"] is False


# ---- order and dates


def test_reports_follow_their_parents_and_know_when_they_happened(site, people, mapped):
    found = {one.table: one for one in prepare(DONE, people, mapped, site)}
    key = ("j-1",)
    assert [one.parents for one in found.values()] == [
        (), (("application", key),), (("application", key), ("power_on", key)),
    ]
    assert {one.identity for one in found.values()} == {key}
    assert [one.happened_ms for one in found.values()] == [T0, T0 + MINUTE, OFF.at_ms]


def test_only_what_is_due_goes_out(site, people, mapped):
    assert set(bodies(prepare(APPLIED, people, mapped, site))) == {"application"}
    assert set(bodies(prepare(GUARDED, people, mapped, site))) == {"application", "power_on"}


def test_a_refused_job_is_not_reported_and_that_is_said(site, people, mapped):
    found = prepare(APPLIED.changed(state="refused"), people, mapped, site)
    assert faults(found) == [("job_nothing_done", "")]
    assert not found[0].grave


def test_a_lapsed_job_on_which_the_welder_was_powered_is_reported_as_it_was(site, people, mapped):
    assert set(bodies(prepare(DONE.changed(state="lapsed"), people, mapped, site))) == {"application", "power_on", "power_off"}


# ---- what is missing stops its report


@pytest.mark.parametrize("table,part,path", [
    ("application", "welder", "ids.welder"), ("application", "permit", "permit.type"),
    ("application", "site_photos", "site_photos"),
    ("power_on", "guardian", "ids.guardian"), ("power_off", "on", "on.relay_ms"),
])
def test_a_missing_fact_stops_its_report_and_says_which(table, part, path, site, people, mapped):
    empty = () if part == "site_photos" else None
    found = prepare(DONE.changed(**{part: empty}), people, mapped, site)
    assert table not in bodies(found)
    assert path in [field for _, field in faults(found)]
    for problem in (one for one in found if not isinstance(one, Prepared)):
        assert problem.text("zh") and problem.text("en") and problem.remedy("zh") and problem.remedy("en")


def test_a_report_whose_parent_is_stopped_does_not_go_alone(site, people, mapped):
    assert bodies(prepare(DONE.changed(permit=None), people, mapped, site)) == {}


@pytest.mark.parametrize("change,path", [
    ({"at_ms": None}, "off.at_ms"), ({"position": None}, "off.position.lng"), ({"position": {"lng": "1.0"}}, "off.position.lat"),
])
def test_an_end_without_time_or_place_is_not_reported(change, path, site, people, mapped):
    found = prepare(DONE.changed(off=DONE.off.changed(**change)), people, mapped, site)
    assert set(bodies(found)) == {"application", "power_on"}
    assert path in [field for _, field in faults(found)]


def test_an_id_that_was_not_looked_up_is_told_as_that(site, people, mapped, tmp_path):
    found = prepare(DONE.changed(device="D9"), people, mapped, site)
    assert faults(found) == [("report_id_unknown", "ids.device")]


def test_the_platforms_number_of_the_application_is_waited_for(site, people, mapped):
    found = prepare(DONE.changed(job="j-2"), people, mapped, site)
    assert set(bodies(found)) == {"application"}
    assert faults(found) == [("report_id_unknown", "theirs.application")]


def test_a_site_may_state_an_empty_value_for_what_is_missing(site, people, mapped):
    allowed = site.model_copy(update={"empty": {"power_off.off.position.lng": "", "power_off.off.position.lat": ""}})
    body = bodies(prepare(DONE.changed(off=DONE.off.changed(position=None)), people, mapped, allowed))["power_off"]
    assert (body["endLng"], body["endLat"]) == ("", "")


@pytest.mark.parametrize("name", ["gone.jpg", "../secret.txt", "/etc/hostname"])
def test_a_photo_that_is_not_in_the_sites_folder_is_refused_by_name(name, site, people, mapped):
    (site.directory / "secret.txt").write_text("not a photo")
    found = prepare(DONE.changed(site_photos=(name,)), people, mapped, site)
    assert [field for _, field in faults(found)] == ["site_photos"]
    assert name in found[0].text("zh")


def test_a_picture_that_is_none_is_refused_by_name(site, people, mapped):
    (site.directory / "照片" / "site2.jpg").write_bytes(b"no picture")
    found = prepare(DONE, people, mapped, site)
    assert faults(found) == [("photo_unreadable", "site_photos")]
    assert "site2.jpg" in found[0].text("en")


def test_a_picture_loses_its_metadata_and_keeps_to_its_limit(site, people, mapped):
    marks = Image.Exif()
    marks[271] = "a phone that knows where it is"
    Image.effect_noise((900, 900), 80).convert("RGB").save(site.directory / "照片" / "both.jpg", exif=marks, quality=95)
    mapped = remapped(mapped, "power_on", photo={"from": "guardian.photo", "files": "inline", "most_b": 60_000})
    sent = bodies(prepare(DONE, people, mapped, site))["power_on"]["photo"]
    assert len(sent.data) * 4 / 3 <= 60_000
    assert b"a phone" not in sent.data
    assert sent.media == ""


def test_files_may_be_told_by_their_address(site, people, mapped):
    mapped = remapped(mapped, "application", sitePhotos={"from": "site_photos", "files": "address", "base": "https://f/"})
    assert bodies(prepare(GUARDED, people, mapped, site))["application"]["sitePhotos"] == ["https://f/site2.jpg"]


def test_a_value_without_a_code_stops_the_report(site, people, mapped):
    mapped = remapped(mapped, "application", certType={"from": "cert.kind", "codes": {"070": "3"}})
    assert faults(prepare(DONE, people, mapped, site)) == [("report_code_unknown", "cert.kind")]


def test_text_that_is_no_number_stops_the_report_and_does_not_show_a_place(site, people, mapped):
    job = DONE.changed(off=DONE.off.changed(position={**PLACE, "lng": "106°33'"}))
    found = prepare(job, people, mapped, site)
    assert faults(found) == [("report_not_a_number", "off.position.lng")]
    assert "106°" not in found[-1].text("zh") + found[-1].text("en")


# ---- forms


def test_times_numbers_and_people_in_every_form(site, people, mapped):
    mapped = remapped(
        mapped, "application", ms={"from": "scanned_ms", "time": "ms"}, s={"from": "scanned_ms", "time": "s"},
        fine={"from": "scanned_ms", "time": "yyyy/MM/dd HH:mm:ss.SSS"}, day={"from": "cert.valid_to", "time": "yyyyMMdd"},
        plain_day="cert.valid_to", name="welder.name", number="cert.number", fixed={"const": 7},
    )
    body = bodies(prepare(DONE.changed(scanned_ms=T0 + 7), people, mapped, site))["application"]
    assert (body["ms"], body["s"], body["fine"]) == (T0 + 7, T0 // 1000, "2026/03/03 09:06:40.007")
    assert (body["day"], body["plain_day"], body["name"], body["number"], body["fixed"]) == (
        "20290131", "2029-01-31", "张三", "T110101", 7,
    )


def test_of_two_certificates_alike_none_is_picked(site, people, mapped):
    people.put_person(WELDER.changed(certificates=WELDER.certificates * 2))
    mapped = remapped(mapped, "application", number="cert.number")
    assert faults(prepare(DONE, people, mapped, site)) == [("report_missing", "cert.number")]


# ---- emergencies


def test_an_emergency_is_reported_as_device_state(site, people, mapped):
    event = {"relay": 1, "cause": "emergency", "job": None, "boot": 4, "seq": 2, "time": T0 + 200 * MINUTE, "position": PLACE}
    body = {"actionCode": "FF", "content": {"event": event}}
    facts, _ = Listener(Plain()).hear("welder/D1/up", json.dumps(body).encode(), T0 + 300 * MINUTE)
    stated = [fact for fact in facts if isinstance(fact, Stated)]
    told = bodies_of_states((*STATES[:2], STATES[3], *stated), people, mapped, site)[-1]
    assert (told.body["cause"], told.body["power"], told.body["time"]) == ("emergency", "1", "2026-03-03 12:26:40")


def test_an_emergency_waits_for_the_enterprise(site, people, mapped):
    job = merge(EMERGENCY).jobs["em-D1-4-2"]
    found = prepare(job, people, mapped, site)
    assert faults(found) == [("emergency_held", "")]
    assert "焊工" in found[0].text("zh") and "welder" in found[0].text("en")


def test_a_completed_emergency_goes_out_like_any_job(site, people, mapped):
    job = merge(EMERGENCY).jobs["em-D1-4-2"]
    people.keep_id("application", job.job, "A-2")
    whole = job.changed(welder=DONE.welder, permit=DONE.permit, site_photos=("site1.jpg",), guardian=DONE.guardian, cert=DONE.cert)
    assert set(bodies(prepare(whole, people, mapped, site))) == {"application", "power_on", "power_off"}


def test_an_estimated_end_is_marked(site, people, mapped):
    off = SwitchedOff(at_ms=T0 + 50 * MINUTE, cause="power_lost", estimated=True, boot=4, seq=1, position=PLACE)
    body = bodies(prepare(DONE.changed(off=off, times="estimated"), people, mapped, site))["power_off"]
    assert (body["endEstimated"], body["endCause"]) == (True, "power_lost")


def test_people_lie_sealed_in_the_database(people, tmp_path):
    people.close()
    raw = b"".join(path.read_bytes() for path in tmp_path.glob("outbox.db*"))
    for secret in (WELDER.name, WELDER.id_number, "T110101", "W-1", "w-1"):
        assert secret.encode() not in raw


def test_a_forgotten_person_is_gone_with_the_platforms_name_for_them(people):
    people.forget_person("w-1")
    assert (people.person("w-1"), people.their_id("welder", "w-1"), people.their_id("guardian", "g-1")) == (None, None, "G-1")
