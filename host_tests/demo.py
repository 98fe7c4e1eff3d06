"""The whole story without a keyboard: `make run DEMO=1`.

It plays what people and the network do, and judges what followed from two logs only: the edges of the relay's
pin as the chip's stand-in wrote them, and the broker's own log. What the terminal says counts as a report
that arrived, never as proof that the relay moved. Ends with status 0 when every step happened, else 1. Times
in the logs are real milliseconds; waits are in seconds of the world, which runs faster.
"""

import asyncio
import json
import sys
import time
from typing import NamedTuple

from rich.console import Console
from rich.table import Table

from hanma.bench import sample
from hanma.bench.screen import tell
from host_tests.world import DEVICE, World, arguments, run

FACTOR = 12
UP = f"welder/{DEVICE}/up"
COMMANDS = f"welder/{DEVICE}/command/"
ANSWERS = f"welder/{DEVICE}/response/"
LOGIN, OFFLINE, HEARTBEAT, POSITION, ALARM = "00", "Z0", "FF", "EF", "E0"
_POLL_S = 0.05
_LEAST_WAIT_S = 30  # real seconds: a busy machine is no broken terminal
_SLACK_MS = 1  # two processes write the logs, each a little after what it saw


class Failed(Exception):
    """A step did not happen; the text says what was missing."""


class Message(NamedTuple):
    """One message as the broker saw it: `kind` is an actionCode, "order 0", "order 1", "answer" or "will"."""

    t_ms: float
    kind: str
    body: dict

    @property
    def content(self):
        """The content, {} where it is no object."""
        content = self.body.get("content")
        return content if isinstance(content, dict) else {}

    @property
    def event(self):
        """The switching it reports, or {}."""
        event = self.content.get("event")
        return event if isinstance(event, dict) else {}


def message_of(record):
    """The Message in a line of the broker's log, or None for what is no message of this terminal."""
    topic = record.get("topic", "")
    if record["event"] not in ("message", "will") or not topic.startswith(f"welder/{DEVICE}/"):
        return None
    try:
        body = json.loads(record.get("payload", ""))
    except ValueError:
        return None
    if not isinstance(body, dict):
        return None
    if record["event"] == "will":
        kind = "will"
    elif topic.startswith(COMMANDS):
        kind = f"order {body.get('actionCode')}"
    else:
        kind = "answer" if topic.startswith(ANSWERS) else str(body.get("actionCode"))
    return Message(record["t_ms"], kind, body)


class Evidence:
    """Both logs, read as they grow. `edges` and `messages` return lists of what came after a time (real
    ms)."""

    def __init__(self, relay, broker_log):
        self._relay, self._path = relay, broker_log
        self._at = 0
        self._messages = []

    def edges(self, after_ms=0):
        """Changes of the relay's pin [(t_ms, level)]; the level it begins with is no change."""
        edges = self._relay.edges()
        changes = [edge for before, edge in zip(edges, edges[1:], strict=False) if edge[1] != before[1]]
        return [edge for edge in changes if edge[0] > after_ms]

    def level(self):
        """The relay's level now."""
        return self._relay.level()

    def messages(self, kind=None, after_ms=0):
        """Messages of that kind, or all."""
        self._read()
        return [one for one in self._messages if one.t_ms > after_ms and kind in (None, one.kind)]

    def orders(self, after_ms=0):
        """Every order, on or off."""
        return [one for one in self.messages(after_ms=after_ms) if one.kind.startswith("order")]

    def _read(self):
        with self._path.open("rb") as file:
            file.seek(self._at)
            for line in file:
                if not line.endswith(b"\n"):
                    break
                self._at += len(line)
                message = message_of(json.loads(line))
                if message:
                    self._messages.append(message)


def now_ms():
    """Real time, as both logs have it."""
    return time.time_ns() / 1e6


