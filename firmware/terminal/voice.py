"""What the terminal says aloud, in Chinese, and in which order.

Owns the queue of phrases that wait for the loudspeaker. Nothing waits for the voice: `announce` returns at
once, the task speaks when the modem can. Times are seconds since boot.
"""

import asyncio

from micropython import const

_WAITING = const(8)  # phrases at the most
_STALE_S = const(45)  # "within a minute" is no longer true much later
_AGAIN_MS = const(3000)  # a modem that is just starting is asked again
_UNSUPPORTED = const(3)  # so many refusals in a row: this modem has no voice

# name: (urgency, 0 first; text; text with {} for the minutes, or None)
PHRASES = {
    "fault": (0, "设备故障，请停止作业", None),
    "emergency": (0, "已进入应急模式，焊机已通电，请注意安全", None),
    "emergency_soon": (0, "网络中断，一分钟内进入应急模式，焊机将通电，请注意安全", None),
    "idle_soon": (0, "长时间未焊接，一分钟内断电", None),
    "authorised_max_soon": (0, "本次作业时间将满，一分钟内断电", None),
    "emergency_max_soon": (0, "应急时间将满，一分钟内断电", None),
    "emergency_end_soon": (0, "未检测到焊接，一分钟内断电，继续作业请扫码", None),
    "handover_end_soon": (0, "网络已恢复，一分钟内断电，继续作业请扫码", None),
    "switched_on": (1, "焊机已通电，请规范作业", None),
    "switched_off": (1, "焊机已断电", None),
    "barred": (1, "平台禁止作业，焊机不能通电", None),
    "handover_soon": (2, "网络已恢复，一分钟内退出应急模式，请扫码", None),
    "network_back": (2, "网络已恢复，请扫码", None),
    "not_scanned": (2, "请扫码登记后作业", None),
    "refused": (2, "平台拒绝终端接入，焊机不能通电", None),
    "out_of_service": (2, "本机已停用，焊机不能通电", None),
    "no_sim": (2, "未检测到电话卡", "未检测到电话卡，{}后进入应急模式"),
    "no_network": (2, "暂无网络，请稍候", "暂无网络，{}后进入应急模式"),
    "online": (3, "终端已上线", None),
    "welcome": (3, "欢迎使用焊机安全终端", None),
    "self_test": (3, "请听", None),
}
_WITH_PHONE = ("fault", "refused", "out_of_service")
_DIGITS = "零一二三四五六七八九"
_PHONE_DIGITS = "零幺二三四五六七八九"  # a one is read yao where numbers are spelt
_UNITS = ("", "十", "百", "千")


def number(value):
    """Return 0 to 9999 as it is spoken."""
    text = ""
    zero = False
    for place in (3, 2, 1, 0):
        digit = value // 10**place % 10
        if digit:
            text += (_DIGITS[0] if zero else "") + _DIGITS[digit] + _UNITS[place]
        zero = digit == 0 and text != ""
    return text[1:] if text.startswith("一十") else text or _DIGITS[0]


def minutes(count):
    """Return so many minutes as they are spoken: two is liang before what is counted."""
    return ("两" if count == 2 else number(count)) + "分钟"


def spelt(digits):
    """Return a telephone number digit by digit; anything but a digit is left out."""
    return "".join([_PHONE_DIGITS[int(digit)] for digit in digits if digit in "0123456789"])


class Voice:
    """Speaks one phrase after the other.

    say: async, speaks a text and returns when it is spoken (`modem.say`). failure: what it raises when it
    cannot, with a `code` ("unsupported" where there is no voice). clock: has now_s(). service_phone: text
    of digits or "".
    """

    def __init__(self, say, failure, clock, service_phone="", log=print):
        self.available = True  # False once the modem has refused three times
        self.counters = {"spoken": 0, "unspoken": 0, "voice_failures": 0}
        self._say = say
        self._failure = failure
        self._clock = clock
        self._phone = "，服务电话" + spelt(service_phone) if service_phone else ""
        self._log = log
        self._queue = []  # (urgency, name, text, born_s)
        self._refusals = 0
        self._wake = asyncio.Event()

    def announce(self, name, minutes_left=None):
        """Queue a phrase; one that waits under this name is replaced. KeyError for an unknown name."""
        urgency, text, timed = PHRASES[name]
        if not self.available:
            return
        if timed and minutes_left is not None:
            text = timed.format(minutes(max(minutes_left, 1)))
        if name in _WITH_PHONE:
            text += self._phone
        self._put((urgency, name, text, self._clock.now_s()))
        self._wake.set()

    def waiting(self):
        """Return the names of the phrases that wait, in the order they will be spoken."""
        return [phrase[1] for phrase in self._queue]

    async def run(self):
        """Optional task: speak what waits, for ever."""
        while True:
            while self._queue:
                await self._speak(self._queue.pop(0))
            self._wake.clear()
            await self._wake.wait()

    def _put(self, phrase):
        """Keep the queue in the order of urgency, the older first; a full one loses its last."""
        queue = self._queue
        for index, other in enumerate(queue):
            if other[1] == phrase[1]:
                queue[index] = phrase
                return
        index = len(queue)
        while index and queue[index - 1][0] > phrase[0]:
            index -= 1
        queue.insert(index, phrase)
        if len(queue) > _WAITING:
            queue.pop()
            self.counters["unspoken"] += 1

    async def _speak(self, phrase):
        if self._clock.now_s() - phrase[3] > _STALE_S:
            self.counters["unspoken"] += 1
            return
        try:
            await self._say(phrase[2])
            self.counters["spoken"] += 1
            self._refusals = 0
        except self._failure as failure:
            self.counters["voice_failures"] += 1
            if failure.code == "unsupported":
                self._refused()
            if self.available:
                await asyncio.sleep_ms(_AGAIN_MS)
                self._put_back(phrase)

    def _put_back(self, phrase):
        if phrase[1] not in self.waiting():  # a newer one under this name goes before
            self._put(phrase)

    def _refused(self):
        self._refusals += 1
        if self._refusals >= _UNSUPPORTED:
            self.available = False
            self._queue.clear()
            self._log("no voice: the modem does not speak; the lamp does")
