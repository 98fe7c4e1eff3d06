"""Cases for the Quectel dialect under MicroPython, with conversations written by hand. Run by test_modem_async.py."""

from mp_fakes import asyncio, run_cases, until, world  # isort: skip  (first, for virtual time)

from mp_modem_bench import OK, Bench, Power, answer, case, cases_of, fails_with

from modem.blocking import SocketModule
from modem.quectel import Quectel

ERROR = b"\r\nERROR\r\n"
INFORMATION = b"\r\nQuectel\r\nEC800M\r\nRevision: EC800MCNGAR06A06M08\r\n" + OK
EMPTY = answer(b"+QIRD: 0")
CALL_UP = answer(b'+QIACT: 1,1,1,"10.32.140.122"')


def healthy():
    """Answers of an EC800M that has everything it needs."""
    return {
        b"AT": OK,
        b"ATI": INFORMATION,
        b"ATE0": OK,
        b"AT+CMEE=1": OK,
        b'AT+QURCCFG="urcport","uart1"': OK,
        b"AT+CTZU=1": OK,
        b"AT+CEREG=1": OK,
        b"AT+QISDE=0": OK,
        b"AT+QICLOSE=*": OK,
        b"AT+CGSN": answer(b"860000000000017"),
        b"AT+CGMM": answer(b"EC800M"),
        b"AT+CPIN?": answer(b"+CPIN: READY"),
        b"AT+QCCID": answer(b"+QCCID: 898604A1192490075609"),
        b"AT+CIMI": answer(b"460001234567890"),
        b"AT+CSQ": answer(b"+CSQ: 20,99"),
        b"AT+CESQ": answer(b"+CESQ: 99,99,255,255,20,51"),
        b"AT+CEREG?": answer(b"+CEREG: 1,1"),
        b"AT+COPS?": answer(b'+COPS: 0,2,"46000",7'),
        b"AT+QICSGP=*": OK,
        b"AT+QIACT=1": OK,
        b"AT+QIACT?": CALL_UP,
        b"AT+CGACT?": answer(b"+CGACT: 1,1\r\n+CGACT: 2,0"),
        b"AT+QIDEACT=1": OK,
        b"AT+CGACT=0,1": OK,
        b"AT+QIGETERROR": answer(b"+QIGETERROR: 0, operate successfully"),
        b"AT+CFUN=1,1": OK,
        b"AT+QIOPEN=*": lambda line: OK + b"\r\n+QIOPEN: " + line[12:13] + b",0\r\n",
        b"AT+QIRD=*": EMPTY,
    }


class QuectelBench(Bench):
    """A bench whose scripted modem is an EC800M."""

    def __init__(self, settings=None, power=None):
        super().__init__(settings, power, Quectel)
        self.peer.answers = healthy()
        self.peer.answers[b"AT+QISEND=*"] = self.take_send
        self.result = b"\r\nSEND OK\r\n"
        self.prompt = b"\r\n> "
        self.told = set()  # links whose data was told and not read to the end

    def take_send(self, line):
        """Prompt, and say the result behind the whole payload."""
        count = int(line[11:].split(b",")[1])
        return self.peer.prompt_for(line, count, lambda payload: self.result, self.prompt)

    def take_read(self, line):
        """Give what is stored, at most what is asked for; only an empty read lets new data be told."""
        link, wanted = [int(field) for field in line[8:].split(b",")]
        self.asked.append(wanted)
        part, self.stored[link] = self.stored[link][:wanted], self.stored[link][wanted:]
        if not part:
            self.told.discard(link)
            return EMPTY
        return b"\r\n+QIRD: %d\r\n" % len(part) + part + b"\r\n" + OK

    def deliver(self, data, link=0, tell=True):
        """The network brings bytes for a link."""
        self.peer.answers[b"AT+QIRD=*"] = self.take_read
        self.stored[link] = self.stored.get(link, b"") + data
        if tell and link not in self.told:
            self.told.add(link)
            self.peer.say(b'\r\n+QIURC: "recv",%d\r\n' % link)

    def wake(self):
        """The modem has booted."""
        self.peer.mute = False
        self.peer.say(b"\r\nRDY\r\n\r\n+CPIN: READY\r\n\r\n+QUSIM: 1\r\n")


