"""The alarms: one table of kinds, and which of them are on.

Owns since when each alarm lasts. Each begins once and ends once, however often it is reported; the table
bounds their number. Moments are what `protocol.stamped` takes: (ms since 1970 or None, boot number, ms
since boot).
"""

from micropython import const

from terminal import protocol

_COOLER_C = const(10)  # an overtemperature ends this far below where it began

# (kind, severity: 1 danger to life, 2 somebody has to act today, 3 to be looked into, Chinese, English), the
# most severe first
KINDS = (
    ("welding_while_unpowered", 1, "未通电时检测到焊接，疑似旁路", "welding while unpowered: a bypass"),
    ("contact_stuck", 1, "已断电但触点仍接通", "contact stuck: ordered off, still powered"),
    ("tamper", 1, "疑似拆卸或破坏终端", "tampering with the terminal"),
    ("emergency", 1, "断网应急通电", "powered in an emergency, without the platform"),
    ("contact_failed", 2, "已通电但触点未接通", "contact failed: ordered on, still unpowered"),
    ("overtemperature", 2, "终端温度过高", "terminal too hot"),
    ("sim_changed", 2, "电话卡已更换", "another SIM than the provisioned one"),
    ("untrusted", 2, "平台证书不可信", "the platform's certificate does not verify"),
    ("config_broken", 3, "配置文件损坏", "configuration broken"),
    ("clock", 3, "时钟不一致", "the sources of time disagree"),
)


class Alarms:
    """Keeps the books of the alarms.

    moment: returns now as a moment. report: takes the content of an E0 to send. log: takes one line of text.
    """

    def __init__(self, moment, report, log=print):
        self._moment = moment
        self._report = report
        self._log = log
        self._since = {}  # kind: the moment it began

    def begin(self, kind, detail=None):
        """The alarm is on; reported unless it was. detail: text or None. KeyError for an unknown kind."""
        if kind not in self._since:
            self._since[kind] = self._moment()
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
        return [
            row[0] for severity in (1, 2, 3) for row in KINDS if row[1] == severity and row[0] in self._since
        ]

    def _tell(self, kind, verb, end, detail):
        _, severity, chinese, english = _row(kind)
        content = protocol.alarm(kind, self._since[kind], end, detail)
        content["severity"] = severity
        content["text"] = chinese
        self._log(f"alarm {kind} {verb}: {english}" + (f" ({detail})" if detail else ""))
        self._report(content)


def _row(kind):
    for row in KINDS:
        if row[0] == kind:
            return row
    raise KeyError(kind)
