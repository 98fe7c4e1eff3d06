"""Shanghai: who may enter the site under the health measure, and how many are registered and present for each project.

The document is a manual without an interface, and of its time: all of it is off until the site's profile states the rule
it rests on and its last day. Everything takes checked records of the tables pre_registration, family, daily_health and disposal.
"""

from collections import Counter
from dataclasses import dataclass

from .problems import Problem, Rule

BARRED = ("需隔离", "疑似", "确诊")
NO_SYMPTOM = "无上述异常症状"

OFF = Rule(
    "health_off",
    "健康登记没有启用：工地配置没有写明依据，或依据已过期",
    "the health registration is off: the site's profile states no rule it rests on, or that rule has ended",
    "确有现行规定的，在工地配置写 [epidemic] basis 和 until",
    "Where a rule is in force write [epidemic] basis and until in the site's profile",
)
NOT_REGISTERED = Rule("not_registered", "没有进场预登记", "not pre-registered", "先办进场预登记", "Pre-register first")
NO_HEALTH_CLOUD = Rule(
    "no_health_cloud",
    "没有在健康云完成来沪人员健康登记",
    "has not registered with the health service",
    "本人先在健康云登记",
    "The person registers there first",
)
ISOLATION = Rule(
    "isolation",
    "规定的隔离没有完成",
    "the isolation asked for is not finished",
    "隔离期满后再办进场登记",
    "Enter when it is finished",
)
STATE = Rule(
    "barred_state",
    "状态为“{state}”，不能进行进场登记",
    "the state is {state}: no entry",
    "解除后由监理或施工单位改回“可进场”",
    "When it is over the supervisor or contractor puts 可进场 back",
)
CONTRADICTION = Rule(
    "symptoms_contradict",
    "“无上述异常症状”不能与其他症状同选",
    "'none of these symptoms' beside a symptom",
    "只留其一",
    "Keep the one that is true",
)
ORPHAN = Rule(
    "family_without_worker",
    "家属所随的人员没有预登记",
    "the worker this family member came with is not pre-registered",
    "先为该人员办预登记",
    "Pre-register the worker first",
)


@dataclass(frozen=True)
class Count:
    """One project's numbers: persons registered and persons present."""

    project: str
    registered: int
    present: int


def allowed(site, today):
    """Return the Problem that keeps the whole measure off on that day, or None."""
    return None if site.today_epidemic(today) else Problem(OFF)


def entry(person_id, registrations, disposals):
    """Return the Problems that bar that person from entering; none means that they may.

    A person without a disposal record is in the documented default state, 可进场.
    """
    registration = next((one for one in registrations if one.values["身份证号"] == person_id), None)
    if registration is None:
        return [Problem(NOT_REGISTERED)]
    values, found = registration.values, []
    if values["健康云登记"] != "是":
        found.append(Problem(NO_HEALTH_CLOUD, registration.place, "健康云登记"))
    if values.get("隔离完成") == "否":
        found.append(Problem(ISOLATION, registration.place, "隔离完成"))
    states = [one for one in disposals if one.values["身份证号"] == person_id]
    if states and states[-1].values["状态"] in BARRED:
        found.append(Problem(STATE, states[-1].place, "状态", {"state": states[-1].values["状态"]}))
    return found


def health(records):
    """Return a Problem for each daily record whose symptoms contradict each other."""
    return [
        Problem(CONTRADICTION, one.place.at("健康状况"), "健康状况")
        for one in records
        if len(_several(one.values["健康状况"])) > 1 and NO_SYMPTOM in _several(one.values["健康状况"])
    ]


def families(records, registrations):
    """Return a Problem for each family member whose worker is not pre-registered."""
    known = {one.values["身份证号"] for one in registrations}
    return [
        Problem(ORPHAN, one.place.at("人员身份证号"), "人员身份证号")
        for one in records
        if one.values["人员身份证号"] not in known
    ]


def counts(registrations):
    """Return a Count for each project, in the order of their names."""
    registered = Counter(one.values.get("项目名称", "") for one in registrations)
    present = Counter(one.values.get("项目名称", "") for one in registrations if one.values.get("在场") == "是")
    return [Count(project, registered[project], present[project]) for project in sorted(registered)]


def _several(value):
    return value if isinstance(value, list) else str(value).split("、")
