"""The authority's messages: builds 00 Z0 FF EF E0 and responses, reads commands 0 and 1. Pure.

Owns no state but what the platform knows of the heartbeat. Times are milliseconds since 1970 (int) or None;
lengths are bytes. The document (annex 1, mode 1) fixes actionCode, actionName and the response; it leaves
`content` open. What we put there is defined here and told in docs/messages.md.
"""

import json
from collections import namedtuple

from micropython import const

LOGIN = "00"
OFFLINE = "Z0"
HEARTBEAT = "FF"
POSITION = "EF"
ALARM = "E0"

# The document's own names. The heartbeat goes without: it is the one that costs money.
_NAMES = {LOGIN: "登录", OFFLINE: "离线", POSITION: "经纬度", ALARM: "报警信息"}

# Answers of the interlock and of the shell: code -> (Chinese, English).
ANSWERS = {
    "on": ("已开机", "switched on"),
    "off": ("已关机", "switched off"),
    "busy": ("其他作业未结束", "another job has not ended"),
    "stale": ("命令已过期", "the command is too old"),
    "future": ("命令时间超前", "the command is dated in the future"),
    "out_of_service": ("设备已停用", "out of service"),
    "service": ("维护状态只能关机", "service may only switch off"),
    "cancelled": ("命令已被取消", "cancelled by a later stop"),
    "contact_failed": ("已动作但触点未吸合", "the contact did not follow"),
    "malformed": ("命令格式错误", "the command cannot be read"),
}

MAX_COMMAND = const(4096)
# Brackets in one command, nested or side by side: each is an object on the heap, and nothing here may run out
# of stack or memory over a hostile text of 4 KiB.
_MAX_BRACKETS = const(64)
_MAX_JOB = const(64)
_MAX_TIME_DIGITS = const(14)
_BLANKS = " \t\r\n"
_E7 = const(10000000)
# Where the count of ms since boot stands while the wall time of that key is not known.
_TICKS = {"time": "ticks", "start": "start_ticks", "end": "end_ticks"}

Command = namedtuple("Command", ("action", "job", "issued_ms", "barred", "out_of_service", "content"))


class Malformed(Exception):
    """A command that cannot be obeyed as it stands; `reason` names what is wrong in one word."""

    def __init__(self, reason):
        super().__init__(reason)
        self.reason = reason


# ---- building ----


def uplink(code, content, name=None):
    """Return the bytes of one uplink.

    code: LOGIN .. ALARM. content: dict or text. name: an actionName instead of the document's own.
    """
    name = name or _NAMES.get(code)
    named = '"actionName":"%s",' % name if name else ""
    return ('{"actionCode":"%s",%s"content":%s}' % (code, named, _dumps(content))).encode()


def response(success, code, message, result, timestamp_ms):
    """Return the bytes of the answer to a command: code 200 or 500, result a dict or text.

    The document wants a number as the timestamp: 0 says that the clock is not known.
    """
    return (
        '{"success":%s,"message":%s,"code":%d,"result":%s,"timestamp":%d}'
        % ("true" if success else "false", _dumps(message), code, _dumps(result), timestamp_ms or 0)
    ).encode()


def answer(code, text, timestamp_ms, job=None, english=False):
    """Return the response for an answer of the interlock: code 200 or 500, text a key of ANSWERS."""
    result = {"answer": text}
    if job is not None:
        result["job"] = job
    message = ANSWERS.get(text, (text, text))[1 if english else 0]
    return response(code == 200, code, message, result, timestamp_ms)


def _dumps(value):
    return json.dumps(value, separators=(",", ":"))


