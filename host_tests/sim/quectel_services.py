"""A Quectel modem's commands for clock, GNSS, cell position and speech. Pure."""

from host_tests.sim.calendar import civil
from host_tests.sim.services import QUARTERS, Services, bytes_text, ucs2_text
from host_tests.sim.text import number_in
from host_tests.sim.track import decimal_text

_READ, _SET = 1, 3
_ERROR = -1
_DEFER = "defer"
_QUARTER_S = 900
_NO_PDP, _NO_NAME, _TIMED_OUT = 561, 565, 569
_UNSUPPORTED, _BAD_PARAMETER, _BUSY, _ONGOING, _NOT_ACTIVE, _NOT_FIXED = 4, 501, 503, 504, 505, 516
_DSAT = "DSAT_CME_GNSS_NOT_FIXED_NOW"
_LBS_NO_CALL, _LBS_NOT_FOUND, _LBS_NO_TOKEN, _LBS_QUOTA = 702, 10000, 10002, 10008
_TOKEN_LENGTH = 16
_LBS_NAMES = ("token", "timeout", "latOrder", "asynch", "timeUpdate", "withTime", "server")
_TTS_BAD_PARAMETER, _TTS_BUSY = 902, 904


class QuectelServices(Services):
    """What a Quectel modem offers beside sockets; owns the network's time, QLBS's settings and the volume."""

    def reset(self):
        """What a boot begins with."""
        super().reset()
        self._synchronised_ms = None  # the world's time when the network told it
        self._gnss_free_ms = self._core.now
        self._lbs = {"timeout": "60", "latOrder": "0", "asynch": "0", "timeUpdate": "0", "withTime": "0"}
        self._level = 3
        self._voice = {1: 0, 2: 0}  # speed, volume

    def booted(self):
        """The modem is up; its receiver not quite."""
        self._gnss_free_ms = self._core.now + self._core.delay("gnss_busy")

    # --- clock --------------------------------------------------------------------------------------------

    def attached(self):
        """The network has told the time at registration; QLTS knows it even when CTZU is off."""
        super().attached()
        if self._core.radio.clock_told:
            self._synchronised_ms = self._core.radio.unix_ms()

    def qlts(self, kind, arguments):
        """AT+QLTS=0 the last time the network told, 1 now in GMT, 2 now in local time."""
        mode = number_in(arguments[0], 0, 2) if arguments else 0
        if mode is None:
            return _ERROR
        if self._synchronised_ms is None:
            return ['+QLTS: ""']
        unix_s = (self._synchronised_ms if mode == 0 else self._core.radio.unix_ms()) // 1000
        time = _time_text(unix_s + (0 if mode == 1 else QUARTERS * _QUARTER_S))
        form = '+QLTS: "%s",0' if "qlts_outside" in self._core.faults.active else '+QLTS: "%s,0"'
        return [form % time]

    def qntp(self, kind, arguments):
        """AT+QNTP=context,"host"[,port]: OK, and the time as a URC: in UTC, whatever its zone says."""
        if kind != _SET or len(arguments) < 2:
            return _ERROR
        self._core.later(self._core.delay("ntp"), self._ntp_done, arguments[1])
        return None

    def _ntp_done(self, host):
        core = self._core
        if not core.links.is_open:
            core.urc("+QNTP: %d" % _NO_PDP)
        elif core.links.resolve(host) is None:
            core.urc("+QNTP: %d" % _NO_NAME)
        elif not (core.links.alive and core.radio.clock_told):
            core.urc("+QNTP: %d" % _TIMED_OUT)
        else:
            self._set_clock()
            core.urc('+QNTP: 0,"%s"' % _time_text(core.radio.unix_ms() // 1000))

    # --- GNSS ---------------------------------------------------------------------------------------------

    def qgps(self, kind, arguments):
        """AT+QGPS=1: the receiver runs until QGPSEND or the modem's end, whatever becomes of the host."""
        if not self.has_gnss:
            return _ERROR
        if kind == _READ:
            return ["+QGPS: %d" % (self._gnss > 0)]
        if kind != _SET or number_in(arguments[0], 1, 4) is None:
            return _BAD_PARAMETER
        if self._gnss:
            return _ONGOING
        if self._core.now < self._gnss_free_ms:
            return _BUSY
        self._start_gnss()
        return ['+QGPS: "firmware",0,0'] if self._core.settings["model"] == "EG800K" else None

    def qgpsend(self, kind, arguments):
        """AT+QGPSEND."""
        if not self.has_gnss:
            return _ERROR
        if not self._gnss:
            return _NOT_ACTIVE
        self._gnss = 0
        return None

    def qgpsloc(self, kind, arguments):
        """AT+QGPSLOC=0 (degrees and minutes) or 2 (decimal degrees)."""
        if not self.has_gnss:
            return _ERROR
        mode = 0 if kind == _READ else number_in(arguments[0], 0, 2) if arguments else None
        if mode not in (0, 2):
            return _BAD_PARAMETER
        if not self._gnss:
            return _NOT_ACTIVE
        faults = self._core.faults
        head = "+QGPSLOC:" if "tight" in faults.active else "+QGPSLOC: "
        if "gnss_pseudo" in faults.active:
            return [head + self._pseudo(mode)]
        if not self.has_fix:
            params = faults.take("gnss_text")
            return _NOT_FIXED if params is None else ([], "+CME ERROR: " + params.get("text", _DSAT))
        return [head + self._fix(mode)]

    def _utc(self):
        """Return (hhmmss, ddmmyy)."""
        year, month, day, hour, minute, second = civil(self._core.radio.unix_ms() // 1000)
        return "%02d%02d%02d" % (hour, minute, second), "%02d%02d%02d" % (day, month, year % 100)

    def _fix(self, mode):
        lat, lng, alt, speed, course = self.track.at(self._core.now)
        time, date = self._utc()
        kmh = decimal_text(speed * 1852 // 1000, 1)
        heading = "" if "tight" in self._core.faults.active else "%d.00" % course
        motion = "%s,3,%s,%s,%s" % (decimal_text(alt, 1), heading, kmh, decimal_text(speed, 1))
        return "%s.000,%s,0.9,%s,%s,09" % (time, _where(mode, lat, lng), motion, date)

    def _pseudo(self, mode):
        """Return what assistance data alone make: a position without satellites."""
        lat, lng = self._cell()
        time, date = self._utc()
        return "%s.00,%s,0.00,0.0,1,,3.464,1.898,%s,00" % (time, _where(mode, lat, lng), date)

    # --- cell position ------------------------------------------------------------------------------------

    def qlbscfg(self, kind, arguments):
        """AT+QLBSCFG="name"[,value]: told back in mixed case, the token hidden."""
        names = [name for name in _LBS_NAMES if arguments and name.lower() == arguments[0].lower()]
        if kind != _SET or not names:
            return _ERROR
        name = names[0]
        if len(arguments) == 1:
            value = self._lbs.get(name, "")
            text = '"%s"' % ("****" if value else "") if name in ("token", "server") else value
            return ['+QLBSCFG: "%s",%s' % (name, text)]
        if name == "token" and len(arguments[1]) != _TOKEN_LENGTH:
            return _ERROR
        self._lbs[name] = arguments[1]
        return None

    def qlbs(self, kind, arguments):
        """AT+QLBS: the answer before OK, or as a URC with asynch 1."""
        asynchronous = self._lbs["asynch"] == "1"
        self._core.later(self._core.delay("qlbs"), self._located, asynchronous)
        return None if asynchronous else _DEFER

    def _located(self, asynchronous):
        line = "+QLBS: " + self._place()
        if asynchronous:
            self._core.urc(line)
        else:
            self._core.finish([line])

    def _place(self):
        """Return '0,' and the position, longitude first unless latOrder is 1; or an error's number."""
        core = self._core
        params = core.faults.take("lbs_error")
        if params is not None:
            return str(params.get("code", _LBS_QUOTA))
        if not core.links.is_open or not core.links.alive:
            return str(_LBS_NO_CALL)
        if not self._lbs.get("token"):
            return str(_LBS_NO_TOKEN)
        if not self.cells_ok:
            return str(_LBS_NOT_FOUND)
        return "0," + self._cell_text(self._lbs["latOrder"] == "1")

    def _cell_text(self, latitude_first):
        lat, lng = [decimal_text(value // 10, 6) for value in self._cell()]
        return "%s,%s" % ((lat, lng) if latitude_first else (lng, lat))

    def qloccfg(self, kind, arguments):
        """AT+QLOCCFG: settings of QCELLLOC, on modems that have it."""
        return None if self._core.settings["qcellloc"] else _UNSUPPORTED

    def qcellloc(self, kind, arguments):
        """AT+QCELLLOC: longitude first; most of the family do not have it."""
        if not self._core.settings["qcellloc"]:
            return _UNSUPPORTED
        self._core.later(self._core.delay("qlbs"), self._cell_located)
        return _DEFER

    def _cell_located(self):
        core = self._core
        found = core.links.is_open and core.links.alive and self.cells_ok
        core.finish(["+QCELLLOC: " + self._cell_text(False)] if found else 3)

    # --- speech -------------------------------------------------------------------------------------------

    def qtts(self, kind, arguments):
        """AT+QTTS: speak (1 UCS2 in hex, 2 bytes), stop (0); the URC tells the end."""
        if not self.can_speak:
            return _ERROR
        if kind == _READ:
            return ["+QTTS: %d" % self.is_speaking]
        mode = number_in(arguments[0], 0, 2) if kind == _SET else None
        if mode == 0 and len(arguments) == 1:
            return self._hush()
        text = self._heard(mode, arguments)
        if not text:
            return _TTS_BAD_PARAMETER
        if self.is_speaking:
            return _TTS_BUSY
        self._speak(text)
        return None

    def _heard(self, mode, arguments):
        """Return what would be heard, or None for a wrong text."""
        if not mode or len(arguments) != 2 or len(arguments[1]) > self._core.settings["tts_limit"]:
            return None
        return ucs2_text(arguments[1]) if mode == 1 else bytes_text(arguments[1])

    def qttsetup(self, kind, arguments):
        """AT+QTTSETUP=1,what,value sets, =2,what tells: 1 is the speed, 2 the volume."""
        if not self.can_speak:
            return _ERROR
        action = number_in(arguments[0], 1, 2) if kind == _SET else None
        what = number_in(arguments[1], 1, 2) if action and len(arguments) > 1 else None
        if what is None:
            return _TTS_BAD_PARAMETER
        if action == 2:
            return ["+QTTSETUP: %d,%d" % (what, self._voice[what])]
        value = number_in(arguments[2], -32768, 32767) if len(arguments) > 2 else None
        if value is None:
            return _TTS_BAD_PARAMETER
        self._voice[what] = value
        return None

    def clvl(self, kind, arguments):
        """AT+CLVL: the loudspeaker, 0 to 5."""
        if kind == _READ:
            return ["+CLVL: %d" % self._level]
        level = number_in(arguments[0], 0, 5) if arguments else None
        if level is None:
            return _ERROR
        self._level = level
        return None


def _time_text(unix_s):
    return "%04d/%02d/%02d,%02d:%02d:%02d" % civil(unix_s) + "+%02d" % QUARTERS


def _where(mode, lat, lng):
    """Return the position as mode 2 (31.84537,117.19882) or 0 (3150.7223N,11711.9294E) has it."""
    if mode == 2:
        return "%s,%s" % (decimal_text(lat // 100, 5), decimal_text(lng // 100, 5))
    return _minutes(lat, 2, "NS") + "," + _minutes(lng, 3, "EW")


def _minutes(value, width, marks):
    whole, rest = divmod(abs(value), 10**7)
    minutes, part = divmod(rest * 60 // 1000, 10**4)
    return "%0*d%02d.%04d%s" % (width, whole, minutes, part, marks[value < 0])
