"""A sample site and a stand-in, both used as a person would: `hanma upload …` and `hanma mock …` as processes."""

import atexit
import contextlib
import functools
import json
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import httpx

from hanma.mock.shantou_options import Options
from host_tests import sample_site

_ROOT = Path(__file__).resolve().parents[2]
_TOOLS = _ROOT / "tools"
_END_S = 60


class StandIn:
    """A running stand-in: url, and its control addresses."""

    def __init__(self, process, url):
        self.process, self.url = process, url

    def order(self, *faults):
        """Order faults."""
        httpx.post(f"{self.url}/_control/faults", json=list(faults), trust_env=False).raise_for_status()

    def clear(self):
        """Take back what was ordered."""
        httpx.delete(f"{self.url}/_control/faults", trust_env=False).raise_for_status()

    def fired(self):
        """Return fault's kind → how often it happened."""
        return {one["kind"]: one["fired"] for one in httpx.get(f"{self.url}/_control/faults", trust_env=False).json()}

    def ledger(self):
        """Return the entries of its ledger."""
        return httpx.get(f"{self.url}/_control/ledger", trust_env=False, timeout=_END_S).json()

    def taken(self, endpoint=None):
        """Return the bodies taken at an endpoint, or at all that take records."""
        entries = [one for one in self.ledger() if one["taken"] and one["endpoint"] not in ("token", "check")]
        return [one["body"] for one in entries if endpoint in (None, one["endpoint"])]


@contextlib.contextmanager
def stand_in(*arguments):
    """Run `hanma mock …` while the block runs; yields a StandIn."""
    command = [sys.executable, "-m", "hanma.mock", *map(str, arguments)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment())
    try:
        yield StandIn(process, json.loads(process.stdout.readline())["url"])
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(_END_S)
        process.stdout.close()


def environment(**more):
    """Return the environment of a command: credentials of the stand-in, a wide screen, nobody's proxy."""
    kept = {name: value for name, value in os.environ.items() if "proxy" not in name.lower() and not name.startswith("HANMA_")}
    own = {"PYTHONPATH": os.pathsep.join(map(str, (_TOOLS, _ROOT))), "COLUMNS": "200", "PYTHONUTF8": "1"}
    credentials = {"HANMA_USER": Options.user, "HANMA_ACCESS_SECRET": Options.secret}
    return {**kept, **own, **credentials, **more}


class _Server:
    """The process that runs commands: see command_server."""

    def __init__(self):
        command = [sys.executable, "-m", "host_tests.upload.command_server"]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        self._process = subprocess.Popen(command, cwd=_ROOT, env=environment(), text=True, **pipes)
        atexit.register(self._end)

    def run(self, words, directory, environment, files):
        """Run a command; return its status. files: standard input, output, error."""
        asked = {"words": words, "directory": str(directory), "environment": environment, "files": list(map(str, files))}
        self._process.stdin.write(json.dumps(asked) + "\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())

    def _end(self):
        self._process.stdin.close()
        self._process.wait(_END_S)


@functools.lru_cache
def _server():
    return _Server()


class Office:
    """A directory in which a clerk works with `hanma upload`."""

    def __init__(self, directory):
        self.directory = Path(directory)

    @property
    def profile(self):
        """The site's profile."""
        return self.directory / "sites" / "demo.toml"

    def start(self, *words, settings=None, **more):
        """Start a command; return its process, output and complaints as pipes of text."""
        command = [sys.executable, "-m", "hanma.cli", "upload", *map(str, words)]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        return subprocess.Popen(
            command, cwd=self.directory, env=environment(**settings or {}), encoding="utf-8", **{**pipes, **more}
        )

    def run(self, *words, given=None, settings=None):
        """Run a command to its end; return (status, output, complaints)."""
        with tempfile.TemporaryDirectory(prefix="hanma-command-") as place:
            files = [Path(place) / name for name in ("in", "out", "complaints")]
            files[0].write_text(given or "", "utf-8")
            status = _server().run(["upload", *map(str, words)], self.directory, environment(**settings or {}), files)
            out, complaints = (one.read_text("utf-8") for one in files[1:])
        assert "Traceback" not in complaints, complaints
        return status, out, complaints

    def done(self, *words, given=None, status=0):
        """Run a command that must end with that status; return its output."""
        ended, out, complaints = self.run(*words, given=given)
        assert ended == status, (ended, out, complaints)
        return out

    def counts(self):
        """Return the outbox's counts: state → records."""
        return json.loads(self.run("status", "--json")[1])


def make_site(directory, url):
    """Make the sample site anew in a directory; return (its Office, the workbook)."""
    workbook = sample_site.make(directory, url)
    return Office(directory), workbook
