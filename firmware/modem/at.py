"""The AT conversation as a machine of bytes: feed it what the UART gave, it yields what the modem said.

Owns the receive buffers (made once) and what the command in flight waits for. Does no I/O and knows no time.
The shell reads into `window`, calls `feed(count)`, then `next()` until it says NOTHING:

    count = uart.readinto(conversation.window)
    conversation.feed(count)
    while True: kind = conversation.next() ...

`next()` returns: 0 NOTHING, all bytes are used up; 1 LINE, of the answer to the command in flight; 2 FINAL, that
command is over, `ok` tells how; 3 PROMPT, the modem waits for the payload; 4 URC, something the modem says by itself,
`name` is the dialect's name for it; 5 DATA, `count` bytes were written to the sink and the line end behind them was
there; 6 CORRUPT, counted data was not followed by a line end, or did not fit: the stream has a hole.

A dialect gives three tables, each one bytes literal (a third of what tuples take) of rows `prefix LF word LF`: URCS with
names; RAWS with one digit, the index of the field that counts the bytes that follow the line; FINALS with + or -.
Prefixes are written without the space that some firmware puts after the first colon; a final that ends in a colon is
a prefix, any other a whole line. A row that begins with 0 is a whole line that begins with any digit, and the digit is its
value.
Nothing is allocated for counted data, for lines that are dropped, or per byte; `value()` and `text()` allocate.
"""

from micropython import const

_NOTHING = const(0)
_LINE = const(1)
_FINAL = const(2)
_PROMPT = const(3)
_URC = const(4)
_DATA = const(5)
_CORRUPT = const(6)

_LINES = const(0)
_RAW = const(1)
_TRAILER = const(2)
_RAW_MAX = const(4096)  # no modem hands out more than 1500 at once; a larger count is a damaged header

RESULTS = b"OK\n+\nERROR\n-\n+CME ERROR:\n-\n+CMS ERROR:\n-\nNO CARRIER\n-\n"


class ModemError(Exception):
    """What the modem room raises: `code`, a short word for the cause, and `doing`, what was being done."""

    def __init__(self, code, doing=""):
        super().__init__(code, doing)
        self.code = code
        self.doing = doing


def numbers(value):
    """Return the fields of a value (bytes) as a list of integers, None where a field is no number."""
    found = []
    for field in value.split(b","):
        try:
            found.append(int(field.strip(b' "')))
        except ValueError:
            found.append(None)
    return found


def text(value):
    """Return an answer's bytes as text without quotes; a question mark when noise is among them: it goes into reports."""
    value = value.strip(b' "')
    for byte in value:
        if not 32 <= byte < 127:
            return "?"
    return value.decode()


def dbm(value, index, top, step, lowest):
    """Return the level in dBm from a field of +CSQ or +CESQ (27.007 8.5, 8.69), None when the modem does not know."""
    level = (numbers(value) + [None] * 6)[index]
    return lowest + step * level if level is not None and 0 <= level <= top else None


