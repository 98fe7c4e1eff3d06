"""What a technician reads, in Chinese and English: one table, so that no message has only one of them.

State: none.
"""

LANGUAGES = ("zh", "en")

# code: (Chinese, English); names in braces are filled in
WORDS = {
    # steps
    "connect": ("连接主板", "connect"),
    "chip": ("读取芯片", "chip"),
    "identity": ("分配编号", "identity"),
    "files": ("写入文件", "files"),
    "secret": ("写入身份", "identity and key"),
    "verify": ("回读核对", "read back"),
    "start": ("启动", "start"),
    "selftest": ("自检", "self test"),
    "lock": ("锁定", "lock"),
    "label": ("标签", "label"),
    "changed": ("改动 {changed} 个，共 {total} 个", "{changed} of {total} changed"),
    "same": ("无需改动", "nothing to change"),
    "again": ("沿用原编号", "as before"),
    # verdicts
    "pass": ("合格", "PASS"),
    "fail": ("不合格", "FAIL"),
    "hold_button": ("主板已锁定：请按住主板上的按键", "the board is locked: hold down its button"),
    "wait_board": ("请插入下一块主板", "plug in the next board"),
    # the cable
    "no_port": ("找不到串口：请检查数据线是否插好", "there is no such port: is the cable plugged in?"),
    "port_busy": (
        "串口打不开：是否被其他程序占用，或没有权限",
        "the port cannot be opened: another program has it, or you may not use it",
    ),
    "no_board": ("没有找到主板：请插上数据线", "no board found: plug in a cable"),
    "cable": ("数据线断开了：请插好后再运行一次", "the cable came off: plug it in and run this again"),
    "silent": (
        "主板没有应答：检查供电和数据线（有的线只能充电）",
        "the board says nothing: check its power, and the cable (some only charge)",
    ),
    "busy": (
        "主板上的程序不让出控制台：请断电后重试",
        "the program on the board does not let go of the console: cut its power and try again",
    ),
    "locked": (
        "主板已锁定，没有按下按键（或没有按键）：按住按键重试，或擦除主板后重写",
        "the board is locked and its button was not held (or it has none): hold it and try again, or erase the board",
    ),
    "wrong_key": ("主板已锁定，批次文件中的密钥不对", "the board is locked, and the secret in the batch file is not its own"),
    "in_service": ("焊机正在通电，不能维护：请先停机", "the welder has power: stop it first"),
    # the chip
    "not_micropython": (
        "主板上没有 MicroPython：请先运行 hanma flash",
        "there is no MicroPython on this board: run hanma flash first",
    ),
    "old_micropython": ("MicroPython {version} 太旧，至少需要 {least}", "MicroPython {version} is too old: {least} or later"),
    "wrong_chip": ("芯片不对：{machine}，型号 {board} 需要 {chip}", "the wrong chip: {machine}; {board} has an {chip}"),
    "flash_write": ("芯片闪存写入失败：{detail}", "the chip's flash does not take it: {detail}"),
    "differs": ("回读不一致：{detail}", "read back, it differs: {detail}"),
    "not_ready": ("重启后没有就绪：{detail}", "the board did not get ready after its reset: {detail}"),
    "board_error": ("主板报错：{detail}", "the board reports an error: {detail}"),
    # the batch
    "batch_bad": ("批次文件有误：\n{detail}", "the batch file is wrong:\n{detail}"),
    "batch_empty": ("批次文件中的编号已用完", "no identity is left in the batch file"),
    "foreign": (
        "主板已有编号 {device}，不在批次文件中；确认后用 --replace",
        "the board already is {device}, which is not in the batch file; --replace if that is meant",
    ),
    "wrong_sim": ("SIM 卡不对：插的是 {found}，应为 {wanted}", "the wrong SIM: {found} is in, {wanted} belongs there"),
    # the self test's parts
    "relay": ("继电器", "relay"),
    "modem": ("模组", "modem"),
    "sim": ("SIM 卡", "SIM"),
    "signal": ("信号", "signal"),
    "registration": ("入网", "registration"),
    "clock": ("时钟", "clock"),
    "position": ("定位", "position"),
    "voice": ("语音", "voice"),
    "flash": ("闪存", "flash"),
    "heap": ("内存", "memory"),
    "welding": ("焊接检测", "welding sense"),
    # the test at the welder
    "online": ("在线应答", "the terminal answers"),
    "switch_on": ("平台开机", "on by order"),
    "switch_off": ("平台关机", "off by order"),
    "contact": ("触点回读", "contact read back"),
    "fail_open": ("断网应急放行", "opens in an outage"),
    "at_rest": ("断电复原", "off, and as configured"),
    "ask_welder": ("焊机刚才是否通电、随后断电？", "did the welder get power, and lose it again?"),
    "listen": ("请听：喇叭将说“请听”", "please listen: the loudspeaker is going to say 请听"),
    "ask_heard": ("喇叭刚才说“请听”了吗？", "did the loudspeaker say 请听?"),
    "antenna_off": (
        "请拔下天线（或遮断信号）。约 {seconds} 秒后焊机应通电并有语音；听到后把天线装回",
        "take the antenna off (or shut the signal out). After some {seconds} s the welder gets power and a voice says so;"
        " then put the antenna back",
    ),
    "stopping": ("正在断电复原，请稍候，不要拔线", "switching off and putting back: wait, leave everything plugged in"),
    "interrupted": ("测试被中断", "interrupted"),
    "not_online": (
        "终端 {device} 在 {seconds} 秒内没有应答：检查供电、天线，以及平台地址是否一致",
        "terminal {device} did not answer within {seconds} s: its supply, its antenna, the same broker?",
    ),
    "no_broker": (
        "{seconds} 秒内连不上平台：检查 --broker 的地址和端口、账号密码、--ca 文件，以及本机网络",
        "no connection to the broker within {seconds} s: check --broker's address and port, user and password, --ca, and this"
        " computer's network",
    ),
    "unanswered": ("命令没有应答：检查天线和信号", "an order was not answered: check antenna and signal"),
    "on_refused": ("终端不执行开机：{detail}", "the terminal does not switch on: {detail}"),
    "off_refused": (
        "终端不执行关机：{detail}。请断开焊机电源",
        "the terminal does not switch off: {detail}. Cut the welder's supply",
    ),
    "on_unreported": ("已应答开机，但没有上报通电", "it answered, but did not report that the welder has power"),
    "off_unreported": ("已应答关机，但没有上报断电", "it answered, but did not report that the welder lost power"),
    "contact_wrong": (
        "触点与命令不符（{detail}）：检查接线和接触器",
        "the contact does not follow ({detail}): check wires and contactor",
    ),
    "welder_dead": ("焊机没有随命令通断：检查继电器接线", "the welder did not follow: check the relay's wires"),
    "no_position": ("没有位置（{detail}）：检查定位天线和信号", "no position ({detail}): check antenna and signal"),
    "no_voice": ("终端不能说话（{detail}）：检查模组固件", "it cannot speak ({detail}): check the modem's firmware"),
    "not_heard": ("没有听到语音：检查喇叭接线", "nothing was heard: check the loudspeaker's wires"),
    "no_self_test": ("{seconds} 秒内没有收到终端自检结果", "its self test was not reported within {seconds} s"),
    "no_rehearsal": (
        "终端没有接受缩短的等待时间：程序太旧，或时间不对",
        "the terminal does not shorten its wait: its program is too old, or a clock is wrong",
    ),
    "not_opened": (
        "{seconds} 秒内没有应急放行：信号没有断开，或没有恢复",
        "no emergency within {seconds} s: the signal was not shut out, or is not back",
    ),
    "opened_early": ("放行过早：{seconds} 秒，应为 {wanted} 秒", "it opened too early: after {seconds} s, not {wanted} s"),
    "not_at_rest": (
        "关机没有得到确认！终端最迟 {minutes} 分钟后自行断电；现在请断开焊机电源",
        "the stop is not confirmed! The terminal stops by itself in {minutes} minutes at the latest; cut the welder's supply now",
    ),
    "not_restored": (
        "没有确认恢复原等待时间；终端最迟 {minutes} 分钟后或重启后自行恢复",
        "it is not confirmed that the wait is as configured; it is so in {minutes} minutes at the latest, or after a reset",
    ),
    "no_device": (
        "不知道是哪台终端：终端未锁定时请用 --device 给出编号",
        "which terminal is this? One that is not locked does not say: give --device",
    ),
    "not_this_device": ("插的是 {found}，不是 {wanted}", "on the cable is {found}, not {wanted}"),
    "photo_bad": ("照片打不开：{detail}", "a photo cannot be read: {detail}"),
    "key_bad": ("签名密钥不可用：{detail}", "the key cannot be used: {detail}"),
    "sheet_bad": ("验收单无效：{detail}", "the sheet is not valid: {detail}"),
    "sheet_good": ("验收单有效：{device}，{verdict}，签名 {key}", "the sheet is valid: {device}, {verdict}, signed by {key}"),
    "missing": ("缺少：{detail}", "missing: {detail}"),
    "enterprise_bad": ("企业资料有误：{detail}", "the enterprise's file is wrong: {detail}"),
    # what it found, where the terminal's own words are not for people: part and detail
    "relay on True, off True": ("吸合、释放正常", "closes and opens"),
    "relay on False, off True": ("不吸合", "does not close"),
    "relay on False, off False": ("不吸合", "does not close"),
    "relay on True, off False": ("不释放", "does not open"),
    "relay clicked, no read-back": ("已动作，没有回读触点", "clicked; there is no contact to read back"),
    "position gnss answers, cell None": ("卫星定位有应答", "the satellite receiver answers"),
    "voice said": ("已播放", "said"),
    "welding False": ("未焊接", "nobody welds"),
    # the doctor
    "is_board": ("{machine}，芯片编号 {chip}", "{machine}, chip {chip}"),
    "runs_micropython": ("运行 {release}", "it runs {release}"),
    "is_known": ("批次记录：第 {number} 号，{device}", "in the batch record: No. {number}, {device}"),
    "has_firmware": ("终端程序：{count} 个文件，板型 {board}", "the terminal's program: {count} files, for the board {board}"),
    "no_firmware": ("没有终端程序：请运行 hanma provision", "no terminal's program is on it: run hanma provision"),
    "half_firmware": ("终端程序不完整：请再运行一次 hanma provision", "its program is not whole: run hanma provision again"),
    "no_main": (
        "写入中断过（没有 main.py）：请再运行一次 hanma provision",
        "writing was interrupted (no main.py): run hanma provision again",
    ),
    "has_identity": ("终端编号 {device}", "it is terminal {device}"),
    "no_identity": (
        "没有编号，平台不会接纳：请运行 hanma provision",
        "it has no identity, no platform lets it in: run hanma provision",
    ),
    "no_secret": (
        "没有密钥，平台不会接纳：请运行 hanma provision",
        "it has no secret, no platform lets it in: run hanma provision",
    ),
    "is_open": ("控制台未锁定", "its console is not locked"),
    "is_locked_now": (
        "终端 {device} 已锁定（芯片 {chip}）。要检查内部，请按住按键并用 --batch 给出批次文件",
        "terminal {device} is locked (chip {chip}). To look inside hold its button and give --batch",
    ),
    "setting_wrong": ("配置有误：{detail}", "its settings are wrong: {detail}"),
    "no_host": ("没有配置平台地址（host）", "no platform is configured (host)"),
    "no_ca": ("没有 CA 证书 {name}：TLS 连不上", "the authority's certificate {name} is not there: TLS cannot connect"),
    "kept_broken": ("芯片记录损坏：{detail}", "what the chip keeps is broken: {detail}"),
    "is_minimal": ("连续启动失败，处于最小模式", "it failed to start several times: minimal mode"),
    "why_barred": ("平台已禁止本终端焊接", "the platform has banned welding here"),
    "why_refused": ("平台不接纳本终端：检查编号和密钥", "the platform does not let it in: check its identity and secret"),
    "why_out_of_service": ("平台已停用本终端", "the platform has shut it down"),
    "why_no_network": (
        "其余正常：联网并扫码后即可焊接",
        "else all is well: it lets people weld once it is online and they have scanned",
    ),
    # and what helps where one fails
    "help_relay": ("检查继电器和触点回读的接线", "check the wires of the relay and of the contact's read-back"),
    "help_modem": ("模组没有应答：检查模组供电和排线", "the modem does not answer: check its supply and its wires"),
    "help_sim": ("检查 SIM 卡是否插到位、有无 PIN 码", "is the SIM in its holder, and without a PIN?"),
    "help_signal": ("接好天线", "connect the antenna"),
    "help_registration": ("SIM 卡未开通或欠费，或 APN 不对", "the SIM is not active or has no credit, or the APN is wrong"),
    "help_clock": ("网络没有给出时间", "the network does not tell the time"),
    "help_position": ("定位天线或基站定位不可用", "neither satellites nor the network's location answer"),
    "help_voice": ("模组没有语音功能，或喇叭未接", "the modem cannot speak: wrong firmware, or no loudspeaker"),
    "help_flash": ("闪存读写不一致或已满", "the flash does not keep what is written, or is full"),
    "help_heap": ("内存不足：主板是否带 PSRAM", "too little memory: has the board PSRAM?"),
    "help_welding": ("未通电却检测到焊接电流", "the sense says welding while there is no power"),
}


def say(code, lang, **facts):
    """Return the words of a code in "zh" or "en"."""
    return WORDS[code][LANGUAGES.index(lang)].format(**facts)


class Trouble(Exception):
    """What stands in the way, by its code in WORDS and facts; str() is English."""

    def __init__(self, code, **facts):
        super().__init__(say(code, "en", **facts))
        self.code, self.facts = code, facts

    def words(self, lang):
        """Return the words in a language."""
        return say(self.code, lang, **self.facts)
