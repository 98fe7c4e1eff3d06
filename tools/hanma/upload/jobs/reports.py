"""Jobs and states of devices into what goes out: complete, or a problem that says what is missing.

Nothing is invented: a missing value stops its report, unless the site's profile has a documented empty value for it
(`[empty]` "table.path"). A path of ours ("permit.no", "off.position.lng", "ids.welder") names what a mapping may send;
`data/chongqing.json` lists them. Times are milliseconds since 1970, told in Chinese time.
"""

from collections import defaultdict
from dataclasses import replace
from datetime import date, datetime, timedelta, timezone

from .. import catalogue, images
from ..problems import NOTE, Problem, Rule
from ..record import Attachment, Prepared
from .mapping import PLATFORM, time_format

MISSING = Rule(
    "report_missing", "{report}：缺少{label}（{path}），未上报", "{report}: {label} ({path}) is missing; not reported",
    "补齐后自动上报", "It goes out once this is known",
)
ID_UNKNOWN = Rule(
    "report_id_unknown", "{report}：尚未查到平台的{label}（{path}），未上报", "{report}: the platform's {label} ({path}) is not "
    "known yet; not reported", "先做基本信息查询；查不到的，请先在平台登记", "Look it up first; what is not found must be "
    "registered on the platform",
)
CODE_UNKNOWN = Rule(
    "report_code_unknown", "{report}：{label}（{path}）的值“{value}”在映射文件中没有代码", "{report}: the mapping has no code for "
    "{label} ({path}) “{value}”", "请在映射文件中补上代码", "Add the code to the mapping",
)
NOT_A_NUMBER = Rule(
    "report_not_a_number", "{report}：{label}（{path}）不是数字", "{report}: {label} ({path}) is no number",
    "请核对该值或映射文件", "Check the value, or the mapping",
)
EMERGENCY_HELD = Rule(
    "emergency_held", "断网应急作业{job}没有焊工信息：设备状态已上报，作业等候企业补登", "emergency {job} has no welder: it is "
    "reported as device state, and the job waits for the enterprise to complete it", "请补登焊工、作业票、现场照片和监护信息",
    "Enter welder, permit, photos of the site and guardian",
)
NOTHING_DONE = Rule(
    "job_nothing_done", "作业{job}未开始即结束（{state}），不上报", "job {job} ended before it began ({state}): nothing to report",
    severity=NOTE,
)

_CHINA = timezone(timedelta(hours=8))
_WAITS_FOR = {"power_on": ("application",), "power_off": ("application", "power_on")}
_NEVER_BEGAN = ("refused", "lapsed")


def prepare(job, identities, mapping, site):
    """Return what a job (hanma.jobs.Job) comes to: a Prepared for each report that is due and complete, Problems for the rest.

    identities: a JobStore, or anything with person(ref) and their_id(kind, ours). Pictures lie in the site's photo directory and
    go out upright and without metadata.
    """
    due = _due(job)
    if isinstance(due, Problem):
        return [due]
    known = known_of(job, identities)
    done, stopped = [], set()
    for table in due:
        if stopped & set(_WAITS_FOR.get(table, ())):
            continue
        found = _report(table, known, mapping, site)
        if not isinstance(found, Prepared):
            stopped.add(table)
        done += found if isinstance(found, list) else [found]
    return done


def prepare_states(stated, identities, mapping, site, since_ms=0, places=None):
    """Return what the facts `Stated` come to: a Prepared or Problems for every change of a device since since_ms. places:
    device → (unit, site)."""
    done = []
    for state in snapshots(stated):
        if state["state"]["at_ms"] < since_ms:
            continue
        unit, where = (places or {}).get(state["device"], ("", ""))
        known = {**state, "unit": unit, "site": where, "ids": _ids(identities, device=state["device"], unit=unit)}
        found = _report("device_state", known, mapping, site)
        done += found if isinstance(found, list) else [found]
    return done


def snapshots(stated):
    """Return what was known of each device at every moment it changed: dicts {device, position, state: {at_ms, by, powered,
    online, cause, estimated}}, by device and time, whatever order the facts are in."""
    by_device = defaultdict(lambda: defaultdict(list))
    for one in stated:
        by_device[one.device][one.at_ms].append(one)
    done = []
    for device, moments in sorted(by_device.items()):
        shown = {"powered": None, "online": None, "position": None}
        for at_ms, same in sorted(moments.items()):
            now = dict(shown)
            same = sorted(same, key=lambda one: (one.by, one.cause, one.model_dump_json()))
            for one in same:
                now |= {name: value for name in shown if (value := getattr(one, name)) is not None}
            if now != shown:
                done.append(_snapshot(device, at_ms, now, same))
            shown = now
    return done


def rendered(values, known):
    """Return a mapping's values in their form, of what is known; for asking and comparing. What has no form there is left out."""
    found = {}
    for name, value in values.items():
        told = value.const if value.const is not None else _at(known, value.from_)
        shaped = None if told is None else _shaped(value, told)
        if shaped is not None and not isinstance(shaped, Rule):
            found[name] = shaped
    return found


def known_of(job, identities):
    """Return everything a report of this job may hold, as nested dicts by path."""
    known = job.model_dump()
    for role in ("welder", "guardian"):
        ref = (known[role] or {}).get("ref")
        person = identities.person(ref) if ref else None
        known[role] = {**(known[role] or {}), "name": person and person.name, "id_number": person and person.id_number}
        if role == "welder" and person and known["cert"]:
            known["cert"] |= _certificate(person, known["cert"])
    refs = {role: known[role].get("ref") for role in ("welder", "guardian")}
    known["ids"] = _ids(identities, device=job.device, unit=job.unit, **refs)
    known["theirs"] = {table: identities.their_id(table, job.job) for table in ("application", "power_on")}
    return known


