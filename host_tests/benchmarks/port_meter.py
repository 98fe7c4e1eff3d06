"""Measures inside the terminal's process, for benchmarks: how long the loop is held, and the heap where TLS starts. MicroPython.

Imported by a boot.py that a benchmark has changed (see metered.py). Writes lines of JSON to `meter.jsonl` in the chip's state
directory: {"hold_us", "cpu_us", "task"} for each new longest hold, {"heap": …} with micropython.mem_info() on the console.
"""

import asyncio
import gc
import json
import ssl

import hanma_port
import micropython
import utime

_FILE = open(hanma_port.STATE + "/meter.jsonl", "a")
_LEAST_US = 500  # shorter holds are of no interest


def note(**line):
    """Write one line."""
    _FILE.write(json.dumps(line) + "\n")


def _watch_loop():
    """Take the time from each return of the loop's wait to the next call of it: one step of one task, or several at once."""
    core = asyncio.core
    plain = core.IOQueue.wait_io_event
    began = [0, 0.0, _LEAST_US]  # µs, CPU seconds, longest

    def watched(queue, dt):
        now_us = utime.ticks_us()
        held_us = utime.ticks_diff(now_us, began[0])
        if held_us > began[2] and began[0]:
            began[2] = held_us
            cpu_us = int((utime.clock() - began[1]) * 1000000)
            note(hold_us=held_us, cpu_us=cpu_us, task=repr(core.cur_task and core.cur_task.coro))
        plain(queue, dt)
        began[1] = utime.clock()
        began[0] = utime.ticks_us()

    core.IOQueue.wait_io_event = watched


def _watch_tls():
    plain = ssl.SSLContext.__init__

    def watched(*arguments):
        gc.collect()
        print("heap where TLS starts:")
        micropython.mem_info()
        plain(*arguments)

    ssl.SSLContext.__init__ = watched


_watch_loop()
_watch_tls()
