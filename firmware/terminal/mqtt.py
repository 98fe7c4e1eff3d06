"""An MQTT 3.1.1 session: umqtt.simple as the packet codec over an in-memory wire.

Owns one connection's publishes in flight, its keepalive and its buffers. umqtt.simple (1.3.4 and 1.8.0)
reads and writes a wire in memory; this room moves whole packets between wire and stream, one write a packet,
and never blocks. Clean session always: a stale order must not wait at the broker. Times are ticks in ms.
"""

import asyncio
import time

from micropython import const
from umqtt import simple

from terminal.mqtt_wire import Full, Starved, Wire

MAX_PAYLOAD = const(4096)  # what a command may have; more is read off the stream and dropped
_RX_BYTES = const(4096 + 5 + 2 + 256 + 2)  # payload, fixed header, topic with its length, packet id
_BUFFERS = (_RX_BYTES, 2048, 8)  # receive, send; PUBACKs do not wait for a publish to leave its buffer
_WINDOW = const(4)  # publishes on their way at once
_LAST_ID = const(65530)  # umqtt.simple counts packet ids up for ever; the field has 16 bits
_MAX_FILTER = const(122)  # umqtt.simple 1.3.4 writes one byte of remaining length in SUBSCRIBE
ANSWER_MS = const(20000)  # PUBACK, SUBACK, PINGRESP; Cat1 pages within 2.56 s, a bad cell repeats for ten

_CONNACK = const(0x20)
_PUBLISH = const(0x30)
_PUBACK = const(0x40)
_SUBACK = const(0x90)
_PINGRESP = const(0xD0)
_TYPE = const(0xF0)
_REFUSED = const(0x80)
_DUP = const(8)
_FIXED_HEADER = const(5)
_QOS = const(6)
_QOS1 = const(2)
_RETAIN = const(1)
# What a broker sends, and how many bytes of it umqtt.simple's wait_msg() leaves to be read.
_LEFT_TO_READ = {_PUBLISH: 0, _PINGRESP: 0, _CONNACK: 3, _PUBACK: 3, _SUBACK: 4}


class MqttError(Exception):
    """The session is over, or could not do this: `code` is one word, `doing` what was tried.

    closed: the stream ended. no_answer: nothing came in time. protocol: bytes that are not MQTT 3.1.1.
    subscribe_refused; too_long: more than the codec or the buffer takes (the session lives on).
    """

    def __init__(self, code, doing=""):
        super().__init__(code, doing)
        self.code = code
        self.doing = doing


class Refused(MqttError):
    """CONNACK said no: `code` is its number, 1 to 5."""


class _Flight:
    """One packet that waits for its acknowledgement; made once, used again."""

    def __init__(self):
        self.id = 0  # 0: free
        self.code = None  # SUBACK's return code, 0 for a PUBACK, None while there is neither
        self.done = asyncio.Event()


_spare = []  # buffers of the last session: the heap is asked for 6 KiB only once


