"""What the simulated modem knows of the world: SIM, signal, registration, bearer, credit, network time. Pure.

Owns the world's knobs (the control channel turns them) and what follows from them: the registration status
the modem tells, whether a data call can stand, and the URCs of a change. Signal in dBm, time in unix
milliseconds. What a family says about its SIM is in its `general` part.
"""

from host_tests.sim.general import SIM_LINES

REGISTERED = (1, 5)  # home, roaming
_IDLE, _SEARCHING = 0, 2
_NO_SIGNAL_DBM = -125  # below this a modem finds no cell
_CFUN_OFF = (0, 4)
_PIN_TRIES = 3


class Radio:
    """SIM, registration and bearer of one modem."""

    def __init__(self, core):
        self._core = core
        self.sim = "ready"
        self.rsrp_dbm = -85
        self.registration = 1
        self.bearer = True
        self.credit = True  # False: registers, even gets a data call, but no byte passes
        self.apns = None  # names the network takes, in small letters; None: any
        self.apn_empty = False  # whether it takes none at all when it is choosy
        self.pin_tries = _PIN_TRIES
        self.clock_told = True  # whether the network tells the time
        self._unix_ms = core.settings["unix_ms"]
        self._unix_at_ms = 0
        self.reset()

    def reset(self):
        """What a boot begins with."""
        self.function = 1
        self.sim_seen = False
        self.stat = _IDLE
        self.reports = {"CREG": 0, "CGREG": 0, "CEREG": 0}
        self._searching = None

    def begin(self):
        """The modem is up: look for the SIM, then for the network."""
        core = self._core
        core.later(core.delay("sim"), self._find_sim)

    def _find_sim(self):
        self.sim_seen = self.sim != "absent"
        self._core.general.sim_found(self.sim)
        self.review()

    # --- knobs --------------------------------------------------------------------------------------------

    def set_sim(self, state):
        """Put a SIM in or out: 'ready', 'absent', 'pin' or 'puk'."""
        if state != "absent" and state not in SIM_LINES:
            raise ValueError("no SIM state " + repr(state))
        was, self.sim = self.sim, state
        if not self._core.is_on or was == state:
            return
        if state == "absent":
            self.sim_seen = False
            self._core.general.sim_pulled()
        else:
            self.pin_tries = _PIN_TRIES
            self._core.later(self._core.delay("sim"), self._find_again)
        self.review()

    def _find_again(self):
        self.sim_seen = self.sim != "absent"
        if self.sim_seen:
            self._core.urc("+CPIN: " + SIM_LINES[self.sim])
        self.review()

    def wrong_pin(self):
        """A wrong PIN was entered; return whether that was one too many and the SIM wants its PUK now."""
        self.pin_tries -= 1
        if self.pin_tries <= 0:
            self.sim = "puk"
        return self.sim == "puk"

    def unlock(self):
        """The PIN was entered."""
        self.sim = "ready"
        self.pin_tries = _PIN_TRIES
        self._core.urc("+CPIN: READY")
        self.review()

    def set_function(self, level):
        """CFUN: 1 radio on, 0 and 4 off; counts the way back as a radio cycle."""
        if self.function in _CFUN_OFF and level == 1:
            self._core.counters["radio_cycles"] += 1
            if self.sim_seen:
                self._core.later(self._core.delay("sim"), self._core.urc, "+CPIN: " + SIM_LINES[self.sim])
        self.function = level
        self.review()

    def set_signal(self, rsrp_dbm):
        """Set the received power; None or very little means no cell."""
        self.rsrp_dbm = rsrp_dbm
        self.review()

    def set_registration(self, stat):
        """Set the network's word to the SIM: 0 idle, 1 home, 2 searching, 3 denied, 4 unknown, 5 roaming."""
        self.registration = stat
        self.review()

    def set_bearer(self, up):
        """Let data calls stand, or take them away."""
        self.bearer = up
        self.review()

    def set_credit(self, ok):
        """Let the SIM have credit, or none: then it registers and gets its data call, but no byte passes."""
        self.credit = ok
        self._core.links.review()

    def set_apn(self, required, empty=False):
        """Name the access points the network takes (a text or a list; None: any), and whether an empty one will do.

        What is asked is the next data call; one that stands is left alone.
        """
        names = [required] if isinstance(required, str) else required
        self.apns = None if names is None else [name.lower() for name in names]
        self.apn_empty = empty

    def takes_apn(self, name):
        """Return whether the network gives a data call with this access point's name; case does not count."""
        if self.apns is None:
            return True
        return name.lower() in self.apns if name else self.apn_empty

    def set_time(self, now_ms, unix_ms):
        """Set the world's clock; None: the network no longer tells it."""
        self.clock_told = unix_ms is not None
        if unix_ms is not None:
            self._unix_ms, self._unix_at_ms = unix_ms, now_ms

    def unix_ms(self):
        """Return the world's time in unix milliseconds."""
        return self._unix_ms + self._core.now - self._unix_at_ms

    # --- what follows -------------------------------------------------------------------------------------

    @property
    def sim_ready(self):
        """Whether the modem has found a SIM that asks for no PIN."""
        return self.sim_seen and self.sim == "ready"

    @property
    def has_signal(self):
        """Whether a cell is received."""
        return self.function == 1 and self.rsrp_dbm is not None and self.rsrp_dbm >= _NO_SIGNAL_DBM

    @property
    def is_registered(self):
        """Whether CEREG tells 1 or 5."""
        return self.stat in REGISTERED

    @property
    def has_bearer(self):
        """Whether a data call can stand now."""
        return self.is_registered and self.bearer and "attached_only" not in self._core.faults.active

    def review(self):
        """After any change: registration is lost at once and found after a while; the data call follows."""
        core = self._core
        if not core.is_on:
            return
        target = self._target()
        if self._searching is not None:
            core.cancel(self._searching)
            self._searching = None
        if target in REGISTERED and self.stat not in REGISTERED:
            self._set_stat(_SEARCHING)
            self._searching = core.later(core.delay("register"), self._register)
        else:
            self._set_stat(target)
        if not self.has_bearer:
            if "pdp_drift" in core.faults.active:
                core.faults.set("pdp_drift", False)
            core.sockets.bearer_lost()

    def _target(self):
        if not self.sim_ready or self.function != 1:
            return _IDLE
        return self.registration if self.has_signal else _SEARCHING

    def _register(self):
        self._searching = None
        target = self._target()
        self._set_stat(target)
        if target in REGISTERED:
            core = self._core
            core.general.registered()
            core.services.attached()

    def _set_stat(self, stat):
        if stat == self.stat:
            return
        self.stat = stat
        self._core.event("registration", stat)
        for name in ("CREG", "CGREG", "CEREG"):
            if self.reports[name] and not (name != "CEREG" and "creg_zero" in self._core.faults.active):
                self._core.urc("+%s: %s" % (name, self.registration_text(name, self.reports[name])))

    def registration_text(self, name, report):
        """Return what stands after '+CEREG: ' in the URC; the answer has the report level before it."""
        stat = self.stat
        if name != "CEREG" and "creg_zero" in self._core.faults.active:
            stat = 0
        if report < 2 or stat not in REGISTERED:
            return str(stat)
        settings = self._core.settings
        return '%d,"%s","%s",7' % (stat, settings["tac"], settings["cell"])

    def rssi_index(self):
        """Return CSQ's 0..31 or 99; a full LTE carrier's RSSI lies about 28 dB over its RSRP."""
        if not self.has_signal:
            return 99
        return min(31, max(0, (self.rsrp_dbm + 28 + 113) // 2))

    def rsrp_index(self):
        """Return CESQ's 0..97 or 255."""
        return min(97, max(0, self.rsrp_dbm + 141)) if self.has_signal else 255
