"""Connects with TLS to a server on the loopback, on MicroPython only, and tells what came of it.

case: {"port", "hostname", "authorities" (hex), "timeout_ms", "most", "say" (text), "hear" (bytes)}.
"""

import asyncio
import time
from binascii import unhexlify

import mp_loopback
from terminal import tls


async def _beats(beats):
    while True:
        before = time.ticks_ms()
        await asyncio.sleep_ms(1)
        beats.append(time.ticks_diff(time.ticks_ms(), before))


async def _talk(case, result):
    sock = mp_loopback.Socket(case["port"], case.get("most", 100000))
    beats = []
    beating = asyncio.create_task(_beats(beats))
    try:
        stream = await tls.wrap(sock, case["hostname"], unhexlify(case["authorities"]), case["timeout_ms"])
        result["shaken"] = True
        await stream.write(case["say"].encode())
        buffer = bytearray(4096)
        heard = b""
        while len(heard) < case["hear"]:
            n = await stream.readinto(buffer, 10000)
            if not n:
                break
            heard += bytes(memoryview(buffer)[:n])
        result["heard"] = heard.decode()
        await stream.close()
        result["closed"] = stream.closed and sock.closed
    finally:
        beating.cancel()
        result["beats"] = len(beats)
        if not sock.closed:
            await sock.close()


def run(case):
    """Play the case."""
    result = {}
    asyncio.new_event_loop()
    try:
        asyncio.run(_talk(case, result))
    except tls.Untrusted as error:
        result["untrusted"] = error.code
    except OSError as error:
        result["errno"] = error.errno
    return result
