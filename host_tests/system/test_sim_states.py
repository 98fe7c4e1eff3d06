"""What a SIM, a key and a configured family can be, under the whole terminal in virtual time: told apart, and left behind."""

import binascii

import pytest

from host_tests.virtual.world import MINUTE, VirtualWorld

pytestmark = pytest.mark.slow

FAMILIES = ("a76xx", "quectel", "luat")
_CURED_MS = 4 * MINUTE
_LIFE_MS = 9 * MINUTE
_PIN = "AT+CPIN="
_COUNTED = ("faults", "set", "error", True, 1000, "+CPINR", {"text": "+CPINR: SIM PIN,3,3\r\n\r\nOK"})  # 27.007 8.65
_FAIL_OPEN = {"fail_open_after_s": 3600}  # the welder is another test's matter

# name: (config, knobs at the start, knobs that cure, what the modem's problem is, how often the PIN is tried)
STATES = {
    "absent": ({}, (("radio", "set_sim", "absent"),), (("radio", "set_sim", "ready"),), "no_sim.absent", 0),
    "PIN, none configured": ({}, (("radio", "set_sim", "pin"),), (("radio", "set_sim", "ready"),), "no_sim.pin", 0),
    "PIN, the right one": ({"sim_pin": "1234"}, (_COUNTED, ("radio", "set_sim", "pin")), (), None, 1),
    "PIN, nobody tells the attempts left": (
        {"sim_pin": "1234"},
        (("radio", "set_sim", "pin"),),
        (("radio", "set_sim", "ready"),),
        "no_sim.pin_uncounted",
        0,
    ),
    "PIN, a wrong one": (
        {"sim_pin": "9999"},
        (_COUNTED, ("radio", "set_sim", "pin")),
        (("radio", "set_sim", "ready"),),
        "no_sim.pin_refused",
        1,
    ),
    "PUK": ({"sim_pin": "1234"}, (("radio", "set_sim", "puk"),), (("radio", "set_sim", "ready"),), "no_sim.puk", 0),
    "out of credit": ({}, (("radio", "set_credit", False),), (("radio", "set_credit", True),), None, 0),
    "wrong access point": ({"apn": "wrong"}, (("radio", "set_apn", "cmiot"),), (), "no_data_call.apn", 0),
    "denied": (
        {},
        (("radio", "set_registration", 3),),
        (("radio", "set_registration", 1),),
        "no_registration.denied",
        0,
    ),
    "roaming, allowed": ({}, (("radio", "set_registration", 5),), (), None, 0),
    "roaming, forbidden": (
        {"roaming": False},
        (("radio", "set_registration", 5),),
        (("radio", "set_registration", 1),),
        "no_registration.roaming",
        0,
    ),
}


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("state", STATES.values(), ids=STATES.keys())
def test_the_state_of_the_sim_is_told_apart_and_left_behind(tmp_path, micropython32, family, state):
    config, before, cure, problem, tries = state
    world = VirtualWorld(tmp_path / "life", micropython32, _LIFE_MS, family=family, config=dict(_FAIL_OPEN, **config))
    for knob in before:
        world.knob(0, *knob)
    for knob in cure:
        world.knob(_CURED_MS, *knob)
    world.order(_LIFE_MS - MINUTE, 1, "on", job="J1")
    outcome = world.run()
    story = outcome.console()[-3000:]
    first_ms = (outcome.uplinks("00") or [(None,)])[0][0]
    assert first_ms is not None and (first_ms > _CURED_MS) == bool(cure), (first_ms, story)
    assert problem is None or f"modem: {problem}" in outcome.console(), story
    told = [content["counters"].get("modem") for _, content in outcome.heartbeats() if "counters" in content]
    assert told and told[0] == problem, (told, story)
    assert _typed(outcome).count(_PIN) == tries, story
    assert outcome.answer("on")[1]["code"] == 200 and [level for _, level in outcome.relay()] == [0, 1], story
    cycles = outcome.result["modem"]["power_cycles"] + outcome.result["modem"]["radio_cycles"]
    assert cycles <= 4, (outcome.result["modem"], story)


