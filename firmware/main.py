"""Runs the terminal for ever. An end of any kind is a reset, never a REPL prompt, unless `console` has let somebody interrupt it.

Before a reset that the supervisor wants the platform is told. Where the terminal cannot be built, not even in minimal mode, its
last resort is what `terminal.alone` builds.
"""

try:
    # boot.py has run a slot's main.py, which has let somebody in: nothing may run beside
    is_served = globals().get("is_served", False)
    if not is_served:
        import asyncio
        import gc

        import micropython

        micropython.kbd_intr(-1)
        # asyncio loads these parts when they are asked for: here, while the heap is in one piece
        from asyncio import Event, Lock, wait_for_ms  # noqa: F401

        from terminal.borrow import borrow

        try:
            supervisor, leave = borrow("app").build()
        except Exception as error:
            supervisor, leave = borrow("alone").build(error)
        gc.collect()
        gc.threshold(4096)  # early and often: a few ms each, and the free memory stays in one piece
        asyncio.run(supervisor.run())
        if leave:
            asyncio.run(leave("restart"))
except KeyboardInterrupt:
    micropython.kbd_intr(-1)  # a second one would be a reset
    is_served = borrow("console").run()
except BaseException as error:
    import sys

    sys.print_exception(error)
finally:
    if not is_served:
        import machine

        machine.reset()
