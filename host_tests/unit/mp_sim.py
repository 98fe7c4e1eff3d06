"""Cases for a SIM that is locked, barred or out of credit, under MicroPython. Run by test_modem_async.py."""

from mp_fakes import asyncio, run_cases, until  # isort: skip  (first, for virtual time)

from mp_modem_bench import OK, Bench, Power, answer, case, cases_of

from modem import sim
from modem.at import ModemError

LOCKED = answer(b"+CPIN: SIM PIN")
ENTER = b'AT+CPIN="1234"'


def locked(pin=None, left=None, state=LOCKED):
    """Return a bench whose SIM is locked; left: attempts the modem tells of."""
    bench = Bench({"sim_pin": pin}, Power())
    bench.peer.answers[b"AT+CPIN?"] = state
    if left is not None:
        bench.peer.answers[b"AT+SPIC"] = answer(b"+SPIC: %d,10,0,10" % left)
    return bench


def accept(bench):
    """Let the next PIN open the SIM; it is ready a second later."""

    def enter(line):
        bench.peer.say(OK)
        bench.peer.answers[b"AT+CPIN?"] = answer(b"+CPIN: READY")
        bench.peer.say(b"\r\n+CPIN: READY\r\n", 1000)

    bench.peer.answers[ENTER] = enter


async def stays_away(bench, problem, minutes=60):
    """Check that the terminal says why, tries nothing more and restarts nothing."""
    bench.run()
    await until(lambda: bench.modem.problem == problem)
    assert bench.modem.cause == "no_sim"
    entered = bench.peer.lines.count(ENTER)
    await asyncio.sleep_ms(minutes * 60000)
    assert bench.modem.problem == problem and bench.modem.cause == "no_sim", bench.modem.problem
    assert bench.peer.lines.count(ENTER) == entered
    assert bench.modem.power.edges == [] and bench.modem.counters["radio_cycles"] == 0
    await bench.stop()
    return entered


@case
async def a_sim_that_is_not_there_is_absent():
    bench = Bench()
    bench.peer.answers[b"AT+CPIN?"] = b"\r\n+CME ERROR: 10\r\n"
    bench.run()
    await until(lambda: bench.modem.problem == "no_sim.absent")
    assert bench.modem.cause == "no_sim"
    await bench.stop()


@case
async def the_right_pin_is_entered_once_and_opens_the_sim():
    bench = locked("1234", 3)
    accept(bench)
    await bench.start()
    assert bench.peer.lines.count(ENTER) == 1 and bench.modem.pin_works is True
    await bench.stop()


@case
async def a_modem_that_restarts_gets_a_pin_that_worked_again():
    bench = locked("1234", 3)
    accept(bench)
    await bench.start()
    bench.peer.answers[b"AT+CPIN?"] = LOCKED
    bench.peer.say(b"\r\n*ATREADY: 1\r\n\r\n+CPIN: SIM PIN\r\n")
    await until(lambda: bench.modem.cause)
    await until(bench.modem.up.is_set)
    assert bench.peer.lines.count(ENTER) == 2
    await bench.stop()


@case
async def the_attempts_are_counted_in_whatever_way_the_modem_has():
    for line, said in ((b"AT+CPINR", b"+CPINR: SIM PIN,3,3"), (b'AT+QPINC="SC"', b'+QPINC: "SC",3,10')):
        bench = locked("1234")
        bench.peer.answers[line] = answer(said)
        accept(bench)
        await bench.start()
        assert bench.peer.lines.count(ENTER) == 1
        await bench.stop()


@case
async def a_locked_sim_without_a_configured_pin_is_told():
    assert await stays_away(locked(None, 3), "no_sim.pin") == 0
    assert await stays_away(locked("", 3, b"\r\n+CME ERROR: 11\r\n"), "no_sim.pin") == 0


@case
async def a_wrong_pin_is_tried_once_in_a_boot():
    bench = locked("1234", 3)
    bench.peer.answers[ENTER] = b"\r\n+CME ERROR: 16\r\n"
    assert await stays_away(bench, "no_sim.pin_refused") == 1


@case
async def a_pin_nobody_answers_to_is_not_tried_again():
    bench = locked("1234", 3)
    bench.peer.answers[ENTER] = None
    assert await stays_away(bench, "no_sim.pin_refused") == 1


@case
async def the_last_attempt_is_never_used():
    for left in (1, 0):
        assert await stays_away(locked("1234", left), "no_sim.pin_last") == 0


@case
async def without_a_count_of_attempts_no_pin_is_tried():
    assert await stays_away(locked("1234"), "no_sim.pin_uncounted") == 0


@case
async def a_pin_is_in_no_error():
    async with Bench({"sim_pin": "1234"}) as bench:
        bench.modem.sim_state = "SIM PIN"
        bench.peer.answers[b"AT+SPIC"] = answer(b"+SPIC: 3,10,0,10")
        bench.peer.answers[ENTER] = b"\r\n*ATREADY: 1\r\n"
        try:
            await sim.unlock(bench.modem)
            raise AssertionError("no error")
        except ModemError as problem:
            assert problem.code == "rebooted" and "1234" not in str(problem.args), problem.args


