"""A whole run of a sample site with everything going wrong: nothing private in clear anywhere, nothing lost, nothing sent twice
but by a rule and counted."""

import collections
import contextlib
import hashlib
import json
import os
import random
import re
import signal
import sqlite3
import stat
import time
import urllib.parse

import httpx
import pytest

from hanma.mock import ledger as ledgers
from hanma.mock.shantou_options import Options
from hanma.upload import body, privacy
from hanma.upload.desk import Desk
from host_tests import sample_site
from host_tests.upload import site_world

pytestmark = pytest.mark.slow
_FAULTS = [
    {"kind": "slow", "delay_s": 0.05, "every": 7},
    {"kind": "http", "status": 500, "times": 3, "every": 11},
    {"kind": "http", "status": 503, "endpoint": "token"},
    {"kind": "token_expired", "times": 2, "every": 17},
    {"kind": "system_error", "times": 3, "every": 13},
    {"kind": "cut_before", "times": 3, "every": 19},
    {"kind": "cut_after", "times": 3, "every": 23},
    {"kind": "garbage", "times": 2, "every": 29},
    {"kind": "refuse", "endpoint": "gate", "times": 2, "every": 31},
]
# A shorter run of bytes may stand anywhere in what is sealed, by chance.
_LEAST_B = 6
_HEX = re.compile(rb"(?<![0-9a-f])[0-9a-f]{32}(?![0-9a-f])")
_ROUNDS = 12
_RESENT = ("dust",)  # tables whose rule for a lost answer sends again


def _hidden():
    """Return what may be nowhere in clear: name → the forms in which it might stand there."""
    access_id = hashlib.md5(Options.user.encode(), usedforsecurity=False).hexdigest()
    texts = {"secret": Options.secret, "access id": access_id}
    for number, one in enumerate(sample_site.workers()):
        texts |= {f"id {number}": one.id, f"name {number}": one.name, f"phone {number}": one.phone}
    return {name: [form for form in _forms(text) if len(form) >= _LEAST_B] for name, text in texts.items()}


def _forms(text):
    yield from (text.encode(encoding) for encoding in ("utf-8", "gb18030", "utf-16-le"))
    yield json.dumps(text).strip('"').encode()
    yield urllib.parse.quote(text).encode()


def _in_clear(places, tokens):
    """Return [(place, what)] of all that stands in clear. places: name → bytes; tokens: starts of the tokens' SHA-256."""
    hidden = _hidden()
    found = [(place, name) for place, data in places.items() for name, forms in hidden.items() if any(one in data for one in forms)]
    for place, data in places.items():
        found += [(place, "a token") for one in _HEX.findall(data) if hashlib.sha256(one).hexdigest()[:16] in tokens]
    return found


def _tokens(platform):
    """Return the starts of the SHA-256 of every token that was used, as the stand-in's ledger has them."""
    return {one["path"].rpartition("sha256:")[2] for one in platform.ledger() if "sha256:" in one["path"]}


@pytest.fixture
def office(tmp_path):
    """A site in tmp_path/site, logging and temporary files beside it; yields (Office, its stand-in, the workbook)."""
    site = tmp_path / "site"
    for one in (site, tmp_path / "temporary"):
        one.mkdir()
    with site_world.stand_in("shantou", "--decode-images", "--ledger", tmp_path / "ledger.jsonl") as platform:
        made, workbook = site_world.make_site(site, platform.url)
        text = made.profile.read_text("utf-8").replace("answer_s = 5", "answer_s = 2")
        made.profile.write_text(text + "\n[settings]\nback_off_s = 0.02\n", "utf-8")
        privacy.new_key(site / "sites" / "hanma.key")
        yield made, platform, workbook


class Recorder:
    """Runs commands that log all they can into a file, and keeps all that they said."""

    def __init__(self, office, directory):
        self._office = office
        self._settings = {"HANMA_TEST_LOG": str(directory / "debug.log"), "TMPDIR": str(directory / "temporary")}
        self.said = []

    def run(self, *words):
        """Run a command to its end; return its status."""
        status, *said = self._office.run(*words, settings=self._settings)
        self.said += [f"{words}: {one}" for one in said]
        return status


