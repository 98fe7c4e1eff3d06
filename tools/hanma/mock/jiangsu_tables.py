"""The nine tables of the special-equipment standard as its appendix A writes them, and what one row must look like.

Pure: a row in, the first fault in words out. A field is a kind of table A.1 (C text, N number, D day, M media), whether it
may be left out, and where the standard lists values, these. The standard marks no field as optional; those may be left out
whose fact does not exist for every row: a person's certificate, a training's sheet, a hazard's repair and acceptance. A
field that is there must have a value: no empty text, no null.

Readings where the standard speaks with two voices: `dealInfo` follows its note (two values), not its example; `acceptInfo`
is called a number but its note gives two texts and no codes, so either text or a whole number will do; parentheses may be
of either width, since the notes themselves mix them.
"""

import base64
import binascii
import dataclasses
import datetime
import re

_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_ID_CHARACTERS = 64  # table A.2

_LEVELS = ("低风险", "一般风险", "较大风险", "重大风险")
_CONTROL = ("公司（厂）级", "部门（装置、车间）级", "岗位（班组）级")
_ACCIDENTS = (
    "爆炸", "爆燃", "泄漏", "倾覆", "变形", "断裂", "损伤", "坠落", "碰撞", "剪切",
    "挤压", "失控", "故障", "受困", "受困（滞留）", "故障或者受困（滞留）",
)
_CERTIFICATES = (
    "特种设备安全管理",
    "锅炉作业",
    "压力容器作业",
    "气瓶作业",
    "电梯作业",
    "起重机作业",
    "客运索道作业",
    "大型游乐设施作业",
    "场（厂）内专用机动车辆作业",
    "安全附件维修作业",
    "特种设备焊接作业",
)
_MEASURES = ("工程技术措施", "管理措施", "培训教育措施", "个体防护措施", "应急措施")
_PICTURES = ("风险四色分布图", "设备风险告知牌", "岗位风险告知卡", "其他")
_TROUBLES = ("设备类", "管理类", "作业过程（人员）类", "环境类")
_TROUBLE_LEVELS = ("一般事故隐患", "较大事故隐患", "严重事故隐患")
_YES_NO = (0, 1)


@dataclasses.dataclass(frozen=True)
class Field:
    """One field: kind C, N, D or M; values: the only ones allowed; joined: the mark between several of them."""

    kind: str
    optional: bool = False
    values: tuple = ()
    joined: str | None = None


_TEXT, _DATE, _MEDIA, _FLAG = Field("C"), Field("D"), Field("M"), Field("N", values=_YES_NO)
_MAYBE_TEXT, _MAYBE_DATE = Field("C", optional=True), Field("D", optional=True)


def _texts(names, **others):
    """Return the fields of a table: plain texts by name, then the others."""
    return {**dict.fromkeys(names.split(), _TEXT), **others}


TABLES = {
    "01": _texts("comName orgNo deputy cityCode aeraCode address linkMan linkTel"),
    "02": _texts("deptName dParentName dLinkMan dLinkTel", isSecDept=_FLAG),
    "03": _texts(
        "psnName idCardNo deptName",
        **dict.fromkeys(("isSecChief", "isSecManager", "isOpr", "isRes"), _FLAG),
        lcnsKind=Field("C", optional=True, values=_CERTIFICATES, joined="、"),
        certNo=_MAYBE_TEXT,
        authDate=_MAYBE_DATE,
        endDate=_MAYBE_DATE,
        authCom=_MAYBE_TEXT,
    ),
    "04": _texts("fileName publisher", fileAppendix=_MEDIA, uploadDate=_DATE),
    "05": _texts(
        "planNo planName trainTitle trainAddress trainContent",
        **dict.fromkeys(("startDate", "endDate", "trainDate"), _DATE),
        trainFile=Field("M", optional=True),
    ),
    "06": _texts(
        "riskNo regNo riskName commonAddr dutyName dutyMan checkMan",
        riskType=Field("N", values=(0, 1)),
        registDate=_DATE,
        checkDate=_DATE,
        accidentType=Field("C", values=_ACCIDENTS, joined="、"),
        inherentriskLevel=Field("C", values=_LEVELS),
        remainriskLevel=Field("C", values=_LEVELS),
        controlLevel=Field("C", values=_CONTROL),
    ),
    "07": _texts(
        "sourceNo riskNo checkItem checkContent measureContent dutyName dutyMan",
        accidentType=Field("C", values=_ACCIDENTS, joined="、"),
        inherentriskLevel=Field("C", values=_LEVELS),
        remainriskLevel=Field("C", values=_LEVELS),
        controlLevel=Field("C", values=_CONTROL),
        measureType=Field("C", values=_MEASURES),
    ),
    "08": _texts("publisher", riskfileType=Field("C", values=_PICTURES), riskFile=_MEDIA, uploadDate=_DATE),
    "09": _texts(
        "taskNo regNo mainProblem checkMan",
        troubleType=Field("C", values=_TROUBLES),
        troubleLevel=Field("C", values=_TROUBLE_LEVELS),
        checkDate=_DATE,
        limitDate=_DATE,
        dealMan=_MAYBE_TEXT,
        dealDate=_MAYBE_DATE,
        dealInfo=Field("C", optional=True, values=("已整改", "未整改")),
        acceptMan=_MAYBE_TEXT,
        acceptDate=_MAYBE_DATE,
        acceptInfo=Field("CN", optional=True, values=("整改验收合格", "整改验收不合格")),
    ),
}


