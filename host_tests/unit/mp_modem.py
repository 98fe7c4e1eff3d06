"""Cases for the modem under MicroPython, against a scripted modem in virtual time. Run by test_modem_async.py."""

import sys

from mp_fakes import asyncio, run_cases, until, world  # isort: skip  (first, for virtual time)

from mp_modem_bench import OK, Bench, Power, answer, case, cases_of, fails_with

from modem.at import ModemError
from modem.simcom_up import IMEI, MODEL, OPERATOR


@case
async def the_call_comes_up_and_the_identity_is_read():
    async with Bench() as bench:
        modem = bench.modem
        assert modem.cause is None
        assert (modem.imei, modem.model) == ("860000000000017", "A7670C")
        assert (modem.iccid, modem.imsi) == ("898604A1192490075609", "460001234567890")
        assert (modem.rssi_dbm, modem.rsrp_dbm) == (-73, -90)
        await until(lambda: modem.operator)
        assert modem.operator == "46000" and modem.sim_state == "READY"


@case
async def a_modem_that_answers_is_never_sent_the_power_key():
    power = Power()
    async with Bench(power=power):
        await asyncio.sleep_ms(5000)
        assert power.edges == []


@case
async def a_modem_that_is_off_gets_the_key_once_and_is_up_after_its_banner():
    power = Power()
    bench = Bench(power=power)
    bench.peer.mute = True

    def boot(pin, on):
        if not on:
            world.after(11000, bench.wake)

    power.on_edge = boot
    await bench.start()
    assert power.edges == [("key", True), ("key", False)]
    assert bench.modem.counters["power_cycles"] == 1
    await bench.stop()


@case
async def a_modem_at_another_speed_is_found_without_the_key():
    power = Power()
    bench = Bench(power=power)
    bench.peer.baudrate = 57600
    await bench.start()
    assert bench.uart.baudrate == 57600 and power.edges == []
    await bench.stop()


@case
async def an_echo_changes_nothing():
    bench = Bench()
    bench.peer.echo = True
    bench.peer.answers[b"ATE0"] = b"\r\nERROR\r\n"
    await bench.start()
    assert bench.modem.imei == "860000000000017" and bench.modem.imsi == "460001234567890"
    await bench.stop()


@case
async def bytes_may_come_one_by_one():
    bench = Bench()
    bench.uart.chunk = 1
    await bench.start()
    assert bench.modem.rsrp_dbm == -90
    await bench.stop()


@case
async def a_missing_sim_is_the_cause_and_ends_when_it_is_put_in():
    bench = Bench()
    bench.peer.answers[b"AT+CPIN?"] = b"\r\n+CME ERROR: 10\r\n"
    bench.run()
    await until(lambda: bench.modem.cause == "no_sim")
    assert not bench.modem.sim_pulled and not bench.modem.up.is_set()
    bench.peer.answers[b"AT+CPIN?"] = answer(b"+CPIN: READY")
    await until(bench.modem.up.is_set)
    await bench.stop()


@case
async def a_sim_pulled_while_running_is_noticed_by_its_urc():
    async with Bench() as bench:
        bench.peer.answers[b"AT+CPIN?"] = b"\r\n+CME ERROR: 10\r\n"
        bench.peer.say(b"\r\n+CPIN: SIM REMOVED\r\n")
        await until(lambda: bench.modem.cause == "no_sim", 1000)
        assert bench.modem.sim_pulled


@case
async def a_sim_pulled_while_running_is_noticed_without_a_urc():
    async with Bench() as bench:
        bench.peer.answers[b"AT+CPIN?"] = b"\r\n+CME ERROR: 10\r\n"
        await until(lambda: bench.modem.sim_pulled, 60000)


@case
async def a_sim_that_is_not_ready_yet_after_a_restart_is_not_called_missing():
    async with Bench() as bench:
        modem = bench.modem
        causes = set()
        for not_ready in (b"\r\n+CME ERROR: 13\r\n", b"\r\nERROR\r\n", answer(b"+CPIN: NOT READY")):
            bench.peer.answers[b"AT+CPIN?"] = not_ready
            bench.peer.answers[b"AT+NETOPEN?"] = answer(b"+NETOPEN: 0")
            bench.peer.say(b"\r\n*ATREADY: 1\r\n\r\n+CPIN: NOT READY\r\n")
            for _ in range(150):
                await asyncio.sleep_ms(100)
                causes.add(modem.cause)
                assert not modem.sim_pulled
            bench.peer.answers[b"AT+CPIN?"] = answer(b"+CPIN: READY")
            await until(lambda: modem.cause is None)
        assert "no_sim" not in causes, causes


