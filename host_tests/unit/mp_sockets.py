"""Cases for the modem's sockets under MicroPython, against a scripted modem in virtual time. Run by
test_sockets.py."""

import gc

from mp_fakes import asyncio, run_cases, until, world  # isort: skip  (first, for virtual time)

from mp_modem_bench import OK, Bench, case, cases_of, fails_with

from modem.blocking import SocketModule
from modem.simcom_up import IMEI


async def connected(bench):
    """Return a socket over the bench's modem."""
    return await bench.modem.connect("10.0.0.1", 1883)


async def read_all(sock, limit=100000, pause_ms=0, size=64):
    """Read to the end of the stream, or to limit bytes."""
    buffer = bytearray(size)
    data = b""
    while len(data) < limit:
        count = await sock.readinto(memoryview(buffer), 60000)
        if not count:
            break
        data += bytes(buffer[:count])
        await asyncio.sleep_ms(pause_ms)
    return data


def pattern(count):
    """Return bytes that show a lost, doubled or moved one."""
    return bytes((i * 7 + i // 256) & 255 for i in range(count))


@case
async def a_record_travels_both_ways_whatever_it_says():
    async with Bench() as bench:
        sock = await connected(bench)
        await sock.write(b"hello>\r\nOK\r\n")
        assert bench.peer.sent == [(b"AT+CIPSEND=0,12", b"hello>\r\nOK\r\n")]
        bench.deliver(b"abc\r\nOK\r\n+IPCLOSE: 0,1\r\n")
        assert await read_all(sock, 24) == b"abc\r\nOK\r\n+IPCLOSE: 0,1\r\n"
        assert not sock.closed
        await sock.close()
        assert sock.closed and bench.peer.lines[-1] == b"AT+CIPCLOSE=0"


@case
async def the_read_command_follows_the_urc_before_anything_else_runs():
    async with Bench() as bench:
        await connected(bench)
        heard = len(bench.peer.lines)
        bench.stored[0] = b"x"
        bench.peer.answers[b"AT+CIPRXGET=2,*"] = bench.take_read
        bench.uart.inbox.extend(b"\r\n+CIPRXGET: 1,0\r\n")
        bench.modem.channel.pump()
        assert bench.peer.lines[heard:] == [b"AT+CIPRXGET=2,0,1460"]


@case
async def reads_go_ahead_of_what_else_is_queued():
    async with Bench() as bench:
        await connected(bench)
        bench.peer.delay_ms = 50
        channel = bench.modem.channel
        asked = [asyncio.create_task(channel.ask(bench.modem.dialect.SIGNAL)) for _ in range(3)]
        await asyncio.sleep_ms(5)
        heard = len(bench.peer.lines)
        bench.stored[0] = b"x"
        bench.peer.answers[b"AT+CIPRXGET=2,*"] = bench.take_read
        bench.peer.say(b"\r\n+CIPRXGET: 1,0\r\n", 0)
        for task in asked:
            await task
        assert bench.peer.lines[heard] == b"AT+CIPRXGET=2,0,1460"


@case
async def a_long_write_goes_out_in_pieces_in_order():
    async with Bench() as bench:
        sock = await connected(bench)
        bench.uart.takes = 100
        data = pattern(4000)
        await sock.write(data)
        assert b"".join(payload for _, payload in bench.peer.sent) == data
        assert max(len(payload) for _, payload in bench.peer.sent) <= 1460


@case
async def data_whose_urc_was_lost_is_found():
    async with Bench() as bench:
        sock = await connected(bench)
        bench.deliver(b"quiet", tell=False)
        assert await read_all(sock, 5) == b"quiet"


@case
async def data_that_arrives_during_a_read_is_read_too():
    async with Bench() as bench:
        sock = await connected(bench)

        def read(line):
            bench.peer.answers[b"AT+CIPRXGET=2,*"] = bench.take_read
            bench.stored[0] = b"second"
            return b"\r\n+CIPRXGET: 2,0,5,0\r\nfirst\r\n\r\n+CIPRXGET: 1,0\r\n\r\nOK\r\n"

        bench.peer.answers[b"AT+CIPRXGET=2,*"] = read
        bench.peer.say(b"\r\n+CIPRXGET: 1,0\r\n")
        started = world.clock.now
        assert await read_all(sock, 11) == b"firstsecond"
        assert world.clock.now - started < 1000


@case
async def noise_that_looks_like_a_result_loses_no_data():
    async with Bench() as bench:
        sock = await connected(bench)
        bench.peer.delay_ms = 20
        data = pattern(3000)
        bench.deliver(data)
        reading = asyncio.create_task(read_all(sock, 3000))
        for _ in range(40):
            bench.peer.say(b"\r\nOK\r\n", 0)
            await asyncio.sleep_ms(7)
        assert await reading == data
        await sock.write(b"and back")
        assert bench.peer.sent[-1][1] == b"and back"


@case
async def a_busy_line_cut_anyhow_carries_both_ways_whole():
    noise = (b"\r\n+FOO: 1\r\n", b"\r\nOK\r\n", b"\r\n+CIPRXGET: 1,0\r\n", b"\r\n+CEREG: 1\r\n", b"\r\n*X: OK\r\n")
    dice = 12345
    async with Bench() as bench:
        sock = await connected(bench)
        sent, got = b"", b""
        for turn in range(60):
            dice = (dice * 1103515245 + 12345) & 0x7FFFFFFF
            bench.uart.chunk = 1 + (dice >> 8) % 40
            bench.uart.takes = 1 + (dice >> 12) % 300
            bench.peer.echo = bool(dice & 0x4000)
            up, down = pattern(1 + (dice >> 5) % 700), pattern(1 + (dice >> 9) % 900)
            bench.deliver(down, tell=turn % 5 > 0)
            writing = asyncio.create_task(sock.write(up))
            bench.peer.say(noise[turn % 5], (dice >> 3) % 8)
            got += await read_all(sock, len(down))
            assert got == down, turn
            got = b""
            await writing
            sent += up
        assert b"".join(payload for _, payload in bench.peer.sent) == sent
        assert bench.modem.counters["timeouts"] == 0


@case
async def what_a_closed_connection_left_is_read_before_the_end():
    async with Bench() as bench:
        sock = await connected(bench)
        data = pattern(5000)
        bench.deliver(data, tell=False)
        bench.peer.say(b"\r\n+IPCLOSE: 0,1\r\n")
        assert await read_all(sock, pause_ms=3) == data
        assert sock.closed and await sock.readinto(bytearray(4), 100) == 0
        await fails_with("closed", sock.write(b"x"))


@case
async def a_send_the_modem_confirms_in_part_closes_the_socket():
    for confirmed in (b"0", b"4", b"-1"):
        async with Bench() as bench:
            sock = await connected(bench)
            bench.peer.answers[b"AT+CIPSEND=*"] = lambda line, n=confirmed: bench.peer.prompt_for(
                line, 5, OK + b"\r\n+CIPSEND: 0,5," + n + b"\r\n"
            )
            await fails_with("closed", sock.write(b"hello"))
            assert sock.closed
            await until(lambda: b"AT+CIPCLOSE=0" in bench.peer.lines)


@case
async def a_refused_send_closes_the_socket():
    async with Bench() as bench:
        sock = await connected(bench)
        bench.peer.answers[b"AT+CIPSEND=*"] = b"\r\n+CIPERROR: 4\r\n\r\nERROR\r\n"
        await fails_with("closed", sock.write(b"hello"))
        assert sock.closed


@case
async def a_close_that_overtakes_the_confirmation_ends_the_write():
    async with Bench() as bench:
        sock = await connected(bench)
        bench.peer.answers[b"AT+CIPSEND=*"] = lambda line: bench.peer.prompt_for(
            line, 5, b"\r\n+IPCLOSE: 0,1\r\n" + OK
        )
        await fails_with("closed", sock.write(b"hello"))


@case
async def a_prompt_that_never_comes_is_filled_and_the_socket_closed():
    async with Bench() as bench:
        sock = await connected(bench)
        bench.peer.answers[b"AT+CIPSEND=*"] = lambda line: bench.peer.prompt_for(line, 40, OK, None)
        await fails_with("timeout", sock.write(b"x" * 40))
        assert sock.closed
        assert await bench.modem.channel.ask(IMEI) == b"860000000000017"
        assert bench.modem.cause is None


@case
async def a_reader_that_is_slow_holds_the_modem_back():
    async with Bench() as bench:
        sock = await connected(bench)
        data = pattern(12000)
        bench.deliver(data)
        await asyncio.sleep_ms(3000)
        assert len(bench.stored[0]) >= 12000 - 2048
        assert await read_all(sock, 12000, pause_ms=10, size=100) == data


@case
async def data_with_a_hole_closes_the_socket():
    async with Bench() as bench:
        sock = await connected(bench)
        bench.peer.answers[b"AT+CIPRXGET=2,*"] = b"\r\n+CIPRXGET: 2,0,20,0\r\nonly twelve!" + OK + b"\r\nXX"
        bench.peer.say(b"\r\n+CIPRXGET: 1,0\r\n")
        await fails_with("corrupt", sock.readinto(bytearray(4), 60000))
        assert sock.closed


@case
async def a_read_cut_short_closes_the_socket_and_nothing_else():
    async with Bench() as bench:
        sock = await connected(bench)
        bench.peer.answers[b"AT+CIPRXGET=2,*"] = b"\r\n+CIPRXGET: 2,0,50,0\r\nonly a part"
        bench.peer.say(b"\r\n+CIPRXGET: 1,0\r\n")
        buffer = bytearray(64)
        await until(lambda: sock.closed)
        await fails_with("timeout", sock.readinto(buffer, 5000))
        assert bench.modem.cause is None


@case
async def four_sockets_are_open_at_once_and_a_fifth_is_refused():
    async with Bench() as bench:
        socks = []
        for _ in range(4):
            socks.append(await connected(bench))
        await fails_with("no_socket", connected(bench))
        for link in range(4):
            bench.deliver(b"%d" % link, link)
        for link in range(4):
            assert await read_all(socks[link], 1) == b"%d" % link
        await socks[2].close()
        again = await connected(bench)
        assert bench.peer.lines[-1].startswith(b"AT+CIPOPEN=2,")
        await again.close()


@case
async def errors_of_opening_are_told_apart():
    async with Bench() as bench:
        for error, code in ((b"2", "no_data_call"), (b"10", "timeout"), (b"11", "dns"), (b"12", "failed")):
            bench.peer.answers[b"AT+CIPOPEN=*"] = lambda line, said=error: (
                OK + b"\r\n+CIPOPEN: %s,%s\r\n" % (line[11:12], said)
            )
            await fails_with(code, connected(bench))
        await asyncio.sleep_ms(1000)
        bench.peer.answers[b"AT+CIPOPEN=*"] = b"\r\n+CIPOPEN: 0,2\r\n\r\nERROR\r\n"
        await fails_with("no_data_call", connected(bench))


@case
async def a_connection_that_comes_about_after_its_time_is_closed():
    async with Bench() as bench:
        bench.peer.answers[b"AT+CIPOPEN=*"] = OK
        await fails_with("timeout", bench.modem.connect("10.0.0.1", 1883, timeout_ms=2000))
        await asyncio.sleep_ms(2000)
        closes = bench.peer.lines.count(b"AT+CIPCLOSE=0")
        bench.peer.say(b"\r\n+CIPOPEN: 0,0\r\n")
        await until(lambda: bench.peer.lines.count(b"AT+CIPCLOSE=0") > closes, 5000)


@case
async def a_cancelled_connect_gives_its_link_back():
    async with Bench() as bench:
        bench.peer.answers[b"AT+CIPOPEN=*"] = OK
        for _ in range(6):
            task = asyncio.create_task(connected(bench))
            await asyncio.sleep_ms(100)
            task.cancel()
            await asyncio.sleep_ms(100)
        bench.peer.answers[b"AT+CIPOPEN=*"] = OK + b"\r\n+CIPOPEN: 0,0\r\n"
        await connected(bench)


@case
async def a_link_the_modem_never_releases_is_free_in_the_end():
    async with Bench() as bench:
        sock = await connected(bench)
        bench.peer.answers[b"AT+CIPCLOSE=*"] = OK
        await asyncio.wait_for_ms(sock.close(), 30000)
        await connected(bench)


@case
async def a_read_that_nobody_answers_times_out():
    async with Bench() as bench:
        sock = await connected(bench)
        await fails_with("timeout", sock.readinto(bytearray(4), 500))
        assert not sock.closed


@case
async def a_cancelled_read_loses_nothing():
    async with Bench() as bench:
        sock = await connected(bench)
        task = asyncio.create_task(sock.readinto(bytearray(4)))
        await asyncio.sleep_ms(10)
        task.cancel()
        bench.deliver(b"whole")
        assert await read_all(sock, 5) == b"whole"


@case
async def a_cancelled_write_does_not_mix_with_the_next():
    async with Bench() as bench:
        sock = await connected(bench)
        bench.peer.delay_ms = 300
        task = asyncio.create_task(sock.write(b"first"))
        await asyncio.sleep_ms(100)
        task.cancel()
        await sock.write(b"second")
        assert [payload for _, payload in bench.peer.sent] == [b"first", b"second"]


@case
async def writers_take_turns():
    async with Bench() as bench:
        sock = await connected(bench)
        tasks = [asyncio.create_task(sock.write(bytes([65 + i]) * 2000)) for i in range(3)]
        for task in tasks:
            await task
        assert b"".join(payload for _, payload in bench.peer.sent) == b"A" * 2000 + b"B" * 2000 + b"C" * 2000


@case
async def the_stream_face_never_waits():
    async with Bench() as bench:
        sock = await connected(bench)
        stream = sock.stream
        buffer = bytearray(8)
        assert stream.readinto(buffer) is None
        assert stream.write(pattern(2000)) == 1024 and stream.write(b"x") is None
        assert bench.peer.sent == []
        await sock.flush()
        assert stream.write(b"more") == 4
        await sock.flush()
        assert b"".join(payload for _, payload in bench.peer.sent) == pattern(1024) + b"more"
        bench.deliver(b"abc")
        await sock.wait_readable(1000)
        assert stream.readinto(buffer) == 3 and bytes(buffer[:3]) == b"abc"
        bench.peer.say(b"\r\n+IPCLOSE: 0,1\r\n")
        await sock.wait_readable(5000)
        assert stream.readinto(buffer) == 0


@case
async def what_is_written_during_a_flush_goes_out_too():
    async with Bench() as bench:
        sock = await connected(bench)
        sock.stream.write(b"one")
        task = asyncio.create_task(sock.flush())
        await asyncio.sleep_ms(1)
        sock.stream.write(b"two")
        await task
        assert b"".join(payload for _, payload in bench.peer.sent) == b"onetwo"


@case
async def the_stream_face_of_a_failed_socket_raises():
    async with Bench() as bench:
        sock = await connected(bench)
        stream = sock.stream
        bench.peer.say(b"\r\n*ATREADY: 1\r\n")
        await until(lambda: sock.closed)
        for call in (lambda: stream.readinto(bytearray(4)), lambda: stream.write(b"x")):
            try:
                call()
                raise AssertionError("no error")
            except OSError as problem:
                assert problem.errno == 104


@case
async def datagrams_go_where_they_are_sent():
    async with Bench() as bench:
        bench.peer.answers[b"AT+CIPOPEN=*"] = b"\r\n+CIPOPEN: 0,0\r\n" + OK  # the URC first
        sock = await bench.modem.udp(5000)
        assert bench.peer.lines[-1] == b'AT+CIPOPEN=0,"UDP",,,5000'
        await sock.sendto(b"ping", "10.0.0.9", 7)
        assert bench.peer.sent == [(b'AT+CIPSEND=0,4,"10.0.0.9",7', b"ping")]
        bench.deliver(b"pong")
        buffer = bytearray(16)
        assert await sock.recvfrom(buffer, 1000) == (4, "10.0.0.9", 7) and bytes(buffer[:4]) == b"pong"


@case
async def the_blocking_face_fetches_a_page_while_an_async_command_is_in_flight():
    async with Bench() as bench:
        bench.peer.delay_ms = 200
        asked = asyncio.create_task(bench.modem.channel.ask(IMEI))
        await asyncio.sleep_ms(10)
        bench.peer.answers[b"AT+CDNSGIP=*"] = b'\r\n+CDNSGIP: 1,"h.example","10.0.0.2"\r\n' + OK
        module = SocketModule(bench.modem)
        address = module.getaddrinfo("h.example", 80)[0][-1]
        assert address == ("10.0.0.2", 80)
        sock = module.socket(module.AF_INET, module.SOCK_STREAM)
        sock.settimeout(20)
        sock.connect(address)
        sock.write(b"GET / HTTP/1.0\r\n\r\n")
        bench.deliver(b"HTTP/1.0 200 OK\r\n\r\nbody", tell=True)
        bench.peer.say(b"\r\n+IPCLOSE: 0,1\r\n")
        assert sock.readline() == b"HTTP/1.0 200 OK\r\n" and sock.readline() == b"\r\n"
        assert sock.read() == b"body"
        sock.close()
        assert await asked == b"860000000000017"
        await (await connected(bench)).close()


@case
async def the_blocking_face_raises_oserror_in_time():
    async with Bench() as bench:
        module = SocketModule(bench.modem)
        bench.peer.answers[b"AT+CDNSGIP=*"] = b"\r\n+CDNSGIP: 0,10\r\n\r\nERROR\r\n"
        sock = module.socket()
        sock.settimeout(5)
        for host, errno in (("nowhere.example", -2), ("10.0.0.3", 110)):
            bench.peer.answers[b"AT+CIPOPEN=*"] = OK
            try:
                sock.connect((host, 80))
                raise AssertionError("no error")
            except OSError as problem:
                assert problem.errno == errno, problem
        bench.peer.answers[b"AT+CIPOPEN=*"] = OK + b"\r\n+CIPOPEN: 0,0\r\n"
        other = module.socket()
        other.settimeout(3)
        other.connect(("10.0.0.3", 80))
        try:
            other.recv(1)
            raise AssertionError("no error")
        except OSError as problem:
            assert problem.errno == 110


@case
async def the_blocking_face_sees_the_modem_fall_silent():
    async with Bench() as bench:
        sock = SocketModule(bench.modem).socket()
        sock.settimeout(60)
        sock.connect(("10.0.0.3", 80))
        bench.peer.mute = True
        try:
            sock.write(b"x")
            raise AssertionError("no error")
        except OSError as problem:
            assert problem.errno in (104, 110)


@case
async def an_hour_of_messages_leaves_the_heap_as_it_was():
    async with Bench() as bench:
        sock = await connected(bench)
        buffer = bytearray(64)
        used = []
        for turn in range(60):
            await sock.write(b"heartbeat")
            bench.deliver(b"acknowledged")
            await sock.readinto(buffer, 5000)
            await asyncio.sleep_ms(60000)
            bench.peer.lines.clear()
            bench.peer.sent.clear()
            bench.asked.clear()
            if turn % 20 == 19:
                gc.collect()
                used.append(gc.mem_alloc())
        assert used[2] <= used[0] + 256, used


@case
async def reopening_a_hundred_times_leaves_the_heap_as_it_was():
    async with Bench() as bench:
        used = []
        for turn in range(150):
            sock = await connected(bench)
            sock.stream.write(b"x")
            await sock.flush()
            await sock.close()
            bench.peer.lines.clear()
            bench.peer.sent.clear()
            if turn % 50 == 49:
                sock = None
                gc.collect()
                used.append(gc.mem_alloc())
        assert used[2] <= used[0] + 256, used


if __name__ == "__main__":
    run_cases(cases_of())
