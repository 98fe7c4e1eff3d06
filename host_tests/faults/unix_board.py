"""The host's board without read-back, for sweeps in which an answer waits for nothing. Runs under MicroPython."""

from boards.unix.board import BOARD as _BOARD

BOARD = dict(_BOARD)
BOARD["readback"] = BOARD["welding"] = None
