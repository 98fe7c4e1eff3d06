"""The script of a rough site, from a seed: working days, outages, power cuts, crashes, and a clock that jumps. Pure.

All times are milliseconds since the month began, at midnight of the site. A month is a list of lives (from one power-on to
the next power cut) with what happens in each. Entries are [ms, part, name, values…]; see `life.py` for the parts.
"""

import json
import random
from dataclasses import dataclass, field

SECOND = 1000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR
START_UNIX_MS = 1767225600000 + 8 * HOUR  # the first midnight, wherever the site is

_QUIET_END = 2 * HOUR  # the month's last hours are without faults: what waits has time to arrive
_LEAST_WELD = 15 * SECOND  # what a terminal with coarse timers cannot miss
_LONG_RUN_FROM = 16  # days; from here on no power cut, no crash: ticks wrap, and the heap has time to grow


@dataclass
class Life:
    """From a power-on to a power cut, with the error of the time the network tells in it."""

    start_ms: int
    end_ms: int
    clock_error_ms: int = 0
    calls: list = field(default_factory=list)


@dataclass
class Outage:
    """The link is impossible from start to end."""

    start_ms: int
    end_ms: int
    kind: str


# kind -> (what begins it, what ends it)
KINDS = {
    "dead_network": (["links", "set_alive", False], ["links", "set_alive", True]),
    "no_signal": (["radio", "set_signal", -130], ["radio", "set_signal", -85]),
    "no_registration": (["radio", "set_registration", 2], ["radio", "set_registration", 1]),
    "no_bearer": (["radio", "set_bearer", False], ["radio", "set_bearer", True]),
    "no_sim": (["radio", "set_sim", "absent"], ["radio", "set_sim", "ready"]),
    "no_platform": (["site", "broker_runs", False], ["site", "broker_runs", True]),
}


