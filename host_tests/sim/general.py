"""What every simulated modem answers alike: conversation, UART rate, SIM, registration, radio on and off. Pure.

Handlers follow the contract in `families.py`. A family adds its own commands and what its modems say unasked:
booted(), sim_found(sim), sim_pulled(), registered().
"""

_READ, _TEST, _SET = 1, 2, 3
_ERROR = -1
SIM_LINES = {"ready": "READY", "pin": "SIM PIN", "puk": "SIM PUK"}
SIM_MISSING, _SIM_PIN, _SIM_PUK, _SIM_BUSY = 10, 11, 12, 14
_NO_SERVICE, _NOT_ALLOWED, _WRONG_PASSWORD = 30, 3, 16


class General:
    """One modem's general commands; owns the data context and the operator's format."""

    def __init__(self, core):
        self._core = core
        self.context = ("IP", "")
        self._format = 0

    def reset(self):
        """What a boot begins with."""

    @property
    def apn(self):
        """The access point's name as the host has set it."""
        return self.context[1]

    def attention(self, kind, arguments):
        """AT, ATZ, AT&F, AT&W and the like: OK."""

    def echo_on(self, kind, arguments):
        """ATE1."""
        self._core.echo = True

    def echo_off(self, kind, arguments):
        """ATE0."""
        self._core.echo = False

    def cmee(self, kind, arguments):
        """AT+CMEE."""
        if kind == _READ:
            return ["+CMEE: %d" % self._core.cmee]
        if list(arguments) not in (["0"], ["1"], ["2"]):
            return _ERROR
        self._core.cmee = int(arguments[0])
        return None

    def ipr(self, kind, arguments):
        """AT+IPR: until the restart."""
        return self._rate(kind, arguments, False)

    def _rate(self, kind, arguments, stored):
        """The new rate holds after OK."""
        core = self._core
        if kind == _READ:
            return ["+IPR%s: %d" % ("EX" if stored else "", core.baud)]
        if not arguments or not arguments[0].isdigit() or int(arguments[0]) not in core.family.RATES:
            return _ERROR
        if stored:
            core.baud_stored = int(arguments[0])
        core.later(core.delay("simple"), self._set_rate, int(arguments[0]))
        return None

    def _set_rate(self, baud):
        self._core.baud = baud
        self._core.event("baud", baud)

    # --- SIM ----------------------------------------------------------------------------------------------

    def cpin(self, kind, arguments):
        """AT+CPIN: the SIM's state, or the PIN."""
        core = self._core
        radio = core.radio
        if core.faults.take("sim_busy") is not None:
            return _SIM_BUSY
        if not radio.sim_seen:
            return _SIM_BUSY if radio.sim != "absent" else SIM_MISSING
        if kind == _READ:
            return ["+CPIN: " + SIM_LINES[radio.sim]]
        if kind != _SET or radio.sim != "pin":
            return _NOT_ALLOWED
        if not arguments or arguments[0] != core.settings["pin"]:
            return _SIM_PUK if radio.wrong_pin() else _WRONG_PASSWORD
        core.later(core.delay("sim"), radio.unlock)
        return None

    def _of_sim(self, line):
        radio = self._core.radio
        if radio.sim_ready:
            return [line]
        return (
            {"pin": _SIM_PIN, "puk": _SIM_PUK}.get(radio.sim, SIM_MISSING)
            if radio.sim_seen
            else SIM_MISSING
        )

    def imsi(self, kind, arguments):
        """AT+CIMI: bare digits."""
        return self._of_sim(self._core.settings["imsi"])

    # --- network ------------------------------------------------------------------------------------------

    def csq(self, kind, arguments):
        """AT+CSQ."""
        return ["+CSQ: %d,99" % self._core.radio.rssi_index()]

    def cesq(self, kind, arguments):
        """AT+CESQ: on LTE only the last two count."""
        radio = self._core.radio
        return ["+CESQ: 99,99,255,255,%d,%d" % (20 if radio.has_signal else 255, radio.rsrp_index())]

    def cops(self, kind, arguments):
        """AT+COPS: format, the operator, and the scan that blocks the port for half a minute."""
        core = self._core
        if kind == _TEST:
            core.later(
                core.delay("scan"),
                core.finish,
                ['+COPS: (2,"%(operator)s","CMCC","%(plmn)s",7),,(0-4),(0-2)' % core.settings],
            )
            return "defer"
        if kind == _SET:
            if len(arguments) > 1 and arguments[0] == "3" and arguments[1] in ("0", "1", "2"):
                self._format = int(arguments[1])
            return None
        if not core.radio.is_registered:
            return ["+COPS: 0"]
        name = core.settings["plmn" if self._format == 2 else "operator"]
        return ['+COPS: 0,%d,"%s",7' % (self._format, name)]

    def creg(self, kind, arguments):
        """AT+CREG."""
        return self._registration(kind, arguments, "CREG")

    def cgreg(self, kind, arguments):
        """AT+CGREG."""
        return self._registration(kind, arguments, "CGREG")

    def cereg(self, kind, arguments):
        """AT+CEREG."""
        return self._registration(kind, arguments, "CEREG")

    def _registration(self, kind, arguments, name):
        radio = self._core.radio
        if kind == _READ:
            level = radio.reports[name]
            return ["+%s: %d,%s" % (name, level, radio.registration_text(name, level))]
        if list(arguments) not in (["0"], ["1"], ["2"]):
            return _ERROR
        radio.reports[name] = int(arguments[0])
        return None

    def cgatt(self, kind, arguments):
        """AT+CGATT: attached means registered here; it says nothing of the data call."""
        if kind == _READ:
            return ["+CGATT: %d" % self._core.radio.is_registered]
        return None

    def cgdcont(self, kind, arguments):
        """AT+CGDCONT: context 1 only."""
        if kind == _READ:
            return ['+CGDCONT: 1,"%s","%s","0.0.0.0",0,0,,,,' % self.context]
        if len(arguments) < 2 or arguments[0] != "1":
            return _ERROR
        self.context = (arguments[1], arguments[2] if len(arguments) > 2 else "")
        self._core.event("apn", self.context[1])
        return None

    def cgauth(self, kind, arguments):
        """AT+CGAUTH: taken as it comes."""
        return ["+CGAUTH: 1,0"] if kind == _READ else None

    def cgact(self, kind, arguments):
        """AT+CGACT: context 1 stands with the bearer; switching it off takes the data call away."""
        core = self._core
        if kind == _READ:
            return ["+CGACT: 1,%d" % core.radio.has_bearer]
        if list(arguments) == ["0", "1"]:
            core.later(core.delay("netclose"), core.sockets.bearer_lost)
            return None
        return None if core.radio.has_bearer else _NO_SERVICE

    def cgpaddr(self, kind, arguments):
        """AT+CGPADDR."""
        address = self._core.settings["address"] if self._core.radio.has_bearer else "0.0.0.0"
        return ["+CGPADDR: 1," + address]

    # --- power --------------------------------------------------------------------------------------------

    def cfun(self, kind, arguments):
        """AT+CFUN=0|1|4[,1]."""
        core = self._core
        if kind == _READ:
            return ["+CFUN: %d" % core.radio.function]
        if not arguments or arguments[0] not in ("0", "1", "4"):
            return _ERROR
        if len(arguments) > 1 and arguments[1] == "1":
            core.later(core.delay("restart"), core.restart, True)
        else:
            core.later(core.delay("sim"), core.radio.set_function, int(arguments[0]))
        return None
