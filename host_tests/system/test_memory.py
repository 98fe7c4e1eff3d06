"""A heap that something else has eaten up, on object sizes of the ESP32: orders are obeyed or come to nothing whole, what fails is
started again, the platform learns of it, and when the memory is there again the terminal serves as before.
"""

import contextlib

import pytest

from host_tests.sim.control import ControlError
from host_tests.system import planting
from host_tests.system.harness import World, wait_for
from host_tests.system.small_heap import HEAP, standins

pytestmark = pytest.mark.slow

WDT = 3
_RESET_S = 60  # host seconds: three deaths in ten of the terminal's minutes
_COMPILER = 48 * 1024  # the planted sources are compiled when they are imported

# Takes what it can get when it is told, in ever smaller pieces, but for so many bytes as the trigger's file says; gives all back
# when that is gone, or with a reset, as whatever eats memory does. With none to leave it takes again and again what others gave
# back.
_HOG = """
import asyncio
import os
import planted


def fill(rows):
    for size in (4096, 1024, 256, 64, 32):
        try:
            while True:
                rows.append(bytearray(size))
        except MemoryError:
            pass


async def run():
    rows = []
    left = 0
    if planted.is_told("hog"):
        os.remove("hog")
    while True:
        await asyncio.sleep_ms(200)
        if not planted.is_told("hog"):
            rows = []
        elif not rows or not left:
            with open("hog") as file:
                left = int(file.read() or 0)
            rest = bytearray(left)
            fill(rows)
            del rest
"""
_ADD = (
    "    modem.beat = add(",
    '    import hog\n    add("hog", hog.run, False)\n    modem.beat = add(',
)


@pytest.fixture
def world(tmp_path, micropython32):
    heap = HEAP + _COMPILER + standins(micropython32)
    config = {"full_heartbeat_s": 60}
    with World(tmp_path, broker="own", power=False, config=config, micropython=micropython32, heap=heap) as world:
        planting.plant(world.flash, {"terminal/app.py": [_ADD]})
        (world.flash / "lib" / "hog.py").write_text(_HOG)
        world.chip.power_on()
        world.until_online()
        yield world


def _fill(world, left):
    """Let the hog take everything but so many bytes, and what is given back later too where it leaves none."""
    (world.flash / "hog").write_text(str(left))
    world.terminal_passes(5)


def _order(world, action, **content):
    """Order until it is answered, as a platform does: what is under way while a task starts again may be lost with its session."""
    for _ in range(6):
        with contextlib.suppress(AssertionError):
            assert world.platform.answer(world.platform.order(action, **content), 15)["code"] == 200
            return
    raise AssertionError(f"no answer to {action}: {world.story()}")


def _serves(world):
    """With its memory back the terminal obeys, and every record made since is with the platform or told as dropped."""
    planting.untell(world.flash, "hog")
    _order(world, 1, job="J9")
    world.until_event(relay=1, cause="order", job="J9")
    _order(world, 0)
    world.until_relay(0)
    world.until_event(relay=0, cause="order", job="J9")
    wait_for(lambda: _is_complete(world), lambda: f"{sorted(world.platform.records())}\n{world.story()}")


def _is_complete(world):
    """Return whether each boot's numbers run on from 1, but for those that an alarm tells of."""
    names = set(world.platform.records())
    for alarm in world.platform.alarms("records_dropped"):
        gap = alarm["detail"]
        names |= {(gap["from"][0], number) for number in range(gap["from"][1], gap["to"][1] + 1)}
    return all((boot, number) in names for boot, last in names for number in range(1, last))


def _went_on_or_resumed(world):
    """Nothing but the terminal itself has reset it, in time to carry the welder's power over."""
    assert WDT not in world.chip.reset_causes
    assert 0 not in world.relay_edges()[1:]


def test_with_twelve_kilobytes_left_orders_are_obeyed_without_a_reset_and_the_want_is_told(world):
    _fill(world, 12000)
    _order(world, 1, job="J1")
    world.until_relay(1)
    _order(world, 0)
    world.until_relay(0)
    wait_for(lambda: world.platform.beats().get("counters", {}).get("memory_errors"), world.story)
    assert world.chip.boots == 1
    _serves(world)


@pytest.mark.parametrize("left", [8000, 4000, 2000])
def test_with_a_few_kilobytes_left_a_stop_is_obeyed_and_nothing_is_lost(world, left):
    """A session that lasts needs no more; one that drops, on a busy host, ends in a reset, which gives the memory back."""
    world.switch_on("J1")
    world.until_event(relay=1, cause="order", job="J1")
    _fill(world, left)
    _went_on_or_resumed(world)
    _order(world, 0)
    world.until_relay(0)
    world.terminal_passes(60)
    assert world.relay() == 0
    _serves(world)


def test_without_the_memory_for_a_new_session_the_terminal_resets_itself_in_time_to_resume_and_is_back(world):
    world.switch_on("J1")
    world.until_event(relay=1, cause="order", job="J1")
    _fill(world, 4000)
    with contextlib.suppress(ControlError):  # or the want of memory was quicker
        world.sim.call("close", id=0)  # the network ends the session
    wait_for(lambda: world.chip.boots > 1, world.story, _RESET_S)
    world.until_online(2)
    world.until_event(relay=1, cause="resumed", job="J1")
    _went_on_or_resumed(world)
    _order(world, 0)
    _serves(world)


def test_with_nothing_left_the_terminal_goes_on_or_resets_itself_in_time_to_resume(world):
    world.switch_on("J1")
    world.until_event(relay=1, cause="order", job="J1")
    world.terminal_passes(5)
    (world.flash / "hog").write_text("0")
    wait_for(lambda: world.chip.boots > 1 or "MemoryError" in world.chip.console_text(), world.story)
    planting.untell(world.flash, "hog")
    if world.chip.boots > 1:
        world.until_online(2)
        world.until_event(relay=1, cause="resumed", job="J1")
    _went_on_or_resumed(world)
    _order(world, 0)
    _serves(world)