async def read(sock, count):
    """Return so many bytes, or fewer at the end."""
    data = b""
    while len(data) < count:
        buffer = bytearray(512)
        got = await sock.readinto(buffer, 60000)
        if not got:
            break
        data += bytes(buffer[:got])
    return data


# --- coming up


@case
async def the_call_comes_up_and_the_identity_is_read():
    async with QuectelBench() as bench:
        modem = bench.modem
        assert (modem.imei, modem.model) == ("860000000000017", "EC800M")
        assert (modem.iccid, modem.imsi) == ("898604A1192490075609", "460001234567890")
        assert (modem.rssi_dbm, modem.rsrp_dbm) == (-73, -90)
        assert modem.counters["timeouts"] == 0 and modem.problem is None
        assert b'AT+QICSGP=1,1,"","","",0' in bench.peer.lines


@case
async def the_dialect_is_found_by_asking():
    bench = QuectelBench({"family": "auto"})
    await bench.start()
    assert bench.modem.dialect.NAME == "quectel"
    await bench.stop()


@case
async def urcs_are_led_to_this_uart_at_every_boot():
    async with QuectelBench() as bench:
        bench.wake()
        await until(lambda: bench.modem.cause == "modem_dead")
        await until(bench.modem.up.is_set)
        assert bench.peer.lines.count(b'AT+QURCCFG="urcport","uart1"') == 2
        assert bench.modem.counters["reboots"] == 1


@case
async def a_call_that_takes_two_minutes_is_waited_for_and_life_is_proved():
    bench = QuectelBench()
    beats = [world.clock.now]

    def beat():
        assert world.clock.now - beats[-1] < 60000
        beats.append(world.clock.now)

    def open_call(line):
        bench.peer.say(OK, 140000)
        world.after(140000, lambda: bench.peer.answers.update({b"AT+QIACT?": CALL_UP}))

    bench.modem.beat = beat
    bench.peer.answers[b"AT+QIACT?"] = OK  # nothing is listed
    bench.peer.answers[b"AT+QIACT=1"] = open_call
    await bench.start()
    assert bench.peer.lines.count(b"AT+QIACT=1") == 1 and bench.modem.counters["timeouts"] == 0
    await bench.stop()


@case
async def life_is_proved_at_least_every_two_minutes_while_the_call_hangs():
    bench = QuectelBench(power=Power())
    beats = [world.clock.now]

    def beat():
        assert world.clock.now - beats[-1] < 120000
        beats.append(world.clock.now)

    bench.modem.beat = beat
    for line in (b"AT+QICLOSE=*", b"AT+QIACT=1", b"AT+QIACT?", b"AT+CGACT?", b"AT+QIDEACT=1", b"AT+CGACT=0,1", b"AT+QPOWD=1"):
        bench.peer.answers[line] = None
    bench.run()
    await asyncio.sleep_ms(1800000)
    assert len(beats) > 10 and world.clock.now - beats[-1] < 120000 and not bench.task.done()
    await bench.stop()


@case
async def a_call_that_is_open_already_counts_as_open():
    bench = QuectelBench()
    bench.peer.answers[b"AT+QIACT=1"] = ERROR
    await bench.start()
    assert b"AT+QIDEACT=1" not in bench.peer.lines
    await bench.stop()


@case
async def a_bearer_on_another_context_is_taken_away():
    bench = QuectelBench()
    peer = bench.peer

    def state(line):
        return answer(b"+CGACT: 1,0\r\n+CGACT: 5,1")

    def deactivate(line):
        peer.answers.update({b"AT+QIACT=1": OK, b"AT+QIACT?": CALL_UP, b"AT+CGACT?": answer(b"+CGACT: 1,1\r\n+CGACT: 5,0")})
        return OK

    peer.answers.update({b"AT+QIACT=1": ERROR, b"AT+QIACT?": OK, b"AT+CGACT?": state, b"AT+CGACT=0,5": deactivate})
    peer.answers[b"AT+QIGETERROR"] = answer(b"+QIGETERROR: 572,operation not allowed")
    await bench.start()
    others = [line for line in peer.lines if line.startswith(b"AT+CGACT=0,")]
    assert others == [b"AT+CGACT=0,1", b"AT+CGACT=0,5"], others
    assert bench.modem.counters["radio_cycles"] == bench.modem.counters["timeouts"] == 0
    await bench.stop()


