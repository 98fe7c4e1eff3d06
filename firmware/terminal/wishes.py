"""What a stop may ask for beside: a self test, or a rehearsal. Borrowed for each one, after the stop was carried out.

A rehearsal shortens the wait for an emergency for a while, within the range of its setting and never beyond what is configured, so
that who fits a terminal sees it happen. Any other stop ends it; so does its time, and a reset. State: none; it is the guard's.
"""

from micropython import const

from terminal.borrow import borrow
from terminal.protocol import Malformed, decode

_FAIL_OPEN_S = const(0)  # rows of `limits.SETTINGS`
_COMMAND_MAX_AGE_S = const(8)
_FUTURE_S = const(-300)  # as in interlock
_LEAST_S = const(60)
_MOST_S = const(1800)


def take(herald, command, retained, age_s):
    """Do what an order 0 asks for.

    command: as the profile gives it. retained: the broker's memory; it rehearses nothing. age_s: seconds since it was issued, None
    where that is not known.
    """
    content = _content(command)
    guard = herald.parts.guard
    if guard.interlock.state == "LOCKED":
        if not retained and _is_fit(content.get("rehearsal"), guard, age_s):
            guard.rehearse(content["rehearsal"]["fail_open_after_s"], content["rehearsal"]["for_s"])
        elif guard.rehearsal:
            guard.end_rehearsal()
    if content.get("self_test") is True:
        borrow("selftest").order(herald)


def _content(command):
    """Return the dict that an order has as its content, also one written as text; an empty one for none."""
    try:
        content = (command if isinstance(command, dict) else decode(command)).get("content")
        content = decode(content) if isinstance(content, str) else content
    except Malformed:
        content = None
    return content if isinstance(content, dict) else {}


def _is_fit(wish, guard, age_s):
    """Return whether this is a rehearsal that may begin."""
    if not isinstance(wish, dict):
        return False
    wait_s, for_s = wish.get("fail_open_after_s"), wish.get("for_s")
    configured = guard.rehearsal[1] if guard.rehearsal else guard.interlock._settings
    least_s = borrow("limits").SETTINGS[_FAIL_OPEN_S][2]
    if type(wait_s) is not int or not least_s <= wait_s <= configured[_FAIL_OPEN_S]:
        return False
    if type(for_s) is not int or not _LEAST_S <= for_s <= _MOST_S:
        return False
    return age_s is None or _FUTURE_S <= age_s <= configured[_COMMAND_MAX_AGE_S]
