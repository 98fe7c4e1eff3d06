"""The simulated modem's clock, GNSS, cell position and speech. Pure.

Owns the modem's idea of the time, the GNSS engine's state and what is being spoken. The world's part (is
the sky visible, does the cell service answer, is there a speech engine, the drive that is played) are knobs
here.
"""

from host_tests.sim.calendar import civil
from host_tests.sim.text import number_in
from host_tests.sim.track import SHORT, Track, decimal_text

_READ, _SET = 1, 3
_ERROR = -1
_QUARTERS = 32  # UTC+8 in quarters of an hour
_QUARTER_S = 900
_UCS2_LIMIT, _BYTE_LIMIT = 510, 512
_CELL_OFFSET_E7 = (12345, -23456)  # a cell's middle lies some 260 m away
_CELL_ACCURACY_M = 550
_NOTHING = ",,,,,,,,"


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
        self._ntp = None
        self._gnss = 0  # 0 off, 1 starting, 2 ready
        self._gnss_ready_ms = 0
        self._speaking = None
        self.volume = (2, 3, 0, 1, 1)

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
        """AT+CCLK?: local time, or the seconds since the boot in 1970 while nobody has told it."""
        if kind != _READ:
            return None
        if self._clock_offset_ms is None:
            seconds, zone = (self._core.now - self._booted_ms) // 1000, 0
        else:
            seconds, zone = (self._core.now + self._clock_offset_ms) // 1000, _QUARTERS
        year, month, day, hour, minute, second = civil(seconds + zone * _QUARTER_S)
        text = '+CCLK: "%02d/%02d/%02d,%02d:%02d:%02d+%02d"'
        return [text % (year % 100, month, day, hour, minute, second, zone)]

    def cntp(self, kind, arguments):
        """AT+CNTP: with a server it is noted, without it is asked."""
        core = self._core
        if kind == _READ:
            return ["+CNTP: " + ('"%s",%s' % self._ntp if self._ntp else '"",0')]
        if kind == _SET:
            self._ntp = (arguments[0], arguments[1] if len(arguments) > 1 else "0")
            return None
        if self._ntp is None:
            return _ERROR
        core.later(core.delay("ntp"), self._ntp_done)
        return None

    def _ntp_done(self):
        core = self._core
        told = core.radio.has_bearer and core.links.alive and core.radio.clock_told
        if told and core.links.resolve(self._ntp[0]) is not None:
            self._set_clock()
            core.urc("+CNTP: 0")
        else:
            core.urc("+CNTP: 1")

    # --- GNSS ---------------------------------------------------------------------------------------------

    def cgnsspwr(self, kind, arguments):
        """AT+CGNSSPWR: ready some nine seconds after OK."""
        if kind == _READ:
            return ["+CGNSSPWR: %d" % (self._gnss > 0)]
        on = number_in(arguments[0], 0, 1) if arguments else None
        if on is None or not self._core.settings["gnss"]:
            return _ERROR
        if on and self._gnss == 0:
            self._gnss = 1
            self._core.later(self._core.delay("gnss_ready"), self._gnss_started)
        elif not on:
            self._gnss = 0
        return None

    def _gnss_started(self):
        if self._gnss == 1:
            self._gnss = 2
            self._gnss_ready_ms = self._core.now + self._core.delay("gnss_fix")
            self._core.urc("+CGNSSPWR: READY!")

    @property
    def has_fix(self):
        """Whether CGNSSINFO tells a position now."""
        return self._gnss == 2 and self.sky and self._core.now >= self._gnss_ready_ms

    def cgnssinfo(self, kind, arguments):
        """AT+CGNSSINFO: the position in the family's many fields."""
        if self._gnss != 2:
            return _ERROR
        faults = self._core.faults.active
        if "gnss_pseudo" in faults:
            return ["+CGNSSINFO: 3,00,00,,,0.0000000,N,0.0000000,E,%s,0.0,0.000,,0.0,0.0,0.0," % self._utc()]
        if not self.has_fix:
            return ["+CGNSSINFO:" + _NOTHING if "gnss_bare" in faults else "+CGNSSINFO: ,,,,,,,,,,,,,,,"]
        lat, lng, alt, speed, course = self.track.at(self._core.now)
        where = (_minutes if "gnss_ddmm" in faults else _degrees)(lat, lng)
        head, tail = ("2,09,,05,00", "") if "gnss_old" in faults else ("3,13,14,,", ",")
        motion = "%s,%s,%d,1.7,1.2,1.1%s" % (decimal_text(alt, 1), decimal_text(speed * 100, 3), course, tail)
        return ["+CGNSSINFO: %s,%s,%s,%s" % (head, where, self._utc(), motion)]

    def _utc(self):
        year, month, day, hour, minute, second = civil(self._core.radio.unix_ms() // 1000)
        return "%02d%02d%02d,%02d%02d%02d.00" % (day, month, year % 100, hour, minute, second)

    def cgpsinfo(self, kind, arguments):
        """AT+CGPSINFO: degrees and minutes."""
        if self._gnss != 2:
            return _ERROR
        if not self.has_fix:
            return ["+CGPSINFO: " + _NOTHING]
        lat, lng, alt, speed, course = self.track.at(self._core.now)
        motion = "%s,%s,%d" % (decimal_text(alt, 1), decimal_text(speed * 100, 3), course)
        return ["+CGPSINFO: %s,%s,%s" % (_minutes(lat, lng), self._utc(), motion)]

    # --- cell position ------------------------------------------------------------------------------------

    def clbs(self, kind, arguments):
        """AT+CLBS=1 or 4: where the cell is."""
        form = number_in(arguments[0], 1, 4) if arguments else None
        if form not in (1, 4):
            return _ERROR
        self._core.later(self._core.delay("clbs"), self._located, form)
        return None

    def _located(self, form):
        core = self._core
        if not core.radio.has_bearer:
            core.urc("+CLBS: 9")
        elif not core.links.alive:
            core.urc("+CLBS: 4")
        elif not self.cells_ok:
            core.urc("+CLBS: 3")
        else:
            core.urc("+CLBS: 0," + self._cell_text(form))

    def _cell_text(self, form):
        lat, lng = self.track.at(self._core.now)[:2]
        lat, lng = lat + _CELL_OFFSET_E7[0], lng + _CELL_OFFSET_E7[1]
        text = "%s,%s,%d" % (decimal_text(lat // 10, 6), decimal_text(lng // 10, 6), _CELL_ACCURACY_M)
        if form == 4:
            local_s = self._core.radio.unix_ms() // 1000 + _QUARTERS * _QUARTER_S
            text += ",%d/%d/%d,%d:%02d:%02d" % civil(local_s)
        return text

    # --- speech -------------------------------------------------------------------------------------------

    def ctts(self, kind, arguments):
        """AT+CTTS: speak (1 UCS2 in hex, 2 bytes), stop (0); the URC tells the end."""
        if not self.tts_ok:
            return _ERROR
        if kind == _READ:
            return ["+CTTS: %d" % (self._speaking is not None)]
        mode = number_in(arguments[0], 0, 2) if arguments else None
        if mode == 0:
            return self._hush()
        text = self._spoken(mode, arguments)
        if not text or self._speaking is not None:
            return _ERROR
        self._core.event("tts", text)
        each_ms = self._core.delay("tts_character")
        if self._core.faults.take("tts_silent") is None:
            self._speaking = self._core.later(each_ms * len(text), self._spoken_out)
        return ["+CTTS:"]

    def _spoken(self, mode, arguments):
        """Return what would be heard, or None for a wrong text."""
        if mode is None or len(arguments) < 2:
            return None
        raw = arguments[1]
        if mode == 2:
            return bytes_text(raw) if len(raw) <= _BYTE_LIMIT else None
        if len(raw) > _UCS2_LIMIT or len(raw) % 4:
            return None
        try:
            return "".join(chr(int(raw[i : i + 4], 16)) for i in range(0, len(raw), 4))
        except ValueError:
            return None

    def _spoken_out(self):
        self._speaking = None
        self._core.event("tts_end", "")
        self._core.urc("+CTTS: 0")

    def _hush(self):
        if self._speaking is not None:
            self._core.cancel(self._speaking)
            self._core.later(0, self._spoken_out)

    def cttsparam(self, kind, arguments):
        """AT+CTTSPARAM: volume, system volume, digits, pitch, speed."""
        if not self.tts_ok:
            return _ERROR
        if kind == _READ:
            return ["+CTTSPARAM: %d,%d,%d,%d,%d" % self.volume]
        values = [number_in(text, 0, 3) for text in arguments]
        if len(values) > 5 or None in values or (values and values[0] > 2):
            return _ERROR
        self.volume = tuple(values) + self.volume[len(values) :]
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


def _degrees(lat, lng):
    north, east = "N" if lat >= 0 else "S", "E" if lng >= 0 else "W"
    return "%s,%s,%s,%s" % (decimal_text(abs(lat), 7), north, decimal_text(abs(lng), 7), east)


def _minutes(lat, lng):
    """Return ddmm.mmmmmm,N,dddmm.mmmmmm,E."""
    parts = []
    for value, width, marks in ((lat, 2, "NS"), (lng, 3, "EW")):
        whole, rest = divmod(abs(value), 10**7)
        minutes = decimal_text(rest * 6, 6)  # 60 minutes in 1e7 parts: six places
        parts.append(
            "%0*d%s%s,%s" % (width, whole, "0" if rest * 6 < 10**7 else "", minutes, marks[value < 0])
        )
    return ",".join(parts)
