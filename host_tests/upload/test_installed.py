"""The uploader as a clerk installs it: the package alone, without the source tree around it."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import hanma
from hanma.upload.site import tomllib


def test_the_uploader_runs_where_there_is_no_firmware(tmp_path):
    shutil.copytree(Path(hanma.__file__).parent, tmp_path / "hanma", ignore=shutil.ignore_patterns("__pycache__"))
    words = [sys.executable, "-c", "from hanma.cli import app; app()", "upload", "init", "shantou", "sites/site.toml"]
    environment = {**os.environ, "PYTHONPATH": str(tmp_path), "PYTHONUTF8": "1"}
    done = subprocess.run(words, cwd=tmp_path, env=environment, capture_output=True, encoding="utf-8", timeout=60)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "sites" / "site.toml").exists()


def test_the_uploader_needs_no_other_part_and_nothing_of_micropython():
    asked = "import sys, hanma.upload.cli; print(*sorted(one for one in sys.modules if one.startswith('hanma.')))"
    words = [sys.executable, "-c", asked]
    done = subprocess.run(words, capture_output=True, encoding="utf-8", timeout=60, check=True)
    assert {one.split(".")[1] for one in done.stdout.split()} == {"carriage", "jobs", "upload"}
    extras = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text("utf-8"))["project"]["optional-dependencies"]
    names = {re.match(r"[\w.-]+", one)[0].lower() for one in extras["upload"]}
    assert not names & {"uvloop", "python-daemon", "sh", "pexpect", "ptyprocess"}
    assert not [one for one in names if "micropython" in one or one.startswith(("mp", "esp"))]
