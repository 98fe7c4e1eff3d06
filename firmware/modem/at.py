"""The AT conversation as a machine of bytes: feed it what the UART gave, it yields what the modem said.

Owns the receive buffers (made once) and what the command in flight waits for. Does no I/O and knows no time.
The shell reads into `window`, calls `feed(count)`, then `next()` until it says NOTHING:

    count = uart.readinto(conversation.window)
    conversation.feed(count)
    while True: kind = conversation.next() ...

A dialect gives three tables: URCS rows (prefix, name, value or None), RAWS rows (prefix, index of the field that
counts the bytes that follow the line), FINALS rows (text, ok). Prefixes are written without the space that some
firmware puts after the first colon; a final that ends in a colon is a prefix, any other a whole line.
Nothing is allocated for counted data, for lines that are dropped, or per byte; `value()` and `text()` allocate.
"""

from micropython import const

NOTHING = 0  # all bytes are used up
LINE = 1  # a line of the answer to the command in flight
FINAL = 2  # the command in flight is over; `ok` tells how
PROMPT = 3  # the modem waits for the payload
URC = 4  # something the modem says by itself; `name` is the dialect's name for it
DATA = 5  # `count` bytes were written to the sink and the line end behind them was there
CORRUPT = 6  # counted data was not followed by a line end, or did not fit: the stream has a hole

_LINES = const(0)
_RAW = const(1)
_TRAILER = const(2)
_RAW_MAX = const(4096)  # no modem hands out more than 1500 at once; a larger count is a damaged header

_FINALS = (
    (b"OK", True),
    (b"ERROR", False),
    (b"+CME ERROR:", False),
    (b"+CMS ERROR:", False),
    (b"NO CARRIER", False),
)


class ModemError(Exception):
    """What the modem room raises: `code`, a short word for the cause, and `doing`, what was being done."""

    def __init__(self, code, doing=""):
        super().__init__(code, doing)
        self.code = code
        self.doing = doing


