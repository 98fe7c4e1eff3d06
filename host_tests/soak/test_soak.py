"""A day of the rough site, lived for real in virtual time: the observer has nothing to say against it."""

import pytest

from host_tests.faults import campaigns, mutation
from host_tests.faults.mutation import Edit
from host_tests.soak import run
from host_tests.soak.__main__ import broken, figures

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

_SEED = 21
_LEAK = Edit(
    "terminal/herald.py",
    "    def heartbeat(self):\n",
    "    kept = []\n\n    def heartbeat(self):\n        self.kept.append(bytes(256))\n        return self._heartbeat()\n\n"
    "    def _heartbeat(self):\n",
)


@pytest.fixture(scope="module")
def day(tmp_path_factory, micropython32):
    """One day: (what was seen, its figures, the observer)."""
    month, seen = run.live(1, _SEED, tmp_path_factory.mktemp("soak") / "day")
    return seen, *figures(month, seen)


def test_a_rough_day_breaks_no_law_of_the_interlock(day):
    _, found, observer = day
    assert observer.violations == []
    assert found["emergencies_wrong"] == 0


def test_a_rough_day_has_orders_outages_a_crash_and_a_power_cut(day):
    _, found, _ = day
    assert min(found[name] for name in ("commands_obeyed", "outages", "crashes", "power_cuts", "emergencies")) > 0


def test_a_rough_day_has_a_pulled_sim_a_rival_and_a_stuck_contact_which_the_platform_learns_of(day):
    _, found, _ = day
    assert min(found[name] for name in ("sims_pulled", "rivals", "contacts_stuck")) > 0
    assert min(found["alarms_" + name] for name in ("tamper", "contact_stuck", "welding_while_unpowered")) > 0
    assert found["stuck_untold"] == 0


def test_a_rough_day_loses_no_record(day):
    assert day[1]["records_lost"] == 0
    assert day[1]["records_delivered"] > 20


def test_no_byte_is_dropped_and_the_firmware_never_resets_itself(day):
    seen, found, _ = day
    assert found["uart_bytes_dropped"] == 0
    assert {line[2] for line in seen.of("boot")} == {"power", "crash"}


def test_the_heap_is_the_terminal_s_own(day):
    assert 50_000 < day[1]["heap_last_b"] < 120_000
    assert broken(day[1]) == []


def test_a_terminal_that_keeps_something_of_each_heartbeat_fails_the_month(tmp_path, micropython32):
    firmware = mutation.copy(tmp_path / "firmware", [_LEAK], name="the leak")
    tree = campaigns.staged(firmware, tmp_path / "tree", source=False)
    month, seen = run.live(1, _SEED, tmp_path / "day", tree=tree)
    reasons = broken(figures(month, seen)[0])
    assert reasons and all("heap has grown" in reason for reason in reasons)


def test_the_observer_sees_through_a_terminal_with_other_limits_than_it_should_have(tmp_path, micropython32):
    month, seen = run.live(1, _SEED, tmp_path / "day", config={"fail_open_after_s": 300, "idle_lock_s": 600})
    laws = {law for _, law, _ in figures(month, seen)[1].violations}
    assert laws == {"emergency too early", "unpowered without reason"}
