"""`python -m host_tests.soak --days 30 --seed 7`: a month of a rough site; a table, and one last line of JSON."""

import argparse
import json
import pathlib
import resource
import shutil
import sys
import tempfile
import time

from host_tests.sim.families import NAMES
from host_tests.soak import ledger, run
from host_tests.soak.month import DAY, HOUR, START_UNIX_MS
from host_tests.soak.observer import WRONG_EMERGENCY, Observer

_LAST = (
    "days",
    "commands_obeyed",
    "commands_refused",
    "commands_late",
    "records_made",
    "records_delivered",
    "records_dropped_by_rule",
    "records_lost",
    "emergencies",
    "emergencies_wrong",
    "recovery_max_s",
    "heap_day1_b",
    "heap_last_b",
    "heap_growth_b",
    "flash_erases",
    "family",
    "seed",
)
_TROUBLES = {"sims_pulled": ["set_sim", "absent"], "rivals": ["rival", True], "contacts_stuck": ["stick", True]}
HEAP_GROWTH_MOST_B = 2048  # over a month or a boot; the lows of quiet looks lie within 1.5 KB of each other
_ALARMS = ("tamper", "contact_stuck", "welding_while_unpowered", "records_dropped")


def figures(month, seen, family="a76xx"):
    """Return (dict of figures, the observer after its judgement)."""
    heartbeat_s = run.CONFIG["heartbeat_s"]
    observer = Observer({"month_unix_ms": START_UNIX_MS}, run.WORLD["slack_ms"][0], heartbeat_s).judge(seen.lines)
    recovered = ledger.recoveries(seen.lines)
    nvs = ledger.nvs_erases(seen.sum("nvs_entries"))
    found = {
        "days": month.days,
        "seed": month.seed,
        "family": family,
        "power_cuts": len(month.lives) - 1,
        "crashes": len([line for line in seen.of("boot") if line[2] != "power"]),
        "outages": len(month.outages),
        "outage_hours": sum(outage.end_ms - outage.start_ms for outage in month.outages) // HOUR,
        "emergencies": observer.emergencies,
        "emergencies_wrong": len([1 for _, law, _ in observer.violations if law in WRONG_EMERGENCY]),
        "violations": len(observer.violations),
        "resumes": observer.resumes,
        "recoveries": len(recovered),
        "recovery_max_s": max(recovered, default=0) // 1000,
        "flash_erases_littlefs": seen.sum("flash_erases"),
        "flash_erases_nvs": nvs,
        "flash_erases": seen.sum("flash_erases") + nvs,
        "nvs_commits": seen.sum("nvs_commits"),
        "modem_commands": sum(life["modem"]["commands"] for life in seen.lives),
        "uart_bytes_dropped": seen.sum("dropped"),
    }
    knobs, alarms = [line[2:] for line in seen.of("knob")], ledger.alarms(seen.lines)
    found.update({name: knobs.count(knob) for name, knob in _TROUBLES.items()})
    told = alarms.get("contact_stuck", 0) + ledger.dropped_alarms(seen.lines)
    found["stuck_untold"] = max(0, ledger.stuck(seen.lines) - told)
    found.update({"alarms_" + kind: alarms.get(kind, 0) for kind in _ALARMS})
    found.update(ledger.orders(seen.lines))
    found.update(ledger.records(seen.lines))
    found.update(ledger.heap(seen.lines, DAY))
    return found, observer


def settings_text():
    """Say what differs from a terminal on a site."""
    return (
        "Not as on a site: heartbeat_s %(heartbeat_s)d, full_heartbeat_s %(full_heartbeat_s)d, keepalive_s %(keepalive_s)d,"
        " position_period_s %(position_period_s)d, no TLS;" % run.CONFIG
        + " bytes on the UART take no time and the modem answers commands at once; in quiet times timers are late"
        " together: to the next 25 s while the session stands and the welder is unpowered, else to the next 5 s;"
        " borrowed modules are parsed once a boot.\n"
        + f"Data files on VfsLfs2 of {4 * run.FLASH_BLOCKS} KiB, so small that an outage of days fills it, with counted erases;"
        " NVS erases are reckoned: one for each 126 entries written.\n"
        "recovery_max_s: end of the last fault to the login. Heap: the terminal's alone, the least of a day's looks in"
        " undisturbed service after a collection; what is in use when a boot is over and the terminal gone is the"
        " world's, and subtracted. heap_growth_b: in one boot, from its earlier half to its later one."
    )


def report(found, observer, took_s):
    """Print the table, the violations, and the last line."""
    print(settings_text())
    print()
    for name, value in found.items():
        print(f"  {name:<26}{value:>12}")
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    print(f"  {'host_seconds':<26}{took_s:>12.0f}")
    print(f"  {'host_cpu_seconds':<26}{used.ru_utime + used.ru_stime:>12.0f}")
    for ms, law, text in observer.violations:
        print(f"  VIOLATION day {ms // DAY + 1} {ms % DAY / HOUR:.4f} h ({ms} ms): {law}: {text}")
    reasons = broken(found)
    if reasons:
        print(f"\nFAILED (seed {found['seed']}): {'; '.join(reasons)}")
    print(json.dumps({name: found[name] for name in _LAST}))


def broken(found):
    """Return what makes the month fail, as texts: laws, lost records, a stuck contact not told of, a heap that grew."""
    texts = [f"{name} {found[name]}" for name in ("violations", "records_lost", "stuck_untold") if found[name]]
    if found["heap_last_b"] is None:
        return [*texts, "the heap was never looked at"]
    growths = {"in a boot": found["heap_growth_b"], "since the first day": found["heap_last_b"] - found["heap_day1_b"]}
    for when, grown_b in growths.items():
        if grown_b > HEAP_GROWTH_MOST_B:
            texts.append(f"the terminal's heap has grown by {grown_b} bytes {when}, {HEAP_GROWTH_MOST_B} are allowed")
    return texts


def main():
    """Run the month; exit 1 when a law was broken, a record lost, a stuck contact not told of, or the heap grew."""
    parser = argparse.ArgumentParser(prog="python -m host_tests.soak", description=__doc__)
    parser.add_argument("--days", type=int, default=30)
    parser.add_argument("--seed", type=int, default=None, help="default: the time; printed in any case")
    parser.add_argument("--family", choices=NAMES, default=NAMES[0], help="of the modem")
    parser.add_argument("--keep", help="leave what was seen in this new directory")
    options = parser.parse_args()
    seed = int(time.time()) % 100000 if options.seed is None else options.seed
    directory = pathlib.Path(options.keep or tempfile.mkdtemp(prefix="soak-"))
    print(f"seed {seed}", flush=True)
    began = time.monotonic()

    def progress(life, _result):
        print(f"  day {life.end_ms / DAY:5.2f} after {time.monotonic() - began:4.0f} s", file=sys.stderr, flush=True)

    try:
        month, seen = run.live(options.days, seed, directory, progress=progress, family=options.family)
    finally:
        if not options.keep:
            shutil.rmtree(directory, ignore_errors=True)
    found, observer = figures(month, seen, options.family)
    report(found, observer, time.monotonic() - began)
    return 1 if broken(found) else 0


if __name__ == "__main__":
    sys.exit(main())
