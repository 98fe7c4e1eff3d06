"""An independent judge of the interlock, written from its laws. Pure.

It sees the relay's edges, the orders delivered, the welding current and the link as the simulator knows it (`line.py`), and
nothing the terminal says about itself beyond its being heard. Seconds and rules are those of the architecture's table; how
late the terminal may be follows from the world (`slack_ms`) and from how soon it can notice a dead link (`notice_ms`).

    verdict = Observer(settings, slack_ms, heartbeat_s).judge(lines)
    verdict.violations   [(ms, law, text)]
"""

import json

from host_tests.soak.line import Line

SETTINGS = {
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
    "month_unix_ms": 0,  # what the true clock said when the log began
}
WRONG_EMERGENCY = ("emergency too early", "emergency while forbidden", "emergency missing")

LOCKED, AUTHORISED, EMERGENCY, UNSURE, OFF = "LOCKED", "AUTHORISED", "EMERGENCY", "UNSURE", "OFF"
_AHEAD_S = 300  # an order dated further ahead is refused
_EDGE_S = 2  # whole seconds here and there
_REPEATS = 32
_DOUBLED_MOST_S = 14400
_RESUMES, _RESUMES_MS = 3, 600000
_STOP_MS = 1000  # at once
_ASKED_TWICE_MS = 23 * 3600000
_CONFIRMED_MS = 40 * 60000  # after a boot's first login its first reading of the time has been confirmed or mended
_PUBACK_MS = 200  # the order was there so long before its acknowledgement came back
_ACK_PATIENCE_S = 20
_NEVER = float("inf")


