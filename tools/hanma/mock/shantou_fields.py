"""What each of Shantou's eleven data endpoints takes: path, failure code, parameter table. Data, typed from the document.

Where a table and its example differ, the table holds. Each departure from a table is explained where it stands. An item
without 必需 in the table is optional.
"""

import dataclasses
import json
import pathlib

_DATA = pathlib.Path(__file__).parent / "shantou_data"
# Dictionaries of chapter two by name, {code: meaning}; management_posts is {unit type: [codes]}.
DICTIONARIES = json.loads((_DATA / "dictionaries.json").read_text("utf-8"))

# The document's units are taken as decimal.
_200_KB = 200_000
_1_MB = 1_000_000
_2_MB = 2_000_000


@dataclasses.dataclass(frozen=True)
class Field:
    """One parameter.

    kind: a key of shantou_checks.KINDS. codes: the values allowed. limit_b, prefix, pdf: see shantou_images.problem.
    fields: what the objects of an array hold. other: a second spelling that the document itself uses.
    """

    name: str
    kind: str = "text"
    required: bool = True
    codes: tuple = ()
    limit_b: int | None = None
    prefix: bool = False
    pdf: bool = False
    fields: tuple = ()
    other: str | None = None


@dataclasses.dataclass(frozen=True)
class Endpoint:
    """One data endpoint. failure: (code, message) of its own for a record it does not take, None where its list has none."""

    key: str
    path: str
    failure: tuple | None
    fields: tuple
    # 900010103 and 900010199, but for the endpoint whose list is shifted by one.
    no_token: str = "900010103"
    system_error: str = "900010199"


def _texts(names, required=True):
    return tuple(Field(name, required=required) for name in names.split())


def _of_kind(kind, names, required=True, **more):
    return tuple(Field(name, kind, required, **more) for name in names.split())


def _coded(name, dictionary, required=True):
    """A string that is a code of a dictionary."""
    return Field(name, "text", required, tuple(DICTIONARIES[dictionary]))


def _number_of(name, *codes, required=True):
    """An Int that may have only these values."""
    return Field(name, "integer", required, codes)


def _photo(name):
    return Field(name, "image", limit_b=_200_KB, prefix=True)


def _attachments(name):
    """An array of attachments, images or PDF; 1 M is the limit that the chapters on exit and work state."""
    return Field(name, "array", fields=_ATTACHMENT_1_MB)


_ATTACHMENT_1_MB = (Field("name"), Field("data", "image", limit_b=_1_MB, pdf=True))
# The chapter on payments states no limit.
_ATTACHMENT = (Field("name"), Field("data", "image", pdf=True))

_SITE = _texts("projectcode projectname sitecode sitename sgxkzh")
_TEAM_REFERENCE = _texts("projectCode teamSysNo corpCode")
_YES_NO_0_YES = (0, 1)

_DUST = (
    *_SITE,
    *_texts("bidsectioncode bidsectionname", required=False),
    Field("devicecode"),
    *_of_kind("two_decimals", "tsp", required=False),
    *_of_kind("two_decimals", "pm25 pm10 noise"),
    *_of_kind("two_decimals", "windspeed winddirection temperature humidity barometricpressure", required=False),
    Field("jctime", "moment"),
)

# 车牌照片(base64): neither a size nor a prefix is stated for either of the vehicle endpoints.
_VEHICLE_SEEN = (Field("voitureimg", "image"), Field("analysetime", "moment"), Field("iostatus", codes=("1", "2")))

_VEHICLE = (
    *_SITE,
    *_texts("devicecode voiturecode"),
    Field("voituretype", required=False, codes=("渣土车", "其他")),
    *_VEHICLE_SEEN,
)

_MIXER_VEHICLE = (*_texts("tyshxydm devicecode voiturecode"), *_VEHICLE_SEEN)

