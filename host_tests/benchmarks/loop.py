"""How long one step of the terminal's loop takes at the most: through a TLS handshake, and a flood of orders."""

from host_tests.benchmarks.metered import MeteredWorld
from host_tests.system.harness import wait_for

FLOOD = 100
_AWAIT_S = 60


def measure(directory):
    """Return loop_hold_max_ms and the computing time of that step."""
    settings = {"switch_min_interval_s": 0}
    with MeteredWorld(directory, broker="own", tls="good", config=settings, factor=1, sim=("--latency", "0")) as world:
        world.until_online(timeout_s=_AWAIT_S)
        for number in range(FLOOD):
            world.platform.order((number + 1) % 2, job="J1")
        wait_for(lambda: _answers(world) >= FLOOD, lambda: f"{_answers(world)} answers: {world.story()}", _AWAIT_S)
        longest = world.notes()[-1]
    return {"loop_hold_max_ms": round(longest["hold_us"] / 1000, 1), "loop_hold_cpu_ms": round(longest["cpu_us"] / 1000, 1)}


def _answers(world):
    return sum("/response/" in topic for topic, _, _ in world.platform.messages)
