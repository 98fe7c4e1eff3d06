"""Cases for the Luat dialect under MicroPython, against a scripted modem in virtual time. Run by test_luat.py."""

from mp_fakes import Peer, asyncio, run_cases, until, world  # isort: skip  (first, for virtual time)

from mp_modem_bench import OK, Bench, Power, answer, case, cases_of, fails_with

from modem.blocking import SocketModule
from modem.luat import Luat

STATE = OK + b"\r\nSTATE: %s\r\n" + b"".join(b"\r\nC: %d,,,,,INITIAL\r\n" % link for link in range(6))
BOOT = b"^boot.rom\x00\xff\x80\x1b\r\nRDY\r\n"
LATER = b"\r\nRDY\r\n\r\n^MODE: 17,17\r\n\r\n+E_UTRAN Service\r\n\r\n+NITZ: 26/11/02,00:00:05+32,0\r\n\r\n+CPIN: READY\r\n"


def healthy():
    """Answers of an Air780E that has everything it needs; the links are the bench's."""
    return {
        b"AT": OK,
        b"ATE0": OK,
        b"AT+CMEE=1": OK,
        b"AT+CTZU=1": OK,
        b"AT+CEREG=1": OK,
        b"ATI": answer(b"AirM2M_780E_V1171_LTE_AT"),
        b"AT+CGSN": answer(b"860000000000017"),
        b"AT+CGMM": answer(b"Air780E"),
        b"AT+CPIN?": answer(b"+CPIN: READY"),
        b"AT+ICCID": answer(b"+ICCID: 898604A1192490075609"),
        b"AT+CIMI": answer(b"460001234567890"),
        b"AT+CSQ": answer(b"+CSQ: 20,99"),
        b"AT+CESQ": answer(b"+CESQ: 99,99,255,255,19,51"),
        b"AT+CEREG?": answer(b"+CEREG: 1,1"),
        b"AT+COPS?": answer(b'+COPS: 0,2,"46000",7'),
        b"AT+CFUN=1,1": OK,
        b"AT+CIPMUX=1": OK,
        b"AT+CIPRXGET=1": OK,
        b"AT+CIPRXF=1": OK,
        b"AT+CIPQSEND=1": OK,
        b"AT+CIPCLOSE=*": lambda line: b"\r\n" + line[12:13] + b", CLOSE OK\r\n",
        b"AT+CIPSTART=*": lambda line: OK + b"\r\n" + line[12:13] + b", CONNECT OK\r\n",
        b"AT+CIPRXGET=2,*": lambda line: answer(b"+CIPRXGET: 2," + line[14:15] + b",0,0"),
    }


class LuatPeer(Peer):
    """Takes a line feed right behind a command line for the line's own, as these modems do."""

    _behind_line = False

    def hear(self, data):
        for i in range(len(data)):
            if not (self._behind_line and data[i] == 10):
                super().hear(data[i : i + 1])
            self._behind_line = data[i] == 13 and not self._payload_begun()

    def _payload_begun(self):
        return self._payload and self._payload[2]


class LuatBench(Bench):
    """A modem under test with an Air780E for a peer; its call goes through the states that the manual names."""

    def __init__(self, settings=None, power=None, dialect=Luat):
        super().__init__(settings, power, dialect)
        self.peer = LuatPeer(self.uart, healthy())
        self.state = b"IP INITIAL"
        self.call_fails = None  # what is said instead of the start's OK
        for line, then in (
            (b"AT+CIPSHUT", lambda line: self.become(b"IP INITIAL", b"\r\nSHUT OK\r\n")),
            (b"AT+CSTT=*", lambda line: self.become(b"IP START", OK)),
            (b"AT+CIICR", self.start_call),
            (b"AT+CIFSR", self.tell_address),
            (b"AT+CIPSTATUS", lambda line: STATE % self.state),
            (b"AT+CIPSEND=*", self.take_send),
        ):
            self.peer.answers[line] = then

    def become(self, state, said):
        """Enter a state; returns what is said."""
        self.state = state
        return said

    def start_call(self, line):
        """Start the call, or say what it fails with."""
        if self.call_fails:
            return self.become(b"PDP DEACT", self.call_fails)
        return self.become(b"IP GPRSACT", OK)

    def tell_address(self, line):
        """Answer the bare address; only now links can be opened."""
        if self.state not in (b"IP GPRSACT", b"IP STATUS"):
            return b"\r\n+CME ERROR: 3\r\n"
        return self.become(b"IP STATUS", b"\r\n10.169.179.213\r\n")

    def take_send(self, line):
        """Prompt, and accept the whole payload."""
        link, count = line[11:].split(b",")
        return self.peer.prompt_for(line, int(count), b"\r\nDATA ACCEPT:%s,%s\r\n" % (link, count), b"\r\n> ")

    def take_read(self, line):
        """Give what is stored; nothing is a length of 0."""
        said = super().take_read(line)
        return answer(b"+CIPRXGET: 2,%s,0,0" % line.split(b",")[1]) if said.endswith(b"ERROR\r\n") else said

    def wake(self):
        """The modem has booted."""
        self.state = b"IP INITIAL"
        self.peer.mute = False
        self.peer.say(BOOT)
        self.peer.say(LATER, 750)

    def apn(self):
        """Return the access point name last set."""
        return [line for line in self.peer.lines if line.startswith(b"AT+CSTT")][-1].split(b'"')[1]


