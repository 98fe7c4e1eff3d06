"""The A76xx family as the simulator plays it: settings, timings, texts, what answers which command. Pure.

See `families.py` for what stands here.
"""

from host_tests.sim.a76xx_general import A76xxGeneral
from host_tests.sim.a76xx_services import A76xxServices
from host_tests.sim.cip import Cip
from host_tests.sim.families import handlers

NAME = "a76xx"
FIRST_LINE = "*ATREADY: 1"
CLOCK_S = 0  # 1970
DATA_ECHO = None
LINKS = 10
KEY_ON_MS = 50
KEY_OFF_MS = 2500
KEY_GAP_MS = 2000
RESET_MS = 2000

SETTINGS = {
    "manufacturer": "SIMCOM INCORPORATED",
    "model": "A7670C-FASL",
    "revision": "A7670M7_B02V03",
    "imei": "866262050000017",
    "imsi": "460001234567890",
    "iccid": "89860012345678901234",
    "operator": "CHINA MOBILE",
    "plmn": "46000",
    "tac": "230A",
    "cell": "A75E6C3",
    "address": "10.71.155.118",
    "pin": "1234",
    "baud": 115200,  # stored rate; 0: the modem finds it from the first AT, which it swallows
    "cmee": 2,
    "gnss": True,
    "unix_ms": 1767230400000,  # 2026-01-01T01:20:00Z
}

# Milliseconds at latency factor 1, each varied by half. From logs and manuals; speech is 64 ms a character.
DELAYS_MS = {
    "simple": 3,
    "boot": 11000,
    "sim": 500,
    "sms_done": 3500,
    "pb_done": 5000,
    "register": 3000,
    "netopen": 1500,
    "netclose": 300,
    "restart": 300,
    "dns": 120,
    "dns_timeout": 20000,
    "open": 125,
    "close": 100,
    "send": 4,
    "ntp": 800,
    "scan": 30000,
    "gnss_ready": 9000,
    "gnss_fix": 52000,
    "clbs": 3000,
    "tts_character": 64,
}

CME_TEXT = {
    3: "operation not allowed",
    10: "SIM not inserted",
    11: "SIM PIN required",
    12: "SIM PUK required",
    14: "SIM busy",
    16: "incorrect password",
    30: "no network service",
    50: "incorrect parameters",
}

# answers to AT+X=? of commands that have one worth reading; the others answer OK
TESTS = {
    "+CTTS": ("+CTTS: (0-2)",),
    "+CTTSPARAM": ("+CTTSPARAM: (0-2),(0-3),(0-3),(0-2),(0-2)",),
    "+CFUN": ("+CFUN: (0,1,4),(0,1)",),
    "+CGNSSPWR": ("+CGNSSPWR: (0,1)",),
    "+CIPRXGET": ("+CIPRXGET: (0-5),(0-9),(1-1500)",),
    "+IPR": ("+IPR: (0,9600,19200,38400,57600,115200,230400,460800,921600,3000000)",),
}
SPEECH = ("+CTTS", "+CTTSPARAM")
GNSS = ("+CGNSSPWR", "+CGNSSINFO", "+CGPSINFO")
SAID = "+CTTS: 0"
TWINS = {"+CPIN": "+CPIN: READY", "+CIPRXGET": "+CIPRXGET: 1,0", "+CTTS": SAID, "+NETOPEN": "+NETOPEN: 0"}
RATES = (0, 9600, 19200, 38400, 57600, 115200, 230400, 460800, 921600, 3000000)

# command -> method of A76xxGeneral, Cip or A76xxServices
_GENERAL = {
    "E": "echo_off",
    "E0": "echo_off",
    "E1": "echo_on",
    "I": "information",
    "+SIMCOMATI": "information",
    "+CIMI": "imsi",
    "+CICCID": "iccid",
}
_BARE = {
    "+GMI": "manufacturer",
    "+CGMI": "manufacturer",
    "+GMM": "model",
    "+CGMM": "model",
    "+GSN": "imei",
    "+CGSN": "imei",
}
# the method has the command's name in small letters
_NAMED = {
    "general": "CGMR CMEE IPR IPREX CPIN CSQ CESQ CPSI COPS CREG CGREG CEREG CGATT CGDCONT CGAUTH CGACT"
    " CGPADDR CFUN CRESET CPOF CBC",
    "sockets": "NETOPEN NETCLOSE IPADDR CIPTIMEOUT CIPOPEN CIPCLOSE CIPSEND CIPACK CIPRXGET CDNSGIP CDNSCFG"
    " CIPHEAD CIPSRIP CIPMODE",
    "services": "CTZU CCLK CNTP CGNSSPWR CGNSSINFO CGPSINFO CLBS CTTS CTTSPARAM",
}
# taken as they come: OK
_IGNORED = " Z &F &W V1 +CIPCCFG +CTZR +CSCLK +IFC +CATR +CLVL +COUTGAIN +CDTAM +CGEREP"


def parts(core):
    """Return (general, sockets, services) of a modem."""
    return A76xxGeneral(core), Cip(core), A76xxServices(core)


def commands(core):
    """Return {command: handler(kind, arguments)} of a modem that has its parts."""
    table = handlers(core, _GENERAL, _NAMED, _IGNORED)
    for name, key in _BARE.items():
        table[name] = lambda kind, arguments, key=key: [core.settings[key]]
    return table
