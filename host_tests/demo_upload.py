"""A clerk's whole story, told step by step: `make demo-upload`.

A sample site from nothing: profile, key, template, a filled workbook with planted errors; checked, sent through faults,
one answer never heard, mended, corrected, accounted for. Each step is the real command as a process. The end is judged
from the ledger of the stand-in, another process, never from the uploader's own words: status 0 only when every row of
the site is there exactly once, but for what a stated rule explains. All files lie in a directory that is given or
temporary; times in the ledger are milliseconds since 1970, limits here are in seconds.
"""

import argparse
import contextlib
import datetime
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import httpx
from openpyxl import load_workbook
from rich.console import Console
from rich.table import Table

from host_tests import ledger_judge, pictures, sample_site
from host_tests.ledger_judge import KINDS

_COMMAND_S = 60  # no command of the story takes longer, even on a busy machine
_SECRETS = {"HANMA_USER": "admin", "HANMA_ACCESS_SECRET": "stand-in-secret"}  # what the stand-in takes by default
_WORKBOOK, _MARKED, _UNHEARD, _REPORT = "报送.xlsx", "有错.xlsx", "不明.xlsx", "日报.xlsx"
_PROFILE = "sites/demo.toml"
_FILLED_IN = {
    'platform = "shantou"\n': 'platform = "shantou"\nconsent = "stated"\n',
    "[values]\n": """[values]
project_code = "4405132026050001"
project_name = "汕头市示范住宅项目"
site_code = "440513202605000101"
site_name = "示范住宅一标段工地"
permit = "440513202605200101"

[devices.ZJ440513001]
placeid = "CS0001"
""",
    "# rate_per_s = 10\n": "rate_per_s = 200\n",
}
_MENDED = {  # what the clerk finds out: (sheet, row) → field and right value; the id comes from the person's card
    ("闸机数据接入", 17): ("temperature", "36.4"),
    ("闸机数据接入", 40): ("worktype", "040"),
}
_NO_ID = ("劳务人员进场信息", 3, "idcard")
_MISTYPED = ("闸机数据接入", 90, "temperature")
_FAULTS = [{"kind": "cut_after", "endpoint": "gate"}, {"kind": "http", "status": 503, "endpoint": "gate"}]
_TABLES = ("team", "worker_enter", "gate", "worker_out", "dust")


class Failed(Exception):
    """A step did not happen; the text says what was found instead."""


def demand(condition, otherwise):
    """Raise Failed with what was found instead."""
    if not condition:
        raise Failed(otherwise)


class StandIn:
    """The platform's stand-in as a process of its own; a context. ledger(): its entries, asked of it."""

    def __init__(self, directory):
        self._directory, self._process = directory, None
        self.url, self._control = "", ""

    def __enter__(self):
        words = [sys.executable, "-m", "hanma.cli", "mock", "shantou", "--decode-images", "--ledger", "平台台账.jsonl"]
        self._process = subprocess.Popen(words, cwd=self._directory, stdout=subprocess.PIPE, text=True, encoding="utf-8")
        try:
            told = json.loads(self._process.stdout.readline())
        except ValueError:
            self.__exit__()
            raise Failed("the stand-in did not start") from None
        self.url, self._control = told["url"], told["control"]
        return self

    def __exit__(self, *_):
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()

    def ledger(self):
        """Return the entries of the ledger."""
        return self._ask("GET", "/ledger")

    def order(self, faults):
        """Order faults."""
        self._ask("POST", "/faults", json=faults)

    def fired(self):
        """Return how often each ordered fault happened: kind → times."""
        return {one["kind"]: one["fired"] for one in self._ask("GET", "/faults")}

    def _ask(self, method, path, **how):
        answer = httpx.request(method, self._control + path, trust_env=False, timeout=_COMMAND_S, **how)
        answer.raise_for_status()
        return answer.json()


