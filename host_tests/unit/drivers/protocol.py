"""Builds and reads the authority's messages on either interpreter.

case: {"do": one of the functions below, ...}. Payloads are hex. What is read comes back as a list of fields, or
["malformed", reason]; what is built, as hex.
"""

from binascii import hexlify, unhexlify

from terminal import protocol, reports


def _parse(case):
    try:
        return list(protocol.parse_command(unhexlify(case["payload"])))
    except protocol.Malformed as error:
        return ["malformed", error.args[0]]


def _moment(value):
    return None if value is None else tuple(value)


def _build(case):
    kind, arguments = case["kind"], case["arguments"]
    if kind == "answer":
        return protocol.answer(*arguments)
    if kind == "event":
        arguments[4] = tuple(arguments[4])
    elif kind == "alarm":
        arguments[1:3] = [_moment(moment) for moment in arguments[1:3]]
    room = reports if kind in ("login", "position") else protocol
    content = getattr(room, kind)(*arguments) if kind else arguments[0]
    if case.get("moment"):
        protocol.stamped(content, tuple(case["moment"]))
    if case.get("dated"):
        content = protocol.dated(content, *case["dated"])
    return protocol.uplink(case["code"], content)


def _heartbeats(case):
    """Contents of a row of heartbeats: each [now_s, facts, acknowledged], or null for a new login."""
    known = {}
    contents = []
    for step in case["steps"]:
        if step is None:
            known = {}
            continue
        now_s, facts, acknowledged = step
        contents.append(protocol.heartbeat(known, facts, now_s, case["full_s"]))
        if acknowledged:
            known.update(contents[-1])
    return contents


def run(case):
    """Do what the case says."""
    do = case["do"]
    if do == "parse":
        return _parse(case)
    if do == "build":
        return hexlify(_build(case)).decode()
    if do == "e7_text":
        return reports.e7_text(case["value"])
    return _heartbeats(case)
