"""A small platform, made by hand, with one field of each kind that headings, workbooks and pictures care about."""

from hanma.upload.catalogue import Field, Platform, Table
from hanma.upload.site import Site

TRADES = {f"{number:03}": f"工种{number}" for number in range(10, 60)} | {"010": "砌筑工"}

ENTER = Table(
    "small",
    "enter",
    "人员进场",
    (
        Field("projectcode", "项目编码", required="yes", concept="project_code"),
        Field("labourername", "姓名", required="yes", aliases=("工人姓名",), privacy="name"),
        Field("idcard", "身份证号", required="yes", concept="person_id", privacy="id"),
        Field("sex", "性别", "enum", required="yes", choices={"0": "男", "1": "女"}),
        Field("worktype", "工种", "enum", required="yes", dictionary="trades"),
        Field("enterdate", "进场日期", "date", required="yes", latest_now=True),
        Field("contractor", "单位名称"),
        Field("owner", "单位名称"),
        Field("cert", "证书类型", "enum", choices={"1": "特种作业", "2": "技能"}),
        Field(
            "certwork",
            "证书工种",
            "enum",
            dictionary_by=("cert", {"1": "special", "2": "skilled"}),
            required="when",
            when={"cert": ["1"]},
        ),
        Field("facephoto", "人脸照片", "image", required="yes", most_b=200_000, privacy="face"),
        Field("idcardfacade", "身份证正面图片", "image", most_b=200_000, privacy="id"),
        Field("idcardback", "身份证背面图片", "image", most_b=200_000, privacy="id"),
        Field("healthcodepic", "健康码图片", epidemic=True),
    ),
    identity=("idcard", "projectcode", "enterdate"),
)
EXIT = Table(
    "small",
    "team_exit",
    "班组退场",
    (
        Field("projectCode", "项目编码", required="yes", concept="project_code"),
        Field("teamSysNo", "班组编号", required="yes"),
        Field("teamTime", "退场日期", "date", required="yes"),
        Field(
            "payrollDetails",
            "工资结清情况",
            "array",
            fields=(Field("workerName", "工人姓名", required="yes"), Field("paid", "金额", "decimal", form="0.00")),
        ),
        Field(
            "exitAttachments",
            "退场附件",
            "array",
            fields=(Field("name", "附件名称"), Field("data", "附件", "image", most_b=1_000_000)),
        ),
    ),
    identity=("projectCode", "teamSysNo", "teamTime"),
)
GATE = Table(
    "small",
    "gate",
    "闸机考勤",
    (
        Field("ryno", "身份证号", required="yes", concept="person_id"),
        Field("dktime", "打卡时间", "datetime", required="yes", concept="event_time"),
        Field("photo", "抓拍照片", "image", required="yes", most_b=200_000, privacy="face"),
    ),
    identity=("ryno", "dktime"),
)
PLATFORM = Platform(
    "small",
    "小平台",
    {one.key: one for one in (ENTER, GATE, EXIT)},
    {"trades": TRADES, "special": {"a": "电工"}, "skilled": {"b": "木工", "c": "瓦工"}},
    {},
)


def site(**more):
    """Return a profile that gives nothing but what is asked for."""
    return Site(**{"name": "site", "platform": "small"} | more)
