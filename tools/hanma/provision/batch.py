"""The batch file: one identity a row, with what its label and its settings have of their own. Checked whole before any board.

CSV with a header, UTF-8 (also with a byte order mark, as Excel writes it). Columns: device_id, secret; optional username, qr,
iccid; any setting of docs/configuration.md; others are for the label only. State: none.
"""

import contextlib
import csv
import json
import sys
import types

import pydantic

from hanma import stage
from hanma.provision.words import Trouble

IDENTITY = ("device_id", "secret", "username")
_OWN = (*IDENTITY, "qr")
_SETTING_KINDS = {"int": int, "zero_or": int}
_WORD = r"^[!-~]+$"


class Row(pydantic.BaseModel):
    """One terminal to be."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    device_id: str = pydantic.Field(min_length=1, max_length=128, pattern=_WORD)
    secret: pydantic.SecretStr = pydantic.Field(min_length=8, max_length=256)
    username: str = pydantic.Field("", max_length=128)
    qr: str = pydantic.Field("", max_length=1024)
    settings: dict = {}
    extra: dict = {}
    number: int = 0  # the row's number in the file; the header is row 1

    @pydantic.field_validator("secret")
    @classmethod
    def _is_printable(cls, value):
        text = value.get_secret_value()
        if not all("!" <= letter <= "~" for letter in text):
            raise ValueError("must be printable ASCII without spaces")
        return value


def load(path, base):
    """Return the rows of a batch file. base: settings for all, with which a row's own are checked; None: they are not.

    Raises Trouble batch_bad, with a line for each thing that is wrong; no secret is in it.
    """
    try:
        with open(path, newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file, strict=True)
            lines = [(reader.line_num, line) for line in reader]
            columns = [column or "" for column in reader.fieldnames or []]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise Trouble("batch_bad", detail=f"{path}: {error}") from error
    wrong = [f"column {name} is missing 缺少列" for name in ("device_id", "secret") if name not in columns]
    wrong += [f"column {name} is there twice 列重复" for name in sorted(set(columns)) if columns.count(name) > 1]
    rows = [] if wrong else [row for number, line in lines if (row := _row(number, line, base, wrong))]
    wrong += _twice(rows)
    if wrong or not rows:
        raise Trouble("batch_bad", detail="\n".join(wrong) or f"{path}: no rows 没有数据行")
    return rows


def make(fields, base):
    """Return one row from arguments. Raises Trouble batch_bad."""
    wrong = []
    row = _row(0, fields, base, wrong)
    if wrong:
        raise Trouble("batch_bad", detail="\n".join(wrong))
    return row


def _row(number, line, base, wrong):
    """Return the Row, or None and say what is wrong."""
    if None in line or None in line.values():
        wrong.append(f"row {number} 行: more or fewer fields than the header 列数与表头不符")
        return None
    line = {name: value.strip() for name, value in line.items()}
    kinds = {field[0]: field[1] for field in firmware_config().FIELDS}
    settings = {name: _value(kinds[name], text) for name, text in line.items() if name in kinds and text}
    extra = {name: text for name, text in line.items() if name not in kinds and name not in _OWN}
    own = {name: line[name] for name in _OWN if name in line}
    problems = [] if base is None else firmware_config().check({**base, **settings})[1]
    problems = [f"row {number} 行: {text}" for text in problems]
    try:
        row = Row(**own, settings=settings, extra=extra, number=number)
    except pydantic.ValidationError as error:
        for one in error.errors(include_input=False):
            problems.append(f"row {number} 行: {'.'.join(map(str, one['loc']))}: {one['msg']}")
    wrong += problems
    return None if problems else row


def _value(kind, text):
    """Return a cell as the setting's kind; what cannot be is left as it is, and refused by the firmware's own check."""
    with contextlib.suppress(ValueError):
        if kind in _SETTING_KINDS:
            return int(text)
        if kind in ("bool", "causes"):
            return json.loads(text.lower())
    return text


def _twice(rows):
    """Return what names two rows; a secret is for one device."""
    wrong = []
    for name, value_of in (
        ("device_id", lambda row: row.device_id),
        ("secret", lambda row: row.secret.get_secret_value()),
        ("qr", lambda row: row.qr),
        ("iccid", lambda row: row.settings.get("iccid")),
    ):
        seen = {}
        for row in rows:
            value = value_of(row)
            if value and value in seen:
                wrong.append(f"row {row.number} 行: {name}: the same as in row {seen[value]} 与该行重复")
            seen.setdefault(value, row.number)
    return wrong


def firmware_config():
    """Return the firmware's own module of settings: what it refuses is refused alike here."""
    if "terminal.config" not in sys.modules:
        sys.path.insert(0, str(stage.FIRMWARE))
        sys.modules.setdefault("micropython", types.SimpleNamespace(const=lambda value: value))
        try:
            import terminal.config  # noqa: F401
        finally:
            sys.path.remove(str(stage.FIRMWARE))
    return sys.modules["terminal.config"]
