"""Vital tasks that hang in the whole terminal, in virtual time: found within their own period and started again; it serves on."""

import re

import pytest

from host_tests.system import planting
from host_tests.virtual.world import MINUTE, VirtualWorld

pytestmark = pytest.mark.slow

_ROUND = 3  # the supervisor looks once a second, the last proof of life may be a moment old, the line says whole seconds
_FROM_S = 180

# task: (period in seconds as app.py states it, file, what stands where it is to hang)
_TASKS = {
    "guard": (10, "terminal/guard.py", "            self._round()\n"),
    "modem": (120, "modem/modem.py", "            left_ms = _POLL_MS - self._since(polled)\n"),
    "link": (240, "terminal/desk.py", "        now_s = self._parts.clock.now_s()\n        if now_s < self._heartbeat_due_s:\n"),
    "herald": (30, "terminal/herald.py", "            self.look()\n            if self.beat:\n"),
}


def _live(directory, micropython, name, minutes):
    """Live with a task that hangs once, from the third minute on; returns the Outcome."""
    _, path, text = _TASKS[name]
    world = VirtualWorld(directory, micropython, minutes * MINUTE)
    indent = " " * (len(text) - len(text.lstrip()))
    fault = f"{indent}import planted\n{indent}await planted.hang({name!r}, {_FROM_S})\n"
    planting.plant(world.flash, {path: [(text, fault + text)]})
    planting.tell(world.flash, "hang_" + name)
    world.order((minutes - 1) * MINUTE, 1, "late", job="J1")
    return world.run()


@pytest.mark.parametrize("name", sorted(_TASKS))
def test_a_vital_task_that_hangs_is_found_within_its_period_and_serves_again(tmp_path, micropython32, name):
    outcome = _live(tmp_path, micropython32, name, 12)
    console = outcome.console()
    began_s = int(re.search(rf"planted: {name} (\d+)", console)[1])
    found_s = int(re.search(rf"^(\d+) task {name} hung", console, re.MULTILINE)[1])
    period_s = _TASKS[name][0]
    assert 0 < found_s - began_s <= period_s + _ROUND
    assert outcome.result["reset"] is None
    assert outcome.answer("late")[1]["code"] == 200
    assert [level for _, level in outcome.relay()] == [0, 1]
    assert max(content["counters"].get("hangs", 0) for _, content in outcome.heartbeats() if "counters" in content) == 1
