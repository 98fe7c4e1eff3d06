"""The stand-ins behave like the chip wherever the host's own modules would hide a bug."""

import datetime
import json
import os
import pty
import random
import termios
import threading

import pytest

from host_tests.unit import port_script

pytestmark = pytest.mark.slow  # real processes and sockets: not for `make check`

_2000 = datetime.datetime(2000, 1, 1)


@pytest.fixture
def script(each_micropython, tmp_path):
    """Run code on each MicroPython in turn, always on the same chip."""

    def run(code, **env):
        return port_script.run(each_micropython, tmp_path, code, **env)

    return run


# Time


def test_a_clock_that_was_never_set_counts_whole_seconds_from_2000(script):
    answer = script("""
import time
now = time.time()
print(json.dumps([isinstance(now, int), now < 60, time.localtime(0), time.localtime()[:3]]))""")
    assert answer == [True, True, [2000, 1, 1, 0, 0, 0, 5, 1], [2000, 1, 1]]


def test_the_calendar_is_the_one_of_everybody_else(script):
    choose = random.Random(7)
    seconds = [0, 5097599, 5097600, 31622399, 31622400] + [choose.randrange(0, 3_000_000_000) for _ in range(200)]
    answer = script(f"""
import time
print(json.dumps([[time.localtime(s), time.mktime(time.localtime(s))] for s in {seconds}]))""")
    for second, (fields, back) in zip(seconds, answer, strict=True):
        when = _2000 + datetime.timedelta(seconds=second)
        assert fields == [*when.timetuple()[:7], when.timetuple().tm_yday]
        assert back == second


def test_the_clock_runs_on_through_a_reset_once_it_is_set(script):
    set_clock = "import machine\nmachine.RTC().datetime((2026, 3, 1, 6, 23, 59, 58, 0))\nprint(json.dumps(0))"
    script(set_clock)
    later = script("import time, machine\nprint(json.dumps([time.localtime()[:3], machine.RTC().datetime()[:4]]))")
    assert later in ([[2026, 3, 1], [2026, 3, 1, 6]], [[2026, 3, 2], [2026, 3, 2, 0]])


def test_ticks_wrap_at_two_to_the_thirty_and_differences_survive_it(script):
    start = (1 << 30) - 40
    answer = script(
        """
import time
before = time.ticks_ms()
time.sleep_ms(80)
after = time.ticks_ms()
print(json.dumps([before, after, time.ticks_diff(after, before), time.ticks_add(before, 80) < before]))""",
        HANMA_TICKS_START=str(start),
    )
    before, after, passed, wrapped = answer
    assert start <= before < 1 << 30
    assert after < before
    assert passed >= 80
    assert wrapped


def test_tick_arithmetic_is_the_chips_on_the_whole_ring(script):
    choose = random.Random(3)
    pairs = [(choose.getrandbits(30), choose.getrandbits(30)) for _ in range(200)] + [(0, (1 << 30) - 1)]
    answer = script(f"""
import time
print(json.dumps([time.ticks_diff(a, b) for a, b in {pairs}]))""")
    expected = [((a - b + (1 << 29)) % (1 << 30)) - (1 << 29) for a, b in pairs]
    assert answer == expected


def test_an_interval_of_six_days_and_more_is_refused(script):
    assert script("""
import time
try:
    print(json.dumps(time.ticks_add(0, 1 << 29)))
except OverflowError:
    print(json.dumps("refused"))""") == "refused"


