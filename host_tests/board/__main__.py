"""A virtual board as a process: `python -m host_tests.board --directory DIR`.

It prints one line of JSON when it is ready ({"port", "pts", "control"}) and runs until SIGTERM; the directory keeps its flash.
"""

import argparse
import asyncio
import json
import pathlib
import signal
import subprocess

from hanma import toolchain
from host_tests.board import partitions
from host_tests.board.control import BoardControl
from host_tests.board.shell import Shell

MACHINE = "Generic ESP32 module with ESP32"
BUILD = "ESP32_GENERIC"
_OPTIONS = (
    ("--directory", str, None, "where the flash image, NVS and logs are"),
    ("--identity", str, "240ac4000001", "the chip's unique id, twelve hexadecimal digits"),
    ("--micropython", str, None, "the interpreter (default: the pinned wheel's)"),
    ("--machine", str, MACHINE, "what the board says it is"),
    ("--build", str, BUILD, "MicroPython's name of the board"),
    ("--version", str, None, "the firmware's version text, as in its banner (default: the interpreter's own)"),
    ("--partitions", str, str(partitions.STOCK), "CSV file of the partition table, for a new flash"),
    ("--frozen", str, None, "what an image with a boot path of its own has frozen in, a directory (as boards/frozen)"),
    ("--heap", str, None, "MicroPython's heap (default: the interpreter's own)"),
    ("--time-factor", int, 1, "the board's seconds in one real second"),
    ("--control", int, 0, "the control channel's TCP port (default: any)"),
)


def arguments():
    """Return the parsed command line."""
    parser = argparse.ArgumentParser(prog="python -m host_tests.board", description="A virtual ESP32 board on a pty.")
    for option, kind, default, text in _OPTIONS:
        parser.add_argument(option, type=kind, default=default, required=option == "--directory", help=text)
    parser.add_argument("--off", action="store_true", help="start without power")
    return parser.parse_args()


def own_version(micropython):
    """Return the interpreter's version text, shaped as an ESP32's: "v1.29.0-preview on 2026-07-05"."""
    code = "import sys; print('.'.join(map(str, sys.implementation.version)), sys.version.rpartition(' on ')[2])"
    release, date = subprocess.check_output([str(micropython), "-c", code], text=True).split()
    numbers = release.rstrip(".").split(".")
    return f"v{'.'.join(numbers[:3])}{''.join('-' + kind for kind in numbers[3:])} on {date}"


def build(loop, options):
    """Return the board, not yet powered."""
    micropython = options.micropython or toolchain.micropython()
    version = options.version or own_version(micropython)
    env = {
        "HANMA_MACHINE": options.machine,
        "HANMA_BUILD": options.build,
        "HANMA_VERSION": version,
        "HANMA_UNIQUE_ID": options.identity,
    }
    if options.frozen:
        env["HANMA_FROZEN"] = str(pathlib.Path(options.frozen).resolve())
    return Shell(
        loop,
        pathlib.Path(options.directory),
        f"MicroPython {version}; {options.machine}",
        table=partitions.load(options.partitions),
        micropython=micropython,
        heap=options.heap,
        time_factor=options.time_factor,
        env=env,
    )


async def serve(options):
    """Run until a signal comes."""
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    board = build(loop, options)
    control = BoardControl(board)
    try:
        address = await control.start(options.control)
        board.cable.plug()
        if not options.off:
            board.chip.power_on()
        print(json.dumps({"port": str(board.cable.path), "pts": board.cable.pts, "control": list(address)}), flush=True)
        await stop.wait()
    finally:
        control.close()
        board.close()


if __name__ == "__main__":
    asyncio.run(serve(arguments()))
