"""Modules that are needed once or now and then: their code is given back to the heap after use."""

from modem.borrow import borrow as _borrow


def borrow(name):
    """Import terminal.<name> without keeping it; see `modem.borrow`."""
    return _borrow(name, "terminal")
