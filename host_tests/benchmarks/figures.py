"""Every figure's name, unit in the name, aim and meaning; and how they are shown."""

import json
import statistics

from rich.console import Console
from rich.table import Table

# name -> (aim: the most it should be, or None; what it is)
FIGURES = {
    "command_relay_p50_ms": (None, "order published to relay edge, median of the orders; modem latency 0, switching interval 0"),
    "command_relay_p95_ms": (None, "the same, 95 of 100"),
    "command_relay_max_ms": (None, "the same, worst"),
    "command_wire_ms": (None, "least time of that exchange on the UART: notice, read command, header, record, OK"),
    "command_ratio_p50": (1.5, "command_relay_p50_ms by command_wire_ms"),
    "socket_p50_ms": (None, "the same order over a plain socket, our Session, to the relay edge"),
    "umqtt_p50_ms": (None, "the same over umqtt.simple's own blocking loop"),
    "login_ms": (None, "power-on of terminal and modem to log-in acknowledged; modem latency as measured, plain"),
    "login_minimum_ms": (None, "what of it the modem and the wire take: boot, registration, data call, socket, needed commands"),
    "login_virtual_ms": (None, "the same log-in in virtual time: waiting alone, no computing; other draws of the delays"),
    "loop_hold_max_ms": (50, "longest step of the loop, through TLS handshake and a flood of orders; the host's speed"),
    "loop_hold_cpu_ms": (None, "computing time of that step"),
    "loop_hold_python_ms": (None, "longest step of all other tasks; an ESP32 takes some 70 to 100 times as long"),
    "flood_steps": (None, "steps of the loop for each of 500 orders that come at once: others have their turn between"),
    "flood_step_cpu_ms": (0.5, "computing time of such a step, mean; an ESP32 takes some 70 to 100 times as long"),
    "heap_after_b": (None, "live heap after an hour, 32-bit port, plain, without stand-ins, simulator and broker"),
    "heap_growth_b": (256, "least in minutes 50-60 less least in minutes 10-20"),
    "heap_peak_b": (None, "most live heap: after each import, and each step of the first half minute and of an order"),
    "heap_block_b": (None, "largest free block where TLS starts, 32-bit port, in heap_given_b"),
    "heap_free_b": (None, "all that is free at that moment"),
    "heap_given_b": (102400, "heap beside the stand-ins in which that log-in over TLS comes through"),
    "heartbeat_air_b": (None, "IP bytes of a heartbeat without news, both directions, with TCP's acknowledgements; TLS 1.2"),
    "month_air_b": (12500000, "30 days, plain, TLS, a heartbeat each 60 s, standing still: first 5 minutes + 720 x an hour"),
    "month_air_iotda_b": (14000000, "the same with IoTDA's topics"),
    "staged_b": (61440, "what is flashed, board lilygo_t_a7670"),
    "resident_mpy_b": (45056, "of these files, those whose modules are loaded after log-in"),
    "provision_s": (None, "hanma provision on a fresh virtual board, real time: files, self test with a simulated modem, lock"),
    "provision_b": (None, "bytes at the board's pty for that, both ways"),
    "provision_wire_s": (None, "what these bytes need at 115200 baud; a pty has no baud rate"),
    "provision_again_s": (None, "the same board again, locked, nothing differs"),
    "provision_again_b": (None, "bytes for that"),
    "provision_again_wire_s": (None, "what these need at 115200 baud"),
    "upgrade_s": (None, "a whole release, order to whole on flash; modem at 115200 baud with its own delays, real time"),
    "upgrade_b": (None, "bytes of its bundle"),
    "upgrade_wire_s": (None, "least time of the bundle's own bytes on the UART"),
    "upgrade_ratio": (None, "upgrade_s by upgrade_wire_s"),
    "upgrade_uart_b": (None, "all bytes on the UART meanwhile, both ways: TLS, modem commands, heartbeats"),
    "upgrade_diff_s": (None, "the same for the next release, which carries the one file that differs"),
    "upgrade_diff_b": (None, "bytes of its bundle; most of them are the list of all files"),
    "upgrade_diff_wire_s": (None, "least time of these bytes on the UART"),
    "upgrade_diff_ratio": (None, "upgrade_diff_s by upgrade_diff_wire_s"),
    "upgrade_diff_uart_b": (None, "all bytes on the UART meanwhile"),
    "signature_check_ms": (None, "a bundle's RSA-3072 signature checked in MicroPython, the least of 50; an ESP32 is slower"),
    "signature_check_32bit_ms": (None, "the same on the 32-bit port, another version of MicroPython"),
    "signature_cryptography_ms": (None, "the same bytes and signature checked by cryptography on CPython"),
}


def percentile(values, share):
    """Return the value below which that share (0 to 1) of the values lies."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def median(values):
    """Return the median."""
    return statistics.median(values)


class Least(float):
    """An aim that a figure should reach; any other aim is the most it should be."""


def show(figures, described=None, title="hanma: benchmark"):
    """Print a table for people, then one line of JSON. described: name -> (aim or None, what it is), else FIGURES."""
    table = Table(title=title)
    for heading, place in (("figure", "left"), ("value", "right"), ("aim", "right"), ("what", "left")):
        table.add_column(heading, justify=place)
    for name, (aim, what) in (described or FIGURES).items():
        if name in figures:
            table.add_row(name, _text(figures[name]), _text(aim), what, style=_style(figures[name], aim))
    Console(width=150).print(table)
    print(json.dumps(figures), flush=True)


def _text(value):
    if value is None:
        return ""
    return f"{value:,.2f}" if isinstance(value, float) else f"{value:,}"


def _style(value, aim):
    if aim is None or value is None:
        return None
    missed = value < aim if isinstance(aim, Least) else value > aim
    return "bold red" if missed else None
