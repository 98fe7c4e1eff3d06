"""The test server: ranges that fit together, a token asked for, and every bad day that a device may have with it."""

import asyncio
import contextlib
import hashlib
import http.client
import json
import os
import pathlib
import signal
import ssl
import subprocess
import sys
import threading
import urllib.parse

import httpx
import pytest

from hanma.bench.certificates import Authority
from hanma.mock import server
from hanma.mock.faults import Faults
from hanma.mock.ledger import Ledger
from hanma.release import serve
from host_tests.release import commands

_TOOLS = pathlib.Path(__file__).resolve().parents[2] / "tools"
_END_S = 20
CONTENT = bytes(number * 7 % 251 for number in range(10_000))


class Served:
    """A running server: its client, address, ledger; the bundle is at /release."""

    def __init__(self, client, ledger):
        self.client = client
        self.ledger = ledger

    def get(self, **headers):
        """Ask for the bundle with these headers; _ stands for -."""
        return self.client.get("/release", headers={name.replace("_", "-"): value for name, value in headers.items()})

    def range(self, begin, end):
        """Ask for the bytes from begin to end - 1."""
        return self.get(Range=f"bytes={begin}-{end - 1}")

    def behave(self, **fields):
        """Change what the server does wrong."""
        return self.client.post("/_control/behaviour", json=fields)

    def raw(self, size, **headers):
        """Read at most size bytes of the body as they come on the wire, whatever length was declared."""
        address = urllib.parse.urlsplit(str(self.client.base_url))
        connection = http.client.HTTPConnection(address.hostname, address.port, timeout=_END_S)
        with contextlib.closing(connection):
            connection.request("GET", "/release", headers=headers)
            wire = connection.sock.makefile("rb")
            wire.readline()
            head = iter(wire.readline, b"\r\n")
            lines = {name.lower(): value.strip() for name, _, value in (line.decode().partition(":") for line in head)}
            return lines, wire.read(size)


@pytest.fixture
def served(tmp_path):
    """A server of CONTENT on a free port."""
    (tmp_path / "release").write_bytes(CONTENT)
    ledger = Ledger(None)
    made = serve.make_application(tmp_path / "release", serve.Behaviour(), ledger, Faults())
    loop, started, stop, address = asyncio.new_event_loop(), threading.Event(), asyncio.Event(), []

    async def run():
        async with server.listening(made, serve.Binding()) as url:
            address.append(url)
            started.set()
            await stop.wait()

    def work():
        try:
            loop.run_until_complete(run())
        finally:
            started.set()
            loop.close()

    thread = threading.Thread(target=work)
    thread.start()
    try:
        assert started.wait(_END_S) and address, "the server did not start"
        with httpx.Client(base_url=address[0], trust_env=False, timeout=_END_S) as client:
            yield Served(client, ledger)
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(_END_S)


# As it should be


def test_the_whole_is_given_with_its_length_and_a_tag(served):
    answer = served.get()
    assert (answer.status_code, answer.content) == (200, CONTENT)
    assert answer.headers["Content-Length"] == str(len(CONTENT))
    assert answer.headers["ETag"] == f'"{hashlib.sha256(CONTENT).hexdigest()[:32]}"'


def test_ranges_put_together_are_the_whole(served):
    together = b""
    while len(together) < len(CONTENT):
        answer = served.range(len(together), len(together) + 3000)
        assert answer.status_code == 206
        end = len(together) + len(answer.content)
        assert answer.headers["Content-Range"] == f"bytes {len(together)}-{end - 1}/{len(CONTENT)}"
        together += answer.content
    assert together == CONTENT


@pytest.mark.parametrize(
    ("asked", "status", "given"),
    [
        ("bytes=9990-", 206, CONTENT[9990:]),
        ("bytes=-10", 206, CONTENT[-10:]),
        ("bytes=0-", 206, CONTENT),
        ("bytes=9990-20000", 206, CONTENT[9990:]),
        ("bytes=10000-", 416, b""),
        ("bytes=-0", 416, b""),
        ("bytes=5-4", 200, CONTENT),
        ("bytes=-", 200, CONTENT),
        ("bytes=0-1,4-5", 200, CONTENT),
        ("lines=0-1", 200, CONTENT),
    ],
)
def test_a_range_is_answered_as_the_standard_says(served, asked, status, given):
    answer = served.get(Range=asked)
    assert (answer.status_code, answer.content) == (status, given)
    if status == 416:
        assert answer.headers["Content-Range"] == "bytes */10000"


