"""The SIMCom A76xx dialect (A7670, A7672, A7608): what is spoken while the data call is up. Holds no state.

Sources: A76XX Series AT Command Manual V1.09, TCPIP V1.02, GNSS, LBS and Audio application notes, A7670 hardware
design V1.06. Times are in ms.

What a dialect is. A class, which the module also calls `Dialect`; its NAME is the family's in modem.family. Tables
for at.Conversation: URCS, RAWS, FINALS. Constants of the sockets. Then commands, as rows for channel.Command: (text,
answer's prefix or None, time-out, commas an answer has at least), shorter where the defaults do; functions that return
such rows; and functions that read the value of an answer or a URC. What is needed now and then is in modules that are
borrowed: <NAME>_up has the hardware's times and the rows that bring the modem up, <NAME>_open opens links, <NAME>_place
tells place and time, <NAME>_speech speaks.
URCs carry these names, whatever the modem calls them, and these values: boot; sim (text of CPIN, empty for no SIM);
registration (stat[,…]); arrived (link[,…]); closed (link[,…]); opened (link,error); released (link,…);
sent (link,asked,confirmed); call (error, 0 open); call_closed; call_lost; spoken (0 done); located; time_set;
gnss_ready; check (something restarted, perhaps the modem); any other name is known and of no interest.
"""

from micropython import const

from modem.at import numbers

_QUICK_MS = const(2000)


class Simcom:
    """SIMCom A76xx; one instance may serve several modems."""

    NAME = "simcom"

    URCS = (
        b"+CIPRXGET:1,\narrived\n"
        b"+CIPSEND:\nsent\n"
        b"+IPCLOSE:\nclosed\n"
        b"+IPCLOSE \nclosed\n"
        b"+CIPOPEN:\nopened\n"
        b"+CIPCLOSE:\nreleased\n"
        b"+CEREG:\nregistration\n"
        b"+CPIN:\nsim\n"
        b"+SIMCARD:NOT AVAILABLE\nsim\n"
        b"+NETOPEN:\ncall\n"
        b"+NETCLOSE:\ncall_closed\n"
        b"+CIPEVENT:\ncall_lost\n"
        b"*ATREADY:\nboot\n"
        b"SMS DONE\ncheck\n"
        b"PB DONE\ncheck\n"
        b"+CTTS:\nspoken\n"
        b"+CLBS:\nlocated\n"
        b"+CNTP:\ntime_set\n"
        b"+CGNSSPWR:READY\ngnss_ready\n"
        b"+IP ERROR:\n\n"
        b"+CIPERROR:\n\n"
    )
    RAWS = b"+CIPRXGET:2,\n1\n"  # link,got,rest and then `got` bytes
    FINALS = b""

    LINKS = 4  # of the ten the modem has
    PIECE = 1460  # bytes a send or a read; the modem takes 1500
    SENT_BY_URC = True  # a send is over with the URC `sent`, a close with `released`, not with their results
    LINK_MS = 30000  # to open a link, and to confirm a send
    CLOSE_MS = 12000

    SIGNAL = (b"AT+CSQ", b"+CSQ:", _QUICK_MS)
    REGISTRATION = (b"AT+CEREG?", b"+CEREG:", _QUICK_MS, 1)
    PROBES = (SIGNAL, REGISTRATION)  # two whose answers differ
    QUALITY = (b"AT+CESQ", b"+CESQ:", _QUICK_MS)
    SIM = (b"AT+CPIN?", b"+CPIN:")

    def send(self, link, count, address=None, port=0):
        """Return the row that asks for the prompt to `count` bytes, for UDP with where they go."""
        row = b"AT+CIPSEND=%d,%d" % (link, count)
        if address:
            row += b',"%s",%d' % (address.encode(), port)
        return row, None, 15000

    def read(self, link, count):
        """Return the row that reads up to `count` bytes."""
        return b"AT+CIPRXGET=2,%d,%d" % (link, count), b"+CIPRXGET:2,%d," % link

    def unread(self, value):
        """Return the bytes still in the modem, from the value of a read's answer, `got,rest`."""
        return numbers(value)[-1] or 0

    def close(self, link):
        """Return the row that closes a link; the URC `released` tells when it is free."""
        return b"AT+CIPCLOSE=%d" % link, None, 12000


Dialect = Simcom  # what modem.family takes
