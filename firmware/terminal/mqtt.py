"""An MQTT 3.1.1 session: umqtt.simple as the packet codec over an in-memory wire.

Owns one connection's publishes in flight, its keepalive and its buffer. umqtt.simple (1.3.4 and 1.8.0)
reads and writes a wire in memory; this room moves whole packets between wire and stream, one write a packet,
and never blocks; the PUBACKs of messages that came together leave together, for each write costs the modem a command. Clean
session always: a stale order must not wait at the broker. Times are ticks in ms.

The buffer is made when this module is loaded and lent to one session after the other: an order is taken in
without asking the heap for room. Everyday packets arrive in its first part, what we send is put together in the
second; a packet longer than the first part has both, and what we send waits meanwhile.
"""

import asyncio
import time

from micropython import const

_MAX_PAYLOAD = const(4096)  # what a command may have; more is read off the stream and dropped
_LONGEST = const(_MAX_PAYLOAD + 5 + 2 + 256 + 2)  # payload, fixed header, topic with its length, packet id
_EVERYDAY = const(_LONGEST - 2048)  # buffer[:_EVERYDAY] is for what arrives, the rest up to _LONGEST for what we send
_BUFFER_BYTES = const(_LONGEST + 64)  # PUBACKs at the end: they do not wait for a publish to leave
_MAX_COPY = const(256)  # headers and topics are copied out of the buffer, payloads are not
_WINDOW = const(4)  # publishes on their way at once
_LAST_ID = const(65530)  # umqtt.simple counts packet ids up for ever; the field has 16 bits
_MEMORY_TRIES = const(10)  # a message that finds no room on the heap is handed out again: others soon give theirs back
_MEMORY_MS = const(100)
_FLOOD_TIMES = const(6)
_ANSWER_MS = const(20000)  # PUBACK, SUBACK, PINGRESP; Cat1 pages within 2.56 s, a bad cell repeats for ten

_CONNACK = const(0x20)
_PUBLISH = const(0x30)
_PUBACK = const(0x40)
_SUBACK = const(0x90)
_TYPE = const(0xF0)
_DUP = const(8)
_QOS = const(6)
_QOS1 = const(2)
_RETAIN = const(1)
# By packet type: how long CONNACK, PUBACK, SUBACK and PINGRESP are; a broker sends nothing else but PUBLISH.
_SIZES = b"\0\0\4\0\4\0\0\0\0\5\0\0\0\2\0\0"


class MqttError(Exception):
    """The session is over, or could not do this: `code` is one word, `doing` what was tried.

    closed: the stream ended. no_answer: nothing came in time. protocol: bytes that are not MQTT 3.1.1.
    subscribe_refused; too_long: more than the codec or the buffer takes (the session lives on).
    """

    def __init__(self, code, doing=""):
        super().__init__(code, doing)
        self.code = code
        self.doing = doing


class Wire:
    """The codec's socket. Asked for more than is there it raises EOFError, which is how the codec comes back
    instead of waiting: its packet is written, or the one it reads is broken.
    """

    def __init__(self, buffer):
        self.at = self.end = 0  # the codec may read buffer[at:end]
        self.size = 0  # of the packet it reads, of which there may be less
        self.out = self.limit = 0  # it may write buffer[out:limit]
        self._buffer = buffer

    def read(self, n):
        """Return the next n bytes: as bytes, which headers are compared with; a longer piece as a view. For the
        payload of a packet that is not all there, the whole buffer: longer than any that is taken.
        """
        start = self.at
        self.at = end = start + n
        if n >= 0 and end <= self.end:
            piece = self._buffer[start:end]
            return piece if n > _MAX_COPY else bytes(piece)
        if end != self.size:
            raise EOFError
        return self._buffer

    def write(self, data, n=None):
        """Take data, or its first n bytes."""
        start = self.out
        self.out = end = start + (len(data) if n is None else n)
        if end > self.limit:
            raise MqttError("too_long")
        self._buffer[start:end] = memoryview(data)[: end - start]

    def close(self, _argument=None):
        """The stream is opened, waited for and closed by others."""

    connect = settimeout = setblocking = close


_spare = [memoryview(bytearray(_BUFFER_BYTES))]  # while no session has it


