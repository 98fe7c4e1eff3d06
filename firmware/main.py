"""Runs the terminal for ever. An end of any kind is a reset, never a REPL prompt."""

try:
    import micropython

    micropython.kbd_intr(-1)
    from terminal import app

    app.run()
except BaseException as error:
    import sys

    sys.print_exception(error)
finally:
    import machine

    machine.reset()
