"""The staged firmware under virtual time on the 32-bit port: an hour of service, and service over the wrap of the ticks."""

import pytest

from host_tests.virtual.world import HEARTBEAT_S, HOUR, MINUTE, WRAP, VirtualWorld

pytestmark = pytest.mark.slow

_GROWTH_MOST_B = 256
_BEGIN_UNIX_MS = 1767225600000


@pytest.fixture(scope="module")
def hour(tmp_path_factory, micropython32):
    """An hour of service with an order now and then, and one after it: (the outcome, the same world without the firmware)."""
    directory = tmp_path_factory.mktemp("hour")
    world = VirtualWorld(directory / "terminal", micropython32, HOUR + 3 * MINUTE, sample_every_ms=10000)
    world.order(90000, 1, "first", job="J1")
    world.order(5 * MINUTE, 0, "second", job="J1")
    world.order(HOUR + MINUTE, 1, "third", job="J2")
    world.order(HOUR + 2 * MINUTE, 0, "fourth", job="J2")
    outcome = world.run()
    return outcome, world.alone(directory / "alone").run()


def test_every_heartbeat_of_an_hour_arrives_at_its_time(hour):
    beats = [ms for ms, _ in hour[0].heartbeats()]
    first = beats[0]
    counted = len([ms for ms in beats if ms < first + HOUR])
    assert counted == 3600 // HEARTBEAT_S
    late = [ms - first - number * HEARTBEAT_S * 1000 for number, ms in enumerate(beats)]
    assert max(abs(ms) for ms in late) < 2000


def test_every_ten_minutes_a_heartbeat_says_everything(hour):
    whole = [ms for ms, content in hour[0].heartbeats() if "uptime_s" in content and "reason" in content]
    gaps = [later - earlier for earlier, later in zip(whole, whole[1:], strict=False)]
    assert len(gaps) >= 6
    assert all(abs(gap - 10 * MINUTE) < 2000 for gap in gaps)


def test_the_hour_passes_without_a_restart_a_second_login_or_a_lost_byte(hour):
    result = hour[0].result
    assert result["reset"] is None
    assert result["uart"]["dropped"] == 0
    assert len(hour[0].uplinks("00")) == 1
    assert hour[0].heartbeats()[-1][1].get("counters", {}).get("deaths", 0) == 0


def test_the_heap_does_not_grow_while_the_terminal_serves(hour):
    alone = {sample["ms"]: sample["heap_b"] for sample in hour[1].samples}
    net = [(sample["ms"], sample["heap_b"] - alone[sample["ms"]]) for sample in hour[0].samples]
    early = min(used for ms, used in net if 10 * MINUTE <= ms < 20 * MINUTE)
    late = min(used for ms, used in net if 50 * MINUTE <= ms < HOUR)
    assert early > 0
    assert late - early <= _GROWTH_MOST_B


def test_the_world_without_the_firmware_hears_and_says_the_same(hour):
    assert [message["topic"] for message in hour[1].messages] == [message["topic"] for message in hour[0].messages]
    assert hour[1].result["uart"]["received"] == hour[0].result["uart"]["received"]


def test_orders_are_obeyed_after_an_hour_as_at_its_beginning(hour):
    outcome = hour[0]
    assert [level for _, level in outcome.relay()] == [0, 1, 0, 1, 0]
    assert [outcome.answer(name)[1]["code"] for name in ("first", "second", "third", "fourth")] == [200] * 4
    assert [(event["relay"], event["cause"]) for event in outcome.events()] == [(1, "order"), (0, "order")] * 2


def _over(directory, micropython32, start_ticks_ms):
    """Twelve minutes: on and off, a dead network until the emergency, and the network back."""
    world = VirtualWorld(
        directory,
        micropython32,
        13 * MINUTE,
        start_ticks_ms=start_ticks_ms,
        config={"fail_open_after_s": 180, "handover_idle_s": 60},
    )
    world.order(90000, 1, "on", job="J1")
    world.order(3 * MINUTE, 0, "off", job="J1")
    world.knob(4 * MINUTE, "links", "set_alive", False)
    world.knob(9 * MINUTE, "links", "set_alive", True)
    return world.run()


@pytest.fixture(scope="module")
def unwrapped(tmp_path_factory, micropython32):
    """The story with ticks that begin at zero."""
    return _over(tmp_path_factory.mktemp("unwrapped") / "world", micropython32, 0)


def test_a_dead_network_leads_to_an_emergency_and_back(unwrapped):
    assert [level for _, level in unwrapped.relay()] == [0, 1, 0, 1, 0]
    causes = [(event["relay"], event["cause"]) for event in unwrapped.events()]
    assert causes == [(1, "order"), (0, "order"), (1, "emergency"), (0, "emergency_end")]


# Where the ticks wrap: while the welder is on, in the outage, in the emergency.
@pytest.mark.parametrize("wrap_ms", [2 * MINUTE, 5 * MINUTE, 8 * MINUTE + 500])
def test_service_over_the_wrap_of_the_ticks_is_the_same_to_the_millisecond(tmp_path, micropython32, unwrapped, wrap_ms):
    wrapped = _over(tmp_path, micropython32, WRAP - wrap_ms)
    assert wrapped.result["ticks_ms"] == 13 * MINUTE - wrap_ms
    assert wrapped.relay() == unwrapped.relay()
    assert [(m["ms"], m["topic"]) for m in wrapped.messages] == [(m["ms"], m["topic"]) for m in unwrapped.messages]


def _tell_time(world, at_ms, error_ms):
    """From then on the network tells the time, wrong by so much."""
    world.knob(at_ms, "radio", "set_time", at_ms, _BEGIN_UNIX_MS + at_ms + error_ms)


def test_a_wrong_first_reading_of_the_time_is_mended_within_half_an_hour(tmp_path, micropython32):
    world = VirtualWorld(tmp_path, micropython32, 35 * MINUTE)
    _tell_time(world, 1000, 5 * HOUR)
    _tell_time(world, 3 * MINUTE, 0)
    for at_ms, registration in ((3 * MINUTE + 1000, 2), (3 * MINUTE + 9000, 1)):  # a modem hears the time when it registers
        world.knob(at_ms, "radio", "set_registration", registration)
    for at_ms, name in ((5 * MINUTE, "early"), (30 * MINUTE, "late")):
        world.order(at_ms, 1, name, job="J1", issued_ms=_BEGIN_UNIX_MS + at_ms)
    outcome = world.run()
    assert [outcome.answer(name)[1]["result"]["answer"] for name in ("early", "late")] == ["stale", "on"]
    assert [level for _, level in outcome.relay()] == [0, 1]


def test_a_time_that_was_confirmed_is_not_given_up_for_a_wrong_one_that_passes(tmp_path, micropython32):
    world = VirtualWorld(tmp_path, micropython32, 3 * HOUR)
    _tell_time(world, 1000, 0)
    _tell_time(world, 30 * MINUTE, 5 * HOUR)
    world.order(2 * HOUR, 1, "on", job="J1", issued_ms=_BEGIN_UNIX_MS + 2 * HOUR)
    outcome = world.run()
    assert outcome.answer("on")[1]["result"]["answer"] == "on"
