"""What the simulator knows of the link between terminal and platform, from the lines of a soak's log. Pure.

Good means: the platform has the terminal's login and nothing has happened since that could have ended the session. The
terminal finds out about a bad link later than it begins, at most its heartbeat and an acknowledgement's patience later.
"""

import json

_LOGIN_UNSURE_MS = 2000  # a link that dies so soon after the login may have swallowed its acknowledgement

# knob -> the value with which a session is possible
_POSSIBLE = {
    "set_alive": True,
    "set_signal": -85,
    "set_registration": 1,
    "set_bearer": True,
    "set_sim": "ready",
    "broker_runs": True,
    "refuse": 0,
}
_PULLED = 4  # a pulled SIM waits so many times as long
_DROPS = 3  # right after CONNACK, in a row, mean another client with our identity
_REFUSALS = 3  # in a row are the platform's verdict


class Line:
    """The link, moved on by `take(line)`. Times are ms."""

    def __init__(self):
        self.good_since = None  # None while it is bad
        self.login_since = None  # the last login in this boot
        self.bad_since = 0  # when the badness that lasts began (or the last one did)
        self.bad_since_first = 0  # the same, if the last login was not acknowledged in time
        self.impossible_since = None  # no session can exist
        self.is_refused = False  # the platform's verdict, until a login
        self.is_unsure = False  # refusals: what the terminal calls the cause now is its own business
        self.had_session = False  # a session was there in this boot when it went bad
        self.wait_least = self.wait_most = 1  # how many times as long an emergency waits, at the least and at the most
        self._booted = 0
        self._has_rival = False
        self._drops = 0  # by the rival, in this boot, while a session was possible
        self._bad_knobs = {}
        self._logged_in = False
        self._refusals = 0

    def take(self, line):
        """Follow one line of the log."""
        ms, kind = line[:2]
        if kind == "knob":
            self._turn(ms, line[2], line[3:])
        elif kind == "boot":
            self._boot(ms, line[2] == "power")
        elif kind == "down":
            self._drops += line[2] == "rival"
            self._lose(ms, True)
        elif kind == "refused":
            self._lose(ms, True)
            self.is_unsure = True
            self._refusals += 1
            self.is_refused = self.is_refused or self._refusals >= _REFUSALS
        elif kind == "msg" and line[2].endswith("/up"):
            self._hear(ms, json.loads(line[3]))

    @property
    def is_taken_over(self):
        """Another client uses the terminal's identity, which the terminal must have found out; that is no outage."""
        return self._has_rival and self._drops >= _DROPS and self.impossible_since is None

    def _boot(self, ms, is_power):
        self._booted = ms
        self._refusals = self._drops = 0
        self.login_since = None
        self.wait_least = self.wait_most = 1  # a SIM that was never seen in this boot was not pulled
        if is_power:  # what is impossible now is told again
            self._bad_knobs = {}
            self.impossible_since = None
        if is_power or self.good_since is not None:
            self._lose(ms, True)
            self.had_session = False
            self.bad_since = self.bad_since_first = ms
        self._logged_in = False

    def _turn(self, ms, name, values):
        if name == "restart":
            self._lose(ms, True)
        elif name == "rival":
            self._has_rival = self.is_unsure = values[0]
            self._drops = 0
        if name not in _POSSIBLE:
            return
        self._bad_knobs[name] = values[0] != _POSSIBLE[name]
        self._drops = 0
        if name == "set_sim":
            self._pull(ms, self._bad_knobs[name])
        if any(self._bad_knobs.values()):
            self._lose(ms, False)
            if self.impossible_since is None:
                self.impossible_since = ms
        else:
            self.impossible_since = None

    def _pull(self, ms, is_out):
        """The SIM is pulled or put back. Who was not looking, as in an outage, may learn of it later."""
        self.wait_least = _PULLED if is_out and self.good_since is not None else 1
        if is_out and ms > self._booted:
            self.wait_most = _PULLED

    def _lose(self, ms, over):
        if over:
            self._logged_in = False
        if self.good_since is not None:
            self.had_session = True
            if ms - self.good_since > _LOGIN_UNSURE_MS:
                self.bad_since_first = ms
            self.bad_since = ms
            self.good_since = None

    def _hear(self, ms, message):
        if message["actionCode"] == "Z0":
            return
        if message["actionCode"] == "00":
            self._logged_in = True
            self.login_since = ms
            self._refusals = 0
            self.is_refused = False
            self.is_unsure = self._has_rival
            self.wait_least = self.wait_most = 1
        if self.good_since is None and self._logged_in and self.impossible_since is None:
            self.good_since = ms
