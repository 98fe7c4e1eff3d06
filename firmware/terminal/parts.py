"""What boot.py made and main.py goes on with."""

import time

made = None  # the one Parts of this boot


class Parts:
    """board: the board's data. config, problems: the settings and what was wrong with their file. kept_problem: text when NVS
    could not be read or written, or a record in it was broken, else None. resumed: whether the welder's power was carried over
    a reset.
    """

    def __init__(self, board, config, problems, store, clock, guard, kept_problem):
        self.board = board
        self.config = config
        self.problems = problems
        self.store = store
        self.clock = clock
        self.guard = guard
        self.kept_problem = kept_problem
        self.resumed = guard.interlock.powered  # nothing but a resume powers at once


def rtc_setter(rtc, store):
    """Return what sets the chip's clock (machine.RTC().datetime's tuple) and tells the store by how much it moved."""

    def set_rtc(when):
        before_s = time.time()
        rtc.datetime(when)
        store.clock_moved(time.time() - before_s)

    return set_rtc
