"""What an A76xx says beside the common commands: identity, the serving cell, power, and the lines of its boot. Pure."""

from host_tests.sim.general import SIM_LINES, SIM_MISSING, General


class A76xxGeneral(General):
    """One A76xx's own general commands, and what it says unasked about boot, SIM and network."""

    # --- said unasked -------------------------------------------------------------------------------------

    def booted(self):
        """The modem is up and looks for its SIM."""
        core = self._core
        core.later(core.delay("sms_done"), core.banner, "SMS DONE")
        core.later(core.delay("pb_done"), core.banner, "PB DONE")

    def sim_found(self, sim):
        """The boot has looked for the SIM."""
        self._core.banner("+SIMCARD: NOT AVAILABLE" if sim == "absent" else "+CPIN: " + SIM_LINES[sim])

    def sim_pulled(self):
        """The SIM was taken out."""
        self._core.urc("+SIMCARD: NOT AVAILABLE")
        self._core.urc("+CPIN: SIM REMOVED")

    def registered(self):
        """The network has taken the SIM, and with it the default bearer stands."""
        self._core.banner("+CGEV: EPS PDN ACT 1")

    # --- commands -----------------------------------------------------------------------------------------

    def information(self, kind, arguments):
        """ATI."""
        texts = (
            "Manufacturer: %(manufacturer)s",
            "Model: %(model)s",
            "Revision: %(revision)s",
            "IMEI: %(imei)s",
        )
        return [text % self._core.settings for text in texts] + ["+GCAP: +CGSM,+FCLASS,+DS"]

    def cgmr(self, kind, arguments):
        """AT+CGMR."""
        return ["+CGMR: " + self._core.settings["revision"]]

    def iprex(self, kind, arguments):
        """AT+IPREX: kept."""
        return self._rate(kind, arguments, True)

    def iccid(self, kind, arguments):
        """AT+CICCID: readable without the PIN."""
        if not self._core.radio.sim_seen:
            return SIM_MISSING
        return ["+ICCID: " + self._core.settings["iccid"]]

    def cpsi(self, kind, arguments):
        """AT+CPSI?: the serving cell."""
        radio, settings = self._core.radio, self._core.settings
        if radio.function != 1:
            return ["+CPSI: NO SERVICE,Low Power Mode"]
        if not radio.has_signal or not radio.is_registered:
            return ["+CPSI: NO SERVICE,Online"]
        plmn = settings["plmn"][:3] + "-" + settings["plmn"][3:]
        head = "+CPSI: LTE,Online,%s,0x%s,%d,318,EUTRAN-BAND3,1650,5,0," % (
            plmn,
            settings["tac"],
            int(settings["cell"], 16),
        )
        return [head + "%d,%d,255,19" % (radio.rssi_index(), radio.rsrp_index())]

    def creset(self, kind, arguments):
        """AT+CRESET: OK, then the whole boot."""
        self._core.later(self._core.delay("restart"), self._core.restart, True)

    def cpof(self, kind, arguments):
        """AT+CPOF: OK, then off."""
        self._core.later(self._core.delay("restart"), self._core.switch_off)

    def cbc(self, kind, arguments):
        """AT+CBC: the supply."""
        return ["+CBC: 3.749V"]
