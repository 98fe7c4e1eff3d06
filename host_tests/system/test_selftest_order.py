"""A self test that the platform orders: it stops first, leaves the relay alone, and its result is a record."""

import pytest

from host_tests.system.harness import World, wait_for

pytestmark = pytest.mark.slow

_PARTS = {"modem", "sim", "signal", "registration", "clock", "position", "voice", "flash", "heap", "welding"}


def _results(world):
    return [content for content in world.platform.uplinks("FF") if "self_test" in content]


def test_a_self_test_ordered_by_the_platform_stops_first_and_never_clicks_the_relay(tmp_path):
    with World(tmp_path, broker="own") as world:
        wait_for(lambda: world.platform.uplinks("00"), "a login")
        world.platform.answer(world.platform.order(1))
        world.until_relay(1)
        edges = len(world.chip.pin_log())
        assert world.platform.answer(world.platform.order(0, self_test=True))["code"] == 200
        (result,) = wait_for(lambda: _results(world), world.platform.tail)
        rows = {part: verdict for part, verdict, _ in result["self_test"]}
        assert rows.pop("relay") == "none" and set(rows.values()) == {"ok"}, result
        assert set(rows) == _PARTS
        assert "seq" in result and [edge["level"] for edge in world.chip.pin_log()[edges:] if edge["pin"] == 21] == [0]


def test_a_stop_with_a_doubtful_wish_for_a_self_test_is_a_stop_and_no_more(tmp_path):
    with World(tmp_path, broker="own") as world:
        wait_for(lambda: world.platform.uplinks("00"), "a login")
        for wish in ("yes", 1, None, [True]):
            assert world.platform.answer(world.platform.order(0, self_test=wish))["code"] == 200
        world.platform.answer(world.platform.order(0, self_test=True))
        wait_for(lambda: _results(world), world.platform.tail)
        assert len(_results(world)) == 1
