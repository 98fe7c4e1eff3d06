"""Writes configuration.md and configuration.zh-CN.md beside it, from the firmware's table of fields.

Run it after every change of that table: python docs/configuration.py

The table gives names, values and defaults; this file adds what each setting means, in both languages.
"""

import json
import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "firmware"), str(HERE.parent / "host_tests" / "cpython")]

from terminal.config import FIELDS  # noqa: E402  (it lies in firmware/)

# name: (meaning in English, meaning in Chinese)
MEANINGS = {
    "profile": (
        "How the platform carries messages: `plain` topics on any broker, or `iotda`, Huawei Cloud IoTDA.",
        "平台接入方式：`plain` 为普通 MQTT 主题，`iotda` 为华为云 IoTDA。",
    ),
    "host": (
        "Name or address of the MQTT broker. Must be given; with TLS it is the name in the certificate.",
        "MQTT 服务器域名或地址，必填；使用 TLS 时须与证书中的名称一致。",
    ),
    "port": ("Its port.", "服务器端口。"),
    "tls": (
        "Encrypt, and verify certificate and name. `false` is for the bench.",
        "加密传输并校验证书和域名；`false` 只用于台架调试。",
    ),
    "ca_file": ("File with the authority's certificate (PEM).", "CA 证书文件（PEM）。"),
    "keepalive_s": (
        "MQTT keepalive in seconds; a link silent for longer is dead.",
        "MQTT 保活时间（秒）；超时无应答即判定断线。",
    ),
    "heartbeat_s": ("Seconds between heartbeats (FF).", "心跳（FF）间隔，秒。"),
    "full_heartbeat_s": (
        "Seconds between heartbeats that say everything; the others say what has changed.",
        "完整心跳的间隔，秒；其余心跳只报变化的内容。",
    ),
    "position_period_s": (
        "Report the position (EF) at least so often, in seconds.",
        "位置（EF）上报的最长间隔，秒。",
    ),
    "position_move_m": (
        "Report it also when the terminal has moved further than this, in metres.",
        "移动超过此距离（米）即上报位置。",
    ),
    "coordinates": (
        "Coordinate system of the reports; GCJ-02 applies inside China only.",
        "上报坐标系；GCJ-02 仅在中国境内偏移。",
    ),
    "topic_up": (
        "Topic of all reports. With `iotda` only a topic that begins with `$oc/` is used, else IoTDA's own.",
        "上行主题。`iotda` 下仅当以 `$oc/` 开头才采用，否则用 IoTDA 的缺省主题。",
    ),
    "topic_command": (
        "Topic of the orders (`plain`); the request id is its end.",
        "命令主题（`plain`），以请求标识结尾。",
    ),
    "topic_response": (
        "Topic of the answers (`plain`); the request id is its end.",
        "应答主题（`plain`），以请求标识结尾。",
    ),
    "topic_will": (
        "Topic of the last will, Z0 (`plain`); empty for none.",
        "遗嘱（Z0）主题（`plain`）；空则不设遗嘱。",
    ),
    "iotda_sign_type": (
        "IoTDA password: 0 timestamp not checked, 1 checked (needs the time before the first connection).",
        "IoTDA 密码签名类型：0 不校验时间戳，1 校验（首次连接前须先授时）。",
    ),
    "response_form": (
        "Answers to IoTDA's commands: bare, or wrapped in `paras`.",
        "IoTDA 命令应答形式：直接应答，或包在 `paras` 内。",
    ),
    "modem_family": (
        "The modem's dialect: `board` takes the board's, `auto` asks the modem. Another one than answers is an error, which "
        "names both; only what the board was staged with is there to be chosen.",
        "模块系列（指令方言）：`board` 按板卡，`auto` 询问模块。与实际应答的模块不符时报错并指明应如何配置。只能选已烧录的系列。",
    ),
    "modem_key_on_ms": (
        "How long the modem's power key is pressed to switch it on; 0: as its family's documents say. For EC200N, EC800G, EG912 "
        "and EG915 no document was found: 2 s.",
        "开机键按下时长（毫秒）；0 为按模块系列资料。EC200N、EC800G、EG912、EG915 未见资料，取 2 秒。",
    ),
    "modem_key_off_ms": (
        "The same to switch it off, where the modem does not answer.",
        "模块无应答时关机键按下时长（毫秒）；0 同上。",
    ),
    "modem_key_gap_ms": (
        "From switching off to switching on again.",
        "关机后再开机的间隔（毫秒）；0 同上。",
    ),
    "sim_pin": (
        "PIN of the SIM; tried once after each power-on, never with the last attempt, nor when the attempts left are unknown.",
        "SIM 卡 PIN 码；每次上电只试一次，剩最后一次机会或剩余次数未知时不试。",
    ),
    "roaming": (
        "Use networks other than the SIM's own.",
        "允许漫游。",
    ),
    "lbs_token": (
        "Token of Quectel's cell location service.",
        "移远基站定位服务的令牌（token）。",
    ),
    "apn": (
        "Access point name; empty: chosen by the operator the SIM belongs to.",
        "接入点名称（APN）；空则按运营商自动选择。",
    ),
    "apn_user": ("User name of the access point.", "APN 用户名。"),
    "apn_password": ("Password of the access point.", "APN 密码。"),
    "iccid": (
        "ICCID of the provisioned SIM; another one is an alarm. Empty: any SIM.",
        "登记的 SIM 卡 ICCID；不符则报警；空则不检查。",
    ),
    "voice": ("Speak.", "语音播报开关。"),
    "service_phone": (
        "Telephone number spoken where somebody has to be called; digits.",
        "需要联系服务人员时播报的电话号码（数字）。",
    ),
    "overtemperature_c": (
        "Alarm from this chip temperature on, in °C; it ends 10 °C below.",
        "芯片温度达到此值（°C）报警，回落 10 °C 后解除。",
    ),
    "ota_url": (
        "HTTPS address that is asked for a release once a day; empty: only orders of the platform count.",
        "每天查询升级包的 HTTPS 地址；留空则只接受平台下发的升级。",
    ),
    "ota_hour": (
        "From this hour on (China's time) it is asked, or later that day when the terminal is switched on.",
        "每天从此时（北京时间，整点）起查询；此时未通电则当天上电后查询。",
    ),
    "ota_bytes_per_day": (
        "Bytes that upgrades may take over the air in a day, connections included; the rest waits for the next day.",
        "升级每天最多使用的流量（字节，含建立连接）；超出部分次日继续。",
    ),
    "trial_s": (
        "Seconds with a session up that a new release must serve before it counts; summed up over power cuts.",
        "新版本试运行时长（秒，仅计在线时间，断电后累计）；期满才正式启用。",
    ),
    "signature_only": (
        "Fetch releases also from a server that is named by its IP address, whose certificate proves nothing; the release's own "
        "signature is checked in any case.",
        "允许从以 IP 地址指定的服务器下载升级包（其证书无法校验）；升级包自身的签名始终校验。",
    ),
    "ota_fingerprint": (
        "SHA-256 of the certificate of a release server that is named by its IP address: no other certificate is believed there. "
        "Without it and without `signature_only` such a server is not asked.",
        "以 IP 地址指定的升级服务器的证书 SHA-256 指纹：只信任该证书。"
        "此项与 `signature_only` 均未设置时，不从 IP 地址的服务器下载。",
    ),
    "outage_causes": (
        "Causes of being offline that count as an outage, after which the welder may be powered "
        "without an order. A refusal by the platform never counts. Empty: never.",
        "计入断网的离线原因；计入后可能应急通电。平台拒绝接入从不计入；空表示从不应急通电。",
    ),
    "fail_open_after_s": (
        "Seconds of outage before the emergency powers the welder.",
        "断网多少秒后应急通电。",
    ),
    "link_stable_s": (
        "Seconds the session must hold before an emergency is handed over.",
        "会话稳定多少秒后才退出应急。",
    ),
    "handover_idle_s": (
        "After an emergency: off when nobody has welded for so many seconds.",
        "应急结束后，未焊接多少秒即断电。",
    ),
    "handover_max_s": (
        "After an emergency: off after so many seconds of session in any case.",
        "应急结束后，会话累计多少秒必断电。",
    ),
    "idle_lock_s": (
        "Off when nobody has welded for so many seconds; 0 never. Needs a welding sense.",
        "未焊接多少秒后断电；0 为不启用；需焊接检测。",
    ),
    "authorised_max_s": ("The longest work on one order, in seconds.", "一次授权最长通电时间，秒。"),
    "emergency_max_s": ("The longest emergency, in seconds.", "一次应急最长通电时间，秒。"),
    "resume_within_s": (
        "After a crash the state is resumed when it is not older than this; 0 never.",
        "异常复位后，状态记录不超过此秒数则恢复；0 为不恢复。",
    ),
    "command_max_age_s": (
        "An order to switch on that is older, in seconds, is refused; a stop never is.",
        "超过此秒数的通电命令被拒绝；断电命令从不拒绝。",
    ),
    "switch_min_interval_s": (
        "Seconds between switching off and on again, to spare the contactor.",
        "断电后再次通电的最短间隔，秒，保护接触器。",
    ),
}

