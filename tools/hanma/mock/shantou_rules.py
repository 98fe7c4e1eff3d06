"""What Shantou's document says beyond single fields, and what is registered: teams, persons, certificates.

Owns the register; it is filled from the records that were taken, and only by `take`. Everything is kept by project, since
the document says "同一个项目".
"""

from hanma.mock.shantou_fields import DICTIONARIES

_MANAGEMENT_TEAM = 1
_ORDINARY_TEAM = 0
# grtype: the team type where such a person may be.
_TEAM_TYPE_BY_PERSON = {10: _MANAGEMENT_TEAM, 20: _ORDINARY_TEAM}
_TEAM_SUFFIX = "班组"
# 900 管理人员 is a kind of work and no post; the ranges by unit type are about posts.
_MANAGER_ANYWHERE = "900"
_HAS_BADNESS = 0
# "中级" is what certificates without levels carry: 特种作业 (two authorities) and 特种设备.
_MIDDLE_LEVEL = "3"
_WITHOUT_LEVELS = ("050", "060", "070")
_WORK_NAMES = {
    **dict.fromkeys(("010", "020", "030", "040", "090"), "work_type_name"),
    "050": "special_operation",
    "060": "special_equipment",
    "070": "construction_special",
}


class Register:
    """Teams, persons and certificates that were taken."""

    def __init__(self):
        self._teams = {}
        self._persons = set()
        self._certificates = set()

    def problems(self, endpoint, body):
        """Return the list of "field：reason" by which a body, right in each field, breaks a rule."""
        return [problem for rule in _RULES.get(endpoint, ()) for problem in rule(self, body)]

    def take(self, endpoint, body):
        """Remember what a taken record registers."""
        if endpoint == "team":
            self._teams[body["projectcode"], body["teamcode"]] = {
                name: body[name] for name in ("teamname", "teamtype", "unitcode", "unittype")
            }
        elif endpoint == "worker_enter":
            self._persons.add((body["projectcode"], body["idcard"]))
        elif endpoint == "worker_certificate":
            self._certificates.add(_certificate(body))

    def team(self, project, code):
        """Return a registered team, or None."""
        return self._teams.get((project, code))

    def teams_of(self, project):
        """Return a project's teams."""
        return [team for (of, _), team in self._teams.items() if of == project]

    def has_entered(self, project, person):
        """Say whether a person was taken as entered in this project."""
        return (project, person) in self._persons

    def has_certificate(self, body):
        """Say whether this certificate was taken already."""
        return _certificate(body) in self._certificates


def _certificate(body):
    """Return what makes a certificate one: its number alone may stand for several kinds of work of one person."""
    return tuple(body[name] for name in ("projectcode", "idCardNumber", "certificateType", "certificateNumber", "workTypeNameCode"))


def _team_name(register, body):
    """An ordinary team is called leader + work + 班组, once in a project; a management team's name the platform changes."""
    name, leader = body["teamname"], body["teamleader"]
    if body["teamtype"] == _MANAGEMENT_TEAM:
        return
    work = name[len(leader) : -len(_TEAM_SUFFIX)]
    if not (name.startswith(leader) and name.endswith(_TEAM_SUFFIX) and work.strip()):
        yield "teamname：班组名称应由班组长姓名+工种+班组组成"
    ordinary = (team for team in register.teams_of(body["projectcode"]) if team["teamtype"] == _ORDINARY_TEAM)
    if any(team["teamname"] == name for team in ordinary):
        yield "teamname：同一个项目下班组名称不能重复"


def _team_once(register, body):
    project = body["projectcode"]
    if register.team(project, body["teamcode"]) is not None:
        yield "teamcode：班组编码已存在"
    managing = (team for team in register.teams_of(project) if team["teamtype"] == _MANAGEMENT_TEAM)
    if body["teamtype"] == _MANAGEMENT_TEAM and any(team["unitcode"] == body["unitcode"] for team in managing):
        yield "teamtype：一个单位只能有一个管理班组"


def _worker_in_team(register, body):
    team = register.team(body["projectcode"], body["teamcode"])
    if team is None:
        yield "teamcode：班组不存在"
        return
    if _TEAM_TYPE_BY_PERSON[body["grtype"]] != team["teamtype"]:
        yield "grtype：管理人员只能在管理班组，建筑工人只能在普通班组"
    posts = DICTIONARIES["management_posts"][team["unittype"]]
    if body["grtype"] == 10 and body["worktype"] not in (*posts, _MANAGER_ANYWHERE):
        yield f"worktype：{body['worktype']} 不在参建类型 {team['unittype']} 的管理岗位范围内"


def _entered(project_field, person_field):
    """Return the rule that the person of a record must have entered."""

    def rule(register, body):
        if not register.has_entered(body[project_field], body[person_field]):
            yield f"{person_field}：人员未进场"

    return rule


def _team_known(register, body):
    if register.team(body["projectCode"], body["teamSysNo"]) is None:
        yield "teamSysNo：班组不存在"


def _paid_have_entered(register, body):
    for index, detail in enumerate(body["payrollDetails"]):
        if not register.has_entered(body["projectCode"], detail["idCardNumber"]):
            yield f"payrollDetails[{index}].idCardNumber：人员未进场"


def _badness_listed(register, body):
    if body["isHasbadness"] == _HAS_BADNESS and not body.get("badnessInfo"):
        yield "badnessInfo：isHasbadness 为 0 时必填"


def _certificate_fits(register, body):
    kind = body["certificateType"]
    if body["workTypeNameCode"] not in DICTIONARIES[_WORK_NAMES[kind]]:
        yield f"workTypeNameCode：{body['workTypeNameCode']} 不在证书类型 {kind} 的字典中"
    if kind in _WITHOUT_LEVELS and body["skillLevel"] != _MIDDLE_LEVEL:
        yield f"skillLevel：证书类型 {kind} 无技能等级，应为中级（{_MIDDLE_LEVEL}）"
    if register.has_certificate(body):
        yield "certificateNumber：一个证书只上传一张图片"


_RULES = {
    "team": (_team_name, _team_once),
    "worker_enter": (_worker_in_team,),
    "worker_out": (_entered("projectcode", "idcardnum"),),
    "gate": (_entered("projectcode", "ryno"),),
    "team_exit": (_team_known, _paid_have_entered, _badness_listed),
    "team_work": (_team_known, _badness_listed),
    "team_payroll": (_team_known, _entered("projectCode", "idCardNumber")),
    "worker_certificate": (_entered("projectcode", "idCardNumber"), _certificate_fits),
}
