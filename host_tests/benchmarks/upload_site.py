"""The site of the uploader's benchmark: a crowd of invented people, photos of 60 to 150 KB, attendance rows in CSV files.

Every row names a photo file of its own. The files are links to a few pictures: what is opened, read and decoded is a whole
file each time, but the disk need not hold ten gigabytes, and they come out of its cache.
"""

import csv
import datetime
import os
import random
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from hanma.upload import privacy
from host_tests import sample_site

PEOPLE = 200
_PICTURES = 30
_LEAST_B, _MOST_B = 62_000, 149_000  # the whole text in base64 has to stay below the document's 200 000
_SEED = 20261121
FIRST_DAY = datetime.date(2026, 1, 5)
_CHUNK = 500


@dataclass(frozen=True)
class Files:
    """What was made: the profile, a CSV of rows to check, and CSVs of a few hundred records each to send."""

    profile: Path
    rows: Path
    records: tuple


def people():
    """Return the people, the first the team's leader."""
    born = datetime.date(1970, 1, 1)
    return [
        sample_site.Worker(
            sample_site.citizen_id("440500", born + datetime.timedelta(days=37 * one), 11 + one),
            "赵钱孙李周吴郑王冯陈"[one % 10] + "某",
            f"134000{one:05d}",
        )
        for one in range(PEOPLE)
    ]


def make(directory, url, rows, records):
    """Write the site into a directory: so many rows to check and others, so many, to send; return its Files."""
    profile = directory / "sites" / "benchmark.toml"
    photos = profile.parent / "照片"
    (photos / "考勤").mkdir(parents=True)
    text = sample_site.PROFILE.format(url=url).replace("rate_per_s = 500", "rate_per_s = 10000")
    profile.write_text(text.replace("concurrency = 4", "concurrency = 8").replace("answer_s = 5", "answer_s = 60"), "utf-8")
    privacy.new_key(profile.parent / "hanma.key")
    (directory / "pictures").mkdir()
    pictures = _pictures(directory / "pictures")
    for one in people():
        for side in ("", "_正面", "_反面"):
            os.link(pictures[0], photos / f"{one.id}{side}.jpg")
    made = _passages(rows + records, photos, pictures)
    checked = _write(directory / "闸机数据接入.csv", [next(made) for _ in range(rows)])
    sent = [_write(directory / f"闸机-{at}.csv", [next(made) for _ in range(min(_CHUNK, records - at))]) for at in _chunks(records)]
    return Files(profile, checked, tuple(sent))


def _chunks(records):
    return range(0, records, _CHUNK)


def _passages(number, photos, pictures):
    """Yield attendance rows in the order of their time, each with a photo file of its own."""
    chance, crowd = random.Random(_SEED), people()
    for at in range(number):
        turn, person = divmod(at, len(crowd))
        day, evening = divmod(turn, 2)
        moment = datetime.datetime.combine(FIRST_DAY, datetime.time(17 if evening else 7)) + datetime.timedelta(days=day % 300)
        moment += datetime.timedelta(seconds=3600 * (day // 300) + chance.randrange(3600))
        name = f"考勤/{at:06d}.jpg"
        os.link(chance.choice(pictures), photos / name)
        direction = "出场" if evening else "进场"
        yield sample_site.passage(crowd[person], moment, direction, name, f"{chance.uniform(36, 37):.1f}")


def _write(path, rows):
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]) if rows else ["ryno"])
        writer.writeheader()
        writer.writerows(rows)
    return path


def _pictures(directory):
    """Draw faces with a camera's noise, their sizes spread evenly from the least to the most."""
    made = []
    for number in range(_PICTURES):
        path = directory / f"{number}.jpg"
        sample_site.face(path, number, (960, 1280))
        with Image.open(path) as drawn:
            noisy = Image.blend(drawn.convert("RGB"), Image.effect_noise(drawn.size, 60).convert("RGB"), 0.08)
        _save(noisy, path, _LEAST_B + (_MOST_B - _LEAST_B) * number // _PICTURES)
        made.append(path)
    return made


def _save(image, path, wanted_b):
    """Save a picture as large as makes its file at most so many bytes."""
    low, high = 300, image.width
    while high - low > 12:
        width = (low + high) // 2
        image.resize((width, width * image.height // image.width)).save(path, quality=85)
        low, high = (width, high) if path.stat().st_size <= wanted_b else (low, width)
    image.resize((low, low * image.height // image.width)).save(path, quality=85)