async def read(sock, count):
    """Read so many bytes."""
    buffer = bytearray(64)
    data = b""
    while len(data) < count:
        data += bytes(buffer[: await sock.readinto(buffer, 60000)])
    return data


async def connected(bench):
    """Return a socket over the bench's modem."""
    return await bench.modem.connect("10.0.0.1", 1883)


def order(bench, *lines):
    """Return whether these lines were heard, in this order."""
    heard = [line for line in bench.peer.lines if line in lines]
    return heard[: len(lines)] == list(lines)


# --- bringing it up


@case
async def the_call_comes_up_and_the_identity_is_read():
    async with LuatBench() as bench:
        modem = bench.modem
        assert modem.cause is None
        assert (modem.imei, modem.model) == ("860000000000017", "Air780E")
        assert (modem.iccid, modem.imsi) == ("898604A1192490075609", "460001234567890")
        assert (modem.rssi_dbm, modem.rsrp_dbm) == (-73, -90)
        assert order(bench, b"AT+CIPSHUT", b"AT+CIPMUX=1", b"AT+CIPRXGET=1", b"AT+CIPRXF=1", b"AT+CIICR", b"AT+CIFSR")
        assert b'AT+CSTT="","",""' in bench.peer.lines
        assert modem.counters["timeouts"] == 0


@case
async def bytes_may_come_one_by_one_and_with_an_echo():
    bench = LuatBench()
    bench.uart.chunk = 1
    bench.peer.echo = True
    await bench.start()
    assert bench.modem.rsrp_dbm == -90 and bench.modem.model == "Air780E"
    assert bench.modem.counters["timeouts"] == 0
    await bench.stop()


@case
async def a_modem_that_names_its_model_behind_a_prefix_is_understood():
    bench = LuatBench()
    bench.peer.answers[b"AT+CGMM"] = answer(b'+CGMM: "Air724UG"')
    await bench.start()
    assert bench.modem.model == "Air724UG"
    await bench.stop()


@case
async def the_first_command_may_be_lost_to_the_search_for_the_speed():
    power = Power()
    bench = LuatBench(power=power)
    bench.peer.answers[b"AT"] = lambda line: bench.peer.answers.update({b"AT": OK})
    await bench.start()
    assert power.edges == [] and bench.uart.baudrate == 115200
    await bench.stop()


@case
async def a_modem_that_is_off_gets_the_key_and_is_up_behind_garbage_and_two_banners():
    power = Power()
    bench = LuatBench(power=power)
    bench.peer.mute = True
    pressed = []
    power.on_edge = lambda pin, on: (pressed.append(world.clock.now), on or world.after(1300, bench.wake))
    await bench.start()
    assert power.edges == [("key", True), ("key", False)] and pressed[1] - pressed[0] >= 2000
    assert bench.modem.counters["power_cycles"] == 1
    await bench.stop()


@case
async def a_start_that_only_says_that_the_call_is_gone_is_tried_with_the_next_name():
    bench = LuatBench()
    bench.call_fails = b"\r\n+PDP: DEACT\r\n"
    bench.run()
    started = world.clock.now
    await until(lambda: bench.peer.lines.count(b"AT+CIICR") == 3)
    assert bench.apn() == b"cmnet" and world.clock.now - started < 30000
    bench.call_fails = b"\r\n+PDP: DEACT\r\n\r\n+CME ERROR: 65535\r\n"
    await until(lambda: bench.apn() == b"cmiot")
    bench.call_fails = None
    await until(bench.modem.up.is_set)
    await bench.stop()


