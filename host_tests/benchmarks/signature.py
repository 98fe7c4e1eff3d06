"""How long MicroPython takes to check a release's signature (RSA-3072 by whole numbers), beside cryptography on this host.

The firmware's own reader of bundles, as written, over a bundle of the staged tree: the hash of the manifest is part of it. What a
host cannot show is the time on an ESP32. The least of CHECKS: what comes on top is other work on this host.
"""

import json
import subprocess
import time

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding

from hanma import stage, toolchain
from hanma.release import device
from host_tests.release import forge
from host_tests.upgrade.world import release

CHECKS = 50
_PROGRAM = """
import sys
sys.path.insert(0, {firmware!r})
import io, json, time
from terminal.bundle import Bundle
with open({bundle!r}, "rb") as file:
    stream = io.BytesIO(file.read())
key = bytes.fromhex({key!r})
spent_us = []
for _ in range({checks}):
    found = Bundle(stream)
    began_us = time.ticks_us()
    found.verify([key])
    spent_us.append(time.ticks_diff(time.ticks_us(), began_us))
print(json.dumps(spent_us))
"""


def measure(directory):
    """Return signature_check_ms, the same on the 32-bit port (None where there is none), and cryptography's."""
    directory.mkdir(parents=True)
    bundle = release(directory / "seven", 7)
    return {
        "signature_check_ms": _by_micropython(toolchain.micropython(), bundle),
        "signature_check_32bit_ms": _on_32_bits(bundle),
        "signature_cryptography_ms": _by_cryptography(bundle),
    }


def _on_32_bits(bundle):
    try:
        return _by_micropython(toolchain.micropython32(), bundle)
    except toolchain.Missing:
        return None


def _by_micropython(binary, bundle):
    words = {"firmware": str(stage.FIRMWARE), "bundle": str(bundle), "key": forge.public("A").hex(), "checks": CHECKS}
    command = [str(binary), "-c", _PROGRAM.format(**words)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return round(min(json.loads(done.stdout)) / 1000, 3)


def _by_cryptography(bundle):
    """Hash and check the same bytes."""
    data = bundle.read_bytes()
    manifest_b, _, signature = device.bundle.parse_header(data)
    head_b = device.bundle.HEAD_B
    signed = data[: head_b - device.bundle.KEY_B] + data[head_b : head_b + manifest_b]
    public, spent_ms = forge.private("A").public_key(), []
    for _ in range(CHECKS):
        began = time.perf_counter()
        public.verify(signature, signed, padding.PKCS1v15(), hashes.SHA256())
        spent_ms.append((time.perf_counter() - began) * 1000)
    return round(min(spent_ms), 3)
