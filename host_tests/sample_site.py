"""A sample site from nothing: a team, ten workers with drawn faces, a week of attendance, dust, one exit.

Everybody in it is invented: the ids have right check digits (GB 11643) and belong to a region's code with no such person known.
`make(directory, url)` writes the profile, the pictures and the workbook that a clerk would fill in.
"""

import datetime
import random
from dataclasses import dataclass
from pathlib import Path

from openpyxl import Workbook
from PIL import Image, ImageDraw

SHANGHAI = datetime.timezone(datetime.timedelta(hours=8))
_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_CHECK = "10X98765432"
_SURNAMES = "赵钱孙李周吴郑王冯陈"
_SEED = 20261121
WORKERS = 10
DAYS = 7
PROFILE = """platform = "shantou"
consent = "stated"

[values]
project_code = "4405132026050001"
project_name = "汕头市示范住宅项目"
site_code = "440513202605000101"
site_name = "示范住宅一标段工地"
permit = "440513202605200101"

[devices.ZJ440513001]
placeid = "CS0001"

[server]
url = "{url}"
answer_s = 5
rate_per_s = 500
concurrency = 4

[credentials]
user = "env:HANMA_USER"
access_secret = "env:HANMA_ACCESS_SECRET"
"""


@dataclass(frozen=True)
class Worker:
    """One invented worker."""

    id: str
    name: str
    phone: str


def citizen_id(region, birth, order):
    """Return an 18-digit id with its check digit. region: 6 digits, birth: a date, order: 0 to 999."""
    body = f"{region}{birth:%Y%m%d}{order:03d}"
    return body + _CHECK[sum(int(digit) * weight for digit, weight in zip(body, _WEIGHTS, strict=True)) % 11]


def workers():
    """Return the ten workers, the first the team's leader."""
    born = datetime.date(1990, 1, 1)
    return [
        Worker(
            citizen_id("440500", born + datetime.timedelta(days=37 * one), 11 + 2 * one),
            _SURNAMES[one] + "某",
            f"1340000{one:04d}",
        )
        for one in range(WORKERS)
    ]


def face(path, seed, size=(480, 640)):
    """Draw a face that nobody has into a JPEG."""
    chance = random.Random(seed)
    image = Image.new("RGB", size, tuple(chance.randrange(150, 220) for _ in range(3)))
    draw = ImageDraw.Draw(image)
    wide, high = size
    skin = tuple(chance.randrange(low, high) for low, high in ((190, 250), (150, 210), (120, 180)))
    draw.ellipse((wide * 0.2, high * 0.15, wide * 0.8, high * 0.85), fill=skin)
    eye = chance.uniform(0.03, 0.06)
    for x in (0.38, 0.62):
        draw.ellipse((wide * (x - eye), high * 0.4, wide * (x + eye), high * (0.4 + eye)), fill=(30, 30, 30))
    smile = chance.uniform(0.05, 0.12)
    draw.arc((wide * 0.37, high * (0.6 - smile), wide * 0.63, high * (0.6 + smile)), 20, 160, fill=(150, 40, 40), width=6)
    draw.rectangle((wide * 0.18, high * 0.1, wide * 0.82, high * 0.22), fill=(240, 180, 0))  # the helmet
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path, quality=90)


def days(today):
    """Return the seven days before today, the oldest first."""
    return [today - datetime.timedelta(days=one) for one in range(DAYS, 0, -1)]


def make(directory, url, today=None):
    """Write sites/demo.toml, 照片/ and 报送.xlsx with its planted errors into a directory; return the workbook's path.

    The errors: an id cell that is a number, an attendance without its temperature, a work type that is in no dictionary.
    """
    today = today or datetime.datetime.now(SHANGHAI).date()
    directory = Path(directory)
    (directory / "sites").mkdir(parents=True, exist_ok=True)
    (directory / "sites" / "demo.toml").write_text(PROFILE.format(url=url), "utf-8")
    people = workers()
    draw_faces(directory / "sites" / "照片", people)
    book = Workbook()
    book.remove(book.active)
    for title, rows in sheets(people, days(today)).items():
        _write(book, title, rows)
    path = directory / "报送.xlsx"
    book.save(path)
    return path


