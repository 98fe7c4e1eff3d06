"""The oracle's half about time: what holds at a second, worked out from facts, and what time alone changes.

Slow and plain on purpose, written from the description and not from the machine's code; CPython only. Facts are
kept with the second they arrived (seconds since boot); `hits` collects the ids of the rules that fired.
"""

from host_tests.unit.interlock_rules import RULES

LOCKED = "LOCKED"
AUTHORISED = "AUTHORISED"
EMERGENCY = "EMERGENCY"
HANDOVER = "HANDOVER"

_CAP_S = 14400  # "at most 4 h"
_NOTICE_S = 60  # "announced aloud a minute before"
NEVER_COUNT = ("refused", "taken_over")


class Timeline:
    """What follows from the facts told so far, and from time."""

    def __init__(self, settings, outage_causes, hits=None):
        self.settings = dict(settings)
        self.causes = frozenset(outage_causes)
        self.hits = set() if hits is None else hits
        self.every_second = False  # True: walk through every second instead of from deadline to deadline
        self._forget()

    def _forget(self):
        self.now = 0
        self.booted = 0
        self.state = LOCKED
        self.entered = 0  # when the state began
        self.emergency_began = None  # first entry to EMERGENCY, through all flaps
        self.job = None
        self.powered = False  # as commanded
        self.unpowered_at = None  # last time a powered relay was opened
        self.waiting = None  # or {"due", "alarm", "answers": [ids], "cause"}
        self.barred = self.refused = self.is_out_of_service = False
        self.ended_by_max = 0
        self.session_since = None  # up since, or None
        self.cause = "modem_dead"
        self.sim_was_pulled = False  # since the last session
        self.cause_changed = False  # within this outage
        self.outages = []  # (second, outage or not): only changes
        self.firmware_failed = False
        self.weldings = []  # (second, value): only changes
        self.ordered = None  # last obeyed command
        self.answers = []  # [id, action, code, text, superseded], oldest first
        self.alarms = set()
        self.announced = set()  # (phrase, deadline) of the timers that run
        self.said_before = set()  # phrases of runs that are over
        self.resumes = []  # seconds of the resumes
        self.effects = []

    def copy(self):
        """Return an independent copy that shares nothing but `hits`."""
        other = object.__new__(type(self))
        other.__dict__.update(self.__dict__)
        for name in ("outages", "weldings", "resumes"):
            setattr(other, name, list(getattr(self, name)))
        other.answers = [list(entry) for entry in self.answers]
        other.alarms = set(self.alarms)
        other.announced = set(self.announced)
        other.said_before = set(self.said_before)
        if self.waiting:
            other.waiting = dict(self.waiting, answers=list(self.waiting["answers"]))
        other.effects = []
        return other

    def hit(self, rule):
        """Mark a rule as fired."""
        if rule not in RULES:
            raise KeyError(rule)
        self.hits.add(rule)

    # ---- definitions: what holds now, from the facts ----

    def outage(self):
        """Not up, not refused, by a cause that counts; failed firmware counts whatever the session says."""
        if self.firmware_failed:
            return True
        down = self.session_since is None
        return down and not self.refused and self.cause in self.causes and self.cause not in NEVER_COUNT

    def outage_changed_at(self):
        """The second since which there is, or is not, an outage."""
        return self.outages[-1][0]

    def seconds_without_outage(self, start, end):
        """Sum the seconds between start and end in which no outage ran."""
        total = 0
        for index, (at, outage) in enumerate(self.outages):
            until = self.outages[index + 1][0] if index + 1 < len(self.outages) else end
            if not outage:
                total += max(0, min(until, end) - max(at, start))
        return total

    def not_welding_since(self):
        """The second since which welding is False without a break, else None (unknown never counts)."""
        at, value = self.weldings[-1]
        return at if value is False else None

    def wait_s(self):
        """The wait before an emergency: doubled after each that ran its maximum, capped; 4 x from a pulled SIM to a session."""
        first = self.settings["fail_open_after_s"]
        wait = min(first * 2**self.ended_by_max, max(first, _CAP_S))
        return wait * 4 if self.sim_was_pulled else wait

    def emergency_at(self):
        """The second of the next emergency, or None while none can come."""
        if self.state != LOCKED or not self.outage():
            return None
        if self.barred or self.refused or self.is_out_of_service:
            if self.firmware_failed:
                self.hit("10 firmware gated")
            return None
        return self.wait_from() + self.wait_s()

    def wait_from(self):
        """The latest of: start of the outage, entry to LOCKED, boot, last obeyed command."""
        ordered = self.booted if self.ordered is None else self.ordered
        return max(self.outage_changed_at(), self.entered, self.booted, ordered)

    def idle_at(self, from_s, idle_s):
        """The second at which `idle_s` of not welding are over, counted from from_s at the earliest."""
        since = self.not_welding_since()
        return None if since is None else max(since, from_s) + idle_s

    def timers(self):
        """Return (phrase, deadline, what then) of each running timer, the first to win a tie first."""
        have = self.settings
        if self.state == LOCKED:
            found = [("emergency_soon", self.emergency_at(), self.enter_emergency)]
        elif self.state == AUTHORISED:
            idle = self.idle_at(self.entered, have["idle_lock_s"]) if have["idle_lock_s"] else None
            found = [
                ("authorised_max_soon", self.entered + have["authorised_max_s"], self.authorised_max),
                ("idle_soon", idle, self.authorised_idle),
            ]
        elif self.state == EMERGENCY:
            stable = None if self.outage() else self.outage_changed_at() + have["link_stable_s"]
            found = [
                ("emergency_max_soon", self.emergency_began + have["emergency_max_s"], self.emergency_max),
                ("handover_soon", stable, self.stable_handover),
            ]
        else:
            left = have["handover_max_s"] - self.seconds_without_outage(self.emergency_began, self.now)
            idle = self.idle_at(self.entered, have["handover_idle_s"])
            found = [
                ("handover_end_soon", self.now + max(left, 0), self.handover_end),
                ("emergency_end_soon", idle, self.handover_idle),
            ]
        return [timer for timer in found if timer[1] is not None]

    def stable_at(self):
        """The second from which on the session is stable, or None while it is down."""
        if self.session_since is None:
            return None
        return self.session_since + self.settings["link_stable_s"]

    def minutes_to_emergency(self, now_s):
        """Whole minutes, rounded up, until the emergency; None while none can come."""
        at = self.emergency_at()
        return None if at is None else -(-(at - now_s) // 60)

    def next_s(self, now_s):
        """The earliest second after now_s at which time alone changes something that can be seen; or None."""
        times = []
        for phrase, deadline, _ in self.timers():
            times.append(deadline)
            if (phrase, deadline) not in self.announced:
                times.append(deadline - _NOTICE_S)
        if self.waiting:
            times.append(self.waiting["due"])
        if self.ended_by_max and self.session_since is not None:
            times.append(self.stable_at())
        later = [time for time in times if time > now_s]
        return min(later) if later else None

    # ---- time ----

    def _advance(self, now_s):
        """Do what time alone does up to now_s; an earlier second is taken as the last (reading 16)."""
        self.effects = []
        if now_s < self.now:
            self.hit("16 backwards")
        while self.now < now_s:
            self.now = self.now + 1 if self.every_second else self._next_stop(now_s)
            self._settle()

    def _next_stop(self, now_s):
        soon = self.next_s(self.now)
        return now_s if soon is None else min(soon, now_s)

    def _settle(self):
        """Do all that is due at this very second."""
        self._drop_announced()
        while self._one_change() or self._count_stable() or self._power_waiting():
            self._drop_announced()
        self._announce()

    def _one_change(self):
        if self.state == EMERGENCY and self.refused and not self.firmware_failed:
            self.hit("EMERGENCY: refused")
            self._change(HANDOVER)
            return True
        if self.state == HANDOVER and self.outage():
            self.hit("HANDOVER: outage")
            if self.now >= self.emergency_began + self.settings["emergency_max_s"]:
                self.hit("9 max on return")
            self._change(EMERGENCY)
            return True
        for _, deadline, then in self.timers():
            if self.now >= deadline:
                then()
                return True
        return False

    def _count_stable(self):
        """No emergency ended by its maximum is remembered while a session is up for link_stable_s."""
        at = self.stable_at()
        if at is None or self.now < at or not self.ended_by_max:
            return False
        self.hit("7 stable resets")
        self.ended_by_max = 0
        self._record()
        return True

    def _drop_announced(self):
        """Once per run of a timer: a run is over when the timer stops or its end moves."""
        running = {(phrase, deadline) for phrase, deadline, _ in self.timers()}
        over = self.announced - running
        self.said_before |= {phrase for phrase, _ in over}
        self.announced -= over

    def _announce(self):
        for phrase, deadline, _ in self.timers():
            if self.now < deadline - _NOTICE_S or (phrase, deadline) in self.announced:
                continue
            self.hit("12 " + phrase)
            if self.now > deadline - _NOTICE_S:
                self.hit("12 at once")
            if phrase in self.said_before:
                self.hit("12 rearmed")
            self.announced.add((phrase, deadline))
            self.effects.append(("announce", phrase))

    # ---- changes by time ----

    def enter_emergency(self):
        """LOCKED for the wait without a session: record, relay 1, event, alarm (reading 10)."""
        self.hit("LOCKED: outage")
        self.hit("10 entered")
        self._hit_wait()
        cause = "firmware" if self.firmware_failed else "emergency"
        if self.firmware_failed:
            self.hit("10 firmware")
        self.emergency_began = self.now
        self._change(EMERGENCY)
        self._power(cause, "emergency")

    def _hit_wait(self):
        start = self.wait_from()
        if self.ordered == start and self.entered != start:
            self.hit("5 restarts wait")
        elif self.booted == start:
            self.hit("7 from boot")
        elif self.entered == start:
            self.hit("7 from locked")
        elif self.outage_changed_at() == start:
            self.hit("7 from outage")
        if self.ended_by_max:
            doubled = self.settings["fail_open_after_s"] * 2**self.ended_by_max
            self.hit("7 doubled" if doubled <= _CAP_S else "7 capped")
        if self.sim_was_pulled:
            self.hit("7 sim pulled" if self.cause == "sim_pulled" else "7 sim put back")
        if self.cause_changed and self.outage_changed_at() == start:
            self.hit("8 continues")

    def authorised_max(self):
        """authorised_max_s from entry is over."""
        self.hit("AUTHORISED: max")
        self._lock("authorised_max")

    def authorised_idle(self):
        """Sensed as not welding for idle_lock_s."""
        self.hit("AUTHORISED: idle")
        self._lock("idle")

    def emergency_max(self):
        """emergency_max_s from the first entry is over; the next wait is doubled."""
        self.hit("EMERGENCY: max")
        self.ended_by_max += 1
        self._lock("emergency_max")

    def stable_handover(self):
        """No outage for link_stable_s without a break."""
        self.hit("EMERGENCY: stable")
        if self.session_since is None:
            self.hit("9 down stable")
        self._change(HANDOVER)

    def handover_end(self):
        """The seconds without outage since the emergency began reached handover_max_s."""
        self.hit("HANDOVER: sum")
        if self.entered == self.now:
            self.hit("9 sum before")
        if self.weldings[-1][1] is None:
            self.hit("9 unknown")
        self._lock("handover_end")

    def handover_idle(self):
        """Sensed as not welding for handover_idle_s since the hand-over began."""
        self.hit("HANDOVER: idle")
        self._lock("emergency_end")

    def _change(self, state):
        over = self.emergency_began is not None and self.emergency_began + self.settings["emergency_max_s"]
        if self.state == HANDOVER and state != EMERGENCY and self.now > over:
            self.hit("9 max in handover")
        self.state = state
        self.entered = self.now
        if state in (LOCKED, AUTHORISED):
            self.emergency_began = None
        if state == LOCKED:
            self.job = None
        self._record()

    def _lock(self, cause):
        """By time: relay 0, record, event, alarm."""
        job, was_powered, in_emergency = self.job, self.powered, self.state in (EMERGENCY, HANDOVER)
        self._unpower(always=False)
        self._change(LOCKED)
        if was_powered:
            self.effects.append(("event", "off", cause, job, False))
        if in_emergency:
            self._end_alarm("emergency")
        self._end_alarm("contact_failed")
        self._cancel_waiting()

    # ---- the relay ----

    def _unpower(self, always):
        if self.powered:
            self.unpowered_at = self.now
        if self.powered or always:
            self.effects.append(("relay", 0))
        self.powered = False

    def _power(self, cause, alarm=None, answers=()):
        """Power now, or when switch_min_interval_s after the last unpowering is over (reading 13)."""
        self.waiting = {"cause": cause, "alarm": alarm, "answers": list(answers), "due": self.now}
        if self.unpowered_at is not None:
            due = self.unpowered_at + self.settings["switch_min_interval_s"]
            self.waiting["due"] = max(due, self.now)
        if self.waiting["due"] > self.now:
            self.hit("13 waits")
        else:
            self._power_waiting()

    def _power_waiting(self):
        waiting = self.waiting
        if waiting is None or self.now < waiting["due"]:
            return False
        self.waiting = None
        if self.entered != self.now:
            self.hit("13 powers")
        if not self.powered:
            self.effects.append(("relay", 1))
        self.powered = True
        self.effects.append(("event", "on", waiting["cause"], self.job, False))
        if waiting["alarm"]:
            self._start_alarm(waiting["alarm"])
        elif "emergency" in self.alarms:
            self._end_alarm("emergency")
        self._end_alarm("contact_stuck")
        if "welding_while_unpowered" in self.alarms:
            self.hit("15 bypass ends powered")
            self._end_alarm("welding_while_unpowered")
        for request_id in waiting["answers"]:
            self._answer(request_id, 1, 200, "on")
        return True

    def _cancel_waiting(self):
        waiting, self.waiting = self.waiting, None
        if waiting:
            for request_id in waiting["answers"]:
                self.hit("13 cancelled")
                self._answer(request_id, 1, 500, "cancelled")

    # ---- small effects ----

    def _record(self):
        """One record a call and second is enough: it is written when the list of effects is carried out."""
        self.effects.append(("record",))

    def _start_alarm(self, kind):
        if kind not in self.alarms:
            self.alarms.add(kind)
            self.effects.append(("alarm", kind, "start"))

    def _end_alarm(self, kind):
        if kind in self.alarms:
            self.alarms.remove(kind)
            self.effects.append(("alarm", kind, "end"))
            if kind == "emergency":
                self.hit("10 left")