@case
async def a_configured_access_point_comes_first_with_its_account():
    bench = LuatBench({"apn": "private", "apn_user": "u", "apn_password": "p"})
    await bench.start()
    assert b'AT+CSTT="private","u","p"' in bench.peer.lines
    await bench.stop()


@case
async def a_call_without_an_address_is_no_call():
    bench = LuatBench()
    bench.peer.answers[b"AT+CIFSR"] = b"\r\n+CME ERROR: 3\r\n"
    bench.run()
    await until(lambda: bench.peer.lines.count(b"AT+CIFSR") == 2)
    assert not bench.modem.up.is_set() and bench.modem.cause == "no_data_call"
    bench.peer.answers[b"AT+CIFSR"] = bench.tell_address
    await until(bench.modem.up.is_set)
    await bench.stop()


@case
async def a_lost_call_fails_the_sockets_and_is_shut_and_opened_again():
    async with LuatBench() as bench:
        sock = await connected(bench)
        heard = len(bench.peer.lines)
        bench.state = b"PDP DEACT"
        bench.peer.say(b"\r\n+PDP: DEACT\r\n")
        await fails_with("no_data_call", sock.readinto(bytearray(8), 5000))
        await until(lambda: bench.modem.cause is None)
        again = bench.peer.lines[heard:]
        assert again.index(b"AT+CIPSHUT") < again.index(b"AT+CIICR") < again.index(b"AT+CIFSR")
        assert bench.modem.counters["power_cycles"] == bench.modem.counters["radio_cycles"] == 0


@case
async def a_reboot_in_the_middle_fails_the_sockets_and_is_set_up_again():
    async with LuatBench() as bench:
        sock = await connected(bench)
        bench.peer.echo = True
        bench.peer.answers[b"ATE0"] = lambda line: bench.set_echo(False)
        bench.wake()
        await fails_with("rebooted", sock.readinto(bytearray(8), 1000))
        await until(bench.modem.up.is_set)
        assert not bench.peer.echo and bench.peer.lines.count(b"AT+CIPRXGET=1") >= 2
        assert bench.modem.counters["reboots"] in (1, 2) and bench.modem.counters["power_cycles"] == 0


@case
async def a_reboot_whose_banner_was_lost_is_found_by_what_comes_after():
    async with LuatBench() as bench:
        sock = await connected(bench)
        bench.state = b"IP INITIAL"
        bench.peer.say(b"\r\n^MODE: 17,17\r\n")
        await fails_with("no_data_call", sock.readinto(bytearray(8), 30000))
        await until(bench.modem.up.is_set)


@case
async def a_change_of_the_network_that_the_call_outlives_keeps_the_sockets():
    async with LuatBench() as bench:
        sock = await connected(bench)
        heard = len(bench.peer.lines)
        bench.state = b"IP PROCESSING"
        bench.peer.say(b'\r\n^MODE: 17,17\r\n\r\n+CGREG: 2,1,"2797","02B82E17",7\r\n')
        await until(lambda: b"AT+CIPSTATUS" in bench.peer.lines[heard:])
        await until(lambda: bench.modem.cause is None)
        assert not sock.closed and b"AT+CIPSHUT" not in bench.peer.lines[heard:]


async def climb_to_the_key(bench):
    """Complain until the power rung is taken."""
    modem = bench.modem
    while not modem.counters["power_cycles"]:
        modem.complain()
        await asyncio.sleep_ms(1000)
        await until(lambda: modem.cause is None or modem.counters["power_cycles"])


@case
async def a_modem_that_listens_is_switched_off_by_its_command_and_on_by_the_key():
    power = Power()
    bench = LuatBench(power=power)
    await bench.start()

    def power_down(line):
        bench.peer.say(b"\r\nNORMAL POWER DOWN\r\n", 700)
        world.after(701, lambda: setattr(bench.peer, "mute", True))

    bench.peer.answers[b"AT+CPOWD=1"] = power_down
    power.on_edge = lambda pin, on: on or world.after(1300, bench.wake)
    await climb_to_the_key(bench)
    await until(bench.modem.up.is_set)
    assert power.edges == [("key", True), ("key", False)]
    await bench.stop()


