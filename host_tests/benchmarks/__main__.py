"""`python -m host_tests.benchmarks`: figures of the whole terminal. See --help."""

import argparse
import pathlib
import sys
import tempfile
import time

from rich.console import Console

from hanma import toolchain
from host_tests.benchmarks import command, figures, login, loop, provision, service, signature, size, upgrade

# group -> what measures it, given a directory of its own
GROUPS = {
    "command": command.over_modem,
    "socket": command.over_socket,
    "login": login.measure,
    "loop": loop.measure,
    "heap": service.heap,
    "block": service.block,
    "air": service.air,
    "size": size.measure,
    "provision": provision.measure,
    "upgrade": upgrade.measure,
    "signature": signature.measure,
}
_EPILOG = """
groups:
  command    orders over the modem: published by the platform to the edge in the pin log, both unix microseconds
  socket     the same order over a plain socket: our Session, and umqtt.simple's own blocking loop
  login      power-on to log-in acknowledged, in real time; the minimum is reckoned from the simulator's own delays
  loop       the longest step of the asyncio loop through a TLS handshake and a flood of orders
  heap       an hour in virtual time on the 32-bit port; simulator, broker and stand-ins measured alone and subtracted
  block      the largest free block where TLS starts, on the 32-bit port in the smallest heap in which that works
  air        IP bytes under TLS, counted at the simulator's socket over an hour in virtual time
  size       the staged tree, and what of it is loaded after the log-in
  provision  a virtual board through mpremote's transport: fresh, and again when nothing differs; bytes counted on the pty
  upgrade    a whole release and a difference over the simulated modem at 115200 baud, in real time
  signature  a bundle's signature checked in MicroPython, and by cryptography

The last line is one JSON object with every figure. A figure that cannot be had here is null, and the reason is told.
"""


def arguments():
    """Return the parsed command line."""
    parser = argparse.ArgumentParser(
        prog="python -m host_tests.benchmarks",
        description="Figures of the whole terminal: a table, then one line of JSON. About seven minutes.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--only", action="append", choices=tuple(GROUPS), metavar="GROUP", help="only this (may be repeated)")
    return parser.parse_args()


def measured(group, directory, told):
    """Return a group's figures, or None when it failed; what cannot be had here is left out, with the reason."""
    began = time.monotonic()
    try:
        return GROUPS[group](directory / group)
    except toolchain.Missing as error:
        told.print(f"{group}: left out: {error}")
        return {}
    except AssertionError as error:
        told.print(f"{group}: failed: {error}")
        return None
    finally:
        told.print(f"{group}: {time.monotonic() - began:.0f} s")


def main():
    """Measure what is asked for and show it; exits with 1 when a part failed."""
    only = arguments().only
    told = Console(stderr=True)
    with tempfile.TemporaryDirectory(prefix="hanma-benchmark-") as directory:
        results = [measured(group, pathlib.Path(directory), told) for group in only or GROUPS]
    found = {name: value for result in results if result for name, value in result.items()}
    figures.show({name: found.get(name) for name in figures.FIGURES if name in found or not only})
    sys.exit(1 if None in results else 0)


if __name__ == "__main__":
    main()
