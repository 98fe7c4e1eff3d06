"""The interlock and its oracle side by side: the same facts to both, compared and checked after each one."""

from host_tests.unit.interlock_invariants import RECORD, Watch, bounded_end
from host_tests.unit.interlock_oracle import Oracle
from host_tests.unit.interlock_rules import SETTINGS
from host_tests.unit.interlock_timeline import AUTHORISED, EMERGENCY, LOCKED
from terminal import interlock

CAUSES = (
    "modem_dead",
    "no_sim",
    "sim_pulled",
    "no_signal",
    "no_registration",
    "no_data_call",
    "no_route",
    "untrusted",
    "clock_unknown",
    "no_answer",
)
SMALLEST = {name: low for name, _default, low, _high in SETTINGS}
SMALLEST["resume_within_s"] = 10
DEFAULTS = {name: default for name, default, _low, _high in SETTINGS}
BOOTED_AT_S = 1
SEEN = ("state", "powered", "job", "barred", "refused", "is_out_of_service")
_COMMAND = (  # the arguments of a command in their order, and their defaults
    ("action", None),
    ("request_id", None),
    ("job", None),
    ("age_s", None),
    ("source", "platform"),
    ("barred", False),
    ("out_of_service", None),
)
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
    """A machine and an oracle that have been told the same; `way` is every call made, for reports and replays."""

    def __init__(self, settings, hits=None, causes=CAUSES):
        self.settings = settings
        self.causes = causes
        self.machine = interlock.Interlock(settings, outage_causes=causes)
        self.oracle = Oracle(settings, causes, hits)
        self.watch = Watch(settings)
        self.now_s = BOOTED_AT_S
        self.way = ()
        self.recorded = None  # (machine's kept, oracle's kept) as of the last record
        self.saved = None  # (machine's volatile, oracle's volatile, second) as of the last record
        self.effects = []

    def copy(self):
        """Return an independent pair in the same situation."""
        other = object.__new__(type(self))
        other.__dict__.update(self.__dict__)
        other.machine = clone(self.machine)
        other.oracle = self.oracle.copy()
        other.watch = self.watch.copy()
        return other

    # ---- steps ----

    def boot(self, volatile="none", elapsed_s=None, firmware_failed=False, is_power_on=True):
        """Power-on or reset. volatile: 'none', 'now' (saved at once) or 'saved' (with the last record)."""
        kept, oracle_kept = self.recorded or (None, None)
        record, oracle_record, saved_s = self._volatile(volatile)
        passed_s = None
        if record and elapsed_s is not None:
            elapsed_s += self.now_s - saved_s
            passed_s = saved_s + elapsed_s
        self.machine = interlock.Interlock(self.settings, outage_causes=self.causes)
        self.oracle = Oracle(self.settings, self.causes, self.oracle.hits)
        self.now_s = BOOTED_AT_S
        self.way += (("boot", kept, record, elapsed_s, firmware_failed, is_power_on),)
        expected = self.oracle.boot(self.now_s, oracle_kept, oracle_record, elapsed_s, firmware_failed, is_power_on)
        effects = self.machine.boot(self.now_s, kept, record, elapsed_s, firmware_failed, is_power_on)
        if not effects or effects[0][0] != "relay":
            self.fail("boot did not set the relay first", effects)
        self.watch.rebooted(self.machine, self.now_s, passed_s)
        self.watch.welding = self.oracle.weldings[-1][1]
        return self._after(effects, expected, "boot", {}, b"")

    def _volatile(self, which):
        if which == "now":
            return self.machine.volatile(self.now_s), self.oracle.volatile(self.now_s), self.now_s
        return self.saved if which == "saved" and self.saved else (None, None, None)

    def step(self, name, after_s=0, **arguments):
        """Tell both one fact `after_s` seconds from now (negative: the clock went back); return self."""
        kept = self.machine.kept()
        at_s = self.now_s + after_s
        self.now_s = max(self.now_s, at_s)
        self.way += ((name, at_s, arguments),)
        expected = getattr(self.oracle, name)(at_s, **arguments)
        effects = getattr(self.machine, name)(at_s, **arguments)
        return self._after(effects, expected, name, arguments, kept)

    def tick_to_next(self, less_s=0):
        """Tick to the machine's own next_s, or less_s before it; a day on where time alone changes nothing."""
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
        return tuple([getattr(self.machine, attribute) for attribute in SEEN])

    def fail(self, what, effects=()):
        """Raise with the whole way here."""
        lines = ["%s; effects %r" % (what, effects)]
        lines += ["machine %r" % (self.seen(),), "settings %r" % (self.settings,)]
        lines += ["  %r" % (call,) for call in self.way]
        raise Disagreement("\n".join(lines))

    def check_bounded_end(self):
        """With no further fact the welder is unpowered within its maxima."""
        if self.machine.powered:
            trouble = bounded_end(clone(self.machine), self.now_s, self.settings)
            if trouble:
                self.fail(trouble)

    def _after(self, effects, expected, name, arguments, kept):
        self.effects = effects = [tuple(effect) for effect in effects]
        self._compare(one_record(effects), one_record(expected), name != "boot")
        trouble = self.watch.look(self.machine, self.now_s, effects, name, arguments)
        if trouble:
            self.fail(trouble, effects)
        if RECORD in effects:
            self.recorded = (self.machine.kept(), self.oracle.kept())
            self.saved = (self.machine.volatile(self.now_s), self.oracle.volatile(self.now_s), self.now_s)
        elif self.machine.kept() != kept:
            self.fail("what is kept changed and no record was asked for", effects)
        return self

    def _compare(self, ours, theirs, with_records):
        if not with_records:  # a boot may or may not record what it found
            ours, theirs = [[effect for effect in side if effect != RECORD] for side in (ours, theirs)]
        if ours != theirs:
            self.fail("machine %r\noracle  %r" % (ours, theirs))
        for attribute in SEEN:
            if getattr(self.machine, attribute) != getattr(self.oracle, attribute):
                self.fail("%s: oracle %r" % (attribute, getattr(self.oracle, attribute)), ours)
        for question in ("next_s", "minutes_to_emergency"):
            ours, theirs = [getattr(side, question)(self.now_s) for side in (self.machine, self.oracle)]
            if ours != theirs:
                self.fail("%s: machine %r, oracle %r" % (question, ours, theirs))


def lives(pair):
    """Return the way of a pair as cases of the driver, one for each boot."""
    cases = []
    for call in pair.way:
        if call[0] == "boot":
            steps = [["boot", BOOTED_AT_S, *_hex(call[1:])]]
            cases.append({"settings": pair.settings, "causes": list(pair.causes), "steps": steps})
            continue
        name, at_s, arguments = call
        values = [arguments.get(key, default) for key, default in _COMMAND]
        steps.append([name, at_s, *(values if name == "command" else arguments.values())])
    return cases


def _hex(values):
    return [value.hex() if isinstance(value, bytes) else value for value in values]


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
