"""Runs a file of cases under MicroPython, once, and gives pytest each case's outcome."""

import functools
import json
import os
import re
import subprocess

from host_tests.unit import replay


def names(module):
    """Return the names of the functions marked @case in a file of this folder."""
    text = (replay.UNIT / f"{module}.py").read_text()
    return sorted(re.findall(r"^@case\nasync def (\w+)", text, re.MULTILINE))


@functools.cache
def _outcomes(module, binary):
    run = subprocess.run(
        [binary or replay.micropython_path(), "-X", "heapsize=1M", str(replay.UNIT / f"{module}.py")],
        env={**os.environ, "MICROPYPATH": f"{replay.FIRMWARE}:{replay.UNIT}:.frozen"},
        capture_output=True,
        text=True,
        timeout=90,
    )
    outcomes = {}
    for line in run.stdout.splitlines():
        if line.startswith("["):
            name, error = json.loads(line)
            outcomes[name] = error
    return outcomes, run.stderr


def check(module, name, binary=None):
    """Fail with the case's traceback, or with what the process said if the case never came. binary: another MicroPython."""
    outcomes, said = _outcomes(module, binary)
    assert name in outcomes, f"the case did not run: {said}"
    assert outcomes[name] is None, outcomes[name]