@case
async def a_blocked_sim_and_a_locked_terminal_are_told():
    assert await stays_away(locked("1234", 3, answer(b"+CPIN: SIM PUK")), "no_sim.puk") == 0
    assert await stays_away(locked("1234", 3, b"\r\n+CME ERROR: 12\r\n"), "no_sim.puk") == 0
    assert await stays_away(locked("1234", 3, answer(b"+CPIN: PH-SIM PIN")), "no_sim.locked") == 0


@case
async def a_sim_that_is_unlocked_by_hand_is_used():
    bench = locked()
    bench.run()
    await until(lambda: bench.modem.problem == "no_sim.pin")
    bench.peer.answers[b"AT+CPIN?"] = answer(b"+CPIN: READY")
    await until(bench.modem.up.is_set, 120000)
    await bench.stop()


@case
async def a_network_that_denies_is_told_from_one_that_is_not_there():
    bench = Bench()
    bench.peer.answers[b"AT+CEREG?"] = answer(b"+CEREG: 1,3")
    bench.run()
    await until(lambda: bench.modem.problem == "no_registration.denied")
    assert bench.modem.cause == "no_registration"
    bench.peer.answers[b"AT+CEREG?"] = answer(b"+CEREG: 1,1")
    await until(bench.modem.up.is_set)
    await bench.stop()


@case
async def a_network_that_starts_to_deny_is_told():
    async with Bench() as bench:
        bench.peer.answers[b"AT+CEREG?"] = answer(b"+CEREG: 1,3")
        bench.peer.say(b"\r\n+CEREG: 3\r\n")
        await until(lambda: bench.modem.cause == "no_registration", 1000)
        await until(lambda: bench.modem.problem == "no_registration.denied", 120000)


@case
async def a_network_that_becomes_a_foreign_one_restarts_nothing():
    bench = Bench({"roaming": False}, Power())
    await bench.start()
    bench.peer.answers[b"AT+CEREG?"] = answer(b"+CEREG: 1,5")
    bench.peer.say(b"\r\n+CEREG: 5\r\n")
    await until(lambda: bench.modem.problem == "no_registration.roaming", 120000)
    await asyncio.sleep_ms(600000)
    assert bench.modem.power.edges == [] and bench.modem.counters["radio_cycles"] == 0
    await bench.stop()


@case
async def whoever_listens_is_told_each_trouble_once():
    said = []
    bench = Bench({"log": said.append}, Power())
    bench.peer.answers[b"AT+CPIN?"] = LOCKED
    bench.run()
    await until(lambda: said)
    await asyncio.sleep_ms(600000)
    assert said == ["modem: no_sim.pin"], said
    await bench.stop()


@case
async def roaming_is_used_unless_it_is_forbidden():
    bench = Bench({"roaming": True}, Power())
    bench.peer.answers[b"AT+CEREG?"] = answer(b"+CEREG: 1,5")
    await bench.start()
    await bench.stop()
    bench = Bench({"roaming": False}, Power())
    bench.peer.answers[b"AT+CEREG?"] = answer(b"+CEREG: 1,5")
    bench.run()
    await until(lambda: bench.modem.problem == "no_registration.roaming")
    await asyncio.sleep_ms(3600000)
    assert bench.modem.cause == "no_registration" and b"AT+NETOPEN" not in bench.peer.lines
    assert bench.modem.power.edges == [] and bench.modem.counters["radio_cycles"] == 0
    bench.peer.answers[b"AT+CEREG?"] = answer(b"+CEREG: 1,1")
    await until(bench.modem.up.is_set)
    await bench.stop()


@case
async def a_sim_without_credit_registers_and_gets_no_data():
    bench = Bench()
    bench.peer.answers[b"AT+NETOPEN"] = OK + b"\r\n+NETOPEN: 1\r\n"
    bench.peer.answers[b"AT+NETOPEN?"] = answer(b"+NETOPEN: 0")
    bench.run()
    await until(lambda: bench.modem.problem == "no_data_call.refused")
    assert bench.modem.cause == "no_data_call"
    assert {b"", b"cmnet", b"cmiot"} == {line.split(b'"')[3] for line in bench.peer.lines if b"CGDCONT" in line}
    await bench.stop()


@case
async def a_configured_access_point_that_is_wrong_is_told_while_another_serves():
    bench = Bench({"apn": "typo"})
    bench.peer.answers[b"AT+NETOPEN"] = lambda line: OK + b"\r\n+NETOPEN: %d\r\n" % (bench.apn() == b"typo")
    bench.peer.answers[b"AT+NETOPEN?"] = answer(b"+NETOPEN: 0")
    await bench.start()
    assert bench.modem.problem == "no_data_call.apn" and bench.modem.cause is None
    await bench.stop()
    bench = Bench({"apn": "right"})
    await bench.start()
    assert bench.modem.problem is None
    await bench.stop()


if __name__ == "__main__":
    run_cases(cases_of())
