"""Attacks on the whole terminal: floods of orders, platforms that are none, and what must never be read anywhere."""

import base64
import json
import textwrap
import threading

import pytest

from host_tests.system.harness import DEVICE_ID, World, wait_for
from host_tests.system.hostile import BROKERS, PEERS, Hostile

FLOOD = 500
INTERVAL_S = 10  # between switching off and on
_MARGIN_S = 2  # the interlock counts whole seconds; the pins' log is the host's clock
QUIET = {"fail_open_after_s": 86400, "full_heartbeat_s": 60, "idle_lock_s": 0}  # nothing moves the relay but orders


# ---- a flood of orders


@pytest.fixture(scope="module")
def flooded(tmp_path_factory):
    settings = dict(QUIET, switch_min_interval_s=INTERVAL_S)
    with World(tmp_path_factory.mktemp("flood"), broker="own", config=settings) as world:
        world.until_online()
        yield world


def _flood(world, name, orders):
    """Publish all these orders, (action, job) each, without waiting for any; return their request ids."""
    ids = []
    for number, (action, job) in enumerate(orders):
        ids.append(f"{name}{number}")
        message = json.dumps({"actionCode": str(action), "content": {"job": job}})
        world.platform._client.publish(world.platform.topic("command", ids[-1]), message, qos=1)
    return ids


def _answered(world, ids):
    """Return {request id: answer} of those of these ids that were answered."""
    topics = {world.platform.topic("response", request_id): request_id for request_id in ids}
    return {topics[topic]: payload for topic, payload, _ in list(world.platform.messages) if topic in topics}


def _unsent(world):
    return world.platform.beats().get("counters", {}).get("unsent", 0)


def _until_sum(world, ids, unsent_before):
    """Wait until every order is answered or counted as not answered."""

    def is_whole():
        return len(_answered(world, ids)) + _unsent(world) - unsent_before == len(ids)

    def what():
        return f"{len(_answered(world, ids))} answered, {_unsent(world) - unsent_before} unsent of {len(ids)}\n{world.story()}"

    wait_for(is_whole, what, 120)


def _assert_protected(world, edges):
    """No powering comes sooner after an unpowering than the interval allows."""
    off_us = None
    for edge in edges:
        if edge["level"] == 0:
            off_us = edge["t_us"]
        elif off_us is not None:
            assert (edge["t_us"] - off_us) * world.factor >= (INTERVAL_S - _MARGIN_S) * 1000000


def _edges(world):
    return [edge for edge in world.chip.pin_log() if edge["pin"] == 21]


def test_of_a_flood_that_ends_with_a_stop_each_order_is_answered_or_counted_and_the_stop_holds(flooded):
    world = flooded
    world.switch_on("J0")
    before = _unsent(world)
    edges = len(_edges(world))
    orders = [(1 + number & 1, f"J{number // 50}") for number in range(FLOOD - 1)] + [(0, "J")]
    ids = _flood(world, "a", orders)
    assert world.platform.answer(ids[-1], 120)["code"] == 200
    world.until_relay(0)
    _until_sum(world, ids, before)
    world.terminal_passes(2 * INTERVAL_S)
    assert world.relay() == 0
    fresh = _edges(world)[max(0, edges - 1) :]
    assert len(fresh) < FLOOD // 10
    _assert_protected(world, fresh)


def test_of_a_flood_that_ends_with_an_order_to_power_the_newest_wins_after_the_interval(flooded):
    world = flooded
    before = _unsent(world)
    edges = len(_edges(world))
    orders = [(number & 1, f"K{number}") for number in range(FLOOD - 2)] + [(0, "K"), (1, "LAST")]
    ids = _flood(world, "b", orders)
    world.until_relay(1, 120)
    world.until_beat(job="LAST", relay=1, timeout_s=120)
    _until_sum(world, ids, before)
    _assert_protected(world, _edges(world)[max(0, edges - 1) :])
    assert world.platform.answer(world.platform.order(0))["code"] == 200
    world.until_relay(0)


def test_a_flood_left_the_terminal_as_it_was(flooded):
    world = flooded
    assert world.chip.boots == 1
    assert "Traceback" not in world.chip.console_text()
    counters = world.until_counters()
    assert counters["orders"] >= 2 * FLOOD and not {"malformed", "deaths", "stray_errors", "memory_errors"} & set(counters)


# ---- platforms that are none


@pytest.mark.slow
@pytest.mark.parametrize("tls, pieces", [(None, BROKERS), ("good", PEERS)], ids=["brokers", "peers"])
def test_hostile_servers_move_nothing_end_no_task_and_are_forgotten(tmp_path, tls, pieces):
    with World(tmp_path, tls=tls, broker="own", config=QUIET) as world:
        world.until_online()
        world.switch_on("J1")
        edges = len(world.relay_edges())
        world.broker.close()
        with Hostile(world.port, pieces) as hostile:
            wait_for(lambda: hostile.served > len(pieces), lambda: f"{hostile.served} served: {world.story()}", 100)
        seen = len(world.platform.messages)
        world.broker = world.start_broker()
        wait_for(lambda: len(world.platform.messages) > seen, world.story, 90)  # the platform, too, has to find back first
        assert len(world.relay_edges()) == edges and world.relay() == 1
        assert world.chip.boots == 1
        assert "Traceback" not in world.chip.console_text()
        world.until_beat(state="AUTHORISED", relay=1)
        assert not {"deaths", "stray_errors", "memory_errors"} & set(world.until_counters())
        assert world.platform.answer(world.platform.order(0))["code"] == 200


