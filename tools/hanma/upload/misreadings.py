"""What can be wrong with a cell, and what was mended in it: the rules of coding, in the clerk's words."""

from .privacy import mask, rewrite
from .problems import NOTE, WARNING, Problem, Rule

TIDIED = Rule("tidied", "{label}里的全角字符或空格已改正", "{label}: full-width signs or spaces were made plain", severity=NOTE)
ZERO_RESTORED = Rule("zero_restored", "{label}的 {cell} 补成了 {code}", "{label}: {cell} was completed to {code}", severity=NOTE)
READ_AS = Rule("read_as", "{label}写的是编码 {cell}，按文件是“{name}”", "{label}: the code {cell} means {name} here", severity=NOTE)
ROUNDED = Rule("rounded", "{label}按文件保留两位小数：{value}", "{label} keeps two places: {value}", severity=NOTE)
CUT_TO_DAY = Rule("cut_to_day", "{label}只要日期，时间没有用", "{label} is a day; the time was left out", severity=NOTE)
NUMBER_CELL = Rule(
    "number_cell",
    "{label}是数字单元格，前面的 0 可能已经丢失",
    "{label} is a number cell: leading zeros may be lost",
    "请核对；把单元格设为文本格式再填",
    "Check it; make the cell a text cell",
    WARNING,
)
LONG_NUMBER = Rule(
    "long_number",
    "{label}是数字单元格，表格软件只保留前 15 位，后面的已经丢失",
    "{label} came as a number: a spreadsheet keeps 15 digits, the rest is lost",
    "请把单元格设为文本格式，重新填写完整的号码",
    "Make the cell a text cell and type the whole number again",
)
DATE_CELL = Rule(
    "date_cell",
    "{label}被表格软件变成了日期",
    "{label} was turned into a date by the spreadsheet",
    "请把单元格设为文本格式，重新填写",
    "Make the cell a text cell and type it again",
)
WRONG_TYPE = Rule("wrong_type", "{label}不能是{kind}", "{label} can't be {kind_en}", "请改成{wanted}", "Write {wanted_en}")
TOO_LONG = Rule(
    "too_long", "{label}有 {count} 个字，最多 {most} 个", "{label} has {count} characters of {most}", "请缩短", "Shorten it"
)
NOT_NUMBER = Rule(
    "not_number", "{label}不是数字：{cell}", "{label} is no number: {cell}", "请只填数字，不带单位", "Write digits, no unit"
)
NOT_WHOLE = Rule("not_whole", "{label}要整数：{cell}", "{label} is a whole number: {cell}", "请填整数", "Write a whole number")
NOT_DATE = Rule(
    "not_date",
    "{label}不是可读的日期：{cell}",
    "{label} is no date that can be read: {cell}",
    "请写成 2026-01-31",
    "Write 2026-01-31",
)
NOT_TIME = Rule(
    "not_time",
    "{label}不是精确到秒的时间：{cell}",
    "{label} is no time exact to the second: {cell}",
    "请写成 2026-01-31 07:30:00",
    "Write 2026-01-31 07:30:00",
)
MIDNIGHT_CELL = Rule(
    "midnight_cell",
    "{label}的单元格只有日期，没有时间（或恰是零点整）",
    "{label}: the cell holds a day without a time, or midnight itself",
    "请填到秒；确是零点整的，改成文本格式写 2026-01-31 00:00:00",
    "Write it to the second; midnight itself goes as the text 2026-01-31 00:00:00",
)
UNKNOWN_CODE = Rule(
    "unknown_code",
    "{label}的字典里没有 {cell}",
    "{label}: its dictionary has no {cell}",
    "请填字典里的编码或名称；相近的有：{near}",
    "Write a code or name of the dictionary; near are: {near}",
)
SEVERAL_CODES = Rule(
    "several_codes",
    "{label}的 {cell} 对应几个编码：{codes}",
    "{label}: {cell} fits several codes: {codes}",
    "请直接填其中一个编码",
    "Write one of these codes",
)
NEEDS_OTHER = Rule(
    "needs_other",
    "{label}用哪张字典要看{other}，而它还不明",
    "{label}: which dictionary holds depends on {other}, not known yet",
    "请先填对{other}",
    "Fill in {other} first",
)
ONE_PICTURE = Rule(
    "one_picture", "{label}只能有一张图片，这里有 {count} 张", "{label} is one picture; here are {count}", "请只留一张", "Leave one"
)
NOT_PICTURE = Rule(
    "not_picture", "{label}不是图片的文件名", "{label} is no picture's file name", "请填图片文件名", "Write a picture's file name"
)
NOT_LIST = Rule(
    "not_list",
    "{label}要一组记录，读不出来",
    "{label} is a list of records and can't be read",
    "附件写文件名，用分号隔开；其他请按模板填写",
    "Write file names with semicolons between, or use the template",
)
UNKNOWN_PART = Rule(
    "unknown_part", "{label}里没有“{part}”这一项", "{label} has no {part}", "请按模板的名称填写", "Use the template's names"
)


def problem(rule, field, cell="", **words):
    """Return a Problem about a field; the cell is shown only as far as its privacy lets it."""
    shown = mask(field.privacy, cell) if field.privacy else rewrite(str(cell))
    return Problem(rule, field=field.name, words={"label": field.label, "cell": shown, **words})