class Session:
    """One connection's MQTT session, from CONNECT to the end; made anew for each connection.

    stream: await readinto(buffer) -> n (0 at the end), await write(buffer), await close().
    on_message(topic, payload, retained, dup): called for each PUBLISH before it is acknowledged; must be
    short; payload is valid during the call only. run() has to run where more than one call waits at a time.
    """

    def __init__(self, stream, on_message, answer_ms=ANSWER_MS):
        self.oversized = 0  # messages dropped for their length
        self.failure = None  # code of MqttError once the session is over
        self._stream = stream
        self._on_message = on_message
        self._answer_ms = answer_ms
        self._buffers = _spare.pop() if _spare else [memoryview(bytearray(n)) for n in _BUFFERS]
        self._rx, self._tx, self._ack = self._buffers
        self._wire = Wire(self._rx)
        self._head = 0  # rx[head:tail] is what has arrived
        self._tail = 0
        self._codec = None
        self._message = None  # (topic, payload) the codec has just read
        self._connack = None  # its return code
        self._writing = asyncio.Lock()
        self._flights = [_Flight() for _ in range(_WINDOW)]
        self._room = asyncio.Event()
        self._reader = None  # the task in run()
        self._keepalive_ms = 0
        self._sent_ms = self._heard_ms = time.ticks_ms()

    async def connect(self, client_id, user, password, keepalive_s, will=None, timeout_ms=ANSWER_MS):
        """Send CONNECT (arguments are bytes; will is (topic, payload) or None) and await CONNACK.

        Raises Refused(1..5), MqttError, or what the stream raises.
        """
        codec = simple.MQTTClient(client_id, b"", user=user, password=password, keepalive=keepalive_s)
        codec.set_callback(self._on_publish)
        if will:
            codec.set_last_will(will[0], will[1], qos=1)
        self._codec = codec
        self._keepalive_ms = keepalive_s * 1000
        await self._in_time(self._connect(), timeout_ms, "connect")
        if self._connack:
            self._over("refused")
            raise Refused(self._connack, "connect")

    async def subscribe(self, topic, qos=1, timeout_ms=None):
        """Subscribe to a filter (bytes, at most 122) and await SUBACK.

        Raises MqttError: 'subscribe_refused' for 0x80, and as publish().
        """
        if len(topic) > _MAX_FILTER:
            raise MqttError("too_long", "subscribe")
        code = await self._in_time(self._acked(self._codec.subscribe, topic, qos), timeout_ms, "subscribe")
        if code == _REFUSED:
            raise MqttError("subscribe_refused", "subscribe")

    async def publish(self, topic, payload, qos=1, timeout_ms=None, retain=False):
        """Publish bytes and await PUBACK (QoS 0: the writing only).

        Four may be on their way at once, a fifth waits. Raises MqttError: 'too_long' leaves the session
        alone, any other code ends it. May be cancelled; in the middle of a packet that ends the session.
        """
        encode = self._codec.publish
        if qos:
            work = self._acked(encode, topic, payload, retain, 1)
        else:
            work = self._send(None, encode, topic, payload, retain, 0)
        await self._in_time(work, timeout_ms, "publish")

    async def run(self):
        """Read for ever: hand out messages, acknowledge them, ping.

        Raises MqttError when the link is dead, or what the stream raises; whoever waits for an
        acknowledgement gets MqttError then. May be cancelled, which ends the session.
        """
        self._reader = asyncio.current_task()
        keeper = asyncio.create_task(self._keep_alive())
        try:
            while True:
                await self._receive()
                await asyncio.sleep_ms(0)  # a full buffer of short packets would hold the loop
        except asyncio.CancelledError:
            if self.failure:  # another task of ours found the link dead
                raise MqttError(self.failure, "run") from None
            raise
        except MqttError as error:
            self._over(error.code)
            raise
        finally:
            keeper.cancel()
            self._over("closed")
            self._reader = None

    async def disconnect(self):
        """Send DISCONNECT, so that the broker keeps the will to itself, and close the stream."""
        try:
            if not self.failure:
                await asyncio.wait_for_ms(self._send(None, self._codec.disconnect), self._answer_ms)
        except asyncio.TimeoutError:
            pass
        finally:
            self._over("closed")
            await self._stream.close()

    async def _send(self, flight, encode, *arguments):
        """Let the codec write one packet, and send it in one piece. flight: gets its id, or None."""
        async with self._writing:
            self._check()
            self._wire.collect(self._tx)
            try:
                encode(*arguments)
            except Starved:
                pass  # written; the codec would now wait for the answer
            except (Full, AssertionError):
                raise MqttError("too_long") from None
            if flight:
                flight.id = self._codec.pid
            await self._write(self._tx[: self._wire.length])

    async def _write(self, packet):
        try:
            await self._stream.write(packet)
        except BaseException:
            self._over("closed")  # half a packet may be on its way: nothing after it would be understood
            raise
        self._sent_ms = time.ticks_ms()

    async def _acked(self, encode, *arguments):
        """Send a packet with an id and await its acknowledgement; returns the code that came with it."""
        flight = await self._flight()
        try:
            if self._codec.pid >= _LAST_ID:
                self._codec.pid = 0
            await self._send(flight, encode, *arguments)
            await self._until(flight)
            return flight.code
        finally:
            flight.id = 0
            self._room.set()

    async def _flight(self):
        while True:
            self._check()
            for flight in self._flights:
                if not flight.id:
                    flight.id = -1  # taken; the codec gives the number
                    flight.code = None
                    flight.done.clear()
                    return flight
            self._room.clear()
            await self._room.wait()

    async def _connect(self):
        await self._send(None, self._hello)
        while self._connack is None:
            await self._receive()

    def _hello(self):
        simple.socket = self._wire  # the codec asks its socket module for a socket: it gets the wire
        self._codec.connect()

    async def _until(self, flight):
        """Wait for the acknowledgement; where nobody reads yet, read."""
        while flight.code is None:
            self._check()
            if self._reader:
                await flight.done.wait()
            else:
                await self._receive()

    async def _in_time(self, work, timeout_ms, doing):
        try:
            return await asyncio.wait_for_ms(work, timeout_ms or self._answer_ms)
        except asyncio.TimeoutError:
            self._over("no_answer")
            raise MqttError("no_answer", doing) from None
        except MqttError as error:
            if error.code != "too_long":
                self._over(error.code)
            raise

    def _check(self):
        if self.failure:
            raise MqttError(self.failure)

    def _over(self, code):
        """The session is over: everybody who waits is told."""
        if self.failure:
            return
        self.failure = code
        for flight in self._flights:
            flight.done.set()
        self._room.set()
        if not _spare:
            _spare.append(self._buffers)
        if self._reader and self._reader is not asyncio.current_task():
            self._reader.cancel()

    async def _keep_alive(self):
        """Ping when nothing was sent, or nothing came, for 7/8 of the keepalive; silence ends the session.

        Where heartbeats are acknowledged more often than that, there are no pings.
        """
        due_ms = self._keepalive_ms - (self._keepalive_ms >> 3)
        while due_ms and not self.failure:
            now = time.ticks_ms()
            quiet_ms = max(time.ticks_diff(now, self._sent_ms), time.ticks_diff(now, self._heard_ms))
            if quiet_ms < due_ms:
                await asyncio.sleep_ms(due_ms - quiet_ms)
                continue
            try:
                await asyncio.wait_for_ms(self._send(None, self._codec.ping), self._answer_ms)
            except Exception:  # of any stream; _write() has ended the session, or this does
                self._over("no_answer")
                return
            await asyncio.sleep_ms(self._answer_ms)
            if time.ticks_diff(self._heard_ms, now) < 0:
                self._over("no_answer")

    async def _receive(self):
        """Take in one packet and deal with it."""
        size = self._packet()
        while size == 0 or size > self._tail - self._head:
            if size > _RX_BYTES:
                await self._drop(size)
                return
            await self._fill(size)
            size = self._packet()
        flags = self._rx[self._head]
        self._wire.feed(self._head, self._head + size)
        self._wire.collect(self._ack)
        self._head += size
        self._heard_ms = time.ticks_ms()
        try:
            self._decode(flags)
        except (Starved, AssertionError):
            raise MqttError("protocol") from None
        length = self._wire.length
        if self._message:
            self._hand_out(flags)
        if length:
            await self._acknowledge(length)

    async def _acknowledge(self, length):
        async with self._writing:
            self._check()
            await self._write(self._ack[:length])

    def _decode(self, flags):
        """Let the codec read the packet it was fed, and note what it says."""
        kind = flags & _TYPE
        if kind not in _LEFT_TO_READ or kind == _PUBLISH and flags & _QOS > _QOS1:
            raise MqttError("protocol")
        self._codec.wait_msg()
        rest = self._wire.read(_LEFT_TO_READ[kind])
        if kind == _CONNACK:
            self._connack = rest[2]
        elif rest:
            self._land(rest[1] << 8 | rest[2], rest[-1] if kind == _SUBACK else 0)
        if not self._wire.is_read():
            raise MqttError("protocol")

    def _land(self, packet_id, code):
        for flight in self._flights:
            if flight.id == packet_id:
                flight.code = code
                flight.done.set()

    def _on_publish(self, topic, payload):
        self._message = (topic, payload)

    def _hand_out(self, flags):
        topic, payload = self._message
        self._message = None
        if len(payload) > MAX_PAYLOAD:
            self.oversized += 1
        else:
            self._on_message(bytes(topic), payload, bool(flags & _RETAIN), bool(flags & _DUP))

    def _packet(self):
        """Size of the packet at head, with its header; 0 while that cannot be told."""
        size = 0
        for i in range(1, 5):
            if self._head + i >= self._tail:
                return 0
            byte = self._rx[self._head + i]
            size |= (byte & 0x7F) << 7 * (i - 1)
            if byte < 0x80:
                return size + i + 1
        raise MqttError("protocol")

    async def _fill(self, size):
        """Read what there is, making room for a packet of this size first."""
        if self._head == self._tail:
            self._head = self._tail = 0
        elif self._head and self._head + max(size, _FIXED_HEADER) > _RX_BYTES:
            rest = self._tail - self._head
            self._rx[:rest] = self._rx[self._head : self._tail]
            self._head = 0
            self._tail = rest
        n = await self._stream.readinto(self._rx[self._tail :])
        if not n:
            raise MqttError("closed")
        self._tail += n

    async def _drop(self, size):
        """Read a PUBLISH longer than the buffer off the stream; acknowledged, it is not sent again."""
        flags = self._rx[self._head]
        if flags & _TYPE != _PUBLISH or flags & _QOS > _QOS1:
            raise MqttError("protocol")
        await self._have(_FIXED_HEADER + 2)
        at = 2  # past the fixed header, then past the topic
        while self._rx[self._head + at - 1] & 0x80:
            at += 1
        at += 2 + (self._rx[self._head + at] << 8 | self._rx[self._head + at + 1])
        if at + 2 > _RX_BYTES:
            raise MqttError("protocol")
        await self._have(at + 2)
        self._ack[:2] = b"\x40\x02"
        self._ack[2:4] = self._rx[self._head + at : self._head + at + 2]
        left = size - (self._tail - self._head)
        self._head = self._tail = 0
        while left:
            n = await self._stream.readinto(self._rx[: min(left, _RX_BYTES)])
            if not n:
                raise MqttError("closed")
            left -= n
        self._heard_ms = time.ticks_ms()
        self.oversized += 1
        if flags & _QOS:
            await self._acknowledge(4)

    async def _have(self, n):
        while self._tail - self._head < n:
            await self._fill(n)