class Clerk:
    """The clerk's room: a directory, its workbook, and the commands typed in it."""

    def __init__(self, directory, console):
        self.directory, self.console = directory, console
        wide = {"COLUMNS": str(min(console.width, 140) - 4)}
        self._environment = {**os.environ, **_SECRETS, **wide, "PYTHONUTF8": "1", "HANMA_LANG": "zh"}
        self._environment.pop("HANMA_SITE", None)

    def upload(self, *words, expect=0):
        """Run `hanma upload …`, show it with what it said, and return that. Failed when it ends with another status."""
        self.console.print(f"  $ hanma upload {' '.join(words)}", style="bold", markup=False, soft_wrap=True)
        done = subprocess.run(
            [sys.executable, "-m", "hanma.cli", "upload", *words],
            cwd=self.directory,
            env=self._environment,
            capture_output=True,
            encoding="utf-8",
            timeout=_COMMAND_S,
        )
        said = done.stdout + done.stderr
        for line in said.rstrip().splitlines():
            self.console.print(f"    {line}", style="dim", markup=False, soft_wrap=True)
        demand(done.returncode == expect, f"{words[0]}: status {done.returncode}, not {expect}")
        return said

    def type_in(self, sheets):
        """Fill the template's sheets, a value under each field's heading."""
        path = self.directory / _WORKBOOK
        book = load_workbook(path)
        for title, rows in sheets.items():
            for name, (column, head) in _headings(book[title]).items():
                for number, row in enumerate(rows, head + 1):
                    if row.get(name) is not None:
                        book[title].cell(number, column, row[name])
        book.save(path)

    def cells(self, name):
        """Return sheet → rows (lists of values) of a workbook."""
        book = load_workbook(self.directory / name)
        return {sheet.title: [list(row) for row in sheet.iter_rows(values_only=True)] for sheet in book}


def _headings(sheet):
    """Return field name → (its column, the headings' row): the note at each heading ends with the field's name."""
    found = {}
    for row in sheet.iter_rows(max_row=2):
        for cell in row:
            told = re.search(r"字段名 (\S+)$", cell.comment.text) if cell.comment else None
            if told:
                found[told[1]] = cell.column, cell.row
    return found


