"""Modules that are needed once or now and then: their code is given back to the heap after use."""

import gc
import sys


def borrow(name, package="modem"):
    """Import <package>.<name> without keeping it: once the caller lets go of what it took, the code can be collected.

    Functions and classes keep their whole module alive; take values out of it, or let go of it as a whole. Raises
    ImportError and OSError when the file cannot be read.
    """
    gc.collect()  # what comes and goes, and what is made meanwhile and stays, then lies low and leaves the rest in one piece
    path = package + "." + name
    module = __import__(path, None, None, (name,))
    # A dict that lost an entry keeps its value until the slot is filled again: None must be what stays behind.
    sys.modules[path] = None
    del sys.modules[path]
    holder = sys.modules[package]
    setattr(holder, name, None)
    delattr(holder, name)
    return module
