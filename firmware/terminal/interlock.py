"""Who may power the welder: one pure state machine. Facts and seconds go in, effects come out; no I/O, no
clock of its own.

Owns the state, the bans, the orders that were answered and the alarms of the relay. Times are whole seconds
since boot, as the caller counts them; durations are in seconds. What time alone does stands in
timetable.CHANGES; orders and facts are methods here.

Every method that takes a fact first lets time do what it would have done up to now_s, takes the fact, and
then does what is due at once; so nothing is ever left due at the second just handled. It returns the effects,
to be executed in order:

    ("relay", 1|0)  ("record",)  ("answer", request_id, code, text)
    ("event", "on"|"off", cause, job, estimated)  ("alarm", kind, "start"|"end")  ("announce", phrase)
"""

from micropython import const

from terminal import records, timetable
from terminal.outage import OUTAGE_CAUSES, Outage
from terminal.records import AUTHORISED, EMERGENCY, HANDOVER, LOCKED

# (name, default, low, high), in seconds; those in MAY_BE_OFF take 0 as well
SETTINGS = (
    ("fail_open_after_s", 600, 180, 86400),
    ("link_stable_s", 30, 5, 600),
    ("handover_idle_s", 120, 10, 3600),
    ("handover_max_s", 900, 60, 7200),
    ("idle_lock_s", 1800, 300, 14400),
    ("authorised_max_s", 43200, 3600, 86400),
    ("emergency_max_s", 43200, 3600, 86400),
    ("resume_within_s", 60, 0, 600),
    ("command_max_age_s", 120, 20, 3600),
    ("switch_min_interval_s", 2, 0, 30),
)
MAY_BE_OFF = ("idle_lock_s",)

_FUTURE_S = const(-300)  # an order may be this far ahead of our clock
_WAITING_MAX = const(8)  # orders that wait for the switching interval
_NOTHING = ()
_RECORD = ("record",)

_ALARMS = ("emergency", "contact_stuck", "contact_failed", "welding_while_unpowered", "tamper")
_EMERGENCY = const(1)  # bits, in the order of _ALARMS
_STUCK = const(2)
_FAILED = const(4)
_BYPASS = const(8)
_TAMPER = const(16)


