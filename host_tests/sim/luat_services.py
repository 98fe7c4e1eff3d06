"""A simulated Luat modem's clock, cell position, GNSS and speech. Pure.

Owns the bearer that the cell position needs, the GNSS receiver's state and what is being spoken; the world's knobs
are those of `services.py`.
"""

from host_tests.sim.calendar import civil
from host_tests.sim.services import Services, bytes_text, local_s, ucs2_text
from host_tests.sim.text import number_in
from host_tests.sim.track import decimal_text

_READ, _SET = 1, 3
_DEFER = "defer"
_ERROR = -1
_NOT_NOW, _UNSUPPORTED, _BAD_PARAMETER, _NO_BEARER = 3, 4, 53, 148
_NITZ_FORMS = {"": "+32,0", "long": "+32,0", "no_dst": "+32", "zero": "+0,0"}
_LBS_UNKNOWN, _LBS_SILENT, _LBS_NO_NETWORK = 404, 408, 601
_SPEECH_LIMIT_B = 2047
_FIELDS_AFTER_TIME = 18
_GNSS_COMMANDS = ("+CGNSPWR", "+CGNSINF", "+CGNSURC")
_HIGHEST = (100, 2, 100, 100)  # volume, mode, pitch, speed


class LuatServices(Services):
    """What the modem offers beside sockets."""

    def reset(self):
        """What a boot begins with."""
        super().reset()
        self._bearer = False
        self._report_s = 0
        self._report = None
        self._loudness = 11
        self.volume = (50, 1, 50, 50)

    def missing(self, name):
        """Return the error of a command whose engine this modem does not have, else None."""
        core = self._core
        if name in core.family.SPEECH and not self.can_speak:
            return _UNSUPPORTED
        if name in _GNSS_COMMANDS and not (core.general.model["gnss"] and self.has_gnss):
            return _UNSUPPORTED
        return None

    # --- clock --------------------------------------------------------------------------------------------

    def attached(self):
        """The network has told the time at registration; no command is needed for it."""
        core = self._core
        if not core.radio.clock_told:
            return
        self._set_clock()
        params = core.faults.take("nitz_form")
        form = params.get("form", "long") if params is not None else ""
        year, month, day, hour, minute, second = civil(core.radio.unix_ms() // 1000 if form == "zero" else local_s(core))
        date = "%04d/%02d/%02d" % (year, month, day) if form == "long" else "%02d/%02d/%02d" % (year % 100, month, day)
        core.urc("+NITZ: %s,%02d:%02d:%02d%s" % (date, hour, minute, second, _NITZ_FORMS[form]))

    def ctzu(self, kind, arguments):
        """AT+CTZU: taken as it comes, the clock is set anyway."""
        return ["+CTZU: 1"] if kind == _READ else None

    # --- cell position ------------------------------------------------------------------------------------

    def sapbr(self, kind, arguments):
        """AT+SAPBR=<command>,1[,…]: 3 sets, 1 opens, 0 closes, 2 asks."""
        if kind != _SET or len(arguments) < 2 or arguments[1] != "1":
            return _BAD_PARAMETER
        core = self._core
        if arguments[0] == "3":
            return None if len(arguments) == 4 else _BAD_PARAMETER
        if arguments[0] == "2":
            return ["+SAPBR: 1,%d,%s" % ((1, _padded(core.settings["address"])) if self._stands() else (3, "000.000.000.000"))]
        if arguments[0] not in ("0", "1") or (arguments[0] == "1") == self._stands():
            return _NOT_NOW
        if arguments[0] == "0":
            self._bearer = False
            return None
        core.later(core.delay("sapbr"), self._open_bearer)
        return _DEFER

    def _stands(self):
        self._bearer = self._bearer and self._core.radio.has_bearer
        return self._bearer

    def _open_bearer(self):
        self._bearer = self._core.radio.has_bearer
        self._core.finish(None if self._bearer else _NO_BEARER)

    def cipgsmloc(self, kind, arguments):
        """AT+CIPGSMLOC=1,1: where the cell is; the port waits."""
        core = self._core
        if list(arguments) != ["1", "1"]:
            return _BAD_PARAMETER
        reached = core.links.alive
        core.later(core.delay("gsmloc" if reached or not self._stands() else "gsmloc_timeout"), self._locate, reached)
        return _DEFER

    def _locate(self, reached):
        core = self._core
        params = core.faults.take("lbs_error")
        if params is not None:
            code = params.get("code", _LBS_SILENT)
        elif not self._stands():
            code = _LBS_NO_NETWORK
        elif not reached:
            code = _LBS_SILENT
        else:
            code = 0 if self.cells_ok else _LBS_UNKNOWN
        core.finish(["+CIPGSMLOC: %d" % code if code else "+CIPGSMLOC: 0," + self._place_text()])

    def _place_text(self):
        """Return latitude, longitude (three digits and seven places each), local date and time."""
        place = (0, 0) if "lbs_zero" in self._core.faults.active else self._cell()
        texts = ["%s%03d.%07d" % ("-" if value < 0 else "", abs(value) // 10**7, abs(value) % 10**7) for value in place]
        return "%s,%s,%04d/%02d/%02d,%02d:%02d:%02d" % (tuple(texts) + civil(local_s(self._core)))

    # --- GNSS ---------------------------------------------------------------------------------------------

    def cgnspwr(self, kind, arguments):
        """AT+CGNSPWR: at work at once, a fix some time later."""
        if self.missing("+CGNSPWR"):
            return _UNSUPPORTED
        if kind == _READ:
            return ["+CGNSPWR: %d" % (self._gnss > 0)]
        on = number_in(arguments[0], 0, 1) if arguments else None
        if on is None:
            return _BAD_PARAMETER
        if on and not self._gnss:
            self._start_gnss()
        elif not on:
            self._gnss = 0
        return None

    def cgnsinf(self, kind, arguments):
        """AT+CGNSINF: the position in 21 fields."""
        return _UNSUPPORTED if self.missing("+CGNSINF") else ["+CGNSINF: " + self._fields()]

    def cgnsurc(self, kind, arguments):
        """AT+CGNSURC=n: the position every n seconds, as a URC; 0 stops."""
        if self.missing("+CGNSURC"):
            return _UNSUPPORTED
        if kind == _READ:
            return ["+CGNSURC: %d" % self._report_s]
        value = number_in(arguments[0], 0, 255) if arguments else None
        if value is None:
            return _BAD_PARAMETER
        self._report_s = value
        self._core.cancel(self._report)
        self._report_later()
        return None

    def _report_later(self):
        if self._report_s:
            self._report = self._core.later(self._report_s * 1000, self._tell_position)

    def _tell_position(self):
        if self._gnss:
            self._core.urc("+UGNSINF: " + self._fields())
        self._report_later()

    def _fields(self):
        if not self._gnss:
            return "0,," + "," * _FIELDS_AFTER_TIME
        utc = "%04d%02d%02d%02d%02d%02d" % civil(self._core.radio.unix_ms() // 1000)
        if "gnss_pseudo" in self._core.faults.active:
            return "1,1,%s,0.000000,0.000000,0.000,0.00,0.00,3,,1.79,0.89,4.00,,12,11,,,34,," % utc
        if not self.has_fix:
            return "1,0," + utc + "," * _FIELDS_AFTER_TIME
        lat, lng, alt_dm, speed, course = self.track.at(self._core.now)
        where = "%s,%s" % (decimal_text(lat // 10, 6), decimal_text(lng // 10, 6))
        kmh = decimal_text(speed * 1852 // 100, 2)  # from tenths of a knot
        return "1,1,%s,%s,%s,%s,%d.00,3,,1.79,0.89,4.00,,12,11,,,34,," % (utc, where, decimal_text(alt_dm * 100, 3), kmh, course)

    # --- speech -------------------------------------------------------------------------------------------

    def ctts(self, kind, arguments):
        """AT+CTTS: speak (1 UCS2 in hex, 2 GBK, 3 UTF-8), stop (0): OK, and the URC tells the end."""
        if not self.can_speak:
            return _UNSUPPORTED
        if kind == _READ:
            return ["+CTTS:%d" % self.is_speaking]
        mode = number_in(arguments[0], 0, 3) if arguments else None
        if mode == 0:
            return self._hush()
        text = self._heard(mode, arguments)
        if not text:
            return _BAD_PARAMETER
        if self.is_speaking:
            return _NOT_NOW
        self._speak(text)
        return None

    def _heard(self, mode, arguments):
        """Return what would be heard, or None for a wrong text."""
        raw = arguments[1] if len(arguments) > 1 else ""
        if mode is None or not raw or len(raw) > _SPEECH_LIMIT_B:
            return None
        try:
            if mode == 3:
                return bytes(ord(character) for character in raw).decode()
        except (ValueError, UnicodeError):
            return None
        return bytes_text(raw) if mode == 2 else ucs2_text(raw)

    def _hush(self):
        """Stop; speaking is over only when +CTTS:0 has told so."""
        if self.is_speaking:
            self._core.cancel(self._speaking)
            self._speaking = self._core.later(self._core.delay("tts_character"), self._spoken_out)

    def cttsparam(self, kind, arguments):
        """AT+CTTSPARAM: volume, mode, pitch, speed."""
        if not self.can_speak:
            return _UNSUPPORTED
        if kind == _READ:
            return ["+CTTSPARAM: %d,%d,%d,%d" % self.volume]
        if not arguments or len(arguments) > len(_HIGHEST):
            return _BAD_PARAMETER
        values = [number_in(text, 0, _HIGHEST[index]) for index, text in enumerate(arguments)]
        if None in values:
            return _BAD_PARAMETER
        self.volume = tuple(values) + self.volume[len(values) :]
        return None

    def crsl(self, kind, arguments):
        """AT+CRSL: the loudspeaker's step."""
        if kind == _READ:
            return ["+CRSL: %d" % self._loudness]
        value = number_in(arguments[0], 1, 15) if arguments else None
        if value is None:
            return _BAD_PARAMETER
        self._loudness = value
        return None


def _padded(address):
    """Return an address with three digits a part."""
    return ".".join("%03d" % int(part) for part in address.split("."))
