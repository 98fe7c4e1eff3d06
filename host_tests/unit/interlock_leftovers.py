"""The oracle's resets: what it leaves for its next boot, and where that boot starts.

What is left is plain Python, not bytes: how it is packed is the machine's affair.
"""

from host_tests.unit.interlock_timeline import HANDOVER, LOCKED, Timeline

_RESUMES = 3  # "at most three resumes in ten minutes"
_RESUMES_WITHIN_S = 600
_GOES_ON_S = 60  # "the wait goes on over a reset of up to a minute that was no power-on"


class Leftovers(Timeline):
    """What survives a power cut, what survives a reset, and the boot that takes it up."""

    def kept(self):
        """What survives a power cut."""
        return {
            "powered": self.powered or self.waiting is not None,  # recorded before the relay
            "job": self.job,
            "barred": self.barred,
            "refused": self.refused,
            "out_of_service": self.is_out_of_service,
            "ended_by_max": self.ended_by_max,
            "answers": [list(entry) for entry in self.answers],
        }

    def volatile(self, now_s):
        """What survives a reset that keeps RTC memory."""
        names = ("state", "entered", "emergency_began", "job", "powered", "unpowered_at", "booted", "ordered", "cause")
        saved = {name: getattr(self, name) for name in names}
        saved["powered"] = self.powered or self.waiting is not None
        saved["outages"] = list(self.outages)
        saved["weldings"] = list(self.weldings)
        saved["announced"] = set(self.announced)
        saved["resumes"] = list(self.resumes)
        saved["saved_at"] = self.now
        return saved

    def boot(self, now_s, kept=None, volatile=None, elapsed_s=None, firmware_failed=False, is_power_on=True):
        """Start: resume from an intact volatile record, else LOCKED (reading 14)."""
        self._forget()
        self.now = self.booted = self.entered = now_s
        self.firmware_failed = firmware_failed
        self.weldings = [(now_s, None)]
        if kept:
            self.barred, self.refused = kept["barred"], kept["refused"]
            self.is_out_of_service, self.ended_by_max = kept["out_of_service"], kept["ended_by_max"]
            self.answers = [list(entry) for entry in kept["answers"]]
            if self.refused:
                self.hit("8 refused kept")
        may_resume, goes_on = self._may_resume(volatile, elapsed_s), self._goes_on(volatile, elapsed_s, is_power_on)
        if may_resume or goes_on:
            self._resume(volatile, elapsed_s, may_resume, goes_on)
        else:
            self.outages = [(now_s, self.outage())]
            self.effects = [("relay", 0)]
            if kept and kept["powered"]:
                self.hit("14 power lost")
                self._record()
                self.effects.append(("event", "off", "power_lost", kept["job"], True))
        self._settle()
        return self.effects

    def _may_resume(self, volatile, elapsed_s):
        if volatile is None:
            self.hit("14 no record")
            return False
        if elapsed_s is None:
            self.hit("14 no elapsed")
            return False
        if elapsed_s >= 0:  # the resumes count whether or not this is another one
            then = volatile["saved_at"] + elapsed_s
            self.resumes = [at + self.now - then for at in volatile["resumes"]]
        if not 0 <= elapsed_s <= self.settings["resume_within_s"]:
            self.hit("14 too late")
            return False
        if len([at for at in self.resumes if self.now - at < _RESUMES_WITHIN_S]) >= _RESUMES:
            self.hit("14 too many")
            return False
        return True

    def _goes_on(self, volatile, elapsed_s, is_power_on):
        """A locked terminal that crashed goes on waiting for the emergency."""
        if volatile is None or elapsed_s is None or is_power_on or volatile["state"] != LOCKED:
            return False
        return 0 <= elapsed_s <= _GOES_ON_S

    def _resume(self, volatile, elapsed_s, counts, goes_on):
        """The old second saved_at + elapsed_s is now: every mark moves by the difference."""
        shift = self.now - volatile["saved_at"] - elapsed_s
        self.state, self.job, self.powered = volatile["state"], volatile["job"], volatile["powered"]
        self.entered = volatile["entered"] + shift
        if volatile["emergency_began"] is not None:
            self.emergency_began = volatile["emergency_began"] + shift
            self.alarms.add("emergency")
        if volatile["unpowered_at"] is not None:
            self.unpowered_at = volatile["unpowered_at"] + shift
        self.outages = [(at + shift, outage) for at, outage in volatile["outages"]]
        if self.state != HANDOVER:  # there no outage ran; elsewhere nobody knows whether one did meanwhile
            self.outages.append((volatile["saved_at"] + shift, True))
        if goes_on:
            self._resume_wait(volatile, shift)
        if not goes_on or not self.outage():
            self.outages.append((self.now, self.outage()))
        self._resume_welding(volatile)
        for phrase, at in volatile["announced"]:
            if phrase == "handover_soon":  # no session outlives a reset: that run begins anew
                continue
            unsensed = elapsed_s if phrase in ("idle_soon", "emergency_end_soon") else 0
            self.announced.add((phrase, at + shift + unsensed))
        if counts:
            self.resumes.append(self.now)
        self.effects = [("relay", 1 if self.powered else 0)]
        self._record()
        if self.powered:
            self.hit("14 resumed powered")
            self.effects.append(("event", "on", "resumed", self.job, False))
        else:
            self.hit("14 resumed unpowered")

    def _resume_wait(self, volatile, shift):
        """The boot is none for the wait, unless none ran; what a pulled SIM had to wait is not credited to another cause."""
        saved_at = volatile["saved_at"] + shift
        is_running = volatile["outages"][-1][1] and volatile["cause"] != "sim_pulled"
        self.hit("14 wait goes on" if is_running else "14 wait begins")
        self.booted = volatile["booted"] + shift if is_running else saved_at
        if is_running and volatile["ordered"] is not None:
            self.ordered = volatile["ordered"] + shift
        if is_running:
            self.outages.pop()  # the seconds of the reset belong to the outage before

    def _resume_welding(self, volatile):
        """The idle count goes on where it stood; nobody sensed the seconds of the reset, so they do not count."""
        at, value = volatile["weldings"][-1]
        if value is False:
            at = self.now - (volatile["saved_at"] - max(at, volatile["entered"]))
        self.weldings = [(at, value)]
