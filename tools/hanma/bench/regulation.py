"""The rules of the measure (articles 21 to 28) as one pure machine: facts and times in, outcomes out.

It owns the jobs of this process; who is registered it asks of a register. No I/O, no clock of its own: times
are integer milliseconds since 1970. A refused step leaves a job as it was, unless the refusal ends it.
"""

from typing import NamedTuple

from ..jobs import Emergency, GuardianWord, Job, Refusal, SwitchedOff, SwitchedOn, WelderRef
from .eligibility import check_certificate, check_permit
from .records import Settings
from .refusals import refusal


class Outcome(NamedTuple):
    """What a step led to: the job as it is now (None: there is none), why it was refused (None: it was not),
    and whether a stop must be sent to the job's device now."""

    job: Job | None
    refusal: Refusal | None = None
    stop: bool = False


class Switching(NamedTuple):
    """A terminal's report that its relay changed. `on`: powered; `at_ms` None where it knew no time."""

    device: str
    on: bool
    cause: str
    job: str | None
    at_ms: int | None = None
    boot: int | None = None
    seq: int | None = None
    estimated: bool = False
    position: dict | None = None
    welding_s: int | None = None


class Regulation:
    """Jobs from scan to end. `jobs`: what an earlier process left, to go on with."""

    def __init__(self, register, settings=None, jobs=()):
        self.register = register
        self.settings = settings or Settings()
        self.jobs = {job.job: job for job in jobs}
        self._changed = {}

    # ---- questions

    def open_job(self, device_id, kind="arc"):
        """The job that holds this device, or None. Article 27 allows one at a time."""
        for job in self.jobs.values():
            if job.device == device_id and job.open and job.kind == kind:
                return job
        return None

    def owed_stops(self, device_id):
        """Jobs on this device whose stop was wanted and has not been carried out as far as we know. Once
        another job holds the device nothing is owed: a stop would hit that one."""
        held = self.open_job(device_id)
        return [job for job in self.jobs.values()
                if job.device == device_id and job.off is not None and job.off.at_ms is None
                and (held is None or held.job == job.job)]

    def take_changed(self):
        """The jobs that changed since this was last asked, in order; for the journal and the store."""
        changed, self._changed = self._changed, {}
        return list(changed.values())

    # ---- the welder

    def scan(self, device_id, welder_ref, now_ms, job_id):
        """A welder scans a device's code. The job is new, unless this welder holds the device already."""
        held = self.open_job(device_id)
        if held and held.welder and held.welder.ref == welder_ref:
            return Outcome(held)
        device = self.register.device(device_id)
        job = Job(job=job_id, device=device_id, state="applied", scanned_ms=now_ms,
                  welder=WelderRef(ref=welder_ref), **self._place(device))
        job, no = self._examine(job, device, now_ms)
        if no is None and held:
            no = refusal("device_in_use")
        return self._refuse(job, no) if no else self._keep(job)

    def finish(self, job_id, now_ms):
        """The welder's 关闭键 (article 28). A job never ordered lapses; for others a stop is due."""
        job = self.jobs.get(job_id)
        if job is None:
            return Outcome(None, refusal("job_unknown"))
        if job.state in ("applied", "guarded"):
            return self._end(job, "lapsed", "withdrawn")
        return Outcome(job, stop=True) if job.open else Outcome(job, refusal("job_not_waiting"))

    # ---- the guardian

    def confirm(self, job_id, guardian_ref, now_ms, checks=None, photo=None):
        """The guardian confirms at the site (articles 23, 25). `checks`: what was looked at; None: all."""
        job = self.jobs.get(job_id)
        if job is None:
            return Outcome(None, refusal("job_unknown"))
        if job.state != "applied":
            return Outcome(job, refusal("job_not_waiting"))
        if self._past(job.scanned_ms, self.settings.guardian_wait_s, now_ms):
            return self._end(job, "lapsed", "guardian_late")
        checks = self.settings.required_checks if checks is None else tuple(checks)
        no = self._guardian_fault(job, guardian_ref, checks)
        if no:
            return Outcome(job, refusal(no))
        word = GuardianWord(ref=guardian_ref, confirmed_ms=now_ms, checks=checks, photo=photo)
        return self._keep(job.changed(state="guarded", guardian=word))

    # ---- the order

    def order(self, job_id, request_id, now_ms):
        """May the order go out now? All that was true at the scan is looked at again. Without a refusal the
        job is "ordered" and the caller sends action 1 under this request id."""
        job = self.jobs.get(job_id)
        if job is None:
            return Outcome(None, refusal("job_unknown"))
        if job.state != "guarded":
            return Outcome(job, refusal("job_not_waiting"))
        if self._past(job.guardian.confirmed_ms, self.settings.order_wait_s, now_ms):
            return self._end(job, "lapsed", "word_lapsed")
        job, no = self._examine(job, self.register.device(job.device), now_ms)
        no = no or self._guardian_fault_now(job)
        if no:
            return self._refuse(job, no)
        on = SwitchedOn(request_id=request_id, ordered_ms=now_ms)
        return self._keep(job.changed(state="ordered", on=on))

    def answered(self, job_id, request_id, code, now_ms, detail=""):
        """The terminal answered an order or a stop of this job: 200 carried out, 500 not."""
        job = self.jobs.get(job_id)
        if job is None:
            return Outcome(None, refusal("job_unknown"))
        if job.off is not None and job.off.request_id == request_id:
            return self._stop_answered(job, code, now_ms)
        if job.on is None or job.on.request_id != request_id:
            return Outcome(job, refusal("job_not_waiting"))
        job = job.changed(on=job.on.changed(code=code, answer_ms=now_ms))
        if job.state != "ordered":
            return self._keep(job)
        if code == 200:
            return self._keep(job.changed(state="on"))
        return self._refuse(job, refusal("terminal_refused", detail))

    def stop_sent(self, job_id, request_id):
        """A stop for this job goes out under this request id; it is owed until it was carried out."""
        job = self.jobs[job_id]
        return self._keep(job.changed(off=(job.off or SwitchedOff()).changed(request_id=request_id)))

    # ---- the terminal's own word

    def switched(self, event, now_ms):
        """The terminal reports that its relay changed. The outcome has no job where the event belongs to none
        of ours (it stays in the journal)."""
        return self._switched_on(event, now_ms) if event.on else self._switched_off(event, now_ms)

    def tick(self, now_ms):
        """Lets lapse what waited too long. Returns the outcomes, often none."""
        outcomes = []
        for job in list(self.jobs.values()):
            rule = _WAITS.get(job.state)
            if rule and job.kind == "arc":
                since_ms, setting, code, stop = rule
                if self._past(since_ms(job), getattr(self.settings, setting), now_ms):
                    outcomes.append(self._end(job, "lapsed", code)._replace(stop=stop))
        return outcomes

    def job_now(self, job_id):
        """The job as it is, as an outcome of no step."""
        return Outcome(self.jobs[job_id])

    # ---- inside

    def _examine(self, job, device, now_ms):
        """Device, welder, certificate, permit. Returns (job with what was found, refusal or None)."""
        if device is None:
            return job, refusal("device_unknown")
        if not device.in_service:
            return job, refusal("device_out_of_service")
        welder = self.register.welder(job.welder.ref)
        if welder is None:
            return job, refusal("welder_unregistered")
        verdict, no = check_certificate(welder, device, now_ms)
        job = job.changed(cert=verdict)
        if no:
            return job, no
        permit, no = check_permit(self.register.permits(device.id), welder.ref, now_ms)
        return job.changed(permit=permit), no

    def _guardian_fault(self, job, guardian_ref, checks):
        if guardian_ref == job.welder.ref:
            return "guardian_is_welder"
        guardian, welder = self.register.guardian(guardian_ref), self.register.welder(job.welder.ref)
        if guardian is None:
            return "guardian_unregistered"
        if welder and welder.id_number and welder.id_number == guardian.id_number:
            return "guardian_is_welder"
        return "checks_missing" if set(self.settings.required_checks) - set(checks) else None

    def _guardian_fault_now(self, job):
        code = self._guardian_fault(job, job.guardian.ref, job.guardian.checks)
        return refusal(code) if code else None

    def _stop_answered(self, job, code, now_ms):
        if code != 200 or job.off.at_ms is not None:
            return Outcome(job)
        job = job.changed(off=job.off.changed(at_ms=now_ms, cause=job.off.cause or "order"))
        return self._keep(job.changed(state="off") if job.open else job)

    def _switched_on(self, event, now_ms):
        if event.cause == "emergency":
            return self._emergency_began(event, now_ms)
        self._emergency_ended(event, now_ms)
        job = self.jobs.get(event.job)
        if job is None or job.device != event.device:
            return Outcome(None)
        if not job.open and not _is_late(event, job):
            return Outcome(job, stop=event.cause == "order" and self.open_job(event.device) is None)
        on = job.on or SwitchedOn()
        if on.seq is None:
            on = on.changed(**self._start_of(event))
            job = job.changed(on=on, times="terminal" if event.at_ms is not None else job.times)
        return self._keep(job.changed(state="on") if job.state == "ordered" else job)

    def _switched_off(self, event, now_ms):
        if event.job is None:
            return Outcome(self._emergency_ended(event, now_ms))
        job = self.jobs.get(event.job)
        if job is None or job.device != event.device or job.state not in ("ordered", "on", "off", "lapsed"):
            return Outcome(None)
        off = job.off or SwitchedOff()
        if off.seq is not None:
            return Outcome(job)
        off = off.changed(**self._end_of(event, now_ms))
        times = "estimated" if event.estimated else "terminal" if event.at_ms is not None else job.times
        state = "off" if job.open else job.state
        return self._keep(job.changed(off=off, state=state, times=times, welding_s=event.welding_s))

    def _emergency_began(self, event, now_ms):
        """An emergency has no welder: it is a job of its own, to be completed by the enterprise."""
        job_id = f"em-{event.device}-{event.boot}-{event.seq}"
        if job_id in self.jobs:
            return Outcome(self.jobs[job_id])
        self._emergency_ended(event, now_ms)
        at_ms = event.at_ms if event.at_ms is not None else now_ms
        device = self.register.device(event.device)
        return self._keep(Job(
            job=job_id, kind="emergency", device=event.device, state="on", scanned_ms=at_ms,
            on=SwitchedOn(**self._start_of(event)), emergencies=(Emergency(start_ms=at_ms),),
            times="platform" if event.at_ms is None else "terminal", **self._place(device)))

    def _emergency_ended(self, event, now_ms):
        """Ends the emergency of this device, if one runs (by "order" where a scan takes over)."""
        job = self.open_job(event.device, kind="emergency")
        if job is None or event.cause == "resumed":
            return job
        off = SwitchedOff(**self._end_of(event, now_ms))
        ended = tuple(one if one.end_ms is not None else one.changed(end_ms=off.at_ms, cause=event.cause)
                      for one in job.emergencies)
        return self._keep(job.changed(state="off", off=off, emergencies=ended)).job

    @staticmethod
    def _place(device):
        return {"unit": device.unit, "site": device.site} if device else {}

    @staticmethod
    def _start_of(event):
        return {"relay_ms": event.at_ms, "cause": event.cause, "boot": event.boot, "seq": event.seq,
                "position": event.position}

    @staticmethod
    def _end_of(event, now_ms):
        at_ms = now_ms if event.at_ms is None else event.at_ms
        return {"at_ms": at_ms, "cause": event.cause, "boot": event.boot, "seq": event.seq,
                "estimated": event.estimated, "position": event.position}

    @staticmethod
    def _past(since_ms, wait_s, now_ms):
        return now_ms - since_ms > wait_s * 1000

    def _keep(self, job):
        if self.jobs.get(job.job) != job:
            self.jobs[job.job] = self._changed[job.job] = job
        return Outcome(job)

    def _refuse(self, job, no):
        return Outcome(self._keep(job.changed(state="refused", refusal=no)).job, no)

    def _end(self, job, state, code):
        no = refusal(code)
        return Outcome(self._keep(job.changed(state=state, refusal=no)).job, no)


def _is_late(event, job):
    """True for a switching that lies before the end we know of: its report completes the record, no more."""
    if job.state != "off" or job.on is None:
        return False
    if None not in (event.seq, job.off.seq) and event.boot == job.off.boot:
        return event.seq < job.off.seq
    return event.at_ms is None or job.off.at_ms is None or event.at_ms <= job.off.at_ms


# state -> (since when, which setting, refusal, whether a stop goes out: the terminal may have obeyed unheard)
_WAITS = {
    "applied": (lambda job: job.scanned_ms, "guardian_wait_s", "guardian_late", False),
    "guarded": (lambda job: job.guardian.confirmed_ms, "order_wait_s", "word_lapsed", False),
    "ordered": (lambda job: job.on.ordered_ms, "answer_wait_s", "order_unanswered", True),
}
