"""Tells people and platform what happens: one reason for voice, lamp and heartbeat; switchings and alarms as they come.

Owns the reason now in force and the states last told. Hears the guard's effects as its hooks.
"""

import asyncio

from micropython import const

from terminal.borrow import borrow
from terminal.reasons import explain

_ROUND_MS = const(1000)
_PROVED_S = const(60)
_ALIVE_S = const(600)  # 144 writes of a few bytes a day while powered
_FAULTS = ("contact_failed", "contact_stuck")  # alarms that keep the relay from doing its duty


class Herald:
    """The guard's audience, and the task that watches everything that is told when it changes.

    parts: the module `terminal.parts`. link, modem, desk, alarms, voice, led: the rooms of those names. celsius: returns the
    chip's temperature in whole degrees, or None.
    """

    def __init__(self, parts, modem, link, desk, alarms, voice, led, celsius):
        self.reason = None
        self.beat = None
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

    def hear(self, effect):
        """Take an effect of the interlock's: an event, an alarm, an answer or an announcement."""
        kind = effect[0]
        if kind == "event":
            self._switched(effect[1] == "on", *effect[2:])
        elif kind == "alarm":
            self._alarms.note(effect[1], effect[2] == "start")
        elif kind == "answer":
            self._desk.answer(*effect[1:])
        else:
            self._voice.announce(effect[1])

    def _switched(self, on, cause, job, estimated):
        """A switching: to the platform, and aloud."""
        store = self._parts.store
        moment = (borrow("boots").alive_ms(store), store.number, 0) if estimated else None
        self._desk.report_event(on, cause, job, estimated, moment)
        if cause == "emergency":
            self._voice.announce("emergency")
        elif not estimated:
            self._voice.announce("switched_on" if on else "switched_off")
        self._note_alive()

    # ---- the task

    async def run(self):
        """Vital: look at everything once a second, for ever."""
        self._voice.announce("welcome")
        self._alarms.note("config_broken", bool(self._parts.problems), "; ".join(self._parts.problems)[:200])
        while True:
            self.look()
            if self.beat:
                self.beat()
            await asyncio.sleep_ms(_ROUND_MS)

    def look(self):
        """Tell what has changed."""
        now_s = self._parts.clock.now_s()
        faults = [kind for kind in self._alarms.active() if kind in _FAULTS]
        reason, minutes = explain(self._lock, self._link.cause, faults, now_s)
        self._tell_state()
        if reason != self.reason:
            self.reason = reason
            self._led.show(reason)
            if reason != "ok":
                self._voice.announce(reason, minutes)
        self._watch_alarms()
        if self._lock.powered and now_s % _ALIVE_S == 0:
            self._note_alive()
        if not self._is_proved and now_s >= _PROVED_S:
            self._is_proved = True  # after a minute of service this boot counts as finished; where NVS fails, it stays open
            try:
                borrow("boots").finish(self._parts.store)
            except (OSError, ImportError, MemoryError) as error:
                self._parts.kept_problem = str(error)

    def _tell_state(self):
        online = self._link.cause is None
        if online and not self._was_online:
            self._voice.announce("online")
        self._was_online = online
        state = self._lock.state
        if state == "HANDOVER" and self._state not in (None, "HANDOVER"):
            self._voice.announce("network_back")
        self._state = state

    def _watch_alarms(self):
        config = self._parts.config
        note = self._alarms.note
        iccid = self._modem.iccid
        if iccid and config.iccid:
            note("sim_changed", iccid != config.iccid, iccid)
        cause = self._link.cause
        if cause is None or cause == "untrusted":
            note("untrusted", cause is not None, self._link.untrusted)
        note("clock", self._parts.clock.disputed)
        self._alarms.temperature(self._celsius(), config.overtemperature_c)

    def _note_alive(self):
        """Keep the time on flash now and then: after a power cut it is the best guess of when that was."""
        unix_s = self._parts.clock.unix_s()
        if unix_s is not None:
            self._parts.store.note_alive(unix_s)
