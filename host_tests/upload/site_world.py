"""A sample site and a stand-in, both used as a person would: `hanma upload …` and `hanma mock …` as processes."""

import contextlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import httpx

from hanma.mock.shantou_options import Options
from host_tests import sample_site

_TOOLS = Path(__file__).resolve().parents[2] / "tools"
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
def stand_in(*arguments, verify=True):
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
    own = {"PYTHONPATH": str(_TOOLS), "COLUMNS": "200", "PYTHONIOENCODING": "utf-8", "PYTHONUTF8": "1"}
    credentials = {"HANMA_USER": Options.user, "HANMA_ACCESS_SECRET": Options.secret}
    return {**kept, **own, **credentials, **more}


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
        with self.start(*words, settings=settings) as process:
            out, complaints = process.communicate(given, timeout=_END_S)
        pass
        return process.returncode, out, complaints

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
