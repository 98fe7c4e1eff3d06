"""What the terminal says aloud, in Chinese, and in which order.

Owns the queue of phrases that wait for the loudspeaker. Nothing waits for the voice: `announce` returns at
once, the task speaks when the modem can. Times are seconds since boot.
"""

import asyncio

from micropython import const

from terminal.borrow import borrow

_ASKED = const(16)  # announcements not yet looked up: more than one round of the task can bring
_STALE_S = const(45)  # "within a minute" is no longer true much later
_AGAIN_MS = const(3000)  # a modem that is just starting is asked again
_UNSUPPORTED = const(3)  # so many refusals in a row: this modem has no voice


class Voice:
    """Speaks one phrase after the other.

    say: async, speaks a text and returns when it is spoken (`modem.say`). failure: what it raises when it
    cannot, with a `code` ("unsupported" where there is no voice). clock: has now_s(). service_phone: text
    of digits or "".
    """

    def __init__(self, say, failure, clock, service_phone, log):
        self.available = True  # False once the modem has refused three times
        self.counters = {"spoken": 0, "unspoken": 0, "voice_failures": 0}
        self._say = say
        self._failure = failure
        self._clock = clock
        self._phone = service_phone
        self._log = log
        self._asked = []  # (name, minutes left, born_s)
        self._queue = []  # (urgency, name, text, born_s)
        self._refusals = 0
        self._wake = asyncio.Event()

    def announce(self, name, minutes_left=None):
        """Ask for a phrase; one that waits under this name is replaced. Reads no file: the relay's owner calls this."""
        if not self.available:
            return
        waiting = self._asked
        for asked in waiting:
            if asked[0] == name:
                waiting.remove(asked)
                break
        if len(waiting) >= _ASKED:
            waiting.pop(0)
            self.counters["unspoken"] += 1
        waiting.append((name, minutes_left, self._clock.now_s()))
        self._wake.set()

    def forget(self):
        """Give up what waits, for the sake of its memory."""
        self.counters["unspoken"] += len(self._asked) + len(self._queue)
        self._asked.clear()
        self._queue.clear()

    def take_in(self):
        """Look up what was announced and queue it by urgency. Raises KeyError for an unknown name, ImportError."""
        borrow("phrases").take_in(self)

    async def run(self):
        """Optional task: speak what waits, for ever."""
        while True:
            while self._asked or self._queue:
                if self._asked:
                    self.take_in()
                await self._speak(self._queue.pop(0))
            self._wake.clear()
            await self._wake.wait()

    async def _speak(self, phrase):
        counters = self.counters
        if self._clock.now_s() - phrase[3] > _STALE_S:
            counters["unspoken"] += 1
            return
        queue = self._queue
        try:
            await self._say(phrase[2])
            counters["spoken"] += 1
            self._refusals = 0
        except self._failure as failure:
            counters["voice_failures"] += 1
            if failure.code == "unsupported":
                self._refusals += 1
                if self._refusals >= _UNSUPPORTED:
                    self.available = False
                    queue.clear()
                    self._log("no voice: the modem does not speak; the lamp does")
                    return
            await asyncio.sleep_ms(_AGAIN_MS)
            index = 0  # behind its equals
            while index < len(queue) and queue[index][0] <= phrase[0]:
                index += 1
            queue.insert(index, phrase)