def is_day(value):
    """Say whether a JSON value is a day as the standard writes it: YYYY-MM-DD, and in the calendar."""
    if not isinstance(value, str) or not _DAY.fullmatch(value):
        return False
    try:
        datetime.date.fromisoformat(value)
    except ValueError:
        return False
    return True


def _wide(text):
    """Return the text with full-width parentheses."""
    return text.replace("(", "（").replace(")", "）")


def _is_whole(value):
    return isinstance(value, int) and not isinstance(value, bool)


def _text_fault(field, value):
    if not isinstance(value, str):
        return "not text"
    if not value.strip():
        return "empty"
    parts = value.split(field.joined) if field.joined else [value]
    if field.values and any(_wide(part) not in field.values for part in parts):
        return f"{value!r} is not listed"
    return None


def _number_fault(field, value):
    if not _is_whole(value):
        return "not a whole number"
    return None if not field.values or value in field.values else f"{value} is not listed"


def _text_or_number_fault(field, value):
    return None if _is_whole(value) else _text_fault(field, value)


def _day_fault(_field, value):
    return None if is_day(value) else "not a day YYYY-MM-DD"


def _media_fault(_field, value):
    """The standard leaves the form open: a text, or a name with its data. A data URI must hold Base64."""
    if isinstance(value, dict):
        if set(value) != {"name", "data"} or not isinstance(value["name"], str) or not value["name"].strip():
            return "not a name with its data"
        value = value["data"]
    if not isinstance(value, str) or not value:
        return "no media"
    if not value.startswith("data:"):
        return None
    try:
        return None if base64.b64decode(value.partition(",")[2], validate=True) else "an empty data URI"
    except (binascii.Error, ValueError):
        return "a data URI that is not Base64"


_KINDS = {"C": _text_fault, "N": _number_fault, "D": _day_fault, "M": _media_fault, "CN": _text_or_number_fault}


def _identity_fault(row):
    if not isinstance(row, dict):
        return "not an object"
    identity = row.get("ID")
    if not isinstance(identity, str) or not 1 <= len(identity.strip()) <= _ID_CHARACTERS:
        return f"ID: not a text of 1 to {_ID_CHARACTERS} characters"
    return None if is_day(row.get("updateDate")) else "updateDate: not a day YYYY-MM-DD"


def row_fault(txcode, row, *, deletion=False):
    """Return what is wrong with one row of a table in words, or None.

    txcode: "01" to "09". deletion: the row may name its ID and updateDate alone; what else it holds is checked all the same.
    """
    fault = _identity_fault(row)
    if fault:
        return fault
    fields = TABLES[txcode]
    for name in row:
        if name not in fields and name not in ("ID", "updateDate"):
            return f"{name}: not a field of table {txcode}"
    for name, field in fields.items():
        if name not in row:
            if field.optional or deletion:
                continue
            return f"{name}: missing"
        fault = _KINDS[field.kind](field, row[name])
        if fault:
            return f"{name}: {fault}"
    return None
