"""The rounds of an upgrade over the air: each does what is to be done now, and tells when to look again. Borrowed for a round.

Owns the state in `upgrade.json`, of which nothing is kept in memory between two rounds: a cut, a reset or a week between them
changes nothing. phase: "fetch", an order is being carried out; "ready", the release is whole in its slot and waits until the
interlock is LOCKED; "trial", it was switched to; none, nothing is under way. The relay is never touched. Times are seconds.
"""

import asyncio
import gc
import os
import sys
import time
from binascii import unhexlify

import machine
from micropython import const

from modem.at import ModemError
from terminal import VERSION, bundle, fetch, http, landing, slots
from terminal.borrow import borrow
from terminal.mqtt import MqttError
from terminal.protocol import stamped
from terminal.store import get_blob
from terminal.tls import Untrusted

_WAIT_S = const(60)  # for the link, for a welder to be switched off, for a trial's next minute
_NEXT_S = const(1)
_ACK_MS = const(20000)
_AGAIN_S = const(10)  # after a range that was cut; doubled each time that not a byte came
_IDLE_S = const(3600)
_DAY_S = const(86400)
_ZONE_S = const(28800)  # ota_hour is China's time
_SPREAD_S = const(3000)  # within that hour terminals ask one after the other
_RANGE_B = const(32768)
_BEGINNING_B = const(16384)
_CONNECTION_B = const(6144)  # handshake with a chain of three, request and head, both ways
_RESERVE_B = const(196608)  # of flash, for what waits in the outbox and for settings
_HEAP_B = const(8192)  # what a range takes beside this code
_TRIES = const(48)  # failures in a row: two days
_SWITCHES = const(3)
_KEPT = ("day", "used_b", "asked", "failed", "owed")  # of the state, when an order has ended
_KEYS = "release.keys"
_RETIRED_B = const(64)
_KEY_ID_B = const(8)
_ENOSPC = const(28)
_MODULES = ("bundle", "fetch", "http", "landing", "slots")


async def carry_on(herald, waited_s):
    """Do what is to be done now; return the seconds until the next look.

    herald: `terminal.herald.Herald`. waited_s: seconds since the last look.
    """
    try:
        return await Round(herald, waited_s).run()
    finally:
        forget()


def forget():
    """Give back the modules that a round imports."""
    for name in _MODULES:
        sys.modules.pop("terminal." + name, None)
        if hasattr(sys.modules["terminal"], name):
            delattr(sys.modules["terminal"], name)


