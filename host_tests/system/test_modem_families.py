"""The three families of modems under the whole terminal: the story, TLS, the outages in which they differ, with real processes."""

import pytest

from host_tests.system.harness import World, wait_for

pytestmark = pytest.mark.slow

FAMILIES = ("a76xx", "quectel", "luat")
_BACK_S = 60  # host seconds, at twenty times the speed


@pytest.fixture(scope="module", params=FAMILIES)
def world(request, tmp_path_factory):
    """One world a family, in which one thing happens after the other; each test leaves the terminal online and the relay off."""
    with World(tmp_path_factory.mktemp(request.param) / "world", broker="own", family=request.param) as world:
        world.until_online()
        yield world


def test_a_welder_is_switched_on_and_off(world):
    world.switch_on("J1")
    _switch_off(world)
    login = world.platform.uplinks("00")[-1]
    assert login["imei"] and login["iccid"].startswith("8986") and login["versions"]["modem"]
    assert world.relay_edges() == [0, 1, 0]


OUTAGES = {
    "closed by the network": ((("close", {"id": 0}),), ()),
    "a restart in the middle of the session": ((("reboot", {}),), ()),
    "the call lost": ((("bearer", {"up": False}),), (("bearer", {"up": True}),)),
    "mute": ((("mute", {"on": True}),), (("mute", {"on": False}),)),
    "dead network behind a modem that answers": ((("network", {"up": False}),), (("network", {"up": True}),)),
}


@pytest.mark.parametrize("outage", OUTAGES.values(), ids=OUTAGES.keys())
def test_a_welder_at_work_keeps_its_power_through_an_outage_and_is_stopped_after_it(world, outage):
    gone, back = outage
    world.switch_on("J2")
    edges, logins, lost = world.relay_edges(), len(world.platform.uplinks("00")), _lost(world)
    for knob, fields in gone:
        world.sim.call(knob, **fields)
    if back:
        wait_for(lambda: _lost(world) > lost, world.story, _BACK_S)
    for knob, fields in back:
        world.sim.call(knob, **fields)
    world.until_online(logins + 1, _BACK_S)
    assert world.relay_edges() == edges and world.relay() == 1
    _switch_off(world)


def test_nothing_was_lost_on_the_way(world):
    """After all of the above: the records of the one boot are named without a gap, one for each edge, and none waits."""

    def is_complete():
        names = sorted(world.platform.records())
        waiting = list((world.flash / "outbox").glob("*/*"))
        return names == [(1, 1 + k) for k in range(len(names))] and not waiting and [0, *_switched(world)] == world.relay_edges()

    wait_for(is_complete, lambda: f"{world.relay_edges()}\n{sorted(world.platform.records())}\n{world.story()}")
    assert len(world.platform.uplinks("00")) > 1
    switched = _switched(world)
    assert switched == [1, 0] * (len(switched) // 2)


def _switched(world):
    """Return what the reports say of the relay in the order of their names; a record that came twice has its name once."""
    return [content["event"]["relay"] for _, content in sorted(world.platform.records().items()) if "event" in content]


def _switch_off(world):
    assert world.platform.answer(world.platform.order(0))["code"] == 200
    world.until_relay(0)


def _lost(world):
    """Return how many sessions have ended so far, as the console tells."""
    return world.chip.console_text().count("link down")


@pytest.mark.parametrize("family", FAMILIES[1:])  # the first one's is in test_brokers
def test_tls_is_spoken_over_every_family(tmp_path, family):
    with World(tmp_path, tls="good", broker="own", family=family) as world:
        world.until_online()
        world.switch_on("J1")
        _switch_off(world)
