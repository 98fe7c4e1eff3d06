"""The words of the screen and the story, Chinese and English, and one line for each message. Pure.

Tables only: a word that is not in one is shown as it came.
"""

WORDS = {
    # states of the interlock
    "LOCKED": ("锁定", "locked"),
    "AUTHORISED": ("已授权", "authorised"),
    "EMERGENCY": ("应急", "emergency"),
    "HANDOVER": ("应急交接", "hand-over"),
    # why one cannot weld
    "ok": ("可以焊接", "ready to weld"),
    "not_scanned": ("未扫码", "not scanned"),
    "barred": ("已禁用", "barred"),
    "refused": ("平台拒绝", "refused by the platform"),
    "out_of_service": ("设备停用", "out of service"),
    "no_sim": ("没有 SIM 卡", "no SIM"),
    "no_network": ("没有网络", "no network"),
    "fault": ("故障", "fault"),
    # causes of a switching
    "order": ("平台命令", "by order"),
    "idle": ("长时间未焊", "idle"),
    "authorised_max": ("授权到时", "authorisation ran out"),
    "emergency": ("断网应急", "emergency"),
    "emergency_max": ("应急到时", "emergency ran out"),
    "emergency_end": ("应急结束", "end of the emergency"),
    "handover_end": ("交接到时", "hand-over ran out"),
    "resumed": ("重启恢复", "resumed after a reset"),
    "power_lost": ("断电", "power lost"),
    "service": ("维护", "service"),
    # steps of a job
    "applied": ("已扫码，等监护人", "scanned, waits for the guardian"),
    "guarded": ("监护人已确认", "confirmed by the guardian"),
    "ordered": ("已下令", "ordered"),
    "on": ("作业中", "at work"),
    "off": ("已结束", "ended"),
    "lapsed": ("作废", "lapsed"),
    # messages
    "login": ("登录", "login"),
    "offline": ("离线", "offline"),
    "heartbeat": ("心跳", "heartbeat"),
    "position": ("位置", "position"),
    "alarm": ("报警", "alarm"),
    "answer": ("应答", "answer"),
    "switch_on": ("开机命令", "order on"),
    "switch_off": ("关机命令", "order off"),
    "unknown": ("不明", "unknown"),
}


def both(word):
    """The word in both languages: "锁定 locked"."""
    if word is None:
        return "—"
    pair = WORDS.get(str(word))
    return " ".join(pair) if pair else str(word)


def place(position):
    """A position on one line, or why there is none."""
    if not position:
        return "—"
    if "lng" not in position:
        return f"无 none ({position.get('reason', '')})"
    accuracy = f" ±{position['accuracy_m']} m" if "accuracy_m" in position else ""
    origin = f"{position.get('system', '')} {position.get('source', '')}"
    return f"{position['lng']}, {position.get('lat')} {origin}{accuracy}"


def signal(rsrp_dbm):
    """Signal strength with bars: -80 dBm is good, -120 the end (3GPP TS 36.133, 9.1.4)."""
    if not isinstance(rsrp_dbm, int):
        return "—"
    bars = sum(rsrp_dbm >= limit for limit in (-118, -110, -100, -90, -80))
    return "▮" * bars + "▯" * (5 - bars) + f" {rsrp_dbm} dBm"


def describe(name, body):
    """What a message says, in one short line."""
    content = (body or {}).get("content")
    content = content if isinstance(content, dict) else {}
    return _DESCRIPTIONS.get(name, _any)(content, body or {})


def _any(content, body):
    return ", ".join(f"{key}={value}" for key, value in content.items() if not isinstance(value, dict))


def _heartbeat(content, body):
    event = content.get("event")
    if not isinstance(event, dict):
        return _any(content, body)
    change = "通电 powered" if event.get("relay") else "断电 unpowered"
    number = f"#{event.get('boot')}.{event.get('seq')}"
    return f"{change}: {both(event.get('cause'))}, job {event.get('job') or '—'}, {number}"


def _alarm(content, body):
    over = "解除 over" if "end" in content else "开始 began"
    return f"{content.get('kind')}: {over}"


def _answer(content, body):
    return f"{body.get('code')} {body.get('message') or ''}"


_DESCRIPTIONS = {
    "login": lambda content, body: f"{content.get('state', '')} iccid {content.get('iccid', '')}",
    "heartbeat": _heartbeat,
    "position": lambda content, body: place(content),
    "alarm": _alarm,
    "answer": _answer,
}
