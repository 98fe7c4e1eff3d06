"""What is wrong with a record, in the clerk's words: where, which rule, what to do.

A room that checks declares its rules beside the code that raises them:

    MISSING = Rule("missing", "缺少{label}", "{label} is missing", "请填写{label}", "Fill in {label}")
"""

import dataclasses
from dataclasses import dataclass

ERROR, WARNING, NOTE = "error", "warning", "note"


@dataclass(frozen=True)
class Rule:
    """One rule: its name for programs, what to say, what to do about it, and how grave it is by default.

    An error stops the record; a warning goes out with it; a note says what was done (a full-width digit made plain)."""

    name: str
    zh: str
    en: str
    zh_do: str = ""
    en_do: str = ""
    severity: str = ERROR


@dataclass(frozen=True, slots=True)
class Place:
    """Where a value stood: file, sheet, row (1 is the first line of the file or sheet) and column heading; each may be unknown."""

    file: str = ""
    sheet: str = ""
    row: int = 0
    column: str = ""

    def at(self, column):
        """Return the same place in that column."""
        return Place(self.file, self.sheet, self.row, column)


@dataclass(frozen=True, slots=True)
class Problem:
    """One broken rule at one place. words fill the rule's texts; a value that is private never is among them unmasked."""

    rule: Rule
    place: Place = dataclasses.field(default_factory=Place)
    field: str = ""
    words: dict = dataclasses.field(default_factory=dict)
    severity: str = ""

    @property
    def grave(self):
        """True when the record may not go out."""
        return (self.severity or self.rule.severity) == ERROR

    def text(self, lang="zh"):
        """Say what is wrong."""
        return getattr(self.rule, lang).format(**self.words)

    def remedy(self, lang="zh"):
        """Say what to do about it; empty when there is nothing to do."""
        return getattr(self.rule, f"{lang}_do").format(**self.words)
