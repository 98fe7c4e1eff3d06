"""machine.UART on the host: a pty that `uart<N>` in the chip's state directory links to.

State: the open pty, and bytes taken from it that nobody has read yet: in a buffer made when this is imported, as the chip's
driver has its own outside MicroPython's heap. Imported by `machine.py` only.
"""

import io
import select
import termios

import hanma_port
import utime

_UART_FIFO = 128  # bytes the UART hardware holds before the driver's buffer
_STREAM_POLL = 3
_STREAM_GET_FILENO = 10
_TCSAFLUSH = 2
_VMIN = 6
_VTIME = 5
_lost = bytearray(64)
_spare = [bytearray(4096 + _UART_FIFO)]  # for the first UART that asks for so much


def _speed(baudrate):
    """Return termios' code of a baud rate, or None where this port does not name it."""
    return {19200: 14, 38400: 15}.get(baudrate) or getattr(termios, "B" + str(baudrate), None)


class UART(io.IOBase):
    """A UART on the pty that `uart<N>` links to; silent when there is none.

    asyncio waits for the pty itself (poll), so a byte wakes its task at once. What arrives while nobody reads
    is limited to rxbuf as in the chip's driver: the rest is dropped without a word.
    """

    INV_TX = 32
    INV_RX = 4
    RTS = 1
    CTS = 2
    IRQ_RXIDLE = 4096
    IRQ_RX = 1
    IRQ_BREAK = 128

    def __init__(self, id, baudrate=115200, **settings):
        if not 0 <= id <= 2:
            raise ValueError("UART(%d) does not exist" % id)
        self._id = id
        self._room = b""
        self._kept = 0  # bytes of the room that were taken from the pty and are not read yet
        self._file = None
        self._rxbuf = 256
        self._timeout_ms = 0
        self._baudrate = baudrate
        self.init(baudrate, **settings)

    def init(self, baudrate=None, bits=8, parity=None, stop=1, **settings):
        """Configure; what is not given stays. Bytes that came before are gone."""
        self._baudrate = baudrate or self._baudrate
        self._rxbuf = settings.get("rxbuf", self._rxbuf)
        self._timeout_ms = settings.get("timeout", self._timeout_ms)
        if self._rxbuf <= _UART_FIFO:
            raise ValueError("rxbuf must be larger than the FIFO")
        if len(self._room) != self._rxbuf + _UART_FIFO:
            fits = _spare and len(_spare[0]) == self._rxbuf + _UART_FIFO
            self._room = _spare.pop() if fits else bytearray(self._rxbuf + _UART_FIFO)
        if self._file is None:
            self._open()
        self._configure()
        self._kept = 0

    def deinit(self):
        """Let go of the pty."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _open(self):
        """Open the pty, or the pipe nobody writes to when no modem is wired to this UART."""
        base = hanma_port.STATE + "/"
        try:
            self._file = hanma_port.open_host(base + "uart" + str(self._id), "r+b")
            self._silent = False
        except OSError:
            self._file = hanma_port.open_host(base + "silence", "r+b")
            self._silent = True
        self._poll = select.poll()
        self._poll.register(self._file, select.POLLIN)
        self._emptied_ms = utime.ticks_ms()

    def _configure(self):
        """Set the pty raw, at this speed (the modem's side can read it there), with reads that never wait."""
        if self._silent:
            return
        fd = self._file.fileno()
        termios.setraw(fd)
        settings = termios.tcgetattr(fd)
        speed = _speed(self._baudrate)
        if speed is not None:
            settings[4] = settings[5] = speed
        settings[6][_VMIN] = settings[6][_VTIME] = 0
        termios.tcsetattr(fd, _TCSAFLUSH, settings)

    def _take(self, buffer):
        """Read what the pty has into buffer; 0 when nothing is there. A pty that hung up is opened anew."""
        if self._silent:
            return 0
        try:
            return self._file.readinto(buffer) or 0
        except OSError:
            self._file.close()
            self._open()
            self._configure()
            return 0

    def _overrun(self):
        """Return whether more than rxbuf can have arrived since the pty was last seen empty."""
        waited_ms = utime.ticks_diff(utime.ticks_ms(), self._emptied_ms) * hanma_port.FACTOR
        return waited_ms * self._baudrate > self._rxbuf * 10000

    def _gather(self):
        """Take all that is waiting, keep as much as the chip's driver would have kept."""
        view = memoryview(self._room)
        while True:
            count = self._take(view[self._kept :]) if self._kept < len(view) else 0
            if not count:
                break
            self._kept += count
        while self._kept == len(view) and self._take(_lost):
            pass
        self._emptied_ms = utime.ticks_ms()

    def any(self):
        """Return how many bytes are waiting."""
        self._gather()
        return self._kept

    def _await_first(self):
        """Wait for a first byte as long as the timeout says."""
        if self._timeout_ms and not self._kept:
            self._poll.poll(self._timeout_ms // hanma_port.FACTOR)

    def readinto(self, buffer, size=None):
        """Read into buffer, at most size bytes; None when nothing is there."""
        self._await_first()
        view = memoryview(buffer)
        if size is not None:
            view = view[:size]
        if self._kept or self._overrun():
            return self._read_kept(view)
        count = self._take(view)
        if count < len(view):
            self._emptied_ms = utime.ticks_ms()
        return count or None

    def _read_kept(self, view):
        """Read from what was taken before, after taking what came since."""
        self._gather()
        count = min(len(view), self._kept)
        room = memoryview(self._room)
        view[:count] = room[:count]
        self._kept -= count
        room[: self._kept] = room[count : count + self._kept]
        return count or None

    def read(self, size=-1):
        """Return bytes, all that wait or at most size; None when nothing is there."""
        if size < 0:
            size = max(1, self.any())
        block = bytearray(size)
        count = self.readinto(block)
        return bytes(memoryview(block)[:count]) if count else None

    def readline(self):
        """Return bytes up to a line end or to what has arrived; None when nothing is there."""
        if not self.any():
            return None
        end = self._room.find(b"\n", 0, self._kept)
        return self.read(end + 1 if end >= 0 else self._kept)

    def write(self, data):
        """Write bytes and return how many."""
        if self._silent:
            return len(data)
        try:
            return self._file.write(data)
        except OSError:
            return len(data)

    def flush(self):
        """Wait until all is sent; here it already is."""

    def txdone(self):
        """Return whether all is sent."""
        return True

    def ioctl(self, request, argument):
        """Give poll() the pty itself, or answer it from what was taken before."""
        if request == _STREAM_GET_FILENO:
            return -1 if self._kept else self._file.fileno()
        if request == _STREAM_POLL:
            return argument & (select.POLLOUT | (select.POLLIN if self._kept else 0))
        return 0
