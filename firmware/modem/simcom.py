"""The SIMCom A76xx dialect (A7670, A7672, A7608): command texts, answers, codes, time-outs. Holds no state.

Sources: A76XX Series AT Command Manual V1.09, TCPIP V1.02, GNSS, LBS and Audio application notes, A7670 hardware
design V1.06. Times are in ms.

What a dialect is. Tables for at.Conversation: URCS, RAWS, FINALS. Constants of the hardware and of the sockets.
Then commands, as rows for channel.Command: (text, answer's prefix or None, time-out, commas an answer has at
least), shorter where the defaults do; functions that return such rows; and functions that read the value of an
answer or a URC. URCs carry these names, whatever the modem calls them, and these values: boot; sim (text of
CPIN); registration (stat[,…]); arrived (link[,…]); closed (link[,…]); opened (link,error); released (link,…);
sent (link,asked,confirmed); call (error, 0 open); call_closed; call_lost; spoken (0 done); located; time_set;
gnss_ready; check (something restarted, perhaps the modem); any other name is known and of no interest.
"""

from micropython import const

from modem import gsm

_UNKNOWN_PLACE = const(110)  # LBS application note: other error
_QUICK_MS = const(2000)


class Simcom:
    """SIMCom A76xx; one instance may serve several modems."""

    URCS = (
        (b"+CIPRXGET:1,", "arrived", None),
        (b"+CIPSEND:", "sent", None),
        (b"+IPCLOSE:", "closed", None),
        (b"+IPCLOSE ", "closed", None),
        (b"+CIPOPEN:", "opened", None),
        (b"+CIPCLOSE:", "released", None),
        (b"+CEREG:", "registration", None),
        (b"+CPIN:", "sim", None),
        (b"+SIMCARD:NOT AVAILABLE", "sim", b"NOT INSERTED"),
        (b"+NETOPEN:", "call", None),
        (b"+NETCLOSE:", "call_closed", None),
        (b"+CIPEVENT:", "call_lost", None),
        (b"*ATREADY:", "boot", None),
        (b"SMS DONE", "check", None),
        (b"PB DONE", "check", None),
        (b"+CTTS:", "spoken", None),
        (b"+CLBS:", "located", None),
        (b"+CNTP:", "time_set", None),
        (b"+CGNSSPWR:READY", "gnss_ready", None),
        (b"+IP ERROR:", "", None),
        (b"+CIPERROR:", "", None),
    )
    RAWS = ((b"+CIPRXGET:2,", 1),)  # link,got,rest and then `got` bytes
    FINALS = ()

    BAUDS = (115200, 9600, 57600, 921600)
    KEY_ON_MS = 100  # hardware design: 50 ms at least
    KEY_OFF_MS = 3000  # 2.5 s at least
    KEY_GAP_MS = 2000  # off to on
    RESET_MS = 2500
    BOOT_MS = 30000  # UART after 11 s; commands before *ATREADY are dropped
    LINKS = 4  # of the ten the modem has
    PIECE = 1460  # bytes a send or a read; the modem takes 1500
    SENT_BY_URC = True  # a send is over with the URC `sent`, not with its result
    LINK_MS = 30000  # to open a link, and to confirm a send
    CLOSE_MS = 12000
    CALL_MS = 80000
    LOCATE_MS = 120000
    GNSS_MS = 30000  # until the receiver takes commands

    AT = (b"AT", None, 300)  # answered in 2 to 4 ms, 300 at most
    PROBES = ((b"AT+CSQ", b"+CSQ:", _QUICK_MS), (b"AT+CEREG?", b"+CEREG:", _QUICK_MS, 1))  # two that differ
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
    SIM = (b"AT+CPIN?", b"+CPIN:")
    REGISTRATION = PROBES[1]
    SIGNAL = PROBES[0]
    QUALITY = (b"AT+CESQ", b"+CESQ:", _QUICK_MS)
    OPERATOR = (b"AT+COPS?", b"+COPS:")
    CLOCK = (b"AT+CCLK?", b"+CCLK:", _QUICK_MS)
    ASK_TIME = (b"AT+CNTP",)
    RADIO = (b"AT+CFUN=1,1",)
    CALL = (b"AT+NETOPEN",)
    CALL_STATE = (b"AT+NETOPEN?", b"+NETOPEN:")
    CALL_CLOSE = (b"AT+NETCLOSE",)
    NAME_SERVERS = (b'AT+CDNSCFG="223.5.5.5","114.114.114.114"',)
    LOCATE = (b"AT+CLBS=1",)
    GNSS_ON = (b"AT+CGNSSPWR=1",)
    GNSS_FIX = (b"AT+CGNSSINFO", b"+CGNSSINFO:")
    HUSH = (b"AT+CTTS=0",)
    SPEECH_HEX = 510  # digits of UCS2 that one announcement takes

    OPEN_ERRORS = {1: "refused", 2: "no_data_call", 8: "busy", 9: "no_socket", 10: "timeout", 11: "dns"}

    def call_setup(self, apn, user, password):
        """Return the rows that set the access point name (empty for the network's choice) and its account."""
        rows = [(b'AT+CGDCONT=1,"IP","%s"' % apn.encode(),)]
        if user:
            rows.append((b'AT+CGAUTH=1,1,"%s","%s"' % (password.encode(), user.encode()),))
        return rows

    def time_server(self, host):
        """Return the row that names the NTP server and the zone the clock shall show, 32 quarters of an hour."""
        return (b'AT+CNTP="%s",32' % host.encode(),)

    def open_tcp(self, link, address, port):
        """Return the row that starts a TCP connection; the URC `opened` tells its end."""
        return (b'AT+CIPOPEN=%d,"TCP","%s",%d' % (link, address.encode(), port),)

    def open_udp(self, link, local_port):
        """Return the row that opens a UDP socket; the URC `opened` may come before its result."""
        return (b'AT+CIPOPEN=%d,"UDP",,,%d' % (link, local_port),)

    def send(self, link, count, address=None, port=0):
        """Return the row that asks for the prompt to `count` bytes, for UDP with where they go."""
        text = b"AT+CIPSEND=%d,%d" % (link, count)
        if address:
            text += b',"%s",%d' % (address.encode(), port)
        return text, None, 15000

    def read(self, link, count):
        """Return the row that reads up to `count` bytes."""
        return b"AT+CIPRXGET=2,%d,%d" % (link, count), b"+CIPRXGET:2,%d," % link

    def unread(self, value):
        """Return the bytes still in the modem, from the value of a read's answer, `got,rest`."""
        return gsm.numbers(value)[-1] or 0

    def close(self, link):
        """Return the row that closes a link; the URC `released` tells when it is free."""
        return b"AT+CIPCLOSE=%d" % link, None, 12000

    def resolve(self, host):
        """Return the row that asks for a name's address."""
        return b'AT+CDNSGIP="%s"' % host.encode(), b"+CDNSGIP:", 20000

    def address(self, value):
        """Return the address as text from the value of resolve's answer, None when the name has none."""
        parts = gsm.fields(value)
        return gsm.text(parts[2]) if parts[0] == b"1" and len(parts) > 2 else None

    def speak(self, text):
        """Return the row that speaks text; the URC `spoken` tells when it is over."""
        return (b'AT+CTTS=1,"%s"' % ucs2(text),)

    def location(self, value):
        """Return (latitude, longitude in 1e-7 degrees, accuracy in m) from the URC `located`, or its error."""
        parts = gsm.fields(value)
        code = gsm.number(parts[0], _UNKNOWN_PLACE)
        if code or len(parts) < 4:
            return code or _UNKNOWN_PLACE
        latitude, longitude = gsm.e7(parts[1]), gsm.e7(parts[2])
        if not latitude or not longitude:
            return _UNKNOWN_PLACE
        if abs(latitude) > 600000000:  # nowhere in China: the firmware gave the longitude first
            latitude, longitude = longitude, latitude
        return latitude, longitude, gsm.number(parts[3], 0)

    def fix(self, value):
        """Return None without a fix, else (latitude, longitude in 1e-7 degrees, accuracy in dm, ms since 1970 or
        None, speed in cm/s). Firmware differs in the fields ahead of the latitude: N or S is the anchor."""
        parts = gsm.fields(value)
        side = b"N" if b"N" in parts else b"S"
        if side not in parts or gsm.number(parts[0], 0) < 2:
            return None
        at = parts.index(side)
        parts.extend([b""] * 10)
        # Degrees, or degrees and minutes: only then has a latitude more than two digits before the point.
        angle = gsm.e7 if parts[at - 1].find(b".") < 3 else gsm.e7_from_minutes
        latitude, longitude = angle(parts[at - 1]), angle(parts[at + 1])
        if not latitude or not longitude:
            return None
        dilution = gsm.e7(parts[at + 9]) or 100000000
        return (
            -latitude if side == b"S" else latitude,
            -longitude if parts[at + 2] == b"W" else longitude,
            dilution * 50 // 10000000,  # 5 m for a dilution of one
            gsm.fix_ms(parts[at + 3], parts[at + 4]),
            (gsm.e7(parts[at + 6]) or 0) * 514444 // 100000000000,  # a knot is 51.4444 cm/s
        )


def ucs2(text):
    """Return text as hexadecimal UCS2 in bytes; what needs two units becomes a question mark."""
    return b"".join([b"%04X" % (ord(char) if ord(char) < 65536 else 63) for char in text])
