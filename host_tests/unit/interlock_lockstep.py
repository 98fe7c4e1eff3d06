"""The interlock and its oracle side by side: the same facts to both, compared and checked after each one."""

from terminal import interlock

from host_tests.unit.interlock_oracle import Oracle
from host_tests.unit.interlock_timeline import AUTHORISED, EMERGENCY, HANDOVER, LOCKED

CAUSES = tuple(
    ["modem_dead", "no_sim", "sim_pulled", "no_signal", "no_registration", "no_data_call", "no_route", "untrusted", "clock_unknown", "no_answer"]
)
SMALLEST = {
    "fail_open_after_s": 180,
    "link_stable_s": 5,
    "handover_idle_s": 10,
    "handover_max_s": 60,
    "idle_lock_s": 300,
    "authorised_max_s": 3600,
    "emergency_max_s": 3600,
    "resume_within_s": 10,
    "command_max_age_s": 20,
    "switch_min_interval_s": 0,
}
DEFAULTS = {
    "fail_open_after_s": 600,
    "link_stable_s": 30,
    "handover_idle_s": 120,
    "handover_max_s": 900,
    "idle_lock_s": 1800,
    "authorised_max_s": 43200,
    "emergency_max_s": 43200,
    "resume_within_s": 60,
    "command_max_age_s": 120,
    "switch_min_interval_s": 2,
}
KEPT_BYTES = 1024
VOLATILE_BYTES = 512
BOOTED_AT_S = 1
SEEN = ("state", "powered", "job", "barred", "refused", "is_out_of_service")
_PLAIN = frozenset((int, str, bytes, bool, type(None)))


class Disagreement(AssertionError):
    """The machine and the oracle, or the machine and an invariant, disagree; the text tells the way there."""


def clone(thing):
    """Copy a machine with everything it holds; what cannot change is shared."""
    kind = type(thing)
    if kind in _PLAIN:
        return thing
    if kind in (list, set, bytearray, tuple):
        return kind([clone(item) for item in thing])
    if kind is dict:
        return {key: clone(value) for key, value in thing.items()}
    if kind.__module__.startswith("terminal."):
        other = object.__new__(kind)
        for name, value in thing.__dict__.items():
            other.__dict__[name] = value if type(value) in _PLAIN else clone(value)
        return other
    return thing


def one_record(effects):
    """Leave the first of several records that no other effect stands between."""
    kept = []
    for effect in effects:
        if effect != ("record",) or kept[-1:] != [effect]:
            kept.append(tuple(effect))
    return kept


