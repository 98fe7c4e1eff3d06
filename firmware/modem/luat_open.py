"""The Luat dialect, while a link is opened: names, connections, why they fail. Borrowed.

Source: openLuat's AT command manual. Times are in ms.
"""

from modem.at import text

ERRORS = {}  # the modem never tells why
RESOLVE_MS = 0  # the answer has the address
NAME_SERVERS = (b'AT+CDNSCFG="223.5.5.5","114.114.114.114"',)
udp = None  # its UDP links have one peer, named when they are opened


def tcp(link, address, port):
    """Return the row that starts a TCP connection; the URC `opened` or `closed` tells its end."""
    return (b'AT+CIPSTART=%d,"TCP","%s","%d"' % (link, address.encode(), port),)


def resolve(host):
    """Return the row that asks for a name's address, which comes behind the OK."""
    return b'AT+CDNSGIP="%s"' % host.encode(), b"+CDNSGIP:", 20000, -1


def address(value):
    """Return the address as text from the value of resolve's answer, None when the name has none."""
    parts = value.split(b",")
    return text(parts[2]) if parts[0] == b"1" and len(parts) > 2 else None
