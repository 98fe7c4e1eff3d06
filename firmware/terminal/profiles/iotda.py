"""Huawei Cloud IoTDA: its log-in, topics, envelopes and time sync. Pure; owns the log-in's timestamp.

Sources: IoTDA API reference 3009 (CONNECT), 3004 (topics), 3014 (commands), 3040 and 3041 (time sync). No
will: the platform tells by itself who is gone.
"""

import hashlib
from binascii import hexlify

from micropython import const

from modem.borrow import borrow
from terminal import protocol
from terminal.profiles import Profile

_BASE = "$oc/devices/{device_id}/sys/"
_KEEPALIVE_MIN_S = const(30)  # outside of these CONNECT is refused with code 2
_KEEPALIVE_MAX_S = const(1200)
_BLOCK = const(64)  # SHA-256's, for HMAC
_ANY_HOUR = "2025010100"  # sign type 0: must be there, is not checked
_FIRST_MS = 1704067200000  # 2024-01-01: no server says less
_LAST_MS = 4102444800000  # 2100-01-01
_TIME_REQUEST = '{"services":[{"service_id":"$time_sync","event_type":"time_sync_request","paras":{"device_send_time":%d}}]}'
_MAX_WAIT_MS = const(60000)  # a time answer older than this is worth nothing


def hmac_sha256(key, message):
    """Return the 32 bytes of HMAC-SHA256 (RFC 2104); key and message are bytes."""
    if len(key) > _BLOCK:
        key = hashlib.sha256(key).digest()
    key = key + bytes(_BLOCK - len(key))
    inner = hashlib.sha256(bytes([byte ^ 0x36 for byte in key]))
    inner.update(message)
    outer = hashlib.sha256(bytes([byte ^ 0x5C for byte in key]))
    outer.update(inner.digest())
    return outer.digest()


def hour_text(unix_s):
    """Return seconds since 1970 as UTC 'YYYYMMDDHH'."""
    return "%04d%02d%02d%02d" % borrow("wall", "terminal").civil(unix_s * 1000)[:4]


def make(config, identity):
    """Return the Profile by keepalive_s, iotda_sign_type, response_form, and topic_up where that is of this platform."""
    profile = Iotda()
    up = config["topic_up"]
    topics = (
        # What the plain profile has by default means nothing here.
        up if up.startswith("$oc/") else _BASE + "messages/up",
        _BASE + "commands/request_id={request_id}",
        _BASE + "commands/response/request_id={request_id}",
    )
    plain = borrow("plain", "terminal.profiles")
    plain.fill(profile, identity["device_id"], topics, min(max(config["keepalive_s"], _KEEPALIVE_MIN_S), _KEEPALIVE_MAX_S))
    profile.events_up = plain.topic(_BASE + "events/up", profile.device_id)
    # Commands and events: unasked the platform would send both at QoS 0.
    profile.filters = [plain.topic(_BASE + name, profile.device_id) for name in ("commands/#", "events/down")]
    profile.sign_type = config["iotda_sign_type"]
    profile.in_paras = config["response_form"] == "paras"
    profile.secret = identity["secret"].encode()
    profile.needs_clock = profile.sign_type == 1
    return profile


class Iotda(Profile):
    """Uplinks are messages (messages/up with the regulation's JSON, or a topic of one's own under $oc/)."""

    def renew(self, now_unix_s):
        """Make client id and password from one timestamp; ValueError for sign type 1 without a clock."""
        if now_unix_s is None and self.needs_clock:
            raise ValueError("clock")
        stamp = _ANY_HOUR if now_unix_s is None else hour_text(now_unix_s)
        self.client_id = ("%s_0_%d_%s" % (self.device_id, self.sign_type, stamp)).encode()
        self.username = self.device_id.encode()
        self.password = hexlify(hmac_sha256(stamp.encode(), self.secret))

    def decode_command(self, payload):
        """Return the command's object, bare or out of `paras`; text nobody can read comes back as it is."""
        try:
            message = protocol.decode(payload)
        except protocol.Malformed:
            return payload
        if "actionCode" in message:
            return message
        inner = message.get("paras")
        if isinstance(inner, str) or isinstance(inner, dict) and "actionCode" in inner:
            return inner
        return payload

    def encode_response(self, body):
        """Return body bare, or in `paras` beside result_code (0 for success), as configured."""
        if not self.in_paras:
            return body
        code = b"0" if body.startswith(b'{"success":true') else b"1"
        return b'{"result_code":' + code + b',"response_name":"COMMAND_RESPONSE","paras":' + body + b"}"

    def time_request(self, sent_ms):
        """Return (topic, payload) of $time_sync's time_sync_request."""
        return self.events_up, (_TIME_REQUEST % sent_ms).encode()

    def parse_event(self, topic, payload, received_ms):
        """Return ('time', ms since 1970) from a time_sync_response, None from anything else."""
        if topic != self.filters[1]:
            return None
        try:
            services = protocol.decode(payload).get("services")
        except protocol.Malformed:
            return None
        for event in services if isinstance(services, list) else ():
            if isinstance(event, dict) and event.get("event_type") == "time_sync_response":
                return _time(event.get("paras"), received_ms)
        return None


def _time(paras, received_ms):
    """The server's two times and our wait between: half way is now, whatever our own count begins with."""
    if not isinstance(paras, dict):
        return None
    times = [_ms(paras.get(name)) for name in ("device_send_time", "server_recv_time", "server_send_time")]
    if None in times:
        return None
    sent_ms, arrived_ms, answered_ms = times
    wait_ms = received_ms - sent_ms
    if not 0 <= wait_ms <= _MAX_WAIT_MS or not _FIRST_MS <= arrived_ms <= answered_ms < _LAST_MS:
        return None
    return "time", (arrived_ms + answered_ms + wait_ms) // 2


def _ms(value):
    """An int, also where a platform writes it as text; else None."""
    if isinstance(value, str):
        try:
            return int(value)
        except ValueError:
            return None
    return value if isinstance(value, int) and not isinstance(value, bool) else None