class Round:
    """One look at the upgrade."""

    def __init__(self, herald, waited_s):
        self._herald = herald
        self._waited_s = waited_s
        self._parts = herald.parts
        self._nvs = herald.parts.store._nvs
        self._state = slots.load_state()
        self._slot, self._before = slots.running()
        self._config = borrow("config").load()[0]

    async def run(self):
        """Do what the phase wants; return the seconds until the next look."""
        if "owed" in self._state and self._herald.link.session:
            await self._pay()
        phase = self._state.get("phase")
        if self._before or phase == "trial":
            return self._try_out()
        if phase == "ready":
            return await self._switch()
        if phase == "fetch":
            return await self._fetch()
        return self._ask_at_its_hour()

    # ---- what others are told

    def _tell(self, what, reason=None):
        """Report how the upgrade stands; the report outlives a power cut."""
        herald = self._herald
        told = {"state": what, "version": self._state.get("version")}
        if reason:
            told["reason"] = reason
        herald.log("upgrade %s %s" % (what, reason or ""))
        herald.desk.report(stamped({"upgrade": told}, herald.desk.moment()))

    def _end(self, what, reason=None):
        """The order has come to its end, whatever it is. What is kept is not to be done again."""
        state = self._state
        is_news = not (state.get("by") == "hour" and reason in ("older", "repeated"))
        if is_news:
            self._tell(what, reason)
        kept = {name: state[name] for name in _KEPT if name in state}
        if state.get("by") == "iotda":
            kept["owed"] = [what, reason]
        if what == "rolled_back":
            kept["failed"] = state.get("version")
        self._state = kept
        slots.save_state(kept)
        return _NEXT_S

    async def _pay(self):
        """Tell IoTDA what it waits for; where that does not come through, another round does it."""
        iotda = borrow("ota_events")
        text = VERSION
        try:
            with open(self._slot + "/bundle", "rb") as file:
                text = (await self._verified(file)).facts()["text"]
        except OSError:
            pass  # it was flashed by cable
        herald = self._herald
        topic = getattr(herald.desk._profile, "events_up", None)
        try:
            if topic:
                await herald.link.session.publish(topic, iotda.payload(self._state["owed"], text), 1, _ACK_MS)
        except (MqttError, ModemError, OSError):
            return
        del self._state["owed"]
        slots.save_state(self._state)

    # ---- asking at a set hour

    def _ask_at_its_hour(self):
        """Begin an order of our own once a day, from the set hour on: a terminal that was off then asks when it is on."""
        config = self._config
        now_s = self._parts.clock.unix_s()
        if not config.ota_url or now_s is None:
            return _IDLE_S
        day = (now_s + _ZONE_S) // _DAY_S
        begin_s = config.ota_hour * 3600 + sum(self._herald.device_id.encode()) * 7 % _SPREAD_S
        wait_s = day * _DAY_S + begin_s - now_s - _ZONE_S
        if self._state.get("asked") == day:
            return min(max(wait_s + _DAY_S, _NEXT_S), _IDLE_S)
        if wait_s > 0:
            return min(wait_s, _IDLE_S)
        self._state.update({"phase": "fetch", "by": "hour", "url": config.ota_url, "asked": day})
        slots.save_state(self._state)
        return _NEXT_S

    # ---- fetching

    async def _fetch(self):
        """Fetch the release's beginning, or the next range of it."""
        if self._herald.link.cause is not None or self._parts.clock.unix_s() is None:
            return _WAIT_S
        gc.collect()
        if gc.mem_free() < _HEAP_B:
            return self._end("failed", "no_memory")
        slot = slots.spare(self._slot)
        slots.make(slot)
        try:
            if not self._state.get("admitted"):
                return await self._fetch_beginning(slot)
            with open(slot + "/bundle", "rb") as file:
                return await self._fetch_files(slot, file)
        except bundle.Refused as refused:
            return self._end("refused", refused.args[0])
        except http.HttpError as error:
            if error.args[0] != "answer":
                return self._end("failed", error.args[0])
        except (fetch.Cut, Untrusted) as error:
            self._herald.log("upgrade cut: %s" % error)
        except (OSError, _Flash) as error:
            return self._end("failed", "no_room" if error.args[0] == _ENOSPC else "flash")
        return self._later()

    def _later(self):
        """It failed and may go well another time."""
        tries = self._state.get("tries", 0)
        if tries >= _TRIES:
            return self._end("failed", "unreachable")
        return min(_AGAIN_S << min(tries, 9), _IDLE_S)

    async def _pull(self, begin, end, take):
        """Fetch a range. Returns (whether it was let through by the day's bytes, size of the whole or None)."""
        state = self._state
        day = self._parts.clock.unix_s() // _DAY_S
        if state.get("day") != day:
            state["day"] = day
            state["used_b"] = 0
        cost_b = end - begin + _CONNECTION_B
        if state["used_b"] + cost_b > self._config.ota_bytes_per_day:
            return False, None
        state["used_b"] += cost_b
        state["tries"] = state.get("tries", 0) + 1
        slots.save_state(state)
        into = _Sink(take)
        modem = self._herald.modem
        try:
            size = await fetch.pull(modem, self._config, state["url"], state.get("token"), begin, end, into.take)
        finally:
            if into.has_some:
                state["tries"] = 0
                slots.save_state(state)
        return True, size

    async def _fetch_beginning(self, slot):
        """Fetch head and manifest, and let nothing else in before they are right."""
        path = slot + "/bundle.new"
        with open(path, "wb") as file:
            beginning = _Beginning(file)
            is_let, size = await self._pull(0, _BEGINNING_B, beginning.take)
        if not is_let:
            return _IDLE_S
        with open(path, "rb") as file:
            found = await self._verified(file)
            reason = await self._judged(found, slot, size)
            if reason:
                return self._end("refused", reason)
            facts = found.facts()
            await _through(landing.admit(slot, found))
        self._state.update({"admitted": True, "version": facts["version"], "retires": facts["retires"], "slot": slot})
        slots.save_state(self._state)
        return _NEXT_S

    async def _verified(self, file):
        """Return the Bundle over a file, its signature checked. Raises Refused, OSError."""
        with open(_KEYS, "rb") as keys:
            known = bundle.split_keys(keys.read(2 * bundle.KEY_B))
        found = bundle.Bundle(file)
        await _through(found.verifying(known, self._retired()))
        return found

    async def _judged(self, found, slot, size):
        """Return the reason's code why a verified release is not for this terminal, or None."""
        running, tree = 0, None
        try:
            with open(self._slot + "/bundle", "rb") as file:
                running = (await self._verified(file)).facts()["version"]
        except OSError:
            pass  # it was flashed by cable
        if found.facts()["base"]:
            tree = await _through(landing.tree_of(self._slot))
        room_b = _free_b() + landing.taken_b(slot) - _RESERVE_B
        now_s = self._parts.clock.unix_s()
        reason = found.check(self._parts.board["name"], _micropython(), running, now_s and now_s * 1000, tree, max(0, room_b))
        whole_b = found.files_at + found.facts()["carried_bytes"]
        if not reason and landing.needed_b(found) > room_b:
            reason = "too_large"
        if not reason and size is not None and size != whole_b:
            reason = "truncated" if size < whole_b else "too_large"
        if not reason and self._state.get("by") == "hour" and found.facts()["version"] == self._state.get("failed"):
            reason = "repeated"
        return reason

    async def _fetch_files(self, slot, file):
        """Fetch the next range of what is missing; the release is ready when nothing is."""
        found = await self._verified(file)
        incoming = landing.Landing(slot, self._slot, found)
        try:
            at = await _through(incoming.missing())
            if at is not None:
                end = min(at + _RANGE_B, found.files_at + found.facts()["carried_bytes"])
                is_let, _ = await self._pull(at, end, incoming.feed)
                return _NEXT_S if is_let else _IDLE_S
        finally:
            incoming.close()
        self._state["phase"] = "ready"
        self._tell("ready")
        slots.save_state(self._state)
        return _NEXT_S

    # ---- switching, and the trial

    async def _switch(self):
        """Restart into the release, when no welder is powered and none can be."""
        if not self._is_locked():
            return _WAIT_S
        await self._herald.link.leave("upgrade")
        if not self._is_locked():
            return _WAIT_S
        state = self._state
        state["switches"] = state.get("switches", 0) + 1
        if state["switches"] > _SWITCHES:
            return self._end("failed", "flash")
        state["phase"] = "trial"
        slots.save_state(state)
        slots.begin_trial(self._nvs, state["slot"], self._slot)
        self._parts.store.mark_intent("upgrade")
        return machine.reset()  # from where nothing returns

    def _is_locked(self):
        guard = self._parts.guard
        return guard.interlock.state == "LOCKED" and not guard.relay.powered

    def _try_out(self):
        """Count what the release on trial has served; or find that it has failed."""
        state = self._state
        if self._before is None:
            if self._slot == state.get("slot"):
                return self._prove()
            if self._has_not_begun():
                state["phase"] = "ready"
                slots.save_state(state)
                return _NEXT_S
            return self._end("rolled_back")
        if not state.get("is_told"):
            state.update({"phase": "trial", "slot": self._slot, "is_told": True})
            self._tell("trial")
            slots.save_state(state)
        link = self._herald.link
        if link.cause is None:
            served_s = min(self._waited_s, time.ticks_diff(time.ticks_ms(), link.began) // 1000)
            if slots.served(self._nvs, served_s) >= self._config.trial_s:
                slots.confirm(self._slot)
                return self._prove()
        return _WAIT_S

    def _has_not_begun(self):
        """Return whether the power went before the file `slot` was written."""
        try:
            return self._nvs.get_i32("trial") < 0
        except OSError:
            return False

    def _prove(self):
        """The release is confirmed: what it retires counts no longer."""
        retires = self._state.get("retires")
        if retires:
            known = b"".join(self._retired())
            key_id = unhexlify(retires)
            if key_id not in self._retired():
                self._nvs.set_blob("retired", (known + key_id)[-_RETIRED_B:])
                self._nvs.commit()
        return self._end("confirmed")

    def _retired(self):
        """Return the ids of the keys that count no longer."""
        ids = get_blob(self._nvs, "retired", _RETIRED_B) or b""
        return [ids[at : at + _KEY_ID_B] for at in range(0, len(ids), _KEY_ID_B)]


class _Beginning:
    """Takes the bytes of a bundle up to the end of its manifest."""

    def __init__(self, file):
        self._file = file
        self._head = b""
        self._left = bundle.HEAD_B

    def take(self, chunk):
        """Write what belongs to the beginning; return whether that is all of it. Raises Refused."""
        rest = chunk
        while self._left and len(rest):
            piece = rest[: self._left]
            self._file.write(piece)
            self._left -= len(piece)
            rest = rest[len(piece) :]
            if self._head is not None:
                self._head += bytes(piece)
                if not self._left:
                    self._left = bundle.parse_header(self._head)[0]
                    self._head = None
        return not self._left


class _Flash(Exception):
    """An OSError of the file system, on its way through where those of the network are caught."""


class _Sink:
    """Hands bytes on to take, whose OSErrors are told from the network's. has_some: whether there were any."""

    def __init__(self, take):
        self.has_some = False
        self._take = take

    def take(self, chunk):
        """See fetch.pull()."""
        self.has_some = True
        try:
            return self._take(chunk)
        except OSError as error:
            raise _Flash(error.args[0]) from None


def _micropython():
    """Return the version that runs, such as "1.26.1"."""
    return "%d.%d.%d" % sys.implementation.version[:3]


def _free_b():
    found = os.statvfs(".")
    return found[1] * found[3]


async def _through(steps):
    """Take a generator's steps to their end, others in between; return its value."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value
        await asyncio.sleep_ms(0)
