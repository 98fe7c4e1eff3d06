"""Which families of modems can be simulated, and what a family has to bring. Pure.

A family is a module of this package with

    NAME                                   its name on the command line
    SETTINGS, DELAYS_MS, CME_TEXT, RATES   its numbers and texts; DELAYS_MS has at least the names a76xx.py has in common
    TESTS, SPEECH, GNSS                    answers to AT+X=?; commands that only modems with a speech engine, a receiver have
    TWINS, SAID                            the URC that begins like the answer to a command; the URC of the end of speaking
    KEY_ON_MS, KEY_OFF_MS, KEY_GAP_MS, RESET_MS    how long keys are to be pressed
    FIRST_LINE, CLOCK_S, DATA_ECHO, LINKS  the banner's first line; the clock before it is set, seconds since 1970; whether
                                           a send's data are echoed (None: as commands are); sockets
    parts(core) -> (general, sockets, services)    objects made from general.General, services.Services and, for the
                                           sockets, a class of its own (see links.Links for what it is told)
    commands(core) -> {command: handler(kind, arguments)}
    CORE (optional)                        a class made from modem_core.ModemCore, where the conversation itself differs

A handler returns None (OK), lines (then OK), (lines, final), a CME code (-1: plain ERROR), bytes (the whole
answer) or "defer" (core.finish gives the result later). kind is conversation.EXECUTE, READ, TEST or SET.
"""

import sys

NAMES = ("a76xx", "quectel", "luat")


def named(name):
    """Return a family's module; raises ValueError for an unknown name."""
    if name not in NAMES:
        raise ValueError("no modem family " + repr(name))
    path = "host_tests.sim." + name
    __import__(path)
    return sys.modules[path]


def handlers(core, general, named, ignored, **more):
    """Return {command: handler} for a family's commands(core).

    general: {command: method of the general part}. named: {part: "COMMAND …"} whose methods have the command's name in small
    letters; a part is an attribute of core or one of more. ignored: "COMMAND …" taken as they come (OK).
    """
    table = {name: _nothing for name in ignored.split(" ")}
    for name, method in general.items():
        table[name] = getattr(core.general, method)
    for part, names in named.items():
        owner = more.get(part) or getattr(core, part)
        for name in names.split():
            table["+" + name] = getattr(owner, name.lower())
    return table


def _nothing(kind, arguments):
    return None
