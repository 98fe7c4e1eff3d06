"""Virtual time: an hour in a moment, the same every time, with ticks that wrap as the chip's do."""

import pytest

from host_tests.unit import port_script

pytestmark = pytest.mark.slow  # real processes and sockets: not for `make check`

_PREPARE = """
import virtual
import asyncio, machine, time

class Modem:
    # Answers each byte with the same byte 10 ms later; `chatter` bytes come unasked each second.
    def __init__(self, chatter=0):
        self.due = []
        self.ready = b""
        self.chatter = chatter
        self.next_chatter = 1000
    def feed(self, now_ms, data):
        self.due.append((now_ms + 10, data))
    def next_ms(self, now_ms):
        times = [at for at, _ in self.due[:1]] + ([self.next_chatter] if self.chatter else [])
        return min(times) if times else None
    def advance(self, now_ms):
        while self.due and self.due[0][0] <= now_ms:
            self.ready += self.due.pop(0)[1]
        if self.chatter and self.next_chatter <= now_ms:
            self.next_chatter += 1000
            self.ready += bytes(self.chatter)
    def take(self):
        ready, self.ready = self.ready, b""
        return ready

async def beat(period_ms, seen):
    while True:
        await asyncio.sleep_ms(period_ms)
        seen.append(world.ms)
"""


@pytest.fixture
def script(each_micropython):
    """Run code in virtual time on each MicroPython in turn."""

    def run(code, **world):
        settings = ", ".join(f"{name}={value}" for name, value in world.items())
        program = f"{_PREPARE}\nworld = virtual.World({settings})\n{code}"
        return port_script.run(each_micropython, None, program)

    return run


def test_sleepers_wake_in_order_across_the_wrap_of_the_ticks(script):
    answer = script(
        """
woken = []
async def sleeper(ms):
    await asyncio.sleep_ms(ms)
    woken.append([ms, time.ticks_ms()])
async def main():
    await asyncio.gather(*[asyncio.create_task(sleeper(ms)) for ms in (9000, 4000, 6000, 5500, 1000, 5000)])
    return woken
print(json.dumps(world.run(main(), 60000)))""",
        start_ticks_ms=(1 << 30) - 5000,
    )
    start = (1 << 30) - 5000
    assert answer == [[ms, (start + ms) % (1 << 30)] for ms in (1000, 4000, 5000, 5500, 6000, 9000)]


def test_every_beat_of_an_hour_comes_at_its_time_also_after_the_wrap(script):
    answer = script(
        """
seen = []
print(json.dumps([world.run(beat(1000, seen), 3600500), world.ms, seen == [1000 * n for n in range(1, 3601)]]))""",
        start_ticks_ms=(1 << 30) - 1800500,
    )
    assert answer == [None, 3600500, True]


def test_a_task_woken_by_an_event_runs_at_once_whatever_the_hosts_ticks_are(script):
    answer = script(
        """
event = asyncio.Event()
async def main():
    asyncio.create_task(beat(100, []))
    world.at(5000, event.set)
    await event.wait()
    first = world.ms
    async with asyncio.Lock():
        return [first, world.ms]
print(json.dumps(world.run(main(), 60000)))""",
        start_ticks_ms=(1 << 30) - 4000,
    )
    assert answer == [5000, 5000]


def test_an_event_is_seen_at_its_time_by_a_loop_that_only_waits_for_a_stream(script):
    answer = script("""
uart = machine.UART(1, 115200)
event = asyncio.Event()
async def listen():
    await asyncio.StreamReader(uart).read(1)
async def main():
    asyncio.create_task(listen())
    world.at(5000, event.set)
    await event.wait()
    return world.ms
print(json.dumps(world.run(main(), 60000)))""")
    assert answer == 5000


def test_an_event_cuts_a_long_sleep_of_others_short_for_the_one_who_waits(script):
    answer = script("""
event = asyncio.Event()
async def main():
    asyncio.create_task(beat(40000, []))
    world.at(5000, event.set)
    await event.wait()
    return world.ms
print(json.dumps(world.run(main(), 60000)))""")
    assert answer == 5000


def test_timeouts_and_cancellation_work_as_on_the_chip(script):
    answer = script("""
uart = machine.UART(1, 115200)
log = []
async def forever():
    try:
        await asyncio.StreamReader(uart).read(1)
    except asyncio.CancelledError:
        log.append(["cancelled", world.ms])
        raise
async def fail():
    raise ValueError("seven")
async def main():
    try:
        await asyncio.wait_for_ms(forever(), 3000)
    except asyncio.TimeoutError:
        log.append(["timeout", world.ms])
    task = asyncio.create_task(asyncio.wait_for(forever(), 1000))
    await asyncio.sleep_ms(500)
    task.cancel()
    try:
        await task
    except asyncio.CancelledError:
        log.append(["task", world.ms, task.done()])
    try:
        await asyncio.create_task(fail())
    except ValueError:
        log.append(["value", len(asyncio.core._io_queue.map)])
    return log
print(json.dumps(world.run(main(), 60000)))""")
    assert answer == [
        ["cancelled", 3000],
        ["timeout", 3000],
        ["cancelled", 3500],
        ["task", 3500, True],
        ["value", 0],
    ]


