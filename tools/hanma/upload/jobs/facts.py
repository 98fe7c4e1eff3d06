"""What is known of jobs, as single facts: what a terminal said, what was ordered of it, and what the enterprise says. Pure.

A fact never changes and never goes: what is known is the set of all facts, whatever order they came in (`merging` makes jobs
of it). `facts_of` reads a message, `numbered` tells its place in the terminal's own count. Times are integer milliseconds
since 1970 (`_ms`); None is a time the terminal did not know.
"""

import json
from typing import Literal

from pydantic import TypeAdapter

from ...carriage import COMMAND, RESPONSE, UP
from ...jobs import Job, Record

LOGIN, OFFLINE, HEARTBEAT, POSITION = "00", "Z0", "FF", "EF"
HEARD = "heartbeat"  # the cause of a state that says no more than that the terminal is there


class Switched(Record):
    """A terminal's report that it powered (`on`) or unpowered the welder. boot and seq name it for ever."""

    fact: Literal["switched"] = "switched"
    device: str
    boot: int
    seq: int
    on: bool
    cause: str = ""
    job: str | None = None
    at_ms: int | None = None
    estimated: bool = False
    position: dict | None = None
    welding_s: int | None = None


class Ordered(Record):
    """A command that went to a terminal; only one that names a job belongs to one."""

    fact: Literal["ordered"] = "ordered"
    device: str
    request_id: str
    on: bool
    job: str | None = None
    issued_ms: int | None = None


class Answered(Record):
    """A terminal's answer to the command of that id: 200 carried out, 500 not."""

    fact: Literal["answered"] = "answered"
    device: str
    request_id: str
    code: int
    at_ms: int | None = None


class Said(Record):
    """What the enterprise's side says of a job, as far as it knows it. source: who says so. corrects: a person decided that this
    holds against what was said before."""

    fact: Literal["said"] = "said"
    job: Job
    said_ms: int
    source: str
    corrects: bool = False


class Stated(Record):
    """What a terminal's message tells of its state; None is what the message does not tell. by: whose clock gave at_ms.
    powered, online: as the message shows it; position: as in the message EF."""

    fact: Literal["stated"] = "stated"
    device: str
    at_ms: int
    by: Literal["terminal", "platform"]
    online: bool | None = None
    powered: bool | None = None
    position: dict | None = None
    estimated: bool = False
    cause: str = ""


_END = 2**53  # what JSON carries between any two programs
_PLACE = ("lng", "lat", "system", "source", "accuracy_m", "time")
Fact = Switched | Ordered | Answered | Said | Stated
_ANY = TypeAdapter(Fact)


class Number(Record):
    """A record's place in the terminal's count. dropped: what an alarm `records_dropped` tells: ((boot, seq) of the first,
    (boot, seq) of the last, how many)."""

    device: str
    boot: int
    seq: int
    dropped: tuple[tuple[int, int], tuple[int, int], int] | None = None


def text_of(fact):
    """Return a fact as JSON text, the same for the same fact."""
    return json.dumps(fact.model_dump(mode="json"), sort_keys=True, ensure_ascii=False)


def fact_from(text):
    """Return the fact of a text made by `text_of`."""
    return _ANY.validate_json(text)


def facts_of(message, heard_ms):
    """Return the facts a message (a carriage's Uplink) tells, often none. heard_ms: when it passed here."""
    if message.body is None or not message.device:
        return []
    reader = {UP: _uplink, RESPONSE: _answer, COMMAND: _command}.get(message.kind)
    return reader(message, heard_ms) if reader else []


def numbered(message):
    """Return the Number of a record, None for what is not counted (logins, plain heartbeats, last wills)."""
    content = _content(message)
    if message.kind != UP or content is None:
        return None
    named = content.get("event") if isinstance(content.get("event"), dict) else content
    boot, seq = number(named.get("boot")), number(named.get("seq"))
    if boot is None or seq is None:
        return None
    return Number(device=message.device, boot=boot, seq=seq, dropped=_dropped(content))


