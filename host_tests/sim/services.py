"""What every simulated modem knows of clock, GNSS, cell position and speech. Pure.

Owns the modem's idea of the time, the GNSS engine's state and what is being spoken. The world's part (is
the sky visible, does the cell service answer, is there a speech engine, the drive that is played) are knobs
here. A family adds its commands to it.
"""

from host_tests.sim.calendar import civil
from host_tests.sim.text import number_in
from host_tests.sim.track import SHORT, Track

_READ = 1
_ERROR = -1
QUARTERS = 32  # UTC+8 in quarters of an hour
_QUARTER_S = 900
_CELL_OFFSET_E7 = (12345, -23456)  # a cell's middle lies some 260 m away


class Services:
    """What the modem offers beside sockets."""

    def __init__(self, core):
        self._core = core
        self.track = Track(SHORT)
        self.sky = True  # GNSS can fix
        self.cells_ok = True
        self.tts_ok = True
        self.updates_clock = 0  # CTZU, stored by the modem
        self.reset()

    def reset(self):
        """What a boot begins with."""
        self._clock_offset_ms = None  # None: the modem does not know the time
        self._booted_ms = self._core.now
        self._gnss = 0  # 0 off, 1 starting, 2 ready
        self._gnss_ready_ms = 0
        self._speaking = None

    # --- clock --------------------------------------------------------------------------------------------

    def attached(self):
        """The network has told the time at registration."""
        if self.updates_clock and self._core.radio.clock_told:
            self._set_clock()

    def _set_clock(self):
        self._clock_offset_ms = self._core.radio.unix_ms() - self._core.now

    def ctzu(self, kind, arguments):
        """AT+CTZU: let the network set the clock."""
        if kind == _READ:
            return ["+CTZU: %d" % self.updates_clock]
        value = number_in(arguments[0], 0, 1) if arguments else None
        if value is None:
            return _ERROR
        self.updates_clock = value
        if self._core.radio.is_registered and "nitz_at_attach" not in self._core.faults.active:
            self.attached()
        return None

    def cclk(self, kind, arguments):
        """AT+CCLK?: local time; while nobody has told it, the seconds since the boot in the family's first year."""
        if kind != _READ:
            return None
        if self._clock_offset_ms is None:
            seconds, zone = self._core.family.CLOCK_S + (self._core.now - self._booted_ms) // 1000, 0
        else:
            seconds, zone = (self._core.now + self._clock_offset_ms) // 1000, QUARTERS
        year, month, day, hour, minute, second = civil(seconds + zone * _QUARTER_S)
        text = '+CCLK: "%02d/%02d/%02d,%02d:%02d:%02d+%02d"'
        return [text % (year % 100, month, day, hour, minute, second, zone)]

    # --- GNSS ---------------------------------------------------------------------------------------------

    @property
    def has_gnss(self):
        """Whether this build of the modem has a receiver."""
        return bool(self._core.settings["gnss"]) and "no_gnss" not in self._core.faults.active

    def _start_gnss(self):
        """The receiver runs; its first fix takes its time."""
        self._gnss = 2
        self._gnss_ready_ms = self._core.now + self._core.delay("gnss_fix")

    @property
    def has_fix(self):
        """Whether the receiver has a position now."""
        return self._gnss == 2 and self.sky and self._core.now >= self._gnss_ready_ms

    # --- cell position ------------------------------------------------------------------------------------

    def _cell(self):
        """Return (latitude, longitude) of the serving cell's middle in 1e-7 degrees; a fault changes their places."""
        lat, lng = self.track.at(self._core.now)[:2]
        lat, lng = lat + _CELL_OFFSET_E7[0], lng + _CELL_OFFSET_E7[1]
        return (lng, lat) if "lbs_swapped" in self._core.faults.active else (lat, lng)

    # --- speech -------------------------------------------------------------------------------------------

    @property
    def can_speak(self):
        """Whether this build of the modem has a speech engine."""
        return self.tts_ok and "no_tts" not in self._core.faults.active

    @property
    def is_speaking(self):
        """Whether something is being said."""
        return self._speaking is not None

    def _speak(self, text):
        """Say a text; `said` follows at its end."""
        self._core.event("tts", text)
        each_ms = self._core.delay("tts_character")
        if self._core.faults.take("tts_silent") is None:
            self._speaking = self._core.later(each_ms * len(text), self._spoken_out)

    def _spoken_out(self):
        self._speaking = None
        self._core.event("tts_end", "")
        self._core.urc(self._core.family.SAID)

    def _hush(self):
        if self._speaking is not None:
            self._core.cancel(self._speaking)
            self._core.later(0, self._spoken_out)


def local_s(core):
    """Return the world's local time in seconds since 1970."""
    return core.radio.unix_ms() // 1000 + QUARTERS * _QUARTER_S


def ucs2_text(raw):
    """Return the text of UCS2 characters in hex, or None."""
    if len(raw) % 4:
        return None
    try:
        return "".join(chr(int(raw[i : i + 4], 16)) for i in range(0, len(raw), 4))
    except ValueError:
        return None


def bytes_text(raw):
    """Return GBK bytes (held one character a byte) as text; as hex where the interpreter has no GBK."""
    data = bytes(ord(character) for character in raw)
    if not data or max(data) < 128:
        return raw
    try:
        text = data.decode("gbk")
    except (UnicodeError, LookupError):
        return "gbk:" + "".join("%02x" % byte for byte in data)
    return text
