"""A welding job as enterprise and terminal tell it, for the tests of jobs: facts in the order in which they come about."""

from datetime import date

from PIL import Image

from hanma.jobs import (
    Certificate,
    CertificateVerdict,
    GuardianWord,
    Job,
    PermitUsed,
    SwitchedOn,
    Welder,
    WelderRef,
)
from hanma.upload.jobs.facts import Answered, Ordered, Said, Stated, Switched


def draw(path):
    """Make a small picture."""
    Image.new("RGB", (48, 48), "orange").save(path, "JPEG")


T0 = 1_772_500_000_000  # 2026-03-03 09:06:40 in China
MINUTE = 60_000
PLACE = {"lng": "106.5512340", "lat": "29.5630100", "system": "wgs84", "source": "gnss", "time": T0}
WELDER = Welder(
    ref="w-1", name="张三", id_number="110101199003074258",
    certificates=(Certificate(kind="050", number="T110101", work="熔化焊接与热切割作业", valid_to=date(2029, 1, 31)),),
)
GUARDIAN = Welder(ref="g-1", name="李四", id_number="110101199003077715")

APPLIED = Job(
    job="j-1", device="D1", unit="U1", site="S1", state="applied", scanned_ms=T0, welder=WelderRef(ref="w-1"),
    cert=CertificateVerdict(kind="050", valid_to=date(2029, 1, 31), verdict="valid", checked_ms=T0),
    permit=PermitUsed(type="动火作业票", no="P1", from_ms=T0 - MINUTE, to_ms=T0 + 600 * MINUTE, files=("permit.pdf",)),
    site_photos=("site1.jpg",),
)
GUARDED = APPLIED.changed(
    state="guarded", site_photos=("site2.jpg",),
    guardian=GuardianWord(ref="g-1", confirmed_ms=T0 + MINUTE, checks=("extinguisher_ready",), photo="both.jpg"),
)
ORDERED = GUARDED.changed(
    state="ordered", on=SwitchedOn(request_id="r1", ordered_ms=T0 + 2 * MINUTE),
    cert=APPLIED.cert.changed(checked_ms=T0 + 2 * MINUTE),
)
ON = Switched(device="D1", boot=3, seq=4, on=True, cause="order", job="j-1", at_ms=T0 + 3 * MINUTE, position=PLACE)
OFF = Switched(device="D1", boot=3, seq=9, on=False, cause="order", job="j-1", at_ms=T0 + 90 * MINUTE, position=PLACE)
HISTORY = (
    Said(job=APPLIED, said_ms=T0, source="bench"),
    Said(job=GUARDED, said_ms=T0 + MINUTE, source="bench"),
    Said(job=ORDERED, said_ms=T0 + 2 * MINUTE, source="bench"),
    Ordered(device="D1", request_id="r1", on=True, job="j-1", issued_ms=T0 + 2 * MINUTE + 1),
    Answered(device="D1", request_id="r1", code=200, at_ms=T0 + 3 * MINUTE),
    ON,
    Ordered(device="D1", request_id="r2", on=False, job="j-1", issued_ms=T0 + 89 * MINUTE),
    OFF,
)
EMERGENCY = (
    Switched(device="D1", boot=4, seq=2, on=True, cause="emergency", at_ms=T0 + 200 * MINUTE, position=PLACE),
    Switched(device="D1", boot=4, seq=3, on=False, cause="handover_end", at_ms=T0 + 230 * MINUTE, position=PLACE),
)
STATES = (
    Stated(device="D1", at_ms=T0, by="terminal", online=True, powered=False, cause="login"),
    Stated(device="D1", at_ms=T0 + MINUTE, by="terminal", position=PLACE, cause="position"),
    Stated(device="D1", at_ms=T0 + 3 * MINUTE, by="terminal", powered=True, position=PLACE, cause="order"),
    Stated(device="D1", at_ms=T0 + 5 * MINUTE, by="platform", online=False, cause="offline:lost"),
)
DONE_RECORD = {
    "job": "j-1", "device": "D1", "unit": "U1", "site": "S1", "welder": {"ref": "w-1"}, "site_photos": ["site1.jpg"],
    "permit": {"type": "动火作业票", "no": "P1", "from_ms": T0 - MINUTE, "to_ms": T0 + 600 * MINUTE},
    "guardian": {"ref": "g-1", "confirmed_ms": T0 + MINUTE, "checks": ["extinguisher_ready"], "photo": "both.jpg"},
}
