"""A file system that dies or fills up while the terminal serves: what is loaded goes on, the platform learns of it, nobody is
locked out.
"""

import pytest

from host_tests.system import planting
from host_tests.system.harness import World, wait_for

pytestmark = pytest.mark.slow

# Stands between the firmware and its files, which have relative paths; the stand-ins' own have absolute ones.
_BETWEEN = '''
import builtins
import os
import sys

_import, _open = builtins.__import__, builtins.open
_real = os


def _told(name):
    try:
        _real.stat(name)
    except OSError:
        return False
    return True


class _Full:
    """A file in which there is no more room."""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def write(self, data):
        raise OSError(28)


def _opened(path, mode="r", *more, **options):
    if path[0] != "/":
        if _told("flash_dead"):
            raise OSError(5)
        if mode[0] in "wa" and _told("flash_full"):
            return _Full()
    return _open(path, mode, *more, **options)


def _imported(name, *more):
    if name.split(".")[0] in ("terminal", "modem", "umqtt") and name not in sys.modules and _told("flash_dead"):
        raise ImportError(name)
    return _import(name, *more)


class _Os:
    pass


def _between(work):
    def call(*arguments):
        if _told("flash_dead"):
            raise OSError(5)
        return work(*arguments)

    return call


builtins.open, builtins.__import__ = _opened, _imported
for _name in dir(_real):
    setattr(_Os, _name, getattr(_real, _name))
for _name in ("listdir", "mkdir", "remove", "rename", "stat"):
    setattr(_Os, _name, staticmethod(_between(getattr(_real, _name))))
sys.modules["os"] = _Os
'''


@pytest.fixture(params=[10])
def world(tmp_path, request):
    """A terminal with something between it and its files; the parameter is its seconds per host second."""
    config = {"full_heartbeat_s": 60}
    with World(tmp_path, broker="own", power=False, config=config, factor=request.param) as world:
        path = world.flash / "lib" / "between.py"
        path.write_text(_BETWEEN)
        boot = world.flash / "boot.py"
        boot.write_text("import between\n" + boot.read_text())
        world.chip.power_on()
        world.until_online()
        yield world


def _obeys(world, job):
    """An order to power and a stop, both answered and reported."""
    world.switch_on(job)
    world.until_event(relay=1, cause="order", job=job)
    assert world.platform.answer(world.platform.order(0))["code"] == 200
    world.until_relay(0)
    world.until_event(relay=0, cause="order", job=job)


def test_a_session_that_is_up_outlives_the_file_system_and_orders_are_obeyed(world):
    planting.tell(world.flash, "flash_dead")
    world.until_alarm("flash")
    _obeys(world, "J1")
    world.sim.call("urc", text="PB DONE")  # something in the modem has restarted: the terminal wants to look after its call
    world.terminal_passes(5)
    _obeys(world, "J2")
    wait_for(lambda: world.platform.beats().get("counters", {}).get("unsaved"), world.story)
    assert len(world.platform.uplinks("00")) == 1 and world.chip.boots == 1
    planting.untell(world.flash, "flash_dead")
    world.until_alarm("flash", ended=True)


@pytest.mark.parametrize("world", [20], indirect=True)
def test_with_a_dead_file_system_the_emergency_still_comes_and_no_reset_is_tried(world):
    planting.tell(world.flash, "flash_dead")
    world.sim.call("network", up=False)
    wait_for(lambda: "alarm flash begins" in world.chip.console_text(), world.story)
    wait_for(lambda: "link down: no_answer" in world.chip.console_text(), world.story)
    world.terminal_passes(10)  # it looks for the way to a session, which it cannot read, while the modem has its call still
    world.sim.call("reboot")
    world.until_relay(1)
    world.terminal_passes(180)
    assert "task modem reset" in world.chip.console_text()
    assert world.relay() == 1 and world.chip.boots == 1
    planting.untell(world.flash, "flash_dead")
    world.sim.call("network", up=True)
    world.until_event(relay=1, cause="emergency", timeout_s=60)
    wait_for(lambda: world.platform.beats().get("counters", {}).get("unread"), world.story, 60)
    assert world.chip.boots == 1


def test_a_full_file_system_stops_no_order_and_is_told_of(world):
    planting.tell(world.flash, "flash_full")
    _obeys(world, "J1")
    wait_for(lambda: world.platform.beats().get("counters", {}).get("unsaved"), world.story)
    assert world.chip.boots == 1
    planting.untell(world.flash, "flash_full")
    before = world.until_counters()["unsaved"]
    _obeys(world, "J2")
    assert world.until_counters()["unsaved"] == before
