"""One life of the terminal a pitfall: the twenty things modems are known to do, each against each family, in virtual time.

    python -m host_tests.system.pitfalls        the table of docs/modems.md, measured anew

The welder is powered when the pitfall comes; from then on the platform repeats its order to stop every two seconds. Measured is the
longest that such an order, or a later one in its place, stays without an answer; later the welder is switched on and off once
more. Times are ms of the world's clock, which is the simulator's.
"""

import json
import pathlib
import sys
import tempfile

from hanma import toolchain
from host_tests.sim.faults import FAULTS, PITFALLS
from host_tests.system.harness import DEVICE_ID
from host_tests.virtual.world import MINUTE, VirtualWorld

ON_MS = 90000  # the welder is switched on
STRIKE_MS = 120000
_REPEAT_MS = 2000
_REPEATS_END_MS = STRIKE_MS + 4 * MINUTE
AGAIN_MS = _REPEATS_END_MS + 10000  # the welder is switched on once more
END_MS = AGAIN_MS + 20000
_LIFE_MS = END_MS + MINUTE + 10000  # a whole heartbeat comes every minute

_RECEIVED = {"a76xx": "+CIPRXGET: 1", "quectel": '+QIURC: "recv"', "luat": "+CIPRXGET: 1"}
_BLOCKING = {"a76xx": ("+COPS?", 8500), "quectel": ("QIACT=1", 70000), "luat": ("CIICR", 50000)}  # and for how many ms
_RESULTS = '\r\nOK\r\nSEND OK\r\n0, SEND OK\r\n0, CLOSED\r\nERROR\r\n+QIURC: "closed",0\r\n+IPCLOSE: 0,1\r\n> '


class Case:
    """One pitfall: what strikes, how long an order may wait for it, and what tells of it.

    fault: its name, None for what needs none; count, params (with match): see sim.faults. waits_s: how long an order may wait at
    most. counters: of the heartbeat, one of which must tell of it. lives: the session outlives it. For calls see
    VirtualWorld.knob(), with the ms after STRIKE_MS in front. first: the fault is there from power-on. text: for the table.
    """

    def __init__(self, number, fault, text, waits_s, counters=(), lives=False, count=None, params=None, calls=(), first=False):
        self.number = number
        self.fault = fault
        self.text = text
        self.waits_s = waits_s
        self.counters = counters
        self.count = count
        self.params = params or {}
        self.calls = calls
        self.first = first
        self.lives = lives or not counters and lives is not None

    def families(self):
        """Return the names of the families it is tried with."""
        return next(families for number, fault, families in PITFALLS if (number, fault) == self.key())

    def key(self):
        """Return (number, fault), which names it in PITFALLS."""
        return self.number, self.fault


COUNTERS = (
    "timeouts",
    "drops",
    "reboots",
    "reopened",
    "radio_cycles",
    "power_cycles",
    "unknown_lines",
    "malformed",
    "complaints",
    "failures",
    "deaths",
)

_CLOSE = ((500, "links", "close_by_network", 0),)
_BUSY = ((0, "faults", "set", "slow", True, 1, "+CSQ", {"ms": 1950}),)  # nearly as long as from one order to the next
_BEARER = ((500, "radio", "set_bearer", False), (3000, "radio", "set_bearer", True))
_RESTART = ((500, "core", "restart", False),)
_DROPS = ("drops",)

