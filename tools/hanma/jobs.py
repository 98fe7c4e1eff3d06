"""The job record: one piece of welding, the one shape in which the enterprise's and the terminal's side of it meet.

The bench writes it into its journal, the uploader reads and reports it. Times are integer milliseconds since 1970 (`_ms`); a
certificate's dates are days in Chinese time. A person is an opaque `ref` everywhere but in the people's own records: names and
numbers never reach a job, journal or terminal. The job's field names are fixed.
"""

from datetime import date
from typing import Literal

from pydantic import BaseModel, ConfigDict

CertificateKind = Literal["050", "060", "070"]
JobState = Literal["applied", "refused", "guarded", "ordered", "on", "off", "lapsed"]
OPEN_STATES = ("applied", "guarded", "ordered", "on")


class Record(BaseModel):
    """A record never changes: a step makes a new one."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    def changed(self, **fields):
        """A copy with these fields, validated again."""
        return type(self).model_validate({**dict(self), **fields})


class Refusal(BaseModel):
    """One refusal: `code` for programs, `zh` and `en` for people, `article` of the measure (0: none)."""

    model_config = ConfigDict(frozen=True)

    code: str
    article: int
    zh: str
    en: str

    def text(self) -> str:
        """Both languages on one line, the article first."""
        article = f"第{self.article}条 " if self.article else ""
        return f"{article}{self.zh} / {self.en}"


class Certificate(Record):
    """One operator's certificate. `kind`: 050 special operations, 060 special equipment, 070 construction.
    `work` is the operation it names, `valid_to` its last day."""

    kind: CertificateKind
    number: str
    work: str
    valid_to: date
    valid_from: date | None = None


class Person(Record):
    """Who scans or guards. `id_number` tells whether two refs are one human being."""

    ref: str
    name: str = ""
    id_number: str = ""


class Welder(Person):
    """A registered welder with every certificate on record."""

    certificates: tuple[Certificate, ...] = ()


class Guardian(Person):
    """A registered guardian of the site."""


class WelderRef(Record):
    """The welder of a job, by opaque reference."""

    ref: str


class CertificateVerdict(Record):
    """What was found when the certificate was last checked; `verdict` is "valid" or a refusal's code."""

    kind: CertificateKind | None = None
    valid_to: date | None = None
    verdict: str
    checked_ms: int


class PermitUsed(Record):
    """The permit a job runs under."""

    type: str
    no: str
    from_ms: int
    to_ms: int
    files: tuple[str, ...] = ()


class GuardianWord(Record):
    """The guardian's confirmation at the site."""

    ref: str
    confirmed_ms: int
    checks: tuple[str, ...] = ()
    photo: str | None = None


class SwitchedOn(Record):
    """The order to power, its answer, and the terminal's report of the relay (`relay_ms`, `boot`, `seq`)."""

    request_id: str | None = None
    ordered_ms: int | None = None
    code: int | None = None
    answer_ms: int | None = None
    relay_ms: int | None = None
    cause: str | None = None
    boot: int | None = None
    seq: int | None = None
    position: dict | None = None


class SwitchedOff(Record):
    """How the power went away; `request_id` is of our own order, if there was one."""

    request_id: str | None = None
    at_ms: int | None = None
    cause: str | None = None
    estimated: bool = False
    position: dict | None = None
    boot: int | None = None
    seq: int | None = None


class Emergency(Record):
    """One stretch of welding without the platform; `end_ms` is None while it lasts."""

    start_ms: int
    end_ms: int | None = None
    cause: str | None = None


class Job(Record):
    """One piece of work, from the scan to the end. `refusal` says why it did not come about; `scanned_ms` is None where only
    the terminal told of it."""

    v: Literal[1] = 1
    job: str
    kind: Literal["arc", "gas", "emergency"] = "arc"
    device: str
    unit: str = ""
    site: str = ""
    state: JobState
    scanned_ms: int | None = None
    welder: WelderRef | None = None
    cert: CertificateVerdict | None = None
    permit: PermitUsed | None = None
    site_photos: tuple[str, ...] = ()
    guardian: GuardianWord | None = None
    on: SwitchedOn | None = None
    off: SwitchedOff | None = None
    welding_s: int | None = None
    emergencies: tuple[Emergency, ...] = ()
    times: Literal["terminal", "platform", "estimated"] = "platform"
    refusal: Refusal | None = None

    @property
    def open(self):
        """True while the job holds its device."""
        return self.state in OPEN_STATES