@case
async def a_call_the_network_has_taken_away_in_silence_is_found_when_a_connection_fails():
    async with QuectelBench() as bench:
        peer = bench.peer
        peer.answers[b"AT+CGACT?"] = answer(b"+CGACT: 1,0")
        peer.answers[b"AT+QIOPEN=*"] = OK + b"\r\n+QIOPEN: 0,566\r\n"

        def deactivate(line):
            peer.answers[b"AT+CGACT?"] = answer(b"+CGACT: 1,1")
            return OK

        peer.answers[b"AT+CGACT=0,1"] = deactivate
        await fails_with("refused", bench.modem.connect("10.0.0.1", 1883))
        await until(lambda: bench.modem.cause == "no_data_call")
        await until(bench.modem.up.is_set)
        last = [line for line in peer.lines if line in (b"AT+QIDEACT=1", b"AT+CGACT=0,1", b"AT+QIACT=1")][-3:]
        assert last == [b"AT+QIDEACT=1", b"AT+CGACT=0,1", b"AT+QIACT=1"], last


@case
async def a_complaint_through_a_call_that_is_gone_skips_the_sockets():
    async with QuectelBench() as bench:
        bench.peer.answers[b"AT+CGACT?"] = answer(b"+CGACT: 1,0")
        bench.peer.answers[b"AT+CGACT=0,1"] = lambda line: bench.peer.answers.update({b"AT+CGACT?": CALL_UP}) or OK
        bench.modem.complain()
        await until(lambda: b"AT+QIDEACT=1" in bench.peer.lines, 5000)


@case
async def a_lost_call_fails_the_sockets_and_is_opened_again():
    async with QuectelBench() as bench:
        sock = await bench.modem.connect("10.0.0.1", 1883)
        bench.peer.say(b'\r\n+QIURC: "pdpdeact",1\r\n')
        await fails_with("no_data_call", sock.readinto(bytearray(8), 5000))
        await until(bench.modem.up.is_set)
        assert bench.peer.lines.count(b"AT+QIACT=1") == 2


@case
async def a_modem_that_still_answers_is_told_to_switch_off():
    power = Power()
    bench = QuectelBench({"key_on_ms": 700}, power)
    bench.peer.answers[b"AT+CEREG?"] = answer(b"+CEREG: 1,2")
    bench.peer.answers[b"AT+QPOWD=1"] = OK + b"\r\nPOWERED DOWN\r\n"
    pressed = []
    power.on_edge = lambda pin, on: pressed.append((on, world.clock.now))
    bench.run()
    await until(lambda: len(pressed) == 2)
    assert b"AT+CFUN=1,1" in bench.peer.lines and b"AT+QPOWD=1" in bench.peer.lines
    assert 700 <= pressed[1][1] - pressed[0][1] < 800
    await bench.stop()


@case
async def a_modem_that_was_off_is_not_switched_off_by_the_key_that_switched_it_on():
    power = Power()
    bench = QuectelBench(power=power)
    await bench.start()
    pressed = []

    def toggle(pin, on):
        if on:
            pressed.append(world.clock.now)
        elif bench.peer.mute and world.clock.now - pressed[-1] >= 700:
            world.after(5500, bench.wake)
        elif world.clock.now - pressed[-1] >= 650:
            bench.peer.mute = True

    power.on_edge = toggle
    bench.peer.mute = True
    await until(lambda: bench.modem.cause == "modem_dead", 120000)
    await until(bench.modem.up.is_set)
    assert len(pressed) == 1 and bench.modem.counters["power_cycles"] == 1
    await bench.stop()


@case
async def a_sim_that_is_busy_after_a_restart_is_waited_for():
    async with QuectelBench() as bench:
        modem, peer = bench.modem, bench.peer
        busy = {b"AT+CPIN?": b"\r\n+CME ERROR: 14\r\n", b"AT+CIMI": b"\r\n+CME ERROR: 10\r\n", b"AT+QCCID": ERROR}
        ready = {line: peer.answers[line] for line in busy}
        peer.answers.update(busy)
        bench.wake()
        await until(lambda: modem.cause == "modem_dead")
        world.after(4000, lambda: peer.answers.update(ready))
        await until(modem.up.is_set)
        assert (modem.imsi, modem.iccid) == ("460001234567890", "898604A1192490075609")


