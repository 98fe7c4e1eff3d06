"""A Quectel modem's data contexts: QICSGP, QIACT, QIDEACT, and what CGACT says of the bearers below them. Pure.

Owns two layers that may disagree: the contexts that QIACT has activated, which sockets stand on, and the bearers
of the network (CGACT). Registration brings a bearer on context 1, or elsewhere when a fault says so. With the fault
pdp_drift the upper layer believes in a bearer that is gone; QIDEACT, then CGACT=0, then QIACT cure it.
"""

from host_tests.sim.text import number_in

_READ, _SET = 1, 3
_ERROR = -1
_DEFER = "defer"
_CIDS = 7
_DEFAULT = 1
BAD_PARAMETER, NO_PDP, NOT_ALLOWED = 552, 561, 572
_HEALTHY, _DEACTIVATED, _DETACHED = range(3)  # how far the cure of a drift has come

ERROR_TEXT = {
    0: "operate successfully",
    550: "unknown error",
    551: "operation blocked",
    552: "invalid parameters",
    553: "memory not enough",
    554: "create socket failed",
    555: "operation not supported",
    561: "open PDP context failed",
    563: "socket identity has been used",
    565: "DNS parse failed",
    566: "socket connect failed",
    567: "socket has been closed",
    569: "operation timeout",
    570: "PDP context broken down",
    572: "operation not allowed",
}