@case
async def a_modem_that_refuses_to_switch_off_gets_the_key_for_as_long_as_configured():
    power = Power()
    bench = LuatBench({"key_off_ms": 4500}, power)
    await bench.start()
    pressed = []
    power.on_edge = lambda pin, on: pressed.append(world.clock.now)
    await climb_to_the_key(bench)
    await until(lambda: len(pressed) == 4)
    assert pressed[1] - pressed[0] == 4500 and b"AT+CPOWD=1" in bench.peer.lines
    await bench.stop()


@case
async def life_is_proved_at_least_every_two_minutes_while_the_call_hangs():
    bench = LuatBench(power=Power())
    beats = [world.clock.now]

    def beat():
        assert world.clock.now - beats[-1] < 120000
        beats.append(world.clock.now)

    bench.modem.beat = beat
    for line in (b"AT+CIPSHUT", b"AT+CSTT=*", b"AT+CIICR", b"AT+CIFSR", b"AT+CIPSTATUS"):
        bench.peer.answers[line] = None
    bench.run()
    await asyncio.sleep_ms(1800000)
    assert len(beats) > 10 and world.clock.now - beats[-1] < 120000 and not bench.task.done()
    await bench.stop()


# --- links


@case
async def a_record_travels_both_ways_whatever_it_says():
    async with LuatBench() as bench:
        sock = await connected(bench)
        assert b'AT+CIPSTART=0,"TCP","10.0.0.1","1883"' in bench.peer.lines
        await sock.write(b"\nhello>\r\nOK\r\n0, CLOSED\r\n")
        assert [payload for _, payload in bench.peer.sent] == [b"\nhello>\r\nOK\r\n0, CLOSED\r\n"]
        bench.deliver(b"\nabc\r\nOK\r\n0, CLOSED\r\n")
        assert await read(sock, 20) == b"\nabc\r\nOK\r\n0, CLOSED\r\n"
        assert not sock.closed
        started = world.clock.now
        await sock.close()
        assert bench.peer.lines[-1] == b"AT+CIPCLOSE=0" and world.clock.now - started < 1000


@case
async def a_send_may_be_told_by_the_link():
    async with LuatBench() as bench:
        sock = await connected(bench)
        for said in (
            b"\r\n0, SEND OK\r\n",
            b"\r\nDATA ACCEPT: 0,5\r\n",
            b"\r\n+NITZ: 26/11/02,00:00:05+32,0\r\n\r\n0, SEND OK\r\n",
        ):
            bench.peer.answers[b"AT+CIPSEND=*"] = lambda line, said=said: bench.peer.prompt_for(line, 5, said, b"\r\n> ")
            await sock.write(b"hello")
        assert len(bench.peer.sent) == 3 and not sock.closed


@case
async def a_send_that_fails_or_is_taken_in_part_closes_the_socket():
    for said in (b"\r\n0, SEND FAIL\r\n", b"\r\nDATA ACCEPT:0,4\r\n", b"\r\n+CME ERROR: 3\r\n", b"\r\nERROR\r\n"):
        async with LuatBench() as bench:
            sock = await connected(bench)
            bench.peer.answers[b"AT+CIPSEND=*"] = lambda line, said=said: bench.peer.prompt_for(line, 5, said, b"\r\n> ")
            code = "cme_3" if b"CME" in said else "closed"
            await fails_with(code, sock.write(b"hello"))
            assert sock.closed
            await until(lambda: b"AT+CIPCLOSE=0" in bench.peer.lines)


@case
async def what_a_closed_connection_left_is_read_before_the_end():
    async with LuatBench() as bench:
        sock = await connected(bench)
        bench.deliver(b"x" * 3000, tell=False)
        bench.peer.say(b"\r\n0, CLOSED\r\n")
        assert await read(sock, 3000) == b"x" * 3000
        assert await sock.readinto(bytearray(4), 5000) == 0 and sock.closed
        bench.peer.answers[b"AT+CIPCLOSE=*"] = b"\r\n+CME ERROR: 3\r\n"
        await sock.close()
        await connected(bench)


