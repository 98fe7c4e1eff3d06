"""The phrases, in Chinese, with their urgency; and numbers as they are spoken. Borrowed for each announcement.

The other half of `voice`: it fills that room's queue. Letters are taken out of a text as slices: what an index or a loop
takes out, MicroPython keeps for ever.
"""

from micropython import const

_WAITING = const(8)  # phrases at the most

# "name|urgency, 0 first|text|text with {} for the minutes, or nothing". A few rows to a text: as objects of their own they would
# take twice the heap, and all in one a piece of it that a full one has not.
PHRASES = (
    "\nfault|0|设备故障，请停止作业|\n"
    "emergency|0|已进入应急模式，焊机已通电，请注意安全|\n"
    "emergency_soon|0|网络中断，一分钟内进入应急模式，焊机将通电，请注意安全|\n"
    "idle_soon|0|长时间未焊接，一分钟内断电|\n",
    "\nauthorised_max_soon|0|本次作业时间将满，一分钟内断电|\n"
    "emergency_max_soon|0|应急时间将满，一分钟内断电|\n"
    "emergency_end_soon|0|未检测到焊接，一分钟内断电，继续作业请扫码|\n"
    "handover_end_soon|0|网络已恢复，一分钟内断电，继续作业请扫码|\n",
    "\nswitched_on|1|焊机已通电，请规范作业|\n"
    "switched_off|1|焊机已断电|\n"
    "barred|1|平台禁止作业，焊机不能通电|\n"
    "handover_soon|2|网络已恢复，一分钟内退出应急模式，请扫码|\n"
    "network_back|2|网络已恢复，请扫码|\n",
    "\nnot_scanned|2|请扫码登记后作业|\n"
    "refused|2|平台拒绝终端接入，焊机不能通电|\n"
    "out_of_service|2|本机已停用，焊机不能通电|\n"
    "no_sim|2|未检测到电话卡|未检测到电话卡，{}后进入应急模式\n",
    "\nno_network|2|暂无网络，请稍候|暂无网络，{}后进入应急模式\n"
    "online|3|终端已上线|\n"
    "welcome|3|欢迎使用焊机安全终端|\n"
    "self_test|3|请听|\n",
)
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
            text += ("零" if zero else "") + _DIGITS[digit : digit + 1] + _UNITS[place]
        zero = digit == 0 and text != ""
    return text[1:] if text.startswith("一十") else text or "零"


def minutes(count):
    """Return so many minutes as they are spoken: two is liang before what is counted."""
    return ("两" if count == 2 else number(count)) + "分钟"


def spelt(digits):
    """Return a telephone number digit by digit; anything but a digit is left out."""
    return "".join([_PHONE_DIGITS[int(digit) : int(digit) + 1] for digit in digits if digit in "0123456789"])


def phrase(name, minutes_left, phone):
    """Return (urgency, text) of a phrase.

    minutes_left: int or None; phone: digits of the service's telephone or "". Raises KeyError for an unknown name.
    """
    for rows in PHRASES:
        at = rows.find("\n" + name + "|") + 1
        if at:
            break
    else:
        raise KeyError(name)
    _, urgency, text, timed = rows[at : rows.find("\n", at)].split("|")
    if timed and minutes_left is not None:
        text = timed.format(minutes(max(minutes_left, 1)))
    if phone and name in _WITH_PHONE:
        text += "，服务电话" + spelt(phone)
    return int(urgency), text


def take_in(voice):
    """Move what was announced into the queue of the Voice. Raises KeyError for an unknown name."""
    asked, voice._asked = voice._asked, []
    for name, minutes_left, born_s in asked:
        urgency, text = phrase(name, minutes_left, voice._phone)
        _put(voice, (urgency, name, text, born_s))


def _put(voice, fresh):
    """Keep the queue in the order of urgency, the older first; a full one loses its last."""
    queue = voice._queue
    for index, other in enumerate(queue):
        if other[1] == fresh[1]:
            queue[index] = fresh
            return
    index = len(queue)
    while index and queue[index - 1][0] > fresh[0]:
        index -= 1
    queue.insert(index, fresh)
    if len(queue) > _WAITING:
        queue.pop()
        voice.counters["unspoken"] += 1
