"""Jobs out of facts: the enterprise's and the terminal's side joined by the job's id. Pure.

`merge` looks at the whole set of facts, so neither their order nor their repetition matters. Rules:

- A terminal's switchings are ordered by (boot, seq). A job is on from its first one and off since its last, unless that
  powered. The terminal's own time stands against the platform's reckoning of it.
- An emergency has no job: it makes one, `em-<device>-<boot>-<seq>`, that the device's next switching ends.
- What two sides say differently is a problem and stays empty; only a statement that `corrects` decides, and says so.
- What may grow, grows: photos, files, emergencies. Of several looks at a certificate the last counts.
"""

import json
from collections import defaultdict
from typing import NamedTuple

from pydantic import BaseModel

from ...jobs import Emergency, GuardianWord, Job, PermitUsed, SwitchedOff, SwitchedOn, WelderRef
from ..problems import NOTE, WARNING, Problem, Rule
from .facts import Answered, Ordered, Said, Switched, text_of

CONFLICT = Rule(
    "job_conflict", "作业{job}的{field}有不同说法：{values}", "job {job}: {field} is told differently: {values}",
    "核对后提交更正", "Find out which is right and enter it as a correction",
)
CORRECTED = Rule(
    "job_corrected", "作业{job}的{field}已更正，原为{values}", "job {job}: {field} was corrected; it was {values}", severity=NOTE
)
TIME_DIFFERS = Rule(
    "job_time_differs", "作业{job}的{field}：终端与平台记的时间不同，以终端为准", "job {job}: {field}: terminal and platform "
    "recorded different times; the terminal's stands", severity=NOTE,
)
ENDED_BUT_WORKED = Rule(
    "job_ended_but_worked", "作业{job}未获准或已作废，但终端报告焊机通过电", "job {job} was refused or lapsed, yet the terminal "
    "reports that the welder was powered", "请安全员核实", "To be looked into by the safety officer", WARNING,
)

_STATES = ("applied", "guarded", "ordered", "on", "off")
_FINAL = ("refused", "lapsed")
_PLACES = 3  # how many differing values a problem names


class Merged(NamedTuple):
    """What facts come to: jobs by id, and the problems of each. A job whose device or kind is in conflict is only in problems."""

    jobs: dict
    problems: dict


class _Told(NamedTuple):
    """One side's word for one field. corrected_ms: when it was entered as a correction, else None."""

    value: object
    corrected_ms: int | None = None


def merge(facts):
    """Return the Merged of any facts, in any order, told any number of times."""
    facts = {text_of(fact): fact for fact in facts}
    facts = [facts[text] for text in sorted(facts)]
    gathered, problems = _gather(facts)
    jobs = {}
    for job_id in sorted(gathered):
        job = _Job(job_id, gathered[job_id])
        made = job.make()
        if made is not None:
            jobs[job_id] = made
        if job.problems:
            problems[job_id].extend(job.problems)
    return Merged(jobs, {job_id: _once(found) for job_id, found in problems.items() if found})


def emergency_id(device, boot, seq):
    """Return the id of the job that an emergency's first report makes."""
    return f"em-{device}-{boot}-{seq}"


class _Facts:
    """Everything told of one job."""

    def __init__(self):
        self.said, self.switched, self.ordered, self.answered = [], [], [], []
        self.emergency_end = None


def _gather(facts):
    gathered, problems = defaultdict(_Facts), defaultdict(list)
    switched = _switchings(facts, problems)
    for event in switched:
        if event.job is not None:
            gathered[event.job].switched.append(event)
    for fact in facts:
        if isinstance(fact, Said):
            gathered[fact.job.job].said.append(fact)
        elif isinstance(fact, Ordered) and fact.job is not None:
            gathered[fact.job].ordered.append(fact)
    answers = defaultdict(list)
    for fact in facts:
        if isinstance(fact, Answered):
            answers[fact.device, fact.request_id].append(fact)
    for job in gathered.values():
        job.answered = [answer for name in _request_ids(job) for answer in answers[name]]
    _add_emergencies(gathered, switched)
    return gathered, problems


