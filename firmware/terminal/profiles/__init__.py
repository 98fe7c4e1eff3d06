"""How one platform carries the authority's messages: ids, topics, envelopes. Pure; knows no transport.

A profile owns what it made of configuration and identity, and the log-in of the connection in progress. Topics and log-in are
bytes, built once. The base class carries everything bare. Each platform's module has make(config, identity), which returns
its Profile; identity is a dict with device_id, secret and username (text, empty where there is none).
"""

from micropython import const

REQUEST_ID = "{request_id}"
_MAX_REQUEST_ID = const(64)
_BLANK = const(32)
_DELETE = const(127)


class Profile:
    """What every platform answers; the defaults are those of a platform with nothing of its own.

    These are put here by `plain.fill`. device_id: text. up_topic: bytes, of every uplink. keepalive_s: seconds. needs_clock:
    renew() wants the wall time. client_id, username, password: bytes for the next CONNECT, valid after renew(). command: where
    commands arrive, bytes, up to the request id where is_numbered. response: text, with {request_id} in it. filters: bytes each.
    last_will: (topic, payload) or None.
    """

    needs_clock = False

    def subscriptions(self):
        """Return the list of filters (bytes) to subscribe after every connect, the commands' first."""
        return self.filters

    def will(self):
        """Return (topic, payload) of the last will, or None where the platform takes none."""
        return self.last_will

    def order_id(self, topic):
        """Return the request id, text, of the command that topic (bytes) brings, "" where there is none to use; None when it
        brings no command."""
        command = self.command
        if not self.is_numbered:
            return "" if topic == command else None
        if not topic.startswith(command):
            return None
        rest = topic[len(command) :]
        if len(rest) > _MAX_REQUEST_ID:
            return ""
        for byte in rest:
            if byte in b"/+#" or not _BLANK < byte < _DELETE:
                return ""  # no topic may carry it back: the broker would end this session, and the next one
        return str(rest, "utf-8")

    def response_topic(self, request_id):
        """Return the topic (bytes) of the answer to the command with this id (text)."""
        return self.response.replace(REQUEST_ID, request_id).encode()

    def _bare(self, body):
        return body

    # decode_command(payload): what protocol.parse_command takes, the payload or the object found in its envelope.
    # encode_response(body): the payload that carries body (bytes of protocol.answer).
    decode_command = encode_response = _bare

    def _none(self, *_):
        pass

    # renew(now_unix_s): make client_id, username and password for one connection from one time, seconds since 1970 or None
    # when unknown. Raises ValueError when needs_clock and it is None.
    # time_request(sent_ms): (topic, payload) that asks for the time, or None; sent_ms: any running count of ms.
    # parse_event(topic, payload, received_ms): ('time', ms since 1970, as of received_ms) for an answer to time_request(), else
    # None; received_ms: the same count of ms as time_request()'s, now.
    renew = time_request = parse_event = _none
