"""The alarms: one table of kinds, and which of them are on.

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

    def __init__(self, moment, report, log=print):
        self._moment = moment
        self._report = report
        self._log = log
        self._since = {}  # kind: (place in the table, the moment it began)

    def note(self, kind, is_on, detail=None):
        """The alarm is on or off; reported unless it was. detail: text or None. KeyError for an unknown kind."""
        if is_on == (kind in self._since):
            return
        place, (_, severity, chinese, english) = _row(kind)
        end = None
        if is_on:
            self._since[kind] = (place, self._moment())
        else:
            end = self._moment()
        content = protocol.alarm(kind, self._since[kind][1], end, detail)
        content["severity"] = severity
        content["text"] = chinese
        self._log("alarm %s %s: %s%s" % (kind, "begins" if is_on else "ends", english, " (%s)" % detail if detail else ""))
        self._report(content)
        if not is_on:
            del self._since[kind]

    def temperature(self, celsius, limit_c):
        """Take a reading in whole degrees, None when there is none: nothing changes then."""
        if celsius is not None and not limit_c - _COOLER_C < celsius < limit_c:
            self.note("overtemperature", celsius >= limit_c, str(celsius) + " °C")

    def active(self):
        """Return the kinds that are on, the most severe first."""
        return sorted(self._since, key=lambda kind: self._since[kind][0])


def _row(kind):
    """Return (place in the table, row): the most severe kinds come first."""
    try:
        kinds = borrow("alarm_kinds").KINDS
    except (ImportError, OSError, MemoryError):
        return 0, (kind, None, None, kind)  # with a dead file system the alarm goes out all the same, without its text
    for place, row in enumerate(kinds):
        if row[0] == kind:
            return place, row
    raise KeyError(kind)