def nested(fields):
    """Return fields whose names have points in them as objects in objects."""
    body = {}
    for name, value in fields.items():
        *outer, last = name.split(".")
        at = body
        for one in outer:
            at = at.setdefault(one, {})
        at[last] = value
    return body


def _due(job):
    """The reports that are due, or the Problem that says why none is."""
    if job.kind == "emergency" and job.welder is None:
        return Problem(EMERGENCY_HELD, words={"job": job.job})
    worked = job.on is not None and job.on.relay_ms is not None or job.off is not None and job.off.seq is not None
    if job.state in _NEVER_BEGAN and not worked:
        return Problem(NOTHING_DONE, words={"job": job.job, "state": job.state})
    due = ["application"]
    if job.guardian is not None or job.state != "applied":
        due.append("power_on")
    ended = job.state == "off" or job.off is not None and job.off.at_ms is not None
    return [*due, "power_off"] if ended else due


def _certificate(person, cert):
    """The certificate that was looked at: the one of that kind and last day; none where there are several."""
    same = [one for one in person.certificates if (one.kind, one.valid_to) == (cert["kind"], cert["valid_to"])]
    return {"number": same[0].number, "work": same[0].work, "valid_from": same[0].valid_from} if len(same) == 1 else {}


def _ids(identities, **ours):
    return {kind: identities.their_id(kind, name) if name else None for kind, name in ours.items()}


def _snapshot(device, at_ms, now, same):
    by = "terminal" if all(one.by == "terminal" for one in same) else "platform"
    cause = ",".join(dict.fromkeys(one.cause for one in same if one.cause))
    state = {
        "at_ms": at_ms, "by": by, "powered": now["powered"], "online": now["online"], "cause": cause,
        "estimated": any(one.estimated for one in same),
    }
    return {"device": device, "position": now["position"], "state": state}


def _report(table, known, mapping, site):
    """The Prepared of one report, or a list of Problems."""
    about = catalogue.load(PLATFORM).tables[table]
    body, problems = {}, []
    for name, value in mapping.reports[table].fields.items():
        told = value.const if value.const is not None else _field(about, value, known, site)
        if isinstance(told, Problem):
            problems.append(told)
        elif told is not _LEFT_OUT:
            body[name] = told
    if problems:
        return problems
    key = tuple(str(_at(known, path)) for path in about.identity)
    parents = tuple((parent, key) for parent, _ in about.parents)
    label = f"{about.title} {known.get('job') or known['device']}"
    return Prepared(PLATFORM, table, nested(body), key, parents, label, _happened_ms(table, known))


_LEFT_OUT = object()
_HAPPENED = {
    "device_state": "state.at_ms",
    "application": "scanned_ms",
    "power_on": "guardian.confirmed_ms",
    "power_off": "off.at_ms",
}


def _happened_ms(table, known):
    return _at(known, _HAPPENED[table])


def _field(about, value, known, site):
    """One value as they want it, or the Problem that keeps it back, or _LEFT_OUT."""
    path = value.from_
    field = about.field(path)
    words = {"report": about.title, "label": field.label, "path": path}
    told = _at(known, path)
    if told is None or told == () or told == "":
        empty = f"{about.key}.{path}"
        if empty in site.empty:
            return site.empty[empty]
        if value.optional:
            return _LEFT_OUT
        return Problem(ID_UNKNOWN if path.startswith(("ids.", "theirs.")) else MISSING, field=path, words=words)
    if value.files:
        return _files(value, told, field, site)
    shaped = _shaped(value, told)
    if isinstance(shaped, Rule):
        return Problem(shaped, field=path, words={**words, "value": "" if field.privacy else _text(told)})
    return shaped


def _at(known, path):
    for name in path.split("."):
        known = known.get(name) if isinstance(known, dict) else None
    return known


def _shaped(value, told):
    """A value in the form the mapping wants; the Rule it breaks where it can't be brought into it."""
    if isinstance(told, (tuple, list)):
        parts = [_shaped(value, one) for one in told]
        return next((one for one in parts if isinstance(one, Rule)), parts)
    if value.codes:
        return value.codes.get(_text(told), CODE_UNKNOWN)
    if value.time:
        return _time(value.time, told)
    if value.as_ == "number":
        return _number(told)
    if value.as_ == "text" or isinstance(told, date):
        return _text(told)
    return told


def _text(told):
    return str(told).lower() if isinstance(told, bool) else told.isoformat() if isinstance(told, date) else str(told)


def _number(told):
    try:
        number = float(told)
    except ValueError:
        return NOT_A_NUMBER
    return int(number) if number.is_integer() and "." not in str(told) else number


def _time(form, told):
    if isinstance(told, date):
        return told.strftime(time_format(form)) if form not in ("ms", "s") else NOT_A_NUMBER
    if not isinstance(told, int):
        return NOT_A_NUMBER
    if form in ("ms", "s"):
        return told if form == "ms" else told // 1000
    moment = datetime.fromtimestamp(told // 1000, _CHINA) + timedelta(milliseconds=told % 1000)
    return moment.strftime(time_format(form).replace("%f", f"{told % 1000:03d}"))


def _files(value, told, field, site):
    names = [told] if isinstance(told, str) else list(told)
    if value.files == "address":
        sent = [value.base + name for name in names]
        return sent[0] if isinstance(told, str) else sent
    field = replace(field, most_b=value.most_b, keep_prefix=value.prefix)
    sent = []
    for name in names:
        file, problems = images.prepare(Attachment(name), field, site.directory / site.photos)
        if problems:
            return problems[0]
        sent.append(file if value.prefix else replace(file, media=""))
    return sent[0] if isinstance(told, str) else sent
