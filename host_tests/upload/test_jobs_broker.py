"""Facts from a broker: what it holds for us comes, what is kept is acknowledged, whatever breaks in between."""

import contextlib
import json
import socket
import subprocess
import threading
import time

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from hanma import toolchain
from hanma.bench import certificates
from hanma.upload.jobs import follow
from hanma.upload.jobs.follow import FollowError, settings_of
from hanma.upload.site import Site, SiteError

from .jobs_follower import event, follower, open_store, switched
from .jobs_samples import T0

WAIT_S = 20

pytestmark = pytest.mark.slow  # real processes and sockets


@pytest.fixture
def store(tmp_path):
    kept = open_store(tmp_path)
    yield kept
    kept.close()


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return taken.getsockname()[1]


@contextlib.contextmanager
def mosquitto(folder, port, settings="allow_anonymous true", wait=True):
    """A broker that keeps sessions, on that port while the block runs. As root it would give up root, and with it the keys."""
    try:
        program = toolchain.mosquitto()
    except toolchain.Missing as missing:
        pytest.skip(str(missing))
    config = folder / f"{port}.conf"
    config.write_text(f"listener {port} 127.0.0.1\n{settings}\nuser root\npersistence false\nmax_queued_messages 0\n")
    process = subprocess.Popen([str(program), "-c", str(config)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        if wait:
            _until_listening(port, process)
        yield port
    finally:
        process.kill()
        process.wait()


@pytest.fixture(scope="module")
def broker(tmp_path_factory):
    """The port of a broker."""
    with mosquitto(tmp_path_factory.mktemp("mosquitto"), free_port()) as port:
        yield port


def _until_listening(port, process):
    end = time.monotonic() + WAIT_S
    while time.monotonic() < end and process.poll() is None:
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        time.sleep(0.02)
    raise AssertionError("the broker does not listen")


@pytest.fixture
def terminal(broker):
    """say(messages): publishes at QoS 1 and returns when the broker has everything."""
    client = mqtt.Client(CallbackAPIVersion.VERSION2, "terminal")
    client.connect("127.0.0.1", broker)
    client.loop_start()

    def say(*messages):
        for told in [client.publish(topic, json.dumps(body), qos=1) for topic, body in messages]:
            told.wait_for_publish(WAIT_S)

    yield say
    client.disconnect()
    client.loop_stop()


@contextlib.contextmanager
def listening(port, store, url="mqtt://127.0.0.1:{port}", credentials=None, **settings):
    """(Broker, failures) that follows in a thread while the block runs."""
    follows = {"follow": {"url": url.format(port=port), **settings}}
    heard = follow.Broker(Site(name="s", platform="chongqing", settings=follows, credentials=credentials or {}), store)
    stop, failures = threading.Event(), []

    def run():
        try:
            heard.follow(stop)
        except FollowError as error:
            failures.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield heard, failures
    finally:
        stop.set()
        thread.join(WAIT_S)
        assert not thread.is_alive()


def until(heard, condition):
    with heard.changed:
        assert heard.changed.wait_for(condition, WAIT_S)


def test_what_terminals_say_while_nobody_follows_is_told_later(broker, terminal, store):
    with listening(broker, store, client_id="away") as (heard, _):
        until(heard, lambda: heard.connected)
        terminal(event(1))
        until(heard, lambda: heard.messages == 1)
    terminal(event(2), event(3))
    with listening(broker, store, client_id="away") as (heard, _):
        until(heard, lambda: heard.messages == 2)
    assert switched(store) == [(1, 1), (1, 2), (1, 3)]


def test_orders_are_heard_beside_reports(broker, terminal, store):
    with listening(broker, store, client_id="orders") as (heard, _):
        until(heard, lambda: heard.connected)
        terminal(("welder/D1/command/r7", {"actionCode": "1", "content": {"job": "j-1", "issued_ms": T0}}), event(1))
        until(heard, lambda: heard.messages == 2)
    assert store.merged().jobs["j-1"].on.request_id == "r7"


def test_a_message_the_store_could_not_keep_stays_with_the_broker(broker, terminal, store, monkeypatch):
    with listening(broker, store, client_id="full") as (heard, failures), monkeypatch.context() as patch:
        until(heard, lambda: heard.connected)
        patch.setattr(store, "take", lambda *_: 1 / 0)
        terminal(event(1))
        until(heard, lambda: heard.error)
    assert isinstance(failures[0].__cause__, ZeroDivisionError)
    with listening(broker, store, client_id="full") as (heard, _):
        until(heard, lambda: heard.messages == 1)
    assert switched(store) == [(1, 1)]


def test_a_follower_killed_while_it_hears_loses_nothing(broker, terminal, tmp_path, store):
    where = ("--broker", f"mqtt://127.0.0.1:{broker}")
    with follower(tmp_path, *where) as process:
        assert process.stdout.readline() == "connected\n"
        terminal(*(event(seq) for seq in range(1, 101)))
        assert process.stdout.readline().startswith("kept")
    terminal(*(event(seq) for seq in range(101, 131)))
    with listening(broker, store) as (heard, _):
        until(heard, lambda: len(switched(store)) == 130)
    assert switched(store) == [(1, seq) for seq in range(1, 131)]


def test_a_broker_that_comes_late_and_goes_and_comes_is_connected_each_time(tmp_path, store, monkeypatch):
    monkeypatch.setattr(follow, "_AGAIN_S", (0.1, 0.2))
    port = free_port()
    with listening(port, store) as (heard, _):
        for _ in range(2):
            with mosquitto(tmp_path, port, wait=False):
                until(heard, lambda: heard.connected)
            until(heard, lambda: not heard.connected)


def test_a_broker_is_spoken_to_over_tls_with_its_ca(tmp_path, store):
    files = certificates.make(tmp_path)
    settings = f"allow_anonymous true\ncertfile {files.certificate}\nkeyfile {files.key}"
    with mosquitto(tmp_path, free_port(), settings) as port:
        with listening(port, store, "mqtts://127.0.0.1:{port}", ca_file=str(files.ca)) as (heard, _):
            until(heard, lambda: heard.connected)
        other = certificates.make(tmp_path / "other", "other_ca")
        with listening(port, store, "mqtts://127.0.0.1:{port}", ca_file=str(other.ca)) as (heard, _):
            until(heard, lambda: heard.trouble)
            assert not heard.connected


def test_a_broker_that_refuses_us_is_an_error_without_the_password(tmp_path, store, monkeypatch):
    monkeypatch.setenv("BROKER_USER", "somebody")
    monkeypatch.setenv("BROKER_PASSWORD", "very-secret")
    known = {"broker_user": "env:BROKER_USER", "broker_password": "env:BROKER_PASSWORD"}
    port = free_port()
    with mosquitto(tmp_path, port, "allow_anonymous false"), listening(port, store, credentials=known) as (heard, failures):
        until(heard, lambda: heard.error)
    assert "refuses" in str(failures[0])
    assert "very-secret" not in str(failures[0])


@pytest.mark.parametrize("settings", [
    {}, {"journal": "a", "url": "mqtt://b"}, {"journal": "a", "profile": "other"}, {"url": "mqtt://b", "colour": 1}, [],
])
def test_settings_that_name_no_one_source_are_refused(settings):
    with pytest.raises(SiteError, match=r"\[settings.follow\]"):
        settings_of(Site(name="s", platform="chongqing", settings={"follow": settings}))


@pytest.mark.parametrize("url", ["http://b", "mqtt://", "mqtt://user:secret@b"])
def test_an_address_that_is_no_brokers_is_refused_without_its_secret(url, store):
    with pytest.raises(SiteError) as refused:
        follow.Broker(Site(name="s", platform="chongqing", settings={"follow": {"url": url}}), store)
    assert "secret" not in str(refused.value)
