"""Time inside the simulated modem: what happens later, in which order; the caller's milliseconds. Pure."""


class Random:
    """A small generator, the same on both interpreters and without big integers."""

    def __init__(self, seed):
        self._state = (seed % 65536) + 1

    def below(self, limit):
        """Return an integer 0..limit-1 (limit at most 65536)."""
        self._state = self._state * 75 % 65537
        return (self._state - 1) % limit


class Schedule:
    """Runs calls at their time, in order; between two of them whoever inherits may consume its input."""

    def __init__(self):
        self.now = 0
        self._entries = []
        self._serial = 0
        self._running = False

    def consume(self):
        """Work on waiting input; return whether anything was done."""
        return False

    def later(self, delay_ms, call, *arguments):
        """Call `call(*arguments)` in delay_ms. Returns a token for `cancel`."""
        self._serial += 1
        entry = (self.now + delay_ms, self._serial, call, arguments)
        self._entries.append(entry)
        return entry

    def cancel(self, token):
        """Forget a scheduled call; returns whether it was still to come."""
        if token in self._entries:
            self._entries.remove(token)
            return True
        return False

    def forget_all(self):
        """Forget every scheduled call."""
        self._entries[:] = []

    def next_ms(self, now_ms):
        """Return the time at which `advance` has something to do (at least now_ms), or None."""
        if not self._entries:
            return None
        return max(now_ms, self._first()[0])

    def _first(self):
        """Return the entry that is due first; of those of one time the one that came first, for they stand in that order."""
        first = self._entries[0]
        for entry in self._entries:
            if entry[0] < first[0]:
                first = entry
        return first

    def advance(self, now_ms):
        """Let time pass up to now_ms; time never goes back."""
        if not self._running:
            self._work(now_ms)

    def post(self, now_ms, call, *arguments):
        """Carry out something that came from outside: at once, or after the step that is under way."""
        if self._running:
            self.later(0, call, *arguments)
            return
        self._work(now_ms)
        self.later(0, call, *arguments)
        self._work(now_ms)

    def _work(self, now_ms):
        self._running = True
        try:
            while self._run_due(now_ms) or self.consume():
                pass
        finally:
            self._running = False

    def _run_due(self, now_ms):
        entries = self._entries
        if entries:
            first = self._first()
            if first[0] <= max(now_ms, self.now):
                entries.remove(first)
                self.now = max(self.now, first[0])
                first[2](*first[3])
                return True
        self.now = max(self.now, now_ms)
        return False
