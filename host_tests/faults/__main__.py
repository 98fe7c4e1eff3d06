"""`python -m host_tests.faults [--long] [--seed N] [--only TEXT]`: sweeps, scenes and mutants; a table, then one line of JSON.

Ends with status 1 when a record is lost, the relay was wrong, the terminal did not recover or a mutant survives. Interrupted
(Ctrl-C, SIGTERM) it ends what is running, prints the table and the line for what has ended, and ends with status 130.
"""

import argparse
import json
import pathlib
import random
import signal
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor, as_completed

from hanma import toolchain
from host_tests.faults import campaigns, children, lives, mutants, mutation, sweeps
from host_tests.faults.tally import Campaign

_WORKERS = 2  # each has processes of its own
_REPEATS_LONG = 20  # of each scene
_SWEEP_S_LONG = 20000
_INTERRUPTED = 130  # as a shell says of SIGINT


def main():
    """Run the campaign that the command line asks for."""
    options = _options()
    seed = random.randrange(1000000) if options.seed is None else options.seed
    print(f"seed {seed}", flush=True)
    campaign = Campaign(seed)
    with tempfile.TemporaryDirectory(prefix="hanma-faults-") as directory:
        tree = campaigns.staged(mutation.FIRMWARE, pathlib.Path(directory) / "tree", source=False)
        jobs = _jobs(campaign, options.long, seed, tree)
        _run(campaign, [job for job in jobs if options.only in f"{job[0]} {job[1]}"])
    for failure in campaign.failures:
        print(f"\n{failure}")
    print(f"\n{campaign.table()}")
    reasons = campaign.wrong()
    if reasons:
        print(f"\nFAILED (seed {seed}): {'; '.join(reasons)}")
    if campaign.left:
        print(f"\nINTERRUPTED (seed {seed}): {campaign.left} not run")
    print(json.dumps(campaign.figures()), flush=True)
    return _INTERRUPTED if campaign.left else 1 if reasons else 0


def _options():
    parser = argparse.ArgumentParser(prog="python -m host_tests.faults", description=__doc__.partition("\n")[0])
    parser.add_argument("--long", action="store_true", help="every write of every sweep, long random runs, each scene many times")
    parser.add_argument("--seed", type=int, help="of the random runs (default: a new one, printed)")
    parser.add_argument("--only", default="", metavar="TEXT", help='those whose "kind name" has this in it, say "scene ban"')
    return parser.parse_args()


def _jobs(campaign, is_long, seed, tree):
    """Return [(kind, name, run, take)]: run() in a worker, take(result, seconds) afterwards.

    The short form has the longest first, so that both workers end together; the long one everything once before the sweeps of
    hours and the repetitions, so that what it has when it is interrupted says most.
    """
    swept = []
    for name, options, is_narrow in sweeps.planned(is_long, seed):
        swept.append(_sweep_job(campaign, name, options, is_narrow, _SWEEP_S_LONG if is_long else None))
    planted = [_mutant_job(campaign, mutant) for mutant in mutants.MUTANTS]
    played = [_scene_job(campaign, name, tree) for name in campaigns.SCENES]
    lived = [_scene_job(campaign, name, tree) for name in lives.LIVES]  # virtual time repeats itself: once is enough
    if is_long:
        return planted + lived + played + swept + played * (_REPEATS_LONG - 1)
    return swept + planted + played + lived


def _sweep_job(campaign, name, options, is_narrow, timeout_s):
    title = " ".join([name, options.get("kind", ""), *options.get("cases", ()), "32-bit" if is_narrow else ""]).strip()

    def run():
        binary = toolchain.micropython32() if is_narrow else None
        return sweeps.run(name, options, micropython=binary, timeout_s=timeout_s or sweeps.PATIENCE_S)

    return "sweep", title, run, lambda result, seconds: campaign.sweep(title, result, seconds)


def _scene_job(campaign, name, tree):
    return "scene", name, lambda: campaigns.run(name, tree), lambda result, seconds: campaign.scene(name, result, seconds)


def _mutant_job(campaign, mutant):
    return "mutant", mutant.name, lambda: mutants.run(mutant), lambda r, seconds: campaign.mutant(mutant, r[0], r[1], seconds)


def _run(campaign, jobs):
    """Run the jobs; campaign.left says how many were not when it is interrupted."""
    campaign.left = len(jobs)
    pool = ThreadPoolExecutor(_WORKERS)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    began = time.monotonic()
    try:
        running = {pool.submit(_timed, job[2]): job for job in jobs}
        for future in as_completed(running):
            _book(campaign, running[future], future.result())
            done = len(jobs) - campaign.left
            left_min = (time.monotonic() - began) / done * campaign.left / 60
            print(f"  {done}/{len(jobs)}, {campaign.left} left: about {left_min:.0f} min", flush=True)
    except KeyboardInterrupt:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # one is enough: what runs is being ended
        pool.shutdown(wait=False, cancel_futures=True)
        children.stop()
    pool.shutdown()


def _book(campaign, job, outcome):
    """Enter what came of a job, and tell of it."""
    kind, name, _, take = job
    result, error, seconds = outcome
    campaign.left -= 1
    if isinstance(error, toolchain.Missing):
        print(f"left out: {kind} {name}: {error}", flush=True)
        return
    failures = len(campaign.failures)
    if error:
        campaign.broken(kind, name, error, seconds)
    else:
        take(result, seconds)
    print(f"{kind} {name}: {campaign.rows[-1][3]}, {seconds:.0f} s", *campaign.failures[failures:], sep="\n  ", flush=True)


def _timed(run):
    """Return (result, None, seconds), or (None, the exception, seconds)."""
    began = time.monotonic()
    try:
        return run(), None, time.monotonic() - began
    except Exception as error:
        return None, error, time.monotonic() - began


if __name__ == "__main__":
    sys.exit(main())
