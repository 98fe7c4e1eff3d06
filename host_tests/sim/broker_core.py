"""A small MQTT 3.1.1 broker: bytes and time in, bytes out, one `Connection` a client. Pure.

Written from the MQTT 3.1.1 standard. It does QoS 0 and 1, wills, clean and kept sessions, `+` and `#`,
retained messages, the keep-alive limit, users and passwords; topics that begin with `$` are carried like
any other, but a filter that begins with a wildcard does not match them (section 4.7.2). QoS 2 is not done:
a subscription is granted QoS 1 at most, and a QoS 2 "publish" ends the connection. Knobs make it misbehave as
platforms do.

    broker = Broker() connection = broker.connect(now_ms)      # then: connection.feed(now_ms, data),
    .take(), .closed, .lost(now_ms) broker.publish(now_ms, b"topic", b"payload", qos=1)
    broker.listen(b"up/#", callback)         # callback(now_ms, topic, payload, qos, retain)
    broker.tick(now_ms); broker.next_ms(now_ms)

All times are integer milliseconds of the caller's clock.
"""

from host_tests.sim.broker_session import Connection, Session
from host_tests.sim.mqtt_packets import matches

_RETAINED_LIMIT = 256


class Broker:
    """All clients, their sessions and the retained messages.

    Knobs: `check(client_id, user, password) -> CONNACK code` (bytes or None in; 0 accepts); `refuse_code`
    (1..5 refuses everybody); `refuse_filters` (a set of filters, or {b"#"} for all, answered with 0x80);
    `answer_connect`, `answer_publish`, `answer_subscribe`, `answer_ping` (False: swallowed).
    `on_event(now_ms, kind, client_id, detail)` hears what happens, if given: connect, disconnect, subscribe,
    unsubscribe, publish, refused, lost, protocol.
    """

    def __init__(self, check=None, on_event=None):
        self.check = check
        self.on_event = on_event
        self.refuse_code = 0
        self.refuse_filters = set()
        self.answer_connect = self.answer_publish = self.answer_subscribe = self.answer_ping = True
        self.connections = []
        self.sessions = {}  # client id -> Session
        self.retained = {}  # topic -> (payload, qos)
        self._listeners = []

    # --- for the shell ------------------------------------------------------------------------------------

    def connect(self, now_ms):
        """Return a Connection for a new transport."""
        connection = Connection(self, now_ms)
        self.connections.append(connection)
        return connection

    def tick(self, now_ms):
        """Close the connections that have been silent for too long."""
        for connection in list(self.connections):
            if connection.due_ms is not None and now_ms >= connection.due_ms:
                self.event(now_ms, "lost", connection.client_id, "keepalive")
                connection.abort(now_ms)

    def next_ms(self, now_ms):
        """Return when `tick` has something to do, or None."""
        dues = [connection.due_ms for connection in self.connections if connection.due_ms is not None]
        return max(now_ms, min(dues)) if dues else None

    # --- for the platform in the same process ---------------------------------------------------------------

    def listen(self, pattern, callback):
        """Call callback(now_ms, topic, payload, qos, retain) for what is published to matching topics."""
        self._listeners.append((pattern, callback))

    def publish(self, now_ms, topic, payload, qos=0, retain=False):
        """Publish as the broker itself; returns the number of sessions it went to."""
        if retain:
            self._retain(topic, payload, qos)
        for pattern, callback in self._listeners:
            if matches(pattern, topic):
                callback(now_ms, topic, payload, qos, retain)
        count = 0
        for session in list(self.sessions.values()):
            granted = session.granted(topic)
            if granted is not None:
                count += 1
                session.deliver(now_ms, topic, payload, min(qos, granted), False)
        return count

    def kick(self, now_ms, client_id):
        """Drop a client's connection without a word; returns whether it was there."""
        session = self.sessions.get(client_id)
        if session is None or session.connection is None:
            return False
        session.connection.abort(now_ms)
        return True

    def clients(self):
        """Return the ids of the clients that are connected."""
        return [client_id for client_id, session in self.sessions.items() if session.connection]

    # --- for connections ----------------------------------------------------------------------------------

    def event(self, now_ms, kind, client_id, detail):
        """Tell whoever listens."""
        if self.on_event:
            self.on_event(now_ms, kind, client_id, detail)

    def verdict(self, client_id, user, password):
        """Return the CONNACK code for a client."""
        if self.refuse_code:
            return self.refuse_code
        return self.check(client_id, user, password) if self.check else 0

    def attach(self, now_ms, connection, clean):
        """Give a connection its session, ending the client's older connection; return (session, present)."""
        client_id = connection.client_id
        old = self.sessions.get(client_id)
        if old and old.connection:
            self.event(now_ms, "lost", client_id, "taken over")
            old.connection.abort(now_ms)
            old = self.sessions.get(client_id)
        if clean or old is None:
            old = Session(client_id)
            self.sessions[client_id] = old
            present = False
        else:
            present = True
        old.connection, old.clean = connection, clean
        return old, present

    def detach(self, now_ms, connection):
        """A connection has ended: publish its will, forget a clean session."""
        if connection in self.connections:
            self.connections.remove(connection)
        session = connection.session
        if session is None or session.connection is not connection:
            return
        session.connection = None
        if session.clean:
            self.sessions.pop(connection.client_id, None)
        will, connection.will = connection.will, None
        if will:
            self.event(now_ms, "publish", connection.client_id, (will[0], will[1], "will"))
            self.publish(now_ms, *will)

    def subscribe(self, now_ms, session, pattern, qos):
        """Add a subscription; return the code for SUBACK."""
        if pattern in self.refuse_filters or b"#" in self.refuse_filters:
            self.event(now_ms, "refused", session.client_id, pattern)
            return 0x80
        qos = min(qos, 1)
        session.filters[pattern] = qos
        self.event(now_ms, "subscribe", session.client_id, pattern)
        return qos

    def send_retained(self, now_ms, session, pattern):
        """Give a new subscription the retained messages it matches."""
        for topic in sorted(self.retained):
            payload, qos = self.retained[topic]
            if matches(pattern, topic):
                session.deliver(now_ms, topic, payload, min(qos, session.filters[pattern]), True)

    def _retain(self, topic, payload, qos):
        if not payload:
            self.retained.pop(topic, None)
        elif topic in self.retained or len(self.retained) < _RETAINED_LIMIT:
            self.retained[topic] = (payload, qos)
