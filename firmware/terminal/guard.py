"""The interlock's owner: the one place that moves the relay.

Everything else reports facts here; the interlock decides; this room carries its effects out in their order: relay, record,
contact read-back, event, alarm, answer. Times are seconds since boot (`clock.now_s()`); read-back waits are ticks in ms.

A full heap must not come between the decision and the relay. A piece of the heap is held in reserve for the interlock, so that
it decides whole or, MemoryError, not at all; the relay is moved whatever else fails; what could not be told or recorded for want
of memory is done in a later round.

A rehearsal is a shortened wait for an emergency, for who has just fitted the terminal. It is in RAM alone, and ends at a set second
by itself: then the wait is the configured one again, and whatever is powered is stopped.
"""

import asyncio
import gc
import time

from micropython import const

_SETTLE_MS = const(500)  # a contactor moves within 20 to 100 ms; two rounds of the sense beyond that
_LOOK_MS = const(20)  # how often the contact is read while an order waits for it
_STEADY_MS = const(40)  # from one reading to another: longer than a sense takes to believe in a change
_FIRST = const(3)  # readings in which a sense that has just begun may say nothing
_SENSE_MS = const(200)  # welding sense and contact, in quiet times
_SAVE_S = const(5)  # age of the resume record at the most: what a crash may forget of a timer
_RESERVE = const(256)  # words: an order holds some 700 bytes at once while it is decided
_TRIES = const(2)
_LATE = const(4)  # effects that wait for memory: a list takes so many without asking the heap


