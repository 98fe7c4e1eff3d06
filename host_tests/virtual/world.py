"""A life of the terminal in virtual time, for tests and benchmarks: `process.py` in one MicroPython process, from CPython.

Owns the directory it is given: flash, the chip's state, the scenario and what came of it. All times are milliseconds of the
world's clock, which starts when terminal and modem get their power.
"""

import json
import pathlib
import shutil
import subprocess

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from hanma.bench import certificates
from host_tests.system.harness import DEVICE_ID, RELAY_PIN, SECRET, staged_tree

MINUTE = 60000
HOUR = 60 * MINUTE
WRAP = 1 << 30
HEARTBEAT_S = 60

_PATH = "/usr/local/bin:/usr/bin:/bin"  # the 32-bit port's starter is a shell script
_KEY_PIN = 25  # boards/unix/board.py
_RESET_PIN = 33  # the same
_PROCESS = pathlib.Path(__file__).with_name("process.py")


class VirtualWorld:
    """`VirtualWorld(path, micropython, until_ms=HOUR)`, then order() and knob() as wanted, then run().

    profile: plain or iotda. tls: the broker's side of the network speaks TLS. config: settings beside the world's own.
    start_ticks_ms: the tick count at power-on. rtt_ms: of the network. latency_percent: of the modem's own delays.
    family: the modem's; modem: settings of it beside its family's.
    modem_on: the modem gets its power with the terminal, else it wants its key. driving: through the town, else the
    terminal stands still. sample_every_ms, peak_windows_ms,
    modules_at_ms: see meter.py. heap: for -X heapsize. tree: another staged tree than that of firmware/.
    """

    def __init__(
        self, directory, micropython, until_ms, profile="plain", tls=False, config=None, heap="8M", tree=None, **scenario
    ):
        self.directory = pathlib.Path(directory).resolve()
        self._micropython = micropython
        self._profile = profile
        self._heap = heap
        self.flash = self.directory / "flash"
        (self.directory / "state").mkdir(parents=True)
        shutil.copytree(tree or staged_tree(), self.flash)
        self._scenario = {
            "directory": str(self.directory),
            "until_ms": until_ms,
            "start_ticks_ms": 0,
            "rtt_ms": 60,
            "seed": 1,
            "latency_percent": 100,
            "family": "a76xx",
            "modem": None,
            "modem_on": True,
            "driving": False,
            "key_pin": _KEY_PIN,
            "reset_pin": _RESET_PIN,
            "tls": self._certificates() if tls else None,
            "calls": [],
            "replay": None,
            "sample_every_ms": 0,
            "sample_at_ms": [],
            "peak_windows_ms": [],
            "modules_at_ms": 2 * MINUTE,
        }
        self._scenario.update(scenario)
        self._provision(dict(_SETTINGS, profile=profile, tls=tls, **(config or {})))

    def _certificates(self):
        """Make the broker's certificate; returns the paths of it and its key, as DER: not every mbedTLS reads PEM."""
        files = certificates.make(self.directory, "good", names=("localhost",))
        shutil.copyfile(files.ca, self.flash / "ca.pem")
        certificate = x509.load_pem_x509_certificate(files.certificate.read_bytes())
        key = serialization.load_pem_private_key(files.key.read_bytes(), None)
        der, plain = serialization.Encoding.DER, serialization.NoEncryption()
        paths = (self.directory / "server.der", self.directory / "key.der")
        paths[0].write_bytes(certificate.public_bytes(der))
        paths[1].write_bytes(key.private_bytes(der, serialization.PrivateFormat.TraditionalOpenSSL, plain))
        return [str(path) for path in paths]

    def _provision(self, settings):
        (self.flash / "config.json").write_text(json.dumps(settings))
        blobs = {"device_id": DEVICE_ID, "secret": SECRET}
        store = {"hanma": {name: {"blob": text.encode().hex()} for name, text in blobs.items()}}
        (self.directory / "state" / "nvs.json").write_text(json.dumps(store))
        (self.directory / "state" / "pin_22").write_text(f"={RELAY_PIN}")

    # ---- what is to happen

    def order(self, at_ms, action, request_id, **content):
        """Let the platform give an order."""
        message = {"actionCode": str(action), "content": content}
        topic = f"welder/{DEVICE_ID}/command/{request_id}"
        if self._profile == "iotda":
            topic = f"$oc/devices/{DEVICE_ID}/sys/commands/request_id={request_id}"
            message = {"paras": message, "service_id": "welder", "command_name": "switch"}
        self._scenario["calls"].append([at_ms, "platform", topic, json.dumps(message)])

    def knob(self, at_ms, part, name, *values):
        """Let the world change: part is core, or a part of the modem's core (radio, links, faults …)."""
        self._scenario["calls"].append([at_ms, part, name, *values])

    def pin(self, number, text):
        """Set what an input reads from power-on."""
        (self.directory / "state" / f"pin_{number}").write_text(text)

    def run(self, timeout_s=100):
        """Live; returns the Outcome. AssertionError with the console when the process does not come to its end."""
        path = self.directory / "scenario.json"
        path.write_text(json.dumps(self._scenario))
        command = [str(self._micropython), "-X", f"heapsize={self._heap}", str(_PROCESS), str(path)]
        console = self.directory / "console.log"
        try:
            status = self._live(command, console, timeout_s)
        except subprocess.TimeoutExpired:
            status = f"not over after {timeout_s} s"
        assert status == 0, f"{status}: {console.read_text(errors='replace')[-4000:]}"
        return Outcome(self.directory)

    def _live(self, command, console, timeout_s):
        """Run the process, in no environment that could change what it does; return its exit status."""
        with open(console, "wb") as log:
            return subprocess.run(
                command, cwd=self.flash, stdout=log, stderr=log, timeout=timeout_s, check=False, env={"PATH": _PATH}
            ).returncode

    def alone(self, directory, sample_at_ms=()):
        """Return a world without the firmware, in which the modem hears what this one's firmware has said (after run())."""
        twin = object.__new__(VirtualWorld)
        twin.__dict__.update(self.__dict__)
        twin.directory = pathlib.Path(directory).resolve()
        (twin.directory / "state").mkdir(parents=True)
        twin._scenario = dict(
            self._scenario,
            directory=str(twin.directory),
            replay=str(self.directory / "trace.txt"),
            sample_at_ms=list(sample_at_ms),
            peak_windows_ms=[],
        )
        return twin