@case
async def a_closed_link_that_refuses_to_be_read_is_at_its_end():
    async with LuatBench() as bench:
        sock = await connected(bench)
        bench.peer.answers[b"AT+CIPRXGET=2,*"] = b"\r\n+CME ERROR: 3\r\n"
        bench.peer.say(b"\r\n0, CLOSED\r\n")
        assert await sock.readinto(bytearray(4), 5000) == 0


@case
async def a_connection_that_fails_is_told_and_its_link_is_free():
    async with LuatBench() as bench:
        for said in (b"\r\n0, CONNECT FAIL\r\n", b"\r\n0, ALREADY CONNECT\r\n"):
            bench.peer.answers[b"AT+CIPSTART=*"] = OK + said
            await fails_with("refused", connected(bench))
            await until(lambda: bench.peer.lines[-1] == b"AT+CIPCLOSE=0")
            await asyncio.sleep_ms(500)
        bench.peer.answers[b"AT+CIPSTART=*"] = b"\r\n+CME ERROR: 3\r\n"
        await fails_with("cme_3", connected(bench))
        bench.peer.answers[b"AT+CIPSTART=*"] = healthy()[b"AT+CIPSTART=*"]
        await asyncio.sleep_ms(500)
        await connected(bench)
        assert bench.peer.lines[-1].startswith(b"AT+CIPSTART=0,")


@case
async def a_connection_that_comes_about_after_its_time_is_closed():
    async with LuatBench() as bench:
        bench.peer.answers[b"AT+CIPSTART=*"] = OK
        await fails_with("timeout", bench.modem.connect("10.0.0.1", 1883, timeout_ms=2000))
        await asyncio.sleep_ms(2000)
        closes = bench.peer.lines.count(b"AT+CIPCLOSE=0")
        bench.peer.say(b"\r\n0, CONNECT OK\r\n")
        await until(lambda: bench.peer.lines.count(b"AT+CIPCLOSE=0") > closes, 5000)


@case
async def data_that_is_not_told_is_found_and_an_empty_read_is_no_error():
    async with LuatBench() as bench:
        sock = await connected(bench)
        await asyncio.sleep_ms(5000)
        assert not sock.closed and b"AT+CIPRXGET=2,0,1460" in bench.peer.lines
        bench.deliver(b"quiet", tell=False)
        assert await read(sock, 5) == b"quiet"


@case
async def a_name_is_looked_up_and_its_address_comes_behind_the_ok():
    async with LuatBench() as bench:
        bench.peer.answers[b"AT+CDNSGIP=*"] = OK + b'\r\n+CTTS:0\r\n\r\n+CDNSGIP: 1,"broker.example","10.1.2.3"\r\n'
        assert await bench.modem.resolve("broker.example") == "10.1.2.3"
        bench.peer.answers[b"AT+CDNSGIP=*"] = lambda line: bench.peer.say(OK) or bench.peer.say(b"\r\n+CDNSGIP:0,10\r\n", 3000)
        await fails_with("dns", bench.modem.resolve("nowhere.example"))
        assert bench.modem.counters["timeouts"] == 0


@case
async def datagrams_are_refused_in_words():
    async with LuatBench() as bench:
        await fails_with("unsupported", bench.modem.udp(5000))
        for _ in range(4):
            await connected(bench)


@case
async def the_blocking_face_fetches_a_page():
    async with LuatBench() as bench:
        bench.peer.answers[b"AT+CDNSGIP=*"] = OK + b'\r\n+CDNSGIP: 1,"h.example","10.0.0.2"\r\n'
        module = SocketModule(bench.modem)
        sock = module.socket()
        sock.connect(module.getaddrinfo("h.example", 80)[0][-1])
        sock.write(b"GET /\r\n")
        bench.deliver(b"body")
        assert sock.read(4) == b"body"
        sock.close()
        assert bench.peer.lines[-1] == b"AT+CIPCLOSE=0"


# --- services


