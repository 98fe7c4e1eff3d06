"""The Luat family (Air724UG, Air780E, Air780EG) as the simulator plays it: settings, timings, texts, commands. Pure.

See `families.py` for what stands here. The engine is in `luat_core.py`, what the commands do in `luat_general.py`,
`luat_sockets.py` and `luat_services.py`.
"""

from host_tests.sim.families import handlers
from host_tests.sim.luat_core import LuatCore
from host_tests.sim.luat_general import LuatGeneral
from host_tests.sim.luat_links import NUMBERS
from host_tests.sim.luat_services import LuatServices
from host_tests.sim.luat_sockets import LuatSockets

NAME = "luat"
CORE = LuatCore
FIRST_LINE = "RDY"
CLOCK_S = 1388534400  # 2014
DATA_ECHO = None
LINKS = NUMBERS
KEY_ON_MS = 2000
KEY_OFF_MS = 3000  # not documented: longer than what switches on, so that a start pulse stops nothing
KEY_GAP_MS = 2000
RESET_MS = 150

SETTINGS = {
    "model": "Air780EG",  # one of luat_general.MODELS
    "imei": "866714040000018",
    "imsi": "460001234567890",
    "iccid": "898604A1192490075609",  # hexadecimal letters do occur
    "operator": "CHINA MOBILE",
    "plmn": "46000",
    "tac": "2797",
    "cell": "02B82E17",
    "address": "10.169.179.213",
    "pin": "1234",
    "baud": 0,  # found from the first AT, which is swallowed
    "cmee": 1,
    "gnss": True,  # if the model has it
    "unix_ms": 1767230400000,  # 2026-01-01T01:20:00Z
}

# Milliseconds at latency factor 1, each varied by half. RDY from a trace; CIICR, shutting and power-off are guesses.
DELAYS_MS = {
    "simple": 3,
    "boot": 1300,  # to the first RDY
    "ready_again": 750,
    "usable": 800,  # an AT sent right at RDY is lost
    "sim": 300,
    "sim_told": 10000,  # at the latest
    "register": 3000,
    "ciicr": 1500,
    "ciicr_fails": 20000,
    "shut": 300,
    "deactivate": 300,
    "restart": 300,
    "power_down": 1000,
    "dns": 120,
    "dns_timeout": 20000,
    "open": 125,
    "close": 100,
    "scan": 30000,
    "sapbr": 1000,
    "gsmloc": 3000,
    "gsmloc_timeout": 30000,
    "gnss_fix": 52000,
    "tts_character": 64,
}

CME_TEXT = {
    3: "operation not allowed",
    4: "operation not supported",
    10: "SIM not inserted",
    11: "SIM PIN required",
    12: "SIM PUK required",
    13: "SIM failure",
    14: "SIM busy",
    16: "incorrect password",
    30: "no network service",
    50: "execute command failure",
    53: "invalid parameters",
    148: "unspecified GPRS error",
    149: "PDP authentication failure",
    151: "AT command timeout",
}

# answers to AT+X=? of commands that have one worth reading; the others answer OK
TESTS = {
    "+CTTS": ("+CTTS: (0-3)",),
    "+CTTSPARAM": ("+CTTSPARAM: (0-100),(0-2),(1-100),(1-100)",),
    "+CRSL": ("+CRSL: (1-15)",),
    "+CFUN": ("+CFUN: (0,1,4),(0,1)",),
    "+CGNSPWR": ("+CGNSPWR: (0,1)",),
    "+CIPMUX": ("+CIPMUX: (0,1)",),
    "+CIPSTART": ('+CIPSTART: (0-7),("TCP","UDP"),("(0-255).(0-255).(0-255).(0-255)"),(1-65535)',),
    "+CIPRXGET": ("+CIPRXGET: (0-5),(0-5),(1-1460)",),
    "+IPR": ("+IPR: (0,9600,19200,38400,57600,115200,230400,460800,921600)",),
}

SPEECH = ("+CTTS", "+CTTSPARAM")
SAID = "+CTTS:0"
TWINS = {"+CPIN": "+CPIN: READY", "+CIPRXGET": "+CIPRXGET: 1,0", "+CTTS": SAID, "+CIPSHUT": "+PDP: DEACT"}
RATES = (0, 9600, 19200, 38400, 57600, 115200, 230400, 460800, 921600)

# command -> method of the part, where the name is not the command's own in small letters
_GENERAL = {
    "E": "echo_off",
    "E0": "echo_off",
    "E1": "echo_on",
    "I": "information",
    "&W": "store",
    "+RESET": "restart",
    "+CIMI": "imsi",
    "+GSN": "imei",
    "+CGSN": "imei",
    "+GMR": "cgmr",
    "+GMM": "cgmm",
    "+GMI": "cgmi",
}
_NAMED = {
    "general": "CGMI CGMM CGMR CMEE IPR CPIN ICCID CCID CSQ CESQ COPS CREG CGREG CEREG CGATT CGDCONT CGACT CGPADDR CFUN CPOWD CBC",
    "sockets": "CIPMUX CIPRXGET CIPRXF CSTT CIICR CIFSR CIPSHUT CIPSTART CIPSEND CIPQSEND CIPCLOSE CIPSTATUS CIPACK CDNSGIP",
    "services": "CTZU CCLK SAPBR CIPGSMLOC CGNSPWR CGNSINF CGNSURC CTTS CTTSPARAM CRSL",
}
# taken as they come: OK
_IGNORED = " Z &F V1 +CTZR +CSCLK +IFC +CLVL +CDNSCFG +CIPHEAD +CIPSRIP +CIPCCFG +CIPTKA +CGEREP"


def parts(core):
    """Return (general, sockets, services) of a modem."""
    return LuatGeneral(core), LuatSockets(core), LuatServices(core)


def commands(core):
    """Return {command: handler(kind, arguments)} of a modem that has its parts."""
    return handlers(core, _GENERAL, _NAMED, _IGNORED)