def draw_faces(directory, people):
    """Draw each worker's face and both sides of the card into a directory, named as the uploader looks for them."""
    for number, one in enumerate(people):
        for side in ("", "_正面", "_反面"):
            face(Path(directory) / f"{one.id}{side}.jpg", number if not side else f"{number}{side}")


def _write(book, title, rows):
    sheet = book.create_sheet(title)
    headings = list(rows[0])
    sheet.append(headings)
    for number, row in enumerate(rows, 2):
        for column, heading in enumerate(headings, 1):
            sheet.cell(number, column, row[heading])


def sheets(people, week):
    """Return sheet → rows (field name → what the clerk typed), the planted errors in them."""
    return {
        "班组数据": [team(people[0])],
        "劳务人员进场信息": _entries(people, week[0]),
        "闸机数据接入": _attendance(people, week),
        "扬尘噪声数据接入": _dust(week),
        "劳务人员撤场数据": [_exit(people[-1], week[-1])],
    }


def _exit(worker, day):
    return {"name": worker.name, "idcardnum": worker.id, "outdate": str(day), "outevaluate": "良好"}


def team(leader):
    """Return the team's row: unit, name and leader."""
    return {
        "unitname": "汕头市示范劳务有限公司",
        "unitcode": "91440500MA0000015C",
        "teamname": f"{leader.name}混凝土班组",
        "teamcode": "BZ0001",
        "teamleader": leader.name,
        "phone": leader.phone,
        "IDCard": leader.id,
        "teamtype": "普通班组",
        "unittype": "劳务分包",
        "isRealTeam": "是",
        "teamWorkType": "1",
        "teamJobClass": "102",
    }


def entry(worker, day, leader=False):
    """Return the row of a worker's entry on that day; the pictures lie under the worker's id."""
    return {
        "labourername": worker.name,
        "idcard": worker.id,
        "enterdate": str(day),
        "constructionunitname": "汕头市示范劳务有限公司",
        "constructionunitcode": "91440500MA0000015C",
        "teamcode": "BZ0001",
        "nation": "汉族",
        "politiccountenance": "13",
        "qualifications": "02",
        "mobilenumber": worker.phone,
        "worktype": "040",
        "province": "广东省",
        "city": "汕头市",
        "county": "潮阳区",
        "homeadrress": "示范镇示范村一号",
        "presentaddress": "示范住宅一标段工地宿舍",
        "grtype": "20",
        "isteamleader": "是" if leader else "否",
    }


def passage(worker, at, direction, photo, temperature):
    """Return an attendance row: who went 进场 or 出场 when, the picture's file, and the temperature as text."""
    return {
        "ryno": worker.id,
        "name": worker.name,
        "rytype": "建筑工人",
        "dktime": at.strftime("%Y-%m-%d %H:%M:%S"),
        "dktype": direction,
        "deviceCode": "ZJ440513001",
        "photo": photo,
        "temperature": temperature,
        "attendtype": "001",
        "worktype": "040",
    }


def _entries(people, day):
    rows = [entry(one, day, leader=number == 0) for number, one in enumerate(people)]
    rows[3]["idcard"] = int(rows[3]["idcard"][:17] + "0")  # what Excel makes of a number typed in
    return rows


def _attendance(people, week):
    chance, rows = random.Random(_SEED), []
    for day in week:
        for one in people:
            for hour, direction in ((7, "进场"), (17, "出场")):
                at = datetime.datetime(day.year, day.month, day.day, hour, chance.randrange(60), chance.randrange(60))
                rows.append(passage(one, at, direction, f"{one.id}.jpg", f"{chance.uniform(36, 37):.1f}"))
    rows[17]["temperature"] = None
    rows[40]["worktype"] = "888"
    rows[-1]["dktype"] = "进场"  # went in on the last evening and was not seen to leave
    return rows


def _dust(week):
    chance = random.Random(_SEED)
    return [
        {
            "devicecode": "YC440513001",
            "pm25": f"{chance.uniform(10, 60):.2f}",
            "pm10": f"{chance.uniform(20, 90):.2f}",
            "noise": f"{chance.uniform(45, 70):.2f}",
            "jctime": f"{day} {hour:02d}:00:00",
        }
        for day in week
        for hour in (8, 12, 16)
    ]
