"""The engine of a simulated Luat modem: its boot and its line ends; the rest is `ModemCore`'s. Pure."""

from host_tests.sim.conversation import BUSY, COMMAND
from host_tests.sim.luat_links import LuatLinks
from host_tests.sim.modem_core import ModemCore

_GARBAGE = b"^boot.rom"
_GARBAGE_B = 55
_LINE_FEED = 0x0A


class LuatCore(ModemCore):
    """One modem; settings["model"] chooses one of luat_general.MODELS."""

    def __init__(self, network, settings=None, seed=1, latency_percent=100, on_event=None, family="luat"):
        super().__init__(network, settings, seed, latency_percent, on_event, family)
        self.links = LuatLinks(self, network)

    def fresh(self):
        """What every boot begins with."""
        super().fresh()
        self._line_feed_due = False

    # --- boot ----------------------------------------------------------------------------------------------

    def _boot(self):
        """Binary rubbish comes first; the parent calls `_ready` after the boot's delay."""
        super()._boot()
        if "no_banner" not in self.faults.active:
            self.put(_GARBAGE + bytes(self.random.below(256) for _ in range(_GARBAGE_B)))

    def _ready(self):
        """Say RDY, twice as a rule; the modem is not listening yet."""
        self._banner = self.faults.take("no_banner") is None
        self.banner(self.family.FIRST_LINE)
        if self.faults.take("half_banner") is not None:
            self._banner = False
        self.later(self.delay("ready_again"), self._ready_again)

    def _ready_again(self):
        if self.faults.take("rdy_once") is None:
            self.banner(self.family.FIRST_LINE)
        self.later(self.delay("usable"), self._usable)

    def _usable(self):
        self._mode = COMMAND
        self.event("power", "ready")
        self.radio.begin()
        self.general.booted()

    # --- line ends ----------------------------------------------------------------------------------------
    # A line feed right after the return still belongs to the command: it is echoed and nothing else. After a bare
    # return the next byte is looked at, whenever it comes: a payload that begins with a line feed loses it.

    def feed(self, now_ms, data, baud=None):
        """Take bytes from the host's UART; `baud` is the rate they were sent at, if it is known."""
        super().feed(now_ms, data, baud)
        if self._mode == BUSY:
            self._end_line()

    def consume(self):
        """Work on typed bytes, one command or piece of data at a time."""
        if self._mode >= COMMAND and self._mode != BUSY:
            self._end_line()
        return super().consume()

    def _type(self, piece):
        if piece.endswith(b"\r"):
            self._line_feed_due = True
            if self._input and self._input[0] == _LINE_FEED:
                self._line_feed_due = False
                self._input[:1] = b""
                piece += b"\n"
        super()._type(piece)

    def _end_line(self):
        """Take the line feed that ends the last command, if it has come."""
        if self._line_feed_due and self._input:
            self._line_feed_due = False
            if self._input[0] == _LINE_FEED:
                self._input[:1] = b""
                if self.echo and self._trained:
                    self.put(b"\n")

    def _prompt(self):
        self._end_line()
        super()._prompt()

    # --- commands -----------------------------------------------------------------------------------------

    def _command_line(self, line):
        if self._trained or b"AT" in line:  # only capital letters tell the rate
            super()._command_line(line)

    def _carry_out(self, part):
        name = part.partition("=")[0].rstrip("?").upper()
        if name not in self._commands:
            return [], self.general.model["unknown"]
        if part.endswith("=?") and name != "+COPS":
            return self._test(name)
        return super()._carry_out(part)

    def _test(self, name):
        missing = self.services.missing(name)
        return list(self.family.TESTS.get(name, ())) if missing is None else missing
