"""What can be wrong with a record as a whole, its profile, or what it rests on: the rules of checking, in the clerk's words."""

from .problems import NOTE, WARNING, Rule

MISSING = Rule("missing", "缺少{label}", "{label} is missing", "请填写{label}", "Fill in {label}")
MISSING_UNSETTLED = Rule(
    "missing",
    "缺少{label}",
    "{label} is missing",
    "请填写{label}；若确实没有，要由管理员在站点配置的 [empty] 里写明发空值",
    "Fill in {label}; where there is none, the site's [empty] must say that an empty value may be sent",
)
FUTURE = Rule("future", "{label}（{cell}）不能在现在之后", "{label} ({cell}) may not be later than now", "请核对", "Check it")
UNKNOWN_FIELD = Rule(
    "unknown_field", "没有“{name}”这一项", "There is no field {name}", "请改正名称或删去", "Mend the name or drop it"
)
EPIDEMIC_OFF = Rule(
    "epidemic_off",
    "{label}不上传：没有写明采集依据，或已过截止日期",
    "{label} isn't sent: no basis is stated, or its last day is past",
    severity=NOTE,
)
CONSTANT_FACT = Rule(
    "constant_fact",
    "站点配置不能统一填写{label}：这是每条记录各自的事实",
    "The site's profile can't give {label}: it is a fact of each record",
    "请从站点配置删去，由每条记录填写",
    "Take it out of the profile and write it in each record",
)
CONSTANT_UNKNOWN = Rule(
    "constant_unknown",
    "站点配置里的 {name} 不是这张表的项",
    "The profile's {name} is no field here",
    "请改正站点配置",
    "Mend the profile",
)
EMPTY_REFUSED = Rule(
    "empty_refused",
    "站点配置的 [empty] 不能把{label}设为“{cell}”",
    "The site's [empty] can't make {label} “{cell}”",
    "只有文件留出空值的项才可以",
    "Only where the document leaves room for an empty value",
)
SAME_AGAIN = Rule(
    "same_again", "与第 {row} 行完全相同，只发一次", "The same as row {row}; it is sent once", "可删去一行", "Drop one", WARNING
)
TWICE = Rule(
    "twice",
    "与第 {row} 行是同一条记录，内容却不同",
    "The same record as row {row} with other content",
    "请只留正确的一行",
    "Leave the right one",
)
ALREADY = Rule(
    "already",
    "这条记录以前处理过（{state}）：内容相同不会再发，不同则作为更正等你确认",
    "This record is known ({state}): the same isn't sent again, another content waits for you as a correction",
    severity=NOTE,
)
NO_PARENT = Rule(
    "no_parent",
    "还没有它所依据的“{title}”记录",
    "The record of “{title}” that it rests on isn't known",
    "请先传那条记录；早已登记过的，请用“认领”记下",
    "Send that one first, or adopt it if it was registered before",
    WARNING,
)
PARENT_REFUSED = Rule(
    "parent_refused",
    "它所依据的“{title}”记录被拒收，这条会等着",
    "The record of “{title}” that it rests on was refused: this one will wait",
    "请先改正那条记录",
    "Mend that one first",
    WARNING,
)
