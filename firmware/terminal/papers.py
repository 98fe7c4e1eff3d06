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
    reset = {
        "cause": machine.reset_cause(),
        "boot": store.number,
        "intent": store.intent,
        "minimal": store.is_minimal,
    }
    login = borrow("reports").login
    relay = 1 if lock.powered else 0
    return login(herald.device_id, modem.iccid, modem.imei, versions, reset, parts.resumed, relay, lock.state)
