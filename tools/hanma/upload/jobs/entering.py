"""What the enterprise enters of a job: one record, as JSON has it or a program gives it, into a fact.

A record has the job's own names (job, device, welder: {ref}, permit: {type, no, from_ms, to_ms, files}, site_photos, guardian:
{ref, confirmed_ms, checks, photo}, …), only what is known. Pure; times are milliseconds since 1970.
"""

from pydantic import ValidationError

from ...jobs import Job
from ..problems import Place, Problem, Rule
from .facts import Said, text_of

UNREADABLE = Rule(
    "job_unreadable", "作业记录的{field}不能识别：{why}", "{field} of the job's record can't be read: {why}",
    "请按说明填写该项", "Enter it as described",
)
NOT_OURS = Rule(
    "job_not_ours_to_say", "作业记录的{field}由终端报告，不能填写", "{field} of the job's record is the terminal's to report",
    "请删去该项；终端没有报告的时间可以填写", "Take it out; a time the terminal did not report may be entered",
)
# Numbers of a terminal's report: whoever enters them claims to be the terminal.
_TERMINALS = (("on", "boot"), ("on", "seq"), ("off", "boot"), ("off", "seq"))


def enter(record, said_ms, source, corrects=False, place=None):
    """Return (the Said of a record, Problems); None for one that can't be taken. source: who says so. corrects: it decides
    against what was said before. A record without a state is an application."""
    place = place or Place()
    problems = [
        Problem(NOT_OURS, place, f"{part}.{name}", {"field": f"{part}.{name}"})
        for part, name in _TERMINALS
        if isinstance(record.get(part), dict) and record[part].get(name) is not None
    ]
    try:
        said = Said(job=Job.model_validate({"state": "applied", **record}), said_ms=said_ms, source=source, corrects=corrects)
        text_of(said).encode()
    except ValidationError as error:
        for one in error.errors(include_input=False, include_url=False):
            where = ".".join(str(name) for name in one["loc"])
            problems.append(Problem(UNREADABLE, place, where, {"field": where, "why": one["msg"]}))
    except UnicodeEncodeError:
        problems.append(Problem(UNREADABLE, place, "job", {"field": "job", "why": "half a character"}))
    return (None if problems else said), problems
