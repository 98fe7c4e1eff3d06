"""Cases for finding a modem's dialect by asking it, under MicroPython. Run by test_modem_async.py."""

import sys

from mp_fakes import asyncio, run_cases, until  # isort: skip  (first, for virtual time)

from mp_modem_bench import OK, Bench, Power, case, cases_of, fails_with

SIMCOM = b"\r\nManufacturer: SIMCOM INCORPORATED\r\nModel: A7670C\r\nRevision: A011B13A7670M7\r\n" + OK
QUECTEL = b"\r\nQuectel\r\nEC800M\r\nRevision: EC800MCNGAR06A06M08\r\n" + OK


def bench_of(family, information):
    """Return a bench whose modem answers ATI so, under a terminal for which a family is configured."""
    bench = Bench({"family": family}, Power(), None)
    bench.peer.answers[b"ATI"] = information
    if information != SIMCOM:
        del bench.peer.answers[b"AT+CGMM"]
    return bench


@case
async def an_unnamed_family_is_found_by_asking():
    bench = bench_of("auto", SIMCOM)
    assert bench.modem.dialect.NAME == "unknown"
    await bench.start()
    assert bench.modem.dialect.NAME == "simcom"
    sock = await bench.modem.connect("10.0.0.1", 1883)
    bench.deliver(b"hello")
    assert await sock.readinto(bytearray(16), 1000) == 5
    await bench.stop()


@case
async def the_model_decides_where_the_information_says_nothing():
    bench = bench_of("auto", SIMCOM)
    bench.peer.answers[b"ATI"] = OK
    await bench.start()
    assert bench.modem.dialect.NAME == "simcom"
    await bench.stop()


@case
async def a_line_that_the_modem_says_by_itself_is_not_taken_for_its_name():
    bench = bench_of("auto", SIMCOM)
    said = []

    def interrupt(line):
        said.append(line)
        return (b"\r\nVOICE READY\r\n" if len(said) == 1 else b"") + SIMCOM

    bench.peer.answers[b"ATI"] = interrupt
    bench.peer.answers[b"AT+CGMM"] = b"\r\nERROR\r\n"
    bench.run()
    await until(lambda: bench.modem.dialect.NAME == "simcom", 60000)
    await bench.stop()


@case
async def a_modem_that_is_off_is_switched_on_before_it_is_asked():
    bench = bench_of("auto", SIMCOM)
    bench.peer.mute = True
    bench.modem.power.on_edge = lambda pin, on: on or bench.wake()
    await bench.start()
    assert bench.modem.power.edges == [("key", True), ("key", False)]
    await bench.stop()


@case
async def a_modem_of_another_family_than_configured_is_named_and_left_alone():
    bench = bench_of("simcom", QUECTEL)
    modem = bench.modem
    assert modem.dialect.NAME == "simcom"
    bench.run()
    await until(lambda: "quectel" in (modem.problem or ""))
    assert modem.problem == "Quectel answered, a quectel modem, not simcom: set modem_family to quectel"
    await asyncio.sleep_ms(600000)
    assert modem.cause == "modem_dead" and not modem.up.is_set()
    assert modem.power.edges == [] and modem.counters["radio_cycles"] == 0
    bench.peer.answers[b"ATI"] = SIMCOM
    await until(modem.up.is_set)
    await bench.stop()


@case
async def a_modem_nobody_knows_is_used_as_configured_and_refused_without():
    bench = bench_of("simcom", b"\r\nNONAME\r\n" + OK)
    await bench.start()
    await bench.stop()
    bench = bench_of("auto", b"\r\nNONAME\r\n" + OK)
    bench.run()
    await until(lambda: "NONAME" in (bench.modem.problem or ""))
    assert "set modem_family" in bench.modem.problem
    await bench.stop()


@case
async def a_family_that_is_not_on_this_terminal_is_named():
    bench = bench_of("nonesuch", b"\r\nNONAME\r\n" + OK)
    bench.run()
    await until(lambda: "nonesuch" in (bench.modem.problem or ""))
    assert "this terminal was not staged with nonesuch" in bench.modem.problem
    await bench.stop()


@case
async def what_needs_a_dialect_fails_in_words_until_it_is_known():
    bench = bench_of("auto", SIMCOM)
    modem = bench.modem
    await fails_with("no_data_call", modem.connect("10.0.0.1", 1883))
    for question in (modem.gnss_fix, modem.network_time_ms):
        await fails_with("silent", question())
    await fails_with("silent", modem.say("hello"))
    await fails_with("no_data_call", modem.cell_location())


@case
async def only_one_dialect_is_loaded():
    for name in list(sys.modules):
        if name.startswith("modem.quectel") or name.startswith("modem.luat"):
            del sys.modules[name]
    bench = bench_of("auto", SIMCOM)
    await bench.start()
    others = [name for name in sys.modules if name.startswith("modem.quectel") or name.startswith("modem.luat")]
    assert not others and "modem.family" not in sys.modules, others
    await bench.stop()


if __name__ == "__main__":
    run_cases(cases_of())
