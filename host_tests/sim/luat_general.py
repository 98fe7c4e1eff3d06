"""What a Luat modem tells of itself, its boot, its SIM and its registration. Pure.

Handlers follow the contract in `families.py`; what is not here is as in `general.py`.
"""

from host_tests.sim.general import SIM_LINES, SIM_MISSING, General

_READ = 1
_BAD_PARAMETER = 53

# What differs from model to model: the texts of CGMI, CGMM and CGMR stand after their prefix or bare; the context the
# network assigns; how a command that nobody knows is answered; whether there is a GNSS receiver.
MODELS = {
    "Air780E": {
        "manufacturer": "AirM2M",
        "revision": "AirM2M_780E_V1171_LTE_AT",
        "prefixed": False,
        "context": 1,
        "unknown": "ERROR",
        "gnss": False,
    },
    "Air780EG": {
        "manufacturer": "AirM2M",
        "revision": "AirM2M_780EG_V1171_LTE_AT",
        "prefixed": False,
        "context": 1,
        "unknown": "ERROR",
        "gnss": True,
    },
    "Air724UG": {
        "manufacturer": "",
        "revision": "LuatOS-Air_V4032_RDA8910_TTS_NOLVGL_FLOAT",
        "prefixed": True,
        "context": 5,
        "unknown": "+CME ERROR: invalid command line",  # text, whatever CMEE says
        "gnss": False,
    },
}


class LuatGeneral(General):
    """Identity, UART, SIM, registration, power; `model` is one of MODELS."""

    def __init__(self, core):
        super().__init__(core)
        self.model = MODELS[core.settings["model"]]
        self._format = 2  # COPS tells numbers
        self.reset()

    def reset(self):
        """What a boot begins with."""
        self._sim_told = False
        self._rate_wanted = None  # told by IPR, not yet in force

    # --- said unasked -------------------------------------------------------------------------------------

    def booted(self):
        """The modem is up and looks for its SIM."""

    def sim_found(self, sim):
        """The boot has looked for the SIM; that is told after the registration, or when that takes long."""
        core = self._core
        core.later(0, core.later, core.delay("sim_told"), self._tell_sim)

    def _tell_sim(self):
        radio = self._core.radio
        if radio.sim_seen and not self._sim_told:
            self._sim_told = True
            self._core.banner("+CPIN: " + SIM_LINES[radio.sim])

    def sim_pulled(self):
        """The SIM was taken out."""
        self._core.urc("+CPIN: SIM REMOVED")

    def registered(self):
        """The network has taken the SIM, and with it the default bearer stands."""
        core = self._core
        core.banner("^MODE: 17,17")
        core.banner("+E_UTRAN Service")
        core.banner("+CGEV: EPS PDN ACT %d" % self.model["context"])
        core.later(0, self._tell_sim)

    # --- identity -----------------------------------------------------------------------------------------

    def information(self, kind, arguments):
        """ATI: one line."""
        return [self.model["revision"]]

    def _identity(self, name, text):
        """Some models put the command's name before the text, and quote it."""
        return ['+%s: "%s"' % (name, text) if self.model["prefixed"] else text]

    def cgmi(self, kind, arguments):
        """AT+CGMI."""
        return self._identity("CGMI", self.model["manufacturer"])

    def cgmm(self, kind, arguments):
        """AT+CGMM."""
        return self._identity("CGMM", self._core.settings["model"])

    def cgmr(self, kind, arguments):
        """AT+CGMR."""
        return self._identity("CGMR", self.model["revision"])

    def imei(self, kind, arguments):
        """AT+CGSN: bare digits."""
        return [self._core.settings["imei"]]

    def iccid(self, kind, arguments):
        """AT+ICCID: with its name."""
        return ["+ICCID: " + self._core.settings["iccid"]] if self._core.radio.sim_seen else SIM_MISSING

    def ccid(self, kind, arguments):
        """AT+CCID: bare."""
        return [self._core.settings["iccid"]] if self._core.radio.sim_seen else SIM_MISSING

    def ipr(self, kind, arguments):
        """AT+IPR: the new rate holds after OK and until the restart; AT&W keeps it."""
        result = super().ipr(kind, arguments)
        if result is None:
            self._rate_wanted = int(arguments[0])
        return result

    def _set_rate(self, baud):
        self._rate_wanted = None
        super()._set_rate(baud)

    def store(self, kind, arguments):
        """AT&W."""
        self._core.baud_stored = self._core.baud if self._rate_wanted is None else self._rate_wanted

    def cereg(self, kind, arguments):
        """AT+CEREG; another registration's line may come between the question and the answer."""
        core = self._core
        if kind == _READ and core.faults.take("registration_mixed") is not None:
            core.urc("+CGREG: 2," + core.radio.registration_text("CGREG", 2))
        return super().cereg(kind, arguments)

    def cgact(self, kind, arguments):
        """AT+CGACT: the context that the network has assigned."""
        core = self._core
        number = self.model["context"]
        if kind == _READ:
            text = "+CGACT: %d, %d" if self.model["prefixed"] else "+CGACT: %d,%d"
            return [text % (number, core.radio.has_bearer)]
        if list(arguments) == ["0", str(number)]:
            core.later(core.delay("deactivate"), core.sockets.bearer_lost)
            return None
        return super().cgact(kind, ())

    def cgpaddr(self, kind, arguments):
        """AT+CGPADDR: one model quotes both its addresses."""
        core = self._core
        address = core.settings["address"] if core.radio.has_bearer else "0.0.0.0"
        if self.model["prefixed"]:
            return ['+CGPADDR: %d,"IPV4:%s    IPV6::18C9:0:1:2"' % (self.model["context"], address)]
        return ["+CGPADDR: %d,%s" % (self.model["context"], address)]

    def cbc(self, kind, arguments):
        """AT+CBC: charging, per cent, millivolts."""
        return ["+CBC: 1,84,4014"]

    # --- power --------------------------------------------------------------------------------------------

    def restart(self, kind, arguments):
        """AT+RESET: OK, then the whole boot."""
        self._core.later(self._core.delay("restart"), self._core.restart, True)

    def cpowd(self, kind, arguments):
        """AT+CPOWD: 1 says farewell instead of OK, 0 goes silently."""
        if list(arguments) not in (["0"], ["1"]):
            return _BAD_PARAMETER
        core = self._core
        core.later(core.delay("power_down"), core.switch_off)
        return b"" if arguments[0] == "0" else ([], "NORMAL POWER DOWN")
