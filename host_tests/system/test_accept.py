"""`hanma accept` on a provisioned virtual board: real orders over broker and modem, a real outage, the sheet and the record."""

import contextlib
import json
import signal
import subprocess
import sys
import threading

import pytest

from hanma import toolchain
from hanma.provision.record import Record
from hanma.release import keys
from host_tests.sim.control import Control
from host_tests.system.harness import RELAY_PIN, Process, free_port, wait_for
from host_tests.system.provisioning import Bench

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

_FACTOR = 20
_RUN_S = 120


class Site:
    """A terminal at its welder: provisioned, locked, with a modem and a broker; `hanma accept` runs beside it."""

    def __init__(self, directory, bench, stack):
        self.directory, self.bench, self._stack = directory, bench, stack
        self.port = free_port()
        settings = {"host": "127.0.0.1", "port": self.port, "tls": False, "keepalive_s": 30}
        settings["command_max_age_s"] = 3600  # its clock is twenty times as fast as ours
        (directory / "config.json").write_text(json.dumps(settings))
        self.broker = self.start_broker()
        self.board = bench.board(with_modem=False, time_factor=_FACTOR)
        self.sim = self._modem()
        bench.batch(1)
        bench.passes(self.board.pts)
        self._begun = len(self.board.pin_log())

    def start_broker(self):
        command = [sys.executable, "-m", "host_tests.sim.broker", "--port", str(self.port), "--quiet"]
        broker = Process(command, self.directory / "broker.log")
        self._stack.callback(broker.close)
        broker.hello()
        return broker

    def _modem(self):
        command = [sys.executable, "-m", "host_tests.sim", "--seed", "1", "--speed", str(_FACTOR)]
        simulator = Process(command, self.directory / "sim.log")
        self._stack.callback(simulator.close)
        hello = simulator.hello()
        self.board.control.call("link_uart", number=1, tty=hello["tty"])
        sim = Control(hello["control"])
        self._stack.callback(sim.close)
        return sim

    def relay(self):
        """Return the relay's levels since the terminal was fitted."""
        return [edge["level"] for edge in self.board.pin_log()[self._begun :] if edge["pin"] == RELAY_PIN]

    def command(self, *words):
        files = ["--record", str(self.directory / "record.sqlite"), "--out", str(self.directory / "sheets")]
        command = [sys.executable, "-u", "-m", "hanma.cli", "accept", "--lang", "en", "--broker", f"mqtt://127.0.0.1:{self.port}"]
        return [*command, *files, *map(str, words)]

    def start(self, *words):
        """Start it; its text goes on in `text`."""
        process = subprocess.Popen(
            self.command(*words), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            cwd=toolchain.ROOT,
        )  # fmt: skip
        self.text = ""
        reader = threading.Thread(target=self._read, args=(process,), daemon=True)
        reader.start()
        self._stack.callback(reader.join)
        self._stack.callback(process.kill)
        return process

    def _read(self, process):
        while letter := process.stdout.read(1):
            self.text += letter

    def until(self, words):
        """Wait until it has printed this."""
        wait_for(lambda: words in self.text, lambda: f"{words!r} in {self.text}\n{self.board.console_text()[-1500:]}", _RUN_S)

    def record(self):
        """Return the last test in the batch record."""
        return Record(self.directory / "record.sqlite").acceptances()[-1]


@pytest.fixture
def site(tmp_path):
    with contextlib.ExitStack() as stack, Bench(tmp_path) as bench:
        yield Site(tmp_path, bench, stack)


def test_a_fitted_terminal_is_switched_opens_in_an_outage_and_is_left_as_it_was(site):
    key, secret = site.directory / "key.pem", site.directory / "pass"
    secret.write_text("open sesame\n")
    keys.new(key, b"open sesame")
    words = ("--model", "WS-400", "--number", "W-7", "--installer", "张三", "--site", "north", "--key", key)
    process = site.start(site.board.pts, *words, "--passphrase", f"file:{secret}")
    site.until("did the loudspeaker")
    process.stdin.write("y\n")
    process.stdin.flush()
    site.until("antenna off")
    site.sim.call("network", up=False)
    wait_for(lambda: site.relay()[-1:] == [1], lambda: site.text, _RUN_S)
    site.sim.call("network", up=True)
    assert process.wait(_RUN_S) == 0, site.text
    assert site.relay()[-1] == 0 and [level for level in site.relay() if level] == [1, 1]
    test = site.record()
    verdicts = {step["step"]: step["verdict"] for step in test["steps"]}
    assert test["verdict"] == "pass" and set(verdicts.values()) == {"ok"} and "180 s set" in site.text
    assert test["steps"][-1]["detail"] == "fail_open_after_s 600"
    sheet = site.directory / "sheets" / test["sheet"]
    checked = site.command("--verify", sheet, "--public", f"{key}.pub")
    assert "the sheet is valid: T-1, PASS" in subprocess.check_output(checked, text=True, cwd=toolchain.ROOT)


def test_ctrl_c_while_the_welder_has_power_stops_it_and_ends_the_rehearsal(site):
    process = site.start("--device", "T-1", "--yes")
    site.until("antenna off")
    site.sim.call("network", up=False)
    wait_for(lambda: site.relay()[-1:] == [1], lambda: site.text, _RUN_S)
    process.send_signal(signal.SIGINT)
    site.until("wait, leave everything")
    site.sim.call("network", up=True)
    assert process.wait(_RUN_S) == 1, site.text
    steps = {step["step"]: step for step in site.record()["steps"]}
    assert steps["fail_open"]["detail"] == "interrupted" and steps["voice"]["answered_by"] == "--yes"
    assert steps["at_rest"]["detail"] == "fail_open_after_s 600" and site.relay()[-1] == 0


def test_a_terminal_whose_tester_is_gone_stops_and_waits_as_configured_by_itself(site):
    process = site.start("--device", "T-1", "--yes", "--rehearsal", "400")
    site.until("antenna off")
    site.sim.call("network", up=False)
    wait_for(lambda: site.relay()[-1:] == [1], lambda: site.text, _RUN_S)
    process.kill()
    wait_for(lambda: site.relay()[-1:] == [0], lambda: site.board.console_text()[-800:], _RUN_S)


def test_a_stuck_contact_and_a_silent_loudspeaker_are_named_and_the_rest_is_still_tested(site):
    site.board.control.call("set_pin", pin=RELAY_PIN + 1, text="0")
    site.sim.call("tts", ok=False)
    process = site.start("--device", "T-1", "--yes")
    site.until("antenna off")
    process.send_signal(signal.SIGTERM)
    assert process.wait(_RUN_S) == 1, site.text
    assert "does not follow" in site.text and "it cannot speak" in site.text and "✓ position" in site.text, site.text
    assert site.relay()[-1] == 0


def test_a_terminal_that_does_not_answer_and_a_cable_to_another_one_are_told_apart(site):
    process = site.start("--device", "T-9", "--yes", "--online", "1")
    assert process.wait(_RUN_S) == 1 and "T-9 did not answer" in site.text, site.text
    other = subprocess.run(site.command(site.board.pts, "--device", "T-9"), stdout=-1, stderr=-2, text=True, timeout=60)
    assert other.returncode == 1 and "on the cable is T-1, not T-9" in other.stdout
