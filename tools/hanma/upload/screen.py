"""What a clerk sees: results, problems, states and reports as tables, in Chinese or English. Nothing here decides anything."""

from contextlib import contextmanager
from datetime import datetime, timedelta, timezone

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from .desk import severity

_SHANGHAI = timezone(timedelta(hours=8))
_MOST_SHOWN = 50
_MOST_LINES = 1000
KINDS = {
    "face": ("照片", "photos"),
    "health": ("健康", "health"),
    "bank": ("银行", "bank"),
    "phone": ("电话", "phones"),
    "place": ("住址", "addresses"),
    "name": ("姓名", "names"),
    "id": ("证件号", "ids"),
}
STATES = {
    "queued": ("待发", "queued"),
    "sending": ("发送中", "sending"),
    "accepted": ("平台已收", "accepted"),
    "refused": ("平台退回", "refused"),
    "uncertain": ("不明（没听到回答）", "uncertain"),
    "waiting": ("等待前一条", "waiting"),
    "held": ("更正待确认", "held"),
    "possible_duplicates": ("可能重复发送（次）", "possible duplicates"),
    "unknown": ("没有报过", "never put in"),
}
_COLOURS = {"error": "red", "warning": "yellow", "note": "dim"}


def plain_console(**how):
    """Return a Console that shows texts as they are: brackets and colons in a name or a message mean nothing."""
    return Console(highlight=False, markup=False, emoji=False, **how)


