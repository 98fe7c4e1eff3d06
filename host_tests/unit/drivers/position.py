"""Replays places: what is one, how far two are apart, GCJ-02, and a terminal that looks around."""

import asyncio

from terminal import gcj02, places, position


class _Failure(Exception):
    def __init__(self, code):
        super().__init__(code)
        self.code = code


class _World:
    """Stands for modem and clock."""

    known = True

    def __init__(self):
        self.now = 0
        self.fix = None
        self.cell = "no_data_call"
        self.asked = 0
        self.told = []

    def now_s(self):
        return self.now

    def set_ms(self, time_ms, source):
        self.told.append([time_ms, source])
        self.known = True

    async def gnss_fix(self):
        return _answer(self.fix)

    async def cell_location(self):
        self.asked += 1
        return _answer(self.cell)


class _Lock:
    """Stands for the interlock."""

    powered = False


def _answer(value):
    if isinstance(value, str):
        raise _Failure(value)
    return value if value is None else tuple(value)


def run(case):
    """case: {"beyond": [[here, there, metres], ...]}, {"gcj02": [[lat, lng], ...]}, {"fixes": [fix, ...]} or
    {"look": [[now_s, fix, cell], ...], "config": {...}, "known": bool, "powered_s": [from, to]}; a text in
    their place is a failure.
    """
    if "beyond" in case:
        return [places.is_beyond(*row) for row in case["beyond"]]
    if "gcj02" in case:
        return [list(gcj02.to_gcj02(*row)) for row in case["gcj02"]]
    if "fixes" in case:
        return [places.is_fix(fix) for fix in case["fixes"]]
    return asyncio.run(_look(case))


async def _look(case):
    world = _World()
    world.known = case.get("known", True)
    config = {"coordinates": "wgs84", "position_period_s": 3600, "position_move_m": 200}
    config.update(case.get("config", {}))
    reports = []
    moment = lambda: (world.now * 1000, 1, world.now * 1000)  # noqa: E731
    powered_s = case.get("powered_s", (0, 0))
    lock = _Lock()
    room = position.Position(world, _Failure, world, config, moment, reports.append, lock)
    seen = []
    for world.now, world.fix, world.cell in case["look"]:
        lock.powered = powered_s[0] <= world.now < powered_s[1]
        await room.look()
        seen.append(reports.pop() if reports else None)
    return {"reports": seen, "asked": world.asked, "told": world.told}
