"""What can be wrong with a file before anything is known of its meaning: the rules of reading, in the clerk's words."""

from .problems import Rule


class ReadingError(Exception):
    """A file that can't be read or written. problem: why, where, and what to do."""

    def __init__(self, problem):
        super().__init__(problem.text())
        self.problem = problem


# The whole file.
MISSING_FILE = Rule("file_missing", "文件打不开", "The file can't be opened", "请检查文件名和位置", "Check its name and place")
OPEN_ELSEWHERE = Rule(
    "file_busy",
    "文件正被别的程序占用，或没有读写权限",
    "The file is open in another program, or not permitted",
    "请先在 Excel/WPS 里关闭它，再试一次",
    "Close it in Excel, then try again",
)
LOCK_FILE = Rule(
    "file_lock",
    "这是 Excel 打开文件时留下的临时文件，不是表格",
    "This is the mark Excel leaves while a file is open, no table",
    "请关闭 Excel，选原来的文件",
    "Close Excel and choose the file itself",
)
XLS = Rule(
    "file_xls",
    "这是旧格式（.xls 或 .et）的表格",
    "This is a workbook in an old form (.xls or .et)",
    "请在 Excel/WPS 里另存为 .xlsx",
    "Save it as .xlsx",
)
PASSWORD = Rule(
    "file_password",
    "文件有打开密码",
    "The file is protected by a password",
    "请去掉密码后另存为 .xlsx",
    "Remove the password and save it as .xlsx",
)
BROKEN = Rule(
    "file_broken",
    "文件损坏或不完整，不是可读的 .xlsx",
    "The file is damaged or cut short: no readable .xlsx",
    "请在 Excel/WPS 里打开，另存为新的 .xlsx",
    "Open it in Excel and save it as a new .xlsx",
)
KIND = Rule(
    "file_kind",
    "不认识的文件类型 {suffix}",
    "{suffix} is no kind of file that can be read",
    "请另存为 .xlsx 或 .csv",
    "Save it as .xlsx or .csv",
)
TOO_LARGE = Rule(
    "file_large",
    "文件展开后超过 {most} MB，不予打开",
    "Unpacked, the file is more than {most} MB",
    "请把表格分成几个文件",
    "Part the table into several files",
)
TOO_MANY_ROWS = Rule(
    "rows_many", "行号超过 {most}", "There are rows beyond {most}", "请把表格分成几个文件", "Part the table into several files"
)
ENCODING = Rule(
    "file_encoding",
    "文字编码既不是 UTF-8 也不是 GB18030",
    "The text is neither UTF-8 nor GB18030",
    "请另存为 CSV UTF-8，或 .xlsx",
    "Save it as CSV UTF-8 or .xlsx",
)
AMBIGUOUS = Rule(
    "file_encoding_unsure",
    "分不清文字编码是 UTF-8 还是 GB18030",
    "The text could be UTF-8 as well as GB18030",
    "请另存为“CSV UTF-8（逗号分隔）”，或 .xlsx",
    "Save it as CSV UTF-8 (with its mark) or .xlsx",
)
EMPTY = Rule("sheet_empty", "表是空的", "The table is empty", "第一行写列标题，下面每行一条", "Write headings, then a row each")
NO_SHEET = Rule("sheet_missing", "没有名为“{sheet}”的工作表", "There is no sheet {sheet}", "现有：{known}", "There are: {known}")
HEADINGS_MERGED = Rule(
    "headings_merged",
    "标题行有合并单元格",
    "Cells of the headings are merged",
    "请取消合并，标题只占一行，每列一个",
    "Unmerge them: one line, a heading for each column",
)
CSV_FORM = Rule(
    "csv_form",
    "从这一行起引号不成对，或一格太长",
    "From this line on the quotes don't pair, or one cell is too long",
    '请检查这一行的英文引号 "，或改存为 .xlsx',
    'Look at the quotes " of this line, or save it as .xlsx',
)
LINE_LONG = Rule(
    "line_long", "一行超过 {most} 个字符", "A line has more than {most} characters", "请检查换行", "Look at its line ends"
)

# One row of it.
ERROR_CELL = Rule(
    "cell_error",
    "单元格是错误值 {value}",
    "The cell is the error {value}",
    "请改正公式，或直接填写内容",
    "Mend the formula, or type the value",
)
NO_RESULT = Rule(
    "formula_without_value",
    "单元格是公式，但文件里没有它的结果",
    "The cell is a formula whose result is not in the file",
    "请在 Excel/WPS 里打开并保存一次，或直接填写内容",
    "Open and save the file in Excel, or type the value",
)
MERGED = Rule(
    "cell_merged",
    "在合并单元格 {range} 里，分不清属于哪一行",
    "It lies in the merged cells {range}: whose value it is can't be known",
    "请取消合并，每行都填写",
    "Unmerge them and fill in every row",
)
STRAY = Rule(
    "cell_without_heading",
    "{column} 列没有标题却有内容",
    "Column {column} has a value but no heading",
    "请补上标题或删去内容；CSV 里也可能是多了一个分隔符",
    "Give it a heading or clear it; in CSV it may be one separator too many",
)
SHORT_LINE = Rule(
    "line_short",
    "这一行只有 {has} 列，标题有 {wanted} 列",
    "This line has {has} columns, the headings {wanted}",
    "请检查是否少了分隔符，或文件没有存完整",
    "A separator may be missing, or the file cut short",
)
TEXT_LONG = Rule("cell_long", "文字超过 {most} 个字符", "The text has more than {most} characters", "请缩短", "Shorten it")
JSON_FORM = Rule(
    "json_form",
    "这一行不是完整的 JSON（第 {at} 个字符处）",
    "This line is no whole JSON (at character {at})",
    "一行一个对象，UTF-8",
    "One object a line, in UTF-8",
)
JSON_DOUBLED = Rule("json_doubled", "{key} 出现了两次", "{key} stands there twice", "请只留一个", "Leave only one")
JSON_TYPE = Rule(
    "json_type",
    "{key} 的值不是文字、数、真假，也不是对象或文字的数组",
    "The value of {key} is no text, number, truth or list of objects or texts",
    "请按字段的类型写",
    "Write it in its field's type",
)
