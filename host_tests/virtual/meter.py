"""Looks at the heap and the air while the world runs. MicroPython.

A sample is gc.mem_alloc() after a collection. The peak is the highest of them, taken after each import of the boot and after
each step of the clock within the scenario's windows.
"""

import builtins
import gc
import json
import sys


def _collected():
    gc.collect()
    return gc.mem_alloc()


class Meter:
    """scenario: sample_every_ms (0: never), sample_at_ms (a list), peak_windows_ms ([[from, to]]), modules_at_ms."""

    def __init__(self, world, core, file, scenario):
        self.peak = [0, 0]  # [ms, bytes]
        self.modules = []
        self.first_b = 0
        self.file = file
        self._world = world
        self._core = core
        self._every_ms = scenario["sample_every_ms"]
        self._windows = scenario["peak_windows_ms"]
        if self._every_ms:
            world.at(self._every_ms, self._sample_again)
        for at_ms in scenario["sample_at_ms"]:
            world.at(at_ms, self._sample)
        world.at(scenario["modules_at_ms"], self._list_modules)

    def begin(self):
        """The terminal gets its power now."""
        self.first_b = _collected()
        if self._windows:
            self._follow_steps()
            self._follow_imports()

    def _sample_again(self):
        self._world.at(self._world.ms + self._every_ms, self._sample_again)
        self._sample()

    def _sample(self):
        total = self._core.links.state()["total"]
        line = {"ms": self._world.ms, "heap_b": _collected(), "air_b": total["ip_up"] + total["ip_down"]}
        self.file.write(json.dumps(line) + "\n")

    def _list_modules(self):
        self.modules = sorted(sys.modules)

    def _look(self):
        now_b = _collected()
        if now_b > self.peak[1]:
            self.peak[:] = (self._world.ms, now_b)

    def _follow_steps(self):
        step, windows, world = self._world.step, self._windows, self._world

        def watched(limit):
            step(limit)
            for start, end in windows:
                if start <= world.ms < end:
                    self._look()
                    break

        world.step = watched

    def _follow_imports(self):
        plain = builtins.__import__

        def watched(*arguments):
            module = plain(*arguments)
            self._look()
            return module

        builtins.__import__ = watched