# --- sockets


@case
async def bytes_go_both_ways():
    async with QuectelBench() as bench:
        sock = await bench.modem.connect("10.0.0.1", 1883)
        assert bench.peer.lines[-1] == b'AT+QIOPEN=1,0,"TCP","10.0.0.1",1883,0,0'
        await sock.write(b"request")
        assert bench.peer.sent == [(b"AT+QISEND=0,7", b"request")]
        bench.deliver(b"answer")
        assert await read(sock, 6) == b"answer"
        await sock.close()
        assert bench.peer.lines[-1] == b"AT+QICLOSE=0"
        assert bench.modem.counters["timeouts"] == bench.modem.counters["unknown_lines"] == 0


@case
async def every_form_of_the_prompt_is_one():
    for prompt in (b"\r\n>", b"\r\n> ", b"\r\n>\r\n", b">", b'\r\n+QIURC: "recv",1\r\n> '):
        async with QuectelBench() as bench:
            bench.prompt = prompt
            sock = await bench.modem.connect("10.0.0.1", 1883)
            await sock.write(b"one")
            await sock.write(b"two")
            assert [payload for _, payload in bench.peer.sent] == [b"one", b"two"], prompt
            assert bench.modem.counters["timeouts"] == 0, prompt


@case
async def what_is_told_once_is_read_to_the_end():
    async with QuectelBench() as bench:
        sock = await bench.modem.connect("10.0.0.1", 1883)
        data = bytes([i * 7 & 255 for i in range(9000)])
        bench.deliver(data[:5000])
        bench.deliver(data[5000:])
        assert await read(sock, 9000) == data
        await until(lambda: not bench.told)
        bench.deliver(b"more")
        assert await read(sock, 4) == b"more"


@case
async def data_whose_word_was_lost_is_found_by_looking():
    async with QuectelBench() as bench:
        sock = await bench.modem.connect("10.0.0.1", 1883)
        await sock.write(b"request")
        bench.deliver(b"answer", tell=False)
        started = world.clock.now
        assert await read(sock, 6) == b"answer"
        assert world.clock.now - started <= 2500


@case
async def payload_that_looks_like_answers_is_payload():
    nasty = b'\r\nOK\r\n\r\nSEND OK\r\n\r\nERROR\r\n+QIURC: "closed",0\r\n+QIRD: 5\r\n> '
    async with QuectelBench() as bench:
        sock = await bench.modem.connect("10.0.0.1", 1883)
        bench.deliver(nasty)
        assert await read(sock, len(nasty)) == nasty
        await sock.write(nasty)
        assert bench.peer.sent[-1][1] == nasty and not sock.closed


@case
async def a_full_modem_gets_the_same_bytes_again():
    async with QuectelBench() as bench:
        sock = await bench.modem.connect("10.0.0.1", 1883)
        bench.result = b"\r\nSEND FAIL\r\n"
        world.after(1500, lambda: setattr(bench, "result", b"\r\nSEND OK\r\n"))
        await sock.write(b"precious")
        assert len(bench.peer.sent) > 2 and set(bench.peer.sent) == {(b"AT+QISEND=0,8", b"precious")}
        bench.peer.sent.clear()
        await sock.write(b"next")
        assert bench.peer.sent == [(b"AT+QISEND=0,4", b"next")]


@case
async def a_modem_that_stays_full_ends_the_write_and_the_socket():
    async with QuectelBench() as bench:
        sock = await bench.modem.connect("10.0.0.1", 1883)
        bench.result = b"\r\nSEND FAIL\r\n"
        await fails_with("timeout", sock.write(b"precious"))
        assert sock.closed
        count = len(bench.peer.sent)
        await asyncio.sleep_ms(5000)
        assert len(bench.peer.sent) == count and bench.modem.cause is None


@case
async def a_refused_send_closes_the_socket():
    for refused in (ERROR, b"\r\n+CME ERROR: 559\r\n"):
        async with QuectelBench() as bench:
            sock = await bench.modem.connect("10.0.0.1", 1883)
            bench.peer.answers[b"AT+QISEND=*"] = refused
            try:
                await sock.write(b"x")
                raise AssertionError("no error")
            except Exception as problem:
                assert problem.code in ("closed", "cme_559"), problem
            assert sock.closed
            await until(lambda: bench.peer.lines.count(b"AT+QICLOSE=0") == 2)


