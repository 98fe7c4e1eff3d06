"""The SIMCom A76xx dialect, while a link is opened: names, connections, why they fail. Borrowed.

Source: A76XX Series TCPIP Application Note V1.02. Times are in ms.
"""

from modem.at import text

ERRORS = {1: "refused", 2: "no_data_call", 8: "busy", 9: "no_socket", 10: "timeout", 11: "dns"}  # of the URC `opened`
RESOLVE_MS = 0  # the answer has the address
NAME_SERVERS = (b'AT+CDNSCFG="223.5.5.5","114.114.114.114"',)


def tcp(link, address, port):
    """Return the row that starts a TCP connection; the URC `opened` tells its end."""
    return (b'AT+CIPOPEN=%d,"TCP","%s",%d' % (link, address.encode(), port),)


def udp(link, local_port):
    """Return the row that opens a UDP socket; the URC `opened` may come before its result."""
    return (b'AT+CIPOPEN=%d,"UDP",,,%d' % (link, local_port),)


def resolve(host):
    """Return the row that asks for a name's address."""
    return b'AT+CDNSGIP="%s"' % host.encode(), b"+CDNSGIP:", 20000


def address(value):
    """Return the address as text from the value of resolve's answer, None when the name has none."""
    parts = value.split(b",")
    return text(parts[2]) if parts[0] == b"1" and len(parts) > 2 else None
