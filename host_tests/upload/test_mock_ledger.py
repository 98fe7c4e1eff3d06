"""What all stand-ins share, seen at Shantou's: the ledger, the control addresses, start and end."""

import asyncio
import hashlib
import json
import signal
import socket
import ssl

import httpx
import pytest
from typer.testing import CliRunner

from hanma.bench import certificates
from hanma.mock import server
from hanma.mock.cli import app
from hanma.mock.faults import Faults
from hanma.mock.ledger import Ledger, LedgerError
from host_tests.upload.mock_shantou_world import PHOTO, SECRET, running


def test_the_ledger_has_a_line_a_request_with_images_as_their_hashes_and_no_secret(tmp_path):
    with running("--ledger", tmp_path / "ledger.jsonl") as stand:
        body = stand.site("team", "worker_enter")
        stand.taken("gate", body("gate"))
        stand.taken("gate", dict(reversed(body("gate").items())))
        stand.refused("dust", body("dust", pm25="1"))
        entries = stand.control("ledger")
        counts = stand.control("counts")
        token = stand.token
    text = (tmp_path / "ledger.jsonl").read_text("utf-8")
    assert [json.loads(line) for line in text.splitlines()] == entries
    assert not any(secret in text for secret in (token, SECRET, PHOTO))
    assert [entry["seq"] for entry in entries] == [1, 2, 3, 4, 5, 6]
    gate = entries[3]
    named = hashlib.sha256(token.encode()).hexdigest()[:16]
    assert gate["path"] == f"/api/wlwzjsjjrsj/receive/zjsj/sha256:{named}"
    assert gate["body"]["photo"] == f"sha256:{hashlib.sha256(PHOTO.encode()).hexdigest()}:{len(PHOTO)}"
    assert gate["body"]["temperature"] == 36.0
    assert gate["fingerprint"] == entries[4]["fingerprint"]
    assert (entries[5]["taken"], entries[5]["code"]) == (False, "990025001")
    assert (counts["taken"], counts["refused"], counts["repeated"]) == (4, 1, 1)
    assert counts["endpoints"]["gate"] == {"taken": 2, "refused": 0, "repeated": 1}


def test_a_restarted_stand_in_remembers_what_its_ledger_holds(tmp_path):
    path = tmp_path / "ledger.jsonl"
    with running("--ledger", path) as stand:
        body = stand.site("team", "worker_enter")
    with path.open("ab") as file:
        file.write(b'{"seq": 4, "torn')
    with running("--ledger", path) as stand:
        assert "teamcode：班组编码已存在" in stand.refused("team", body("team", teamname="李一钢筋班组"))[1]
        stand.taken("gate", body("gate"))
        assert [entry["seq"] for entry in stand.control("ledger")] == [1, 2, 3, 4, 5, 6]
    assert len([json.loads(line) for line in path.read_text("utf-8").splitlines()]) == 6


def test_a_file_that_is_no_ledger_is_refused(tmp_path):
    (tmp_path / "other").write_text("site,person\n", "utf-8")
    with pytest.raises(LedgerError):
        Ledger(tmp_path / "other")


# Control addresses, start and end --------------------------------------------------------------------------------------


def _own_address():
    """Return an address of this machine other than loopback, or leave the test out."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            pytest.skip("this machine has no address but loopback")
        return probe.getsockname()[0]


def test_control_addresses_answer_only_to_loopback():
    address = _own_address()
    with running("--host", "0.0.0.0") as stand:
        port = stand.ready["url"].rsplit(":", 1)[1]
        outside = httpx.get(f"http://{address}:{port}/_control/ledger")
        assert (outside.status_code, stand.control("ledger")) == (403, [])


def test_control_addresses_ask_for_their_token_where_one_is_set():
    with running("--control-token", "t0") as stand:
        path = f"{stand.ready['control']}/counts"
        asked = [stand.client.get(path, headers=headers).status_code for headers in ({}, {"X-Control-Token": "t0"})]
        assert asked == [403, 200]


def test_it_serves_https_with_a_certificate(tmp_path):
    files = certificates.make(tmp_path)
    trusting = ssl.create_default_context(cafile=str(files.ca))
    with running("--cert", files.certificate, "--key", files.key, verify=trusting) as stand:
        assert stand.ready["url"].startswith("https://127.0.0.1:")
        stand.taken("dust", stand.site()("dust"))


@pytest.mark.parametrize(
    "arguments", [("--cert", "none.pem"), ("--cert", "none.pem", "--key", "none.key"), ("--may-be-empty", "dust.tsp")]
)
def test_a_start_that_cannot_be_is_told_in_one_line(arguments):
    _ends_at_once(*arguments)


def test_a_port_that_is_taken_is_told_in_one_line():
    with socket.create_server(("127.0.0.1", 0)) as other:
        _ends_at_once("--port", str(other.getsockname()[1]))


def _ends_at_once(*arguments):
    ended = CliRunner().invoke(app, ["shantou", *arguments])
    assert (ended.exit_code, ended.stdout, ended.stderr.count("\n")) == (1, "", 1)
    assert ended.stderr.startswith("hanma mock: ")


def test_it_ends_cleanly_on_ctrl_c_while_a_request_is_slow():
    with running() as stand:
        body = stand.site()("dust")
        stand.taken("dust", body)
        stand.order({"kind": "slow", "delay_s": 3600})
        with pytest.raises(httpx.ReadTimeout):
            stand.client.post("/api/wlwyczsjrsj/receive/yczssj/" + stand.token, json=body, timeout=0.2)
        stand.process.send_signal(signal.SIGINT)
        assert stand.process.wait(10) == 0



def test_a_platform_of_another_shape_gets_faults_and_control_by_naming_its_routes():
    async def scene():
        made = server.application(Ledger(), Faults())

        async def push(request):
            fault = server.ordered(request)
            made[server.LEDGER].add(
                "push", request.path, (fault is None, "", ""), await request.json(), server.request_fault(request)
            )
            return server.web.json_response({"ok": fault is None})

        made.router.add_post("/push", push, name="push")
        async with server.listening(made, server.Binding()) as address, httpx.AsyncClient(base_url=address) as client:
            await client.post("/_control/faults", json=[{"kind": "refuse", "endpoint": "push"}])
            answers = [(await client.post("/push", json={"n": 1})).json()["ok"] for _ in range(2)]
            return answers, (await client.get("/_control/counts")).json()["endpoints"]

    answers, endpoints = asyncio.run(scene())
    assert (answers, endpoints) == ([False, True], {"push": {"taken": 1, "refused": 1, "repeated": 0}})