@case
async def what_came_before_the_end_is_read_and_then_the_link_given_back():
    async with QuectelBench() as bench:
        sock = await bench.modem.connect("10.0.0.1", 1883)
        data = bytes([i & 255 for i in range(4000)])
        bench.deliver(data, tell=False)
        bench.peer.say(b'\r\n+QIURC: "closed",0\r\n')
        assert await read(sock, 5000) == data
        assert sock.closed
        await sock.close()
        assert bench.peer.lines.count(b"AT+QICLOSE=0") == 2  # the first when the modem was set up


@case
async def the_end_may_come_ahead_of_a_sends_result():
    async with QuectelBench() as bench:
        sock = await bench.modem.connect("10.0.0.1", 1883)
        bench.result = b'\r\n+QIURC: "closed",0\r\n\r\nSEND OK\r\n'
        await fails_with("closed", sock.write(b"x"))
        bench.result = b'\r\n+QIURC: "recv",1\r\n\r\nSEND OK\r\n'
        again = await bench.modem.connect("10.0.0.1", 1883)
        await again.write(b"y")


@case
async def errors_of_opening_are_told_apart():
    async with QuectelBench() as bench:
        codes = {b"561": "no_data_call", b"565": "dns", b"566": "refused", b"569": "timeout", b"550": "failed"}
        for error, code in codes.items():
            bench.peer.answers[b"AT+QIOPEN=*"] = lambda line, said=error: OK + b"\r\n+QIOPEN: %s,%s\r\n" % (line[12:13], said)
            await fails_with(code, bench.modem.connect("10.0.0.1", 1883))
            await until(bench.modem.up.is_set)
        bench.peer.answers[b"AT+QIOPEN=*"] = ERROR
        await fails_with("error", bench.modem.connect("10.0.0.1", 1883))


@case
async def a_link_that_is_in_use_already_is_closed_for_the_next_attempt():
    async with QuectelBench() as bench:
        peer = bench.peer

        def close(line):
            peer.answers[b"AT+QIOPEN=*"] = OK + b"\r\n+QIOPEN: 0,0\r\n"
            return OK

        peer.answers[b"AT+QIOPEN=*"] = OK + b"\r\n+QIOPEN: 0,563\r\n"
        peer.answers[b"AT+QICLOSE=*"] = close
        await fails_with("no_socket", bench.modem.connect("10.0.0.1", 1883))
        await asyncio.sleep_ms(500)
        await bench.modem.connect("10.0.0.1", 1883)


@case
async def a_connection_that_comes_about_after_its_time_is_closed():
    async with QuectelBench() as bench:
        bench.peer.answers[b"AT+QIOPEN=*"] = OK
        await fails_with("timeout", bench.modem.connect("10.0.0.1", 1883, timeout_ms=2000))
        await asyncio.sleep_ms(2000)
        closes = bench.peer.lines.count(b"AT+QICLOSE=0")
        bench.peer.say(b"\r\n+QIOPEN: 0,0\r\n")
        await until(lambda: bench.peer.lines.count(b"AT+QICLOSE=0") > closes, 5000)


@case
async def datagrams_go_where_they_are_sent():
    async with QuectelBench() as bench:
        sock = await bench.modem.udp(5000)
        assert bench.peer.lines[-1] == b'AT+QIOPEN=1,0,"UDP SERVICE","127.0.0.1",0,5000,0'
        await sock.sendto(b"query", "10.1.2.3", 123)
        assert bench.peer.sent == [(b'AT+QISEND=0,5,"10.1.2.3",123', b"query")]
        reads = [b'\r\n+QIRD: 5,"10.1.2.3",123\r\nreply\r\n' + OK]
        bench.peer.answers[b"AT+QIRD=*"] = lambda line: reads.pop() if reads else EMPTY
        bench.peer.say(b'\r\n+QIURC: "recv",0\r\n')
        buffer = bytearray(64)
        assert await sock.recvfrom(buffer, 5000) == (5, "10.1.2.3", 123) and buffer[:5] == b"reply"


