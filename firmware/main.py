"""Runs the terminal for ever. An end of any kind is a reset, never a REPL prompt."""

try:
    import asyncio
    import gc

    import micropython

    micropython.kbd_intr(-1)
    from terminal.borrow import borrow

    supervisor, leave = borrow("app").build()
    gc.collect()
    gc.threshold(8192)  # early and often: a few ms each, and the free memory stays in one piece
    asyncio.run(supervisor.run())
    asyncio.run(leave("restart"))
except BaseException as error:
    import sys

    sys.print_exception(error)
finally:
    import machine

    machine.reset()
