"""The rules of Shantou's document that go beyond one field: what it says itself is an error, what it suggests a warning.

A rule is made for a table and a run (`rules(context)`); those that compare records remember what they saw in it. Teams that
went out before come from the context's `others`, as bodies.
"""

from .problems import WARNING, Rule
from .rules_common import in_order

_YES, _NO = "0", "1"  # of the fields that say 0 是 1 否
_MANAGER, _BUILDER = "10", "20"
_ORDINARY, _MANAGEMENT = "0", "1"
_MANAGEMENT_NAME = "管理人员班组"
_ANY_MANAGER = "900"  # 管理人员, in no unit type's list and forbidden by none
_OTHER_TRADE = "1000"

TEAM_NAME = Rule(
    "team_name",
    "班组名称要由班组长姓名、工种和“班组”组成：{cell}",
    "A team's name is its leader's name, the trade and 班组: {cell}",
    "例如：李某混凝土班组",
    "As in 李某混凝土班组",
)
TEAM_NAME_TWICE = Rule(
    "team_name_twice",
    "同一个项目里班组名称不能重复：编码 {other} 的班组也叫这个名称",
    "Within a project no two teams have one name: team {other} has it too",
    "请改一个名称",
    "Change one of them",
)
SECOND_MANAGEMENT = Rule(
    "second_management",
    "一个单位只能有一个管理班组：已有编码 {other} 的班组",
    "A unit has one management team: there is {other}",
    "请改为普通班组，或用原来的管理班组",
    "Make it an ordinary team or use that one",
)
JOB_CLASS = Rule(
    "job_class",
    "班组工种分类 {code} 不像属于“{kind}”",
    "The job class {code} doesn't look like one of {kind}",
    "请核对工种类型和分类",
    "Check both",
    WARNING,
)
WRONG_TEAM = Rule(
    "wrong_team",
    "{who}只能在{wanted}，而编码 {team} 的班组是{actual}",
    "{who} belong in a {wanted}; team {team} is a {actual}",
    "请改工人类型或所属班组",
    "Change the worker's type or the team",
)
WRONG_POST = Rule(
    "wrong_post",
    "{unit}没有“{post}”这个管理岗位",
    "A {unit} has no post {post}",
    "可选：{posts}",
    "Choose of: {posts}",
)
POST_AND_TYPE = Rule(
    "post_and_type",
    "工人类型是{who}，工种却是“{post}”",
    "The worker's type is {who}, the trade {post}",
    "请核对工人类型和工种",
    "Check both",
    WARNING,
)
LEVEL = Rule(
    "middle_level",
    "特种作业和特种设备的证书没有等级，技能等级要填 3 中级工",
    "Certificates of special work and equipment have no level: the level is 3 中级工",
    "请改为 3",
    "Write 3",
)
PROMISE = Rule(
    "promised_day",
    "工资没有结清，要写约定结清的日期",
    "Wages are owed: the day promised for the rest must be told",
    "请填写{label}",
    "Fill in {label}",
)
NOTHING_OWED = Rule(
    "nothing_owed", "写明已结清，{label}却是 {amount}", "It is settled, yet {label} is {amount}", "请核对", "Check both", WARNING
)
SOMETHING_OWED = Rule(
    "something_owed", "写明没有结清，{label}却是 0", "It isn't settled, yet {label} is 0", "请核对", "Check both", WARNING
)
SUM_DIFFERS = Rule(
    "sum_differs",
    "{label}与其他金额对不上：算得 {sum}",
    "{label} doesn't fit the other amounts: they give {sum}",
    "请核对金额",
    "Check the amounts",
    WARNING,
)
BADNESS_DENIED = Rule(
    "badness_denied",
    "写明没有负面情形，却列了负面情形",
    "It says there is nothing bad, yet something is listed",
    "请核对",
    "Check both",
    WARNING,
)
DAYS_ORDER = Rule("days_order", "{label}早于{first}", "{label} is before {first}", "请核对这两个日期", "Check both days", WARNING)

_ORDER = {
    "worker_enter": [
        ("birthdate", "enterdate"),
        ("constartdate", "conenddate"),
        ("probstartdate", "probenddate"),
        ("constartdate", "probstartdate"),
        ("probenddate", "conenddate"),
    ],
    "worker_certificate": [("grantDate", "expiryDate"), ("startDate", "expiryDate")],
    "team_exit": [("teamTime", "appointDate")],
}


def rules(context):
    """Return the rules of this table, each a function of a record's values."""
    made = [make(context) for make in _MAKERS.get(context.table.key, ())]
    made.append(in_order(context, _ORDER.get(context.table.key, ()), DAYS_ORDER))
    return [rule for rule in made if rule]


# Teams


def _team_name(context):
    name_field = context.table.field("teamname")

    def rule(values):
        name, leader = values.get("teamname"), values.get("teamleader")
        if not name or not leader or values.get("teamtype") != _ORDINARY:
            return
        if not (name.startswith(leader) and name.endswith("班组") and len(name) > len(leader) + 2):
            context.say(TEAM_NAME, name_field, name)

    return rule


def _once(context, field_name, rule, key_of):
    """Return a rule that no two teams (by code) have the same key; key_of(values as texts) gives it, or None."""
    field, seen = context.table.field(field_name), {}
    for one in context.others("team"):
        seen.setdefault(key_of(_texts(one)), one.get("teamcode"))

    def check(values):
        key = key_of(_texts(values))
        other = seen.setdefault(key, values.get("teamcode"))
        if key and None not in key and other != values.get("teamcode"):
            context.say(rule, field, other=other)

    return check