# ---- secrets

SECRET = "Geheim-4711-xyzzy"
APN_PASSWORD = "Kennwort-0815-plugh"
WORDS = (SECRET, APN_PASSWORD)

# Two tasks that die: one of an error whose frames hold the secrets, one of memory that it takes until none is left.
_CRASHES = '''
    async def _crash(secret):
        await asyncio.sleep(20)
        raise ValueError("planted")
    async def _hog(secret):
        await asyncio.sleep(40)
        hoard = []
        while True:
            hoard.append(bytearray(4096))
    import esp32, json
    _secret = bytearray(64)
    _secret = bytes(_secret[:esp32.NVS("hanma").get_blob("secret", _secret)])
    supervisor.add("crash", lambda: _crash(_secret), False)
    supervisor.add("hog", lambda: _hog(json.load(open("config.json"))["apn_password"]), False)
'''


def _forms(word):
    """Return a word as it may be found: plain, in hex, in base 64."""
    data = word.encode()
    return [data, data.hex().encode(), base64.b64encode(data).rstrip(b"=")[:-1]]


def _assert_unread(where, data, allowed=()):
    for word in WORDS:
        if word not in allowed:
            for form in _forms(word):
                assert form not in data, f"{where}: {data[max(0, data.find(form) - 80) :][:200]}"


def _assert_nowhere(world, lines):
    """Look through everything that anybody can read, but for where the words have to be."""
    _assert_unread("console", world.chip.console.read_bytes())
    for topic, payload, _ in list(world.platform.messages):
        _assert_unread(topic, topic.encode() + repr(payload).encode())
    for line in list(lines):
        _assert_unread(line, line.encode(), (APN_PASSWORD,) if line.startswith("AT+CGAUTH=") else ())
    for root, kept in ((world.flash, ("config.json", "config.bad")), (world.chip.state, ("nvs.json",))):
        for path in root.rglob("*"):
            if path.is_file() and path.name not in kept:
                _assert_unread(path, path.read_bytes())


def _listen(world):
    """Return a list to which every AT command line is added as it comes."""
    lines = []
    events = world.sim.watch("at", timeout_s=3600)

    def run():
        try:
            for event in events:
                lines.append(event["line"])
        except (OSError, ValueError):
            pass

    threading.Thread(target=run, daemon=True).start()
    return lines


class SecretWorld(World):
    """A terminal with secrets that can be told from anything else, and tasks that crash."""

    def _make_chip(self, authority):
        super()._make_chip(authority)
        self.chip.nvs_set("hanma", "secret", SECRET.encode())
        main = self.flash / "main.py"
        text = main.read_text()
        at = text.index("        gc.threshold(")
        main.write_text(text[:at] + textwrap.indent(_CRASHES.lstrip("\n"), "    ") + text[at:])


SECRET_SETTINGS = dict(QUIET, apn="cmiot", apn_user="site7", apn_password=APN_PASSWORD)


@pytest.mark.slow
@pytest.mark.parametrize("profile", ["plain", "iotda"])
def test_secrets_are_read_nowhere_whatever_goes_wrong(tmp_path, profile):
    with SecretWorld(tmp_path, profile, "good", "own", SECRET_SETTINGS, power=False, heap="1M") as world:
        lines = _listen(world)
        world.chip.power_on()
        world.until_online()
        world.platform.answer(world.platform.order(1, job="J1"))
        console = world.chip.console_text
        wait_for(lambda: "planted" in console() and "MemoryError" in console(), console, 90)
        assert "Traceback" in console()

        world.broker.close()  # and now the log-in is refused
        world.broker = world.start_broker(["--user", f"{DEVICE_ID}:another"])
        wait_for(lambda: "link down: refused" in console(), console, 90)

        world.sim.call("mute", on=True)  # the modem dies while it is spoken to, and its call is set up anew
        wait_for(lambda: "link down: modem_dead" in console(), console, 120)
        world.sim.call("mute", on=False)
        wait_for(lambda: sum(line.startswith("AT+CGAUTH=") for line in lines) >= 2, console, 120)
        _assert_nowhere(world, lines)
        assert any(APN_PASSWORD in line for line in lines)


@pytest.mark.slow
@pytest.mark.parametrize(
    "text",
    [
        pytest.param('{"host":"localhost","apn_password":"%s", cut', id="cut"),
        pytest.param('{"host":"localhost","apn_password":"%s \\" more"}', id="a password with a quote"),
        pytest.param('{"host":"localhost","heartbeat_s":"%s","port":"%s"}', id="the password in the wrong place"),
    ],
)
def test_a_broken_configuration_is_told_of_without_what_is_in_it(tmp_path, text):
    with World(tmp_path, broker="own", power=False) as world:
        lines = _listen(world)
        (world.flash / "config.json").write_text(text.replace("%s", APN_PASSWORD))
        world.chip.nvs_set("hanma", "secret", SECRET.encode())
        world.chip.power_on()
        wait_for(lambda: "alarm config_broken begins" in world.chip.console_text(), world.chip.console_text)
        world.terminal_passes(5)
        _assert_nowhere(world, lines)
