"""Drives the AT conversation: steps in, what it told out. Runs on CPython and on MicroPython."""

import binascii

from modem import at
from modem.luat import Luat
from modem.simcom import Simcom

NOTHING, LINE, FINAL, PROMPT, URC, DATA, CORRUPT = range(7)  # what Conversation.next() returns


class Sink:
    """Takes counted data up to its room, as a ring does."""

    def __init__(self, room):
        self.room = room
        self.data = b""

    def write(self, buffer, offset, count):
        count = min(count, self.room - len(self.data))
        self.data += bytes(memoryview(buffer)[offset : offset + count])
        return count


def readable(data):
    """Return bytes as text, what is not printable as \\xNN."""
    return "".join(chr(byte) if 32 <= byte < 127 else "\\x%02x" % byte for byte in data)


def describe(talk, kind, sink):
    """Return one event as a list of JSON values."""
    if kind == LINE:
        return ["line", readable(talk.value())]
    if kind == FINAL:
        return ["final", talk.ok, readable(talk.text())]
    if kind == URC:
        return ["urc", talk.name, readable(talk.value())]
    if kind == DATA:
        return ["data", readable(sink.data)]
    return ["prompt" if kind == PROMPT else "corrupt"]


def run(case):
    """case: {"dialect": "luat" or another, "window": n, "line": n, "steps": [["begin", {…}] | ["abandon"] |
    ["feed", hex, …]]}; each hex one read.

    Returns {"events": […], "unknown": n, "overlong": n, "stale": n, "busy": …}.
    """
    dialect = Luat() if case.get("dialect") == "luat" else Simcom()
    talk = at.Conversation(dialect, case.get("window", 512), case.get("line", 192))
    events = []
    sink = None
    for step in case["steps"]:
        if step[0] == "begin":
            options = dict(step[1])
            room = options.pop("room", None)
            sink = options["sink"] = None if room is None else Sink(room)
            if options.get("answer") is not None:
                options["answer"] = options["answer"].encode()
            talk.begin(**options)
        elif step[0] == "abandon":
            talk.abandon()
        else:
            for chunk in step[1:]:
                feed(talk, binascii.unhexlify(chunk), events, sink)
    return {
        "events": events,
        "unknown": talk.unknown,
        "overlong": talk.overlong,
        "stale": talk.stale,
        "busy": talk.busy,
    }


def feed(talk, data, events, sink):
    """Give data through the window, as often as it takes; append what is told."""
    size = len(talk.window)
    for start in range(0, len(data), size):
        part = data[start : start + size]
        talk.window[: len(part)] = part
        talk.feed(len(part))
        while True:
            kind = talk.next()
            if kind == NOTHING:
                break
            events.append(describe(talk, kind, sink))