class Interlock:
    """The machine. `boot` comes first and once.

    settings: dict of SETTINGS' names, defaults for those that are missing; not checked against the ranges
    here. outage_causes: names of the causes that count as an outage; `refused` and `taken_over` never do.
    Attributes above the line are for everybody, those below it for the timetable and the records.
    """

    def __init__(self, settings, outage_causes=OUTAGE_CAUSES):
        self.state = LOCKED
        self.powered = False  # the relay as commanded
        self.job = None
        self.barred = False
        self.refused = False
        self.is_out_of_service = False
        self.kept_broken = False  # a record was there and not intact
        # ----
        self.settings = {row[0]: settings.get(row[0], row[1]) for row in SETTINGS}
        self.firmware_failed = False
        self.answered = records.Answered()
        self.plan = timetable.Timetable()
        self.resumes = []  # seconds of the resumes in the last ten minutes
        self._causes = outage_causes
        self._alarms = 0  # bits of those that are on
        self._waiting = []  # request ids of obeyed 1s whose answer waits for the relay
        self._out = []
        self._start(0)

    def _start(self, now_s):
        self.now = now_s
        self.since = now_s  # the state was entered
        self.obeyed_at = now_s  # an order was obeyed, or boot
        self.emergency_since = now_s
        self.still_since = None  # sensed as not welding, without a break
        self.power_at = None  # obeyed, but the switching interval runs until then
        self.unpowered_at = None  # the welder was last switched off
        self.outage = Outage(self._causes, self.settings["fail_open_after_s"], now_s, self.firmware_failed)

    # ---- facts

    def boot(self, now_s, kept=None, volatile=None, elapsed_s=None, firmware_failed=False):
        """Start, LOCKED or where an intact recent record says.

        kept, volatile: bytes of those methods, or None. elapsed_s: seconds since volatile was saved, None if
        not known. firmware_failed: minimal mode has crashed too. Returns effects; the relay's comes first,
        always.
        """
        self.firmware_failed = firmware_failed
        self._start(now_s)
        was_powered, lost_job = records.take_kept(self, kept)
        records.take_volatile(self, volatile, elapsed_s)
        self.powered = self.state != LOCKED
        if self.is_emergency():
            self._alarms |= _EMERGENCY
        self._emit(("relay", 1 if self.powered else 0))
        self._record()
        if self.powered:
            self._emit(("event", "on", "resumed", self.job, False))
        elif was_powered:
            self._emit(("event", "off", "power_lost", lost_job, True))
        self.outage.down(now_s, "modem_dead", self.refused)
        return self._end()

    def command(
        self,
        now_s,
        action,
        request_id,
        job=None,
        age_s=None,
        source="platform",
        barred=False,
        out_of_service=None,
    ):
        """An order: 1 powers, 0 stops.

        request_id, job: text or None. age_s: seconds since it was issued, negative when that is ahead of our
        clock, None for no time or no clock. source: platform, relayed or service (which may only stop).
        barred: a 0 shuts fail-open. out_of_service: a 0 with True locks until False; with False it only
        clears that. Returns effects.
        """
        self._pass_time(now_s)
        mark = None if request_id is None else records.digest(request_id)
        if action == 1:
            self._take_on(request_id, mark, records.clip(job), age_s, source)
        else:
            self._take_off(request_id, mark, source, barred, out_of_service)
        return self._end()

    def session_up(self, now_s):
        """The platform accepted the login. Returns effects."""
        self._pass_time(now_s)
        if self.refused:
            self.refused = False
            self._record()
        self._alarm(_TAMPER, False)
        self.outage.up(self.now)
        return self._end()

    def session_down(self, now_s, cause):
        """The session is gone or cannot be had. cause: text. Returns effects."""
        self._pass_time(now_s)
        if cause == "sim_pulled":
            self._alarm(_TAMPER, True)
        self.outage.down(self.now, cause, self.refused)
        return self._end()

    def session_refused(self, now_s):
        """The platform's verdict, kept over power cuts until a session is accepted. Returns effects."""
        self._pass_time(now_s)
        if not self.refused:
            self.refused = True
            self._record()
        self.outage.down(self.now, "refused", True)
        return self._end()

    def welding(self, now_s, value):
        """The current sense says True, False or None; told again and again. Returns effects."""
        self._pass_time(now_s)
        if value is not None:
            self._alarm(_BYPASS, value and not self.powered)
        if (value is False) == (self.still_since is not None):
            return self._give()
        self.still_since = self.now if value is False else None
        return self._end()

    def contact(self, now_s, value):
        """The settled contact says True (powered), False or None; told again and again. Returns effects."""
        self._pass_time(now_s)
        if value is not None:
            self._alarm(_STUCK, value and not self.powered)
            self._alarm(_FAILED, not value and self.powered)
        return self._give()

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
        return self._give()

    # ---- questions

    def minutes_to_emergency(self, now_s):
        """Return the minutes, rounded up, until an outage powers the welder; None when none will."""
        end = timetable.CHANGES[0][1](self) if self.state == LOCKED else None
        return None if end is None else (max(0, end - max(now_s, self.now)) + 59) // 60

    def next_s(self, now_s):
        """Return the second, now_s at the earliest, at which time alone does or says something, or None."""
        return None if self.plan.due == timetable.NEVER else max(self.plan.due, now_s)

    def kept(self):
        """Return what must survive power cuts, at most 363 bytes."""
        return records.kept(self)

    def volatile(self, now_s):
        """Return what must survive resets, at most 102 bytes; its ages are those at now_s."""
        return records.volatile(self, max(now_s, self.now))

    # ---- orders

    def _take_on(self, request_id, mark, job, age_s, source):
        answer = self.answered.answer(mark, 1)
        is_waiting = request_id is not None and request_id in self._waiting
        if answer is not None and not is_waiting:
            self._answer(request_id, answer)
            return
        answer = self._verdict(job, age_s, source)
        if answer == records.ON:
            self._obey_on(request_id, mark, job)
            return
        if mark is not None and not is_waiting:
            self.answered.store(mark, 1, answer)
            self._record()
        self._answer(request_id, answer)

    def _verdict(self, job, age_s, source):
        if source == "service":
            return records.SERVICE
        if self.is_out_of_service:
            return records.OUT_OF_SERVICE
        if age_s is not None and age_s > self.settings["command_max_age_s"]:
            return records.STALE
        if age_s is not None and age_s < _FUTURE_S:
            return records.FUTURE
        return records.BUSY if self._is_busy(job) else records.ON

    def _is_busy(self, job):
        if self.state != AUTHORISED:
            return False
        is_other = job is not None and self.job is not None and job != self.job
        return is_other or len(self._waiting) >= _WAITING_MAX

    def _obey_on(self, request_id, mark, job):
        self.barred = False
        self.obeyed_at = self.now
        self.answered.store(mark, 1, records.ON)
        self.answered.overtake(mark)
        self._waiting.append(request_id)
        self.job = self.job or job
        was_authorised = self.state == AUTHORISED
        if not was_authorised:
            self._enter(AUTHORISED)
        self._record()
        if not was_authorised:
            self._power()
        elif self.powered:
            self._answer_waiting(records.ON)

    def _take_off(self, request_id, mark, source, barred, out_of_service):
        # a clearing that bans as well is a stop; one heard before must not undo an out_of_service given since
        is_clearing = out_of_service is False and not barred
        given = self.answered.answer(mark, 0)
        if self.answered.is_overtaken(mark) or (is_clearing and given is not None):
            self._answer(request_id, given)
            return
        self.answered.store(mark, 0, records.OFF)
        if out_of_service is not None:
            self.is_out_of_service = bool(out_of_service)
        if is_clearing:
            self._record()
        else:
            self._stop(source, bool(barred))
        self._answer(request_id, records.OFF)

    def _stop(self, source, barred):
        self.obeyed_at = self.now
        self.barred = self.barred or barred
        cause = "barred" if barred else "order"
        self._unpower("service" if source == "service" else cause, True)

    def _answer(self, request_id, answer):
        code, text = records.ANSWERS[answer]
        self._emit(("answer", request_id, code, text))

    def _answer_waiting(self, answer):
        waiting, self._waiting = self._waiting, []
        for request_id in waiting:
            self._answer(request_id, answer)

    # ---- the welder

    def _power(self):
        """Power now, or when the switching interval is over."""
        if not self.powered and self.unpowered_at is not None:
            at = self.unpowered_at + self.settings["switch_min_interval_s"]
            if at > self.now:
                self.power_at = at
                return
        self._power_now(0)

    def _power_now(self, _row):
        """Power the welder, tell why, and answer those who wait for it."""
        self.power_at = None
        if not self.powered:
            self.powered = True
            self._emit(("relay", 1))
        outage = "firmware" if self.firmware_failed else "emergency"
        self._emit(("event", "on", outage if self.is_emergency() else "order", self.job, False))
        self._switch_alarms()
        self._answer_waiting(records.ON)

    def _unpower(self, cause, is_order):
        """Unpower and lock. An order moves the relay in any case: what we believe of it may be wrong."""
        was_powered, job = self.powered, self.job
        if was_powered or is_order:
            self._emit(("relay", 0))
        if was_powered:
            self.powered = False
            self.unpowered_at = self.now
        if self.state != LOCKED:
            self._enter(LOCKED)
        self.job = None
        self.power_at = None
        for request_id in self._waiting:
            if request_id is not None:
                self.answered.store(records.digest(request_id), 1, records.CANCELLED)
        self._record()
        if was_powered:
            self._emit(("event", "off", cause, job, False))
        self._switch_alarms()
        self._answer_waiting(records.CANCELLED)

    def _enter(self, state):
        self.state = state
        self.since = self.now

    def is_emergency(self):
        """Return True when an outage has powered the welder."""
        return self.state in (EMERGENCY, HANDOVER)

    # ---- alarms

    def _switch_alarms(self):
        """What the switching itself starts and ends; what then disagrees is left to its next fact."""
        self._alarm(_EMERGENCY, self.powered and self.is_emergency())
        if self.powered:
            self._alarm(_STUCK, False)
            self._alarm(_BYPASS, False)
        else:
            self._alarm(_FAILED, False)

    def _alarm(self, bit, is_on):
        if bool(self._alarms & bit) == is_on:
            return
        self._alarms ^= bit
        k = 0
        while bit >> k != 1:
            k += 1
        self._emit(("alarm", _ALARMS[k], "start" if is_on else "end"))

    # ---- time

    def _pass_time(self, now_s):
        """Do what time alone would have done up to now_s, each at its second."""
        plan = self.plan
        while plan.due <= now_s:
            self.now = plan.due
            _DEEDS[plan.deed](self, plan.row)
            plan.reckon(self)
        if now_s > self.now:
            self.now = now_s

    def _change(self, row):
        _state, _end, state, cause, _phrase = timetable.CHANGES[row]
        if state == LOCKED:
            if cause == "emergency_max":
                self.outage.emergency_over()
            self._unpower(cause, False)
            return
        is_new = self.state == LOCKED
        self._enter(state)
        self._record()
        if is_new:
            self.emergency_since = self.now
            self.outage.emergency_began()
            self._power()

    def _forget(self, _row):
        """The session is stable: the wait for fail-open is no longer doubled."""
        self.outage.over = 0
        self._record()

    def _announce(self, row):
        self._emit(("announce", self.plan.announced(row)))

    # ---- effects

    def _emit(self, effect):
        self._out.append(effect)

    def _record(self):
        if not self._out or self._out[-1] is not _RECORD:
            self._emit(_RECORD)

    def _give(self):
        if not self._out:
            return _NOTHING
        out, self._out = self._out, []
        return out

    def _end(self):
        """Reckon anew after a fact, do what is due at once, and hand the effects over."""
        self.plan.reckon(self)
        self._pass_time(self.now)
        return self._give()


# the timetable's deeds, in the order of its constants CHANGE, FORGET, POWER, NOTICE
_DEEDS = (Interlock._change, Interlock._forget, Interlock._power_now, Interlock._announce)
