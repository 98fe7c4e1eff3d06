"""How a platform profile carries the authority's messages, seen from the platform: topics and envelopes. Pure.

`plain` has topics to choose, with the request id at the end of the command topic; `iotda` is Huawei Cloud
IoTDA. What comes up is taken tolerantly: bare or in the profile's envelope, a number for a code that should
be text.
"""

import json
import re
from typing import NamedTuple

UP, RESPONSE, EVENT, COMMAND = "up", "response", "event", "command"

_IOTDA = "$oc/devices/{device_id}/sys/"


class Uplink(NamedTuple):
    """One message from a terminal (`kind` UP, RESPONSE or EVENT) or to one (COMMAND); `body` is None where the payload
    is no JSON object."""

    kind: str
    device: str
    request_id: str | None
    body: dict | None


class Carriage:
    """Topics of a profile. `up`, `response`, `events` (or None): where terminals publish; `command`: where we
    do."""

    def __init__(self, up, command, response, events_up=None, events_down=None):
        self._command = command
        self._events_down = events_down
        heard = [(UP, up), (RESPONSE, response), (EVENT, events_up)]
        self._heard = [(kind, template, _pattern(template)) for kind, template in heard if template]
        self._said = [(COMMAND, command, _pattern(command))]

    def subscriptions(self):
        """The filters that bring everything terminals say."""
        return sorted({_filter(template) for _, template, _ in self._heard})

    def command_subscription(self):
        """The filter that brings what is ordered of terminals, for who only listens."""
        return _filter(self._command)

    def parse(self, topic, payload):
        """An Uplink, or None for a topic on which no terminal speaks."""
        return self._parse(self._heard, topic, payload)

    def parse_command(self, topic, payload):
        """The command that went to a terminal, or None for a topic that carries none."""
        return self._parse(self._said, topic, payload)

    def _parse(self, topics, topic, payload):
        for kind, _, pattern in topics:
            found = pattern.fullmatch(topic)
            if found:
                names = found.groupdict()
                body = self._open(kind, _json_object(payload))
                return Uplink(kind, names.get("device_id", ""), names.get("request_id"), body)
        return None

    def command(self, device_id, request_id, body):
        """(topic, payload bytes) of a command; `body` is {"actionCode", "actionName", "content"}."""
        topic = self._command.replace("{device_id}", device_id).replace("{request_id}", request_id)
        return topic, _dump(self._wrap(body))

    def answer_event(self, uplink, now_ms):
        """What to send back for an event of the profile's own: none here."""

    def _open(self, kind, body):
        return body

    def _wrap(self, body):
        return body


class Plain(Carriage):
    """Topics by configuration, as the terminal's settings name them; bodies are bare."""

    def __init__(self, up="welder/{device_id}/up", command="welder/{device_id}/command/{request_id}",
                 response="welder/{device_id}/response/{request_id}"):
        super().__init__(up, command, response)


class Iotda(Carriage):
    """Huawei Cloud IoTDA as its applications and brokers see it. `bare`: commands travel without `paras`."""

    def __init__(self, bare=False):
        self._bare = bare
        super().__init__(_IOTDA + "messages/up", _IOTDA + "commands/request_id={request_id}",
                         _IOTDA + "commands/response/request_id={request_id}", _IOTDA + "events/up",
                         _IOTDA + "events/down")

    def _open(self, kind, body):
        if body is None:
            return None
        if kind in (RESPONSE, COMMAND) and isinstance(body.get("paras"), dict):
            return body["paras"]
        if kind == UP and "actionCode" not in body:
            inner = body.get("content")
            return inner if isinstance(inner, dict) else _json_object(inner)
        return body

    def _wrap(self, body):
        return body if self._bare else {"command_name": "switch", "service_id": "welder", "paras": body}

    def answer_event(self, uplink, now_ms):
        """Time sync is answered with the times the terminal reckons with; other events need no answer."""
        for service in (uplink.body or {}).get("services") or ():
            if isinstance(service, dict) and service.get("event_type") == "time_sync_request":
                sent = (service.get("paras") or {}).get("device_send_time")
                paras = {"device_send_time": sent, "server_recv_time": now_ms, "server_send_time": now_ms}
                reply = {"service_id": "$time_sync", "event_type": "time_sync_response", "paras": paras}
                topic = self._events_down.replace("{device_id}", uplink.device)
                return topic, _dump({"object_device_id": uplink.device, "services": [reply]})
        return None


PROFILES = {"plain": Plain, "iotda": Iotda}


def _dump(body):
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()


def _json_object(payload):
    try:
        body = json.loads(payload)
    except (TypeError, ValueError):
        return None
    return body if isinstance(body, dict) else None


def _pattern(template):
    parts = re.split(r"\{(device_id|request_id)\}", template)
    named = (f"(?P<{part}>[^/]+)" if index % 2 else re.escape(part) for index, part in enumerate(parts))
    return re.compile("".join(named))


def _filter(template):
    """An MQTT filter: a level that holds a name becomes "+"."""
    return "/".join("+" if "{" in level else level for level in template.split("/"))
