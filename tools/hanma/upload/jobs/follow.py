"""Where facts come from: the bench's journal, as it grows, or a broker that one may subscribe to.

Owns no facts: each batch is in the store, together with how far it was read, before the next is read or the broker gets its
acknowledgement. So a follower may be killed at any moment: what it had not kept is told again, and what is told again is
nothing new. Times are milliseconds since 1970.
"""

import json
import threading
import time
from hashlib import sha256
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from ...carriage import Iotda, Plain
from ...jobs import Job
from ..site import SiteError
from .facts import HEARD, Said, Stated, facts_of, numbered, text_of

_BATCH_B = 1 << 18  # of a journal in one transaction
_LONGEST_B = 1 << 16  # no terminal says more at once
_HEAD_B = 256  # of a journal, to know it again
_KEEPALIVE_S = 30
_AGAIN_S = (1, 60)  # before connecting again: at first, at most


class FollowError(Exception):
    """Following can't go on: the broker refuses, or the store does."""


class Settings(BaseModel):
    """The site's [settings.follow]. journal: a file of the bench. url: mqtt:// or mqtts://host[:port] of a broker; its user
    and password are the credentials `broker_user` and `broker_password`. up, command, response: topics of the profile plain
    with {device_id} and {request_id}, for terminals that were configured with others than the default. commands: whether the
    broker lets us hear what is ordered, too."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    journal: str = ""
    url: str = ""
    profile: Literal["plain", "iotda"] = "plain"
    up: str = "welder/{device_id}/up"
    command: str = "welder/{device_id}/command/{request_id}"
    response: str = "welder/{device_id}/response/{request_id}"
    commands: bool = True
    client_id: str = Field("", max_length=64)
    ca_file: str = ""

    @model_validator(mode="after")
    def _one_source(self):
        if bool(self.journal) == bool(self.url):
            raise ValueError("write either journal or url")
        return self

    def carriage(self):
        """Return the carriage of the profile."""
        return Iotda() if self.profile == "iotda" else Plain(self.up, self.command, self.response)


def settings_of(site):
    """Return the site's Settings. SiteError says what is wrong with them."""
    try:
        return Settings(**site.settings.get("follow", {}))
    except (TypeError, ValidationError) as error:
        told = "; ".join(one["msg"] for one in error.errors(include_input=False)) if isinstance(error, ValidationError) else error
        raise SiteError(f"[settings.follow] {told}") from None


class Listener:
    """Makes facts of messages. unread: messages nobody could read. It remembers who is known to be online, so that a
    heartbeat a minute is no fact a minute."""

    def __init__(self, carriage):
        self.carriage = carriage
        self.unread = 0
        self._online = set()

    def hear(self, topic, payload, heard_ms):
        """Return (facts, Number or None) of one message, whoever sent it; nothing for a topic of others."""
        try:
            message = self.carriage.parse(topic, payload) or self.carriage.parse_command(topic, payload)
            if message is None:
                return [], None
            if message.body is None or len(payload) > _LONGEST_B:
                raise ValueError(topic)
            facts = _writable(facts_of(message, heard_ms))
            return [fact for fact in facts if self._is_news(fact)], numbered(message)
        except (ValueError, RecursionError):
            self.unread += 1
            return [], None

    def _is_news(self, fact):
        if not isinstance(fact, Stated) or fact.online is None:
            return True
        known = fact.device in self._online
        (self._online.add if fact.online else self._online.discard)(fact.device)
        return not (known and fact.cause == HEARD)


def _writable(facts):
    """The facts, if all can be written: half a character that JSON lets through is a ValueError."""
    for fact in facts:
        text_of(fact).encode()
    return facts


# ---- the bench's journal


class Journal:
    """Reads the bench's journal on from where the store says that it was read up to.

    It may have been renamed and begun anew, or be written at this moment: a line without its end waits for it."""

    def __init__(self, path, store, carriage):
        self.path, self.store = Path(path), store
        self.listener = Listener(carriage)
        self.lines = self.new = 0
        self._source = f"journal\n{self.path.absolute()}"

    def read(self):
        """Take in what is there; returns how many lines it was."""
        before = self.lines
        mark = self.store.mark(self._source) or {"head": 0, "digest": "", "at": 0}
        if not _is_of(self.path, mark):
            for older in self._older(mark):
                mark = self._read_file(older, mark)
            mark = {"head": 0, "digest": "", "at": 0}
        self._read_file(self.path, mark)
        return self.lines - before

    def follow(self, stop, wait_s=0.5, on_progress=None):
        """Go on until the event `stop` is set. on_progress: called with this reader after each read that brought something."""
        while not stop.is_set():
            if self.read():
                if on_progress:
                    on_progress(self)
            else:
                stop.wait(wait_s)

    def _older(self, mark):
        """The file that was being read, under the name it has now."""
        beside = sorted(self.path.parent.glob(self.path.name + "*")) + sorted(self.path.parent.glob(self.path.stem + "*"))
        return [one for one in dict.fromkeys(beside) if one != self.path and one.is_file() and _is_of(one, mark)][:1]

    def _read_file(self, path, mark):
        while True:
            try:
                with path.open("rb") as file:
                    head = file.read(_HEAD_B)
                    file.seek(mark["at"])
                    piece = file.read(_BATCH_B)
                    whole = piece.rfind(b"\n") + 1
                    if not whole and len(piece) == _BATCH_B:
                        piece += file.readline()
                        whole = len(piece) if piece.endswith(b"\n") else 0
            except FileNotFoundError:
                return mark
            if not whole:
                return mark
            size = min(mark["at"] + whole, len(head))
            mark = {"head": size, "digest": _digest(head[:size]), "at": mark["at"] + whole}
            self._take(piece[:whole].splitlines(), mark)

    def _take(self, lines, mark):
        facts, numbers = [], []
        for line in lines:
            found, number = self._line(line)
            facts += found
            numbers += [number] if number else []
        self.new += self.store.take(facts, numbers, (self._source, mark))
        self.lines += len(lines)

    def _line(self, line):
        try:
            record = json.loads(line)
            reader = {"message": self._message, "job": self._job}.get(record["what"])
            return reader(record) if reader else ([], None)
        except (ValueError, KeyError, TypeError, RecursionError):
            self.listener.unread += 1
            return [], None

    def _message(self, record):
        payload = record["payload"].encode() if "payload" in record else bytes.fromhex(record["hex"])
        return self.listener.hear(record["topic"], payload, record["t_ms"])

    @staticmethod
    def _job(record):
        return _writable([Said(job=Job.model_validate(record["job"]), said_ms=record["t_ms"], source="bench")]), None


