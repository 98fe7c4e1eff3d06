"""The simulator as a process: a real pty, real sockets, the control channel; and the pace of its wire."""

import contextlib
import json
import os
import select
import socket
import subprocess
import sys
import termios
import threading
import time

import pytest

from host_tests.sim.control import Control, ControlError
from host_tests.sim.modem_core import ModemCore
from host_tests.sim.shell import PowerFile, Shell
from host_tests.unit.replay import ROOT

pytestmark = pytest.mark.slow  # real processes and sockets: not for `make check`

PATIENCE_S = 20


class Host:
    """The other end of the pty: writes commands and waits for what it expects."""

    def __init__(self, path):
        self._fd = os.open(path, os.O_RDWR | os.O_NOCTTY)
        self._kept = b""

    def write(self, data):
        os.write(self._fd, data)

    def until(self, end):
        """Return everything up to and with `end`."""
        deadline = time.monotonic() + PATIENCE_S
        while end not in self._kept:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self._fd], [], [], left)[0]:
                raise AssertionError("no %r in %r" % (end, self._kept))
            self._kept += os.read(self._fd, 4096)
        index = self._kept.index(end) + len(end)
        out, self._kept = self._kept[:index], self._kept[index:]
        return out

    def ask(self, command, end=b"\r\nOK\r\n"):
        self.write(command.encode() + b"\r")
        return self.until(end)

    def close(self):
        os.close(self._fd)


class Simulator:
    """The process, its hello line, its control channel and a host on its pty."""

    def __init__(self, *options):
        command = [sys.executable, "-m", "host_tests.sim", "--latency", "0", *options]
        self._process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        self.hello = json.loads(self._process.stdout.readline())
        self.control = Control(self.hello["control"], PATIENCE_S)
        self.host = Host(self.hello["tty"])

    def online(self):
        """Wait for the boot, switch the echo off and open the data call."""
        self.host.until(b"+CGEV: EPS PDN ACT 1\r\n")
        for command in ("ATE0", "AT+CIPRXGET=1"):
            self.host.ask(command)
        self.host.ask("AT+NETOPEN", b"+NETOPEN: 0\r\n")
        return self

    def connect(self, port, number=0):
        """Open a TCP socket of the modem to this machine."""
        command = 'AT+CIPOPEN=%d,"TCP","platform.example",%d' % (number, port)
        self.host.ask(command, b"+CIPOPEN: %d,0\r\n" % number)

    def send(self, data):
        """Send up to 1500 bytes on socket 0."""
        self.host.ask("AT+CIPSEND=0,%d" % len(data), b">")
        self.host.write(data)
        self.host.until(b"+CIPSEND: 0,%d,%d\r\n" % (len(data), len(data)))

    def wait(self, condition):
        """Return the state as soon as condition(state) holds."""
        deadline = time.monotonic() + PATIENCE_S
        while True:
            state = self.control.call("state")
            if condition(state):
                return state
            assert time.monotonic() < deadline, state
            time.sleep(0.01)

    def close(self):
        self.host.close()
        self.control.close()
        self._process.terminate()
        assert self._process.wait(PATIENCE_S) == 0
        self._process.stdout.close()


@pytest.fixture(scope="module")
def shared():
    """A simulator with its data call open, for tests that leave it as they found it."""
    simulator = Simulator("--seed", "7", "--speed", "20").online()
    yield simulator
    simulator.close()


@pytest.fixture
def start():
    """Starts simulators and ends them after the test."""
    running = []

    def starting(*options):
        running.append(Simulator(*options))
        return running[-1]

    yield starting
    for simulator in running:
        simulator.close()


@pytest.fixture
def echo_server():
    """A TCP server that echoes; yields its port."""
    server = socket.create_server(("127.0.0.1", 0))
    open_ones = [server]

    def serve():
        while True:
            try:
                connection = server.accept()[0]
            except OSError:
                return
            open_ones.append(connection)
            with connection:
                while data := connection.recv(4096):
                    connection.sendall(data)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield server.getsockname()[1]
    for one in open_ones:
        with contextlib.suppress(OSError):  # closed already
            one.shutdown(socket.SHUT_RDWR)
    server.close()
    thread.join(PATIENCE_S)


