"""Cases for the modem's driver under MicroPython against a modem that means harm, in virtual time. Run by test_attacks_modem.py."""

import gc

from mp_fakes import FakeUart, asyncio, run_cases, until, world  # isort: skip  (first, for virtual time)

from mp_modem_bench import OK, Bench, case, cases_of, fails_with, healthy

from modem.at import ModemError

_LINKS_MOST = 12  # commands that may wait at once: one a socket and a few of the tasks'
# Answers of other commands, URCs at the wrong time, wrong counts, half lines, what no text decodes to, boots, prompts.
_RUBBISH = (
    OK,
    b"\r\nERROR\r\n",
    b"\r\n+CME ERROR: 10\r\n",
    b"\r\n+CME ERROR: \xff\xfe\r\n",
    b"\r\n+CSQ: 99999999999999999999,-1\r\n" + OK,
    b"\r\n+CSQ: ,,,\r\n" + OK,
    b"\r\n+CESQ: a,b\r\n" + OK,
    b"\r\n+CEREG: ,\r\n" + OK,
    b"\r\n+CEREG: x\r\n",
    b"\r\n+CPIN: \xff\r\n" + OK,
    b"\r\n+CPIN: SIM PUK\r\n",
    b'\r\n+COPS: 0,2,"\xe4\xb8\r\n' + OK,
    b"\r\n+ICCID: \r\n" + OK,
    b'\r\n+CCLK: "99/99/99,99:99:99+99"\r\n' + OK,
    b'\r\n+CCLK: "24/02/30"\r\n' + OK,
    b"\r\n+CLBS: 0,9999999999999999.9,-1e5,\r\n",
    b"\r\n+CLBS: 0,-,.,x\r\n",
    b"\r\n+CGNSSINFO: N\r\n" + OK,
    b"\r\n+CGNSSINFO: 2,N\r\n" + OK,
    b"\r\n+CGNSSINFO: 3,,,,.,S,x,W,999999,-1.0,,,,,-5\r\n" + OK,
    b"\r\n+CDNSGIP: 1\r\n" + OK,
    b'\r\n+CDNSGIP: 1,"a","\xff"\r\n' + OK,
    b"\r\n+NETOPEN: \xff\r\n",
    b"\r\n+NETOPEN: 0\r\n",
    b"\r\n+NETCLOSE: x\r\n",
    b"\r\n+CIPOPEN: x,0\r\n",
    b"\r\n+CIPOPEN: 7,0\r\n",
    b"\r\n+CIPOPEN: -1,0\r\n",
    b"\r\n+CIPOPEN: 3,0\r\n",
    b"\r\n+CIPOPEN: 0\r\n",
    b"\r\n+CIPOPEN:\r\n",
    b"\r\n+CIPCLOSE: 0,0\r\n",
    b"\r\n+CIPSEND: 0,,\r\n",
    b"\r\n+CIPSEND: 0,9,8\r\n",
    b"\r\n+IPCLOSE: 0,1\r\n",
    b"\r\n+IPCLOSE: 99999999999999999999\r\n",
    b"\r\n+CIPRXGET: 1,0\r\n",
    b"\r\n+CIPRXGET: 1,x\r\n",
    b"\r\n+CIPRXGET: 2,0,4096,9999\r\n",
    b"\r\n+CIPRXGET: 2,0,4,999\r\nabcd" + OK,
    b"\r\n+CIPRXGET: 2,0,-3,0\r\n" + OK,
    b"\r\n+CIPRXGET: 2,1,7,0\r\nOK\r\nOK\r\n" + OK,
    b"\r\n+CIPRXGET: 2,0,0,5\r\n" + OK,
    b"\r\n*ATREADY: 1\r\n",
    b"\r\nSMS DONE\r\n",
    b"\r\n+CGNSSPWR: READY!\r\n",
    b"\r\n+CTTS: \xff\r\n",
    b"\r\n+CNTP: \r\n",
    b"> ",
    b"a>" * 30,
    b"\x00" * 50,
    b"z" * 600,
    b"\n" * 40,
    b"+" * 20 + b"\r\n",
    b"",
)


class Dice:
    """The same numbers on every run."""

    def __init__(self, seed):
        self.state = seed

    def roll(self, sides):
        self.state = (self.state * 1103515245 + 12345) & 0x7FFFFFFF
        return (self.state >> 12) % sides


async def _use(modem, dice, failures):
    """Do what the application does, again and again; nothing but ModemError may come of it."""
    buffer = bytearray(64)
    while True:
        turn = dice.roll(6)
        try:
            if turn == 0:
                sock = await modem.connect("10.0.0.1", 1883, timeout_ms=5000)
                try:
                    await sock.write(b"x" * 200)
                    await sock.readinto(buffer, 3000)
                finally:
                    await sock.close()
            elif turn == 1:
                await modem.network_time_ms()
            elif turn == 2:
                await modem.cell_location()
            elif turn == 3:
                await modem.gnss_fix()
            elif turn == 4:
                await modem.resolve("platform.example")
            else:
                await modem.say("\u4f60\u597d")
        except ModemError as problem:
            failures[0] += 1
            await asyncio.sleep_ms(100 if problem.code else 1)


