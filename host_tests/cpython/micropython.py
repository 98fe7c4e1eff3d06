"""The few names of MicroPython's own module that pure files import, for CPython."""


def const(value):
    """Return value: on MicroPython the compiler folds it."""
    return value
