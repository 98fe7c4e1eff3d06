"""`python -m host_tests.sim`: a simulated modem on a pty. See --help."""

import argparse
import asyncio
import json
import pathlib
import random
import signal
import time

from host_tests.sim.control_server import ControlServer
from host_tests.sim.families import NAMES, named
from host_tests.sim.modem_core import make
from host_tests.sim.real_network import RealNetwork
from host_tests.sim.shell import PowerFile, Shell, new_event_loop
from host_tests.sim.track import Track, load

_TRACK = pathlib.Path(__file__).parent / "tracks" / "chongqing.csv"
_EPILOG = """
It prints one line of JSON: {"tty": …, "control": [host, port], "seed": …} and runs until it is interrupted.
Replies are cut into random pieces of 1 to 64 bytes; the same --seed cuts the same way.

Talk to it by hand:
    python -m host_tests.sim --link /tmp/modem
    picocom -b 115200 /tmp/modem        (or: screen /tmp/modem 115200)
    AT
    AT+CEREG?
    AT+NETOPEN                                (--family quectel: AT+QURCCFG="urcport","uart1" and AT+QIACT=1)
    AT+CIPRXGET=1
    AT+CIPOPEN=0,"TCP","example.com",80       any name leads to 127.0.0.1, unless --name says otherwise
Turn its world (any TCP client will do, for example nc 127.0.0.1 <port>):
    {"cmd": "help"}                           all commands and faults
    {"cmd": "state"}                          counters too: bytes on the UART, IP bytes on the air
    {"cmd": "signal", "rsrp_dbm": null}       and "sim", "bearer", "network", "mute", "reboot", "fault", …
    {"cmd": "watch"}                          events as they happen

The modem is powered at the start. There is no wire for the power key: use
{"cmd": "power", "pulse_ms": 100}, or --power-file with the pin log of a chip (JSON lines
{"t_us", "pin", "level"}) and --power-pin.

A pty has no baud rate of its own; the one its user sets (stty, picocom -b) is compared with the modem's,
and bytes at the wrong rate are lost.
"""


# option, type (None: a flag), default, placeholder, help
_OPTIONS = (
    ("--family", str, NAMES[0], "NAME", "the modem: " + ", ".join(NAMES)),
    ("--seed", int, None, "N", "seed of cuts and delays (default: random, printed)"),
    ("--speed", float, 1.0, "F", "how much faster than real everything runs, the baud rate too"),
    ("--latency", float, 1.0, "F", "factor on the modem's delays; 0 removes them"),
    ("--baud", int, None, "B", "the modem's stored baud rate (default: the family's); 0: found from the first AT"),
    ("--link", str, None, "PATH", "make a symbolic link to the pty here"),
    ("--control", int, 0, "PORT", "port of the control channel (default: a free one)"),
    (
        "--track",
        str,
        str(_TRACK),
        "FILE",
        "positions to play: CSV or JSON lines (default: a Chongqing drive)",
    ),
    ("--time", int, None, "UNIX_MS", "the world's clock at the start (default: this machine's)"),
    ("--name", list, [], "HOST=IP", "a name's address; an empty IP: unknown (may be repeated)"),
    ("--any-name", str, "127.0.0.1", "IP", "the address of every other name"),
    ("--set", list, [], "KEY=VALUE", "set one of the family's settings, for example model, imsi, gnss"),
    ("--off", None, False, None, "start with the modem switched off"),
    ("--power-file", str, None, "PATH", "pin log of a chip; its --power-pin works the power key"),
    ("--power-pin", int, None, "N", "the chip's output pin that presses the power key"),
    ("--power-active", int, 1, "LEVEL", "the level that presses it (default 1)"),
    ("--host-buffer", int, 0, "BYTES", "lose bytes when the host has this many unread"),
    ("--whole", None, False, None, "do not cut replies into pieces"),
)


def arguments():
    """Return the parsed command line."""
    parser = argparse.ArgumentParser(
        prog="python -m host_tests.sim",
        description="A simulated LTE modem on a pseudo terminal, with real sockets behind it.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    for option, kind, default, placeholder, text in _OPTIONS:
        if kind is None:
            parser.add_argument(option, action="store_true", help=text)
        elif kind is list:
            parser.add_argument(option, action="append", default=default, metavar=placeholder, help=text)
        else:
            parser.add_argument(option, type=kind, default=default, metavar=placeholder, help=text)
    return parser.parse_args()


def settings_of(options):
    """Return the core's settings from the command line."""
    known = named(options.family).SETTINGS
    settings = {"unix_ms": options.time or time.time_ns() // 1000000}
    if options.baud is not None:
        settings["baud"] = options.baud
    for pair in options.set:
        key, _, value = pair.partition("=")
        if key not in known:
            raise SystemExit("no setting %r; there are %s" % (key, ", ".join(sorted(known))))
        settings[key] = type(known[key])(int(value)) if isinstance(known[key], int) else value
    return settings


def build(loop, options, seed):
    """Return (shell, network) with a core that is not yet powered."""
    network = RealNetwork(loop)
    core = make(network, settings_of(options), seed, round(options.latency * 100), family=options.family)
    core.services.track = Track(load(options.track))
    core.links.any_name = options.any_name
    for pair in options.name:
        host, _, address = pair.partition("=")
        core.links.names[host] = address or None
    shell = Shell(loop, core, seed, options.speed, options.link, options.host_buffer, options.whole)
    network.attach(shell)
    return shell, network


async def serve(loop, options):
    """Run until a signal comes."""
    seed = random.randrange(65536) if options.seed is None else options.seed
    shell, network = build(loop, options, seed)
    control = ControlServer(shell, loop)
    address = await control.start(options.control)
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    if options.power_file:
        loop.create_task(
            PowerFile(shell, options.power_file, options.power_pin, options.power_active, json.loads).run()
        )
    print(json.dumps({"tty": shell.tty, "control": list(address), "seed": seed}), flush=True)
    if not options.off:
        shell.core.power(shell.now_ms(), True)
        shell.flush()
    await stop.wait()
    control.close()
    network.close_all()
    shell.close()


def main():
    """Start the simulator."""
    options = arguments()
    loop = new_event_loop()
    asyncio.set_event_loop(loop)
    try:
        loop.run_until_complete(serve(loop, options))
    finally:
        for task in asyncio.all_tasks(loop):
            task.cancel()
        loop.run_until_complete(asyncio.sleep(0))
        loop.close()


if __name__ == "__main__":
    main()
