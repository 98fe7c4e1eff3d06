"""How long one step of the terminal's loop takes: through a TLS handshake, and a flood of orders.

What a host cannot show is an ESP32's time for a step. It can show how the work of a flood is cut into steps, and how much
computing there is in each: that times a chip's slowness is the answer, as far as there is one without the chip.
"""


from hanma import stage
from host_tests.benchmarks.metered import MeteredWorld

FLOOD = 500
_AWAIT_S = 60
_HANDSHAKE = "shake"  # terminal.tls_open: mbedTLS checks the certificate in it, in C; staging shortens its name


def measure(directory):
    """Return the longest step, its computing time, the longest but the handshake's, and a flood's steps."""
    settings = {"switch_min_interval_s": 0}
    with MeteredWorld(directory, broker="own", tls="good", config=settings, factor=1, sim=("--latency", "0")) as world:
        world.until_online(timeout_s=_AWAIT_S)
        before = len(world.notes())
        orders = [world.platform.order((number + 1) % 2, job="J1") for number in range(FLOOD)]
        world.platform.answer(orders[-1], _AWAIT_S)  # of those between, some answers are dropped and counted
        notes = world.notes()
    sums = [note for note in notes[before:] if "steps" in note]
    holds = [note for note in notes if "task" in note]
    longest = max(holds, key=_hold_us)
    handshake = (_HANDSHAKE, stage.shortener().short.get(_HANDSHAKE))
    steps, cpu_us = [sums[-1][name] - sums[0][name] for name in ("steps", "cpu_us")]
    return {
        "loop_hold_max_ms": round(longest["hold_us"] / 1000, 1),
        "loop_hold_cpu_ms": round(longest["cpu_us"] / 1000, 1),
        "loop_hold_python_ms": round(max(_hold_us(note) for note in holds if note["task"] not in handshake) / 1000, 1),
        "flood_steps": round(steps / FLOOD, 1),
        "flood_step_cpu_ms": round(cpu_us / steps / 1000, 3),
    }


def _hold_us(note):
    return note["hold_us"]