class Pair:
    """A machine and an oracle that have been told the same; `way` is every call made, for the report."""

    def __init__(self, settings, hits=None, causes=CAUSES):
        self.settings = settings
        self.causes = causes
        self.machine = interlock.Interlock(dict(settings), outage_causes=tuple(causes))
        self.oracle = Oracle(settings, causes, hits)
        self.now_s = BOOTED_AT_S
        self.relay = None
        self.welding = None
        self.way = ()
        self.recorded_state = None
        self.recorded = None  # (machine's kept, oracle's kept) as of the last record effect
        self.saved = None  # (machine's volatile, oracle's volatile, second) as of the last record effect
        self.effects = []

    def copy(self):
        """Return an independent pair in the same situation."""
        other = object.__new__(type(self))
        other.__dict__.update(self.__dict__)
        other.machine = clone(self.machine)
        other.oracle = self.oracle.copy()
        return other

    # ---- steps ----

    def boot(self, volatile="none", elapsed_s=None, firmware_failed=False):
        """Power-on or reset. volatile: 'none', 'now' (saved at once) or 'saved' (with the last record)."""
        kept, oracle_kept = self.recorded or (None, None)
        record, oracle_record = None, None
        if volatile == "now":
            record, oracle_record = self.machine.volatile(self.now_s), self.oracle.volatile(self.now_s)
        elif volatile == "saved" and self.saved:
            record, oracle_record, saved_s = self.saved
            if elapsed_s is not None:
                elapsed_s += self.now_s - saved_s
        self.machine = interlock.Interlock(dict(self.settings), outage_causes=tuple(self.causes))
        self.oracle = Oracle(self.settings, self.causes, self.oracle.hits)
        self.now_s = BOOTED_AT_S
        self.welding = self.machine_welding_after(oracle_record)
        self.way += (("boot", kept, record, elapsed_s, firmware_failed),)
        effects = self.machine.boot(self.now_s, kept, record, elapsed_s, firmware_failed)
        expected = self.oracle.boot(self.now_s, oracle_kept, oracle_record, elapsed_s, firmware_failed)
        self.relay = None
        if not effects or effects[0][0] != "relay":
            self.fail("boot sets the relay first", effects)
        self._compare(effects, expected, records=False)
        self._check(effects, "boot", {})
        self._note_record(effects)
        return self

    def machine_welding_after(self, oracle_record):
        """The last welding fact a resumed record carries."""
        return oracle_record["weldings"][-1][1] if oracle_record and oracle_record["weldings"] else None

    def step(self, name, after_s=0, **arguments):
        """Tell both one fact `after_s` seconds from now; return self."""
        before = tuple(getattr(self.machine, attribute) for attribute in SEEN)
        kept = self.machine.kept()
        self.now_s += after_s
        self.way += ((name, self.now_s, arguments),)
        effects = getattr(self.machine, name)(self.now_s, **arguments)
        expected = getattr(self.oracle, name)(self.now_s, **arguments)
        if name == "welding":
            welded, self.welding = self.welding, arguments["value"]
            if welded is not False and self.welding is not False:
                self.check_not_idle(effects)
        elif self.welding is not False:
            self.check_not_idle(effects)
        self._compare(effects, expected)
        if ("record",) not in effects and self.machine.kept() != kept:
            self.fail("what is kept changed and no record was asked for", effects)
        self._check(effects, name, arguments, before)
        self._note_record(effects)
        return self

    def tick_to_next(self, less_s=0):
        """Tick to the machine's own next_s (less_s before it); where there is none, a day on."""
        at = self.machine.next_s(self.now_s)
        if at is None:
            return self.step("tick", 86400)
        if less_s and at - less_s <= self.now_s:
            return self
        before = self.seen()
        self.step("tick", at - less_s - self.now_s)
        changed = bool(self.effects) or self.seen() != before
        if changed != (less_s == 0):
            self.fail("next_s promised %d" % at, self.effects)
        return self

    # ---- comparison ----

    def seen(self):
        """What a reader of the machine sees."""
        return tuple(getattr(self.machine, attribute) for attribute in SEEN)

    def fail(self, what, effects=()):
        """Raise with the whole way here."""
        lines = ["%s; effects %r" % (what, effects)]
        lines += ["machine %r" % (self.seen(),), "settings %r" % (self.settings,)]
        lines += ["  %r" % (call,) for call in self.way]
        raise Disagreement("\n".join(lines))

    def _compare(self, effects, expected, records=True):
        effects, expected = [tuple(effect) for effect in effects], [tuple(effect) for effect in expected]
        self.effects = effects
        left, right = one_record(effects), one_record(expected)
        if not records:
            left = [effect for effect in left if effect != ("record",)]
            right = [effect for effect in right if effect != ("record",)]
        if left != right:
            self.fail("machine %r\noracle  %r" % (left, right), effects)
        for attribute in SEEN:
            ours, theirs = getattr(self.machine, attribute), getattr(self.oracle, attribute)
            if ours != theirs:
                self.fail("%s: machine %r, oracle %r" % (attribute, ours, theirs), effects)
        for question in ("next_s", "minutes_to_emergency"):
            ours = getattr(self.machine, question)(self.now_s)
            theirs = getattr(self.oracle, question)(self.now_s)
            if ours != theirs:
                self.fail("%s: machine %r, oracle %r" % (question, ours, theirs), effects)

    def _note_record(self, effects):
        if ("record",) in [tuple(effect) for effect in effects] or self.recorded is None:
            self.recorded = (self.machine.kept(), self.oracle.kept())
            self.recorded_state = self.machine.state
            record = self.machine.volatile(self.now_s)
            self.saved = (record, self.oracle.volatile(self.now_s), self.now_s)
            if len(self.recorded[0]) > KEPT_BYTES or len(record) > VOLATILE_BYTES:
                self.fail("a record is too long", effects)

    # ---- what must hold whatever the oracle says ----

    def _check(self, effects, name, arguments, before=None):
        machine = self.machine
        if machine.powered and machine.state == LOCKED:
            self.fail("powered while LOCKED", effects)
        if machine.state != LOCKED and not machine.powered:
            soon = machine.next_s(self.now_s)
            if soon is None or soon > self.now_s + self.settings["switch_min_interval_s"]:
                self.fail("unpowered in %s and nothing to come" % machine.state, effects)
        self._check_relay(effects, name, arguments)
        self._check_emergency(effects, before)
        if name == "command" and arguments["action"] == 0 and arguments.get("out_of_service") is not False:
            answered = effects[-1][0] == "answer" and len(effects) == 1
            if not answered and (machine.powered or machine.state != LOCKED or ("relay", 0) not in effects):
                self.fail("a stop did not unpower", effects)

    def check_not_idle(self, effects):
        """Unknown, or welding, never counts as not welding."""
        for effect in effects:
            if effect[0] == "event" and effect[2] in ("idle", "emergency_end"):
                self.fail("locked as idle though nobody said it is not welding", effects)

    def _check_relay(self, effects, name, arguments):
        recorded = self.relay is None or self.recorded_state == self.machine.state  # before boot, before the wait
        stop = name == "command" and arguments["action"] == 0
        for effect in effects:
            if effect == ("record",):
                recorded = True
            if effect[0] != "relay":
                continue
            if effect[1] == self.relay and not (effect[1] == 0 and stop):
                self.fail("the relay was given its own level again", effects)
            if effect[1] == 1 and not recorded:
                self.fail("relay 1 before the record", effects)
            self.relay = effect[1]
        if self.relay is not None and bool(self.relay) != self.machine.powered:
            self.fail("powered is not what the relay was told", effects)

    def _check_emergency(self, effects, before):
        if before is None or ("alarm", "emergency", "start") not in effects:
            return
        if any(before[3:]) and any(self.seen()[3:]):
            self.fail("an emergency while barred, refused or out of service", effects)

    def bounded_end(self):
        """With no further fact the welder is unpowered within its maxima; return the seconds it took."""
        if not self.machine.powered:
            return 0
        machine, start = clone(self.machine), self.now_s
        now = start
        while machine.powered:
            soon = machine.next_s(now)
            if soon is None or soon <= now:
                self.fail("powered, and no end in time (next_s %r at %d)" % (soon, now))
            now = soon
            machine.tick(now)
        have = self.settings
        if machine.state not in (LOCKED,):
            self.fail("unpowered by time but not LOCKED")
        bound = have["authorised_max_s"]
        if self.oracle.state in (EMERGENCY, HANDOVER):
            bound = have["emergency_max_s"] + have["handover_max_s"]
        if now - start > bound:
            self.fail("powered for %d s more" % (now - start))
        return now - start


