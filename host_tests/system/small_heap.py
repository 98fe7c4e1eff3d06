"""The story for the small heap: log-in over TLS, on, working, off, an outage while locked, and the way back.

`python -m host_tests.system.small_heap [KiB …]` tells for each size beside the stand-ins whether the story passes in it;
without sizes it looks for the smallest that does.
"""

import sys
import tempfile

from hanma import toolchain
from host_tests.port.chip import standins_bytes
from host_tests.system.harness import FACTOR, World, staged_tree

KIB = 1024
# 162 KB are free on an ESP32 without PSRAM and TLS takes 37 of them: 100 KiB is where this has to go. Today it is here.
HEAP = 120 * KIB
_EMERGENCY_S = 60  # host seconds
_STEP = 4 * KIB


def standins(micropython):
    """Return how many bytes the stand-ins take in a world of the harness."""
    return standins_bytes(micropython, FACTOR, tree=staged_tree())


def play(directory, micropython, heap, world_class=World):
    """Play the story in so many bytes of heap and return the ended world. AssertionError where it does not go on."""
    # as on the boards: it is known what modem is on them
    settings = {"handover_idle_s": 20, "modem_family": "simcom"}
    with world_class(
        directory, broker="own", tls="good", config=settings, factor=FACTOR, micropython=micropython, heap=heap
    ) as world:
        login = world.until_online()
        assert login["reset"]["boot"] == 1
        world.switch_on("J1")
        world.until_event(relay=1, cause="order", job="J1")
        world.chip.set_pin(23, "1")
        world.until_beat(welding=True, relay=1)
        world.chip.set_pin(23, "0")
        answer = world.platform.answer(world.platform.order(0, job="J1"))
        assert answer["code"] == 200
        world.until_event(relay=0, cause="order")
        _outage(world)
    return world


def _outage(world):
    world.sim.call("network", up=False)
    world.until_relay(1, _EMERGENCY_S)
    world.sim.call("network", up=True)
    world.until_event(relay=1, cause="emergency", timeout_s=_EMERGENCY_S)
    world.until_event(relay=0, cause="emergency_end", timeout_s=_EMERGENCY_S)
    assert world.relay_edges() == [0, 1, 0, 1, 0]


def passes(micropython, heap, beside):
    """Return whether the story passes in that many bytes beside the stand-ins, without a reset or a MemoryError."""
    with tempfile.TemporaryDirectory(prefix="hanma-heap-") as directory:
        try:
            world = play(directory, micropython, heap + beside)
        except AssertionError:
            return False
        return world.chip.boots == 1 and "MemoryError" not in world.chip.console_text()


def smallest(micropython, low=64 * KIB, high=HEAP):
    """Return the smallest heap in bytes, in steps of 4 KiB, in which the story passes; high must suffice."""
    beside = standins(micropython)
    while high - low > _STEP:
        middle = (low + high) // 2 // _STEP * _STEP
        if passes(micropython, middle, beside):
            high = middle
        else:
            low = middle
    return high


def main():
    """Say how it goes in the sizes named, or look for the smallest."""
    micropython = toolchain.micropython32()
    beside = standins(micropython)
    print(f"stand-ins: {beside} bytes")
    for text in sys.argv[1:]:
        print(f"{text} KiB: {'passes' if passes(micropython, int(text) * KIB, beside) else 'does not pass'}", flush=True)
    if not sys.argv[1:]:
        print(f"smallest: {smallest(micropython) // KIB} KiB")


if __name__ == "__main__":
    main()
