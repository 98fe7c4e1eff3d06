"""What a Quectel modem says beside the common commands: identity, serving cell, URC port, power, its boot. Pure.

Owns the port the URCs go to. They come to this UART only after QURCCFG has said so, at each boot anew; the boot's
own banner is seen everywhere.
"""

from host_tests.sim.general import SIM_LINES, SIM_MISSING, General

_READ, _SET = 1, 3
_ERROR = -1
_PORTS = ("usbat", "usbmodem", "uart1", "uart2", "uart3", "all")
_HERE = ("uart1", "all")
_RSRQ_DB, _SINR_RAW = -10, 160
_RSSI_OVER_RSRP_DB = 28


class QuectelGeneral(General):
    """One Quectel modem's own general commands, and what it says unasked about boot, SIM and network."""

    def __init__(self, core):
        super().__init__(core)
        self._rate_wanted = None
        self.reset()

    def reset(self):
        """What a boot begins with."""
        self._rate_wanted = None
        self._route(self._core.settings["urcport"])

    def _route(self, port):
        self._port = port
        self._core.urcs_here = port in _HERE and "urc_elsewhere" not in self._core.faults.active

    @property
    def apn(self):
        """The access point's name as the host has set it for context 1."""
        return self._core.sockets.contexts.apn(1)

    # --- said unasked -------------------------------------------------------------------------------------

    def booted(self):
        """The modem is up and looks for its SIM."""
        self._core.services.booted()

    def sim_found(self, sim):
        """The boot has looked for the SIM; one that asks for no PIN is read."""
        core = self._core
        if sim == "absent":
            return
        core.banner("+CPIN: " + SIM_LINES[sim])
        if sim == "ready":
            core.later(core.delay("qusim"), self._sim_read, "+QUSIM: 1", "sms_done", "+QIND: SMS DONE")

    def _sim_read(self, line, next_delay, next_line):
        core = self._core
        core.banner(line)
        if next_delay == "sms_done":
            core.later(core.delay("sms_done"), self._sim_read, next_line, "pb_done", "+QIND: PB DONE")
        elif next_delay == "pb_done":
            core.later(core.delay("pb_done"), core.banner, next_line)

    def sim_pulled(self):
        """The SIM was taken out: nothing is said, its detection is off as it comes from the factory."""

    def registered(self):
        """The network has taken the SIM, and with it the default bearer stands."""
        self._core.sockets.contexts.attached()

    # --- identity -----------------------------------------------------------------------------------------

    @property
    def _revision(self):
        settings = self._core.settings
        return settings["revision"] or self._core.family.REVISIONS.get(settings["model"], settings["model"])

    def information(self, kind, arguments):
        """ATI."""
        settings = self._core.settings
        return [settings["manufacturer"], settings["model"], "Revision: " + self._revision]

    def cgmi(self, kind, arguments):
        """AT+CGMI: bare."""
        return [self._core.settings["manufacturer"]]

    def cgmm(self, kind, arguments):
        """AT+CGMM: bare."""
        return [self._core.settings["model"]]

    def cgmr(self, kind, arguments):
        """AT+CGMR: bare."""
        return [self._revision]

    def cgsn(self, kind, arguments):
        """AT+CGSN: bare digits."""
        return [self._core.settings["imei"]]

    def qccid(self, kind, arguments):
        """AT+QCCID: readable without the PIN."""
        if not self._core.radio.sim_seen:
            return SIM_MISSING
        return ["+QCCID: " + self._core.settings["iccid"]]

    # --- UART ---------------------------------------------------------------------------------------------

    def ipr(self, kind, arguments):
        """AT+IPR: until the restart, unless &W keeps it."""
        result = super().ipr(kind, arguments)
        if result is None:
            self._rate_wanted = int(arguments[0])
        return result

    def store(self, kind, arguments):
        """AT&W: keep the rate."""
        core = self._core
        core.baud_stored = core.baud if self._rate_wanted is None else self._rate_wanted

    def qurccfg(self, kind, arguments):
        """AT+QURCCFG="urcport"[,port]."""
        if kind != _SET or not arguments or arguments[0] != "urcport":
            return _ERROR
        if len(arguments) == 1:
            return ['+QURCCFG: "urcport","%s"' % self._port]
        if arguments[1] not in _PORTS:
            return _ERROR
        self._route(arguments[1])
        return None

    # --- network ------------------------------------------------------------------------------------------

    def qcsq(self, kind, arguments):
        """AT+QCSQ: rssi, rsrp, raw sinr, rsrq."""
        radio = self._core.radio
        if not radio.has_signal:
            return ['+QCSQ: "NOSERVICE"']
        rssi_dbm = radio.rsrp_dbm + _RSSI_OVER_RSRP_DB
        return ['+QCSQ: "LTE",%d,%d,%d,%d' % (rssi_dbm, radio.rsrp_dbm, _SINR_RAW, _RSRQ_DB)]

    def qnwinfo(self, kind, arguments):
        """AT+QNWINFO."""
        radio = self._core.radio
        if not radio.is_registered:
            return ["+QNWINFO: No Service"]
        return ['+QNWINFO: "FDD LTE","%s","LTE BAND 3",1650' % self._core.settings["plmn"]]

    def qeng(self, kind, arguments):
        """AT+QENG="servingcell"."""
        if list(arguments) != ["servingcell"]:
            return _ERROR
        radio, settings = self._core.radio, self._core.settings
        if not radio.has_signal:
            return ['+QENG: "servingcell","SEARCH"']
        state = "NOCONN" if radio.is_registered else "LIMSRV"
        head = '+QENG: "servingcell","%s","LTE","FDD",%s,%s,%s,37,1650,3,5,5,%s,' % (
            state,
            settings["plmn"][:3],
            settings["plmn"][3:],
            settings["cell"],
            settings["tac"],
        )
        return [head + "%d,%d,%d,15,9" % (radio.rsrp_dbm, _RSRQ_DB, radio.rsrp_dbm + _RSSI_OVER_RSRP_DB)]

    # --- power --------------------------------------------------------------------------------------------

    def qpowd(self, kind, arguments):
        """AT+QPOWD: 0 at once, 1 in order, 2 restarts; OK comes first in any case."""
        core = self._core
        mode = arguments[0] if arguments else "1"
        if mode not in ("0", "1", "2"):
            return _ERROR
        if mode == "2":
            core.later(core.delay("restart"), core.restart, True)
        else:
            core.later(core.delay("power_down" if mode == "1" else "simple"), self._power_down)
        return None

    def _power_down(self):
        self._core.tell("POWERED DOWN")
        self._core.switch_off()

    def cbc(self, kind, arguments):
        """AT+CBC: the supply."""
        return ["+CBC: 0,80,3800"]
