"""The chip around the firmware: power, resets and their causes, the watchdog, what outlives them, a dead terminal."""

import datetime
import json
import os
import pathlib
import pty
import select
import ssl
import subprocess
import sys

import pytest

from hanma.bench import certificates
from host_tests.port import chip as chip_module
from host_tests.port import register_log
from host_tests.port.chip import HARD, PWRON, SOFT, WDT, Chip
from host_tests.unit.replay import ROOT

pytestmark = pytest.mark.slow  # real processes and sockets: not for `make check`

_TIMEOUT_S = 20

# Counts its boots in RTC memory and then does what the test says.
_COUNTING = """
import machine, time, sys
rtc = machine.RTC()
boot = len(rtc.memory())
rtc.memory(rtc.memory() + b"x")
print("boot", boot, machine.reset_cause())
"""
_STAY = "\nwhile True:\n    time.sleep(1)\n"


@pytest.fixture
def make_chip(tmp_path, micropython64):
    """Make a chip that runs this main.py (and boot.py), powered on."""
    chips = []

    def make(main, boot=None, micropython=micropython64, **options):
        flash = tmp_path / "flash"
        flash.mkdir(exist_ok=True)
        (flash / "main.py").write_text(main)
        if boot:
            (flash / "boot.py").write_text(boot)
        chip = Chip(flash, tmp_path / "state", micropython=micropython, **options)
        chips.append(chip)
        chip.power_on()
        return chip

    yield make
    for chip in chips:
        chip.close()


def _printed(chip, text):
    """Wait until the firmware has printed text."""
    _printed_times(chip, text, 1)


def _printed_times(chip, text, times):
    """Wait until the firmware has printed text that often, over all boots."""
    assert chip.wait_until(lambda: chip.console_text().count(text) >= times, _TIMEOUT_S), chip.console_text()


def test_every_way_down_has_the_cause_the_chip_would_tell(make_chip):
    ways = "[machine.reset, machine.soft_reset, sys.exit]"
    chip = make_chip(_COUNTING + f"if boot < 3:\n    {ways}[boot]()" + _STAY)
    _printed(chip, f"boot 3 {SOFT}")
    chip.crash()
    _printed(chip, f"boot 4 {HARD}")
    chip.brown_out()
    _printed(chip, f"boot 5 {PWRON}")
    assert chip.reset_causes == [PWRON, HARD, SOFT, SOFT, HARD, PWRON]


def test_power_off_takes_rtc_memory_and_clock_with_it_and_leaves_nvs(make_chip):
    main = """
import machine, time, esp32
store = esp32.NVS("hanma")
print("memory", machine.RTC().memory(), "year", time.localtime()[0], "job", store.get_i32("job"))
machine.RTC().memory(b"x")
machine.RTC().datetime((2026, 1, 1, 3, 0, 0, 0, 0))
store.set_i32("job", 7)
store.commit()
print("written")
""" + _STAY
    chip = make_chip("import time" + _STAY)
    chip.power_off()
    chip.nvs_set("hanma", "job", 5)
    (chip.flash / "main.py").write_text(main)
    chip.power_on()
    _printed(chip, "memory b'' year 2000 job 5")
    _printed(chip, "written")
    chip.press_reset()
    assert chip.wait_until(lambda: chip.console_text().count("written") == 2, _TIMEOUT_S)
    assert chip.console_text().count("memory b'' year 2000") == 2
    assert chip.nvs_get("hanma", "job") == 7


def test_the_watchdog_restarts_a_terminal_whose_loop_is_held(make_chip):
    chip = make_chip(
        _COUNTING + "machine.WDT(timeout=300)\nif boot:\n    print('rescued')" + _STAY, watchdog_least_s=0.3
    )
    _printed(chip, "rescued")
    assert chip.reset_causes[:2] == [PWRON, WDT]


def test_a_watchdog_that_is_fed_lets_the_terminal_run(make_chip):
    feeding = "dog = machine.WDT(timeout=1000)\nwhile True:\n    dog.feed()\n    time.sleep_ms(50)"
    chip = make_chip(_COUNTING + feeding, watchdog_least_s=1.0)
    assert chip.wait_until(lambda: chip.feeds > 30, _TIMEOUT_S)
    assert chip.reset_causes == [PWRON]


@pytest.mark.parametrize("end", ["1 // 0", "pass", "raise KeyboardInterrupt"])
def test_a_main_that_ends_is_a_dead_terminal_at_a_repl(make_chip, end):
    chip = make_chip(_COUNTING + "machine.Pin(21, machine.Pin.OUT, value=1)\n" + end)
    assert chip.wait(_TIMEOUT_S) == "repl"
    assert chip.reset_causes == [PWRON]
    assert chip.pin_level(21) == 1


def test_a_traceback_that_ends_main_is_on_the_console(make_chip):
    chip = make_chip("1 // 0")
    assert chip.wait(_TIMEOUT_S) == "repl"
    assert "ZeroDivisionError" in chip.console_text()


