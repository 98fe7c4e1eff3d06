"""Fits the frozen asyncio to the stand-ins: its waits in terminal time, Ctrl-C as the chip has it.

The loop's C part stamps tasks with the host's own ticks, so the loop gets ticks that are never behind those:
the host's, run ahead by the factor. What the firmware reads from `time` are the terminal's ticks; both move
alike.
"""

import sys

import hanma_port
import utime


def install(factor):
    """Give asyncio the terminal's time; factor is terminal seconds per host second."""
    _scale_loop(sys.modules["asyncio.core"], factor)
    _watch_ctrl_c()


def _scale_loop(core, factor):
    start = utime.ticks_ms()

    def ticks():
        """Return the host's ticks, run ahead by the factor."""
        return utime.ticks_add(start, utime.ticks_diff(utime.ticks_ms(), start) * factor)

    core.ticks = utime.ticks_ms if factor == 1 else ticks
    core.ticks_diff = utime.ticks_diff
    core.ticks_add = utime.ticks_add
    if factor == 1:
        return
    plain = core.IOQueue

    class ScaledQueue(plain):
        """Waits for terminal ms."""

        def wait_io_event(self, dt):
            plain.wait_io_event(self, (dt + factor - 1) // factor if dt > 0 else dt)

    core.IOQueue = ScaledQueue
    core.new_event_loop()


class _Micropython:
    """The `micropython` module, with a Ctrl-C that the chip runner can know about."""

    def __init__(self, module):
        for name in dir(module):
            setattr(self, name, getattr(module, name))
        self._kbd_intr = module.kbd_intr
        self.kbd_intr = self._tell_kbd_intr

    def _tell_kbd_intr(self, character):
        """Arm or disarm KeyboardInterrupt; disarmed, the runner sends no signal."""
        if character >= 0:
            self._kbd_intr(character)
        hanma_port.tell("kbd %d" % character)


def _watch_ctrl_c():
    import micropython

    sys.modules["micropython"] = _Micropython(micropython)
