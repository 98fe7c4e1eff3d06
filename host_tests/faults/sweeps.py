"""The sweeps as a table, and how one is run: a MicroPython process of its own, with any copy of the firmware. CPython."""

import json
import os
import subprocess

from hanma import toolchain

ROOT = toolchain.ROOT
_PORT = ROOT / "host_tests" / "port"
_HEAP = "256M"
_PROGRAM = "import sys; sys.path[:] = {path!r}; execfile({program!r})"


class SweepError(Exception):
    """The sweep itself broke down; the text is what it said."""


def run(name, options, firmware=None, micropython=None, timeout_s=150):
    """Run a sweep and return its result, a dict. firmware: a copy of firmware/. Raises SweepError."""
    firmware = firmware or ROOT / "firmware"
    path = ["", str(_PORT), str(firmware), ".frozen", str(ROOT)]
    program = _PROGRAM.format(path=path, program=str(ROOT / "host_tests" / "faults" / "on_port.py"))
    command = [str(micropython or toolchain.micropython()), "-X", f"heapsize={_HEAP}", "-c", program]
    environment = dict(os.environ, HANMA_PORT="")
    done = subprocess.run(
        [*command, name, json.dumps(options)], env=environment, capture_output=True, text=True, timeout=timeout_s, check=False
    )
    if done.returncode or not done.stdout.strip():
        raise SweepError(f"{name} {options}: status {done.returncode}\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}")
    return json.loads(done.stdout.splitlines()[-1])