def test_accelerated_time_passes_alike_in_ticks_sleeps_and_the_clock(script):
    ticks, seconds, looped = script(
        """
import asyncio, time
import hanma_port, loop
loop.install(hanma_port.FACTOR)
began, clock = time.ticks_ms(), time.time()
time.sleep_ms(4000)
ticks, seconds = time.ticks_diff(time.ticks_ms(), began), time.time() - clock
began = time.ticks_ms()
async def main():
    await asyncio.sleep_ms(4000)
asyncio.run(main())
print(json.dumps([ticks, seconds, time.ticks_diff(time.ticks_ms(), began)]))""",
        HANMA_TIME_FACTOR="100",
    )
    assert ticks >= 4000
    assert seconds in range(4, ticks // 1000 + 2)
    assert looped >= 4000


# What lasts


def test_nvs_keeps_nothing_that_was_not_committed(script):
    script("""
import esp32
store = esp32.NVS("hanma")
store.set_i32("kept", -5)
store.set_blob("secret", b"\\x00\\xff")
store.commit()
store.set_i32("lost", 1)
print(json.dumps(0))""")
    answer = script("""
import esp32
store = esp32.NVS("hanma")
block = bytearray(8)
count = store.get_blob("secret", block)
try:
    lost = store.get_i32("lost")
except OSError as error:
    lost = error.errno
print(json.dumps([store.get_i32("kept"), list(block[:count]), lost]))""")
    assert answer == [-5, [0, 255], -4354]


@pytest.mark.parametrize(
    ("attempt", "number"),
    [
        ("store.get_i32('absent')", -4354),
        ("store.erase_key('absent')", -4354),
        ("store.get_i32('blob')", -4354),
        ("store.set_i32('sixteen_letters_', 1)", -4361),
        ("store.get_blob('blob', bytearray(2))", -4364),
        ("store.set_blob('much', bytes(4001))", -4366),
        ("[store.set_blob('b%d' % n, bytes(4000)) for n in range(6)], store.commit()", -4357),
    ],
)
def test_nvs_fails_with_the_chips_numbers(script, attempt, number):
    assert script(f"""
import esp32
store = esp32.NVS("hanma")
store.set_blob("blob", b"abc")
try:
    print(json.dumps(repr({attempt})))
except OSError as error:
    print(json.dumps(error.errno))""") == number


def test_rtc_memory_outlives_the_process_and_holds_two_kib(script):
    script("import machine\nmachine.RTC().memory(b'state')\nprint(json.dumps(0))")
    answer = script("""
import machine
rtc = machine.RTC()
kept = rtc.memory().decode()
try:
    rtc.memory(bytes(2049))
except ValueError:
    print(json.dumps([kept, rtc.memory().decode()]))""")
    assert answer == ["state", "state"]


# Pins


def _edges(tmp_path):
    lines = (tmp_path / "pins.log").read_text().splitlines()
    return [(edge["pin"], edge["level"]) for edge in map(json.loads, lines)]


def test_the_log_has_the_first_level_and_each_change_of_an_output(script, tmp_path):
    script("""
from machine import Pin
pin = Pin(21, Pin.OUT, value=1)
for level in (1, 0, 0, 1):
    Pin(21).value(level)
Pin(4, Pin.IN, Pin.PULL_UP).value()
print(json.dumps(pin.value()))""")
    assert _edges(tmp_path) == [(21, 1), (21, 0), (21, 1)]


def test_a_value_given_with_the_direction_leaves_no_glitch(script, tmp_path):
    script("""
from machine import Pin
pin = Pin(21)
pin.value(1)
pin.init(Pin.OUT, value=0)
print(json.dumps(0))""")
    assert _edges(tmp_path) == [(21, 0)]


def test_inputs_read_what_the_test_sets_or_their_pull(script, tmp_path):
    for name, text in {"pin_4": "1", "pin_5": "=21", "pin_6": "!21"}.items():
        (tmp_path / name).write_text(text)
    answer = script("""
from machine import Pin
relay = Pin(21, Pin.OUT, value=1)
pins = [Pin(4, Pin.IN), Pin(5, Pin.IN), Pin(6, Pin.IN), Pin(7, Pin.IN, Pin.PULL_UP), Pin(8, Pin.IN)]
on = [pin.value() for pin in pins]
relay.value(0)
print(json.dumps([on, [pin() for pin in pins]]))""")
    assert answer == [[1, 1, 0, 1, 0], [1, 0, 1, 1, 0]]


def test_a_held_pin_keeps_its_level_through_a_reset_and_until_it_is_let_go(script, tmp_path):
    script("from machine import Pin\nPin(21, Pin.OUT, value=1, hold=True)\nPin(21).value(0)\nprint(json.dumps(0))")
    answer = script("""
from machine import Pin
held = Pin(21).value()
pin = Pin(21, Pin.OUT, value=0)
still = pin.value()
pin.init(Pin.OUT, value=0, hold=False)
print(json.dumps([held, still, pin.value()]))""")
    assert answer == [1, 1, 0]
    assert _edges(tmp_path) == [(21, 1), (21, 0)]


def test_a_pin_the_chip_does_not_have_is_refused(script):
    assert script("""
from machine import Pin
try:
    Pin(49, Pin.OUT)
except ValueError:
    print(json.dumps("refused"))""") == "refused"


# UART


@pytest.fixture
def modem_side(tmp_path):
    """The far end of UART 1: a file descriptor."""
    near, far = pty.openpty()
    (tmp_path / "uart1").symlink_to(os.ttyname(far))
    yield near
    os.close(near)
    os.close(far)


_TALK = """
import machine, select, time
uart = machine.UART(1, 115200, rxbuf={rxbuf})
def arrived(count):
    for _ in range(400):
        if uart.any() >= count: break
        time.sleep_ms(5)
def wait():
    poll = select.poll()
    poll.register(uart, select.POLLIN)
    return len(poll.poll(10000))
"""


def test_a_silent_uart_reads_none_and_never_an_empty_answer(script, modem_side):
    answer = script(_TALK.format(rxbuf=4096) + """
print(json.dumps([uart.read(), uart.read(5), uart.readinto(bytearray(5)), uart.readline(), uart.any()]))""")
    assert answer == [None, None, None, None, 0]


def test_a_uart_without_a_modem_swallows_and_says_nothing(script):
    answer = script(_TALK.format(rxbuf=4096) + "print(json.dumps([uart.write(b'AT\\r'), uart.read(), uart.any()]))")
    assert answer == [3, None, 0]


def test_bytes_pass_both_ways_unchanged_in_pieces_of_any_size(script, modem_side):
    os.write(modem_side, b"x")  # before the UART is opened: lost, as on the chip
    _answer_ready(modem_side, bytes(range(256)))
    answer = script(_TALK.format(rxbuf=4096) + """
uart.write(bytes(range(256)))
uart.write(b"READY")
wait()
arrived(256)
block = bytearray(10)
parts = [list(uart.read(3)), uart.readinto(block), list(block), list(uart.read())]
print(json.dumps(parts))""")
    assert answer == [[0, 1, 2], 10, list(range(3, 13)), list(range(13, 256))]


def _answer_ready(modem_side, data):
    """Send data as soon as the firmware has said READY, from a thread."""

    def serve():
        heard = b""
        while not heard.endswith(b"READY"):
            heard += os.read(modem_side, 4096)
        os.write(modem_side, data)

    threading.Thread(target=serve, daemon=True).start()


@pytest.mark.parametrize(("rxbuf", "kept"), [(256, 256 + 128), (4096, 2000)])
def test_what_arrives_while_nobody_reads_is_limited_to_rxbuf(script, modem_side, rxbuf, kept):
    _answer_ready(modem_side, bytes(2000))
    answer = script(_TALK.format(rxbuf=rxbuf) + """
uart.write(b"READY")
wait()
time.sleep_ms(200)
total = 0
while True:
    part = uart.read(500)
    if part is None: break
    total += len(part)
print(json.dumps(total))""")
    assert answer == kept


def test_bytes_left_from_a_short_read_are_still_seen_by_poll(script, modem_side):
    _answer_ready(modem_side, b"0123456789")
    answer = script(_TALK.format(rxbuf=4096) + """
uart.write(b"READY")
wait()
arrived(10)
first = uart.read(4).decode()
print(json.dumps([first, wait(), uart.read(50).decode()]))""")
    assert answer == ["0123", 1, "456789"]


def test_the_modems_side_can_see_the_speed_that_was_chosen(script, modem_side):
    script("import machine\nmachine.UART(1, 9600, rxbuf=512)\nprint(json.dumps(0))")
    assert termios.tcgetattr(modem_side)[4:6] == [termios.B9600, termios.B9600]


# TLS and the network


def test_nothing_verifies_while_the_clock_is_not_set(script):
    answer = script("""
import io, machine, ssl
class Ended(io.IOBase):
    def readinto(self, block): return 0
    def write(self, data): return len(data)
    def ioctl(self, request, argument): return 0
def attempt():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        context.wrap_socket(Ended(), server_hostname="broker.test")
    except ValueError:
        return "untrusted"
    except OSError:
        return "no answer"
unset = attempt()
machine.RTC().datetime((2026, 11, 21, 0, 1, 2, 3, 0))
print(json.dumps([unset, attempt()]))""")
    assert answer == ["untrusted", "no answer"]


def test_the_hosts_network_is_out_of_the_firmwares_reach(script):
    answer = script("""
import requests, socket
def number(call):
    try:
        call()
    except OSError as error:
        return error.errno
print(json.dumps([
    number(lambda: socket.getaddrinfo("localhost", 80)),
    number(lambda: socket.socket().connect(("127.0.0.1", 80))),
    number(lambda: requests.get("http://localhost/")),
]))""")
    assert answer == [-202, 113, -202]
