"""How an MQTT session begins: CONNECT and SUBSCRIBE. The other half of `mqtt`, borrowed for each connection."""

from micropython import const
from umqtt import simple

from terminal.mqtt import MqttError

_MAX_FILTER = const(122)  # umqtt.simple 1.3.4 writes one byte of remaining length in SUBSCRIBE
_GRANTED = const(2)  # SUBACK's highest code that grants
_LAST_REFUSAL = const(5)  # CONNACK's codes beyond it mean nothing
_SUBACK = const(0x90)


class Refused(MqttError):
    """CONNACK said no: `code` is its number, 1 to 5."""


class _Network:
    """The codec's socket module: the socket it asks for is the session's wire."""

    def __init__(self, wire):
        self._wire = wire

    def socket(self):
        """Return the wire."""
        return self._wire

    def getaddrinfo(self, _host, _port):
        """Nobody needs an address."""
        return ((None,),)


async def connect(session, client_id, user, password, keepalive_s, will=None, timeout_ms=None):
    """Send CONNECT (arguments are bytes; will is (topic, payload) or None) and await CONNACK.

    Raises Refused(1..5), MqttError, or what the stream raises.
    """
    codec = simple.MQTTClient(client_id, b"", user=user, password=password, keepalive=keepalive_s)
    codec.set_callback(session._on_publish)
    if will:
        codec.set_last_will(will[0], will[1], qos=1)
    session._codec = codec
    session._keepalive_ms = keepalive_s * 1000
    await session._in_time(_connect(session), timeout_ms, "connect")
    codec.lw_topic = codec.lw_msg = None  # said: the session need not keep it
    if session._connack:
        if session._connack > _LAST_REFUSAL:
            raise session._broken("protocol")
        session.over("refused")
        raise Refused(session._connack, "connect")


async def _connect(session):
    await session._send(0, 0, _say_connect, session)
    while session._connack is None:
        await session._receive()


def _say_connect(session):
    simple.socket = _Network(session._wire)
    try:
        session._codec.connect()
    finally:
        simple.socket = None  # no code of ours stays behind


async def subscribe(session, topic, qos=1, timeout_ms=None):
    """Subscribe to a filter (bytes, at most 122) and await SUBACK.

    Raises MqttError: 'subscribe_refused' for 0x80 and what else grants nothing, and as Session.publish().
    """
    if len(topic) > _MAX_FILTER:
        raise MqttError("too_long", "subscribe")
    work = session._send(_SUBACK, session._answer_ms, session._codec.subscribe, topic, qos)
    if await session._in_time(work, timeout_ms, "subscribe") > _GRANTED:
        raise MqttError("subscribe_refused", "subscribe")
