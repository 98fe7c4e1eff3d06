"""The MQTT session on MicroPython against real brokers over real connections: mosquitto and amqtt."""

import os
import pathlib
import socket
import subprocess
import sys
import time

import pytest

from host_tests.unit.replay import Replay
from tools.hanma import toolchain

pytestmark = pytest.mark.slow  # real processes and sockets: not for `make check`

_START_S = 20


def _free_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def _serve(command, port, log):
    """Start a broker and wait until it listens; returns its process."""
    with open(log, "wb") as file:
        process = subprocess.Popen(command, stdout=file, stderr=subprocess.STDOUT)
    end = time.monotonic() + _START_S
    while time.monotonic() < end and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return process
        except OSError:
            time.sleep(0.02)
    process.kill()
    process.wait()
    raise AssertionError(f"{command[0]} does not listen:\n{pathlib.Path(log).read_text()[-2000:]}")


def _mosquitto(folder, port, guarded_port):
    try:
        program = toolchain.mosquitto()
    except toolchain.Missing as missing:
        pytest.skip(str(missing))
    config = folder / "mosquitto.conf"
    config.write_text(
        "per_listener_settings true\npersistence false\n"
        f"listener {port} 127.0.0.1\nallow_anonymous true\n"
        f"listener {guarded_port} 127.0.0.1\nallow_anonymous false\n"
    )
    return [str(program), "-c", str(config)]


def _amqtt(folder, port, _):
    config = folder / "amqtt.yaml"
    config.write_text(
        "listeners:\n  default:\n    type: tcp\n"
        f"    bind: 127.0.0.1:{port}\n"
        "plugins:\n  amqtt.plugins.authentication.AnonymousAuthPlugin:\n    allow_anonymous: true\n"
    )
    return [str(pathlib.Path(sys.executable).parent / "amqtt"), "-c", str(config)]


_COMMANDS = {"mosquitto": _mosquitto, "amqtt": _amqtt}


@pytest.fixture(scope="module", params=sorted(_COMMANDS))
def broker(request, tmp_path_factory):
    """(port, port where nobody may enter) of a running broker; amqtt has no such second port."""
    folder = tmp_path_factory.mktemp(request.param)
    port, guarded_port = _free_port(), _free_port()
    process = _serve(_COMMANDS[request.param](folder, port, guarded_port), port, folder / "log")
    yield port, guarded_port
    process.terminate()
    process.wait(10)


@pytest.fixture
def story(broker):
    """Tell a story of drivers/mqtt_live.py, each on a MicroPython of its own."""
    process = Replay()
    umqtt = os.environ.get("HANMA_UMQTT") or str(toolchain.umqtt_simple())

    def tell(name, port=None):
        return process.call("mqtt_live", {"umqtt": umqtt, "port": port or broker[0], "story": name})

    yield tell
    process.close()


def test_a_hundred_reports_are_acknowledged_and_delivered(story):
    assert sorted(story("messages")) == [[number, number] for number in range(100)]


def test_the_will_is_said_after_a_broken_link_and_not_after_an_orderly_end(story):
    assert story("will") == [["w/broken", "gone", False], ["w/end", "", False]]


def test_kept_messages_come_with_the_retained_flag(story):
    assert story("retained") == [["r/old", "kept", True], ["r/new", "said", False]]


# amqtt lets two clients of one name live.
@pytest.mark.parametrize("broker", ["mosquitto"], indirect=True)
def test_a_second_client_of_the_same_name_ends_the_first_session(story, broker):
    assert story("taken_over") == ["MqttError", "closed"]


@pytest.mark.parametrize("broker", ["mosquitto"], indirect=True)
def test_a_broker_that_lets_nobody_in_refuses_with_its_code(story, broker):
    assert story("refused", broker[1]) == ["Refused", 5]


def test_a_quiet_session_outlives_its_keepalive(story):
    assert story("ping") >= 2
