"""A small MQTT broker on TCP or TLS, for tests: the asyncio shell around `broker_core`. See --help.

server = BrokerServer(Broker())
port = await server.start(ssl=context or None)
server.publish(b"topic", b"payload", qos=1)
await server.close()
"""

import argparse
import asyncio
import json
import signal
import socket
import ssl
import time

from host_tests.sim.broker_core import Broker

_READ = 65536
_BAD_LOGIN = 4


class BrokerServer:
    """Serves a Broker's connections; `broker` may be turned and asked at any time on the loop's thread."""

    def __init__(self, broker):
        self.broker = broker
        self._server = None
        self._timer = None
        self._writers = set()

    def now_ms(self):
        """Return the broker's time in milliseconds."""
        return time.monotonic_ns() // 1000000

    async def start(self, host="127.0.0.1", port=0, ssl=None):
        """Listen; returns the port."""
        self._server = await asyncio.start_server(self._serve, host, port, ssl=ssl)
        return self._server.sockets[0].getsockname()[1]

    async def close(self):
        """Stop listening and drop every client."""
        if self._timer:
            self._timer.cancel()
        self._server.close()
        for writer in list(self._writers):
            writer.transport.abort()
        await asyncio.sleep(0)

    def publish(self, topic, payload, qos=0, retain=False):
        """Publish as the broker; returns the number of sessions it went to."""
        return self.broker.publish(self.now_ms(), topic, payload, qos, retain)

    def kick(self, client_id):
        """Drop a client without a word; returns whether it was there."""
        return self.broker.kick(self.now_ms(), client_id)

    async def _serve(self, reader, writer):
        writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._writers.add(writer)
        connection = self.broker.connect(self.now_ms())
        connection.wake = lambda now_ms: self._send(connection, writer)
        try:
            while not connection.closed:
                self._arm()
                data = await reader.read(_READ)
                if not data:
                    break
                connection.feed(self.now_ms(), data)
                self._send(connection, writer)
        except OSError:
            pass  # the client is gone; lost() tells the broker
        finally:
            connection.lost(self.now_ms())
            self._writers.discard(writer)
            writer.close()

    def _send(self, connection, writer):
        data = connection.take()
        if data:
            writer.write(data)
        if connection.closed:
            writer.close()

    def _arm(self):
        """Set the timer for the next client that may fall silent."""
        due_ms = self.broker.next_ms(self.now_ms())
        if self._timer:
            self._timer.cancel()
        self._timer = None
        if due_ms is not None:
            delay_s = (due_ms - self.now_ms()) / 1000
            self._timer = asyncio.get_running_loop().call_later(max(0.001, delay_s), self._tick)

    def _tick(self):
        self._timer = None
        self.broker.tick(self.now_ms())
        self._arm()


def _printable(value):
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, (tuple, list)):
        return [_printable(item) for item in value]
    return value


def _print_event(now_ms, kind, client_id, detail):
    line = {"now_ms": now_ms, "event": kind, "client": _printable(client_id), "detail": _printable(detail)}
    print(json.dumps(line, ensure_ascii=False), flush=True)


def arguments():
    """Return the parsed command line."""
    parser = argparse.ArgumentParser(
        prog="python -m host_tests.sim.broker",
        description='A small MQTT 3.1.1 broker (QoS 0 and 1). Prints {"port": …}, then its events.',
    )
    add = parser.add_argument
    add("--host", default="127.0.0.1", help="address to listen on (default 127.0.0.1)")
    add("--port", type=int, default=0, help="port to listen on (default: a free one)")
    add("--cert", help="PEM file with the server's certificate chain: speak TLS")
    add("--key", help="PEM file with its private key")
    add("--user", action="append", default=[], metavar="NAME:PASSWORD", help="let only these users in")
    add(
        "--refuse",
        type=int,
        default=0,
        metavar="CODE",
        help="refuse everybody with this CONNACK code (1 to 5)",
    )
    add("--quiet", action="store_true", help="print no events")
    return parser.parse_args()


def build(options):
    """Return the Broker that the command line asks for."""
    users = dict(pair.encode().split(b":", 1) for pair in options.user)

    def check(client_id, user, password):
        return 0 if not users or (user in users and users[user] == password) else _BAD_LOGIN

    broker = Broker(check, None if options.quiet else _print_event)
    broker.refuse_code = options.refuse
    return broker


async def serve(options):
    """Run until a signal comes."""
    context = None
    if options.cert:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(options.cert, options.key)
    server = BrokerServer(build(options))
    port = await server.start(options.host, options.port, context)
    print(json.dumps({"port": port}), flush=True)
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await stop.wait()
    await server.close()


if __name__ == "__main__":
    asyncio.run(serve(arguments()))