@case
async def the_blocking_face_resolves_sends_and_closes():
    async with QuectelBench() as bench:
        module = SocketModule(bench.modem)
        bench.peer.answers[b"AT+QIDNSGIP=*"] = OK + b'\r\n+QIURC: "dnsgip",0,1,600\r\n\r\n+QIURC: "dnsgip","10.0.0.2"\r\n'
        address = module.getaddrinfo("h.example", 80)[0][-1]
        assert address == ("10.0.0.2", 80)
        sock = module.socket()
        sock.settimeout(20)
        sock.connect(address)
        sock.write(b"GET / HTTP/1.0\r\n\r\n")
        bench.deliver(b"HTTP/1.0 200 OK\r\n\r\nbody", tell=True)
        bench.peer.say(b'\r\n+QIURC: "closed",0\r\n')
        assert sock.readline() == b"HTTP/1.0 200 OK\r\n" and sock.readline() == b"\r\n"
        assert sock.read() == b"body"
        sock.close()
        for said, errno in ((OK + b'\r\n+QIURC: "dnsgip",565\r\n', -2), (ERROR, -2), (OK, 110)):
            bench.peer.answers[b"AT+QIDNSGIP=*"] = said
            try:
                module.getaddrinfo("nowhere.example", 80)
                raise AssertionError("no error")
            except OSError as problem:
                assert problem.errno == errno, problem


# --- names, time, place, speech


@case
async def a_name_is_resolved_and_others_may_speak_meanwhile():
    async with QuectelBench() as bench:
        bench.peer.answers[b"AT+QIDNSGIP=*"] = lambda line: bench.peer.say(
            b'\r\n+QIURC: "dnsgip",0,2,600\r\n\r\n+QIURC: "dnsgip","10.1.2.3"\r\n\r\n+QIURC: "dnsgip","10.1.2.4"\r\n', 20000
        ) or bench.peer.say(OK)
        asked = asyncio.create_task(bench.modem.resolve("broker.example"))
        await asyncio.sleep_ms(100)
        started = world.clock.now
        assert await bench.modem.channel.ask((b"AT+CGMM", b"")) == b"EC800M" and world.clock.now - started < 1000
        assert await asked == "10.1.2.3"


@case
async def a_name_without_an_address_is_asked_again_with_other_name_servers():
    async with QuectelBench() as bench:
        peer = bench.peer
        peer.answers[b"AT+QIDNSGIP=*"] = OK + b'\r\n+QIURC: "dnsgip",565\r\n'

        def set_servers(line):
            peer.answers[b"AT+QIDNSGIP=*"] = OK + b'\r\n+QIURC: "dnsgip",0,1,600\r\n\r\n+QIURC: "dnsgip","10.1.2.3"\r\n'
            return OK

        peer.answers[b'AT+QIDNSCFG=1,"223.5.5.5","114.114.114.114"'] = set_servers
        assert await bench.modem.resolve("broker.example") == "10.1.2.3"
        peer.answers.update({b"AT+QIDNSGIP=*": ERROR, b'AT+QIDNSCFG=1,"223.5.5.5","114.114.114.114"': OK})
        await fails_with("dns", bench.modem.resolve("nowhere.example"))


@case
async def the_networks_time_is_read_wherever_the_quote_is():
    async with QuectelBench() as bench:
        for said in (b'"2026/11/02,08:00:05+32,0"', b'"2026/11/02,08:00:05+32",0', b'"2026/11/02,08:00:05+32"'):
            bench.peer.answers[b"AT+QLTS=2"] = answer(b"+QLTS: " + said)
            assert await bench.modem.network_time_ms() == 1793577605000, said
        bench.peer.answers[b"AT+QLTS=2"] = ERROR
        bench.peer.answers[b"AT+CCLK?"] = answer(b'+CCLK: "26/11/02,08:00:05+32"')
        assert await bench.modem.network_time_ms() == 1793577605000


@case
async def a_time_servers_time_is_utc_whatever_its_zone_says():
    async with QuectelBench() as bench:
        bench.peer.answers[b"AT+QLTS=2"] = answer(b'+QLTS: ""')
        bench.peer.answers[b"AT+CCLK?"] = answer(b'+CCLK: "80/01/06,00:00:05+00"')
        bench.peer.answers[b'AT+QNTP=1,"ntp.aliyun.com",123'] = OK + b'\r\n+QNTP: 0,"2026/11/02,00:00:05+32"\r\n'
        assert await bench.modem.network_time_ms() == 1793577605000
        bench.peer.answers[b'AT+QNTP=1,"ntp.aliyun.com",123'] = OK + b"\r\n+QNTP: 569\r\n"
        assert await bench.modem.network_time_ms() is None


