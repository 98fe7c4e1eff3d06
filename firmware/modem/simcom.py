"""The SIMCom A76xx dialect (A7670, A7672, A7608): command texts, answers, codes, time-outs. Data and pure functions.

Sources: A76XX Series AT Command Manual V1.09, TCPIP V1.02, GNSS, LBS and Audio application notes, A7670 hardware
design V1.06. Times are in ms.

What a dialect is. Tables for at.Conversation: URCS, RAWS, FINALS. Constants of the hardware and the sockets. Then
commands, as rows (text, answer prefix or None, commas an answer has at least, time-out) or functions that return such
rows, and functions that read an answer's or a URC's value. URCs carry these names, whatever the modem calls them, and
these values: boot; sim (text of CPIN); registration (stat[,…]); arrived (link[,…]); closed (link[,…]);
opened (link,error); released (link,…); sent (link,asked,confirmed); call (error, 0 open); call_closed; call_lost;
spoken (0 done); located, time_set, gnss_ready; detail (text that explains the ERROR after it); check (something
restarted, perhaps the modem).
"""

from modem import gsm

_LINK_S = 75  # seconds the modem itself tries to open the call


class Simcom:
    """SIMCom A76xx; holds nothing, one instance may serve several modems."""

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
        (b"+IP ERROR:", "detail", None),
        (b"+CIPERROR:", "detail", None),
    )
    RAWS = ((b"+CIPRXGET:2,", 1),)  # link,got,rest and then `got` bytes
    FINALS = ()

    BAUDS = (115200, 9600, 57600, 921600)
    KEY_ON_MS = 100  # hardware design: 50 ms at least
    KEY_OFF_MS = 3000  # 2.5 s at least
    OFF_GAP_MS = 2000
    RESET_MS = 2500
    BOOT_MS = 30000  # UART after 11 s; commands before *ATREADY are dropped
    LINKS = 4  # of the ten the modem has
    PIECE = 1460  # bytes a send or a read; the modem takes 1500
    SENT_BY_URC = True  # a send is over with the URC `sent`, not with its result
    OPEN_MS = 30000
    SENT_MS = 30000
    RELEASE_MS = 12000
    CALL_MS = 1000 * (_LINK_S + 5)
    LOCATE_MS = 120000
    TIME_MS = 30000
    GNSS_READY_MS = 30000

    AT = (b"AT", None, 0, 1000)
    PROBES = ((b"AT+CSQ", b"+CSQ:", 0, 2000), (b"AT+CEREG?", b"+CEREG:", 1, 2000))  # the first unless it was late
    SETUP = (
        (b"ATE0", None, 0, 1000),
        (b"AT+CMEE=1", None, 0, 1000),
        (b"AT+CTZU=1", None, 0, 1000),
        (b"AT+CEREG=1", None, 0, 2000),
        (b"AT+CIPRXGET=1", None, 0, 9000),
        (b"AT+CIPTIMEOUT=%d,30000,30000" % (_LINK_S * 1000), None, 0, 2000),
    )
    IMEI = (b"AT+CGSN", b"", 0, 2000)
    MODEL = (b"AT+CGMM", b"", 0, 2000)
    ICCID = (b"AT+CICCID", b"+ICCID:", 0, 5000)
    IMSI = (b"AT+CIMI", b"", 0, 5000)
    SIM = (b"AT+CPIN?", b"+CPIN:", 0, 9000)
    REGISTRATION = (b"AT+CEREG?", b"+CEREG:", 1, 2000)
    SIGNAL = (b"AT+CSQ", b"+CSQ:", 0, 2000)
    QUALITY = (b"AT+CESQ", b"+CESQ:", 0, 2000)
    OPERATOR = (b"AT+COPS?", b"+COPS:", 0, 9000)
    CLOCK = (b"AT+CCLK?", b"+CCLK:", 0, 2000)
    ASK_TIME = (b"AT+CNTP", None, 0, 9000)
    RADIO = (b"AT+CFUN=1,1", None, 0, 9000)
    CALL = (b"AT+NETOPEN", None, 0, 9000)
    CALL_STATE = (b"AT+NETOPEN?", b"+NETOPEN:", 0, 9000)
    CALL_CLOSE = (b"AT+NETCLOSE", None, 0, 9000)
    NAME_SERVERS = (b'AT+CDNSCFG="223.5.5.5","114.114.114.114"', None, 0, 9000)
    LOCATE = (b"AT+CLBS=1", None, 0, 9000)
    GNSS_ON = (b"AT+CGNSSPWR=1", None, 0, 9000)
    GNSS_FIX = (b"AT+CGNSSINFO", b"+CGNSSINFO:", 0, 9000)
    HUSH = (b"AT+CTTS=0", None, 0, 5000)
    SPEECH_HEX = 510  # digits of UCS2 that one announcement takes

    OPEN_ERRORS = {1: "refused", 2: "no_data_call", 8: "busy", 9: "no_socket", 10: "timeout", 11: "dns"}

    def call_setup(self, apn, user, password):
        """Return the rows that set the access point name (text, empty for the network's choice) and its account."""
        rows = [(b'AT+CGDCONT=1,"IP","%s"' % apn.encode(), None, 0, 9000)]
        if user:
            account = (password.encode(), user.encode())
            rows.append((b'AT+CGAUTH=1,1,"%s","%s"' % account, None, 0, 9000))
        return rows

    def time_server(self, host):
        """Return the row that names the NTP server and the zone the clock shall show, 32 quarters of an hour."""
        return b'AT+CNTP="%s",32' % host.encode(), None, 0, 9000

    def open_tcp(self, link, address, port):
        """Return the row that starts a TCP connection; the URC `opened` tells its end."""
        return b'AT+CIPOPEN=%d,"TCP","%s",%d' % (link, address.encode(), port), None, 0, 9000

    def open_udp(self, link, local_port):
        """Return the row that opens a UDP socket; the URC `opened` may come before its result."""
        return b'AT+CIPOPEN=%d,"UDP",,,%d' % (link, local_port), None, 0, 9000

    def send(self, link, count, address=None, port=0):
        """Return the row that asks for the prompt to `count` bytes, for UDP with where they go."""
        text = b"AT+CIPSEND=%d,%d" % (link, count)
        if address:
            text += b',"%s",%d' % (address.encode(), port)
        return text, None, 0, 15000

    def read(self, link, count):
        """Return the row that reads up to `count` bytes."""
        return b"AT+CIPRXGET=2,%d,%d" % (link, count), b"+CIPRXGET:2,%d," % link, 0, 9000

    def unread(self, value):
        """Return the bytes still in the modem, from the value of a read's answer, `got,rest`."""
        return gsm.number(value[value.find(b",") + 1 :], 0)

    def close(self, link):
        """Return the row that closes a link; the URC `released` tells when it is free."""
        return b"AT+CIPCLOSE=%d" % link, None, 0, 12000

    def resolve(self, host):
        """Return the row that asks for a name's address."""
        return b'AT+CDNSGIP="%s"' % host.encode(), b"+CDNSGIP:", 0, 20000

    def address(self, value):
        """Return the address as text from the value of resolve's answer, None when the name has none."""
        parts = gsm.fields(value)
        return gsm.text(parts[2]) if parts[0] == b"1" and len(parts) > 2 and parts[2] else None

    def speak(self, text):
        """Return the row that speaks text; the URC `spoken` tells when it is over."""
        return b'AT+CTTS=1,"%s"' % ucs2(text), None, 0, 5000

    def location(self, value):
        """Return (latitude, longitude in 1e-7 degrees, accuracy in m) from the URC `located`, or its error code."""
        parts = gsm.fields(value)
        code = gsm.number(parts[0], 110)
        if code or len(parts) < 4:
            return code or 110
        latitude, longitude = gsm.e7(parts[1]), gsm.e7(parts[2])
        if not latitude or not longitude:
            return 110
        if abs(latitude) > 600000000:  # nowhere in China: the firmware gave the longitude first
            latitude, longitude = longitude, latitude
        return latitude, longitude, gsm.number(parts[3], 0)

    def fix(self, value):
        """Return None without a fix, else (latitude, longitude in 1e-7 degrees, accuracy in dm, ms since 1970 or None,
        speed in cm/s). Firmware differs in the fields before the latitude, so N or S is the anchor."""
        parts = gsm.fields(value)
        anchor = 1
        while anchor < len(parts) and parts[anchor] not in (b"N", b"S"):
            anchor += 1
        if anchor + 10 > len(parts) or gsm.number(parts[0], 0) < 2:
            return None
        latitude, longitude = _angles(parts[anchor - 1], parts[anchor + 1])
        if not latitude or not longitude:
            return None
        if parts[anchor] == b"S":
            latitude = -latitude
        if parts[anchor + 2] == b"W":
            longitude = -longitude
        knots = gsm.e7(parts[anchor + 6]) or 0
        dilution = gsm.e7(parts[anchor + 9]) or 100000000
        time_ms = gsm.fix_ms(parts[anchor + 3], parts[anchor + 4])
        # 5 m for a dilution of one; a knot is 51.4444 cm/s
        return latitude, longitude, dilution * 50 // 10000000, time_ms, knots * 514444 // 100000000000


def _angles(latitude, longitude):
    # Degrees, or degrees and minutes: a latitude has more than two digits before the point only in the latter.
    if len(latitude.partition(b".")[0]) > 2:
        return gsm.e7_from_minutes(latitude), gsm.e7_from_minutes(longitude)
    return gsm.e7(latitude), gsm.e7(longitude)


def ucs2(text):
    """Return text as hexadecimal UCS2 in bytes; what needs two units becomes a question mark."""
    return b"".join(b"%04X" % (ord(char) if ord(char) < 65536 else 63) for char in text)
