"""One story from power-on to a welder switched on by order, and off again: the short proof of `make check`."""

from host_tests.system.harness import World


def test_an_order_powers_the_welder_and_another_one_unpowers_it(tmp_path):
    with World(tmp_path, broker="own") as world:
        login = world.until_online()
        assert login["device_id"] == world.platform.device_id
        assert world.relay() == 0
        world.switch_on("J1")
        world.until_event(relay=1, cause="order", job="J1")
        answer = world.platform.answer(world.platform.order(0, job="J1"))
        assert answer["success"] is True and answer["code"] == 200
        world.until_relay(0)
        world.until_event(relay=0, cause="order")
        assert world.relay_edges() == [0, 1, 0]
