"""The simulated modem's engine: bytes and time in, bytes out. Pure; runs on CPython and MicroPython alike.

Owns the UART conversation (echo, command lines, prompts, final results, URCs), power and boot, the schedule
of what happens later, the faults and the UART byte counts. All times are integer milliseconds of the
caller's clock. What the modem knows and does stands beside it: `radio.py` (SIM, registration, bearer),
`links.py` (sockets), and what its family makes of them (`families.py`): commands, texts, timings.

    core = make(network)                 # network: see links.Network
    core.power(now_ms, True)             # boots; the power key: core.power_key(now_ms, pressed)
    core.feed(now_ms, b"AT\\r")           # from the host's UART
    core.advance(now_ms)                 # let time pass
    core.take()                          # -> bytes for the host's UART
    core.next_ms(now_ms)                 # -> when advance() has to be called next, or None
"""

from host_tests.sim.conversation import BOOTING, COMMAND, OFF, Conversation
from host_tests.sim.families import named
from host_tests.sim.faults import CURED_BY_POWER
from host_tests.sim.links import Links
from host_tests.sim.radio import Radio

__all__ = ("ModemCore", "make")


def make(network, settings=None, seed=1, latency_percent=100, on_event=None, family="a76xx"):
    """Return a modem: a ModemCore, or what its family has made of that."""
    return _kind(family)(network, settings, seed, latency_percent, on_event, family)


def _kind(family):
    return getattr(named(family), "CORE", ModemCore)


class ModemCore(Conversation):
    """One modem of a family (see families.NAMES). `settings` overrides the family's SETTINGS; `on_event(kind,
    value)` hears what happens, if given.

    latency_percent scales the timings of the family's DELAYS_MS (100: as measured, 0: none). Knobs are attributes
    and methods of the parts: core.radio.set_signal(…), core.links.set_alive(…), core.faults.set(…),
    core.muted …; those that may cause URCs are to be called through core.post(now_ms, call, *arguments).
    """

    def __init__(self, network, settings=None, seed=1, latency_percent=100, on_event=None, family="a76xx"):
        if not isinstance(self, _kind(family)):
            raise TypeError("a modem of the family %s comes from make()" % family)
        super().__init__(named(family), settings, seed, latency_percent, on_event)
        self._pressed_ms = self._key_token = self._off_ms = self._reset_ms = None
        self._banner = True
        self.radio = Radio(self)
        self.links = Links(self, network)
        self.general, self.sockets, self.services = self.family.parts(self)
        self._commands = self.family.commands(self)

    def power(self, now_ms, on):
        """Switch on (boot) or off at once, whatever the key says."""
        self.post(now_ms, self._boot if on else self._shut)

    def power_key(self, now_ms, pressed):
        """Press or release PWRKEY: long enough, it starts a modem that is off and stops one that is on."""
        self.post(max(now_ms, self.now), self._key, now_ms, pressed)

    def reset_key(self, now_ms, pressed):
        """Press or release RESET: long enough, it restarts the modem, on or off."""
        if pressed:
            self._reset_ms = now_ms
        elif self._reset_ms is not None and now_ms - self._reset_ms >= self.family.RESET_MS:
            self._reset_ms = None
            self._refreshed()
            self.counters["power_cycles"] += 1
            self.power(now_ms, True)

    def _key(self, at_ms, pressed):
        if not pressed:
            waited = self._pressed_ms is not None and self.cancel(self._key_token)
            if waited and at_ms - self._pressed_ms >= self._key_needs_ms():
                self._key_held()
            self._pressed_ms = None
        elif self._pressed_ms is None:
            self._pressed_ms = at_ms
            self._key_token = self.later(max(0, at_ms + self._key_needs_ms() - self.now), self._key_held)

    def _key_needs_ms(self):
        return self.family.KEY_OFF_MS if self.is_on else self.settings.get("key_on_ms", self.family.KEY_ON_MS)

    def _key_held(self):
        if self.is_on:
            self._shut()
            return
        gap_ms = self.family.KEY_GAP_MS * self.latency_percent // 100
        if self._off_ms is not None and self.now - self._off_ms < gap_ms:
            return
        if self.faults.take("dead_boot") is None:
            self.counters["power_cycles"] += 1
            self._boot()

    def restart(self, wanted):
        """Start over: `wanted` when the host asked for it, else by itself."""
        self.counters["power_cycles" if wanted else "self_reboots"] += 1
        self._boot()

    def switch_off(self):
        """Power down by command."""
        self._shut()

    def _refreshed(self):
        """The power was away: what only that cures is cured."""
        for name in CURED_BY_POWER:
            self.faults.active.pop(name, None)

    def _shut(self):
        self._refreshed()
        was_on, self._mode = self.is_on, OFF
        self._forget()
        if was_on:
            self._off_ms = self.now
            self.event("power", "off")

    def _forget(self):
        self.forget_all()
        self.fresh()
        self.links.reset()
        self.sockets.reset()
        self.general.reset()
        self.services.reset()
        self.radio.reset()

    def _boot(self):
        self._forget()
        self._mode = BOOTING
        if self.faults.take("autobaud") is not None:
            self._trained = False
        self.counters["boots"] += 1
        self.event("power", "on")
        if self.faults.take("binary_banner") is not None:
            self.put(bytes(self.random.below(256) for _ in range(64)))
        self.later(self.delay("boot"), self._ready)

    def _ready(self):
        self._mode = COMMAND
        self._banner = self.faults.take("no_banner") is None
        self.banner(self.family.FIRST_LINE)
        if self.faults.take("half_banner") is not None:
            self._banner = False
        self.event("power", "ready")
        self.radio.begin()
        self.general.booted()

    def banner(self, text):
        """Send a line of the boot banner, which comes to every port."""
        if self._banner:
            self.tell(text)
