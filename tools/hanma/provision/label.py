"""Labels: the QR code that a welder scans, as PNG and on a PDF sheet to print and cut. No secret is ever on one.

State: none. Lengths in mm on paper.
"""

import io
import pathlib
import re

import segno
from reportlab.lib.pagesizes import A4
from reportlab.lib.units import mm
from reportlab.pdfgen.canvas import Canvas

from hanma.provision import whole

TEMPLATE = "{device_id}"
_COLUMNS, _ROWS = 3, 8
_MARGIN_MM, _CODE_MM = 10, 24
_QUIET_MODULES = 4  # ISO/IEC 18004: the quiet zone around the symbol
_TEXT_PT = 8
_TEXT_CHARACTERS = 24  # of a device id on one line beside the code


class LabelError(Exception):
    """There is no such label; the text says why."""


def content(template, row, facts):
    """Return what a terminal's code says: its row's column qr, else the template with device_id, username, the batch's extra
    columns and facts (number, chip, imei, iccid). Raises LabelError."""
    known = {**row.extra, "device_id": row.device_id, "username": row.username, **facts}
    try:
        text = row.qr or template.format(**known)
    except (KeyError, IndexError, ValueError) as error:
        raise LabelError(f"label template {template!r}: {error}; it may name {', '.join(sorted(known))}") from None
    if row.secret.get_secret_value() in text:
        raise LabelError("the secret would be on the label 标签中不得包含密钥")
    return text


def save_png(directory, number, device_id, text):
    """Write one code as PNG and return its path, which is the same for a reprint."""
    directory = pathlib.Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    name = re.sub(r"[^A-Za-z0-9_.-]", "_", device_id)
    path = directory / f"{number:06d}-{name}.png"
    room = io.BytesIO()
    segno.make(text, error="m", micro=False).save(room, kind="png", scale=8, border=_QUIET_MODULES)
    whole.write(path, room.getvalue())
    return path


def save_sheet(path, labels):
    """Write labels, [(number, device id, text)], on sheets of A4."""
    room = io.BytesIO()
    canvas = Canvas(room, pagesize=A4, invariant=True)
    width, height = A4
    step_x = (width - 2 * _MARGIN_MM * mm) / _COLUMNS
    step_y = (height - 2 * _MARGIN_MM * mm) / _ROWS
    for index, label in enumerate(labels):
        place = index % (_COLUMNS * _ROWS)
        if index and not place:
            canvas.showPage()
        left = _MARGIN_MM * mm + place % _COLUMNS * step_x
        top = height - _MARGIN_MM * mm - place // _COLUMNS * step_y
        _draw(canvas, left, top, *label)
    canvas.save()
    whole.write(path, room.getvalue())


def _draw(canvas, left, top, number, device_id, text):
    matrix = segno.make(text, error="m", micro=False).matrix
    module = _CODE_MM * mm / (len(matrix) + 2 * _QUIET_MODULES)
    for y, line in enumerate(matrix):
        for x, is_dark in enumerate(line):
            if is_dark:
                at_x = left + (x + _QUIET_MODULES) * module
                canvas.rect(at_x, top - (y + _QUIET_MODULES + 1) * module, module, module, stroke=0, fill=1)
    canvas.setFont("Helvetica", _TEXT_PT)
    lines = [f"No. {number:06d}"]
    lines += [device_id[at : at + _TEXT_CHARACTERS] for at in range(0, len(device_id), _TEXT_CHARACTERS)]
    for line_number, line in enumerate(lines):
        canvas.drawString(left + _CODE_MM * mm, top - 2 * _QUIET_MODULES * mm - line_number * 1.4 * _TEXT_PT, line)
