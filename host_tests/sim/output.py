"""What the simulated modem says: bytes on their way to the host's UART, lines said unasked, and faults of the wire. Pure."""

from host_tests.sim.faults import Faults
from host_tests.sim.schedule import Schedule
from host_tests.sim.text import latin

_OUTPUT_LIMIT = 65536

COUNTERS = (
    "boots",
    "power_cycles",
    "radio_cycles",
    "self_reboots",
    "commands",
    "uart_up",
    "uart_down",
    "uart_lost",
    "framing_errors",
)


class Output(Schedule):
    """The way out; owns the faults, the counters and the bytes nobody has taken yet."""

    def __init__(self, family_name):
        super().__init__()
        self.faults = Faults(family_name, self._faults_changed)
        self.muted = False
        self.counters = dict.fromkeys(COUNTERS, 0)
        self._out = bytearray()
        self.fresh_output()

    def fresh_output(self):
        """What every boot begins with: URCs come here, nothing is left to dribble."""
        self.urcs_here = True  # False: what is said unasked goes to another port of the modem
        self._dribble = bytearray()

    def take(self):
        """Return and forget the bytes sent since the last call."""
        out = bytes(self._out)
        self._out[:] = b""
        return out

    @property
    def has_output(self):
        """Whether `take` would return something."""
        return len(self._out) > 0

    def put(self, data):
        """Send bytes as they are, unless the modem is mute; bounded when nobody takes them."""
        if self.muted or not self.is_on:
            return
        if self.faults.active:
            if "hung" in self.faults.active:
                return
            data = self._spoil(data)
        self.counters["uart_down"] += len(data)
        if len(self._out) + len(self._dribble) + len(data) > _OUTPUT_LIMIT:
            self.counters["uart_lost"] += len(data)
        elif self._dribble or "dribble" in self.faults.active:
            if not self._dribble:
                self.later(0, self._drop)
            self._dribble += data
        else:
            self._out += data

    def _spoil(self, data):
        if "overrun" in self.faults.active:
            params = self.faults.take("overrun", latin(data))
            if params is not None:
                at = params.get("at", 0)
                data = data[:at] + data[at + params.get("bytes", 1) :]
        return data

    def _drop(self):
        """Let the next byte of a dribbling output fall."""
        fault = self.faults.active.get("dribble")
        size = 1 if fault else len(self._dribble)
        self._out += self._dribble[:size]
        self._dribble[:size] = b""
        if self._dribble:
            self.later(fault[2].get("ms", 1), self._drop)

    def urc(self, line):
        """Send an unsolicited line (text or bytes), if such lines come to this port."""
        if self.urcs_here:
            self.tell(line)

    def tell(self, line):
        """Send an unsolicited line to this port, whatever is set."""
        if self.faults.active and self.faults.take("urc_lost", latin(line)) is not None:
            return
        self.put(self._wire(line))

    def _faults_changed(self):
        """A fault was switched on or off: sockets may be cut off by it, or freed."""
        self.later(0, self.links.review)

    def _wire(self, line):
        end = b"\r\r\n" if "crcrlf" in self.faults.active else b"\r\n"
        return b"\r\n" + (line.encode() if isinstance(line, str) else line) + end