class Observer:
    """State of the judgement. `state` is the observer's own; EMERGENCY stands for hand-over too."""

    def __init__(self, settings=None, slack_ms=0, heartbeat_s=60):
        self._s = dict(SETTINGS, **(settings or {}))
        self._late_ms = slack_ms + 8000
        self._crash_ms = slack_ms + 7000  # what a timer may forget in a crash
        self._notice_ms = (heartbeat_s + _ACK_PATIENCE_S) * 1000 + self._late_ms
        self.violations = []
        self.emergencies = 0
        self.resumes = 0
        self.unsure = 0  # orders that the terminal may judge either way
        self.line = Line()
        self.state = LOCKED
        self.powered = False
        self._now = 0
        self._since = self._obeyed = 0
        self._boot = self._boot_latest = 0  # where the wait begins at the earliest, at the latest
        self._still_since = 0  # None while current flows
        self._job = None
        self._barred = self._out = False
        self._clock_wrong = self._network_wrong = False  # what the terminal was told, and what it would be told now
        self._is_remembered = False  # a modem may still tell a wrong time that the network has corrected
        self._wrong_since = 0
        self._perhaps = set()  # ids of orders that may have been refused, each for ever
        self._answered = []  # (id, action) of the last orders
        self._doubled = 0
        self._sum_ms = 0  # of good link in this emergency, as the terminal may see it at the most
        self._resumed = []  # when, in the last ten minutes
        self._grace_ms = 0  # of timers that went through crashes
        self._early_ms = 0  # of a wait that went through crashes
        self._orders = {}  # id -> (ms, message) not seen to be delivered
        self._expected = None  # (deadline, level, law)
        self._was_pulled = False  # before this line
        self._told = set()  # laws already reported in this stay in a state

    def judge(self, lines):
        """Judge a whole log; returns the observer."""
        for line in _with_deliveries(lines):
            self._pass_time(line[0])
            self._now = line[0]
            was_good = self.line.good_since
            self._was_pulled = self.line.wait_most > 1
            self.line.take(line)
            self._follow_link(was_good)
            handler = getattr(self, "_on_" + line[1], None)
            if handler:
                handler(*line[2:])
        return self

    def _blame(self, law, text, ms=None):
        if law not in self._told:
            self._told.add(law)
            self.violations.append((self._now if ms is None else ms, law, text))

    # ---- time

    def _pass_time(self, until):
        """Blame what should have happened before `until` and did not."""
        if self._expected and until > self._expected[0]:
            deadline, level, law = self._expected
            self._expected = None
            if self.powered != level:
                self._blame(law, "the relay did not go to %d" % level, deadline)
                self._enter(UNSURE if self.powered else LOCKED)
        good = self.line.good_since
        if self._doubled and good is not None and until - good > self._s["link_stable_s"] * 1000:
            self._doubled = 0
        due, law = self._must()
        if due + self._late_ms + self._grace_ms < until:
            self._blame(law, "%s since %d" % (self.state, self._since), int(due))

    def _must(self):
        """Return (when the relay has to move by time alone, the law's name)."""
        if self.state == LOCKED:
            return self._emergency_due(), "emergency missing"
        if self.state == AUTHORISED:
            return min(self._idle_due(self._s["idle_lock_s"], self._since), self._after(self._since, "authorised_max_s")), "limit"
        if self.state == EMERGENCY:
            return self._emergency_over(), "emergency too long"
        return _NEVER, None

    def _after(self, ms, setting):
        return ms + self._s[setting] * 1000

    def _idle_due(self, idle_s, entered):
        if not idle_s or self._still_since is None:
            return _NEVER
        return max(entered, self._still_since) + idle_s * 1000

    def _wait_ms(self, times):
        wait_s = self._s["fail_open_after_s"]
        return min(wait_s << self._doubled, max(wait_s, _DOUBLED_MOST_S)) * 1000 * times

    def _forbidden(self):
        why = {"barred": self._barred, "refused": self.line.is_refused, "out of service": self._out}
        why["taken over"] = self.line.is_taken_over
        return [name for name in why if why[name]]

    def _emergency_due(self):
        line = self.line
        if line.good_since is not None or line.is_unsure or self._forbidden():
            return _NEVER
        noticed = line.bad_since + (self._notice_ms if line.had_session else 0)
        return max(noticed, self._since, self._boot_latest, self._obeyed) + self._wait_ms(line.wait_most)

    def _emergency_over(self):
        good = self.line.good_since
        if good is None:
            return self._after(self._since, "emergency_max_s") if not self.line.is_unsure else _NEVER
        stable = self._after(max(good, self._since), "link_stable_s")
        most = max(good, self._since) + self._s["handover_max_s"] * 1000
        return min(self._idle_due(self._s["handover_idle_s"], stable), max(most, stable))

    def _follow_link(self, was_good):
        """Sum up how long the link was good in an emergency."""
        if self.state == EMERGENCY and was_good is not None and self.line.good_since is None:
            self._sum_ms += self._now - max(was_good, self._since) + self._notice_ms

    # ---- what happens

    def _on_boot(self, reason):
        self._told = set()
        if reason == "power" or self._was_pulled:  # what a pulled SIM has waited is not credited to the boot
            self._boot_latest = self._now
        self._network_wrong = self._network_wrong and reason != "power"  # each life has a network of its own
        self._is_remembered = self._is_remembered and reason != "power"
        self._clock_wrong = self._network_wrong
        if reason == "power":
            self._boot = self._now
            self._resumed = []
            self._lose_power()
            return
        self._resumed = [ms for ms in self._resumed if self._now - ms < _RESUMES_MS]
        if self.powered and len(self._resumed) < _RESUMES:
            self._resumed.append(self._now)
            self.resumes += 1
            self._grace_ms += self._crash_ms
            self._expected = (self._now + _STOP_MS, True, "resume")
        elif self.powered:
            self._expected = (self._now + _STOP_MS, False, "resume")
        else:  # the wait for an emergency goes on
            self._grace_ms += self._crash_ms
            self._early_ms += self._crash_ms

    def _on_end(self, _reason):
        self._expected = None
        self._enter(OFF)

    def _lose_power(self):
        self.powered = False
        self._still_since = self._now
        self._enter(LOCKED)
        self._expected = (self._now + _STOP_MS, False, "locked after a power cut")

    def _on_knob(self, name, *values):
        if name == "clock":
            was_wrong = self._network_wrong
            self._clock_wrong = self._is_clock_wrong()
            self._network_wrong = bool(values[0])
            self._wrong_since = self._now
            if self.line.login_since is None:
                self._clock_wrong = self._network_wrong
                self._is_remembered = was_wrong

    def _is_clock_wrong(self):
        """A terminal that knows the time asks once a day; it believes another time that it is told twice."""
        login = self.line.login_since
        is_remembered = self._is_remembered and (login is None or self._now - login < _CONFIRMED_MS)
        return self._clock_wrong or is_remembered or self._network_wrong and self._now - self._wrong_since >= _ASKED_TWICE_MS

    def _on_weld(self, level):
        self._still_since = None if level else self._now

    def _on_cmd(self, name, text):
        self._orders[name] = (self._now, json.loads(text))

    def _on_got(self, name):
        if name in self._orders:
            self._obey(name, self._orders.pop(name)[1])

    def _on_edge(self, _pin, level):
        if bool(level) == self.powered:
            return
        self.powered = bool(level)
        if self._expected:
            self._go_as_expected()
        elif not self._unacknowledged(level):
            if self.powered:
                self._opened()
            else:
                self._closed()

    def _go_as_expected(self):
        _, level, law = self._expected
        self._expected = None
        if level != self.powered:
            self._blame(law, "the relay went to %d" % self.powered)
            self._enter(UNSURE if self.powered else LOCKED)
        elif not self.powered and self.state != LOCKED:
            self._enter(LOCKED)

    def _unacknowledged(self, level):
        """An order whose acknowledgement was lost explains an edge that follows it at once."""
        for name, (ms, message) in list(self._orders.items()):
            if message["actionCode"] == str(level) and self._now - ms < 3000 and self._judge_order(name, message) != "no":
                del self._orders[name]
                self._answered = (self._answered + [(name, message["actionCode"])])[-_REPEATS:]
                if level:
                    self._start(message["content"].get("job"))
                else:
                    self._stop(message["content"])
                    self._expected = None
                return True
        return False

    def _opened(self):
        """Powered without an order: an emergency, or wrong."""
        forbidden = self._forbidden()
        line = self.line
        start = max(min(line.bad_since, line.bad_since_first), self._since, self._boot, self._obeyed)
        if forbidden:
            self._blame("emergency while forbidden", ", ".join(forbidden))
        elif line.good_since is not None and self._now - line.good_since > self._late_ms:
            self._blame("emergency too early", "the session is up")
        elif self._now < start + self._wait_ms(line.wait_least) - _EDGE_S * 1000 - self._early_ms:
            self._blame("emergency too early", "%d ms after %d" % (self._now - start, start))
        self.emergencies += 1
        self._sum_ms = 0
        self._enter(EMERGENCY)

    def _closed(self):
        """Unpowered without an order: by time, or wrong."""
        early = self._now + _EDGE_S * 1000
        if self.state == AUTHORISED:
            due = min(self._idle_due(self._s["idle_lock_s"], self._since), self._after(self._since, "authorised_max_s"))
            if early < due:
                self._blame("unpowered without reason", "due %s" % due)
        elif self.state == EMERGENCY:
            self._emergency_closed(early)
        self._enter(LOCKED)

    def _emergency_closed(self, early):
        if early >= self._after(self._since, "emergency_max_s"):
            self._doubled += 1
            return
        line = self.line
        good = line.good_since
        unnoticed = good is None and self._now - line.bad_since < self._notice_ms and line.had_session
        total = self._sum_ms + (self._now - max(good, self._since) if good is not None else 0)
        idle = self._idle_due(self._s["handover_idle_s"], self._since)
        if line.login_since is not None and not line.is_unsure:
            stable = self._after(max(line.login_since, self._since), "link_stable_s")
            idle = max(idle, self._idle_due(self._s["handover_idle_s"], stable))
        is_over = (good is not None or unnoticed or line.is_unsure) and early >= idle
        if not is_over and total + self._late_ms + self._grace_ms < self._s["handover_max_s"] * 1000:
            self._blame("emergency cut short", "good since %s, still since %s" % (good, self._still_since))

    # ---- orders

    def _judge_order(self, name, message):
        """Return yes, no or may: whether a delivered order has to be obeyed."""
        content = message["content"]
        if message["actionCode"] == "0":
            return "yes"
        if (name, "1") in self._answered or self._out:
            return "no"
        age_s = (self._now + self._s["month_unix_ms"] - content["issued_ms"]) // 1000 if "issued_ms" in content else 0
        is_aged = age_s > self._s["command_max_age_s"] or age_s < -_AHEAD_S
        near = min(abs(age_s - self._s["command_max_age_s"]), abs(age_s + _AHEAD_S)) <= _EDGE_S
        if "issued_ms" in content and (self._is_clock_wrong() or near) or name in self._perhaps:
            return "may"
        return "no" if is_aged else "yes"

    def _obey(self, name, message):
        action, content = message["actionCode"], message["content"]
        word = self._judge_order(name, message)
        self._answered = (self._answered + [(name, action)])[-_REPEATS:]
        if action == "0":
            self._stop(content)
            return
        job = content.get("job")
        if word == "no" or self.state == AUTHORISED and None not in (job, self._job) and job != self._job:
            return
        if word == "may":
            self.unsure += 1
            self._perhaps.add(name)
            if self.powered:
                self._enter(UNSURE)
            else:
                self._orders[name] = (self._now, message)  # an edge will tell
                self._answered.pop()
            return
        self._start(job)

    def _stop(self, content):
        if content.get("out_of_service") is False:
            self._out = False
            return
        self._out = self._out or content.get("out_of_service") is True
        self._barred = self._barred or content.get("barred") is True
        self._obeyed = self._now
        if self.powered:
            self._expected = (self._now + _STOP_MS, False, "a stop is at once")
        self._enter(LOCKED)

    def _start(self, job):
        self._barred = False
        self._obeyed = self._now
        if self.state == AUTHORISED:
            self._job = self._job or job
            return
        self._job = job
        if not self.powered:
            self._expected = (self._now + self._s["switch_min_interval_s"] * 1000 + _STOP_MS, True, "a valid order is obeyed")
        self._enter(AUTHORISED)

    def _enter(self, state):
        self.state = state
        self._since = self._now
        self._grace_ms = self._early_ms = 0
        self._told = set()


def _with_deliveries(lines):
    """Put each delivery where the terminal had the order, not where its acknowledgement came back."""
    given, moved = {}, []
    for number, line in enumerate(lines):
        ms = line[0]
        if line[1] == "cmd":
            given[line[2]] = ms
        elif line[1] == "got":
            ms = max(given.get(line[2], ms), ms - _PUBACK_MS)
        moved.append(((ms, number), [ms, *line[1:]]))
    return [line for _, line in sorted(moved, key=lambda entry: entry[0])]
