"""The simulated modem's network on CPython: every link is a real TCP connection or UDP socket.

A link that dies without order (bearer lost, modem off) leaves its connection open and unanswered, as a peer
in the field sees it: the peer finds out by its own time-outs, and what it sends meanwhile is thrown away.
"""

import socket

_TX_LIMIT = 10240
_READ = 4096
_ORPHANS = 32
_REFUSED, _FAILED = 1, 5


class _Connection:
    """One link's socket, what is still to be written to it, and how much it has taken."""

    def __init__(self, kind, sock):
        self.kind = kind
        self.sock = sock
        self.out = bytearray()
        self.written = 0
        self.task = None
        self.reading = False


class RealNetwork:
    """Sockets on an asyncio loop; the shell gives the time and is told when the modem may have output."""

    def __init__(self, loop):
        self._loop = loop
        self._connections = {}
        self._orphans = []

    def attach(self, shell):
        """Name the shell: shell.core, shell.now_ms(), shell.flush()."""
        self._shell = shell

    # --- what the modem asks ------------------------------------------------------------------------------

    def open(self, handle, kind, ip, port, local_port):
        """Begin to connect; net_opened follows for TCP."""
        if kind == "UDP":
            self._open_udp(handle, local_port)
            return
        sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection = self._connections[handle] = _Connection(kind, sock)
        connection.task = self._loop.create_task(self._connect(handle, connection, ip, port))

    def send(self, handle, data, ip, port):
        """Write or queue; returns 0 when the queue is full."""
        connection = self._connections.get(handle)
        if connection is None:
            return 0
        if connection.kind == "UDP":
            self._send_datagram(connection, data, ip, port)
            return len(data)
        if len(connection.out) + len(data) > _TX_LIMIT:
            return 0
        connection.out += data
        self._write(handle, connection)
        return len(data)

    def close(self, handle, orderly):
        """End a link; without order its peer is left in the dark."""
        connection = self._connections.pop(handle, None)
        if connection is None:
            return
        if connection.task and not connection.task.done():
            connection.task.cancel()
            orderly = True
        self._loop.remove_writer(connection.sock)
        self._loop.remove_reader(connection.sock)
        if orderly or connection.kind == "UDP":
            connection.sock.close()
        else:
            self._abandon(connection.sock)

    def room(self, handle, room):
        """The modem can take more: listen to the peer again."""
        connection = self._connections.get(handle)
        if connection and room > 0 and not connection.reading:
            connection.reading = True
            self._loop.add_reader(connection.sock, self._readable, handle, connection)

    def close_all(self):
        """End everything, at the simulator's end."""
        for handle in list(self._connections):
            self.close(handle, True)
        for sock in self._orphans:
            self._loop.remove_reader(sock)
            sock.close()
        self._orphans.clear()

    # --- TCP ----------------------------------------------------------------------------------------------

    async def _connect(self, handle, connection, ip, port):
        error = 0
        try:
            await self._loop.sock_connect(connection.sock, (ip, port))
        except ConnectionRefusedError:
            error = _REFUSED
        except OSError:
            error = _FAILED
        if error:
            self._connections.pop(handle, None)
            connection.sock.close()
        links = self._shell.core.links
        links.net_opened(self._shell.now_ms(), handle, error)
        self._shell.flush()
        if not error:
            self.room(handle, links.room(handle))

    def _readable(self, handle, connection):
        links = self._shell.core.links
        room = links.room(handle)
        if room <= 0 and connection.kind == "TCP":
            connection.reading = False
            self._loop.remove_reader(connection.sock)
            return
        try:
            if connection.kind == "UDP":
                self._take_datagram(handle, connection)
                return
            data = connection.sock.recv(min(room, _READ))
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if data:
            links.net_received(self._shell.now_ms(), handle, data)
        else:
            self._end(handle, connection)
        self._shell.flush()

    def _end(self, handle, connection):
        self._loop.remove_reader(connection.sock)
        self._loop.remove_writer(connection.sock)
        self._connections.pop(handle, None)
        connection.sock.close()
        self._shell.core.links.net_closed(self._shell.now_ms(), handle)

    def _write(self, handle, connection):
        try:
            count = connection.sock.send(connection.out)
        except BlockingIOError:
            count = 0
        except OSError:
            return  # the reader sees the end
        del connection.out[:count]
        connection.written += count
        if connection.out:
            self._loop.add_writer(connection.sock, self._write, handle, connection)
        else:
            self._loop.remove_writer(connection.sock)
        self._shell.core.links.net_acked(self._shell.now_ms(), handle, connection.written)

    # --- UDP ----------------------------------------------------------------------------------------------

    def _open_udp(self, handle, local_port):
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.setblocking(False)
        try:
            sock.bind(("0.0.0.0", local_port))
        except OSError:  # another program of this machine has the port
            sock.bind(("0.0.0.0", 0))
        self._connections[handle] = _Connection("UDP", sock)
        self.room(handle, 1)

    def _send_datagram(self, connection, data, ip, port):
        try:
            connection.sock.sendto(data, (ip, port))
        except OSError:
            return  # a datagram may get lost

    def _take_datagram(self, handle, connection):
        data, (ip, port) = connection.sock.recvfrom(_READ)
        self._shell.core.links.net_received(self._shell.now_ms(), handle, data, ip, port)
        self._shell.flush()

    # --- orphans ------------------------------------------------------------------------------------------

    def _abandon(self, sock):
        self._orphans.append(sock)
        self._loop.add_reader(sock, self._swallow, sock)
        if len(self._orphans) > _ORPHANS:
            self._bury(self._orphans[0])

    def _swallow(self, sock):
        try:
            if sock.recv(_READ):
                return
        except BlockingIOError:
            return
        except OSError:
            pass
        self._bury(sock)

    def _bury(self, sock):
        self._orphans.remove(sock)
        self._loop.remove_reader(sock)
        sock.close()
