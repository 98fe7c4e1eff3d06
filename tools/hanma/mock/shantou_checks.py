"""Field by field: does a body hold what its table says? Required, unknown, JSON type, form, codes, images.

Says problems as "field：reason" in Chinese, arrays as payrollDetails[0].workload. No state but the options given; dates are
China's.
"""

import dataclasses
import datetime
import re

from hanma.mock import shantou_images

CHINA = datetime.timezone(datetime.timedelta(hours=8))
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_MOMENT = re.compile(r"\d{4}-\d{2}-\d{2} \d{2}:\d{2}:\d{2}", re.ASCII)
_TWO_DECIMALS = re.compile(r"-?\d+\.\d{2}", re.ASCII)
_DIGITS = re.compile(r"\d+", re.ASCII)
PERMANENT = "0000-00-00"
_SHOWN_CHARACTERS = 20


@dataclasses.dataclass(frozen=True)
class Strictness:
    """What the document leaves open.

    decode_images: read each image whole. may_be_empty: required texts, as endpoint.field, that may be "".
    """

    decode_images: bool = False
    may_be_empty: frozenset = frozenset()


def now():
    """Return the time in China, without its zone."""
    return datetime.datetime.now(CHINA).replace(tzinfo=None)


def _is_date(text):
    """Say whether a text is a day of the calendar, yyyy-MM-dd."""
    try:
        return bool(_DATE.fullmatch(text) and datetime.date.fromisoformat(text))
    except ValueError:
        return False


def _is_moment(text):
    """Say whether a text is a time of day, yyyy-MM-dd HH:mm:ss."""
    try:
        return bool(_MOMENT.fullmatch(text) and datetime.datetime.strptime(text, "%Y-%m-%d %H:%M:%S"))
    except ValueError:
        return False


def _past_date(text):
    if not _is_date(text):
        return "日期格式应为 yyyy-MM-dd"
    return "不能大于当前时间" if datetime.date.fromisoformat(text) > now().date() else None


def _form(fits, reason):
    """Return a check of a text's form."""
    return lambda text, field, strictness: None if fits(text) else reason


def _image(text, field, strictness):
    return shantou_images.problem(text, field.limit_b, field.prefix, field.pdf, strictness.decode_images)


def _image_or_text(text, field, strictness):
    return _image(text, field, strictness) if text.startswith("data:") else None


# JSON type by kind: (what it is called, the Python types of the parsed value).
_STRING = ("string", (str,))
_INTEGER = ("int", (int,))
_NUMBER = ("decimal", (int, float))
_ARRAY = ("array", (list,))

# Kind: (JSON type, check of the value or None).
KINDS = {
    "text": (_STRING, None),
    "digits": (_STRING, _form(_DIGITS.fullmatch, "应为字典编码")),
    "two_decimals": (_STRING, _form(_TWO_DECIMALS.fullmatch, "应为保留两位小数的字符串")),
    "date": (_STRING, _form(_is_date, "日期格式应为 yyyy-MM-dd")),
    "past_date": (_STRING, lambda text, field, strictness: _past_date(text)),
    "date_or_permanent": (
        _STRING,
        _form(lambda text: text == PERMANENT or _is_date(text), f"日期格式应为 yyyy-MM-dd 或 {PERMANENT}"),
    ),
    "moment": (_STRING, _form(_is_moment, "时间格式应为 yyyy-MM-dd HH:mm:ss")),
    # A date of type string without a form: either of the two forms that the document knows.
    "date_or_moment": (
        _STRING,
        _form(lambda text: _is_date(text) or _is_moment(text), "日期格式应为 yyyy-MM-dd 或 yyyy-MM-dd HH:mm:ss"),
    ),
    "integer": (_INTEGER, None),
    "number": (_NUMBER, None),
    "image": (_STRING, _image),
    "image_or_text": (_STRING, _image_or_text),
    "array": (_ARRAY, None),
    "array_or_empty": (_ARRAY, None),
}


def required_texts(endpoints):
    """Return the names, as endpoint.field, of all required texts: those that Strictness.may_be_empty may hold."""
    return [name for endpoint in endpoints for name in _required_texts(endpoint.fields, endpoint.key)]


def _required_texts(fields, key):
    for field in fields:
        if field.required and KINDS[field.kind][0] is _STRING:
            yield f"{key}.{field.name}"
        yield from _required_texts(field.fields, f"{key}.{field.name}")


def problems(endpoint, body, strictness):
    """Return the list of "field：reason" of a body, empty where it is as the endpoint's table says."""
    if not isinstance(body, dict):
        return ["请求体：应为 JSON 对象"]
    return list(_object_problems(endpoint.fields, body, "", endpoint.key, strictness))


def _object_problems(fields, given, at, key, strictness):
    """Yield the problems of one object; `at` is its place (with a dot), `key` its place without indexes."""
    left = dict(given)
    known = {field.name for field in fields}
    for field in fields:
        names = [name for name in (field.name, field.other) if name in left]
        if len(names) == 2:
            yield f"{at}{field.other}：与 {field.name} 重复"
            left.pop(field.other)
        place = at + (names[0] if names else field.name)
        if names and left[names[0]] is not None:
            yield from _value_problems(field, left.pop(names[0]), place, f"{key}.{field.name}", strictness)
        elif field.required:
            for name in names:
                left.pop(name)
            yield f"{place}：必需参数缺失"
    yield from (f"{at}{name}：{'不应为 null' if name in known else '未知参数'}" for name in left)


def _value_problems(field, value, place, key, strictness):
    """Yield the problems of one value."""
    (called, types), check = KINDS[field.kind]
    if not isinstance(value, types) or isinstance(value, bool):
        yield f"{place}：类型应为 {called}"
    elif field.required and field.kind != "array_or_empty" and _is_empty(value):
        if key not in strictness.may_be_empty:
            yield f"{place}：必需参数为空"
    elif isinstance(value, list):
        yield from _array_problems(field, value, place, key, strictness)
    elif field.codes and value not in field.codes:
        yield f"{place}：{str(value)[:_SHOWN_CHARACTERS]} 不在字典中"
    elif check is not None:
        reason = check(value, field, strictness)
        if reason is not None:
            yield f"{place}：{reason}"


def _is_empty(value):
    return value == [] or (isinstance(value, str) and not value.strip())


def _array_problems(field, items, place, key, strictness):
    """Yield the problems of an array's objects."""
    for index, item in enumerate(items):
        if isinstance(item, dict):
            yield from _object_problems(field.fields, item, f"{place}[{index}].", key, strictness)
        else:
            yield f"{place}[{index}]：应为 JSON 对象"
