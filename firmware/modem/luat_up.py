"""The Luat dialect, while the modem is brought up: the hardware's times and the rows for it. Borrowed.

Sources: openLuat's AT command manual and Air780EP hardware guide, a trace of an Air780EP. Times are in ms.
"""

BAUDS = (115200, 9600, 57600, 921600)
KEY_ON_MS = 2000
KEY_OFF_MS = 3000  # told nowhere, so POWER_DOWN is tried first; settings may know better
KEY_GAP_MS = 5000  # the same
RESET_MS = 200  # 150 at least
BOOT_MS = 90000  # RDY after 1.3 s, commands somewhat later; without an OK for so long: reset
START_MS = 0  # it starts faster than it can be found missing
CALL_MS = 0  # CALL is over with its result

AT = (b"AT", None, 300)  # the first only trains the modem's search for the speed
SETUP = (
    (b"ATE0",),
    (b"AT+CMEE=1",),
    (b"AT+CTZU=1",),
    (b"AT+CEREG=1",),
)
IMEI = (b"AT+CGSN", b"")
MODEL = (b"AT+CGMM", b"+CGMM:", 9000, -2)  # so the Air724UG; others answer a bare line
ICCID = (b"AT+ICCID", b"+ICCID:")
IMSI = (b"AT+CIMI", b"")
OPERATOR = (b"AT+COPS?", b"+COPS:")
RADIO = (b"AT+CFUN=1,1",)
POWER_DOWN = (b"AT+CPOWD=1", None, 10000)
CALL = (b"AT+CIFSR", b"", 9000, -1)  # the address alone, no OK behind it; without it no link can be opened
CALL_STATES = ((b"AT+CIPSTATUS", b"STATE:", 9000, -1),)  # behind the OK
CALL_CLOSE = (b"AT+CIPSHUT", None, 40000)
close_call = None  # CALL_CLOSE does it

_START = (b"AT+CIICR", b"+PDP:", 60000, -2)  # a failure may be told by +PDP: DEACT alone
_BUFFERED = (
    CALL_CLOSE,  # links may be set up in the very first state only
    (b"AT+CIPMUX=1",),
    (b"AT+CIPRXGET=1",),
    (b"AT+CIPRXF=1",),  # nothing is added to what arrived
    (b"AT+CIPQSEND=1",),  # a send is over when the modem has it, not when the peer has
)


def call_setup(apn, user, password):
    """Return the rows that go ahead of CALL: access point name (empty for the network's choice), its account, start."""
    names = (apn.encode(), (user or "").encode(), password.encode() if user else b"")
    return _BUFFERED + ((b'AT+CSTT="%s","%s","%s"' % names,), _START)


def stands(value):
    """Return whether links can be opened, from the value of CALL_STATES's answer."""
    return value in (b"IP STATUS", b"IP PROCESSING")
