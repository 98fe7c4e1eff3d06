"""Resets, crash loops and hangs of the whole terminal, by real restarts with what the chip keeps over them: what the relay does,
and what the platform learns.
"""

import contextlib
import time

import pytest

from host_tests.system import planting
from host_tests.system.harness import World, wait_for

pytestmark = pytest.mark.slow

PWRON, HARD, WDT, SOFT = 1, 2, 3, 5
WAIT_S = 180  # fail_open_after_s of the harness
_BOOT_S = 20


def booted(world, boots):
    """Wait until this boot since power-on has fed the watchdog: its relay is set, its tasks run."""
    chip = world.chip
    wait_for(lambda: chip.boots >= boots, lambda: f"boot {boots}: {world.story()}", _BOOT_S)
    feeds = chip.feeds
    wait_for(lambda: chip.feeds > feeds, lambda: f"feeding: {world.story()}", _BOOT_S)


def crash(world, times):
    """Crash so many boots, each right after it has begun its service."""
    for _ in range(times):
        world.chip.crash()
        booted(world, world.chip.boots)


@pytest.fixture
def at_work(tmp_path):
    """A terminal that has powered its welder for job J1."""
    with World(tmp_path, broker="own") as world:
        world.until_online()
        world.switch_on("J1")
        world.until_event(relay=1, cause="order")
        yield world


@contextlib.contextmanager
def planted_world(directory, faults, boot="", **options):
    """A terminal with planted faults, not powered on yet."""
    with World(directory, broker="own", power=False, **options) as world:
        planting.plant(world.flash, faults, boot)
        yield world


# ---- one reset


@pytest.mark.parametrize(("reset", "cause"), [("brown_out", PWRON), ("soft_reboot", SOFT), ("crash", HARD)])
def test_whatever_reset_the_chip_a_young_record_resumes(at_work, reset, cause):
    getattr(at_work.chip, reset)()
    login = at_work.until_online(2)
    assert login["resumed"] is True and login["reset"]["cause"] == cause and login["reset"]["intent"] is None
    at_work.until_event(relay=1, cause="resumed", job="J1")
    assert 0 not in at_work.relay_edges()[1:]


def test_a_frozen_program_is_reset_by_the_watchdog_and_a_record_that_is_too_old_powers_nothing(tmp_path):
    with World(tmp_path, broker="own", config={"resume_within_s": 20}) as world:
        world.until_online()
        world.switch_on("J1")
        world.until_event(relay=1, cause="order")
        world.chip.freeze()
        login = world.until_online(2)
        assert login["reset"]["cause"] == WDT and login["resumed"] is False
        world.until_event(relay=0, cause="power_lost", job="J1")
        assert world.relay() == 0


def test_a_loop_that_is_blocked_is_reset_by_the_watchdog_in_time_to_resume(tmp_path):
    faults = {"terminal/desk.py": [("    async def _send_heartbeat(self, session):\n", _BLOCK)]}
    with planted_world(tmp_path, faults, factor=10) as world:
        world.chip.power_on()
        world.until_online()
        world.switch_on("J1")
        planting.tell(world.flash, "block_desk")
        login = world.until_online(2)
        assert login["reset"]["cause"] == WDT and login["resumed"] is True
        assert 0 not in world.relay_edges()[1:]


_BLOCK = """    async def _send_heartbeat(self, session):
        import planted
        planted.block("desk")
"""


def test_an_emergency_outlives_a_crash_with_its_alarm(tmp_path):
    with World(tmp_path, broker="own", config={"handover_idle_s": 3600}) as world:
        world.until_online()
        world.sim.call("network", up=False)
        world.until_relay(1)
        edges = len(world.relay_edges())
        world.chip.crash()
        booted(world, 2)
        assert 0 not in world.relay_edges()[edges:]
        world.sim.call("network", up=True)
        world.until_event(relay=1, cause="emergency")
        world.until_event(relay=1, cause="resumed")
        wait_for(lambda: 2 in [alarm["boot"] for alarm in world.platform.alarms("emergency")], world.story)  # told anew
        world.until_beat(state="HANDOVER")
        world.platform.order(0)
        assert world.until_alarm("emergency", ended=True)["boot"] == 2


def test_without_time_to_resume_a_crash_locks(tmp_path):
    with World(tmp_path, broker="own", config={"resume_within_s": 0}) as world:
        world.until_online()
        world.switch_on("J1")
        world.terminal_passes(3)
        world.chip.crash()
        login = world.until_online(2)
        assert login["state"] == "LOCKED" and world.relay() == 0


def test_the_fourth_crash_in_ten_minutes_locks_and_the_firmware_is_cut_down(at_work):
    crash(at_work, 3)
    assert at_work.relay() == 1 and 0 not in at_work.relay_edges()[1:]
    crash(at_work, 1)
    wait_for(lambda: at_work.platform.uplinks("00")[-1]["reset"]["boot"] == 5, at_work.story)
    login = at_work.platform.uplinks("00")[-1]
    assert login["state"] == "LOCKED" and login["reset"]["minimal"] is True
    assert at_work.relay() == 0
    at_work.switch_on("J2")


def test_a_record_of_before_a_stop_powers_nothing(at_work):
    at_work.terminal_passes(3)
    old = (at_work.chip.state / "rtc.json").read_text()
    at_work.platform.answer(at_work.platform.order(0))
    edges = len(at_work.relay_edges())
    at_work.chip.crash_remembering(old)
    login = at_work.until_online(2)
    assert login["resumed"] is False and login["state"] == "LOCKED"
    assert 1 not in at_work.relay_edges()[edges:]


# ---- crash loops


