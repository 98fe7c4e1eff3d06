"""The interlock's owner: the one place that moves the relay.

Everything else reports facts here; the interlock decides; this room carries its effects out in their order: relay, record,
contact read-back, event, alarm, answer. Times are seconds since boot (`clock.now_s()`); read-back waits are ticks in ms.
"""

import asyncio
import time

from micropython import const

_SETTLE_MS = const(500)  # a contactor moves within 20 to 100 ms; two rounds of the sense beyond that
_LOOKS = const(3)  # a loop that was held in between must not take the first reading for a settled one
_LOOK_MS = const(20)  # how often the contact is read while an order waits for it
_SENSE_MS = const(200)  # welding sense and contact, in quiet times
_SAVE_S = const(5)  # age of the resume record at the most: what a crash may forget of a timer


class Guard:
    """Feeds facts to the interlock and executes what it returns.

    hooks: an object with `on_event(on, cause, job, estimated)`, `on_alarm(kind, phase)`, `on_announce(phrase)` and
    `on_answer(request_id, code, text)`; all synchronous and short.
    """

    def __init__(self, interlock, store, clock):
        self.interlock = interlock
        self.hooks = None
        self.beat = None  # set by the supervisor's shell: called once a round to prove life
        self.record_failed = False  # the last record could not be written; the order was obeyed all the same
        self.is_welding = None
        self.welding_s = 0  # since boot, as sensed
        self._relay = None
        self._store = store
        self._clock = clock
        self._held = []  # effects that wait for the contact to be read back
        self._looks = 0  # readings of the contact since the relay moved
        self._early = []  # effects of the boot, before there are hooks
        self._saved_s = 0
        self._moved = asyncio.Event()
        self._moved_at = time.ticks_ms()
        self._settled = False

    # ---- facts

    def boot(self, make_relay, kept, volatile, elapsed_s, firmware_failed=False):
        """Decide what the welder gets at power-on, before anything else is started.

        make_relay: called once, with the state the relay begins in.
        """
        effects = self.interlock.boot(self._clock.now_s(), kept, volatile, elapsed_s, firmware_failed)
        self._relay = make_relay(effects[0][1])  # a boot's first effect is the relay's: no other level before it
        self._do(effects)

    def attach(self, hooks):
        """Give the effects their audience; what the boot had to say is said now."""
        self.hooks = hooks
        early, self._early = self._early, []
        self._do(early)

    def command(self, action, request_id, job=None, age_s=None, source="platform", barred=False, out_of_service=None):
        """An order arrived; its answer goes to the hooks. Arguments as `Interlock.command`."""
        lock = self.interlock
        self._do(
            lock.command(self._clock.now_s(), action, request_id, job, age_s, source, barred, out_of_service)
        )

    def session_up(self):
        """The platform took the login."""
        self._do(self.interlock.session_up(self._clock.now_s()))

    def session_down(self, cause):
        """The session is gone, or cannot be had, for this cause."""
        self._do(self.interlock.session_down(self._clock.now_s(), cause))

    def session_refused(self):
        """The platform's verdict: this terminal is not let in."""
        self._do(self.interlock.session_refused(self._clock.now_s()))

    @property
    def driver(self):
        """The relay's driver: a lamp may hang on the same shift register."""
        return self._relay.driver

    # ---- the task

    async def run(self):
        """Vital: lets time pass for the interlock, reads the contact and the welding current, saves the resume record."""
        while True:
            if self._held:
                await asyncio.sleep_ms(_LOOK_MS)
                self._look()
            else:
                await self._pause()
            now_s = self._clock.now_s()
            self._do(self.interlock.tick(now_s))
            if not self._held:
                self._sense(now_s)
            self._save_volatile()
            if self.beat:
                self.beat()

    async def _pause(self):
        try:
            await asyncio.wait_for_ms(self._moved.wait(), _SENSE_MS)
        except asyncio.TimeoutError:
            pass
        self._moved.clear()

    def _sense(self, now_s):
        """Report what the senses say; after the tick, so that no reading from before a switching is told of after it."""
        self.is_welding = self._relay.welding()
        self._do(self.interlock.welding(now_s, self.is_welding))
        contact = self._relay.contact()  # read in every round: it is debounced from one to the next
        self._looks += 1
        if self._settled or self._looks >= _LOOKS and self._elapsed_ms() >= _SETTLE_MS:
            self._settled = True
            self._do(self.interlock.contact(now_s, contact))

    def _elapsed_ms(self):
        return time.ticks_diff(time.ticks_ms(), self._moved_at)

    def _save_volatile(self):
        now_s = self._clock.now_s()
        if now_s - self._saved_s >= _SAVE_S:
            self._saved_s = now_s
            self._store.save_volatile(self.interlock.volatile(now_s))

    # ---- effects

    def _do(self, effects):
        for effect in effects:
            if effect[0] == "relay":
                self._switch(effect[1])
            elif effect[0] == "record":
                self._record()
            elif self._held:
                self._held.append(effect)
            elif self.hooks is None:
                self._early.append(effect)
            else:
                self._tell(effect)

    def _switch(self, level):
        self._relay.set(level)
        self._moved_at = time.ticks_ms()
        self._settled = False
        self._looks = 0
        self._moved.set()
        if level and self._relay.has_contact:
            self._held.append(("relay", 1))
        elif self._held:
            self._release(500, "cancelled")

    def _look(self):
        """Let the held effects go once the contact says powered, or has had its time."""
        if self._relay.contact() is True:
            self._release(None, None)
        elif self._elapsed_ms() >= _SETTLE_MS:
            self._do(self.interlock.contact(self._clock.now_s(), self._relay.contact()))
            self._release(500, "contact_failed")

    def _release(self, code, text):
        held, self._held = self._held, []
        self._settled = code is None
        for effect in held[1:]:
            if effect[0] == "answer" and code and effect[2] == 200:
                effect = ("answer", effect[1], code, text)
            self._do((effect,))

    def _record(self):
        """Keep the state for a power cut and for a crash; a failing flash never stops an order."""
        now_s = self._clock.now_s()
        self._saved_s = now_s
        self._store.save_volatile(self.interlock.volatile(now_s))
        try:
            self._store.save_kept(self.interlock.kept())
            self.record_failed = False
        except OSError:
            self.record_failed = True

    def _tell(self, effect):
        kind = effect[0]
        if kind == "event":
            self.hooks.on_event(effect[1] == "on", effect[2], effect[3], effect[4])
        elif kind == "alarm":
            self.hooks.on_alarm(effect[1], effect[2])
        elif kind == "answer":
            self.hooks.on_answer(effect[1], effect[2], effect[3])
        else:
            self.hooks.on_announce(effect[1])