_SETTINGS = {
    "host": "localhost",
    "port": 1883,
    "keepalive_s": 120,
    "heartbeat_s": HEARTBEAT_S,
}


class Outcome:
    """What came of a life. messages: [{"ms", "topic", "payload"}] at the broker, payloads as JSON where they are; edges:
    [{"ms", "pin", "level"}]; samples: [{"ms", "heap_b", "air_b"}]; result: see process.py.
    """

    def __init__(self, directory):
        self.directory = directory
        self.messages = _lines(directory / "messages.jsonl")
        for message in self.messages:
            message["payload"] = _json_or_text(message["payload"])
        self.edges = _lines(directory / "edges.jsonl")
        self.samples = _lines(directory / "samples.jsonl")
        self.result = json.loads((directory / "result.json").read_text())

    def uplinks(self, code):
        """Return [(ms, content)] of the terminal's reports with this actionCode."""
        found = [(message["ms"], message["payload"]) for message in self.messages]
        found = [(ms, payload) for ms, payload in found if isinstance(payload, dict) and payload.get("actionCode") == code]
        return [(ms, payload["content"]) for ms, payload in found if code not in ("0", "1")]

    def heartbeats(self):
        """Return [(ms, content)] of the heartbeats, without the switchings that travel like one."""
        return [(ms, content) for ms, content in self.uplinks("FF") if "event" not in content and "restart" not in content]

    def events(self):
        """Return the switchings reported."""
        return [content["event"] for _, content in self.uplinks("FF") if "event" in content]

    def answer(self, request_id):
        """Return (ms, answer) to an order, or None."""
        for message in self.messages:
            if "response" in message["topic"] and message["topic"].endswith(request_id):
                return message["ms"], message["payload"].get("paras", message["payload"])
        return None

    def relay(self):
        """Return [(ms, level)] of the relay."""
        return [(edge["ms"], edge["level"]) for edge in self.edges if edge["pin"] == RELAY_PIN]

    def console(self):
        """Return what was printed."""
        return (self.directory / "console.log").read_text(errors="replace")


def _lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def _json_or_text(text):
    try:
        return json.loads(text)
    except ValueError:
        return text
