"""Runs the same case on CPython's code under MicroPython: one long-lived process, JSON lines over its pipes.

A pure part has a driver in `drivers/<name>.py` with `run(case)`; cases and results are JSON values.
"""

import json
import os
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
FIRMWARE = ROOT / "firmware"
UNIT = ROOT / "host_tests" / "unit"
_LOOP = """
import sys, json
sys.path[:] = {path!r} + sys.path
while True:
    line = sys.stdin.readline()
    if not line:
        break
    name, case = json.loads(line)
    try:
        module = __import__("drivers." + name, None, None, ("run",))
        answer = {{"result": module.run(case)}}
    except Exception as error:
        import io
        text = io.StringIO()
        sys.print_exception(error, text)
        answer = {{"error": text.getvalue()}}
    sys.stdout.write(json.dumps(answer) + "\\n")
"""


class ReplayError(Exception):
    """The case raised under MicroPython; the text is its traceback."""


def micropython_path():
    """Return the MicroPython binary to test with: $MICROPYTHON, or the one beside this Python."""
    return os.environ.get("MICROPYTHON") or str(pathlib.Path(sys.executable).parent / "micropython")


class Replay:
    """A MicroPython process that runs driver cases until closed."""

    def __init__(self, binary=None):
        code = _LOOP.format(path=[str(FIRMWARE), str(UNIT)])
        self._process = subprocess.Popen(
            [binary or micropython_path(), "-X", "heapsize=8M", "-c", code],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def call(self, name, case):
        """Run drivers/<name>.py's run(case) there and return its result; raises ReplayError with the traceback."""
        self._process.stdin.write(json.dumps([name, case]) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise ReplayError(f"MicroPython ended with status {self._process.wait()} in case {case!r}")
        answer = json.loads(line)
        if "error" in answer:
            raise ReplayError(answer["error"])
        return answer["result"]

    def close(self):
        """End the process."""
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait(10)
