"""Reports on the whole terminal: what was made comes to the platform, over power cuts and dead networks, named without a gap."""

import pytest

from hanma import toolchain
from host_tests.system.harness import World, wait_for
from host_tests.virtual.world import MINUTE, VirtualWorld


@pytest.fixture
def world(tmp_path):
    with World(tmp_path, broker="own") as world:
        world.until_online()
        yield world


def _until_complete(world, boots):
    """Wait until every boot's records have come, from 1 on without a gap, and nothing waits in the terminal."""

    def is_complete():
        names = sorted(world.platform.records())
        wanted = [(boot, 1 + k) for boot in boots for k in range(sum(name[0] == boot for name in names))]
        return names == wanted and {name[0] for name in names} == set(boots) and not _waiting(world)

    wait_for(is_complete, lambda: f"{sorted(world.platform.records())}\n{world.story()}")


def _waiting(world):
    directory = world.flash / "outbox"
    return [path.name for path in directory.iterdir()] if directory.exists() else []


def test_every_record_comes_and_nothing_is_left_on_flash(world):
    world.switch_on("J1")
    world.platform.answer(world.platform.order(0))
    world.until_event(relay=0, cause="order")
    _until_complete(world, [1])
    assert len({(event["boot"], event["seq"]) for event in world.platform.events()}) == 2


def test_every_record_comes_once_where_no_acknowledgement_is_late(tmp_path):
    """In virtual time: on a busy host one is late, and the record comes once more."""
    world = VirtualWorld(tmp_path / "life", toolchain.micropython(), 2 * MINUTE)
    world.order(MINUTE, 1, "on", job="J1")
    world.order(MINUTE + 10000, 0, "off")
    named = [(event["boot"], event["seq"]) for event in world.run().events()]
    assert len(set(named)) == len(named) == 2


def test_each_start_is_a_record_with_its_cause(world):
    wait_for(lambda: len(_restarts(world)) == 1, world.story)
    world.chip.press_reset()
    world.until_online(2)
    wait_for(lambda: len(_restarts(world)) == 2, world.story)
    assert [restart["restart"]["boot"] for restart in _restarts(world)] == [1, 2]
    assert all(restart["time"] for restart in _restarts(world))


def _restarts(world):
    return [content for _, content in sorted(world.platform.records().items()) if "restart" in content]


def test_what_happened_without_a_network_is_told_after_a_power_cut(world):
    world.sim.call("network", up=False)
    world.until_relay(1)  # the emergency
    world.chip.set_pin(23, "1")
    wait_for(lambda: len(_waiting(world)) >= 1, "a record on flash")
    world.chip.power_off()
    world.sim.call("network", up=True)
    world.chip.power_on()
    world.until_online(2)
    event = world.until_event(relay=1, cause="emergency")
    assert event["boot"] == 1 and event["time"]
    off = world.until_event(relay=0, cause="power_lost")
    assert off["boot"] == 2 and off["estimated"] is True
    _until_complete(world, [1, 2])


def test_an_emergency_and_the_alarms_go_before_what_happened_earlier(world):
    world.switch_on("J1")
    _until_complete(world, [1])
    world.sim.call("network", up=False)
    world.terminal_passes(5)
    world.chip.set_pin(22, "0")  # the contact opens by itself
    wait_for(lambda: "alarm contact_failed begins" in world.chip.console_text(), world.story)
    seen = len(world.platform.messages)
    world.sim.call("network", up=True)
    world.until_alarm("contact_failed")
    _until_complete(world, [1])
    codes = list(_first(payload for _, payload, _ in world.platform.messages[seen:] if _is_record(payload)).values())
    assert codes == sorted(codes, key=["E0", "FF", "EF"].index)


def _first(payloads):
    """Return {name: code} in the order in which each record came first: what is acknowledged late comes once more."""
    found = {}
    for payload in payloads:
        named = payload["content"].get("event", payload["content"])
        found.setdefault((named["boot"], named["seq"]), payload["actionCode"])
    return found


def _is_record(payload):
    content = payload.get("content") if isinstance(payload, dict) else None
    return isinstance(content, dict) and "seq" in content.get("event", content)
