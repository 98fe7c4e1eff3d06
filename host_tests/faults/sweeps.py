"""The sweeps as a table, and how one is run: a MicroPython process of its own, with any copy of the firmware. CPython."""

import json
import os
import pathlib
import tempfile

from hanma import toolchain
from host_tests.faults import children, releases

ROOT = toolchain.ROOT
_PORT = ROOT / "host_tests" / "port"
_HEAP = "256M"
_HEAPS = {"upgrade": "16M"}  # it collects at each range, and a large heap takes long
PATIENCE_S = 300  # host seconds for one sweep of the short form
_PROGRAM = "import sys; sys.path[:] = {path!r}; execfile({program!r})"

_RUNS_SHORT, _RUNS_LONG = 150, 20000

# (name, options, whether on the 32-bit port); in the short form, stride: every so many-th write, tears: torn in so many ways by
# turns; in the long form every write in every way
TABLE = (
    ("outbox", {"kind": "sweep", "stride": 5}, False),
    ("outbox", {"kind": "sweep", "stride": 11}, True),
    ("outbox", {"kind": "random"}, False),
    ("outbox", {"kind": "damage", "stride": 7}, False),
    ("config", {}, False),
    ("config", {}, True),
    ("records", {}, False),
    ("upgrade", {"kind": "power", "cases": ["full"], "tears": 1}, False),
    ("upgrade", {"kind": "power", "cases": ["difference"], "tears": 1}, False),
    ("upgrade", {"kind": "power", "cases": ["roll-back"], "tears": 1}, False),
    ("upgrade", {"kind": "network", "stride": 3}, False),
    ("upgrade", {"kind": "attacks"}, False),
)


class SweepError(Exception):
    """The sweep itself broke down; the text is what it said."""


def planned(is_long, seed):
    """Return [(name, options, whether on the 32-bit port)] of a short or a long campaign."""
    plan = []
    for name, options, is_narrow in TABLE:
        options = dict(options, seed=seed, runs=_RUNS_LONG if is_long else _RUNS_SHORT)
        if is_long:
            options.pop("stride", None)
            options.pop("tears", None)
        plan.append((name, options, is_narrow))
    return plan


def run(name, options, firmware=None, micropython=None, timeout_s=PATIENCE_S):
    """Run a sweep and return its result, a dict. firmware: a copy of firmware/. Raises SweepError."""
    firmware = firmware or ROOT / "firmware"
    with tempfile.TemporaryDirectory(prefix="hanma-sweep-") as directory:
        if name == "upgrade":
            releases.write(pathlib.Path(directory))
        return _run(name, dict(options, directory=directory), firmware, micropython, timeout_s)


def _run(name, options, firmware, micropython, timeout_s):
    path = ["", str(_PORT), str(firmware), ".frozen", str(ROOT), str(toolchain.umqtt_simple())]
    program = _PROGRAM.format(path=path, program=str(ROOT / "host_tests" / "faults" / "on_port.py"))
    command = [str(micropython or toolchain.micropython()), "-X", f"heapsize={_HEAPS.get(name, _HEAP)}", "-c", program]
    environment = dict(os.environ, HANMA_PORT="")
    done = children.run([*command, name, json.dumps(options)], timeout_s, env=environment)
    if done.returncode or not done.stdout.strip():
        raise SweepError(f"{name} {options}: status {done.returncode}\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}")
    return json.loads(done.stdout.splitlines()[-1])
