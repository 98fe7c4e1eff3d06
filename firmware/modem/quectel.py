"""The Quectel dialect (EC200U, EC200N, EC800M, EC800G, EG800K, EG912, EG915): what is spoken while the data call is up; see
modem.simcom for what a dialect is. Holds no state.

Sources: EC200U and EG915U TCP/IP application note V1.1, EC200U-CN release notes, logs of EC800M-CN and EG800K-CN. Times are in ms.
"""

from micropython import const

from modem.at import numbers

_QUICK_MS = const(2000)


class Quectel:
    """Quectel's Cat1 modules, sockets in buffer mode; one instance may serve several modems."""

    NAME = "quectel"

    URCS = (
        b'+QIURC:"recv",\narrived\n'  # once, until the modem's buffer has been read empty
        b'+QIURC:"closed",\nclosed\n'  # what arrived before can still be read
        b'+QIURC:"pdpdeact",1\ncall_lost\n'
        b'+QIURC:"dnsgip","\nresolved\n'  # the first of the addresses counts
        b'+QIURC:"dnsgip",5\nresolved\n'  # an error, 550 and on
        b"+QIURC:\n\n"
        b"+QIOPEN:\nopened\n"
        b"+CEREG:\nregistration\n"
        b"+CPIN:\nsim\n"
        b"RDY\nboot\n"
        b"+QIND:SMS DONE\ncheck\n"
        b"+QIND:PB DONE\ncheck\n"
        b"+QIND:\n\n"
        b"POWERED DOWN\ncheck\n"
        b"+QUSIM:\n\n"
        b"+QTTS:\nspoken\n"
        b"+QLBS:\nlocated\n"
        b"+QCELLLOC:\nlocated\n"
        b"+QNTP:\ntime_set\n"
        b"+QGPS:\n\n"
    )
    RAWS = b"+QIRD:\n0\n"  # got, for UDP the peer, and then `got` bytes
    FINALS = b"SEND OK\n+\nSEND FAIL\n-\n"

    LINKS = 4  # of the twelve the modem has
    PIECE = 1460  # bytes a send or a read; a read takes 1500
    SENT_BY_URC = False
    LINK_MS = 30000
    CLOSE_MS = 12000

    SIGNAL = (b"AT+CSQ", b"+CSQ:", _QUICK_MS)
    REGISTRATION = (b"AT+CEREG?", b"+CEREG:", _QUICK_MS, 1)
    PROBES = (SIGNAL, REGISTRATION)  # two whose answers differ
    QUALITY = (b"AT+CESQ", b"+CESQ:", _QUICK_MS)
    SIM = (b"AT+CPIN?", b"+CPIN:")

    def send(self, link, count, address=None, port=0):
        """Return the row that asks for the prompt to `count` bytes, for UDP with where they go."""
        row = b"AT+QISEND=%d,%d" % (link, count)
        if address:
            row += b',"%s",%d' % (address.encode(), port)
        return row, None, 15000

    def read(self, link, count):
        """Return the row that reads up to `count` bytes."""
        return b"AT+QIRD=%d,%d" % (link, count), b"+QIRD:"

    def unread(self, value):
        """Return the bytes to read on for, from the value of a read's answer: as many as it got, for only a read that
        gets nothing lets the modem tell of new ones."""
        return numbers(value)[0] or 0

    def close(self, link):
        """Return the row that closes a link; blocks for 10 s at most."""
        return b"AT+QICLOSE=%d" % link, None, 12000


Dialect = Quectel  # what modem.family takes