class Guard:
    """Feeds facts to the interlock and executes what it returns.

    relay: `terminal.relay.Relay`. beat: set by the supervisor's shell, called once a round to prove life. make_room: called
    after a MemoryError.
    """

    def __init__(self, interlock, store, clock, relay):
        self.interlock = interlock
        self.relay = relay
        self.beat = None
        self.make_room = gc.collect
        self.is_welding = None
        self.rehearsal = None  # (second at which it ends, the interlock's settings as configured)
        self._unsettled = _FIRST  # of these, those the welding sense still has
        self._store = store
        self._clock = clock
        self._early = []  # effects of the boot, before anybody hears them
        self._hear = self._early.append
        self._held = []  # effects that wait for the contact to be read back
        self._moved_at = time.ticks_ms()  # when the relay moved; None once the contact has settled
        self._late_at = None  # when the contact was first read after it should have settled
        self._saved_s = 0
        self._late = []
        self._reserve = [None] * _RESERVE

    def attach(self, hear):
        """Give the effects their audience: hear(effect) is synchronous and short. What the boot had to say is said now."""
        self._hear = hear
        early, self._early = self._early, None
        for effect in early or ():
            hear(effect)

    def tell(self, fact, *details):
        """Tell the interlock now: fact is one of its methods, details are its arguments after the second.

        Raises MemoryError; then nothing is decided, and it is to be told again.
        """
        reserve = self._reserve or [None] * _RESERVE
        self._reserve = None
        reserve.clear()  # which gives its memory back at once
        self.do(fact(self._clock.now_s(), *details))
        try:
            self._reserve = [None] * _RESERVE
        except MemoryError:
            self.make_room()  # the next fact asks for it again

    # ---- the rehearsal

    def rehearse(self, wait_s, for_s):
        """Shorten the wait for an emergency to wait_s, within its range, for the next for_s seconds. Only while LOCKED.

        The machine takes it with its next fact: while a session is up no such wait runs.
        """
        lock = self.interlock
        configured = self.rehearsal[1] if self.rehearsal else lock._settings
        lock._settings = (wait_s,) + configured[1:]
        self.rehearsal = (self._clock.now_s() + for_s, configured)
        self._surely(("rehearsal", wait_s, for_s))

    def end_rehearsal(self):
        """Unpower the welder, and wait for an emergency as configured. Raises MemoryError; then it is to be called again."""
        lock = self.interlock
        lock._settings = self.rehearsal[1]
        self.tell(lock.command, 0, None, None, None, "service")
        self.rehearsal = None
        self._surely(("rehearsal", lock._settings[0], 0))

    # ---- the task

    async def run(self):
        """Vital: lets time pass for the interlock, reads the contact and the welding current, saves the resume record."""
        while True:
            await asyncio.sleep_ms(_SENSE_MS)
            self._round()
            if self.beat:
                self.beat()

    def _round(self):
        lock = self.interlock
        self._look()
        now_s = self._clock.now_s()
        if lock.next_s(now_s) == now_s:
            self.tell(lock.tick)
        else:
            self.do(lock.tick(now_s))
        if self.rehearsal and now_s >= self.rehearsal[0]:
            self.end_rehearsal()
        if self.relay.powered != lock.powered:
            self._switch(lock.powered)
        if self._late:
            self._surely(self._late.pop(0))
        if not self._held:
            self._sense()
        if now_s - self._saved_s >= _SAVE_S:
            self._save_volatile()

    def _sense(self):
        """Report what the senses say; after the tick, so that no reading from before a switching is told of after it."""
        lock = self.interlock
        self.is_welding = welding = self.relay.welding()
        if welding is not None:
            self._unsettled = 0
        if self._unsettled:
            self._unsettled -= 1  # nothing is told: it would undo the idle count of before a crash
        else:
            self.do(lock.welding(self._clock.now_s(), welding))
        contact = self.relay.contact()  # read in every round: it is debounced from one to the next
        if self._moved_at is not None and self._has_settled():
            self._moved_at = None
        if self._moved_at is None:
            self.do(lock.contact(self._clock.now_s(), contact))

    def _has_settled(self):
        """Return whether the contact, just read, has had its time; also after a held loop, where that one reading is no proof."""
        now = time.ticks_ms()
        if self._late_at is None and time.ticks_diff(now, self._moved_at) >= _SETTLE_MS:
            self._late_at = now
        return self._late_at is not None and time.ticks_diff(now, self._late_at) >= _STEADY_MS

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
        elif self._has_settled():
            self.tell(self.interlock.contact, contact)
            self._release("contact_failed")

    # ---- effects

    def do(self, effects):
        """Execute what the interlock returned. A powering is reported, on flash, before it takes place; an unpowering after it."""
        is_powering = ("relay", 1) in effects
        if is_powering:
            for effect in effects:
                if effect[0] == "event":
                    self._surely(effect)
        for effect in effects:
            if effect[0] != "event":
                self._surely(effect)
                continue
            if not is_powering:
                self._surely(effect)
            self._announce(effect)

    def _surely(self, effect):
        """Execute an effect, an event by its report; where the heap is full once more after making room, or in a later round."""
        for _ in range(_TRIES):
            try:
                self._execute(effect)
                return
            except MemoryError:
                self.make_room()
        if len(self._late) < _LATE:
            self._late.append(effect)

    def _execute(self, effect):
        kind = effect[0]
        if kind == "relay":
            self._switch(effect[1])
        elif kind == "record":
            self._record()
        elif kind == "event":
            self._hear(("report",) + effect[1:])
        else:
            self._pass_on(effect)

    def _announce(self, effect):
        """Let an event be heard, which is reported by itself: nothing but the voice misses it."""
        try:
            self._pass_on(effect)
        except MemoryError:
            self.make_room()

    def _pass_on(self, effect):
        """Let an effect be heard once the contact is read back."""
        if self._held:
            self._held.append(effect)
        else:
            self._hear(effect)

    def _switch(self, level):
        self.relay.set(level)
        self._moved_at = time.ticks_ms()
        self._late_at = None
        if level and self.relay.has_contact:
            if not self._held:
                self._held.append(None)
            try:
                asyncio.create_task(self._read_back())
            except MemoryError:
                pass  # the rounds read it back, a little later
        elif self._held:
            self._release("cancelled")

    def _release(self, failure):
        """Let the held effects go. failure: what to answer in place of a 200, None when the contact is powered."""
        if failure is None:
            self._moved_at = None
        held, self._held = self._held, []
        for effect in held:
            if not effect:
                continue
            if failure and effect[0] == "answer" and effect[2] == 200:
                effect = ("answer", effect[1], 500, failure)
            if effect[0] == "event":
                self._announce(effect)
            else:
                self._surely(effect)

    def _record(self):
        """Keep the state for a power cut and for a crash; a failing flash never stops an order."""
        try:
            self._save_volatile()
            self._store.kept.save(self.interlock.kept())
        except OSError:
            pass  # the next record is written in any case

    def _save_volatile(self):
        self._saved_s = now_s = self._clock.now_s()
        self._store.save_volatile(self.interlock.volatile(now_s))
