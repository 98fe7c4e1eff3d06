"""The SIMCom A76xx dialect, while the modem is brought up: the hardware's times and the rows for it. Borrowed.

Sources: A76XX Series AT Command Manual V1.09, TCPIP V1.02, A7670 hardware design V1.06. Times are in ms.
"""

BAUDS = (115200, 9600, 57600, 921600)
KEY_ON_MS = 100  # hardware design: 50 ms at least
KEY_OFF_MS = 3000  # 2.5 s at least
KEY_GAP_MS = 2000  # off to on
RESET_MS = 2500
BOOT_MS = 30000  # UART after 11 s; commands before *ATREADY are dropped
START_MS = 0  # so short a press does nothing to a modem that is on
CALL_MS = 80000

AT = (b"AT", None, 300)  # answered in 2 to 4 ms, 300 at most
SETUP = (
    (b"ATE0",),
    (b"AT+CMEE=1",),
    (b"AT+CTZU=1",),
    (b"AT+CEREG=1",),
    (b"AT+CIPRXGET=1",),
    (b"AT+CIPTIMEOUT=75000,30000,30000",),
)
IMEI = (b"AT+CGSN", b"")
MODEL = (b"AT+CGMM", b"")
ICCID = (b"AT+CICCID", b"+ICCID:")
IMSI = (b"AT+CIMI", b"")
OPERATOR = (b"AT+COPS?", b"+COPS:")
RADIO = (b"AT+CFUN=1,1",)
POWER_DOWN = None  # the key's time is known
CALL = (b"AT+NETOPEN",)
CALL_STATES = ((b"AT+NETOPEN?", b"+NETOPEN:"),)
CALL_CLOSE = (b"AT+NETCLOSE",)
close_call = None  # CALL_CLOSE does it


def stands(value):
    """Return whether the call is up, from the value of CALL_STATES's answer."""
    return value == b"1"


def call_setup(apn, user, password):
    """Return the rows that set the access point name (empty for the network's choice) and its account."""
    rows = [(b'AT+CGDCONT=1,"IP","%s"' % apn.encode(),)]
    if user:
        rows.append((b'AT+CGAUTH=1,1,"%s","%s"' % (password.encode(), user.encode()),))
    return rows
