"""What a Luat modem does with received data before they stand in its queues. Pure."""

from host_tests.sim.links import RX_LIMIT, Links

NUMBERS = 6  # 0..5, though the test command says 7
_LINE_END = b"\r\n"


class LuatLinks(Links):
    """All sockets of one modem; the switches of reception are those of its `sockets` part."""

    def _received(self, handle, data, ip, port):
        number = self.find(handle)
        if number is None:
            return
        core = self._core
        link, sockets = self.sockets[number], core.sockets
        if sockets.counts_line_end and len(data) + len(_LINE_END) + len(link.rx) <= RX_LIMIT:
            data = bytes(data) + _LINE_END
        before = _queued(link)
        super()._received(handle, data, ip, port)
        told = before == 0 or "recv_each" in core.faults.active
        if sockets.each and not told and _queued(link) > before:
            self.notify(number)


def _queued(link):
    return len(link.rx) + len(link.datagrams)
