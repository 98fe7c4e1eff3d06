"""Modules that are needed once or now and then: their code is given back to the heap after use."""

import sys


def borrow(name):
    """Import terminal.<name> without keeping it: once the caller lets go of what it took, the code can be collected.

    Functions and classes keep their whole module alive; take values out of it, or let go of it as a whole.
    """
    package = "terminal"
    module = __import__(package + "." + name, None, None, (name,))
    del sys.modules[package + "." + name]
    delattr(sys.modules[package], name)
    return module
