"""A whole world on loopback for one test: broker, platform, modem simulator, and the staged firmware on its chip.

Owns the processes and the directory it is given. Everything is waited for as a condition with a time-out in host seconds.
"""

import atexit
import contextlib
import itertools
import json
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import threading
import time

import paho.mqtt.client as paho

from hanma import stage, toolchain
from hanma.bench import certificates
from host_tests.board import partitions
from host_tests.board.ota_chip import OtaChip
from host_tests.port.chip import Chip
from host_tests.sim.control import Control

ROOT = toolchain.ROOT
RELAY_PIN = 21
DEVICE_ID = "hanma_0001"
SECRET = "12345678"
FACTOR = 20  # terminal seconds per host second
_WAIT_S = 40


def free_port():
    """Return a TCP port that is free at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def staged_tree(board="unix"):
    """Return the staged tree of a board, made once a process; SOURCE=1 stages the sources."""
    source = os.environ.get("SOURCE") == "1"
    out = toolchain.BUILD / f"stage-{board}{'-source' if source else ''}-{os.getpid()}"
    if not out.exists():
        stage.stage(board, out, source=source)
        atexit.register(shutil.rmtree, out, ignore_errors=True)
    return out


def wait_for(condition, what, timeout_s=_WAIT_S):
    """Return condition()'s first true value; AssertionError with `what` after timeout_s."""
    end = time.monotonic() + timeout_s
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(0.02)
    raise AssertionError(f"not within {timeout_s} s: {what() if callable(what) else what}")


class Process:
    """A child that prints one line of JSON when it is ready, and is ended with the block."""

    def __init__(self, command, log):
        with open(log, "ab") as errors:
            self.popen = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, cwd=ROOT)

    def hello(self):
        """Return the first line it prints, as JSON."""
        line = self.popen.stdout.readline()
        if not line:
            raise AssertionError(f"{self.popen.args} ended at once; see the logs")
        return json.loads(line)

    def close(self):
        """End it."""
        self.popen.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.popen.wait(5)
        self.popen.kill()
        self.popen.wait()
        self.popen.stdout.close()


