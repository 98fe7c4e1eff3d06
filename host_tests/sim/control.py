"""Client of the simulator's control channel, for tests and tools on CPython.

control = Control(("127.0.0.1", port))
control.call("signal", rsrp_dbm=None)
for event in control.watch("tts"): …
"""

import json
import socket


class ControlError(Exception):
    """The simulator refused a request; the text is its reason."""


class Control:
    """One connection for requests; each `watch` has its own."""

    def __init__(self, address, timeout_s=10.0):
        self._address = tuple(address)
        self._timeout_s = timeout_s
        self._socket, self._lines = self._connect()

    def _connect(self):
        connection = socket.create_connection(self._address, self._timeout_s)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection, connection.makefile("rb")

    def call(self, cmd, **fields):
        """Send a request and return the reply as a dict; raises ControlError or OSError."""
        return self._ask(self._socket, self._lines, dict(fields, cmd=cmd))

    def _ask(self, connection, lines, request):
        connection.sendall(json.dumps(request).encode() + b"\n")
        line = lines.readline()
        if not line:
            raise ControlError("the simulator has gone")
        reply = json.loads(line)
        if not reply.pop("ok"):
            raise ControlError(reply["error"])
        return reply

    def watch(self, *events, timeout_s=None):
        """Return an iterator over events (dicts), all or those named; it is watching when this returns.

        timeout_s bounds the wait for each event (None: the client's own time-out); then socket.timeout is
        raised.
        """
        connection, lines = self._connect()
        self._ask(connection, lines, {"cmd": "watch", "events": list(events)})
        connection.settimeout(self._timeout_s if timeout_s is None else timeout_s)
        return _Watch(connection, lines)

    def close(self):
        """End the connection."""
        self._lines.close()
        self._socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.close()


class _Watch:
    """Iterates over events until the simulator ends; `close` ends it from this side."""

    def __init__(self, connection, lines):
        self._connection = connection
        self._lines = lines

    def __iter__(self):
        return self

    def __next__(self):
        line = self._lines.readline()
        if not line:
            raise StopIteration
        return json.loads(line)

    def close(self):
        """Stop watching."""
        self._lines.close()
        self._connection.close()
