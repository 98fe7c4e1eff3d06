"""What every workbook that is written here shares: its colours, its cells of text, its notes, and how it comes to the disk.

A workbook is its owner's alone (mode 0600) and stands there whole or not at all. What a sheet takes before it is packed lies in a
file without a name, which is gone with the process however that ends. Nothing is kept between calls.
"""

import contextlib
import os
import shutil
import tempfile
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile

from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell
from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE
from openpyxl.comments import Comment
from openpyxl.drawing.spreadsheet_drawing import SpreadsheetDrawing
from openpyxl.styles import Alignment, Font, PatternFill
from openpyxl.worksheet._write_only import WriteOnlyWorksheet
from openpyxl.worksheet._writer import WorksheetWriter
from openpyxl.writer.excel import ExcelWriter

from .flaws import OPEN_ELSEWHERE, ReadingError
from .problems import Place, Problem

MOST_ROWS = 1_048_576  # Excel's own limit
TEXT = "@"
RED, YELLOW, GREY, BLUE = (PatternFill("solid", fgColor=one) for one in ("FFC7CE", "FFEB9C", "D9D9D9", "DDEBF7"))
BOLD, PALE = Font(bold=True), Font(color="808080")
WRAPPED = Alignment(wrap_text=True, vertical="top")


def new_book():
    """Return a workbook that is written row by row, without a sheet yet."""
    return Workbook(write_only=True)


def new_sheet(book, title):
    """Add a sheet to a workbook of new_book and return it."""
    sheet = _Sheet(book, title)
    book._add_sheet(sheet)
    return sheet


def cell(sheet, value, **style):
    """Return a cell that shows a value as it is: text stays text, whatever it begins with."""
    if isinstance(value, list):
        value = "；".join(" ".join(str(one) for one in row.values()) for row in value)
    if isinstance(value, str):
        value = ILLEGAL_CHARACTERS_RE.sub("", value)
    made = WriteOnlyCell(sheet, value)
    if isinstance(value, str):
        # A text that begins with "=" must not become a formula, nor "#N/A" an error.
        made.data_type = "s"
        made.number_format = TEXT
    for name, one in style.items():
        setattr(made, name, one)
    return made


def comment(text):
    """Return a cell's note, large enough to be read."""
    made = Comment(text, "hanma")
    made.width, made.height = 320, 40 + 20 * (len(text) // 24 + text.count("\n") + 1)
    return made


def save(book, path):
    """Write a workbook. ReadingError when the file is open elsewhere."""
    with replacing(path) as file:
        _Archive(book, ZipFile(file, "w", ZIP_DEFLATED)).save()


@contextlib.contextmanager
def replacing(path):
    """Yield a file to write, its owner's alone, that takes the path's place when the block ends well. ReadingError when the file
    is open elsewhere. What an earlier run that was killed has left of the same is removed."""
    path = Path(path)
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        for one in _parts(path):
            one.unlink()
        with os.fdopen(os.open(part, os.O_CREAT | os.O_EXCL | os.O_RDWR | getattr(os, "O_BINARY", 0), 0o600), "w+b") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    except PermissionError:
        raise ReadingError(Problem(OPEN_ELSEWHERE, Place(file=path.name))) from None
    finally:
        with contextlib.suppress(FileNotFoundError):
            part.unlink()


def _parts(path):
    return [one for one in path.parent.iterdir() if one.name.startswith(f"{path.name}.") and one.name.endswith(".part")]


# openpyxl would write each sheet to a file in the system's directory for temporary ones, and a killed process leave it there.


class _Writer(WorksheetWriter):
    def __init__(self, sheet):
        super().__init__(sheet, tempfile.TemporaryFile())  # noqa: SIM115 - cleanup closes it

    def cleanup(self):
        self.out.close()


class _Sheet(WriteOnlyWorksheet):
    def _get_writer(self):
        if self._writer is None:
            self._writer = _Writer(self)
            self._writer.write_top()


class _Archive(ExcelWriter):
    def write_worksheet(self, ws):
        """Pack a sheet, as the class above does from a named file."""
        ws._drawing = SpreadsheetDrawing()
        ws._drawing.charts, ws._drawing.images = ws._charts, ws._images
        if isinstance(ws, _Sheet):
            ws.close()
            writer = ws._writer
        else:
            writer = _Writer(ws)
            writer.write()
        ws._rels = writer._rels
        writer.out.seek(0)
        with self._archive.open(ws.path[1:], "w") as packed:
            shutil.copyfileobj(writer.out, packed)
        self.manifest.append(ws)
        writer.cleanup()
