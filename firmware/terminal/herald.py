"""Tells people and platform what happens: one reason for voice, lamp and heartbeat; switchings and alarms as they come; the
facts of a heartbeat; a line on the console.

Owns the reason now in force (other rooms key their tables, phrases and lamp patterns, by these texts; nobody else decides which
one holds) and the states last told. Hears the guard's effects as its hooks.

A file system that dies in service takes nothing that runs: what is not loaded yet is missed, reported, and tried again.
"""

import asyncio
import gc

from micropython import const

from modem.at import ModemError
from terminal.borrow import borrow
from terminal.protocol import stamped
from terminal.records import STATES

_ROUND_MS = const(1000)
_PROVED_S = const(60)
_LOOK_MS = const(2000)  # a stop whose arrival the modem does not tell waits so long at most while there is something to stop
_LOOK_LOCKED_MS = const(32000)
_ALIVE_S = const(600)  # 144 writes of a few bytes a day while powered
_FLASH_S = const(60)
_TIME_MS = const(600000)
_TIME_ROUNDS = const(144)  # a day: a crystal is off by some seconds
_ENOENT = const(2)
_FIRST_S = const(30)  # the session comes first
_UPGRADE_B = const(12288)  # room for the code that looks what is to be done, and for the session beside it


class Herald:
    """The guard's audience, the task that watches everything that is told when it changes, and what is told in a heartbeat.

    parts: the module `terminal.parts`. modem, outbox: the rooms of those names. The rooms that need this one are put here by who
    makes them: link, desk, alarms, voice, led, supervisor; console: what `console.begin` returns; rooms: those with a dict
    `counters`, in which no two have a name in common. celsius: returns the chip's temperature in whole degrees; None on a chip
    without a sensor.
    """

    def __init__(self, parts, modem, device_id, outbox, celsius):
        self.reason = None
        self.beat = None
        self.is_testing = False  # a self test ordered by the platform is under way
        self.parts = parts
        self.modem = modem
        self.device_id = device_id
        self._outbox = outbox
        self._celsius = celsius
        self._state = None
        self._was_online = False
        self._is_proved = False
        self.is_ordered = False  # an upgrade was, just now

    def hear(self, effect):
        """Take an effect of the interlock's: a switching to report, or to announce, an alarm, an answer, a rehearsal or an
        announcement."""
        kind = effect[0]
        what = effect[1]
        if kind == "report":
            self._report(*effect[1:])
        elif kind == "event":
            if effect[2] == "emergency":
                self.voice.announce("emergency")
            elif not effect[4]:
                self.voice.announce("switched_" + what)
        elif kind == "alarm":
            self.alarms.note(what, effect[2] == "start")
        elif kind == "answer":
            self.desk.answer(*effect[1:])
        elif kind == "rehearsal":
            content = {"rehearsal": {"fail_open_after_s": what, "for_s": effect[2]}}
            self.desk.report(stamped(content, self.desk.moment()))
        else:
            self.voice.announce(what)

    def _report(self, what, cause, job, estimated):
        """A switching, what: "on" or "off", to the platform."""
        moment = None
        if estimated:
            store = self.parts.store
            moment = (borrow("boots").alive_ms(store), store.number, 0)
        self.desk.report_event(what == "on", cause, job, estimated, moment)
        self._note_alive()

    # ---- what is told of the terminal itself

    def heartbeat(self):
        """Return the heartbeat's flat dict."""
        self.look()
        parts = self.parts
        lock = parts.guard.interlock
        return {
            "relay": 1 if lock.powered else 0,
            "state": lock.state,
            "welding": parts.guard.is_welding,
            "reason": self.reason,
            "minutes": lock.minutes_to_emergency(parts.clock.now_s()),
            "job": lock.job,
            "rsrp": self.modem.rsrp_dbm,
            "alarms": self.alarms.active(),
            "counters": self._counters(),
        }

    def _counters(self):
        """Return the counts of all rooms since boot, as one flat dict; a zero is not worth its bytes."""
        supervisor = self.supervisor
        outbox = self._outbox
        counts = {
            "waiting": outbox.waiting,
            "dropped": outbox.dropped,
            "unsaved": outbox.unsaved,
            "free_b": gc.mem_free(),
            "off": ",".join(supervisor.off()),
            "error": supervisor.last_error,
            "kept": self.parts.kept_problem,
            "modem": self.modem.problem,
        }
        found = {}
        for some in [counts] + [room.counters for room in self.rooms]:
            for name in some:
                if some[name]:
                    found[name] = some[name]
        return found

    def log(self, text):
        """Print one line for whoever has a cable."""
        print("%d %s" % (self.parts.clock.now_s(), text))

    def restarting(self, why):
        """Let the next boot know why this one ends; False where a reset would not help, unless the relay's owner needs it.

        That is where flash cannot be read: nothing would come up again. And where minimal mode has crashed three times: the
        interlock has to live until the emergency.
        """
        store = self.parts.store
        if why != "vital:guard" and (store.firmware_failed or not _can_read()):
            return False
        self.log("reset: " + why)
        store.mark_intent(why)
        return True

    def make_room(self):
        """The heap is full: give back what can be had again. The buffer of the next session could not: it is large."""
        self.voice.forget()
        gc.collect()

    # ---- the tasks

    async def keep_time(self):
        """Optional: ask the network for the time once a day, for ever; every ten minutes until it has confirmed the boot's first
        reading, which may be what a modem remembered.
        """
        is_sure = False
        rounds = 0
        while True:
            await asyncio.sleep_ms(_TIME_MS)
            rounds += 1
            if is_sure and rounds < _TIME_ROUNDS:
                continue
            try:
                time_ms = await self.modem.network_time_ms()
            except (ModemError, ImportError, OSError):
                continue
            if time_ms is not None:
                is_sure = self.parts.clock.set_ms(time_ms, "network") or is_sure
                rounds = 0

    async def upgrade(self):
        """Optional: the rounds of an upgrade, for ever; the next one at once when one is ordered."""
        wait_s = _FIRST_S
        while True:
            waited_s = 0
            while waited_s < wait_s and not self.is_ordered:
                await asyncio.sleep_ms(_ROUND_MS)
                waited_s += 1
            self.is_ordered = False
            gc.collect()
            wait_s = _FIRST_S  # without room for the code of an upgrade, which others need more, it waits
            if gc.mem_free() > _UPGRADE_B:
                wait_s = await borrow("upgrade").carry_on(self, waited_s)

    async def run(self):
        """Vital: look at everything once a second, for ever."""
        self.voice.announce("welcome")
        problems = self.parts.problems
        self.alarms.note("config_broken", bool(problems), "; ".join(problems)[:200])
        if self.parts.guard.interlock.state in STATES[2:]:  # one that outlived a reset, which may have come before it was told
            self.alarms.note("emergency", True)
        while True:
            self.look()
            if self.beat:
                self.beat()
            if self.console and self.console[0] and self.console[0].poll(0):
                self._hear_console()
            await asyncio.sleep_ms(_ROUND_MS)

    def _hear_console(self):
        try:
            borrow("console").hear(self.console, self.parts, self.device_id)
        except (ImportError, OSError, MemoryError) as error:
            self.log("service: %s" % error)

    def look(self):
        """Tell what has changed."""
        parts = self.parts
        lock = parts.guard.interlock
        now_s = parts.clock.now_s()
        announce = self.voice.announce
        cause = self.link.cause
        if cause is None and not self._was_online:
            announce("online")
        self._was_online = cause is None
        state = lock.state
        if state == "HANDOVER" and self._state not in (None, state):
            announce("network_back")
        self._state = state
        reason = explain(lock, cause, self.alarms.active())
        if reason != self.reason:
            self.reason = reason
            self.led.show(reason)
            if reason != "ok":
                announce(reason, lock.minutes_to_emergency(now_s))
        self._watch_alarms()
        self.modem.sockets.look_ms = _LOOK_MS if lock.powered else _LOOK_LOCKED_MS
        if lock.powered and now_s % _ALIVE_S == 0:
            self._note_alive()
        if now_s % _FLASH_S == 0:
            self.alarms.note("flash", not _can_read())
        if not self._is_proved and now_s >= _PROVED_S and (cause is None or not parts.store.firmware_failed):
            # after a minute of service this boot counts as finished, the last resort with a session only; where NVS fails, it
            # stays open
            self._is_proved = True
            try:
                borrow("boots").finish(parts.store)
            except (OSError, ImportError, MemoryError) as error:
                parts.kept_problem = str(error)

    def _watch_alarms(self):
        parts = self.parts
        config = parts.config
        alarms = self.alarms
        iccid = self.modem.iccid
        if iccid and config.iccid:
            alarms.note("sim_changed", iccid != config.iccid, iccid)
        cause = self.link.cause
        if cause is None or cause == "untrusted":
            alarms.note("untrusted", cause is not None, self.link.untrusted)
        alarms.note("clock", parts.clock.disputed)
        if self._celsius:
            alarms.temperature(self._celsius(), config.overtemperature_c)

    def _note_alive(self):
        """Keep the time on flash now and then: after a power cut it is the best guess of when that was."""
        parts = self.parts
        unix_s = parts.clock.unix_s()
        if unix_s is not None:
            parts.store.note_alive(unix_s)


def _can_read():
    """Return whether flash can be read; a file that is not there tells nothing of it."""
    try:
        with open("main.py") as file:
            file.read(1)
    except OSError as error:
        return error.args[0] == _ENOENT
    return True


def explain(lock, cause, alarms):
    """Return why the welder has no power, "ok" while it has.

    lock: Interlock. cause: why the session is down, None while it is up. alarms: the kinds that are on. A broken part comes before
    everything, for then the relay may not do what it is told; then what only the platform lifts; then what keeps orders away.
    """
    if "contact_failed" in alarms or "contact_stuck" in alarms:
        return "fault"
    if lock.powered:
        return "ok"
    if lock.is_out_of_service:
        return "out_of_service"
    if lock.refused or cause == "refused":
        return "refused"
    if lock.barred:
        return "barred"
    if cause in ("no_sim", "sim_pulled"):
        return "no_sim"
    return "not_scanned" if cause is None else "no_network"
