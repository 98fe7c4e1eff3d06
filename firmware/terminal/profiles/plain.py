"""The plain profile: the authority's messages bare, on topics from the configuration. Pure.

For any broker: user name and password from the identity, a last will that says Z0.
"""

from terminal import protocol
from terminal.profiles import Profile


class Plain(Profile):
    """Topics from topic_up, topic_command, topic_response and topic_will (empty: no will)."""

    def __init__(self, config, identity):
        device_id = identity["device_id"]
        super().__init__(
            device_id,
            config["topic_up"],
            config["topic_command"],
            config["topic_response"],
            config["keepalive_s"],
        )
        self._will = config["topic_will"].replace("{device_id}", device_id).encode()
        self._user = (identity.get("username") or device_id).encode()
        self._secret = identity["secret"].encode()

    def renew(self, now_unix_s):
        """Take the log-in from the identity; the time does not matter.

        The user name is the device id where none is given; without a secret there is neither.
        """
        self.client_id = self.device_id.encode()
        self.username = self._user if self._secret else None
        self.password = self._secret or None

    def will(self):
        """Return (topic, payload): Z0 with the reason 'lost'."""
        if not self._will:
            return None
        return self._will, protocol.uplink(protocol.OFFLINE, protocol.offline("lost"))