class Platform:
    """The authority's side of the broker: sees every message, gives orders."""

    def __init__(self, port, profile, authority=None, device_id=DEVICE_ID):
        self.messages = []  # (topic, payload as JSON, time in host seconds)
        self.device_id = device_id
        self._numbers = itertools.count(1)
        self._iotda = profile == "iotda"
        self._client = paho.Client(paho.CallbackAPIVersion.VERSION2, client_id="platform", clean_session=True)
        if authority:
            self._client.tls_set(ca_certs=str(authority))
        self._client.on_message = self._on_message
        self._ready = threading.Event()
        self._client.on_connect = lambda client, *_: client.subscribe([("#", 1), ("$oc/#", 1)])
        self._client.on_subscribe = lambda *_: self._ready.set()
        self._client.connect("localhost" if authority else "127.0.0.1", port)
        self._client.loop_start()
        if not self._ready.wait(10):
            raise AssertionError("the broker does not take the platform")

    def _on_message(self, _client, _data, message):
        try:
            topic = message.topic
        except UnicodeDecodeError:
            return  # a hostile server has taken the broker's place; what is raised here would end the client for good
        try:
            payload = json.loads(message.payload)
        except ValueError:
            payload = message.payload
        self.messages.append((topic, payload, time.monotonic()))

    def topic(self, kind, request_id):
        """Return the topic of a command or response."""
        if self._iotda:
            word = "" if kind == "command" else "response/"
            return f"$oc/devices/{self.device_id}/sys/commands/{word}request_id={request_id}"
        return f"welder/{self.device_id}/{kind}/{request_id}"

    def publish(self, topic, payload, retain=False):
        """Publish bytes, text or an object."""
        if not isinstance(payload, (bytes, str)):
            payload = json.dumps(payload)
        self._client.publish(topic, payload, qos=1, retain=retain).wait_for_publish(10)

    def order(self, action, request_id=None, **content):
        """Publish an order; returns its request id."""
        request_id = request_id or f"r{next(self._numbers)}"
        message = {"actionCode": str(action), "content": content}
        if self._iotda:
            message = {"paras": message, "service_id": "welder", "command_name": "switch"}
        self.publish(self.topic("command", request_id), message)
        return request_id

    def answer(self, request_id, timeout_s=_WAIT_S):
        """Wait for the answer to an order and return it."""
        topic = self.topic("response", request_id)

        def found():
            return next((payload for seen, payload, _ in self.messages if seen == topic), None)

        answer = wait_for(found, lambda: f"answer to {request_id} among {self.tail()}", timeout_s)
        return answer.get("paras", answer)

    def uplinks(self, code=None):
        """Return the contents of all uplinks with this actionCode, oldest first."""
        found = [payload for _, payload, _ in self.messages if isinstance(payload, dict) and "content" in payload]
        found = [message for message in found if message.get("actionCode") not in ("0", "1", None)]
        return [message["content"] for message in found if code is None or message["actionCode"] == code]

    def events(self):
        """Return the switchings reported, oldest first."""
        return [content["event"] for content in self.uplinks("FF") if "event" in content]

    def records(self):
        """Return {(boot, seq): content} of everything that must not be lost, as it came first."""
        found = {}
        for content in self.uplinks("FF") + self.uplinks("EF") + self.uplinks("E0"):
            named = content.get("event", content)
            if "seq" in named:
                found.setdefault((named["boot"], named["seq"]), content)
        return found

    def alarms(self, kind=None):
        """Return the alarms reported, of one kind or all."""
        return [content for content in self.uplinks("E0") if kind in (None, content["kind"])]

    def beats(self):
        """Return all heartbeats put together: what the platform knows of the terminal now."""
        known = {}
        for content in self.uplinks("FF"):
            if "event" not in content and "restart" not in content:
                known.update(content)
        return known

    def tail(self, count=12):
        """Return the last messages, for an error's text."""
        return "\n".join(f"{topic} {payload}" for topic, payload, _ in self.messages[-count:])

    def close(self):
        """Leave the broker."""
        self._client.disconnect()
        self._client.loop_stop()


def mosquitto(directory, port, tls=None, users=None):
    """Start mosquitto; returns a Process-like with close()."""
    lines = [f"listener {port} 127.0.0.1", "persistence false", "log_type none", "set_tcp_nodelay true"]
    lines.append("allow_anonymous " + ("false" if users else "true"))
    if tls:
        lines += [f"certfile {tls.certificate}", f"keyfile {tls.key}"]
    path = pathlib.Path(directory) / "mosquitto.conf"
    path.write_text("user root\n" * (os.geteuid() == 0) + "\n".join(lines) + "\n")
    child = Process([str(toolchain.mosquitto()), "-c", str(path)], pathlib.Path(directory) / "mosquitto.log")
    wait_for(lambda: _listens(port), "mosquitto listens", 10)
    return child


def _listens(port):
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False


