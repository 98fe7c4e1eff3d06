"""How one platform carries the authority's messages: ids, topics, envelopes. Pure; knows no transport.

A profile owns what it made of configuration and identity, and the log-in of the connection in progress.
Topics and log-in are bytes, built once. The base class carries everything bare on topics from templates.
"""

from micropython import const

_MAX_REQUEST_ID = const(64)
_REQUEST_ID = "{request_id}"

# Loaded when it is chosen: the others cost no memory.
_CLASSES = {"plain": "Plain", "iotda": "Iotda"}


def make(config, identity):
    """Return the Profile that config["profile"] names; identity is a dict with device_id, secret and username
    (text, empty where there is none)."""
    name = config["profile"]
    module = __import__("terminal.profiles." + name, None, None, (name,))
    return getattr(module, _CLASSES[name])(config, identity)


class Profile:
    """What every platform answers; the defaults are those of a platform with nothing of its own.

    client_id, username, password: bytes for the next CONNECT, valid after renew(). keepalive_s: seconds.
    needs_clock: renew() wants the wall time.
    """

    needs_clock = False

    def __init__(self, device_id, up, command, response, keepalive_s):
        """up, command, response: topics with {device_id} in them, {request_id} at the end of the last two."""
        self.device_id = device_id
        self._up = _topic(up, device_id)
        command = command.replace("{device_id}", device_id)
        self._command = command.split(_REQUEST_ID)[0].encode()
        self._is_numbered = _REQUEST_ID in command
        self._response = response.replace("{device_id}", device_id)
        self.keepalive_s = keepalive_s
        self.client_id = self.username = self.password = None

    def renew(self, now_unix_s):
        """Make client_id, username and password for one connection from one time.

        now_unix_s: seconds since 1970, None when unknown. Raises ValueError when needs_clock and it is None.
        """

    def subscriptions(self):
        """Return the list of filters (bytes) to subscribe after every connect, the commands' first."""
        if not self._is_numbered:
            return [self._command]
        return [self._command[: self._command.rfind(b"/") + 1] + b"+"]

    def up_topic(self, kind):
        """Return the topic (bytes) of an uplink; kind is its actionCode."""
        return self._up

    def is_command(self, topic):
        """True when topic (bytes) brings a command."""
        return topic.startswith(self._command) if self._is_numbered else topic == self._command

    def request_id(self, topic):
        """Return the request id at the end of a command's topic as text; None where there is none to use."""
        if not self._is_numbered or not topic.startswith(self._command):
            return None
        rest = topic[len(self._command) :]
        if not 0 < len(rest) <= _MAX_REQUEST_ID or b"/" in rest:
            return None
        try:
            return str(rest, "utf-8")
        except ValueError:
            return None

    def response_topic(self, request_id):
        """Return the topic (bytes) of the answer to the command with this id (text)."""
        return self._response.replace(_REQUEST_ID, request_id).encode()

    def decode_command(self, payload):
        """Return what protocol.parse_command takes: the payload, or the object found in its envelope."""
        return payload

    def encode_response(self, body):
        """Return the payload that carries body (bytes of protocol.response)."""
        return body

    def encode_uplink(self, body):
        """Return the payload that carries body (bytes of protocol.uplink)."""
        return body

    def will(self):
        """Return (topic, payload) of the last will, or None where the platform takes none."""

    def time_request(self, sent_ms):
        """Return (topic, payload) that asks for the time, or None; sent_ms: any running count of ms."""

    def parse_event(self, topic, payload, received_ms):
        """Return ('time', ms since 1970, as of received_ms) for an answer to time_request(), else None.

        received_ms: the same count of ms as time_request()'s, now.
        """


def _topic(template, device_id):
    return template.replace("{device_id}", device_id).encode()
