"""The simulator's shell on CPython: a pty at the modem's baud rate around the pure core.

Owns the pty, the wire's pace in both directions, the cutting of replies into random pieces, and the timer
that drives the core. A byte needs ten bit times; a piece appears at the host when its last byte has left
the wire. Real time is multiplied by `speed`: timings, baud rate and the world's clock all run that much
faster.
"""

import asyncio
import ctypes
import fcntl
import os
import random
import selectors
import struct
import sys
import termios
import time
import tty

_PIECE = 64  # largest piece of a reply
_TAKE = 256  # most bytes taken from the host at once: they count as arrived when the last one has
_BITS = 10  # a byte on the wire: start, eight, stop
_AUTO_BAUD = 115200
_PR_SET_TIMERSLACK = 29
_SPEEDS = {
    getattr(termios, "B%d" % rate): rate
    for rate in (9600, 19200, 38400, 57600, 115200, 230400, 460800, 921600, 3000000)
    if hasattr(termios, "B%d" % rate)
}


def new_event_loop():
    """Return an event loop whose timers are good to well under a millisecond.

    epoll waits whole milliseconds; select() takes microseconds, and Linux may be asked not to be slack
    about them.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_TIMERSLACK, 1, 0, 0, 0)
    return asyncio.SelectorEventLoop(selectors.SelectSelector())


class Shell:
    """A core on a pty."""

    def __init__(self, loop, core, seed, speed=1.0, link=None, host_buffer=0, whole=False):
        self._loop = loop
        self.core = core
        self._random = random.Random(seed)
        self._speed = speed
        self._host_buffer = host_buffer
        self._whole = whole
        self._start = loop.time()
        self._in_free = self._out_free = 0.0  # loop time at which either direction of the wire falls silent
        self._out = bytearray()
        self._piece_timer = None
        self._core_timer = None
        self._core_due = None
        self._open(link)

    def _open(self, link):
        self._master, self._slave = os.openpty()  # the slave stays open here: the pty outlives its users
        tty.setraw(self._slave)
        os.set_blocking(self._master, False)
        self._set_speed(self.core.baud or _AUTO_BAUD)
        self.tty = os.ttyname(self._slave)
        self._link = link
        if link:
            if os.path.islink(link):
                os.unlink(link)
            os.symlink(self.tty, link)
        self._loop.add_reader(self._master, self._readable)

    def close(self):
        """Give everything back."""
        self._loop.remove_reader(self._master)
        for timer in (self._piece_timer, self._core_timer):
            if timer:
                timer.cancel()
        if self._link and os.path.islink(self._link):
            os.unlink(self._link)
        os.close(self._slave)
        os.close(self._master)

    # --- time ---------------------------------------------------------------------------------------------

    def now_ms(self):
        """Return the simulator's time in milliseconds since its start."""
        return int((self._loop.time() - self._start) * 1000 * self._speed + 0.001)

    def real_s(self, ms):
        """Return how many real seconds a span of the simulator's milliseconds takes."""
        return ms / (1000 * self._speed)

    def at_unix_us(self, unix_us):
        """Return the simulator's time at a moment of real time, in milliseconds."""
        ago_ms = (time.time_ns() // 1000 - unix_us) / 1000
        return max(0, int(self.now_ms() - ago_ms * self._speed))

    def post(self, call, *arguments):
        """Carry something out in the core now; what it raises is raised here."""
        failure = []

        def guarded():
            try:
                call(*arguments)
            except Exception as error:  # whoever asked gets it back below
                failure.append(error)

        self.core.post(self.now_ms(), guarded)
        self.flush()
        if failure:
            raise failure[0]

    def flush(self, when=None):
        """Put the core's output on the wire and set the timer for what it does next."""
        if self.core.has_output:
            self._out += self.core.take()
            if self._piece_timer is None:
                self._next_piece(self._loop.time() if when is None else when)
        due_ms = self.core.next_ms(0)
        if due_ms != self._core_due:
            self._arm(due_ms)

    def _arm(self, due_ms):
        if self._core_timer:
            self._core_timer.cancel()
            self._core_timer = None
        self._core_due = due_ms
        if due_ms is not None:
            self._core_timer = self._loop.call_at(self._start + due_ms / (1000 * self._speed), self._due)

    def _due(self):
        self._core_timer = self._core_due = None
        self.core.advance(self.now_ms())
        self.flush()

    # --- from the host ------------------------------------------------------------------------------------

    def _byte_s(self):
        return _BITS / ((self.core.baud or _AUTO_BAUD) * self._speed)

    def _readable(self):
        try:
            data = os.read(self._master, _TAKE)
        except (BlockingIOError, OSError):
            return
        self._in_free = max(self._in_free, self._loop.time()) + len(data) * self._byte_s()
        self._loop.remove_reader(self._master)  # the rest waits in the pty, as in a UART's transmit buffer
        self._loop.call_at(self._in_free, self._arrived, data, self._in_free)

    def _arrived(self, data, when):
        self.core.feed(self.now_ms(), data, self._host_baud())
        self._loop.add_reader(self._master, self._readable)
        self.flush(when)

    def _host_baud(self):
        """Return the rate the pty's user has set, or None when it is an unusual one."""
        return _SPEEDS.get(termios.tcgetattr(self._slave)[4])

    def _set_speed(self, baud):
        attributes = termios.tcgetattr(self._slave)
        attributes[4] = attributes[5] = getattr(termios, "B%d" % baud)
        termios.tcsetattr(self._slave, termios.TCSANOW, attributes)

    # --- to the host --------------------------------------------------------------------------------------

    def _next_piece(self, when):
        """Cut off the next piece; it is written when its last byte has left the wire."""
        size = len(self._out) if self._whole else self._random.randint(1, _PIECE)
        piece = bytes(self._out[:size])
        del self._out[:size]
        self._out_free = max(self._out_free, when) + len(piece) * self._byte_s()
        self._piece_timer = self._loop.call_at(self._out_free, self._emit, piece)

    def _emit(self, piece):
        self._piece_timer = None
        if self._host_baud() not in (None, self.core.baud) and self.core.baud:
            piece = bytes(self._random.randrange(128, 256) for _ in piece)
        if not self._full(piece):
            try:
                written = os.write(self._master, piece)
            except BlockingIOError:
                written = 0
            self.core.counters["uart_lost"] += len(piece) - written
        if self._out:
            self._next_piece(self._out_free)

    def _full(self, piece):
        """Whether the host's receive buffer would overflow: a UART without flow control loses."""
        if not self._host_buffer:
            return False
        waiting = struct.unpack("i", fcntl.ioctl(self._slave, termios.FIONREAD, b"\0\0\0\0"))[0]
        if waiting + len(piece) <= self._host_buffer:
            return False
        self.core.counters["uart_lost"] += len(piece)
        return True


class PowerFile:
    """Follows a chip's log of pin edges and presses the power key when its pin says so.

    Lines are {"t_us": real unix microseconds, "pin": number, "level": 0|1}; the edges' own times are used,
    so a short pulse keeps its length however late it is read.
    """

    PERIOD_S = 0.02

    def __init__(self, shell, path, pin, active, decode):
        self._shell = shell
        self._path = path
        self._pin = pin
        self._active = active
        self._decode = decode
        self._at = 0
        self._rest = b""

    async def run(self):
        """Read for ever."""
        while True:
            self.poll()
            await asyncio.sleep(self.PERIOD_S)

    def poll(self):
        """Take in what has been written since the last call."""
        try:
            size = os.path.getsize(self._path)
        except OSError:
            return
        if size < self._at:  # a new chip began a new log
            self._at, self._rest = 0, b""
        if size == self._at:
            return
        with open(self._path, "rb") as file:
            file.seek(self._at)
            data = file.read()
        self._at += len(data)
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self._edge(line)

    def _edge(self, line):
        try:
            edge = self._decode(line)
        except ValueError:
            return
        if edge.get("pin") == self._pin:
            self._shell.core.power_key(self._shell.at_unix_us(edge["t_us"]), edge["level"] == self._active)
            self._shell.flush()