@pytest.mark.timeout(300)
def test_a_faulty_run_leaves_nothing_private_in_clear(office, tmp_path):
    clerk, platform, workbook = office
    recorder = Recorder(clerk, tmp_path)
    assert recorder.run("add", workbook, "--out", "有错.xlsx") == 1
    platform.order(*_FAULTS)
    for _ in range(4):
        recorder.run("send")
    fired = platform.fired()
    for words in (["status"], ["status", "--state", "waiting"], ["errors"], ["status", "--state", "uncertain"], ["daily"]):
        recorder.run(*words)
    assert {"slow", "http", "token_expired", "system_error", "cut_before", "cut_after", "garbage"} <= {
        kind for kind, times in fired.items() if times
    }
    log = (tmp_path / "debug.log").read_bytes()
    assert b"httpcore" in log and b"send_request_headers" in log  # it did log, and as much as there is
    places = {name: path.read_bytes() for name, path in _kept(tmp_path)} | {"console": "\n".join(recorder.said).encode()}
    assert any(name.endswith(".db") for name in places) and len(places["console"]) > 1000
    tokens = _tokens(platform)
    assert len(tokens) > 2 and _in_clear(places, tokens) == []
    marked = clerk.directory / "有错.xlsx"
    assert stat.S_IMODE(marked.stat().st_mode) == 0o600


def _kept(directory, log=True):
    """Yield (name, path) of every file the uploader wrote, but for what is the clerk's own and the key."""
    if log:
        yield "debug.log", directory / "debug.log"
    for path in (directory / "temporary").rglob("*"):
        if path.is_file():
            yield f"temporary {path.name}", path
    for path in (directory / "site").rglob("*"):
        clerks = path.suffix in (".xlsx", ".jpg", ".toml", ".key")
        if path.is_file() and not clerks:
            yield path.name, path


# Killed


def _wait_for_token(platform, before, process):
    """Wait until the platform was asked for one more token than before, or the process has ended; return how many it was."""
    while True:
        endpoints = httpx.get(f"{platform.url}/_control/counts", trust_env=False).json()["endpoints"]
        number = endpoints.get("token", {}).get("taken", 0)
        if number > before or process.poll() is not None:
            return number
        time.sleep(0.005)


def _let_leases_end(clerk):
    """Be as late as a lease is long: what a killed process had in the air has then no owner any more."""
    with contextlib.closing(sqlite3.connect(clerk.directory / "sites" / "demo.outbox.db")) as database, database:
        database.execute("update record set lease_ms = 0 where state = 'sending'")


def _fingerprint(content):
    return ledgers.fingerprint(ledgers.without_images(json.loads(body.encode(content))))


def _decide(clerk, platform):
    """Be the clerk who looks at the platform what became of each record whose answer was lost."""
    there = set(map(ledgers.fingerprint, platform.taken()))
    with Desk(clerk.profile) as desk:
        for line in list(desk.lines(state="uncertain")):
            desk.store.decide(line.id, "accepted" if _fingerprint(desk.store.body(line.id)) in there else "queued")


@pytest.mark.skipif(os.name != "posix", reason="SIGKILL")
@pytest.mark.timeout(600)
def test_a_sender_killed_at_any_moment_loses_nothing_and_repeats_only_by_rule(office, tmp_path):
    clerk, platform, workbook = office
    seed = int(os.environ.get("SEED") or time.time_ns() % 1_000_000)
    print(f"seed {seed}: repeat with SEED={seed}")
    chance, asked, killed = random.Random(seed), 0, 0
    clerk.run("add", workbook)
    sound = sum(clerk.counts().values())
    platform.order({"kind": "slow", "delay_s": 0.04, "times": None})
    for _ in range(_ROUNDS):
        with clerk.start("send") as process:
            asked = _wait_for_token(platform, asked, process)
            time.sleep(chance.uniform(0, 0.25))
            process.send_signal(signal.SIGKILL)
            killed += process.wait() == -signal.SIGKILL
        assert _in_clear({name: path.read_bytes() for name, path in _kept(tmp_path, log=False)}, _tokens(platform)) == []
        if chance.random() < 0.5:
            _let_leases_end(clerk)
            _decide(clerk, platform)
    platform.clear()
    while (counts := clerk.counts())["queued"] + counts["sending"] + counts["uncertain"]:
        _let_leases_end(clerk)
        clerk.run("send")
        _decide(clerk, platform)
    _account(platform, counts, sound)
    assert killed >= _ROUNDS // 2


def _account(platform, counts, sound):
    """See the outbox and the ledger agree; what still waits does so for the worker whose own row was in error."""
    taken = collections.Counter(
        (one["endpoint"], one["fingerprint"])
        for one in platform.ledger()
        if one["taken"] and one["endpoint"] not in ("token", "check")
    )
    twice = {key: times for key, times in taken.items() if times > 1}
    assert counts["accepted"] == len(taken) == sound - counts["waiting"] and counts["refused"] == 0
    assert {endpoint for endpoint, _ in twice} <= set(_RESENT)
    assert sum(times - 1 for times in twice.values()) <= counts["possible_duplicates"]