@case
async def a_sim_that_stays_unready_is_missing_after_a_while():
    async with Bench() as bench:
        bench.peer.answers[b"AT+CPIN?"] = b"\r\n+CME ERROR: 13\r\n"
        bench.peer.say(b"\r\n+CPIN: NOT READY\r\n")
        await asyncio.sleep_ms(15000)
        assert bench.modem.cause is None and not bench.modem.sim_pulled
        await until(lambda: bench.modem.cause == "no_sim" and bench.modem.sim_pulled, 10000)


@case
async def no_field_and_no_registration_are_told_apart():
    bench = Bench()
    bench.peer.answers[b"AT+CEREG?"] = answer(b"+CEREG: 1,2")
    bench.run()
    await until(lambda: bench.modem.cause == "no_registration")
    bench.peer.answers[b"AT+CSQ"] = answer(b"+CSQ: 99,99")
    bench.peer.answers[b"AT+CESQ"] = answer(b"+CESQ: 99,99,255,255,255,255")
    await until(lambda: bench.modem.cause == "no_signal")
    await bench.stop()


@case
async def a_short_loss_of_registration_keeps_the_sockets():
    async with Bench() as bench:
        sock = await bench.modem.connect("10.0.0.1", 1883)
        bench.peer.answers[b"AT+CEREG?"] = answer(b"+CEREG: 1,2")
        bench.peer.say(b"\r\n+CEREG: 2\r\n")
        await until(lambda: bench.modem.cause == "no_registration", 1000)
        bench.peer.answers[b"AT+CEREG?"] = answer(b"+CEREG: 1,1")
        bench.peer.say(b"\r\n+CEREG: 1\r\n")
        await until(lambda: bench.modem.cause is None, 1000)
        assert not sock.closed and b"AT+NETCLOSE" not in bench.peer.lines


@case
async def access_points_are_tried_twice_each_from_the_empty_one_on():
    bench = Bench()
    named = []

    def open_call(line):
        good = bench.apn() == b"cmiot"
        named.append(bench.apn())
        return OK + (b"\r\n+NETOPEN: 0\r\n" if good else b"\r\n+NETOPEN: 1\r\n")

    bench.peer.answers[b"AT+NETOPEN"] = open_call
    bench.peer.answers[b"AT+NETOPEN?"] = answer(b"+NETOPEN: 0")
    await bench.start()
    assert named == [b"", b"", b"cmnet", b"cmnet", b"cmiot"], named
    await bench.stop()


@case
async def a_configured_access_point_comes_first_with_its_account():
    bench = Bench({"apn": "private", "apn_user": "u", "apn_password": "p"})
    bench.peer.answers[b"AT+CGAUTH=*"] = OK
    await bench.start()
    assert bench.apn() == b"private"
    assert b'AT+CGAUTH=1,1,"p","u"' in bench.peer.lines
    await bench.stop()


@case
async def a_call_that_is_open_already_counts_as_open():
    bench = Bench()
    bench.peer.answers[b"AT+NETOPEN"] = b"\r\n+IP ERROR: Network is already opened\r\n\r\nERROR\r\n"
    await bench.start()
    await bench.stop()


@case
async def a_lost_call_fails_the_sockets_and_is_opened_again():
    async with Bench() as bench:
        sock = await bench.modem.connect("10.0.0.1", 1883)
        bench.peer.say(b"\r\n+CIPEVENT: NETWORK CLOSED UNEXPECTEDLY\r\n")
        await fails_with("no_data_call", sock.readinto(bytearray(8), 5000))
        await until(lambda: bench.modem.cause is None)
        assert bench.peer.lines.count(b"AT+NETOPEN") == 2
        assert bench.modem.counters["power_cycles"] == bench.modem.counters["radio_cycles"] == 0


@case
async def a_reboot_in_the_middle_fails_the_sockets_at_once_and_is_set_up_again():
    async with Bench() as bench:
        sock = await bench.modem.connect("10.0.0.1", 1883)
        bench.peer.echo = True
        bench.peer.answers[b"ATE0"] = lambda line: bench.set_echo(False)
        bench.peer.say(b"\r\n*ATREADY: 1\r\n\r\n+CPIN: READY\r\n")
        await fails_with("rebooted", sock.readinto(bytearray(8), 1000))
        await until(bench.modem.up.is_set)
        assert not bench.peer.echo
        assert bench.peer.lines.count(b"AT+CIPRXGET=1") == 2
        assert bench.modem.counters["reboots"] == 1 and bench.modem.counters["power_cycles"] == 0


