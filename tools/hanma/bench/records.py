"""The platform's records: devices and permits, as frozen pydantic models; jobs and people are in `hanma.jobs`.

Times are integer milliseconds since 1970 (`_ms`).
"""

from pydantic import Field

from ..jobs import CertificateKind, Record

SITE_CHECKS = ("combustibles_cleared", "extinguisher_ready", "briefing_given")


class Device(Record):
    """A terminal on a welder. `accepts`: the certificate kinds this site's authority takes."""

    id: str
    name: str = ""
    unit: str = ""
    site: str = ""
    in_service: bool = True
    accepts: tuple[CertificateKind, ...] = ("050", "060", "070")


class Permit(Record):
    """A hot-work permit. Without `welders` it is for any registered welder; `to_ms` itself still counts."""

    no: str
    device: str
    from_ms: int
    to_ms: int
    type: str = "动火作业票"
    approved: bool = True
    welders: tuple[str, ...] = ()
    files: tuple[str, ...] = ()


class Settings(Record):
    """What the measure leaves open, in seconds. `guardian_wait_s`: from scan to confirmation. `order_wait_s`:
    from confirmation to order. `answer_wait_s`: how long an order may stay with no sign of being obeyed."""

    guardian_wait_s: int = Field(300, ge=1)
    order_wait_s: int = Field(60, ge=1)
    answer_wait_s: int = Field(180, ge=1)
    required_checks: tuple[str, ...] = SITE_CHECKS
