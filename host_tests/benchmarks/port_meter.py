"""Measures inside the terminal's process, for benchmarks: how long the loop is held, and the heap where TLS starts. MicroPython.

Imported by a boot.py that a benchmark has changed (see metered.py). Writes lines of JSON to `meter.jsonl` in the chip's state
directory: {"hold_us", "cpu_us", "task"} for each step of a task that is its longest so far; after each so many steps of the loop
{"steps", "cpu_us"}, both since the start. What micropython.mem_info() says at
each start of TLS goes to the console.
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
_STEPS = 100  # between two notes of the sum


def note(**line):
    """Write one line."""
    _FILE.write(json.dumps(line) + "\n")


def _watch_loop():
    """Take the time from each return of the loop's wait to the next call of it: one step of one task."""
    core = asyncio.core
    plain = core.IOQueue.wait_io_event
    longest = {}  # name of a coroutine -> µs
    began = [0, 0.0]  # µs, CPU seconds
    steps = [0]

    def watched(queue, dt):
        steps[0] += 1
        if steps[0] % _STEPS == 0:
            note(steps=steps[0], cpu_us=int(utime.clock() * 1000000))
        held_us = utime.ticks_diff(utime.ticks_us(), began[0])
        if began[0] and held_us > _LEAST_US:
            task = repr(core.cur_task and core.cur_task.coro).split("'")[1]
            if held_us > longest.get(task, 0):
                longest[task] = held_us
                note(hold_us=held_us, cpu_us=int((utime.clock() - began[1]) * 1000000), task=task)
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