@case
async def a_reboot_whose_banner_was_lost_is_found_by_what_comes_after():
    async with Bench() as bench:
        sock = await bench.modem.connect("10.0.0.1", 1883)
        bench.peer.answers[b"AT+NETOPEN?"] = answer(b"+NETOPEN: 0")
        bench.peer.say(b"\r\nSMS DONE\r\n\r\nPB DONE\r\n")
        await fails_with("no_data_call", sock.readinto(bytearray(8), 30000))
        await until(bench.modem.up.is_set)


@case
async def a_modem_that_falls_silent_is_switched_off_and_on():
    power = Power()
    bench = Bench(power=power)
    await bench.start()
    bench.peer.mute = True
    power.on_edge = lambda pin, on: on or world.after(11000, bench.wake)
    await until(lambda: bench.modem.cause == "modem_dead", 120000)
    await until(bench.modem.up.is_set)
    assert power.edges[:4] == [("key", True), ("key", False)] * 2
    assert bench.modem.counters["power_cycles"] == 1
    await bench.stop()


@case
async def complaints_climb_from_the_sockets_over_the_call_to_the_radio():
    bench = Bench(power=Power())
    await bench.start()
    modem = bench.modem
    sock = await modem.connect("10.0.0.1", 1883)
    modem.complain()
    await until(lambda: sock.closed and modem.cause is None)
    assert b"AT+NETCLOSE" not in bench.peer.lines
    await asyncio.sleep_ms(5000)
    modem.complain()
    await until(lambda: b"AT+NETCLOSE" in bench.peer.lines)
    await until(lambda: modem.cause is None)
    assert b"AT+CFUN=1,1" not in bench.peer.lines
    await asyncio.sleep_ms(5000)
    modem.complain()
    await until(lambda: b"AT+CFUN=1,1" in bench.peer.lines)
    await until(lambda: modem.cause is None)
    assert modem.counters["radio_cycles"] == 1 and modem.counters["power_cycles"] == 0
    await bench.stop()


@case
async def a_complaint_after_a_peer_has_spoken_starts_at_the_bottom_again():
    bench = Bench(power=Power())
    await bench.start()
    modem = bench.modem
    sock = await modem.connect("10.0.0.1", 1883)
    modem.complain()
    await until(lambda: sock.closed and modem.cause is None)
    sock = await modem.connect("10.0.0.1", 1883)
    bench.deliver(b"hello")
    await sock.readinto(bytearray(16), 1000)
    await asyncio.sleep_ms(150000)
    modem.complain()
    await asyncio.sleep_ms(20000)
    assert modem.cause is None and b"AT+NETCLOSE" not in bench.peer.lines
    await bench.stop()


@case
async def a_long_time_without_a_network_costs_few_restarts():
    bench = Bench(power=Power())
    bench.peer.answers[b"AT+CEREG?"] = answer(b"+CEREG: 1,2")
    bench.run()
    await asyncio.sleep_ms(3 * 3600 * 1000)
    counters = bench.modem.counters
    assert 6 <= counters["power_cycles"] + counters["radio_cycles"] <= 8, counters
    assert bench.modem.cause == "no_registration"
    await bench.stop()


@case
async def a_complaint_without_an_open_socket_begins_with_the_call():
    bench = Bench(power=Power())
    await bench.start()
    bench.modem.complain()
    await until(lambda: b"AT+NETCLOSE" in bench.peer.lines)
    assert bench.modem.counters["radio_cycles"] == 0
    await bench.stop()


@case
async def the_key_finds_its_way_where_nobody_knows_whether_the_modem_is_on():
    power = Power()
    power.reset = None
    bench = Bench(power=power)
    bench.peer.mute = True
    is_on = [True]  # but hung: the terminal alone restarted

    def toggle(pin, on):
        if not on:
            is_on[0] = not is_on[0]
            if is_on[0]:
                world.after(6000, lambda: is_on[0] and bench.wake())

    power.on_edge = toggle
    await bench.start()
    assert is_on[0] and bench.modem.counters["power_cycles"] == 3
    await bench.stop()


