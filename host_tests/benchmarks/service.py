"""An hour of service in virtual time: what it takes of the heap, and of the air."""

from hanma import toolchain
from host_tests.benchmarks.figures import median
from host_tests.benchmarks.metered import MeteredWorld
from host_tests.system.harness import wait_for
from host_tests.system.small_heap import KIB, standins
from host_tests.virtual.world import HOUR, MINUTE, VirtualWorld

_ORDER_MS = 90000
_HEAPS_KIB = (100, 112, 128, 144, 160, 176, 192, 208, 224, 256, 288)
_AWAIT_S = 60
_DAYS = 30


def heap(directory):
    """Return the heap's figures over an hour on the 32-bit port; the world without the firmware is measured and subtracted.

    That world is the same simulator, broker and stand-ins, to which the bytes the firmware has written are played again.
    """
    windows = [[0, 30000], [_ORDER_MS, _ORDER_MS + 1000]]
    world = VirtualWorld(
        directory / "terminal", toolchain.micropython32(), HOUR + 1000, sample_every_ms=10000, peak_windows_ms=windows
    )
    world.order(_ORDER_MS, 1, "on", job="J1")
    world.order(_ORDER_MS + MINUTE, 0, "off", job="J1")
    outcome = world.run()
    peak_ms, peak_b = outcome.result["peak"]
    alone = world.alone(directory / "alone", [peak_ms]).run()
    without = {sample["ms"]: sample["heap_b"] for sample in alone.samples}
    net = [(sample["ms"], sample["heap_b"] - without[sample["ms"]]) for sample in outcome.samples]
    early = min(used for ms, used in net if 10 * MINUTE <= ms < 20 * MINUTE)
    late = min(used for ms, used in net if 50 * MINUTE <= ms <= HOUR)
    return {
        "heap_after_b": net[-1][1],
        "heap_growth_b": late - early,
        "heap_peak_b": peak_b - without.get(peak_ms, alone.result["first_b"]),
    }


def block(directory):
    """Return the heap where TLS starts, in the first of some sizes in which the log-in comes through."""
    micropython = toolchain.micropython32()
    beside = standins(micropython)
    for kib in _HEAPS_KIB:
        found = _heap_at_tls(directory / str(kib), micropython, kib * KIB + beside)
        if found:
            return {"heap_block_b": found["block_b"], "heap_free_b": found["free_b"], "heap_given_b": kib * KIB}
    return {"heap_block_b": None, "heap_free_b": None, "heap_given_b": None}


def _heap_at_tls(directory, micropython, heap_b):
    with MeteredWorld(directory, broker="own", tls="good", micropython=micropython, heap=heap_b) as world:

        def settled():
            lost = world.chip.boots > 1 or "MemoryError" in world.chip.console_text()
            return "lost" if lost else "online" if world.platform.uplinks("FF") else None

        if wait_for(settled, world.story, _AWAIT_S) == "lost":
            return None
        return world.heaps_at_tls()[0]


def air(directory):
    """Return the IP bytes of a heartbeat and of 30 days, counted at the simulator's socket under TLS 1.2 (as on the chip)."""
    figures = {}
    for profile, name in (("plain", "month_air_b"), ("iotda", "month_air_iotda_b")):
        samples = _hour_of_air(directory / profile, profile)
        start, end = samples[5 * MINUTE], samples[5 * MINUTE + HOUR]
        figures[name] = start + (end - start) * 24 * _DAYS
        if profile == "plain":
            minutes = [samples[number * MINUTE + MINUTE] - samples[number * MINUTE] for number in range(5, 65)]
            figures["heartbeat_air_b"] = round(median(minutes))
    return figures


def _hour_of_air(directory, profile):
    """Return {ms: IP bytes so far} each minute; on the 64-bit port, whose mbedTLS speaks TLS 1.2 as the chip's does."""
    world = VirtualWorld(
        directory, toolchain.micropython(), HOUR + 5 * MINUTE + 1000, profile=profile, tls=True, sample_every_ms=MINUTE
    )
    return {sample["ms"]: sample["air_b"] for sample in world.run().samples}
