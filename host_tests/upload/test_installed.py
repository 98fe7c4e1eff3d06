"""The uploader as a clerk installs it: the package alone, without the source tree around it."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import hanma


def test_the_uploader_runs_where_there_is_no_firmware(tmp_path):
    shutil.copytree(Path(hanma.__file__).parent, tmp_path / "hanma", ignore=shutil.ignore_patterns("__pycache__"))
    words = [sys.executable, "-c", "from hanma.cli import app; app()", "upload", "init", "shantou", "sites/site.toml"]
    environment = {**os.environ, "PYTHONPATH": str(tmp_path), "PYTHONUTF8": "1"}
    done = subprocess.run(words, cwd=tmp_path, env=environment, capture_output=True, encoding="utf-8", timeout=60)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "sites" / "site.toml").exists()
