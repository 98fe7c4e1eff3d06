"""The Quectel dialect, while a link is opened: names, connections, why they fail. Borrowed.

Source: EC200U and EG915U TCP/IP application note V1.1, chapter of the result codes. Times are in ms.
"""

from modem.at import text

ERRORS = {  # of the URC `opened`
    553: "busy", 564: "busy", 568: "busy",
    561: "no_data_call", 562: "no_data_call", 570: "no_data_call", 572: "no_data_call", 573: "no_data_call",
    563: "no_socket", 565: "dns", 566: "refused", 569: "timeout",
}  # fmt: skip
NAME_SERVERS = (b'AT+QIDNSCFG=1,"223.5.5.5","114.114.114.114"',)
RESOLVE_MS = 60000  # until the URC `resolved`


def tcp(link, address, port):
    """Return the row that starts a TCP connection in buffer mode; the URC `opened` tells its end."""
    return (b'AT+QIOPEN=1,%d,"TCP","%s",%d,0,0' % (link, address.encode(), port),)


def udp(link, local_port):
    """Return the row that opens a UDP socket that takes datagrams from anybody; the URC `opened` tells its end."""
    return (b'AT+QIOPEN=1,%d,"UDP SERVICE","127.0.0.1",0,%d,0' % (link, local_port),)


def resolve(host):
    """Return the row that asks for a name's address; the URC `resolved` has it."""
    return (b'AT+QIDNSGIP=1,"%s"' % host.encode(),)


def address(value):
    """Return the address as text from the value of the URC, None when the name has none."""
    found = text(value)
    return found if found.count(".") == 3 and found.replace(".", "").isdigit() else None