_TEAM = (
    *_SITE,
    *_texts("unitname unitcode teamname teamcode teamleader phone IDCard"),
    _number_of("teamtype", 0, 1),
    _coded("unittype", "unit_type"),
    Field("isRealTeam", codes=("0", "1")),
    _number_of("teamWorkType", *map(int, DICTIONARIES["team_work_type"])),
    _number_of("teamJobClass", *map(int, DICTIONARIES["team_job_class"])),
)

_WORKER_ENTER = (
    *_SITE,
    *_texts("labourername idcard"),
    Field("enterdate", "past_date"),
    *_texts("constructionunitname constructionunitcode teamcode"),
    *map(_photo, ("facephoto", "idcardfacade", "idcardback")),
    _number_of("sex", 0, 1),
    Field("birthdate", "date"),
    Field("age", "integer", required=False),
    Field("nation"),
    _coded("politiccountenance", "politics"),
    _coded("qualifications", "education"),
    Field("mobilenumber"),
    _coded("worktype", "worker_type"),
    _number_of("ismajormedicalhistory", 0, 1, required=False),
    _number_of("isnewlyarea", 0, 1, required=False),
    # homeadrress is spelt so in the table and in the example.
    *_texts("province city county homeadrress presentaddress"),
    *_texts("bankname banknum bankplace bankfullname bankcode", required=False),
    _number_of("isriskareahis", 0, 1, required=False),
    *_texts("riskarea cityhistory departureplace", required=False),
    Field("nucleinacidtime", "date", required=False),
    _number_of("nucleinacidresult", 0, 1, 2, required=False),
    _number_of("vaccinationstatus", 0, 1, 2, 3, required=False),
    # Pictures, but of type string where the others are Base64: an image is looked at, any other text is taken.
    *_of_kind("image_or_text", "healthcodepic travelcardpic", required=False, limit_b=_200_KB, prefix=True),
    Field("contractcode", required=False),
    Field("consigndate", "date", required=False),
    Field("laborworkpermit", required=False),
    *_of_kind("date", "constartdate conenddate probstartdate probenddate", required=False),
    *_texts("contasks workplace workhoursystem", required=False),
    Field("wage", "number", required=False),
    Field("wagecalcdate", "integer", required=False),
    Field("probwage", "number", required=False),
    Field("wpaymentdate", "date", required=False),
    *_texts("insurestandard welfaretreatment otherinformation managementdoc", required=False),
    _number_of("grtype", 10, 20),
    _number_of("isteamleader", 0, 1),
)

_WORKER_OUT = (*_SITE, *_texts("name idcardnum"), Field("outdate", "date"), Field("outevaluate"))

_GATE = (
    *_SITE,
    Field("kqdate", "date"),
    *_texts("ryno name"),
    Field("rytype", codes=("10", "20")),
    Field("dktime", "moment"),
    _number_of("dktype", 1, 2),
    # deviceCode in the table, devicecode in the example.
    Field("deviceCode", other="devicecode"),
    _photo("photo"),
    Field("temperature", "number"),
    Field("placeid"),
    _coded("attendtype", "attend_type"),
    _coded("worktype", "worker_type"),
    *_texts("lmstatus hsxx ymzs", required=False),
)

# The dictionary named for a team's exit (劳务班组负面情形记录字典表) is not in the document: only the form can be looked at.
_EXIT_BADNESS = (Field("badnessType", "digits"), _attachments("badnessAttachments"))
_WORK_BADNESS = (_coded("badnessType", "team_record"), _attachments("badnessAttachments"))

_PAYROLL_DETAIL = (
    Field("workerName"),
    _coded("idCardType", "id_type"),
    Field("idCardNumber"),
    # The small s is the table's.
    _number_of("issettledPayroll", *_YES_NO_0_YES),
    Field("workload"),
    *_of_kind("number", "totalPayAmount actualAmount unpaidAmount"),
    Field("appointDate", "date_or_moment"),
)