def _texts(values):
    return {name: None if value is None else str(value) for name, value in values.items()}


def _team_name_once(context):
    def key(team):
        renamed = team.get("teamtype") == _MANAGEMENT and team.get("teamname") == _MANAGEMENT_NAME
        return None if renamed else (team.get("projectcode"), team.get("teamname"))

    return _once(context, "teamname", TEAM_NAME_TWICE, key)


def _one_management(context):
    def key(team):
        return (team.get("projectcode"), team.get("unitcode")) if team.get("teamtype") == _MANAGEMENT else None

    return _once(context, "teamtype", SECOND_MANAGEMENT, key)


def _job_class(context):
    field, kinds = context.table.field("teamJobClass"), context.platform.dictionaries["team_work_types"]

    def rule(values):
        kind, code = values.get("teamWorkType"), values.get("teamJobClass")
        if kind and code and code[0] != kind:
            context.say(JOB_CLASS, field, code=code, kind=kinds[kind])

    return rule


# Workers


def _team_of_worker(context):
    """The worker's type against the team's, and the post against the unit's type."""
    teams = {(one.get("projectcode"), one.get("teamcode")): _texts(one) for one in context.others("team")}
    types = context.platform.tables["team"].field("teamtype").choices
    people, work = context.table.field("grtype"), context.table.field("worktype")
    posts, trades = context.platform.facts["posts"], context.platform.dictionaries["worker_types"]
    units = context.platform.dictionaries["unit_types"]

    def rule(values):
        team = teams.get((values.get("projectcode"), values.get("teamcode")))
        who, post = values.get("grtype"), values.get("worktype")
        if team is None or who is None:
            return
        wanted = _MANAGEMENT if who == _MANAGER else _ORDINARY
        if team.get("teamtype") != wanted:
            words = {"who": people.choices[who], "wanted": types[wanted], "actual": types.get(team.get("teamtype"), "?")}
            context.say(WRONG_TEAM, people, team=values["teamcode"], **words)
        allowed = posts.get(team.get("unittype"))
        if who == _MANAGER and allowed and post in _posts(context) and post not in allowed:
            told = "、".join(f"{code} {trades[code]}" for code in allowed)
            context.say(WRONG_POST, work, unit=units[team["unittype"]], post=trades[post], posts=told)

    return rule


def _posts(context):
    return {code for codes in context.platform.facts["posts"].values() for code in codes}


def _post_and_type(context):
    who_field, work = context.table.of_concept("worker_class"), context.table.field("worktype")
    trades, names = set(context.platform.facts["trades"]), context.platform.dictionaries["worker_types"]
    managers = _posts(context) - {_OTHER_TRADE} | {_ANY_MANAGER}

    def rule(values):
        who, post = values.get(who_field.name), values.get("worktype")
        if (who == _MANAGER and post in trades) or (who == _BUILDER and post in managers):
            context.say(POST_AND_TYPE, work, who=who_field.choices[who], post=names[post])

    return rule


def _level(context):
    middle = set(context.platform.facts["middle_level"])
    if context.settings["level_070"] == "any":
        middle -= {"070"}

    def rule(values):
        if values.get("certificateType") in middle and values.get("skillLevel") not in (None, "3"):
            context.say(LEVEL, context.table.field("skillLevel"))

    return rule


# Exits and wages


def _owed(context):
    field = context.table.field
    owed, promise = field("unpaidPayroll"), field("appointDate")

    def rule(values):
        _settled(context, values, "isSettledPayroll", owed, promise)
        amounts = [item.get("unpaidAmount") for item in values.get("payrollDetails", ())]
        if amounts and None not in amounts and values.get(owed.name) is not None and sum(amounts) != values[owed.name]:
            context.say(SUM_DIFFERS, owed, sum=sum(amounts))

    return rule


def _owed_each(context):
    details = context.table.field("payrollDetails")
    fields = {one.name: one for one in details.fields}

    def rule(values):
        for number, item in enumerate(values.get("payrollDetails", ()), 1):
            path = f"payrollDetails[{number}]."
            _settled(context, item, "issettledPayroll", fields["unpaidAmount"], fields["appointDate"], path)
            total, paid, owed = (item.get(name) for name in ("totalPayAmount", "actualAmount", "unpaidAmount"))
            if None not in (total, paid, owed) and total - paid != owed:
                context.say(SUM_DIFFERS, fields["unpaidAmount"], path=path, sum=total - paid)

    return rule


def _settled(context, values, flag, owed, promise, path=""):
    """Whether it is settled against what is owed and the day promised for it. An empty value stands for no day."""
    amount = values.get(owed.name)
    if values.get(flag) == _NO:
        if values.get(promise.name) == "":
            context.say(PROMISE, promise, path=path)
        if amount == 0:
            context.say(SOMETHING_OWED, owed, path=path)
    elif values.get(flag) == _YES and amount:
        context.say(NOTHING_OWED, owed, path=path, amount=amount)


def _badness(context):
    field = context.table.field("badnessInfo")

    def rule(values):
        if values.get("isHasbadness") == _NO and values.get("badnessInfo"):
            context.say(BADNESS_DENIED, field)

    return rule


_MAKERS = {
    "team": (_team_name, _team_name_once, _one_management, _job_class),
    "worker_enter": (_team_of_worker, _post_and_type),
    "gate": (_post_and_type,),
    "worker_certificate": (_level,),
    "team_exit": (_owed, _owed_each, _badness),
    "team_work": (_badness,),
}