class Contexts:
    """The data contexts of one modem."""

    def __init__(self, core):
        self._core = core
        self.reset()

    def reset(self):
        """What a boot begins with: nothing of this is saved."""
        self._apns = {}  # cid -> name
        self.active = []  # cids that QIACT has activated
        self._bearers = []  # cids whose bearer stands
        self._taken = []  # cids the network took away, until QIDEACT
        self._freed = False  # a bearer that sat elsewhere was taken down
        self._cure = _HEALTHY
        self.error = 0  # what QIGETERROR tells

    def apn(self, cid):
        """Return the access point's name of a context."""
        return self._apns.get(cid, "")

    def fail(self, code):
        """Note an error for QIGETERROR; return the handler's result for ERROR."""
        self.error = code
        return _ERROR

    # --- the network's side -------------------------------------------------------------------------------

    def attached(self):
        """Registered: the default bearer stands."""
        self._freed = False
        if self._elsewhere is None and _DEFAULT not in self._bearers:
            self._bearers.append(_DEFAULT)

    def lost(self):
        """The network has taken the bearers away."""
        self._bearers = []
        for cid in self.active:
            self._take_away(cid)

    def _take_away(self, cid):
        core = self._core
        self.active = [other for other in self.active if other != cid]
        self._taken.append(cid)
        self._changed(cid)
        core.urc('+QIURC: "pdpdeact",%d' % cid)

    def _changed(self, cid):
        """A context is gone, and its sockets with it."""
        core = self._core
        core.sockets.drop_context(cid)
        core.links.is_open = bool(self.active)
        core.event("netopen", core.links.is_open)

    @property
    def _elsewhere(self):
        """The context on which the network's bearer sits, if it is not the default one."""
        fault = self._core.faults.active.get("bearer_elsewhere")
        return None if fault is None or self._freed else fault[2].get("cid", 5)

    # --- QI commands --------------------------------------------------------------------------------------

    def qicsgp(self, kind, arguments):
        """AT+QICSGP=cid[,type,apn,user,password,authentication]."""
        cid = number_in(arguments[0], 1, _CIDS) if kind == _SET and arguments else None
        if cid is None:
            return self.fail(BAD_PARAMETER)
        if len(arguments) == 1:
            return ['+QICSGP: 1,"%s","","",0' % self.apn(cid)]
        if cid in self.active:
            return self.fail(NOT_ALLOWED)
        if len(arguments) < 3 or number_in(arguments[1], 1, 3) is None:
            return self.fail(BAD_PARAMETER)
        self._apns[cid] = arguments[2]
        self._core.event("apn", arguments[2])
        return None

    def qiact(self, kind, arguments):
        """AT+QIACT: the AT port waits for the network."""
        if kind == _READ:
            address = self._core.settings["address"]
            return ['+QIACT: %d,1,1,"%s"' % (cid, address) for cid in sorted(self.active)]
        cid = number_in(arguments[0], 1, _CIDS) if arguments else None
        if cid is None:
            return self.fail(BAD_PARAMETER)
        if cid in self.active:
            again = self._core.faults.take("qiact_again") is not None
            return self.fail(NOT_ALLOWED) if again else None
        self._core.later(self._activation_ms(cid), self._activated, cid)
        return _DEFER

    def _activation_ms(self, cid):
        return self._core.delay("simple" if cid in self._bearers and not self._refusal(cid) else "qiact")

    def _refusal(self, cid):
        """Return why a context cannot be activated now, 0 if it can."""
        radio = self._core.radio
        if cid in self._taken or (self._elsewhere is not None and self._elsewhere != cid):
            return NOT_ALLOWED
        return 0 if radio.has_bearer and radio.takes_apn(self.apn(cid)) else NO_PDP

    def _activate(self, cid):
        error = self.error = self._refusal(cid)
        if error or cid in self.active:
            return error
        self.active.append(cid)
        if cid not in self._bearers:
            self._bearers.append(cid)
        if self._cure == _DETACHED:
            self._core.faults.set("pdp_drift", False)
        self._cure = _HEALTHY
        self._core.links.is_open = True
        self._core.event("netopen", True)
        return 0

    def _activated(self, cid):
        self._core.finish(_ERROR if self._activate(cid) else None)

    def qiactex(self, kind, arguments):
        """AT+QIACTEX=cid[,1]: OK at once, the result as a URC."""
        cid = number_in(arguments[0], 1, _CIDS) if arguments else None
        if cid is None:
            return self.fail(BAD_PARAMETER)
        self._core.later(self._activation_ms(cid), self._told_active, cid)
        return None

    def _told_active(self, cid):
        self._core.urc("+QIACTEX: %d,%d" % (cid, self._activate(cid)))

    def qideact(self, kind, arguments):
        """AT+QIDEACT: kills the sockets without a word about them."""
        cid = number_in(arguments[0], 1, _CIDS) if arguments else None
        if cid is None:
            return self.fail(BAD_PARAMETER)
        self._core.later(self._core.delay("qideact"), self._deactivated, cid)
        return _DEFER

    def _deactivated(self, cid):
        self._taken = [other for other in self._taken if other != cid]
        if cid in self.active:
            self.active.remove(cid)
            self._changed(cid)
        if "pdp_drift" in self._core.faults.active:
            self._cure = _DEACTIVATED
        self._core.finish(None)

    def qigeterror(self, kind, arguments):
        """AT+QIGETERROR: why the last QI command ended in ERROR."""
        form = "+QIGETERROR: %d,%s" if "tight" in self._core.faults.active else "+QIGETERROR: %d, %s"
        return [form % (self.error, ERROR_TEXT.get(self.error, "unknown error"))]

    # --- the bearers --------------------------------------------------------------------------------------

    def _standing(self):
        """Return the cids whose bearer stands, as CGACT tells it."""
        if "pdp_drift" in self._core.faults.active or not self._core.radio.has_bearer:
            return []
        elsewhere = self._elsewhere
        return self._bearers if elsewhere is None else [elsewhere]

    def _known(self):
        cids = {_DEFAULT}
        for some in (self._apns, self.active, self._standing()):
            cids.update(some)
        return sorted(cids)

    def cgdcont(self, kind, arguments):
        """AT+CGDCONT: the same names as QICSGP's."""
        if kind == _READ:
            return ['+CGDCONT: %d,"IP","%s","0.0.0.0",0,0' % (cid, self.apn(cid)) for cid in self._known()]
        cid = number_in(arguments[0], 1, _CIDS) if arguments else None
        if cid is None or cid in self.active:
            return _ERROR
        self._apns[cid] = arguments[2] if len(arguments) > 2 else ""
        self._core.event("apn", self._apns[cid])
        return None

    def cgact(self, kind, arguments):
        """AT+CGACT: the bearers themselves."""
        if kind == _READ:
            standing = self._standing()
            return ["+CGACT: %d,%d" % (cid, cid in standing) for cid in self._known()]
        on = number_in(arguments[0], 0, 1) if len(arguments) > 1 else None
        cid = number_in(arguments[1], 1, _CIDS) if on is not None else None
        if cid is None:
            return _ERROR
        if on:
            return self._raise_bearer(cid)
        self._core.later(0, self._lower_bearer, cid)
        return None

    def _raise_bearer(self, cid):
        if not self._core.radio.has_bearer:
            return 30
        if cid not in self._bearers:
            self._bearers.append(cid)
        return None

    def _lower_bearer(self, cid):
        if cid == self._elsewhere:
            self._freed = True
        self._bearers = [other for other in self._bearers if other != cid]
        if self._cure == _DEACTIVATED:
            self._cure = _DETACHED
        if cid in self.active:
            self._take_away(cid)

    def cgpaddr(self, kind, arguments):
        """AT+CGPADDR: no address where no bearer stands."""
        standing, address = self._standing(), self._core.settings["address"]
        return ["+CGPADDR: %d" % cid + (',"%s"' % address if cid in standing else "") for cid in self._known()]