CASES = (
    Case(1, "urc_before_answer", "a URC between echo and answer", 5, count=5),
    Case(1, "urc_after_prompt", "a URC between the prompt and its result", 5, count=3),
    Case(1, "urc_glued", "a URC in one piece with the result", 5, count=5),
    Case(2, "urc_twin", "a URC with the prefix of the answer", 5, count=5),
    Case(2, "registration_mixed", "another registration's answer within", 5),
    Case(3, "urc_unknown", "a line no manual knows", 5, ("unknown_lines",), True, count=5),
    Case(4, "prompt", "a prompt of another form", 5, params={"text": "\r\n>\r\n"}),
    Case(4, "prompt_late", "the prompt two seconds late", 8),
    Case(4, "urc_before_prompt", "a URC right before the prompt", 5),
    Case(4, "no_prompt", "no prompt and no answer to a send", 60, ("timeouts",)),
    Case(5, "send_at_once", "the result with the last byte", 5, count=5),
    Case(6, "slow", "a send's result after 8 s", 15, params={"ms": 8000, "match": "SEND="}),
    Case(6, "send_fail", "SEND FAIL: no room", 8, (), None),
    Case(6, "send_confirmed", "only half of a send confirmed", 40, _DROPS, params={"cnf": 10}),
    Case(7, None, "a payload that looks like results", 5, ("malformed",), True),
    Case(8, "recv_mid_lost", "no word of data that come during a command", 35, calls=_BUSY),
    Case(8, "urc_lost", "no word of data at all", 5, count=3, params={"match": "recv"}),
    Case(9, "closed_first", "the close told before the last data", 30, _DROPS, calls=_CLOSE),
    Case(9, "send_closed", "the close told within a send", 30, _DROPS),
    Case(10, "dribble", "every byte alone, 1 ms apart", 8),
    Case(11, "overrun", "three bytes lost, three times", 30, ("timeouts", "unknown_lines"), count=3, params={"bytes": 3, "at": 4}),
    Case(12, "reboot", "the modem restarts by itself", 90, ("reboots",)),
    Case(12, "reboot_in_data", "it restarts while it takes data", 90, ("reboots",)),
    Case(13, "autobaud", "a restart, then the first AT is swallowed", 90, ("reboots",), calls=_RESTART),
    Case(14, "open_at_once", "the opening told before its OK", 30, _DROPS, calls=_CLOSE),
    Case(14, None, "answers without OK, or after it, when a call opens", 60, ("reopened",), calls=_BEARER),
    Case(15, "hung", "no byte to anything until its power was away", 240, ("power_cycles",)),
    Case(15, "deaf", "a command swallowed", 30, ("timeouts",)),
    Case(15, "pdp_drift", "the call claims to stand, no byte passes", 240, ("reopened", "radio_cycles")),
    Case(16, "late", "an answer after its time-out", 5, ("timeouts",), True, params={"ms": 2600, "match": "+CSQ"}),
    Case(17, "peer_dead", "sends succeed, the peer is dead", 60, _DROPS),
    Case(18, "gnss_pseudo", "a fix at 0/0, or without satellites", 5, first=True),
    Case(18, "lbs_swapped", "the coordinates have changed places", 5, first=True),
    Case(18, "lbs_zero", "the cell at 0/0", 5, first=True),
    Case(19, "slow", "a command that blocks the channel (a call that opens slowly)", 120, ("reopened",), calls=_BEARER),
    Case(20, "no_tts", "no speech in this build", 5, first=True),
    Case(20, "no_gnss", "no satellites in this build", 5, first=True),
)


# how the terminal gets over it; what is not here needs nothing: the session lives on
_CURES = {
    (4, "no_prompt"): "asks for the prompt's command to end, closes the socket, logs in anew",
    (6, "slow"): "waits for the result; the order waits with it",
    (6, "send_fail"): "Quectel: sends the same bytes again; Luat: closes the socket, logs in anew",
    (6, "send_confirmed"): "closes the socket, logs in anew",
    (8, "recv_mid_lost"): "looks by itself: every 2 s while the welder has power, within 32 s while it has none",
    (8, "urc_lost"): "the same",
    (9, "closed_first"): "reads what is left, then logs in anew",
    (9, "send_closed"): "logs in anew",
    (11, "overrun"): "after the command's time-out closes the socket, logs in anew",
    (12, "reboot"): "takes the banner, or the echo, for what it is; sets up, opens the call, logs in anew",
    (12, "reboot_in_data"): "the same",
    (13, "autobaud"): "the same; AT is repeated",
    (14, "open_at_once"): "logs in anew",
    (14, None): "reopens the call, logs in anew",
    (15, "hung"): "after three silent commands switches it off and on by its key",
    (15, "deaf"): "after the command's time-out closes the socket, logs in anew",
    (15, "pdp_drift"): "after three attempts without a peer, or a call that turns out dead, reopens the call",
    (16, "late"): "finds its footing by two commands whose answers differ",
    (17, "peer_dead"): "a report without PUBACK for 20 s ends the session; logs in anew",
    (18, "gnss_pseudo"): "believes no such fix, asks the cell",
    (18, "lbs_swapped"): "puts them right: no place in China lies north of 60°",
    (18, "lbs_zero"): "believes none; reports why there is no place",
    (19, "slow"): "waits it out, proving life; logs in anew",
    (20, "no_tts"): "asks once, is silent from then on",
    (20, "no_gnss"): "asks once, then the cell",
}


def strike(world, case, family):
    """Plan a case's fault."""
    params = dict(case.params)
    match = params.pop("match", "")
    if match == "recv":
        match = _RECEIVED[family]
    if case.key() == (19, "slow"):
        match, blocked_ms = _BLOCKING[family]
        params = {"ms": blocked_ms}
    if case.fault:
        count = case.count or (1 if FAULTS[case.fault][0] else None)
        world.knob(0 if case.first else STRIKE_MS, "faults", "set", case.fault, True, count, match, params)
    if case.number == 18 and case.fault != "gnss_pseudo":
        world.knob(0, "faults", "set", "no_gnss", True)
    if case.fault == "dribble":
        world.knob(STRIKE_MS + MINUTE, "faults", "set", "dribble", False)
    if case.number == 7:
        world.knob(STRIKE_MS + 1000, "platform", f"welder/{DEVICE_ID}/command/odd", _RESULTS)
    for after_ms, part, name, *values in case.calls:
        world.knob(STRIKE_MS + after_ms, part, name, *values)