WORDS = {
    "en": {
        "title": "# Configuration",
        "lead": (
            "The terminal reads `config.json`, one flat JSON object of at most 8 KiB, at power-on. A field "
            "that is left out has its default; a bad one too, and it is reported. A file that is no JSON "
            "object is kept aside as `config.bad`, the defaults hold, and the alarm `config_broken` begins. "
            "Device id and secret are not here: they lie in NVS."
        ),
        "made": "<!-- Made by docs/configuration.py from the table in firmware/terminal/config.py. -->",
        "head": "| setting | values | default | meaning |",
        "other": "[中文](configuration.zh-CN.md)",
        "none": "must be given",
        "list": "list of ",
        "all": "all",
        "off": "0 or ",
        "length": "{}–{} characters",
        "digits": "empty or {}–{} digits",
        "hex": "empty or {} hexadecimal digits (small letters)",
        "numbered": ", ends with `{request_id}`",
        "or": " or ",
    },
    "zh": {
        "title": "# 配置",
        "lead": (
            "终端上电时读取 `config.json`：一个扁平的 JSON 对象，不超过 8 KiB。"
            "未写的字段取缺省值；有误的字段也取缺省值并上报。"
            "文件不是 JSON 对象时，改名为 `config.bad` 保留，全部采用缺省值，并产生 `config_broken` 报警。"
            "设备标识和密钥不在此文件，存于 NVS。"
        ),
        "made": "<!-- 由 docs/configuration.py 根据 firmware/terminal/config.py 的字段表生成。 -->",
        "head": "| 字段 | 取值 | 缺省 | 含义 |",
        "other": "[English](configuration.md)",
        "none": "必填",
        "list": "列表，元素为 ",
        "all": "全部",
        "off": "0 或 ",
        "length": "{}–{} 个字符",
        "digits": "空，或 {}–{} 位数字",
        "hex": "空，或 {} 位十六进制数字（小写）",
        "numbered": "，以 `{request_id}` 结尾",
        "or": " 或 ",
    },
}