class Session:
    """One connection's MQTT session, made anew for each connection; `mqtt_open` begins it.

    stream: await readinto(buffer) -> n (0 at the end), await write(buffer), await close().
    on_message(topic, payload, retained, dup): called for each PUBLISH before it is acknowledged, and again after a
    MemoryError; must be short; payload is valid during the call only. run() has to run where more than one call
    waits at a time.
    """

    def __init__(self, stream, on_message, answer_ms=_ANSWER_MS):
        self.oversized = 0  # messages dropped for their length
        self.failure = None  # code of MqttError once the session is over
        self._stream = stream
        self._on_message = on_message
        self._answer_ms = answer_ms
        self._buffer = _spare.pop() if _spare else memoryview(bytearray(_BUFFER_BYTES))
        self._wire = Wire(self._buffer)
        self._tail = 0  # buffer[:tail] is what has arrived
        self._owed = _LONGEST  # buffer[_LONGEST:owed] are the PUBACKs to be sent
        self._codec = None
        self._connack = None  # its return code
        self._writing = asyncio.Lock()
        self._codes = {}  # packet id -> what came back: SUBACK's code, 0 for a PUBACK; till then minus the type that is awaited
        self._last_id = 0
        self._news = asyncio.Event()  # a code came, an id is free, or the session is over
        self._reader = None  # the task in run()
        self._keepalive_ms = 0
        self._sent_ms = self._heard_ms = time.ticks_ms()

    async def publish(self, topic, payload, qos=1, timeout_ms=None, retain=False):
        """Publish bytes and await PUBACK (QoS 0: the writing only).

        Four may be on their way at once, a fifth waits. timeout_ms: of silence; while a flood of messages comes in ahead of the
        PUBACK, six times that. Raises MqttError: 'too_long' leaves the session alone, any other code ends it. May be cancelled;
        in the middle of a packet that ends the session.
        """
        timeout_ms = timeout_ms or self._answer_ms
        work = self._send(_PUBACK if qos else 0, timeout_ms, self._codec.publish, topic, payload, retain, qos)
        await self._in_time(work, _FLOOD_TIMES * timeout_ms, "publish")

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
        except asyncio.CancelledError:
            self._check()  # another task of ours found the link dead
            raise
        finally:
            keeper.cancel()
            self.over("closed")
            self._reader = None

    async def disconnect(self):
        """Send DISCONNECT, so that the broker keeps the will to itself, and close the stream."""
        try:
            if not self.failure:
                await self._in_time(self._send(0, 0, self._codec.disconnect), None, "disconnect")
        except MqttError:
            pass
        finally:
            self.over("closed")
            await self._stream.close()

    async def _send(self, answer, patience_ms, encode, *arguments):
        """Send one packet. answer: the type of the packet that answers it, 0 for none; one that is answered has an id and ends
        with the code that comes back. A PUBLISH that is not answered in half of patience_ms goes out once more, with the same id
        and marked DUP.
        """
        codes = self._codes
        news = self._news
        packet_id = 0
        try:
            if answer:
                while len(codes) >= _WINDOW and not self.failure:
                    news.clear()
                    await news.wait()
                self._last_id = packet_id = self._last_id % _LAST_ID + 1
                codes[packet_id] = -answer
            await self._put(packet_id, 0, encode, arguments)
            began = due_ms = time.ticks_ms()
            repeat = answer == _PUBACK
            half_ms = (patience_ms + 1) >> 1
            while answer and codes[packet_id] < 0:
                self._check()
                if not self._reader:
                    await self._receive()
                elif await self._is_quiet(half_ms, due_ms):
                    due_ms = time.ticks_add(due_ms, half_ms)
                    if min(self._since(began), self._since(self._heard_ms)) >= patience_ms:
                        raise self._broken("no_answer")
                    if repeat:
                        repeat = False
                        await self._put(packet_id, _DUP, encode, arguments)
            return codes.get(packet_id)
        finally:
            codes.pop(packet_id, None)
            news.set()

    async def _is_quiet(self, half_ms, since_ms):
        """Wait for news until half_ms after since_ms; return whether that time is over."""
        left_ms = half_ms - self._since(since_ms)
        if left_ms <= 0:
            return True
        self._news.clear()
        try:
            await asyncio.wait_for_ms(self._news.wait(), left_ms)
        except asyncio.TimeoutError:
            pass
        return False

    def _since(self, ticks):
        return time.ticks_diff(time.ticks_ms(), ticks)

    async def _put(self, packet_id, mark, encode, arguments):
        """Let the codec write one packet, mark its first byte, send it in one piece."""
        wire = self._wire
        async with self._writing:
            self._check()
            wire.end = wire.size = -1  # there is nothing to read
            wire.out = _EVERYDAY
            wire.limit = _LONGEST
            self._codec.pid = packet_id - 1  # it adds one
            try:
                encode(*arguments)
            except EOFError:
                pass  # written; the codec would now wait for the answer
            self._buffer[_EVERYDAY] |= mark
            await self._write(_EVERYDAY, wire.out)

    async def _write(self, start, end):
        try:
            await self._stream.write(self._buffer[start:end])
        except BaseException:
            self.over("closed")  # half a packet may be on its way: nothing after it would be understood
            raise
        self._sent_ms = time.ticks_ms()

    async def _in_time(self, work, timeout_ms, doing):
        try:
            return await asyncio.wait_for_ms(work, timeout_ms or self._answer_ms)
        except asyncio.TimeoutError:
            self.over("no_answer")
            raise MqttError("no_answer", doing) from None

    def _check(self):
        if self.failure:
            raise MqttError(self.failure)

    def _broken(self, code):
        self.over(code)
        return MqttError(code)

    def over(self, code):
        """End the session: everybody who waits is told, and the next session may have the buffer."""
        if self.failure:
            return
        self.failure = code
        self._news.set()
        if not _spare:
            _spare.append(self._buffer)
        if self._reader and self._reader is not asyncio.current_task():
            self._reader.cancel()

    async def _keep_alive(self):
        """Ping when nothing was sent, or nothing came, for 7/8 of the keepalive; silence ends the session.

        Where heartbeats are acknowledged more often than that, there are no pings.
        """
        due_ms = self._keepalive_ms - (self._keepalive_ms >> 3)
        while due_ms:
            now = time.ticks_ms()
            quiet_ms = max(time.ticks_diff(now, self._sent_ms), time.ticks_diff(now, self._heard_ms))
            if quiet_ms < due_ms:
                await asyncio.sleep_ms(due_ms - quiet_ms)
                continue
            try:
                await self._in_time(self._send(0, 0, self._codec.ping), None, "ping")
            except Exception:  # of any stream; _write() has ended the session, or this does
                self.over("no_answer")
                return
            await asyncio.sleep_ms(self._answer_ms)
            if time.ticks_diff(self._heard_ms, now) < 0:
                self.over("no_answer")

    async def _receive(self):
        """Take in one packet and deal with it."""
        await asyncio.sleep_ms(0)  # a full buffer of short packets would hold the loop
        buffer = self._buffer
        size = self._measure()
        while not size:
            await self._fill(_EVERYDAY)
            size = self._measure()
        if size < 0:
            raise self._broken("protocol")
        end = min(size, _LONGEST)
        is_long = size > _EVERYDAY
        if is_long:
            await self._writing.acquire()
        try:
            while self._tail < end:
                await self._fill(end if is_long else _EVERYDAY)
            self._heard_ms = time.ticks_ms()
            await self._take(size, end)
            rest = self._tail - end
            buffer[:rest] = buffer[end : self._tail]
            self._tail = rest
            while size > end:  # what is longer than the buffer is read off the stream
                await self._fill(min(size - end, _LONGEST))
                size -= self._tail
                self._tail = 0
        finally:
            if is_long:
                self._writing.release()
        if self._owed == _BUFFER_BYTES or self._owed > _LONGEST and not 0 < self._measure() <= self._tail:
            async with self._writing:
                self._check()
                await self._write(_LONGEST, self._owed)
            self._owed = _LONGEST

    async def _take(self, size, end):
        """Deal with the packet in buffer[:end], again where there was no memory for it."""
        tries = _MEMORY_TRIES
        while tries:
            try:
                self._decode(size, end)
                return
            except MemoryError:
                tries -= 1
                if not tries:
                    raise
                await asyncio.sleep_ms(_MEMORY_MS)

    async def _fill(self, limit):
        """Read what there is, at most up to buffer[limit]."""
        n = await self._stream.readinto(self._buffer[self._tail : limit])
        if not n:
            raise self._broken("closed")
        self._tail += n

    def _measure(self):
        """Size of the packet that arrives, with its header; 0 while that cannot be told, -1 when it is none."""
        buffer = self._buffer
        size = 0
        for i in range(1, 5):
            if i >= self._tail:
                return 0
            size |= (buffer[i] & 0x7F) << 7 * (i - 1)
            if buffer[i] < 0x80:
                size += i + 1
                flags = buffer[0]
                if flags & _QOS <= _QOS1 if flags & _TYPE == _PUBLISH else _SIZES[flags >> 4] == size:
                    return size
                break
        return -1

    def _decode(self, size, end):
        """Note what the packet in buffer[:end] says."""
        buffer = self._buffer
        kind = buffer[0] & _TYPE
        if (kind == _CONNACK) != (self._connack is None):
            raise self._broken("protocol")  # it comes first, and once
        if kind == _PUBLISH:
            wire = self._wire
            wire.at = 0
            wire.end = end
            wire.size = size
            wire.out = self._owed
            wire.limit = _BUFFER_BYTES
            try:
                self._codec.wait_msg()
            except (EOFError, AssertionError):
                raise self._broken("protocol") from None
            self._owed = wire.out
        elif kind == _CONNACK:
            self._connack = buffer[3]
        elif size > 2:
            packet_id = buffer[2] << 8 | buffer[3]
            if self._codes.get(packet_id) == -kind:
                self._codes[packet_id] = buffer[4] if kind == _SUBACK else 0
                self._news.set()

    def _on_publish(self, topic, payload):
        """The codec has read a PUBLISH."""
        if len(payload) > _MAX_PAYLOAD:
            self.oversized += 1
        else:
            flags = self._buffer[0]
            self._on_message(bytes(topic), payload, bool(flags & _RETAIN), bool(flags & _DUP))
