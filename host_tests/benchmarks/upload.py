"""`make benchmark-upload`: how fast the uploader checks and sends, beside a bare loop of httpx; a table, then one line of JSON.

The stand-in of Shantou's platform runs in a process of its own, the uploader in a second, the bare loop in a third; what is
timed runs alone. See --help for what each figure is.
"""

import argparse
import asyncio
import contextlib
import hashlib
import json
import multiprocessing
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import httpx

from hanma.mock.shantou_options import Options
from hanma.upload import catalogue
from hanma.upload import site as sites
from hanma.upload.desk import Desk
from host_tests import sample_site
from host_tests.benchmarks import figures, upload_site

_CONCURRENCY = 8
_MOST_MIB = 300
_LEAST_RATIO = 0.5
# name -> (aim, what it is)
FIGURES = {
    "rows": (None, "attendance rows checked, each with a photo file of its own that is opened and decoded"),
    "validate_per_s": (None, "rows a second through Desk.validate, from a CSV: read, checked, photo prepared, nothing kept"),
    "validate_mib": (_MOST_MIB, "peak memory of the uploading process after that"),
    "records": (None, "attendance records sent, photos of 60 to 150 KB"),
    "add_per_s": (None, "records a second into the outbox, from CSV: checked, photo prepared, sealed, on the disk"),
    "upload_per_s": (None, "records a second out of the filled outbox, first claim to last answer written down; concurrency 8"),
    "bare_per_s": (None, "the same bodies, ready in memory, in a loop of httpx at the same concurrency; half before, half after"),
    "upload_ratio": (figures.Least(_LEAST_RATIO), "upload_per_s by bare_per_s"),
    "fsync_ms": (None, "time of an fsync after 4 KB on the disk the outbox lies on, median"),
    "peak_mib": (_MOST_MIB, "peak memory of the uploading process: checking, adding, sending"),
}


# The uploading process


def validate(files):
    """Check every row; return (seconds, peak in MiB)."""
    with Desk(files.profile) as desk:
        began = time.perf_counter()
        result = desk.validate([files.rows], "gate")
        took_s = time.perf_counter() - began
    assert result.fine and result.read == result.sound and not result.faulty, result.problems or result.faulty[:1]
    return took_s, _peak_mib()


def enter(files):
    """Send the team and its people: what attendance rests on."""
    crowd = upload_site.people()
    day = upload_site.FIRST_DAY
    with Desk(files.profile) as desk:
        desk.add_rows("team", [sample_site.team(crowd[0])])
        desk.add_rows("worker_enter", [sample_site.entry(one, day, leader=one is crowd[0]) for one in crowd])
        summary = desk.send()
    assert (summary.accepted, summary.left, summary.stopped) == (len(crowd) + 1, 0, ""), summary
    return summary.accepted


def add(files):
    """Put the records into the outbox; return seconds."""
    with Desk(files.profile) as desk:
        assert desk.has_store
        began = time.perf_counter()
        result = desk.add(files.records, "gate")
        took_s = time.perf_counter() - began
    assert result.fine and result.new == result.read, (result.problems, result.faulty[:1])
    return took_s


def send(files):
    """Send what the outbox holds; return (seconds, records, peak in MiB)."""
    with Desk(files.profile) as desk:
        waiting = desk.store.counts()["queued"]
        began = time.perf_counter()
        summary = desk.send()
        took_s = time.perf_counter() - began
    assert (summary.accepted, summary.left, summary.uncertain) == (waiting, 0, 0), summary
    return took_s, summary.accepted, _peak_mib()


def _peak_mib():
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(peak / (1 << 20 if sys.platform == "darwin" else 1 << 10), 1)


# The bare loop


def post_bare(files, records):
    """Post these files' bodies, some hundred at a time ready before the clock runs; return (seconds, bodies)."""
    took_s, number = 0.0, 0
    site = sites.load(files.profile)
    with Desk(site) as desk:
        for path in records:
            result = desk.validate([path], "gate", bodies=True)
            bodies = [one.encode() for one in result.bodies]
            took_s += asyncio.run(_post_all(site, bodies))
            number += len(bodies)
    return took_s, number


