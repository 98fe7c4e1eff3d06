"""Pictures and lists out of what people and programs write: file names, data: texts, JSON, one thing where a list is wanted.

Nothing is read from a disk here; what can't be understood is None.
"""

import base64
import binascii
import json
import re

from .record import Attachment

_SEVERAL_FILES = re.compile(r"[;；|\n]")
_DATA_URI = re.compile(r"data:([\w.+-]+/[\w.+-]+);base64,(.*)", re.DOTALL)


def file_names(text):
    """Return the file names in one text, parted by semicolons, bars or lines."""
    return [part.strip() for part in _SEVERAL_FILES.split(text) if part.strip()]


def attachment(cell):
    """Return the Attachment of a file name, a data: text, {"file": name} or an Attachment; None for anything else."""
    if isinstance(cell, dict) and isinstance(cell.get("file"), str):
        cell = cell["file"]
    if isinstance(cell, str) and cell.startswith("data:"):
        match = _DATA_URI.fullmatch(cell)
        try:
            return Attachment("", data=base64.b64decode(match[2], validate=True), media=match[1]) if match else None
        except binascii.Error:
            return None
    if isinstance(cell, str) and cell.strip():
        return Attachment(re.split(r"[\\/]", cell.strip())[-1], cell.strip())
    return cell if isinstance(cell, Attachment) else None


def items(cell, picture):
    """Return a cell as a list of dicts, or None. Where the items hold a picture, file names alone will do."""
    if isinstance(cell, str) and cell.lstrip()[:1] in ("[", "{"):
        try:
            cell = json.loads(cell)
        except ValueError:
            return None
    elif isinstance(cell, str) and picture:
        cell = file_names(cell)
    cell = cell if isinstance(cell, list) else [cell]
    if picture:
        cell = [item if isinstance(item, dict) and "file" not in item else {picture: item} for item in cell]
    return cell if all(isinstance(item, dict) for item in cell) else None
