"""The bench's face: a live screen for a terminal window, plain lines for anything else, and the keys.

It owns the terminal window while it runs and gives it back as it was. What is shown comes from the platform;
the world around may add keys, rows of its own, and what was spoken.
"""

import asyncio
import contextlib
import os
import sys
import time
from collections import deque
from typing import Callable, NamedTuple

from rich.console import Console, Group
from rich.layout import Layout
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from .eligibility import check_certificate
from .wording import both, describe, place, signal

with contextlib.suppress(ImportError):  # not on Windows, where the screen is without keys
    import termios
    import tty

_FRAME_S = 0.2
_TOP, _MIDDLE = 14, 9  # lines
_COLOURS = {"LOCKED": "yellow", "AUTHORISED": "green", "EMERGENCY": "red", "HANDOVER": "magenta"}
_LEVELS = {0: Text("断电 UNPOWERED", "bold white on red"), 1: Text("通电 POWERED", "bold black on green")}


class Key(NamedTuple):
    """One key: the letter, what it does in both languages, and the coroutine function to call."""

    letter: str
    zh: str
    en: str
    action: Callable


class Screen:
    """Shows one device. `keys`: Key list ("q" ends, always). `rows`: called for more (label, value) rows of
    the world.

    `say(text)` and `spoken(text)` add a line of news and a voice prompt.
    """

    def __init__(self, platform, device_id, keys=(), rows=None, console=None):
        self.platform, self.device_id = platform, device_id
        self.console = console or Console()
        self.news, self.voice = deque(maxlen=6), deque(maxlen=6)
        self._keys = {key.letter: key for key in keys}
        self._rows = rows or list
        self._ended = asyncio.Event()
        self._tasks = set()
        self._printed = 0

    # ---- what others tell it

    def say(self, text):
        """A line of news: what a key did, what was refused."""
        self.news.append(f"{_clock(self.platform.clock_ms())} {text}")
        if not self.console.is_terminal:
            self.console.print(f"{_clock(self.platform.clock_ms())} * {text}", markup=False, highlight=False)

    def spoken(self, text):
        """The terminal said something aloud."""
        self.voice.append(f"{_clock(self.platform.clock_ms())} {text}")
        if not self.console.is_terminal:
            self.console.print(f"{_clock(self.platform.clock_ms())} 🔊 {text}", markup=False, highlight=False)

    def end(self):
        """Ends `run`."""
        self._ended.set()

    # ---- running

    async def run(self):
        """Shows and listens until "q", `end()` or cancellation."""
        keyboard = Keyboard(self._pressed) if Keyboard.exists() else None
        try:
            if keyboard:
                keyboard.start()
            await (self._live() if self.console.is_terminal else self._lines())
        finally:
            if keyboard:
                keyboard.stop()
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _live(self):
        with Live(self.render(), console=self.console, screen=True, auto_refresh=False) as live:
            while not self._ended.is_set():
                live.update(self.render(), refresh=True)
                try:
                    await asyncio.wait_for(self._ended.wait(), _FRAME_S)
                except asyncio.TimeoutError:
                    continue

    async def _lines(self):
        self.platform.watchers.append(self._print_new)
        try:
            self._print_new()
            await self._ended.wait()
        finally:
            self.platform.watchers.remove(self._print_new)

    def _print_new(self):
        while self._printed < self.platform.seen_count:
            index = self._printed - self.platform.seen_count
            self._printed += 1
            if -index <= len(self.platform.messages):
                self.console.print(_line(self.platform.messages[index]), markup=False, highlight=False)

    def _pressed(self, letter):
        if letter in ("q", "\x03", "\x04"):
            self.end()
        elif letter in self._keys:
            task = asyncio.create_task(self._act(self._keys[letter]))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _act(self, key):
        try:
            told = await key.action()
        except Exception as error:  # a key that fails is news, not the end of the bench
            told = repr(error)
        self.say(f"{key.zh} {key.en}: {told}" if told else f"{key.zh} {key.en}")

    # ---- drawing

    def render(self):
        """The whole screen as a rich renderable."""
        keys = self._help()
        lines = 1 + keys.cell_len // max(1, self.console.size.width - 6)
        layout = Layout()
        layout.split_column(Layout(name="top", size=_TOP), Layout(name="middle", size=_MIDDLE),
                            Layout(name="messages"), Layout(name="keys", size=lines + 2))
        layout["top"].split_row(Layout(self._status(), ratio=3), Layout(self._voice(), ratio=2))
        layout["middle"].split_row(Layout(self._jobs(), ratio=3), Layout(self._news(), ratio=2))
        layout["messages"].update(self._messages(self.console.size.height - _TOP - _MIDDLE - lines - 4))
        layout["keys"].update(Panel(keys))
        return layout

    def _status(self):
        view = self.platform.devices.get(self.device_id)
        facts = view.facts if view else {}
        table = Table.grid(padding=(0, 2))
        rows = [
            ("继电器 relay", _LEVELS.get(facts.get("relay"), "—")),
            ("状态 state", Text(both(facts.get("state")), _COLOURS.get(facts.get("state"), ""))),
            ("原因 reason", _reason(facts)),
            ("链路 link", "在线 online" if view and view.online else "离线 offline"),
            ("信号 signal", signal(facts.get("rsrp"))),
            ("位置 position", place(view.position if view else None)),
            ("焊接 welding", {True: "是 yes", False: "否 no"}.get(facts.get("welding"), "未知 unknown")),
            ("报警 alarms", Text(", ".join(view.alarms), "red") if view and view.alarms else "—"),
            *self._rows(),
        ]
        for label, value in rows:
            table.add_row(Text(label, "cyan"), value)
        return Panel(table, title=f"终端 terminal {self.device_id}")

    def _voice(self):
        return Panel(Text("\n".join(self.voice)), title="语音 voice")

    def _news(self):
        return Panel(Text("\n".join(self.news)), title="事件 news")

    def _jobs(self):
        table = Table.grid(padding=(0, 1))
        jobs = [job for job in self.platform.rules.jobs.values() if job.device == self.device_id]
        for job in jobs[-6:]:
            end = both(job.off.cause) if job.off and job.off.cause else ""
            why = f"{job.refusal.zh} {job.refusal.en}" if job.refusal else end
            table.add_row(job.job, job.welder.ref if job.welder else "—", Text(both(job.state), "bold"), why)
        return Panel(table, title="作业 jobs")

    def _messages(self, room):
        lines = [Text(_line(seen), "dim" if seen.direction == "up" else "bold", no_wrap=True,
                      overflow="ellipsis") for seen in list(self.platform.messages)[-max(1, room):]]
        return Panel(Group(*lines), title="报文 messages")

    def _help(self):
        text = Text()
        for key in [Key("q", "退出", "quit", None), *self._keys.values()]:
            text.append(f" {key.letter} ", "reverse")
            text.append(f" {key.zh} {key.en}  ")
        return text