def situation(pair):
    """The oracle's state with times relative to now, without what can no longer matter: equal ones act alike."""
    oracle, have = pair.oracle, pair.settings
    now = oracle.now
    key = [oracle.state, oracle.powered, oracle.job, oracle.barred, oracle.refused, oracle.is_out_of_service]
    key += [min(oracle.ended_by_max, 8), oracle.firmware_failed, oracle.outage()]
    key += [oracle.cause == "sim_pulled", frozenset(oracle.alarms), oracle.weldings[-1][1]]
    up = oracle.session_since
    key.append(None if up is None else min(now - up, have["link_stable_s"]))
    key.append(_timing(oracle, have, now))
    if oracle.unpowered_at is not None and now - oracle.unpowered_at < have["switch_min_interval_s"]:
        key.append(("unpowered", now - oracle.unpowered_at))
    if oracle.waiting:
        key.append((oracle.waiting["due"] - now, oracle.waiting["cause"], tuple(oracle.waiting["answers"])))
    key.append(tuple(tuple(entry) for entry in oracle.answers))
    key.append(tuple(now - at for at in oracle.resumes if now - at <= 600))
    key.append(frozenset((phrase, at - now) for phrase, at in oracle.announced if at > now))
    return tuple(key)


def _timing(oracle, have, now):
    if oracle.state == LOCKED:
        return min(now - oracle.wait_from(), 4 * 14400) if oracle.outage() else None
    if oracle.state == AUTHORISED:
        since = oracle.not_welding_since()
        idle = None if since is None else now - max(since, oracle.entered)
        return (now - oracle.entered, idle)
    began = oracle.emergency_began
    total = min(oracle.seconds_without_outage(began, now), have["handover_max_s"])
    timing = (min(now - began, have["emergency_max_s"]), total)
    if oracle.state == EMERGENCY:
        return (*timing, None if oracle.outage() else now - oracle.outage_changed_at())
    since = oracle.not_welding_since()
    return (*timing, None if since is None else now - max(since, oracle.entered))
