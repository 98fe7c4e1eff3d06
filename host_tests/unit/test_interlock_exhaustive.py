"""The interlock explored breadth first, in lock step with its oracle, from boot and from every state.

Prints the situations (states with all their relative times), the transitions between them, and which rows of the
table and which rules below it were met; a rule never met is a failure.
"""

import functools

import pytest

from host_tests.unit.interlock_lockstep import CAUSES, SMALLEST, Pair, situation
from host_tests.unit.interlock_rules import RULES
from terminal import interlock

MET = set()  # rules met by any exploration of this run


def fact(name, **arguments):
    """A step that tells both a fact at this very second."""
    return lambda pair: pair.step(name, **arguments)


def due(name, **arguments):
    """A step that tells both a fact at the very second of the next change, or hours on where there is none."""

    def step(pair):
        at = pair.machine.next_s(pair.now_s)
        return pair.step(name, 18000 if at is None else at - pair.now_s, **arguments)

    return step


def command(action, request_id=None, **arguments):
    """A command now."""
    return fact("command", action=action, request_id=request_id, **arguments)


def down(cause):
    """The session goes down for a cause."""
    return fact("session_down", cause=cause)


def reboot(volatile, elapsed_s=None, firmware_failed=False, is_power_on=True):
    """A reset or a power cut."""
    return lambda pair: pair.boot(volatile, elapsed_s, firmware_failed, is_power_on)


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
    "crash": reboot("now", 1, is_power_on=False),
    "crash, the last record": reboot("saved", 10, is_power_on=False),
    "watchdog": reboot("now", 60, is_power_on=False),
    "watchdog too late": reboot("now", 61, is_power_on=False),
    "firmware failed after a crash": reboot("now", 1, True, False),
    "firmware failed, resumed": reboot("now", 1, True),
}
DUE = {
    "1 when due": due("command", action=1, request_id=None, job="A"),
    "0 when due": due("command", action=0, request_id=None),
    "up when due": due("session_up"),
    "down when due": due("session_down", cause="no_signal"),
    "refused when due": due("session_refused"),
    "welding when due": due("welding", value=True),
    "contact when due": due("contact", value=True),
    "out of service when due": due("out_of_service", flag=True),
}
EVERYTHING = {
    **TIME, **SESSION, **WELDING, **CONTACT, **COMMANDS, **REPEATS, **SERVICE, **RESETS,
    **DUE
}  # fmt: skip

# Ways into each state; an exploration starts at the end of one of them.
NEXT_TWICE = ("to the next change",) * 2
ROOTS = {
    "boot": (),
    "locked, online": ("up", "one second", "to the next change"),
    "locked, the link lost": ("up", "one second", "down", "one second"),
    "locked by an order": ("1 x", "one second", "0 x", "one second"),
    "barred": ("0 barred",),
    "refused": ("refused", "one second"),
    "out of service": ("0 out of service", "one second"),
    "authorised": ("up", "one second", "1 A", "one second"),
    "authorised without a job": ("up", "1", "not welding", "to the next change"),
    "emergency": NEXT_TWICE,
    "emergency after a session": ("up", "one second", "down", "down by another cause", *NEXT_TWICE),
    "emergency, online": (*NEXT_TWICE, "one second", "up", "one second"),
    "hand-over": (*NEXT_TWICE, "up", "to the next change"),
    "hand-over, idle": (*NEXT_TWICE, "not welding", "up", "to the next change", "one second"),
    "hand-over past the emergency's maximum": (*NEXT_TWICE, "almost an hour", "up", "to the next change", "ten seconds"),
    "after an emergency's maximum": NEXT_TWICE * 2,
    "firmware failed": ("firmware failed", "one second"),
    "emergency of failed firmware": ("firmware failed", *NEXT_TWICE),
    "resumed twice": ("up", "1 A", "reset in time", "reset in time"),
    "SIM pulled": ("up", "SIM pulled", "one second"),
    "the clock went back": ("up", "1 A", "one second", "back"),
}
BEGINNINGS = [(root, 0) for root in ROOTS] + [(root, 30) for root in ("locked by an order", "authorised", "hand-over")]
SLOW = {**SMALLEST, "switch_min_interval_s": 30}
NEVER_IDLE = {**SMALLEST, "idle_lock_s": 0}
STEPS = {**EVERYTHING, "back": after(-5), "five hours": after(18000)}
ON_THE_WAY = {**STEPS, "almost an hour": after(3590), "ten seconds": after(10)}


def some(*names):
    """Return the named steps."""
    return {name: STEPS[name] for name in names}