class Story:
    """The steps, in order. Each returns its evidence in one line, or raises Failed."""

    def __init__(self, clerk, stand_in, today, drawings=None):
        self.clerk, self.stand_in, self.drawings = clerk, stand_in, drawings
        self.people, self.week = sample_site.workers(), sample_site.days(today)
        self.sheets = sample_site.sheets(self.people, self.week)
        self.truth = self.sheets[_MISTYPED[0]][_MISTYPED[1]][_MISTYPED[2]]
        self.explained = {}

    # ---- the steps

    def profile(self):
        """新建工地配置和密钥，密钥另存一份 | a profile and a key; the key is copied away"""
        self.clerk.upload("init", "shantou", _PROFILE)
        path = self.clerk.directory / _PROFILE
        text = path.read_text("utf-8").replace('url = ""', f'url = "{self.stand_in.url}"')
        for blank, filled in _FILLED_IN.items():
            demand(blank in text, f"the profile has no {blank!r}")
            text = text.replace(blank, filled)
        path.write_text(text, "utf-8")
        key = self.clerk.directory / "sites" / "hanma.key"
        (self.clerk.directory / "密钥备份.key").write_bytes(key.read_bytes())
        return f"{_PROFILE}, {key.name} ({key.stat().st_size} B)"

    def token(self):
        """试一试用户名和密码 | are the credentials right?"""
        self.clerk.upload("token")
        asked = [one["endpoint"] for one in self.stand_in.ledger()]
        demand(asked == ["token", "check"], f"the stand-in was asked {asked}")
        return "平台台账 ledger: token, check"

    def template(self):
        """出空表，填好一周的资料 | the template, filled with a week"""
        wanted = [word for table in _TABLES for word in ("-t", table)]
        self.clerk.upload("template", _WORKBOOK, *wanted)
        if self.drawings:
            pictures.template(self.clerk.directory / _WORKBOOK, "闸机数据接入", self.drawings / "template.svg")
        self._mistype()
        self.clerk.type_in(self.sheets)
        sample_site.draw_faces(self.clerk.directory / "sites" / "照片", self.people)
        return f"{sum(map(len, self.sheets.values()))} 行 rows, {3 * len(self.people)} 张照片 photos"

    def _mistype(self):
        sheet, row, name = _MISTYPED
        self.sheets[sheet][row][name] = f"{float(self.truth) - 0.9:.1f}"

    def validate(self):
        """只检查：埋下的错都要查出来 | check only: the planted errors show"""
        self.clerk.upload("validate", _WORKBOOK, "--out", _MARKED, expect=1)
        listed = [row for row in self.clerk.cells(_MARKED)["问题"][1:] if row[4] == "错误"]
        found = {(row[1], row[3]) for row in listed}
        for sheet, words in (("劳务人员进场信息", "身份证号"), ("闸机数据接入", "温度"), ("闸机数据接入", "工种")):
            demand(any(one == sheet and words in str(column) for one, column in found), f"{sheet} {words} is not among {found}")
        demand(not self._taken(), "something was sent")
        if self.drawings:
            pictures.errors(self.clerk.directory / _MARKED, self.drawings / "errors.svg")
        return f"{_MARKED}: 错误 {len(listed)}；平台什么也没收到 nothing was sent"

    def add(self):
        """放入待发：没错的先走 | add: what is sound goes in"""
        said = self.clerk.upload("add", _WORKBOOK, expect=1)
        rows = sum(map(len, self.sheets.values()))
        demand(f"新入 {rows - 3}，" in said, "not all sound rows went in")
        return f"{rows - 3} 条待发 queued, 3 条有错 in error"

    def send(self):
        """发出：一条收下后断线，一条遇到 503 | send: one cut after it was taken, one met by a 503"""
        self.stand_in.order(_FAULTS)
        said = self.clerk.upload("send", expect=3)
        demand("不明 1" in said, "not exactly one is uncertain")
        fired = self.stand_in.fired()
        demand(fired == {"cut_after": 1, "http": 1}, f"the faults that happened: {fired}")
        return f"平台收了 {len(self._taken())} 条 taken; 断线 cut 1, 503 1；不明 uncertain 1"

    def decide(self):
        """不明的一条：到平台查，再定 | the uncertain one: looked up, then decided"""
        said = self.clerk.upload("errors", "--out", _UNHEARD, expect=1)
        number = re.search(r"│ (\d+) +│", said)[1]
        sheet, *rows = next((title, *rows) for title, rows in self.clerk.cells(_UNHEARD).items() if title.startswith("闸机"))
        row = dict(zip(rows[0], rows[1], strict=True))
        ids, times = row["人员身份证号"], row["打卡时间"]
        there = [one for one in self._taken() if (one["body"].get("ryno"), one["body"].get("dktime")) == (ids, times)]
        demand(len(there) == 1, f"the ledger has it {len(there)} times ({sheet})")
        self.clerk.upload("decide", number, "accepted", "--why", "平台上查到")
        return f"台账第 {there[0]['seq']} 条就是它 the ledger's entry {there[0]['seq']}: accepted, not sent again"

    def mend(self):
        """改好三处错，再放入、发出 | the three errors mended, added, sent"""
        sheet, row, name = _NO_ID
        self.sheets[sheet][row][name] = self.people[row].id
        for (where, number), (field, value) in _MENDED.items():
            self.sheets[where][number][field] = value
        self.clerk.type_in(self.sheets)
        said = self.clerk.upload("add", _WORKBOOK)
        demand("新入 3，" in said, "the rows already put in were not known")
        self.clerk.upload("send")
        rows = sum(map(len, self.sheets.values()))
        demand(len(self._taken()) == rows, f"the ledger has {len(self._taken())} of {rows}")
        return f"平台收了 {rows} 条，工地有 {rows} 行 taken {rows} of {rows}"

    def correct(self):
        """体温填错了：更正先挂起，确认才发 | a temperature typed wrong: held, confirmed, sent"""
        sheet, row, name = _MISTYPED
        key, before = ledger_judge.record_of("gate", self.sheets[sheet][row])
        self.sheets[sheet][row][name] = self.truth
        self.clerk.type_in(self.sheets)
        said = self.clerk.upload("add", _WORKBOOK, expect=3)
        number = re.search(r"编号 (\d+)", said)[1]
        self.clerk.upload("confirm", expect=3)
        sent = len(self._taken())
        self.clerk.upload("confirm", number)
        self.clerk.upload("send")
        demand(len(self._taken()) == sent + 1, "the correction did not go out once")
        self.explained[key] = [before]
        return f"{before[name]} → {self.truth}, 一次 once"

    def daily(self):
        """日报 | the day's report"""
        self.clerk.upload("daily", "--day", str(self.week[-1]), "--out", _REPORT)
        if self.drawings:
            pictures.report(self.clerk.directory / _REPORT, self.drawings / "daily.svg")
        sheets = self.clerk.cells(_REPORT)
        came, inside = len(sheets["到场"]) - 1, len(sheets["有进无出"]) - 1
        demand((came, inside) == (len(self.people), 1), f"came {came}, in without out {inside}")
        return f"到场 came {came}；有进无出 in without out {inside}"

    def reconcile(self):
        """对账 | reconcile"""
        self.clerk.upload("reconcile", _WORKBOOK)
        counts = json.loads(self.clerk.upload("status", "--json"))
        left = {state: number for state, number in counts.items() if number and state != "accepted"}
        demand(not left, f"left: {left}")
        return f"accepted {counts['accepted']}"

    def judged(self):
        """按平台台账判定，不听工具自己的话 | judged from the platform's ledger alone"""
        verdict = ledger_judge.judge(self.sheets, self.stand_in.ledger(), self.explained)
        self.clerk.console.print(_account(verdict))
        demand(not verdict.findings, "; ".join(verdict.findings[:5]))
        return "每一行恰好一次；另有一次是确认过的更正 every row once, beside one confirmed correction"

    def _taken(self):
        return [one for one in self.stand_in.ledger() if one["taken"] and one["endpoint"] in KINDS]

    STEPS = (profile, token, template, validate, add, send, decide, mend, correct, daily, reconcile, judged)