def number(value):
    """Return an integer, or None for anything else (a terminal's word is not trusted to be one)."""
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < _END else None


def _content(message):
    content = (message.body or {}).get("content")
    return content if isinstance(content, dict) else None


def _dropped(content):
    detail = content.get("detail")
    if content.get("kind") != "records_dropped" or not isinstance(detail, dict):
        return None
    ends = [detail.get("from"), detail.get("to")]
    if not all(isinstance(end, list) and len(end) == 2 and None not in map(number, end) for end in ends):
        return None
    return tuple(ends[0]), tuple(ends[1]), number(detail.get("count")) or 0


def _uplink(message, heard_ms):
    content = _content(message) or {}
    reader = _UPLINKS.get(str(message.body.get("actionCode")))
    return reader(message.device, content, heard_ms) if reader else []


def _login(device, content, heard_ms):
    relay = _relay(content)
    return [_stated(device, content.get("time"), heard_ms, online=True, powered=relay, cause="login")]


def _offline(device, content, heard_ms):
    reason = content.get("reason")
    return [_stated(device, None, heard_ms, online=False, cause=f"offline:{reason}" if reason else "offline")]


def _position(device, content, heard_ms):
    place = _place(content)
    return _recorded(device, content, position=place, cause="position") if place else []


def _heartbeat(device, content, heard_ms):
    event = content.get("event")
    if not isinstance(event, dict):
        return [_stated(device, None, heard_ms, online=True, powered=_relay(content), cause=HEARD)]
    boot, seq, relay = number(event.get("boot")), number(event.get("seq")), _relay(event)
    if None in (boot, seq, relay):
        return []
    job, place = event.get("job"), _place(event.get("position"))
    at_ms, cause, estimated = number(event.get("time")), str(event.get("cause") or ""), event.get("estimated") is True
    switched = Switched(
        device=device, boot=boot, seq=seq, on=relay, cause=cause, job=None if job in (None, "") else str(job), at_ms=at_ms,
        estimated=estimated, position=place, welding_s=number(event.get("welding_s")),
    )
    return [switched, *_recorded(device, event, powered=relay, position=place, estimated=estimated, cause=cause)]


def _place(content):
    """A position as EF has it, None for one that says that there is none."""
    if not isinstance(content, dict) or content.get("source") == "none" or None in (content.get("lng"), content.get("lat")):
        return None
    return {name: content[name] for name in _PLACE if isinstance(content.get(name), (str, int))}


_UPLINKS = {LOGIN: _login, OFFLINE: _offline, HEARTBEAT: _heartbeat, POSITION: _position}


def _recorded(device, content, **fields):
    """The state that a record tells, if it knows when that was: it may have waited in the terminal for days."""
    at_ms = number(content.get("time"))
    return [] if at_ms is None else [Stated(device=device, at_ms=at_ms, by="terminal", **fields)]


def _stated(device, time, heard_ms, **fields):
    """The state that a live message tells, by our clock where the terminal has none."""
    at_ms = number(time)
    by = "platform" if at_ms is None else "terminal"
    return Stated(device=device, at_ms=heard_ms if at_ms is None else at_ms, by=by, **fields)


def _relay(content):
    return {"1": True, "0": False}.get(str(content.get("relay")))


def _answer(message, heard_ms):
    code = number(message.body.get("code"))
    if code is None or not message.request_id:
        return []
    at_ms = number(message.body.get("timestamp")) or None  # 0 says that the terminal's clock is not known
    return [Answered(device=message.device, request_id=message.request_id, code=code, at_ms=at_ms)]


def _command(message, heard_ms):
    on = {"1": True, "0": False}.get(str(message.body.get("actionCode")))
    if on is None or not message.request_id:
        return []
    content = _content(message) or {}
    job = content.get("job")
    return [
        Ordered(
            device=message.device, request_id=message.request_id, on=on, job=None if job in (None, "") else str(job),
            issued_ms=number(content.get("issued_ms")),
        )
    ]