@case
async def a_late_answer_is_not_taken_for_the_next_commands():
    async with Bench() as bench:
        bench.peer.answers[b"AT+COPS?"] = lambda line: bench.peer.say(
            answer(b'+COPS: 0,2,"late",7'), 9500
        )
        await fails_with("timeout", bench.modem.channel.ask(OPERATOR))
        clock = await bench.modem.channel.ask((b"AT+CGMM", b"", 2000))
        assert clock == b"A7670C", clock
        assert bench.modem.cause is None


@case
async def a_cancelled_command_does_not_leave_its_answer_to_the_next():
    async with Bench() as bench:
        bench.peer.delay_ms = 500
        asked = asyncio.create_task(bench.modem.channel.ask((b"AT+CGSN", b"", 2000)))
        await asyncio.sleep_ms(100)
        asked.cancel()
        assert await bench.modem.channel.ask((b"AT+CIMI", b"", 2000)) == b"460001234567890"


@case
async def a_command_cancelled_in_the_queue_is_never_sent():
    async with Bench() as bench:
        bench.peer.delay_ms = 500
        first = asyncio.create_task(bench.modem.channel.ask(IMEI))
        await asyncio.sleep_ms(10)
        second = asyncio.create_task(bench.modem.channel.ask((b"AT+NEVER", None, 2000)))
        await asyncio.sleep_ms(10)
        second.cancel()
        assert await first == b"860000000000017"
        await asyncio.sleep_ms(3000)
        assert b"AT+NEVER" not in bench.peer.lines


@case
async def answers_at_exactly_the_time_out_confuse_nothing():
    async with Bench() as bench:
        modem = bench.modem
        for late in range(1990, 2010):
            bench.peer.answers[b"AT+CGMM"] = lambda line, ms=late: bench.peer.say(answer(b"A7670C"), ms)
            try:
                assert await modem.channel.ask(MODEL) == b"A7670C"
            except ModemError as problem:
                assert problem.code == "timeout"
            assert await modem.channel.ask(IMEI) == b"860000000000017"
        assert modem.cause is None


@case
async def network_time_comes_in_utc():
    async with Bench() as bench:
        bench.peer.answers[b"AT+CCLK?"] = answer(b'+CCLK: "26/11/02,08:00:05+32"')
        assert await bench.modem.network_time_ms() == 1793577605000


@case
async def an_unset_clock_is_set_by_ntp():
    async with Bench() as bench:
        peer = bench.peer
        peer.answers[b"AT+CCLK?"] = answer(b'+CCLK: "80/01/06,00:00:05+00"')
        peer.answers[b"AT+CNTP=*"] = OK

        def ask_server(line):
            peer.answers[b"AT+CCLK?"] = answer(b'+CCLK: "26/11/02,08:00:05+32"')
            peer.say(b"\r\n+CNTP: 0\r\n", 3000)
            return OK

        peer.answers[b"AT+CNTP"] = ask_server
        assert await bench.modem.network_time_ms() == 1793577605000


@case
async def speech_of_a_minute_does_not_hold_up_the_sockets():
    async with Bench() as bench:
        modem = bench.modem
        bench.peer.answers[b"AT+CTTS=1,*"] = b"\r\n+CTTS:\r\n" + OK
        sock = await modem.connect("10.0.0.1", 1883)
        said = asyncio.create_task(modem.say("焊机已开机" * 20))
        await asyncio.sleep_ms(1000)
        started = world.clock.now
        await sock.write(b"x" * 100)
        bench.deliver(b"answer")
        await sock.readinto(bytearray(16), 5000)
        assert world.clock.now - started < 1000
        bench.peer.say(b"\r\n+CTTS: 0\r\n")
        await said


@case
async def a_modem_without_speech_says_unsupported():
    async with Bench() as bench:
        await fails_with("unsupported", bench.modem.say("hello"))
        await fails_with("too_long", bench.modem.say("x" * 128))


@case
async def a_place_is_read_off_the_cells():
    async with Bench() as bench:
        bench.peer.answers[b"AT+CLBS=1"] = lambda line: bench.peer.say(
            OK + b"\r\n+CLBS: 0,29.489428,106.638084,550\r\n", 4000
        )
        assert await bench.modem.cell_location() == (294894280, 1066380840, 550)
        bench.peer.answers[b"AT+CLBS=1"] = OK + b"\r\n+CLBS: 20\r\n"
        await fails_with("location_20", bench.modem.cell_location())