_TEAM_EXIT = (
    *_TEAM_REFERENCE,
    Field("teamTime", "date_or_moment"),
    _number_of("isSettledPayroll", *_YES_NO_0_YES),
    Field("unpaidPayroll", "number"),
    *_of_kind("date_or_moment", "appointDate settleDate"),
    Field("remark"),
    _number_of("isHasbadness", *_YES_NO_0_YES),
    # Required where isHasbadness is 0: see shantou_rules.
    Field("badnessInfo", "array_or_empty", required=False, fields=_EXIT_BADNESS),
    _attachments("exitAttachments"),
    Field("payrollDetails", "array", fields=_PAYROLL_DETAIL),
)

# corpCode has the type "date" in this table, beside the name 企业代码: a text is asked for, as in the other chapters.
_TEAM_WORK = (
    *_TEAM_REFERENCE,
    _number_of("isHasbadness", *_YES_NO_0_YES),
    Field("recordDate", "date_or_moment"),
    Field("remark"),
    # Required always; there is nothing to list where isHasbadness is 1.
    Field("badnessInfo", "array_or_empty", fields=_WORK_BADNESS),
    _attachments("workloadAttach"),
)

_TEAM_PAYROLL = (
    *_TEAM_REFERENCE,
    Field("workerName"),
    _coded("idCardType", "id_type"),
    Field("idCardNumber"),
    Field("actualDate", "date_or_moment"),
    # Of type string in the table, which then calls it an array of objects.
    Field("materialAttach", "array", fields=_ATTACHMENT),
)

_WORKER_CERTIFICATE = (
    *_texts("projectcode projectname sitecode sitename"),
    _coded("idCardType", "id_type"),
    *_texts("idCardNumber certificateName certificateNumber"),
    _coded("skillLevel", "skill_level"),
    _coded("certificateType", "certificate_type"),
    # By certificateType: see shantou_rules.
    Field("workTypeNameCode"),
    _number_of("certificateStatus", 0, 1),
    *_texts("professionalName grantOrg"),
    Field("grantDate", "date"),
    *_of_kind("date_or_permanent", "startDate expiryDate"),
    Field("name"),
    Field("data", "image", limit_b=_2_MB),
)

_SITE_PATH = "/api/wlwzjsjjrsj/site/"
_PERSON_FAILURE = "人脸照片数据接入失败"

ENDPOINTS = (
    Endpoint("dust", "/api/wlwyczsjrsj/receive/yczssj/", ("990025001", "扬尘噪声数据接入失败"), _DUST),
    Endpoint("vehicle", "/api/wlwclsbjrsj/receive/clsbsj/", ("990025002", "车辆识别数据接入失败!"), _VEHICLE),
    Endpoint("team", _SITE_PATH + "laborteam/", None, _TEAM),
    # Of the four failures in its list only this one is about persons.
    Endpoint("worker_enter", _SITE_PATH + "workerenter/", ("990025004", _PERSON_FAILURE), _WORKER_ENTER),
    # The same list with each code one higher; but success stays "0", as in its example.
    Endpoint("worker_out", _SITE_PATH + "workerout/", ("990025005", _PERSON_FAILURE), _WORKER_OUT, "900010104", "900010200"),
    Endpoint("gate", "/api/wlwzjsjjrsj/receive/zjsj/", ("990025003", "闸机数据接入失败"), _GATE),
    Endpoint("mixer_vehicle", "/api/wlw/hntclcrsj/add/", None, _MIXER_VEHICLE),
    Endpoint("team_exit", _SITE_PATH + "teamexitinfo/", None, _TEAM_EXIT),
    Endpoint("team_work", _SITE_PATH + "teamworkinfo/", None, _TEAM_WORK),
    Endpoint("team_payroll", _SITE_PATH + "teampayrolldetails/", None, _TEAM_PAYROLL),
    Endpoint("worker_certificate", _SITE_PATH + "workercertificate/", None, _WORKER_CERTIFICATE),
)
