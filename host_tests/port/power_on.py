"""What the chip does at boot: boot.py, then main.py, then a REPL; without a console on it the terminal sits dead there.

State: none but what it hands over: the stand-ins are put before the frozen modules, the loop gets the terminal's time, and the
stack is as short as the chip's. Imported by `run.py`, and a stand-in itself: on the chip all of this is C.
"""

import gc
import os
import sys

import micropython

_STACK_WORDS = 4096  # ports/esp32: a task of 16 KiB, words of 4 bytes
_HOST_STACK_WORDS = 10000  # ports/unix: 40,000 bytes, scaled by the word
# Each import under way keeps a path of PATH_MAX bytes on the unix port's stack, of 128 on the chip's; boot nests five.
_IMPORT_BYTES = 5 * 4096
_MACHINE = os.getenv("HANMA_MACHINE")  # the board's own text: the chip has a console, and is an ESP32 in every word
_IS_RAW = os.getenv("HANMA_RAW") == "1"  # a soft reset out of the raw REPL: main.py does not run

_names = {"__name__": "__main__"}


def begin(bare_bytes):
    """Load the stand-ins, tell what they cost beside so many bytes of a bare MicroPython, and boot; never returns."""
    sys.argv[:] = []
    import asyncio  # noqa: F401
    import socket  # noqa: F401
    import ssl  # noqa: F401

    import esp32  # noqa: F401
    import flash_image
    import hanma_port
    import loop
    import machine  # noqa: F401

    loop.install(hanma_port.FACTOR)
    if _MACHINE:
        _become_a_board()
    flash_image.mount()
    hanma_port.tell("idle")  # its pipe is open from here on
    frozen_bytes = 0 if _MACHINE else _load_library()
    gc.collect()
    hanma_port.tell("boot %d" % (gc.mem_alloc() - bare_bytes - frozen_bytes))
    _with_short_stack()


def _become_a_board():
    """Load what a board with a console has more; from now on imports look where an ESP32's do."""
    import hanma_repl  # noqa: F401
    import identity
    import partition  # noqa: F401

    identity.install(_MACHINE)
    sys.path[:] = ["", ".frozen", "/lib"]


def _load_library():
    """Load umqtt.simple, which the chip's image has frozen and this one has not; return what it takes of the heap there too.

    That is its names, its classes and an object for each function, but none of its code.
    """
    try:
        from umqtt import simple
    except ImportError:
        return 0
    gc.collect()
    before = gc.mem_alloc()
    copies = [dict(simple.__dict__), dict(simple.MQTTClient.__dict__)]
    functions = [value for names in copies for value in names.values() if callable(value)]
    before += 4 * len(functions)  # of the list itself
    copies.append([lambda: None for _ in functions])
    gc.collect()
    return gc.mem_alloc() - before


def _with_short_stack():
    """Use up stack until as much is left as on the chip, then boot."""
    word = 4 if sys.maxsize < 1 << 32 else 8
    if micropython.stack_use() < (_HOST_STACK_WORDS - _STACK_WORDS) * word - _IMPORT_BYTES:
        _with_short_stack()
    else:
        _boot()


def _boot():
    if _run_file("boot.py") and not _IS_RAW:
        _run_file("main.py")
    import hanma_port

    if _MACHINE:
        hanma_port.tell("repl")
        sys.modules["hanma_repl"].serve(_names)
    print("the terminal is at a REPL now")
    hanma_port.stop("repl")


def _is_there(name):
    try:
        return bool(os.stat(name))
    except OSError:
        return False


def _run_file(name):
    """Run one file as the chip does, what is frozen before what is on the file system, both in the same names.

    Return False when it ended at a REPL.
    """
    import hanma_port
    import micropython

    micropython.kbd_intr(3)
    try:
        if not sys.modules["flash_image"].run_frozen(name, _names) and _is_there(name):
            execfile(name, _names)  # noqa: F821
    except SystemExit:
        hanma_port.stop("reset soft")
    except BaseException as error:
        sys.print_exception(error)
        return False
    finally:
        micropython.kbd_intr(-1)
    return True
