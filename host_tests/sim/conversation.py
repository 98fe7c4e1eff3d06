"""The simulated modem's side of the UART: echo, command lines, answers, prompts, data. Pure.

Owns the bytes on their way in, the command that is being carried out, and what faults make of its answer. What a
command means is in the table that the family gives.
"""

from host_tests.sim.output import Output
from host_tests.sim.schedule import Random
from host_tests.sim.text import latin, split_arguments, split_outside_quotes, unhex

EXECUTE, READ, TEST, SET = range(4)
DEFER = "defer"
ERROR = -1

OFF, BOOTING, COMMAND, BUSY, DATA = range(5)
_NAMES = ("off", "booting", "command", "busy", "data")
_INPUT_LIMIT = 4096  # what the modem's UART holds while it is busy
_LINE_LIMIT = 2048
_SUBSTITUTE, _ESCAPE, _ETX = 0x1A, 0x1B, 0x03  # end of data, cancel, and what quotes them in some families
_DEFAULT_URC = "+CTZV: +32"
_NOVEL_URC = '^NOVEL: 7,"OK",ERROR,+CME'
_REGISTRATIONS = ("CREG", "CGREG", "CEREG")


class Conversation(Output):
    """Bytes in, bytes out; `ModemCore` adds power and the parts behind the commands."""

    def __init__(self, family, settings, seed, latency_percent, on_event):
        super().__init__(family.NAME)
        self.family = family
        self.settings = dict(family.SETTINGS)
        self.settings.update(settings or {})
        self.latency_percent = latency_percent
        self.on_event = on_event
        self.random = Random(seed)
        self.extra_delay_ms = 0
        self.baud_stored = self.settings["baud"]
        self._mode = OFF
        self._input = bytearray()
        self._commands = {}
        self.fresh()

    def fresh(self):
        """What every boot begins with: echo on, the stored rate, nothing typed."""
        self.fresh_output()
        self.echo = True
        self.data_echo = self.family.DATA_ECHO  # whether a send's data are echoed; None: as commands are
        self.cmee = self.settings["cmee"]
        self.baud = self.baud_stored
        self._trained = self.baud != 0
        self._line = bytearray()
        self._lines = []
        self._rest = []
        self._text = ""
        self._begun_ms = self.now
        self._need = None
        self._data = bytearray()
        self._input[:] = b""

    @property
    def is_on(self):
        """Whether the modem is powered up (it may still be booting)."""
        return self._mode != OFF

    @property
    def mode(self):
        """Return 'off', 'booting', 'command', 'busy' or 'data'."""
        return _NAMES[self._mode]

    @property
    def is_carrying_out(self):
        """Whether a command or its data are being worked on."""
        return self._mode in (BUSY, DATA)

    def delay(self, name):
        """Return an event's delay: the family's DELAYS_MS, varied by half, times the latency factor."""
        base = self.family.DELAYS_MS[name] * self.latency_percent // 100
        return base * (50 + self.random.below(101)) // 100

    def event(self, kind, value):
        """Tell whoever listens."""
        if self.on_event:
            self.on_event(kind, value)

    # --- input --------------------------------------------------------------------------------------------

    def feed(self, now_ms, data, baud=None):
        """Take bytes from the host's UART; `baud` is the rate they were sent at, if it is known."""
        self.advance(now_ms)
        self.counters["uart_up"] += len(data)
        if self.muted or self._mode < COMMAND or "hung" in self.faults.active:
            return
        if baud is not None and self.baud and baud != self.baud:
            self.counters["framing_errors"] += len(data)
            return
        if len(self._input) + len(data) > _INPUT_LIMIT:
            self.counters["uart_lost"] += len(data)
            return
        self._input += data
        self.advance(now_ms)

    def consume(self):
        """Work on typed bytes, one command or piece of data at a time."""
        if not self._input or self._mode < COMMAND or self._mode == BUSY:
            return False
        if self._mode == DATA:
            return self._take_data()
        end = self._input.find(b"\r")
        piece = bytes(self._input if end < 0 else self._input[: end + 1])
        self._input[: len(piece)] = b""
        self._type(piece)
        if end >= 0:
            line = bytes(self._line).strip()
            self._line[:] = b""
            self._command_line(line)
        return True

    def _type(self, piece):
        """Echo typed bytes and collect them; a line feed before a command is not part of it."""
        if not self._line:
            piece = piece.lstrip(b"\n")
        if self.echo and self._trained:
            self.put(piece)
        if b"\x08" not in piece and b"\x7f" not in piece and len(self._line) + len(piece) <= _LINE_LIMIT:
            self._line += piece
            return
        for byte in piece:
            if byte in (0x08, 0x7F):
                self._line[-1:] = b""
            elif len(self._line) < _LINE_LIMIT:
                self._line.append(byte)

    def _command_line(self, line):
        text = latin(line)
        start = text.upper().find("AT")
        if start < 0:
            return
        if not self._trained:  # autobaud: the first AT only tells the rate
            self._trained = True
            return
        text = text[start:]
        self.counters["commands"] += 1
        self.event("at", text)
        if self.faults.active and self._strike(text):
            return
        self._rest = split_outside_quotes(text[2:], ";")
        self._lines = []
        self._begun_ms = self.now
        self._text = text
        delay_ms = self.delay("simple") + self.extra_delay_ms
        if delay_ms:
            self._mode = BUSY
            self.later(delay_ms, self._next_part)
        else:
            self._next_part()

    def _strike(self, text):
        """Apply the faults that replace the carrying out of a command; return whether one did."""
        take = self.faults.take
        if take("deaf", text) is not None:
            return True
        if take("reboot", text) is not None:
            self.restart(False)
            return True
        params = take("error", text)
        if params is not None:
            self._lines, self._text, self._begun_ms = [], text, self.now
            self._answer([], params.get("text", "ERROR"))
            return True
        return False

    def _next_part(self):
        """Carry out what is left of the line; several commands on one line share one final result."""
        while True:
            part = self._rest.pop(0)
            result = self._carry_out(part.strip())
            if result is DEFER:
                self._mode = BUSY
                return
            if not self._part_done(result):
                return

    def _part_done(self, result):
        """Take in one command's result; return whether the next one may run."""
        if isinstance(result, bytes):
            self._answer_raw(result)
            return False
        lines, final = self._verdict(result)
        self._lines += lines
        if final == "OK" and self._rest:
            return True
        self._answer(self._lines, final)
        return False

    def _verdict(self, result):
        if result is None:
            return [], "OK"
        if isinstance(result, tuple):
            return result
        if isinstance(result, list):
            return result, "OK"
        return [], self.error_text(result)

    def error_text(self, code):
        """Return the final result for a CME code, in the form CMEE asks for; ERROR (-1) is always plain."""
        if "cme_number" in self.faults.active and code != ERROR:
            return "+CME ERROR: %d" % code
        if code == ERROR or (self.cmee == 0 and "cme_text" not in self.faults.active):
            return "ERROR"
        if self.cmee == 2 or "cme_text" in self.faults.active:
            return "+CME ERROR: " + self.family.CME_TEXT.get(code, "unknown")
        return "+CME ERROR: %d" % code

    def _carry_out(self, part):
        kind, arguments = EXECUTE, ()
        name, equals, value = part.partition("=")
        if equals:
            kind, arguments = (TEST, ()) if value == "?" else (SET, split_arguments(value))
        elif name.endswith("?"):
            kind, name = READ, name[:-1]
        name = name.upper()
        handler = self._commands.get(name)
        if handler is None:
            return ERROR
        if kind == TEST and name != "+COPS":
            if self._is_absent(name):
                return ERROR
            return list(self.family.TESTS.get(name, ()))
        return handler(kind, arguments)

    def _is_absent(self, name):
        """Whether a command belongs to a feature that this build of the modem lacks."""
        family, services = self.family, self.services
        return (name in family.SPEECH and not services.can_speak) or (name in family.GNSS and not services.has_gnss)

    def finish(self, result):
        """End a command that was deferred, with a result as a handler returns it."""
        self._mode = COMMAND
        if self._part_done(result):
            self._next_part()

    # --- answers ------------------------------------------------------------------------------------------

    def _answer(self, lines, final):
        body = b""
        if lines:
            body = self._wire(
                b"\r\n".join(line if isinstance(line, bytes) else line.encode() for line in lines)
            )
        if self.faults.take("missing_ok", self._text) is not None:
            self._answer_raw(body)
        else:
            self._answer_raw(body + self._wire(final))

    def _answer_raw(self, block):
        """Send a whole answer, now or when a fault says."""
        self._mode = COMMAND
        if not self.faults.active:
            self.put(block)
            return
        block = self._decorate(block, self._text)
        late = self.faults.take("late", self._text)
        slow = self.faults.take("slow", self._text)
        if late is not None:
            self.later(late.get("ms", 1000), self.put, block)
        elif slow is not None:
            self._mode = BUSY
            self.later(max(0, self._begun_ms + slow.get("ms", 1000) - self.now), self._deliver, block)
        else:
            self.put(block)

    def _deliver(self, block):
        self._mode = COMMAND
        self.put(block)

    def _decorate(self, block, text):
        """Put the faults' additions around an answer."""
        take = self.faults.take
        params = take("echo_twice", text)
        if params is not None:
            block = text.encode() + b"\r" + block
        params = take("urc_before_answer", text)
        if params is not None:
            block = self._wire(params.get("text", _DEFAULT_URC)) + block
        if take("urc_twin", text) is not None:
            block = self._wire(self._twin(text)) + block
        params = take("urc_unknown", text)
        if params is not None:
            block = self._wire(params.get("text", _NOVEL_URC)) + block
        params = take("noise", text)
        if params is not None:
            block = unhex(params.get("hex", "00ff80")) + block
        params = take("urc_glued", text)
        if params is not None:
            block += self._wire(params.get("text", _DEFAULT_URC))
        return block

    def _twin(self, text):
        """Return the URC that begins like the answer to this command."""
        name = text[2:].partition("=")[0].strip("?").upper()
        if name[1:] in _REGISTRATIONS:
            return "%s: %d" % (name, self.radio.stat)
        return self.family.TWINS.get(name, _DEFAULT_URC)

    # --- data of a send -----------------------------------------------------------------------------------

    def prompt(self, need, call):
        """Ask for `need` bytes (None: up to Ctrl-Z) and give them to call(data or None); for the family's sockets."""
        self._need, self._on_data = need, call
        late = self.faults.take("prompt_late")
        self.later(0 if late is None else late.get("ms", 2000), self._prompt)
        return DEFER

    def _prompt(self):
        if self.faults.take("no_prompt") is not None:
            self._mode = COMMAND
            return
        params = self.faults.take("urc_before_prompt")
        if params is not None:
            self.tell(params.get("text", _DEFAULT_URC))
        self._input[:] = b""  # what came before the prompt is lost
        params = self.faults.take("prompt")
        self.put(params.get("text", "\r\n> ").encode() if params is not None else self.sockets.prompt_text)
        self._mode = DATA
        self._data[:] = b""
        self._quoted = False
        params = self.faults.take("urc_after_prompt")
        if params is not None:
            self.tell(params.get("text", _DEFAULT_URC))
        self._idle = self.later(self.sockets.send_timeout_ms, self._data_idle)

    def _data_idle(self):
        self._data_done(None)

    def _take_data(self):
        if self.faults.take("reboot_in_data") is not None:
            self.restart(False)
            return True
        piece = self._cut_data()
        if self.echo if self.data_echo is None else self.data_echo:
            self.put(piece)
        if piece and len(self._data) == self._need:
            self._data_done(bytes(self._data))
        return True

    def _cut_data(self):
        """Move typed data over; return the bytes used."""
        if self._need is not None:
            piece = bytes(self._input[: self._need - len(self._data)])
            self._input[: len(piece)] = b""
            self._data += piece
            return piece
        byte = self._input[0]
        self._input[:1] = b""
        if self._quoted or byte not in (_SUBSTITUTE, _ESCAPE) + self.sockets.QUOTES:
            self._data.append(byte)
            self._quoted = False
        elif byte == _ETX:
            self._quoted = True
        else:
            self._data_done(bytes(self._data) if byte == _SUBSTITUTE else None)
        return bytes((byte,))

    def _data_done(self, data):
        self.cancel(self._idle)
        self._mode = BUSY
        at_once = self.faults.take("send_at_once") is not None
        self.later(0 if at_once else self.delay("simple"), self._on_data, data)
