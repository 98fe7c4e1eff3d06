"""Draws the clerk's chapter's pictures from real workbooks: a template, an error workbook, the day's report, as SVG.

Text stays text: nothing here needs a font, and a test can read the words. Each function takes a workbook and writes one file.
"""

import datetime
import io
from pathlib import Path

from openpyxl import load_workbook
from rich.console import Console, Group
from rich.table import Table
from rich.terminal_theme import TerminalTheme
from rich.text import Text

DAY = datetime.date(2025, 6, 9)  # the pictures' today, so that the same workbooks give the same pictures
_WIDE = 118  # characters; a Chinese one counts two
_MOST_COLUMNS = 7
_MOST_ROWS = 4
_PROBLEM_COLUMNS = (1, 2, 3, 5, 7)  # sheet, row, column, problem, what to do
_PAPER = TerminalTheme((255, 255, 255), (40, 40, 40), [(40, 40, 40)] * 8)
_FILLS = {"FFC7CE": "black on #ffc7ce", "FFEB9C": "black on #ffeb9c", "D9D9D9": "#606060 on #d9d9d9", "DDEBF7": "black on #ddebf7"}
_FONTS = "'Noto Sans Mono CJK SC','Sarasa Mono SC','Microsoft YaHei','PingFang SC',monospace"
_FORM = """<svg class="rich-terminal" viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg">
<title>{title}</title>
<style>
.{unique_id}-matrix {{ font-family: FONTS; font-size: {char_height}px; line-height: {line_height}px; }}
.{unique_id}-title {{ font-family: FONTS; font-size: 18px; font-weight: bold; }}
{styles}
</style>
<defs>
<clipPath id="{unique_id}-clip-terminal"><rect x="0" y="0" width="{terminal_width}" height="{terminal_height}" /></clipPath>
{lines}
</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix">
{matrix}
</g>
</g>
</svg>
""".replace("FONTS", _FONTS)


def template(workbook, sheet, path):
    """Draw one sheet of a template: the grey line, the headings, a heading's note."""
    page = load_workbook(workbook)[sheet]
    head = next(row for row in page.iter_rows(max_row=2) if row[0].comment)
    grey = [Text(str(page["A1"].value), style=_style(page["A1"]))] if head[0].row > 1 else []
    lines = [[""] * len(head)] * 2
    noted = next((cell for cell in head if "代码" in cell.comment.text), head[0])
    draw(path, f"空表 · {sheet}", [*grey, _grid(head, lines), _note(noted)])


def errors(workbook, path):
    """Draw an error workbook: the sheet of problems, and the marked cells of each sheet with their notes."""
    book = load_workbook(workbook)
    problems, *marked = book.worksheets
    rows = list(problems.iter_rows())
    listed = Table(title=problems.title, title_justify="left")
    for index in _PROBLEM_COLUMNS:
        listed.add_column(rows[0][index].value, overflow="fold")
    for row in _different(row for row in rows[1:] if row[4].value == "错误"):
        listed.add_row(*(str(row[index].value) for index in _PROBLEM_COLUMNS))
    draw(path, "有错.xlsx", [listed, *(part for page in marked for part in _marked(page))])


def report(workbook, path):
    """Draw the day's report, a table for each sheet."""
    parts = []
    for page in load_workbook(workbook):
        headings, *rows = page.iter_rows(values_only=True)
        shown = Table(*map(str, headings), title=f"{page.title} {len(rows)}", title_justify="left")
        for row in rows:
            shown.add_row(*("" if one is None else str(one) for one in row))
        parts.append(shown)
    draw(path, "日报.xlsx", parts)


def _different(rows):
    """Yield rows whose words differ."""
    seen = set()
    for row in rows:
        words = row[1].value, row[5].value
        if words not in seen:
            seen.add(words)
            yield row


def _marked(page):
    """Yield a sheet's marked rows, narrowed to the columns that matter, and the notes of the marked cells."""
    head, *rows = page.iter_rows()
    rows = [row for row in rows if any(cell.comment and _style(cell) for cell in row)]
    rows = sorted(rows, key=lambda row: not any("FFC7CE" in str(cell.fill.fgColor.rgb) for cell in row))[:_MOST_ROWS]
    wanted = {index for row in rows for index, cell in enumerate(row) if cell.comment}
    wanted |= set(range(max(0, _MOST_COLUMNS - len(wanted))))
    chosen = sorted(wanted)[:_MOST_COLUMNS]
    yield Text(page.title, style="italic")
    yield _grid([head[index] for index in chosen], [[row[index] for index in chosen] for row in rows])
    yield from [_note(cell) for row in rows for cell in row if cell.comment][:2]


def _grid(head, rows):
    """Return cells as a table in the colours of the workbook."""
    shown = Table(show_lines=True)
    for cell in head[:_MOST_COLUMNS]:
        shown.add_column(Text(str(cell.value), style=_style(cell)), overflow="fold")
    for row in rows:
        shown.add_row(*(Text(_text(cell), style=_style(cell)) for cell in row[:_MOST_COLUMNS]))
    return shown


def _text(cell):
    value = getattr(cell, "value", cell)
    return "" if value is None else str(value)


def _style(cell):
    fill = getattr(cell, "fill", None)
    return _FILLS.get(str(fill.fgColor.rgb)[-6:], "") if fill is not None and fill.fill_type == "solid" else ""


def _note(cell):
    """Return the note at a cell, as the program shows it when the pointer rests there."""
    told = " / ".join(cell.comment.text.splitlines())
    return Text(f"▸ {cell.coordinate} {told}", style="black on #ffffe1")


def draw(path, title, parts, theme=_PAPER):
    """Write what rich can show, in a list, as an SVG."""
    console = Console(record=True, width=_WIDE, file=io.StringIO(), force_terminal=True, color_system="truecolor")
    console.print(Group(*parts))
    form = _FORM.replace("{title}", title)
    Path(path).write_text(console.export_svg(title=title, theme=theme, code_format=form, unique_id=Path(path).stem), "utf-8")