def e7_text(value_e7):
    """Return 1e-7 units as decimal text with seven places: 1065512340 -> '106.5512340'."""
    sign = "-" if value_e7 < 0 else ""
    return "%s%d.%07d" % (sign, abs(value_e7) // _E7, abs(value_e7) % _E7)


def stamped(content, moment, key="time"):
    """Put a moment into content under key and return it.

    moment: (ms since 1970 or None, boot number, ms since that boot). Without wall time it is null beside
    `boot` and `ticks`, so that whoever learns the time later can tell it.
    """
    content[key] = moment[0]
    if moment[0] is None:
        content["boot"] = moment[1]
        content[_TICKS[key]] = moment[2]
    return content


def dated(content, boot, unix_ms_at_boot):
    """Give a content stamped without clock its wall time, if it is of this boot (an event: its inner object);
    returns content."""
    if content.get("boot") == boot:
        for key, ticks in _TICKS.items():
            if ticks in content:
                content[key] = unix_ms_at_boot + content.pop(ticks)
    return content


def login(device_id, iccid, imei, versions, reset, resumed, relay, state):
    """Return the content of 00, to be stamped.

    versions: dict (firmware, micropython, modem, board). reset: dict (cause, boot, unfinished). resumed:
    bool. relay: 1 or 0. state: the interlock's.
    """
    return {
        "device_id": device_id,
        "iccid": iccid,
        "imei": imei,
        "versions": versions,
        "reset": reset,
        "resumed": resumed,
        "relay": relay,
        "state": state,
    }


def offline(reason):
    """Return the content of Z0: 'restart', 'upgrade', 'shutdown', 'power' or 'lost' (the last will's)."""
    return {"reason": reason}


def position(source, lat_e7=None, lng_e7=None, system="wgs84", accuracy_m=None, reason=None):
    """Return the content of EF, to be stamped with the time of the fix. source is 'gnss', 'cell' or 'none';
    with 'none' there are no coordinates but a reason."""
    if source == "none":
        return {"source": source, "reason": reason}
    content = {"lng": e7_text(lng_e7), "lat": e7_text(lat_e7), "system": system, "source": source}
    if accuracy_m is not None:
        content["accuracy_m"] = accuracy_m
    return content


def alarm(kind, start, end=None, detail=None):
    """Return the content of E0; start and end are moments as for stamped(), end None while it lasts."""
    content = stamped({"kind": kind}, start, "start")
    if end is not None:
        stamped(content, end, "end")
    if detail is not None:
        content["detail"] = detail
    return content


def event(relay, cause, job, seq, moment, estimated=False, place=None):
    """Return the content of the extra heartbeat that reports a switching.

    relay: 1 or 0. moment: as for stamped(). boot and seq name it for ever: the platform drops a repeat by
    them. place: a stamped content of EF, the last one known, or None.
    """
    switching = stamped({"relay": relay, "cause": cause, "job": job, "boot": moment[1], "seq": seq}, moment)
    if estimated:
        switching["estimated"] = True
    if place is not None:
        switching["position"] = place
    return {"event": switching}


class Heartbeat:
    """Chooses what a heartbeat says: what changed since the platform last acknowledged, all every full_s.

    Holds what the platform knows. One a minute makes 43,200 a month, and with TLS each costs 188 bytes (three
    IP and TCP headers, two TLS records, PUBLISH and PUBACK) + topic + payload: for 12.5 MB a month topic and
    payload share 101 bytes on the average, so a full one may take 300 and a bare one takes 32.
    """

    # Change all the time and interest nobody every minute: only in a full heartbeat.
    QUIET = ("uptime_s", "counters")
    # Reported again only when it moved by so much (dB), or came or went.
    COARSE = {"rsrp": 6}

    def __init__(self, full_s=600):
        """full_s: seconds after which everything is sent again."""
        self._full_s = full_s
        self._known = {}
        self._full_at_s = None

    def restart(self):
        """Forget what the platform knows: after a login the next heartbeat is full."""
        self._known = {}
        self._full_at_s = None

    def content(self, now_s, facts):
        """Return the content to send at now_s (seconds since boot) for facts, a flat dict in which None means
        unknown; `uptime_s` is added to a full one."""
        if self._full_at_s is None or now_s - self._full_at_s >= self._full_s:
            full = dict(facts)
            full["uptime_s"] = now_s
            return full
        return {key: facts[key] for key in facts if key not in self.QUIET and self._changed(key, facts[key])}

    def _changed(self, key, value):
        known = self._known.get(key)
        if value == known and key in self._known:
            return False
        if value is None or known is None:
            return True
        return abs(value - known) >= self.COARSE[key] if key in self.COARSE else True

    def acknowledged(self, content, now_s):
        """The platform has content, built by content(): later ones leave out what it says."""
        self._known.update(content)
        if "uptime_s" in content:
            self._full_at_s = now_s


# ---- reading commands ----


def parse_command(payload):
    """Return the Command in payload: bytes, memoryview or text of JSON, or the object itself.

    action is '0' or '1'; job text or None; issued_ms int or None; barred bool; out_of_service True, False or
    None; content the object (or text) it came with. Raises Malformed and nothing else. A stop is read in any
    text that names its actionCode, whatever the rest looks like.
    """
    try:
        message = payload if isinstance(payload, dict) else decode(payload)
        action = _action(message.get("actionCode"))
    except Malformed:
        if not isinstance(payload, dict) and _names_a_stop(payload):
            return Command("0", None, None, False, None, None)
        raise
    if action == "0":
        return _stop(message.get("content"))
    return _start(message.get("content"))


def decode(payload):
    """Return the JSON object in payload (bytes, memoryview or text, at most 4 KiB).

    JSON text within JSON is read too. Raises Malformed: 'oversize', 'text', 'nesting', 'json', 'shape'.
    """
    raw = _raw(payload)
    if len(raw) > MAX_COMMAND:
        raise Malformed("oversize")
    if raw.count(b"{") + raw.count(b"[") > _MAX_BRACKETS:
        raise Malformed("nesting")
    value = _loads(raw)
    if isinstance(value, str):
        value = _loads(_raw(value))
    if not isinstance(value, dict):
        raise Malformed("shape")
    return value


def _raw(payload):
    if not isinstance(payload, str):
        return bytes(payload)
    try:
        return payload.encode()
    except ValueError:  # half a surrogate pair
        raise Malformed("text") from None


def _loads(raw):
    try:
        text = str(raw, "utf-8")
    except ValueError:  # UnicodeError is one, on both interpreters
        raise Malformed("text") from None
    try:
        return json.loads(text)
    except (ValueError, MemoryError):
        raise Malformed("json") from None


def _names_a_stop(payload):
    """True when some actionCode in this unreadable text is 0. Where both are named, the stop wins."""
    try:
        raw = _raw(payload)
    except Malformed:
        return False
    at = raw.find(b"actionCode")
    while at >= 0:
        at += 10
        rest = raw[at : at + 16].lstrip(b"\\\"':= \t\r\n")
        if rest[:1] == b"0" and rest[1:2] != b"." and not (rest[1:2].isdigit() or rest[1:2].isalpha()):
            return True
        at = raw.find(b"actionCode", at)
    return False


def _action(value):
    if isinstance(value, str):
        value = value.strip(_BLANKS)
        if value in ("0", "1"):
            return value
    elif isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= 1:
        return str(value)
    raise Malformed("action")


def _stop(content):
    """A stop's content is read as far as it makes sense and never stands in its way."""
    try:
        fields = _fields(content)
    except Malformed:
        fields = {}
        content = None
    flag = fields.get("out_of_service")
    if flag is not False:  # only a plain false clears; in doubt it stops
        flag = True if _truth(flag) else None
    barred = _truth(fields.get("barred")) is True
    return Command("0", _lenient(_job, fields), _lenient(_issued, fields), barred, flag, content)


def _lenient(read, fields):
    try:
        return read(fields)
    except Malformed:
        return None


def _start(content):
    fields = _fields(content)
    for flag in ("barred", "out_of_service"):
        # A 1 that bans or shuts down contradicts itself: it must not power anything.
        if fields.get(flag) is not None and _truth(fields[flag]) is not False:
            raise Malformed(flag)
    return Command("1", _job(fields), _issued(fields), False, None, content)


def _fields(content):
    """The fields of a content: an object, JSON text of one, or none for plain text."""
    if isinstance(content, str):
        if not content.strip(_BLANKS).startswith("{"):
            return {}
        content = decode(content)
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise Malformed("content")
    return content


def _truth(value):
    """True or False as one platform or another writes a flag, else None."""
    if value is True or value is False:
        return value
    if isinstance(value, (int, str)):
        return {"1": True, "true": True, "0": False, "false": False}.get(str(value).lower())
    return None


def _job(fields):
    job = fields.get("job")
    if isinstance(job, int) and not isinstance(job, bool):
        job = str(job)
    if job is None or job == "":
        return None
    if not isinstance(job, str) or len(job) > _MAX_JOB:
        raise Malformed("job")
    # It goes back in our reports: no control characters, no half surrogates that no JSON parser takes.
    for letter in job:
        if not 0x1F < ord(letter) < 0xD800:
            raise Malformed("job")
    if len(job.encode()) > _MAX_JOB:
        raise Malformed("job")
    return job


def _issued(fields):
    issued = fields.get("issued_ms")
    if issued is None:
        return None
    if isinstance(issued, str):
        issued = _digits(issued)
    if not isinstance(issued, int) or isinstance(issued, bool) or not 0 <= issued < 10**_MAX_TIME_DIGITS:
        raise Malformed("issued_ms")
    return issued


def _digits(text):
    """The number in text, or None where it has anything but 1 to 14 digits."""
    if not 0 < len(text) <= _MAX_TIME_DIGITS:
        return None
    for letter in text:
        if not "0" <= letter <= "9":
            return None
    return int(text)