class Story:
    """The steps, in order. Each returns its evidence in one line, or raises Failed."""

    def __init__(self, world, evidence):
        self.world, self.evidence = world, evidence
        self.job = None
        self.gone_ms = None
        self.emergency_ms = None

    # ---- waiting

    async def until(self, what, condition, world_s):
        """Waits for a true value of `condition()` and returns it; raises Failed("no " + what)."""
        limit_s = max(world_s / self.world.factor, _LEAST_WAIT_S)
        end = time.monotonic() + limit_s
        while not (value := condition()):
            if time.monotonic() > end or self.world.chip.failure:
                raise Failed(f"no {what} ({self.world.chip.failure or f'waited {limit_s:.0f} s'})")
            await asyncio.sleep(_POLL_S)
        return value

    async def message(self, kind, after_ms, world_s, test=lambda message: True, what=None):
        """Waits for the first message of a kind that passes the test."""
        return await self.until(
            what or kind, lambda: next(filter(test, self.evidence.messages(kind, after_ms)), None), world_s)

    async def edge(self, level, after_ms, world_s):
        """Waits for the relay's next change and demands that it is to that level; returns its time."""
        edges = await self.until("edge of the relay", lambda: self.evidence.edges(after_ms), world_s)
        t_ms, found = edges[0]
        demand(found == level, f"the relay went to {found}")
        return t_ms

    # ---- the steps

    async def login(self):
        """登录 | the terminal logs in"""
        message = await self.message(LOGIN, 0, 300)
        demand(self.evidence.level() == 0, f"the relay is at {self.evidence.level()}")
        return f"00 iccid {message.content.get('iccid')}, relay pin 0"

    async def position(self):
        """上报位置 | it reports where it is"""
        message = await self.message(POSITION, 0, 300, lambda one: "lng" in one.content, "coordinates")
        lat_e7, lng_e7 = (await self.world.modem.call("state"))["position_e7"]
        lng, lat = message.content["lng"], message.content["lat"]
        for said, true_e7 in ((lat, lat_e7), (lng, lng_e7)):
            demand(len(said.partition(".")[2]) == 7, f"{said} has not seven places")
            demand(abs(int(said.replace(".", "")) - true_e7) < 300_000, f"{said} is not near {true_e7}e-7")
        return f"EF {lng}, {lat} ({message.content.get('source')})"

    async def heartbeat(self):
        """心跳 | a heartbeat, locked"""
        message = await self.message(HEARTBEAT, 0, 300, lambda one: one.content.get("relay") == 0)
        return f"FF relay 0, state {message.content.get('state')}, reason {message.content.get('reason')}"

    async def refused_scan(self):
        """证件过期，扫码被拒 | an expired welder scans and is refused"""
        start_ms = now_ms()
        outcome = await self.world.platform.scan(DEVICE, sample.EXPIRED_WELDER)
        demand(outcome.refusal is not None, "the scan was not refused")
        await self.message(HEARTBEAT, start_ms, 300)
        self.nothing_moved(start_ms)
        return f"{outcome.refusal.text()}: no order, no edge"

    async def on(self):
        """持证扫码、监护人确认、开机 | a good welder, the guardian's word, switched on"""
        start_ms = now_ms()
        outcome = await self.world.platform.scan(DEVICE, sample.GOOD_WELDER)
        demand(outcome.refusal is None, tell(outcome))
        self.job = outcome.job.job
        await self.world.platform.confirm(self.job, sample.GUARDIAN)
        return await self.switched(1, start_ms)

    async def working(self):
        """焊接中的心跳 | it welds, and a heartbeat says so"""
        start_ms = now_ms()
        self.world.weld(True)
        await self.message(HEARTBEAT, start_ms, 300, lambda one: one.content.get("welding") is True)
        demand(self.evidence.level() == 1 and not self.evidence.edges(start_ms), "the relay moved")
        return "FF welding true, relay pin 1"

    async def outage_at_work(self):
        """焊接中断网，不断电 | the network goes while welding: the relay stays"""
        start_ms = now_ms()
        await self.world.network(False)
        await self.message("will", start_ms, 300)
        hold_s = self.world.settings["fail_open_after_s"] + 60
        await asyncio.sleep(max(0, hold_s / self.world.factor - (now_ms() - start_ms) / 1000))
        held_s = (now_ms() - start_ms) / 1000 * self.world.factor
        self.nothing_moved(start_ms)
        demand(not self.evidence.messages(HEARTBEAT, start_ms + 1000), "a heartbeat came through")
        back_ms = now_ms()
        await self.world.network(True)
        await self.message(LOGIN, back_ms, 900)
        self.nothing_moved(start_ms)
        return f"silent for {held_s:.0f} s of the world, relay pin 1 throughout, then 00 again"

    async def off(self):
        """收工关机 | the work is finished, switched off"""
        self.world.weld(False)
        start_ms = now_ms()
        await self.world.platform.finish(self.job)
        return await self.switched(0, start_ms)

    async def emergency(self):
        """锁定时断网，应急放行 | the network goes while locked: emergency after the wait"""
        self.gone_ms = now_ms()
        await self.world.network(False)
        wait_s = self.world.settings["fail_open_after_s"]
        self.emergency_ms = await self.edge(1, self.gone_ms, wait_s + 600)
        waited_s = (self.emergency_ms - self.gone_ms) / 1000 * self.world.factor
        demand(not self.evidence.orders(self.gone_ms), "there was an order")
        demand(waited_s >= wait_s, f"after {waited_s:.0f} s already")
        return f"relay pin 1 after {waited_s:.0f} s of the world (at least {wait_s}), without an order"

    async def reported(self):
        """网络恢复，补报应急 | the network is back: the emergency is reported"""
        back_ms = now_ms()
        await self.world.network(True)
        await self.message(LOGIN, back_ms, 900)
        event = (await self.report(back_ms, "cause", "emergency")).event
        alarm = await self.message(ALARM, back_ms, 300, _is_emergency, "alarm emergency")
        off_s = abs(event["time"] - self.world.unix_ms_at(self.emergency_ms)) / 1000
        demand(event.get("relay") == 1, "it does not say powered")
        demand(off_s < 10, f"the reported time is {off_s:.0f} s beside the edge")
        since = alarm.content.get("start")
        return f"00, FF emergency ({off_s:.1f} s beside the edge), E0 emergency since {since}"

    async def handed_over(self):
        """交接后锁定 | hand-over, then locked"""
        t_ms = await self.edge(0, self.emergency_ms, 900)
        demand(not self.evidence.orders(self.gone_ms), "there was an order")
        await self.message(HEARTBEAT, self.emergency_ms, 0,
                           lambda one: one.content.get("state") == "HANDOVER", "heartbeat in hand-over")
        event = (await self.report(t_ms - _SLACK_MS, "cause", "emergency_end")).event
        demand(event.get("relay") == 0, f"the report was {event}")
        await self.message(ALARM, t_ms - _SLACK_MS, 300,
                           lambda one: _is_emergency(one) and "end" in one.content, "end of the alarm")
        return "FF HANDOVER, relay pin 0 without an order, FF emergency_end, E0 emergency over"

    async def whole(self):
        """全程继电器只动四次 | in the whole story the relay moved four times"""
        levels = [level for _, level in self.evidence.edges()]
        demand(levels == [1, 0, 1, 0], f"it went {levels}")
        orders = [one.kind[-1] for one in self.evidence.orders()]
        demand(orders == ["1", "0"], f"the orders were {orders}")
        alarms = sorted({str(one.content.get("kind")) for one in self.evidence.messages(ALARM)})
        return f"on by order, off by order, on by outage, off by hand-over; alarms: {', '.join(alarms)}"

    # ---- what several steps demand

    async def switched(self, level, start_ms):
        """Order, edge, answer, report: each there, in this order."""
        order = await self.message(f"order {level}", start_ms, 60)
        edge_ms = await self.edge(level, start_ms, 60)
        answer = await self.message("answer", start_ms, 60)
        event = (await self.report(start_ms, "job", self.job)).event
        demand(answer.body.get("code") == 200, f"the answer was {answer.body}")
        demand(order.t_ms <= edge_ms + _SLACK_MS, "the relay moved before the order")
        demand(edge_ms <= answer.t_ms + _SLACK_MS, "the answer came before the relay moved")
        demand((event.get("relay"), event.get("cause")) == (level, "order"), f"the report was {event}")
        return (f"order {level}, relay pin {level} after {edge_ms - order.t_ms:.0f} ms, answer 200 after "
                f"{answer.t_ms - order.t_ms:.0f} ms, FF {event['cause']}")

    async def report(self, after_ms, name, value):
        """Waits for the report of a switching with that cause or job."""
        return await self.message(HEARTBEAT, after_ms, 300, lambda one: one.event.get(name) == value,
                                  f"report of the switching ({name} {value})")

    def nothing_moved(self, since_ms):
        """No order went out and the relay stood still."""
        demand(not self.evidence.orders(since_ms), "there was an order")
        demand(not self.evidence.edges(since_ms), "the relay moved")

    STEPS = (login, position, heartbeat, refused_scan, on, working, outage_at_work, off, emergency, reported,
             handed_over, whole)


