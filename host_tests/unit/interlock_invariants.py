"""What must hold of the interlock in any history, whatever an oracle says: the safety of the relay."""

import copy

from host_tests.unit.interlock_timeline import AUTHORISED, EMERGENCY, HANDOVER, LOCKED

RECORD = ("record",)
KEPT_BYTES = 1024
VOLATILE_BYTES = 512


class Watch:
    """Looks at a machine after each call and remembers what the next look needs. Times in seconds since boot."""

    def __init__(self, settings):
        self.settings = settings
        self.relay = None  # the level last given, None before boot
        self.welding = None  # the last fact
        self.recorded_state = None  # the state when a record was last asked for
        self.powered_since = {}  # AUTHORISED: second; EMERGENCY: second, HANDOVER counts with it
        self.flags = (False, False, False)  # barred, refused, out of service
        self.stops = {}  # id of a 0: whether a 1 was heard since

    def copy(self):
        """Return a copy that goes on by itself."""
        other = copy.copy(self)
        other.powered_since = dict(self.powered_since)
        other.stops = dict(self.stops)
        return other

    def rebooted(self, machine, now_s, passed_s):
        """A new machine took over what the old one left, passed_s of its seconds ago (None: nothing)."""
        self.relay = None
        self.recorded_state = machine.state
        group = _group(machine.state)
        since = self.powered_since.get(group)
        self.powered_since = {}
        if group and since is not None and passed_s is not None:
            self.powered_since[group] = now_s - (passed_s - since)

    def look(self, machine, now_s, effects, name, arguments):
        """Return what is wrong after this call, or None."""
        troubles = [
            self._powering(machine, now_s),
            self._relay(machine, effects, name, arguments),
            self._emergency(machine, effects),
            self._idle(effects, name, arguments),
            self._bounds(machine, now_s, effects),
        ]
        if name == "command":
            troubles.append(self._order(machine, effects, arguments))
        if RECORD in effects:
            self.recorded_state = machine.state
            if len(machine.kept()) > KEPT_BYTES or len(machine.volatile(now_s)) > VOLATILE_BYTES:
                troubles.append("a record is too long")
        self.flags = (machine.barred, machine.refused, machine.is_out_of_service)
        found = [trouble for trouble in troubles if trouble]
        return found[0] if found else None

    def _powering(self, machine, now_s):
        if machine.powered and machine.state == LOCKED:
            return "powered while LOCKED"
        if machine.powered or machine.state == LOCKED:
            return None
        soon = machine.next_s(now_s)
        if soon is None or soon > now_s + self.settings["switch_min_interval_s"]:
            return "unpowered in %s, and nothing will power" % machine.state
        return None

    def _relay(self, machine, effects, name, arguments):
        recorded = self.relay is None or self.recorded_state != LOCKED  # before the reset, before the wait
        is_stop = name == "command" and arguments["action"] == 0
        for effect in effects:
            recorded = recorded or effect == RECORD
            if effect[0] != "relay":
                continue
            if effect[1] == self.relay and not (effect[1] == 0 and is_stop):
                return "the relay was given the level it had"
            if effect[1] == 1 and not recorded:
                return "relay 1 before the record"
            recorded = False
            self.relay = effect[1]
        return None if bool(self.relay) == machine.powered else "powered is not what the relay was told"

    def _emergency(self, machine, effects):
        after = (machine.barred, machine.refused, machine.is_out_of_service)
        if ("alarm", "emergency", "start") in effects and any(self.flags) and any(after):
            return "an emergency while barred, refused or out of service"
        return None

    def _idle(self, effects, name, arguments):
        before = self.welding
        if name == "welding":
            self.welding = arguments["value"]
        if before is False or self.welding is False:
            return None
        for effect in effects:
            if effect[0] == "event" and effect[2] in ("idle", "emergency_end"):
                return "locked as idle, and nobody said it is not welding"
        return None

    def _bounds(self, machine, now_s, effects):
        """However the link flaps: authorised_max_s; emergency_max_s and then handover_max_s at most."""
        group = _group(machine.state)
        since = self.powered_since.get(group, now_s)
        if any(effect[:2] == ("event", "off") for effect in effects):
            since = now_s  # within one call it ended and began again
        self.powered_since = {group: since} if group else {}
        bound = self.settings["authorised_max_s"]
        if group == EMERGENCY:
            bound = self.settings["emergency_max_s"] + self.settings["handover_max_s"]
        return "powered for too long" if now_s - since >= bound else None

    def _order(self, machine, effects, arguments):
        request_id = arguments["request_id"]
        if arguments["action"] == 1:
            self.stops = dict.fromkeys(self.stops, True)
            return None
        may_be_overtaken = self.stops.get(request_id, False)
        if request_id is not None:
            self.stops.setdefault(request_id, False)
        return None if may_be_overtaken else _stop(machine, effects, arguments)


def _group(state):
    return {AUTHORISED: AUTHORISED, EMERGENCY: EMERGENCY, HANDOVER: EMERGENCY}.get(state)


def _stop(machine, effects, arguments):
    if arguments.get("out_of_service") is False and not arguments.get("barred"):
        return None
    if machine.powered or machine.state != LOCKED or ("relay", 0) not in effects:
        return "a stop did not unpower"
    if arguments.get("barred") and not machine.barred:
        return "a ban was dropped"
    after = effects[len(effects) - effects[::-1].index(("relay", 0)) :]
    return None if after[:1] == [RECORD] else "a stop was not recorded right after the relay"


def bounded_end(machine, now_s, settings):
    """Let time alone run on a machine nobody else uses; return what is wrong with the end of its power, or None."""
    start, state = now_s, machine.state
    while machine.powered:
        soon = machine.next_s(now_s)
        if soon is None or soon <= now_s:
            return "powered with no end in time"
        now_s = soon
        machine.tick(now_s)
    bound = settings["authorised_max_s"]
    if state in (EMERGENCY, HANDOVER):
        bound = settings["emergency_max_s"] + settings["handover_max_s"]
    return "powered for too long" if now_s - start > bound else None