@case
async def a_satellite_fix_comes_after_the_receiver_is_ready():
    async with Bench() as bench:
        modem = bench.modem
        await fails_with("unsupported", modem.gnss_fix())
        bench.peer.answers[b"AT+CGNSSPWR=1"] = OK
        bench.peer.answers[b"AT+CGNSSINFO"] = answer(b"+CGNSSINFO: ,,,,,,,,")
        assert await modem.gnss_fix() is None
        assert b"AT+CGNSSINFO" not in bench.peer.lines
        bench.peer.say(b"\r\n+CGNSSPWR: READY!\r\n", 9000)
        await asyncio.sleep_ms(10000)
        assert await modem.gnss_fix() is None
        bench.peer.answers[b"AT+CGNSSINFO"] = answer(
            b"+CGNSSINFO: 3,13,14,,,29.489428,N,106.638084,E,130524,035736.00,53.6,2.000,,1.7,1.2,1.1,"
        )
        assert await modem.gnss_fix() == (294894280, 1066380840, 60, 1715572656000, 102)


@case
async def a_name_without_an_address_is_asked_again_with_other_name_servers():
    async with Bench() as bench:
        bench.peer.answers[b"AT+CDNSGIP=*"] = b"\r\n+CDNSGIP: 0,10\r\n\r\nERROR\r\n"

        def set_servers(line):
            bench.peer.answers[b"AT+CDNSGIP=*"] = answer(b'+CDNSGIP: 1,"broker.example","10.1.2.3"')
            return OK

        bench.peer.answers[b"AT+CDNSCFG=*"] = set_servers
        assert await bench.modem.resolve("broker.example") == "10.1.2.3"


@case
async def a_name_that_does_not_exist_is_told():
    async with Bench() as bench:
        bench.peer.answers[b"AT+CDNSGIP=*"] = b"\r\n+CDNSGIP: 0,10\r\n\r\nERROR\r\n"
        await fails_with("dns", bench.modem.connect("nowhere.example", 1883))


@case
async def an_idle_modem_is_asked_a_few_things_every_half_minute():
    async with Bench() as bench:
        await asyncio.sleep_ms(60000)
        before = len(bench.peer.lines)
        await asyncio.sleep_ms(600000)
        assert 20 * 3 <= len(bench.peer.lines) - before <= 21 * 5


@case
async def a_fault_of_the_uart_ends_the_task_and_it_can_be_run_again():
    bench = Bench()
    await bench.start()
    whole, bench.uart.readinto = bench.uart.readinto, None
    bench.peer.say(b"\r\n+CEREG: 1\r\n")
    try:
        await asyncio.wait_for_ms(bench.task, 60000)
        raise AssertionError("no error")
    except TypeError:
        pass
    assert bench.modem.cause == "modem_dead" and not bench.modem.up.is_set()
    bench.uart.readinto = whole
    await bench.start()
    await bench.stop()


@case
async def life_is_proved_at_least_every_two_minutes_while_nothing_happens():
    for spoil in ((), (b"AT+CPIN?",), (b"AT+CEREG?",), (b"AT+NETOPEN", b"AT+NETOPEN?")):
        bench = Bench()
        beats = [world.clock.now]

        def beat(beats=beats):
            assert world.clock.now - beats[-1] < 120000
            beats.append(world.clock.now)

        bench.modem.beat = beat
        for line in spoil:
            bench.peer.answers[line] = None if line == b"AT+NETOPEN" else b"\r\nERROR\r\n"
        bench.run()
        await asyncio.sleep_ms(1200000)
        assert len(beats) > 10 and world.clock.now - beats[-1] < 120000
        await bench.stop()


@case
async def what_is_needed_without_a_call_only_is_not_kept_in_memory():
    async with Bench() as bench:
        await bench.modem.connect("10.0.0.1", 1883)
        kept = sorted(name for name in sys.modules if name.startswith("modem."))
        lent = ("bringup", "carriers", "dial", "ladder", "recovery", "simcom_open", "steps")
        assert not [name for name in lent if "modem." + name in kept], kept


@case
async def without_a_call_nothing_is_connected():
    bench = Bench()
    bench.peer.answers[b"AT+CPIN?"] = b"\r\n+CME ERROR: 10\r\n"
    bench.run()
    await until(lambda: bench.modem.cause == "no_sim")
    await fails_with("no_data_call", bench.modem.connect("10.0.0.1", 1883))
    await bench.stop()


if __name__ == "__main__":
    run_cases(cases_of())
