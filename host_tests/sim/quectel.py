"""The Quectel family (EC200U, EC800M, EG800K) as the simulator plays it: settings, timings, texts, commands. Pure.

See `families.py` for what stands here.
"""

from host_tests.sim.families import handlers
from host_tests.sim.quectel_general import QuectelGeneral
from host_tests.sim.quectel_services import QuectelServices
from host_tests.sim.quectel_sockets import Qi

NAME = "quectel"
FIRST_LINE = "RDY"
CLOCK_S = 315964800  # 1980-01-06
DATA_ECHO = True  # QISDE's factory setting
LINKS = 12

KEY_ON_MS = 2000  # EC200U
KEY_OFF_MS = 650
KEY_GAP_MS = 1000
RESET_MS = 450  # a pulse of 500 ms works

# model -> revision; the revision's end tells a driver which quirks to expect
REVISIONS = {
    "EC200U": "EC200UCNAAR01A04M08",
    "EC800M": "EC800MCNGAR06A06M08",
    "EG800K": "EG800KCNGCR07A06M04",
}

SETTINGS = {
    "manufacturer": "Quectel",
    "model": "EC200U",
    "revision": "",  # empty: the model's
    "imei": "866262050000025",
    "imsi": "460001234567890",
    "iccid": "898604A1192490075609",
    "operator": "CHINA MOBILE",
    "plmn": "46000",
    "tac": "230A",
    "cell": "A75E6C3",
    "address": "10.71.155.118",
    "pin": "1234",
    "baud": 115200,  # stored rate; 0: the modem finds it from the first AT, which it swallows
    "cmee": 1,
    "gnss": True,
    "qcellloc": False,  # the older cell position of EC25 and BG96
    "tts_limit": 548,  # most bytes of a text; other builds take 960
    "key_on_ms": KEY_ON_MS,  # EC800M takes 700, EG800K 800
    "urcport": "usbat",  # where URCs go after each boot, until QURCCFG: the factory's choice is not this UART
    "unix_ms": 1767230400000,  # 2026-01-01T01:20:00Z
}

# Milliseconds at latency factor 1, each varied by half. From logs and manuals; speech is 64 ms a character.
DELAYS_MS = {
    "simple": 3,
    "boot": 5500,
    "sim": 1000,
    "qusim": 200,
    "sms_done": 1800,
    "pb_done": 500,
    "register": 3000,
    "qiact": 2700,
    "qideact": 300,
    "restart": 300,
    "power_down": 1300,
    "dns": 120,
    "dns_timeout": 40000,
    "open": 125,
    "open_timeout": 100000,
    "open_drifted": 30000,
    "close": 100,
    "ping": 60,
    "ntp": 800,
    "scan": 30000,
    "gnss_busy": 2000,
    "gnss_fix": 95000,
    "qlbs": 5000,
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
    50: "incorrect parameters",
    501: "Invalid parameter",
    503: "GNSS subsystem busy",
    504: "Session is ongoing",
    505: "Session not active",
    516: "Not fixed now",
    902: "TTS invalid parameter",
    904: "TTS busy",
}

# answers to AT+X=? of commands that have one worth reading; the others answer OK
TESTS = {
    "+QTTS": ('+QTTS: (0-2),"text"',),
    "+CFUN": ("+CFUN: (0,1,4),(0,1)",),
    "+QGPS": ("+QGPS: (1-4)",),
    "+QIACT": ("+QIACT: (1-7)",),
    "+QIRD": ("+QIRD: (0-11),(0-1500)",),
    "+IPR": ("+IPR: (0,9600,19200,38400,57600,115200,230400,460800,921600)",),
}
SPEECH = ("+QTTS", "+QTTSETUP")
GNSS = ("+QGPS", "+QGPSLOC", "+QGPSEND", "+QGPSCFG")
SAID = "+QTTS: 0"
TWINS = {"+CPIN": "+CPIN: READY", "+QTTS": SAID, "+QIRD": '+QIURC: "recv",0', "+QISEND": '+QIURC: "recv",0'}
RATES = (0, 9600, 19200, 38400, 57600, 115200, 230400, 460800, 921600)

# command -> method of QuectelGeneral
_GENERAL = {
    "E": "echo_off",
    "E0": "echo_off",
    "E1": "echo_on",
    "I": "information",
    "&W": "store",
    "+CIMI": "imsi",
    "+GMI": "cgmi",
    "+GMM": "cgmm",
    "+GMR": "cgmr",
    "+GSN": "cgsn",
}
# the method has the command's name in small letters
_NAMED = {
    "general": "CGMI CGMM CGMR CGSN CMEE IPR CPIN CSQ CESQ QCSQ QNWINFO QENG COPS CREG CGREG CEREG CGATT CGAUTH CFUN"
    " QPOWD CBC QCCID QURCCFG",
    "contexts": "QICSGP QIACT QIACTEX QIDEACT QIGETERROR CGDCONT CGACT CGPADDR",
    "sockets": "QIOPEN QICLOSE QISEND QISENDEX QIRD QISTATE QISDE QICFG QIDNSGIP QIDNSCFG QPING",
    "services": "CTZU CCLK QLTS QNTP QGPS QGPSEND QGPSLOC QLBS QLBSCFG QLOCCFG QCELLLOC QTTS QTTSETUP CLVL",
}
# taken as they come: OK
_IGNORED = " Z &F V1 +CTZR +QSCLK +IFC +QCFG +QGPSCFG +CGEREP +QSIMDET +QSIMSTAT +QINDCFG"


def parts(core):
    """Return (general, sockets, services) of a modem."""
    return QuectelGeneral(core), Qi(core), QuectelServices(core)


def commands(core):
    """Return {command: handler(kind, arguments)} of a modem that has its parts."""
    return handlers(core, _GENERAL, _NAMED, _IGNORED, contexts=core.sockets.contexts)