def _is_emergency(alarm):
    return alarm.content.get("kind") == "emergency"


def demand(condition, otherwise):
    """Raises Failed with what was found instead."""
    if not condition:
        raise Failed(otherwise)


async def play(story, console):
    """Plays the steps until one fails. Returns [(zh, en, evidence or what was missing, True, False or
    None)]."""
    rows, failed = [], False
    for number, step in enumerate(story.STEPS, 1):
        zh, en = (part.strip() for part in step.__doc__.split("|"))
        if failed:
            rows.append((zh, en, "", None))
            continue
        console.print(f"[{number}/{len(story.STEPS)}] {zh} · {en}", markup=False, highlight=False)
        try:
            told, verdict = await step(story), True
        except Failed as error:
            told, verdict, failed = str(error), False, True
        console.print(f"      {'✓' if verdict else '✗'} {told}", markup=False, highlight=False)
        rows.append((zh, en, told, verdict))
    return rows


def table_of(rows):
    """The table of steps with their evidence."""
    title = "证据来自引脚日志和代理日志 · evidence from the pin log and the broker's log"
    table = Table("步骤 step", "证据 evidence", "", title=title)
    for zh, en, told, verdict in rows:
        mark = {True: "[green]✓[/green]", False: "[red]✗[/red]", None: "—"}[verdict]
        table.add_row(f"{zh}\n{en}", told.replace("[", r"\["), mark)
    return table


async def tell_story(options):
    """Runs the world and the story in it. Returns 0 when every step happened."""
    console = Console()
    world = World(options.directory, factor=options.factor, tls=options.tls, source=options.source,
                  family=options.family)
    start = time.monotonic()
    async with world:
        world.listen(lambda text: console.print(f"      🔊 {text}", markup=False, highlight=False))
        rows = await play(Story(world, Evidence(world.relay, world.broker_log)), console)
        if not all(verdict for *_, verdict in rows):
            last = world.chip.console_text().splitlines()[-15:]
            console.print("— the terminal's console, its last lines:", *last, sep="\n", markup=False)
    console.print(table_of(rows))
    happened = sum(verdict is True for *_, verdict in rows)
    took_s = time.monotonic() - start
    console.print(f"{happened}/{len(rows)}, {took_s:.0f} s, ×{options.factor}; {world.directory}")
    return 0 if happened == len(rows) else 1


if __name__ == "__main__":
    sys.exit(run(tell_story(arguments("The whole story of a terminal, played and judged.", FACTOR))))
