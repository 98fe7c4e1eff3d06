"""Runs a piece of MicroPython between the stand-ins, without a chip around it: for tests of the stand-ins."""

import json
import os
import subprocess

from host_tests.unit.replay import ROOT

PORT = ROOT / "host_tests" / "port"
_PATHS = ["", str(PORT), ".frozen", str(ROOT)]


def run(binary, state, code, **env):
    """Run code with `state` as the chip's directory; return the JSON value of the last line it prints.

    state: a directory, or None for a chip that keeps everything in memory. Raises AssertionError with all that
    was printed when it does not end well.
    """
    if state is not None:
        os.makedirs(state, exist_ok=True)
        (state / "silence").touch()
    environment = dict(os.environ, HANMA_PORT=str(state or ""), **env)
    program = f"import sys\nsys.path[:] = {_PATHS!r}\nimport json\n{code}"
    done = subprocess.run(
        [binary, "-c", program], env=environment, capture_output=True, text=True, timeout=100, check=False
    )
    assert done.returncode == 0, f"{done.stdout}{done.stderr}"
    return json.loads(done.stdout.splitlines()[-1])
