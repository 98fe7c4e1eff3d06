"""The ESP32's `socket` while no network interface is up: the names are there, nothing can be reached.

The terminal's sockets come from its modem. A firmware that reached for the host's network would pass every
test on a host and do nothing on a board; here it fails as it would there.
"""

from usocket import AF_INET, AF_INET6, SO_REUSEADDR, SOCK_DGRAM, SOCK_STREAM, SOL_SOCKET  # noqa: F401

_EHOSTUNREACH = 113
_EAI_FAIL = -202

IPPROTO_TCP = 6
IPPROTO_UDP = 17


def getaddrinfo(host, port, *rest):
    """Raise what the chip raises when there is no name server to ask."""
    raise OSError(_EAI_FAIL)


class socket:  # noqa: N801
    """A socket that reaches nobody."""

    def __init__(self, *rest):
        pass

    def setblocking(self, flag):
        """Nothing to block on."""

    def settimeout(self, seconds):
        """Nothing to wait for."""

    def setsockopt(self, *rest):
        """No effect."""

    def connect(self, address):
        """Raise EHOSTUNREACH."""
        raise OSError(_EHOSTUNREACH)

    bind = sendto = connect

    def close(self):
        """Nothing to close."""
