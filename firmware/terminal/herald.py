"""Tells people and platform what happens: one reason for voice, lamp and heartbeat; switchings and alarms as they come.

Owns the reason now in force and the states last told. Hears the guard's effects as its hooks.
"""

import asyncio

from micropython import const

from terminal import reasons
from terminal.records import HANDOVER

_ROUND_MS = const(1000)
_PROVED_S = const(60)
_ALIVE_S = const(600)  # 144 writes of a few bytes a day while powered
_FAULTS = ("contact_failed", "contact_stuck")  # alarms that keep the relay from doing its duty


class Herald:
    """Hooks of the guard, and the task that watches everything that is told when it changes.

    parts: `terminal.parts.Parts`. link, modem, desk, alarms, voice, led: the rooms of those names. celsius: returns the chip's
    temperature in whole degrees, or None.
    """

    def __init__(self, parts, modem, link, desk, alarms, voice, led, celsius):
        self.reason = None
        self._parts = parts
        self._lock = parts.guard.interlock
        self._modem = modem
        self._link = link
        self._desk = desk
        self._alarms = alarms
        self._voice = voice
        self._led = led
        self._celsius = celsius
        self._state = None
        self._was_online = False
        self._is_proved = False

    # ---- hooks of the guard

    def on_event(self, on, cause, job, estimated):
        """A switching: to the platform, and aloud."""
        moment = None
        if estimated:
            moment = (self._parts.store.alive_ms(), self._parts.store.boots.number, 0)
        self._desk.report_event(on, cause, job, estimated, moment)
        if cause == "emergency":
            self._voice.announce("emergency")
        elif not estimated:
            self._voice.announce("switched_on" if on else "switched_off")
        self._note_alive()

    def on_alarm(self, kind, phase):
        """An alarm of the interlock's begins or ends."""
        self._alarms.note(kind, phase == "start")

    def on_announce(self, phrase):
        """A change by time is a minute away."""
        self._voice.announce(phrase)

    def on_answer(self, request_id, code, text):
        """An order has its answer."""
        self._desk.answer(request_id, code, text)

    # ---- the task

    async def run(self):
        """Vital: look at everything once a second, for ever."""
        self._voice.announce("welcome")
        self._alarms.note("config_broken", bool(self._parts.problems), "; ".join(self._parts.problems)[:200])
        while True:
            self.look()
            self.beat()
            await asyncio.sleep_ms(_ROUND_MS)

    def beat(self):
        """Prove life; the supervisor's shell puts its own in this place."""

    def look(self):
        """Tell what has changed."""
        now_s = self._parts.clock.now_s()
        reason, minutes = reasons.explain(self._lock, self._link.cause, self.faults(), now_s)
        self._tell_state()
        self._tell_reason(reason, minutes)
        self._watch_alarms()
        if self._lock.powered and now_s % _ALIVE_S == 0:
            self._note_alive()
        if not self._is_proved and now_s >= _PROVED_S:
            self._prove()

    def _prove(self):
        """After a minute of service this boot counts as finished; where NVS fails, it stays open."""
        self._is_proved = True
        try:
            self._parts.store.finish_boot()
        except OSError as error:
            self._parts.kept_problem = str(error)

    def faults(self):
        """Return the names of what keeps the relay from its duty."""
        return [kind for kind in self._alarms.active() if kind in _FAULTS]

    def _tell_state(self):
        online = self._link.cause is None
        if online and not self._was_online:
            self._voice.announce("online")
        self._was_online = online
        state = self._lock.state
        if state == HANDOVER and self._state not in (None, HANDOVER):
            self._voice.announce("network_back")
        self._state = state

    def _tell_reason(self, reason, minutes):
        if reason == self.reason:
            return
        self.reason = reason
        self._led.show(reason)
        if reason != reasons.OK:
            self._voice.announce(reason, minutes)

    def _watch_alarms(self):
        config = self._parts.config
        iccid = self._modem.iccid
        if iccid and config.iccid:
            self._alarms.note("sim_changed", iccid != config.iccid, iccid)
        if self._link.cause is None or self._link.cause == "untrusted":
            self._alarms.note("untrusted", self._link.cause is not None, self._link.untrusted)
        self._alarms.note("clock", self._parts.clock.disputed)
        self._alarms.temperature(self._celsius(), config.overtemperature_c)

    def _note_alive(self):
        """Keep the time on flash now and then: after a power cut it is the best guess of when that was."""
        unix_s = self._parts.clock.unix_s()
        if unix_s is not None:
            self._parts.store.note_alive(unix_s)

