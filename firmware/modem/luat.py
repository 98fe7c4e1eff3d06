"""The Luat dialect (AirM2M Air724UG, Air780E, EP, EG): what is spoken while the data call is up; see modem.simcom for what a
dialect is. Holds no state.

Source: openLuat's AT command manual (luatos-doc-pool, Command_List), a trace of an Air780EP. Times are in ms.
"""

from micropython import const

from modem.at import numbers

_QUICK_MS = const(2000)


class Luat:
    """AirM2M modules with the AT firmware; one instance may serve several modems."""

    NAME = "luat"

    URCS = (
        b"+CIPRXGET:1,\narrived\n"
        b"0, CONNECT OK\nopened\n"
        b"0, CONNECT FAIL\nclosed\n"
        b"0, ALREADY CONNECT\nclosed\n"  # somebody's old connection, not the one asked for: it is closed and given up
        b"0, CLOSED\nclosed\n"
        b"+PDP:\ncall_lost\n"
        b"+CEREG:\nregistration\n"
        b"+CPIN:\nsim\n"
        b"RDY\nboot\n"  # once or twice; what comes before it is no text
        b"^MODE:\ncheck\n"
        b"+CTTS:\nspoken\n"
        b"+CIPGSMLOC:\nlocated\n"
        b"STATE:\n\n"
        b"C:\n\n"  # a link, behind STATE
    )
    RAWS = b"+CIPRXGET:2,\n1\n"  # link,got,rest and then `got` bytes
    FINALS = b"0, SEND OK\n+\n0, SEND FAIL\n-\nDATA ACCEPT:\n+\n0, CLOSE OK\n+\nSHUT OK\n+\nNORMAL POWER DOWN\n+\n"

    LINKS = 4  # of the six the manual promises
    PIECE = 1460  # bytes a send or a read
    SENT_BY_URC = False  # sends and closes are over with their results
    LINK_MS = 45000  # to open a link, and to send: a cell location may hold up everything for 35 s
    CLOSE_MS = 12000

    SIGNAL = (b"AT+CSQ", b"+CSQ:", _QUICK_MS)
    REGISTRATION = (b"AT+CEREG?", b"+CEREG:", _QUICK_MS, 1)
    PROBES = (SIGNAL, REGISTRATION)  # two whose answers differ
    QUALITY = (b"AT+CESQ", b"+CESQ:", _QUICK_MS)
    SIM = (b"AT+CPIN?", b"+CPIN:")

    def send(self, link, count):
        """Return the row that asks for the prompt to `count` bytes. Its line ends in both characters: behind a bare
        carriage return the modem swallows a payload's first line feed."""
        return b"AT+CIPSEND=%d,%d\r\n" % (link, count), None, 15000

    def read(self, link, count):
        """Return the row that reads up to `count` bytes."""
        return b"AT+CIPRXGET=2,%d,%d" % (link, count), b"+CIPRXGET:2,%d," % link

    def unread(self, value):
        """Return the bytes still in the modem, from the value of a read's answer, `got,rest`."""
        return numbers(value)[-1] or 0

    def close(self, link):
        """Return the row that closes a link."""
        return b"AT+CIPCLOSE=%d" % link, None, 12000


Dialect = Luat  # what modem.family takes