class World:
    """`with World(tmp_path, …) as world:`: everything runs, the terminal is powered on when the block begins.

    profile: plain or iotda. tls: None, or a kind of server certificate of `certificates.make` ("good", "expired", …).
    broker: "mosquitto", "own" or "amqtt". config: settings beside the harness's own. factor: terminal seconds per host
    second. family: the modem's (see sim.families). sim: more arguments of the simulator. micropython, heap: the
    interpreter and its -X heapsize. partitions: a CSV file of app partitions, between which a bootloader chooses.
    """

    def __init__(
        self,
        directory,
        profile="plain",
        tls=None,
        broker="mosquitto",
        config=None,
        factor=FACTOR,
        sim=(),
        micropython=None,
        heap=None,
        power=True,
        board="unix",
        family="a76xx",
        partitions=None,
    ):
        self.directory = pathlib.Path(directory)
        self.factor = factor
        self._profile = profile
        self._tls = tls
        self._broker_kind = broker
        self._config = config or {}
        self._sim_arguments = list(sim)
        self._micropython = micropython or toolchain.micropython()
        self._heap = heap
        self._power = power
        self._board = board
        self._family = family
        self._partitions = partitions
        self._stack = contextlib.ExitStack()

    def __enter__(self):
        with contextlib.ExitStack() as stack:
            self._stack = stack
            self._start()
            self._stack = stack.pop_all()
        return self

    def __exit__(self, kind, *_):
        self._stack.close()
        if kind:
            sys.stderr.write(f"\n---- console of the terminal ----\n{self.chip.console_text()[-6000:]}\n")

    def _start(self):
        self.directory.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        self.tls_files = None
        if self._tls:
            self.tls_files = certificates.make(self.directory, self._tls, names=("localhost", "127.0.0.1"))
        self.broker = self.start_broker()
        authority = self.tls_files.ca if self.tls_files else None
        self.platform = None
        if self._tls in (None, "good"):
            self.platform = Platform(self.port, self._profile, authority)
            self._stack.callback(self.platform.close)
        self.start_simulator()
        self._make_chip(authority)
        if self._power:
            self.chip.power_on()

    def start_broker(self, more=()):
        """Start the broker (again, after its close()); more: arguments of our own one."""
        if self._broker_kind == "mosquitto":
            broker = mosquitto(self.directory, self.port, self.tls_files)
        else:
            broker = self._other_broker(more)
        self._stack.callback(broker.close)
        return broker

    def _other_broker(self, more):
        command = [sys.executable, "-m", _BROKERS[self._broker_kind], "--port", str(self.port), "--quiet", *more]
        if self.tls_files:
            command += ["--cert", str(self.tls_files.certificate), "--key", str(self.tls_files.key)]
        child = Process(command, self.directory / "broker.log")
        child.hello()
        return child

    def start_simulator(self):
        """Start the modem simulator."""
        command = [sys.executable, "-m", "host_tests.sim", "--speed", str(self.factor), "--seed", "1"]
        command += ["--family", self._family, *self._sim_arguments]
        self._sim_process = Process(command, self.directory / "sim.log")
        self._stack.callback(self._sim_process.close)
        hello = self._sim_process.hello()
        self.tty = hello["tty"]
        self.sim = Control(hello["control"])
        self._stack.callback(self.sim.close)
        self._said = []
        threading.Thread(target=self._listen, args=(self.sim.watch("tts", timeout_s=3600),), daemon=True).start()

    def _make_chip(self, authority):
        self.flash = self.directory / "flash"
        shutil.copytree(staged_tree(self._board), self.flash)
        settings = {
            "profile": self._profile,
            "host": "localhost",
            "port": self.port,
            "tls": bool(self._tls),
            "keepalive_s": 120,
            "fail_open_after_s": 180,
            "link_stable_s": 5,
        }
        self.write_config(dict(settings, **self._config))
        if authority:
            shutil.copyfile(authority, self.flash / "ca.pem")
        options = {"micropython": self._micropython, "heap": self._heap, "time_factor": self.factor}
        if self._partitions:
            self.chip = OtaChip(self.flash, self.directory / "chip", table=partitions.load(self._partitions), **options)
        else:
            self.chip = Chip(self.flash, self.directory / "chip", **options)
        self._stack.callback(self.chip.close)
        self.chip.link_uart(1, self.tty)
        self.chip.set_pin(22, f"={RELAY_PIN}")
        self.chip.nvs_set("hanma", "device_id", DEVICE_ID.encode())
        self.chip.nvs_set("hanma", "secret", SECRET.encode())

    def write_config(self, settings):
        """Write config.json on the terminal's flash."""
        (self.flash / "config.json").write_text(json.dumps(settings))

    def _listen(self, events):
        with contextlib.suppress(OSError, ValueError):
            for event in events:
                self._said.append(event["text"])

    # ---- what a test asks

    def said(self):
        """Return what the terminal has spoken, oldest first."""
        return list(self._said)

    def until_said(self, text, timeout_s=_WAIT_S):
        """Wait until the terminal has said something with this text in it."""
        wait_for(lambda: any(text in said for said in self._said), lambda: f"{text} in {self._said}", timeout_s)

    def terminal_passes(self, seconds):
        """Let so many of the terminal's seconds pass, as its watchdog counts them."""
        feeds = self.chip.feeds + seconds
        wait_for(lambda: self.chip.feeds >= feeds, "the watchdog is fed", 10 + 3 * seconds / self.factor)

    def relay(self):
        """Return the relay's level: 1, 0 or None while nobody drives it."""
        return self.chip.pin_level(RELAY_PIN)

    def relay_edges(self):
        """Return the relay's levels over time."""
        return [edge["level"] for edge in self.chip.pin_log() if edge["pin"] == RELAY_PIN]

    def until_relay(self, level, timeout_s=_WAIT_S):
        """Wait until the relay has this level."""
        wait_for(lambda: self.relay() == level, lambda: f"relay {level}: {self.story()}", timeout_s)

    def until_online(self, times=1, timeout_s=_WAIT_S):
        """Wait for the login of the terminal."""
        wait_for(lambda: len(self.platform.uplinks("00")) >= times, lambda: f"login: {self.story()}", timeout_s)
        return self.platform.uplinks("00")[-1]

    def until_boot(self, boot, timeout_s=_WAIT_S):
        """Wait for the login of the boot of this number (NVS counts them) and return it: some before it may have logged in, too."""

        def found():
            return next((login for login in self.platform.uplinks("00") if login["reset"]["boot"] == boot), None)

        return wait_for(found, lambda: f"login of boot {boot}: {self.story()}", timeout_s)

    def until_counters(self, timeout_s=_WAIT_S):
        """Wait for a full heartbeat that is made from now on and return its counters; the one under way is not it."""

        def full():
            return [content for content in self.platform.uplinks("FF") if "uptime_s" in content and "reason" in content]

        seen = len(full())
        wait_for(lambda: len(full()) >= seen + 2, lambda: f"two full heartbeats: {self.story()}", timeout_s)
        return full()[-1].get("counters", {})

    def powered_after_s(self, began_us):
        """Return the terminal's seconds from a moment (µs since 1970) to the relay's next edge to 1, by the pins' log."""
        edges = [edge for edge in self.chip.pin_log() if edge["pin"] == RELAY_PIN and edge["t_us"] >= began_us]
        return next((edge["t_us"] - began_us) * self.factor / 1e6 for edge in edges if edge["level"] == 1)

    def until_beat(self, timeout_s=_WAIT_S, **facts):
        """Wait until the heartbeats together say these facts."""

        def told():
            known = self.platform.beats()
            return all(known.get(key) == value for key, value in facts.items())

        wait_for(told, lambda: f"heartbeat {facts}: {self.platform.beats()}\n{self.story()}", timeout_s)

    def until_event(self, timeout_s=_WAIT_S, **facts):
        """Wait for a reported switching with these facts and return it."""

        def found():
            for event in self.platform.events():
                if all(event.get(key) == value for key, value in facts.items()):
                    return event
            return None

        return wait_for(found, lambda: f"event {facts}: {self.story()}", timeout_s)

    def until_alarm(self, kind, ended=False, timeout_s=_WAIT_S):
        """Wait for an alarm's begin (or end) at the platform and return it."""

        def found():
            return next((alarm for alarm in self.platform.alarms(kind) if ("end" in alarm) == ended), None)

        return wait_for(found, lambda: f"alarm {kind}: {self.story()}", timeout_s)

    def switch_on(self, job="J1"):
        """Give the order 1 and wait for relay and answer."""
        request_id = self.platform.order(1, job=job)
        answer = self.platform.answer(request_id)
        assert answer["code"] == 200, answer
        self.until_relay(1)
        return request_id

    def story(self):
        """Return the end of what the terminal printed and the platform saw, for an error's text."""
        seen = self.platform.tail() if self.platform else ""
        return f"{seen}\n{self.chip.console_text()[-3000:]}"


_BROKERS = {"own": "host_tests.sim.broker", "amqtt": "host_tests.system.amqtt_broker"}  # options as the first one's
