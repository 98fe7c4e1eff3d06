"""What passes between the terminal and the platform while a session is up: login, reports, heartbeats, orders and answers.

Owns the answers not yet sent, the heartbeat's memory and the counters of orders. Times: ms since 1970 on the wire, seconds
since boot inside.
"""

import asyncio

from micropython import const

from terminal import protocol
from terminal.clock import PLATFORM
from terminal.mqtt import MqttError
from terminal.outbox import ALARM, EVENT, POSITION

_ACK_MS = const(20000)  # a PUBACK later than this is a dead link
_ANSWERS = const(16)  # answers that wait for the line at the most


class Desk:
    """Takes orders to the guard and brings reports to the platform.

    profile: see `terminal.profiles`. parts: the module `terminal.parts`. outbox: what waits. facts: `terminal.facts.Facts`.
    """

    def __init__(self, profile, parts, outbox, facts):
        self.place = None  # content of the last position reported, stamped; goes with each switching
        self.counters = {"orders": 0, "malformed": 0, "retained": 0, "strange": 0, "unsent": 0}
        self.beat = None
        self._profile = profile
        self._clock = parts.clock
        self._guard = parts.guard
        self._outbox = outbox
        self._boot = parts.store.number
        self._facts = facts
        self._heartbeat_s = parts.config.heartbeat_s
        self._heartbeat = protocol.Heartbeat(parts.config.full_heartbeat_s)
        self._heartbeat_due_s = 0
        self._is_platform_proved = parts.config.tls
        self._answers = []
        self._to_answer = asyncio.Event()
        self._to_report = asyncio.Event()

    def moment(self):
        """Return now as the protocol wants it: (ms since 1970 or None, boot number, ms since boot)."""
        return (self._clock.wall_ms(), self._boot, self._clock.boot_ms())

    # ---- reports from inside

    def report_event(self, on, cause, job, estimated, moment=None):
        """Report a switching at once; an estimated one happened at `moment`."""
        seq = self._outbox.sequence + 1
        content = protocol.event(1 if on else 0, cause, job, seq, moment or self.moment(), estimated, self.place)
        self._add(EVENT, protocol.HEARTBEAT, content)

    def report_alarm(self, content):
        """Report an alarm: a content of `protocol.alarm`."""
        self._add(ALARM, protocol.ALARM, content)

    def report_position(self, content):
        """Report a position (stamped content of `protocol.position`), and remember it as the last place."""
        if content["source"] != "none":
            self.place = content
        self._add(POSITION, protocol.POSITION, content)

    def _add(self, rank, code, content):
        self._outbox.add(rank, code, content)
        self._to_report.set()

    # ---- orders from the platform

    def on_message(self, topic, payload, retained, _dup):
        """Take one message of the session; short, and never raises for what is in it."""
        if self._profile.is_command(topic):
            self._order(topic, payload, retained)
            return
        told = self._profile.parse_event(topic, payload, self._clock.boot_ms())
        if told is None:
            self.counters["strange"] += 1
        else:
            self._clock.set_ms(told[1], PLATFORM if self._is_platform_proved else "event")

    def _order(self, topic, payload, retained):
        self.counters["orders"] += 1
        request_id = self._profile.request_id(topic)
        try:
            order = protocol.parse_command(self._profile.decode_command(payload))
        except protocol.Malformed:
            self.counters["malformed"] += 1
            self.answer(request_id, 500, "malformed")
            return
        if retained and order.action == "1":
            self.counters["retained"] += 1  # a broker's memory is no order; a stop is one whoever kept it
            return
        now_ms = self._clock.wall_ms()
        is_aged = order.issued_ms is not None and now_ms is not None
        self._guard.tell(
            self._guard.interlock.command,
            int(order.action),
            request_id,
            order.job,
            (now_ms - order.issued_ms) // 1000 if is_aged else None,
            "platform",
            order.barred,
            order.out_of_service,
        )

    def answer(self, request_id, code, text):
        """Answer an order; one that came without an id is not answered."""
        if request_id is None:
            return
        if len(self._answers) >= _ANSWERS:
            self._answers.pop(0)
            self.counters["unsent"] += 1
        self._answers.append((request_id, code, text, self._guard.interlock.job))
        self._to_answer.set()

    # ---- the session

    async def log_in(self, session):
        """Send 00 and wait until the platform has it. Raises MqttError when it does not come through."""
        self._heartbeat.restart()
        self._heartbeat_due_s = self._clock.now_s()
        content = protocol.stamped(self._facts.papers(), self.moment())
        await self._publish(session, protocol.LOGIN, content)

    async def serve(self, session, reader):
        """Send answers, reports and heartbeats until the session ends; raises what ended it.

        reader: the task of `session.run()`.
        """
        answering = asyncio.create_task(self._send_answers(session))
        try:
            request = self._profile.time_request(self._clock.boot_ms())
            if request:
                await session.publish(request[0], request[1], 1, _ACK_MS)
            while not reader.done():
                await self._send_one(session)
            await reader
            raise MqttError("ended")
        finally:
            answering.cancel()

    async def leave(self, session, reason):
        """Say Z0 and disconnect in order, before a planned restart."""
        try:
            await self._publish(session, protocol.OFFLINE, protocol.offline(reason))
            await session.disconnect()
        except (MqttError, OSError):
            pass  # the platform learns it from the will or its own time-out

    async def _send_answers(self, session):
        while True:
            while self._answers:
                waiting = self._answers.pop(0)
                request_id, code, text, job = waiting
                body = protocol.answer(code, text, self._clock.wall_ms(), job)
                topic = self._profile.response_topic(request_id)
                try:
                    await session.publish(topic, self._profile.encode_response(body), 1, _ACK_MS)
                except (MqttError, OSError):
                    self._answers.insert(0, waiting)
                    return  # the reader sees the same and ends the session; the answer is for the next one
            self._to_answer.clear()
            await self._to_answer.wait()

    async def _send_one(self, session):
        """Send what is due first, or wait a second at the most for something to become due."""
        if self.beat:
            self.beat()
        now_s = self._clock.now_s()
        record = self._outbox.first()
        if now_s >= self._heartbeat_due_s:
            self._heartbeat_due_s = now_s + self._heartbeat_s
            content = self._heartbeat.content(now_s, self._facts.heartbeat())
            await self._publish(session, protocol.HEARTBEAT, content)
            self._heartbeat.acknowledged(content, now_s)
        elif record:
            content = record[3]
            if self._clock.known:  # a report made before that gets its time now
                protocol.dated(content.get("event", content), self._boot, self._clock.wall_ms_of(0))
            await self._publish(session, record[2], content)
            self._outbox.done(record)
        else:
            self._to_report.clear()
            try:
                await asyncio.wait_for_ms(self._to_report.wait(), 1000)
            except asyncio.TimeoutError:
                pass

    async def _publish(self, session, code, content):
        payload = self._profile.encode_uplink(protocol.uplink(code, content))
        await session.publish(self._profile.up_topic(code), payload, 1, _ACK_MS)
