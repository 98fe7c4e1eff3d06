"""Who may power the welder: one pure state machine. Facts and seconds go in, effects come out; no I/O, no clock of its own.

Owns the state, the bans, the orders that were answered and the alarms of the relay. Times are whole seconds since boot, as the
caller counts them; durations are in seconds. How it begins, and with which attributes, stands in `recall`.

Every method that takes a fact first lets time do what it would have done up to now_s, takes the fact, and then does what is due
at once; so nothing is ever left due at the second just handled. It returns the effects, to be executed in order:

    ("relay", 1|0)  ("record",)  ("answer", request_id, code, text)
    ("event", "on"|"off", cause, job, estimated)  ("alarm", kind, "start"|"end")  ("announce", phrase)

A timer is not started or stopped: its end is reckoned from what the machine knows, so that it cannot disagree with it.
"""

from micropython import const

from terminal.borrow import borrow
from terminal.records import Memory, clip, digest

_FAIL_OPEN_S = const(0)  # rows of `limits.SETTINGS`
_LINK_STABLE_S = const(1)
_HANDOVER_IDLE_S = const(2)
_HANDOVER_MAX_S = const(3)
_IDLE_LOCK_S = const(4)
_AUTHORISED_MAX_S = const(5)
_EMERGENCY_MAX_S = const(6)
_COMMAND_MAX_AGE_S = const(8)
_SWITCH_MIN_INTERVAL_S = const(9)

# What time alone brings: a state to enter, else the cause of a lock; at one second the upper row wins. Rows 0 is for LOCKED,
# from 1 for AUTHORISED, from 3 for EMERGENCY, from 5 for HANDOVER: `_ends` has their timers. Announced a minute before as
# the phrase "<row>_soon", but for the outage in a hand-over, which is at once.
CHANGES = "EMERGENCY authorised_max idle emergency_max HANDOVER EMERGENCY handover_end emergency_end"
_AT_ONCE = const(5)
_NOTICE_S = const(60)
_NEVER = const(0x3FFFFFFF)  # 34 years after boot, and still a small int
_CHANGE = const(0)  # what comes next: a row of CHANGES,
_FORGET = const(1)  # the session is stable,
_POWER = const(2)  # the switching interval is over,
_NOTICE = const(3)  # a row of CHANGES is announced
_CAP_S = const(14400)  # the doubled wait for fail-open ends at 4 h
_OVER_MAX = const(14)  # doublings that count: even 1 s doubled so often is past 4 h
_PULLED = const(4)  # from a pulled SIM to the next session the wait is so many times as long

ANSWERS = "on off busy stale future out_of_service service cancelled"  # the first two are 200
_ON = const(0)
_OFF = const(1)
_BUSY = const(2)
_STALE = const(3)
_FUTURE = const(4)
_OUT_OF_SERVICE = const(5)
_SERVICE = const(6)
_CANCELLED = const(7)
_ANSWER_MASK = const(0x0F)
_OVERTAKEN = const(0x20)  # of what `_given` returns: a 1 with another id was obeyed since this 0 was

_FUTURE_S = const(-300)  # an order may be this far ahead of our clock
_WAITING_MAX = const(8)  # orders that wait for the switching interval