def test_the_ledger_says_what_was_asked_and_keeps_no_token(served):
    served.behave(token="quiet")
    served.get(Authorization="Bearer quiet", Range="bytes=0-9")
    served.get(Authorization="Bearer loud")
    entries = served.client.get("/_control/ledger").json()
    assert [(entry["code"], entry["body"]) for entry in entries] == [("206", {"Range": "bytes=0-9"}), ("401", {})]
    assert "quiet" not in json.dumps(entries)


# Tokens, redirects, no ranges


def test_a_token_is_asked_for_in_the_header_or_the_query(served):
    served.behave(token="quiet")
    assert [served.get(**headers).status_code for headers in ({}, {"Authorization": "Bearer loud"})] == [401, 401]
    assert served.get(Authorization="Bearer quiet").content == CONTENT
    assert served.client.get("/release", params={"token": "quiet"}).content == CONTENT
    assert served.client.get("/release", params={"token": "焊"}).status_code == 401


def test_a_redirect_gives_an_address_and_no_bytes(served):
    served.behave(redirect="https://elsewhere.example/release")
    answer = served.get()
    assert (answer.status_code, answer.headers["Location"]) == (302, "https://elsewhere.example/release")
    assert CONTENT not in answer.content


def test_without_ranges_the_whole_is_given_whatever_is_asked(served):
    served.behave(ranges=False)
    answer = served.range(100, 200)
    assert (answer.status_code, answer.content, answer.headers["Accept-Ranges"]) == (200, CONTENT, "none")


def test_a_bundle_that_changes_in_the_middle_is_noticed_by_its_tag(served, tmp_path):
    (tmp_path / "later").write_bytes(CONTENT[::-1])
    served.behave(then=str(tmp_path / "later"), then_after=2)
    tag = served.range(0, 100).headers["ETag"]
    same = served.get(Range="bytes=100-199", If_Range=tag)
    assert (same.status_code, same.content) == (206, CONTENT[100:200])
    other = served.get(Range="bytes=200-299", If_Range=tag)
    assert (other.status_code, other.content) == (200, CONTENT[::-1])
    assert other.headers["ETag"] != tag
    careless = served.range(200, 300)
    assert (careless.status_code, careless.content) == (206, CONTENT[::-1][200:300])


# Cuts, lengths, no end


def test_a_cut_happens_after_so_many_bytes_and_once(served):
    served.behave(cut_after=1234)
    lines, body = served.raw(20_000)
    assert (lines["content-length"], body) == ("10000", CONTENT[:1234])
    assert served.range(1234, 10_000).content == CONTENT[1234:]


def test_a_cut_can_happen_always_and_each_range_goes_on_where_the_last_was_cut(served):
    served.behave(cut_after=4000, cut="always")
    together, requests = b"", 0
    while len(together) < len(CONTENT):
        together += served.raw(20_000, Range=f"bytes={len(together)}-")[1]
        requests += 1
    assert (together, requests) == (CONTENT, 3)


def test_a_cut_before_the_first_byte_leaves_only_the_head(served):
    served.behave(cut_after=0)
    lines, body = served.raw(20_000)
    assert (lines["content-length"], body) == ("10000", b"")


def test_a_length_that_promises_more_than_comes(served):
    served.behave(length_error=50)
    lines, body = served.raw(20_000)
    assert (lines["content-length"], body) == ("10050", CONTENT)
    with pytest.raises(httpx.RemoteProtocolError):
        served.get()


def test_a_length_that_promises_less_than_comes(served):
    served.behave(length_error=-9000)
    lines, body = served.raw(20_000)
    assert (lines["content-length"], body) == ("1000", CONTENT)


def test_endless_data_has_no_length_and_goes_on(served):
    served.behave(endless=True)
    with served.client.stream("GET", "/release") as answer:
        assert "Content-Length" not in answer.headers
        taken = b""
        for piece in answer.iter_raw():
            taken += piece
            if len(taken) > 5 * len(CONTENT):
                break
    assert taken.startswith(CONTENT)
    assert not taken[len(CONTENT) :].strip(b"\0")


