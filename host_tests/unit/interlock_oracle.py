"""A slow, plain model of the interlock, written from its description and not from its code; CPython only.

Here: what each fact does at once. What time does, and what follows from facts, is in `interlock_timeline`; what a
reset leaves of it in `interlock_leftovers`. Times are seconds since boot.
"""

from host_tests.unit.interlock_leftovers import Leftovers
from host_tests.unit.interlock_timeline import AUTHORISED, EMERGENCY, HANDOVER, LOCKED, NEVER_COUNT

_FUTURE_S = 300  # "more than 300 s ahead"
_REMEMBERED = 32  # "the last 32 with their answers"
_WAITING = 8


class Oracle(Leftovers):
    """The interlock by its definitions: the same methods, attributes and effects as the machine."""

    # ---- answers ----

    def _answer(self, request_id, action, code, text):
        """Give an answer and store it with its id (also a 500)."""
        self.effects.append(("answer", request_id, code, text))
        if request_id is None:
            self.hit("1 no id")
            return
        self._store(request_id, action, code, text)

    def _store(self, request_id, action, code, text):
        for entry in self.answers:
            if entry[:2] == [request_id, action]:
                entry[2:] = [code, text, False]
                return
        self.answers.append([request_id, action, code, text, False])
        del self.answers[:-_REMEMBERED]

    def is_waiting(self, request_id, action=1):
        """An obeyed 1 whose answer waits for the relay; what is stored for it is not given yet."""
        return action == 1 and self.waiting is not None and request_id in self.waiting["answers"]

    def _stored(self, request_id, action):
        if request_id is None or self.is_waiting(request_id, action):
            return None
        for entry in self.answers:
            if entry[:2] == [request_id, action]:
                return entry
            if entry[0] == request_id:
                self.hit("1 same id other action")
        return None

    # ---- commands ----

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
        """A 1 or a 0 arrived; return the effects."""
        self._advance(now_s)
        if action == 0:
            self._zero(request_id, source, barred, out_of_service)
        else:
            self._one(request_id, job, age_s, source)
        self._settle()
        return self.effects

    def _refusal_of_one(self, age_s, source, job):
        """The checks of a 1 after the repeat, in their order; None when it is obeyed."""
        if source == "service":
            self.hit("1 service")
            return "service"
        if self.is_out_of_service:
            self.hit("1 out of service")
            return "out_of_service"
        if age_s is None:
            self.hit("1 no time")
        elif age_s > self.settings["command_max_age_s"]:
            self.hit("1 stale")
            return "stale"
        elif age_s < -_FUTURE_S:
            self.hit("1 future")
            return "future"
        if self.state == AUTHORISED and None not in (job, self.job) and job != self.job:
            self.hit("AUTHORISED: 1 other job")
            return "busy"
        if self.waiting and len(self.waiting["answers"]) >= _WAITING:
            self.hit("13 too many")
            return "busy"
        return None

    def _one(self, request_id, job, age_s, source):
        stored = self._stored(request_id, 1)
        if stored:
            self.hit("1 repeat")
            self.effects.append(("answer", request_id, stored[2], stored[3]))
            return
        refusal = self._refusal_of_one(age_s, source, job)
        if refusal:
            self._refuse(request_id, refusal)
            return
        self._obeyed_one(request_id)
        if self.state == AUTHORISED:
            self._stays(request_id, job)
        else:
            self._authorise(request_id, job)

    def _refuse(self, request_id, refusal):
        if request_id is not None and self.is_waiting(request_id):  # its own answer is still to come
            self.effects.append(("answer", request_id, 500, refusal))
            return
        if request_id is not None:
            self._record()
        self._answer(request_id, 1, 500, refusal)

    def _obeyed_one(self, request_id):
        if self.barred:
            self.hit("3 unbars")
        self.barred = False
        self.ordered = self.now
        if request_id is not None:  # stored at once: the record is written now, not when the wait is over
            self._store(request_id, 1, 200, "on")
        for entry in self.answers:  # a 0 before this 1 is over, but not one with this very id
            if entry[1] == 0 and entry[0] != request_id:
                entry[4] = True

    def _stays(self, request_id, job):
        self.hit("AUTHORISED: 1 no job" if None in (job, self.job) else "AUTHORISED: 1 same job")
        if self.job is None and job is not None:
            self.hit("2 adopts")
            self.job = job
        self._record()
        if self.waiting:
            self.hit("13 waits too")
            self.waiting["answers"].append(request_id)
        else:
            self._answer(request_id, 1, 200, "on")

    def _authorise(self, request_id, job):
        """record, relay, event, alarm, answer (reading 6 for the event)."""
        self.hit(self.state + ": 1")
        self.hit("6 on order")
        if self.state != LOCKED:
            self.hit("5 ends emergency")
        answers = self.waiting["answers"] if self.waiting else []
        self._change(AUTHORISED)
        self.job = job
        if self.powered:
            answers = [*answers, request_id]
            self.waiting = {"cause": "order", "alarm": None, "answers": answers, "due": self.now}
            self._power_waiting()
        else:
            self._power("order", None, [*answers, request_id])

    def _zero(self, request_id, source, barred, out_of_service):
        stored = self._stored(request_id, 0)
        clears = out_of_service is False and not barred
        if stored and (stored[4] or clears):
            self.hit("4 repeat superseded")
            self.effects.append(("answer", request_id, stored[2], stored[3]))
            return
        if stored:
            self.hit("4 repeat obeyed")
        if clears:
            self.hit("3 clears out of service")
            self._record()
            self.is_out_of_service = False
            self._answer(request_id, 0, 200, "off")
            return
        self._stop(request_id, source, barred, out_of_service)

    def _stop(self, request_id, source, barred, out_of_service):
        """A stop is never refused: relay, record, event, alarm, answer."""
        job, was_powered, state = self.job, self.powered, self.state
        self._unpower(always=True)
        self.ordered = self.now
        if self.barred and not barred:
            self.hit("3 keeps ban")
        if barred:
            self.hit("3 bars")
            self.barred = True
        if out_of_service is not None:
            self.hit("3 sets out of service" if out_of_service else "3 clears out of service")
            self.is_out_of_service = out_of_service
        if state == LOCKED:
            self.hit("5 stop while locked")
            self._record()
        else:
            self.hit(state + ": 0")
            self._change(LOCKED)
        if was_powered:
            cause = "service" if source == "service" else "barred" if barred else "order"
            self.hit("6 off " + cause)
            self.effects.append(("event", "off", cause, job, False))
        if state in (EMERGENCY, HANDOVER):
            self.hit("5 ends emergency")
            self._end_alarm("emergency")
        self._end_alarm("contact_failed")
        self._cancel_waiting()
        self._answer(request_id, 0, 200, "off")

    # ---- the session ----

    def _session(self, since, cause):
        self.session_since = since
        self.cause = cause
        self._note_outage()

    def _note_outage(self):
        outage = self.outage()
        if self.outages[-1][1] != outage:
            self.outages.append((self.now, outage))

    def session_up(self, now_s):
        """A session was accepted: refused and tamper end."""
        self._advance(now_s)
        if self.firmware_failed:
            self.hit("10 firmware session")
        if self.refused:
            self.hit("8 refused cleared")
            self.refused = False
            self._record()
        if self.session_since is None:
            self._session(self.now, None)
        self.sim_was_pulled = False
        self._end_alarm("tamper")
        return self._done()

    def session_down(self, now_s, cause):
        """The session is down for a cause; refused stays."""
        self._advance(now_s)
        had_outage = self.outage()
        self._session(None, cause)
        if cause == "sim_pulled":
            self.hit("7 tamper")
            self.sim_was_pulled = True
            self._start_alarm("tamper")
        if cause in NEVER_COUNT:
            self.hit("8 never counts")
        self.cause_changed = had_outage and self.outage()
        if had_outage and not self.outage():
            self.hit("8 ends outage")
        if self.refused:
            self.hit("8 refused stays")
        return self._done()

    def session_refused(self, now_s):
        """The platform's verdict: no outage, kept over power cuts."""
        self._advance(now_s)
        if not self.refused:
            self.refused = True
            self._record()
        self._session(None, "refused")
        return self._done()

    # ---- other facts ----

    def _done(self):
        if self.state == AUTHORISED:
            self.hit("11 unchanged")
        self._settle()
        return self.effects

    def welding(self, now_s, value):
        """Welding, not welding or unknown."""
        self._advance(now_s)
        if self.weldings[-1][1] is not value:
            if value is None and self.state == AUTHORISED and self.weldings[-1][1] is False:
                self.hit("11 unknown")
            self.weldings.append((self.now, value))
        if value and not self.powered:
            self.hit("15 bypass")
            self._start_alarm("welding_while_unpowered")
        if value is False:
            if "welding_while_unpowered" in self.alarms:
                self.hit("15 bypass ends not welding")
            self._end_alarm("welding_while_unpowered")
        return self._done()

    def contact(self, now_s, value):
        """The contact read back, settled: powered, unpowered or unknown."""
        self._advance(now_s)
        if value is None:
            self.hit("15 unknown")
            return self._done()
        if value == self.powered:
            if self.alarms & {"contact_stuck", "contact_failed"}:
                self.hit("15 agrees")
            self._end_alarm("contact_stuck")
            self._end_alarm("contact_failed")
        elif value:
            self.hit("15 stuck")
            self._end_alarm("contact_failed")
            self._start_alarm("contact_stuck")
        else:
            self.hit("15 failed")
            self._end_alarm("contact_stuck")
            self._start_alarm("contact_failed")
        return self._done()

    def out_of_service(self, now_s, flag):
        """The order reached us another way than as a command: only the flag."""
        self._advance(now_s)
        if self.is_out_of_service != flag:
            self.is_out_of_service = flag
            self._record()
        return self._done()

    def tick(self, now_s):
        """The clock moved on."""
        self._advance(now_s)
        if self.state == AUTHORISED and not self.settings["idle_lock_s"]:
            since = self.not_welding_since()
            if since is not None and self.now - max(since, self.entered) > 1800:
                self.hit("11 idle off")
        self._settle()
        return self.effects