async def _post_all(site, bodies):
    path = catalogue.load("shantou").tables["gate"].path
    limits = httpx.Limits(max_connections=_CONCURRENCY, max_keepalive_connections=_CONCURRENCY)
    async with httpx.AsyncClient(base_url=site.server.url, trust_env=False, limits=limits, timeout=60) as client:
        asked = {"access_id": hashlib.md5(Options.user.encode()).hexdigest(), "access_secret": Options.secret}
        token = (await client.post("/api/openapi/getaccesstoken", json=asked)).json()["datacontext"]["accessToken"]
        url, left = path.format(accesstoken=token), iter(bodies)

        async def post():
            for body in left:
                answer = await client.post(url, content=body, headers={"Content-Type": "application/json; charset=utf-8"})
                assert answer.json()["errorcode"]["code"] == "0", answer.text

        began = time.perf_counter()
        await asyncio.gather(*(post() for _ in range(_CONCURRENCY)))
        return time.perf_counter() - began


# All of it


@contextlib.contextmanager
def _process():
    """Yield a function that runs another in a process of its own, the same one each time, and returns what it gives."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        yield lambda function, *args: pool.submit(function, *args).result()


@contextlib.contextmanager
def _stand_in():
    """Run the stand-in; yield its address."""
    command = [sys.executable, "-m", "hanma.mock", "shantou"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield json.loads(process.stdout.readline())["url"]
        finally:
            process.terminate()


def measure(directory, rows, records, told=print):
    """Return the figures of so many rows checked and so many records sent. AssertionError where something is lost."""
    os.environ |= {"HANMA_USER": Options.user, "HANMA_ACCESS_SECRET": Options.secret}
    with _stand_in() as url, _process() as uploader, _process() as bare:
        told("making the site")
        files = upload_site.make(directory, url, rows, records)
        entered = uploader(enter, files)
        told("checking")
        validate_s, validate_mib = uploader(validate, files)
        told("adding")
        add_s = uploader(add, files)
        half = len(files.records) // 2
        told("sending, bare and ours")
        first = bare(post_bare, files, files.records[:half])
        send_s, sent, peak_mib = uploader(send, files)
        second = bare(post_bare, files, files.records[half:])
        _account(url, entered, records)
    upload_per_s = sent / send_s
    bare_per_s = (first[1] + second[1]) / (first[0] + second[0])
    return {
        "rows": rows,
        "validate_per_s": round(rows / validate_s, 1),
        "validate_mib": validate_mib,
        "records": sent,
        "add_per_s": round(records / add_s, 1),
        "upload_per_s": round(upload_per_s, 1),
        "bare_per_s": round(bare_per_s, 1),
        "upload_ratio": round(upload_per_s / bare_per_s, 3),
        "fsync_ms": round(_fsync_ms(directory), 2),
        "peak_mib": peak_mib,
    }


def _account(url, entered, records):
    """See that the stand-in took every record twice with the same content: from the uploader and from the bare loop."""
    counts = httpx.get(f"{url}/_control/counts", trust_env=False, timeout=60).json()
    told = {name: counts[name] for name in ("taken", "refused", "repeated")}
    assert told == {"taken": entered + 2 * records, "refused": 0, "repeated": records}, told


def _fsync_ms(directory, times=50):
    took_s = []
    with open(directory / "fsync", "wb", buffering=0) as file:
        for _ in range(times):
            file.write(bytes(4096))
            began = time.perf_counter()
            os.fsync(file.fileno())
            took_s.append(time.perf_counter() - began)
    return 1000 * statistics.median(took_s)


def arguments(given=None):
    """Return the parsed command line."""
    meaning = "\n".join(f"  {name:15} {what}" for name, (_, what) in FIGURES.items())
    parser = argparse.ArgumentParser(
        prog="python -m host_tests.benchmarks.upload",
        description="Figures of the uploader: a table, then one line of JSON.",
        epilog=f"figures:\n{meaning}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--rows", type=int, default=100_000, help="rows to check")
    parser.add_argument("--records", type=int, default=5_000, help="records to send")
    parser.add_argument("--directory", type=Path, help="where to work, on the disk to be measured; else a temporary one")
    return parser.parse_args(given)


def main():
    """Measure and show."""
    asked = arguments()
    with tempfile.TemporaryDirectory(prefix="hanma-benchmark-", dir=asked.directory) as directory:
        told = lambda words: print(f"{words} …", file=sys.stderr, flush=True)  # noqa: E731 - a word to who waits
        found = measure(Path(directory), asked.rows, asked.records, told)
    figures.show(found, FIGURES, "hanma upload: benchmark")


if __name__ == "__main__":
    main()
