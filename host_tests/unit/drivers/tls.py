"""Connects with TLS to a server on the loopback, on MicroPython only, and tells what came of it.

case: {"port", "hostname", "authorities" (hex), "timeout_ms", "most": bytes a read of the stream gives, "say"
(bytes to send), "hear" (bytes to await), "times"}.
"""

import asyncio
import gc
import sys
from binascii import unhexlify

import mp_loopback

from terminal import tls

try:
    from terminal import tls_open
except ImportError:  # a MicroPython without `ssl` has our stand-in for it
    sys.path.append(__file__.rsplit("/", 3)[0] + "/port")
    from terminal import tls_open

    sys.path.pop()


async def _beat(beats):
    while True:
        beats.append(1)
        await asyncio.sleep_ms(1)


async def _talk(case, result):
    sock = mp_loopback.Socket(case["port"], case.get("most", 100000))
    beats = []
    beating = asyncio.create_task(_beat(beats))
    try:
        stream = await tls_open.wrap(sock, case["hostname"], unhexlify(case["authorities"]), case["timeout_ms"])
        result["shaken"] = True
        await stream.write(b"0123456789" * (case["say"] // 10))
        result["heard"] = await _hear(stream, case["hear"])
        await stream.close()
        result["closed"] = sock.closed
    finally:
        beating.cancel()
        result["kept_beating"] = len(beats) > 20
        if not sock.closed:
            await sock.close()


async def _hear(stream, wanted):
    buffer = bytearray(4096)
    heard = 0
    right = True
    while heard < wanted:
        n = await stream.readinto(buffer, 10000)
        if not n:
            break
        for i in range(n):
            right = right and buffer[i] == 0x30 + (heard + i) % 10
        heard += n
    return heard if right else "garbled"


def _once(case):
    result = {}
    asyncio.new_event_loop()
    try:
        asyncio.run(_talk(case, result))
    except tls.Untrusted as error:
        result["untrusted"] = error.code
    except OSError as error:
        result["errno"] = error.errno
    return result


def run(case):
    """Play the case, as many times as it says; `growth` is what the heap gained after the second time."""
    heap = []
    for _ in range(case.get("times", 1)):
        result = _once(case)
        gc.collect()
        heap.append(gc.mem_alloc())
    result["growth"] = heap[-1] - heap[1] if len(heap) > 2 else None
    return result
