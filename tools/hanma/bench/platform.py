"""The platform: the rules of the measure connected to a broker.

It owns the connection, what is known of each terminal, the orders under way, and the journal and store it
writes to. Every step goes the same way: the rules decide, the journal and the store are written, then
messages go out. Times in records are milliseconds on `clock_ms` (the world's clock); waiting is measured on
the real one.
"""

import asyncio
import itertools
import secrets
import ssl
import time
from collections import deque
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

import aiomqtt

from ..carriage import EVENT, RESPONSE, UP, Plain
from .device import DeviceView
from .people import new_ref
from .regulation import Regulation

ANSWER_TIMEOUT_S = 20  # a command that is not answered by then counts as unanswered (IoTDA's own limit)
_RECONNECT_S = (0.5, 1, 2, 5)
_TICK_S = 0.5
_PORTS = {"mqtt": 1883, "mqtts": 8883}


class PlatformError(Exception):
    """The platform cannot do what was asked: the address makes no sense, or there is no connection."""


class Answer(NamedTuple):
    """A terminal's answer to one command; `code` is None when none came in time. `took_ms` on the real
    clock."""

    request_id: str
    code: int | None
    message: str = ""
    result: object = None
    took_ms: float | None = None


class Seen(NamedTuple):
    """One message for the screen: `direction` "up" or "down", `name` what it is, `body` its JSON or None."""

    t_ms: int
    direction: str
    device: str
    name: str
    body: dict | None


def wall_clock_ms():
    """Milliseconds since 1970."""
    return time.time_ns() // 1_000_000


class _Client(aiomqtt.Client):
    """aiomqtt's client, but one whose connecting may be cancelled and that leaves no error unread behind."""

    async def __aenter__(self):
        connecting = asyncio.ensure_future(super().__aenter__())
        try:
            return await asyncio.shield(connecting)
        except asyncio.CancelledError:
            (result,) = await asyncio.gather(connecting, return_exceptions=True)
            if result is self:
                await self.__aexit__(None, None, None)
            raise

    async def __aexit__(self, *error):
        try:
            await super().__aexit__(*error)
        finally:
            if self._disconnected.done() and not self._disconnected.cancelled():
                self._disconnected.exception()