class Conversation:
    """One UART's AT conversation with at most one command in flight."""

    def __init__(self, dialect, window_bytes=48, line_bytes=192):
        self._urcs = dialect.URCS
        self._raws = dialect.RAWS
        self._finals = RESULTS + dialect.FINALS
        self._buffer = bytearray(window_bytes)
        self.window = memoryview(self._buffer)  # the shell reads into this
        self._at = 0  # next byte of the window to use
        self._end = 0  # end of what was fed
        self._line = bytearray(line_bytes)
        self._fill = 0  # bytes of the line being collected
        self._overflow = False  # it was longer than the buffer
        self._length = 0  # bytes of the line last judged
        self._skip = 0  # where its value begins
        self._state = _LINES
        self._left = 0  # counted bytes, or bytes of the trailer, still to come
        self._target = None  # where counted bytes go; None drops them
        self._fits = True
        self.busy = False  # a command is in flight
        self._answer = None
        self._commas = 0
        self._armed = False  # a prompt is awaited
        self._marked = False  # but not in this line: it had a mark inside
        self._strict = False
        self._early = False  # neither the answer nor the prompt has come
        self._sink = None
        self.name = None  # of the last URC
        self.ok = False  # how the last command ended
        self.count = 0  # bytes of the last DATA
        self.judged = 0  # lines that were not blank
        self.unknown = 0  # lines dropped because nobody knows them
        self.overlong = 0  # lines dropped because they exceed the buffer
        self.stale = 0  # answers and results that no command waited for

    def begin(self, answer=None, commas=0, prompt=False, sink=None, strict=False):
        """A command goes out now.

        answer: prefix of its answer lines, b"" for bare ones, None for none; commas: an answer has at least that
        many, a URC of the same prefix fewer; -1: the answer is the result, an OK may come ahead of it; -2: the answer is
        one of the results; -3: as none, but there may be no answer at all; prompt: a `>` will come; sink: takes counted data by
        `write(buffer, offset, count) -> written`. An OK ahead of the answer or the prompt is another command's,
        late, or noise; with strict an error is, too.
        """
        self.busy = True
        self._answer = answer
        self._commas = commas
        self._armed = prompt
        self._sink = sink
        self._strict = strict
        self._early = prompt or answer is not None and commas > -2

    def abandon(self):
        """Forget the command in flight and any half-read line or data: it timed out, or the modem rebooted."""
        self._finish()
        self._state = _LINES
        self._target = None
        self._fill = 0
        self._overflow = self._marked = False

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
        return _NOTHING

    def value(self):
        """Return what follows the matched prefix of the last LINE, URC or FINAL, as bytes."""
        return bytes(self._line[self._skip : self._length])

    def text(self):
        """Return the whole last line as bytes, without the line end and the space after its first colon."""
        return bytes(self._line[: self._length])

    def _finish(self):
        self.begin()
        self.busy = False

    def _take_line(self):
        start = self._at
        stop = self._buffer.find(b"\n", start, self._end)
        whole = stop >= 0
        if not whole:
            stop = self._end
        if self._armed and not self._marked:
            mark = self._buffer.find(b">", start, stop)
            if mark >= 0:
                return self._take_prompt(start, mark)
        self._keep(start, stop)
        self._at = stop + 1 if whole else stop
        return self._judge() if whole else _NOTHING

    def _take_prompt(self, start, mark):
        self._keep(start, mark)
        self._tidy()
        if not self._fill:
            self._armed = False
            self._early = self._answer is not None
            self._at = mark + 1
            return _PROMPT
        if self._row(self._urcs, self._fill):  # glued to a URC: that first, and the prompt at the next look
            self._at = mark
            return self._judge()
        self._keep(mark, mark + 1)
        self._at = mark + 1
        self._marked = True
        return _NOTHING

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
        fill = 0
        blank = 32  # what is no text here
        colon = False
        for i in range(line.rfind(b"\r", 0, stop) + 1, stop):
            byte = line[i]
            if byte > blank:
                line[fill] = byte
                fill += 1
                blank = -1
                if byte == 58 and not colon:
                    colon = True
                    blank = 32
        self._fill = fill

    def _judge(self):
        # A matching answer first, then results, then what the modem says by itself, bare answers last.
        self._tidy()
        length = self._length = self._fill
        self._fill = 0
        self._marked = False
        if self._overflow:
            self._overflow = False
            self.overlong += 1
            return _NOTHING
        if not length:  # half of all lines
            return _NOTHING
        self.judged += 1
        row = self._row(self._raws, length)
        raw = self._field(self._skip, self._raws[row] - 48) if row else -1
        if self._answer and self._is_answer():
            self._early = False
            self._expect_data(raw, self._sink)
            return self._take_final(True) if -3 < self._commas < 0 else _LINE
        row = self._row(self._finals, length)
        if row and (self._skip == length or not self._skip or self._line[self._skip - 1] == 58):
            return self._take_final(self._finals[row] == 43)
        if raw >= 0:
            self.stale += 1
            self._expect_data(raw, None)
            return _NOTHING
        row = self._row(self._urcs, length)
        if row:
            self.name = self._urcs[row : self._urcs.find(b"\n", row)].decode()
            return _URC
        self._skip = 0
        if length > 1 and self._line.startswith(b"AT"):  # an echo
            return _NOTHING
        if self._answer == b"" and self._line[0] > 47:  # neither + nor * nor a quote
            self._early = False
            return self._take_final(True) if -3 < self._commas < 0 else _LINE
        self.unknown += 1
        return _NOTHING

    def _row(self, table, length):
        # Where a table's word for this line is, 0 when it has none; the value begins behind the prefix.
        line = self._line
        start = 0
        while start < len(table):
            digit = table[start] == 48 <= line[0] <= 57
            i = 1 if digit else 0
            while i < length and line[i] == table[start + i]:
                i += 1
            if table[start + i] == 10 and (i == length or not digit):
                self._skip = 0 if digit else i
                if digit:
                    self._length = 1
                return start + i + 1
            start = table.find(b"\n", table.find(b"\n", start) + 1) + 1
        return 0

    def _is_answer(self):
        if not self._line.startswith(self._answer) or self._length < len(self._answer):
            return False
        self._skip = len(self._answer)
        return self._line.count(b",", self._skip, self._length) >= self._commas

    def _take_final(self, ok):
        if not self.busy or self._early and (ok or self._strict):
            self.stale += 1
            return _NOTHING
        self.ok = ok
        self._finish()
        return _FINAL

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
        return _NOTHING

    def _take_trailer(self):
        if self._buffer[self._at] != (13 if self._left == 2 else 10):
            self._state = _LINES
            return _CORRUPT if self._target is not None else _NOTHING
        self._at += 1
        self._left -= 1
        if self._left:
            return _NOTHING
        self._state = _LINES
        if self._target is None:
            return _NOTHING
        return _DATA if self._fits else _CORRUPT
