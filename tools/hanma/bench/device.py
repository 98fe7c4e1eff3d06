"""What is known of one terminal, from what it said: login, heartbeats, positions, alarms, offline. Pure.

A heartbeat brings only what changed; `facts` is the sum of them. Times are milliseconds since 1970, on the
platform's clock where nothing else is said.
"""

from .regulation import Switching

NAMES = {"00": "login", "Z0": "offline", "FF": "heartbeat", "EF": "position", "E0": "alarm"}


class DeviceView:
    """One terminal. Read the attributes; `apply` is the only one that writes them."""

    def __init__(self, device_id):
        self.id = device_id
        self.online = False
        self.last_seen_ms = None
        self.login = {}
        self.facts = {}
        self.position = None
        self.alarms = {}
        self.counts = dict.fromkeys(NAMES.values(), 0)
        self.unreadable = 0

    def apply(self, body, now_ms):
        """Takes one uplink body in. Returns (name of the message or None, Switching or None)."""
        code = str(body.get("actionCode"))
        content = body.get("content")
        name = NAMES.get(code)
        if name is None:
            self.unreadable += 1
            return None, None
        if not isinstance(content, dict):
            content = {}
        self.counts[name] += 1
        if name != "offline":
            self.online, self.last_seen_ms = True, now_ms
        return name, getattr(self, "_" + name)(content)

    def unread(self):
        """A message came that nobody can read."""
        self.unreadable += 1

    # ---- one method a message

    def _login(self, content):
        self.login = content
        self._merge(content)

    def _offline(self, content):
        self.online = False

    def _heartbeat(self, content):
        event = content.get("event")
        self._merge({name: value for name, value in content.items() if name != "event"})
        return self._switching(event) if isinstance(event, dict) else None

    def _position(self, content):
        self.position = content

    def _alarm(self, content):
        kind = str(content.get("kind"))
        if "end" in content:  # null where the terminal does not know when
            self.alarms.pop(kind, None)
        else:
            self.alarms[kind] = content

    def _merge(self, content):
        self.facts = {**self.facts, **content}

    def _switching(self, event):
        return Switching(
            device=self.id, on=event.get("relay") in (1, "1", "on"), cause=str(event.get("cause", "")),
            job=_text(event.get("job")), at_ms=_number(event.get("time")), boot=_number(event.get("boot")),
            seq=_number(event.get("seq")), estimated=event.get("estimated") is True,
            position=_object(event.get("position")), welding_s=_number(event.get("welding_s")))


def _text(value):
    return None if value is None or value == "" else str(value)


def _number(value):
    """An integer, or None for anything else (a terminal's word is not trusted to be one)."""
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _object(value):
    return value if isinstance(value, dict) else None