def test_another_family_is_chosen_and_its_world_turned(start, echo_server):
    simulator = start("--family", "quectel", "--set", "model=EC800M", "--speed", "20")
    host, call = simulator.host, simulator.control.call
    host.until(b"+QIND: PB DONE\r\n")
    assert b"\r\nEC800M\r\n" in host.ask("ATI")
    for command in ("ATE0", 'AT+QURCCFG="urcport","uart1"', "AT+QISDE=0"):
        host.ask(command)
    simulator.wait(lambda state: state["stat"] == 1)
    call("apn", required=["cmiot"])
    host.ask("AT+QIACT=1", b"\r\nERROR\r\n")
    host.ask('AT+QICSGP=1,1,"cmiot","","",0')
    host.ask("AT+QIACT=1")
    host.ask('AT+QIOPEN=1,0,"TCP","platform.example",%d' % echo_server, b"+QIOPEN: 0,0\r\n")
    call("credit", ok=False)
    host.ask("AT+QISEND=0,5", b"> ")
    host.write(b"hello")
    host.until(b"SEND OK\r\n")
    assert host.ask("AT+QIRD=0,0") == b"\r\n+QIRD: 0,0,0\r\n\r\nOK\r\n"
    call("credit", ok=True)
    host.until(b'+QIURC: "recv",0\r\n')
    assert host.ask("AT+QIRD=0,1500", b"\r\n\r\nOK\r\n") == b"\r\n+QIRD: 5\r\nhello\r\n\r\nOK\r\n"
    state = call("state")
    assert (state["family"], state["apn"], state["apn_required"], state["credit"]) == ("quectel", "cmiot", ["cmiot"], True)
    assert "bearer_elsewhere" in call("help")["faults"] and "netopen_fails" not in call("help")["faults"]
    with pytest.raises(ControlError):
        call("fault", name="netopen_fails")