def test_an_armed_watchdog_saves_even_a_terminal_at_a_repl(make_chip):
    chip = make_chip(_COUNTING + "machine.WDT(timeout=300)\nif not boot:\n    1 // 0" + _STAY, watchdog_least_s=0.3)
    _printed(chip, f"boot 1 {WDT}")
    assert not chip.at_repl


def test_an_error_in_boot_still_runs_no_main(make_chip):
    chip = make_chip("print('main ran')", boot="raise KeyboardInterrupt")
    assert chip.wait(_TIMEOUT_S) == "repl"
    assert "main ran" not in chip.console_text()


def test_main_sees_the_names_of_boot(make_chip):
    chip = make_chip("print('slot', slot)", boot="slot = 'B'")
    _printed(chip, "slot B")


def test_ctrl_c_interrupts_only_while_it_is_armed(make_chip):
    waiting = "\ntry:\n    while True:\n        time.sleep_ms(20)\nexcept KeyboardInterrupt:\n    print('interrupted')\n"
    disarming = "import micropython, time\nmicropython.kbd_intr(-1)\nprint('deaf')\n"
    chip = make_chip("import time\nprint('ready')" + waiting, boot=disarming)
    _printed(chip, "ready")
    assert chip.wait_until(lambda: chip.interruptible, _TIMEOUT_S)  # armed anew between boot.py and main.py
    assert chip.ctrl_c()
    _printed(chip, "interrupted")
    chip.power_off()
    (chip.flash / "main.py").write_text(disarming + "print('ready again')" + waiting)
    chip.power_on()
    _printed(chip, "ready again")
    assert chip.wait_until(lambda: not chip.interruptible, _TIMEOUT_S)
    assert not chip.ctrl_c()


@pytest.mark.skipif(not pathlib.Path("/proc/self/stat").exists(), reason="the kernel does not show who sleeps")
def test_ctrl_c_never_lands_in_the_middle_of_a_collection(make_chip):
    collecting = "import gc, time\nkept = [bytes(20) for _ in range(20_000)]\nprint('ready')\n"
    waiting = "try:\n    while True:\n        gc.collect()\n        time.sleep_ms(1)\n"
    chip = make_chip(collecting + waiting + "except KeyboardInterrupt:\n    print('still', len(bytes(5_000)))\n")
    for round_ in range(1, 6):
        _printed_times(chip, "ready", round_)
        assert chip.ctrl_c()
        _printed_times(chip, "still 5000", round_)
        chip.press_reset()


def test_a_reset_lets_go_of_every_pin_but_the_held_ones(make_chip):
    drive = "from machine import Pin\nPin(21, Pin.OUT, value=1)\nPin(19, Pin.OUT, value=1, hold=True)\n"
    chip = make_chip(_COUNTING + f"if not boot:\n    exec({drive!r})\n    machine.reset()\nprint('up')" + _STAY)
    _printed(chip, "up")
    assert (chip.pin_level(21), chip.pin_level(19)) == (None, 1)
    chip.power_off()
    assert chip.pin_level(19) is None


def test_the_terminal_ends_with_the_runner_that_watches_it(tmp_path, micropython64):
    (tmp_path / "flash").mkdir()
    (tmp_path / "flash" / "main.py").write_text(
        "import time, machine\ndog = machine.WDT(timeout=60000)\n"
        "while True:\n    dog.feed()\n    time.sleep_ms(20)\n"
    )
    program = f"""
import os, sys
sys.path.insert(0, {str(ROOT)!r})
from host_tests.port.chip import Chip
chip = Chip({str(tmp_path / "flash")!r}, {str(tmp_path / "state")!r}, micropython={str(micropython64)!r})
chip.power_on()
chip.wait_until(lambda: chip.feeds, 20)
print(chip._process.pid, flush=True)
os._exit(0)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    orphan = int(done.stdout)
    watcher = Chip(tmp_path, tmp_path / "unused", micropython=micropython64)
    assert watcher.wait_until(lambda: not _alive(orphan), _TIMEOUT_S)
    watcher.close()


def _alive(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def test_a_process_that_cannot_run_at_all_is_given_up_and_said_so(make_chip, tmp_path):
    broken = tmp_path / "micropython"
    broken.write_text("#!/bin/sh\nexit 3\n")
    broken.chmod(0o755)
    chip = make_chip("", micropython=broken)
    assert chip.wait(_TIMEOUT_S) == "failed"
    assert "status 3" in chip.failure


def test_the_standins_cost_is_known_so_that_a_heap_can_be_the_chips(each_micropython):
    assert 4096 < chip_module.standins_bytes(each_micropython) < 65536


def test_recursion_ends_as_early_as_on_the_chip(make_chip, each_micropython):
    main = "depth = 0\ndef deeper():\n    global depth\n    depth += 1\n    deeper()\n"
    main += "try:\n    deeper()\nexcept RuntimeError:\n    print('depth', depth)\n"
    chip = make_chip(main, micropython=each_micropython)
    _printed(chip, "at a REPL")
    depth = int(chip.console_text().split("depth ")[1].split()[0])
    assert 20 < depth < 200


_ECHO = """
import asyncio, machine
uart = machine.UART(1, 115200, rxbuf=4096)
queue = asyncio.core._io_queue
polls = 0
class Counting:
    def __getattr__(self, name):
        return getattr(queue, name)
    def wait_io_event(self, dt):
        global polls
        polls += 1
        queue.wait_io_event(dt)
