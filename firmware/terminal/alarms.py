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

    def begin(self, kind, detail=None):
        """The alarm is on; reported unless it was. detail: text or None. KeyError for an unknown kind."""
        if kind not in self._since:
            self._since[kind] = (_row(kind)[0], self._moment())
            self._tell(kind, "begins", None, detail)

    def end(self, kind, detail=None):
        """The alarm is off; reported if it was on."""
        if kind in self._since:
            self._tell(kind, "ends", self._moment(), detail)
            del self._since[kind]

    def note(self, kind, is_on, detail=None):
        """Begin or end the alarm as is_on says."""
        if is_on:
            self.begin(kind, detail)
        else:
            self.end(kind, detail)

    def temperature(self, celsius, limit_c):
        """Take a reading in whole degrees, None when there is none: nothing changes then."""
        if celsius is None:
            return
        if celsius >= limit_c:
            self.begin("overtemperature", str(celsius) + " °C")
        elif celsius <= limit_c - _COOLER_C:
            self.end("overtemperature", str(celsius) + " °C")

    def active(self):
        """Return the kinds that are on, the most severe first."""
        return sorted(self._since, key=lambda kind: self._since[kind][0])

    def _tell(self, kind, verb, end, detail):
        _, (_, severity, chinese, english) = _row(kind)
        content = protocol.alarm(kind, self._since[kind][1], end, detail)
        content["severity"] = severity
        content["text"] = chinese
        self._log(f"alarm {kind} {verb}: {english}" + (f" ({detail})" if detail else ""))
        self._report(content)


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
