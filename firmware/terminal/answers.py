"""The words of the answers to commands. Borrowed for each answer."""

# Answers of the interlock and of the shell: code -> (Chinese, English).
ANSWERS = {
    "on": ("已开机", "switched on"),
    "off": ("已关机", "switched off"),
    "busy": ("其他作业未结束", "another job has not ended"),
    "stale": ("命令已过期", "the command is too old"),
    "future": ("命令时间超前", "the command is dated in the future"),
    "out_of_service": ("设备已停用", "out of service"),
    "service": ("维护状态只能关机", "service may only switch off"),
    "cancelled": ("命令已被取消", "cancelled by a later stop"),
    "contact_failed": ("已动作但触点未吸合", "the contact did not follow"),
    "malformed": ("命令格式错误", "the command cannot be read"),
}
