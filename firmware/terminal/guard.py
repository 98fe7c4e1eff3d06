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

    relay: `terminal.relay.Relay`. beat: set by the supervisor's shell, called once a round to prove life.
    """

    def __init__(self, interlock, store, clock, relay):
        self.interlock = interlock
        self.relay = relay
        self.beat = None
        self.is_welding = None
        self._store = store
        self._clock = clock
        self._early = []  # effects of the boot, before anybody hears them
        self._hear = self._early.append
        self._held = []  # effects that wait for the contact to be read back
        self._looks = 0  # readings of the contact since the relay moved
        self._moved_at = time.ticks_ms()  # when the relay moved; None once the contact has settled
        self._saved_s = 0

    def attach(self, hear):
        """Give the effects their audience: hear(effect) is synchronous and short. What the boot had to say is said now."""
        self._hear = hear
        early, self._early = self._early, None
        for effect in early:
            hear(effect)

    def tell(self, fact, *details):
        """Tell the interlock now: fact is one of its methods, details are its arguments after the second."""
        self.do(fact(self._clock.now_s(), *details))

    # ---- the task

    async def run(self):
        """Vital: lets time pass for the interlock, reads the contact and the welding current, saves the resume record."""
        while True:
            await asyncio.sleep_ms(_SENSE_MS)
            self._look()
            self.tell(self.interlock.tick)
            if not self._held:
                self._sense()
            if self._clock.now_s() - self._saved_s >= _SAVE_S:
                self._save_volatile()
            if self.beat:
                self.beat()

    def _sense(self):
        """Report what the senses say; after the tick, so that no reading from before a switching is told of after it."""
        self.is_welding = self.relay.welding()
        self.tell(self.interlock.welding, self.is_welding)
        contact = self.relay.contact()  # read in every round: it is debounced from one to the next
        self._looks += 1
        if self._looks >= _LOOKS and self._is_late():
            self._moved_at = None
        if self._moved_at is None:
            self.tell(self.interlock.contact, contact)

    def _is_late(self):
        """Return whether the contact has had its time."""
        return self._moved_at is not None and time.ticks_diff(time.ticks_ms(), self._moved_at) >= _SETTLE_MS

    async def _read_back(self):
        """Read the contact in short steps while an order waits for it."""
        while self._held:
            await asyncio.sleep_ms(_LOOK_MS)
            self._look()

    def _look(self):
        """Let the held effects go once the contact says powered, or has had its time."""
        if not self._held:
            return
        contact = self.relay.contact()
        if contact is True:
            self._release(None)
        elif self._is_late():
            self.tell(self.interlock.contact, contact)
            self._release("contact_failed")

    # ---- effects

    def do(self, effects):
        """Execute what the interlock returned. A powering is reported, on flash, before it takes place; an unpowering after it."""
        is_powering = ("relay", 1) in effects
        if is_powering:
            self._report(effects)
        for effect in effects:
            if effect[0] == "relay":
                self._switch(effect[1])
            elif effect[0] == "record":
                self._record()
            else:
                if not is_powering:
                    self._report((effect,))
                if self._held:
                    self._held.append(effect)
                else:
                    self._hear(effect)

    def _report(self, effects):
        for effect in effects:
            if effect[0] == "event":
                self._hear(("report",) + effect[1:])

    def _switch(self, level):
        self.relay.set(level)
        self._moved_at = time.ticks_ms()
        self._looks = 0
        if level and self.relay.has_contact:
            self._held.append(None)
            asyncio.create_task(self._read_back())
        elif self._held:
            self._release("cancelled")

    def _release(self, failure):
        """Let the held effects go. failure: what to answer in place of a 200, None when the contact is powered."""
        if failure is None:
            self._moved_at = None
        held, self._held = self._held, []
        for effect in held[1:]:
            if failure and effect[0] == "answer" and effect[2] == 200:
                effect = ("answer", effect[1], 500, failure)
            self._hear(effect)

    def _record(self):
        """Keep the state for a power cut and for a crash; a failing flash never stops an order."""
        self._save_volatile()
        try:
            self._store.kept.save(self.interlock.kept())
        except OSError:
            pass  # the next record is written in any case

    def _save_volatile(self):
        self._saved_s = now_s = self._clock.now_s()
        self._store.save_volatile(self.interlock.volatile(now_s))