class Conversation:
    """One UART's AT conversation with at most one command in flight."""

    def __init__(self, dialect, window_bytes=512, line_bytes=192):
        self._urcs = dialect.URCS
        self._raws = dialect.RAWS
        self._finals = _FINALS + dialect.FINALS
        self._buffer = bytearray(window_bytes)
        self.window = memoryview(self._buffer)  # the shell reads into this
        self._at = 0  # next byte of the window to use
        self._end = 0  # end of what was fed
        self._line = bytearray(line_bytes)
        self._view = memoryview(self._line)
        self._fill = 0  # bytes of the line being collected
        self._overflow = False  # it was longer than the buffer
        self._length = 0  # bytes of the line last judged
        self._skip = 0  # where its value begins
        self._fixed = None  # its value where the dialect's table gives one
        self._state = _LINES
        self._left = 0  # counted bytes, or bytes of the trailer, still to come
        self._target = None  # where counted bytes go; None drops them
        self._fits = True
        self.busy = False  # a command is in flight
        self._answer = None
        self._commas = 0
        self._armed = False  # a prompt is awaited
        self._strict = False
        self._sink = None
        self.name = None  # of the last URC
        self.ok = False  # how the last command ended
        self.count = 0  # bytes of the last DATA
        self.unknown = 0  # lines dropped because nobody knows them
        self.overlong = 0  # lines dropped because they exceed the buffer
        self.stale = 0  # answers and results that no command waited for

    def begin(self, answer=None, commas=0, prompt=False, sink=None, strict=False):
        """A command goes out now.

        answer: prefix of its answer lines, b"" for bare ones, None for none; commas: an answer has at least that
        many, a URC of the same prefix fewer; prompt: a `>` will come; sink: takes counted data by
        `write(buffer, offset, count) -> written`; strict: results before the answer are another command's, late.
        """
        self.busy = True
        self._answer = answer
        self._commas = commas
        self._armed = prompt
        self._sink = sink
        self._strict = strict

    def abandon(self):
        """Forget the command in flight and any half-read line or data: it timed out, or the modem rebooted."""
        self._finish()
        self._state = _LINES
        self._target = None
        self._fill = 0
        self._overflow = False

    def feed(self, count):
        """`count` bytes lie at the start of the window; those fed before have been used up."""
        self._at = 0
        self._end = count

    def next(self):
        """Use up bytes until something is to be told; returns its kind, or NOTHING when all are used."""
        while self._at < self._end:
            if self._state == _LINES:
                kind = self._take_line()
            elif self._state == _RAW:
                kind = self._take_data()
            else:
                kind = self._take_trailer()
            if kind:
                return kind
        return NOTHING

    def value(self):
        """Return what follows the matched prefix of the last LINE or URC, as bytes."""
        return bytes(self._view[self._skip : self._length]) if self._fixed is None else self._fixed

    def text(self):
        """Return the whole last line as bytes, without the line end and the space after its first colon."""
        return bytes(self._view[: self._length])

    def _finish(self):
        self.busy = False
        self._answer = None
        self._armed = False
        self._sink = None

    def _take_line(self):
        start = self._at
        stop = self._buffer.find(b"\n", start, self._end)
        whole = stop >= 0
        if not whole:
            stop = self._end
        if self._armed:
            mark = self._buffer.find(b">", start, stop)
            if mark >= 0:
                return self._take_prompt(start, mark)
        self._keep(start, stop)
        self._at = stop + 1 if whole else stop
        return self._judge() if whole else NOTHING

    def _take_prompt(self, start, mark):
        self._keep(start, mark)
        self._tidy()
        if not self._fill:
            self._armed = False
            self._at = mark + 1
            return PROMPT
        if self._is_urc(self._fill):  # glued to a URC: that first, and the prompt at the next look
            self._at = mark
            return self._judge()
        self._keep(mark, mark + 1)
        self._at = mark + 1
        return NOTHING

    def _keep(self, start, stop):
        line = self._line
        fill = self._fill
        room = len(line) - fill
        if stop - start > room:
            stop = start + room
            self._overflow = True
        buffer = self._buffer
        for i in range(start, stop):
            line[fill] = buffer[i]
            fill += 1
        self._fill = fill

    def _tidy(self):
        # Blanks go from both ends and behind the first colon; a carriage return inside ends an echo, say.
        line = self._line
        stop = self._fill
        while stop and line[stop - 1] <= 32:
            stop -= 1
        start = line.rfind(b"\r", 0, stop) + 1
        while start < stop and line[start] <= 32:
            start += 1
        colon = line.find(b":", start, stop)
        gap = colon + 1
        if colon >= 0:
            while gap < stop and line[gap] == 32:
                gap += 1
        fill = 0
        if start == 0 and gap == colon + 1:
            fill = stop
        else:
            for i in range(start, stop):
                if not colon < i < gap:
                    line[fill] = line[i]
                    fill += 1
        self._fill = fill

    def _judge(self):
        self._tidy()
        self._length = self._fill
        self._fill = 0
        self._skip = 0
        self._fixed = None
        if self._overflow:
            self._overflow = False
            self.overlong += 1
            return NOTHING
        return self._judge_line() if self._length else NOTHING

    def _judge_line(self):
        # A matching answer first, then results, then what the modem says by itself, bare answers last.
        raw = self._raw_count()
        if self._answer and self._is_answer():
            self._strict = False
            self._expect_data(raw, self._sink)
            return LINE
        if self._is_final():
            return self._take_final()
        if raw >= 0:
            self.stale += 1
            self._expect_data(raw, None)
            return NOTHING
        if self._is_urc(self._length):
            return URC
        if self._begins(b"AT"):  # an echo
            return NOTHING
        if self._answer == b"" and self._line[0] > 47:  # neither + nor * nor a quote
            return LINE
        self.unknown += 1
        return NOTHING

    def _begins(self, prefix, length=None):
        return (self._length if length is None else length) >= len(prefix) and self._line.startswith(prefix)

    def _is_answer(self):
        if not self._begins(self._answer):
            return False
        self._skip = len(self._answer)
        commas = self._commas
        for i in range(self._skip, self._length):
            if not commas:
                break
            if self._line[i] == 44:
                commas -= 1
        return not commas

    def _is_final(self):
        for text, ok in self._finals:
            if self._begins(text) and (text[-1] == 58 or self._length == len(text)):
                self.ok = ok
                return True
        return False

    def _take_final(self):
        if not self.busy or self._strict:
            self.stale += 1
            return NOTHING
        self._finish()
        return FINAL

    def _is_urc(self, length):
        for prefix, name, fixed in self._urcs:
            if self._begins(prefix, length):
                self._skip = len(prefix)
                self.name = name
                self._fixed = fixed
                return True
        return False

    def _raw_count(self):
        # The number of bytes that follow this line, or -1 when it is no such header.
        for prefix, index in self._raws:
            if self._begins(prefix):
                return self._field(len(prefix), index)
        return -1

    def _field(self, start, index):
        # The number in the index-th of the fields between commas, or -1.
        number = -1
        for i in range(start, self._length):
            byte = self._line[i]
            if byte == 44:
                if not index:
                    break
                index -= 1
            elif not index:
                if not 48 <= byte <= 57 or number > _RAW_MAX:
                    return -1
                number = (0 if number < 0 else number * 10) + byte - 48
        return number if number <= _RAW_MAX else -1

    def _expect_data(self, count, sink):
        if count > 0:
            self._state = _RAW
            self._left = count
            self.count = count
            self._target = sink
            self._fits = True

    def _take_data(self):
        size = min(self._left, self._end - self._at)
        if self._target is not None and self._target.write(self._buffer, self._at, size) != size:
            self._fits = False
        self._at += size
        self._left -= size
        if not self._left:
            self._state = _TRAILER
            self._left = 2
        return NOTHING

    def _take_trailer(self):
        if self._buffer[self._at] != (13 if self._left == 2 else 10):
            self._state = _LINES
            return CORRUPT if self._target is not None else NOTHING
        self._at += 1
        self._left -= 1
        if self._left:
            return NOTHING
        self._state = _LINES
        if self._target is None:
            return NOTHING
        return DATA if self._fits else CORRUPT
