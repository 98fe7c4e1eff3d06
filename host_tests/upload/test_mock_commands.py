"""`hanma mock jiangsu` and `hanma mock chongqing` as a person starts them: processes of their own."""

import contextlib
import json
import os
import pathlib
import signal
import subprocess
import sys

import httpx
import pytest

_TOOLS = pathlib.Path(__file__).resolve().parents[2] / "tools"
_END_S = 20


@contextlib.contextmanager
def _started(*arguments):
    """Start a stand-in; yields its process and a client of its address. It is ended with SIGTERM."""
    command = [sys.executable, "-m", "hanma.mock", *arguments]
    environment = {**os.environ, "PYTHONPATH": str(_TOOLS)}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)
    try:
        line = json.loads(process.stdout.readline())
        with httpx.Client(base_url=line["url"], trust_env=False, timeout=_END_S) as client:
            yield process, client
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.communicate(timeout=_END_S)
        finally:
            process.kill()


def test_jiangsu_starts_with_the_appid_and_secret_given_and_ends_when_told(tmp_path):
    path = tmp_path / "ledger.jsonl"
    options = ("--appid", "site-1", "--secret", "quiet", "--token-form", "text", "--ledger", str(path))
    with _started("jiangsu", *options) as (process, client):
        answer = client.get("/jsdspcloud/servlet/token", params={"appid": "site-1", "secret": "quiet"}).json()
    assert (answer["rescode"], len(answer["data"]), process.returncode) == ("1", 32, 0)
    assert [json.loads(line)["endpoint"] for line in path.read_text(encoding="utf-8").splitlines()] == ["token"]


def test_chongqing_starts_with_a_contract_and_a_store_and_ends_when_told(tmp_path):
    (tmp_path / "contract.json").write_text(json.dumps({"on": {"path": "/guard"}}))
    options = ("--contract", str(tmp_path / "contract.json"), "--store", str(tmp_path / "store.jsonl"))
    with _started("chongqing", *options) as (process, client):
        assert client.post("/guard", json={"id": "J1"}).json()["success"]
    assert process.returncode == 0
    assert json.loads((tmp_path / "store.jsonl").read_text())["record"] == {"id": "J1"}


@pytest.mark.parametrize("file", ["--contract", "--store"])
def test_chongqing_does_not_start_on_a_file_that_it_cannot_read(tmp_path, file):
    path = tmp_path / "spoilt.json"
    path.write_text("[]\n")
    command = [sys.executable, "-m", "hanma.mock", "chongqing", file, str(path)]
    environment = {**os.environ, "PYTHONPATH": str(_TOOLS)}
    ended = subprocess.run(command, capture_output=True, text=True, timeout=_END_S, env=environment, check=False)
    assert ended.returncode == 1 and "hanma mock:" in ended.stderr and "Traceback" not in ended.stderr
