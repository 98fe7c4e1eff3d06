"""Rules that hold for every authority: numbers that prove themselves, days in order, consent to a face picture.

What no document asks is a warning; a site may make it an error or switch it off by its name. A rule is made once for a table
(`rules(context)`) and called for each record with its values; it speaks through the context's `say`.
"""

from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone
from typing import Any, Callable

from . import columns, numbers
from .coding import PERMANENT
from .problems import WARNING, Rule

CITIZEN_ID = Rule(
    "citizen_id",
    "{label} {cell} 不像身份证号：{why}",
    "{label} {cell} is no citizen id: {why_en}",
    "请对照证件核对",
    "Check it",
    WARNING,
)
CREDIT_CODE = Rule(
    "credit_code",
    "{label} {cell} 不像统一社会信用代码：{why}",
    "{label} {cell} is no credit code: {why_en}",
    "请对照营业执照核对",
    "Check it against the licence",
    WARNING,
)
MOBILE = Rule("mobile", "{label} {cell} 不像手机号", "{label} {cell} is no mobile number", "请核对 11 位号码", "Check it", WARNING)
PLATE = Rule("plate", "{label} {cell} 不像车牌号", "{label} {cell} is no number plate", "请核对", "Check it", WARNING)
BIRTH_DIFFERS = Rule(
    "birth_differs",
    "{label}与身份证号里的不一致",
    "{label} isn't the one in the citizen id",
    "请对照证件核对",
    "Check both",
    WARNING,
)
SEX_DIFFERS = Rule(
    "sex_differs", "{label}与身份证号里的不一致", "{label} isn't the one in the citizen id", "请对照证件核对", "Check both", WARNING
)
DAY_DIFFERS = Rule("day_differs", "{label}不是{other}的那一天", "{label} isn't the day of {other}", "请核对", "Check both", WARNING)
LATER_THAN_NOW = Rule(
    "later_than_now", "{label}（{cell}）在现在之后", "{label} ({cell}) is later than now", "请核对日期和时间", "Check it", WARNING
)
NO_CONSENT = Rule(
    "no_consent",
    "没有写明本人同意采集人脸",
    "It is not stated that the person agrees to the picture of the face",
    "取得同意后，在“同意采集人脸”填“是”",
    "Get the consent and write 是 under 同意采集人脸",
)
NO_CONSENT_DAY = Rule(
    "no_consent_day", "没有同意采集人脸的日期", "The day of the consent is missing", "请填同意日期", "Fill in 同意日期"
)

SHANGHAI = timezone(timedelta(hours=8))  # no summer time since 1991
_WHY = {
    "length": ("不是 18 位", "not 18 signs"),
    "signs": ("有不该出现的字符", "signs that can't be in it"),
    "birth": ("其中的出生日期不存在", "its birth date is no day"),
    "check": ("校验码不对，可能有一位写错", "its check sign doesn't fit: one sign may be wrong"),
}
_NUMBERS = {
    "person_id": (CITIZEN_ID, numbers.citizen_id_fault),
    "company_code": (CREDIT_CODE, numbers.credit_code_fault),
    "plant_code": (CREDIT_CODE, numbers.credit_code_fault),
    "phone": (MOBILE, numbers.mobile_fault),
    "plate": (PLATE, numbers.plate_fault),
}
_HAPPENED = ("event_time", "event_day", "exit_day", "birth_day")


@dataclass(frozen=True)
class Context:
    """What a rule may know. say(rule, field, cell="", path="", **words) reports; now: local time without a zone; others(table's
    key): bodies of that table that went out before and weren't refused."""

    table: Any
    platform: Any
    site: Any
    settings: dict
    now: datetime
    say: Callable
    others: Callable


def rules(context):
    """Return the rules of this table, each a function of a record's values."""
    made = [make(context) for make in (_numbers, _nested_numbers, _happened, _day, _birth, _sex, _consent)]
    return [rule for rule in made if rule]


def citizen(values, fields):
    """Return whether the ids among these fields are citizen ids: the type says 01, or there is no type."""
    kind = next((one.name for one in fields if one.concept == "person_id_type"), None)
    return kind is None or values.get(kind) == "01"


def _number_checks(fields):
    return [(one, *_NUMBERS[one.concept]) for one in fields if one.concept in _NUMBERS]


def _check_numbers(values, fields, checks, say, path=""):
    for field, rule, fault in checks:
        value = values.get(field.name)
        wrong = fault(value) if value else ""
        if wrong and (rule is not CITIZEN_ID or citizen(values, fields)):
            why, why_en = _WHY.get(wrong, ("", ""))
            say(rule, field, value, path, why=why, why_en=why_en)


def _numbers(context):
    fields, say = context.table.fields, context.say
    checks = _number_checks(fields)
    return checks and (lambda values: _check_numbers(values, fields, checks, say))


def _nested_numbers(context):
    lists = [(one, checks) for one in context.table.fields if (checks := _number_checks(one.fields))]

    def rule(values):
        for field, checks in lists:
            for number, item in enumerate(values.get(field.name) or (), 1):
                _check_numbers(item, field.fields, checks, context.say, f"{field.name}[{number}].")

    return lists and rule


def _happened(context):
    fields = [one for one in context.table.fields if one.concept in _HAPPENED and not one.latest_now]

    def rule(values):
        for field in fields:
            if later(values.get(field.name), context.now):
                context.say(LATER_THAN_NOW, field, values[field.name])

    return fields and rule


def later(value, now):
    """Return whether a day or time is after now."""
    if isinstance(value, datetime):
        return value > now
    return isinstance(value, date) and value > now.date()


def _derived(context, kind):
    field = next((one for one in context.table.fields if one.derived.startswith(kind + ":")), None)
    return field, field and context.table.field(field.derived.partition(":")[2])


def _day(context):
    field, source = _derived(context, "day")

    def rule(values):
        day, moment = values.get(field.name), values.get(source.name)
        if day and moment and moment.date() != day:
            context.say(DAY_DIFFERS, field, other=source.label)

    return field and rule


def _birth(context):
    field, source = _derived(context, "birth")

    def rule(values):
        given, number = values.get(field.name), values.get(source.name)
        if given and number and not numbers.citizen_id_fault(number) and numbers.birth(number) != given:
            context.say(BIRTH_DIFFERS, field)

    return field and rule


def _sex(context):
    field, source = _derived(context, "sex")

    def rule(values):
        given, number = values.get(field.name), values.get(source.name)
        if given and number and not numbers.citizen_id_fault(number) and sex(field, number) != given:
            context.say(SEX_DIFFERS, field)

    return field and rule


def sex(field, citizen_id):
    """Return the field's code for the sex in a citizen id."""
    name = "男" if numbers.male(citizen_id) else "女"
    return next((code for code, text in field.choices.items() if text == name), None)


def _consent(context):
    face = len(columns.fields_of(context.table)) > len(context.table.fields)
    consent, day = columns.CONSENT

    def rule(values):
        if values.get("consent") != "1":
            context.say(NO_CONSENT, consent)
        elif not values.get("consent_date"):
            context.say(NO_CONSENT_DAY, day)

    return rule if face and context.site.consent == "columns" else None


def in_order(context, pairs, rule):
    """Return a rule that each first day isn't after its second, or None where there are no pairs. For ever has no order."""
    fields = [(context.table.field(first), context.table.field(second)) for first, second in pairs]

    def check(values):
        for first, second in fields:
            start, end = values.get(first.name), values.get(second.name)
            if start and end and PERMANENT not in (start, end) and start > end:
                context.say(rule, second, first=first.label)

    return fields and check