# name: (steps, settings, causes that count, transitions at most)
WORLDS = {
    "sessions and orders": ({**NEXT, **ORDERS, **some("up", "down", "taken over", "refused")}, SMALLEST, CAUSES, 4000),
    "emergencies again and again": ({**NEXT, **some("up", "down", "SIM pulled", "power cut")}, SMALLEST, CAUSES, 4000),
    "welding": ({**TIME, **WELDING, **some("up", "down", "1 A", "0")}, SMALLEST, CAUSES, 4000),
    "repeats": ({**REPEATS, **NEXT, **some("one second")}, SLOW, CAUSES, 4000),
    "waiting orders": ({**ORDERS, **NEXT, **some("1", "1 B", "1 x", "0 x", "one second")}, SLOW, CAUSES, 4000),
    "resets": ({**RESETS, **NEXT, **some("1 A", "0", "up", "not welding")}, SMALLEST, CAUSES, 4000),
    "few causes": (
        {**RESETS, **NEXT, **some("1 A", "up", "down", "taken over", "refused")},
        SMALLEST,
        ("no_signal", "refused", "taken_over"),
        4000,
    ),
    "flags": (
        {**NEXT, **SERVICE, **ORDERS}
        | some("0 barred", "0 out of service", "0 in service", "0 barred, in service")
        | some("refused", "up", "down", "power cut", "firmware failed"),
        SMALLEST,
        CAUSES,
        4000,
    ),
    "alarms": ({**CONTACT, **WELDING, **NEXT, **ORDERS}, SLOW, CAUSES, 4000),
    "idle never locks": ({**NEXT, **WELDING, **ORDERS, **some("five hours")}, NEVER_IDLE, CAUSES, 4000),
}


def rooted(way, settings, causes=CAUSES):
    """Return a pair that was booted and led along the named steps."""
    pair = Pair(settings, MET, causes).boot()
    for name in way:
        pair = ON_THE_WAY[name](pair)
    return pair


def explore(root, alphabet, depth, most):
    """Try every step from every situation, breadth first; return (situations, transitions, all of them tried)."""
    seen, edge, transitions = {situation(root)}, [root], 0
    root.check_bounded_end()
    while edge and depth:
        depth -= 1
        following = []
        for pair in edge:
            if transitions >= most:
                return len(seen), transitions, False
            for step in alphabet.values():
                other = step(pair.copy())
                transitions += 1
                key = situation(other)
                if key not in seen:
                    seen.add(key)
                    other.check_bounded_end()
                    following.append(other)
        edge = following
    return len(seen), transitions, not edge


@functools.cache
def every_two_facts(root, interval_s):
    """Explore every two steps of all from a root."""
    settings = {**SMALLEST, "switch_min_interval_s": interval_s}
    return explore(rooted(ROOTS[root], settings), STEPS, 2, 10**9)


@functools.cache
def world(name):
    """Explore a world from boot, as far as its limit."""
    alphabet, settings, causes, most = WORLDS[name]
    return explore(rooted((), settings, causes), alphabet, 1000, most)


@pytest.fixture(scope="module", autouse=True)
def loaded_once():
    """The terminal reads the code of its boot afresh for each boot; thirteen thousand boots here read it once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(interlock, "borrow", functools.cache(interlock.borrow))
        yield


@pytest.mark.parametrize(("root", "interval_s"), BEGINNINGS)
def test_any_two_facts_after_any_beginning_do_what_the_oracle_says(root, interval_s):
    situations, transitions, _ = every_two_facts(root, interval_s)
    assert situations > len(STEPS) // 2
    assert transitions > len(STEPS) * 5


@pytest.mark.parametrize("name", WORLDS)
def test_any_history_of_a_few_kinds_of_facts_does_what_the_oracle_says(name):
    situations, transitions, tried_all = world(name)
    assert tried_all or transitions >= WORLDS[name][3]


def test_every_row_of_the_table_and_every_rule_was_met(capsys):
    explored = {f"two facts, {root}, interval {interval_s} s": every_two_facts(root, interval_s) for root, interval_s in BEGINNINGS}
    explored.update((name, world(name)) for name in WORLDS)
    with capsys.disabled():
        report(explored)
    assert sorted(set(RULES) - MET) == []


def report(explored):
    """Print what was explored and what was met on the way."""
    print("\n%-56s %10s %11s" % ("interlock explored from", "situations", "transitions"))
    for name, (situations, transitions, tried_all) in explored.items():
        print("%-56s %10d %11d%s" % (name, situations, transitions, "  closed" if tried_all else ""))
    print("%-56s %10d %11d" % ("sum", *[sum(row[k] for row in explored.values()) for k in (0, 1)]))
    for rule, meaning in RULES.items():
        print("  %s %-28s %s" % ("met " if rule in MET else "NOT ", rule, meaning))