def _is_of(path, mark):
    """True when the file begins as the one that was read, and is as long at least (one never read has no beginning)."""
    try:
        with path.open("rb") as file:
            return _digest(file.read(mark["head"])) == (mark["digest"] or _digest(b"")) and path.stat().st_size >= mark["at"]
    except FileNotFoundError:
        return not mark["at"]


def _digest(head):
    return sha256(head).hexdigest()


# ---- a broker


class Broker:
    """Hears terminals through a broker, at QoS 1 in a session that the broker keeps under a fixed client id.

    A message is acknowledged when it is in the store. Lost connections are made again, with growing pauses. `changed` is
    notified on every message and change of `connected`; `trouble` counts connections that did not come about."""

    def __init__(self, site, store, clock_ms=lambda: time.time_ns() // 1_000_000):
        settings = settings_of(site)
        self.store, self._clock_ms = store, clock_ms
        self.listener = Listener(settings.carriage())
        self.messages = self.new = self.trouble = 0
        self.connected = False
        self.error = None
        self.changed = threading.Condition()
        self._filters = self.listener.carriage.subscriptions()
        if settings.commands:
            self._filters.append(self.listener.carriage.command_subscription())
        self._where = _where(settings)
        self._client = self._make(site, settings)

    def _make(self, site, settings):
        client = mqtt.Client(
            CallbackAPIVersion.VERSION2, settings.client_id or f"hanma-upload-{site.name}", clean_session=False, manual_ack=True
        )
        if "broker_user" in site.credentials:
            password = site.secret("broker_password") if "broker_password" in site.credentials else None
            client.username_pw_set(site.secret("broker_user"), password)
        if self._where[2]:
            client.tls_set(ca_certs=str(site.directory / settings.ca_file) if settings.ca_file else None)
        client.reconnect_delay_set(*_AGAIN_S)
        client.on_connect, client.on_disconnect = self._connected, self._disconnected
        client.on_message, client.on_subscribe = self._message, self._subscribed
        client.on_connect_fail = self._not_connected
        return client

    def follow(self, stop, on_progress=None):
        """Go on until the event `stop` is set. FollowError when the broker will never let us in, or the store fails."""
        host, port, _ = self._where
        self._client.connect_async(host, port, keepalive=_KEEPALIVE_S)
        self._client.loop_start()
        try:
            while not stop.is_set() and self.error is None:
                with self.changed:
                    self.changed.wait(0.5)
                if on_progress:
                    on_progress(self)
        finally:
            self._client.disconnect()
            self._client.loop_stop()
        if self.error is not None:
            raise FollowError(str(self.error)) from self.error

    def _connected(self, client, _userdata, _flags, reason, _properties):
        if reason.is_failure:
            if reason.value in _VERDICTS:
                self._fail(FollowError(f"the broker refuses us: {reason}"))
            return
        client.subscribe([(topic, 1) for topic in self._filters])

    def _subscribed(self, _client, _userdata, _mid, reasons, _properties):
        refused = [topic for topic, reason in zip(self._filters, reasons, strict=False) if reason.is_failure]
        if refused:
            self._fail(FollowError(f"the broker lets us not hear {', '.join(refused)}"))
            return
        with self.changed:
            self.connected = True
            self.changed.notify_all()

    def _not_connected(self, *_):
        with self.changed:
            self.trouble += 1
            self.changed.notify_all()

    def _disconnected(self, *_):
        with self.changed:
            self.connected = False
            self.changed.notify_all()

    def _message(self, client, _userdata, message):
        if self.error is not None:
            return
        facts, number = self.listener.hear(message.topic, message.payload, self._clock_ms())
        try:
            if facts or number:
                self.new += self.store.take(facts, [number] if number else [])
        except Exception as error:  # not acknowledged: the broker keeps it for us
            self._fail(error)
            return
        client.ack(message.mid, message.qos)
        with self.changed:
            self.messages += 1
            self.changed.notify_all()

    def _fail(self, error):
        with self.changed:
            self.error = error
            self.changed.notify_all()


# MQTT 5's names for CONNACK 1 (protocol), 2 (client id), 4 (user or password), 5 (not authorised): trying again changes nothing
_VERDICTS = (132, 133, 134, 135)


def _where(settings):
    """Return (host, port, whether with TLS)."""
    parts = urlsplit(settings.url)
    if parts.scheme not in ("mqtt", "mqtts") or not parts.hostname or parts.username:
        raise SiteError(f"{parts.scheme}://{parts.hostname}: write url = \"mqtts://host:port\"; user and password are credentials")
    secure = parts.scheme == "mqtts"
    return parts.hostname, parts.port or (8883 if secure else 1883), secure