def _account(verdict):
    """Return the account of the end as a table."""
    title = "平台台账 the platform's ledger"
    table = Table("表 table", "工地 rows", "平台 taken", "更正 corrections", title=title, title_justify="left")
    for endpoint, one in verdict.counts.items():
        title = KINDS[endpoint].sheet if endpoint in KINDS else endpoint
        table.add_row(f"{title} {endpoint}", str(one.rows), str(one.taken), str(one.explained))
    return table


def play(story, console):
    """Play the steps until one fails; return how many happened."""
    for number, step in enumerate(story.STEPS, 1):
        zh, en = (part.strip() for part in step.__doc__.split("|"))
        console.print(f"\n[{number}/{len(story.STEPS)}] {zh} · {en}", style="bold cyan", markup=False, highlight=False)
        try:
            told = step(story)
        except (Failed, subprocess.TimeoutExpired) as error:
            console.print(f"  ✗ {error}", style="red", markup=False, highlight=False)
            return number - 1
        console.print(f"  ✓ {told}", style="green", markup=False, highlight=False)
    return len(story.STEPS)


def run(directory, console, today, drawings=None):
    """Tell the story in a directory; return 0 when every step happened, else 1. drawings: where the chapter's pictures go."""
    start = time.monotonic()
    try:
        with StandIn(directory) as stand_in:
            console.print(f"平台替身 stand-in: {stand_in.url}（另一个进程 a process of its own）", highlight=False)
            happened = play(Story(Clerk(directory, console), stand_in, today, drawings), console)
    except Failed as error:
        console.print(f"✗ {error}", style="red", markup=False)
        return 1
    console.print(f"\n{happened}/{len(Story.STEPS)}, {time.monotonic() - start:.0f} s; {directory}", highlight=False)
    return 0 if happened == len(Story.STEPS) else 1


def main(words=None):
    """Read the command line and tell the story."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--directory", type=Path, help="keep the site here (empty or not there yet)")
    parser.add_argument("--pictures", type=Path, help="draw the chapter's pictures into this directory, of a week long past")
    options = parser.parse_args(words)
    today = datetime.datetime.now(sample_site.SHANGHAI).date()
    if options.pictures:
        options.pictures.mkdir(parents=True, exist_ok=True)
        today = pictures.DAY
    with contextlib.ExitStack() as stack:
        directory = options.directory or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="hanma-upload-")))
        directory.mkdir(parents=True, exist_ok=True)
        return run(directory.resolve(), Console(), today, options.pictures and options.pictures.resolve())


if __name__ == "__main__":
    sys.exit(main())