@case
async def a_place_is_read_off_the_cells_through_a_bearer_of_its_own():
    async with LuatBench() as bench:
        answers = bench.peer.answers
        answers[b"AT+SAPBR=*"] = OK
        answers[b"AT+CIPGSMLOC=1,1"] = lambda line: bench.peer.say(
            answer(b"+CIPGSMLOC: 0,034.7983328,114.3214505,2023/06/05,14:38:50"), 20000
        )
        assert await bench.modem.cell_location() == (347983328, 1143214505, 1000)
        assert order(bench, b'AT+SAPBR=3,1,"CONTYPE","GPRS"', b'AT+SAPBR=3,1,"APN",""', b"AT+SAPBR=1,1", b"AT+CIPGSMLOC=1,1")
        answers[b"AT+SAPBR=*"] = b"\r\nERROR\r\n"  # it is open already
        answers[b"AT+CIPGSMLOC=1,1"] = answer(b"+CIPGSMLOC: 601")
        await fails_with("location_601", bench.modem.cell_location())
        answers[b"AT+CIPGSMLOC=1,1"] = b"\r\n+CME ERROR: 65535\r\n"
        await fails_with("cme_65535", bench.modem.cell_location())


@case
async def a_write_waits_for_a_place_that_takes_half_a_minute():
    async with LuatBench() as bench:
        sock = await connected(bench)
        bench.peer.answers[b"AT+SAPBR=*"] = OK
        bench.peer.answers[b"AT+CIPGSMLOC=1,1"] = lambda line: bench.peer.say(answer(b"+CIPGSMLOC: 408"), 34000)
        asked = asyncio.create_task(bench.modem.cell_location())
        await asyncio.sleep_ms(500)
        await sock.write(b"heartbeat")
        await fails_with("location_408", asked)
        assert not sock.closed and bench.peer.sent[-1][1] == b"heartbeat"


@case
async def a_satellite_fix_is_read_where_there_is_a_receiver():
    async with LuatBench() as bench:
        modem = bench.modem
        for refusal in (b"\r\nERROR\r\n", b"\r\n+CME ERROR: 4\r\n", b"\r\n+CME ERROR: invalid command line\r\n"):
            bench.peer.answers[b"AT+CGNSPWR=1"] = refusal
            await fails_with("unsupported", modem.gnss_fix())
        bench.peer.answers[b"AT+CGNSPWR=1"] = OK
        bench.peer.answers[b"AT+CGNSINF"] = answer(b"+CGNSINF: 1,0,,,,,,,,,,,,,,,,,,,,")
        assert await modem.gnss_fix() is None
        bench.peer.answers[b"AT+CGNSINF"] = answer(
            b"+CGNSINF: 1,1,20241110032427,31.820789,117.117390,78.500,36.00,130.07,3,,1.79,0.89,4.00,,12,11,,,34,,"
        )
        assert await modem.gnss_fix() == (318207890, 1171173900, 89, 1731209067000, 1000)


@case
async def network_time_comes_in_utc_or_not_at_all():
    async with LuatBench() as bench:
        bench.peer.answers[b"AT+CCLK?"] = answer(b'+CCLK: "26/11/02,08:00:05+32"')
        assert await bench.modem.network_time_ms() == 1793577605000
        bench.peer.answers[b"AT+CCLK?"] = answer(b'+CCLK: "70/01/01,00:00:05+00"')
        assert await bench.modem.network_time_ms() is None


@case
async def speech_ends_with_its_urc():
    async with LuatBench() as bench:
        bench.peer.answers[b"AT+CTTS=1,*"] = OK
        said = asyncio.create_task(bench.modem.say("焊码A"))
        await asyncio.sleep_ms(1000)
        assert bench.peer.lines[-1] == b'AT+CTTS=1,"710A78010041"' and not said.done()
        bench.peer.say(b"\r\n+CTTS:0\r\n")
        await said


@case
async def a_modem_without_speech_says_unsupported():
    async with LuatBench() as bench:
        await fails_with("unsupported", bench.modem.say("hello"))
        await fails_with("too_long", bench.modem.say("x" * 512))


@case
async def an_unnamed_family_is_found_by_asking():
    for information in (b"AirM2M_780E_V1171_LTE_AT", b"LuatOS-Air_V4032_RDA8910_TTS_NOLVGL_FLOAT"):
        bench = LuatBench({"family": "auto"}, None, None)
        bench.peer.answers[b"ATI"] = answer(information)
        assert bench.modem.dialect.NAME == "unknown"
        await bench.start()
        assert bench.modem.dialect.NAME == "luat"
        sock = await connected(bench)
        bench.deliver(b"hello")
        assert await read(sock, 5) == b"hello"
        await bench.stop()


if __name__ == "__main__":
    run_cases(cases_of())
