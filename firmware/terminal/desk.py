"""What passes between the terminal and the platform while a session is up: login, reports, heartbeats, orders and answers.

Owns the answers not yet sent, the reports in flight, the heartbeat's memory and the counters of orders. Times: ms since 1970 on
the wire, seconds since boot inside.
"""

import asyncio
import json

from micropython import const

from terminal import protocol
from terminal.borrow import borrow
from terminal.clock import PLATFORM
from terminal.mqtt import MqttError
from terminal.outbox import ALARM, EVENT, POSITION

_ACK_MS = const(20000)  # a PUBACK later than this is a dead link
_ANSWERS = const(16)  # answers that wait for the line at the most
_ROOM_MS = const(1000)  # after a MemoryError others soon give their memory back
_ALONE = const(5)  # so many _ROOM_MS the first heartbeat has to itself; a platform that never acknowledges it gets the reports
_SENDERS = const(2)  # reports in flight; the session takes four, an answer and a heartbeat never wait for a backlog


class Desk:
    """Takes orders to the guard and brings reports to the platform.

    profile: see `terminal.profiles`. parts: the module `terminal.parts`. outbox: what waits. herald: `terminal.herald.Herald`.
    """

    def __init__(self, profile, parts, outbox, herald):
        self.place = None  # content of the last position reported, stamped; goes with each switching
        self.counters = {"orders": 0, "malformed": 0, "retained": 0, "strange": 0, "unsent": 0}
        self.beat = None
        self._profile = profile
        self._parts = parts
        self._outbox = outbox
        self._herald = herald
        self._known = {}  # what the platform has of the heartbeats
        self._heartbeat_due_s = 0
        self._answers = []
        self._to_answer = asyncio.Event()
        self._to_report = asyncio.Event()

    def moment(self):
        """Return now as the protocol wants it: (ms since 1970 or None, boot number, ms since boot)."""
        clock = self._parts.clock
        return (clock.wall_ms(), self._parts.store.number, clock.boot_ms())

    # ---- reports from inside

    def report_event(self, on, cause, job, estimated, moment):
        """Report a switching; an estimated one happened at `moment`, any other (None) now."""
        seq = self._outbox.sequence + 1
        self.report(protocol.event(1 if on else 0, cause, job, seq, moment or self.moment(), estimated, self.place))

    def report(self, content):
        """Report an alarm, a switching (contents of `protocol`), a restart, a self test, a rehearsal or a position (of `reports`,
        stamped)."""
        if "kind" in content:
            rank, code = ALARM, protocol.ALARM
        elif "event" in content:
            is_grave = content["event"]["cause"].startswith("emergency")
            rank, code = ALARM if is_grave else EVENT, protocol.HEARTBEAT
        elif "restart" in content or "self_test" in content or "upgrade" in content or "rehearsal" in content:
            rank, code = EVENT, protocol.HEARTBEAT
        else:
            rank, code = POSITION, protocol.POSITION
            if content["source"] != "none":
                self.place = dict(content)
        self._outbox.add(rank, code, content)
        self._to_report.set()

    # ---- orders from the platform

    def on_message(self, topic, payload, retained, _dup):
        """Take one message of the session; short, and never raises for what is in it."""
        profile = self._profile
        counters = self.counters
        clock = self._parts.clock
        request_id = profile.order_id(topic)
        if request_id is None:
            told = profile.parse_event(topic, payload, clock.boot_ms())
            if told is None:
                if retained or b"$ota" not in payload or not borrow("order").event(self._herald, payload):
                    counters["strange"] += 1
            else:
                clock.set_ms(told[1], PLATFORM if self._parts.config.tls else "event")  # without TLS nobody proves who it is
            return
        counters["orders"] += 1
        try:
            action, job, issued_ms, barred, out_of_service = protocol.parse_command(profile.decode_command(payload), payload)
        except protocol.Malformed:
            if b"upgrade" in payload and not retained:
                answer = borrow("order").take(self._herald, profile.decode_command(payload))
                if answer:
                    self.answer(request_id, *answer)
                    return
            counters["malformed"] += 1
            self.answer(request_id, 500, "malformed")
            return
        if retained and action == "1":
            counters["retained"] += 1  # a broker's memory is no order; a stop is one whoever kept it
            return
        age_s = None
        now_ms = clock.wall_ms()
        if issued_ms is not None and now_ms is not None:
            age_s = (now_ms - issued_ms) // 1000
        guard = self._parts.guard
        command = guard.interlock.command
        guard.tell(command, int(action), request_id or None, job, age_s, "platform", barred, out_of_service)
        if action == "0":
            text = bytes(payload)
            if guard.rehearsal or b"self_test" in text or b"rehearsal" in text:
                borrow("wishes").take(self._herald, profile.decode_command(payload), retained, age_s)

    def answer(self, request_id, code, text):
        """Answer an order; one that came without an id is not answered."""
        if not request_id:
            return
        answers = self._answers
        if len(answers) >= _ANSWERS:
            answers.pop(0)
            self.counters["unsent"] += 1
        answers.append((request_id, code, text, self._parts.guard.interlock.job))
        self._to_answer.set()

    # ---- the session

    async def log_in(self, session):
        """Send 00 and wait until the platform has it. Raises MqttError when it does not come through."""
        self._known = {}
        self._heartbeat_due_s = self._parts.clock.now_s()
        content = protocol.stamped(borrow("papers").papers(self._herald), self.moment())
        await self._publish(session, protocol.LOGIN, content)

    async def serve(self, session, reader):
        """Send answers, reports and heartbeats until the session ends; raises what ended it.

        reader: the task that runs the session and returns the exception that ended it.
        """
        tasks = [asyncio.create_task(self._send_answers(session)), asyncio.create_task(self._send_reports(session))]
        try:
            request = self._profile.time_request(self._parts.clock.boot_ms())
            if request:
                await session.publish(request[0], request[1], 1, _ACK_MS)
            await self._send_heartbeat(session)
            while len(tasks) <= _SENDERS:
                tasks.append(asyncio.create_task(self._send_reports(session)))
            while not reader.done():
                await self._send_heartbeat(session)
                for task in tasks:
                    if task.done():  # for want of memory, or the session is over: the next one has them all again
                        raise MqttError("ended")
            raise await reader or MqttError("ended")
        finally:
            for task in tasks:
                task.cancel()

    async def leave(self, session, reason):
        """Say Z0 and disconnect in order, before a planned restart."""
        try:
            await self._publish(session, protocol.OFFLINE, {"reason": reason})
            await session.disconnect()
        except (MqttError, OSError):
            pass  # the platform learns it from the will or its own time-out

    async def _send_answers(self, session):
        answers = self._answers
        profile = self._profile
        while True:
            while answers:
                waiting = answers.pop(0)
                request_id, code, text, job = waiting
                try:
                    body = protocol.answer(code, text, self._parts.clock.wall_ms(), job)
                    await session.publish(profile.response_topic(request_id), profile.encode_response(body), 1, _ACK_MS)
                except BaseException as error:
                    if not self._is_hopeless(session, error):
                        answers.insert(0, waiting)
                        if _ends(session, error):
                            return  # the answer is for the next session
                        await asyncio.sleep_ms(_ROOM_MS)
            self._to_answer.clear()
            await self._to_answer.wait()

    async def _send_reports(self, session):
        """Send what waits in the outbox, one after the other; a record leaves it only when it is acknowledged.

        The first heartbeat, the long one that tells everything, goes before, so that it has the heap to itself.
        """
        outbox = self._outbox
        left = _ALONE
        while left and not self._known:
            left -= 1
            await asyncio.sleep_ms(_ROOM_MS)
        while True:
            self._tell_gaps()
            record = outbox.next()
            if not record:
                self._to_report.clear()
                await self._to_report.wait()
                continue
            try:
                await self._publish(session, record[3], self._dated(record))
            except BaseException as error:
                if not self._is_hopeless(session, error):
                    outbox.undone(record)
                    if _ends(session, error):
                        return
                    await asyncio.sleep_ms(_ROOM_MS)
                    continue
            outbox.done(record)

    def _is_hopeless(self, session, error):
        """Return whether what failed so will never be sent, and count it: too long, or not what we write."""
        if session.failure or not isinstance(error, (MqttError, ValueError, TypeError, AttributeError)):
            return False
        self.counters["unsent"] += 1
        return True

    def _tell_gaps(self):
        """Report what had to be dropped, so that every missing number is explained; after the alarms, whose room it might take."""
        outbox = self._outbox
        if not outbox.gaps or outbox.has_alarms():
            return
        for rank in list(outbox.gaps):
            names = outbox.gaps[rank]
            try:
                content = borrow("reports").gap(rank, names, self.moment())
            except (ImportError, OSError):
                return  # told when flash can be read again
            alarms = outbox.gaps.get(ALARM)
            self.report(content)
            # else the report itself has cost more of them, or found no room: that is told next
            if outbox.gaps[rank] == names and outbox.gaps.get(ALARM) == alarms:
                outbox.told(rank)

    def _dated(self, record):
        """Return a record's content: as it lies on flash, but with its time where that was not known when it was made."""
        body = record[4]
        clock = self._parts.clock
        if record[1] != self._parts.store.number or not clock.known or b":null" not in body:
            return body
        content = json.loads(body)
        protocol.dated(content.get("event", content), record[1], clock.wall_ms_of(0))
        return content

    async def _send_heartbeat(self, session):
        """Send the heartbeat when it is due, or wait a second at the most until it is."""
        if self.beat:
            self.beat()
        now_s = self._parts.clock.now_s()
        if now_s < self._heartbeat_due_s:
            await asyncio.sleep_ms(1000)
            return
        config = self._parts.config
        self._heartbeat_due_s = now_s + config.heartbeat_s
        content = protocol.heartbeat(self._known, self._herald.heartbeat(), now_s, config.full_heartbeat_s)
        await self._publish(session, protocol.HEARTBEAT, content)
        content.pop("counters", None)  # what is never compared need not be kept
        self._known.update(content)

    async def _publish(self, session, code, content):
        await session.publish(self._profile.up_topic, protocol.uplink(code, content), 1, _ACK_MS)


def _ends(session, error):
    """Return True where the session is over, which its reader tells; False where it is to be tried again. Raises anything else."""
    if isinstance(error, MemoryError) and not session.failure:
        return False
    if session.failure and isinstance(error, Exception):
        return True
    raise error