class Screen:
    """One command's words. lang: zh or en; out: a rich Console, or standard output."""

    def __init__(self, lang="zh", out=None):
        self.lang = lang
        self.out = out or plain_console()

    def say(self, zh, en):
        """Return the text of the clerk's language."""
        return zh if self.lang == "zh" else en

    def tell(self, zh, en, style=""):
        """Print a line."""
        self.out.print(self.say(zh, en), style=style, soft_wrap=True)

    def state(self, name):
        """Return a state's name in the clerk's language."""
        zh, en = STATES[name]
        return self.say(zh, en)

    def title(self, platform, key):
        """Return a table's title; the key in English, where the documents have no names."""
        return platform.tables[key].title if self.lang == "zh" and key in platform.tables else key

    def result(self, result, added):
        """Show what became of the rows of some files."""
        self.problems(result)
        line = [self.say(f"读了 {result.read} 行，可报 {result.sound}", f"{result.read} rows read, {result.sound} sound")]
        if added:
            line.append(self.say(f"新入 {result.new}，已有 {result.same}", f"{result.new} new, {result.same} there already"))
        if result.held:
            ids = " ".join(map(str, result.held[:20]))
            line.append(self.say(f"更正待确认 {len(result.held)}（编号 {ids}）", f"{len(result.held)} corrections held ({ids})"))
        if result.busy:
            line.append(self.say(f"正在发送、请稍后再放 {result.busy}", f"{result.busy} on their way: put them in again later"))
        if result.errors:
            line.append(self.say(f"有错 {result.errors}", f"{result.errors} in error"))
        if result.notes:
            line.append(self.say(f"自动整理 {result.notes} 处", f"{result.notes} values tidied"))
        self.out.print("；".join(line) if self.lang == "zh" else "; ".join(line), style="" if result.fine else "red")

    def problems(self, result):
        """Show every problem, the same one of several rows once; the first fifty on screen."""
        found = list(result.problems) + [one for _, record in result.faulty for one in record.problems]
        found = [one for one in found if severity(one) != "note"]
        if not found:
            return
        table = Table(title=self.say("问题", "problems"), title_justify="left")
        for heading in (("文件", "file"), ("行", "row"), ("列", "column"), ("问题", "problem"), ("怎么办", "what to do")):
            table.add_column(self.say(*heading), overflow="fold")
        alike = {}
        for one in found:
            place = one.place
            key = (place.file, place.sheet, place.column, one.text(self.lang), one.remedy(self.lang), severity(one))
            alike.setdefault(key, []).append(place.row)
        for (file, sheet, column, text, remedy, gravity), rows in list(alike.items())[:_MOST_SHOWN]:
            table.add_row(f"{file} {sheet}".strip(), ranges(rows), column, text, remedy, style=_COLOURS[gravity])
        self.out.print(table)
        more = len(alike) - _MOST_SHOWN
        if more > 0:
            self.tell(f"还有 {more} 条：加 --out 有错.xlsx 看全部", f"{more} more: see all with --out errors.xlsx", "dim")

    def counts(self, counts, until_ms=None):
        """Show how many records stand in each state. until_ms: when the last lease of what is being sent ends."""
        table = Table(show_header=False)
        for name, number in counts.items():
            colour = {"refused": "red", "uncertain": "yellow", "held": "yellow", "accepted": "green"}.get(name, "")
            table.add_row(self.state(name), str(number), style=colour if number else "dim")
        self.out.print(table)
        if until_ms:
            self.tell(*_elsewhere(counts["sending"], until_ms), "yellow")

    def lines(self, platform, lines):
        """Show records of the outbox."""
        table = Table()
        for heading in (("编号", "id"), ("表", "table"), ("记录", "record"), ("状态", "state"), ("说明", "why"), ("时间", "since")):
            table.add_column(self.say(*heading), overflow="fold")
        lines = list(lines)
        for one in lines[:_MOST_LINES]:
            why = self._why(platform, one)
            table.add_row(
                str(one.id), self.title(platform, one.table), one.label, self.state(one.state), why, clock(one.changed_ms)
            )
        self.out.print(table)
        if len(lines) > _MOST_LINES:
            more = len(lines) - _MOST_LINES
            self.tell(f"还有 {more} 条", f"{more} more", "dim")

    def _why(self, platform, line):
        told = " ".join(part for part in (line.code, line.message) if part)
        waits = [
            f"{self.title(platform, table)} {label}：{self.state(state or 'unknown')}" for table, label, state in line.waits_for
        ]
        if line.lease_ms:
            told = self.say("另一次运行在发，到 ", "being sent by another run, until ") + clock(line.lease_ms)
        if waits:
            told = self.say("等 ", "waits for ") + "；".join(waits)
        if line.duplicates:
            told += self.say(f"（可能重复 {line.duplicates} 次）", f" (possibly sent {line.duplicates} times too often)")
        return told

    def summary(self, summary):
        """Show what a run of sending did."""
        parts = [
            ("平台已收", "accepted", summary.accepted),
            ("退回", "refused", summary.refused),
            ("不明", "uncertain", summary.uncertain),
            ("重发", "sent again", summary.resent),
            ("等待", "waiting", summary.waiting),
            ("未发", "left", summary.left - summary.elsewhere),
        ]
        shown = [f"{self.say(zh, en)} {number}" for zh, en, number in parts if number or en == "accepted"]
        self.out.print("，".join(shown) if self.lang == "zh" else ", ".join(shown))
        if summary.elsewhere:
            self.tell(*_elsewhere(summary.elsewhere, summary.until_ms), "yellow")
        if summary.stopped:
            self.tell(f"提前停止：{summary.stopped}", f"ended early: {summary.stopped}", "yellow")
            if summary.wrong:
                self.tell("请核对 [credentials] 指的内容和 [server] url", "check [credentials] and [server] url", "red")
            else:
                self.tell("没发的都还在，请稍后再 send", "nothing is lost: send again later")
        for table, words in summary.barred.items():
            self.tell(f"{table}：没有权限（{words}）", f"{table}: not permitted ({words})", "red")

    def adopted(self, became):
        """Show what became of records that were adopted."""
        taken, busy = became["taken"], became["busy"]
        told = [self.say(f"认领 {became['new'] + taken} 条", f"{became['new'] + taken} adopted")]
        if taken:
            told.append(self.say(f"其中 {taken} 条原在待发，不再发送", f"{taken} of them were on hand and will not be sent"))
        if busy:
            told.append(self.say(f"正在发送、请稍后再认领 {busy} 条", f"{busy} are on their way: adopt them again later"))
        self.out.print(self.say("；", "; ").join(told), style="yellow" if busy else "", soft_wrap=True)

    def history(self, moments):
        """Show the life of one record."""
        table = Table()
        for heading in (("时间", "time"), ("状态", "state"), ("次", "attempt"), ("批次", "batch"), ("说明", "what was said")):
            table.add_column(self.say(*heading), overflow="fold")
        for one in moments:
            said = f"{one.code} {one.message}".strip()
            table.add_row(clock(one.at_ms), self.state(one.state), str(one.attempt or ""), one.batch_no, said)
        self.out.print(table)

    @contextmanager
    def progress(self, zh, en, total=None):
        """Show a bar while something long runs; give a function (done, total=None) that moves it. Silent where nobody looks."""
        columns = [SpinnerColumn(), TextColumn(self.say(zh, en)), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()]
        with Progress(*columns, console=self.out, transient=True, disable=not self.out.is_terminal) as bar:
            task = bar.add_task("", total=total)
            yield lambda done, total=None: bar.update(task, completed=done, **({"total": total} if total else {}))


def _elsewhere(number, until_ms):
    """Return what is said of records under another run's lease, in both languages."""
    return (
        f"另一次运行在发 {number} 条，到 {clock(until_ms)}；那次运行若已中断，到时由下一次 send 按规则接着办",
        f"{number} being sent by another run, until {clock(until_ms)}; if that run broke off, the next send after that "
        "goes on by their rules",
    )


def ranges(rows):
    """Return row numbers as text: 2–5, 9; empty for none."""
    runs = []
    for row in sorted({one for one in rows if one}):
        if runs and row == runs[-1][1] + 1:
            runs[-1][1] = row
        else:
            runs.append([row, row])
    return ", ".join(str(first) if first == last else f"{first}–{last}" for first, last in runs)


def clock(at_ms):
    """Return a time in milliseconds since 1970 as local text; empty for none."""
    return datetime.fromtimestamp(at_ms / 1000, _SHANGHAI).strftime("%Y-%m-%d %H:%M:%S") if at_ms else ""
