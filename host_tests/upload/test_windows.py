"""What would break on Windows, looked for where there is none: in the text of the uploader, and by its commands in a process from
which all that is POSIX's alone was taken away."""

import ast
import json
import shutil
import subprocess
import sys
from datetime import datetime
from pathlib import Path

import pytest

import hanma
from hanma.upload import privacy
from host_tests import sample_site
from host_tests.upload import site_world
from host_tests.upload.as_windows import POSIX_MODULES, POSIX_NAMES

_HERE = Path(hanma.__file__).parent
_SOURCES = [*(_HERE / "upload").rglob("*.py"), *(_HERE / one for one in ("carriage.py", "jobs.py", "cli.py"))]
_METHODS = ("add_signal_handler", "create_unix_connection", "create_unix_server", "rename")
_DAY = datetime(2026, 11, 2)


def _foreign(tree):
    """Yield (line, what) of all in a module that Windows lacks, or that fails there over a file that exists."""
    for node in ast.walk(tree):
        names = [one.name for one in node.names] if isinstance(node, ast.Import) else []
        names += [node.module or ""] if isinstance(node, ast.ImportFrom) and not node.level else []
        yield from ((node.lineno, one) for one in names if one.split(".")[0] in POSIX_MODULES)
        if isinstance(node, ast.Attribute):
            owner = node.value.id if isinstance(node.value, ast.Name) else ""
            if node.attr in POSIX_NAMES.get(owner, ()) or node.attr in _METHODS:
                yield node.lineno, f"{owner}.{node.attr}"
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.startswith(("/tmp", "/dev/", "/proc/")):
            yield node.lineno, node.value


def test_nothing_in_the_uploader_is_posix_s_alone():
    found = [(one.name, *told) for one in _SOURCES for told in _foreign(ast.parse(one.read_text("utf-8")))]
    assert len(_SOURCES) > 50 and found == []


def test_the_search_finds_what_windows_lacks():
    text = "import fcntl\nfrom pwd import getpwnam\nos.fork()\nsignal.SIGKILL\nos.rename(a, b)\npath.rename(b)\nopen('/tmp/x')"
    assert sorted(line for line, _ in _foreign(ast.parse(text))) == [1, 2, 3, 4, 5, 6, 7]


def _on_windows(directory, commands):
    """Run commands in that directory; return [(status, output, complaints)]."""
    settings = {"PYTHONWARNDEFAULTENCODING": "1", "PYTHONUTF8": "0", "NO_COLOR": "1"}
    words = [["upload", *map(str, one)] for one in commands]
    done = subprocess.run(
        [sys.executable, "-m", "host_tests.upload.as_windows", json.dumps(words)],
        cwd=directory,
        env=site_world.environment(**settings),
        capture_output=True,
        encoding="utf-8",
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return [tuple(one) for one in json.loads(done.stdout)]


def _line(row):
    return json.dumps(row, ensure_ascii=False) + "\n"


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="which files are open is asked of /proc")
def test_the_commands_run_where_nothing_is_posix_s(tmp_path):
    with site_world.stand_in("shantou") as platform:
        office, workbook = site_world.make_site(tmp_path, platform.url)
        privacy.new_key(tmp_path / "sites" / "hanma.key")
        folder = tmp_path / "上报" / "待传"
        folder.mkdir(parents=True)
        shutil.copy(workbook, folder)
        (folder / "扬尘噪声数据接入.jsonl").write_text(_line({"devicecode": "X", "pm25": "x"}), "utf-8")
        (folder / "看不懂.csv").write_text("a,b\n1,2\n", "utf-8")
        leader = sample_site.workers()[0]
        strange = sample_site.entry(leader, _DAY.date(), True) | {"labourername": "张𠮷"}
        commands = [
            ("init", "jiangsu", "sites2/新.toml"),
            ("template", "空表.xlsx"),
            ("validate", workbook, "--out", "有错.xlsx"),
            ("add", "-", "-t", "worker_enter", "--dry-run", "<", _line(strange)),
            ("add", workbook, "--out", "有错.xlsx"),
            ("add", workbook),
            ("send",),
            ("status",),
            ("status", "--state", "accepted"),
            ("errors", "--out", "退回.xlsx"),
            ("reconcile", workbook, "--out", "缺.xlsx"),
            ("daily", "--out", "日报.xlsx"),
            ("watch", "上报", "--once"),
            ("purge",),
            ("look", "gate.dktype"),
            ("token",),
        ]
        found = _on_windows(tmp_path, commands)
        statuses = {(one[0], said[0]) for one, said in zip(commands, found, strict=True)}
        assert [said for said in found if "Traceback" in said[2]] == []
        assert {name for name, status in statuses if status == 2} <= {"watch"} and "张𠮷" in found[3][1]
        assert len(platform.taken("gate")) > 0
    filed = sorted(one.name[16:] for place in ("待传", "有错", "已传") for one in (tmp_path / "上报" / place).iterdir())
    assert filed == sorted(["扬尘噪声数据接入.jsonl", "扬尘噪声数据接入.xlsx", "看不懂.csv", "看不懂.csv.txt", *_of(workbook)])
    assert [one.name for one in tmp_path.rglob("*") if one.name.endswith(".part")] == []


def _of(workbook):
    """Return what a watched folder makes of a workbook with errors."""
    return [workbook.name, f"{workbook.stem}.xlsx"]