class Platform:
    """Connect it with `run()` as a task; then scan, confirm, finish. All public coroutines may be cancelled.

    url       mqtt://[user[:password]@]host[:port], or mqtts://…
    people    the store (people.People); the rules ask it who is registered
    journal   journal.Journal
    carriage  carriage.Plain() (the default) or carriage.Iotda()
    ca_file   CA file for mqtts, else the system's
    """

    def __init__(self, url, people, journal, *, carriage=None, settings=None, clock_ms=wall_clock_ms,
                 ca_file=None, answer_timeout_s=ANSWER_TIMEOUT_S):
        self.people, self.journal, self.clock_ms = people, journal, clock_ms
        self.rules = Regulation(people, settings, people.open_jobs())
        self.carriage = carriage or Plain()
        self.devices = {}
        self.messages = deque(maxlen=200)
        self.seen_count = 0  # messages ever, also those no longer in `messages`
        self.answers = deque(maxlen=1000)
        self.connected = asyncio.Event()
        self.watchers = []
        self._where = _parse_url(url, ca_file)
        self._answer_timeout_s = answer_timeout_s
        self._client = None
        self._pending = {}
        self._waiting = set()
        self._tasks = set()

    # ---- the connection

    async def run(self):
        """Connects, and again for ever with growing pauses, until cancelled."""
        ticking = asyncio.create_task(self._tick_for_ever())
        try:
            for attempt in itertools.count():
                try:
                    await self._session()
                except aiomqtt.MqttError as error:
                    self.journal.note("link_lost", error=str(error))
                self._changed()
                await asyncio.sleep(_RECONNECT_S[min(attempt, len(_RECONNECT_S) - 1)])
        finally:
            await _end_tasks([ticking, *self._tasks])

    async def _session(self):
        async with _Client(identifier=f"hanma-bench-{secrets.token_hex(4)}", **self._where) as client:
            for topic in self.carriage.subscriptions():
                await client.subscribe(topic, qos=1)
            self._client = client
            self.connected.set()
            self._changed()
            try:
                async for message in client.messages:
                    self._received(message.topic.value, bytes(message.payload or b""))
            finally:
                self._client = None
                self.connected.clear()

    async def _publish(self, topic, payload):
        if self._client is None:
            raise PlatformError("no connection to the broker")
        self.journal.message("down", topic, payload)
        try:
            await self._client.publish(topic, payload, qos=1)
        except aiomqtt.MqttError as error:
            raise PlatformError(str(error)) from error

    # ---- what people do

    async def scan(self, device_id, welder_ref):
        """A welder scans the code. Returns the rules' Outcome; without a refusal its job waits for the
        guardian."""
        return self._step("scan", self.rules.scan(device_id, welder_ref, self.clock_ms(), new_ref("j")))

    async def confirm(self, job_id, guardian_ref, checks=None, photo=None):
        """The guardian confirms, and the order goes out at once. Returns the Outcome after the terminal's
        answer."""
        now_ms = self.clock_ms()
        outcome = self._step("confirm", self.rules.confirm(job_id, guardian_ref, now_ms, checks, photo))
        return outcome if outcome.refusal else await self.order(job_id)

    async def order(self, job_id):
        """Orders a guarded job. Returns the Outcome after the answer (or after none: the job stays
        "ordered")."""
        request_id = secrets.token_hex(8)
        outcome = self._step("order", self.rules.order(job_id, request_id, self.clock_ms()))
        if outcome.refusal:
            return outcome
        answer = await self.command(outcome.job.device, 1, job=job_id, request_id=request_id)
        return self._settle(job_id, answer)

    async def finish(self, job_id):
        """The welder ends the work. Returns the Outcome; a stop nobody answered goes out again until the
        terminal has carried it out."""
        outcome = self._step("finish", self.rules.finish(job_id, self.clock_ms()))
        return await self._stop(outcome.job) if outcome.stop else outcome

    async def stop(self, device_id, barred=False):
        """An order 0 outside any job; `barred` also shuts emergencies until the next order 1. Returns the
        Answer."""
        return await self.command(device_id, 0, barred=barred)

    async def out_of_service(self, device_id, flag):
        """Takes a device out of service, or puts it back (which powers nothing). Returns the Answer."""
        device = self.people.device(device_id)
        if device:
            self.people.put(device.changed(in_service=not flag))
        return await self.command(device_id, 0, extra={"out_of_service": flag})

    # ---- commands

    async def command(self, device_id, action, *, job=None, barred=False, request_id=None, extra=None):
        """Sends one command and waits for its answer, at most the answer time-out. Returns an Answer."""
        request_id = request_id or secrets.token_hex(8)
        content = {"issued_ms": self.clock_ms(), "barred": barred, **(extra or {})}
        if job:
            content["job"] = job
        body = {"actionCode": str(action), "actionName": "开" if action else "关", "content": content}
        topic, payload = self.carriage.command(device_id, request_id, body)
        answered = asyncio.get_running_loop().create_future()
        self._pending[device_id, request_id] = answered
        self._seen("down", device_id, "switch_on" if action else "switch_off", body)
        sent_ns = time.monotonic_ns()
        try:
            await self._publish(topic, payload)
            reply, at_ns = await asyncio.wait_for(answered, self._answer_timeout_s)
        except (asyncio.TimeoutError, PlatformError) as error:
            self.journal.note("unanswered", device=device_id, request_id=request_id, error=str(error))
            return Answer(request_id, None, str(error))
        finally:
            self._pending.pop((device_id, request_id), None)
        answer = Answer(request_id, _code(reply), str(reply.get("message") or ""), reply.get("result"),
                        (at_ns - sent_ns) / 1e6)
        self.answers.append(answer)
        return answer

    async def _stop(self, job):
        request_id = job.off.request_id if job.off and job.off.request_id else secrets.token_hex(8)
        self._step("stop", self.rules.stop_sent(job.job, request_id))
        answer = await self.command(job.device, 0, job=job.job, request_id=request_id)
        return self._settle(job.job, answer)

    def _settle(self, job_id, answer):
        if answer.code is None:
            return self.rules.job_now(job_id)
        detail = _reason_of(answer)
        outcome = self.rules.answered(job_id, answer.request_id, answer.code, self.clock_ms(), detail)
        return self._step("answer", outcome)

    # ---- what terminals say

    def _received(self, topic, payload):
        self.journal.message("up", topic, payload)
        uplink = self.carriage.parse(topic, payload)
        if uplink is None:
            return
        device = self.devices.setdefault(uplink.device, DeviceView(uplink.device))
        if uplink.body is None:
            device.unread()
        else:
            self._HANDLERS[uplink.kind](self, device, uplink)
        self._changed()

    def _report(self, device, uplink):
        name, switching = device.apply(uplink.body, self.clock_ms())
        self._seen("up", device.id, name or "unknown", uplink.body)
        if switching:
            switching = switching._replace(position=switching.position or device.position)
            self._step("switched", self.rules.switched(switching, self.clock_ms()), act=True)
        if name == "login":
            self._send_owed_stops()

    def _send_owed_stops(self):
        """A stop that was wanted goes out again until it was carried out; one at a time, under its own id."""
        for device in self.devices.values():
            for job in self.rules.owed_stops(device.id) if device.online and self._client else ():
                if (device.id, job.off.request_id) not in self._pending:
                    self._later(self._stop(job))

    def _response(self, device, uplink):
        self._seen("up", device.id, "answer", uplink.body)
        answered = self._pending.get((device.id, uplink.request_id))
        if answered is None:
            self.journal.note("late_answer", device=device.id, request_id=uplink.request_id)
        elif not answered.done():
            answered.set_result((uplink.body, time.monotonic_ns()))

    def _event(self, device, uplink):
        reply = self.carriage.answer_event(uplink, self.clock_ms())
        if reply:
            self._later(self._publish(*reply))

    _HANDLERS = {UP: _report, RESPONSE: _response, EVENT: _event}

    # ---- waiting and watching

    async def wait_until(self, condition, timeout_s):
        """Waits until `condition()` is true, looked at whenever something happens. Returns its last value."""
        deadline = time.monotonic() + timeout_s
        while not (value := condition()):
            left_s = deadline - time.monotonic()
            if left_s <= 0:
                break
            woken = asyncio.get_running_loop().create_future()
            self._waiting.add(woken)
            try:
                await asyncio.wait_for(woken, left_s)
            except asyncio.TimeoutError:
                pass
            finally:
                self._waiting.discard(woken)
        return value

    def _changed(self):
        for woken in self._waiting:
            if not woken.done():
                woken.set_result(None)
        for watcher in self.watchers:
            watcher()

    def _seen(self, direction, device_id, name, body):
        self.messages.append(Seen(self.clock_ms(), direction, device_id, name, body))
        self.seen_count += 1
        self._changed()

    # ---- keeping

    def _step(self, step, outcome, act=False):
        """Writes what a step changed to the store and the journal; `act`: also sends the stop it asks for."""
        for job in self.rules.take_changed():
            self.people.put(job)
            self.journal.job(step, job)
        if outcome.refusal:
            job_id = outcome.job.job if outcome.job else None
            self.journal.note("refused", step=step, job=job_id, **outcome.refusal.model_dump())
        if act and outcome.stop:
            self._later(self._stop(outcome.job))
        self._changed()
        return outcome

    async def _tick_for_ever(self):
        while True:
            for outcome in self.rules.tick(self.clock_ms()):
                self._step("lapse", outcome, act=True)
            self._send_owed_stops()
            await asyncio.sleep(_TICK_S)

    def _later(self, work):
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._finished)

    def _finished(self, task):
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            self.journal.note("failed", error=repr(task.exception()))


def _parse_url(url, ca_file):
    parts = urlsplit(url)
    if parts.scheme not in _PORTS or not parts.hostname:
        raise PlatformError(f"not an address of a broker: {url} (mqtt://host:port or mqtts://host:port)")
    where = {"hostname": parts.hostname, "port": parts.port or _PORTS[parts.scheme]}
    if parts.username:
        where.update(username=unquote(parts.username), password=unquote(parts.password or ""))
    if parts.scheme == "mqtts":
        where["tls_context"] = ssl.create_default_context(cafile=ca_file)
    return where


def _code(reply):
    code = reply.get("code")
    if isinstance(code, int):
        return code
    return 200 if reply.get("success") is True else 500


def _reason_of(answer):
    result = answer.result
    if isinstance(result, dict) and result.get("answer"):
        return str(result["answer"])
    return answer.message or (str(result) if result else "")


async def _end_tasks(tasks):
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
