"""The phrases, in Chinese, with their urgency. Borrowed for each announcement.

The other half of `voice`: it fills that room's queue.
"""

from micropython import const

from terminal.borrow import borrow

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
        text = timed.format(borrow("numerals").minutes(max(minutes_left, 1)))
    if phone and name in _WITH_PHONE:
        text += "，服务电话" + borrow("numerals").spelt(phone)
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
