"""An MQTT broker inside this process (amqtt), for loopback and the bench, and its log.

It owns a listener and, where asked for, a log of JSON lines: what the broker itself saw, in real time, told
by no client. {"t_ms", "event", "client", …}, where the event is connected, disconnected, refused, subscribed,
message (with "topic", "qos", "retain" and "payload", or "hex" where that is no text) or will.

amqtt lacks three things that a real broker has, added here: it drops a client that stays silent for one and a
half keepalives, it closes the old connection when a client comes back under the same id (both send the will),
and it listens on a free port when asked for port 0. It refuses topics that begin with "$".
"""

import asyncio
import functools
import logging
import os
import time
from dataclasses import dataclass

from amqtt.broker import Broker
from amqtt.mqtt.disconnect import DisconnectPacket
from amqtt.plugins.base import BaseAuthPlugin

from .journal import line_of

_SHORTEST_SILENCE_S = 5
_CLOSE_TIMEOUT_S = 5

for _noisy in ("amqtt", "transitions", "hanma.bench.amqtt"):
    logging.getLogger(_noisy).setLevel(logging.CRITICAL)


class Watch(BaseAuthPlugin):
    """amqtt's way to let others look in: reports each event to `observer` and asks `users` for passwords."""

    @dataclass
    class Config:
        """No settings: the observer is set once the broker has made this object."""

    def __init__(self, context):
        super().__init__(context)
        self.observer = None
        self.users = None

    async def authenticate(self, *, session):
        """True when this user may connect; everybody may when `users` is None."""
        allowed = self.users is None or (session.username in self.users
                                         and self.users[session.username] == session.password)
        if not allowed:
            self.observer("refused", session.client_id, user=session.username)
        session.is_anonymous = True
        return allowed

    async def on_broker_client_connected(self, client_id, client_session):
        """A client was accepted."""
        self.observer("connected", client_id, clean=client_session.clean_session)

    async def on_broker_client_disconnected(self, client_id, client_session):
        """A client is gone, in whatever way."""
        self.observer("disconnected", client_id)

    async def on_broker_client_subscribed(self, client_id, topic, qos):
        """A subscription was granted."""
        self.observer("subscribed", client_id, topic=topic, qos=qos)

    async def on_broker_message_received(self, client_id, message):
        """A message came in from a client."""
        if message is not None:
            self.observer("message", client_id, topic=message.topic, qos=message.qos,
                          retain=bool(message.retain), data=bytes(message.data or b""))


class _Broker(Broker):
    """amqtt's broker with keepalive and take-over as MQTT 3.1.1 has them (3.1.2.10, 3.1.4)."""

    silence_percent = 150
    observer = None

    async def _initialize_client_session(self, *arguments):
        handler, session = await super()._initialize_client_session(*arguments)
        if session.keep_alive > 0:
            session.keep_alive = max(_SHORTEST_SILENCE_S, session.keep_alive * self.silence_percent / 100)
        handler.handle_read_timeout = functools.partial(self._drop_silent, handler)
        return handler, session

    @staticmethod
    def _drop_silent(handler):
        handler.closing = asyncio.ensure_future(handler.handle_connection_closed())

    async def _handle_disconnect(self, client_session, handler, disconnect_waiter):
        if client_session.will_flag and not isinstance(disconnect_waiter.result(), DisconnectPacket):
            self.observer("will", client_session.client_id, topic=client_session.will_topic,
                          data=bytes(client_session.will_message or b""))
        await super()._handle_disconnect(client_session, handler, disconnect_waiter)

    async def _delete_session(self, client_id):
        old = self.sessions.get(client_id)
        if old is not None and old[0].transitions.state == "connected":
            await old[1].handle_connection_closed()
        await super()._delete_session(client_id)


class EmbeddedBroker:
    """A broker on `host`:`port` (0: a free one, told by `.port` once started).

    tls        certificates.ServerFiles, or None for plain TCP
    users      {name: password}, or None to let everybody in
    log_path   where the log goes, or None
    hurry      time factor of the world it serves: keepalives count that much shorter
    """

    def __init__(self, host="127.0.0.1", port=0, tls=None, users=None, log_path=None, hurry=1):
        self.host, self.port, self.tls = host, port, tls
        self.watchers = []
        self._users = users
        self._hurry = hurry
        self._broker = None
        self._log = os.open(log_path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600) if log_path else None

    @property
    def url(self):
        """The broker's address, for clients: mqtt://… or mqtts://…"""
        return f"{'mqtts' if self.tls else 'mqtt'}://{self.host}:{self.port}"

    async def start(self):
        """Listens. Raises amqtt's BrokerError when the port is taken."""
        self._broker = _Broker(self._config(), plugin_namespace="hanma.bench.amqtt")
        self._broker.silence_percent = 150 / self._hurry
        self._broker.observer = self._observe
        watch = self._broker.plugins_manager.get_plugin("Watch")
        watch.observer, watch.users = self._observe, self._users
        await self._broker.start()
        server = self._broker._servers["default"].instance
        self.port = server.sockets[0].getsockname()[1]
        return self

    async def stop(self):
        """Closes every connection. Stopping twice does nothing."""
        broker, self._broker = self._broker, None
        if broker is not None:
            try:
                await asyncio.wait_for(broker.shutdown(), _CLOSE_TIMEOUT_S)
            except asyncio.TimeoutError:
                logging.getLogger(__name__).warning("the broker did not close in time")
        if self._log is not None:
            os.close(self._log)
            self._log = None

    async def __aenter__(self):
        return await self.start()

    async def __aexit__(self, *_):
        await self.stop()

    def _config(self):
        listener = {"type": "tcp", "bind": f"{self.host}:{self.port}"}
        if self.tls:
            listener.update(ssl=True, certfile=str(self.tls.certificate), keyfile=str(self.tls.key))
        return {"listeners": {"default": listener}, "plugins": {f"{__name__}.Watch": {}}}

    def _observe(self, event, client, data=None, **fields):
        record = {"t_ms": time.time_ns() // 1000 / 1000, "event": event, "client": client, **fields}
        if data is not None:
            try:
                record["payload"] = data.decode()
            except UnicodeDecodeError:
                record["hex"] = data.hex()
        if self._log is not None:
            os.write(self._log, line_of(record))
        for watcher in self.watchers:
            watcher(record)
