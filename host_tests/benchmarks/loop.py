"""How long one step of the terminal's loop takes at the most: through a TLS handshake, and a flood of orders."""

from host_tests.benchmarks.metered import MeteredWorld

FLOOD = 100
_AWAIT_S = 60
_HANDSHAKE = "shake"  # terminal.tls_open: mbedTLS checks the certificate in it, in C


def measure(directory):
    """Return the longest step, its computing time, and the longest of all tasks but the handshake's."""
    settings = {"switch_min_interval_s": 0}
    with MeteredWorld(directory, broker="own", tls="good", config=settings, factor=1, sim=("--latency", "0")) as world:
        world.until_online(timeout_s=_AWAIT_S)
        orders = [world.platform.order((number + 1) % 2, job="J1") for number in range(FLOOD)]
        world.platform.answer(orders[-1], _AWAIT_S)  # of those between, some answers are dropped and counted
        notes = world.notes()
    longest = max(notes, key=_hold_us)
    return {
        "loop_hold_max_ms": round(longest["hold_us"] / 1000, 1),
        "loop_hold_cpu_ms": round(longest["cpu_us"] / 1000, 1),
        "loop_hold_python_ms": round(max(_hold_us(note) for note in notes if note["task"] != _HANDSHAKE) / 1000, 1),
    }


def _hold_us(note):
    return note["hold_us"]
