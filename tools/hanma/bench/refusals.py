"""Every reason for which the platform says no: one table, in Chinese and English, with its article.

The articles are those of 重庆市电气焊“赋码监管”安全生产监督管理办法（试行）, draft of August 2025.
An article of 0 marks a reason of this bench, which the measure does not name.
"""

from ..jobs import Refusal

_TABLE = (
    ("device_unknown", 4, "此焊机没有赋码登记", "this welder has no registered code"),
    ("device_out_of_service", 10, "焊机有隐患已停用，修复后方可使用", "out of service until repaired"),
    ("welder_unregistered", 22, "未注册，请先在小程序登记", "not registered: register before the first scan"),
    ("certificate_missing", 21, "没有登记任何操作证", "no certificate on record"),
    ("certificate_unfit", 21, "所持证件不适用于本次焊接作业", "no certificate here fits this welding work"),
    ("certificate_early", 21, "操作证尚未生效", "the certificate is not valid yet"),
    ("certificate_expired", 21, "操作证已过期", "the certificate has expired"),
    ("permit_missing", 24, "没有动火作业审批", "no hot-work permit"),
    ("permit_unapproved", 24, "动火作业票尚未批准", "the hot-work permit is not approved"),
    ("permit_not_now", 24, "动火作业票不在有效时间内", "the hot-work permit is not valid at this time"),
    ("permit_other_welder", 24, "动火作业票不含此焊工", "the hot-work permit does not name this welder"),
    ("device_in_use", 27, "上一名焊工尚未结束作业", "the work of another welder has not ended"),
    ("guardian_unregistered", 22, "监护人未注册", "the guardian is not registered"),
    ("guardian_is_welder", 23, "监护人不能是焊工本人", "the guardian must not be the welder"),
    ("guardian_late", 23, "等候监护人确认超时，请重新扫码", "the guardian was too late: scan again"),
    ("checks_missing", 25, "现场安全检查未全部确认", "not every check of the site was confirmed"),
    ("word_lapsed", 23, "监护人确认后没有下令，确认作废", "the guardian's word lapsed without an order"),
    ("order_unanswered", 30, "终端没有执行开机命令，命令作废", "the order was not carried out and lapsed"),
    ("terminal_refused", 30, "终端拒绝开机", "the terminal refused to switch on"),
    ("withdrawn", 28, "作业开始前已取消", "withdrawn before the work began"),
    ("job_unknown", 0, "没有这一作业", "there is no such job"),
    ("job_not_waiting", 0, "作业不在等候这一步", "the job is not waiting for this step"),
)

REFUSALS = {code: Refusal(code=code, article=article, zh=zh, en=en) for code, article, zh, en in _TABLE}


def refusal(code, detail=""):
    """The refusal of that code; `detail` (a date, the terminal's own word) is added to both languages."""
    known = REFUSALS[code]
    if not detail:
        return known
    return known.model_copy(update={"zh": f"{known.zh}（{detail}）", "en": f"{known.en} ({detail})"})
