"""The cable between a board and a computer: a pty that can be pulled out and plugged in again.

State: the pty's master side and what waits to be sent. As on a real cable, what the board says while no program on the computer
has the port open is lost. The port's path is a link that stays the same; `pts` is the pty it leads to now.
"""

import collections
import contextlib
import os
import pathlib
import select
import tty

_LOOK_S = 0.02  # a pty tells nobody that its other side is opened; asked for that often while nobody has it open
_WAITING_MOST_B = 65536


class Cable:
    """on_data(bytes): from the computer. on_room(): what waited is sent."""

    def __init__(self, loop, path, on_data, on_room):
        self.path = pathlib.Path(path)
        self.pts = None
        self.received = self.sent = 0  # bytes from and to the computer, ever
        self._loop, self._on_data, self._on_room = loop, on_data, on_room
        self._master = None
        self._waiting = collections.deque()
        self._waiting_b = 0
        self._unplug_at = None
        self._look_again = None

    @property
    def is_plugged(self):
        """Whether there is a port on the computer."""
        return self._master is not None

    @property
    def is_full(self):
        """Whether the computer reads more slowly than the board writes."""
        return self._waiting_b > _WAITING_MOST_B

    def plug(self):
        """Plug it in: the port is there, nobody has it open."""
        if self.is_plugged:
            raise ValueError("the cable is plugged in")
        self._master, slave = os.openpty()
        tty.setraw(slave)
        self.pts = os.ttyname(slave)
        os.close(slave)
        os.set_blocking(self._master, False)
        fresh = self.path.with_suffix(".new")
        fresh.unlink(missing_ok=True)
        fresh.symlink_to(self.pts)
        fresh.replace(self.path)
        self._look()

    def unplug(self):
        """Pull it out: the port is gone, whoever has it open gets an error."""
        if not self.is_plugged:
            raise ValueError("the cable is not plugged in")
        self._forget()
        if self._look_again:
            self._look_again.cancel()
        self._loop.remove_reader(self._master)
        os.close(self._master)
        self._master = self.pts = self._unplug_at = None
        self.path.unlink(missing_ok=True)

    def unplug_after(self, count):
        """Pull it out when the computer has sent so many bytes more."""
        self._unplug_at = self.received + count

    def close(self):
        """Pull it out for good."""
        if self.is_plugged:
            self.unplug()

    # The computer's side

    def _events(self):
        poll = select.poll()
        poll.register(self._master, select.POLLIN)
        return dict(poll.poll(0)).get(self._master, 0)

    def _look(self):
        """See whether somebody has opened the port; from then on wait for what comes."""
        self._look_again = None
        events = self._events()
        if not events & select.POLLHUP:
            self._loop.add_reader(self._master, self._read)
            return
        self._look_again = self._loop.call_later(_LOOK_S, self._look)
        if events & select.POLLIN:
            self._read()

    def _read(self):
        try:
            data = os.read(self._master, 4096)
        except BlockingIOError:
            return
        except OSError:  # closed over there
            self._forget()
            if self._loop.remove_reader(self._master):
                self._look()
            return
        if self._unplug_at is not None and self.received + len(data) >= self._unplug_at:
            data = data[: self._unplug_at - self.received]
            self._unplug_at = None
            self._loop.call_soon(self.close)
        self.received += len(data)
        self._on_data(data)

    # The board's side

    def write(self, data):
        """Send bytes; they are lost when nobody has the port open."""
        if not self.is_plugged or self._events() & select.POLLHUP:
            self._forget()
            return
        self._waiting.append(data)
        self._waiting_b += len(data)
        self._send()

    def _send(self):
        self._loop.remove_writer(self._master)
        while self._waiting:
            data = self._waiting.popleft()
            count = 0
            with contextlib.suppress(BlockingIOError):
                count = os.write(self._master, data)
            self._waiting_b -= count
            self.sent += count
            if count < len(data):
                self._waiting.appendleft(data[count:])
                self._loop.add_writer(self._master, self._send)
                return
        self._on_room()

    def _forget(self):
        """Nobody listens: what waits is lost."""
        self._waiting.clear()
        self._waiting_b = 0
        if self.is_plugged:
            self._loop.remove_writer(self._master)
        self._on_room()
