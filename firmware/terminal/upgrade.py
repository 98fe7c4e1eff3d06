"""The rounds of an upgrade over the air: each does what is to be done now, and tells when to look again. Borrowed for a round.

Owns the state in `upgrade.json`, of which nothing is kept in memory between two rounds: a cut, a reset or a week between them
changes nothing. phase: "fetch", an order is being carried out; "ready", the release is whole in its slot and waits until the
interlock is LOCKED; "trial", it was switched to; none, nothing is under way. What is other for a whole image of MicroPython is in
`image`. The relay is never touched. Times are seconds.
"""

import gc
import sys
import time
from binascii import unhexlify

import machine
from micropython import const

from modem.at import ModemError
from terminal import VERSION, slots
from terminal.borrow import borrow
from terminal.mqtt import MqttError
from terminal.protocol import stamped

_WAIT_S = const(60)  # for the link, for a welder to be switched off, for a trial's next minute
_NEXT_S = const(1)
_ACK_MS = const(20000)
_IDLE_S = const(3600)
_DAY_S = const(86400)
_ZONE_S = const(28800)  # ota_hour is China's time
_SPREAD_S = const(3000)  # within that hour terminals ask one after the other
_SWITCHES = const(3)
_MODULES = ("bundle", "fetch", "http", "image", "landing", "slots")


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
        self.herald = herald
        self._waited_s = waited_s
        self.parts = herald.parts
        self.nvs = herald.parts.store._nvs
        self.state = slots.load_state()
        self.slot, self._before = slots.running()
        self.config = herald.parts.config

    async def run(self):
        """Do what the phase wants; return the seconds until the next look."""
        if "owed" in self.state and self.herald.link.session:
            await self._pay()
        phase = self.state.get("phase")
        if phase != "fetch":
            slots.forget_token(self.nvs)
        if self._before or phase == "trial":
            return await self._try_out()
        if phase == "ready":
            return await self._switch()
        if phase == "fetch":
            gc.collect()
            try:
                return await borrow("download").Download(self).run()
            except MemoryError:
                gc.collect()
                return self.finish("failed", "no_memory")
        return self._ask_at_its_hour()

    # ---- what others are told

    def tell_all(self, what, reason=None):
        """Report how the upgrade stands; the report outlives a power cut."""
        herald = self.herald
        told = {"state": what, "version": self.state.get("version")}
        if reason:
            told["reason"] = reason
        herald.log("upgrade %s %s" % (what, reason or ""))
        herald.desk.report(stamped({"upgrade": told}, herald.desk.moment()))

    def finish(self, what, reason=None):
        """The order has come to its end, whatever it is. What is kept is not to be done again."""
        state = self.state
        is_news = not (state.get("by") == "hour" and reason in ("older", "repeated"))
        if is_news:
            self.tell_all(what, reason)
        kept = slots.kept(state)
        if state.get("by") == "iotda":
            kept["owed"] = [what, reason]
        if what == "rolled_back":
            kept["failed"] = state.get("version")
        if what == "confirmed":
            kept["text"] = state.get("next_text")
            place = slots.IMAGE if "image" in state else self.slot
            kept["numbers"] = dict(state.get("numbers") or {}, **{place: state.get("version")})
        self.state = kept
        slots.save_state(kept)
        return _NEXT_S

    async def _pay(self):
        """Tell IoTDA what it waits for; where that does not come through, another round does it."""
        iotda = borrow("ota_events")
        herald = self.herald
        text = self.state.get("text") or VERSION  # what was flashed by cable has no other
        topic = getattr(herald.desk._profile, "events_up", None)
        try:
            if topic:
                await herald.link.session.publish(
                    topic, iotda.payload(self.state["owed"], text), 1, _ACK_MS
                )
        except (MqttError, ModemError, OSError):
            return
        del self.state["owed"]
        slots.save_state(self.state)

    # ---- asking at a set hour

    def _ask_at_its_hour(self):
        """Begin an order of our own once a day, from the set hour on: a terminal that was off then asks when it is on."""
        config = self.config
        now_s = self.parts.clock.unix_s()
        if not config.ota_url or now_s is None:
            return _IDLE_S
        day = (now_s + _ZONE_S) // _DAY_S
        begin_s = config.ota_hour * 3600 + sum(self.herald.device_id.encode()) * 7 % _SPREAD_S
        wait_s = day * _DAY_S + begin_s - now_s - _ZONE_S
        if self.state.get("asked") == day:
            return min(max(wait_s + _DAY_S, _NEXT_S), _IDLE_S)
        if wait_s > 0:
            return min(wait_s, _IDLE_S)
        self.state.update({"phase": "fetch", "by": "hour", "url": config.ota_url, "asked": day})
        slots.save_state(self.state)
        return _NEXT_S

    # ---- switching, and the trial

    async def _switch(self):
        """Restart into the release, when no welder is powered and none can be."""
        if "image" in self.state:
            return await borrow("image").switch(self)
        if not await self.leave():
            return _WAIT_S
        state = self.state
        state["switches"] = state.get("switches", 0) + 1
        if state["switches"] > _SWITCHES:
            return self.finish("failed", "flash")
        slots.clear_trial(self.nvs)
        state["phase"] = "trial"
        slots.save_state(state)
        slots.begin_trial(state["slot"], self.slot)
        return self.restart()

    async def leave(self):
        """Leave the session where no welder is powered and none can be; return whether that is so at its end too."""
        if not self.is_locked():
            return False
        await self.herald.link.leave("upgrade")
        return self.is_locked()

    def restart(self):
        """Restart as it was wanted."""
        self.parts.store.mark_intent("upgrade")
        return machine.reset()  # from where nothing returns

    def is_locked(self):
        """Return whether no welder is powered, nor can be without an order."""
        guard = self.parts.guard
        return guard.interlock.state == "LOCKED" and not guard.relay.powered

    async def _try_out(self):
        """Count what the release on trial has served; or find that it has failed."""
        state = self.state
        if "image" in state:
            return borrow("image").try_out(self)
        if self._before is None:
            if self.slot == state.get("slot"):
                return self.prove()
            if self._has_not_begun():
                state["phase"] = "ready"
                slots.save_state(state)
                return _NEXT_S
            return self.finish("rolled_back")
        if not state.get("is_told"):
            state.update({"phase": "trial", "slot": self.slot, "is_told": True})
            self.tell_all("trial")
            slots.save_state(state)
        if self.has_served():
            slots.confirm(self.slot)
            return self.prove()
        return _WAIT_S

    def has_served(self):
        """Add what was served with a session since the last look; return whether the sum is enough. Raises OSError."""
        link = self.herald.link
        if link.cause is not None:
            return False
        served_s = min(self._waited_s, time.ticks_diff(time.ticks_ms(), link.began) // 1000)
        return slots.served(self.nvs, served_s) >= self.config.trial_s

    def _has_not_begun(self):
        """Return whether the power went before the file `slot` was written."""
        try:
            return self.nvs.get_i32("trial") < 0
        except OSError:
            return False

    def prove(self):
        """The release is confirmed: what it retires counts no longer."""
        retires = self.state.get("retires")
        if retires:
            slots.retire(self.nvs, unhexlify(retires))
        return self.finish("confirmed")
