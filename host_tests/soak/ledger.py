"""Adds up a month: orders, records, recoveries, heap and flash. Pure.

Records are counted at the platform. A record has the boot that made it and its sequence number there, from 1 in each boot:
what is missing below the highest number seen is lost, unless a `records_dropped` explains it. Where a kind of record carries
no number, records of that kind are counted by their text. Every edge of the relay wants its event besides, whatever the
numbers say, or a `records_dropped` of what came after the highest number seen.
"""

import json

from host_tests.soak.line import Line

_LATE_MS = 10000
_NOT_SWITCHED = ("resumed", "power_lost")  # causes of events that no edge belongs to
_RECORDS = ("FF", "EF", "E0")
_NVS_PAGE_ENTRIES = 126  # esp-idf, nvs_flash: 32-byte entries in a page of 4 KiB


def orders(lines):
    """Return {"commands", "commands_obeyed", "commands_refused", "commands_late", "commands_unanswered"}."""
    counts = {"commands": 0, "commands_obeyed": 0, "commands_refused": 0, "commands_late": 0}
    waiting = {}
    for line in lines:
        if line[1] == "cmd":
            counts["commands"] += 1
            waiting.setdefault(line[2], []).append(line[0])
        elif line[1] == "msg" and "/response/" in line[2]:
            name = line[2].rpartition("/")[2]
            if not waiting.get(name):
                continue  # the same answer once more
            given = waiting[name].pop()
            waiting[name] = []
            counts["commands_obeyed" if json.loads(line[3])["code"] == 200 else "commands_refused"] += 1
            counts["commands_late"] += line[0] - given > _LATE_MS
    counts["commands_unanswered"] = counts["commands"] - counts["commands_obeyed"] - counts["commands_refused"]
    return counts


class _Boot:
    """What is known of the records of one boot."""

    def __init__(self):
        self.numbers = set()
        self.texts = set()
        self.switchings = set()
        self.edges = 0

    @property
    def delivered(self):
        """How many different ones have arrived."""
        return len(self.numbers) + len(self.texts)

    @property
    def missing(self):
        """Numbers below the highest that have not arrived, unless records without a number may account for them."""
        numbers = range(1, max(self.numbers, default=0) + 1)
        return [number for number in numbers if number not in self.numbers][len(self.texts) :]

    @property
    def silent(self):
        """How many edges have no event, beyond the numbers that are missing anyway."""
        return max(0, self.edges - len(self.switchings) - len(self.missing))


class _Gap:
    """Records that were dropped by rule: from and to are (boot, number)."""

    def __init__(self, detail):
        self.first, self.last = tuple(detail["from"]), tuple(detail["to"])
        self.left = detail["count"]

    def explains(self, name):
        """Whether it accounts for this record; it does so for no more than it counts."""
        if self.left and self.first <= name <= self.last:
            self.left -= 1
            return True
        return False

    def explains_after(self, name):
        """Whether it accounts for a record of that boot whose number is higher than that."""
        if self.left and self.first[0] <= name[0] and name < self.last:
            self.left -= 1
            return True
        return False


def records(lines):
    """Return {"records_made", "records_delivered", "records_dropped_by_rule", "records_lost"}."""
    boots, gaps = {}, {}
    number = logged_in = 0
    level = None
    for line in lines:
        if line[1] == "boot":
            number += 1
            boots[number] = _Boot()
            level = None
        elif line[1] == "edge":
            boots[number].edges += level is not None  # the first one is the pin's first level
            level = line[3]
        elif line[1] == "msg" and line[2].endswith("/up"):
            message = json.loads(line[3])
            if message["actionCode"] == "00":
                logged_in = message["content"]["reset"]["boot"]
            _enter(boots, gaps, logged_in, message)
    return _summed(boots, list(gaps.values()))


def _enter(boots, gaps, logged_in, message):
    content = message["content"]
    inner = content.get("event", content)
    code = message["actionCode"]
    if code not in _RECORDS or code == "FF" and "event" not in content and "seq" not in content:
        return
    boot = boots.setdefault(inner.get("boot", logged_in), _Boot())
    if "seq" in inner:
        boot.numbers.add(inner["seq"])
    else:
        boot.texts.add(json.dumps(content, sort_keys=True))
    if "event" in content and inner["cause"] not in _NOT_SWITCHED:
        boot.switchings.add(inner.get("seq"))
    if content.get("kind") == "records_dropped":
        gaps[inner["boot"], inner["seq"]] = _Gap(content["detail"])