def _be_hostile(bench, dice):
    """From now on every command gets some of the rubbish, now and then what it wants, and there is more between."""
    sane = healthy()

    def answer(line):
        wanted = None
        if dice.roll(4):
            for key in sane:
                if key == line or key.endswith(b"*") and line.startswith(key[:-1]):
                    wanted = sane[key](line) if callable(sane[key]) else sane[key]
        return (wanted or b"") + _RUBBISH[dice.roll(len(_RUBBISH))]

    bench.peer.answers = {b"*": answer}


async def _campaign(bench, dice, rounds):
    modem = bench.modem
    _be_hostile(bench, dice)
    failures = [0]
    users = [asyncio.create_task(_use(modem, dice, failures)) for _ in range(2)]
    waiting = 0
    for _ in range(rounds):
        bench.uart.chunk = 1 + dice.roll(70)
        bench.peer.say(_RUBBISH[dice.roll(len(_RUBBISH))], dice.roll(300))
        await asyncio.sleep_ms(dice.roll(900))
        waiting = max(waiting, len(modem.channel._queue))
        assert not bench.task.done()
    for user in users:
        assert not user.done()
        user.cancel()
        try:
            await user
        except asyncio.CancelledError:
            pass
    assert failures[0]
    return waiting


async def _heal(bench):
    """The modem tells the truth again: the driver finds back by itself."""
    bench.uart.chunk = 4096
    bench.peer._payload = None
    bench.peer._line = b""
    bench.peer.answers = healthy()
    bench.peer.answers[b"AT+CIPSEND=*"] = bench.take_send
    bench.wake()
    await asyncio.sleep_ms(1000)
    await until(lambda: bench.modem.cause is None, 7200000)
    while True:
        try:
            sock = await bench.modem.connect("10.0.0.1", 1883)
            break
        except ModemError:
            await asyncio.sleep_ms(1000)
    await sock.write(b"hello")
    assert bench.peer.sent[-1][1] == b"hello"
    await sock.close()
    del bench.peer.sent[:]
    del bench.peer.lines[:]
    del bench.asked[:]


@case
async def rubbish_for_minutes_ends_no_task_and_the_driver_heals():
    async with Bench() as bench:
        for seed in (3, 5):
            assert await _campaign(bench, Dice(seed), 250) <= _LINKS_MOST
            await _heal(bench)


@case
async def rubbish_leaves_nothing_behind_on_the_heap():
    async with Bench() as bench:
        heaps = []
        for _ in range(3):
            await _campaign(bench, Dice(7), 100)
            await _heal(bench)
            world.events.clear()
            await asyncio.sleep_ms(5)
            gc.collect()
            gc.collect()
            heaps.append(gc.mem_alloc())
        assert heaps[2] - heaps[1] <= 256, heaps


@case
async def a_link_without_a_number_that_opens_ends_nothing():
    async with Bench() as bench:
        heard = len(bench.peer.lines)
        for link in (b"x", b"", b"-1", b"4", b"99999999999999999999"):
            bench.peer.say(b"\r\n+CIPOPEN: " + link + b",0\r\n")
        await asyncio.sleep_ms(200)
        assert not bench.task.done()
        assert not [line for line in bench.peer.lines[heard:] if line.startswith(b"AT+CIPCLOSE")]


@case
async def links_told_open_for_ever_are_each_closed_once_at_a_time():
    async with Bench() as bench:
        bench.peer.mute = True
        for _ in range(500):
            bench.peer.say(b"\r\n+CIPOPEN: 1,0\r\n\r\n+CIPOPEN: 2,0\r\n")
        await asyncio.sleep_ms(3000)
        assert len(bench.modem.channel._queue) <= _LINKS_MOST


@case
async def more_data_than_asked_for_fails_the_socket_and_nothing_else():
    async with Bench() as bench:
        sock = await bench.modem.connect("10.0.0.1", 1883)
        other = await bench.modem.connect("10.0.0.2", 1883)
        bench.peer.answers[b"AT+CIPRXGET=2,*"] = b"\r\n+CIPRXGET: 2,0,4000,0\r\n" + b"d" * 4000 + OK
        bench.peer.say(b"\r\n+CIPRXGET: 1,0\r\n")
        await until(lambda: sock.closed)
        await fails_with("corrupt", sock.readinto(bytearray(10)))
        await other.write(b"still here")
        assert bench.peer.sent[-1][1] == b"still here" and not other.closed


class _CountingUart(FakeUart):
    """Notes how many bytes each turn of the loop took."""

    def __init__(self):
        super().__init__()
        self.turn = 0

    def readinto(self, buffer):
        count = super().readinto(buffer)
        self.turn += count or 0
        return count


@case
async def no_flood_keeps_the_loop_for_more_than_a_kilobyte_or_forty_lines():
    floods = (b"a\n", b"+\n", b"a>", b"x", b"\r\n", b"OK\r\n", b"+CIPRXGET: 1,0\r\n", b"+CIPOPEN: 1,0\r\n", b"> ", b"\xff")
    async with Bench() as bench:
        bench.peer.mute = True
        channel = bench.modem.channel
        uart = channel._uart = _CountingUart()
        uart.peer = bench.peer
        for flood in floods:
            for prompt in (False, True):
                channel._talk.begin(b"+CSQ:", 0, prompt)
                uart.inbox.extend(flood * (8000 // len(flood)))
                while uart.inbox:
                    uart.turn = 0
                    judged = channel._talk.judged
                    channel.pump()
                    assert 0 < uart.turn <= 1024, flood
                    assert channel._talk.judged - judged <= 40, flood
        channel._uart = bench.uart


run_cases(cases_of())
