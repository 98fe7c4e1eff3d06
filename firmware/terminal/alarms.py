"""The alarms: which of them are on. What each kind is, says the table in `alarm_kinds`.

Owns since when each alarm lasts. Each begins once and ends once, however often it is reported; the table
bounds their number. Moments are what `protocol.stamped` takes: (ms since 1970 or None, boot number, ms
since boot).
"""

from micropython import const

from terminal import protocol
from terminal.borrow import borrow

_COOLER_C = const(10)  # an overtemperature ends this far below where it began


class Alarms:
    """Keeps the books of the alarms.

    moment: returns now as a moment. report: takes the content of an E0 to send. log: takes one line of text.
    """

    def __init__(self, moment, report, log):
        self._moment = moment
        self._report = report
        self._log = log
        self._on = []  # (place in the table, kind, the moment it began), the most severe first

    def note(self, kind, is_on, detail=None):
        """The alarm is on or off; reported unless it was. detail: text or None. KeyError for an unknown kind."""
        lasting = None
        for lasting in self._on:
            if lasting[1] == kind:
                break
        else:
            lasting = None
        if is_on == (lasting is not None):
            return
        try:
            place, severity, chinese, english = borrow("alarm_kinds").row(kind)
        except (ImportError, OSError, MemoryError):
            # with a dead file system the alarm goes out all the same, without its text
            place, severity, chinese, english = 0, None, None, kind
        now = self._moment()
        content = protocol.alarm(kind, now if is_on else lasting[2], None if is_on else now, detail)
        content["severity"] = severity
        content["text"] = chinese
        if is_on:  # what may want for memory is behind us: an alarm that is on is reported
            self._on.append((place, kind, now))
            self._on.sort()
        else:
            self._on.remove(lasting)
        self._report(content)
        self._log("alarm %s %s: %s%s" % (kind, "begins" if is_on else "ends", english, " (%s)" % detail if detail else ""))

    def temperature(self, celsius, limit_c):
        """Take a reading in whole degrees, None when there is none: nothing changes then."""
        if celsius is not None and not limit_c - _COOLER_C < celsius < limit_c:
            self.note("overtemperature", celsius >= limit_c, str(celsius) + " °C")

    def active(self):
        """Return the kinds that are on, the most severe first."""
        kinds = []
        for lasting in self._on:
            kinds.append(lasting[1])
        return kinds
