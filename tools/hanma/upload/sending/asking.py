"""Asks the platform about records whose answer was never heard, where its interface has a query for them (rule `ask`).

What it has is accepted; what it says it has not is queued again and is no possible duplicate; what it cannot tell stays uncertain.
"""

import asyncio
from dataclasses import dataclass

from hanma.upload import catalogue
from hanma.upload.outbox import ACCEPTED, QUEUED, UNCERTAIN

_FOUND = {ACCEPTED: "asked: it is there", QUEUED: "asked: it is not there"}


@dataclass(frozen=True)
class _Question:
    """What a client is asked about: a record's table and body."""

    table: str
    content: dict

    def body(self):
        """Return the body as it was sent."""
        return self.content


async def ask_all(store, client):
    """Ask about every uncertain record of the client's platform; return state → how many were found so."""
    tables = catalogue.load(client.platform).tables
    lines = await asyncio.to_thread(lambda: store.find(state=UNCERTAIN, platform=client.platform))
    found = dict.fromkeys(_FOUND, 0)
    for line in lines:
        if tables[line.table].uncertain != "ask":
            continue
        body = await asyncio.to_thread(store.body, line.id)
        state = await client.ask(_Question(line.table, body))
        if state in _FOUND:
            await asyncio.to_thread(store.decide, line.id, state, _FOUND[state], missing_there=state == QUEUED)
            found[state] += 1
    return found