asyncio.core._io_queue = Counting()
async def main():
    reader = asyncio.StreamReader(uart)
    print("listening")
    while True:
        heard = await reader.read(100)
        uart.write(heard + b" after %d polls\\n" % polls)
asyncio.run(main())
"""


@pytest.mark.parametrize("factor", [1, 20])
def test_a_task_waiting_for_the_uart_sleeps_in_poll_until_a_byte_comes(make_chip, each_micropython, factor, tmp_path):
    near, far = pty.openpty()
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "uart1").symlink_to(os.ttyname(far))
    chip = make_chip(_ECHO, micropython=each_micropython, time_factor=factor)
    _printed(chip, "listening")
    chip.wait_until(lambda: False, 0.3)  # time in which a busy loop would have polled hundreds of times
    os.write(near, b"ping")
    heard = b""
    while not heard.endswith(b"\n"):
        assert select.select([near], [], [], _TIMEOUT_S)[0], chip.console_text()
        heard += os.read(near, 100)
    words = heard.split()
    assert words[:2] == [b"ping", b"after"]
    assert int(words[2]) < 10
    os.close(near)
    os.close(far)


_TLS = """
import io, json, machine, select, ssl
machine.RTC().datetime(tuple(json.load(open("now.json"))))
uart = machine.UART(1, 115200, rxbuf=16384, timeout=10000)
class Stream(io.IOBase):
    def readinto(self, block):
        return uart.readinto(block)
    def write(self, data):
        return uart.write(data)
    def ioctl(self, request, argument):
        return 0
context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
context.load_verify_locations(cafile="ca.pem")
try:
    stream = context.wrap_socket(Stream(), server_hostname="broker.test")
    stream.write(b"hello")
    print("answer", stream.read(5))
except ValueError:
    print("untrusted")
print("done")
"""


@pytest.mark.parametrize(("kind", "said"), [("good", "answer b'HELLO'"), ("expired", "untrusted")])
def test_tls_over_a_python_stream_fits_the_chips_stack_and_reads_pem(
    make_chip, each_micropython, tmp_path, kind, said
):
    files = certificates.make(tmp_path, kind, names=("broker.test",))
    (tmp_path / "flash").mkdir()
    (tmp_path / "flash" / "ca.pem").write_bytes(files.ca.read_bytes())
    now = datetime.datetime.now(datetime.timezone.utc)
    fields = [now.year, now.month, now.day, 0, now.hour, now.minute, now.second, 0]
    (tmp_path / "flash" / "now.json").write_text(json.dumps(fields))
    near, far = pty.openpty()
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "uart1").symlink_to(os.ttyname(far))
    chip = make_chip(_TLS, micropython=each_micropython)
    _serve_tls(near, files, lambda: "done" in chip.console_text() or chip.at_repl)
    _printed(chip, said)
    os.close(near)
    os.close(far)


def _serve_tls(near, files, ended):
    """Answer one TLS client at the far end of a pty in capitals, until ended()."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(files.certificate, files.key)
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    server = context.wrap_bio(incoming, outgoing, server_side=True)
    while not ended():
        if select.select([near], [], [], 0.05)[0]:
            incoming.write(os.read(near, 4096))
        try:
            server.write(server.read(100).upper())
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLError:
            return  # the client has refused the certificate and said so
        finally:
            data = outgoing.read()
            while data:
                data = data[os.write(near, data[:1000]) :]


def _register_log(*steps):
    """Return the edges of pins 7 (data), 5 (clock), 6 (latch), 4 (enable): a byte is shifted out, a pair is an edge."""
    log = []

    def edge(pin, level):
        log.append({"t_us": len(log), "pin": pin, "level": level})

    for step in steps:
        if isinstance(step, tuple):
            edge(*step)
            continue
        for bit in range(7, -1, -1):
            edge(7, step >> bit & 1)
            edge(5, 1)
            edge(5, 0)
        edge(6, 1)
        edge(6, 0)
    return log


def _outputs(log, **options):
    return [(each["bit"], each["level"]) for each in register_log.shift595_edges(log, 7, 5, 6, **options)]


def test_a_shift_registers_outputs_can_be_read_off_the_log():
    log = _register_log((7, 0), (5, 0), (6, 0), 0b00000000, 0b01000001, 0b01000000)
    assert _outputs(log) == [(bit, 0) for bit in range(8)] + [(0, 1), (6, 1), (0, 0)]


def test_a_shift_registers_outputs_are_off_while_nobody_enables_them():
    log = _register_log(0b00000001, (4, 0), (4, None), (5, None), (4, 0))
    shown = [(bit, 1 if bit == 0 else 0) for bit in range(8)]
    hidden = [(bit, None) for bit in range(8)]
    assert _outputs(log, enable=4) == shown + hidden + shown
