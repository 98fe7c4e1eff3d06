"""The simulated modem's engine: bytes and time in, bytes out. Pure; runs on CPython and MicroPython alike.

Owns the UART conversation (echo, command lines, prompts, final results, URCs), power and boot, the schedule
of what happens later, the faults and the UART byte counts. All times are integer milliseconds of the
caller's clock. What the modem knows and does stands beside it: `radio.py` (SIM, registration, bearer),
`links.py` (sockets), `services.py` (clock, GNSS, cell position, speech), `a76xx.py` (commands, texts and
timings of the family).

    core = ModemCore(network)            # network: see links.Network
    core.power(now_ms, True)             # boots; the power key: core.power_key(now_ms, pressed)
    core.feed(now_ms, b"AT\\r")           # from the host's UART
    core.advance(now_ms)                 # let time pass
    core.take()                          # -> bytes for the host's UART
    core.next_ms(now_ms)                 # -> when advance() has to be called next, or None
"""

from host_tests.sim import a76xx
from host_tests.sim.cip import Cip
from host_tests.sim.conversation import BOOTING, COMMAND, OFF, Conversation
from host_tests.sim.general import General
from host_tests.sim.links import Links
from host_tests.sim.radio import Radio
from host_tests.sim.services import Services

__all__ = ("ModemCore",)


class ModemCore(Conversation):
    """One modem. `settings` overrides a76xx.SETTINGS; `on_event(kind, value)` hears what happens, if given.

    latency_percent scales the timings of a76xx.DELAYS_MS (100: as measured, 0: none). Knobs are attributes
    and methods of the parts: core.radio.set_signal(…), core.links.set_alive(…), core.faults.set(…),
    core.muted …; those that may cause URCs are to be called through core.post(now_ms, call, *arguments).
    """

    def __init__(self, network, settings=None, seed=1, latency_percent=100, on_event=None):
        super().__init__(settings, seed, latency_percent, on_event)
        self._pressed_ms = self._key_token = self._off_ms = self._reset_ms = None
        self._banner = True
        self.radio = Radio(self)
        self.links = Links(self, network)
        self.cip = Cip(self)
        self.services = Services(self)
        self.general = General(self)
        self._commands = a76xx.commands(self)

    def power(self, now_ms, on):
        """Switch on (boot) or off at once, whatever the key says."""
        self.post(now_ms, self._boot if on else self._shut)

    def power_key(self, now_ms, pressed):
        """Press or release PWRKEY: 50 ms start a modem that is off, 2.5 s stop one that is on."""
        self.post(max(now_ms, self.now), self._key, now_ms, pressed)

    def reset_key(self, now_ms, pressed):
        """Press or release RESET: two seconds restart the modem, on or off."""
        if pressed:
            self._reset_ms = now_ms
        elif self._reset_ms is not None and now_ms - self._reset_ms >= a76xx.RESET_MS:
            self._reset_ms = None
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
        return a76xx.KEY_OFF_MS if self.is_on else a76xx.KEY_ON_MS

    def _key_held(self):
        if self.is_on:
            self._shut()
            return
        gap_ms = a76xx.KEY_GAP_MS * self.latency_percent // 100
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

    def _shut(self):
        was_on, self._mode = self.is_on, OFF
        self._forget()
        if was_on:
            self._off_ms = self.now
            self.event("power", "off")

    def _forget(self):
        self.forget_all()
        self.fresh()
        self.links.reset()
        self.services.reset()
        self.radio.reset()

    def _boot(self):
        self._forget()
        self._mode = BOOTING
        self.counters["boots"] += 1
        self.event("power", "on")
        if self.faults.take("binary_banner") is not None:
            self.put(bytes(self.random.below(256) for _ in range(64)))
        self.later(self.delay("boot"), self._ready)

    def _ready(self):
        self._mode = COMMAND
        self._banner = self.faults.take("no_banner") is None
        self.banner("*ATREADY: 1")
        if self.faults.take("half_banner") is not None:
            self._banner = False
        self.event("power", "ready")
        self.radio.begin()

    def banner(self, text):
        """Send a line of the boot banner."""
        if self._banner:
            self.urc(text)