@pytest.fixture
def listener():
    """A TCP server socket that accepts by hand."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(PATIENCE_S)
        yield server


def test_the_hello_line_names_pty_control_and_seed(shared):
    assert shared.hello["seed"] == 7
    assert os.path.exists(shared.hello["tty"])
    assert shared.hello["control"][0] == "127.0.0.1"


def test_commands_are_answered_over_the_pty_byte_for_byte(shared):
    assert shared.host.ask("AT+CSQ") == b"\r\n+CSQ: 28,99\r\n\r\nOK\r\n"


def test_bytes_pass_both_ways_through_a_real_connection(shared, echo_server):
    shared.connect(echo_server)
    payload = bytes(range(256)) * 5
    got = b""
    for _ in range(12):  # more than the modem's queue holds
        shared.send(payload)
    while len(got) < 12 * len(payload):
        shared.wait(lambda state: state["sockets"]["0"]["waiting"] > 0)
        shared.host.write(b"AT+CIPRXGET=2,0,1500\r")
        header = shared.host.until(b"+CIPRXGET: 2,0,") + shared.host.until(b"\r\n")
        length = int(header.rsplit(b"2,0,", 1)[1].split(b",")[0])
        while len(record := shared.host.until(b"\r\nOK\r\n")) < length:
            shared.host._kept = record + shared.host._kept
        got += record[:length]
    assert got == payload * 12
    shared.host.ask("AT+CIPCLOSE=0", b"+CIPCLOSE: 0,0\r\n")


def test_the_peers_close_and_a_refusal_are_told(shared, listener):
    port = listener.getsockname()[1]
    shared.connect(port)
    listener.accept()[0].close()
    shared.host.until(b"+IPCLOSE: 0,1\r\n")
    listener.close()
    shared.host.ask('AT+CIPOPEN=0,"TCP","127.0.0.1",%d' % port, b"+CIPOPEN: 0,1\r\n")


def test_a_datagram_goes_and_comes(shared):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        server.settimeout(PATIENCE_S)
        shared.host.ask('AT+CIPOPEN=1,"UDP",,,0')
        shared.host.ask('AT+CIPSEND=1,4,"127.0.0.1",%d' % server.getsockname()[1], b">")
        shared.host.write(b"ping")
        data, sender = server.recvfrom(100)
        server.sendto(data + b"-pong", sender)
        shared.host.until(b"+CIPRXGET: 1,1\r\n")
        assert b"2,1,9,0\r\nping-pong\r\nOK" in shared.host.ask("AT+CIPRXGET=2,1,1500")
    shared.host.ask("AT+CIPCLOSE=1")


def test_the_pty_survives_its_users(shared):
    shared.host.close()
    shared.host = Host(shared.hello["tty"])
    assert shared.host.ask("AT") == b"\r\nOK\r\n"


def test_state_tells_counters_and_what_went_over_the_air(shared, echo_server):
    before = shared.control.call("state")
    shared.connect(echo_server)
    shared.send(b"x" * 100)
    shared.host.until(b"+CIPRXGET: 1,0\r\n")
    after = shared.control.call("state")
    shared.host.ask("AT+CIPCLOSE=0", b"+CIPCLOSE: 0,0\r\n")
    assert after["sockets"]["0"]["payload_up"] == 100
    assert after["total"]["ip_up"] - before["total"]["ip_up"] >= 100 + 3 * 40
    assert after["uart"]["up"] - before["uart"]["up"] >= 100
    assert after["uart"]["down"] > before["uart"]["down"]


def test_a_wrong_request_is_refused_and_the_channel_lives_on(shared):
    for request in (
        ("nonsense", {}),
        ("signal", {"wrong": 1}),
        ("fault", {"name": "none"}),
        ("close", {"id": 9}),
    ):
        with pytest.raises(ControlError):
            shared.control.call(request[0], **request[1])
    assert "signal" in shared.control.call("help")["commands"]


def test_what_is_watched_arrives_as_events(shared):
    watch = shared.control.watch("tts", "at")
    shared.host.ask('AT+CTTS=1,"6B228FCE"', b"+CTTS: 0\r\n")
    assert next(watch)["line"] == 'AT+CTTS=1,"6B228FCE"'
    event = next(watch)
    assert (event["event"], event["text"]) == ("tts", "欢迎")
    watch.close()


def test_the_knobs_turn_the_world(shared):
    call, ask = shared.control.call, shared.host.ask
    call("signal", rsrp_dbm=-110)
    assert b"+CSQ: 15,99" in ask("AT+CSQ")
    call("signal", rsrp_dbm=-85)
    call("sim", iccid="89860000000000000001")
    assert b"89860000000000000001" in ask("AT+CICCID")
    call("dns", **{"platform.example": "192.0.2.9"})
    assert b'"192.0.2.9"' in ask('AT+CDNSGIP="platform.example"')
    call("dns", **{"platform.example": "127.0.0.1"})
    call("time", unix_ms=1772404200000)
    ask("AT+CTZU=1")
    assert b'"26/03/02,06:3' in ask("AT+CCLK?")
    call("tts", ok=False)
    assert ask("AT+CTTS?", b"ERROR\r\n")
    call("tts", ok=True)
    call("cells", ok=False)
    assert ask("AT+CLBS=1", b"+CLBS: 3\r\n")
    call("cells", ok=True)
    assert b"+CLBS: 0,29.6" in ask("AT+CLBS=1", b",550\r\n")
    call("garbage", hex="00ff")
    assert shared.host.until(b"\x00\xff")
    call("urc", text="+NEWS: 1")
    assert shared.host.until(b"\r\n+NEWS: 1\r\n")
    call("fault", name="missing_ok", match="+CFUN?")
    assert ask("AT+CFUN?", b"+CFUN: 1\r\n")
    assert ask("AT") == b"\r\nOK\r\n"
    call("gnss", fix=False)
    ask("AT+CGNSSPWR=1", b"READY!\r\n")
    assert b",N," not in ask("AT+CGNSSINFO")
    call("gnss", fix=True)
    assert b",N," in ask("AT+CGNSSINFO")


def test_bearer_registration_SIM_and_reboot_show_on_the_wire(start):
    simulator = start("--seed", "1", "--speed", "20").online()
    call, host = simulator.control.call, simulator.host
    host.ask("AT+CEREG=1")
    call("bearer", up=False)
    host.until(b"+CIPEVENT: NETWORK CLOSED UNEXPECTEDLY\r\n")
    call("registration", stat=3)
    host.until(b"+CEREG: 3\r\n")
    call("sim", state="absent")
    host.until(b"+CPIN: SIM REMOVED\r\n")
    call("reboot")
    host.until(b"+SIMCARD: NOT AVAILABLE\r\n")
    call("mute", on=True)
    host.write(b"AT\r")
    simulator.wait(lambda state: state["counters"]["uart_up"] > 40)
    call("mute", on=False)
    assert host.ask("AT").endswith(b"AT\r\r\nOK\r\n")


def test_a_dead_network_passes_nothing_until_it_lives_again(start, listener):
    simulator = start("--seed", "2", "--speed", "20").online()
    simulator.connect(listener.getsockname()[1])
    peer = listener.accept()[0]
    peer.settimeout(PATIENCE_S)
    simulator.control.call("network", up=False)
    simulator.send(b"held")
    peer.sendall(b"down")
    assert simulator.control.call("state")["sockets"]["0"]["held"] == 4
    assert not select.select([peer], [], [], 0)[0]
    simulator.control.call("network", up=True)
    assert peer.recv(100) == b"held"
    simulator.host.until(b"+CIPRXGET: 1,0\r\n")
    peer.close()


def test_a_peer_sees_no_close_when_the_bearer_is_lost(start, listener):
    simulator = start("--seed", "3", "--speed", "20").online()
    simulator.connect(listener.getsockname()[1])
    with listener.accept()[0] as peer:
        simulator.control.call("bearer", up=False)
        simulator.host.until(b"UNEXPECTEDLY\r\n")
        peer.sendall(b"anyone?")
        assert not select.select([peer], [], [], 0)[0]


def test_the_power_key_works_by_control_and_by_a_chips_pin_log(start, tmp_path):
    log = tmp_path / "pins.log"
    simulator = start("--off", "--speed", "20", "--power-file", str(log), "--power-pin", "4")
    assert simulator.control.call("state")["mode"] == "off"
    now_us = time.time_ns() // 1000
    edges = [(now_us, 12, 1), (now_us + 1000, 4, 1), (now_us + 6000, 4, 0)]
    log.write_text("".join(json.dumps({"t_us": t, "pin": n, "level": v}) + "\n" for t, n, v in edges))
    simulator.host.until(b"*ATREADY: 1\r\n")
    simulator.control.call("power", pulse_ms=2600)
    simulator.wait(lambda state: state["mode"] == "off")
    simulator.control.call("power", on=True)
    simulator.host.until(b"*ATREADY: 1\r\n")
    assert simulator.wait(lambda state: state["mode"] == "command")["power_cycles"] == 1


def test_bytes_at_the_wrong_baud_rate_are_lost(start):
    simulator = start("--seed", "4", "--speed", "20").online()
    descriptor = os.open(simulator.hello["tty"], os.O_RDWR | os.O_NOCTTY)
    attributes = termios.tcgetattr(descriptor)
    attributes[4] = attributes[5] = termios.B9600
    termios.tcsetattr(descriptor, termios.TCSANOW, attributes)
    simulator.host.write(b"AT\r")
    simulator.wait(lambda state: state["counters"]["framing_errors"] == 3)
    attributes[4] = attributes[5] = termios.B115200
    termios.tcsetattr(descriptor, termios.TCSANOW, attributes)
    os.close(descriptor)
    assert simulator.host.ask("AT") == b"\r\nOK\r\n"


def test_a_host_that_does_not_read_loses_bytes_beyond_its_buffer(start):
    simulator = start("--seed", "5", "--speed", "20", "--host-buffer", "256", "--set", "model=" + "M" * 300)
    simulator.host.until(b"+CGEV: EPS PDN ACT 1\r\n")

    def is_lost(state):
        simulator.host.write(b"AT+CGMM\r")  # again: the first may come before the modem listens
        return state["counters"]["uart_lost"] > 0

    simulator.wait(is_lost)


# --- the pace of the wire, in a time of its own -------------------------------------------------------------


class FakeLoop:
    """The few methods of an event loop that a Shell uses; its time moves only from timer to timer."""

    def __init__(self):
        self._now = 100.0
        self._timers = []
        self.readers = {}

    def time(self):
        return self._now

    def call_at(self, when, call, *arguments):
        timer = _Timer(when, call, arguments)
        self._timers.append(timer)
        return timer

    def add_reader(self, descriptor, call):
        self.readers[descriptor] = call

    def remove_reader(self, descriptor):
        self.readers.pop(descriptor, None)

    def next_timer(self):
        """Run the next timer, late by a whole millisecond; return whether there was one."""
        timers = [timer for timer in self._timers if not timer.cancelled]
        self._timers = timers
        if not timers:
            return False
        first = min(timers, key=lambda timer: timer.when)
        timers.remove(first)
        self._now = max(self._now, first.when + 0.001)
        first.call(*first.arguments)
        return True


class _Timer:
    def __init__(self, when, call, arguments):
        self.when, self.call, self.arguments, self.cancelled = when, call, arguments, False

    def cancel(self):
        self.cancelled = True


class NoNetwork:
    """A network nobody uses."""

    def close(self, handle, orderly):
        """Nothing is open."""


@pytest.fixture
def paced():
    """(shell, loop, write, read) of a modem that has booted, at 9600 baud and twice the speed."""
    loop = FakeLoop()
    core = ModemCore(NoNetwork(), {"baud": 9600}, latency_percent=0)
    shell = Shell(loop, core, 1, speed=2.0)
    host = os.open(shell.tty, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
    core.power(0, True)
    shell.flush()
    while loop.next_timer():
        pass
    while select.select([host], [], [], 0.05)[0]:  # the kernel hands on what was written when it finds the time
        os.read(host, 4096)

    def write(data):
        os.write(host, data)
        loop.readers[shell._master]()

    yield shell, loop, write, lambda: _read(host)
    os.close(host)
    shell.close()


def _read(descriptor):
    try:
        return os.read(descriptor, 4096)
    except BlockingIOError:
        return b""


def test_command_and_answer_take_exactly_their_bytes_on_the_wire(paced):
    shell, loop, write, read = paced
    begun, got, pieces = loop.time(), b"", []
    write(b"ATI\r")
    while loop.next_timer():
        piece = read()
        got += piece
        if piece:
            pieces.append(len(piece))
            on_the_wire = (4 + len(got)) * 10 / (9600 * 2)
            assert 0 <= loop.time() - begun - on_the_wire <= 0.0011  # late timers do not add up
    assert got.endswith(b"\r\nOK\r\n") and len(got) > 100
    assert len(pieces) > 1 and max(pieces) <= 64


def test_what_the_host_writes_ahead_waits_its_turn(paced):
    shell, loop, write, read = paced
    write(b"ATE0\r")
    assert shell._master not in loop.readers  # the pty keeps the rest, as a UART's transmit buffer does
    loop.next_timer()
    assert shell._master in loop.readers


def test_the_seed_decides_the_cuts():
    def cuts(seed):
        loop = FakeLoop()
        core = ModemCore(NoNetwork(), latency_percent=0)
        shell = Shell(loop, core, seed)
        host = os.open(shell.tty, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        core.power(0, True)
        shell.flush()
        sizes = []
        while loop.next_timer():
            sizes.append(len(_read(host)))
        os.close(host)
        shell.close()
        return sizes

    assert cuts(1) == cuts(1) != cuts(2)


def test_a_pin_log_may_be_cut_anywhere_and_begin_anew(tmp_path):
    presses = []

    class Core:
        def power_key(self, now_ms, pressed):
            presses.append((now_ms, pressed))

    class FakeShell:
        core = Core()

        def at_unix_us(self, unix_us):
            return unix_us // 1000

        def flush(self):
            """Nothing to send."""

    log = tmp_path / "pins.log"
    follower = PowerFile(FakeShell(), str(log), 4, 0, json.loads)
    follower.poll()
    for text in (
        '{"t_us": 5000, "pin": 4, ',
        '"level": 0}\nrubbish\n{"t_us": 6',
        '000, "pin": 4, "level": 1}\n',
    ):
        with open(log, "a") as file:
            file.write(text)
        follower.poll()
    assert presses == [(5, True), (6, False)]
    log.write_text('{"t_us": 9000, "pin": 4, "level": 0}\n')
    follower.poll()
    assert presses[-1] == (9, True)
