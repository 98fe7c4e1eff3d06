"""A terminal of a dozen lines on a plain socket, to compare with: takes orders, sets the relay's pin, answers. MicroPython.

    cd STAGED_TREE; micropython listener.py socket|umqtt HOST PORT DEVICE_ID

`umqtt` is umqtt.simple's own blocking loop, `socket` our Session over asyncio's streams.
"""

import sys

_PORT = __file__.rpartition("/host_tests/")[0] + "/host_tests/port"
sys.path[:] = ["", _PORT, ".frozen", "lib"]

import asyncio
import json

import loop
import machine
import usocket

loop.install(1)
sys.modules["socket"] = usocket  # the chip's stand-in has no network
kind, host, port, device_id = sys.argv[1:]
_BASE = "welder/" + device_id
_FILTER = (_BASE + "/command/#").encode()
relay = machine.Pin(21, machine.Pin.OUT, value=0)


def obey(topic, payload):
    """Set the relay; return the answer's (topic, payload)."""
    relay.value(int(json.loads(payload)["actionCode"]))
    return _BASE.encode() + b"/response/" + bytes(topic).rpartition(b"/")[2], b'{"success": true, "code": 200}'


def run_umqtt():
    """Block in umqtt.simple."""
    from umqtt.simple import MQTTClient

    client = MQTTClient(b"listener", host, int(port))
    client.set_callback(lambda topic, payload: client.publish(*obey(topic, payload), qos=1))
    client.connect()
    client.subscribe(_FILTER, 1)
    print("ready")
    while True:
        client.wait_msg()


class Face:
    """A stream of asyncio with the face Session wants."""

    def __init__(self, reader, writer):
        self._reader, self._writer = reader, writer

    async def readinto(self, buffer, timeout_ms=None):
        """Read at least one byte; 0 at the end."""
        return await self._reader.readinto(buffer)

    async def write(self, buffer):
        """Send all of it."""
        self._writer.write(buffer)
        await self._writer.drain()

    async def close(self):
        """End the connection."""
        self._writer.close()


async def run_session():
    """Serve our Session."""
    from terminal import mqtt_open
    from terminal.mqtt import Session

    waiting = []
    due = asyncio.Event()

    def on_message(topic, payload, _retained, _dup):
        waiting.append(obey(topic, bytes(payload)))
        due.set()

    session = Session(Face(*await asyncio.open_connection(host, int(port))), on_message)
    await mqtt_open.connect(session, b"listener", b"", b"", 60)
    reading = asyncio.create_task(session.run())
    await mqtt_open.subscribe(session, _FILTER, 1)
    print("ready")
    while not reading.done():
        await due.wait()
        due.clear()
        while waiting:
            await session.publish(*waiting.pop(0), 1)


if kind == "umqtt":
    run_umqtt()
else:
    asyncio.run(run_session())
