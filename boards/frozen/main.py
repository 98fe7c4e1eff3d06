"""The main.py of an image with the boot path frozen in: it goes on with what its boot.py has chosen. A crash is a reset."""

try:
    import os
    import sys

    if sys.path[0]:
        import main  # noqa: F401
    else:
        os.stat("/main.py")
        execfile("/main.py")  # noqa: F821 - a builtin of MicroPython
except OSError as error:
    sys.print_exception(error)
except BaseException as error:
    import machine

    sys.print_exception(error)
    machine.reset()
