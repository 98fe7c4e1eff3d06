"""Runs one sweep under MicroPython and prints what came of it as one line of JSON: the process that `sweeps` starts.

argv: the sweep's name and its options as JSON.
"""

import json
import sys

from host_tests.faults.sweep_tally import Tally


def _outbox(options, tally):
    from host_tests.faults import sweep_outbox

    if "flaw" in options:
        from host_tests.faults.reference_journal import Outbox

        Outbox.flaw = options["flaw"]
    else:
        from terminal.outbox import Outbox
    make = lambda boot, directory, most, size: Outbox(boot, directory, most_segments=most, segment_b=size)  # noqa: E731
    kind = options.get("kind", "sweep")
    if kind == "sweep":
        sweep_outbox.sweep(make, tally, options.get("cases"), options.get("stride", 1))
    elif kind == "random":
        sweep_outbox.random_runs(make, tally, options["seed"], options["runs"])
    else:
        sweep_outbox.damage(make, tally, options.get("stride", 1))


def _config(options, tally):
    from host_tests.faults import sweep_config

    sweep_config.sweep(tally)


def _records(options, tally):
    from host_tests.faults import sweep_records

    sweep_records.run(options, tally)


def _upgrade(options, tally):
    from host_tests.faults import sweep_upgrade

    sweep_upgrade.sweep(tally, options)


_SWEEPS = {"outbox": _outbox, "config": _config, "records": _records, "upgrade": _upgrade}


def main(name, options):
    """Run the sweep of that name."""
    tally = Tally()
    _SWEEPS[name](options, tally)
    print(json.dumps(tally.result()))


main(sys.argv[-2], json.loads(sys.argv[-1]))
