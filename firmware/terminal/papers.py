"""What a login tells: who this is, what runs here, and how it started. Borrowed for each login."""

import sys

import machine

from terminal import VERSION
from terminal.borrow import borrow


def papers(herald):
    """Return the login's content, without its time. herald: `terminal.herald.Herald`."""
    parts = herald.parts
    modem = herald.modem
    lock = parts.guard.interlock
    store = parts.store
    versions = {
        "firmware": VERSION,
        "micropython": sys.version,
        "modem": modem.model,
        "board": parts.board["name"],
    }
    login = borrow("reports").login
    relay = 1 if lock.powered else 0
    return login(herald.device_id, modem.iccid, modem.imei, versions, reset(store), parts.resumed, relay, lock.state)


def reset(store):
    """Return how this boot came about: cause is machine.reset_cause(), intent why it was wanted, None for a crash or a cut."""
    return {
        "cause": machine.reset_cause(),
        "boot": store.number,
        "intent": store.intent,
        "minimal": store.is_minimal,
    }


def restarted(parts, moment):
    """Return the content of the report that this boot took place. parts: `terminal.parts`."""
    return borrow("reports").restart(reset(parts.store), parts.resumed, moment)
