"""What the terminal tells about itself: the facts of a heartbeat, the papers of a login, a line on the console."""

import gc
import sys

import machine

from terminal import VERSION
from terminal.protocol import login


class Facts:
    """parts: the module `terminal.parts`. The rooms whose counters are told are added by `watch`."""

    def __init__(self, parts, modem, device_id, outbox):
        self._herald = None
        self._alarms = None
        self._supervisor = None
        self._parts = parts
        self._modem = modem
        self._device_id = device_id
        self._outbox = outbox
        self._rooms = []

    def watch(self, herald, alarms, supervisor, rooms):
        """Name the rooms that were made after this one; rooms: those with a dict `counters`."""
        self._herald = herald
        self._alarms = alarms
        self._supervisor = supervisor
        self._rooms = rooms

    def heartbeat(self):
        """Return the heartbeat's flat dict."""
        self._herald.look()
        lock = self._parts.guard.interlock
        return {
            "relay": 1 if lock.powered else 0,
            "state": lock.state,
            "welding": self._parts.guard.is_welding,
            "reason": self._herald.reason,
            "minutes": lock.minutes_to_emergency(self._parts.clock.now_s()),
            "job": lock.job,
            "rsrp": self._modem.rsrp_dbm,
            "alarms": self._alarms.active(),
            "counters": self._counters(),
        }

    def _counters(self):
        """Return the counts of all rooms since boot, as one flat dict; a zero is not worth its bytes."""
        counts = {"dropped": self._outbox.dropped, "free_b": gc.mem_free()}
        for room in self._rooms:
            counts.update(room.counters)
        counts = {name: counts[name] for name in counts if counts[name]}
        off = self._supervisor.off()
        if off:
            counts["off"] = ",".join(off)
        if self._supervisor.last_error:
            counts["error"] = self._supervisor.last_error
        if self._parts.kept_problem:
            counts["kept"] = self._parts.kept_problem
        return counts

    def papers(self):
        """Return the login's content, without its time."""
        parts = self._parts
        lock = parts.guard.interlock
        store = parts.store
        versions = {
            "firmware": VERSION,
            "micropython": sys.version,
            "modem": self._modem.model,
            "board": parts.board["name"],
        }
        reset = {
            "cause": machine.reset_cause(),
            "boot": store.number,
            "intent": store.intent,
            "minimal": store.is_minimal,
        }
        relay = 1 if lock.powered else 0
        return login(self._device_id, self._modem.iccid, self._modem.imei, versions, reset, parts.resumed, relay, lock.state)

    def log(self, text):
        """Print one line for whoever has a cable."""
        print("%d %s" % (self._parts.clock.now_s(), text))

    def restarting(self, why):
        """Let the next boot know why this one ends."""
        self.log("reset: " + why)
        self._parts.store.mark_intent(why)
