"""Plants a defect: text replaced in a copy of firmware/. What does not apply exactly once is an error that says how to mend it."""

import pathlib
import shutil
from dataclasses import dataclass

from hanma import toolchain

FIRMWARE = toolchain.ROOT / "firmware"


class Stale(Exception):
    """An edit no longer fits the firmware; the text says which and what to do."""


@dataclass(frozen=True)
class Edit:
    """path: under firmware/. old: text that stands there exactly once. new: what takes its place."""

    path: str
    old: str
    new: str


def apply(edit, text, name="an edit"):
    """Return the text with the edit made. Raises Stale."""
    count = text.count(edit.old)
    if count != 1:
        raise Stale(
            f"{name}: its text stands {count} times in firmware/{edit.path}, not once:\n    {edit.old!r}\n"
            f"The firmware has changed: look there for the line that does this now, and give the edit (host_tests/faults/"
            f"mutants.py or campaigns.py) a text that stands there once, so that the same defect is planted."
        )
    return text.replace(edit.old, edit.new)


def copy(out, edits, firmware=None, name="an edit"):
    """Copy the firmware (or a copy of it) to out with these edits made; returns out. Raises Stale."""
    out = pathlib.Path(out)
    shutil.copytree(firmware or FIRMWARE, out, ignore=shutil.ignore_patterns("__pycache__"))
    for edit in edits:
        path = out / edit.path
        if not path.exists():
            raise Stale(f"{name}: there is no firmware/{edit.path} any more: name the file that does this now")
        path.write_text(apply(edit, path.read_text(encoding="utf-8"), name), encoding="utf-8")
    return out