def test_endless_data_can_be_cut(served):
    served.behave(endless=True, cut_after=30_000)
    served.client.headers["Connection"] = "close"
    total = 0
    with contextlib.suppress(httpx.RemoteProtocolError), served.client.stream("GET", "/release") as answer:
        for piece in answer.iter_raw():
            total += len(piece)
    assert total == 30_000


def test_a_slow_body_comes_whole_and_in_small_pieces(served):
    served.behave(bytes_per_s=100_000)
    assert served.get().content == CONTENT
    slow = serve.Behaviour(bytes_per_s=5_000)
    pieces = list(slow.pieces(CONTENT))
    assert b"".join(pieces) == CONTENT
    assert max(map(len, pieces)) == 500
    assert sum(slow.pause_s(len(piece)) for piece in pieces) == pytest.approx(2)


def test_a_server_that_is_not_slow_waits_for_nothing():
    assert serve.Behaviour().pause_s(100_000) == 0


# Control


@pytest.mark.parametrize(
    "changes", [[], {"slow": 1}, {"cut": "twice"}, {"cut_after": -1}, {"then": "/not/there"}, {"endless": 1}, {"bytes_per_s": 1.5}]
)
def test_a_behaviour_that_cannot_be_meant_changes_nothing(served, changes):
    before = served.client.get("/_control/behaviour").json()
    assert served.client.post("/_control/behaviour", json=changes).status_code == 400
    assert served.client.get("/_control/behaviour").json() == before


def test_faults_can_be_ordered_as_with_the_other_stand_ins(served):
    served.client.post("/_control/faults", json=[{"kind": "http", "status": 503}]).raise_for_status()
    assert [served.get().status_code for _ in range(2)] == [503, 200]


# The process


@contextlib.contextmanager
def _started(*arguments):
    """Start `hanma release serve`; yields what its first line says. It is ended with SIGTERM and must end well."""
    command = [sys.executable, "-m", "hanma.cli", "release", "serve", *map(str, arguments)]
    environment = {**os.environ, "PYTHONPATH": str(_TOOLS)}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
    try:
        yield json.loads(process.stdout.readline())
        process.send_signal(signal.SIGTERM)
        assert process.wait(_END_S) == 0
    finally:
        process.kill()
        process.wait(_END_S)
        process.stdout.close()


def test_the_command_says_where_it_serves_and_takes_its_options(tmp_path):
    (tmp_path / "release").write_bytes(CONTENT)
    options = ("--token", "quiet", "--cut-after", 100, "--cut", "always", "--ledger", tmp_path / "ledger")
    with _started(tmp_path / "release", *options) as said:
        address = f"{said['url']}/release"
        assert httpx.get(address, trust_env=False).status_code == 401
        with pytest.raises(httpx.RemoteProtocolError):
            httpx.get(address, params={"token": "quiet"}, trust_env=False)
        behaviour = httpx.get(f"{said['control']}/behaviour", trust_env=False).json()
    assert (behaviour["cut_after"], behaviour["cut"]) == (100, "always")
    assert [json.loads(line)["code"] for line in (tmp_path / "ledger").read_text().splitlines()] == ["401", "200"]


def test_with_a_certificate_it_serves_https(tmp_path):
    (tmp_path / "release").write_bytes(CONTENT)
    authority = Authority()
    for name, pem in zip(("cert.pem", "key.pem"), authority.server(["127.0.0.1"]), strict=True):
        (tmp_path / name).write_bytes(pem)
    with _started(tmp_path / "release", "--cert", tmp_path / "cert.pem", "--key", tmp_path / "key.pem") as said:
        assert said["url"].startswith("https://")
        trust = ssl.create_default_context(cadata=authority.pem().decode())
        assert httpx.get(f"{said['url']}/release", verify=trust, trust_env=False).content == CONTENT


def test_a_certificate_that_is_none_is_said_in_one_line(tmp_path):
    (tmp_path / "release").write_bytes(CONTENT)
    words = commands.release("serve", tmp_path / "release", "--cert", tmp_path / "release", "--key", tmp_path / "release", code=1)
    assert "release" in words and "Traceback" not in words
