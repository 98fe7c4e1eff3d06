"""An upgrade over the simulated modem in real time, at 115200 baud with the modem's own delays: the whole release, a difference.

From the order until the terminal reports that the release is whole on flash, signature and hashes checked: that is the transfer.
The switch, which waits for a locked welder, and the trial come after it. Beside the seconds stands the least that the bundle's own
bytes need on the UART; what comes on top is TLS, the modem's commands around each record, and the waits between ranges.
"""

import time

from host_tests.benchmarks import wire
from host_tests.system.harness import staged_tree
from host_tests.upgrade.world import Upgrading, release

_MOST_S = 600
_TRIAL_S = 60  # the least that a terminal takes
_CHANGED = "lib/terminal/protocol.mpy"  # a module of middle size, as in a small correction


def measure(directory):
    """Return the figures of a whole release, and of the next one that carries only what differs."""
    directory.mkdir(parents=True)
    config = {"trial_s": _TRIAL_S, "heartbeat_s": 60, "ota_bytes_per_day": 1_000_000_000}
    first = release(directory / "seven", 7)
    other = (staged_tree() / _CHANGED).read_bytes()[::-1]  # as many bytes; it never runs, the world ends before
    second = release(directory / "eight", 8, {_CHANGED: other}, base=first)
    with Upgrading(directory, config=config, factor=1) as upgrading:
        upgrading.world.chip.power_on()
        upgrading.world.until_online()
        figures = _fetched("upgrade", upgrading, first, 7)
        upgrading.until("confirmed", _MOST_S, version=7)
        figures.update(_fetched("upgrade_diff", upgrading, second, 8))
    return figures


def _fetched(name, upgrading, bundle, version):
    """Order a bundle; return its figures once it is whole on the terminal's flash."""
    url = upgrading.serve(bundle)
    before_b, began = _uart_b(upgrading), time.monotonic()
    upgrading.order(url)
    upgrading.until("ready", _MOST_S, version=version)
    seconds, uart_b = time.monotonic() - began, _uart_b(upgrading) - before_b
    size_b = bundle.stat().st_size
    own_s = wire.seconds(size_b)
    return {
        f"{name}_s": round(seconds, 1),
        f"{name}_b": size_b,
        f"{name}_wire_s": round(own_s, 2),
        f"{name}_ratio": round(seconds / own_s, 2),
        f"{name}_uart_b": uart_b,
    }


def _uart_b(upgrading):
    """Return the bytes that have crossed the UART, both ways."""
    return sum(upgrading.world.sim.call("state")["uart"].values())
