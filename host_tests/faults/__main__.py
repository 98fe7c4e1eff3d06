"""`python -m host_tests.faults [--long] [--seed N]`: sweeps, scenes and mutants; a table, then one line of JSON.

Ends with status 1 when a record is lost, the relay was wrong, the terminal did not recover or a mutant survives.
"""

import argparse
import json
import pathlib
import random
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor, as_completed

from hanma import toolchain
from host_tests.faults import campaigns, mutants, mutation, sweeps
from host_tests.faults.tally import Campaign

_WORKERS = 2  # each has processes of its own
_REPEATS_LONG = 20  # of each scene
_SWEEP_S_LONG = 20000


def main():
    """Run the campaign that the command line asks for."""
    options = _options()
    seed = random.randrange(1000000) if options.seed is None else options.seed
    print(f"seed {seed}", flush=True)
    campaign = Campaign(seed)
    with tempfile.TemporaryDirectory(prefix="hanma-faults-") as directory:
        tree = campaigns.staged(mutation.FIRMWARE, pathlib.Path(directory) / "tree", source=False)
        _run(campaign, _jobs(campaign, options.long, seed, tree))
    for failure in campaign.failures:
        print(f"\n{failure}")
    print(f"\n{campaign.table()}")
    reasons = campaign.wrong()
    if reasons:
        print(f"\nFAILED (seed {seed}): {'; '.join(reasons)}")
    print(json.dumps(campaign.figures()))
    return 1 if reasons else 0


def _options():
    parser = argparse.ArgumentParser(prog="python -m host_tests.faults", description=__doc__.partition("\n")[0])
    parser.add_argument("--long", action="store_true", help="every write of every sweep, long random runs, each scene many times")
    parser.add_argument("--seed", type=int, help="of the random runs (default: a new one, printed)")
    return parser.parse_args()


def _jobs(campaign, is_long, seed, tree):
    """Return [(kind, name, run, take)]: run() in a worker, take(result, seconds) afterwards; the longest ones first."""
    jobs = []
    for name, options, is_narrow in sweeps.planned(is_long, seed):
        jobs.append(_sweep_job(campaign, name, options, is_narrow, _SWEEP_S_LONG if is_long else None))
    for mutant in mutants.MUTANTS:
        jobs.append(_mutant_job(campaign, mutant))
    for name in list(campaigns.SCENES) * (_REPEATS_LONG if is_long else 1):
        jobs.append(_scene_job(campaign, name, tree))
    return jobs


def _sweep_job(campaign, name, options, is_narrow, timeout_s):
    title = " ".join([name, options.get("kind", ""), "32-bit" if is_narrow else ""]).strip()

    def run():
        binary = toolchain.micropython32() if is_narrow else None
        return sweeps.run(name, options, micropython=binary, timeout_s=timeout_s or sweeps.PATIENCE_S)

    return "sweep", title, run, lambda result, seconds: campaign.sweep(title, result, seconds)


def _scene_job(campaign, name, tree):
    return "scene", name, lambda: campaigns.run(name, tree), lambda result, seconds: campaign.scene(name, result, seconds)


def _mutant_job(campaign, mutant):
    return "mutant", mutant.name, lambda: mutants.run(mutant), lambda r, seconds: campaign.mutant(mutant, r[0], r[1], seconds)


def _run(campaign, jobs):
    with ThreadPoolExecutor(_WORKERS) as pool:
        running = {pool.submit(_timed, job[2]): job for job in jobs}
        for number, future in enumerate(as_completed(running), 1):
            kind, name, _, take = running[future]
            result, error, seconds = future.result()
            if isinstance(error, toolchain.Missing):
                print(f"left out: {kind} {name}: {error}", flush=True)
                continue
            if error:
                campaign.broken(kind, name, error, seconds)
            else:
                take(result, seconds)
            print(f"{number}/{len(jobs)} {kind} {name}: {campaign.rows[-1][3]}, {seconds:.0f} s", flush=True)


def _timed(run):
    """Return (result, None, seconds), or (None, the exception, seconds)."""
    began = time.monotonic()
    try:
        return run(), None, time.monotonic() - began
    except Exception as error:
        return None, error, time.monotonic() - began


if __name__ == "__main__":
    sys.exit(main())