class Month:
    """The script: `lives`, `outages`, `orders` (id -> dict)."""

    def __init__(self, days, seed):
        self.days = days
        self.seed = seed
        self.end_ms = days * DAY
        self.outages = []
        self.orders = {}
        self.lives = []
        self._random = random.Random(seed)
        self._calls = []
        self._plan_power()
        self._plan_outages()
        for day in range(days):
            self._plan_day(day)
        self._plan_incidents()
        self._hand_out()

    def _between(self, low, high):
        return self._random.randint(int(low), int(high))

    def _chance(self, percent):
        return self._random.random() * 100 < percent

    # ---- power

    def _plan_power(self):
        """Cuts at night for hours, in the day for seconds; none in the long run at the end of a whole month."""
        cuts = []
        for day in range(self.days):
            if self.days > _LONG_RUN_FROM and day >= _LONG_RUN_FROM:
                break
            if self._chance(35) or day == 1:
                at = day * DAY + self._between(20 * HOUR, 24 * HOUR)
                cuts.append((at, at + self._between(2 * HOUR, 8 * HOUR)))
            if self._chance(15) or day == 0:
                at = day * DAY + self._between(9 * HOUR, 16 * HOUR)
                cuts.append((at, at + self._between(2 * SECOND, 3 * MINUTE)))
        start = 0
        for off, on in sorted(cuts):
            if on < self.end_ms - _QUIET_END and off > start + HOUR:
                self.lives.append(Life(start, off))
                start = on
        self.lives.append(Life(start, self.end_ms))
        for life in self.lives[1:-1]:
            if self._chance(30):
                life.clock_error_ms = self._random.choice((-1, 1)) * self._between(4 * MINUTE, 50 * MINUTE)

    # ---- the network

    def _plan_outages(self):
        at = self._between(10 * MINUTE, 6 * HOUR)
        while at < self.end_ms - _QUIET_END:
            length = self._outage_length()
            kind = self._random.choice(sorted(KINDS))
            if not self.outages:  # long enough for the emergency, which a pulled SIM makes wait four times as long
                kind, length = "no_sim", self._between(50 * MINUTE, 80 * MINUTE)
            end = min(at + length, self.end_ms - _QUIET_END)
            self.outages.append(Outage(at, end, kind))
            at = end + self._between(5 * MINUTE, 12 * HOUR)
        for outage in self.outages:
            begin, over = KINDS[outage.kind]
            self._calls.append([outage.start_ms, *begin])
            self._calls.append([outage.end_ms, *over])
            if outage.kind == "dead_network" and outage.end_ms - outage.start_ms > 15 * SECOND and self._chance(60):
                at = self._between(outage.start_ms + SECOND, min(outage.end_ms, outage.start_ms + 90 * SECOND))
                self._order(at, self._random.choice((0, 1)), f"late{outage.start_ms}")

    def _outage_length(self):
        kind = self._random.random()
        if kind < 0.55:
            return self._between(3 * SECOND, 90 * SECOND)
        if kind < 0.85:
            return self._between(2 * MINUTE, 45 * MINUTE)
        if kind < 0.97 or self.days < 10:
            return self._between(HOUR, 9 * HOUR)
        return self._between(DAY, 3 * DAY)

    def _plan_incidents(self):
        """Modem reboots, platform restarts, crashes, refusals, rivals, stuck contacts, and a look at the heap every two hours."""
        for day in range(self.days):
            start = day * DAY
            if self._chance(40):
                self._add(start + self._between(0, DAY), "core", "restart", False)
            if self._chance(25):
                at = start + self._between(0, DAY - HOUR)
                if not self._in_outage(at, at + 5 * MINUTE):
                    self._add(at, "site", "broker_runs", False)
                    self._add(at + self._between(10 * SECOND, 4 * MINUTE), "site", "broker_runs", True)
            if (self._chance(25) or day == 0) and not (self.days > _LONG_RUN_FROM <= day):
                at = start + self._between(8 * HOUR, 17 * HOUR)
                for number in range(1 if self._chance(80) else self._between(2, 4)):
                    self._add(at + number * 90 * SECOND, "site", "crash")
            if self._chance(6):
                at = start + self._between(0, 22 * HOUR)
                self._add(at, "site", "refuse", 5)
                self._add(at + self._between(20 * MINUTE, 2 * HOUR), "site", "refuse", 0)
            if self._chance(12) or day == 0:
                self._plan_pair(start + self._between(8 * HOUR, 20 * HOUR), self._between(2 * MINUTE, 20 * MINUTE), "rival")
            if self._chance(25) or day == 0:
                self._plan_stuck(start)
            if self._chance(20):  # the network tells another time while the terminal runs
                at = start + self._between(0, DAY)
                self._add(at, "site", "clock", self._random.choice((-1, 1)) * self._between(HOUR, DAY))
                self._add(at + self._between(10 * MINUTE, 30 * HOUR), "site", "clock", 0)
            for hour in range(1, 24, 2):
                self._add(start + hour * HOUR + 59 * MINUTE, "site", "heap")

    def _plan_pair(self, at, length, name):
        end = min(at + length, self.end_ms - _QUIET_END)
        if at < end:
            self._add(at, "site", name, True)
            self._add(end, "site", name, False)

    def _plan_stuck(self, start):
        """The contact sticks at work; when the relay lets go in the evening somebody welds on."""
        at = start + self._between(14 * HOUR, 16 * HOUR)
        self._plan_pair(at, start + self._between(20.5 * HOUR, 21.5 * HOUR) - at, "stick")
        self._plan_pair(start + 19.5 * HOUR, 10 * MINUTE, "weld")

    def _in_outage(self, start, end):
        return any(outage.start_ms <= end and start <= outage.end_ms for outage in self.outages)

    # ---- the people

    def _plan_day(self, day):
        if day % 7 == 6:
            return  # nobody works on the seventh day
        shifts = ((6.5, 8.0, 11.0, 12.0), (12.9, 14.0, 16.5, 18.5))
        for number, (early, late, end_early, end_late) in enumerate(shifts):
            begin = day * DAY + self._between(early * HOUR, late * HOUR)
            end = day * DAY + self._between(end_early * HOUR, end_late * HOUR)
            self._plan_shift(f"d{day}s{number}", begin, end, is_last=number == 1)

    def _plan_shift(self, name, begin, end, is_last):
        job = f"J{name}"
        self._order(begin, 1, f"{name}-on", job=job)
        if self._chance(20):
            self._order(begin + self._between(10 * SECOND, HOUR), 1, f"{name}-again", job=job)
        if self._chance(20):
            self._order(begin + self._between(10 * SECOND, HOUR), 1, f"{name}-other", job=job + "x")
        if self._chance(15):
            late_ms = self._between(3 * MINUTE, HOUR)
            self._order(begin + self._between(10 * SECOND, HOUR), 1, f"{name}-stale", late_ms, job=job)
        if self._chance(10):
            self._order(end + 20 * MINUTE, 1, f"{name}-future", -self._between(7 * MINUTE, HOUR), job=job)
        self._plan_welding(begin + 2 * MINUTE, end)
        if self._chance(80):
            barred = {"barred": True} if is_last and self._chance(25) else {}
            self._order(end, 0, f"{name}-off", **barred)
            if self._chance(30):
                self._order(end + 10 * MINUTE, 1, f"{name}-on", job=job)  # a repeat of the morning's id must power nothing
        if is_last and self._chance(10):
            self._order(end + HOUR, 0, f"{name}-out", out_of_service=True)
            self._order(end + 12 * HOUR, 0, f"{name}-in", out_of_service=False)

    def _plan_welding(self, begin, end):
        """Pulses of current with pauses; now and then a pause longer than the terminal waits."""
        at = begin
        while at <= end - _LEAST_WELD:
            self._add(at, "site", "weld", True)
            at += self._between(_LEAST_WELD, 4 * MINUTE)
            self._add(min(at, end), "site", "weld", False)
            at += self._between(40 * MINUTE, 70 * MINUTE) if self._chance(2) else self._between(30 * SECOND, 12 * MINUTE)

    def _order(self, at, action, name, late_ms=0, **content):
        content["issued_ms"] = START_UNIX_MS + at - late_ms
        text = json.dumps({"actionCode": str(action), "content": content}, separators=(",", ":"))
        self._calls.append([at, "platform", name, text])

    def _add(self, at, *call):
        self._calls.append([at, *call])

    # ---- lives

    def _hand_out(self):
        """Give each life its calls. What the network is like when the power comes back is told again at its start."""
        self._calls = sorted((call for call in self._calls if call[0] < self.end_ms), key=lambda call: call[0])
        for life in self.lives:
            for call in self._calls:
                if life.start_ms <= call[0] < life.end_ms:
                    life.calls.append([call[0] - life.start_ms, *call[1:]])
            life.calls = self._standing(life.start_ms) + life.calls
            if life.clock_error_ms:
                life.calls.insert(0, [0, "site", "clock", life.clock_error_ms])

    def _standing(self, at):
        """Return the calls that bring a new world to the state of the old one."""
        last = {}
        for call in self._calls:
            if call[0] < at and call[2] in _LASTING:
                last[call[2]] = [0, *call[1:]]
        return [call for name, call in last.items() if call[3] != _LASTING[name]]


# knob -> its value in a new world
_LASTING = {
    "set_alive": True,
    "set_signal": -85,
    "set_registration": 1,
    "set_bearer": True,
    "broker_runs": True,
    "refuse": 0,
    "set_sim": "ready",
    "rival": False,
    "stick": False,
    "weld": False,
}
