"""What the terminal tells about itself: the facts of a heartbeat, the chip's temperature, a line on the console."""

import gc

import esp32


class Facts:
    """parts: `terminal.parts.Parts`. The rooms that are made after this one are put here by who makes them:

    herald, alarms, supervisor; rooms: those with a dict `counters`, in which no two have a name in common.
    """

    def __init__(self, parts, modem, device_id, outbox):
        self.parts = parts
        self.modem = modem
        self.device_id = device_id
        self._outbox = outbox

    def heartbeat(self):
        """Return the heartbeat's flat dict."""
        self.herald.look()
        parts = self.parts
        lock = parts.guard.interlock
        return {
            "relay": 1 if lock.powered else 0,
            "state": lock.state,
            "welding": parts.guard.is_welding,
            "reason": self.herald.reason,
            "minutes": lock.minutes_to_emergency(parts.clock.now_s()),
            "job": lock.job,
            "rsrp": self.modem.rsrp_dbm,
            "alarms": self.alarms.active(),
            "counters": self._counters(),
        }

    def _counters(self):
        """Return the counts of all rooms since boot, as one flat dict; a zero is not worth its bytes."""
        supervisor = self.supervisor
        counts = {
            "dropped": self._outbox.dropped,
            "free_b": gc.mem_free(),
            "off": ",".join(supervisor.off()),
            "error": supervisor.last_error,
            "kept": self.parts.kept_problem,
        }
        for room in self.rooms:
            counts.update(room.counters)
        for name in list(counts):
            if not counts[name]:
                del counts[name]
        return counts

    def log(self, text):
        """Print one line for whoever has a cable."""
        print("%d %s" % (self.parts.clock.now_s(), text))

    def restarting(self, why):
        """Let the next boot know why this one ends."""
        self.log("reset: " + why)
        self.parts.store.mark_intent(why)


def celsius():
    """Return the temperature of a chip that tells it in Fahrenheit, in whole degrees Celsius."""
    return (esp32.raw_temperature() - 32) * 5 // 9
