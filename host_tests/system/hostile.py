"""Servers that mean harm, on the port where the terminal looks for its platform."""

import contextlib
import itertools
import socket
import threading

CONNACK = b"\x20\x02\x00\x00"
PINGRESP = b"\xd0\x00"
SUBACK = b"\x90\x03\x00\x01\x01"
PUBACKS = b"".join(b"\x40\x02" + number.to_bytes(2, "big") for number in range(1, 30))


def publish(topic, payload, packet_id):
    """A PUBLISH of QoS 1."""
    body = len(topic).to_bytes(2, "big") + topic + packet_id.to_bytes(2, "big") + payload
    header = bytearray([0x32])
    length = len(body)
    while True:
        header.append(length % 128 | (0x80 if length > 127 else 0))
        length //= 128
        if not length:
            return bytes(header) + body


_LOG_IN = CONNACK + SUBACK + PUBACKS  # what it takes to be logged in: after that the terminal comes back at once

# What is said to each connection in turn, once the terminal has spoken. It waits the longer between the attempts the more of them
# fail in a row, so those it can log in to come in between.
BROKERS = (
    b"HTTP/1.1 400 Bad Request\r\n\r\n",
    _LOG_IN + b"\xff" * 500,
    CONNACK[:3],
    _LOG_IN + b"\x30\xff\xff\xff\x7f" + bytes(20000),
    CONNACK * 2,
    _LOG_IN + publish(b"welder/hanma_0001/command/#", b'{"actionCode":"7"}', 1) * 20,
    b"\x20\x02\x00\xff",
    _LOG_IN + publish(b"\xff\xfe", b"\xff" * 100, 1) * 50,
    SUBACK + CONNACK,
    _LOG_IN + publish(b"welder/hanma_0001/command/r", b"[" * 4000, 1) * 10,
    PINGRESP * 3000,
    _LOG_IN + b"\x30\xff\xff\xff\xff\x01",
    CONNACK + PINGRESP * 3000 + SUBACK,
    _LOG_IN + PUBACKS * 100,
    CONNACK + b"\x90\x03\x00\x01\x7f",
    _LOG_IN,
)
PEERS = (
    b"HTTP/1.1 400 Bad Request\r\n\r\n",
    b"",
    bytes(5000),
    b"\x15\x03\x03\x00\x02\x02\x28",
    b"\x16\x03\x03\x00\x04\x00\x00\x00\x00" * 300,
    b"\x16\x03\x03\x3f\xff" + bytes(8000),
    CONNACK,
)


class Hostile:
    """A server that says one piece after the other, a piece a connection. `served` counts the connections. `with` ends it.

    The connection is held open for hold_s at the most, or until the terminal goes.
    """

    def __init__(self, port, pieces, hold_s=1.0):
        self.served = 0
        self._pieces = itertools.cycle(pieces)
        self._hold_s = hold_s
        self._server = socket.create_server(("127.0.0.1", port))
        self._open = []
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        with contextlib.suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        for connection in self._open:
            connection.close()
        self._thread.join(10)

    def _accept(self):
        while True:
            try:
                connection, _ = self._server.accept()
            except OSError:
                return
            self._open.append(connection)
            piece = next(self._pieces)
            self.served += 1
            with contextlib.suppress(OSError), connection:
                connection.settimeout(self._hold_s)
                connection.recv(4096)
                connection.sendall(piece)
                while connection.recv(4096):
                    pass
