"""Who may weld where, now: the register's questions, the certificate and the permit. Pure.

Times are integer milliseconds since 1970; a certificate is valid through its last day in Chinese time.
"""

from datetime import datetime, timedelta, timezone

from ..jobs import CertificateVerdict, PermitUsed
from .refusals import refusal

_CHINA = timezone(timedelta(hours=8))

# What a certificate must name to be fit for arc welding: 050 and 060 as their dictionaries write the
# operation, 070 as article 37 writes it. Pressure welding and brazing (050) and plastics (060) are others.
FIT_WORK = {"050": ("熔化焊接与热切割",), "060": ("金属焊接操作", "焊工"), "070": ("建筑焊工", "建筑电焊工")}
_OTHER_WORK = ("非金属",)

_VERDICTS = ("valid", "certificate_expired", "certificate_early", "certificate_unfit")


class Register:
    """People, devices and permits held in memory; the store answers the same four questions."""

    def __init__(self, devices=(), welders=(), guardians=(), permits=()):
        self._devices = {device.id: device for device in devices}
        self._welders = {welder.ref: welder for welder in welders}
        self._guardians = {guardian.ref: guardian for guardian in guardians}
        self._permits = list(permits)

    def device(self, device_id):
        """The device of that id, or None."""
        return self._devices.get(device_id)

    def welder(self, ref):
        """The welder of that reference, or None."""
        return self._welders.get(ref)

    def guardian(self, ref):
        """The guardian of that reference, or None."""
        return self._guardians.get(ref)

    def permits(self, device_id):
        """Every permit for that device, whatever its state."""
        return [permit for permit in self._permits if permit.device == device_id]


def china_date(now_ms):
    """The day in China at that time."""
    return datetime.fromtimestamp(now_ms // 1000, _CHINA).date()


def is_fit(certificate, device):
    """True when this certificate, were it in date, would allow arc welding on this device."""
    if certificate.kind not in device.accepts or any(word in certificate.work for word in _OTHER_WORK):
        return False
    return any(word in certificate.work for word in FIT_WORK[certificate.kind])


def check_certificate(welder, device, now_ms):
    """The best certificate of this welder (articles 21 and 36 to 38).

    Returns (verdict record, refusal or None): one in date wins over one that is expired, early or unfit.
    """
    if not welder.certificates:
        code = "certificate_missing"
        return CertificateVerdict(verdict=code, checked_ms=now_ms), refusal(code)
    today = china_date(now_ms)
    best = min(welder.certificates, key=lambda certificate: _rank(certificate, device, today))
    verdict = _VERDICTS[_rank(best, device, today)]
    record = CertificateVerdict(kind=best.kind, valid_to=best.valid_to, verdict=verdict, checked_ms=now_ms)
    return record, _certificate_refusal(verdict, best)


def _rank(certificate, device, today):
    if not is_fit(certificate, device):
        return 3
    if certificate.valid_from and today < certificate.valid_from:
        return 2
    return 1 if today > certificate.valid_to else 0


def _certificate_refusal(verdict, certificate):
    details = {
        "certificate_expired": str(certificate.valid_to),
        "certificate_early": str(certificate.valid_from),
        "certificate_unfit": f"{certificate.kind} {certificate.work}",
    }
    return refusal(verdict, details[verdict]) if verdict in details else None


def check_permit(permits, welder_ref, now_ms):
    """The first permit that covers this welder now (article 24).

    Returns (permit as used or None, refusal or None); the refusal is of the last permit looked at.
    """
    no = refusal("permit_missing")
    for permit in permits:
        code = _permit_fault(permit, welder_ref, now_ms)
        if code is None:
            used = permit.model_dump(include={"type", "no", "from_ms", "to_ms", "files"})
            return PermitUsed(**used), None
        no = refusal(code, permit.no)
    return None, no


def _permit_fault(permit, welder_ref, now_ms):
    if not permit.approved:
        return "permit_unapproved"
    if permit.welders and welder_ref not in permit.welders:
        return "permit_other_welder"
    return None if permit.from_ms <= now_ms <= permit.to_ms else "permit_not_now"
