"""The table of the alarms' kinds. Borrowed when an alarm begins or ends."""

# "kind|severity: 1 danger to life, 2 somebody has to act today, 3 to be looked into|Chinese|English", the most severe first. A few
# rows to a text: as objects of their own they would take twice the heap, and all in one a piece of it that a full one has not.
KINDS = (
    "\nwelding_while_unpowered|1|未通电时检测到焊接，疑似旁路|welding while unpowered: a bypass\n"
    "contact_stuck|1|已断电但触点仍接通|contact stuck: ordered off, still powered\n"
    "tamper|1|疑似拆卸或破坏终端|tampering with the terminal\n"
    "emergency|1|断网应急通电|powered in an emergency, without the platform\n",
    "\ncontact_failed|2|已通电但触点未接通|contact failed: ordered on, still unpowered\n"
    "overtemperature|2|终端温度过高|terminal too hot\n"
    "sim_changed|2|电话卡已更换|another SIM than the provisioned one\n"
    "untrusted|2|平台证书不可信|the platform's certificate does not verify\n",
    "\nflash|2|存储无法读取|flash cannot be read\n"
    "config_broken|3|配置文件损坏|configuration broken\n"
    "records_dropped|3|存储已满，部分记录被丢弃|no room: records were dropped\n"
    "clock|3|时钟不一致|the sources of time disagree\n",
)


def row(kind):
    """Return (place in the table, severity, Chinese, English). KeyError for an unknown kind."""
    place = -1
    for rows in KINDS:
        at = rows.find("\n" + kind + "|") + 1
        if at:
            _, severity, chinese, english = rows[at : rows.find("\n", at)].split("|")
            return place + rows[:at].count("\n"), int(severity), chinese, english
        place += rows.count("\n") - 1
    raise KeyError(kind)
