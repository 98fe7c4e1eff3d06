"""Cases for the recovery ladder under MicroPython: twenty-five hours with a modem or network that never comes back. Run by
test_modem_async.py."""

from mp_fakes import asyncio, run_cases  # isort: skip  (first, for virtual time)

from mp_modem_bench import Bench, Power, answer, case, cases_of


async def _most_cycles_of_a_day(bench):
    """Live 25 hours; return the most power and radio cycles of any 24 of them."""
    counters = bench.modem.counters
    counts = []
    for _ in range(25 * 60):
        counts.append(counters["power_cycles"] + counters["radio_cycles"])
        await asyncio.sleep_ms(60000)
    counts.append(counters["power_cycles"] + counters["radio_cycles"])
    return max(counts[k + 1440] - counts[k] for k in range(len(counts) - 1440))


@case
async def a_modem_that_never_answers_is_restarted_at_most_thirty_times_in_any_day():
    bench = Bench(power=Power())
    bench.peer.mute = True
    bench.run()
    most = await _most_cycles_of_a_day(bench)
    assert 20 <= most <= 30, most
    assert bench.modem.counters["radio_cycles"] == 0 and bench.modem.cause == "modem_dead"
    await bench.stop()


@case
async def a_modem_that_never_finds_a_network_is_restarted_at_most_thirty_times_in_any_day():
    bench = Bench(power=Power())
    bench.peer.answers[b"AT+CEREG?"] = answer(b"+CEREG: 1,2")
    bench.run()
    most = await _most_cycles_of_a_day(bench)
    assert 20 <= most <= 30, most
    await bench.stop()


@case
async def a_network_that_never_gives_a_data_call_costs_at_most_thirty_restarts_in_any_day():
    bench = Bench(power=Power())
    bench.peer.answers[b"AT+NETOPEN"] = answer(b"ERROR")
    bench.peer.answers[b"AT+NETOPEN?"] = answer(b"+NETOPEN: 0")
    bench.run()
    most = await _most_cycles_of_a_day(bench)
    assert 20 <= most <= 30, most
    assert bench.modem.cause == "no_data_call" and bench.modem.counters["reopened"] > 0
    await bench.stop()


if __name__ == "__main__":
    run_cases(cases_of())
