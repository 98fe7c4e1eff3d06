"""UDP on the modem's own stack. Imported when the first such socket is opened."""

from modem.sockets import Socket


class Datagrams(Socket):
    """A UDP socket on a local port. Made by Modem.udp()."""

    _peer = ()  # (address, port) last sent to

    async def sendto(self, buffer, address, port):
        """Send buffer as one datagram to an address. Raises ModemError."""
        async with self._lock:
            self._peer = (address, port)
            await self._write_piece(buffer, address, port)

    async def recvfrom(self, buffer, timeout_ms=None):
        """Read what is there; return (count, address, port), the peer being the one last sent to."""
        return (await self.readinto(buffer, timeout_ms),) + self._peer
