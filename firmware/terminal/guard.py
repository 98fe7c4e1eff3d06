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
        self._hear = None
        self._store = store
        self._clock = clock
        self._held = []  # effects that wait for the contact to be read back
        self._looks = 0  # readings of the contact since the relay moved
        self._early = []  # effects of the boot, before anybody hears them
        self._saved_s = 0
        self._moved = asyncio.Event()
        self._moved_at = time.ticks_ms()
        self._settled = False

    def attach(self, hear):
        """Give the effects their audience: hear(effect) is synchronous and short. What the boot had to say is said now."""
        self._hear = hear
        early, self._early = self._early, []
        self.do(early)

    def tell(self, fact, *details):
        """Tell the interlock now: fact is one of its methods, details are its arguments after the second."""
        self.do(fact(self._clock.now_s(), *details))

    # ---- the task

    async def run(self):
        """Vital: lets time pass for the interlock, reads the contact and the welding current, saves the resume record."""
        while True:
            if self._held:
                await asyncio.sleep_ms(_LOOK_MS)
                self._look()
            else:
                try:
                    await asyncio.wait_for_ms(self._moved.wait(), _SENSE_MS)
                except asyncio.TimeoutError:
                    pass
                self._moved.clear()
            self.tell(self.interlock.tick)
            if not self._held:
                self._sense()
            now_s = self._clock.now_s()
            if now_s - self._saved_s >= _SAVE_S:
                self._save_volatile(now_s)
            if self.beat:
                self.beat()

    def _sense(self):
        """Report what the senses say; after the tick, so that no reading from before a switching is told of after it."""
        self.is_welding = self.relay.welding()
        self.tell(self.interlock.welding, self.is_welding)
        contact = self.relay.contact()  # read in every round: it is debounced from one to the next
        self._looks += 1
        if self._settled or self._looks >= _LOOKS and self._elapsed_ms() >= _SETTLE_MS:
            self._settled = True
            self.tell(self.interlock.contact, contact)

    def _elapsed_ms(self):
        return time.ticks_diff(time.ticks_ms(), self._moved_at)

    def _save_volatile(self, now_s):
        self._saved_s = now_s
        self._store.save_volatile(self.interlock.volatile(now_s))

    # ---- effects

    def do(self, effects):
        """Execute what the interlock returned."""
        for effect in effects:
            if effect[0] == "relay":
                self._switch(effect[1])
            elif effect[0] == "record":
                self._record()
            elif self._held:
                self._held.append(effect)
            elif self._hear is None:
                self._early.append(effect)
            else:
                self._hear(effect)

    def _switch(self, level):
        self.relay.set(level)
        self._moved_at = time.ticks_ms()
        self._settled = False
        self._looks = 0
        self._moved.set()
        if level and self.relay.has_contact:
            self._held.append(("relay", 1))
        elif self._held:
            self._release(500, "cancelled")

    def _look(self):
        """Let the held effects go once the contact says powered, or has had its time."""
        if self.relay.contact() is True:
            self._release(None, None)
        elif self._elapsed_ms() >= _SETTLE_MS:
            self.tell(self.interlock.contact, self.relay.contact())
            self._release(500, "contact_failed")

    def _release(self, code, text):
        held, self._held = self._held, []
        self._settled = code is None
        for effect in held[1:]:
            if effect[0] == "answer" and code and effect[2] == 200:
                effect = ("answer", effect[1], code, text)
            self.do((effect,))

    def _record(self):
        """Keep the state for a power cut and for a crash; a failing flash never stops an order."""
        self._save_volatile(self._clock.now_s())
        try:
            self._store.kept.save(self.interlock.kept())
        except OSError:
            pass  # the next record is written in any case
