"""The same story with each profile on each broker, plain and over TLS; and certificates that must not be taken."""

import pytest

from host_tests.system.harness import World, wait_for

WAYS = [
    ("plain", "amqtt", None),
    ("plain", "amqtt", "good"),
    ("plain", "mosquitto", None),
    ("plain", "mosquitto", "good"),
    ("iotda", "mosquitto", None),
    ("iotda", "mosquitto", "good"),
    ("iotda", "own", "good"),
]


@pytest.mark.slow
@pytest.mark.parametrize("profile, broker, tls", WAYS, ids=["-".join(map(str, way)) for way in WAYS])
def test_a_welder_is_switched_on_and_off(tmp_path, request, profile, broker, tls):
    if broker == "mosquitto":
        request.getfixturevalue("mosquitto_path")
    with World(tmp_path, profile, tls, broker) as world:
        world.until_online()
        world.switch_on("J1")
        world.until_event(relay=1, cause="order")
        world.platform.answer(world.platform.order(0))
        world.until_event(relay=0, cause="order")
        assert world.relay_edges() == [0, 1, 0]


@pytest.mark.slow
@pytest.mark.parametrize("form", ["bare", "paras"])
def test_iotda_answers_in_the_form_that_is_set(tmp_path, form):
    with World(tmp_path, "iotda", None, "own", {"response_form": form}) as world:
        world.until_online()
        request_id = world.switch_on("J1")
        topic = world.platform.topic("response", request_id)
        answer = next(payload for seen, payload, _ in world.platform.messages if seen == topic)
        if form == "paras":
            assert answer["result_code"] == 0 and answer["paras"]["code"] == 200
        else:
            assert answer["code"] == 200


@pytest.mark.slow
@pytest.mark.parametrize(
    "kind, code",
    [
        ("other_ca", "unknown_ca"),
        ("wrong_name", "wrong_name"),
        ("expired", "expired"),
        ("not_yet_valid", "not_yet_valid"),
    ],
)
def test_a_certificate_that_does_not_verify_is_refused_and_told_apart(tmp_path, kind, code):
    with World(tmp_path, "plain", kind, "own") as world:
        wait_for(
            lambda: f"certificate: {code}" in world.chip.console_text(),
            lambda: f"{code} on the console: {world.chip.console_text()[-2000:]}",
        )
        assert world.relay() == 0


@pytest.mark.slow
def test_without_a_clock_no_handshake_is_begun(tmp_path):
    with World(tmp_path, "plain", "good", "own", power=False) as world:
        world.sim.call("time", unix_ms=None)
        world.chip.power_on()
        wait_for(
            lambda: "link down: clock_unknown" in world.chip.console_text(),
            lambda: world.chip.console_text()[-2000:],
        )
        assert not world.platform.uplinks("00")
        world.sim.call("time", unix_ms=1795234116000)
        world.until_online(timeout_s=60)