class Keyboard:
    """Single key presses from standard input, without echo. `pressed(letter)` is called in the loop."""

    def __init__(self, pressed):
        self._pressed = pressed
        self._saved = None

    @staticmethod
    def exists():
        """True where single keys can be read."""
        return "termios" in globals() and sys.stdin.isatty()

    def start(self):
        """Takes the keyboard."""
        fd = sys.stdin.fileno()
        self._saved = termios.tcgetattr(fd)
        tty.setcbreak(fd)
        asyncio.get_running_loop().add_reader(fd, self._readable)

    def stop(self):
        """Gives it back as it was."""
        if self._saved is not None:
            asyncio.get_running_loop().remove_reader(sys.stdin.fileno())
            termios.tcsetattr(sys.stdin.fileno(), termios.TCSADRAIN, self._saved)
            self._saved = None

    def _readable(self):
        for letter in os.read(sys.stdin.fileno(), 64).decode(errors="ignore"):
            self._pressed(letter)


def people_keys(platform, device_id):
    """The keys of the people at the site: scan in as a good or an expired welder, confirm, finish, and the
    office's out of service. Who they are is looked up in the store each time."""
    return [
        Key("g", "持证焊工扫码", "good welder scans", lambda: _scan(platform, device_id, "valid")),
        Key("e", "过期焊工扫码", "expired welder", lambda: _scan(platform, device_id, "certificate_expired")),
        Key("c", "监护人确认", "guardian confirms", lambda: _confirm(platform, device_id)),
        Key("f", "结束作业", "finish", lambda: _finish(platform, device_id)),
        Key("o", "停用/恢复", "out of service", lambda: _out_of_service(platform, device_id)),
    ]


async def _scan(platform, device_id, verdict):
    device = platform.people.device(device_id)
    if device is None:
        return (await platform.scan(device_id, "nobody")).refusal.text()
    for welder in platform.people.all("welders"):
        if check_certificate(welder, device, platform.clock_ms())[0].verdict == verdict:
            return tell(await platform.scan(device_id, welder.ref))
    return f"登记里没有这样的焊工 no such welder on record ({verdict})"


async def _confirm(platform, device_id):
    job, guardians = platform.rules.open_job(device_id), platform.people.all("guardians")
    if job is None or not guardians:
        return "没有可确认的 nothing to confirm"
    return tell(await platform.confirm(job.job, guardians[0].ref))


async def _finish(platform, device_id):
    job = platform.rules.open_job(device_id)
    return tell(await platform.finish(job.job)) if job else "没有作业 no job"


async def _out_of_service(platform, device_id):
    device = platform.people.device(device_id)
    flag = bool(device and device.in_service)
    answer = await platform.out_of_service(device_id, flag)
    return f"{'停用 out' if flag else '恢复 back'}: {answer.code} {answer.message}"


def tell(outcome):
    """An outcome of the rules for people to read."""
    if outcome.refusal:
        return outcome.refusal.text()
    return f"{outcome.job.job} {both(outcome.job.state)}"


def _reason(facts):
    minutes = facts.get("minutes")
    wait = f" · {minutes} 分钟后应急 min to emergency" if isinstance(minutes, int) else ""
    return both(facts.get("reason")) + wait


def _line(seen):
    arrow = "↑" if seen.direction == "up" else "↓"
    return f"{_clock(seen.t_ms)} {arrow} {seen.device} {both(seen.name)}  {describe(seen.name, seen.body)}"


def _clock(t_ms):
    return time.strftime("%H:%M:%S", time.localtime(t_ms // 1000))
