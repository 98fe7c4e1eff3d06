"""An A76xx's commands for clock, GNSS, cell position and speech. Pure."""

from host_tests.sim.calendar import civil
from host_tests.sim.services import Services, bytes_text, local_s, ucs2_text
from host_tests.sim.text import number_in
from host_tests.sim.track import decimal_text

_READ, _SET = 1, 3
_ERROR = -1
_UCS2_LIMIT, _BYTE_LIMIT = 510, 512
_CELL_ACCURACY_M = 550
_NOTHING = ",,,,,,,,"


class A76xxServices(Services):
    """What an A76xx offers beside sockets; owns the NTP server's name and the speech's parameters."""

    def reset(self):
        """What a boot begins with."""
        super().reset()
        self._ntp = None
        self.volume = (2, 3, 0, 1, 1)

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
        if on is None or not self.has_gnss:
            return _ERROR
        if on and self._gnss == 0:
            self._gnss = 1
            self._core.later(self._core.delay("gnss_ready"), self._gnss_started)
        elif not on:
            self._gnss = 0
        return None

    def _gnss_started(self):
        if self._gnss == 1:
            self._start_gnss()
            self._core.urc("+CGNSSPWR: READY!")

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

    def cgpsinfo(self, kind, arguments):
        """AT+CGPSINFO: degrees and minutes."""
        if self._gnss != 2:
            return _ERROR
        if not self.has_fix:
            return ["+CGPSINFO: " + _NOTHING]
        lat, lng, alt, speed, course = self.track.at(self._core.now)
        motion = "%s,%s,%d" % (decimal_text(alt, 1), decimal_text(speed * 100, 3), course)
        return ["+CGPSINFO: %s,%s,%s" % (_minutes(lat, lng), self._utc(), motion)]

    def _utc(self):
        year, month, day, hour, minute, second = civil(self._core.radio.unix_ms() // 1000)
        return "%02d%02d%02d,%02d%02d%02d.00" % (day, month, year % 100, hour, minute, second)

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
        lat, lng = self._cell()
        text = "%s,%s,%d" % (decimal_text(lat // 10, 6), decimal_text(lng // 10, 6), _CELL_ACCURACY_M)
        if form == 4:
            text += ",%d/%d/%d,%d:%02d:%02d" % civil(local_s(self._core))
        return text

    # --- speech -------------------------------------------------------------------------------------------

    def ctts(self, kind, arguments):
        """AT+CTTS: speak (1 UCS2 in hex, 2 bytes), stop (0); the URC tells the end."""
        if not self.can_speak:
            return _ERROR
        if kind == _READ:
            return ["+CTTS: %d" % self.is_speaking]
        mode = number_in(arguments[0], 0, 2) if arguments else None
        if mode == 0:
            return self._hush()
        text = self._heard(mode, arguments)
        if not text or self.is_speaking:
            return _ERROR
        self._speak(text)
        return ["+CTTS:"]

    def _heard(self, mode, arguments):
        """Return what would be heard, or None for a wrong text."""
        if mode is None or len(arguments) < 2:
            return None
        raw = arguments[1]
        if mode == 2:
            return bytes_text(raw) if len(raw) <= _BYTE_LIMIT else None
        return ucs2_text(raw) if len(raw) <= _UCS2_LIMIT else None

    def cttsparam(self, kind, arguments):
        """AT+CTTSPARAM: volume, system volume, digits, pitch, speed."""
        if not self.can_speak:
            return _ERROR
        if kind == _READ:
            return ["+CTTSPARAM: %d,%d,%d,%d,%d" % self.volume]
        values = [number_in(text, 0, 3) for text in arguments]
        if len(values) > 5 or None in values or (values and values[0] > 2):
            return _ERROR
        self.volume = tuple(values) + self.volume[len(values) :]
        return None


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