def _request_ids(job):
    ids = {(order.device, order.request_id) for order in job.ordered}
    for said in job.said:
        ids |= {(said.job.device, part.request_id) for part in (said.job.on, said.job.off) if part and part.request_id}
    return sorted(ids)


def _switchings(facts, problems):
    """Every switching once, by device, boot and seq. A report sent again may know its time by then; any other difference is
    two records under one name (a terminal that lost its count)."""
    named = defaultdict(list)
    for fact in facts:
        if isinstance(fact, Switched):
            named[fact.device, fact.boot, fact.seq].append(fact)
    events = []
    for (device, boot, seq), same in sorted(named.items()):
        times = sorted({one.at_ms for one in same if one.at_ms is not None})
        rest = {text_of(one.changed(at_ms=None)) for one in same}
        if len(times) > 1 or len(rest) > 1:
            for one in same:
                job = one.job or emergency_id(device, boot, seq)
                values = f"{device} {boot}/{seq}"
                problems[job].append(Problem(CONFLICT, field="switched", words=dict(job=job, field="switched", values=values)))
            continue
        events.append(same[0].changed(at_ms=times[0] if times else None))
    return events


def _add_emergencies(gathered, switched):
    running = {}
    for event in switched:
        begins = event.on and event.cause == "emergency"
        if event.cause == "resumed":
            continue
        if event.device in running and (begins or event.job is not None or not event.on):
            gathered[running.pop(event.device)].emergency_end = event
        if begins and event.job is None:
            job_id = emergency_id(event.device, event.boot, event.seq)
            gathered[job_id].switched.append(event)
            running[event.device] = job_id


