"""What a board takes from the box to a locked terminal: `hanma provision` through mpremote's transport at a virtual board's pty.

A pty has no baud rate: the seconds are this host's, with the self test's waits for a simulated modem, board and modem in real
time. Bytes are counted at the board's end of the pty, both ways; beside them stands what they would need on a UART.
"""

import time

from host_tests.benchmarks import wire
from host_tests.system.provisioning import BUTTON_PIN, Bench


def measure(directory):
    """Return the figures of a fresh board, and of the same one again when nothing differs."""
    directory.mkdir(parents=True)
    with Bench(directory) as bench:
        board = bench.board(with_modem=False, time_factor=1)
        bench.modem(board, "--speed", "1")
        bench.batch(1)
        figures = _once("provision", bench, board)
        board.control.call("press_button", pin=BUTTON_PIN)
        figures.update(_once("provision_again", bench, board))
    return figures


def _once(name, bench, board):
    before_b, began = _moved_b(board), time.monotonic()
    bench.passes(board.pts)
    seconds, moved_b = time.monotonic() - began, _moved_b(board) - before_b
    return {f"{name}_s": round(seconds, 1), f"{name}_b": moved_b, f"{name}_wire_s": round(wire.seconds(moved_b), 1)}


def _moved_b(board):
    state = board.state()
    return state["received"] + state["sent"]
