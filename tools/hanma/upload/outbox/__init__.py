"""The durable outbox: every record is on the disk before anything is sent, and every change of its state before it is believed.

    journal   states, history, children let go        intake    put, confirm, decide, adopt
    delivery  claim, settle, recover, batches          upkeep    what is kept for how long
    content   bodies with holes for pictures           writer    many callers, one commit
    schema    the tables                               store     the face of it all
"""

from .delivery import CHINA, Item
from .intake import OutboxError, Put
from .journal import ACCEPTED, HELD, QUEUED, REFUSED, SENDING, STATES, UNCERTAIN, WAITING
from .store import Line, Moment, Store, now_ms, open
from .upkeep import RETENTION_DAYS

__all__ = [
    "ACCEPTED",
    "CHINA",
    "HELD",
    "QUEUED",
    "REFUSED",
    "RETENTION_DAYS",
    "SENDING",
    "STATES",
    "UNCERTAIN",
    "WAITING",
    "Item",
    "Line",
    "Moment",
    "OutboxError",
    "Put",
    "Store",
    "now_ms",
    "open",
]
