"""The Quectel dialect, while the modem is brought up: the hardware's times and the rows for it. Borrowed.

Sources: EC200U and EG915U TCP/IP application note V1.1, EC200U-CN release notes, field notes on EC800M and EG800K. Times are
in ms. The key switches on when pressed for 2 s (EC200U), 700 ms (EC800M), 800 ms (EG800K); no data sheet tells for EC200N,
EC800G, EG912 and EG915: 2 s suits all that is known, and the settings key_on_ms, key_off_ms and key_gap_ms may know better.
"""

from micropython import const

from modem.at import numbers

BAUDS = (115200, 9600, 57600, 921600)
KEY_ON_MS = 2000
KEY_OFF_MS = 1500  # 650 ms to 3 s
KEY_GAP_MS = 12000  # TCP/IP application note, p. 12
RESET_MS = 500
BOOT_MS = 30000  # RDY after 5.5 s, commands after 10 s
START_MS = 12000  # commands after 10 s: the key would stop a modem that only starts
CALL_MS = 0  # CALL is over with its result

AT = (b"AT", None, 300)
SETUP = (
    (b"ATE0",),
    (b"AT+CMEE=1",),
    (b'AT+QURCCFG="urcport","uart1"',),  # factory settings may have them at USB
    (b"AT+CTZU=1",),
    (b"AT+CEREG=1",),
    (b"AT+QISDE=0",),  # no echo of what is sent
    (b"AT+QICLOSE=0", None, 12000),  # left open when the terminal alone restarted: 563, already in use
    (b"AT+QICLOSE=1", None, 12000),
    (b"AT+QICLOSE=2", None, 12000),
    (b"AT+QICLOSE=3", None, 12000),
)
IMEI = (b"AT+CGSN", b"")
MODEL = (b"AT+CGMM", b"")
ICCID = (b"AT+QCCID", b"+QCCID:")
IMSI = (b"AT+CIMI", b"")
OPERATOR = (b"AT+COPS?", b"+COPS:")
RADIO = (b"AT+CFUN=1,1",)
POWER_DOWN = (b"AT+QPOWD=1", None, 10000)
CALL = (b"AT+QIACT=1", None, 150000)
CALL_STATES = (  # what is not active may be not listed at all
    (b"AT+QIACT?", b"+QIACT:1,", 9000, -3),
    (b"AT+CGACT?", b"+CGACT:1,", 9000, -3),
)
CALL_CLOSE = None

_DEACTIVATE_MS = const(40000)
_NOT_ALLOWED = const(572)
_CONTEXTS = const(7)


def call_setup(apn, user, password):
    """Return the rows that set the access point name (empty for the network's choice) and its account, with PAP."""
    names = (apn.encode(), (user or "").encode(), password.encode() if user else b"", 1 if user else 0)
    return ((b'AT+QICSGP=1,1,"%s","%s","%s",%d' % names,),)


def stands(active, bearer):
    """Return whether links can be opened, from the values of CALL_STATES's answers. The modem may think so while the network
    has taken the bearer away."""
    return active[:1] == b"1" and bearer[:1] != b"0"


async def close_call(ask):
    """Awaited: close the call, with all that may be in the way of the next. ask(row): awaited, returns the answer's value or b"".

    A bearer that the network has given to another context forbids ours on networks with one bearer (EG800K).
    """
    error = numbers(await ask((b"AT+QIGETERROR", b"+QIGETERROR:")))[0]
    await ask((b"AT+QIDEACT=1", None, _DEACTIVATE_MS))
    await ask((b"AT+CGACT=0,1", None, _DEACTIVATE_MS))
    for context in range(2, _CONTEXTS + 1 if error == _NOT_ALLOWED else 2):
        if (await ask((b"AT+CGACT?", b"+CGACT:%d," % context, 9000, -3)))[:1] == b"1":
            await ask((b"AT+CGACT=0,%d" % context, None, _DEACTIVATE_MS))
