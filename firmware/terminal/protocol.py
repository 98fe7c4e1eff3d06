"""The authority's messages: builds 00 Z0 FF EF E0 and responses, reads commands 0 and 1. Pure.

Owns no state. Times are milliseconds since 1970 (int) or None; lengths are bytes. The document (annex 1, mode 1) fixes
actionCode, actionName and the response; it leaves `content` open. What we put there is defined here (of 00 and EF: in
`reports`) and told in docs/messages.md.
"""

import json

from micropython import const

from terminal.borrow import borrow

LOGIN = "00"
OFFLINE = "Z0"  # its content is {"reason": ...}: 'restart', 'upgrade', 'shutdown', 'power' or 'lost' (the last will's)
HEARTBEAT = "FF"
POSITION = "EF"
ALARM = "E0"

# The document's own names. The heartbeat goes without: it is the one that costs money.
_NAMES = {LOGIN: "登录", OFFLINE: "离线", POSITION: "经纬度", ALARM: "报警信息"}

_MAX_COMMAND = const(4096)
# Brackets in one command, nested or side by side: each is an object on the heap, and nothing here may run out
# of stack or memory over a hostile text of 4 KiB.
_MAX_BRACKETS = const(64)
_MAX_DIGITS = const(512)  # in one command: a number's parsing takes its length squared
_MAX_JOB = const(64)
_MAX_TIME_DIGITS = const(14)
_TIME_END_MS = const(100000000000000)  # one digit more
_BLANKS = " \t\r\n"
_ZERO = const(0x30)  # in bytes
_POINT = const(0x2E)
_BLANK = const(0x20)
# UTF-8, RFC 3629 3: what begins a letter of three bytes, the last such that does not stand beyond U+DFFF, what follows that in a
# half surrogate (and in no letter of three bytes that two could have written), and what begins no letter at all.
_THREE_BYTES = const(0xE0)
_LAST_LEAD = const(0xED)
_HALF = const(0xA0)
_TOO_LONG = b"\xc0\xc1"
_COARSE_DB = const(6)  # the signal is reported again only when it moved by so much, or came or went
# Where the count of ms since boot stands while the wall time of that key is not known.
_TICKS = {"time": "ticks", "start": "start_ticks", "end": "end_ticks"}


class Malformed(Exception):
    """A command that cannot be obeyed as it stands; its argument names what is wrong in one word."""


# ---- building ----


def uplink(code, content):
    """Return the bytes of one uplink. code: LOGIN .. ALARM. content: dict, text, or bytes of JSON."""
    named = '"actionName":"%s",' % _NAMES[code] if code in _NAMES else ""
    body = content if isinstance(content, bytes) else _dumps(content).encode()
    return b"".join((('{"actionCode":"%s",%s"content":' % (code, named)).encode(), body, b"}"))  # one copy of the body, no more


def answer(code, text, timestamp_ms, job=None):
    """Return the response to a command for an answer of the interlock: code 200 or 500, text a code of `answers.ANSWERS`.

    The document wants a number as the timestamp: 0 says that the clock is not known.
    """
    try:
        message = borrow("answers").words(text)
    except (ImportError, OSError, MemoryError, KeyError):
        message = text  # with a dead file system the answer goes out all the same, without its words
    result = {"answer": text}
    if job is not None:
        result["job"] = job
    return (
        '{"success":%s,"message":%s,"code":%d,"result":%s,"timestamp":%d}'
        % ("true" if code == 200 else "false", _dumps(message), code, _dumps(result), timestamp_ms or 0)
    ).encode()


def _dumps(value):
    return json.dumps(value, separators=[",", ":"])


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
        for key in _TICKS:
            if _TICKS[key] in content:
                content[key] = unix_ms_at_boot + content.pop(_TICKS[key])
    return content


def alarm(kind, start, end, detail):
    """Return the content of E0; start and end are moments as for stamped(), end None while it lasts; detail: text or None."""
    content = stamped({"kind": kind}, start, "start")
    if end is not None:
        stamped(content, end, "end")
    if detail is not None:
        content["detail"] = detail
    return content


def event(relay, cause, job, seq, moment, estimated, place):
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


def heartbeat(known, facts, now_s, full_s):
    """Return the content of a heartbeat at now_s (seconds since boot): what changed since the platform last acknowledged,
    and everything, with `uptime_s`, every full_s seconds.

    known: what the platform knows, {} after a login; once it has this content too, known.update(content). facts: a flat dict
    in which None means unknown. One heartbeat a minute makes 43,200 a month, and with TLS each costs 188 bytes (three IP and
    TCP headers, two TLS records, PUBLISH and PUBACK) + topic + payload: for 12.5 MB a month topic and payload share 101 bytes
    on the average, so a full one may take 300 and a bare one takes 32.
    """
    content = {}
    is_full = "uptime_s" not in known or now_s - known["uptime_s"] >= full_s
    for key in facts:
        value = facts[key]
        if not is_full:
            old = known.get(key)
            # counters change all the time and interest nobody every minute
            if key == "counters" or value == old and key in known:
                continue
            if key == "rsrp" and None not in (value, old) and abs(value - old) < _COARSE_DB:
                continue
        content[key] = value
    if is_full:
        content["uptime_s"] = now_s
    return content


# ---- reading commands ----


