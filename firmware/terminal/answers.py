"""The words of the answers to commands. Borrowed for each answer."""

# Answers of the interlock and of the shell, "code|Chinese", as one text: a dict would take twice the heap.
ANSWERS = (
    "\n"
    "on|已开机\n"  # switched on
    "off|已关机\n"  # switched off
    "busy|其他作业未结束\n"  # another job has not ended
    "stale|命令已过期\n"  # the command is too old
    "future|命令时间超前\n"  # the command is dated in the future
    "out_of_service|设备已停用\n"  # out of service
    "service|维护状态只能关机\n"  # service may only switch off
    "cancelled|命令已被取消\n"  # cancelled by a later stop
    "contact_failed|已动作但触点未吸合\n"  # the contact did not follow
    "malformed|命令格式错误\n"  # the command cannot be read
    "upgrade|已接受升级\n"  # an upgrade is under way from here on
    "upgrading|升级正在切换或试运行\n"  # another upgrade waits to be switched to, or is on trial
)


def words(code):
    """Return the Chinese words of an answer. KeyError for an unknown code."""
    at = ANSWERS.find("\n" + code + "|") + 1
    if not at:
        raise KeyError(code)
    return ANSWERS[at + len(code) + 1 : ANSWERS.find("\n", at)]