def live(directory, micropython, family, case):
    """Live through a case; returns the Life."""
    config = {"full_heartbeat_s": 60, "lbs_token": "0123456789abcdef"}
    world = VirtualWorld(directory, micropython, _LIFE_MS, family=family, config=config)
    world.order(ON_MS, 1, "on", job="J1")
    strike(world, case, family)
    stops = list(range(STRIKE_MS + 1000, _REPEATS_END_MS, _REPEAT_MS))
    for at_ms in stops:
        world.order(at_ms, 0, f"stop{at_ms}")
    world.order(AGAIN_MS, 1, "again", job="J2")
    world.order(END_MS, 0, "end")
    return Life(world.run(), directory, stops)


class Life:
    """What came of a case, from the broker's and the pins' logs."""

    def __init__(self, outcome, directory, stops):
        self.outcome = outcome
        self.edges = outcome.relay()
        self.left_on_flash = sorted(path.name for path in (directory / "flash" / "outbox").glob("*/*"))
        self._stops = stops
        self.before, self.counters = {}, {}  # the heartbeats' counters when the pitfall came, and at the end
        for ms, content in outcome.heartbeats():
            self.counters.update(content.get("counters", {}))
            if ms < STRIKE_MS:
                self.before.update(self.counters)
        self.logins = len(outcome.uplinks("00"))

    def waited_s(self):
        """Return the longest that an order to stop was without an answer to it or to a later one, in s; None: for ever."""
        answered = [(at_ms, self.outcome.answer(f"stop{at_ms}")) for at_ms in self._stops]
        worst_ms = 0
        earliest_ms = None
        for at_ms, answer in reversed(answered):
            if answer and (earliest_ms is None or answer[0] < earliest_ms):
                earliest_ms = answer[0]
            if earliest_ms is None:
                return None
            worst_ms = max(worst_ms, earliest_ms - at_ms)
        return worst_ms / 1000

    def stopped_s(self):
        """Return how long after the first order to stop the welder's power went, in s; None: never."""
        after = [ms for ms, level in self.edges if level == 0 and ms >= STRIKE_MS]
        return (after[0] - self._stops[0]) / 1000 if after else None

    def told(self):
        """Return {counter: by how much it has grown since the pitfall came}."""
        grown = {name: self.counters[name] for name in COUNTERS if self.counters.get(name) != self.before.get(name)}
        return {name: value - self.before.get(name, 0) for name, value in grown.items()}

    def names(self):
        """Return the sorted (boot, sequence) of all that must not be lost, as the platform has it."""
        contents = [content for code in ("FF", "EF", "E0") for _, content in self.outcome.uplinks(code)]
        named = [content.get("event", content) for content in contents]
        return sorted({(one["boot"], one["seq"]) for one in named if "seq" in one})

    def switchings(self):
        """Return the switchings reported, each once, in their order."""
        found = {(event["boot"], event["seq"]): (event["relay"], event["cause"]) for event in self.outcome.events()}
        return [found[name] for name in sorted(found)]

    def places(self):
        """Return the positions reported that are places: (source, latitude, longitude as text)."""
        contents = [content for _, content in self.outcome.uplinks("EF")]
        return [(one["source"], one["lat"], one["lng"]) for one in contents if one["source"] != "none"]


def main(chosen):
    """Print the table's rows; chosen: numbers of pitfalls, none for all."""
    families = ("a76xx", "quectel", "luat")
    for case in CASES:
        if chosen and str(case.number) not in chosen:
            continue
        cells = []
        for family in families:
            if family not in case.families():
                cells.append("–")
                continue
            with tempfile.TemporaryDirectory() as directory:
                life = live(pathlib.Path(directory) / "life", toolchain.micropython32(), family, case)
                cells.append(f"{life.waited_s():.1f}")
                sys.stderr.write(
                    f"{case.number} {case.fault} {family}: waited {life.waited_s()} stopped {life.stopped_s()} logins {life.logins}"
                    f" edges {[level for _, level in life.edges]} names {life.names()} left {life.left_on_flash}"
                    f" places {life.places()} {json.dumps(life.told())} modem {life.counters.get('modem')}\n"
                )
        print(f"| {case.number} | {case.text} | {_CURES.get(case.key(), 'nothing')} | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
