"""One client of the small broker: its connection (bytes) and its session (subscriptions, messages). Pure."""

from host_tests.sim import mqtt_packets as mqtt
from host_tests.sim.mqtt_packets import Malformed, Reader, matches

_PACKET_LIMIT = 65536
_QUEUE_LIMIT = 1000  # as mosquitto's max_queued_messages
_CONNECT_PATIENCE_MS = 30000
_BAD_VERSION, _BAD_ID = 1, 2


class Session:
    """Subscriptions and unacknowledged messages of a client id; outlives a connection when not clean."""

    def __init__(self, client_id):
        self.client_id = client_id
        self.clean = True
        self.connection = None
        self.filters = {}  # pattern -> granted QoS
        self.pending = {}  # packet id -> (topic, payload, retain)
        self.order = []  # packet ids in the order of sending
        self._identifier = 0

    def granted(self, topic):
        """Return the highest QoS of the subscriptions that match, or None."""
        best = None
        for pattern, qos in self.filters.items():
            if (best is None or qos > best) and matches(pattern, topic):
                best = qos
        return best

    def deliver(self, now_ms, topic, payload, qos, retain):
        """Send a message to the client, or keep it until it is back."""
        if qos == 0:
            if self.connection:
                self.connection.send(now_ms, mqtt.publish(topic, payload, 0, retain))
            return
        if len(self.pending) >= _QUEUE_LIMIT:
            return
        identifier = self._next()
        self.pending[identifier] = (topic, payload, retain)
        self.order.append(identifier)
        if self.connection:
            self.connection.send(now_ms, mqtt.publish(topic, payload, 1, retain, identifier))

    def _next(self):
        while True:
            self._identifier = self._identifier % 65535 + 1
            if self._identifier not in self.pending:
                return self._identifier

    def acknowledged(self, identifier):
        """The client has answered with PUBACK."""
        if self.pending.pop(identifier, None) is not None:
            self.order.remove(identifier)

    def resume(self, now_ms):
        """Send again what was not acknowledged (section 4.4)."""
        for identifier in self.order:
            topic, payload, retain = self.pending[identifier]
            self.connection.send(now_ms, mqtt.publish(topic, payload, 1, retain, identifier, True))