def parse_command(payload, raw=None):
    """Return what the command in payload says: (action, job, issued_ms, barred, out_of_service).

    payload: bytes, memoryview or text of JSON, or the object itself, found in raw. action is '0' or '1'; job text or None;
    issued_ms int or None; barred bool; out_of_service True, False or None. Raises Malformed and nothing else. A stop is read in
    any text that names its actionCode, whatever the rest looks like: also beside a 1, where one reader of JSON sees the first
    of two equal names and another the last.
    """
    if raw is None:
        raw = payload
    try:
        message = payload if isinstance(payload, dict) else decode(payload)
        action = message.get("actionCode")
        if isinstance(action, str):
            action = action.strip(_BLANKS)
        elif type(action) is int and 0 <= action <= 1:
            action = str(action)
        if action != "0" and (action != "1" or _names_a_stop(raw)):
            raise Malformed("action")
        content = message.get("content")
    except Malformed:
        if not _names_a_stop(raw):
            raise
        action = "0"
        content = None
    return _details(action, content)


def decode(payload):
    """Return the JSON object in payload (bytes, memoryview or text, at most 4 KiB).

    JSON text within JSON is read too. Raises Malformed: 'oversize', 'text', 'nesting', 'digits', 'json', 'shape'.
    """
    raw = _raw(payload)
    if len(raw) > _MAX_COMMAND:
        raise Malformed("oversize")
    for _ in range(2):
        try:
            text = str(raw, "utf-8")
        except ValueError:  # UnicodeError is one, on both interpreters
            raise Malformed("text") from None
        if text.count("{") + text.count("[") > _MAX_BRACKETS:
            raise Malformed("nesting")
        if sum([text.count(digit) for digit in "0123456789"]) > _MAX_DIGITS:
            raise Malformed("digits")
        try:
            value = "\0" not in text and json.loads(text)  # MicroPython would take a zero for the end
        except (ValueError, MemoryError):
            raise Malformed("json") from None
        if not isinstance(value, str):
            break
        raw = _raw(value)
    if not isinstance(value, dict):
        raise Malformed("shape")
    return value


def _raw(payload):
    if isinstance(payload, dict):
        return b""
    if not isinstance(payload, str):
        return bytes(payload)
    try:
        return payload.encode()
    except ValueError:  # half a surrogate pair
        raise Malformed("text") from None


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
        after = rest[1:2]
        if rest and rest[0] == _ZERO and not (after.isdigit() or after.isalpha() or after and after[0] == _POINT):
            return True
        at = raw.find(b"actionCode", at)
    return False


def _details(action, content):
    """Return the whole command. A stop's content is read as far as it makes sense and never stands in its way."""
    is_stop = action == "0"
    try:
        if isinstance(content, str):  # JSON text of an object, or plain text
            content = decode(content) if content.strip(_BLANKS).startswith("{") else None
        if not (content is None or isinstance(content, dict)):
            raise Malformed("content")
    except Malformed:
        if not is_stop:
            raise
        content = None
    fields = content or {}
    job = _job(fields.get("job"))
    issued_ms = _issued(fields.get("issued_ms"))
    barred = fields.get("barred")
    out_of_service = fields.get("out_of_service")
    if is_stop:
        if out_of_service is not False:  # only a plain false clears; in doubt it stops
            out_of_service = _truth(out_of_service) or None
        return action, job or None, None if issued_ms is False else issued_ms, bool(_truth(barred)), out_of_service
    wrong = None
    # A 1 that bans or shuts down contradicts itself: it must not power anything.
    if barred is not None and _truth(barred) is not False:
        wrong = "barred"
    elif out_of_service is not None and _truth(out_of_service) is not False:
        wrong = "out_of_service"
    elif job is False:
        wrong = "job"
    elif issued_ms is False:
        wrong = "issued_ms"
    if wrong:
        raise Malformed(wrong)
    return action, job, issued_ms, False, None


def _truth(value):
    """True or False as one platform or another writes a flag, else None."""
    if isinstance(value, (bool, int, str)):  # MicroPython's bool is no int
        value = str(value).lower()
        if value == "1" or value == "true":
            return True
        if value == "0" or value == "false":
            return False
    return None


def _job(value):
    """The job, None where there is none, False where it cannot be used."""
    if type(value) is int:
        value = str(value)
    if value is None or value == "":
        return None
    if not isinstance(value, str) or len(value) > _MAX_JOB:  # before its letters are looked at: each becomes an object
        return False
    # It goes back in our reports: no control characters, nothing from the half surrogates on, which no JSON parser takes. Looked
    # at as bytes: a letter taken out of a text stays on MicroPython's heap for ever.
    try:
        raw = value.encode()
    except ValueError:  # half a surrogate pair
        return False
    if len(raw) > _MAX_JOB or min(raw) < _BLANK or max(raw) > _LAST_LEAD:
        return False
    before = 0
    for byte in raw:
        # MicroPython takes a letter that is written longer than need be
        if byte in _TOO_LONG or before == _LAST_LEAD and byte >= _HALF or before == _THREE_BYTES and byte < _HALF:
            return False
        before = byte
    return value


def _issued(value):
    """The time, None where there is none, False where it cannot be used: text has 1 to 14 digits and nothing else."""
    if isinstance(value, str) and 0 < len(value) <= _MAX_TIME_DIGITS and min(value) >= "0" and max(value) <= "9":
        value = int(value)
    if value is None or type(value) is int and 0 <= value < _TIME_END_MS:
        return value
    return False
