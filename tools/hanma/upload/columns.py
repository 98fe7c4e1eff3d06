"""Headings become fields: by the document's name, its Chinese label, or an alias of the field or of the site.

A heading is compared without its marks (`*`, （必填）), spaces and full-width forms. What is not known, or stands there twice, is a
problem that names the nearest known ones: nothing is guessed. Sheets are known by their table's title or key in the same way.
"""

import difflib
import re
import unicodedata
from collections import defaultdict
from dataclasses import replace

from .catalogue import Field
from .problems import Problem, Rule

UNKNOWN = Rule(
    "heading_unknown",
    "不认识的列“{heading}”，这一列不会上报",
    "Column {heading} is not known: nothing of it goes out",
    '最接近的列：{near}。自己用的列，可在工地配置 [aliases] 写 "{heading}" = ""',
    'The nearest: {near}. For a column of your own write "{heading}" = "" under [aliases] of the site\'s profile',
)
DOUBLED = Rule(
    "heading_doubled",
    "“{first}”和“{second}”是同一项（{label}）",
    "{first} and {second} are the same ({label})",
    "请只留一列",
    "Leave only one of them",
)
AMBIGUOUS = Rule(
    "heading_ambiguous",
    "列“{heading}”可以是 {choices}",
    "Column {heading} may be any of {choices}",
    "请改写成其中一个",
    "Write one of them instead",
)

# Columns that stay here and are never sent: what shows that a person agreed to be photographed.
_HERE_ONLY = "只留在本机，不上报。"
CONSENT = (
    Field("consent", "同意采集人脸", "enum", choices={"1": "是", "0": "否"}, fact=True, note=f"本人同意的写“是”。{_HERE_ONLY}"),
    Field("consent_date", "同意日期", "date", latest_now=True, fact=True, note=f"签同意书的日期。{_HERE_ONLY}"),
)
# What clerks number their rows with.
_COUNTERS = ("序号", "行号", "no", "no.")
_MARKS = re.compile(r"\((必填|选填|非必填|条件必填|必需|可不填|required|optional)\)|\[(必填|选填)\]|[*:]", re.IGNORECASE)
_REPEATED = re.compile(r"#\d+$")
_NOT_IN_SHEET_NAMES = re.compile(r"[\[\]:*?/\\]")
_MOST_SHEET_NAME = 31


def plain(heading):
    """Return a heading without marks, spaces and full-width forms, for comparing."""
    text = re.sub(r"\s+", "", unicodedata.normalize("NFKC", str(heading)))
    return _MARKS.sub("", text).casefold()


def match(headings, table, site):
    """Return ({heading: field name}, [Problem]) for a table's headings, as `reading` gives them (`姓名#2` for a second 姓名)."""
    known = _known(table, site)
    headings = list(headings)
    found, taken, problems = {}, {}, []
    for heading in headings:
        written = _written(heading, headings)
        names = known.get(plain(written))
        if names is None:
            if plain(written) not in _COUNTERS:
                problems += _relaxed(site, Problem(UNKNOWN, words={"heading": written, "near": _near(written, table, known)}))
        elif len(names) > 1:
            choices = "、".join(unique_heading(table, table.field(name)) for name in names)
            problems.append(Problem(AMBIGUOUS, words={"heading": written, "choices": choices}))
        elif names[0] in taken:
            words = {"first": taken[names[0]], "second": written, "label": _label(table, names[0])}
            problems.append(Problem(DOUBLED, field=names[0], words=words))
        elif names[0]:
            found[heading], taken[names[0]] = names[0], written
    return found, [replace(one, place=one.place.at(one.words.get("heading") or one.words["second"])) for one in problems]


def fields_of(table):
    """Return the fields a sheet of that table may hold: the document's, and those that stay here."""
    has_face = any(one.privacy == "face" and one.type == "image" for one in table.fields)
    return table.fields + (CONSENT if has_face else ())


def unique_heading(table, one):
    """Return what to head a field's column with: its label, and its name where another field has the same label."""
    same = [other for other in table.fields if plain(other.label) == plain(one.label)]
    return one.label if len(same) == 1 or one not in table.fields else f"{one.label}（{one.name}）"


def nested(table, array):
    """Return an array of a table as a table of its own: the fields that say whose it is, then the array's own."""
    own = {one.name for one in array.fields}
    whose = tuple(replace(table.field(name), required="yes") for name in table.identity if name not in own and table.field(name))
    return replace(table, key=f"{table.key}.{array.name}", title=f"{table.title}-{array.label}", fields=whose + tuple(array.fields))


def is_attachments(array):
    """Return whether an array's items are a file and at most its name: then the file names in one cell say all."""
    files = [one for one in array.fields if one.type in ("image", "file")]
    names = [one for one in array.fields if one.type == "string"]
    return len(files) == 1 and len(names) <= 1 and len(array.fields) == len(files) + len(names)


def sheet_name(table):
    """Return the name of a table's sheet: its title, or its key where Excel can't hold the title."""
    title = _NOT_IN_SHEET_NAMES.sub("", table.title)
    return title if 0 < len(title) <= _MOST_SHEET_NAME else table.key[:_MOST_SHEET_NAME]


def table_of(name, platform):
    """Return (table, array) for a sheet's or file's name, array None for the table itself; None when it is neither."""
    wanted = plain(name)
    for table in platform.tables.values():
        if wanted in _names(table):
            return table, None
        for array in table.fields:
            if array.type == "array" and wanted in _names(nested(table, array)):
                return table, array
    return None


def nearest_tables(name, platform):
    """Return the titles of the tables nearest to that name, all of them when none is near."""
    titles = {plain(one.title): one.title for one in platform.tables.values()}
    near = difflib.get_close_matches(plain(name), titles, 3, 0.5)
    return [titles[one] for one in near or titles]


def _names(table):
    return {plain(one) for one in (table.title, table.key, sheet_name(table))}


def _known(table, site):
    """Return {plain heading: [field names it may mean]}. An exact field name and the site's own aliases go before all else."""
    known = defaultdict(list)
    for one in fields_of(table):
        for text in (one.label, f"{one.label}({one.name})", *one.aliases):
            if one.name not in known[plain(text)]:
                known[plain(text)].append(one.name)
    known.update({plain(one.name): [one.name] for one in fields_of(table)})
    names = {one.name for one in fields_of(table)} | {""}
    known.update({plain(heading): [name] for heading, name in site.aliases.items() if name in names})
    return dict(known)


def _written(heading, headings):
    """Return a heading as it stands there: without the number that reading gives to its second time."""
    first = _REPEATED.sub("", heading)
    return first if first in headings else heading


def _relaxed(site, problem):
    """Return the problem with the gravity the site wants for its rule, or nothing."""
    wanted = site.rules.get(problem.rule.name, "error")
    return [] if wanted == "off" else [replace(problem, severity=wanted)]


def _near(heading, table, known):
    near = difflib.get_close_matches(plain(heading), known, 3, 0.5)
    names = dict.fromkeys(name for one in near for name in known[one] if name)
    return "、".join(_label(table, name) for name in names) or "-"


def _label(table, name):
    return next((unique_heading(table, one) for one in fields_of(table) if one.name == name), name)