class Connection:
    """One transport: feed it bytes, take its bytes; `closed` says that the transport is to be closed.

    `wake(now_ms)`, when set, is called whenever there is something new to take outside of `feed`.
    """

    def __init__(self, broker, now_ms):
        self._broker = broker
        self._in = bytearray()
        self._out = bytearray()
        self._feeding = False
        self.wake = None
        self.closed = False
        self.client_id = None
        self.session = None
        self.will = None
        self._keepalive_ms = None
        self.due_ms = now_ms + _CONNECT_PATIENCE_MS

    # --- for the shell ------------------------------------------------------------------------------------

    def feed(self, now_ms, data):
        """Take bytes from the client."""
        if self.closed:
            return
        self._in += data
        self._feeding = True
        try:
            while not self.closed and self._one(now_ms):
                pass
        except Malformed as error:
            self._broker.event(now_ms, "protocol", self.client_id, str(error))
            self.abort(now_ms)
        finally:
            self._feeding = False

    def take(self):
        """Return and forget the bytes for the client."""
        out = bytes(self._out)
        self._out[:] = b""
        return out

    def lost(self, now_ms):
        """The transport is gone."""
        if not self.closed:
            self._broker.event(now_ms, "lost", self.client_id, "transport")
            self.abort(now_ms)

    def abort(self, now_ms):
        """End the connection; a will is published."""
        if not self.closed:
            self.closed = True
            self.due_ms = None
            self._broker.detach(now_ms, self)
            self._woken(now_ms)

    def send(self, now_ms, data):
        """Queue bytes for the client."""
        if not self.closed:
            self._out += data
            self._woken(now_ms)

    def _woken(self, now_ms):
        if self.wake and not self._feeding:
            self.wake(now_ms)

    # --- packets ------------------------------------------------------------------------------------------

    def _one(self, now_ms):
        """Handle the packet that begins the buffer; return whether there was a whole one."""
        found = mqtt.frame(self._in)
        if found is None:
            return False
        start, length = found
        if length > _PACKET_LIMIT:
            raise Malformed("larger than this broker takes")
        if len(self._in) < start + length:
            return False
        head, body = self._in[0], bytes(self._in[start : start + length])
        self._in[: start + length] = b""
        self._handle(now_ms, head >> 4, head & 15, body)
        return True

    def _handle(self, now_ms, kind, flags, body):
        if (kind == mqtt.CONNECT) != (self.session is None):
            raise Malformed("3.1 CONNECT comes first, and once")
        handler = _HANDLERS.get(kind)
        if handler is None or (kind != mqtt.PUBLISH and flags != mqtt.FLAGS[kind]):
            raise Malformed("2.2 type or flags")
        if self._keepalive_ms is not None:
            self.due_ms = now_ms + self._keepalive_ms
        handler(self, now_ms, flags, Reader(body))

    def _connect(self, now_ms, flags, reader):
        name, level, bits, keepalive_s = reader.text(), reader.byte(), reader.byte(), reader.number()
        if name != b"MQTT" or bits & 1:
            raise Malformed("3.1.2 protocol name or flags")
        if level != 4:
            self._refuse(now_ms, _BAD_VERSION)
            return
        self.client_id = reader.text()
        if bits & 4:
            topic, payload = reader.text(), reader.text()
            self.will = (topic, payload, min(bits >> 3 & 3, 1), bool(bits & 0x20))
        user = reader.text() if bits & 0x80 else None
        password = reader.text() if bits & 0x40 else None
        self._admit(now_ms, bool(bits & 2), user, password, keepalive_s)

    def _admit(self, now_ms, clean, user, password, keepalive_s):
        broker = self._broker
        code = _BAD_ID if not self.client_id and not clean else broker.verdict(self.client_id, user, password)
        if code:
            self._refuse(now_ms, code)
            return
        if not self.client_id:
            self.client_id = b"auto-%d" % id(self)
        self._keepalive_ms = keepalive_s * 1500 if keepalive_s else None
        self.due_ms = now_ms + self._keepalive_ms if keepalive_s else None
        self.session, present = broker.attach(now_ms, self, clean)
        broker.event(now_ms, "connect", self.client_id, (user, password, keepalive_s, clean))
        if broker.answer_connect:
            self.send(now_ms, mqtt.packet(mqtt.CONNACK, 0, bytes((present, 0))))
            self.session.resume(now_ms)

    def _refuse(self, now_ms, code):
        self._broker.event(now_ms, "refused", self.client_id, code)
        self.will = None
        self.send(now_ms, mqtt.packet(mqtt.CONNACK, 0, bytes((0, code))))
        self.abort(now_ms)

    def _publish(self, now_ms, flags, reader):
        qos, retain = flags >> 1 & 3, bool(flags & 1)
        topic = reader.text()
        if qos > 1:
            raise Malformed("QoS 2 is not done here")
        if not mqtt.valid_topic(topic):
            raise Malformed("4.7 topic name")
        identifier = reader.number() if qos else None
        payload = reader.rest()
        self._broker.event(now_ms, "publish", self.client_id, (topic, payload, "again" if flags & 8 else ""))
        if qos and self._broker.answer_publish:
            self.send(now_ms, mqtt.packet(mqtt.PUBACK, 0, mqtt.number(identifier)))
        self._broker.publish(now_ms, topic, payload, qos, retain)

    def _puback(self, now_ms, flags, reader):
        self.session.acknowledged(reader.number())

    def _subscribe(self, now_ms, flags, reader):
        identifier = reader.number()
        granted = []
        while reader.more:
            pattern, qos = reader.text(), reader.byte()
            if qos > 2 or not mqtt.valid_filter(pattern):
                raise Malformed("3.8.3 filter or QoS")
            granted.append((pattern, self._broker.subscribe(now_ms, self.session, pattern, qos)))
        if not granted:
            raise Malformed("3.8.3 no filter")
        if self._broker.answer_subscribe:
            self.send(
                now_ms,
                mqtt.packet(mqtt.SUBACK, 0, mqtt.number(identifier) + bytes(code for _, code in granted)),
            )
        for pattern, code in granted:
            if code != 0x80:
                self._broker.send_retained(now_ms, self.session, pattern)

    def _unsubscribe(self, now_ms, flags, reader):
        identifier = reader.number()
        while reader.more:
            pattern = reader.text()
            self.session.filters.pop(pattern, None)
            self._broker.event(now_ms, "unsubscribe", self.client_id, pattern)
        self.send(now_ms, mqtt.packet(mqtt.UNSUBACK, 0, mqtt.number(identifier)))

    def _ping(self, now_ms, flags, reader):
        if self._broker.answer_ping:
            self.send(now_ms, mqtt.packet(mqtt.PINGRESP, 0, b""))

    def _disconnect(self, now_ms, flags, reader):
        self.will = None
        self._broker.event(now_ms, "disconnect", self.client_id, "")
        self.abort(now_ms)


_HANDLERS = {
    mqtt.CONNECT: Connection._connect,
    mqtt.PUBLISH: Connection._publish,
    mqtt.PUBACK: Connection._puback,
    mqtt.SUBSCRIBE: Connection._subscribe,
    mqtt.UNSUBSCRIBE: Connection._unsubscribe,
    mqtt.PINGREQ: Connection._ping,
    mqtt.DISCONNECT: Connection._disconnect,
}