def test_bytes_take_the_time_the_baud_rate_gives_them(script):
    answer = script("""
wire = world.wire(1, Modem())
async def main():
    uart = machine.UART(1, 9600, rxbuf=4096)
    uart.write(bytes(range(96)))
    reader = asyncio.StreamReader(uart)
    whole = b""
    while len(whole) < 96:
        whole += await reader.read(96)
    return [whole == bytes(range(96)), world.ms, wire.sent, wire.received, wire.dropped]
print(json.dumps(world.run(main(), 60000)))""")
    same, ms, sent, received, dropped = answer
    assert (same, sent, received, dropped) == (True, 96, 96, 0)
    assert 100 + 10 + 34 <= ms <= 220  # 96 bytes one way, the answer, and at least the last piece back


def test_a_firmware_that_does_not_read_loses_what_rxbuf_cannot_hold(script):
    answer = script("""
wire = world.wire(1, Modem(chatter=100))
async def main():
    uart = machine.UART(1, 115200, rxbuf=256)
    await asyncio.sleep_ms(10500)
    return [len(uart.read()), wire.received, wire.dropped, uart.read()]
print(json.dumps(world.run(main(), 60000)))""")
    assert answer == [256, 1000, 744, None]


def test_a_blocking_sleep_lets_the_world_go_on(script):
    answer = script("""
wire = world.wire(1, Modem(chatter=1))
machine.UART(1, 115200)
async def main():
    time.sleep(5)
    return [world.ms, wire.received, time.time()]
print(json.dumps(world.run(main(), 60000)))""")
    assert answer == [5000, 4, 5]


@pytest.mark.parametrize(
    ("firmware", "reason", "at_ms"),
    [
        ("machine.reset()", "reset hard", 1000),
        ("machine.WDT(timeout=3000); await asyncio.sleep(60)", "wdt", 4000),
        ("machine.WDT(timeout=3000); time.sleep(60)", "wdt", 4000),
    ],
)
def test_a_reset_ends_the_run_and_says_why(script, firmware, reason, at_ms):
    answer = script(f"""
async def main():
    await asyncio.sleep_ms(1000)
    try:
        {firmware}
    except Exception:
        pass
print(json.dumps([world.run(main(), 100000), world.ms]))""")
    assert answer == [reason, at_ms]


def test_edges_of_the_pins_carry_the_time_of_the_world_and_inputs_follow(script):
    answer = script("""
edges = []
world = virtual.World(on_edge=lambda ms, pin, level: edges.append([ms, pin, level]))
world.set_file("pin_22", "=21")
async def main():
    relay, contact = machine.Pin(21, machine.Pin.OUT, value=0), machine.Pin(22, machine.Pin.IN)
    await asyncio.sleep_ms(250)
    relay.value(1)
    return [edges, contact.value()]
print(json.dumps(world.run(main(), 60000)))""")
    assert answer == [[[0, 21, 0], [250, 21, 1]], 1]


def test_a_world_in_which_nothing_can_happen_any_more_says_so(script):
    answer = script("""
async def main():
    await asyncio.Event().wait()
try:
    asyncio.run(main())
except RuntimeError as error:
    print(json.dumps(str(error)))""")
    assert "nothing is left" in answer


def test_an_hour_leaves_no_garbage_that_is_not_collected(script):
    answer = script("""
import gc
def used(ms):
    world.at(ms, lambda: (gc.collect(), figures.append(gc.mem_alloc())))
figures = []
for minute in (10, 59):
    used(minute * 60000)
world.wire(1, Modem(chatter=100))
async def main():
    uart = machine.UART(1, 115200, rxbuf=256)
    reader = asyncio.StreamReader(uart)
    block = bytearray(128)
    while True:
        await reader.readinto(block)
world.run(main(), 3600000)
print(json.dumps(figures[1] - figures[0]))""")
    assert answer <= 256


def test_the_same_story_runs_the_same_every_time(each_micropython):
    code = _PREPARE + """
world = virtual.World(start_ticks_ms=(1 << 30) - 3000)
world.wire(1, Modem(chatter=7))
trace = []
async def listen():
    reader = asyncio.StreamReader(machine.UART(1, 115200, rxbuf=512))
    while True:
        trace.append([world.ms, len(await reader.read(50))])
async def main():
    asyncio.create_task(listen())
    await beat(333, trace)
world.run(main(), 20000)
print(json.dumps(trace))"""
    first, second = (port_script.run(each_micropython, None, code) for _ in range(2))
    assert first == second
    assert len(first) > 60


def test_both_ports_tell_the_same_story(micropython64, micropython32):
    code = _PREPARE + """
world = virtual.World(start_ticks_ms=(1 << 30) - 3000)
seen = []
async def main():
    for period in (300, 450, 700):
        asyncio.create_task(beat(period, seen))
    await asyncio.sleep(60)
world.run(main(), 10000)
print(json.dumps([seen, time.ticks_ms()]))"""
    assert port_script.run(micropython64, None, code) == port_script.run(micropython32, None, code)