def _typed(outcome):
    """Return all that the terminal has typed."""
    lines = [line.split(" ")[1] for line in (outcome.directory / "trace.txt").read_text().splitlines()]
    return b"".join(binascii.unhexlify(line) for line in lines if line[:1] not in "kr").decode("latin-1")


_MISMATCHES = (("quectel", "luat", "quectel"), ("luat", "simcom", "luat"), ("a76xx", "quectel", "simcom"))


@pytest.mark.parametrize(("family", "configured", "name"), _MISMATCHES)
def test_a_configured_family_that_is_not_the_modems_is_told_and_never_spoken(tmp_path, micropython32, family, configured, name):
    config = dict(_FAIL_OPEN, modem_family=configured)
    outcome = VirtualWorld(tmp_path / "life", micropython32, 5 * MINUTE, family=family, config=config).run()
    sentence = f"a {name} modem, not {configured}: set modem_family to {name}"
    assert sentence in outcome.console(), outcome.console()[-3000:]
    assert not outcome.uplinks("00") and [level for _, level in outcome.relay()] == [0]
    assert outcome.result["modem"]["power_cycles"] == outcome.result["modem"]["radio_cycles"] == 0


@pytest.mark.parametrize("family", ["quectel", "luat"])
def test_the_settings_say_how_long_the_key_is_pressed(tmp_path, micropython32, family):
    config = {"modem_key_on_ms": 2700, "modem_key_off_ms": 3400, "modem_key_gap_ms": 6000, **_FAIL_OPEN}
    world = VirtualWorld(tmp_path / "life", micropython32, 5 * MINUTE, family=family, config=config, modem_on=False)
    world.knob(2 * MINUTE, "faults", "set", "hung")
    outcome = world.run()
    edges = [(edge["ms"], edge["level"]) for edge in outcome.edges if edge["pin"] == 25][1:]
    held = [up - down for (down, _), (up, _) in zip(edges[::2], edges[1::2], strict=True)]
    assert held == [2700, 3400, 2700], (edges, outcome.console()[-2000:])
    assert 6000 <= edges[4][0] - edges[3][0] < 20000  # then it is asked whether that has switched it on
    assert len(outcome.uplinks("00")) == 2


def test_a_modem_that_is_still_starting_is_not_stopped_by_its_key(tmp_path, micropython32):
    outcome = VirtualWorld(tmp_path / "life", micropython32, 2 * MINUTE, family="quectel").run()
    assert [edge["level"] for edge in outcome.edges if edge["pin"] == 25] == [0]
    assert outcome.uplinks("00")[0][0] < MINUTE


def test_the_cell_is_not_asked_while_the_welder_has_power(tmp_path, micropython32):
    world = VirtualWorld(
        tmp_path / "life", micropython32, 12 * MINUTE, family="luat", config={"position_period_s": 60, **_FAIL_OPEN}
    )
    world.knob(0, "faults", "set", "no_gnss", True)
    world.knob(0, "faults", "set", "slow", True, 1000, "CIPGSMLOC", {"ms": 30000})
    on_ms, off_ms = 4 * MINUTE + 30000, 8 * MINUTE + 17000
    world.order(on_ms, 1, "on", job="J1")
    world.order(off_ms, 0, "off")
    outcome = world.run()
    (_, up_ms), (_, down_ms) = [(level, ms) for ms, level in outcome.relay()[1:]]
    assert down_ms - off_ms < 1000, outcome.relay()
    asked = _asked(outcome, b"AT+CIPGSMLOC")
    assert [ms for ms in asked if ms < up_ms] and [ms for ms in asked if ms > down_ms], asked
    assert not [ms for ms in asked if up_ms < ms < down_ms], asked


def _asked(outcome, command):
    wanted = binascii.hexlify(command).decode()
    return [int(line.split(" ")[0]) for line in (outcome.directory / "trace.txt").read_text().splitlines() if wanted in line]
