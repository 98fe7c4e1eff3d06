"""What a safety officer wants to be warned of in Jiangsu's nine tables; the standard itself forbids none of it.

Each check takes one record's values and what is known beside them. Days are dates in Chinese time.
"""

from datetime import timedelta

from .problems import WARNING, Rule

_LEVELS = ("低风险", "一般风险", "较大风险", "重大风险")
_DONE, _OPEN = "已整改", "未整改"
_SOON_DAYS = (30, 60)


def _rule(name, zh, en, zh_do="", en_do=""):
    return Rule(name, zh, en, zh_do, en_do, WARNING)


NO_RISK_POINT = _rule(
    "no_risk_point",
    "关联的风险点编号 {risk} 不在风险点信息里",
    "risk point {risk} is not among the risk points",
    "先报这个风险点，或改正关联编号",
    "Report that risk point first, or mend the number",
)
RESIDUAL_ABOVE = _rule(
    "residual_above_inherent",
    "剩余风险等级（{residual}）高于固有风险等级（{inherent}）",
    "the remaining risk ({residual}) is above the inherent one ({inherent})",
    "管控之后风险不会升高：核对两个等级",
    "Measures do not raise a risk: look at both levels",
)
DATES = _rule(
    "dates_out_of_order",
    "{later}（{later_day}）早于{earlier}（{earlier_day}）",
    "{later} ({later_day}) is before {earlier} ({earlier_day})",
    "核对这两个日期",
    "Look at both dates",
)
PAST_LIMIT = _rule(
    "past_limit",
    "未整改，限期 {limit} 已过 {days} 天",
    "not mended, {days} days past its limit {limit}",
    "催办，或改报整改结果",
    "See to it, or report the result",
)
LATE = _rule(
    "mended_late",
    "整改日期 {day} 晚于限期 {limit}",
    "mended on {day}, after the limit {limit}",
    "说明逾期原因",
    "Say why it took longer",
)
HALF_DONE = _rule(
    "mending_incomplete",
    "整改结果为“{result}”，却{state}",
    "the result is {result}, yet {state_en}",
    "核对整改结果和日期",
    "Look at the result and the dates",
)
ENDS_SOON = _rule(
    "certificate_ends_soon",
    "证书 {until} 到期，还有 {days} 天（{within} 天内）",
    "the certificate ends on {until}, in {days} days (within {within})",
    "安排复审",
    "Have it renewed",
)
ENDED = _rule(
    "certificate_ended",
    "证书已于 {until} 到期",
    "the certificate ended on {until}",
    "到期未复审的，不得从事该作业",
    "Nobody works on an ended certificate",
)

# table → pairs of dates of which the first may not be after the second
_ORDER = {
    "person": [("authDate", "endDate")],
    "training": [("startDate", "endDate"), ("startDate", "trainDate")],
    "risk": [("registDate", "checkDate")],
    "hidden_danger": [("checkDate", "limitDate"), ("checkDate", "dealDate"), ("dealDate", "acceptDate")],
}


def rules(context):
    """Return the checks of this table, as `checking` wants them: a function of a record's values that says what it finds."""
    table, today = context.table, context.now.date()
    risk_points = {one.get("riskNo") for one in context.others("risk")} if table.key == "hazard" else set()

    def rule(values):
        for found, name, words in check(values, table, today, risk_points):
            context.say(found, table.field(name), **words)

    return [rule]


def check(values, table, today, risk_points):
    """Return (Rule, field's name, words) of each warning on a record. risk_points: every riskNo known."""
    found = _order(values, table) + _levels(values)
    return found + _OWN.get(table.key, lambda *_: [])(values, today, risk_points)


def _order(values, table):
    return [
        (
            DATES,
            later,
            {
                "later": table.field(later).label,
                "later_day": values[later],
                "earlier": table.field(earlier).label,
                "earlier_day": values[earlier],
            },
        )
        for earlier, later in _ORDER.get(table.key, ())
        if values.get(earlier) and values.get(later) and values[later] < values[earlier]
    ]


def _levels(values):
    inherent, residual = (values.get(name) for name in ("inherentriskLevel", "remainriskLevel"))
    if inherent not in _LEVELS or residual not in _LEVELS or _LEVELS.index(residual) <= _LEVELS.index(inherent):
        return []
    return [(RESIDUAL_ABOVE, "remainriskLevel", {"residual": residual, "inherent": inherent})]


def _person(values, today, _risks):
    until = values.get("endDate")
    if not until:
        return []
    days = (until - today).days
    if days < 0:
        return [(ENDED, "endDate", {"until": until})]
    within = next((one for one in _SOON_DAYS if until <= today + timedelta(days=one)), None)
    return [(ENDS_SOON, "endDate", {"until": until, "days": days, "within": within})] if within else []


def _hazard(values, _today, risk_points):
    risk = values.get("riskNo")
    return [(NO_RISK_POINT, "riskNo", {"risk": risk})] if risk and risk not in risk_points else []


def _hidden_danger(values, today, _risks):
    result, limit, mended = (values.get(name) for name in ("dealInfo", "limitDate", "dealDate"))
    found = []
    if result == _DONE and not mended:
        found.append((HALF_DONE, "dealDate", {"result": result, "state": "没有填整改日期", "state_en": "no day is given"}))
    if result == _OPEN and mended:
        found.append((HALF_DONE, "dealDate", {"result": result, "state": "填了整改日期", "state_en": "a day is given"}))
    if limit and mended and mended > limit:
        found.append((LATE, "dealDate", {"day": mended, "limit": limit}))
    if limit and not mended and result != _DONE and limit < today:
        found.append((PAST_LIMIT, "limitDate", {"limit": limit, "days": (today - limit).days}))
    return found


_OWN = {"person": _person, "hazard": _hazard, "hidden_danger": _hidden_danger}