def _summed(boots, gaps):
    delivered = sum(boot.delivered for boot in boots.values())
    missing = [(number, name) for number, boot in boots.items() for name in boot.missing]
    dropped = len([name for name in missing if any(gap.explains(name) for gap in gaps)])
    silent = [(number, max(boot.numbers, default=0)) for number, boot in boots.items() for _ in range(boot.silent)]
    dropped += len([name for name in silent if any(gap.explains_after(name) for gap in gaps)])
    lost = len(missing) + len(silent) - dropped
    sums = (delivered + dropped + lost, delivered, dropped, lost)
    return dict(zip(("records_made", "records_delivered", "records_dropped_by_rule", "records_lost"), sums, strict=True))


def alarms(lines):
    """Return {kind: how many began}, as the platform has learnt; one without a duration begins too."""
    begun = {}
    for line in lines:
        if line[1] == "msg" and line[2].endswith("/up"):
            message = json.loads(line[3])
            content = message["content"]
            if message["actionCode"] == "E0" and content.get("end", content.get("start")) == content.get("start"):
                begun.setdefault(content["kind"], set()).add((content.get("boot"), content.get("seq")))
    return {kind: len(names) for kind, names in begun.items()}


def dropped_alarms(lines):
    """Return how many alarms were dropped by rule, as the platform has learnt; of which kind nobody knows."""
    contents = [json.loads(line[3])["content"] for line in lines if line[1] == "msg" and line[2].endswith("/up")]
    return sum(content["detail"]["count"] for content in contents if _tells_of_alarms(content))


def _tells_of_alarms(content):
    return content.get("kind") == "records_dropped" and content["detail"]["rank"] == 0


def stuck(lines, least_ms=60000):
    """Return how often the contact was powered without the relay for so long that a terminal must have told of it."""
    count, since, is_stuck, level, is_on = 0, None, False, 0, False
    for line in lines:
        if line[1] == "knob" and line[2] == "stick":
            is_stuck = line[3]
        elif line[1] == "edge":
            level = line[3]
        elif line[1] in ("boot", "end"):
            is_on = line[1] == "boot"
            is_stuck = is_stuck and line[2] != "power"  # what sticks when the power comes back is told again
        else:
            continue
        count += since is not None and line[0] - since >= least_ms
        since = line[0] if is_stuck and is_on and not level else None
    return count


def recoveries(lines):
    """Return the ms from the end of each fault to the login that follows it."""
    line_now, found, ended = Line(), [], None
    for line in lines:
        was_impossible, login = line_now.impossible_since, line_now.login_since
        line_now.take(line)
        if line[1] == "boot" or line[1] == "knob" and line[2:] in (["restart", False], ["rival", False]):
            ended = line[0]
        if was_impossible is not None and line_now.impossible_since is None:
            ended = line[0]
        elif line_now.impossible_since is not None:
            ended = None
        if line_now.login_since not in (login, None) and ended is not None:
            found.append(line[0] - ended)
            ended = None
        elif line_now.good_since == line[0]:
            ended = None  # the session has outlived the fault
    return found


def heap(lines, day_ms):
    """Return {"heap_day1_b", "heap_last_b", "heap_growth_b"}.

    The first two: the least that the terminal had in use, after a collection, on the first and the last day that were looked at.
    The third: the most by which the least of a boot's later looks is above the least of its earlier ones. What was in use when
    the boot was over and the terminal gone is the world's, and subtracted.
    """
    boots = _looks(lines)
    days = {}
    for ms, used_b in (look for looks in boots for look in looks):
        days.setdefault((ms - 1) // day_ms, []).append(used_b)  # the last look is when the last day ends
    growths = [0]
    for looks in boots:
        used = [used_b for _, used_b in looks]
        half = len(used) // 2
        if half:
            growths.append(min(used[half:]) - min(used[:half]))
    lows = [min(days[day]) for day in sorted(days)] or [None]
    return {"heap_day1_b": lows[0], "heap_last_b": lows[-1], "heap_growth_b": max(growths)}


def _looks(lines):
    """Return [[(ms, bytes of the terminal's), ...]] of each boot."""
    boots, looks = [], []
    for line in lines:
        if line[1] == "heap":
            looks.append(line)
        elif line[1] == "world":
            boots.append([(ms, used_b - line[2]) for ms, _, used_b in looks])
            looks = []
    return boots


def nvs_erases(entries):
    """Return how many pages of NVS these entries fill, each to be erased once: esp-idf writes them like a log."""
    return -(-entries // _NVS_PAGE_ENTRIES)
