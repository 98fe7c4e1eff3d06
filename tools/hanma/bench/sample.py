"""People to try the bench with: a good welder, one whose certificate has expired, a guardian, and a permit.

They are made up; their references are fixed, so that a demonstration can name them.
"""

from datetime import timedelta

from ..jobs import Certificate, Guardian, Welder
from .eligibility import china_date
from .records import Device, Permit

GOOD_WELDER, EXPIRED_WELDER, GUARDIAN = "w-good", "w-expired", "g-site"
_HOUR_MS = 3_600_000
_WORK = "熔化焊接与热切割作业"


def fill(people, device_id, now_ms):
    """Puts the sample people, the device and a permit of twelve hours into the store."""
    today = china_date(now_ms)
    good = Certificate(kind="050", number="T000000001", work=_WORK, valid_to=today + timedelta(days=400))
    expired = good.changed(number="T000000002", valid_to=today - timedelta(days=30))
    people.put(Device(id=device_id, name="样机", unit="示范单位", site="示范工地"))
    people.put(Welder(ref=GOOD_WELDER, name="张焊工", id_number="sample-1", certificates=(good,)))
    people.put(Welder(ref=EXPIRED_WELDER, name="王焊工", id_number="sample-2", certificates=(expired,)))
    people.put(Guardian(ref=GUARDIAN, name="李监护", id_number="sample-3"))
    people.put(Permit(no=f"DH-{today:%Y%m%d}-{device_id}", device=device_id, from_ms=now_ms - _HOUR_MS,
                      to_ms=now_ms + 12 * _HOUR_MS))
