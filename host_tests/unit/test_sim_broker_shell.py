"""The small broker on TCP and TLS, against clients that others wrote."""

import asyncio
import datetime
import ipaddress
import json
import ssl
import subprocess
import sys

import aiomqtt
import paho.mqtt.client as paho
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from host_tests.sim.broker import BrokerServer
from host_tests.sim.broker_core import Broker
from host_tests.unit.replay import ROOT

pytestmark = pytest.mark.slow  # real processes and sockets: not for `make check`

PATIENCE_S = 20


def in_loop(story):
    """Run story(server, port, contexts…) with a broker; the whole within the time-out."""

    async def run():
        server = BrokerServer(Broker())
        port = await server.start()
        try:
            await asyncio.wait_for(story(server, port), PATIENCE_S)
        finally:
            await server.close()

    asyncio.run(run())


def client(port, name="c", **options):
    return aiomqtt.Client("127.0.0.1", port, identifier=name, timeout=PATIENCE_S, **options)


def test_a_real_client_publishes_and_gets_back_what_it_subscribed_to():
    async def story(server, port):
        async with client(port) as one:
            await one.subscribe("up/#", qos=1)
            for qos in (0, 1):
                await one.publish("up/x", b"payload" * 300, qos=qos)
                message = await anext(one.messages)
                assert (str(message.topic), message.payload, message.qos) == ("up/x", b"payload" * 300, qos)

    in_loop(story)


def test_topics_that_begin_with_oc_are_carried():
    async def story(server, port):
        async with client(port) as one:
            await one.subscribe("$oc/devices/d/sys/commands/#", qos=1)
            server.publish(b"$oc/devices/d/sys/commands/request_id=7", b"{}", qos=1)
            message = await anext(one.messages)
            assert str(message.topic) == "$oc/devices/d/sys/commands/request_id=7"

    in_loop(story)


def test_a_retained_message_and_a_will_arrive():
    async def story(server, port):
        will = aiomqtt.Will("gone", b"bye", qos=1)
        async with client(port, "watcher") as watcher:
            await watcher.publish("kept", b"old", qos=1, retain=True)
            await watcher.subscribe("kept", qos=1)
            message = await anext(watcher.messages)
            assert message.retain and message.payload == b"old"
            await watcher.subscribe("gone", qos=1)
            with pytest.raises(aiomqtt.MqttError):
                async with client(port, "dying", will=will) as dying:
                    await dying.subscribe("never")
                    assert server.kick(b"dying")
                    await anext(dying.messages)
            assert (await anext(watcher.messages)).payload == b"bye"

    in_loop(story)


def test_a_client_is_refused_with_the_code_of_the_check():
    async def story(server, port):
        server.broker.check = lambda client_id, user, password: 0 if password == b"right" else 5
        async with client(port, username="u", password="right"):
            pass
        with pytest.raises(aiomqtt.MqttError, match="[Nn]ot authori[sz]ed"):
            async with client(port, username="u", password="wrong"):
                pass

    in_loop(story)


def test_a_refused_subscription_reaches_the_client_as_0x80():
    async def story(server, port):
        server.broker.refuse_filters = {b"#"}
        async with client(port) as one:
            granted = await one.subscribe("down", qos=1)
            codes = [getattr(code, "value", code) for code in granted]
            assert codes == [0x80]

    in_loop(story)


def test_a_client_that_falls_silent_is_dropped_in_its_time():
    async def story(server, port):
        lost = asyncio.Event()

        def heard(now_ms, kind, client_id, detail):
            if (kind, detail) == ("lost", "keepalive"):
                lost.set()

        server.broker.on_event = heard
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(bytes.fromhex("100d00044d515454040200010001") + b"d")
        assert await reader.readexactly(4) == b"\x20\x02\x00\x00"
        await lost.wait()
        assert await reader.read() == b""
        writer.close()

    in_loop(story)


def make_certificate(folder):
    """Write a self-signed certificate for 127.0.0.1; return (certificate path, key path)."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.datetime.now(datetime.timezone.utc)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
        .sign(key, hashes.SHA256())
    )
    paths = folder / "cert.pem", folder / "key.pem"
    paths[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    paths[1].write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return paths


def test_the_process_speaks_TLS_checks_users_and_tells_its_events(tmp_path):
    certificate, key = make_certificate(tmp_path)
    command = [sys.executable, "-m", "host_tests.sim.broker", "--cert", str(certificate), "--key", str(key)]
    process = subprocess.Popen([*command, "--user", "u:secret"], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        port = json.loads(process.stdout.readline())["port"]
        one = paho.Client(paho.CallbackAPIVersion.VERSION2, "paho", protocol=paho.MQTTv311)
        one.tls_set_context(ssl.create_default_context(cafile=str(certificate)))
        one.username_pw_set("u", "secret")
        one.connect("127.0.0.1", port)
        one.loop_start()
        one.publish("up", "data", qos=1).wait_for_publish(PATIENCE_S)
        one.disconnect()
        one.loop_stop()
        events = [json.loads(process.stdout.readline()) for _ in range(3)]
        assert [event["event"] for event in events] == ["connect", "publish", "disconnect"]
        assert events[1]["detail"][:2] == ["up", "data"]
    finally:
        process.terminate()
        process.wait(PATIENCE_S)
        process.stdout.close()