def test_three_flicks_of_the_mains_at_work_leave_a_locked_terminal_that_serves(at_work):
    edges = len(at_work.relay_edges())
    for _ in range(3):
        at_work.chip.press_reset()
        booted(at_work, 1)
    at_work.until_boot(4)
    assert 1 not in at_work.relay_edges()[edges:]
    at_work.switch_on("J2")


def test_power_cuts_give_minimal_mode_and_never_more_than_that(tmp_path):
    with World(tmp_path, broker="own") as world:
        booted(world, 1)
        for _ in range(7):
            world.chip.press_reset()
            booted(world, 1)
        assert world.until_boot(8)["reset"]["minimal"] is True
        world.terminal_passes(240)
        assert 1 not in world.relay_edges()


def test_a_minute_of_service_ends_minimal_mode(tmp_path):
    with World(tmp_path, broker="own") as world:
        booted(world, 1)
        crash(world, 3)
        world.terminal_passes(70)
        world.chip.crash()
        wait_for(lambda: [one["reset"]["minimal"] for one in world.platform.uplinks("00")][-2:] == [True, False], world.story)


def test_minimal_mode_that_has_crashed_three_times_powers_the_welder_after_the_wait_and_an_order_ends_that(tmp_path):
    with World(tmp_path, broker="own", power=False) as world:
        began_us = time.time_ns() // 1000
        world.chip.power_on()
        booted(world, 1)
        crash(world, 6)
        world.until_relay(1)
        assert world.powered_after_s(began_us) >= WAIT_S - 1
        world.until_event(relay=1, cause="firmware")
        world.until_alarm("emergency")
        world.platform.answer(world.platform.order(0))
        world.until_relay(0)


def test_a_banned_terminal_stays_locked_however_often_it_has_crashed(tmp_path):
    with World(tmp_path, broker="own") as world:
        world.until_online()
        world.platform.answer(world.platform.order(0, barred=True))
        crash(world, 6)
        world.terminal_passes(260)
        assert 1 not in world.relay_edges()


_DEAD_MODEM = {"modem/modem.py": [("        main = asyncio.current_task()\n", '        raise ValueError("planted")\n')]}


def test_a_modem_task_that_always_dies_leads_to_the_emergency_and_does_not_reset_the_wait_for_it(tmp_path):
    with planted_world(tmp_path, _DEAD_MODEM) as world:
        world.chip.power_on()
        world.until_relay(1, 90)
        assert world.chip.boots == 7
        world.terminal_passes(60)
        assert world.chip.boots == 7 and world.relay() == 1
        assert "vital:modem" in world.chip.console_text()


_HANGING_MODEM = {"modem/modem.py": [("        main = asyncio.current_task()\n", "        await asyncio.Event().wait()\n")]}
_SOON_FOUND = {"terminal/app.py": [('add("modem", modem.run, True, 120)', 'add("modem", modem.run, True, 20)')]}


@pytest.mark.parametrize(("faults", "wait_s", "boots"), [({}, 600, 2), (_SOON_FOUND, 240, 3)])
def test_a_modem_task_that_hangs_in_every_boot_locks_nobody_out(tmp_path, faults, wait_s, boots):
    """Its task is ended and started again, then the board is reset, again and again; the wait for the emergency goes on."""
    options = {"config": {"fail_open_after_s": wait_s}, "factor": 40}
    with planted_world(tmp_path, {**_HANGING_MODEM, **faults}, **options) as world:
        world.chip.power_on()
        world.until_relay(1, 60)
        assert world.chip.boots >= boots
        assert world.chip.console_text().count("task modem hung") >= 3 * (boots - 1)
        assert "vital:modem" in world.chip.console_text()


def test_a_modem_task_that_hangs_and_a_mains_switch_that_is_flicked_power_no_welder(tmp_path):
    with planted_world(tmp_path, {**_HANGING_MODEM, **_SOON_FOUND}) as world:
        world.chip.power_on()
        for flick in (world.chip.brown_out, world.chip.press_reset, world.chip.brown_out):
            booted(world, world.chip.boots)
            world.terminal_passes(120)
            flick()
        booted(world, world.chip.boots)
        assert 1 not in world.relay_edges()


def test_a_terminal_that_cannot_be_built_leaves_the_relay_to_its_owner_and_reports_it_when_it_can(tmp_path):
    with planted_world(tmp_path, {}) as world:
        broken = world.flash / "lib" / "modem" / "power.py"
        text = broken.read_text()
        broken.write_text('raise ValueError("planted")\n')
        world.chip.power_on()
        world.until_relay(1, 90)
        assert world.chip.boots == 7
        broken.write_text(text)
        world.chip.press_reset()
        event = world.until_event(relay=1, cause="firmware")
        assert event["boot"] == 7
        world.until_event(relay=0, cause="power_lost")
        assert world.relay() == 0


# ---- the wanted reset


def test_before_a_wanted_reset_the_platform_is_told_and_the_welder_keeps_its_power(tmp_path):
    faults = {"terminal/herald.py": [("        while True:\n            self.look()\n", _DIE)]}
    with planted_world(tmp_path, faults, factor=5) as world:  # the farewell is bounded in time
        world.chip.power_on()
        world.until_online()
        world.switch_on("J1")
        planting.tell(world.flash, "die_herald")
        wait_for(lambda: world.platform.uplinks("Z0"), world.story)
        planting.untell(world.flash, "die_herald")
        login = world.until_online(2)
        assert world.platform.uplinks("Z0") == [{"reason": "restart"}]
        assert login["reset"]["intent"] == "vital:herald" and login["resumed"] is True
        assert 0 not in world.relay_edges()[1:]


_DIE = """        while True:
            import planted
            planted.die("herald")
            self.look()
"""