class _Job:
    """One job in the making. events: its switchings by (boot, seq), also those of which only the enterprise told; own: of these
    the terminal's reports."""

    def __init__(self, job_id, told):
        self.id, self.told, self.problems = job_id, told, []
        self.is_emergency = any(one.job is None for one in told.switched)
        own = [*told.switched, *([told.emergency_end] if told.emergency_end else [])]
        self.own = {(event.boot, event.seq): event for event in own}
        self.events = [event for _, event in sorted({**self._told_by_enterprise(), **self.own}.items())]
        self.first = next((event for event in self.events if event.on), None)
        self.last = told.emergency_end or (self.events[-1] if self.events and not self.events[-1].on else None)
        # The platform knows an end that is no report of the terminal: its stop was answered.
        ends = [said.job.off for said in told.said if said.job.off]
        self.stopped = any(off.seq is None and off.at_ms is not None for off in ends)

    def _told_by_enterprise(self):
        found = defaultdict(dict)
        for said in self.told.said:
            for on, part, time in ((True, said.job.on, "relay_ms"), (False, said.job.off, "at_ms")):
                if part is not None and None not in (part.boot, part.seq):
                    fields = {name: getattr(part, name) for name in ("boot", "seq", "cause", "position")}
                    event = Switched(
                        device=said.job.device, on=on, job=self.id, at_ms=getattr(part, time),
                        estimated=getattr(part, "estimated", False), **fields | {"cause": part.cause or ""},
                    )
                    found[part.boot, part.seq][text_of(event)] = event
        for (boot, seq), same in found.items():
            if len(same) > 1 and (boot, seq) not in self.own:
                self._say(CONFLICT, "switched", [f"{boot}/{seq}"])
        return {name: same[min(same)] for name, same in found.items() if len(same) == 1}

    def make(self):
        """Return the Job, or None where it cannot be said what it is."""
        device, kind = self._device(), self._kind()
        if device is None or kind is None:
            return None
        on, off = self._on(), self._off()
        return Job(
            job=self.id, kind=kind, device=device, unit=self._field("unit") or "", site=self._field("site") or "",
            state=self._state(), scanned_ms=self._field("scanned_ms"), welder=self._part("welder", WelderRef),
            cert=self._cert(), permit=self._permit(), site_photos=self._grown("site_photos"),
            guardian=self._part("guardian", GuardianWord), on=on, off=off, welding_s=self._welding_s(),
            emergencies=self._emergencies(off), times=self._times(on, off), refusal=self._refusal(),
        )

    # ---- one field out of many words

    def _one(self, field, told):
        """The value on which all words agree; None, and a problem, where they do not."""
        words = {}
        for one in told:
            words.setdefault(_text(one.value), []).append(one)
        if len(words) <= 1:
            return told[0].value if told else None
        decided = [one.corrected_ms for one in told if one.corrected_ms is not None]
        if decided:
            last = {text for text, same in words.items() if any(one.corrected_ms == max(decided) for one in same)}
            if len(last) == 1:
                (text,) = last
                self._say(CORRECTED, field, sorted(set(words) - last))
                return words[text][0].value
        self._say(CONFLICT, field, sorted(words))
        return None

    def _say(self, rule, field, values=()):
        shown = "、".join(values[:_PLACES])
        self.problems.append(Problem(rule, field=field, words={"job": self.id, "field": field, "values": shown}))

    def _words(self, take):
        """What every statement of the enterprise has under `take`, where it has anything."""
        found = [(said, take(said.job)) for said in self.told.said]
        return [_Told(value, said.said_ms if said.corrects else None) for said, value in found if value not in (None, "", ())]

    def _field(self, name):
        return self._one(name, self._words(lambda job: getattr(job, name)))

    def _part(self, name, made_of):
        """A part of several fields, each of which may come from another statement; None while one that must be is unknown."""
        fields = {}
        for field, about in made_of.model_fields.items():
            fields[field] = self._one(f"{name}.{field}", self._words(lambda job, field=field: _inner(job, name, field)))
            if fields[field] is None and about.is_required():
                return None
        return made_of(**{field: value for field, value in fields.items() if value is not None})

    def _grown(self, name, take=None):
        words = self._words(take or (lambda job: getattr(job, name)))
        return tuple(sorted({one for told in words for one in told.value}))

    # ---- what the job is

    def _device(self):
        told = self._words(lambda job: job.device)
        told += [_Told(one.device) for one in [*self.told.switched, *self.told.ordered]]
        return self._one("device", told)

    def _kind(self):
        told = self._words(lambda job: job.kind) + [_Told("emergency")] * self.is_emergency
        return self._one("kind", told) if told else "arc"

    def _cert(self):
        looks = [said for said in self.told.said if said.job.cert is not None]
        if not looks:
            return None
        last_ms = max(said.job.cert.checked_ms for said in looks)
        told = [_Told(said.job.cert, said.said_ms if said.corrects else None) for said in looks]
        decided = [one for one in told if one.corrected_ms is not None]
        return self._one("cert", decided or [one for one in told if one.value.checked_ms == last_ms])

    def _permit(self):
        files = self._grown("files", lambda job: job.permit.files if job.permit else ())
        permit = self._one("permit", self._words(lambda job: job.permit.changed(files=()) if job.permit else None))
        return PermitUsed(**{**dict(permit), "files": files}) if permit else None

    def _refusal(self):
        return self._field("refusal") if self._state(quiet=True) in _FINAL else None

    # ---- the terminal's side

    def _on(self):
        return _made(SwitchedOn, self._order(True, "on") | self._switching("on", self.first, "relay_ms"))

    def _off(self):
        fields = {"request_id": self._order(False, "off")["request_id"]}
        if self.last or self.stopped or not self.events:
            fields |= self._switching("off", self.last, "at_ms")
        return _made(SwitchedOff, fields)

    def _order(self, on, part):
        """The order's own fields: the enterprise's word, from commands and answers that passed where it has none."""
        orders = [order for order in self.told.ordered if order.on == on]
        said = {name: self._words(lambda job, name=name: _inner(job, part, name)) for name in ("request_id", "ordered_ms",
                "code", "answer_ms")} if on else {"request_id": self._words(lambda job: _inner(job, part, "request_id"))}
        ids = {order.request_id for order in orders} | {one.value for one in said["request_id"]}
        passed = {
            "request_id": [_Told(one.request_id) for one in orders],
            "code": [_Told(one.code) for one in self.told.answered if one.request_id in ids],
        }
        if not said.get("ordered_ms"):  # the message is stamped a moment after the order was decided
            passed["ordered_ms"] = [_Told(one.issued_ms) for one in orders if one.issued_ms is not None]
        return {name: self._one(f"{part}.{name}", told + passed.get(name, [])) for name, told in said.items()}

    def _switching(self, part, event, time):
        """The fields of a switching: the report where there is one, and the enterprise's word for what it leaves open."""
        names = ("cause", "position", "boot", "seq", time)
        fields = {name: getattr(event, "at_ms" if name == time else name) for name in names} if event else {}
        if event and part == "off":
            fields["estimated"] = event.estimated
        said = {name: self._said_of(part, event, name) for name in names}
        if event and event.at_ms is not None and any(told.value != event.at_ms for told in said[time]) and not self.stopped:
            self._say(TIME_DIFFERS, f"{part}.{time}")
        for name in names:
            if fields.get(name) in (None, ""):
                fields[name] = self._one(f"{part}.{name}", said[name])
        return fields

    def _said_of(self, part, event, name):
        """The enterprise's words on this switching. It may have spoken of another one of the job: those do not count here."""

        def take(job):
            found = getattr(job, part)
            if found is None or event and found.seq is not None and (found.boot, found.seq) != (event.boot, event.seq):
                return None
            return getattr(found, name)

        return self._words(take)

    def _welding_s(self):
        if self.last and self.last.welding_s is not None:
            return self.last.welding_s
        return self._field("welding_s")

    def _emergencies(self, off):
        start = next((event for event in self.told.switched if event.job is None), None)
        if start and start.at_ms is not None:
            end = self.told.emergency_end
            return (Emergency(start_ms=start.at_ms, end_ms=off.at_ms if end and off else None, cause=end.cause if end else None),)
        starts = defaultdict(list)
        for told in self._words(lambda job: job.emergencies):
            for one in told.value:
                starts[one.start_ms].append(one)
        return tuple(self._emergency(start_ms, same) for start_ms, same in sorted(starts.items()))

    def _emergency(self, start_ms, same):
        fields = {"start_ms": start_ms}
        for name in ("end_ms", "cause"):
            told = [_Told(getattr(one, name)) for one in same if getattr(one, name) is not None]
            fields[name] = self._one(f"emergencies.{name}", told)
        return Emergency(**fields)

    # ---- what follows from the rest

    def _state(self, quiet=False):
        said = {one.job.state for one in self.told.said}
        final = sorted(said & set(_FINAL))
        if len(final) == 1:
            if self.first and not quiet:
                self._say(ENDED_BUT_WORKED, "state")
            return final[0]
        if final and not quiet:
            self._say(CONFLICT, "state", final)
        return self._state_reached(said)

    def _state_reached(self, said):
        if self.last or self.stopped:
            return "off"
        if self.events:
            return "on"
        ordered = {"ordered"} if any(order.on for order in self.told.ordered) else set()
        return max((said & set(_STATES)) | ordered | {"applied"}, key=_STATES.index)

    def _times(self, on, off):
        """Whose times these are: the terminal's where it gave every one there is, estimated where it said so of the end."""
        if off and off.estimated:
            return "estimated"
        own = {event.at_ms for event in self.own.values()}
        known = [time for time in (on and on.relay_ms, off and off.at_ms) if time is not None]
        if known and all(time in own for time in known):
            return "terminal"
        said = {one.job.times for one in self.told.said if one.job.on or one.job.off}
        return "terminal" if known and not self.own and said == {"terminal"} else "platform"


def _made(kind, fields):
    fields = {name: value for name, value in fields.items() if value is not None}
    return kind(**fields) if fields else None


def _text(value):
    """One text for equal values."""
    if isinstance(value, BaseModel):
        value = value.model_dump(mode="json")
    return json.dumps(value, sort_keys=True, ensure_ascii=False, default=str)


def _inner(job, part, field):
    found = getattr(job, part)
    return getattr(found, field) if found is not None else None


def _once(problems):
    seen = {}
    for problem in problems:
        seen.setdefault((problem.rule.name, problem.field, str(sorted(problem.words.items()))), problem)
    return list(seen.values())