@case
async def a_satellite_fix_is_waited_for():
    async with QuectelBench() as bench:
        modem = bench.modem
        await fails_with("unsupported", modem.gnss_fix())
        bench.peer.answers[b"AT+QGPS=1"] = b"\r\n+CME ERROR: 502\r\n"
        await fails_with("unsupported", modem.gnss_fix())
        bench.peer.answers[b"AT+QGPS=1"] = b"\r\n+CME ERROR: 503\r\n"
        await fails_with("cme_503", modem.gnss_fix())
        bench.peer.answers[b"AT+QGPS=1"] = b"\r\n+CME ERROR: 504\r\n"  # it has outlived a restart of the terminal
        for words in (b"516", b"Not fixed now", b"DSAT_CME_GNSS_NOT_FIXED_NOW"):
            bench.peer.answers[b"AT+QGPSLOC=2"] = b"\r\n+CME ERROR: " + words + b"\r\n"
            assert await modem.gnss_fix() is None, words
        bench.peer.answers[b"AT+QGPSLOC=2"] = answer(
            b"+QGPSLOC: 035736.000,29.489428,106.638084,1.2,40.1,3,0.00,3.6,1.9,130524,09"
        )
        assert await modem.gnss_fix() == (294894280, 1066380840, 60, 1715572656000, 100)
        asked = bench.peer.lines.count(b"AT+QGPS=1")
        bench.peer.answers[b"AT+QGPSLOC=2"] = b"\r\n+CME ERROR: 505\r\n"
        await fails_with("cme_505", modem.gnss_fix())
        bench.peer.answers[b"AT+QGPSLOC=2"] = b"\r\n+CME ERROR: 516\r\n"
        assert await modem.gnss_fix() is None and bench.peer.lines.count(b"AT+QGPS=1") == asked + 1


@case
async def a_place_is_read_off_the_cells_with_the_token():
    bench = QuectelBench({"lbs_token": "0123456789ABCDEF"})
    await bench.start()
    bench.peer.answers[b'AT+QLBSCFG="token","0123456789ABCDEF"'] = OK
    for order in (b"29.489428,106.638084", b"106.638084,29.489428"):
        for said in (OK + b"\r\n+QLBS: 0," + order + b"\r\n", answer(b"+QLBS: 0," + order)):
            bench.peer.answers[b"AT+QLBS"] = said
            assert await bench.modem.cell_location() == (294894280, 1066380840, 1000)
    assert b'AT+QLBSCFG="token","0123456789ABCDEF"' in bench.peer.lines
    bench.peer.answers[b"AT+QLBS"] = answer(b"+QLBS: 10002")
    await fails_with("location_10002", bench.modem.cell_location())
    await bench.stop()


@case
async def where_one_location_service_is_missing_the_other_is_asked():
    async with QuectelBench() as bench:
        await fails_with("unsupported", bench.modem.cell_location())
        bench.peer.answers[b"AT+QCELLLOC"] = answer(b"+QCELLLOC: 106.638084,29.489428")
        assert await bench.modem.cell_location() == (294894280, 1066380840, 1000)
        assert not [line for line in bench.peer.lines if b"token" in line]


@case
async def speech_ends_with_its_urc_and_absent_speech_is_told():
    async with QuectelBench() as bench:
        modem = bench.modem
        await fails_with("unsupported", modem.say("hello"))
        bench.peer.answers[b"AT+QTTS=1,*"] = b"\r\n+CME ERROR: 903\r\n"
        await fails_with("unsupported", modem.say("hello"))
        bench.peer.answers[b"AT+QTTS=1,*"] = b"\r\n+CME ERROR: 904\r\n"
        await fails_with("cme_904", modem.say("hello"))
        bench.peer.answers[b"AT+QTTS=1,*"] = OK
        said = asyncio.create_task(modem.say("焊机"))
        await asyncio.sleep_ms(1000)
        assert not said.done() and bench.peer.lines[-1] == b'AT+QTTS=1,"710A673A"'
        bench.peer.say(b"\r\n+QTTS: 0\r\n")
        await said


if __name__ == "__main__":
    run_cases(cases_of())