def values(field, words):
    """Return what a field may hold, in words."""
    _, kind, _, low, high = field
    if kind in ("int", "zero_or"):
        return (words["off"] if kind == "zero_or" else "") + f"{low}–{high}"
    if kind == "bool":
        return words["or"].join(("`true`", "`false`"))
    if kind == "choice":
        return words["or"].join(f"`{choice}`" for choice in low)
    if kind == "causes":
        return words["list"] + ", ".join(f"`{cause}`" for cause in low)
    if kind == "digits":
        return words["digits"].format(low, high)
    if kind == "hex":
        return words["hex"].format(low)
    length = words["length"].format(low, high)
    return length + (words["numbered"] if kind == "numbered" else "")


def default(field, words):
    """Return a field's default, as JSON; the whole list is not said twice."""
    _, kind, value, low, _ = field
    if kind == "causes":
        return words["all"]
    if value == "" and low and kind not in ("digits", "hex"):
        return words["none"]
    return f"`{json.dumps(value)}`"


def page(language):
    """Return one page as text."""
    words = WORDS[language]
    rows = [
        f"| `{field[0]}` | {values(field, words)} | {default(field, words)} | "
        f"{MEANINGS[field[0]][language == 'zh']} |"
        for field in FIELDS
    ]
    parts = [words["title"], "", words["other"], "", words["lead"], "", words["made"], "", words["head"]]
    return "\n".join(parts + ["|---|---|---|---|"] + rows) + "\n"


PAGES = {"configuration.md": "en", "configuration.zh-CN.md": "zh"}


def main():
    """Write both pages."""
    for name, language in PAGES.items():
        (HERE / name).write_text(page(language), encoding="utf-8")


if __name__ == "__main__":
    main()
