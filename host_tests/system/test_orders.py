"""Orders of every kind to the whole terminal: what the relay does and what the platform hears."""

import json
import time

import pytest

from host_tests.system.harness import World, wait_for


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    with World(tmp_path_factory.mktemp("orders"), broker="own", config={"switch_min_interval_s": 0}) as world:
        world.until_online()
        yield world


@pytest.fixture(autouse=True)
def locked(world):
    """Each test begins with the welder locked and in service."""
    world.platform.answer(world.platform.order(0, out_of_service=False))
    world.platform.answer(world.platform.order(0))
    world.until_relay(0)


def now_ms():
    return time.time_ns() // 1000000


def test_a_repeated_order_gets_the_answer_it_had_and_moves_nothing(world):
    first = world.switch_on("J1")
    edges = len(world.relay_edges())
    seen = len(world.platform.messages)
    world.platform.order(1, request_id=first, job="J1")
    topic = world.platform.topic("response", first)
    wait_for(lambda: any(one[0] == topic for one in world.platform.messages[seen:]), "the second answer")
    assert len(world.relay_edges()) == edges


def test_a_second_welder_is_told_busy_until_the_first_has_ended(world):
    world.switch_on("J1")
    assert world.platform.answer(world.platform.order(1, job="J2"))["result"]["answer"] == "busy"
    assert world.relay() == 1


def test_a_stale_order_and_one_from_the_future_power_nothing(world):
    # the terminal's clock runs ahead of the host's by the factor: only far ends are sure
    old = world.platform.answer(world.platform.order(1, job="J1", issued_ms=now_ms() - 86400000))
    assert (old["code"], old["result"]["answer"]) == (500, "stale")
    ahead = world.platform.answer(world.platform.order(1, job="J1", issued_ms=now_ms() + 864000000))
    assert (ahead["code"], ahead["result"]["answer"]) == (500, "future")
    assert world.relay() == 0


def test_a_stale_stop_is_obeyed(world):
    world.switch_on("J1")
    assert world.platform.answer(world.platform.order(0, issued_ms=now_ms() - 86400000))["code"] == 200
    world.until_relay(0)


def test_out_of_service_answers_an_order_with_500_until_it_is_cleared(world):
    world.platform.answer(world.platform.order(0, out_of_service=True))
    world.until_beat(reason="out_of_service")
    refused = world.platform.answer(world.platform.order(1, job="J1"))
    assert (refused["code"], refused["result"]["answer"]) == (500, "out_of_service")
    assert world.relay() == 0
    world.platform.answer(world.platform.order(0, out_of_service=False))
    world.switch_on("J1")


def test_a_ban_is_the_reason_until_an_order_lifts_it(world):
    world.platform.answer(world.platform.order(0, barred=True))
    world.until_beat(reason="barred")
    world.switch_on("J1")
    world.until_beat(reason="ok")


@pytest.mark.parametrize(
    "payload",
    [b"", b"{", b"\xff\xfe", b"[1]", b'{"actionCode":"7","content":{}}', b'{"actionCode":"1","content":{"job":[]}}'],
)
def test_a_malformed_order_is_answered_500_and_powers_nothing(world, payload):
    request_id = f"bad{abs(hash(payload))}"
    world.platform.publish(world.platform.topic("command", request_id), payload)
    assert world.platform.answer(request_id)["code"] == 500
    assert world.relay() == 0


def test_an_order_over_4_kib_is_dropped_and_the_next_one_is_obeyed(world):
    message = json.dumps({"actionCode": "1", "content": {"job": "J" * 5000}})
    world.platform.publish(world.platform.topic("command", "huge"), message)
    world.switch_on("J1")
    topic = world.platform.topic("response", "huge")
    assert not [one for one in world.platform.messages if one[0] == topic]


def test_a_stop_in_rubbish_is_obeyed(world):
    world.switch_on("J1")
    world.platform.publish(world.platform.topic("command", "r"), b'{"actionCode":"0","content":{"job":[[[')
    world.until_relay(0)


def test_an_order_whose_contact_does_not_follow_is_answered_500(world):
    world.chip.set_pin(22, "0")
    try:
        answer = world.platform.answer(world.platform.order(1, job="J1"))
        assert (answer["code"], answer["result"]["answer"]) == (500, "contact_failed")
        world.until_alarm("contact_failed")
        world.until_beat(reason="fault")
    finally:
        world.chip.set_pin(22, "=21")
    world.until_alarm("contact_failed", ended=True)


def test_a_contact_that_sticks_is_an_alarm(world):
    world.switch_on("J1")
    world.chip.set_pin(22, "1")
    try:
        world.platform.answer(world.platform.order(0))
        world.until_alarm("contact_stuck")
        world.until_beat(reason="fault")
    finally:
        world.chip.set_pin(22, "=21")
    world.until_alarm("contact_stuck", ended=True)


def test_welding_while_unpowered_is_an_alarm(world):
    world.chip.set_pin(23, "1")
    try:
        world.until_alarm("welding_while_unpowered")
    finally:
        world.chip.set_pin(23, "0")
    world.until_alarm("welding_while_unpowered", ended=True)


def test_a_retained_order_on_a_broker_powers_nothing_at_the_next_session(world):
    topic = world.platform.topic("command", "kept")
    world.platform.publish(topic, {"actionCode": "1", "content": {"job": "J9"}}, retain=True)
    world.platform.answer("kept")  # as a live message it is obeyed
    world.platform.answer(world.platform.order(0))
    logins = len(world.platform.uplinks("00"))
    edges = len(world.relay_edges())
    try:
        world.chip.press_reset()
        world.until_online(logins + 1)
        world.until_beat(state="LOCKED")
        world.platform.answer(world.platform.order(0))
        assert 1 not in world.relay_edges()[edges:]
    finally:
        world.platform.publish(topic, b"", retain=True)