class Interlock(Memory):
    """The machine. `boot` comes first and once.

    settings: dict of `limits.SETTINGS`' names, defaults for those that are missing; not checked against the ranges here.
    outage_causes: names of the causes that count as an outage, None for all; `refused` and `taken_over` never do.
    For everybody: state, powered (the relay as commanded), job, barred, refused, is_out_of_service, now, kept_broken (a record
    was there and not intact).
    """

    def __init__(self, settings, outage_causes=None):
        self._settings = settings
        self._causes = outage_causes

    # ---- facts

    def boot(self, now_s, *left):
        """Start, LOCKED or where an intact recent record says.

        left: kept, volatile (bytes of those methods, or None), elapsed_s (seconds since volatile was saved, None if not known),
        firmware_failed (minimal mode has crashed too), is_power_on (or a brown-out: the wait for an emergency begins anew).
        Returns effects; the relay's comes first, always.
        """
        return borrow("recall").boot(self, now_s, *left)

    def command(self, now_s, action, request_id, job=None, age_s=None, source="platform", barred=False, out_of_service=None):
        """An order: 1 powers, 0 stops.

        request_id, job: text or None. age_s: seconds since it was issued, negative when that is ahead of our clock, None for
        no time or no clock. source: platform, relayed or service (which may only stop). barred: a 0 shuts fail-open.
        out_of_service: a 0 with True locks until False; with False it only clears that. Returns effects.
        """
        self._pass_time(now_s)
        mark = digest(request_id)
        if action == 1:
            self._take_on(request_id, mark, clip(job), age_s, source)
            return self._end()
        # a clearing that bans as well is a stop; one heard before must not undo an out_of_service given since
        is_clearing = out_of_service is False and not barred
        given = self._given(mark, 0)
        if given is None or not (is_clearing or given & _OVERTAKEN):
            given = _OFF
            self._store(mark, 0, _OFF)
            if out_of_service is not None:
                self.is_out_of_service = bool(out_of_service)
            if is_clearing:
                self._record()
            else:
                self._obeyed_at = self.now
                self.barred = self.barred or bool(barred)
                cause = "barred" if barred else "order"
                self._unpower("service" if source == "service" else cause, True)
        self._answer(request_id, given)
        return self._end()

    def session_up(self, now_s):
        """The platform accepted the login. Returns effects."""
        self._pass_time(now_s)
        if self.refused:
            self.refused = False
            self._record()
        self._alarm("tamper", False)
        return self._session(None)

    def session_down(self, now_s, cause):
        """The session is gone or cannot be had. cause: text. Returns effects."""
        self._pass_time(now_s)
        if cause == "sim_pulled":
            self._alarm("tamper", True)
        return self._session(cause)

    def session_refused(self, now_s):
        """The platform's verdict, kept over power cuts until a session is accepted. Returns effects."""
        self._pass_time(now_s)
        if not self.refused:
            self.refused = True
            self._record()
        return self._session("refused")

    def welding(self, now_s, value):
        """The current sense says True, False or None; told again and again. Returns effects."""
        self._pass_time(now_s)
        if value is not None:
            self._alarm("welding_while_unpowered", value and not self.powered)
        if (value is False) == (self._still_since is not None):
            return self.tick(now_s)
        self._still_since = self.now if value is False else None
        return self._end()

    def contact(self, now_s, value):
        """The settled contact says True (powered), False or None; told again and again. Returns effects."""
        self._pass_time(now_s)
        if value is not None:
            self._alarm("contact_stuck", value and not self.powered)
            self._alarm("contact_failed", not value and self.powered)
        return self.tick(now_s)

    def out_of_service(self, now_s, flag):
        """The platform's order is set or cleared without a stop. Returns effects."""
        self._pass_time(now_s)
        if self.is_out_of_service != flag:
            self.is_out_of_service = flag
            self._record()
        return self._end()

    def tick(self, now_s):
        """Time moved on. Returns effects; one shared empty tuple when nothing was due."""
        self._pass_time(now_s)
        if not self._out:
            return ()
        out, self._out = self._out, []
        return out

    # ---- questions

    def minutes_to_emergency(self, now_s):
        """Return the minutes, rounded up, until an outage powers the welder; None when none will."""
        row, ends = self._ends()
        return None if row or ends[0] is None else (max(0, ends[0] - max(now_s, self.now)) + 59) // 60

    def next_s(self, now_s):
        """Return the second, now_s at the earliest, at which time alone does or says something, or None."""
        return None if self._next[0] == _NEVER else max(self._next[0], now_s)

    # ---- orders

    def _take_on(self, request_id, mark, job, age_s, source):
        answer = self._given(mark, 1)
        is_waiting = request_id is not None and request_id in self._waiting
        if answer is not None and not is_waiting:
            self._answer(request_id, answer)
            return
        answer = self._verdict(job, age_s, source)
        if answer != _ON:
            if mark and not is_waiting:
                self._store(mark, 1, answer)
                self._record()
            self._answer(request_id, answer)
            return
        self.barred = False
        self._obeyed_at = self.now
        self._store(mark, 1, _ON)
        self._overtake(mark)
        self._waiting.append(request_id)
        self.job = self.job or job
        is_new = self.state != "AUTHORISED"
        if is_new:
            self._enter("AUTHORISED")
        self._record()
        if is_new:
            self._power()
        elif self.powered:
            self._switched(_ON)

    def _verdict(self, job, age_s, source):
        if source == "service":
            return _SERVICE
        if self.is_out_of_service:
            return _OUT_OF_SERVICE
        if age_s is not None:
            if age_s > self._settings[_COMMAND_MAX_AGE_S]:
                return _STALE
            if age_s < _FUTURE_S:
                return _FUTURE
        if self.state != "AUTHORISED":
            return _ON
        is_other = job is not None and self.job is not None and job != self.job
        return _BUSY if is_other or len(self._waiting) >= _WAITING_MAX else _ON

    def _answer(self, request_id, answer):
        answer &= _ANSWER_MASK
        self._out.append(("answer", request_id, 200 if answer <= _OFF else 500, ANSWERS.split()[answer]))

    # ---- the welder

    def _power(self):
        """Power the welder, tell why and answer those who wait for it; not before the switching interval is over."""
        if not self.powered:
            if self._unpowered_at is not None and self._unpowered_at + self._settings[_SWITCH_MIN_INTERVAL_S] > self.now:
                return
            self.powered = True
            self._out.append(("relay", 1))
        cause = "firmware" if self._firmware_failed else "emergency"
        self._out.append(("event", "on", "order" if self._emergency_since is None else cause, self.job, False))
        self._switched(_ON)

    def _unpower(self, cause, is_order):
        """Unpower and lock. An order moves the relay in any case: what we believe of it may be wrong."""
        was_powered, job = self.powered, self.job
        if was_powered or is_order:
            self._out.append(("relay", 0))
        if was_powered:
            self.powered = False
            self._unpowered_at = self.now
        if self.state != "LOCKED":
            self._enter("LOCKED")
        self.job = None
        for request_id in self._waiting:
            self._store(digest(request_id), 1, _CANCELLED)
        self._record()
        if was_powered:
            self._out.append(("event", "off", cause, job, False))
        self._switched(_CANCELLED)

    def _enter(self, state):
        self.state = state
        self._since = self.now
        self._said = [None] * 3
        if state in ("LOCKED", "AUTHORISED"):
            self._emergency_since = None

    # ---- effects

    def _switched(self, answer):
        """Answer those who wait; start and end the alarms that switching does. What then disagrees is left to its next fact."""
        self._alarm("emergency", self.powered and self._emergency_since is not None)
        if self.powered:
            self._alarm("contact_stuck", False)
            self._alarm("welding_while_unpowered", False)
        else:
            self._alarm("contact_failed", False)
        waiting, self._waiting = self._waiting, []
        for request_id in waiting:
            self._answer(request_id, answer)

    def _alarm(self, kind, is_on):
        alarms = self._alarms
        if (kind in alarms) != is_on:
            (alarms.append if is_on else alarms.remove)(kind)
            self._out.append(("alarm", kind, "start" if is_on else "end"))

    def _record(self):
        if self._out[-1:] != [("record",)]:
            self._out.append(("record",))

    def _end(self):
        """Reckon anew after a fact, do what is due at once, and hand the effects over."""
        self._reckon()
        return self.tick(self.now)

    # ---- time

    def _session(self, cause):
        """Take why the session is down, None while it is up; an outage runs on from one counting cause to the next."""
        if cause is None and self._cause is not None:
            self._up_since = self.now
        self._cause = cause
        is_outage = self._firmware_failed or cause in self._causes and not self.refused
        if is_outage and self._outage_since is None:
            self._outage_since = self.now
            self._sum_s += self.now - self._quiet_since
        elif not is_outage and self._outage_since is not None:
            self._outage_since = None
            self._quiet_since = self.now
        return self._end()

    def _pass_time(self, now_s):
        """Do what time alone would have done up to now_s, each at its second."""
        while self._next[0] <= now_s:
            self.now, deed, row = self._next
            what = CHANGES.split()[row]
            if deed == _FORGET:
                self._over = 0
                self._record()
            elif deed == _POWER:
                self._power()
            elif deed == _NOTICE:
                first, ends = self._ends()
                self._said[row - first] = ends[row - first]
                self._out.append(("announce", what.lower() + "_soon"))
            elif what.islower():  # the cause of a lock
                if what == "emergency_max":
                    self._over = min(self._over + 1, _OVER_MAX)
                self._unpower(what, False)
            else:
                is_new = self.state == "LOCKED"
                self._enter(what)
                self._record()
                if is_new:
                    self._emergency_since = self.now
                    self._sum_s = 0
                    self._power()
            self._reckon()
        self.now = max(self.now, now_s)

    def _reckon(self):
        """Find what comes next. At one second: changes first, then the session, powering, notices."""
        now = self.now
        said = self._said
        coming = [(_NEVER, 0, 0)]
        row, ends = self._ends()
        for k, end in enumerate(ends):
            if said[k] != end:
                said[k] = None  # another end is another run of the timer
            if end is not None:
                coming.append((max(end, now), _CHANGE, row))
                if said[k] is None and row != _AT_ONCE:
                    coming.append((max(end - _NOTICE_S, now), _NOTICE, row))
            row += 1
        if self._over and self._cause is None:
            coming.append((max(self._up_since + self._settings[_LINK_STABLE_S], now), _FORGET, 0))
        if self.state != "LOCKED" and not self.powered:
            coming.append((max(self._unpowered_at + self._settings[_SWITCH_MIN_INTERVAL_S], now), _POWER, 0))
        self._next = min(coming)

    def _ends(self):
        """Return (the state's first row of CHANGES, the seconds at which its timers end; None for one that does not run)."""
        settings = self._settings
        since = self._since
        outage = self._outage_since
        if self.state == "LOCKED":
            if outage is None or self.barred or self.refused or self.is_out_of_service:
                return 0, (None,)
            wait_s = settings[_FAIL_OPEN_S]
            wait_s = min(wait_s << self._over, max(wait_s, _CAP_S))
            if "tamper" in self._alarms:  # put back it is still the outage of who pulled it
                wait_s *= _PULLED
            return 0, (max(outage, since, self._obeyed_at) + wait_s,)
        if self.state == "EMERGENCY":
            handover = None
            if self.refused and not self._firmware_failed:
                handover = self.now
            elif outage is None and not self._firmware_failed:
                handover = self._quiet_since + settings[_LINK_STABLE_S]
            return 3, (self._emergency_since + settings[_EMERGENCY_MAX_S], handover)
        is_authorised = self.state == "AUTHORISED"
        idle_s = settings[_IDLE_LOCK_S if is_authorised else _HANDOVER_IDLE_S]
        still = self._still_since
        idle_end = None if still is None or not idle_s else max(since, still) + idle_s
        if is_authorised:
            return 1, (since + settings[_AUTHORISED_MAX_S], idle_end)
        handover_end = self._quiet_since + settings[_HANDOVER_MAX_S] - self._sum_s
        return 5, (None if outage is None else self.now, handover_end, idle_end)
