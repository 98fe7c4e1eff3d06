"""The interlock explored breadth first, in lock step with its oracle, from boot and from every state.

Prints the situations (states with all their relative times), the transitions between them, and which rows of the
table and which rules below it were met; a rule never met is a failure.
"""

import time

import pytest

from host_tests.unit.interlock_lockstep import SMALLEST, Pair, situation
from host_tests.unit.interlock_rules import RULES

WORLDS_RULES = set()  # met by any exploration of this run
TOTALS = {"situations": 0, "transitions": 0, "seconds": 0.0}


def fact(name, **arguments):
    """A step that tells both a fact at this very second."""
    return lambda pair: pair.step(name, **arguments)


def command(action, request_id=None, **arguments):
    """A command now."""
    return fact("command", action=action, request_id=request_id, **arguments)


def down(cause):
    """The session goes down for a cause."""
    return fact("session_down", cause=cause)


def reboot(volatile, elapsed_s=None, firmware_failed=False):
    """A reset or a power cut."""
    return lambda pair: pair.boot(volatile, elapsed_s, firmware_failed)


def after(seconds):
    """A tick some seconds on."""
    return lambda pair: pair.step("tick", seconds)


NEXT = {"to the next change": lambda pair: pair.tick_to_next()}
TIME = {**NEXT, "a second before it": lambda pair: pair.tick_to_next(1), "one second": after(1)}
SESSION = {
    "up": fact("session_up"),
    "down": down("no_signal"),
    "down by another cause": down("modem_dead"),
    "taken over": down("taken_over"),
    "SIM pulled": down("sim_pulled"),
    "refused": fact("session_refused"),
}
WELDING = {
    "welding": fact("welding", value=True),
    "not welding": fact("welding", value=False),
    "welding unknown": fact("welding", value=None),
}
CONTACT = {
    "contact powered": fact("contact", value=True),
    "contact unpowered": fact("contact", value=False),
    "contact unknown": fact("contact", value=None),
}
ORDERS = {"1 A": command(1, job="A"), "0": command(0)}
COMMANDS = {
    **ORDERS,
    "1": command(1),
    "1 B": command(1, job="B"),
    "1 stale": command(1, job="A", age_s=21),
    "1 just in time": command(1, job="A", age_s=20),
    "1 future": command(1, job="A", age_s=-301),
    "1 hardly future": command(1, job="A", age_s=-300),
    "1 service": command(1, source="service"),
    "1 relayed": command(1, job="A", source="relayed"),
    "0 service": command(0, source="service"),
    "0 barred": command(0, barred=True),
    "0 out of service": command(0, out_of_service=True),
    "0 in service": command(0, out_of_service=False),
    "0 barred, in service": command(0, barred=True, out_of_service=False),
}
REPEATS = {
    "1 x": command(1, "x", job="A"),
    "1 x stale": command(1, "x", job="A", age_s=1000),
    "1 y B": command(1, "y", job="B"),
    "0 x": command(0, "x"),
    "0 y": command(0, "y", source="service"),
    "0 y in service": command(0, "y", out_of_service=False),
    "0 x out of service": command(0, "x", out_of_service=True),
}
SERVICE = {
    "out of service": fact("out_of_service", flag=True),
    "in service": fact("out_of_service", flag=False),
}
RESETS = {
    "reset at once": reboot("now", 0),
    "reset in time": reboot("now", 10),
    "reset with the last record": reboot("saved", 1),
    "reset too late": reboot("now", 11),
    "reset with the RTC behind": reboot("now", -1),
    "reset without the RTC's time": reboot("now", None),
    "power cut": reboot("none", 1),
    "firmware failed": reboot("none", None, True),
    "firmware failed, resumed": reboot("now", 1, True),
}
EVERYTHING = {
    **TIME, **SESSION, **WELDING, **CONTACT, **COMMANDS, **REPEATS, **SERVICE, **RESETS
}  # fmt: skip

# Ways into each state; every exploration starts at the end of one of them.
ROOTS = {
    "boot": (),
    "locked, online": ("up", "to the next change"),
    "locked by an order": ("1 x", "one second", "0 x", "one second"),
    "barred": ("0 barred",),
    "refused": ("refused", "one second"),
    "out of service": ("0 out of service", "one second"),
    "authorised": ("up", "one second", "1 A", "one second"),
    "authorised without a job": ("up", "1", "not welding", "to the next change"),
    "emergency": ("to the next change",) * 2,
    "emergency, online": ("to the next change",) * 2 + ("one second", "up", "one second"),
    "hand-over": ("to the next change",) * 2 + ("up", "to the next change"),
    "hand-over, idle": ("to the next change",) * 2 + ("not welding", "up", "to the next change", "one second"),
    "after an emergency's maximum": ("to the next change",) * 4,
    "firmware failed": ("firmware failed", "one second"),
    "emergency of failed firmware": ("firmware failed",) + ("to the next change",) * 2,
    "resumed twice": ("up", "1 A", "reset in time", "reset in time"),
    "SIM pulled": ("up", "SIM pulled", "one second"),
}


def rooted(way, settings, alphabet=EVERYTHING):
    """Return a pair that was booted and led along the named steps."""
    pair = Pair(settings, WORLDS_RULES)
    pair.boot()
    for name in way:
        pair = alphabet[name](pair)
    return pair


def explore(root, alphabet, depth, most=10**9):
    """Try every step from every situation within `depth` steps; return (situations, transitions, closed)."""
    began = time.monotonic()
    seen, edge, transitions = {situation(root)}, [root], 0
    root.bounded_end()
    for _ in range(depth):
        following = []
        for pair in edge:
            for step in alphabet.values():
                if transitions >= most:
                    break
                other = step(pair.copy())
                transitions += 1
                key = situation(other)
                if key not in seen:
                    seen.add(key)
                    other.bounded_end()
                    following.append(other)
        edge = following
    TOTALS["situations"] += len(seen)
    TOTALS["transitions"] += transitions
    TOTALS["seconds"] += time.monotonic() - began
    return len(seen), transitions, not edge


@pytest.mark.parametrize("root", ROOTS)
def test_every_pair_of_facts_from_every_state_does_what_the_oracle_says(root):
    explore(rooted(ROOTS[root], SMALLEST), EVERYTHING, 2)


WORLDS = {
    "commands": (COMMANDS, {}, 99),
    "repeats": ({**REPEATS, **NEXT}, {}, 5),
    "sessions": ({**NEXT, **ORDERS, **SESSION}, {}, 6),
}


def test_report():
    print(TOTALS, len(WORLDS_RULES), sorted(set(RULES) - WORLDS_RULES))
